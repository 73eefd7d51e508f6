//! The `ode_solvers` crate behind this crate's problem: the same field, somebody else's code.

use super::{Cause, Failure, Problem, Reason, Report, Solution};
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::{Error, Result};
use ode_solvers::dop_shared::{IntegrationError, OutputType, Stats, System};
use ode_solvers::{DVector, Dop853, Dopri5};
use std::cell::RefCell;

/// The methods of the `ode_solvers` crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Independent {
    /// Dormand–Prince 5(4).
    Dopri5,
    /// Dormand–Prince 8(5,3).
    Dop853,
}

impl Independent {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dopri5, Self::Dop853];

    /// The name by which files and options ask for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dopri5 => "ode-solvers-dopri5",
            Self::Dop853 => "ode-solvers-dop853",
        }
    }

    /// The method of this name, if it is one of them.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// Integrates all trajectories of a problem with a method of the `ode_solvers` crate, one after another.
///
/// For checking results, not for speed. The solver is started afresh at every output time, because its own dense output
/// extrapolates at the last sample and fails for times below 0, and at every kink of the inputs.
///
/// # Errors
/// If sizes do not fit or a tolerance is not positive. A trajectory that fails is reported in the solution.
pub fn solve_independently(
    method: Independent,
    field: Field<f64>,
    params: &[f64],
    problem: &Problem<f64>,
    rtol: f64,
    atol: f64,
) -> Result<Solution<f64>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    problem.check_inputs(field.inputs)?;
    if !field.events.is_empty() {
        return Err(Error::config("the independent solver knows no events", "choose one of this library's methods"));
    }
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    for (name, tolerance) in [("relative", rtol), ("absolute", atol)] {
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(Error::config(format!("the {name} tolerance is {tolerance}"), "give a positive number"));
        }
    }
    let mut whole = Solution {
        states: Vec::with_capacity(problem.times.len() * dim),
        reports: Vec::new(),
        occurrences: Vec::new(),
    };
    for s in 0..problem.len() {
        let mut report = Report::default();
        let mut time = problem.start_times[s];
        let mut state = DVector::from_column_slice(&problem.starts[s * dim..(s + 1) * dim]);
        for &next in &problem.times[problem.row_ptr[s]..problem.row_ptr[s + 1]] {
            while report.failure.is_none() && next != time {
                let kinks = field.inputs.map_or(&[][..], |inputs| inputs.kinks(s));
                let passed = kinks.iter().position(|&kink| kink == time && time != problem.start_times[s]);
                if let (Some(inputs), Some(kink)) = (field.inputs, passed) {
                    inputs.impulse(s, kink, state.as_mut_slice());
                }
                let (piece, end) = stretch(kinks, time, next);
                let system = OneField { field, params, trajectory: s, piece, buffers: RefCell::default() };
                match one(method, system, (time, end), &mut state, (rtol, atol)) {
                    Ok(stats) => {
                        report.accepted += stats.accepted_steps as usize;
                        report.rejected += stats.rejected_steps as usize;
                        report.evaluations += stats.num_eval as usize;
                        if let Some(component) = state.iter().position(|y| !y.is_finite()) {
                            let (step, reason) = (end - time, Reason::NotFinite { component });
                            report.failure = Some(Failure { time, step, reason, cause: Cause::FieldNotFinite });
                        }
                    }
                    Err(error) => report.failure = Some(failure(error)),
                }
                time = end;
            }
            let reached = report.failure.is_none();
            whole.states.extend(state.iter().map(|&y| if reached { y } else { f64::NAN }));
        }
        whole.reports.push(report);
    }
    Ok(whole)
}

/// The piece of the inputs that leads from `time` towards `next`, and where it ends, `next` at the farthest.
fn stretch(kinks: &[f64], time: f64, next: f64) -> (usize, f64) {
    if next > time {
        let piece = kinks.partition_point(|&kink| kink <= time);
        (piece, kinks.get(piece).map_or(next, |kink| kink.min(next)))
    } else {
        let piece = kinks.partition_point(|&kink| kink < time);
        (piece, piece.checked_sub(1).map_or(next, |before| kinks[before].max(next)))
    }
}

/// From one time to another.
fn one(
    method: Independent,
    system: OneField,
    (from, to): (f64, f64),
    state: &mut DVector<f64>,
    (rtol, atol): (f64, f64),
) -> std::result::Result<Stats, IntegrationError> {
    macro_rules! with {
        ($solver:ident) => {{
            let mut solver = $solver::new(system, from, to, to - from, state.clone(), rtol, atol);
            solver.set_output(OutputType::Sparse);
            let stats = solver.integrate()?;
            solver.y_out().last().into_iter().for_each(|last| state.copy_from(last));
            Ok(stats)
        }};
    }
    match method {
        Independent::Dopri5 => with!(Dopri5),
        Independent::Dop853 => with!(Dop853),
    }
}

/// Its errors say when, and nothing of the state.
fn failure(error: IntegrationError) -> Failure {
    let (time, reason, cause) = match error {
        IntegrationError::StepSizeUnderflow { x } => (x, Reason::StepUnderflow { component: 0 }, Cause::Rough),
        IntegrationError::MaxNumStepReached { x, .. } => (x, Reason::TooManySteps, Cause::Long),
        IntegrationError::StiffnessDetected { x } => (x, Reason::TooManySteps, Cause::Stiff),
    };
    Failure { time, step: 0.0, reason, cause }
}

struct OneField<'a> {
    field: Field<'a, f64>,
    params: &'a [f64],
    trajectory: usize,
    piece: usize,
    buffers: RefCell<Buffers>,
}

#[derive(Default)]
struct Buffers {
    arguments: Vec<f64>,
    inputs: Vec<f64>,
    scratch: Vec<f64>,
}

impl System<f64, DVector<f64>> for OneField<'_> {
    fn system(&self, t: f64, y: &DVector<f64>, dy: &mut DVector<f64>) {
        let component = self.field.component;
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { arguments, inputs, scratch } = &mut *buffers;
        arguments.resize(component.in_dim(), 0.0);
        inputs.resize(self.field.inputs.map_or(0, |x| x.dim()), 0.0);
        scratch.resize(component.scratch_len(), 0.0);
        arguments[..y.len()].copy_from_slice(y.as_slice());
        self.field.fill_arguments(&[self.trajectory], &[self.piece], |_| t, arguments, inputs);
        component.eval(self.params, Block::new(arguments, 1), BlockMut::new(dy.as_mut_slice(), 1), scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::{Interpolation, Lift, Path, Scalar, SmallField};
    use crate::solve::{Options, solve};
    use approx::assert_relative_eq;

    /// A driven pendulum: time matters.
    struct Driven;
    impl SmallField<2, 1> for Driven {
        fn rhs<S: Scalar>(&self, t: S, y: [S; 2], p: [S; 1]) -> [S; 2] {
            [y[1], -y[0].sin() + p[0] * t.cos()]
        }
    }

    /// Its input, which stands where a field's time would, is its derivative.
    struct Integral;
    impl SmallField<1, 0> for Integral {
        fn rhs<S: Scalar>(&self, input: S, _y: [S; 1], _p: [S; 0]) -> [S; 1] {
            [input]
        }
    }

    /// Grows beyond all bounds at time 1.
    struct BlowUp;
    impl SmallField<1, 0> for BlowUp {
        fn rhs<S: Scalar>(&self, _t: S, y: [S; 1], _p: [S; 0]) -> [S; 1] {
            [y[0] * y[0]]
        }
    }

    #[test]
    fn it_agrees_with_our_own_solver_forward_backward_and_across_zero() {
        let driven = Lift::<_, 2, 1>(Driven);
        let field = Field::with_time(&driven).unwrap();
        let problem = Problem {
            start_times: &[-1.0, 3.0],
            starts: &[0.5, 0.0, 0.1, -0.2],
            row_ptr: &[0, 3, 6],
            times: &[-1.0, 0.25, 4.0, 2.5, 0.0, -2.0],
        };
        let theirs = solve_independently(Independent::Dopri5, field, &[0.3], &problem, 1e-10, 1e-10).unwrap();
        let ours = solve(field, &[0.3], &problem, &Options::adaptive(1e-10, 1e-10)).unwrap();
        assert_eq!(theirs.states.len(), ours.states.len());
        for (a, b) in theirs.states.iter().zip(&ours.states) {
            assert_relative_eq!(*a, *b, epsilon = 1e-8);
        }
        assert!(theirs.reports.iter().all(|r| r.failure.is_none() && r.evaluations > 0));
    }

    #[test]
    fn inputs_that_jump_are_taken_piece_by_piece() {
        // dy/dt = x(t), where x is 1, then 3 from time 1 on, then −2 from time 2 on.
        let field = Lift::<_, 1, 0>(Integral);
        let steps = Path::new(Interpolation::Step, 1, vec![0, 3], vec![0.0, 1.0, 2.0], vec![1.0, 3.0, -2.0]).unwrap();
        let field = Field::with_inputs(&field, &steps, false).unwrap();
        for (start, from, times, expected) in
            [(0.0, 0.0, [0.5, 2.0, 3.0], [0.5, 4.0, 2.0]), (3.0, 2.0, [2.5, 1.0, 0.0], [3.0, 1.0, 0.0])]
        {
            let problem = Problem { start_times: &[start], starts: &[from], row_ptr: &[0, 3], times: &times };
            let ours = solve(field, &[], &problem, &Options::adaptive(1e-8, 1e-8)).unwrap().states;
            for method in Independent::ALL {
                let theirs = solve_independently(method, field, &[], &problem, 1e-8, 1e-8).unwrap().states;
                for (found, expected) in theirs.iter().zip(&ours).zip(expected) {
                    assert_relative_eq!(*found.0, expected, epsilon = 1e-13);
                    assert_relative_eq!(*found.1, expected, epsilon = 1e-13);
                }
            }
        }
    }

    #[test]
    fn a_singularity_is_reported_and_the_part_before_it_kept() {
        let blow_up = Lift::<_, 1, 0>(BlowUp);
        let field = Field::with_time(&blow_up).unwrap();
        let problem = Problem { start_times: &[0.0], starts: &[1.0], row_ptr: &[0, 2], times: &[0.5, 2.0] };
        let solution = solve_independently(Independent::Dopri5, field, &[], &problem, 1e-8, 1e-8).unwrap();
        assert_relative_eq!(solution.states[0], 2.0, epsilon = 1e-6);
        assert!(solution.states[1].is_nan());
        assert!(solution.reports[0].failure.is_some());
        assert!(solve_independently(Independent::Dopri5, field, &[], &problem, 0.0, 1e-8).is_err());
    }
}
