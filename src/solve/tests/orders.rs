//! Measured orders of every method and of every continuous extension, on two problems with known solutions.

use super::*;
use crate::dynamics::Component;

/// A problem with a known solution.
struct Known<'a> {
    component: &'a dyn Component<f64>,
    params: &'a [f64],
    exact: &'a dyn Fn(f64) -> Vec<f64>,
    end: f64,
}

/// A circular orbit: positions then momenta, separable, not linear.
struct Kepler;
impl SmallField<4, 0> for Kepler {
    fn rhs<S: Scalar>(&self, _t: S, [x, y, u, v]: [S; 4], []: [S; 0]) -> [S; 4] {
        let square = x * x + y * y;
        let cube = square * square.sqrt();
        [u, v, -x / cube, -y / cube]
    }
}

/// `y' = y cos t`, `y = exp(sin t)`, beside a copy driven by it: not autonomous, not separable.
struct Driven;
impl SmallField<2, 0> for Driven {
    fn rhs<S: Scalar>(&self, t: S, [y, z]: [S; 2], []: [S; 0]) -> [S; 2] {
        [y * t.cos(), S::of(2.0) * y * y * t.cos() + (z - y * y) * S::of(-0.5)]
    }
}

impl Known<'_> {
    /// Largest errors over steps of length `h`: of the results, and within steps on top of those.
    fn errors(&self, method: &'static Tableau, h: f64) -> (f64, f64) {
        let steps = (self.end / h).round() as usize;
        let dim = self.component.out_dim();
        // Each step's end and three places within it.
        let times: Vec<f64> = (0..steps)
            .flat_map(|k| {
                [0.21, 0.5, 0.83, 1.0]
                    .map(|theta| if theta == 1.0 { (k + 1) as f64 * h } else { (k as f64 + theta) * h })
            })
            .collect();
        let start = (self.exact)(0.0);
        let problem = Problem { start_times: &[0.0], starts: &start, row_ptr: &[0, times.len()], times: &times };
        let field = Field::with_time(self.component).unwrap();
        let solution = solve(field, self.params, &problem, &Options::fixed(method, h)).unwrap();
        solution.all_finished().unwrap();
        let (mut at_ends, mut anywhere) = (0.0f64, 0.0f64);
        for (row, (state, &t)) in solution.states.chunks(dim).zip(&times).enumerate() {
            let off = state.iter().zip((self.exact)(t)).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
            anywhere = anywhere.max(off);
            if row % 4 == 3 {
                at_ends = at_ends.max(off);
            }
        }
        (at_ends, anywhere)
    }

    fn orders(&self, method: &'static Tableau) -> (f64, f64) {
        // Errors well above rounding, steps well within the method's range.
        let h = match method.order {
            1 => 0.005,
            2..=4 => 0.02,
            5 => 0.05,
            _ => 0.25,
        };
        let (coarse, fine) = (self.errors(method, h), self.errors(method, h / 2.0));
        ((coarse.0 / fine.0).log2(), (coarse.1 / fine.1).log2())
    }
}

#[test]
fn every_method_and_every_continuous_extension_has_its_published_order() {
    let circle = |t: f64| vec![t.cos(), t.sin(), -t.sin(), t.cos()];
    let driven = |t: f64| vec![t.sin().exp(), (2.0 * t.sin()).exp()];
    let (kepler, beside) = (Lift::<_, 4, 0>(Kepler), Lift::<_, 2, 0>(Driven));
    let problems = [
        Known { component: &kepler, params: &[], exact: &circle, end: 2.0 },
        Known { component: &beside, params: &[], exact: &driven, end: 2.0 },
    ];
    for &method in METHODS {
        for (k, problem) in problems.iter().enumerate() {
            if method.is_partitioned() && k == 1 {
                continue;
            }
            let (order, anywhere) = problem.orders(method);
            assert!(order > method.order as f64 - 0.15, "{} problem {k}: order {order:.2}", method.name);
            // A continuous extension of order q is off by h^(q+1) within a step, while the results add up to h^p.
            let expected = method.order.min(method.dense_order + 1) as f64;
            assert!(anywhere > expected - 0.15, "{} problem {k}: within steps {anywhere:.2}", method.name);
        }
    }
}

/// A second separable problem for the symplectic methods: `q'' = −sin t`, forced, with `q = sin t`.
struct Forced;
impl SmallField<2, 0> for Forced {
    fn rhs<S: Scalar>(&self, t: S, [q, p]: [S; 2], []: [S; 0]) -> [S; 2] {
        // −q + cos t has the solution q = (t sin t)/2.
        [p, t.cos() - q]
    }
}

#[test]
fn symplectic_methods_keep_their_order_under_forcing_by_time() {
    let forced = Lift::<_, 2, 0>(Forced);
    let exact = |t: f64| vec![0.5 * t * t.sin(), 0.5 * (t.sin() + t * t.cos())];
    let problem = Known { component: &forced, params: &[], exact: &exact, end: 2.0 };
    for method in [&VERLET, &YOSHIDA4] {
        let (order, anywhere) = problem.orders(method);
        assert!(order > method.order as f64 - 0.15, "{}: order {order:.2}", method.name);
        let expected = method.order.min(method.dense_order + 1) as f64;
        assert!(anywhere > expected - 0.15, "{}: within steps {anywhere:.2}", method.name);
    }
}

#[test]
fn adaptive_errors_follow_the_tolerance_under_every_controller() {
    let times: Vec<f64> = (1..=50).map(|k| 0.0613 * f64::from(k)).collect();
    for &method in METHODS.iter().filter(|method| method.error.is_some() && method.order >= 2) {
        for gains in [Gains::I, Gains::PI, Gains::PID] {
            for tolerance in [1e-4, 1e-6, 1e-8] {
                // Methods of low order would take millions of steps.
                if method.order < 3 && tolerance < 1e-6 {
                    continue;
                }
                let options = Options { method, gains, ..Options::adaptive(tolerance, tolerance) };
                let solution = oscillate(&options, &times);
                solution.all_finished().unwrap();
                let worst = times
                    .iter()
                    .zip(solution.states.chunks(2))
                    .map(|(t, y)| (y[0] - (2.0 * t).cos()).abs())
                    .fold(0.0, f64::max);
                // Steps of local error within the tolerance add up over the span; an extension of lower order than the
                // results adds its own.
                let most = if method.dense_order + 1 < method.order { 1e4 } else { 100.0 };
                assert!(worst < most * tolerance, "{} {gains:?} at {tolerance:e}: {worst:e}", method.name);
            }
        }
    }
}
