//! Paths against what is known of them.

use super::*;
use approx::assert_relative_eq;
use proptest::prelude::*;

const ALL: [Interpolation; 4] =
    [Interpolation::Step, Interpolation::Linear, Interpolation::Hermite, Interpolation::NaturalSpline];

fn path(interpolation: Interpolation, times: &[f64], values: &[f64]) -> Path<f64> {
    let dim = values.len() / times.len();
    Path::new(interpolation, dim, vec![0, times.len()], times.to_vec(), values.to_vec()).unwrap()
}

fn value(path: &Path<f64>, t: f64) -> f64 {
    let mut x = [f64::NAN];
    path.at(0, path.piece(0, t), t, &mut x);
    x[0]
}

fn slope(path: &Path<f64>, t: f64) -> f64 {
    let mut x = [f64::NAN];
    path.slope_at(0, path.piece(0, t), t, &mut x);
    x[0]
}

/// Knots with gaps between 0.1 and 2, and values.
fn knots(count: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    prop::collection::vec((0.1..2.0, -3.0..3.0), count).prop_map(|pairs| {
        let times = pairs.iter().scan(0.0, |t, (gap, _)| {
            *t += gap;
            Some(*t)
        });
        (times.collect(), pairs.iter().map(|(_, x)| *x).collect())
    })
}

#[test]
fn a_step_path_holds_its_last_value_and_says_both_sides_of_a_jump() {
    let path = path(Interpolation::Step, &[1.0, 2.0, 4.0], &[5.0, 7.0, 6.0]);
    assert_eq!(path.kinks(0), [2.0, 4.0]);
    for (t, expected) in [(-3.0, 5.0), (1.0, 5.0), (1.999, 5.0), (2.0, 7.0), (3.5, 7.0), (4.0, 6.0), (99.0, 6.0)] {
        assert_eq!((value(&path, t), slope(&path, t)), (expected, 0.0));
    }
    let mut x = [0.0];
    path.at(0, 0, 2.0, &mut x);
    assert_eq!(x, [5.0]);
    assert!(path.is_causal() && ALL.into_iter().filter(|i| i.is_causal()).count() == 1);
}

#[test]
fn the_natural_spline_is_the_one_of_an_independent_implementation() {
    let path = path(Interpolation::NaturalSpline, &[0.0, 1.0, 2.5, 3.0, 5.0], &[1.0, -2.0, 0.5, 3.0, 2.0]);
    for (t, expected, expected_slope) in [
        (0.25, 0.08113839285714283, -3.585386904761905),
        (1.0, -2.0, -1.559047619047619),
        (1.7, -2.0347377777777775, 1.456219047619048),
        (2.9, 2.5502514285714284, 4.773552380952382),
        (4.0, 4.256428571428571, -1.0854761904761911),
        (4.9, 2.2836049999999997, -2.8243404761904767),
    ] {
        assert_relative_eq!(value(&path, t), expected, max_relative = 1e-13);
        assert_relative_eq!(slope(&path, t), expected_slope, max_relative = 1e-13);
    }
}

#[test]
fn a_hermite_path_has_the_slopes_of_the_lines_that_lead_to_its_knots() {
    let path = path(Interpolation::Hermite, &[0.0, 1.0, 3.0, 4.0], &[1.0, 2.0, 0.0, 5.0]);
    for (t, expected) in [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (3.0, -1.0), (4.0 - 1e-9, 5.0)] {
        assert_relative_eq!(slope(&path, t), expected, max_relative = 1e-7);
    }
    assert_eq!(path.kinks(0), [0.0, 4.0]);
    // Half way: the mean of the ends, plus an eighth of the length times the difference of their slopes.
    assert_relative_eq!(value(&path, 2.0), 1.0 + 2.0 * (1.0 + 1.0) / 8.0, max_relative = 1e-15);
}

#[test]
fn trajectories_have_knots_of_their_own_and_one_knot_is_a_constant() {
    let (times, values) = (vec![0.0f32, 1.0, 7.0, 2.0, 3.0, 4.0], (0..12u8).map(f32::from).collect::<Vec<_>>());
    for interpolation in ALL {
        let path = Path::new(interpolation, 2, vec![0, 2, 3, 6], times.clone(), values.clone()).unwrap();
        let mut x = [0.0; 2];
        path.at(2, path.piece(2, 3.0), 3.0, &mut x);
        assert_eq!(x, [8.0, 9.0]);
        assert!(path.kinks(1).is_empty());
        for t in [-1.0, 7.0, 8.0] {
            path.at(1, path.piece(1, t), t, &mut x);
            assert_eq!(x, [4.0, 5.0]);
            path.slope_at(1, path.piece(1, t), t, &mut x);
            assert_eq!(x, [0.0, 0.0]);
        }
    }
}

#[test]
fn knots_that_make_no_path_are_refused_with_their_place() {
    let build = |row_ptr: &[usize], times: &[f64], values: &[f64]| {
        let refused = Path::new(Interpolation::Linear, 2, row_ptr.to_vec(), times.to_vec(), values.to_vec());
        refused.unwrap_err().to_string()
    };
    let (times, values) = ([0.0, 1.0, 0.0], [1.0; 6]);
    for (message, expected) in [
        (build(&[0, 2], &times, &values), "row pointers of a path: expected rising from 0 to 3"),
        (build(&[0, 2, 3], &times, &values[1..]), "values of a path: expected 3 × 2, found 5"),
        (build(&[0, 0, 3], &times, &values), "path 0 has no knot"),
        (build(&[0, 3], &times, &values), "path 0 has time 0 at knot 2 after 1"),
        (build(&[0, 1, 3], &[5.0, 1.0, 1.0], &values), "path 1 has time 1 at knot 1 after 1"),
        (build(&[0, 2, 3], &[0.0, f64::INFINITY, 0.0], &values), "path 0 has time inf at knot 1"),
        (
            build(&[0, 2, 3], &times, &[0.0, 0.0, 0.0, f64::NAN, 0.0, 0.0]),
            "path 0 has the value NaN in channel 1 at knot 1; give finite values; fill missing ones",
        ),
    ] {
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
}

proptest! {
    #[test]
    fn all_but_steps_pass_through_straight_lines_and_every_path_through_its_knots(
        (times, values) in knots(2..9), (a, b) in (-2.0f64..2.0, -2.0f64..2.0), at in 0.0..1.0,
    ) {
        let line: Vec<f64> = times.iter().map(|t| a + b * t).collect();
        let t = times[0] + at * (times[times.len() - 1] - times[0]);
        for interpolation in ALL {
            let through = path(interpolation, &times, &values);
            for (&t, &x) in times.iter().zip(&values) {
                prop_assert!((value(&through, t) - x).abs() < 1e-12);
            }
            if interpolation != Interpolation::Step {
                let line = path(interpolation, &times, &line);
                prop_assert!((value(&line, t) - (a + b * t)).abs() < 1e-11);
                prop_assert!((slope(&line, t) - b).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn values_and_slopes_are_continuous_but_at_kinks_and_the_ends_go_on_for_ever(
        (times, values) in knots(2..9), at in 0.0..1.0,
    ) {
        let last = times.len() - 1;
        let t = times[0] + at * (times[last] - times[0]);
        for interpolation in &ALL[1..] {
            let path = path(*interpolation, &times, &values);
            let near = times.iter().chain([&t]).map(|t| (t - 1e-9, t + 1e-9));
            for (before, after) in near {
                prop_assert!((value(&path, before) - value(&path, after)).abs() < 1e-6);
                let kink = path.kinks(0).iter().any(|kink| before <= *kink && *kink <= after);
                prop_assert!(kink || (slope(&path, before) - slope(&path, after)).abs() < 1e-5);
            }
            let h = 1e-6;
            if !path.kinks(0).iter().any(|kink| (kink - t).abs() <= h) {
                let difference = (value(&path, t + h) - value(&path, t - h)) / (2.0 * h);
                prop_assert!((difference - slope(&path, t)).abs() < 1e-3);
            }
            prop_assert_eq!(value(&path, times[0] - 5.0), values[0]);
            prop_assert_eq!(value(&path, times[last] + 5.0), values[last]);
            prop_assert_eq!(slope(&path, times[0] - 5.0), 0.0);
        }
    }

    #[test]
    fn no_path_looks_further_ahead_than_it_says(
        (times, values) in knots(3..9), other in prop::collection::vec((0.1..2.0, -3.0..3.0), 1..4),
        known in 1usize..9, at in 0.0..1.0,
    ) {
        // The first `known` knots stay, others come after them.
        let known = known.min(times.len() - 1);
        let (mut changed_times, mut changed) = (times[..known].to_vec(), values[..known].to_vec());
        for (gap, x) in other {
            changed_times.push(changed_times[changed_times.len() - 1] + gap);
            changed.push(x);
        }
        for interpolation in ALL {
            let (a, b) = (path(interpolation, &times, &values), path(interpolation, &changed_times, &changed));
            let settled = match interpolation.lookahead() {
                Lookahead::Nothing => times[known].min(changed_times[known]),
                Lookahead::NextKnot => times[known - 1],
                Lookahead::Everything => continue,
            };
            // A step's knot is itself the first time at which it matters.
            let t = times[0] + at * (settled - times[0]);
            prop_assert_eq!(value(&a, t), value(&b, t));
        }
    }
}

proptest! {
    #[test]
    fn a_pull_is_the_transpose_of_the_value_which_is_linear_in_the_numbers(
        (times, values) in knots(1..7), part in 0.0..1.2f64, x_bar in -2.0..2.0f64,
    ) {
        for interpolation in ALL {
            // Two channels, the second the first one's negative square.
            let both: Vec<f64> = values.iter().flat_map(|&x| [x, -x * x]).collect();
            let path = path(interpolation, &times, &both);
            let t = times[0] + part * (times[times.len() - 1] - times[0]) - 0.1;
            let (mut x, mut bar) = ([0.0; 2], vec![0.0; both.len()]);
            path.at(0, path.piece(0, t), t, &mut x);
            prop_assert_eq!(path.numbers(0..1), 0..both.len());
            path.pull(0, path.piece(0, t), t, &[x_bar, 0.7], &mut bar);
            let pulled: f64 = bar.iter().zip(&both).map(|(b, v)| b * v).sum();
            let pushed = x_bar * x[0] + 0.7 * x[1];
            prop_assert!((pulled - pushed).abs() < 1e-12 * (1.0 + pushed.abs() * 10.0), "{interpolation:?}: {pulled} {pushed}");
        }
    }
}

#[test]
fn inputs_for_fewer_trajectories_than_there_are_are_refused() {
    use crate::dynamics::{Field, Scalar, SmallField, Swept};
    use crate::solve::{Options, Problem, solve};
    struct Driven;
    impl SmallField<1, 1> for Driven {
        fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], [x]: [S; 1]) -> [S; 1] {
            [x - y]
        }
    }
    let (driven, one) = (Swept::<_, 1, 1>(Driven), path(Interpolation::Linear, &[0.0, 1.0], &[1.0, 2.0]));
    let field = Field::with_inputs(&driven, &one, true).unwrap();
    let problem = Problem { start_times: &[0.0; 2], starts: &[0.0; 2], row_ptr: &[0, 1, 2], times: &[1.0; 2] };
    let refused = solve(field, &[], &problem, &Options::adaptive(1e-6, 1e-6)).unwrap_err();
    assert!(refused.to_string().contains("trajectories with inputs: expected 2, found 1"), "{refused}");
}
