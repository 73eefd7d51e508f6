//! Runs that end where they are asked to, and go on from what they saved.

use super::interrupt;
use super::{BETWEEN_LINES, Console};
use crate::Result;
use crate::io::OutputFolder;
use crate::io::tensors::{self, Tensors};
use std::time::{Duration, Instant};

/// The file.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// Goes on with a run until `go_on` says that nothing is left to do, or until an end is asked for: returns whether it came
/// to its own end. Saves it every so many seconds and when it is interrupted, and tells now and then how far it is.
///
/// # Errors
/// Those of the steps; if a checkpoint cannot be written.
pub fn walk<R>(
    run: &mut R,
    go_on: impl Fn(&mut R) -> Result<bool>,
    save: impl Fn(&R) -> Result<Tensors>,
    progress: impl Fn(&R) -> String,
    (folder, seconds, console): (&OutputFolder, f64, &Console),
) -> Result<bool> {
    interrupt::listen()?;
    let (mut told, mut saved) = (Instant::now(), Instant::now());
    while go_on(run)? {
        let asked = interrupt::asked();
        if asked || saved.elapsed() >= Duration::from_secs_f64(seconds) {
            tensors::write(&folder.file(CHECKPOINT), &save(run)?)?;
            saved = Instant::now();
        }
        if asked {
            return Ok(false);
        }
        if told.elapsed() >= BETWEEN_LINES {
            told = Instant::now();
            console.say(progress(run));
        }
    }
    Ok(true)
}

/// After the results are written: what is whole needs no checkpoint.
pub fn settle(whole: bool, folder: &OutputFolder, console: &Console) {
    if whole {
        // Whether there was one does not matter.
        let _ = std::fs::remove_file(folder.file(CHECKPOINT));
    } else {
        console.say("interrupted; these are the results so far, go on with --resume");
    }
}
