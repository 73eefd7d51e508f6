//! A field of one's own, simulated and fitted: Lotka–Volterra with four unknown rates.
//!
//! The field is written once, generically over the scalar. From that come values, Jacobians by dual numbers, and the
//! exact gradient of the solver's own steps, with which gradient descent finds the rates that made the observations.
//! (Lotka 1925; discretise-then-optimise: Onken & Ruthotto 2020.)

use flowmap::dynamics::{Field, Lift, Scalar, SmallField};
use flowmap::gradient::{Settings, gradient};
use flowmap::nn::{AdamW, Schedule};
use flowmap::solve::{Options, Problem, solve};

struct LotkaVolterra;

impl SmallField<2, 4> for LotkaVolterra {
    fn rhs<S: Scalar>(&self, _t: S, [prey, hunter]: [S; 2], [a, b, c, d]: [S; 4]) -> [S; 2] {
        [a * prey - b * prey * hunter, c * prey * hunter - d * hunter]
    }
}

fn main() -> flowmap::Result<()> {
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let system = Lift::<_, 2, 4>(LotkaVolterra);
    let (field, options) = (Field::with_time(&system)?, Options::adaptive(1e-6, 1e-6));

    // Two trajectories, each with its own irregular times.
    let times = [0.4, 0.9, 2.2, 3.1, 4.9, 6.0, 0.7, 1.3, 3.5, 5.2];
    let problem =
        Problem { start_times: &[0.0, 0.0], starts: &[1.0, 0.5, 2.0, 1.5], row_ptr: &[0, 6, 10], times: &times };
    let truth = [1.1, 0.4, 0.2, 0.4];
    let observed = solve(field, &truth, &problem, &options)?;
    observed.all_finished()?;

    let mut rates = vec![0.8, 0.6, 0.4, 0.6];
    let mut adam = AdamW::new(4, 0.0);
    let steps = if quick { 50 } else { 1500 };
    let schedule = Schedule { peak: 0.02, warmup: 10, total: steps, floor: 0.01 };
    println!("{:>5} {:>12}  rates", "step", "loss");
    for step in 0..steps {
        let g = gradient(field, &rates, &problem, &options, &Settings::default(), |s, states, bar| {
            let target = &observed.states[2 * problem.row_ptr[s]..2 * problem.row_ptr[s + 1]];
            bar.iter_mut().zip(states).zip(target).for_each(|((b, y), t)| *b = 2.0 * (y - t));
            states.iter().zip(target).map(|(y, t)| (y - t) * (y - t)).sum()
        })?;
        if step % (steps / 5) == 0 {
            println!("{step:>5} {:>12.3e}  {:.3?}", g.loss, rates);
        }
        adam.step(&mut rates, &g.params, schedule.rate(step), |_| false);
    }
    println!("found {rates:.4?}, the truth is {truth:?}");
    Ok(())
}
