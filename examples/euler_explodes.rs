//! Euler explodes, the pendulum doesn't.
//!
//! A damped pendulum comes to rest. Explicit Euler multiplies each mode of its linearisation at rest by `1 + hλ`, and that
//! is a decay only for steps below `damping · l / g`; above, the numerical pendulum is driven although nothing drives the
//! real one. RK4 has a longer limit, implicit Euler none, and an adaptive method finds its steps by itself. The limit is
//! predicted from the eigenvalues and measured on trajectories. (Hairer & Wanner 1996, Solving ODEs II, sec. IV.2.)

mod lesson;

use flowmap::Result;
use flowmap::analysis::rest::Resting;
use flowmap::analysis::stability::{Around, Course, follow, measured_limit, predicted_limit};
use flowmap::dynamics::systems::{Settings, system};
use flowmap::plot::{Line, LinesPanel, Look};
use flowmap::solve::{EULER, IMPLICIT_EULER, Options, Problem, RK4, Tableau, solve};

pub const METHODS: [&Tableau; 3] = [&EULER, &RK4, &IMPLICIT_EULER];
/// Below every limit, above that of Euler, and far above it.
const STEPS: [f64; 3] = [0.025, 0.06, 0.2];

/// The longest stable step of each method (seconds): predicted, and measured to a relative precision in so many steps.
pub fn limits(precision: (f64, u64)) -> Result<Vec<[f64; 2]>> {
    let pendulum = system("pendulum")?.build(&Settings::default())?;
    let (field, params) = (pendulum.field()?, &pendulum.params);
    let found = Resting::flow(field, params, 0.0)?.search(&[vec![0.1, 0.0]])?;
    let (rest, start) = (&found.points[0], &pendulum.start);
    let fastest = rest.eigenvalues[0].norm();
    let around = Around { state: &rest.state, towards: start, fastest };
    METHODS
        .iter()
        .map(|method| {
            let predicted = predicted_limit(method, &rest.eigenvalues);
            Ok([predicted, measured_limit(field, params, method, around, predicted, precision)?])
        })
        .collect()
}

fn main() -> Result<()> {
    let limits = limits(if lesson::quick() { (1e-4, 1_000) } else { (1e-8, 10_000) })?;
    println!("{:<15} {:>16} {:>16}", "method", "predicted limit", "measured limit");
    for (method, [predicted, measured]) in METHODS.iter().zip(&limits) {
        println!("{:<15} {predicted:>16.8} {measured:>16.8}", method.name);
    }

    let pendulum = system("pendulum")?.build(&Settings::default())?;
    let (field, params, start) = (pendulum.field()?, &pendulum.params, &pendulum.start);
    let times: Vec<f64> = (0..=400).map(|k| 0.05 * f64::from(k)).collect();
    let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times: &times };
    let adaptive = solve(field, params, &problem, &Options::adaptive(1e-8, 1e-8))?;
    let angle = |states: &[f64]| states.iter().step_by(2).copied().collect::<Vec<f64>>();
    let course = Course { start, time: 0.0, span: 20.0, tolerance: &[] };
    let mut panels = Vec::new();
    println!("\n{:<15} {:>10} {:>28}", "method", "step (s)", "angle after 20 s (radians)");
    println!("{:<15} {:>10} {:>28.4}", "tsit5", "adaptive", adaptive.states[adaptive.states.len() - 2]);
    for step in STEPS {
        let truth = Line::solid("adaptive (tsit5)", times.clone(), angle(&adaptive.states)).look(Look::Truth);
        let mut lines = vec![truth];
        for method in METHODS {
            let mut states = start.clone();
            states.extend(follow(field, params, method, course, step, (20.0 / step).round() as usize)?);
            let at = (0..states.len() / 2).map(|k| k as f64 * step).collect();
            println!("{:<15} {step:>10} {:>28.4}", method.name, states[states.len() - 2]);
            lines.push(Line::solid(method.name, at, angle(&states)));
        }
        let (x, y) = ("time (s)".into(), format!("angle at steps of {step} s (radians)"));
        panels.push(LinesPanel { x, y, shown: Some([-4.0, 4.0]), lines, ..LinesPanel::default() });
    }
    lesson::figure("euler_explodes", "Euler explodes, the pendulum doesn't", panels)
}
