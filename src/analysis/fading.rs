//! How gradients live and die along a sequence: what is measured, beside what the Lyapunov exponent predicts.

use super::horizon::{BackwardNorms, BackwardOptions, backward_norms};
use super::{Drive, Run, SingularValues, SpectrumOptions, Stepped, singular_values};
use crate::{Real, Result};

/// States of more dimensions have no singular values told: they take the cube of the dimensions in time at every lag.
pub const MOST_DIMENSIONS: usize = 512;

/// Gradients by lag.
#[derive(Clone, Debug, PartialEq)]
pub struct Fading {
    /// Norms of gradients pulled back, for the lags 0, 1, ….
    pub norms: BackwardNorms,
    /// Singular values of the product of the Jacobians of the last steps, for the lags 1, 2, …, of the first start; empty
    /// for systems of more than 512 dimensions.
    pub products: Vec<SingularValues>,
    /// The leading Lyapunov exponent of the same steps and starts, in nats per unit of time.
    pub predicted: f64,
    /// Its standard error.
    pub predicted_error: f64,
    /// Slope of the logarithm of the norm over the lags of [`fitted`](Self::fitted), in nats per unit of time.
    pub measured: f64,
    /// First and last of these lags: the second half of those with norms other than zero, or both of the lags 0 and 1. Before,
    /// gradients still turn towards the leading direction.
    pub fitted: [u64; 2],
}

/// Measures norms, singular values and both rates.
///
/// Cost: that of [`backward_norms`], of [`singular_values`] at every lag and of one Lyapunov exponent.
///
/// # Errors
/// Those of the three.
pub fn fading<T: Real>(system: &Stepped<T>, starts: &[Vec<T>], options: &BackwardOptions) -> Result<Fading> {
    let norms = backward_norms(system, starts, options)?;
    let (lags, steps) = (options.lags, options.steps(system)?);
    let products = if system.dim() <= MOST_DIMENSIONS {
        let all: Vec<u64> = (1..=lags).collect();
        singular_values(&of_the_first(system), &starts[0], options.warmup + steps, &all, options.seed)?
    } else {
        Vec::new()
    };
    let leading =
        SpectrumOptions { exponents: Some(1), seed: options.seed, ..SpectrumOptions::new(options.warmup, steps) };
    let spectrum = Run::new(system, starts, leading)?.finish()?;
    let last = norms.log_norms.iter().rposition(|log| log.is_finite()).unwrap_or(0) as u64;
    let fitted = [if last == 1 { 0 } else { last.div_ceil(2) }, last];
    let measured = match last {
        // Every gradient is zero after a single step.
        0 => f64::NEG_INFINITY,
        _ => norms.rate(fitted[0] as usize..=fitted[1] as usize) / system.duration(),
    };
    let (predicted, predicted_error) = (spectrum.exponents[0], spectrum.standard_errors[0]);
    Ok(Fading { norms, products, predicted, predicted_error, measured, fitted })
}

/// The system under the inputs of its first start.
fn of_the_first<'a, T: Real>(system: &Stepped<'a, T>) -> Stepped<'a, T> {
    match &system.drive {
        Drive::Sequences(rows) => system.clone().driven(Drive::Sequences(rows[..1].to_vec())),
        Drive::Free | Drive::Constant(_) => system.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tests::kit::{fixed, gaussian, named};
    use crate::cells::Cell;
    use crate::dynamics::Component;
    use crate::nn::fan_in_normal;
    use crate::solve::{RK4, StepMap};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn products_of_random_matrices_fall_at_newmans_rate() {
        // λ₁ = ln σ + ½ (ln 2 + ψ(n/2)) with σ² = 1/n: −0.0254163 for n = 20.
        let map = gaussian(20, 1.0 / 20.0, 3);
        let options = BackwardOptions { steps: Some(4000), ends: 40, ..BackwardOptions::new(400) };
        let found = fading(&Stepped::map(&map, &[]), &[vec![0.0; 20]], &options).unwrap();
        assert!((found.predicted + 0.0254163).abs() < 0.01, "{}", found.predicted);
        assert!((found.measured - found.predicted).abs() < 0.005, "{} {}", found.measured, found.predicted);
        assert_eq!(found.products.len(), 400);
        assert!(found.products.iter().all(|values| values.logs.is_sorted_by(|a, b| a >= b)));
        // From one end, no gradient outgrows the largest singular value, or falls below the smallest.
        let options = BackwardOptions { ends: 1, ..BackwardOptions::new(50) };
        let found = fading(&Stepped::map(&map, &[]), &[vec![0.0; 20]], &options).unwrap();
        for (values, norm) in found.products.iter().zip(&found.norms.log_norms[1..]) {
            assert!(values.logs[0] > *norm && values.logs[19] < *norm);
        }
    }

    #[test]
    fn rates_of_a_flow_are_per_unit_of_time() {
        let lorenz = named("lorenz63", &[]);
        let map = StepMap::new(lorenz.field().unwrap(), &RK4, 0.01).unwrap();
        let system = Stepped::timed(&map, &lorenz.params, 0.01);
        let options = BackwardOptions { warmup: 1000, ..BackwardOptions::new(5000) };
        let found = fading(&system, std::slice::from_ref(&lorenz.start), &options).unwrap();
        assert!((found.predicted - 0.9).abs() < 0.1 && (found.measured - found.predicted).abs() < 0.1, "{found:?}");
        // A step's volume shrinks by the divergence: −41/3 per unit of time.
        let volume: f64 = found.products[4999].logs.iter().sum();
        assert!((volume + 41.0 / 3.0 * 50.0).abs() < 0.05, "{volume}");
    }

    #[test]
    fn starts_with_inputs_of_their_own_are_taken_together() {
        let cell = Cell::rnn(5, 1);
        let params: Vec<f64> =
            fan_in_normal(&Component::<f64>::params(&cell, ""), 1.2, &mut ChaCha8Rng::seed_from_u64(2));
        let rows: Vec<Vec<f64>> = (1..3).map(|k| (0..60).map(|i| (k as f64 * i as f64).sin()).collect()).collect();
        let system = Stepped::map(&cell, &params).driven(Drive::Sequences(rows.iter().map(Vec::as_slice).collect()));
        let found = fading(&system, &[vec![0.0; 5], vec![0.0; 5]], &BackwardOptions::new(30)).unwrap();
        assert_eq!((found.norms.count, found.products.len()), (2 * 8 * 8, 30));
        assert_eq!(found.fitted, [15, 30]);
    }

    #[test]
    fn gradients_that_die_are_fitted_as_long_as_they_live() {
        let map = fixed(3, vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        let found = fading(&Stepped::map(&map, &[]), &[vec![0.0; 3]], &BackwardOptions::new(20)).unwrap();
        assert_eq!(found.fitted, [1, 2]);
        assert!(found.predicted == f64::NEG_INFINITY, "{found:?}");
        // From one lag too there is a slope, and none is steeper than that of what dies at once.
        let halved = fading(&Stepped::map(&fixed(1, vec![0.5]), &[]), &[vec![0.0]], &BackwardOptions::new(1)).unwrap();
        assert!((halved.measured - 0.5f64.ln()).abs() < 1e-12 && halved.fitted == [0, 1]);
        let dead = fading(&Stepped::map(&fixed(1, vec![0.0]), &[]), &[vec![0.0]], &BackwardOptions::new(3)).unwrap();
        assert_eq!((dead.measured, dead.predicted), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    }
}
