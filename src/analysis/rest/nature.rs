//! What small displacements from a point of rest do.

use super::balanced::Balanced;
use super::{Law, Nature, RestPoint, Resting};
use nalgebra::{Complex, DMatrix, DVector, Schur};

/// An eigenvalue this near to the border between growth and decay, relative to its own size, lies on it.
const ON_BORDER: f64 = 1e-9;
/// Rounding of an eigenvalue, in units of ε a dimension and of the largest.
const ROUNDING: f64 = 32.0;
/// What is left of the speed along a straight set of points of rest, relative to that of any other way.
const AT_REST: f64 = 1e-9;

impl Resting<'_> {
    /// What is known of a state that rests; none if its Jacobian is not finite.
    pub fn describe(&self, state: &[f64]) -> Option<RestPoint> {
        let (residual, mut matrix) = self.linearize(state);
        let balanced = Balanced::new(matrix.clone())?;
        let unseen = balanced.unseen();
        let free = unseen.iter().filter(|direction| self.rests_along(state, direction, &balanced)).count();
        if let Law::Map { .. } = self.law {
            (0..state.len()).for_each(|i| matrix[(i, i)] += 1.0);
        }
        let mut eigenvalues = eigenvalues(matrix)?;
        // Above zero for what grows.
        let growth = |z: &Complex<f64>| if self.law == Law::Flow { z.re } else { z.norm().ln() };
        eigenvalues.sort_by(|a, b| growth(b).total_cmp(&growth(a)).then(b.im.total_cmp(&a.im)));
        let size = eigenvalues.iter().map(|z| z.norm()).fold(f64::MIN_POSITIVE, f64::max);
        let rounding = ROUNDING * state.len() as f64 * f64::EPSILON * size;
        let border =
            |z: &Complex<f64>| if self.law == Law::Flow { rounding.max(ON_BORDER * z.norm()) } else { ON_BORDER };
        let grow = eigenvalues.iter().filter(|z| growth(z) > border(z)).count();
        let shrink = eigenvalues.iter().filter(|z| growth(z) < -border(z)).count();
        let turns = eigenvalues.iter().any(|z| z.im.abs() > rounding.max(ON_BORDER * z.norm()));
        let nature = match (grow, shrink, turns) {
            _ if !unseen.is_empty() || grow + shrink < eigenvalues.len() => Nature::Marginal,
            (0, _, false) => Nature::StableNode,
            (0, _, true) => Nature::StableFocus,
            (_, 0, false) => Nature::UnstableNode,
            (_, 0, true) => Nature::UnstableFocus,
            _ => Nature::Saddle,
        };
        Some(RestPoint { state: state.to_vec(), residual: residual.norm(), eigenvalues, nature, free })
    }

    /// Whether the system rests at some distance to either side as well.
    fn rests_along(&self, state: &[f64], direction: &DVector<f64>, balanced: &Balanced) -> bool {
        let at = DVector::from_column_slice(state);
        let size = if at.amax() > 0.0 { at.amax() } else { 1.0 };
        let step = direction * (size / direction.amax());
        [&at + &step, &at - &step].iter().all(|other| {
            let (residual, _) = self.linearize(other.as_slice());
            balanced.size(&residual) <= AT_REST * balanced.length(&step)
        })
    }
}

/// Eigenvalues of a real matrix in no particular order; none if it is not finite or they are not found. One too large for a
/// number is infinite.
pub fn eigenvalues(matrix: DMatrix<f64>) -> Option<Vec<Complex<f64>>> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let most = 1000 * matrix.nrows().max(1);
    // Squares of the numbers must neither overflow nor vanish.
    let largest = matrix.amax();
    let size = if largest > 0.0 { largest } else { 1.0 };
    let schur = Schur::try_new(matrix.map(|x| x / size), f64::EPSILON, most)?;
    Some(schur.complex_eigenvalues().iter().map(|z| z * size).collect())
}
