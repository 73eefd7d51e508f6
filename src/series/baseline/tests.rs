use proptest::prelude::*;

use super::*;
use crate::series::scale::Moments;
use crate::series::split::{HoldOut, Split};
use crate::series::testing::{panel, real};

fn given() -> Panel {
    panel(&[
        ("line", &[(0.0, &[Some(1.0), None]), (1.0, &[None, Some(5.0)]), (2.0, &[Some(5.0), None])]),
        ("empty", &[]),
    ])
}

const MEAN: [f64; 2] = [-1.0, -2.0];

#[test]
fn last_value_is_carried_on() {
    let predicted = last_value(&given(), &MEAN, &[&[-1.0, 0.0, 1.9, 9.0], &[3.0]]).unwrap();
    assert_eq!(predicted, [1.0, 5.0, 1.0, 5.0, 1.0, 5.0, 5.0, 5.0, -1.0, -2.0]);
}

#[test]
fn mean_is_the_series_own_or_the_training_mean() {
    assert_eq!(mean(&given(), &MEAN, &[&[9.0], &[3.0]]).unwrap(), [3.0, 5.0, -1.0, -2.0]);
}

#[test]
fn linear_joins_neighbours_and_fits_a_line_beyond_them() {
    let predicted = linear(&given(), &MEAN, &[&[-1.0, 0.0, 0.5, 2.0, 4.0], &[3.0]]).unwrap();
    let first: Vec<f64> = predicted.iter().step_by(2).copied().collect();
    for (found, expected) in first.iter().zip([-1.0, 1.0, 2.0, 5.0, 9.0, -1.0]) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    let second: Vec<f64> = predicted.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(second, [5.0, 5.0, 5.0, 5.0, 5.0, -2.0]);
    // Beyond the end all observations count, between two only these.
    let bent = panel(&[("a", &[(0.0, &[Some(0.0)]), (1.0, &[Some(3.0)]), (2.0, &[Some(0.0)])])]);
    let predicted = linear(&bent, &[0.0], &[&[0.5, 3.0]]).unwrap();
    assert!((predicted[0] - 1.5).abs() < 1e-15 && (predicted[1] - 1.0).abs() < 1e-15);
}

#[test]
fn lengths_must_agree() {
    for (_, baseline) in BASELINES {
        assert!(matches!(baseline(&given(), &[0.0], &[&[], &[]]), Err(Error::Shape { .. })));
        assert!(matches!(baseline(&given(), &MEAN, &[&[]]), Err(Error::Shape { .. })));
    }
    assert!(scaled_mse(&[1.0], &[1.0, 2.0], &[true; 2], &[1.0]).is_err());
    assert!(scaled_mse(&[1.0], &[1.0], &[true], &[]).is_err());
    assert!(channel_mse(&[1.0; 3], &[1.0; 3], &[true; 3], 2).is_err());
}

#[test]
fn errors_count_observed_cells_only() {
    let (predictions, truth, mask) = ([1.0, 1.0, 2.0, 9.0], [0.0, 3.0, 0.0, 0.0], [true, true, true, false]);
    let scaled = scaled_mse(&predictions, &truth, &mask, &[1.0, 2.0]).unwrap().unwrap();
    assert_eq!(scaled, (1.0 + 1.0 + 4.0) / 3.0);
    assert_eq!(channel_mse(&predictions, &truth, &mask, 2).unwrap(), [Some(2.5), Some(4.0)]);
    assert_eq!(scaled_mse(&predictions, &truth, &[false; 4], &[1.0, 2.0]).unwrap(), None);
    assert_eq!(scaled_mse(&[], &[], &[], &[1.0]).unwrap(), None);
    assert_eq!(channel_mse(&[], &[], &[], 1).unwrap(), [None]);
}

/// Against the same numbers worked out independently from the file.
#[test]
fn the_held_out_end_of_mauna_loa_is_predicted_best_by_the_line() {
    let panel = real("mauna_loa_co2.csv");
    let split = Split::new(&panel, HoldOut::Rows(0.2), 0).unwrap();
    let moments = Moments::of(&split.training(&panel).unwrap());
    let (given, test) = (split.before_test(&panel).unwrap(), split.test(&panel).unwrap());
    let mse = BASELINES.map(|(_, baseline)| {
        let predictions = baseline(&given, &moments.mean, &test.times_by_series()).unwrap();
        scaled_mse(&predictions, test.values(), test.mask(), &moments.deviation).unwrap().unwrap()
    });
    let expected = [0.30409096781693473, 5.644601498588482, 0.10067897864190942];
    for (found, expected) in mse.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{mse:?}");
    }
}

proptest! {
    #[test]
    fn linear_is_exact_on_lines(
        slope in -5.0..5.0f64,
        level in -5.0..5.0f64,
        times in proptest::collection::btree_set(-50..50i32, 2..10),
        at in -100.0..100.0f64,
    ) {
        let times: Vec<f64> = times.into_iter().map(f64::from).collect();
        let line = |t: f64| level + slope * t;
        let values = times.iter().map(|&t| line(t)).collect();
        let n = times.len();
        let given =
            Panel::new(vec!["x".into()], vec!["a".into()], vec![0, n], times, values, vec![true; n], None).unwrap();
        let predicted = linear(&given, &[0.0], &[&[at]]).unwrap()[0];
        prop_assert!((predicted - line(at)).abs() < 1e-9, "{predicted} {}", line(at));
    }
}
