//! A random network of firing rates.

use super::instance::Made;
use super::system::about;
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut, affine, scale_points, tanh, transposed_add};
use crate::{Error, Real, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// `dx/dt = −x + g J tanh(x)` with fixed weights `J`; the parameter is the gain `g` (Sompolinsky, Crisanti & Sommers 1988).
/// Cost: a product with `J` for each of the four operations; the slab has `2n` numbers.
#[derive(Clone, Debug)]
pub struct RateNetwork<T> {
    units: usize,
    /// `units × units`, column by column.
    weights: Vec<T>,
}

impl<T: Real> RateNetwork<T> {
    /// A network with these weights, `units × units` column by column.
    ///
    /// # Errors
    /// If there is no unit, or the number of weights is another one.
    pub fn new(units: usize, weights: Vec<T>) -> Result<Self> {
        if units == 0 || Some(weights.len()) != units.checked_mul(units) {
            return Err(Error::shape("weights of a rate network", format!("{units} × {units}"), weights.len()));
        }
        Ok(Self { units, weights })
    }

    /// `J tanh(u)`, and `tanh(u)` in `rates`.
    fn drive(&self, u: Block<T>, rates: &mut [T], out: &mut [T]) {
        rates.copy_from_slice(u.data);
        tanh(rates);
        affine(&self.weights, &[], rates, out, u.lanes);
    }
}

impl RateNetwork<f64> {
    /// Independent normal weights of variance `1/units`, zero on the diagonal, and a standard normal start, from ChaCha8.
    pub fn random(units: usize, seed: u64) -> (Self, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |deviation: f64| -> f64 {
            let standard: f64 = StandardNormal.sample(&mut rng);
            deviation * standard
        };
        let deviation = 1.0 / (units as f64).sqrt();
        let mut weights: Vec<f64> = (0..units * units).map(|_| normal(deviation)).collect();
        (0..units).for_each(|i| weights[i * units + i] = 0.0);
        let start = (0..units).map(|_| normal(1.0)).collect();
        (Self { units, weights }, start)
    }
}

impl<T: Real> Component<T> for RateNetwork<T> {
    fn in_dim(&self) -> usize {
        self.units
    }

    fn out_dim(&self) -> usize {
        self.units
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}g"), &[1])]
    }

    fn param_count(&self) -> usize {
        1
    }

    fn slab_len(&self) -> usize {
        2 * self.units
    }

    fn scratch_len(&self) -> usize {
        self.units
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.drive(u, &mut scratch[..u.data.len()], out.data);
        out.data.iter_mut().zip(u.data).for_each(|(out, &x)| *out = params[0] * *out - x);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, _: &mut [T]) {
        // The slab holds the slopes of the rates, then the drive.
        let (slopes, drive) = slab.split_at_row(self.units);
        self.drive(u, slopes.data, drive.data);
        slopes.data.iter_mut().for_each(|rate| *rate = T::one() - *rate * *rate);
        let terms = drive.data.iter().zip(u.data);
        out.data.iter_mut().zip(terms).for_each(|(out, (&drive, &x))| *out = params[0] * drive - x);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, scratch: &mut [T]) {
        let (slopes, drive) = slab.split_at_row(self.units);
        let d = tangent.arguments;
        let moved = &mut scratch[..d.data.len()];
        moved.copy_from_slice(d.data);
        scale_points(slopes.data, slab.lanes, moved, d.lanes);
        affine(&self.weights, &[], moved, out.data, d.lanes);
        out.data.iter_mut().zip(d.data).for_each(|(out, &d)| *out = params[0] * *out - d);
        if let Some(gains) = tangent.params {
            for i in 0..self.units {
                for (lane, (out, &gain)) in out.row(i).iter_mut().zip(gains.row(0)).enumerate() {
                    *out += gain * drive.row(i)[lane % slab.lanes];
                }
            }
        }
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        _: &mut [T],
    ) {
        let (slopes, drive) = slab.split_at_row(self.units);
        u_bar.data.fill(T::zero());
        transposed_add(&self.weights, w.data, u_bar.data, w.lanes);
        scale_points(slopes.data, slab.lanes, u_bar.data, w.lanes);
        u_bar.data.iter_mut().zip(w.data).for_each(|(bar, &w)| *bar = params[0] * *bar - w);
        if let Some(bar) = params_bar {
            for i in 0..self.units {
                for (lane, &w) in w.row(i).iter().enumerate() {
                    bar[0] += w * drive.row(i)[lane % slab.lanes];
                }
            }
        }
    }
}

/// More units would not fit memory.
const MOST_UNITS: u64 = 4096;

pub(super) const RATE_NETWORK: System = System {
    name: "rate-network",
    title: "a random recurrent network of firing rates",
    kind: Kind::Flow,
    equations: "x' = -x + g J tanh(x), J[i,j] normal of variance 1/n, J[i,i] = 0",
    source: "Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61, 259-262",
    remark: "Chaos sets in near g = 1 for very large n; below n = 200 or g = 3 single networks may not be chaotic. Weights \
             and start are drawn with ChaCha8 from `seed`.",
    parameters: &[
        Parameter::whole("n", 200, "units", 1..=MOST_UNITS),
        Parameter::real("g", 3.0, "gain: spread of the weights"),
        Parameter::whole("seed", 0, "seed of weights and start", 0..=1 << 53),
    ],
    span: Span { end: 100.0, step: 0.1 },
    measure: Measure { step: 0.05, warmup: 100.0, time: 200.0, starts: 2, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.160, 0.023)],
        dimension: None,
        how: "explicit Euler with step 0.1, the spread over networks as the error; a single network lies within it or near",
    }],
    make: |p| {
        let units = p[0] as usize;
        let (net, start) = RateNetwork::random(units, p[2] as u64);
        let labels = (1..=units).map(|i| format!("x{i}")).collect();
        Made::new(net, labels, start).sum(-p[0]).zeros(1)
    },
};
