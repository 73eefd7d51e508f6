//! Initial values of parameters.

use crate::Real;
use crate::dynamics::ParamSpec;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Matrices `N(0, gain²/fan-in)`, everything else zero (LeCun et al. 1998, "Efficient BackProp", eq. 16).
pub fn fan_in_normal<T: Real>(specs: &[ParamSpec], gain: f64, rng: &mut impl Rng) -> Vec<T> {
    fill(specs, |fan_in| {
        let z: f64 = StandardNormal.sample(rng);
        gain * z / fan_in.sqrt()
    })
}

/// Matrices uniform on `±gain/√fan-in`, everything else zero.
pub fn fan_in_uniform<T: Real>(specs: &[ParamSpec], gain: f64, rng: &mut impl Rng) -> Vec<T> {
    fill(specs, |fan_in| gain * rng.random_range(-1.0..1.0) / fan_in.sqrt())
}

/// A matrix uniform on `±√(3/fan-in)`, so that its product with numbers of variance one has variance one: for the inputs of
/// a recurrent cell, whose fan-in is that of a single step. Appends to `params`.
pub fn recurrent_uniform<T: Real>(spec: &ParamSpec, rng: &mut impl Rng, params: &mut Vec<T>) {
    let fan_in = spec.shape.get(1).copied().unwrap_or(1).max(1) as f64;
    params.extend((0..spec.len()).map(|_| T::of((3.0 / fan_in).sqrt() * rng.random_range(-1.0..1.0))));
}

/// `blocks` random orthogonal `n × n` matrices one above the other, column by column (Saxe, McClelland & Ganguli 2014):
/// normal columns made orthonormal by Gram and Schmidt's process, done twice. Appends to `params`. Costs `4n³` a block.
pub fn orthogonal<T: Real>(blocks: usize, n: usize, rng: &mut impl Rng, params: &mut Vec<T>) {
    let rows = blocks * n;
    let start = params.len();
    params.resize(start + rows * n, T::zero());
    for block in 0..blocks {
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(n);
        while columns.len() < n {
            let mut column: Vec<f64> = (0..n).map(|_| StandardNormal.sample(rng)).collect();
            for _ in 0..2 {
                for before in &columns {
                    let along: f64 = before.iter().zip(&column).map(|(a, b)| a * b).sum();
                    column.iter_mut().zip(before).for_each(|(x, b)| *x -= along * b);
                }
                let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
                column.iter_mut().for_each(|x| *x /= norm);
            }
            columns.push(column);
        }
        for (j, column) in columns.iter().enumerate() {
            let to = &mut params[start + j * rows + block * n..][..n];
            to.iter_mut().zip(column).for_each(|(to, &x)| *to = T::of(x));
        }
    }
}

fn fill<T: Real>(specs: &[ParamSpec], mut draw: impl FnMut(f64) -> f64) -> Vec<T> {
    let mut params = Vec::with_capacity(specs.iter().map(ParamSpec::len).sum());
    for spec in specs {
        match spec.shape[..] {
            [_, fan_in] => params.extend((0..spec.len()).map(|_| T::of(draw(fan_in as f64)))),
            _ => params.extend((0..spec.len()).map(|_| T::zero())),
        }
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn orthogonal_blocks_are_orthogonal() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let (blocks, n) = (3, 7);
        let mut params: Vec<f64> = Vec::new();
        orthogonal(blocks, n, &mut rng, &mut params);
        for block in 0..blocks {
            let column = |j: usize| &params[j * blocks * n + block * n..][..n];
            for i in 0..n {
                for j in 0..n {
                    let dot: f64 = column(i).iter().zip(column(j)).map(|(a, b)| a * b).sum();
                    assert!(
                        (dot - f64::from(u8::from(i == j))).abs() < 1e-14,
                        "block {block}, columns {i}, {j}: {dot}"
                    );
                }
            }
        }
    }
}
