//! What a panel holds, in a few numbers.

use super::Panel;
use serde::Serialize;

/// A panel in a few numbers, in the file's units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many series.
    pub series: usize,
    /// How many rows in all.
    pub rows: usize,
    /// Rows of the shortest series, the middle one and the longest.
    pub rows_of_series: [usize; 3],
    /// First and last time.
    pub time_span: [f64; 2],
    /// Times between neighbouring rows of a series; none if no series has two rows.
    pub gaps: Option<GapSummary>,
    /// One entry a channel.
    pub channels: Vec<ChannelSummary>,
}

/// Lengths of time between neighbouring rows of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GapSummary {
    /// The shortest.
    pub shortest: f64,
    /// The middle one.
    pub median: f64,
    /// The longest.
    pub longest: f64,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelSummary {
    /// Its name.
    pub name: String,
    /// Observed cells.
    pub observed: usize,
    /// Cells that are not observed.
    pub missing: usize,
    /// The smallest observed value.
    pub min: Option<f64>,
    /// The largest observed value.
    pub max: Option<f64>,
    /// The mean of the observed values.
    pub mean: Option<f64>,
}

impl Summary {
    /// Of a panel. Cost: a sort of the gaps.
    pub fn of(panel: &Panel) -> Self {
        let mut lengths: Vec<usize> = panel.series().map(|series| series.times.len()).collect();
        lengths.sort_unstable();
        let length = |at: usize| lengths.get(at).copied().unwrap_or(0);
        let times = || panel.times().iter().copied();
        let mut gaps: Vec<f64> =
            panel.series().flat_map(|series| series.times.windows(2).map(|pair| pair[1] - pair[0])).collect();
        gaps.sort_unstable_by(f64::total_cmp);
        let gap = |at: usize| gaps.get(at).copied();
        let last = gaps.len().saturating_sub(1);
        Self {
            series: panel.series_count(),
            rows: panel.row_count(),
            rows_of_series: [length(0), length(lengths.len() / 2), length(lengths.len().saturating_sub(1))],
            time_span: [times().fold(f64::INFINITY, f64::min), times().fold(f64::NEG_INFINITY, f64::max)],
            gaps: gap(0).zip(gap(gaps.len() / 2)).zip(gap(last)).map(|((shortest, median), longest)| GapSummary {
                shortest,
                median,
                longest,
            }),
            channels: panel.channels().iter().enumerate().map(|(c, name)| channel(panel, c, name)).collect(),
        }
    }
}

fn channel(panel: &Panel, c: usize, name: &str) -> ChannelSummary {
    let values = panel.observed_values(c);
    let observed = values.len();
    ChannelSummary {
        name: name.into(),
        observed,
        missing: panel.row_count() - observed,
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        mean: (observed > 0).then(|| values.iter().map(|v| v / observed as f64).sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::panel;
    use super::*;

    #[test]
    fn counts_spans_and_gaps_are_those_of_the_rows() {
        let panel = panel(&[
            ("a", &[(0.0, &[Some(1.0), None]), (1.0, &[Some(3.0), None]), (4.0, &[None, None])]),
            ("b", &[(-2.0, &[Some(2.0), None])]),
        ]);
        let summary = Summary::of(&panel);
        assert_eq!((summary.series, summary.rows, summary.rows_of_series), (2, 4, [1, 3, 3]));
        assert_eq!(summary.time_span, [-2.0, 4.0]);
        assert_eq!(summary.gaps, Some(GapSummary { shortest: 1.0, median: 3.0, longest: 3.0 }));
        let [a, b] = &summary.channels[..] else { panic!() };
        assert_eq!((a.observed, a.missing, a.min, a.max, a.mean), (3, 1, Some(1.0), Some(3.0), Some(2.0)));
        assert_eq!((b.observed, b.missing, b.min, b.mean), (0, 4, None, None));
    }
}
