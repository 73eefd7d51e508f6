//! One training step of torchdiffeq's `ode_demo` task on one thread: a cubic spiral, a 2-50-2 tanh net on `y³`, 20 windows of
//! 10 points, Dopri5 at rtol 1e-7 and atol 1e-9, mean absolute error, RMSprop. `cargo bench --bench spiral`; with
//! `-- --json` one JSON object a figure.

use flowmap::Real;
use flowmap::dynamics::{Chain, Component, Field, Lift, ParamSpec, Scalar, SmallField, Tangent};
use flowmap::gradient::{Settings, Strategy, gradient};
use flowmap::linalg::{Block, BlockMut};
use flowmap::nn::{Activation, Mlp, fan_in_normal};
use flowmap::solve::{DOPRI5, Options, Problem, solve};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

struct Spiral;
impl SmallField<2, 0> for Spiral {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], []: [S; 0]) -> [S; 2] {
        let (x, y) = (x * x * x, y * y * y);
        [S::of(-0.1) * x - S::of(2.0) * y, S::of(2.0) * x - S::of(0.1) * y]
    }
}

/// `u ↦ u³`, row by row.
struct Cube(usize);
impl<T: Real> Component<T> for Cube {
    fn in_dim(&self) -> usize {
        self.0
    }
    fn out_dim(&self) -> usize {
        self.0
    }
    fn params(&self, _: &str) -> Vec<ParamSpec> {
        Vec::new()
    }
    fn param_count(&self) -> usize {
        0
    }
    fn slab_len(&self) -> usize {
        self.0
    }
    fn scratch_len(&self) -> usize {
        0
    }
    fn eval(&self, _: &[T], u: Block<T>, out: BlockMut<T>, _: &mut [T]) {
        out.data.iter_mut().zip(u.data).for_each(|(out, &u)| *out = u * u * u);
    }
    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        slab.data.iter_mut().zip(u.data).for_each(|(slab, &u)| *slab = T::of(3.0) * u * u);
        self.eval(params, u, out, scratch);
    }
    fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, _: &mut [T]) {
        out.data.copy_from_slice(tangent.arguments.data);
        flowmap::linalg::scale_points(slab.data, slab.lanes, out.data, out.lanes);
    }
    fn vjp(&self, _: &[T], slab: Block<T>, w: Block<T>, u_bar: BlockMut<T>, _: Option<&mut [T]>, _: &mut [T]) {
        u_bar.data.copy_from_slice(w.data);
        flowmap::linalg::scale_points(slab.data, slab.lanes, u_bar.data, u_bar.lanes);
    }
}

const WINDOWS: usize = 20;
const POINTS: usize = 10;
const STEPS: usize = 400;

/// Seconds of one training step, of its forward and of its backward pass, and the last loss.
fn train<T: Real>(strategy: Strategy) -> [f64; 4] {
    let times: Vec<f64> = (0..1000).map(|k| 25.0 * f64::from(k) / 999.0).collect();
    let spiral = Lift::<_, 2, 0>(Spiral);
    let options = Options { method: &DOPRI5, ..Options::adaptive(1e-7, 1e-9) };
    let whole = Problem { start_times: &[0.0], starts: &[2.0, 0.0], row_ptr: &[0, 1000], times: &times };
    let truth = solve(Field::with_time(&spiral).expect("a field"), &[], &whole, &options).expect("a solution").states;
    let truth: Vec<T> = truth.into_iter().map(T::of).collect();
    let own_times: Vec<T> = times[..POINTS].iter().map(|&t| T::of(t)).collect();

    let mlp = Mlp::new(&[2, 50, 2], Activation::Tanh, Activation::Identity).expect("a net");
    let net = Chain::new::<T>(Cube(2), mlp).expect("a field");
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let specs = Component::<T>::params(&net, "");
    let mut params: Vec<T> = fan_in_normal(&specs, 1.0, &mut rng);
    // N(0, 0.1²), as the task has it.
    params[..100].iter_mut().for_each(|p| *p *= T::of(0.1 * 2f64.sqrt()));
    params[150..250].iter_mut().for_each(|p| *p *= T::of(0.1 * 50f64.sqrt()));
    let field = Field::autonomous(&net).expect("a field");
    let (begins, row_ptr) = (vec![T::zero(); WINDOWS], (0..=WINDOWS).map(|s| s * POINTS).collect::<Vec<_>>());
    let rows = own_times.repeat(WINDOWS);
    let mut square = vec![T::zero(); params.len()];
    let mut order: Vec<usize> = (0..990).collect();
    let (mut best, mut forward, mut loss) = (f64::INFINITY, f64::INFINITY, 0.0);
    let mut total = Vec::with_capacity(STEPS);
    for step in 0..STEPS {
        let (chosen, _) = order.partial_shuffle(&mut rng, WINDOWS);
        let starts: Vec<T> = chosen.iter().flat_map(|&s| [truth[2 * s], truth[2 * s + 1]]).collect();
        let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &rows };
        let begun = Instant::now();
        let scale = T::of(1.0 / (2 * WINDOWS * POINTS) as f64);
        let g = gradient(field, &params, &problem, &options, &Settings::new(strategy), |s, states, bar| {
            let seen = &truth[2 * chosen[s]..][..2 * POINTS];
            states.iter().zip(seen).zip(bar).fold(0.0, |sum, ((&y, &seen), bar)| {
                *bar = if y > seen { scale } else { -scale };
                sum + (y - seen).abs().f64() * scale.f64()
            })
        });
        let g = g.expect("a gradient");
        let (keep, rate, small) = (T::of(0.99), T::of(1e-3), T::of(1e-8));
        for ((p, s), &g) in params.iter_mut().zip(&mut square).zip(&g.params) {
            *s = keep * *s + (T::one() - keep) * g * g;
            *p -= rate * g / (s.sqrt() + small);
        }
        let seconds = begun.elapsed().as_secs_f64();
        if step >= 20 {
            total.push(seconds);
            best = best.min(seconds);
            let begun = Instant::now();
            solve(field, &params, &problem, &options).expect("a solution");
            forward = forward.min(begun.elapsed().as_secs_f64());
        }
        loss = g.loss;
    }
    total.sort_by(f64::total_cmp);
    [total[total.len() / 2], forward, best - forward, loss]
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let say = |task: &str, precision: &str, [step, forward, back, loss]: [f64; 4]| {
        if json {
            println!(
                r#"{{"task":"{task}-{precision}","peer":"flowmap","precision":"{precision}","seconds":{step:e}}}"#
            );
            println!(
                r#"{{"task":"{task}-forward-{precision}","peer":"flowmap","precision":"{precision}","seconds":{forward:e}}}"#
            );
            println!(
                r#"{{"task":"{task}-back-{precision}","peer":"flowmap","precision":"{precision}","seconds":{back:e}}}"#
            );
        } else {
            let (step, forward, back) = (1e6 * step, 1e6 * forward, 1e6 * back);
            println!(
                "{task:22} {precision} {step:9.1} us a step, forward {forward:.1}, back {back:.1}, loss {loss:.4}"
            );
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    pool.install(|| {
        say("spiral", "f64", train::<f64>(Strategy::Stored));
        say("spiral", "f32", train::<f32>(Strategy::Stored));
        say("spiral-adjoint", "f64", train::<f64>(Strategy::Interpolating));
    });
}
