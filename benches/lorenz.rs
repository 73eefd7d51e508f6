//! Small systems on one thread, beside `ode_solvers`: one Lorenz trajectory, ten thousand of them, and van der Pol
//! oscillators of which one is hard. `cargo bench --bench lorenz`; with `-- --json` one JSON object a figure.

use flowmap::dynamics::{Field, Lift, Scalar, SmallField};
use flowmap::solve::{DOP853, DOPRI5, Options, Problem, Tableau, solve};
use ode_solvers::{Dop853, Dopri5, System, Vector3};
use std::hint::black_box;
use std::time::Instant;

struct Lorenz;
impl SmallField<3, 0> for Lorenz {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], []: [S; 0]) -> [S; 3] {
        [S::of(10.0) * (y - x), x * (S::of(28.0) - z) - y, x * y - S::of(8.0 / 3.0) * z]
    }
}

impl System<f64, Vector3<f64>> for Lorenz {
    fn system(&self, _t: f64, y: &Vector3<f64>, dy: &mut Vector3<f64>) {
        dy[0] = 10.0 * (y[1] - y[0]);
        dy[1] = y[0] * (28.0 - y[2]) - y[1];
        dy[2] = y[0] * y[1] - 8.0 / 3.0 * y[2];
    }
}

/// The last state is the damping, each trajectory's own.
struct VanDerPol;
impl SmallField<3, 0> for VanDerPol {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, mu]: [S; 3], []: [S; 0]) -> [S; 3] {
        [y, mu * (S::of(1.0) - x * x) * y - x, S::of(0.0)]
    }
}

/// Seconds of each call, the best of some rounds in turn.
fn best<const K: usize>(rounds: usize, mut calls: [&mut dyn FnMut(); K]) -> [f64; K] {
    let mut seconds = [f64::INFINITY; K];
    for _ in 0..rounds {
        for (call, best) in calls.iter_mut().zip(&mut seconds) {
            let begun = Instant::now();
            call();
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    seconds
}

fn options(method: &'static Tableau, tolerance: f64) -> Options {
    Options { method, ..Options::adaptive(tolerance, tolerance) }
}

/// Trajectories of a field from 0 to `end`, with the output at the end alone.
fn run(field: Field<f64>, starts: &[f64], end: f64, options: &Options) {
    let count = starts.len() / 3;
    let (begins, ends) = (vec![0.0; count], vec![end; count]);
    let row_ptr: Vec<usize> = (0..=count).collect();
    let problem = Problem { start_times: &begins, starts, row_ptr: &row_ptr, times: &ends };
    let solution = solve(field, &[], &problem, options).expect("a problem that fits");
    solution.all_finished().expect("every trajectory to its end");
    black_box(solution.states);
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let say = |task: &str, peer: &str, seconds: f64| {
        if json {
            println!(r#"{{"task":"{task}","peer":"{peer}","precision":"f64","seconds":{seconds:e}}}"#);
        } else {
            println!("{task:22} {peer:12} {:12.1} us", 1e6 * seconds);
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    pool.install(|| figures(&say));
}

fn figures(say: &dyn Fn(&str, &str, f64)) {
    let lorenz = Lift::<_, 3, 0>(Lorenz);
    let field = Field::with_time(&lorenz).expect("a field");
    let times: Vec<f64> = (0..=1000).map(|k| 0.1 * f64::from(k)).collect();
    let problem = Problem { start_times: &[0.0], starts: &[1.0; 3], row_ptr: &[0, times.len()], times: &times };
    for tolerance in [1e-6, 1e-9] {
        let ours = |method| {
            black_box(solve(field, &[], &problem, &options(method, tolerance)).expect("a problem that fits").states);
        };
        let start = Vector3::new(1.0, 1.0, 1.0);
        let [our5, their5, our8, their8] = best(
            100,
            [
                &mut || ours(&DOPRI5),
                &mut || {
                    let mut solver = Dopri5::new(Lorenz, 0.0, 100.0, 0.1, start, tolerance, tolerance);
                    solver.integrate().expect("a solution");
                    black_box(solver.y_out());
                },
                &mut || ours(&DOP853),
                &mut || {
                    let mut solver = Dop853::new(Lorenz, 0.0, 100.0, 0.1, start, tolerance, tolerance);
                    solver.integrate().expect("a solution");
                    black_box(solver.y_out());
                },
            ],
        );
        // The name that other languages give a tolerance.
        let name = format!("{tolerance:.0e}").replace("e-", "e-0");
        say(&format!("lorenz-dopri5-{name}"), "flowmap", our5);
        say(&format!("lorenz-dopri5-{name}"), "ode_solvers", their5);
        say(&format!("lorenz-dop853-{name}"), "flowmap", our8);
        say(&format!("lorenz-dop853-{name}"), "ode_solvers", their8);
    }

    let starts: Vec<f64> = (0..30_000).map(|i| 1.0 + 1e-3 * f64::from(i).sin()).collect();
    let some = options(&DOPRI5, 1e-6);
    let [together, one_by_one] = best(
        3,
        [&mut || run(field, &starts, 10.0, &some), &mut || {
            starts.chunks(3).for_each(|start| run(field, start, 10.0, &some));
        }],
    );
    say("lorenz-together", "flowmap", together);
    say("lorenz-one-by-one", "flowmap", one_by_one);

    let van_der_pol = Lift::<_, 3, 0>(VanDerPol);
    let field = Field::with_time(&van_der_pol).expect("a field");
    let easy: Vec<f64> = (0..256).flat_map(|s| [2.0, 1e-3 * f64::from(s), 1.0]).collect();
    let mut mixed = easy.clone();
    mixed[3 * 100 + 2] = 25.0;
    let hard = mixed[300..303].to_vec();
    let [easy, mixed, hard] = best(
        20,
        [&mut || run(field, &easy, 20.0, &some), &mut || run(field, &mixed, 20.0, &some), &mut || {
            run(field, &hard, 20.0, &some);
        }],
    );
    say("vanderpol-easy", "flowmap", easy);
    say("vanderpol-hard", "flowmap", hard);
    say("vanderpol-mixed", "flowmap", mixed);
    // What the mixed batch may cost: a tenth more than the easy one, and the hard one alone.
    say("vanderpol-bound", "flowmap", 1.1 * easy + hard);
}
