//! Series that lie each at a level of its own.

use super::Panel;

/// Squared difference between the means of a series' halves, relative to its variance, that counts as a trend: a straight
/// line has 3, a series that keeps to its level tends to 0.
const TREND: f64 = 1.5;

/// Whether a channel's series lie each at a level of its own: their means differ by more than they vary themselves, and
/// the level of a series' first half is that of its second.
pub fn levels_dominate(training: &Panel, c: usize) -> bool {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mut within, mut count, mut drift, mut means) = (0.0, 0.0, 0.0, Vec::new());
    for series in training.series() {
        let values: Vec<f64> = series.observed(c).map(|(_, value)| value).collect();
        if values.len() > 1 {
            let (first, second) = values.split_at(values.len() / 2);
            let own = mean(&values);
            within += values.iter().map(|v| (v - own).powi(2)).sum::<f64>();
            count += values.len() as f64;
            drift += values.len() as f64 * (mean(first) - mean(second)).powi(2);
            means.push(own);
        }
    }
    let (within, series) = (within / count, means.len() as f64);
    let middle = mean(&means);
    let between = means.iter().map(|m| (m - middle).powi(2)).sum::<f64>() / series;
    means.len() > 1 && between > within && drift / count < TREND * within
}

/// Standard deviation of a channel about each series' own mean, if it varies at all.
pub fn own_deviation(panel: &Panel, c: usize) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for series in panel.series() {
        let values: Vec<f64> = series.observed(c).map(|(_, value)| value).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        sum += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        count += values.len() as f64;
    }
    (sum > 0.0).then(|| (sum / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::testing::panel;

    #[test]
    fn levels_count_when_series_keep_to_them_and_trends_do_not() {
        for (trend, expected) in [(0.0, true), (1.0, false)] {
            let (mut times, mut values) = (Vec::new(), Vec::new());
            for level in [-50.0, 0.0, 60.0] {
                times.extend((0..40).map(f64::from));
                values.extend((0..40).map(|k| level + trend * f64::from(k) + f64::from(k % 3)));
            }
            let (names, mask) = (["a", "b", "c"].map(String::from).to_vec(), vec![true; 120]);
            let panel = Panel::new(vec!["x".into()], names, vec![0, 40, 80, 120], times, values, mask, None).unwrap();
            assert_eq!(levels_dominate(&panel, 0), expected);
        }
        let flat = [(0.0, [Some(7.0)]), (1.0, [Some(7.0)])];
        let rows: Vec<(f64, &[Option<f64>])> = flat.iter().map(|(t, cells)| (*t, &cells[..])).collect();
        assert_eq!(own_deviation(&panel(&[("a", &rows)]), 0), None);
    }
}
