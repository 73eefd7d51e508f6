//! Slopes at the knots that make a path of cubics.

use crate::Real;

/// Slopes of the lines between neighbouring knots, `(knots − 1) × dim`.
fn secants<T: Real>(times: &[T], values: &[T], dim: usize) -> Vec<T> {
    let later = values.iter().skip(dim);
    let lengths = times.windows(2).flat_map(|pair| std::iter::repeat_n(pair[1] - pair[0], dim));
    values.iter().zip(later).zip(lengths).map(|((&a, &b), h)| (b - a) / h).collect()
}

/// At each knot the slope of the line that leads to it; at the first, that of the line that leads away.
pub fn backward<T: Real>(times: &[T], values: &[T], dim: usize) -> Vec<T> {
    let secants = secants(times, values, dim);
    let first = secants.get(..dim).map_or(vec![T::zero(); dim], <[T]>::to_vec);
    [first, secants].concat()
}

/// Slopes of the natural cubic spline: curvature is continuous at inner knots and zero at the ends. A tridiagonal system
/// with a dominant diagonal, solved without pivots for all channels together.
pub fn natural<T: Real>(times: &[T], values: &[T], dim: usize) -> Vec<T> {
    let last = times.len() - 1;
    if last == 0 {
        return vec![T::zero(); dim];
    }
    let (two, three) = (T::of(2.0), T::of(3.0));
    let secants = secants(times, values, dim);
    let mut ratios = Vec::with_capacity(last);
    let mut slopes: Vec<T> = Vec::with_capacity((last + 1) * dim);
    for k in 0..=last {
        let (lower, upper) = natural_row(times, k);
        let pivot = two - ratios.last().map_or(T::zero(), |&ratio: &T| lower * ratio);
        for c in 0..dim {
            let secant = |segment: usize| secants[segment * dim + c];
            let right = lower * if k > 0 { secant(k - 1) } else { T::zero() }
                + upper * if k < last { secant(k) } else { T::zero() };
            let before = if k > 0 { slopes[(k - 1) * dim + c] } else { T::zero() };
            slopes.push((three * right - lower * before) / pivot);
        }
        ratios.push(upper / pivot);
    }
    for at in (0..last * dim).rev() {
        let next = slopes[at + dim];
        slopes[at] -= ratios[at / dim] * next;
    }
    slopes
}

/// Lower and upper coefficient of the natural spline's equation at a knot, `lower·m[k−1] + 2·m[k] + upper·m[k+1] = 3
/// (lower·secant[k−1] + upper·secant[k])`: the shares of its two segments, each weighting the other's secant.
fn natural_row<T: Real>(times: &[T], k: usize) -> (T, T) {
    if k == 0 {
        return (T::zero(), T::one());
    }
    if k + 1 == times.len() {
        return (T::one(), T::zero());
    }
    let (before, after) = (times[k] - times[k - 1], times[k + 1] - times[k]);
    (after / (before + after), before / (before + after))
}

/// Adds what a cotangent of one secant makes of the values at its ends.
fn secant_pull<T: Real>(
    times: &[T],
    segment: usize,
    secant_bar: T,
    (channel, dim): (usize, usize),
    values_bar: &mut [T],
) {
    let by = secant_bar / (times[segment + 1] - times[segment]);
    values_bar[segment * dim + channel] -= by;
    values_bar[(segment + 1) * dim + channel] += by;
}

/// The transpose of [`backward`] for cotangents of the slopes at two neighbouring knots, the first of them `knot`.
pub fn backward_pull<T: Real>(
    times: &[T],
    knot: usize,
    slopes_bar: [T; 2],
    channel: (usize, usize),
    values_bar: &mut [T],
) {
    for (k, bar) in slopes_bar.into_iter().enumerate() {
        secant_pull(times, (knot + k).saturating_sub(1), bar, channel, values_bar);
    }
}

/// The transpose of [`natural`] for cotangents of the slopes at two neighbouring knots, the first of them `knot`.
pub fn natural_pull<T: Real>(
    times: &[T],
    knot: usize,
    slopes_bar: [T; 2],
    channel: (usize, usize),
    values_bar: &mut [T],
) {
    let last = times.len() - 1;
    // The transposed system, its off-diagonals being those of the neighbouring rows.
    let mut pivots: Vec<T> = Vec::with_capacity(last + 1);
    let mut z = vec![T::zero(); last + 1];
    z[knot..knot + 2].copy_from_slice(&slopes_bar);
    for k in 0..=last {
        let mut pivot = T::of(2.0);
        if k > 0 {
            let ratio = natural_row(times, k - 1).1 / pivots[k - 1];
            pivot -= ratio * natural_row(times, k).0;
            let before = z[k - 1];
            z[k] -= ratio * before;
        }
        pivots.push(pivot);
    }
    for k in (0..=last).rev() {
        let next = if k < last { natural_row(times, k + 1).0 * z[k + 1] } else { T::zero() };
        z[k] = (z[k] - next) / pivots[k];
    }
    for (k, &z) in z.iter().enumerate() {
        let (lower, upper) = natural_row(times, k);
        let right_bar = T::of(3.0) * z;
        if k > 0 {
            secant_pull(times, k - 1, right_bar * lower, channel, values_bar);
        }
        if k < last {
            secant_pull(times, k, right_bar * upper, channel, values_bar);
        }
    }
}
