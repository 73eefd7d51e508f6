//! What can be said of a data file only once it is split.

use std::path::Path;

use super::split::Split;
use super::{Notice, Panel, Warning};
use crate::io::data_error;
use crate::{Error, Result};

/// Checks that every channel can be learned, and warns of those that are constant in the training rows only.
///
/// # Errors
/// [`Error::Data`] if a channel has no value in any training row; [`Error::Config`] if no series has two rows to be fitted
/// to; [`Error::Shape`] if the split was made for another panel.
pub fn check_training(path: &Path, panel: &Panel, split: &Split) -> Result<Vec<Warning>> {
    let training = split.training(panel)?;
    if split.series.iter().all(|s| s.fitted().len() < 2) {
        let what = "no series has two rows to be fitted to besides those held out or taken for validation";
        return Err(Error::config(what, "hold out less, or give longer series"));
    }
    let mut warnings = Vec::new();
    for (c, channel) in panel.channels().iter().enumerate() {
        let constant = |panel: &Panel| {
            let mut values = panel.series().flat_map(|series| series.observed(c)).map(|(_, value)| value);
            let first = values.next();
            (first, values.all(|value| Some(value) == first))
        };
        match constant(&training) {
            (None, _) => {
                let what = "the channel has no value in any training row";
                let remedy = "leave it out with --channels, or hold out less";
                return Err(data_error(path, None, Some(channel), what, remedy));
            }
            (Some(value), true) if !constant(panel).1 => {
                let notice = Notice::ConstantInTraining { channel: channel.clone(), value };
                warnings.push(Warning { path: path.into(), line: None, notice });
            }
            _ => {}
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::super::split::HoldOut;
    use super::super::testing::panel;
    use super::*;

    #[test]
    fn a_channel_without_training_values_is_an_error_and_a_constant_one_a_warning() {
        let path = Path::new("data.csv");
        let rows = |b: Option<f64>| [(0.0, [Some(1.0), b]), (1.0, [Some(1.0), b]), (2.0, [Some(2.0), Some(5.0)])];
        for (b, message) in [(None, "data.csv:x1: the channel has no value in any training row; "), (Some(4.0), "")] {
            let rows = rows(b);
            let rows: Vec<(f64, &[Option<f64>])> = rows.iter().map(|(t, cells)| (*t, &cells[..])).collect();
            let panel = panel(&[("a", &rows)]);
            let split = Split::new(&panel, HoldOut::Rows(0.3), 0).unwrap();
            match check_training(path, &panel, &split) {
                Err(error) => assert!(!message.is_empty() && error.to_string().starts_with(message), "{error}"),
                Ok(warnings) => assert_eq!(
                    warnings[0].to_string(),
                    "data.csv: channel `x0` is 1 in all training rows, not in all held-out ones; it is not scaled"
                ),
            }
        }
    }
}
