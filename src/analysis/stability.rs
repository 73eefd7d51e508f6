//! Which step is safe: where the map that a method makes of a flow is stable.
//!
//! Near a point of rest with eigenvalues λ a step of length `h` multiplies each mode by the method's stability function at
//! `hλ` (Hairer & Wanner 1996, Solving ODEs II, sec. IV.2): from that a limit is *predicted*. It is *measured* on
//! trajectories of the numerical map itself. Where nothing attracts, the limit is that of staying close to an accurate
//! trajectory.

use super::rest::eigenvalues;
use super::{Frame, Stepped, Walk};
use crate::dynamics::{Component, Field, jacobian};
use crate::linalg::{Block, BlockMut};
use crate::solve::{DOP853, ImplicitStepMap, KVAERNO5, Options, Problem, StepMap, Tableau, solve};
use crate::{Error, Result};
use nalgebra::{Complex, DMatrix};

/// Above 1 by this much is growth and not rounding.
const ROUNDING: f64 = 2e-15;
/// Steps, in units of the inverse of the largest eigenvalue, between which a limit is looked for.
const LEAST: f64 = 1e-6;
const MOST: f64 = 1e4;
/// Displacement that a trajectory starts with, relative to the size of the state: small enough to be linear.
const DISPLACED: f64 = 1e-6;
/// A displacement has grown when it is so many times larger, transients aside, and died out when it was so many times
/// smaller at this many looks: turning, it is small for a moment. There are so many steps between looks.
const GROWN: f64 = 1e3;
const DIED_OUT: f64 = 1e-3;
const LATE: u64 = 256;
const LOOK: u64 = 4;

/// A step of any method, as a map.
///
/// # Errors
/// Those of [`StepMap::new`] and [`ImplicitStepMap::new`].
pub fn step_map<'a>(field: Field<'a, f64>, method: &Tableau, step: f64) -> Result<Box<dyn Component<f64> + 'a>> {
    if method.is_implicit() {
        return Ok(Box::new(ImplicitStepMap::new(field, method, step)?));
    }
    Ok(Box::new(StepMap::new(field, method, step)?))
}

/// The factor by which a step multiplies the mode that grows most: the spectral radius of the step's Jacobian, predicted
/// from eigenvalues of the field's.
pub fn growth(method: &Tableau, eigenvalues: &[Complex<f64>], step: f64) -> f64 {
    eigenvalues.iter().map(|&z| method.growth(z * step)).fold(0.0, f64::max)
}

/// The step up to which no mode grows, predicted from eigenvalues: infinite for methods stable at every step, 0 where some
/// mode grows at any.
///
/// To rounding, over the damping a step, where stability is lost at once; where it is touched and left again over less than 2 % of the step that may
/// be overlooked. Costs some thousand evaluations of the stability function an eigenvalue.
pub fn predicted_limit(method: &Tableau, eigenvalues: &[Complex<f64>]) -> f64 {
    let fastest = eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
    if fastest == 0.0 || !fastest.is_finite() {
        return f64::INFINITY;
    }
    let stable = |step: f64| growth(method, eigenvalues, step) <= 1.0 + ROUNDING;
    let mut safe = LEAST / fastest;
    if !stable(safe) {
        return 0.0;
    }
    loop {
        let next = 1.02 * safe;
        if next * fastest > MOST {
            return f64::INFINITY;
        }
        if !stable(next) {
            return bisect(safe, next, 0.0, stable);
        }
        safe = next;
    }
}

/// The border between `holds` (at `low`) and its contrary (at `high`), to a relative precision, or to the last bit.
fn bisect(mut low: f64, mut high: f64, precision: f64, holds: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = 0.5 * (low + high);
        if high - low <= precision * high || middle <= low || middle >= high {
            return middle;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The spectral radius of a map's Jacobian at a state; none if it is not finite. A map that takes time takes it at `time`.
pub fn spectral_radius(map: &dyn Component<f64>, params: &[f64], state: &[f64], time: f64) -> Option<f64> {
    eigenvalues(jacobian_at(map, params, state, time)).map(|values| values.iter().map(|z| z.norm()).fold(0.0, f64::max))
}

/// The Jacobian by the state of a component of state, and time if it takes it.
fn jacobian_at(component: &dyn Component<f64>, params: &[f64], state: &[f64], time: f64) -> DMatrix<f64> {
    let mut arguments = state.to_vec();
    arguments.resize(component.in_dim(), time);
    let (mut out, mut slab) = (vec![0.0; component.out_dim()], vec![0.0; component.slab_len()]);
    let (u, value, kept) = (Block::new(&arguments, 1), BlockMut::new(&mut out, 1), BlockMut::new(&mut slab, 1));
    component.linearize(params, u, value, kept, &mut vec![0.0; component.scratch_len()]);
    let rows = jacobian(component, params, Block::new(&slab, 1), state.len());
    DMatrix::from_row_slice(state.len(), state.len(), &rows)
}

/// The eigenvalues of a field's Jacobian at each of some states, `dim` numbers each, and their times; empty where they are
/// not finite.
pub fn local_eigenvalues(field: Field<f64>, params: &[f64], times: &[f64], states: &[f64]) -> Vec<Vec<Complex<f64>>> {
    let rows = states.chunks_exact(field.state_dim().max(1)).zip(times);
    rows.map(|(state, &t)| eigenvalues(jacobian_at(field.component, params, state, t)).unwrap_or_default()).collect()
}

/// A point of rest that limits are measured at, and the way a displacement from it begins.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The point.
    pub state: &'a [f64],
    /// A state that the displacement points to, such as the start of a trajectory.
    pub towards: &'a [f64],
    /// The largest size of an eigenvalue there.
    pub fastest: f64,
}

/// The step up to which a small displacement from a point of rest dies out, by bisection on trajectories of the numerical
/// map to a relative precision; infinite where it dies out at any step that was tried, 0 where at none.
///
/// The search begins at `guess`, such as the predicted limit; without one (if it is not positive and finite) at some steps
/// far apart. A trajectory goes on until the displacement is a thousand times larger or smaller, or for `most_steps`,
/// whose second and fourth quarters are then compared: two limits that differ by a share δ are told apart in about `1/δ`
/// steps.
///
/// # Errors
/// If the method cannot step the field.
pub fn measured_limit(
    field: Field<f64>,
    params: &[f64],
    method: &Tableau,
    around: Around,
    guess: f64,
    (precision, most_steps): (f64, u64),
) -> Result<f64> {
    if around.fastest == 0.0 || !around.fastest.is_finite() {
        return Ok(f64::INFINITY);
    }
    step_map(field, method, 1.0)?;
    let stable = |step: f64| {
        let Ok(map) = step_map(field, method, step) else { return false };
        dies_out(&*map, params, around, most_steps)
    };
    let guessed = guess > 0.0 && guess.is_finite();
    let (first, factor) = if guessed { (0.5 * guess, 1.5) } else { (1.0 / around.fastest, 10.0) };
    let mut safe = first;
    while !stable(safe) {
        safe *= 0.5;
        if safe < LEAST * first {
            return Ok(0.0);
        }
    }
    loop {
        let next = factor * safe;
        if next * around.fastest > MOST {
            return Ok(f64::INFINITY);
        }
        if !stable(next) {
            return Ok(bisect(safe, next, precision, stable));
        }
        safe = next;
    }
}

/// Whether a small displacement becomes smaller.
fn dies_out(map: &dyn Component<f64>, params: &[f64], around: Around, most_steps: u64) -> bool {
    let rest = around.state;
    let size = rest.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    let way: Vec<f64> = around.towards.iter().zip(rest).map(|(a, b)| a - b).collect();
    let length = way.iter().map(|x| x * x).sum::<f64>().sqrt();
    let direction = |i: usize| if length > 0.0 { way[i] / length } else { 1.0 / (rest.len() as f64).sqrt() };
    let start: Vec<f64> = (0..rest.len()).map(|i| rest[i] + DISPLACED * size * direction(i)).collect();
    let stepped = Stepped::timed(map, params, 1.0);
    let Ok(mut walk) = Walk::new(&stepped, &[start], 0, 0, Frame::Identity, 0) else { return false };
    // The largest displacement in each quarter of the way, and of late.
    let quarter = (most_steps / (4 * LOOK)).max(1);
    let (mut largest, mut late) = ([0.0f64; 4], 0.0f64);
    for step in 0..4 * quarter {
        walk.advance(LOOK);
        let moved = walk.state().data.iter().zip(rest).map(|(y, r)| (y - r).powi(2)).sum::<f64>().sqrt();
        let share = moved / (DISPLACED * size);
        if share.is_nan() || share > GROWN {
            return false;
        }
        let seen = &mut largest[(step / quarter) as usize];
        (*seen, late) = (seen.max(share), late.max(share));
        if step % LATE == LATE - 1 {
            if late < DIED_OUT {
                return true;
            }
            late = 0.0;
        }
    }
    largest[3] < largest[1]
}

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

/// The largest step that keeps a trajectory within a tolerance of the accurate one at each of its steps, by bisection to
/// one part in 4096; the span itself if a single step does, 0 if none down to a millionth of the span does.
///
/// # Errors
/// If the method cannot step the field, or the accurate trajectory cannot be followed.
pub fn course_limit(field: Field<f64>, params: &[f64], method: &Tableau, course: Course) -> Result<f64> {
    let keeps = |step: f64| -> Result<bool> {
        let count = (course.span / step * (1.0 + 1e-12)).floor() as usize;
        let times: Vec<f64> = (1..=count).map(|k| course.time + k as f64 * step).collect();
        let accurate = accurate(field, params, course, &times)?;
        let own = follow(field, params, method, course, step, count)?;
        let off = |(i, (a, b)): (usize, (&f64, &f64))| (a - b).abs() <= course.tolerance[i % course.start.len()];
        Ok(own.len() == accurate.len() && own.iter().zip(&accurate).enumerate().all(off))
    };
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
    let map = step_map(field, method, step)?;
    let mut stepped = Stepped::timed(&*map, params, step);
    stepped.clock.start = course.time;
    if course.start.len() != stepped.dim() {
        return Err(Error::shape("a start", stepped.dim(), course.start.len()));
    }
    let mut walk = Walk::new(&stepped, &[course.start.to_vec()], 0, 0, Frame::Identity, 0)?;
    let mut states = Vec::with_capacity(count * stepped.dim());
    for _ in 0..count {
        walk.advance(1);
        if walk.state().data.iter().any(|x| !x.is_finite()) {
            break;
        }
        states.extend_from_slice(walk.state().data);
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::super::rest::Resting;
    use super::*;
    use crate::dynamics::systems::{Settings, system};
    use crate::dynamics::{Lift, Scalar, SmallField};
    use crate::solve::{
        BS3, DOPRI5, EULER, HEUN, IMPLICIT_EULER, METHODS, MIDPOINT, RALSTON, RK4, RK4_38, SSPRK3, VERLET,
    };

    /// `x″ + 2γ x′ + ω² x = 0`.
    struct Oscillator;
    impl SmallField<2, 2> for Oscillator {
        #[inline(always)]
        fn rhs<S: Scalar>(&self, _t: S, [x, v]: [S; 2], [gamma, omega]: [S; 2]) -> [S; 2] {
            [v, -omega * omega * x - S::of(2.0) * gamma * v]
        }
    }

    /// Modes `−γ ± i √(ω² − γ²)`, for which explicit Euler is stable up to `2γ/ω²`.
    fn modes(gamma: f64, omega: f64) -> Vec<Complex<f64>> {
        let turning = (omega * omega - gamma * gamma).sqrt();
        vec![Complex::new(-gamma, turning), Complex::new(-gamma, -turning)]
    }

    #[test]
    fn the_predicted_limit_of_euler_on_a_damped_oscillator_is_exact() {
        for (gamma, omega) in [(0.25, 3.1), (0.01, 1.0), (0.9, 1.0)] {
            let limit = predicted_limit(&EULER, &modes(gamma, omega));
            let exact = 2.0 * gamma / (omega * omega);
            assert!((limit / exact - 1.0).abs() <= 1e-10, "{limit} for {exact}");
        }
    }

    #[test]
    fn limits_on_the_negative_axis_are_those_of_the_literature() {
        let decay = [Complex::new(-1.0, 0.0)];
        let known = [
            (&EULER, 2.0),
            (&MIDPOINT, 2.0),
            (&HEUN, 2.0),
            (&RALSTON, 2.0),
            (&SSPRK3, 2.512745326618329),
            (&BS3, 2.512745326618329),
            (&RK4, 2.785293563405282),
            (&RK4_38, 2.785293563405282),
            (&DOPRI5, 3.3065678926227357),
        ];
        for (method, limit) in known {
            let found = predicted_limit(method, &decay);
            assert!((found - limit).abs() <= 1e-8, "{}: {found}", method.name);
        }
        for method in METHODS.iter().filter(|m| m.is_implicit()) {
            assert_eq!(predicted_limit(method, &decay), f64::INFINITY, "{}", method.name);
        }
        assert_eq!(predicted_limit(&RK4, &[Complex::new(1.0, 0.0)]), 0.0);
    }

    #[test]
    fn verlet_is_stable_on_an_oscillation_up_to_two_over_its_frequency() {
        let limit = predicted_limit(&VERLET, &[Complex::new(0.0, 3.0), Complex::new(0.0, -3.0)]);
        assert!((limit - 2.0 / 3.0).abs() < 1e-6, "{limit}");
    }

    #[test]
    fn the_limit_measured_on_trajectories_is_the_predicted_one() {
        let oscillator = Lift::<_, 2, 2>(Oscillator);
        let params = [0.25, 3.1];
        let field = Field::with_time(&oscillator).unwrap();
        let around = Around { state: &[0.0, 0.0], towards: &[1.0, 0.3], fastest: 3.1 };
        for method in [&EULER, &RK4] {
            let predicted = predicted_limit(method, &modes(0.25, 3.1));
            let measured = measured_limit(field, &params, method, around, predicted, (2e-7, 4_000_000)).unwrap();
            assert!((measured / predicted - 1.0).abs() <= 1e-6, "{}: {measured} for {predicted}", method.name);
        }
        let measured = measured_limit(field, &params, &IMPLICIT_EULER, around, f64::INFINITY, (1e-3, 100_000));
        assert_eq!(measured.unwrap(), f64::INFINITY);
    }

    #[test]
    fn the_pendulum_at_rest_has_the_limit_of_the_oscillator_it_is_there() {
        let pendulum = system("pendulum").unwrap().build(&Settings::default()).unwrap();
        let field = pendulum.field().unwrap();
        let point = Resting::flow(field, &pendulum.params, 0.0).unwrap().describe(&[0.0, 0.0]).unwrap();
        let predicted = predicted_limit(&EULER, &point.eigenvalues);
        assert!((predicted / (0.5 / 9.81) - 1.0).abs() <= 1e-10, "{predicted}");
        let around = Around { state: &point.state, towards: &pendulum.start, fastest: 9.81f64.sqrt() };
        let measured = measured_limit(field, &pendulum.params, &EULER, around, f64::NAN, (2e-7, 4_000_000)).unwrap();
        assert!((measured / predicted - 1.0).abs() <= 1e-6, "{measured} for {predicted}");
    }

    #[test]
    fn a_steps_spectral_radius_is_the_growth_that_eigenvalues_predict() {
        let pendulum = system("pendulum").unwrap().build(&Settings::default()).unwrap();
        let field = pendulum.field().unwrap();
        let values = &local_eigenvalues(field, &pendulum.params, &[0.0], &[0.0, 0.0])[0];
        for method in METHODS.iter().filter(|m| !matches!(m.kind, crate::solve::Kind::Partitioned(_))) {
            for step in [0.03, 0.4, 1.3] {
                let map = step_map(field, method, step).unwrap();
                let radius = spectral_radius(&*map, &pendulum.params, &[0.0, 0.0], 0.0).unwrap();
                let predicted = growth(method, values, step);
                assert!((radius - predicted).abs() <= 1e-9 * (1.0 + predicted), "{}: {radius}", method.name);
            }
        }
    }

    #[test]
    fn a_course_is_kept_just_below_its_limit_and_left_just_above() {
        let volterra = system("lotka-volterra").unwrap().build(&Settings::default()).unwrap();
        let field = volterra.field().unwrap();
        let course = Course { start: &volterra.start, time: 0.0, span: 10.0, tolerance: &[0.1, f64::INFINITY] };
        let [rough, fine] = [&EULER, &RK4].map(|m| course_limit(field, &volterra.params, m, course).unwrap());
        assert!(0.0 < rough && 5.0 * rough < fine && fine < 10.0, "{rough} {fine}");
        for (method, limit) in [(&EULER, rough), (&RK4, fine)] {
            let worst = |step: f64| {
                let count = (course.span / step).floor() as usize;
                let times: Vec<f64> = (1..=count).map(|k| k as f64 * step).collect();
                let own = follow(field, &volterra.params, method, course, step, count).unwrap();
                let accurate = accurate(field, &volterra.params, course, &times).unwrap();
                own.iter().zip(&accurate).step_by(2).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            assert!(worst(limit) <= 0.1 && worst(1.002 * limit) > 0.1, "{}", method.name);
        }
    }

    #[test]
    fn a_method_that_cannot_step_the_field_is_refused() {
        let lorenz = system("lorenz63").unwrap().build(&Settings::default()).unwrap();
        let field = lorenz.field().unwrap();
        let course = Course { start: &[1.0], time: 0.0, span: 1.0, tolerance: &[0.1; 3] };
        assert!(follow(field, &lorenz.params, &RK4, course, 0.1, 3).is_err());
        assert!(step_map(field, &RK4, 0.0).is_err());
    }
}
