//! Lorenz's ring of sites, of any size.

use super::instance::Made;
use super::system::{about, exact};
use super::{Exponent, Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// `dx_i/dt = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + f` on a ring; the parameter is `f` (Lorenz 1996). Cost: a few
/// operations a site for each of the four operations; the slab is the state.
#[derive(Clone, Debug)]
pub struct Lorenz96 {
    sites: usize,
}

impl Lorenz96 {
    /// A ring of so many sites.
    ///
    /// # Errors
    /// Below four sites, where neighbours fall together.
    pub fn new(sites: usize) -> Result<Self> {
        if sites < 4 {
            return Err(Error::config(format!("a Lorenz 96 ring of {sites} sites"), "take at least 4"));
        }
        Ok(Self { sites })
    }

    /// The sites one after, one before and two before `i`.
    fn neighbours(&self, i: usize) -> [usize; 3] {
        let n = self.sites;
        [(i + 1) % n, (i + n - 1) % n, (i + n - 2) % n]
    }
}

impl<T: Real> Component<T> for Lorenz96 {
    fn in_dim(&self) -> usize {
        self.sites
    }

    fn out_dim(&self) -> usize {
        self.sites
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}f"), &[1])]
    }

    fn param_count(&self) -> usize {
        1
    }

    fn slab_len(&self) -> usize {
        self.sites
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, _: &mut [T]) {
        for i in 0..self.sites {
            let [after, before, second] = self.neighbours(i).map(|k| u.row(k));
            for (lane, (out, &x)) in out.row(i).iter_mut().zip(u.row(i)).enumerate() {
                *out = (after[lane] - second[lane]) * before[lane] - x + params[0];
            }
        }
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        slab.data.copy_from_slice(u.data);
        self.eval(params, u, out, scratch);
    }

    fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, _: &mut [T]) {
        let d = tangent.arguments;
        for i in 0..self.sites {
            let [after, before, second] = self.neighbours(i);
            let (own, force) = (d.row(i), tangent.params.map(|p| p.row(0)));
            let [x, y, z] = [after, before, second].map(|k| slab.row(k));
            let [dx, dy, dz] = [after, before, second].map(|k| d.row(k));
            for (lane, out) in out.row(i).iter_mut().enumerate() {
                let p = lane % slab.lanes;
                let along = (dx[lane] - dz[lane]) * y[p] + (x[p] - z[p]) * dy[lane] - own[lane];
                *out = along + force.map_or(T::zero(), |force| force[lane]);
            }
        }
    }

    fn vjp(
        &self,
        _: &[T],
        slab: Block<T>,
        w: Block<T>,
        mut u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        _: &mut [T],
    ) {
        let n = self.sites;
        for j in 0..n {
            // Site j is the one after j − 1, the one before j + 1, and two before j + 2.
            let (left, right, second) = ((j + n - 1) % n, (j + 1) % n, (j + 2) % n);
            for lane in 0..w.lanes {
                let x = |k: usize| slab.row(k)[lane % slab.lanes];
                let as_after = w.row(left)[lane] * x((j + n - 2) % n);
                let as_before = w.row(right)[lane] * (x(second) - x(left));
                u_bar.row(j)[lane] = as_after + as_before - w.row(second)[lane] * x(right) - w.row(j)[lane];
            }
        }
        if let Some(bar) = params_bar {
            w.data.iter().for_each(|&w| bar[0] += w);
        }
    }
}

const HOW: &str = "rk4 with step 0.01; the standard errors are bounds for all of the list";

/// Values that share a bound of their errors.
const fn list<const N: usize>(values: [f64; N], error: f64) -> [Exponent; N] {
    let mut exponents = [exact(0.0); N];
    let mut i = 0;
    while i < N {
        exponents[i] = about(values[i], error);
        i += 1;
    }
    exponents
}

pub(super) const LORENZ96: System = System {
    name: "lorenz96",
    title: "Lorenz's ring of sites, a toy of the weather",
    kind: Kind::Flow,
    equations: "x[i]' = (x[i+1] - x[i-2]) x[i-1] - x[i] + f, i = 1..n on a ring",
    source: "Lorenz 1996, Proc. Seminar on Predictability, ECMWF, 1-18",
    remark: "",
    parameters: &[
        Parameter::whole("n", 40, "sites", 4..=100_000),
        Parameter::real("f", 8.0, "forcing; above 8/9 the state of rest is unstable"),
    ],
    span: Span { end: 20.0, step: 0.02 },
    measure: Measure { step: 0.01, warmup: 50.0, time: 3000.0, starts: 2, exponents: 0 },
    references: &[
        Reference {
            settings: &[],
            exponents: &list(
                [
                    1.6835, 1.4771, 1.2994, 1.1528, 1.0171, 0.8736, 0.7484, 0.6159, 0.4879, 0.3737, 0.2544, 0.1533,
                    0.0338, -0.0003, -0.0918, -0.2058, -0.3148, -0.4217, -0.5571, -0.6657, -0.7814, -0.8916, -0.9926,
                    -1.1119, -1.2312, -1.3579, -1.4743, -1.6275, -1.7679, -1.9306, -2.1074, -2.3270, -2.5900, -2.8818,
                    -3.2368, -3.6739, -4.0531, -4.3772, -4.6228, -4.8767,
                ],
                0.017,
            ),
            dimension: Some(27.04),
            how: HOW,
        },
        Reference {
            settings: &[("n", 20.0)],
            exponents: &list(
                [
                    1.559, 1.221, 0.941, 0.672, 0.411, 0.144, 0.000, -0.108, -0.355, -0.588, -0.833, -1.053, -1.282,
                    -1.549, -1.846, -2.234, -2.708, -3.450, -4.229, -4.712,
                ],
                0.012,
            ),
            dimension: Some(13.470),
            how: HOW,
        },
        Reference { settings: &[("n", 5.0)], exponents: &[about(0.467, 0.006)], dimension: Some(2.905), how: HOW },
    ],
    make: |p| {
        let sites = p[0] as usize;
        let mut start = vec![p[1]; sites];
        // All sites alike rest; a nudge sets them going.
        start[0] += 0.01;
        let labels = (1..=sites).map(|i| format!("x{i}")).collect();
        Made::new(Lorenz96 { sites }, labels, start).sum(-p[0]).zeros(1)
    },
};
