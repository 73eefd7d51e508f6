//! `flowmap fit`, and the columns of a data file.

use super::seconds;
use crate::gradient::Strategy;
use crate::series::read::ReadOptions;
use crate::train::DataHead;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Fits a model to irregular series and says how well it predicts what was held out.
///
/// The data is a CSV file with one row per series and time; an empty cell was not observed. Settings come from the data,
/// then from --config, then from the other options, the later ones winning.
///
/// Ctrl-C stops after the present epoch and saves the best model so far; --resume goes on to the same bits as if there
/// had been no stop.
///
/// Writes model.safetensors, config.toml, metrics.json, predictions.csv, train.csv, fit.svg, loss.svg and
/// checkpoint.safetensors.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap fit data/lynx_hare.csv --holdout 0.2
  flowmap fit data/mauna_loa_co2.csv --period 1 --holdout 0.1 --out out/co2
  flowmap fit data/macho_3stars.csv --channels mag_B --error mag_B=err_B --out out/macho")]
pub struct FitArgs {
    /// The data: long CSV with the columns series_id, time and one a channel
    #[arg(value_name = "DATA.csv", value_hint = ValueHint::FilePath)]
    pub data: PathBuf,
    /// Kind of model
    #[arg(long, value_enum, default_value_t = Model::NeuralOde)]
    pub model: Model,
    /// Settings as in the config.toml of a fit; any part may be missing
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// Columns with the standard deviations of measurements, which weight the loss
    #[arg(long, value_name = "CHANNEL=COLUMN,…", value_delimiter = ',', value_parser = pair)]
    pub error: Option<Vec<(String, String)>>,
    /// Hold out the last fraction F of each series for testing
    #[arg(long, value_name = "F", conflicts_with = "holdout_series")]
    pub holdout: Option<f64>,
    /// Hold out a fraction F of the series for testing, drawn by the seed
    #[arg(long, value_name = "F")]
    pub holdout_series: Option<f64>,
    /// Fraction of a held-out series' rows that it is predicted from [default: 0.5]
    #[arg(long, value_name = "F")]
    pub condition: Option<f64>,
    /// Known periods, in the file's unit of time, whose sine and cosine are inputs
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    pub period: Option<Vec<f64>>,
    /// State dimensions beyond the channels
    #[arg(long, value_name = "N")]
    pub augment: Option<usize>,
    /// Channels to model in logarithms [default: those that suggest it]
    #[arg(long, value_name = "CHANNEL,…", value_delimiter = ',', conflicts_with = "no_log")]
    pub log: Option<Vec<String>>,
    /// Model no channel in logarithms
    #[arg(long)]
    pub no_log: bool,
    /// Most passes over the training data
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// How gradients are found: auto, stored, checkpointed, interpolating, backsolve or forward [default: auto]
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Strategy::named(name).map_err(|e| e.to_string()))]
    pub gradient: Option<Strategy>,
    /// Memory that gradients may keep for the way back, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// At the end, compare every gradient strategy with the exact discrete gradient and with finite differences, and write
    /// audit.json
    #[arg(long)]
    pub audit: bool,
    /// Go on from the checkpoint in the output folder, with the same options
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = seconds)]
    pub checkpoint_every: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// A learned vector field, integrated from an encoded or learned start
    NeuralOde,
}

/// Which columns of a data file are what.
#[derive(Args, Clone, Debug, Default)]
pub struct ColumnArgs {
    /// The time column [default: time]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The series column [default: series_id, or one series if there is none]
    #[arg(long, value_name = "COLUMN")]
    pub series: Option<String>,
    /// The channels [default: all other columns]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub channels: Option<Vec<String>>,
    /// Spellings of a missing cell besides the empty one
    #[arg(long, value_name = "NA,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub missing: Option<Vec<String>>,
}

impl ColumnArgs {
    /// Which columns to read: by option, else by file, else the usual ones.
    pub fn read_options(&self, errors: Option<&Vec<(String, String)>>, head: &DataHead) -> ReadOptions {
        let usual = ReadOptions::default();
        ReadOptions {
            time: self.time.as_ref().or(head.time.as_ref()).unwrap_or(&usual.time).clone(),
            series: self.series.as_ref().or(head.series.as_ref()).cloned(),
            channels: self.channels.as_ref().or(head.channels.as_ref()).cloned(),
            errors: errors.or(head.errors.as_ref()).cloned().unwrap_or_default(),
            missing: self.missing.as_ref().or(head.missing.as_ref()).cloned().unwrap_or_default(),
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((channel, column)) if !channel.trim().is_empty() && !column.trim().is_empty() => {
            Ok((channel.trim().into(), column.trim().into()))
        }
        _ => Err("write CHANNEL=COLUMN, such as mag_B=err_B".into()),
    }
}
