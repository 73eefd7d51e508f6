//! The way back over saved states: what lies between them is computed again.

use super::pull::Pass;
use crate::Real;
use crate::solve::engine::Engine;
use crate::solve::lanes::Lanes;
use crate::solve::{Checkpoints, Report, Solution, Tape};

/// One way back over a pass that kept states.
pub(super) struct Replay<'p, 'a, T: Real> {
    engine: &'p mut Engine<'a, T>,
    pass: &'p mut Pass<'a, T>,
    tape: Tape<T>,
    /// Where the repeated stretches write their outputs and counts, which are known already.
    again: Solution<T>,
    /// Occurrences of events before the stretch at hand.
    happened: usize,
    /// Rounds that a tape may span.
    stretch: usize,
}

impl<'p, 'a, T: Real> Replay<'p, 'a, T> {
    /// Goes all the way back, from the tape of the last rounds where there is one. The saved states are used up.
    pub fn run(
        engine: &'p mut Engine<'a, T>,
        pass: &'p mut Pass<'a, T>,
        kept: &mut Checkpoints<T>,
        trajectories: usize,
    ) {
        let mut end = kept.rounds;
        let again = Solution {
            states: vec![T::zero(); pass.outputs_bar.len()],
            reports: vec![Report::default(); trajectories],
            occurrences: Vec::new(),
        };
        let tape = std::mem::take(&mut kept.tape);
        let mut replay = Self { engine, pass, tape, again, happened: kept.occurrences, stretch: kept.stretch };
        while let Some(saved) = kept.saved.pop() {
            let begin = kept.saved.len() * kept.every;
            if end == kept.rounds && end - begin == replay.tape.rounds.len() {
                replay.happened -= replay.tape.occurrences();
                replay.pass.rounds(&mut replay.engine.stepper, &replay.tape);
            } else {
                replay.over(&saved, end - begin, kept.room - kept.saved.len());
            }
            end = begin;
        }
        // The forward pass counted its own evaluations; these came on top.
        replay.pass.repeated += replay.again.reports.iter().map(|report| report.evaluations).sum::<usize>();
        kept.tape = replay.tape;
        kept.tape.clear();
    }

    /// Goes back over so many rounds after a saved state, with room for `free` more.
    fn over(&mut self, from: &Lanes<T>, rounds: usize, free: usize) {
        let stretches = rounds.div_ceil(self.stretch);
        if stretches <= 1 {
            return self.back(from.clone(), rounds);
        }
        let points = free.min(stretches - 1);
        if points == 0 {
            for k in (0..stretches).rev() {
                let mut lanes = from.clone();
                self.forward(&mut lanes, k * self.stretch);
                self.back(lanes, self.stretch.min(rounds - k * self.stretch));
            }
            return;
        }
        let spacing = stretches.div_ceil(points + 1) * self.stretch;
        let (mut saved, mut lanes) = (Vec::with_capacity(points), from.clone());
        for _ in (spacing..rounds).step_by(spacing) {
            self.forward(&mut lanes, spacing);
            saved.push(lanes.clone());
        }
        let mut end = rounds;
        while let Some(point) = saved.pop() {
            let begin = (saved.len() + 1) * spacing;
            self.over(&point, end - begin, free - saved.len() - 1);
            end = begin;
        }
        self.over(from, end, free);
    }

    fn forward(&mut self, lanes: &mut Lanes<T>, rounds: usize) {
        for _ in 0..rounds {
            self.engine.round(lanes, &mut self.again, None);
            self.again.occurrences.clear();
        }
    }

    /// Records so many rounds once more and goes back over them.
    fn back(&mut self, mut lanes: Lanes<T>, rounds: usize) {
        self.tape.clear();
        self.again.occurrences.clear();
        for _ in 0..rounds {
            self.engine.round(&mut lanes, &mut self.again, Some(&mut self.tape));
        }
        // Numbers of occurrences count from the stretch's first.
        self.happened -= self.again.occurrences.len();
        for event in self.tape.marks.iter_mut().filter_map(|mark| mark.event.as_mut()) {
            event.occurrence += self.happened;
        }
        self.pass.rounds(&mut self.engine.stepper, &self.tape);
    }
}
