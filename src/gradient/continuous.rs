//! The interpolating and the backsolve adjoint.
//!
//! The parameters' gradient is `∫ λᵀ ∂f/∂θ dt`, taken with the weights of the method itself over the stages of the adjoint's
//! accepted steps: the quadrature is of the method's order, and its error does not steer the steps (as in Kidger, Chen &
//! Lyons 2021, *"Hey, that's not an ODE"*).

use super::adjoint::{Adjoint, Course, States};
use super::pull::{Onto, Pulled};
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::solve::engine::Engine;
use crate::solve::integrate::checked;
use crate::solve::lanes::Lanes;
use crate::solve::tape::{Origin, Outcome};
use crate::solve::{Kind, Options, Problem, Tape};
use crate::{Error, Real, Result};

/// Refuses what the adjoint equation is not solved for here.
pub(super) fn check<T: Real>(field: Field<T>, options: &Options, again: bool) -> Result<()> {
    let refused = |what: &str| Err(Error::config(what, "choose the gradient strategy stored or checkpointed"));
    match options.method.kind {
        _ if !field.events.is_empty() => refused("the adjoint equation does not pass events"),
        Kind::Partitioned(_) => refused("the adjoint equation does not separate, as symplectic methods need it"),
        Kind::DiagonallyImplicit(_) if again => {
            refused("solving back for the state as well would need second derivatives under an implicit method")
        }
        Kind::DiagonallyImplicit(_) | Kind::Explicit => Ok(()),
    }
}

/// Solves the adjoint equation of a problem backward from cotangents of its outputs: adds to `onto` and returns the starts'
/// cotangents.
///
/// # Errors
/// If it cannot be followed to the start, or arrives there without finite numbers.
pub(super) fn pull_continuously<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    states: States<T>,
    outputs_bar: &[T],
    mut onto: Onto<T>,
) -> Result<Pulled<T>> {
    let dim = field.state_dim();
    let adjoint = Adjoint { component: field.component, again: matches!(states, States::Again(_)) };
    check(field, options, adjoint.again)?;
    let not_finite = || {
        Err(Error::config(
            "cotangents that are not finite meet the adjoint equation, or come back from it",
            "look for outputs or a loss that are not finite, or choose the gradient strategy stored or checkpointed",
        ))
    };
    let finite = |x: &[T]| x.iter().all(|x| x.is_finite());
    if !finite(outputs_bar) {
        return not_finite();
    }
    // It stops at every observation, so those come on top of the steps that the method would take.
    let kinks: usize = (0..problem.len()).map(|s| field.inputs.map_or(0, |inputs| inputs.kinks(s).len())).sum();
    let max_steps = options.max_steps.saturating_add(problem.times.len()).saturating_add(kinks);
    let options = &Options { max_steps, ..*options };
    let course = Course::new(field, problem, states, outputs_bar);
    let backward = course.problem();
    let back = Field::with_inputs(&adjoint, &course, field.timed)?;
    let mut solution = checked(back, params, &backward, options)?;
    let mut engine = Engine::new(back, params, backward, options);
    let mut origin = Origin::default();
    let mut lanes = engine.begin(&mut solution, Some(&mut origin));
    let mut quadrature = Quadrature::new(field, &adjoint, &course, &origin);
    let mut tape = Tape::default();
    while !lanes.ids.is_empty() {
        tape.clear();
        let before = lanes.clone();
        engine.round(&mut lanes, &mut solution, Some(&mut tape));
        quadrature.round(&engine, &before, &tape, &mut onto);
    }
    let mut starts = vec![T::zero(); problem.len() * dim];
    for (s, start) in starts.chunks_exact_mut(dim).enumerate() {
        if let Some(failure) = solution.reports[s].failure {
            return Err(Error::Solve { series: format!("number {s}, on the way back"), failure });
        }
        if course.scales[s] > T::zero() {
            let arrived = &solution.states[backward.row_ptr[s] * adjoint.rows()..][..adjoint.rows()];
            let lambda = &arrived[adjoint.lambda()];
            start.iter_mut().zip(lambda).for_each(|(start, &lambda)| *start = course.scales[s] * lambda);
        }
        for row in
            (problem.row_ptr[s]..problem.row_ptr[s + 1]).filter(|&row| problem.times[row] == problem.start_times[s])
        {
            let bars = &outputs_bar[row * dim..(row + 1) * dim];
            start.iter_mut().zip(bars).for_each(|(start, &bar)| *start += bar);
        }
    }
    if !(finite(&starts) && finite(onto.params) && finite(onto.inputs)) {
        return not_finite();
    }
    let evaluations = solution.reports.iter().map(|report| report.evaluations).sum();
    Ok(Pulled { starts, evaluations })
}

/// Takes the integral over parameters and inputs, step by step.
struct Quadrature<'q, 'a, T: Real> {
    field: Field<'a, T>,
    adjoint: &'q Adjoint<'a, T>,
    course: &'q Course<'a, T>,
    /// The field's slab where each lane stands.
    first: Vec<T>,
    lambda: Vec<T>,
    w: Vec<T>,
    bar: Vec<T>,
    scratch: Vec<T>,
    row: Vec<T>,
}

impl<'q, 'a, T: Real> Quadrature<'q, 'a, T> {
    fn new(field: Field<'a, T>, adjoint: &'q Adjoint<'a, T>, course: &'q Course<'a, T>, origin: &Origin<T>) -> Self {
        let (lanes, component) = (origin.ids.len(), field.component);
        let room = |n: usize| vec![T::zero(); n * lanes];
        Self {
            first: origin.slab.clone(),
            lambda: room(adjoint.rows()),
            w: room(field.state_dim()),
            bar: room(component.in_dim()),
            scratch: room(component.scratch_len()),
            row: vec![T::zero(); field.inputs.map_or(0, |inputs| inputs.dim())],
            field,
            adjoint,
            course,
        }
    }

    /// Adds what the accepted steps of one round give. `before` are the lanes as they stood.
    fn round(&mut self, engine: &Engine<T>, before: &Lanes<T>, tape: &Tape<T>, onto: &mut Onto<T>) {
        let Some(round) = tape.rounds.last() else { return };
        let (method, component) = (&engine.stepper.method, self.field.component);
        let (lanes, dim) = (round.lanes, self.field.state_dim());
        let (h, outcomes) = (&tape.steps[round.first..][..lanes], &tape.outcomes[round.first..][..lanes]);
        let slab_len = component.slab_len() * lanes;
        let block = self.adjoint.rows() * lanes;
        for (j, weight) in method.result_weights().into_iter().enumerate().filter(|(_, weight)| *weight != T::zero()) {
            method.stage_state(j, &before.y, h, &engine.stepper.stages, &mut self.lambda[..block]);
            if let Some(gamma) = method.diagonal.filter(|_| j > 0) {
                let stage = &engine.stepper.stages[j * block..(j + 1) * block];
                self.lambda[..block]
                    .iter_mut()
                    .zip(stage)
                    .enumerate()
                    .for_each(|(i, (l, &k))| *l += h[i % lanes] * gamma * k);
            }
            let rows = self.adjoint.lambda();
            for (i, (w, &lambda)) in self.w.iter_mut().zip(&self.lambda[rows.start * lanes..]).enumerate() {
                let lane = i % lanes;
                let counts = outcomes[lane] == Outcome::Whole;
                *w = if counts { -h[lane] * weight * self.course.scales[before.ids[lane]] * lambda } else { T::zero() };
            }
            let slab = if j == 0 {
                &self.first[..slab_len]
            } else {
                &tape.slabs[round.slabs + (j - 1) * slab_len..][..slab_len]
            };
            let bar = &mut self.bar[..component.in_dim() * lanes];
            let (slab, w) = (Block { data: slab, lanes }, Block::new(&self.w[..dim * lanes], lanes));
            component.vjp(
                engine.stepper.params,
                slab,
                w,
                BlockMut::new(bar, lanes),
                Some(onto.params),
                &mut self.scratch,
            );
            let time = |lane: usize| before.t[lane] + method.c[j] * h[lane];
            self.pull_inputs(before, lanes, time, outcomes, onto);
        }
        self.advance(method.stages, tape, outcomes, slab_len);
    }

    fn pull_inputs(
        &mut self,
        before: &Lanes<T>,
        lanes: usize,
        time: impl Fn(usize) -> T,
        outcomes: &[Outcome],
        onto: &mut Onto<T>,
    ) {
        let Some(inputs) = self.field.inputs.filter(|_| !onto.inputs.is_empty()) else { return };
        for lane in (0..lanes).filter(|&lane| outcomes[lane] == Outcome::Whole) {
            let id = before.ids[lane];
            let below = self.bar.iter().skip(self.field.state_dim() * lanes + lane).step_by(lanes);
            self.row.iter_mut().zip(below).for_each(|(row, &bar)| *row = bar);
            let own = inputs.numbers(id..id + 1);
            let first = inputs.numbers(0..id + 1).start;
            let piece = self.course.own_piece(id, before.pieces[lane]);
            inputs.pull(id, piece, time(lane), &self.row, &mut onto.inputs[own.start - first..own.end - first]);
        }
    }

    /// Takes the slabs to where the lanes stand after the round.
    fn advance(&mut self, stages: usize, tape: &Tape<T>, outcomes: &[Outcome], slab_len: usize) {
        let Some(round) = tape.rounds.last() else { return };
        let lanes = round.lanes;
        let last = &tape.slabs[round.slabs + (stages - 2) * slab_len..][..slab_len];
        for (i, (first, &last)) in self.first.iter_mut().zip(last).enumerate() {
            if outcomes[i % lanes] == Outcome::Whole {
                *first = last;
            }
        }
        for mark in &tape.marks {
            if let Some((slab, _)) = &mark.restart {
                self.first.iter_mut().skip(mark.lane).step_by(lanes).zip(slab).for_each(|(first, &x)| *first = x);
            }
        }
        if let Some(kept) = &round.kept {
            let kept = &tape.kept[kept.clone()];
            let mut to = 0;
            for row in 0..slab_len / lanes {
                for &lane in kept {
                    self.first[to] = self.first[row * lanes + lane];
                    to += 1;
                }
            }
        }
    }
}
