//! The longest step that keeps to an accurate trajectory.

use super::{jacobian_at, step_map};
use crate::analysis::Stepped;
use crate::analysis::states::States;
use crate::dynamics::Field;
use crate::solve::{DOP853, KVAERNO5, Options, Problem, Tableau, solve};
use crate::{Error, Result};
use nalgebra::DVector;

/// Steps between looks at whether the state is still finite.
const AT_ONCE: u64 = 256;
/// A state this many times larger than the start is on its way to infinity.
const HUGE: f64 = 1e6;
/// Times that a trajectory is compared with the accurate one at.
const MOST_LOOKS: u64 = 1000;

/// What a trajectory has to keep to.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// Where it starts.
    pub start: &'a [f64],
    /// When.
    pub time: f64,
    /// How long it is.
    pub span: f64,
    /// How far each component may be off, infinite where it does not matter.
    pub tolerance: &'a [f64],
}

impl Course<'_> {
    /// How many whole steps of a length it takes.
    pub fn steps(&self, step: f64) -> f64 {
        (self.span / step * (1.0 + 1e-12)).floor()
    }
}

/// The largest step that keeps a trajectory within a tolerance of the accurate one, by bisection to one part in 4096; the
/// span itself if a single step does, 0 if none down to a millionth of the span does. Looked at is each step, or where
/// there are more than a thousand, every so many of them.
///
/// # Errors
/// If the method cannot step the field, or the accurate trajectory cannot be followed.
pub fn course_limit(field: Field<f64>, params: &[f64], method: &Tableau, course: Course) -> Result<f64> {
    if course.tolerance.len() != course.start.len() {
        return Err(Error::shape("tolerances of a course", course.start.len(), course.tolerance.len()));
    }
    let keeps = |step: f64| keeps(field, params, method, course, step);
    let mut step = course.span;
    if keeps(step)? {
        return Ok(step);
    }
    for _ in 0..20 {
        step *= 0.5;
        if keeps(step)? {
            let (mut low, mut high) = (step, 2.0 * step);
            while high - low > low / 4096.0 {
                let middle = 0.5 * (low + high);
                if keeps(middle)? { low = middle } else { high = middle }
            }
            return Ok(low);
        }
    }
    Ok(0.0)
}

/// Whether a step keeps to the accurate trajectory.
fn keeps(field: Field<f64>, params: &[f64], method: &Tableau, course: Course, step: f64) -> Result<bool> {
    let count = course.steps(step) as u64;
    let stride = count.div_ceil(MOST_LOOKS).max(1);
    let looks: Vec<u64> = (1..=count.div_ceil(stride)).map(|look| (look * stride).min(count)).collect();
    let times: Vec<f64> = looks.iter().map(|&look| course.time + look as f64 * step).collect();
    let accurate = accurate(field, params, course, &times)?;
    along(field, params, (method, step), course, |states| {
        looks.into_iter().zip(accurate.chunks_exact(course.start.len().max(1))).all(|(look, there)| {
            states.advance(look - states.step());
            // A number that is not finite is off as well.
            let own = states.state().iter().zip(there).zip(course.tolerance);
            own.into_iter().all(|((a, b), tolerance)| (a - b).abs() <= *tolerance)
        })
    })
}

/// States of the accurate trajectory at some times, one after another.
///
/// # Errors
/// If it cannot be followed to the end.
pub fn accurate(field: Field<f64>, params: &[f64], course: Course, times: &[f64]) -> Result<Vec<f64>> {
    let row_ptr = [0, times.len()];
    let problem = Problem { start_times: &[course.time], starts: course.start, row_ptr: &row_ptr, times };
    let options = Options { method: &DOP853, max_steps: 200_000, ..Options::adaptive(1e-11, 1e-12) };
    let solution = solve(field, params, &problem, &options)?;
    if solution.all_finished().is_ok() {
        return Ok(solution.states);
    }
    // What an explicit method cannot follow may be stiff.
    let options = Options { method: &KVAERNO5, ..Options::adaptive(1e-9, 1e-11) };
    let solution = solve(field, params, &problem, &options)?;
    solution.all_finished()?;
    Ok(solution.states)
}

/// States after each of `count` steps of a method, one after another, as far as they are finite.
///
/// # Errors
/// If the method cannot step the field.
pub fn follow(
    field: Field<f64>,
    params: &[f64],
    method: &Tableau,
    course: Course,
    step: f64,
    count: usize,
) -> Result<Vec<f64>> {
    along(field, params, (method, step), course, |states| {
        let mut passed = Vec::with_capacity(count * course.start.len());
        for _ in 0..count {
            states.advance(1);
            if states.lost().is_some() {
                break;
            }
            passed.extend_from_slice(states.state());
        }
        passed
    })
}

/// Where a trajectory ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// At a state.
    At(Vec<f64>),
    /// It grew beyond all numbers.
    Exploded,
    /// At a step of an implicit method whose equations have no solution that Newton's method finds.
    Unsolved,
}

/// The state after `count` steps of a method.
///
/// # Errors
/// If the method cannot step the field.
pub fn arrive(
    field: Field<f64>,
    params: &[f64],
    method: &Tableau,
    course: Course,
    step: f64,
    count: u64,
) -> Result<End> {
    along(field, params, (method, step), course, |states| {
        // A state that is lost at once, from one of usual size, was not found.
        let (at_once, mut last) = if method.is_implicit() { (1, size(course.start)) } else { (AT_ONCE, f64::INFINITY) };
        while states.step() < count {
            states.advance(at_once.min(count - states.step()));
            if states.lost().is_some() {
                return if last > HUGE * (1.0 + size(course.start)) { End::Exploded } else { End::Unsolved };
            }
            if method.is_implicit() {
                last = size(states.state());
            }
        }
        End::At(states.state().to_vec())
    })
}

/// The same for a linear field without time, whose steps are powers of one matrix: for any number of them. Costs twice as
/// many matrix products as the number has binary digits.
///
/// # Errors
/// If the method cannot step the field.
pub fn arrive_linear(
    field: Field<f64>,
    params: &[f64],
    method: &Tableau,
    course: Course,
    step: f64,
    mut count: u64,
) -> Result<End> {
    let map = step_map(field, method, step)?;
    let mut power = jacobian_at(&*map, params, &vec![0.0; course.start.len()], course.time);
    if method.is_implicit() && power.iter().any(|x| !x.is_finite()) {
        return Ok(End::Unsolved);
    }
    let mut state = DVector::from_column_slice(course.start);
    while count > 0 {
        if count % 2 == 1 {
            state = &power * state;
        }
        power = &power * &power;
        count /= 2;
    }
    let is_finite = state.iter().all(|x| x.is_finite());
    Ok(if is_finite { End::At(state.as_slice().to_vec()) } else { End::Exploded })
}

fn size(state: &[f64]) -> f64 {
    state.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// What becomes of a course by steps of a method.
fn along<R>(
    field: Field<f64>,
    params: &[f64],
    (method, step): (&Tableau, f64),
    course: Course,
    go: impl FnOnce(&mut States<f64>) -> R,
) -> Result<R> {
    let map = step_map(field, method, step)?;
    let mut stepped = Stepped::timed(&*map, params, step);
    stepped.clock.start = course.time;
    stepped.check_parts(1)?;
    stepped.check_start(course.start)?;
    Ok(go(&mut States::new(&stepped, 0, 0, course.start)))
}
