//! `flowmap lyapunov`.

mod report;

use super::args::{Common, FrameKind, Interval, LyapunovArgs};
use super::console::Console;
use super::sources::{Measure, Subject, measure};
use super::{figures, interrupt, tables};
use crate::analysis::audit::{self, Check, SumRule};
use crate::analysis::{Frame, Run, Spectrum, SpectrumOptions};
use crate::io::{OutputFolder, checkpoint, json, tensors};
use crate::{Real, Result};
use report::Report;
use serde_json::json;
use std::time::{Duration, Instant};

const FILES: [&str; 5] = ["spectrum.json", "spectrum.csv", "convergence.csv", "spectrum.svg", CHECKPOINT];
const CHECKPOINT: &str = "checkpoint.safetensors";
/// Between lines of progress.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Measures a spectrum.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a state that could not be followed.
pub fn run(args: &LyapunovArgs, common: &Common, console: &Console) -> Result<()> {
    measure(&args.source, common, console, &Measured { args, common, console })
}

struct Measured<'a> {
    args: &'a LyapunovArgs,
    common: &'a Common,
    console: &'a Console,
}

impl Measure for Measured<'_> {
    type Found = ();

    fn measure<T: Real>(&self, subject: Subject<T>) -> Result<()> {
        finish(subject, self.args, self.common, self.console)
    }
}

/// Walks, checks, and writes.
fn finish<T: Real>(mut subject: Subject<T>, args: &LyapunovArgs, common: &Common, console: &Console) -> Result<()> {
    let begun = Instant::now();
    let seed = common.seed.unwrap_or(0);
    let options = options(&subject, args, seed);
    let settings = json!({
        "source": subject.source, "exponents": options.exponents, "warmup": options.warmup, "steps": options.steps,
        "qr-every": options.qr_every, "frame": format!("{:?}", options.frame), "seed": options.seed,
        "zeros": options.zeros, "target-error": options.target_error,
        "clock": format!("{:?}", subject.stepped.clock), "precision": T::NAME,
        "fingerprint of numbers": format!("{:x}", subject.stepped.fingerprint(&subject.starts)),
    })
    .to_string();
    let mut run = Run::new(subject.stepped, &subject.starts, options)?;
    let out = common.out.clone().unwrap_or_else(|| "out/lyapunov".into());
    let restored = if args.resume {
        let path = out.join(CHECKPOINT);
        run.restore(&checkpoint::read(&path)?, &settings, &path)?;
        true
    } else {
        false
    };
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    if restored {
        console.say(format_args!("{:<11} step {} of {}", "resumed at", run.step(), run.end()));
    }
    let stopped = walk(&mut run, &folder, &settings, Duration::from_secs_f64(args.checkpoint_every), console)?;
    if stopped == Stopped::Interrupted && run.step() <= run.warmup() {
        console.say("interrupted before a step was counted; go on with --resume");
        return Ok(());
    }
    let spectrum = run.spectrum();
    let rules = std::mem::take(&mut subject.rules);
    // Whoever interrupts a run does not wait for its steps to be gone over again.
    let (checks, sum) =
        if stopped == Stopped::Interrupted { Default::default() } else { checks(&run, &subject, rules, &spectrum)? };
    let expected = subject.sum.or(sum).filter(|_| spectrum.is_complete());
    let report =
        Report::new(&subject, args, &spectrum, (&checks, expected), stopped, (seed, begun.elapsed().as_secs_f64()));
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
    // A sequence of inputs is used to its end; one that the warm-up uses up is then told to be too short.
    let rest = subject.stepped.length().map(|length| length.saturating_sub(warmup).max(1));
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

/// What must hold, and the sum of the exponents by a rule that goes over all steps counted.
fn checks<T: Real>(
    run: &Run<T>,
    subject: &Subject<T>,
    rules: Vec<SumRule<T>>,
    spectrum: &Spectrum,
) -> Result<(Vec<Check>, Option<f64>)> {
    let (mut checks, mut whole) = (Vec::new(), None);
    // Whoever asks for the end now does not wait for checks that take as long as the run.
    for rule in rules {
        if interrupt::asked() {
            return Ok((checks, whole));
        }
        if let Some((check, steps)) = audit::sum(run, &subject.starts, rule)? {
            whole = whole.or((steps == spectrum.steps).then_some(check.expected));
            checks.push(check);
        }
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
    if !interrupt::asked() {
        checks.extend((subject.further)(spectrum));
    }
    Ok((checks, whole))
}
