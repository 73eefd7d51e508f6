use proptest::prelude::*;

use super::*;
use crate::series::testing::{ramps, real};

fn parts(split: &Split, i: usize) -> (Role, Range<usize>, Range<usize>, Range<usize>) {
    let s = &split.series[i];
    (s.role, s.conditioning.clone(), s.validation.clone(), s.test.clone())
}

fn chosen(split: &Split, role: Role) -> Vec<usize> {
    (0..split.series.len()).filter(|&i| split.series[i].role == role).collect()
}

#[test]
fn the_last_rows_of_each_series_are_held_out_but_never_all() {
    let split = Split::new(&ramps(&[10, 3, 2, 1, 5]), HoldOut::Rows(0.3), 0).unwrap();
    assert_eq!(parts(&split, 0), (Role::Fitted, 0..7, 7..7, 7..10));
    assert_eq!(parts(&split, 1), (Role::Fitted, 0..2, 2..2, 2..3));
    assert_eq!(parts(&split, 2), (Role::Fitted, 0..1, 1..1, 1..2));
    assert_eq!(parts(&split, 3), (Role::ConditioningOnly, 0..1, 1..1, 1..1));
    // round(0.3 · 5) = round(1.5) = 2
    assert_eq!(parts(&split, 4), (Role::Fitted, 0..3, 3..3, 3..5));
    assert_eq!(split.training_row_count(), 13);
    let most = Split::new(&ramps(&[10]), HoldOut::Rows(0.99), 0).unwrap();
    assert_eq!(parts(&most, 0), (Role::Fitted, 0..1, 1..1, 1..10));
}

#[test]
fn whole_series_are_drawn_by_the_seed_and_conditioned_on_their_first_half() {
    let panel = ramps(&[7; 10]);
    let hold_out = HoldOut::Series { fraction: 0.25, condition: None };
    let split = Split::new(&panel, hold_out, 3).unwrap();
    let held_out = chosen(&split, Role::HeldOut);
    assert_eq!(held_out.len(), 3);
    for &i in &held_out {
        assert_eq!(parts(&split, i), (Role::HeldOut, 0..3, 3..3, 3..7));
    }
    assert_eq!(split, Split::new(&panel, hold_out, 3).unwrap());
    assert!((4..20).any(|seed| chosen(&Split::new(&panel, hold_out, seed).unwrap(), Role::HeldOut) != held_out));
    let more = HoldOut::Series { fraction: 0.25, condition: Some(0.9) };
    assert_eq!(Split::new(&panel, more, 3).unwrap().series[held_out[0]].test, 6..7);
    // One series is always left to learn from, and one of a single row is not drawn.
    let split = Split::new(&ramps(&[1, 4, 4]), HoldOut::Series { fraction: 0.9, condition: None }, 0).unwrap();
    assert_eq!(chosen(&split, Role::HeldOut).len(), 1);
    assert_eq!(chosen(&split, Role::Fitted).len(), 1);
}

/// Pinned: a seed written into a result must give the same split in every later version.
#[test]
fn the_draws_of_a_seed_stay_the_same() {
    let split = Split::new(&ramps(&[10; 20]), HoldOut::Series { fraction: 0.2, condition: None }, 1).unwrap();
    assert_eq!(chosen(&split, Role::HeldOut), [1, 6, 15, 16]);
    assert_eq!(chosen(&split, Role::Validation), [8, 11, 13]);
}

#[test]
fn few_long_series_give_the_end_of_their_training_rows_for_validation() {
    let split = Split::new(&ramps(&[60, 20, 3]), HoldOut::Rows(0.1), 0).unwrap();
    assert_eq!(parts(&split, 0), (Role::Fitted, 0..46, 46..54, 54..60));
    assert_eq!(parts(&split, 1), (Role::Fitted, 0..15, 15..18, 18..20));
    assert_eq!(parts(&split, 2), (Role::Fitted, 0..2, 2..2, 2..3));
    assert_eq!(split.series[0].training(), 0..54);
    assert_eq!(split.series[0].fitted(), 0..46);
}

#[test]
fn under_fifty_training_rows_none_are_taken_for_validation() {
    let validated = |n| !Split::new(&ramps(&[n]), HoldOut::Nothing, 0).unwrap().series[0].validation.is_empty();
    assert!(!validated(49));
    assert!(validated(50));
}

#[test]
fn of_many_series_a_fifth_is_for_validation() {
    let split = Split::new(&real("hopper_mini.csv"), HoldOut::Rows(0.2), 0).unwrap();
    let validation = chosen(&split, Role::Validation);
    assert_eq!(validation.len(), 8);
    assert_eq!(parts(&split, validation[0]), (Role::Validation, 0..20, 20..40, 40..50));
    assert_eq!(split.series[validation[0]].training(), 0..40);
    assert_eq!(split.series[validation[0]].fitted(), 0..0);
    assert_eq!(split.training_row_count(), 1600);
}

#[test]
fn parts_of_the_panel_keep_its_series() {
    let panel = ramps(&[4, 1]);
    let split = Split::new(&panel, HoldOut::Rows(0.5), 0).unwrap();
    assert_eq!(split.training(&panel).unwrap().values(), [0.0, 1.0]);
    assert_eq!(split.before_test(&panel).unwrap().values(), [0.0, 1.0, 100.0]);
    assert_eq!(split.test(&panel).unwrap().row_ptr(), [0, 2, 2]);
    assert!(matches!(split.test(&ramps(&[4])), Err(Error::Shape { .. })));
    assert!(matches!(split.test(&ramps(&[2, 1])), Err(Error::Shape { .. })));
}

#[test]
fn what_cannot_be_split_is_an_error_with_a_remedy() {
    let series = |fraction, condition| HoldOut::Series { fraction, condition };
    for (lengths, hold_out, message) in [
        (&[5, 5][..], HoldOut::Rows(0.0), "--holdout 0 is not a fraction; give a number between 0 and 1"),
        (&[5, 5], HoldOut::Rows(1.0), "--holdout 1 is not a fraction"),
        (&[5, 5], HoldOut::Rows(f64::NAN), "--holdout NaN is not a fraction"),
        (&[5, 5], series(-0.5, None), "--holdout-series -0.5 is not a fraction"),
        (&[5, 5], series(0.5, Some(1.0)), "--condition 1 is not a fraction"),
        (&[5], series(0.5, None), "fewer than two series have two rows; hold out the end of the series with --holdout"),
        (&[5, 1], series(0.5, None), "fewer than two series have two rows"),
        (&[1, 1], HoldOut::Nothing, "no series has two rows"),
        (&[], HoldOut::Nothing, "no series has two rows"),
    ] {
        let error = Split::new(&ramps(lengths), hold_out, 0).unwrap_err();
        assert!(matches!(error, Error::Config { .. }));
        assert!(error.to_string().contains(message), "{error} should contain {message}");
    }
}

fn any_hold_out() -> impl Strategy<Value = HoldOut> {
    prop_oneof![
        Just(HoldOut::Nothing),
        (0.001..0.999f64).prop_map(HoldOut::Rows),
        (0.001..0.999f64, proptest::option::of(0.001..0.999f64))
            .prop_map(|(fraction, condition)| HoldOut::Series { fraction, condition }),
    ]
}

proptest! {
    #[test]
    fn parts_partition_the_rows_and_something_is_fitted(
        lengths in proptest::collection::vec(1usize..60, 1..30),
        hold_out in any_hold_out(),
        seed: u64,
    ) {
        let panel = ramps(&lengths);
        let Ok(split) = Split::new(&panel, hold_out, seed) else { return Ok(()) };
        for (s, &n) in split.series.iter().zip(&lengths) {
            prop_assert_eq!(s.conditioning.start, 0);
            prop_assert_eq!(s.conditioning.end, s.validation.start);
            prop_assert_eq!(s.validation.end, s.test.start);
            prop_assert_eq!(s.test.end, n);
            prop_assert!(!s.conditioning.is_empty());
            if hold_out != HoldOut::Nothing && s.role == Role::Fitted {
                let by_rows = matches!(hold_out, HoldOut::Rows(_));
                prop_assert_eq!(by_rows, !s.test.is_empty());
            }
        }
        prop_assert!(split.series.iter().any(|s| s.role == Role::Fitted));
        let has_validation = split.series.iter().any(|s| !s.validation.is_empty());
        prop_assert!(!has_validation || split.training_row_count() >= LEAST_ROWS_FOR_VALIDATION);
    }
}
