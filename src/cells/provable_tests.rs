//! The contract and the exact identities of the cells with provable dynamics.

use super::{Along, AntisymmetricRnn, CoRnn, Cotangents, OrthogonalRnn, Ragged, Recurrent, SequenceTape};
use crate::dynamics::{Component, PointJacobian, testkit};
use crate::nn::Activation;
use nalgebra::DMatrix;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};

fn random(n: usize, scale: f64, seed: u64) -> Vec<f64> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| scale * rng.random_range(-1.0..1.0)).collect()
}

fn fulfils<C: Component<f64> + Component<f32>>(cell: &C, seed: u64) -> Result<(), TestCaseError> {
    let params = random(Component::<f64>::param_count(cell), 1.0, seed);
    testkit::check(cell, &params, 1.0, seed).map_err(TestCaseError::fail)?;
    let single: Vec<f32> = params.iter().map(|&p| p as f32).collect();
    testkit::check(cell, &single, 1.0, seed).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn cells_with_provable_dynamics_fulfil_the_contract(hidden in 2usize..7, inputs in 0usize..4, seed in 0u64..1000) {
        fulfils(&AntisymmetricRnn { hidden, inputs, step: 0.3, damping: 0.2 }, seed)?;
        fulfils(&CoRnn { hidden, inputs, step: 0.3, frequency: 1.3, damping: 0.7 }, seed)?;
        for activation in [Activation::Identity, Activation::Tanh] {
            fulfils(&OrthogonalRnn { hidden, inputs, reflections: hidden, gain: 0.9, activation }, seed)?;
        }
    }
}

/// The Jacobian by the state at a point.
fn at<C: Component<f64>>(cell: &C, params: &[f64], u: &[f64]) -> DMatrix<f64> {
    let n = cell.out_dim();
    DMatrix::from_row_slice(n, n, &PointJacobian::new(cell, params).at(u, n))
}

#[test]
fn oscillators_contract_volume_by_their_damping_alone() {
    let cell = CoRnn { hidden: 5, inputs: 2, step: 0.1, frequency: 2.0, damping: 1.5 };
    let mut params = random(Component::<f64>::param_count(&cell), 1.0, 3);
    params[25..50].fill(0.0);
    let rate = 5.0 * (1.0 - 1.5 * 0.1f64).ln();
    for seed in 0..5 {
        let logarithm = at(&cell, &params, &random(12, 2.0, seed)).determinant().abs().ln();
        assert!((logarithm - rate).abs() < 1e-13, "{logarithm} {rate}");
    }
}

#[test]
fn linear_orthogonal_cells_stretch_every_direction_by_their_gain() {
    let cell = OrthogonalRnn { hidden: 6, inputs: 1, reflections: 4, gain: 0.8, activation: Activation::Identity };
    let params = random(Component::<f64>::param_count(&cell), 1.0, 4);
    let jacobian = at(&cell, &params, &random(7, 1.0, 5));
    let product = jacobian.transpose() * &jacobian;
    assert!((product - DMatrix::identity(6, 6) * 0.64).abs().max() < 1e-14);
}

#[test]
fn antisymmetric_cells_have_the_exponents_of_an_euler_step_near_zero() {
    // W − Wᵀ = [[0, ω], [−ω, 0]]: both exponents are ½ ln((1 − εγ)² + ε²ω²).
    let (omega, step, damping) = (1.7, 0.1, 0.3);
    let cell = AntisymmetricRnn { hidden: 2, inputs: 0, step, damping };
    let params = [0.2, 0.0, 0.0 + omega, -0.4, 0.0, 0.0];
    let jacobian = at(&cell, &params, &[0.0, 0.0]);
    let exact = 0.5 * ((1.0 - step * damping).powi(2) + (step * omega).powi(2)).ln();
    for eigenvalue in jacobian.complex_eigenvalues().iter() {
        assert!((eigenvalue.norm().ln() - exact).abs() < 1e-14, "{eigenvalue} {exact}");
    }
}

#[test]
fn they_are_trained_along_sequences_with_the_exact_gradient() {
    fn gradient_matches<C: Recurrent<f64>>(cell: &C) {
        let params = random(cell.param_count(), 0.8, 6);
        let lengths = [11, 4, 0];
        let ragged = Ragged::new(&lengths);
        let inputs = random((cell.in_dim() - cell.out_dim()) * ragged.cells(), 1.0, 7);
        let along = Along { ragged: &ragged, inputs: &inputs, start: None };
        let mut tape = SequenceTape::default();
        let run = |params: &[f64], tape: &mut SequenceTape<f64>| {
            tape.run(cell, params, &along, true).unwrap();
            (tape.outputs().to_vec(), tape.last().to_vec())
        };
        let (outputs, last) = run(&params, &mut tape);
        let (outputs_bar, last_bar) = (random(outputs.len(), 1.0, 8), random(last.len(), 1.0, 9));
        let mut bar = vec![0.0; params.len()];
        let cotangents = Cotangents { outputs: Some(&outputs_bar), last: Some(&last_bar), cut: None };
        tape.pull(cell, &params, &ragged, &cotangents, false, &mut bar);
        let direction = random(params.len(), 1.0, 10);
        let mut value = |sign: f64| -> f64 {
            let moved: Vec<f64> = params.iter().zip(&direction).map(|(p, d)| p + sign * 1e-6 * d).collect();
            let (outputs, last) = run(&moved, &mut tape);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            dot(&outputs, &outputs_bar) + dot(&last, &last_bar)
        };
        let difference = (value(1.0) - value(-1.0)) / 2e-6;
        let exact: f64 = bar.iter().zip(&direction).map(|(b, d)| b * d).sum();
        assert!((difference - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{difference} {exact}");
    }
    gradient_matches(&AntisymmetricRnn { hidden: 4, inputs: 2, step: 0.2, damping: 0.1 });
    gradient_matches(&CoRnn { hidden: 4, inputs: 2, step: 0.2, frequency: 1.0, damping: 0.5 });
    let activation = Activation::Tanh;
    gradient_matches(&OrthogonalRnn { hidden: 4, inputs: 2, reflections: 3, gain: 1.0, activation });
}
