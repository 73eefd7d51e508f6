//! How many rows a trajectory spans: as the curriculum wants it, and no more than gradients can be trusted over.

use super::{TrainState, Trainer};
use crate::Result;
use crate::gradient::trusted_span;
use crate::models::segments::Segment;

/// Looks at the validation part between two measurements of how gradients grow.
const LOOKS_BETWEEN: usize = 5;
/// Trajectories that are measured.
const MEASURED: usize = 16;

impl Trainer<'_> {
    /// The horizon that the present epoch's stage and what is known of the gradients allow.
    pub(super) fn wanted(&self, state: &TrainState) -> usize {
        let spec = self.task.spec;
        spec.horizons()[spec.stage(state.epoch)].min(state.trusted.unwrap_or(usize::MAX))
    }

    /// Measures from time to time, and before trajectories become longer, over which span gradients can be trusted, and
    /// lays the windows for the horizon that follows.
    pub(super) fn choose_horizon(&self, state: &mut TrainState) -> Result<()> {
        let due = state.epoch > 0 && state.epoch.is_multiple_of(LOOKS_BETWEEN * self.task.spec.check_every);
        if due || self.wanted(state) > state.horizon {
            self.measure(state)?;
        }
        let wanted = self.wanted(state);
        if wanted != state.horizon {
            self.lay_windows(state, wanted)?;
        }
        Ok(())
    }

    /// Finds the horizon over which gradients can be trusted, if that is less than the curriculum wants. Once found, it is
    /// lifted only where gradients have become so mild that it would not soon be back.
    fn measure(&self, state: &mut TrainState) -> Result<()> {
        let segments = self.segments(state.phase, state.horizon, state.epoch);
        let some: Vec<&Segment> = segments.iter().step_by(segments.len().div_ceil(MEASURED).max(1)).collect();
        let (params, starts) = state.average.split_at(self.task.model.param_count());
        let growths = self.objective.growth(params, starts, &some, self.task.seed)?;
        let spec = self.task.spec;
        let wanted = spec.horizons()[spec.stage(state.epoch)];
        let mean_span = growths.iter().map(|growth| growth.span).sum::<f64>() / growths.len() as f64;
        let rows = trusted_span(&growths, &self.task.options)
            .map_or(usize::MAX, |span| (state.horizon as f64 * span / mean_span).floor().max(2.0) as usize);
        state.trusted = match state.trusted {
            Some(trusted) if rows / 2 < wanted => Some(trusted.min(rows)),
            Some(_) => None,
            None => (rows < wanted).then_some(rows),
        };
        Ok(())
    }

    /// Lays windows of another length: each new one starts where the old trajectory over its first row passed.
    fn lay_windows(&self, state: &mut TrainState, horizon: usize) -> Result<()> {
        let (count, dim) = (self.task.model.param_count(), self.task.model.state_dim());
        let (old, new) = (self.windows(state.phase, state.horizon), self.windows(state.phase, horizon));
        let all: Vec<&Segment> = old.iter().collect();
        let lay = |values: &mut Vec<f64>| -> Result<()> {
            let starts = values.split_off(count);
            let (begin, states) = self.objective.states(values, &starts, &all)?;
            for window in &new {
                match place(&old, window.rows.start) {
                    Some((k, 0, _)) => values.extend(&begin[k * dim..(k + 1) * dim]),
                    Some((_, _, row)) if states[row * dim..(row + 1) * dim].iter().all(|x| x.is_finite()) => {
                        values.extend(&states[row * dim..(row + 1) * dim]);
                    }
                    _ => values.extend(self.observed_start(window)),
                }
            }
            Ok(())
        };
        if old.is_empty() {
            state.horizon = horizon;
            return Ok(());
        }
        lay(&mut state.values)?;
        lay(&mut state.average)?;
        for moments in [&mut state.optimizer.first, &mut state.optimizer.second] {
            let starts = moments.split_off(count);
            for window in &new {
                match place(&old, window.rows.start) {
                    Some((k, 0, _)) => moments.extend(&starts[k * dim..(k + 1) * dim]),
                    _ => moments.extend(std::iter::repeat_n(0.0, dim)),
                }
            }
        }
        state.horizon = horizon;
        Ok(())
    }
}

/// The window that holds a row of the panel, where in it the row lies, and where its state stands among all windows'
/// rows.
fn place(windows: &[Segment], row: usize) -> Option<(usize, usize, usize)> {
    // Windows are made in the order of their rows.
    let k = windows.partition_point(|window| window.rows.start <= row).checked_sub(1)?;
    let before: usize = windows[..k].iter().map(|window| window.rows.len() + usize::from(window.next.is_some())).sum();
    let within = row - windows[k].rows.start;
    windows[k].rows.contains(&row).then_some((k, within, before + within))
}
