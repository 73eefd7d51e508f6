//! Systems for tests.

use crate::analysis::{Run, Spectrum, SpectrumOptions, Stepped};
use crate::dynamics::systems::{Instance, Settings, system};
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut, affine, transposed_add};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// `x ← A(t) x`: the linear map of the step's number.
pub struct Linear<F> {
    pub dim: usize,
    /// Writes the matrix of a step, column by column.
    pub matrix: F,
}

impl<F: Fn(u64, &mut [f64]) + Send + Sync> Component<f64> for Linear<F> {
    fn in_dim(&self) -> usize {
        self.dim + 1
    }
    fn out_dim(&self) -> usize {
        self.dim
    }
    fn params(&self, _: &str) -> Vec<ParamSpec> {
        Vec::new()
    }
    fn param_count(&self) -> usize {
        0
    }
    fn slab_len(&self) -> usize {
        self.dim * self.dim
    }
    fn scratch_len(&self) -> usize {
        self.dim * self.dim
    }
    fn eval(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        self.linearize(params, u, out, BlockMut::new(&mut scratch[..self.dim * self.dim], 1), &mut []);
    }
    fn linearize(&self, _: &[f64], u: Block<f64>, out: BlockMut<f64>, slab: BlockMut<f64>, _: &mut [f64]) {
        assert_eq!(u.lanes, 1);
        (self.matrix)(u.data[self.dim] as u64, slab.data);
        affine(slab.data, &[], &u.data[..self.dim], out.data, 1);
    }
    fn jvp(&self, _: &[f64], slab: Block<f64>, tangent: Tangent<f64>, out: BlockMut<f64>, _: &mut [f64]) {
        let lanes = out.lanes;
        affine(slab.data, &[], &tangent.arguments.data[..self.dim * lanes], out.data, lanes);
    }
    fn vjp(
        &self,
        _: &[f64],
        slab: Block<f64>,
        w: Block<f64>,
        u_bar: BlockMut<f64>,
        _: Option<&mut [f64]>,
        _: &mut [f64],
    ) {
        u_bar.data.fill(0.0);
        let rows = self.dim * w.lanes;
        transposed_add(slab.data, w.data, &mut u_bar.data[..rows], w.lanes);
    }
}

/// A fixed matrix, row after row.
pub fn fixed(dim: usize, rows: Vec<f64>) -> Linear<impl Fn(u64, &mut [f64]) + Send + Sync> {
    let matrix = move |_, out: &mut [f64]| {
        for (i, row) in rows.chunks_exact(dim).enumerate() {
            row.iter().enumerate().for_each(|(j, &x)| out[j * dim + i] = x);
        }
    };
    Linear { dim, matrix }
}

/// Independent normal entries of variance `variance`, new at every step.
pub fn gaussian(dim: usize, variance: f64, seed: u64) -> Linear<impl Fn(u64, &mut [f64]) + Send + Sync> {
    let matrix = move |step, out: &mut [f64]| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step);
        for x in out {
            let normal: f64 = StandardNormal.sample(&mut rng);
            *x = variance.sqrt() * normal;
        }
    };
    Linear { dim, matrix }
}

/// An orthogonal matrix, row after row, times `gain`.
pub fn orthogonal(dim: usize, gain: f64) -> Vec<f64> {
    let mut frame: Vec<f64> = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    frame.extend((0..dim * dim).map(|_| -> f64 { StandardNormal.sample(&mut rng) }));
    crate::linalg::Qr::new(dim, dim, 1, 0).factor(&mut frame);
    frame.iter().map(|x| gain * x).collect()
}

pub fn named(name: &str, settings: &[&str]) -> Instance {
    system(name).unwrap().build(&Settings::parse(settings).unwrap()).unwrap()
}

/// The spectrum of a map that takes the step's number, from the origin.
pub fn spectrum_of(map: &dyn Component<f64>, options: SpectrumOptions) -> Spectrum {
    let system = Stepped::map(map, &[]);
    Run::new(&system, &[vec![0.0; map.out_dim()]], options).unwrap().finish().unwrap()
}

/// The spectrum of a named map from its usual start.
pub fn spectrum_of_named(instance: &Instance, options: SpectrumOptions) -> Spectrum {
    let system = Stepped::map(&*instance.component, &instance.params);
    Run::new(&system, std::slice::from_ref(&instance.start), options).unwrap().finish().unwrap()
}

/// Largest difference.
pub fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
}
