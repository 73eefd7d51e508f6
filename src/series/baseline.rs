//! What a person would predict with no model, and the errors that predictions are judged by.
//!
//! Every baseline has the same signature: `given` holds of each series what may be looked at
//! ([`Split::before_test`](super::split::Split::before_test)), `mean` is each channel's training mean
//! ([`Moments::mean`](super::scale::Moments)), and `at` holds the times to predict, one slice a series. It returns a
//! prediction for every channel at every time: series after series, row by row. A series with no observation of a
//! channel gets the channel's training mean.

use super::Panel;
use crate::{Error, Result};

/// A baseline's signature; see the [module](self).
pub type Baseline = fn(given: &Panel, mean: &[f64], at: &[&[f64]]) -> Result<Vec<f64>>;

/// All baselines by name.
pub const BASELINES: [(&str, Baseline); 3] = [("last_value", last_value), ("mean", mean), ("linear", linear)];

/// The last value observed at or before the time (the first one, for times before all observations).
///
/// # Errors
/// [`Error::Shape`] unless there is one mean a channel and one slice of times a series.
pub fn last_value(given: &Panel, mean: &[f64], at: &[&[f64]]) -> Result<Vec<f64>> {
    predict(given, mean, at, |observed| {
        Box::new(move |time| {
            let after = observed.partition_point(|&(t, _)| t <= time);
            observed[after.saturating_sub(1)].1
        })
    })
}

/// The mean of the series' own observed values.
///
/// # Errors
/// [`Error::Shape`] unless there is one mean a channel and one slice of times a series.
pub fn mean(given: &Panel, mean: &[f64], at: &[&[f64]]) -> Result<Vec<f64>> {
    predict(given, mean, at, |observed| {
        let mean = middle(observed).1;
        Box::new(move |_| mean)
    })
}

/// The line through the two neighbouring observations where the time lies between two, the least-squares line of all
/// observations of the series where it lies beyond them. From a single observation it is level.
///
/// # Errors
/// [`Error::Shape`] unless there is one mean a channel and one slice of times a series.
pub fn linear(given: &Panel, mean: &[f64], at: &[&[f64]]) -> Result<Vec<f64>> {
    predict(given, mean, at, |observed| {
        let beyond = least_squares(observed);
        Box::new(move |time| {
            let after = observed.partition_point(|&(t, _)| t <= time);
            if after == 0 || (after == observed.len() && observed[after - 1].0 < time) {
                return beyond(time);
            }
            let (t0, y0) = observed[after - 1];
            match observed.get(after) {
                Some(&(t1, y1)) => y0 + (y1 - y0) * ((time - t0) / (t1 - t0)),
                None => y0,
            }
        })
    })
}

/// A prediction by time.
type Rule<'a> = Box<dyn Fn(f64) -> f64 + 'a>;

/// Makes a rule of the observations of each channel in a series (at least one) and calls it with every time.
fn predict(
    given: &Panel,
    mean: &[f64],
    at: &[&[f64]],
    rule: impl for<'a> Fn(&'a [(f64, f64)]) -> Rule<'a>,
) -> Result<Vec<f64>> {
    let channels = given.channel_count();
    if mean.len() != channels {
        return Err(Error::shape("training means", channels, mean.len()));
    }
    if at.len() != given.series_count() {
        return Err(Error::shape("series to predict", given.series_count(), at.len()));
    }
    let mut predictions = Vec::with_capacity(channels * at.iter().map(|times| times.len()).sum::<usize>());
    for (series, times) in given.series().zip(at) {
        let observed: Vec<Vec<_>> = (0..channels).map(|c| series.observed(c).collect()).collect();
        let rules: Vec<Option<Rule>> = observed.iter().map(|o| (!o.is_empty()).then(|| rule(o))).collect();
        for &time in *times {
            let cells = rules.iter().zip(mean);
            predictions.extend(cells.map(|(rule, &mean)| rule.as_ref().map_or(mean, |rule| rule(time))));
        }
    }
    Ok(predictions)
}

/// Mean time and mean value.
fn middle(observed: &[(f64, f64)]) -> (f64, f64) {
    let n = observed.len() as f64;
    let (t, y) = observed.iter().fold((0.0, 0.0), |(t, y), cell| (t + cell.0, y + cell.1));
    (t / n, y / n)
}

fn least_squares(observed: &[(f64, f64)]) -> impl Fn(f64) -> f64 + use<> {
    let (t, y) = middle(observed);
    // In units of the span, so that squares of times neither overflow nor vanish.
    let span = observed[observed.len() - 1].0 - observed[0].0;
    let place = move |time: f64| (time - t) / span;
    let (products, squares) = observed.iter().fold((0.0, 0.0), |(products, squares), cell| {
        let u = place(cell.0);
        (products + u * (cell.1 - y), squares + u * u)
    });
    move |time| if span == 0.0 { y } else { y + products / squares * place(time) }
}

/// The mean over all observed held-out cells of `((p − y) / deviation)²`; none if there is no such cell.
///
/// `predictions`, `truth` and `mask` are `rows × C`, row by row; `deviation` has length `C`
/// ([`Moments::deviation`](super::scale::Moments) of the training rows).
///
/// # Errors
/// [`Error::Shape`] if the lengths do not agree.
pub fn scaled_mse(predictions: &[f64], truth: &[f64], mask: &[bool], deviation: &[f64]) -> Result<Option<f64>> {
    let (mut sum, mut count) = (0.0, 0usize);
    for (c, difference) in held_out(predictions, truth, mask, deviation.len())? {
        sum += (difference / deviation[c]).powi(2);
        count += 1;
    }
    Ok((count > 0).then(|| sum / count as f64))
}

/// For each channel the mean of `(p − y)²` over its observed held-out cells, in the file's units squared; none for a
/// channel without such a cell. Shapes as for [`scaled_mse`].
///
/// # Errors
/// [`Error::Shape`] if the lengths do not agree.
pub fn channel_mse(predictions: &[f64], truth: &[f64], mask: &[bool], channels: usize) -> Result<Vec<Option<f64>>> {
    let mut sums = vec![(0.0, 0usize); channels];
    for (c, difference) in held_out(predictions, truth, mask, channels)? {
        sums[c].0 += difference * difference;
        sums[c].1 += 1;
    }
    Ok(sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect())
}

/// Channel and difference of each observed cell.
fn held_out<'a>(
    predictions: &'a [f64],
    truth: &'a [f64],
    mask: &'a [bool],
    channels: usize,
) -> Result<impl Iterator<Item = (usize, f64)> + 'a> {
    let cells = truth.len();
    if channels == 0 || !cells.is_multiple_of(channels) {
        return Err(Error::shape("held-out cells", "a multiple of the channels", format!("{cells} of {channels}")));
    }
    if predictions.len() != cells || mask.len() != cells {
        let found = format!("{} predictions and {} of the mask", predictions.len(), mask.len());
        return Err(Error::shape("held-out cells", cells, found));
    }
    let observed = (0..cells).filter(|&cell| mask[cell]);
    Ok(observed.map(move |cell| (cell % channels, predictions[cell] - truth[cell])))
}

#[cfg(test)]
mod tests;
