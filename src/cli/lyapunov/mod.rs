//! `flowmap lyapunov`.

mod figures;
mod report;
mod tables;

use super::args::{Common, FrameKind, LyapunovArgs, QrEvery};
use super::shared::checkpoints::{self, CHECKPOINT};
use super::shared::sources::{Measurement, Subject, measure};
use super::shared::{Console, interrupt, with_out};
use crate::analysis::audit::{self, Check, SumRule};
use crate::analysis::{Frame, Run, Spectrum, SpectrumOptions};
use crate::io::{OutputFolder, checkpoint, json};
use crate::{Real, Result};
use report::Report;
use serde_json::json;
use std::time::Instant;

const FILES: [&str; 5] = ["spectrum.json", "spectrum.csv", "convergence.csv", "spectrum.svg", CHECKPOINT];

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

impl Measurement for Measured<'_> {
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
    if args.resume {
        let path = out.join(CHECKPOINT);
        run.restore(&checkpoint::read(&path)?, &settings, &path)?;
    }
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    if args.resume {
        console.say(format_args!("{:<11} step {} of {}", "resumed at", run.step(), run.end()));
    }
    let saving = (&folder, args.checkpoint_every, console);
    let whole = checkpoints::walk(&mut run, Run::go_on, |run| run.save(&settings), progress, saving)?;
    let stopped = match whole {
        false => Stopped::Interrupted,
        true if run.step() < run.end() => Stopped::TargetError,
        true => Stopped::Steps,
    };
    if !whole && run.step() <= run.warmup() {
        console.say("interrupted before a step was counted; go on with --resume");
        return Ok(());
    }
    let spectrum = run.spectrum();
    let rules = std::mem::take(&mut subject.rules);
    // Whoever interrupts a run does not wait for its steps to be gone over again.
    let (checks, sum) = if whole { checks(&run, &subject, rules, &spectrum)? } else { Default::default() };
    let expected = subject.sum.or(sum).filter(|_| spectrum.is_complete());
    let report =
        Report::new(&subject, args, &spectrum, (&checks, expected), stopped, (seed, begun.elapsed().as_secs_f64()));
    json::write(&folder.file("spectrum.json"), &report)?;
    tables::write_spectrum(&folder, &spectrum)?;
    tables::write_convergence(&folder, &spectrum)?;
    figures::write(&folder, &spectrum, &report.title, report.unit, &report.remarks())?;
    checkpoints::settle(whole, &folder, console);
    console.say(report.in_words(&out));
    console.json(&with_out(&report, &out))
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
            QrEvery::Auto => None,
            QrEvery::Every(steps) => Some(steps),
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

/// How far a run is.
fn progress<T: Real>(run: &Run<T>) -> String {
    let share = 100.0 * run.step() as f64 / run.end() as f64;
    let spectrum = run.spectrum();
    if spectrum.steps == 0 {
        return format!("{share:3.0} % warm-up");
    }
    let (first, error) = (spectrum.exponents[0], spectrum.standard_errors[0]);
    format!("{share:3.0} % leading exponent {first:.4} ± {error:.1e}")
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
