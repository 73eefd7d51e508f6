//! `flowmap fit`.

mod figures;
mod progress;
mod report;
mod settings;
mod tables;

use super::args::{Common, FitArgs};
use super::shared::checkpoints::CHECKPOINT;
use super::shared::{Console, interrupt};
use crate::io::{OutputFolder, json};
use crate::train::{Checkpoint, Fingerprint, Metrics, Run, Stopped, TrainState};
use crate::{Error, Result};
use progress::Progress;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const AUDIT: &str = "audit.json";
const FILES: [&str; 8] = [
    "model.safetensors",
    "config.toml",
    "metrics.json",
    "predictions.csv",
    "train.csv",
    "fit.svg",
    "loss.svg",
    CHECKPOINT,
];

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    metrics: &'a Metrics,
    out: &'a Path,
}

/// Fits a model. Nothing is written before everything that can be checked has been.
///
/// # Errors
/// If an input cannot be used, nothing can be written, or training fails.
pub fn run(args: &FitArgs, common: &Common, console: &Console) -> Result<()> {
    interrupt::listen()?;
    let (run, warnings) = settings::prepare(args, common)?;
    let out = common.out.clone().unwrap_or_else(|| "out/fit".into());
    keep_inputs(&[Some(&args.data), args.config.as_ref()], &out)?;
    let begun = match args.resume {
        true => Checkpoint::load(&out.join(CHECKPOINT), &run)?,
        false => Checkpoint { state: run.trainer()?.begin(), wall_seconds: 0.0 },
    };
    let audited = if args.audit { &[AUDIT][..] } else { &[] };
    let folder = OutputFolder::create(&out, &[&FILES, audited].concat(), room(&run, &begun))?;
    warnings.iter().for_each(|warning| console.say(format_args!("warning: {warning}")));
    console.say(format_args!("{:<12} {}", "gradient", run.trainer()?.plan()?));

    let (state, wall_seconds, stopped) =
        train(&run, begun, &folder, Duration::from_secs_f64(args.checkpoint_every), console)?;
    let fitted = run.finish(&state)?;
    let metrics = Metrics::of(&run, &fitted, state.log.len(), wall_seconds, stopped)?;
    let prediction = fitted.predict(&fitted.anchors, &run.panel().times_by_series())?;
    for (series, failure) in &prediction.failures {
        let name = &run.panel().names()[*series];
        console.say(format_args!("warning: series {name}: {}", fitted.in_file_units(failure)));
    }
    fitted.save(&folder.file("model.safetensors"))?;
    let config = run.config().to_toml()?;
    folder.write("config.toml", &config)?;
    tables::write_predictions(&folder, &run.config().data, run.panel(), run.split(), &prediction)?;
    figures::write_fit(&folder, &run, &fitted)?;
    figures::write_loss(&folder, &state)?;
    json::write(&folder.file("metrics.json"), &metrics)?;
    if args.audit {
        let audit = run.trainer()?.audit(&state)?;
        json::write(&folder.file(AUDIT), &audit)?;
        console.say(&audit);
    }
    console.say(report::summary(&run, &metrics, &out));
    console.json(&Report { metrics: &metrics, out: &out })?;
    let errors = [metrics.train_mse_scaled, metrics.test_mse_scaled];
    if errors.into_iter().flatten().any(|error| !error.is_finite()) {
        return Err(Error::Training {
            epoch: metrics.epochs,
            what: "the model cannot be followed over the data".into(),
            remedy: "see the warnings above; allow more solver.max_steps, or lower training.rate".into(),
        });
    }
    Ok(())
}

/// A generous estimate of the bytes that a run writes: checkpoint and model by their numbers, tables by their cells, and
/// the figures.
fn room(run: &Run, begun: &Checkpoint) -> usize {
    let numbers = 8 * begun.state.values.len() + 10 * run.config().training.epochs;
    let cells = run.panel().row_count() * (4 * run.panel().channel_count() + 3);
    8 * numbers + 24 * cells + (1 << 20)
}

/// Refuses to replace a file that is also an input.
fn keep_inputs(inputs: &[Option<&PathBuf>], out: &Path) -> Result<()> {
    for input in inputs.iter().flatten() {
        let input_place = input.canonicalize().ok();
        // A config.toml may be used again in its own folder: it is replaced by what it led to.
        let replaced = FILES.iter().filter(|name| **name != "config.toml");
        if input_place.is_some() && replaced.into_iter().any(|name| out.join(name).canonicalize().ok() == input_place) {
            return Err(Error::config(
                format!("{} is both read and written", input.display()),
                "choose another folder with --out",
            ));
        }
    }
    Ok(())
}

/// Trains on from a state, with checkpoints; returns the last state, the seconds taken in all, and why it ended.
fn train(
    run: &Run,
    begun: Checkpoint,
    folder: &OutputFolder,
    between_checkpoints: Duration,
    console: &Console,
) -> Result<(TrainState, f64, Stopped)> {
    let Checkpoint { mut state, wall_seconds: before } = begun;
    let (trainer, fingerprint, started) = (run.trainer()?, Fingerprint::of(run)?, Instant::now());
    if let Some(stopped) = trainer.turn(&mut state) {
        console.say("the run was finished already; its results are written again");
        return Ok((state, before, stopped));
    }
    let save = |state: &TrainState, seconds: f64| -> Result<()> {
        Checkpoint::save(&folder.file(CHECKPOINT), &fingerprint, state, seconds)?;
        tables::write_log(folder, &state.log)
    };
    // At once, so that a run that is killed early can be resumed too.
    save(&state, before)?;
    let mut saved = Instant::now();
    let mut progress = Progress::new(*console, run.config().training.epochs, &state);
    let ended = loop {
        if let Some(stopped) = trainer.turn(&mut state) {
            break Ok(stopped);
        }
        if interrupt::asked() {
            break Ok(Stopped::Interrupted);
        }
        let trusted = state.trusted;
        if let Err(error) = trainer.epoch(&mut state) {
            break Err(error);
        }
        if let Some(rows) = state.trusted.filter(|_| state.trusted != trusted) {
            console.say(format_args!("note: gradients grow too fast to be trusted over longer trajectories; from epoch {} on these span at most {rows} rows", state.epoch));
        }
        progress.tick(&state);
        if saved.elapsed() >= between_checkpoints {
            save(&state, before + started.elapsed().as_secs_f64())?;
            saved = Instant::now();
        }
    };
    progress.finish();
    let stopped = ended?;
    let seconds = before + started.elapsed().as_secs_f64();
    save(&state, seconds)?;
    Ok((state, seconds, stopped))
}
