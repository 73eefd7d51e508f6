//! The program: options in, the library called, results told. No numerics here.
//!
//! Results go to files under `--out`, progress and messages to stderr, and with `--json` one JSON object to stdout.
//!
//! A command is a file, or a folder of its name where it is long: there `mod` runs it, `report` says it in JSON and words, and
//! `tables` and `figures` write its files. What several commands use is in `shared`, the options of all are in `args`.

mod args;
mod fit;
mod gradients;
mod inspect;
mod lyapunov;
mod predict;
mod shared;
mod simulate;
mod stability;
mod sweep;
mod systems;

use args::{Cli, Command};
use clap::Parser;
use shared::Console;
use std::process::ExitCode;

use crate::{Error, Result};

/// The computation failed.
const FAILED: u8 = 1;
/// Bad input or usage, as for clap's own errors.
const BAD_INPUT: u8 = 2;

/// Runs the program with the process's own arguments. Wrong usage ends the process here with code 2.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console { quiet: cli.common.quiet, json: cli.common.json };
    match in_threads(&cli, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::from(if error.is_input() { BAD_INPUT } else { FAILED })
        }
    }
}

fn in_threads(cli: &Cli, console: &Console) -> Result<()> {
    let command = || match &cli.command {
        Command::Fit(args) => fit::run(args, &cli.common, console),
        Command::Predict(args) => predict::run(args, &cli.common, console),
        Command::Simulate(args) => simulate::run(args, &cli.common, console),
        Command::Lyapunov(args) => lyapunov::run(args, &cli.common, console),
        Command::Stability(args) => stability::run(args, &cli.common, console),
        Command::Gradients(args) => gradients::run(args, &cli.common, console),
        Command::Sweep(args) => sweep::run(args, &cli.common, console),
        Command::Systems(args) => systems::run(args, console),
        Command::Inspect(args) => inspect::run(args, console),
    };
    let threads = cli.common.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|bad| Error::config(format!("no threads: {bad}"), "ask for fewer with --threads"))?;
    pool.install(command)
}
