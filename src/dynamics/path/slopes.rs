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
    // Shares of an inner knot's two segments, each weighting the other's secant.
    let share = |k: usize| {
        let (before, after) = (times[k] - times[k - 1], times[k + 1] - times[k]);
        (after / (before + after), before / (before + after))
    };
    // Row k reads lower·m[k−1] + 2·m[k] + upper·m[k+1] = right.
    let mut ratios = Vec::with_capacity(last);
    let mut slopes: Vec<T> = Vec::with_capacity((last + 1) * dim);
    for k in 0..=last {
        let (lower, upper) = match k {
            0 => (T::zero(), T::one()),
            _ if k == last => (T::one(), T::zero()),
            _ => share(k),
        };
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
