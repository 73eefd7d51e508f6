//! Which strategy, and what it will keep: decided before the run.

use super::strategy::{Settings, Strategy, show_bytes};
use crate::dynamics::Field;
use crate::solve::checkpoints::{division, round_bytes, tape_share};
use crate::solve::engine::Engine;
use crate::solve::{CHUNK, Control, Options, Problem, Recording, integrate, with_part};
use crate::{Real, Result};

/// A strategy with its forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The strategy; [`Strategy::Auto`] only if the problem was not looked at.
    pub strategy: Strategy,
    /// Bytes that all threads together will keep at once for the way back, outputs included.
    pub forecast: usize,
    /// Bytes that each chunk of trajectories may keep.
    pub budget: usize,
    /// Why this strategy, in a sentence.
    pub why: String,
}

/// What a chunk of trajectories is expected to take.
#[derive(Clone, Copy, Default)]
struct Load {
    /// Attempts of all its trajectories, and rounds.
    attempts: usize,
    rounds: usize,
    rows: usize,
    lanes: usize,
}

impl Plan {
    /// A plan without a look at the problem but for the number of its trajectories, for gradients that are taken again and
    /// again: automatic means everything is stored as far as the budget goes, and the rest computed again.
    pub fn unseen(settings: &Settings, trajectories: usize) -> Self {
        let budget = settings.memory / threads(trajectories);
        Self { strategy: settings.strategy, forecast: settings.memory, budget, why: "as far as memory goes".into() }
    }

    /// Decides for a problem. Steps of fixed length are counted; where the method chooses its own, the trajectory of the
    /// longest span is followed once, without keeping anything, and the others are taken to be like it.
    ///
    /// # Errors
    /// If sizes or options do not fit.
    pub fn new<T: Real>(
        field: Field<T>,
        params: &[T],
        problem: &Problem<T>,
        options: &Options,
        settings: &Settings,
    ) -> Result<Self> {
        problem.check(field.state_dim())?;
        options.check()?;
        let attempts = attempts(field, params, problem, options)?;
        let loads: Vec<Load> = attempts
            .chunks(CHUNK)
            .enumerate()
            .map(|(c, own)| Load {
                attempts: own.iter().fold(0, |sum: usize, &n| sum.saturating_add(n)),
                rounds: own.iter().copied().max().unwrap_or(0),
                rows: problem.row_ptr[c * CHUNK + own.len()] - problem.row_ptr[c * CHUNK],
                lanes: own.len(),
            })
            .collect();
        let threads = threads(problem.len());
        let sizes = Sizes::of(field, params, options);
        let budget = settings.memory / threads;
        let forecast = |strategy: Strategy| {
            let mut bytes: Vec<usize> = loads.iter().map(|load| sizes.bytes(strategy, load, budget)).collect();
            bytes.sort_unstable_by(|a, b| b.cmp(a));
            bytes.into_iter().take(threads).fold(0usize, usize::saturating_add)
        };
        let (stored, memory) = (forecast(Strategy::Stored), show_bytes(settings.memory));
        let (strategy, why) = match settings.strategy {
            Strategy::Auto if stored <= tape_share(settings.memory) => {
                (Strategy::Stored, format!("every linearisation fits in {memory}"))
            }
            Strategy::Auto => {
                (Strategy::Checkpointed, format!("a tape of {} does not fit in {memory}", show_bytes(stored)))
            }
            chosen if forecast(chosen) > settings.memory => {
                (chosen, format!("asked for, although it is more than {memory}"))
            }
            chosen => (chosen, "asked for".into()),
        };
        Ok(Self { strategy, forecast: forecast(strategy), budget, why })
    }
}

/// How many threads work on so many trajectories at once.
fn threads(trajectories: usize) -> usize {
    rayon::current_num_threads().clamp(1, trajectories.div_ceil(CHUNK).max(1))
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, keeping about {}: {}", self.strategy.name(), show_bytes(self.forecast), self.why)
    }
}

/// Attempted steps of each trajectory.
fn attempts<T: Real>(field: Field<T>, params: &[T], problem: &Problem<T>, options: &Options) -> Result<Vec<usize>> {
    let span = |s: usize| {
        let rows = &problem.times[problem.row_ptr[s]..problem.row_ptr[s + 1]];
        rows.last().map_or(0.0, |&end| (end - problem.start_times[s]).f64().abs())
    };
    let most = options.max_steps as f64;
    let per_time = match options.control {
        Control::Fixed { step } => 1.0 / step,
        Control::Adaptive { .. } => {
            let Some(longest) = (0..problem.len()).max_by(|&a, &b| span(a).total_cmp(&span(b))) else {
                return Ok(Vec::new());
            };
            let report = with_part(field, problem, longest..longest + 1, |field, part| {
                integrate(field, params, part, options, &mut Recording::Nothing).map(|solution| solution.reports)
            })?;
            let taken: usize = report.iter().map(|report| report.accepted + report.rejected).sum();
            taken as f64 / span(longest).max(f64::MIN_POSITIVE)
        }
    };
    Ok((0..problem.len()).map(|s| (span(s) * per_time).ceil().min(most) as usize).collect())
}

/// Bytes of the parts that strategies keep.
struct Sizes {
    /// One round of so many lanes on a tape.
    round: [usize; CHUNK + 1],
    /// Lanes saved, a lane.
    lane: usize,
    /// A step of the continuous extension.
    step: usize,
    /// An output state.
    output: usize,
    /// Directions of forward sensitivities, and the bytes that they take a lane: their spread over parameters and stages.
    directions: usize,
    spread: usize,
}

impl Sizes {
    fn of<T: Real>(field: Field<T>, params: &[T], options: &Options) -> Self {
        let nothing = Problem { start_times: &[], starts: &[], row_ptr: &[0], times: &[] };
        let engine = Engine::new(field, params, nothing, options);
        let (method, dim, number) = (&engine.stepper.method, field.state_dim(), size_of::<T>());
        let stages = method.stages + method.extra;
        Self {
            round: std::array::from_fn(|lanes| round_bytes(&engine, lanes)),
            lane: crate::solve::lanes::lane_bytes::<T>(dim, field.events.len()),
            step: (2 + (1 + stages) * dim) * number,
            output: dim * number,
            directions: params.len() + dim,
            spread: (params.len() + dim).saturating_mul(params.len() + (4 + stages) * dim).saturating_mul(number),
        }
    }

    fn bytes(&self, strategy: Strategy, load: &Load, budget: usize) -> usize {
        // The outputs themselves and their cotangents.
        let outputs = 2 * load.rows * self.output;
        let round = self.round[load.lanes];
        let lane = round.saturating_sub(self.round[0]) / load.lanes.max(1);
        let stored = load.attempts.saturating_mul(lane).saturating_add(load.rounds.saturating_mul(self.round[0]));
        let kept = match strategy {
            Strategy::Stored | Strategy::Auto => stored,
            Strategy::Checkpointed => {
                let state = load.lanes * self.lane;
                let (stretch, room) = division(budget, round, state);
                let mut every = stretch;
                while load.rounds.div_ceil(every) > room {
                    every *= 2;
                }
                stored.min(stretch.saturating_mul(round)) + load.rounds.div_ceil(every) * state
            }
            Strategy::Interpolating => load.attempts.saturating_mul(self.step),
            Strategy::Backsolve => 0,
            Strategy::Forward => {
                let tangents = self.directions.saturating_mul(load.rows * self.output);
                tangents.saturating_add(self.spread.saturating_mul(load.lanes)).saturating_add(round)
            }
        };
        kept.saturating_add(outputs)
    }
}
