//! Bringing values and times to a scale of order one, and back.

use serde::{Deserialize, Serialize};

use super::Panel;
pub use super::transform::{Transform, suggest_transform};
use crate::{Error, Result};

/// Mean and standard deviation of each channel over the observed cells of a panel of training rows.
///
/// The deviation is that of the cells themselves (divided by their number). A constant channel has deviation 1, so
/// that dividing by it leaves the file's units; a channel without a value has mean 0 and deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Length `C`.
    pub mean: Vec<f64>,
    /// Length `C`, all above 0.
    pub deviation: Vec<f64>,
}

impl Moments {
    /// The moments of the panel's values in their own units. This is the scale of scaled errors.
    pub fn of(training: &Panel) -> Self {
        let pairs = (0..training.channel_count()).map(|c| moments(&training.observed_values(c)));
        let (mean, deviation) = pairs.unzip();
        Self { mean, deviation }
    }
}

/// How one channel is scaled: `(transform(y) − mean) / deviation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelScaling {
    /// The channel.
    pub name: String,
    /// What is done first.
    pub transform: Transform,
    /// Mean of the transformed training values.
    pub mean: f64,
    /// Their standard deviation; 1 if they are all the same.
    pub deviation: f64,
}

impl ChannelScaling {
    /// A value in the file's units to the model's; none if the transform has no value there.
    pub fn forward(&self, value: f64) -> Option<f64> {
        self.transform.forward(value).map(|v| (v - self.mean) / self.deviation)
    }

    /// A value, or a bound of an interval, back to the file's units.
    pub fn inverse(&self, value: f64) -> f64 {
        self.transform.inverse(value * self.deviation + self.mean)
    }
}

/// How times and values are scaled for a model: `t' = (t − origin) / unit`, and each channel by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The earliest training time, in the file's unit.
    pub time_origin: f64,
    /// The length of the model's unit of time, in the file's unit. Above 0.
    pub time_unit: f64,
    /// One entry a channel.
    pub channels: Vec<ChannelScaling>,
}

/// How many typical gaps between observations make one unit of a model's time.
const GAPS_PER_UNIT: f64 = 10.0;

impl Scaling {
    /// Fits the scaling to a panel of training rows.
    ///
    /// The unit of time is ten times the median gap between successive observed rows. A series is sampled finely
    /// enough to show how it changes, and rarely much finer: what can be learned from it happens over some tens of
    /// observations, so that a vector field has values of order one in this unit whether the file counts days,
    /// kiloyears or minutes. The median does not mind a few long breaks in the record, as the span or the mean
    /// gap would. The unit is at least a billionth of the whole span, so that scaled times keep their digits.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one transform a channel; [`Error::Config`] if a channel to be taken in logs has
    /// a value that is not above 0.
    pub fn fit(training: &Panel, transforms: &[Transform]) -> Result<Self> {
        if transforms.len() != training.channel_count() {
            return Err(Error::shape("transforms", training.channel_count(), transforms.len()));
        }
        let channels = training.channels().iter().zip(transforms).enumerate().map(|(c, (name, &transform))| {
            let values = training.observed_values(c);
            let transformed = values.iter().map(|&v| transform.forward(v).ok_or_else(|| no_log(name, v)));
            let (mean, deviation) = moments(&transformed.collect::<Result<Vec<_>>>()?);
            Ok(ChannelScaling { name: name.clone(), transform, mean, deviation })
        });
        let channels = channels.collect::<Result<Vec<_>>>()?;
        let (time_origin, time_unit) = time_scale(training);
        Ok(Self { time_origin, time_unit, channels })
    }

    /// A time in the file's unit to the model's.
    pub fn forward_time(&self, time: f64) -> f64 {
        (time - self.time_origin) / self.time_unit
    }

    /// A time in the model's unit to the file's.
    pub fn inverse_time(&self, time: f64) -> f64 {
        time * self.time_unit + self.time_origin
    }

    /// A panel in the file's units to the model's: times, values, and measurement errors by the delta method.
    ///
    /// # Errors
    /// [`Error::Shape`] if the panel has other channels; [`Error::Config`] if a value to be taken in logs is not above
    /// 0, or if two times fall together in the model's unit.
    pub fn forward(&self, panel: &Panel) -> Result<Panel> {
        let names: Vec<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
        if panel.channels() != names {
            let found = panel.channels().join(", ");
            return Err(Error::shape("channels of a panel to be scaled", names.join(", "), found));
        }
        let cells = || panel.values().iter().zip(panel.mask()).zip(self.channels.iter().cycle());
        let values = cells().map(|((&value, &observed), channel)| match channel.forward(value) {
            Some(scaled) if observed => Ok(scaled),
            None if observed => Err(no_log(&channel.name, value)),
            _ => Ok(0.0),
        });
        let errors = panel.errors().map(|errors| {
            let scale = |(((&value, &observed), channel), &error): (((&f64, &bool), &ChannelScaling), &f64)| {
                if observed { error * channel.transform.slope(value) / channel.deviation } else { 0.0 }
            };
            cells().zip(errors).map(scale).collect()
        });
        Panel::new(
            panel.channels().to_vec(),
            panel.names().to_vec(),
            panel.row_ptr().to_vec(),
            panel.times().iter().map(|&t| self.forward_time(t)).collect(),
            values.collect::<Result<Vec<_>>>()?,
            panel.mask().to_vec(),
            errors,
        )
    }
}

fn no_log(channel: &str, value: f64) -> Error {
    let value = crate::io::table::Cell::Number(value);
    Error::config(
        format!("channel `{channel}` is taken in logs and holds {value}"),
        "do not take it in logs, or leave cells that are not above 0 empty",
    )
}

/// Mean and standard deviation; 0 and 1 of nothing, and deviation 1 of equal values.
fn moments(values: &[f64]) -> (f64, f64) {
    let Some(&first) = values.first() else { return (0.0, 1.0) };
    let n = values.len() as f64;
    // Shifted, so that equal values give a deviation of exactly 0 and large ones with a small spread keep it; divided
    // by the largest deviation, so that squares neither overflow nor vanish.
    let mean = first + values.iter().map(|v| v - first).sum::<f64>() / n;
    let largest = values.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
    if largest == 0.0 {
        return (mean, 1.0);
    }
    let deviation = largest * (values.iter().map(|v| ((v - mean) / largest).powi(2)).sum::<f64>() / n).sqrt();
    (mean, deviation)
}

/// The earliest time, and ten times the median gap between observed rows (1 if there is no gap).
fn time_scale(training: &Panel) -> (f64, f64) {
    let channels = training.channel_count();
    let (mut gaps, mut earliest, mut latest) = (Vec::new(), f64::INFINITY, f64::NEG_INFINITY);
    for series in training.series() {
        let rows = series.times.iter().zip(series.mask.chunks(channels));
        let observed: Vec<f64> = rows.filter(|(_, mask)| mask.contains(&true)).map(|(&time, _)| time).collect();
        gaps.extend(observed.windows(2).map(|pair| pair[1] - pair[0]));
        earliest = observed.first().map_or(earliest, |t| t.min(earliest));
        latest = observed.last().map_or(latest, |t| t.max(latest));
    }
    if gaps.is_empty() {
        return (if earliest.is_finite() { earliest } else { 0.0 }, 1.0);
    }
    let middle = gaps.len() / 2;
    let (_, median, _) = gaps.select_nth_unstable_by(middle, f64::total_cmp);
    (earliest, (GAPS_PER_UNIT * *median).max(1e-9 * (latest - earliest)))
}

#[cfg(test)]
mod tests;
