//! What a Runge–Kutta method is: its coefficients and its continuous extension.

use crate::{Error, Real, Result, linalg};
use nalgebra::Complex;

/// A Runge–Kutta method in *first same as last* form: the last stage is evaluated at the step's result and is the first
/// stage of the next step. A step of an explicit method costs `stages − 1` evaluations.
///
/// Stage `j` is `k_j = f(t + c_j h, y + h Σ_{l<j} a_jl k_l + h γ k_j)`, with `γ = 0` for stage 0, for explicit methods and
/// for stages that only the continuous extension needs; the last stage's state is the result. A method that is not of
/// this form by itself gets the result as one stage more, which its error estimate need not weigh. Its gradient follows
/// from the stages; methods whose stages hold the Jacobian itself (Rosenbrock's) would need second derivatives and have
/// no place here.
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
    /// What kind of method the rows belong to.
    pub kind: Kind,
    /// How a step's error is estimated, none for methods of fixed step.
    pub error: Option<Estimate>,
    /// Nodes of further stages that only the continuous extension needs, evaluated only in steps that hold an output.
    pub extra_c: &'static [f64],
    /// Their rows: row `i` holds the weights of stages `0..stages + i`.
    pub extra_a: &'static [&'static [f64]],
    /// Continuous extension `y(t + θh) = y + h Σ_j b_j(θ) k_j`: row `j` holds `b_j`'s coefficients of θ, θ², …; the
    /// rows of the further stages come last.
    pub dense: &'static [&'static [f64]],
    /// Order of the continuous extension.
    pub dense_order: usize,
    /// Where the coefficients come from.
    pub source: &'static str,
}

/// The estimate of a step's error, `h Σ_j weights_j k_j` for each component.
#[derive(Debug)]
pub struct Estimate {
    /// The estimate, or the two of them together, falls as this power of the step: for a pair of orders 5 and 4 it is 5.
    pub power: usize,
    /// Weights, one a stage: result minus embedded result.
    pub weights: &'static [f64],
    /// A second, coarser estimate that tames the first: with norms `e` and `e₂` the error is `e²/√(e² + e₂²/100)`
    /// (Hairer, Nørsett & Wanner I, eq. II.10.17).
    pub coarse: Option<&'static [f64]>,
}

/// Kinds of methods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Every stage follows from those before it.
    Explicit,
    /// Every stage after the first is solved for, all with this coefficient γ on the diagonal.
    DiagonallyImplicit(f64),
    /// For separable systems, whose state is positions then momenta: these rows are for the momenta, where `a` has those
    /// of the positions. Every stage follows from those before it.
    Partitioned(&'static [&'static [f64]]),
}

impl Tableau {
    /// An explicit method without anything, for tableaus that lack some parts: `Tableau { …, ..Tableau::BLANK }`.
    pub const BLANK: Self = Self {
        name: "",
        order: 0,
        c: &[],
        a: &[],
        kind: Kind::Explicit,
        error: None,
        extra_c: &[],
        extra_a: &[],
        dense: &[],
        dense_order: 0,
        source: "",
    };

    /// Number of stages, the shared one included and those for the continuous extension alone left out.
    pub fn stages(&self) -> usize {
        self.c.len()
    }

    /// Checks that the parts fit each other: a user may have written them.
    ///
    /// # Errors
    /// If rows and nodes do not fit each other, or the continuous extension does not end at the result.
    pub(crate) fn check(&self) -> Result<()> {
        let (stages, all) = (self.stages(), self.stages() + self.extra_c.len());
        let triangular = |rows: &[&[f64]], first: usize| rows.iter().enumerate().all(|(j, row)| row.len() == first + j);
        let momenta = if let Kind::Partitioned(momenta) = self.kind { momenta } else { self.a };
        let rows_fit = stages >= 2
            && [self.a, momenta].iter().all(|rows| rows.len() == stages && triangular(rows, 0))
            && (self.c[0], self.c[stages - 1]) == (0.0, 1.0)
            && self.extra_a.len() == self.extra_c.len()
            && triangular(self.extra_a, stages)
            && self.error.as_ref().is_none_or(|e| {
                e.weights.len() == stages && e.coarse.is_none_or(|coarse| coarse.len() == stages) && e.power > 0
            })
            && self.dense.len() == all
            && self.order > 0;
        if !rows_fit {
            return Err(Error::shape(format!("tableau of {}", self.name), "rows that fit its nodes", "others"));
        }
        let gamma = if let Kind::DiagonallyImplicit(gamma) = self.kind { gamma } else { 0.0 };
        let result = self.a[stages - 1].iter().copied().chain([gamma]).chain(std::iter::repeat(0.0));
        let off = |(row, b): (&&[f64], f64)| (row.iter().sum::<f64>() - b).abs();
        let worst = self.dense.iter().zip(result).map(off).fold(0.0, f64::max);
        if worst < 1e-10 {
            Ok(())
        } else {
            let what = format!("continuous extension of {}", self.name);
            Err(Error::shape(what, "one that ends at the result", format!("one that is {worst:e} off")))
        }
    }

    /// The stability function: what one step makes of `y' = λy`, `y = 1`, with `z = hλ` (Hairer & Wanner II, sec. IV.2). Of
    /// a partitioned method it takes the rows of the positions. Finite at every `z`, however large, under an implicit method;
    /// not finite under an explicit one where it is too large for a number.
    pub fn stability(&self, z: Complex<f64>) -> Complex<f64> {
        let unit = Complex::new(1.0, 0.0);
        let mut states: Vec<Complex<f64>> = Vec::with_capacity(self.stages());
        let gamma = if let Kind::DiagonallyImplicit(gamma) = self.kind { gamma } else { 0.0 };
        // Stages that are solved for are ratios, and those of large numbers are taken in units of them.
        let (one, z) = if self.is_implicit() && z.norm() > 1.0 { (inverse(z), unit) } else { (unit, z) };
        for (j, row) in self.a.iter().enumerate() {
            let known = row.iter().zip(&states).fold(one, |sum, (&a, &s)| sum + z * a * s);
            states.push(if j == 0 { unit } else { known / (one - z * gamma) });
        }
        states.last().copied().unwrap_or_default()
    }

    /// What one step multiplies a mode of eigenvalue λ by, at most, with `z = hλ`: the size of [`stability`](Self::stability)
    /// at `z`. Of a partitioned method it is the spectral radius of its step for `q' = p, p' = λ² q`, whose eigenvalues are
    /// λ and −λ. Infinite where it is too large for a number.
    pub fn growth(&self, z: Complex<f64>) -> f64 {
        let growth = if let Kind::Partitioned(momenta) = self.kind {
            self.partitioned_growth(momenta, z)
        } else {
            self.stability(z).norm()
        };
        // Infinities that meet leave no number; where one arose the growth is beyond all numbers.
        if growth.is_nan() { f64::INFINITY } else { growth }
    }

    fn partitioned_growth(&self, momenta: &[&[f64]], z: Complex<f64>) -> f64 {
        let square = z * z;
        let column = |start: [Complex<f64>; 2]| {
            let mut slopes: Vec<[Complex<f64>; 2]> = Vec::with_capacity(self.stages());
            let mut state = start;
            for (row, other) in self.a.iter().zip(momenta) {
                let ([mut q, mut p], known) = (start, &slopes);
                row.iter().zip(known).for_each(|(&a, k)| q += k[0] * a);
                other.iter().zip(known).for_each(|(&a, k)| p += k[1] * a);
                state = [q, p];
                slopes.push([p, square * q]);
            }
            state
        };
        let (zero, one) = (Complex::new(0.0, 0.0), Complex::new(1.0, 0.0));
        let ([a, c], [b, d]) = (column([one, zero]), column([zero, one]));
        let (half, root) = ((a + d) * 0.5, ((a - d) * (a - d) * 0.25 + b * c).sqrt());
        (half + root).norm().max((half - root).norm())
    }

    /// How far the stability region reaches along the negative real axis; infinite where no end is found.
    pub fn real_stability_limit(&self) -> f64 {
        let stable = |x: f64| self.stability(Complex::new(-x, 0.0)).norm() <= 1.0 + 1e-9;
        let Some(first) = (1..=1000).map(|k| 0.1 * f64::from(k)).find(|&x| !stable(x)) else {
            return f64::INFINITY;
        };
        let (mut low, mut high) = (first - 0.1, first);
        while high - low > 1e-10 {
            let middle = 0.5 * (low + high);
            if stable(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// Whether stages are solved for.
    pub fn is_implicit(&self) -> bool {
        matches!(self.kind, Kind::DiagonallyImplicit(_))
    }

    /// Whether it is for separable systems, of positions and momenta.
    pub fn is_partitioned(&self) -> bool {
        matches!(self.kind, Kind::Partitioned(_))
    }
}

/// `1/z` of a `z` that is not small, without overflow on the way; 0 where it is too large for a number.
fn inverse(z: Complex<f64>) -> Complex<f64> {
    let size = z.norm();
    if size.is_finite() { (z / size).conj() / size } else { Complex::new(0.0, 0.0) }
}

/// A sparse row of coefficients: which stage, and its weight.
pub(crate) type Terms<T> = Vec<(usize, T)>;

/// A tableau's coefficients in the working precision.
#[derive(Clone, Debug)]
pub(crate) struct Coefficients<T> {
    pub stages: usize,
    pub extra: usize,
    pub order: usize,
    /// Nodes of stages and of extra stages.
    pub c: Vec<T>,
    /// Rows of stages and of extra stages, without their zeros.
    pub a: Vec<Terms<T>>,
    /// Of partitioned methods.
    pub momenta: Option<Vec<Terms<T>>>,
    /// Of methods whose stages are solved for.
    pub diagonal: Option<T>,
    pub error: Terms<T>,
    pub coarse: Terms<T>,
    pub error_power: usize,
    /// Coefficients of θ, θ², … of every stage, `degree` a stage.
    dense: Vec<T>,
    degree: usize,
    /// Stages that the continuous extension weighs.
    pub dense_stages: Vec<usize>,
}

impl<T: Real> Coefficients<T> {
    pub fn new(tableau: &Tableau) -> Self {
        let terms = |row: &[f64]| {
            row.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(j, &x)| (j, T::of(x))).collect::<Terms<T>>()
        };
        let estimate = tableau.error.as_ref();
        let degree = tableau.dense.iter().map(|row| row.len()).max().unwrap_or(1);
        Self {
            stages: tableau.stages(),
            extra: tableau.extra_c.len(),
            order: tableau.order,
            c: tableau.c.iter().chain(tableau.extra_c).map(|&c| T::of(c)).collect(),
            a: tableau.a.iter().chain(tableau.extra_a).map(|r| terms(r)).collect(),
            momenta: match tableau.kind {
                Kind::Partitioned(rows) => Some(rows.iter().map(|r| terms(r)).collect()),
                Kind::Explicit | Kind::DiagonallyImplicit(_) => None,
            },
            diagonal: match tableau.kind {
                Kind::DiagonallyImplicit(gamma) => Some(T::of(gamma)),
                Kind::Explicit | Kind::Partitioned(_) => None,
            },
            error: estimate.map_or(Vec::new(), |e| terms(e.weights)),
            coarse: estimate.and_then(|e| e.coarse).map_or(Vec::new(), terms),
            error_power: estimate.map_or(tableau.order + 1, |e| e.power),
            dense: tableau
                .dense
                .iter()
                .flat_map(|r| (0..degree).map(|p| T::of(r.get(p).copied().unwrap_or(0.0))))
                .collect(),
            degree,
            dense_stages: (0..tableau.dense.len()).filter(|&j| tableau.dense[j].iter().any(|&x| x != 0.0)).collect(),
        }
    }

    /// Coefficients of θ, θ², … of `b_j(θ)`.
    #[inline(always)]
    pub fn dense_row(&self, j: usize) -> &[T] {
        &self.dense[j * self.degree..][..self.degree]
    }

    /// `b_j(θ)` for stage `j`.
    pub fn dense_weight(&self, j: usize, theta: T) -> T {
        theta * self.dense_row(j).iter().rev().fold(T::zero(), |sum, &c| sum * theta + c)
    }

    /// `b_j'(θ)` for stage `j`.
    pub fn dense_slope(&self, j: usize, theta: T) -> T {
        self.dense_row(j)
            .iter()
            .enumerate()
            .rev()
            .fold(T::zero(), |sum, (p, &c)| sum * theta + T::of(p as f64 + 1.0) * c)
    }

    /// Weights of all stages, extra ones included, at fraction θ of a step.
    pub fn dense_weights(&self, theta: T, weights: &mut Vec<T>) {
        weights.clear();
        weights.extend((0..self.stages + self.extra).map(|j| self.dense_weight(j, theta)));
    }

    /// Weights of the stages in a step's result.
    pub fn result_weights(&self) -> Vec<T> {
        let mut weights = vec![T::zero(); self.stages];
        self.a[self.stages - 1].iter().for_each(|&(j, weight)| weights[j] = weight);
        weights[self.stages - 1] = self.diagonal.unwrap_or(T::zero());
        weights
    }

    /// The state of stage `j` without its own implicit part: `out = y + h Σ a_jl k_l`, blocks of `h.len()` lanes.
    pub fn stage_state(&self, j: usize, y: &[T], h: &[T], stages: &[T], out: &mut [T]) {
        let block = out.len();
        match &self.momenta {
            None => linalg::combine(y, h, &self.a[j], stages, block, out),
            Some(momenta) => {
                let (positions, rest) = out.split_at_mut(block / 2);
                linalg::combine(y, h, &self.a[j], stages, block, positions);
                linalg::combine(&y[block / 2..], h, &momenta[j], &stages[block / 2..], block, rest);
            }
        }
    }

    /// The transpose of [`stage_state`](Self::stage_state) onto the stages: `before_l += h a_jl state_bar`.
    pub fn stage_state_back(&self, j: usize, h: &[T], state_bar: &[T], before: &mut [T]) {
        let block = state_bar.len();
        let mut add = |terms: &Terms<T>, from: usize, to: usize| {
            for &(l, a) in terms {
                linalg::scaled_add(a, h, &state_bar[from..to], &mut before[l * block + from..l * block + to]);
            }
        };
        match &self.momenta {
            None => add(&self.a[j], 0, block),
            Some(momenta) => {
                add(&self.a[j], 0, block / 2);
                add(&momenta[j], block / 2, block);
            }
        }
    }
}
