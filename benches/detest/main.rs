//! The non-stiff DETEST problems (Hull, Enright, Fellen & Sedgwick 1972, SIAM J. Numer. Anal. 9, 603–637) on [0, 20]:
//! error at the end in units of the tolerance, and evaluations, of this crate's methods and of `ode_solvers`. Prints the
//! tables of `docs/solvers.md`: `cargo bench --bench detest`.

mod problems;

use flowmap::dynamics::{Component, Field};
use flowmap::solve::{Independent, METHODS, Options, Problem, Tableau, VERN7, solve, solve_independently};
use problems::{Case, cases};

const TOLERANCES: [f64; 3] = [1e-3, 1e-6, 1e-9];

/// The state at the end, and evaluations; none for a failed solve.
type End = Option<(Vec<f64>, usize)>;

/// Largest error over the components in units of the tolerance, and evaluations; none for a failed solve.
type Outcome = Option<(f64, usize)>;

fn end_of(case: &Case, method: &'static Tableau, tolerance: f64) -> End {
    let field = Field::with_time(&*case.component as &dyn Component<f64>).ok()?;
    let problem = Problem { start_times: &[0.0], starts: &case.start, row_ptr: &[0, 1], times: &[20.0] };
    let options = Options { method, max_steps: 10_000_000, ..Options::adaptive(tolerance, tolerance) };
    let mut solution = solve(field, &[], &problem, &options).ok()?;
    let report = solution.reports.remove(0);
    report.failure.is_none().then_some((solution.states, report.evaluations))
}

fn independent_end_of(case: &Case, method: Independent, tolerance: f64) -> End {
    let field = Field::with_time(&*case.component as &dyn Component<f64>).ok()?;
    let problem = Problem { start_times: &[0.0], starts: &case.start, row_ptr: &[0, 1], times: &[20.0] };
    let mut solution = solve_independently(method, field, &[], &problem, tolerance, tolerance).ok()?;
    let report = solution.reports.remove(0);
    report.failure.is_none().then_some((solution.states, report.evaluations))
}

fn compare(found: End, exact: &[f64], tolerance: f64) -> Outcome {
    found.map(|(states, evaluations)| {
        let error = states.iter().zip(exact).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
        (error / tolerance, evaluations)
    })
}

fn cell(outcome: &Outcome) -> String {
    outcome.map_or("failed".into(), |(error, evaluations)| format!("{error:.2} ({evaluations})"))
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x.get(x.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let cases = cases();
    let exact: Vec<Vec<f64>> =
        cases.iter().map(|case| end_of(case, &VERN7, 1e-14).expect("a reference solution").0).collect();

    println!("Error at t = 20 in units of the tolerance (evaluations), by problem.\n");
    for tolerance in TOLERANCES {
        println!("| {tolerance:e} | dopri5 | ode-solvers-dopri5 | tsit5 | vern7 | dop853 | ode-solvers-dop853 |");
        println!("|---|---|---|---|---|---|---|");
        for (case, exact) in cases.iter().zip(&exact) {
            let ours = |name: &str| {
                let method = METHODS.iter().find(|method| method.name == name).expect("a known method");
                cell(&compare(end_of(case, method, tolerance), exact, tolerance))
            };
            let theirs =
                |method: Independent| cell(&compare(independent_end_of(case, method, tolerance), exact, tolerance));
            let (dopri5, dop853) = (theirs(Independent::Dopri5), theirs(Independent::Dop853));
            let row = [ours("dopri5"), dopri5, ours("tsit5"), ours("vern7"), ours("dop853"), dop853];
            println!("| {} | {} |", case.name, row.join(" | "));
        }
        println!();
    }

    println!("All 25 problems: median and largest error in units of the tolerance, evaluations in all.\n");
    println!("| method | 1e-3 | 1e-6 | 1e-9 |\n|---|---|---|---|");
    let row = |name: &str, run: &dyn Fn(&Case, f64) -> End| {
        let cells = TOLERANCES.map(|tolerance| {
            let outcomes: Vec<Outcome> =
                cases.iter().zip(&exact).map(|(case, exact)| compare(run(case, tolerance), exact, tolerance)).collect();
            let done: Vec<(f64, usize)> = outcomes.iter().flatten().copied().collect();
            let errors: Vec<f64> = done.iter().map(|o| o.0).collect();
            let worst = errors.iter().copied().fold(0.0, f64::max);
            let failed = outcomes.len() - done.len();
            let note = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            format!("{:.2}, {worst:.1} ({}{note})", median(errors), done.iter().map(|o| o.1).sum::<usize>())
        });
        println!("| {name} | {} |", cells.join(" | "));
    };
    for method in METHODS.iter().filter(|method| method.error.is_some() && method.order >= 3) {
        row(method.name, &|case, tolerance| end_of(case, method, tolerance));
    }
    for method in Independent::ALL {
        row(method.name(), &|case, tolerance| independent_end_of(case, method, tolerance));
    }
}
