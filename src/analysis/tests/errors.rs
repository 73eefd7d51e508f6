//! Error bars, and runs that go wrong.

use super::kit::*;
use crate::Error;
use crate::analysis::{Run, SpectrumOptions, Stepped, near, standard_error};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

#[test]
fn the_reported_errors_of_four_hundred_henon_runs_are_honest() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let starts = near(&henon.start, 400, 11);
    let within = |i: usize, known: f64| {
        let inside = |start: &Vec<f64>| {
            let run = Run::new(&system, std::slice::from_ref(start), SpectrumOptions::new(500, 20_000)).unwrap();
            let spectrum = run.finish().unwrap();
            (spectrum.exponents[i] - known).abs() <= 2.0 * spectrum.standard_errors[i]
        };
        starts.iter().filter(|start| inside(start)).count() as f64 / starts.len() as f64
    };
    let share = within(0, 0.41921);
    assert!((0.92..=0.98).contains(&share), "{share}");
}

#[test]
fn errors_of_correlated_numbers_are_those_of_their_mean() {
    // Two hundred runs of an autoregression of coefficient 0.9: the mean's own scatter is known.
    let (runs, length, a) = (200, 4096, 0.9);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut errors, mut inside) = (0.0, 0);
    for _ in 0..runs {
        let mut x: f64 = StandardNormal.sample(&mut rng);
        x /= (1.0f64 - a * a).sqrt();
        let series: Vec<f64> = (0..length)
            .map(|_| {
                let kick: f64 = StandardNormal.sample(&mut rng);
                x = a * x + kick;
                x
            })
            .collect();
        let mean = series.iter().sum::<f64>() / length as f64;
        let error = standard_error(&[series]);
        errors += error / runs as f64;
        inside += usize::from(mean.abs() <= 2.0 * error);
    }
    let known = 1.0 / (1.0 - a) / (length as f64).sqrt();
    assert!((errors / known - 1.0).abs() < 0.1, "{errors} against {known}");
    assert!((180..=198).contains(&inside), "{inside}");
    assert_eq!(standard_error(&[vec![2.5; 64]]), 0.0);
    assert!(standard_error(&[vec![1.0]]).is_nan() && standard_error(&[]).is_nan());
}

#[test]
fn a_run_ends_at_its_target_error_or_at_its_last_step() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let options = |target| SpectrumOptions { target_error: Some(target), ..SpectrumOptions::new(500, 2_000_000) };
    let early = Run::new(&system, std::slice::from_ref(&henon.start), options(0.003)).unwrap().finish().unwrap();
    assert!(early.largest_error() <= 0.003 && early.steps < 1_000_000, "{}", early.steps);
    let late = SpectrumOptions { steps: 3000, ..options(1e-9) };
    assert_eq!(Run::new(&system, std::slice::from_ref(&henon.start), late).unwrap().finish().unwrap().steps, 3000);
}

#[test]
fn starts_that_escape_are_named_with_their_time() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let starts = [henon.start.clone(), vec![5.0, 5.0]];
    let error = Run::new(&system, &starts, SpectrumOptions::new(10, 1000)).unwrap().finish().unwrap_err();
    assert!(!error.is_input() && error.to_string().contains("start 2"), "{error}");
}

#[test]
fn what_cannot_be_run_is_refused() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let good = SpectrumOptions::new(10, 100);
    let refused = |starts: &[Vec<f64>], options: SpectrumOptions| {
        let outcome = Run::new(&system, starts, options);
        matches!(outcome, Err(Error::Config { .. } | Error::Shape { .. }))
    };
    let start = vec![henon.start.clone()];
    assert!(refused(&[], good.clone()) && refused(&[vec![0.1]], good.clone()));
    assert!(refused(&[vec![0.1, f64::NAN]], good.clone()));
    for bad in [
        SpectrumOptions { exponents: Some(0), ..good.clone() },
        SpectrumOptions { exponents: Some(3), ..good.clone() },
        SpectrumOptions { steps: 0, ..good.clone() },
        SpectrumOptions { qr_every: Some(0), ..good.clone() },
        SpectrumOptions { target_error: Some(0.0), ..good.clone() },
        SpectrumOptions { target_error: Some(f64::NAN), ..good },
    ] {
        assert!(refused(&start, bad.clone()), "{bad:?}");
    }
}
