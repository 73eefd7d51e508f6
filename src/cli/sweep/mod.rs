//! `flowmap sweep`.

mod tables;

use super::args::{Common, SweepArgs};
use super::shared::checkpoints::{self, CHECKPOINT};
use super::shared::sources::forward;
use super::shared::sources::system::SystemSteps;
use super::shared::{Console, named, short, with_out};
use crate::analysis::sweep::{Cut, Sampled, Sweep, SweepOptions, SweepPoint, zero_crossings};
use crate::analysis::{Run, SpectrumOptions};
use crate::dynamics::systems::{Instance, Kind};
use crate::io::{OutputFolder, checkpoint, json};
use crate::plot::{SweepFigure, sweep_figure};
use crate::series::grid::spread;
use crate::solve;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const FILES: [&str; 5] = ["sweep.json", "sweep.csv", "samples.csv", "sweep.svg", CHECKPOINT];
/// Most numbers that a sweep keeps.
const MOST_CELLS: usize = 20_000_000;
/// Crossings told in words.
const MOST_TOLD: usize = 8;

/// `sweep.json`: nothing that differs from one run to the next.
#[derive(Serialize)]
struct Report {
    source: Value,
    parameter: String,
    from: f64,
    to: f64,
    values: usize,
    values_done: usize,
    exponents: usize,
    unit: &'static str,
    step: f64,
    steps: u64,
    warmup: u64,
    samples: usize,
    sampled: String,
    seed: u64,
    failures: usize,
    /// Of the leading exponent; none where one is 0 by itself, as in flows.
    zero_crossings: Vec<f64>,
    #[serde(with = "json::number")]
    largest_exponent: Option<f64>,
    largest_exponent_at: Option<f64>,
    stopped_because: &'static str,
}

/// Scans a parameter.
///
/// # Errors
/// If an input cannot be used or nothing can be written; if the run failed at every value, after the files are written.
pub fn run(args: &SweepArgs, common: &Common, console: &Console) -> Result<()> {
    let begun = Instant::now();
    let (parameter, [from, to], count) = (&args.over.0, args.over.1, args.over.2);
    let values = values(args)?;
    forward(args.step)?;
    let first = at(from, args, common)?;
    let start = named::start(args.start.as_ref(), &first)?;
    let stepping = SystemSteps::of(&first, args.method.as_deref(), args.step)?;
    let stepped = stepping.stepped();
    let dim = stepped.dim();
    let options = options(args, common, &first)?;
    let plane = named::plane(&args.cut, &first)?;
    let method = plane.as_ref().map(|_| solve::method(stepping.method)).transpose()?;
    let exponents = options.spectrum.exponents.unwrap_or(dim);
    if exponents == 0 || exponents > dim {
        let what = format!("{exponents} exponents are asked for of a system with {dim} dimensions");
        return Err(Error::config(what, format!("ask for 1 to {dim}")));
    }
    if args.steps == 0 {
        return Err(Error::config("no step is counted", "give --steps of at least 1"));
    }
    if args.samples == 0 {
        return Err(Error::config("no sample is taken", "give --samples of at least 1"));
    }
    // What no value could be measured with is told before any is.
    Run::new(&stepped, std::slice::from_ref(&start), options.spectrum.clone())?;
    if count.saturating_mul(exponents.saturating_mul(3).saturating_add(args.samples)) > MOST_CELLS {
        let what = format!("{count} values with {} samples are too many numbers", args.samples);
        return Err(Error::config(what, "ask for fewer values or fewer --samples"));
    }
    let mut source = json!({
        "kind": first.system.kind.name(), "name": first.system.name, "method": stepping.method, "start": start,
    });
    let others = first.system.parameters.iter().zip(&first.values).filter(|(p, _)| p.name != parameter);
    source["parameters"] =
        others.map(|(p, &value)| (p.name.to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into();
    let settings = json!({
        "source": source, "over": json!({"parameter": parameter, "from": from, "to": to, "count": count}),
        "exponents": exponents, "warmup": options.spectrum.warmup, "steps": options.spectrum.steps,
        "seed": options.spectrum.seed, "samples": options.samples, "show": first.labels[options.component],
        "clock": format!("{:?}", stepped.clock), "section": format!("{plane:?}"),
    })
    .to_string();
    let mut sweep = Sweep::new(values, exponents, |value| {
        let instance = at(value, args, common)?;
        let stepping = SystemSteps::of(&instance, args.method.as_deref(), args.step)?;
        let cut = match (&plane, method) {
            (Some(plane), Some(method)) => Some(Cut { plane, field: instance.field()?, method }),
            _ => None,
        };
        SweepPoint::measure(&stepping.stepped(), &start, &options, cut.as_ref())
    });
    let out = common.out.clone().unwrap_or_else(|| "out/sweep".into());
    if args.resume {
        let path = out.join(CHECKPOINT);
        sweep.restore(&checkpoint::read(&path)?, &settings, &path)?;
    }
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    if args.resume {
        console.say(format_args!("{:<11} value {} of {count}", "resumed at", sweep.points().len()));
    }
    let saving = (&folder, args.checkpoint_every, console);
    let go_on = |sweep: &mut Sweep<_>| Ok(sweep.go_on());
    let whole = checkpoints::walk(
        &mut sweep,
        go_on,
        |sweep| sweep.save(&settings),
        |sweep| progress(sweep, parameter),
        saving,
    )?;

    let points = sweep.points();
    let values = &sweep.values()[..points.len()];
    let shown = &first.labels[options.component];
    let sampled = match (&args.cut.section, options.sampled) {
        (Some((component, value)), _) => format!("{shown} at {component} = {}", short(*value)),
        (None, Sampled::Maxima) => format!("maxima of {shown}"),
        (None, Sampled::Steps) => shown.clone(),
    };
    let leading = values.iter().zip(points).filter_map(|(&value, point)| Some((value, *point.exponents.first()?)));
    let largest = leading.filter(|(_, x)| x.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1));
    let report = Report {
        source,
        parameter: parameter.clone(),
        from,
        to,
        values: count,
        values_done: points.len(),
        exponents,
        unit: if first.system.kind == Kind::Map { "nats per step" } else { "nats per unit of time" },
        step: stepped.duration(),
        steps: options.spectrum.steps,
        warmup: options.spectrum.warmup,
        samples: options.samples,
        sampled: sampled.clone(),
        seed: options.spectrum.seed,
        failures: points.iter().filter(|point| point.failure.is_some()).count(),
        // What moves along a flow has an exponent of 0 anyway.
        zero_crossings: if first.zeros > 0 { Vec::new() } else { zero_crossings(values, points) },
        largest_exponent: largest.map(|(_, x)| x),
        largest_exponent_at: largest.map(|(value, _)| value),
        stopped_because: if whole { "values" } else { "interrupted" },
    };
    tables::write(&folder, (parameter, &sampled), exponents, values, points)?;
    let figure = SweepFigure {
        title: format!("{}: {}", first.system.name, first.system.title),
        parameter: parameter.clone(),
        values: values.to_vec(),
        sampled,
        samples: points.iter().map(|point| point.samples.clone()).collect(),
        unit: report.unit.into(),
        exponents: points.iter().map(|point| point.exponents.clone()).collect(),
        remarks: report.remarks(),
    };
    folder.write("sweep.svg", &sweep_figure(&figure)?)?;
    json::write(&folder.file("sweep.json"), &report)?;
    checkpoints::settle(whole, &folder, console);
    let wall_seconds = begun.elapsed().as_secs_f64();
    report.say(console, &out, points, wall_seconds);
    let mut told = with_out(&report, &out);
    told["wall_seconds"] = wall_seconds.into();
    console.json(&told)?;
    match points.iter().find_map(|point| point.failure.as_ref()).filter(|_| report.failures == count) {
        Some(reason) => Err(Error::Sweep { what: reason.clone() }),
        None => Ok(()),
    }
}

fn values(args: &SweepArgs) -> Result<Vec<f64>> {
    let (_, [from, to], count) = args.over;
    if !(from < to && (to - from).is_finite()) {
        let what = format!("the values from {} to {} are no span", short(from), short(to));
        return Err(Error::config(what, "give FROM below TO, both finite"));
    }
    if !(2..=MOST_CELLS).contains(&count) {
        return Err(Error::config(format!("{count} values are asked for"), format!("ask for 2 to {MOST_CELLS}")));
    }
    let values = spread(from, to, count);
    if values.windows(2).any(|pair| pair[0] >= pair[1]) {
        let what = format!("{count} values between {} and {} are closer than numbers are", short(from), short(to));
        return Err(Error::config(what, "ask for fewer"));
    }
    Ok(values)
}

/// The system at a value of the parameter.
fn at(value: f64, args: &SweepArgs, common: &Common) -> Result<Instance> {
    let parameter = &args.over.0;
    let mut set = args.set.clone();
    set.push(format!("{parameter}={value:e}"));
    let instance = named::build(&args.system, &set, common)?;
    if instance.system.parameters.iter().any(|p| p.name == parameter && p.whole.is_some()) {
        let what = format!("{parameter} of {} is a size or a seed", args.system);
        return Err(Error::config(what, "scan another parameter"));
    }
    Ok(instance)
}

fn options(args: &SweepArgs, common: &Common, instance: &Instance) -> Result<SweepOptions> {
    let component = match &args.show {
        None => 0,
        Some(name) => named::component(name, instance)?,
    };
    let usual = Some(instance.system.measure.exponents).filter(|&m| m > 0 && m < instance.dim());
    let mut spectrum = SpectrumOptions::new(args.warmup.unwrap_or(args.steps), args.steps);
    spectrum.exponents = args.exponents.or(usual);
    spectrum.seed = common.seed.unwrap_or(0);
    spectrum.zeros = instance.zeros;
    let sampled = if instance.system.kind == Kind::Map { Sampled::Steps } else { Sampled::Maxima };
    Ok(SweepOptions { spectrum, samples: args.samples, component, sampled })
}

/// How far a sweep is.
fn progress<F: Fn(f64) -> Result<SweepPoint> + Sync>(sweep: &Sweep<F>, parameter: &str) -> String {
    let (done, all) = (sweep.points().len(), sweep.values().len());
    format!("{:3.0} % {parameter} {}", 100.0 * done as f64 / all as f64, short(sweep.values()[done - 1]))
}

impl Report {
    fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![format!("{} values", self.values_done), format!("{} steps each", self.steps)];
        if self.failures > 0 {
            remarks.push(format!("{} runs failed", self.failures));
        }
        remarks
    }

    fn say(&self, console: &Console, out: &Path, points: &[SweepPoint], wall_seconds: f64) {
        let line = |what: &str, words: String| console.say(format_args!("{what:<11} {words}"));
        let (name, of) = (self.source["name"].as_str().unwrap_or_default(), self.values);
        let span = format!("{} from {} to {}", self.parameter, short(self.from), short(self.to));
        line("sweep", format!("{name}, {span}: {} of {of} values in {wall_seconds:.1} s", self.values_done));
        if let (Some(largest), Some(at)) = (self.largest_exponent, self.largest_exponent_at) {
            let at = short(at);
            line("exponents", format!("at most {} {}, at {} {at}", short(largest), self.unit, self.parameter));
        }
        let crossings = &self.zero_crossings;
        if !crossings.is_empty() {
            let first: Vec<String> = crossings.iter().take(MOST_TOLD).map(|x| short(*x)).collect();
            let more =
                if crossings.len() > MOST_TOLD { format!(", … ({} in all)", crossings.len()) } else { String::new() };
            line("zero", format!("the leading one is 0 at {}{more}", first.join(", ")));
        }
        if let Some(reason) = points.iter().find_map(|point| point.failure.as_ref()) {
            line("failed", format!("{} runs, the first one: {reason}", self.failures));
        }
        line("files", out.display().to_string());
    }
}
