//! What the data say, before any training, about the state at the last observation.

use super::{Conditioning, History};
use crate::series::Panel;

/// How a channel's deviation from the mean persists: the rows after an anchor are foreseen as
/// `blend · exp(−rate · τ) · (level − mean)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Persistence {
    /// Time over which recent observations are averaged to the level, in the model's unit; 0 takes the last one alone.
    pub smoothing: f64,
    /// Share of the level's deviation that is there at all.
    pub blend: f64,
    /// Rate at which it decays, per unit of the model's time.
    pub rate: f64,
}

/// Anchors looked at in all; more would not change the fit.
const ANCHORS: usize = 400;

/// The least-squares fit of each channel's persistence over `horizon` rows after anchors throughout a panel of training
/// rows in the model's units. Channels that are not centred start from the last observation as it is: there the field
/// takes the state on, and an average would blur it.
pub fn persistence(panel: &Panel, horizon: usize, memory: usize, centred: &[bool]) -> Vec<Persistence> {
    let channels = panel.channel_count();
    let gap = median_gap(panel);
    let stride = panel.row_count().div_ceil(ANCHORS).max(1);
    let start = Persistence { smoothing: 0.0, blend: 1.0, rate: 0.0 };
    if !centred.contains(&true) {
        return vec![start; channels];
    }
    let mut best = vec![(f64::INFINITY, start); channels];
    for smoothing in std::iter::once(0.0).chain((0..8).map(|k| gap * 2f64.powi(k))) {
        let conditioning = Conditioning { memory, centred: centred.to_vec(), smoothing: vec![smoothing; channels] };
        let mut pairs = vec![Vec::new(); channels];
        for (s, series) in panel.series().enumerate() {
            // Anchors are counted over all rows of the panel, so that many short series are met at all their places.
            let first = panel.rows(s).start;
            for anchor in (1..series.times.len()).filter(|anchor| (first + anchor).is_multiple_of(stride)) {
                let history = History::of(&series, anchor, series.times.len(), &conditioning);
                for row in anchor..series.times.len().min(anchor + horizon) {
                    for (c, pairs) in pairs.iter_mut().enumerate().filter(|(c, _)| series.mask[row * channels + c]) {
                        let ahead = series.values[row * channels + c] - history.offset[c] - history.mean[c];
                        let tau = series.times[row] - series.times[anchor - 1];
                        pairs.push((tau, history.level[c] - history.mean[c], ahead));
                    }
                }
            }
        }
        for (c, best) in best.iter_mut().enumerate().filter(|(c, _)| centred[*c]) {
            let (cost, blend, rate) = decay(&pairs[c]);
            if cost < best.0 {
                *best = (cost, Persistence { smoothing, blend, rate });
            }
        }
    }
    best.into_iter().map(|(_, persistence)| persistence).collect()
}

/// The fit of `ahead = blend · exp(−rate · τ) · now` to triples `(τ, now, ahead)`, with the mean squared error.
fn decay(pairs: &[(f64, f64, f64)]) -> (f64, f64, f64) {
    let longest = pairs.iter().map(|(tau, ..)| *tau).fold(0.0, f64::max);
    let at = |rate: f64| {
        let (mut along, mut all, mut ahead_squared) = (0.0, 0.0, 0.0);
        for (tau, now, ahead) in pairs {
            let carried = (-rate * tau).exp() * now;
            along += carried * ahead;
            all += carried * carried;
            ahead_squared += ahead * ahead;
        }
        let blend = if all > 0.0 { (along / all).clamp(0.0, 1.0) } else { 1.0 };
        (ahead_squared + all * blend * blend - 2.0 * blend * along, blend, rate)
    };
    let rates = (0..=30).map(|k| 10f64.powf(f64::from(k) / 10.0 - 1.0) / longest);
    let fits = rates.filter(|rate| rate.is_finite()).chain([0.0]).map(at);
    let (cost, blend, rate) = fits.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 1.0, 0.0));
    (cost / pairs.len().max(1) as f64, blend, rate)
}

fn median_gap(panel: &Panel) -> f64 {
    let mut gaps: Vec<f64> = panel.series().flat_map(|s| s.times.windows(2).map(|w| w[1] - w[0])).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    /// Many rows of `x ← e^(−κ dt) x + noise`, observed with error.
    fn panel(kappa: f64, wander: f64, error: f64) -> Panel {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut times, mut values, mut row_ptr, mut names) = (vec![], vec![], vec![0], vec![]);
        for s in 0..20 {
            let mut x = 0.0;
            for k in 0..200 {
                let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
                x = (-kappa * 0.1f64).exp() * x + wander * normal();
                times.push(0.1 * f64::from(k));
                values.push(x + error * normal());
            }
            row_ptr.push(times.len());
            names.push(format!("{s}"));
        }
        let mask = vec![true; values.len()];
        Panel::new(vec!["x".into()], names, row_ptr, times, values, mask, None).unwrap()
    }

    #[test]
    fn the_rate_of_a_relaxing_process_is_found() {
        let found = persistence(&panel(1.0, 0.3, 0.0), 20, 64, &[true])[0];
        assert!((0.5..2.0).contains(&found.rate) && found.blend > 0.7, "{found:?}");
    }

    #[test]
    fn noisy_observations_of_a_slow_process_are_averaged_and_exact_ones_are_not() {
        assert!(persistence(&panel(0.0, 0.05, 0.5), 20, 64, &[true])[0].smoothing > 0.1);
        let walk = persistence(&panel(0.0, 0.3, 0.0), 20, 64, &[true])[0];
        assert!(walk.smoothing <= 0.1 && walk.blend > 0.7, "{walk:?}");
    }
}
