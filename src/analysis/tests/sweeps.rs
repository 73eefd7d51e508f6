//! Sweeps against exact exponents, orbits of known period, and themselves.

use super::kit::named;
use crate::Result;
use crate::analysis::section::Plane;
use crate::analysis::sweep::{Cut, Sampled, Sweep, SweepOptions, SweepPoint, zero_crossings};
use crate::analysis::{SpectrumOptions, Stepped};
use crate::dynamics::Crossing;
use crate::io::tensors::{Tensor, TensorData, Tensors};
use crate::series::grid::spread;
use crate::solve::{RK4, StepMap};
use proptest::prelude::*;
use std::path::Path;

fn options(steps: u64, sampled: Sampled) -> SweepOptions {
    SweepOptions { spectrum: SpectrumOptions::new(steps, steps), samples: 16, component: 0, sampled }
}

/// The logistic map at `r`.
fn logistic(r: f64, steps: u64) -> Result<SweepPoint> {
    let instance = named("logistic", &[&format!("r={r:e}")]);
    let stepped = Stepped::map(&*instance.component, &instance.params);
    SweepPoint::measure(&stepped, &instance.start, &options(steps, Sampled::Steps), None)
}

fn swept(values: Vec<f64>, steps: u64) -> Vec<SweepPoint> {
    let mut sweep = Sweep::new(values, 1, |r| logistic(r, steps));
    while sweep.go_on() {}
    sweep.points().to_vec()
}

fn distinct(samples: &[f64]) -> usize {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
    sorted.len()
}

#[test]
fn the_logistic_maps_exponents_are_the_exact_ones_where_they_are_known_and_zero_where_periods_double() {
    let values = spread(2.5, 4.0, 1501);
    let points = swept(values.clone(), 20_000);
    for (r, point) in values.iter().zip(&points) {
        let exact = match *r {
            r if (2.5..2.99).contains(&r) => (r - 2.0).abs().ln(),
            r if (3.01..3.44).contains(&r) => 0.5 * (4.0 + 2.0 * r - r * r).abs().ln(),
            4.0 => 2f64.ln(),
            _ => continue,
        };
        // Next to a superstable orbit logarithms of small numbers are large.
        let tolerance = if *r == 4.0 { 1e-3 } else { 1e-9 * (1.0 + exact.abs()).exp() };
        assert!((point.exponents[0] - exact).abs() < tolerance, "{r}: {} {exact}", point.exponents[0]);
    }
    let zeros = zero_crossings(&values, &points);
    for (doubling, found) in [3.0, 3.449_489_742_783_178, 3.544_090_359_551_922].into_iter().zip(&zeros) {
        assert!((found - doubling).abs() < 1e-3, "{doubling}: {zeros:?}");
    }
    let at = |r: f64| &points[values.iter().position(|v| (v - r).abs() < 1e-9).unwrap()].samples;
    assert_eq!([2.7, 3.2, 3.5, 3.55].map(|r| distinct(at(r))), [1, 2, 4, 8]);
    assert_eq!(distinct(at(4.0)), 16);
}

#[test]
fn maxima_of_a_flow_show_its_period_and_rest_shows_as_one_place() {
    // Rössler's attractor closes after one turn at c = 2.5 and after two at c = 3.5 (a = b = 0.2); without a turn it rests.
    for (c, expected) in [("2.5", 1), ("3.5", 2)] {
        let instance = named("rossler", &["a=0.2", "b=0.2", &format!("c={c}")]);
        let map = StepMap::new(instance.field().unwrap(), &RK4, 0.02).unwrap();
        let stepped = Stepped::timed(&map, &instance.params, 0.02);
        let point = SweepPoint::measure(&stepped, &instance.start, &options(40_000, Sampled::Maxima), None).unwrap();
        assert_eq!(point.samples.len(), 16);
        let mut sorted = point.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let apart = sorted.windows(2).filter(|pair| pair[1] - pair[0] > 1e-3).count();
        assert_eq!(apart + 1, expected, "{sorted:?}");
    }
    let instance = named("lorenz63", &["rho=5"]);
    let map = StepMap::new(instance.field().unwrap(), &RK4, 0.01).unwrap();
    let stepped = Stepped::timed(&map, &instance.params, 0.01);
    let point = SweepPoint::measure(&stepped, &instance.start, &options(20_000, Sampled::Maxima), None).unwrap();
    let rest = (8.0f64 / 3.0 * 4.0).sqrt();
    assert!(!point.samples.is_empty() && point.samples.iter().all(|x| (x.abs() - rest).abs() < 1e-9), "{point:?}");
}

#[test]
fn a_run_that_fails_leaves_nan_and_a_reason_and_the_others_as_they_are() {
    let values = spread(3.9, 4.1, 21);
    let points = swept(values.clone(), 2000);
    let alone: Vec<SweepPoint> = values.iter().filter(|r| **r <= 4.0).map(|&r| logistic(r, 2000).unwrap()).collect();
    assert_eq!(points[..alone.len()], alone);
    for point in &points[alone.len()..] {
        let reason = point.failure.as_ref().unwrap();
        assert!(reason.contains("not finite") && reason.contains("beyond all bounds"), "{reason}");
        assert!(point.exponents[0].is_nan() && point.standard_errors[0].is_nan() && point.samples.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn a_sweep_saved_anywhere_goes_on_to_the_same_bits_with_any_number_of_threads(
        rounds in 0usize..4, count in 9usize..40, threads in 1usize..4,
    ) {
        let values = spread(3.5, 4.1, count);
        let whole = swept(values.clone(), 300);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let points = pool.install(|| {
            let mut first = Sweep::new(values.clone(), 1, |r| logistic(r, 300));
            (0..rounds).for_each(|_| { first.go_on(); });
            let content = first.save("as above").unwrap();
            let mut second = Sweep::new(values.clone(), 1, |r| logistic(r, 300));
            second.restore(&content, "as above", Path::new("x")).unwrap();
            assert_eq!(first.points().len(), second.points().len());
            while second.go_on() {}
            second.points().to_vec()
        });
        // NaN is like no number: compare what is printed, which is every bit of the others.
        prop_assert_eq!(format!("{whole:?}"), format!("{points:?}"));
    }
}

#[test]
fn checkpoints_of_other_sweeps_and_damaged_ones_are_refused() {
    let fresh = || Sweep::new(spread(3.9, 4.1, 21), 1, |r| logistic(r, 100));
    let mut sweep = fresh();
    while sweep.go_on() {}
    let content = sweep.save("a").unwrap();
    let refused =
        |content: &Tensors, settings: &str| fresh().restore(content, settings, Path::new("x")).unwrap_err().to_string();
    assert!(refused(&content, "b").contains("other settings"));
    assert!(refused(&Tensors::default(), "a").contains("not the checkpoint of a sweep"));
    for name in ["exponents", "standard_errors", "status", "samples", "sample_counts"] {
        let mut damaged = content.clone();
        let mut numbers = content.named[name].to_f64();
        numbers.pop();
        let tensor = Tensor::new(vec![numbers.len()], TensorData::F64(numbers)).unwrap();
        damaged.named.insert(name.into(), tensor);
        assert!(refused(&damaged, "a").contains("damaged"), "{name}");
    }
}

#[test]
fn samples_of_a_cut_are_the_passages_and_a_closed_orbit_has_few() {
    // Rössler at c = 2.5 closes after one turn, at c = 3.5 after two.
    for (c, period) in [(2.5, 1), (3.5, 2)] {
        let instance = named("rossler", &["a=0.2", "b=0.2", &format!("c={c}")]);
        let field = instance.field().unwrap();
        let map = StepMap::new(field, &RK4, 0.02).unwrap();
        let stepped = Stepped::timed(&map, &instance.params, 0.02);
        let plane = Plane::of_component(1, 3, 0.0, Crossing::Falling).unwrap();
        let cut = Cut { plane: &plane, field, method: &RK4 };
        let options = SweepOptions { samples: 20, ..options(40_000, Sampled::Maxima) };
        let point = SweepPoint::measure(&stepped, &instance.start, &options, Some(&cut)).unwrap();
        assert_eq!(point.samples.len(), 20);
        let mut apart: Vec<f64> = point.samples.clone();
        apart.sort_by(f64::total_cmp);
        apart.dedup_by(|a, b| (*a - *b).abs() < 1e-4);
        assert_eq!(apart.len(), period, "{c}: {:?}", point.samples);
    }
}
