//! `flowmap simulate`.

mod model;
mod portrait;
mod section;
mod trajectory;

use super::args::{Common, SimulateArgs, SolverArgs};
use super::shared::{Console, named, short};
use crate::dynamics::systems::{Instance, Kind};
use crate::io::OutputFolder;
use crate::io::table::Cell;
use crate::plot::TrajectoryFigure;
use crate::series::grid::stepped;
use crate::series::{RequestedTimes, read_times};
use crate::solve::{self, Independent, Options, Problem, Solution, SolverSpec, solve_independently};
use crate::{Error, Result};
use portrait::Portrait;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const USUAL_METHOD: &str = "tsit5";
const USUAL_RTOL: f64 = 1e-6;
const USUAL_ATOL: f64 = 1e-9;
/// Usual allowances of steps: of a method's own choice, and of fixed length.
const MOST_CHOSEN: usize = 1_000_000;
const MOST_FIXED: usize = 100_000_000;
/// Most numbers in a table.
const MOST_CELLS: usize = 20_000_000;

/// What was done, for `--json`.
#[derive(Serialize)]
struct Report<'a> {
    out: &'a Path,
    system: &'a str,
    kind: &'a str,
    parameters: BTreeMap<&'a str, f64>,
    seed: u64,
    start: &'a [f64],
    start_time: f64,
    method: &'a str,
    rtol: Option<f64>,
    atol: Option<f64>,
    step: Option<f64>,
    rows: usize,
    rows_asked: usize,
    accepted: usize,
    rejected: usize,
    evaluations: usize,
    wall_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<Vec<portrait::RestReport>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passages: Option<usize>,
    failure: Option<FailureReport>,
}

#[derive(Serialize)]
struct FailureReport {
    time: f64,
    step: f64,
    reason: String,
    cause: String,
    advice: &'static str,
}

/// How the trajectory is followed.
enum Way {
    /// A map, or a delay equation by steps of its own.
    Iterate {
        max_steps: usize,
        step: f64,
    },
    Integrate {
        options: Options,
        spec: SolverSpec,
    },
    Independently {
        method: Independent,
        rtol: f64,
        atol: f64,
    },
}

/// Follows a named system or a fitted model.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a trajectory that could not be followed, after the files are
/// written as far as it goes.
pub fn run(args: &SimulateArgs, common: &Common, console: &Console) -> Result<()> {
    let name = match (&args.system, &args.model) {
        (Some(name), _) => name,
        (None, Some(model)) => return model::run(model, args, common, console),
        (None, None) => return Err(Error::config("nothing to follow is named", "give --system NAME or --model DIR")),
    };
    let instance = named::build(name, &args.set, common)?;
    let name = instance.system.name;
    let way = Way::of(&args.solver, &instance)?;
    let (start, start_time) = (named::start(args.start.as_ref(), &instance)?, args.start_time.unwrap_or(0.0));
    if !start_time.is_finite() {
        return Err(Error::config(format!("--start-time is {start_time}"), "give a finite number"));
    }
    let span = instance.system.span;
    let times = times(args, start_time, || stepped(start_time, start_time + span.end, span.step))?;
    if times.len().saturating_mul(instance.dim()) > MOST_CELLS {
        let what = format!("{} rows of {} components are too many", times.len(), instance.dim());
        return Err(Error::config(what, "ask for fewer times"));
    }
    way.check(start_time, &times, &args.solver)?;
    let plane = named::plane(&args.cut, &instance)?;
    let span = [times.first(), times.last()].map(|time| time.copied().unwrap_or(start_time));
    if plane.is_some() && span[0] >= span[1] {
        return Err(Error::config("--section is asked for at a single time", "ask for a span of times"));
    }
    let cut = plane.as_ref().map(|plane| Ok((plane, way.options(&instance)?))).transpose()?;
    let portrait =
        args.portrait.then(|| Portrait::of(&instance, args.plane.as_ref(), start_time, &start)).transpose()?;
    let problem = Problem { start_times: &[start_time], starts: &start, row_ptr: &[0, times.len()], times: &times };
    let begun = Instant::now();
    let solution = way.follow(&instance, &problem)?;
    let wall_seconds = begun.elapsed().as_secs_f64();

    let out = common.out.clone().unwrap_or_else(|| "out/simulate".into());
    let mut files = vec!["trajectory.csv", "trajectory.svg"];
    files.extend(portrait.iter().flat_map(|_| portrait::FILES));
    files.extend(plane.iter().flat_map(|_| section::FILES));
    let folder = OutputFolder::create(&out, &files, 1 << 20)?;
    let [report] = &solution.reports[..] else {
        return Err(Error::shape("reports of one trajectory", 1, solution.reports.len()));
    };
    let rows = trajectory::reached(&solution.states, instance.dim());
    let (times, states) = (&times[..rows], &solution.states[..rows * instance.dim()]);
    let remark = report.failure.as_ref().map(|failure| format!("ended early, at {}", short(failure.time)));
    let points = instance.system.kind == Kind::Map;
    let figure = TrajectoryFigure {
        title: format!("{name}: {}", instance.system.title),
        time: if points { "step" } else { "time" }.into(),
        times: times.to_vec(),
        components: trajectory::components(&instance.labels, states),
        points,
        remark: remark.unwrap_or_default(),
    };
    trajectory::write(&folder, "trajectory", &instance.labels, states, &figure)?;
    let seed = common.seed.unwrap_or(0);
    let from = [&start, states].concat();
    let rest = portrait.map(|portrait| portrait.write(&folder, &instance, &from, seed)).transpose()?;
    let whole = report.failure.is_none();
    let passages = cut
        .filter(|_| whole)
        .map(|(plane, options)| section::write(&folder, &instance, plane, (start_time, &start), span, options));
    let passages = passages.transpose()?.map(|section| section.times.len());

    let (method, [rtol, atol, step]) = way.described();
    let told = [("rtol", rtol), ("atol", atol), ("step", step)];
    let told: String = told.iter().filter_map(|(name, x)| x.map(|x| format!(", {name} {}", Cell::Number(x)))).collect();
    console.say(format_args!("{:<8} {name}{}", "system", settings(&instance)));
    let cost =
        format!("{} steps accepted, {} rejected, {} evaluations", report.accepted, report.rejected, report.evaluations);
    console.say(format_args!("{:<8} {method}{told}: {cost}, {wall_seconds:.3} s", "method"));
    let asked = problem.times.len();
    let part = if rows < asked { format!(" of the {asked} asked for, up to the failure") } else { String::new() };
    if let Some(found) = &rest {
        console.say(format_args!("{:<8} {}", "rest", portrait::in_words(found)));
    }
    if let (Some(passages), Some((component, value))) = (passages, &args.cut.section) {
        console.say(format_args!("{:<8} {passages} passages through {component} = {}", "section", short(*value)));
    }
    console.say(format_args!("{:<8} {rows} rows{part}, in {}", "files", out.display()));
    console.json(&Report {
        out: &out,
        system: name,
        kind: instance.system.kind.name(),
        parameters: instance.system.parameters.iter().map(|p| p.name).zip(instance.values.iter().copied()).collect(),
        seed,
        start: &start,
        start_time,
        method,
        rtol,
        atol,
        step,
        rows,
        rows_asked: asked,
        accepted: report.accepted,
        rejected: report.rejected,
        evaluations: report.evaluations,
        wall_seconds,
        rest: rest.as_ref().map(portrait::report),
        passages,
        failure: report.failure.as_ref().map(|failure| FailureReport {
            time: failure.time,
            step: failure.step,
            reason: failure.reason.to_string(),
            cause: failure.cause.to_string(),
            advice: failure.cause.advice(),
        }),
    })?;
    match report.failure {
        Some(failure) => Err(Error::Solve { series: name.into(), failure }),
        None => Ok(()),
    }
}

/// The times asked for or else the usual ones, none of them before the start.
fn times(args: &SimulateArgs, from: f64, usual: impl FnOnce() -> Result<Vec<f64>>) -> Result<Vec<f64>> {
    let times = match (args.at, &args.at_file) {
        (Some([start, end, step]), _) => stepped(start, end, step)?,
        (None, Some(path)) => match read_times(path, "time", None)? {
            RequestedTimes::All(times) => times,
            RequestedTimes::BySeries(_) => {
                let what = "it has a column of series";
                return Err(Error::format(path, what, "give times alone, there is one trajectory"));
            }
        },
        (None, None) => usual()?,
    };
    match times.first() {
        Some(first) if *first < from => {
            let what = format!("time {} lies before the start at {}", short(*first), short(from));
            Err(Error::config(what, "ask for later times, or give an earlier --start-time"))
        }
        _ => Ok(times),
    }
}

impl Way {
    fn of(args: &SolverArgs, instance: &Instance) -> Result<Self> {
        let name = instance.system.name;
        if instance.system.kind != Kind::Flow {
            let numbers = [("--rtol", args.rtol), ("--atol", args.atol), ("--step", args.step)];
            let given = numbers.iter().find(|(_, number)| number.is_some()).map(|(option, _)| *option);
            if let Some(option) = given.or(args.method.as_ref().map(|_| "--method")) {
                let kind = instance.system.kind.name();
                let what = format!("{option} is given, but {name} is a {kind}, which is iterated and not integrated");
                return Err(Error::config(what, "leave it out"));
            }
            if args.max_steps == Some(0) {
                return Err(Error::config("--max-steps is 0", "allow at least one step"));
            }
            return Ok(Self::Iterate { max_steps: args.max_steps.unwrap_or(MOST_FIXED), step: instance.step });
        }
        let (rtol, atol) = (args.rtol.unwrap_or(USUAL_RTOL), args.atol.unwrap_or(USUAL_ATOL));
        let method = args.method.as_deref().unwrap_or(USUAL_METHOD);
        if let Some(method) = Independent::named(method) {
            if args.step.is_some() || args.max_steps.is_some() {
                let what = format!("{} takes no --step and no --max-steps", method.name());
                return Err(Error::config(what, "leave them out, or choose another method"));
            }
            return Ok(Self::Independently { method, rtol, atol });
        }
        let usual = if args.step.is_some() { MOST_FIXED } else { MOST_CHOSEN };
        let max_steps = args.max_steps.unwrap_or(usual);
        let spec = SolverSpec { method: method.into(), rtol, atol, step: args.step, max_steps };
        let options = spec.options(1.0)?;
        named::method(method, name, instance.separable)?;
        Ok(Self::Integrate { options, spec })
    }

    /// # Errors
    /// If it takes more steps than are usual, and nobody said how many may be taken.
    fn check(&self, start: f64, times: &[f64], args: &SolverArgs) -> Result<()> {
        let (most, step) = match self {
            Self::Iterate { max_steps, step } => (*max_steps, *step),
            Self::Integrate { spec: SolverSpec { step: Some(step), max_steps, .. }, .. } => (*max_steps, *step),
            Self::Integrate { .. } | Self::Independently { .. } => return Ok(()),
        };
        let count = times.last().map_or(0.0, |last| (last - start) / step);
        if args.max_steps.is_some() || count <= most as f64 {
            return Ok(());
        }
        let what = format!("{} steps of {} are more than {most}", short(count), short(step));
        Err(Error::config(what, "ask for earlier times or longer steps, or allow more by --max-steps"))
    }

    fn follow(&self, instance: &Instance, problem: &Problem<f64>) -> Result<Solution<f64>> {
        match self {
            Self::Iterate { max_steps, step } => {
                let in_steps = |times: &[f64]| times.iter().map(|t| steps_of(*t, *step)).collect::<Result<Vec<f64>>>();
                let (start_times, times) = (in_steps(problem.start_times)?, in_steps(problem.times)?);
                let problem = Problem { start_times: &start_times, times: &times, ..*problem };
                let mut solution = solve::iterate(&*instance.component, &instance.params, &problem, *max_steps)?;
                for failure in solution.reports.iter_mut().filter_map(|report| report.failure.as_mut()) {
                    (failure.time, failure.step) = (failure.time * step, *step);
                }
                Ok(solution)
            }
            Self::Integrate { options, .. } => solve::solve(instance.field()?, &instance.params, problem, options),
            Self::Independently { method, rtol, atol } => {
                solve_independently(*method, instance.field()?, &instance.params, problem, *rtol, *atol)
            }
        }
    }

    /// The options of a solve by a method of this program.
    fn options(&self, instance: &Instance) -> Result<&Options> {
        match self {
            Self::Integrate { options, .. } => Ok(options),
            Self::Iterate { .. } | Self::Independently { .. } => {
                let name = instance.system.name;
                let what = format!("--section of {name} is found by the events of this program's own methods");
                Err(Error::config(what, "choose another --method"))
            }
        }
    }

    /// Its name, and the relative tolerance, absolute tolerance and step that matter to it.
    fn described(&self) -> (&str, [Option<f64>; 3]) {
        match self {
            Self::Iterate { .. } => ("iteration", [None; 3]),
            Self::Integrate { spec, .. } if spec.step.is_some() => (&spec.method, [None, None, spec.step]),
            Self::Integrate { spec, .. } => (&spec.method, [Some(spec.rtol), Some(spec.atol), None]),
            Self::Independently { method, rtol, atol } => (method.name(), [Some(*rtol), Some(*atol), None]),
        }
    }
}

/// A time in steps: rounding aside it has to be a whole number of them.
fn steps_of(time: f64, step: f64) -> Result<f64> {
    let steps = time / step;
    if step == 1.0 {
        return Ok(steps);
    }
    if (steps - steps.round()).abs() > 1e-6 {
        let what = format!("there is no step at time {time}: steps are {step} long");
        return Err(Error::config(what, "ask for times that are whole numbers of steps"));
    }
    Ok(steps.round())
}

/// Parameters with their values, each after a comma.
fn settings(instance: &Instance) -> String {
    let values = instance.system.parameters.iter().zip(&instance.values);
    values.map(|(parameter, value)| format!(", {} {}", parameter.name, short(*value))).collect()
}
