//! Fewer vertices and marks with the same look: documents stay small whatever the data's length.

use super::canvas::Place;

/// Keeps of each run of places in one pixel column the first, lowest, highest and last, in order; if that is still more
/// than `most`, the same over runs of equal length. Peaks stay.
pub(crate) fn path(places: &[Place], most: usize) -> Vec<Place> {
    let most = most.max(8);
    if places.len() <= most {
        return places.to_vec();
    }
    let by_column = runs(places, |a, b| a.0.floor() == b.0.floor());
    let by_column: Vec<Place> = by_column.into_iter().flat_map(extremes).collect();
    if by_column.len() <= most {
        return by_column;
    }
    by_column.chunks(by_column.len().div_ceil(most / 4)).flat_map(extremes).collect()
}

/// A band as (x, lower, upper) thinned to at most about `most` places: the extremes of runs of equal length.
pub(crate) fn band(places: &[(f64, f64, f64)], most: usize) -> Vec<(f64, f64, f64)> {
    let most = most.max(8);
    if places.len() <= most {
        return places.to_vec();
    }
    let (first, last) = (places[0].0, places[places.len() - 1].0);
    let mut thinned: Vec<_> = places
        .chunks(places.len().div_ceil(most))
        .map(|run| {
            let lower = run.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
            let upper = run.iter().map(|p| p.2).fold(f64::INFINITY, f64::min);
            (run[run.len() / 2].0, lower, upper)
        })
        .collect();
    // The ends stay where they are, lest the band stop short of its curve.
    if let Some(place) = thinned.first_mut() {
        place.0 = first;
    }
    if let Some(place) = thinned.last_mut() {
        place.0 = last;
    }
    thinned
}

/// The numbers of the marks to draw: one of those that fall on the same spot of `grain` pixels, then evenly at most `most`.
pub(crate) fn marks(places: &[Place], grain: f64, most: usize) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<usize> = (0..places.len()).collect();
    if kept.len() > 500 {
        kept.retain(|&i| seen.insert(((places[i].0 / grain).round() as i64, (places[i].1 / grain).round() as i64)));
    }
    let stride = kept.len().div_ceil(most.max(1)).max(1);
    kept.into_iter().step_by(stride).collect()
}

/// Neighbours that belong together.
fn runs(places: &[Place], same: impl Fn(&Place, &Place) -> bool) -> Vec<&[Place]> {
    places.chunk_by(same).collect()
}

/// First, lowest, highest and last of a run, in order.
fn extremes(run: &[Place]) -> Vec<Place> {
    let by_height = |&a: &usize, &b: &usize| run[a].1.total_cmp(&run[b].1);
    let lowest = (0..run.len()).min_by(by_height).unwrap_or(0);
    let highest = (0..run.len()).max_by(by_height).unwrap_or(0);
    let mut kept = [0, lowest, highest, run.len().saturating_sub(1)];
    kept.sort_unstable();
    let mut kept = kept.to_vec();
    kept.dedup();
    kept.into_iter().filter_map(|i| run.get(i).copied()).collect()
}

/// A curve that may turn any way: places nearer than some grain to the last one kept go, with the finest grain of which
/// at most `most` are left. The ends stay.
pub(crate) fn curve(places: &[Place], most: usize) -> Vec<Place> {
    let most = most.max(8);
    let mut grain = 0.5;
    let mut kept = places.to_vec();
    while kept.len() > most && grain < 1e6 {
        let mut last = places[0];
        kept = places
            .iter()
            .copied()
            .filter(|p| {
                let far = (p.0 - last.0).hypot(p.1 - last.1) >= grain;
                if far {
                    last = *p;
                }
                far
            })
            .collect();
        kept.insert(0, places[0]);
        kept.extend(places.last());
        grain *= 1.5;
    }
    kept
}
