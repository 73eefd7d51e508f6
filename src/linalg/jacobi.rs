//! Singular values of matrices whose rows differ by more powers of ten than a number can hold.

use super::dispatch::{Kernel, dispatch};
use super::vector::Vector;

/// Rows this near to orthogonal, in units of rounding and of the root of their length, are left as they are.
const ORTHOGONAL: f64 = 8.0;
/// Below this square of a row's length the closed form for it has lost too many digits.
const CANCELLED: f64 = 0.1;
/// Passes over all pairs; some six are usual.
const MOST_PASSES: usize = 60;

/// Natural logarithms of the singular values of the matrix whose row `i` is `exp(logs[i])` times row `i` of `rows`, in no
/// order; −∞ for a row of zeros or a `logs` of −∞. Both are overwritten: `logs` by the result, `rows` by orthonormal ones.
///
/// One-sided Jacobi rotations with the rows' sizes apart, in logarithms: each value has about as many correct digits as
/// the condition of the matrix of unit rows leaves, however small it is beside the others (Demmel & Veselić 1992, SIAM J.
/// Matrix Anal. Appl. 13, 1204–1245). Cost: some `6 · count² · width` operations a pass, of which there are about six.
pub(crate) fn log_singular_values(rows: &mut [f64], logs: &mut [f64], width: usize) {
    assert!(rows.len() == logs.len() * width);
    if width > 0 {
        dispatch(Jacobi { rows, logs, width });
    }
}

struct Jacobi<'a> {
    rows: &'a mut [f64],
    logs: &'a mut [f64],
    width: usize,
}

impl Kernel<f64> for Jacobi<'_> {
    // Plain loops: compiled for each set of instructions, they are as quick as vectors by hand and have the same bits on all.
    #[inline(always)]
    fn run<V: Vector<f64>>(self) {
        let Self { rows, logs, width } = self;
        let enough = ORTHOGONAL * f64::EPSILON * (width as f64).sqrt();
        let mut order: Vec<usize> = (0..logs.len()).collect();
        for _ in 0..MOST_PASSES {
            rows.chunks_exact_mut(width).zip(logs.iter_mut()).for_each(|(row, log)| unit(row, log));
            order.retain(|&i| logs[i] > f64::NEG_INFINITY);
            // From the largest down: then a pass that rotates little has also sorted.
            order.sort_by(|&a, &b| logs[b].total_cmp(&logs[a]));
            let mut rotated = false;
            for (at, &p) in order.iter().enumerate() {
                for &q in &order[at + 1..] {
                    rotated |= rotate(rows, logs, width, (p, q), enough);
                }
            }
            if !rotated {
                return;
            }
        }
    }
}

/// Makes two unit rows orthogonal, unless they are.
#[inline(always)]
fn rotate(rows: &mut [f64], logs: &mut [f64], width: usize, (p, q): (usize, usize), enough: f64) -> bool {
    let (p, q) = if logs[p] >= logs[q] { (p, q) } else { (q, p) };
    let (first, second) = rows.split_at_mut(p.max(q) * width);
    let (low, high) = (&mut first[p.min(q) * width..][..width], &mut second[..width]);
    let (large, small) = if p < q { (low, high) } else { (high, low) };
    let cosine = dot(large, small);
    if cosine.abs() <= enough || logs[q] == f64::NEG_INFINITY {
        return false;
    }
    // Rutishauser's rotation with the tangent t = τρ written in the ratio ρ ≤ 1 of the sizes: nothing in it overflows.
    let ratio = (logs[q] - logs[p]).exp();
    let apart = 1.0 - ratio * ratio;
    // Between rows of different size it counts by its square only.
    if cosine * cosine <= f64::EPSILON * apart {
        return false;
    }
    let root = (apart * apart + 4.0 * cosine * cosine * ratio * ratio).sqrt();
    let tau = -2.0 * cosine / (apart + root);
    let back = -tau * ratio * ratio;
    let turned = -0.5 * (tau * tau * ratio * ratio).ln_1p();
    let lengths = [1.0 + back * (2.0 * cosine + back), 1.0 + tau * (2.0 * cosine + tau)];
    if lengths[1] > CANCELLED {
        let (x_scale, y_scale) = (1.0 / lengths[0].sqrt(), 1.0 / lengths[1].sqrt());
        combine(large, small, [x_scale, back * x_scale], [tau * y_scale, y_scale]);
        logs[p] += turned - x_scale.ln();
        logs[q] += turned - y_scale.ln();
    } else {
        combine(large, small, [1.0, back], [tau, 1.0]);
        logs[p] += turned;
        logs[q] += turned;
        unit(large, &mut logs[p]);
        unit(small, &mut logs[q]);
    }
    true
}

/// Two rows become two sums of them.
#[inline(always)]
fn combine(a: &mut [f64], b: &mut [f64], first: [f64; 2], second: [f64; 2]) {
    let count = a.len().min(b.len());
    let (a, b) = (&mut a[..count], &mut b[..count]);
    for k in 0..count {
        let (x, y) = (a[k], b[k]);
        a[k] = first[0] * x + first[1] * y;
        b[k] = second[0] * x + second[1] * y;
    }
}

/// Makes a row a unit vector and moves its length to its logarithm; −∞ for a row of zeros.
#[inline(always)]
fn unit(row: &mut [f64], log: &mut f64) {
    let length = dot(row, row).sqrt();
    *log += length.ln();
    if length > 0.0 {
        row.iter_mut().for_each(|x| *x /= length);
    }
}

/// Sums that run side by side.
const SUMS: usize = 16;

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (count, mut at) = (a.len().min(b.len()), 0);
    let mut sums = [0.0; SUMS];
    while at + SUMS <= count {
        let (x, y) = (&a[at..at + SUMS], &b[at..at + SUMS]);
        for k in 0..SUMS {
            sums[k] += x[k] * y[k];
        }
        at += SUMS;
    }
    let mut sum = 0.0;
    while at < count {
        sum += a[at] * b[at];
        at += 1;
    }
    for part in sums {
        sum += part;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    fn sorted(mut rows: Vec<f64>, mut logs: Vec<f64>, width: usize) -> Vec<f64> {
        log_singular_values(&mut rows, &mut logs, width);
        logs.sort_by(|a, b| b.total_cmp(a));
        logs
    }

    fn wave(count: usize, width: usize) -> Vec<f64> {
        (0..count * width).map(|k| (1.3 * (k * k + 1) as f64).sin()).collect()
    }

    #[test]
    fn rows_of_like_size_have_the_dense_singular_values() {
        for (count, width) in [(1, 1), (3, 3), (5, 9), (20, 20), (33, 40)] {
            let rows = wave(count, width);
            let logs: Vec<f64> = (0..count).map(|i| 0.3 * (i as f64).cos()).collect();
            let found = sorted(rows.clone(), logs.clone(), width);
            let dense = DMatrix::from_fn(count, width, |i, j| logs[i].exp() * rows[i * width + j]);
            let mut known: Vec<f64> = dense.singular_values().iter().map(|x| x.ln()).collect();
            known.sort_by(|a, b| b.total_cmp(a));
            for (a, b) in found.iter().zip(&known) {
                assert!((a - b).abs() < 1e-11, "{count} × {width}: {a} {b}");
            }
        }
    }

    #[test]
    fn scaled_rotations_keep_their_scales_whatever_these_are() {
        // The rows of an orthogonal matrix, far beyond the range of a double.
        let basis = DMatrix::from_vec(6, 6, wave(6, 6)).qr().q();
        let rows: Vec<f64> = basis.transpose().iter().copied().collect();
        let logs = vec![3000.0, 2000.0, 10.0, -1e-3, -5000.0, f64::NEG_INFINITY];
        let found = sorted(rows, logs.clone(), 6);
        assert!(found.iter().zip(&logs).take(5).all(|(a, b)| (a - b).abs() < 1e-12 * b.abs().max(1.0)), "{found:?}");
        assert_eq!(found[5], f64::NEG_INFINITY);
    }

    #[test]
    fn two_rows_far_apart_give_the_closed_form() {
        // [a b; 0 ε]: the large one is √(a² + b²), and the product is the determinant.
        let (a, b, log) = (0.6, 0.8, -900.0);
        let found = sorted(vec![a, b, 0.0, 1.0], vec![0.0, log], 2);
        assert!(found[0].abs() < 1e-15 && (found[1] - (log + a.ln())).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn rows_of_zeros_are_minus_infinity() {
        let found = sorted(vec![0.0, 0.0, 1.0, 1.0, 1.0, 1.0], vec![5.0, 0.0, 1.0], 2);
        let known = (2.0 * (1.0 + 2.0f64.exp())).ln() / 2.0;
        assert!((found[0] - known).abs() < 1e-14 && found[2] == f64::NEG_INFINITY && found[1] < -30.0, "{found:?}");
    }
}
