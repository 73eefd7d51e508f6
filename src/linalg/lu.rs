//! Small dense systems in place: for steps that solve for their stages without allocating.

use crate::Real;

/// Factors `a`, `n × n` row after row, into triangles with partial pivoting (Golub & Van Loan, alg. 3.4.1); the row that
/// took each pivot's place goes to `pivots`. The diagonal holds the inverse pivots, which are not finite if `a` is singular.
pub(crate) fn factor<T: Real>(a: &mut [T], pivots: &mut [T]) {
    let n = pivots.len();
    for k in 0..n {
        let best = (k..n).fold(k, |best, i| if a[i * n + k].abs() > a[best * n + k].abs() { i } else { best });
        pivots[k] = T::of(best as f64);
        if best != k {
            (0..n).for_each(|j| a.swap(k * n + j, best * n + j));
        }
        let inverse = T::one() / a[k * n + k];
        a[k * n + k] = inverse;
        for i in k + 1..n {
            let weight = a[i * n + k] * inverse;
            a[i * n + k] = weight;
            for j in k + 1..n {
                let less = weight * a[k * n + j];
                a[i * n + j] -= less;
            }
        }
    }
}

/// Replaces `b` by the solution of `A x = b`.
pub(crate) fn solve<T: Real>(a: &[T], pivots: &[T], b: &mut [T]) {
    let n = pivots.len();
    for (k, pivot) in pivots.iter().enumerate() {
        b.swap(k, pivot.f64() as usize);
    }
    for i in 0..n {
        for j in 0..i {
            let less = a[i * n + j] * b[j];
            b[i] -= less;
        }
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            let less = a[i * n + j] * b[j];
            b[i] -= less;
        }
        b[i] *= a[i * n + i];
    }
}

/// Replaces `b` by the solution of `Aᵀ x = b`.
pub(crate) fn solve_transposed<T: Real>(a: &[T], pivots: &[T], b: &mut [T]) {
    let n = pivots.len();
    for i in 0..n {
        for j in 0..i {
            let less = a[j * n + i] * b[j];
            b[i] -= less;
        }
        b[i] *= a[i * n + i];
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            let less = a[j * n + i] * b[j];
            b[i] -= less;
        }
    }
    for k in (0..n).rev() {
        b.swap(k, pivots[k].f64() as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_of_a_matrix_and_its_transpose_give_the_right_sides_back() {
        for n in 1..9 {
            // A zero in the first place needs a pivot.
            let entry = |i: usize, j: usize| match (i, j) {
                (0, 0) if n > 1 => 0.0,
                _ if i == j => 2.0,
                _ => ((3 * i + 5 * j + 1) as f64).sin(),
            };
            let mut a: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
            let mut pivots = vec![0.0; n];
            factor(&mut a, &mut pivots);
            let right: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            for transposed in [false, true] {
                let mut x = right.clone();
                if transposed {
                    solve_transposed(&a, &pivots, &mut x)
                } else {
                    solve(&a, &pivots, &mut x)
                }
                for (i, &known) in right.iter().enumerate() {
                    let sum: f64 = (0..n).map(|j| if transposed { entry(j, i) } else { entry(i, j) } * x[j]).sum();
                    assert!((sum - known).abs() < 1e-10, "{n} {transposed}");
                }
            }
        }
        let (mut singular, mut pivots, mut b) = ([0.0; 4], [0.0; 2], [1.0, 1.0]);
        factor(&mut singular, &mut pivots);
        solve(&singular, &pivots, &mut b);
        assert!(b.iter().any(|x: &f64| !x.is_finite()));
    }
}
