//! Against exact values (reference page, section 1.1).

use super::kit::*;
use crate::analysis::{Frame, SpectrumOptions, Status};
use nalgebra::DMatrix;
use statrs::function::gamma::digamma;
use std::f64::consts::LN_2;

fn from_largest(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

#[test]
fn a_product_of_independent_gaussian_matrices_has_newmans_exponents() {
    // Newman 1986: λ_i = ln σ + (ln 2 + ψ((N − i + 1)/2))/2.
    let dim = 20;
    let options = SpectrumOptions::new(100, 30_000);
    let spectrum = spectrum_of(&gaussian(dim, 1.0 / dim as f64, 1), options.clone());
    let exact = |i: usize| -0.5 * (dim as f64).ln() + 0.5 * (LN_2 + digamma((dim - i) as f64 / 2.0));
    assert!((exact(0) + 0.0254163).abs() < 1e-7 && (exact(19) + 2.1330476).abs() < 1e-7);
    for i in 0..dim {
        let z = (spectrum.exponents[i] - exact(i)) / spectrum.standard_errors[i];
        assert!(z.abs() < 3.7, "exponent {i}: {} against {}, z = {z}", spectrum.exponents[i], exact(i));
        assert!(spectrum.standard_errors[i] < 0.012 && spectrum.status[i] == Status::Resolved, "{i}");
    }
    assert!(spectrum.qr_every > 4.0, "{}", spectrum.qr_every);
    // Factored too seldom the lower ones come out wrong: that has to be said.
    let seldom = SpectrumOptions { qr_every: Some(40), steps: 4000, ..options };
    let spectrum = spectrum_of(&gaussian(dim, 1.0 / dim as f64, 1), seldom);
    let wrong = |i: &usize| (spectrum.exponents[*i] - exact(*i)).abs() > 0.1;
    assert!(wrong(&19) && (0..dim).filter(wrong).all(|i| spectrum.status[i] == Status::BelowPrecision));
}

#[test]
fn a_cycle_of_matrices_has_the_eigenvalues_of_their_product_in_time_order() {
    let (dim, period) = (3, 3);
    let matrices = gaussian(dim, 1.0, 5);
    let at = |step: u64| {
        let mut out = vec![0.0; dim * dim];
        (matrices.matrix)(step % period, &mut out);
        DMatrix::from_column_slice(dim, dim, &out)
    };
    let exponents = |product: DMatrix<f64>| {
        from_largest(product.complex_eigenvalues().iter().map(|z| z.norm().ln() / period as f64).collect())
    };
    let (right, transposed) = (exponents(at(2) * at(1) * at(0)), exponents(at(0) * at(1) * at(2)));
    // Orders with one trace of the product's powers differ from each other, or the test would be empty.
    assert!(apart(&right, &transposed) > 0.05);
    let cycle = Linear { dim, matrix: |step, out: &mut [f64]| (matrices.matrix)(step % period, out) };
    let spectrum = spectrum_of(&cycle, SpectrumOptions::new(900, 30_000));
    assert!(apart(&spectrum.exponents, &right) < 1e-3, "{:?} {right:?}", spectrum.exponents);
}

#[test]
fn linear_maps_have_the_logarithms_of_their_eigenvalues() {
    let options = SpectrumOptions::new(600, 1500);
    let spectrum = spectrum_of(&fixed(2, vec![1.5, 0.7, 0.0, -0.4]), options.clone());
    assert!(apart(&spectrum.exponents, &[1.5f64.ln(), 0.4f64.ln()]) < 1e-12, "{:?}", spectrum.exponents);
    assert!(spectrum.standard_errors.iter().all(|error| *error < 1e-12));
    let c = [0.9, 0.3, -0.2, 0.1, 0.4];
    let circulant = (0..25).map(|k| c[(5 + k % 5 - k / 5) % 5]).collect();
    let wave = |k: usize| {
        let angle = |j: usize| std::f64::consts::TAU * (j * k) as f64 / 5.0;
        let (re, im) = (0..5).fold((0.0, 0.0), |(re, im), j| (re + c[j] * angle(j).cos(), im + c[j] * angle(j).sin()));
        f64::hypot(re, im).ln()
    };
    let spectrum = spectrum_of(&fixed(5, circulant), options.clone());
    let known = from_largest((0..5).map(wave).collect());
    assert!(apart(&spectrum.exponents, &known) < 1e-2, "{:?} {known:?}", spectrum.exponents);
    for gain in [1.0f64, 0.3] {
        for dim in [4, 30] {
            let spectrum = spectrum_of(&fixed(dim, orthogonal(dim, gain)), options.clone());
            assert!(apart(&spectrum.exponents, &vec![gain.ln(); dim]) < 1e-13, "{:?}", spectrum.exponents);
        }
    }
}

#[test]
fn exponents_of_maps_that_are_known_exactly() {
    let cat = named("cat", &[]);
    let spectrum = spectrum_of_named(&cat, SpectrumOptions::new(50, 1000));
    assert!(apart(&spectrum.exponents, &[0.962423650119207, -0.962423650119207]) < 1e-13);
    for (r, exact) in [("r=3.2", 0.5 * 0.16f64.ln()), ("r=2.6", 0.6f64.ln())] {
        let spectrum = spectrum_of_named(&named("logistic", &[r]), SpectrumOptions::new(500, 2000));
        assert!(apart(&spectrum.exponents, &[exact]) < 1e-9, "{r} {:?}", spectrum.exponents);
    }
    let chaos = spectrum_of_named(&named("logistic", &[]), SpectrumOptions::new(500, 400_000));
    let z = (chaos.exponents[0] - LN_2) / chaos.standard_errors[0];
    assert!(z.abs() < 3.5 && chaos.standard_errors[0] < 0.002, "{:?}", chaos.exponents);
    // The cycle that attracts everything passes the top of the parabola.
    let dead = spectrum_of_named(&named("logistic", &["r=2"]), SpectrumOptions::new(200, 300));
    assert_eq!((dead.exponents[0], dead.status[0]), (f64::NEG_INFINITY, Status::MinusInfinity));
    assert_eq!((dead.sum, dead.standard_errors[0]), (f64::NEG_INFINITY, 0.0));
    assert_eq!(dead.kaplan_yorke().unwrap(), 0.0);
    let tent = spectrum_of_named(&named("tent", &[]), SpectrumOptions::new(100, 5000));
    assert!((tent.exponents[0] - LN_2).abs() < 1e-9, "{:?}", tent.exponents);
    for (name, sum) in [("henon", 0.3f64.ln()), ("ikeda", 2.0 * 0.9f64.ln()), ("lozi", 0.5f64.ln()), ("standard", 0.0)]
    {
        let often = SpectrumOptions { qr_every: Some(1), ..SpectrumOptions::new(100, 3000) };
        let spectrum = spectrum_of_named(&named(name, &[]), often.clone());
        assert!((spectrum.sum - sum).abs() < 1e-12 && spectrum.sum_error < 1e-12, "{name} {}", spectrum.sum);
        // Twenty nats between factorisations leave half of the digits of the smallest entry.
        let seldom = spectrum_of_named(&named(name, &[]), SpectrumOptions { qr_every: None, ..often });
        assert!((seldom.sum - sum).abs() < 1e-8 && seldom.qr_every > 2.0, "{name} {}", seldom.sum);
    }
}

#[test]
fn directions_that_die_are_minus_infinity_and_the_others_stay_right() {
    // Two of five rows of the Jacobian are zero.
    let mut rows = orthogonal(5, 0.8);
    rows[5..15].fill(0.0);
    for frame in [Frame::Random, Frame::Identity] {
        let options = SpectrumOptions { frame, ..SpectrumOptions::new(300, 600) };
        let spectrum = spectrum_of(&fixed(5, rows.clone()), options);
        assert_eq!(spectrum.status.iter().filter(|s| **s == Status::MinusInfinity).count(), 2, "{frame:?}");
        assert!(spectrum.exponents[3..].iter().all(|x| *x == f64::NEG_INFINITY));
        let kept = DMatrix::from_fn(3, 3, |i, j| rows[[0, 3, 4][i] * 5 + [0, 3, 4][j]]);
        let known = from_largest(kept.complex_eigenvalues().iter().map(|z| z.norm().ln()).collect());
        assert!(apart(&spectrum.exponents[..3], &known) < 1e-2, "{frame:?} {:?} {known:?}", spectrum.exponents);
    }
}
