//! `flowmap gradients`.

mod figures;
mod report;

use super::args::{Common, Direction, GradientsArgs};
use super::shared::sources::{self, Measurement, Subject};
use super::shared::{Console, with_out};
use crate::analysis::fading;
use crate::analysis::horizon::BackwardOptions;
use crate::io::{OutputFolder, json};
use crate::{Real, Result};
use report::{Part, Report};
use std::time::Instant;

/// Unless asked otherwise: at most so many, and so many where no inputs end them.
const LAGS: u64 = 400;

/// Measures how gradients live and die.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a state that could not be followed.
pub fn run(args: &GradientsArgs, common: &Common, console: &Console) -> Result<()> {
    let begun = Instant::now();
    let seed = common.seed.unwrap_or(0);
    let with = Measured { args, seed };
    let (first, backward) = if sources::runs_both_ways(&args.source)? {
        let of = |direction| {
            let mut source = args.source.clone();
            source.net.direction = Some(direction);
            sources::measure(&source, common, console, &with)
        };
        (of(Direction::Forward)?, Some(of(Direction::Backward)?))
    } else {
        (sources::measure(&args.source, common, console, &with)?, None)
    };
    let report = Report { seed, wall_seconds: begun.elapsed().as_secs_f64(), first, backward };
    let out = common.out.clone().unwrap_or_else(|| "out/gradients".into());
    let folder = OutputFolder::create(&out, &["gradients.json", "gradients.csv", "gradients.svg"], 1 << 20)?;
    json::write(&folder.file("gradients.json"), &report)?;
    report.write_table(&folder)?;
    figures::write(&folder, &report)?;
    console.say(report.in_words(&out));
    console.json(&with_out(&report, &out))
}

struct Measured<'a> {
    args: &'a GradientsArgs,
    seed: u64,
}

impl Measurement for Measured<'_> {
    type Found = Part;

    fn measure<T: Real>(&self, subject: Subject<T>) -> Result<Part> {
        let (args, system) = (self.args, subject.stepped);
        let warmup = args.warmup.unwrap_or(subject.usual.warmup);
        let span = args.steps.or(system.length().map(|length| length.saturating_sub(warmup)));
        let options = BackwardOptions {
            lags: args.lags.unwrap_or(span.map_or(LAGS, |span| (span.saturating_mul(3) / 4).clamp(1, LAGS))),
            warmup,
            steps: args.steps,
            ends: args.ends,
            cotangents: args.cotangents.into(),
            rows: Some(subject.outputs.clone()),
            seed: self.seed,
        };
        let steps = options.steps(system)?;
        let fading = fading(system, &subject.starts, &options)?;
        Ok(Part::new(&subject, &options, steps, fading, args.threshold))
    }
}
