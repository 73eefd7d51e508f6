//! What a Runge–Kutta method is: its coefficients and its continuous extension.

use crate::Real;

/// An explicit Runge–Kutta method in *first same as last* form: the last stage is evaluated at the step's result and is
/// the first stage of the next step. A step costs `stages − 1` evaluations.
#[derive(Debug)]
pub struct Tableau {
    /// Name on the command line.
    pub name: &'static str,
    /// Order of the solution that is carried on.
    pub order: usize,
    /// Nodes `c`, one a stage; the first is 0, the last is 1.
    pub c: &'static [f64],
    /// Row `j` holds the weights of stages `0..j`; the last row holds the weights `b` of the result.
    pub a: &'static [&'static [f64]],
    /// Weights of the error estimate (result minus embedded result), none for methods of fixed step.
    pub error: Option<&'static [f64]>,
    /// Continuous extension `y(t + θh) = y + h Σ_j b_j(θ) k_j`: row `j` holds `b_j`'s coefficients of θ, θ², ….
    pub dense: &'static [&'static [f64]],
    /// Order of the continuous extension.
    pub dense_order: usize,
    /// Where the coefficients come from.
    pub source: &'static str,
}

impl Tableau {
    /// Number of stages, the shared one included.
    pub fn stages(&self) -> usize {
        self.c.len()
    }
}

/// A tableau's coefficients in the working precision.
#[derive(Clone, Debug)]
pub(crate) struct Coefficients<T> {
    pub stages: usize,
    pub order: usize,
    pub c: Vec<T>,
    pub a: Vec<Vec<T>>,
    pub error: Vec<T>,
    dense: Vec<Vec<T>>,
}

impl<T: Real> Coefficients<T> {
    pub fn new(tableau: &Tableau) -> Self {
        let row = |row: &[f64]| row.iter().map(|&x| T::of(x)).collect::<Vec<T>>();
        Self {
            stages: tableau.stages(),
            order: tableau.order,
            c: row(tableau.c),
            a: tableau.a.iter().map(|r| row(r)).collect(),
            error: tableau.error.map_or(Vec::new(), row),
            dense: tableau.dense.iter().map(|r| row(r)).collect(),
        }
    }

    /// `b_j(θ)` for stage `j`.
    pub fn dense_weight(&self, j: usize, theta: T) -> T {
        theta * self.dense[j].iter().rev().fold(T::zero(), |sum, &c| sum * theta + c)
    }
}
