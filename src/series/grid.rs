//! Times in even steps.

use crate::io::LARGEST_VALUE;
use crate::{Error, Result};

/// Most rows that one prediction may have.
pub const MOST_ROWS: usize = 1_000_000;

/// The times `start`, `start + step`, … up to `end`, which is among them if it is a whole number of steps away (but for
/// rounding).
///
/// # Errors
/// [`Error::Config`] unless all are finite, `start < end`, `step` is above 0 and moves time, and there are at most
/// [`MOST_ROWS`] times.
pub fn stepped(start: f64, end: f64, step: f64) -> Result<Vec<f64>> {
    let refused = |what: String, remedy: &str| Err(Error::config(what, remedy));
    let usable = [start, end, step].iter().all(|x| x.abs() <= LARGEST_VALUE);
    if !usable || start >= end {
        return refused(format!("the times from {start} to {end} are no span"), "give a start before the end");
    }
    if step <= 0.0 {
        return refused(format!("the step {step} does not lead on"), "give a step above 0");
    }
    // A millionth of a step makes up for the rounding of numbers such as 0.1.
    let steps = ((end - start) / step + 1e-6).floor();
    if steps + 1.0 > MOST_ROWS as f64 {
        return refused(format!("these are more than {MOST_ROWS} times"), "give a longer step or a shorter span");
    }
    let times: Vec<f64> = (0..=steps as usize).map(|k| (start + k as f64 * step).min(end)).collect();
    if times.windows(2).any(|pair| pair[0] >= pair[1]) {
        return refused(format!("the step {step} is too short to move time {start}"), "give a longer step");
    }
    Ok(times)
}

/// `count` times spread evenly from `start` to `end`, both among them.
pub fn spread(start: f64, end: f64, count: usize) -> Vec<f64> {
    let last = count.saturating_sub(1).max(1);
    (0..count).map(|k| if k == last { end } else { start + (end - start) * (k as f64 / last as f64) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_the_end_when_they_fit_and_stop_before_it_when_not() {
        assert_eq!(stepped(0.0, 0.3, 0.1).unwrap().len(), 4);
        assert_eq!(stepped(0.0, 0.3, 0.1).unwrap()[3], 0.3);
        assert_eq!(stepped(-1.0, 1.0, 0.75).unwrap(), [-1.0, -0.25, 0.5]);
        assert_eq!(stepped(0.0, 1.0, 5.0).unwrap(), [0.0]);
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        for (start, end, step, expected) in [
            (1.0, 1.0, 0.1, "start before the end"),
            (2.0, 1.0, 0.1, "start before the end"),
            (f64::NAN, 1.0, 0.1, "start before the end"),
            (0.0, f64::INFINITY, 0.1, "start before the end"),
            (0.0, 1.0, 0.0, "step above 0"),
            (0.0, 1.0, -0.1, "step above 0"),
            (0.0, 1.0, 1e-7, "more than 1000000"),
            (1e100, 1.000001e100, 1e80, "more than 1000000"),
            (1e16, 1e16 + 100.0, 0.001, "too short"),
        ] {
            let error = stepped(start, end, step).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }

    #[test]
    fn spread_times_begin_and_end_where_they_should() {
        assert_eq!(spread(1.0, 3.0, 5), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(spread(1.0, 3.0, 1), [1.0]);
        assert!(spread(1.0, 3.0, 0).is_empty());
    }
}
