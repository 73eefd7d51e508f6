//! `flowmap lyapunov`.

mod model;
mod net;
mod report;
pub mod system;

use super::args::{Common, FrameKind, Interval, LyapunovArgs, Precision};
use super::console::Console;
use super::{figures, interrupt, tables};
use crate::analysis::audit::{self, Check, SumRule};
use crate::analysis::{Frame, Run, Spectrum, SpectrumOptions, Stepped};
use crate::io::{OutputFolder, json, tensors};
use crate::{Error, Real, Result};
use report::Report;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const FILES: [&str; 5] = ["spectrum.json", "spectrum.csv", "convergence.csv", "spectrum.svg", CHECKPOINT];
const CHECKPOINT: &str = "checkpoint.safetensors";
/// Between lines of progress.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// Further checks on a run, in double precision.
type Further<'a> = Box<dyn Fn(&Spectrum) -> Vec<Check> + 'a>;

/// What is measured, and what is known of it.
struct Subject<'a, T: Real> {
    stepped: &'a Stepped<'a, T>,
    starts: Vec<Vec<T>>,
    /// What it is, for `spectrum.json`.
    source: Value,
    title: String,
    usual: Usual,
    /// Sum rules, the best first.
    rules: Vec<SumRule<'a, T>>,
    sum: Option<f64>,
    /// Exponents known to be 0 while the state moves.
    zeros: usize,
    pairs: Option<f64>,
    further: Further<'a>,
}

/// What is done unless asked otherwise.
struct Usual {
    warmup: u64,
    steps: u64,
    exponents: Option<usize>,
}

/// Measures a spectrum.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a state that could not be followed.
pub fn run(args: &LyapunovArgs, common: &Common, console: &Console) -> Result<()> {
    match (&args.system, &args.rnn, &args.model) {
        (Some(name), _, _) => system::measure(name, args, common, console),
        (_, Some(path), _) if args.net.precision == Precision::F32 => net::measure::<f32>(path, args, common, console),
        (_, Some(path), _) => net::measure::<f64>(path, args, common, console),
        (_, _, Some(folder)) => model::measure(folder, args, common, console),
        _ => Err(Error::config("nothing to measure is named", "give --system, --rnn or --model")),
    }
}

/// Walks, checks, and writes.
fn finish<T: Real>(mut subject: Subject<T>, args: &LyapunovArgs, common: &Common, console: &Console) -> Result<()> {
    let begun = Instant::now();
    let seed = common.seed.unwrap_or(0);
    let options = options(&subject, args, seed);
    let settings = json!({
        "source": subject.source, "options": format!("{options:?}"), "starts": subject.starts.len(),
        "precision": T::NAME,
    })
    .to_string();
    let mut run = Run::new(subject.stepped, &subject.starts, options)?;
    let out = common.out.clone().unwrap_or_else(|| "out/lyapunov".into());
    let restored = if args.resume {
        let path = out.join(CHECKPOINT);
        run.restore(&tensors::read(&path)?, &settings, &path)?;
        true
    } else {
        false
    };
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    if restored {
        console.say(format_args!("{:<11} step {} of {}", "resumed at", run.step(), run.end()));
    }
    let stopped = walk(&mut run, &folder, &settings, Duration::from_secs_f64(args.checkpoint_every), console)?;
    let spectrum = run.spectrum();
    let rules = std::mem::take(&mut subject.rules);
    let checks = checks(&run, &subject, rules, &spectrum)?;
    let report = Report::new(&subject, args, &run, &spectrum, &checks, stopped, (seed, begun.elapsed().as_secs_f64()));
    json::write(&folder.file("spectrum.json"), &report)?;
    tables::write_spectrum(&folder, &spectrum)?;
    tables::write_convergence(&folder, &spectrum)?;
    figures::write_spectrum(&folder, &spectrum, &report.title, report.unit, &report.remarks())?;
    if stopped == Stopped::Interrupted {
        console.say("interrupted; these are the results so far, go on with --resume");
    } else {
        // What is whole needs no checkpoint; whether there was one does not matter.
        let _ = std::fs::remove_file(folder.file(CHECKPOINT));
    }
    console.say(report.in_words(&out));
    console.json(&report.with_out(&out))
}

fn options<T: Real>(subject: &Subject<T>, args: &LyapunovArgs, seed: u64) -> SpectrumOptions {
    let usual = &subject.usual;
    let warmup = args.warmup.unwrap_or(usual.warmup);
    // A sequence of inputs is used to its end.
    let rest = subject.stepped.length().map(|length| length.saturating_sub(warmup));
    SpectrumOptions {
        exponents: args.exponents.or(usual.exponents),
        warmup,
        steps: args.steps.unwrap_or(rest.unwrap_or(usual.steps)),
        qr_every: match args.qr_every {
            Interval::Auto => None,
            Interval::Every(steps) => Some(steps),
        },
        frame: match args.frame {
            FrameKind::Random => Frame::Random,
            FrameKind::Identity => Frame::Identity,
        },
        seed,
        zeros: subject.zeros,
        target_error: args.target_error,
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Stopped {
    Steps,
    TargetError,
    Interrupted,
}

fn walk<T: Real>(
    run: &mut Run<T>,
    folder: &OutputFolder,
    settings: &str,
    between_checkpoints: Duration,
    console: &Console,
) -> Result<Stopped> {
    interrupt::listen()?;
    let (mut told, mut saved) = (Instant::now(), Instant::now());
    while run.go_on()? {
        if interrupt::asked() || saved.elapsed() >= between_checkpoints {
            tensors::write(&folder.file(CHECKPOINT), &run.save(settings)?)?;
            saved = Instant::now();
        }
        if interrupt::asked() {
            return Ok(Stopped::Interrupted);
        }
        if told.elapsed() >= BETWEEN_LINES {
            told = Instant::now();
            let spectrum = run.spectrum();
            let (first, error) = (spectrum.exponents[0], spectrum.standard_errors[0]);
            let share = 100.0 * run.step() as f64 / run.end() as f64;
            let found = if spectrum.steps > 0 {
                format!("leading exponent {first:.4} ± {error:.1e}")
            } else {
                "warm-up".into()
            };
            console.say(format_args!("{share:3.0} % {found}"));
        }
    }
    Ok(if run.step() < run.end() { Stopped::TargetError } else { Stopped::Steps })
}

fn checks<T: Real>(
    run: &Run<T>,
    subject: &Subject<T>,
    rules: Vec<SumRule<T>>,
    spectrum: &Spectrum,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for rule in rules {
        checks.extend(audit::sum(run, &subject.starts[0], rule)?);
    }
    if let Some(sum) = subject.sum.filter(|_| spectrum.is_complete()) {
        checks.push(audit::known_sum(spectrum, sum));
    }
    if subject.zeros > 0
        && audit::is_moving(run)
        && spectrum.exponents.last().is_none_or(|last| *last <= 0.0 || spectrum.is_complete())
    {
        checks.push(audit::zeros(spectrum, subject.zeros));
    }
    if let Some(sum) = subject.pairs {
        checks.extend(audit::pairs(spectrum, sum));
    }
    checks.extend((subject.further)(spectrum));
    Ok(checks)
}
