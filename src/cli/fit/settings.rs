//! From options and files to a prepared run: what suits the data, then the file, then the options.

use crate::cli::args::{Common, FitArgs, Model};
use crate::series::Warning;
use crate::series::check::check_training;
use crate::series::read::read_csv;
use crate::series::split::Split;
use crate::train::{DataSpec, FileHead, FitConfig, Run, SplitSpec};
use crate::{Error, Result};

/// A run as asked for, with what was unusual in the data. Nothing is written.
///
/// # Errors
/// If the data, the settings file or an option cannot be used.
pub fn prepare(args: &FitArgs, common: &Common) -> Result<(Run, Vec<Warning>)> {
    match args.model {
        Model::NeuralOde => {}
    }
    let head = args.config.as_deref().map(FileHead::read).transpose()?.unwrap_or_default();
    let seed = common.seed.or(head.seed).unwrap_or(0);
    let options = args.columns.read_options(args.error.as_ref(), &head.data);
    let (panel, mut warnings) = read_csv(&args.data, &options)?;
    let split_spec = split_spec(args, head.split)?;
    let split = Split::new(&panel, split_spec.hold_out()?, seed)?;
    warnings.extend(check_training(&args.data, &panel, &split)?);

    let data = DataSpec {
        path: args.data.clone(),
        time: options.time,
        series: options.series,
        channels: panel.channels().to_vec(),
        errors: options.errors,
        missing: options.missing,
        log: Vec::new(),
        centre: Vec::new(),
    };
    let suited = FitConfig::suited(data.clone(), split_spec, seed, &panel, &split)?;
    let mut config = match &args.config {
        Some(path) => suited.with_file(path)?,
        None => suited,
    };
    // The file has had its say about these before the data was read.
    let DataSpec { log, centre, .. } = config.data;
    (config.seed, config.split, config.data) = (seed, split_spec, DataSpec { log, centre, ..data });
    if args.no_log {
        config.data.log.clear();
    } else if let Some(named) = &args.log {
        config.data.log.clone_from(named);
    }
    if let Some(periods) = &args.period {
        config.model.periods.clone_from(periods);
    }
    config.model.augment = args.augment.unwrap_or(config.model.augment);
    config.training.epochs = args.epochs.unwrap_or(config.training.epochs);
    config.training.gradient = args.gradient.unwrap_or(config.training.gradient);
    if let Some(memory) = &args.memory {
        config.training.gradient_memory.clone_from(memory);
    }
    Ok((Run::new(config, panel, split)?, warnings))
}

fn split_spec(args: &FitArgs, file: SplitSpec) -> Result<SplitSpec> {
    // Holding out nothing is said by 0 as well as by silence.
    let some = |fraction: Option<f64>| fraction.filter(|&f| f != 0.0);
    let condition = args.condition.or(file.condition);
    let spec = match (args.holdout, args.holdout_series) {
        (None, None) => SplitSpec { holdout: some(file.holdout), holdout_series: some(file.holdout_series), condition },
        (rows, series) => SplitSpec { holdout: some(rows), holdout_series: some(series), condition },
    };
    if args.condition.is_some() && spec.holdout_series.is_none() {
        return Err(Error::config("--condition is given without --holdout-series", "give both, or neither"));
    }
    Ok(spec)
}
