//! Judging parameters on the validation part.

use super::Phase;
use super::{Best, TrainState, Trainer};
use crate::Result;
use crate::models::segments::{self, Segment};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::ops::Range;

impl Trainer<'_> {
    /// Judges the average on the validation part and keeps it if it is the best so far. Returns the validation loss.
    pub(super) fn look(&self, state: &mut TrainState) -> Result<f64> {
        let horizon = state.horizon;
        let (score, errors) = self.errors(&state.average, &self.validation_segments(horizon))?;
        if state.best.as_ref().is_none_or(|best| score < best.score) {
            state.best = Some(Best { epoch: state.epoch, horizon, score, errors, values: state.average.clone() });
            state.looks_since_best = 0;
        } else {
            state.looks_since_best += 1;
        }
        Ok(score)
    }

    /// Whether the validation part has stopped improving.
    pub(super) fn is_out_of_patience(&self, state: &TrainState) -> bool {
        !self.validation.is_empty() && state.looks_since_best >= self.task.spec.patience
    }

    /// The validation part's trajectories, each with the rows that are scored.
    fn validation_segments(&self, horizon: usize) -> Vec<(Range<usize>, Segment)> {
        let panel = self.task.panel;
        let windows = self.windows(Phase::Search, horizon);
        let of = |(series, rows): &(usize, Range<usize>)| {
            let offset = panel.row_ptr()[*series];
            let scored = offset + rows.start..offset + rows.end;
            let segment = if self.task.model.encoder().is_some() {
                segments::encoded(panel, *series, rows.start, rows.end, rows.len(), rows.start, self.task.conditioning)?
            } else {
                // The last window goes on over the validation rows.
                let last = windows.iter().rfind(|w| w.series == *series)?;
                Segment { rows: last.rows.start..scored.end, next: None, ..last.clone() }
            };
            Some((scored, segment))
        };
        self.validation.iter().filter_map(of).collect()
    }

    /// Squared errors of trajectories over the rows to be scored, weighted: their mean, and the sum along each. One that
    /// fails counts as if it had predicted the mean.
    fn errors(&self, values: &[f64], judged: &[(Range<usize>, Segment)]) -> Result<(f64, Vec<f64>)> {
        let (params, starts) = values.split_at(self.task.model.param_count());
        let segments: Vec<&Segment> = judged.iter().map(|(_, segment)| segment).collect();
        let (_, states) = self.objective.states(params, starts, &segments)?;
        let (dim, channels) = (self.task.model.state_dim(), self.task.panel.channel_count());
        let (mut sums, mut weight, mut at) = (Vec::new(), 0.0, 0);
        let mut seen = vec![0.0; channels];
        for (scored, segment) in judged {
            let (mut sum, mut by_mean) = (0.0, 0.0);
            for (k, row) in segment.rows.clone().enumerate().filter(|(_, row)| scored.contains(row)) {
                self.task.model.observe(params, &states[(at + k) * dim..][..dim], &mut seen);
                for (c, seen) in seen.iter().enumerate() {
                    let cell = row * channels + c;
                    let w = self.task.weights[cell];
                    if w > 0.0 {
                        sum += w * (seen + segment.offset(c) - self.task.panel.values()[cell]).powi(2);
                        by_mean += w * (segment.offset(c) - self.task.panel.values()[cell]).powi(2);
                        weight += w;
                    }
                }
            }
            at += segment.rows.len() + usize::from(segment.next.is_some());
            sums.push(if sum.is_finite() { sum } else { by_mean });
        }
        Ok((sums.iter().sum::<f64>() / weight, sums))
    }
}

/// The best of many looks is better than the first by chance alone; a gain below this share of the error is none.
const LEAST_GAIN: f64 = 0.05;

/// Whether errors along trajectories are smaller: by a share worth having, and by Student's t test at 5 % where there is
/// more than one trajectory.
pub(super) fn clearly_better(now: &[f64], first: &[f64]) -> bool {
    let gains: Vec<f64> = first.iter().zip(now).map(|(first, now)| first - now).collect();
    let (count, total) = (gains.len() as f64, gains.iter().sum::<f64>());
    if gains.is_empty() || total < LEAST_GAIN * first.iter().sum::<f64>() {
        return false;
    }
    let Some(t) = StudentsT::new(0.0, 1.0, count - 1.0).ok() else { return true };
    let variance = gains.iter().map(|g| (g - total / count).powi(2)).sum::<f64>() / (count - 1.0);
    total > t.inverse_cdf(0.95) * (count * variance).sqrt()
}
