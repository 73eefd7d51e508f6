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
