//! The leading exponent once more, without a Jacobian: by two trajectories that drift apart.

use super::Check;
use crate::analysis::states::States;
use crate::analysis::{Spectrum, Stepped, standard_error};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Growth of the distance of two neighbours, in nats per unit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// Mean rate of growth.
    pub exponent: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// Distance of the neighbours, in units of the state's size: far from rounding, and small enough to be linear.
const DISTANCE: f64 = 1e-7;
/// Nats that the distance may change by before it is set back.
const DRIFT: f64 = 2.0;
const BLOCKS: u64 = 64;

/// Follows a start and a neighbour whose distance is set back every `every` steps (Benettin, Galgani & Strelcyn 1976,
/// Phys. Rev. A 14, 2338–2345). Cost: two evaluations a step. The exponent is −∞ if the two ever meet.
pub fn separate(system: &Stepped<f64>, start: &[f64], warmup: u64, steps: u64, every: u64, seed: u64) -> Separation {
    let dim = system.dim();
    let mut one = States::new(system, 0, 0, start);
    one.advance(warmup);
    let mut two = States::new(system, 0, warmup, one.state());
    let size = one.state().iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-3);
    let distance = DISTANCE * size;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut apart: Vec<f64> = (0..dim).map(|_| StandardNormal.sample(&mut rng)).collect();
    let place = |one: &States<f64>, two: &mut States<f64>, apart: &[f64]| {
        let length = apart.iter().map(|x| x * x).sum::<f64>().sqrt();
        for (to, (&x, &d)) in two.arguments.iter_mut().zip(one.arguments.iter().zip(apart)) {
            *to = x + distance / length * d;
        }
    };
    place(&one, &mut two, &apart);
    let block = (steps / BLOCKS / every).max(1);
    let mut blocks = Vec::new();
    let mut sum = 0.0;
    for count in 0..(steps / every).max(1) {
        one.advance(every);
        two.advance(every);
        (0..dim).for_each(|i| apart[i] = two.arguments[i] - one.arguments[i]);
        let length = apart.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length == 0.0 {
            return Separation { exponent: f64::NEG_INFINITY, standard_error: 0.0 };
        }
        sum += (length / distance).ln();
        place(&one, &mut two, &apart);
        if (count + 1) % block == 0 {
            blocks.push(sum / (block * every) as f64 / system.duration());
            sum = 0.0;
        }
    }
    let exponent = blocks.iter().sum::<f64>() / blocks.len() as f64;
    Separation { exponent, standard_error: standard_error(&[blocks]) }
}

/// The leading exponent of a spectrum against two trajectories over `steps` steps.
pub fn leading(spectrum: &Spectrum, system: &Stepped<f64>, start: &[f64], steps: u64, seed: u64) -> Check {
    let first = spectrum.exponents[0];
    // The tangent needs its time to turn before it is counted, as does the state.
    let quarter = (steps / 4).max(1);
    let (warmup, counted) = if system.length().is_some() {
        (spectrum.warmup, spectrum.steps)
    } else {
        (spectrum.warmup.max(quarter), steps)
    };
    let rate = (first * system.duration()).abs().max(1e-9);
    let every = ((DRIFT / rate) as u64).clamp(1, (counted / BLOCKS).clamp(1, 1000));
    let found = separate(system, start, warmup, counted, every, seed);
    let time = counted as f64 * system.duration();
    if first == f64::NEG_INFINITY {
        // Of a distance without a linear part a step leaves the square or less, which goes on in the next.
        let least = DISTANCE.ln() / (every as f64 * system.duration());
        let note = format!("two trajectories over {counted} steps: their distance falls to its square, or to nothing");
        let holds = found.exponent <= 0.9 * least;
        return Check { holds, ..Check::new("leading exponent", found.exponent, first, 0.0, note) };
    }
    let errors = |x: f64| if x.is_finite() { x * x } else { 0.0 };
    let spread = (errors(found.standard_error) + errors(spectrum.standard_errors[0])).sqrt();
    let tolerance = 4.0 * spread + 12.0 / time + 1e-4 * first.abs();
    let note = format!(
        "two trajectories over {counted} steps, set back every {every}; standard error {:.1e}",
        found.standard_error
    );
    Check::new("leading exponent", found.exponent, first, tolerance, note)
}
