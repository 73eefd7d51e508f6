//! A Jacobian taken apart with its rows and columns brought to one size: which directions it does not see at all.

use nalgebra::{DMatrix, DVector, Dyn, SVD};

/// Singular values this many ε a dimension, beside the largest, are zero.
const ROUNDING: f64 = 64.0;
/// Rounds of scaling, after which rows and columns of all but pathological matrices have one size.
const ROUNDS: usize = 4;

/// `A = R⁻¹ Â C⁻¹` with diagonal `R`, `C` (powers of 2, so no bit is lost), and the singular value decomposition of `Â`.
/// Modes of very different rates, or states in very different units, leave `Â` as far from singular as it is.
pub(super) struct Balanced {
    rows: DVector<f64>,
    columns: DVector<f64>,
    svd: SVD<f64, Dyn, Dyn>,
    nothing: f64,
}

impl Balanced {
    /// None if a number of the matrix is not finite, or the values are not found.
    pub fn new(mut matrix: DMatrix<f64>) -> Option<Self> {
        let dim = matrix.nrows();
        if matrix.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let (mut rows, mut columns) = (DVector::from_element(dim, 1.0), DVector::from_element(dim, 1.0));
        for _ in 0..ROUNDS {
            for i in 0..dim {
                let factor = inverse_power(matrix.row(i).amax());
                matrix.row_mut(i).scale_mut(factor);
                rows[i] *= factor;
            }
            for j in 0..dim {
                let factor = inverse_power(matrix.column(j).amax());
                matrix.column_mut(j).scale_mut(factor);
                columns[j] *= factor;
            }
        }
        let svd = SVD::try_new(matrix, true, true, f64::EPSILON, 1000 * dim.max(1))?;
        let nothing = ROUNDING * dim as f64 * f64::EPSILON * svd.singular_values.amax();
        Some(Self { rows, columns, svd, nothing })
    }

    /// Directions that the matrix maps to nothing.
    pub fn unseen(&self) -> Vec<DVector<f64>> {
        let Some(right) = &self.svd.v_t else { return Vec::new() };
        let values = self.svd.singular_values.iter().enumerate();
        let zero = values.filter(|(_, value)| **value <= self.nothing);
        zero.map(|(k, _)| right.row(k).transpose().component_mul(&self.columns)).collect()
    }

    /// `x` with `A x` as near to `b` as can be, without part along unseen directions; and what is left of `b`, in units of
    /// the rows.
    pub fn solve(&self, b: &DVector<f64>) -> Option<(DVector<f64>, f64)> {
        let (left, right) = (self.svd.u.as_ref()?, self.svd.v_t.as_ref()?);
        let scaled = b.component_mul(&self.rows);
        let mut parts = left.tr_mul(&scaled);
        let mut rest = scaled;
        for (k, &value) in self.svd.singular_values.iter().enumerate() {
            if value <= self.nothing {
                parts[k] = 0.0;
            } else {
                rest.axpy(-parts[k], &left.column(k), 1.0);
                parts[k] /= value;
            }
        }
        Some((right.tr_mul(&parts).component_mul(&self.columns), rest.amax()))
    }

    /// The largest part of `b` in units of the rows, in which the matrix is of size 1.
    pub fn size(&self, b: &DVector<f64>) -> f64 {
        b.component_mul(&self.rows).amax()
    }

    /// The largest part of a direction in units of the columns.
    pub fn length(&self, direction: &DVector<f64>) -> f64 {
        direction.component_div(&self.columns).amax()
    }
}

/// The power of 2 that brings a size to between 1 and 2; 1 for zero.
fn inverse_power(size: f64) -> f64 {
    // Beyond that the power itself, or its inverse, is no number.
    if (1e-300..1e300).contains(&size) { (-size.log2().floor()).exp2() } else { 1.0 }
}
