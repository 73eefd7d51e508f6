use proptest::prelude::*;

use super::*;
use crate::series::testing::{panel, ramps, real};

fn one(values: &[f64]) -> Panel {
    let n = values.len();
    let times = (0..n).map(|k| k as f64).collect();
    let names = (vec!["x".to_string()], vec!["a".to_string()]);
    let errors = Some(vec![0.5; n]);
    Panel::new(names.0, names.1, vec![0, n], times, values.to_vec(), vec![true; n], errors).unwrap()
}

#[test]
fn scaled_training_values_have_mean_zero_and_deviation_one() {
    for name in ["hopper_mini.csv", "macho_3stars.csv", "mauna_loa_co2.csv"] {
        let panel = real(name);
        let scaling = Scaling::fit(&panel, &vec![Transform::Identity; panel.channel_count()]).unwrap();
        let scaled = Moments::of(&scaling.forward(&panel).unwrap());
        for (mean, deviation) in scaled.mean.iter().zip(&scaled.deviation) {
            assert!(mean.abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12, "{name}: {mean} {deviation}");
        }
    }
}

#[test]
fn a_unit_of_time_is_ten_observations_in_any_file_unit() {
    let unit = |name| Scaling::fit(&real(name), &vec![Transform::Identity; real(name).channel_count()]).unwrap();
    let lynx = unit("lynx_hare.csv");
    assert_eq!((lynx.time_origin, lynx.time_unit), (1900.0, 10.0));
    assert!((unit("mauna_loa_co2.csv").time_unit - 70.0 / 365.25).abs() < 1e-3);
    assert_eq!(lynx.forward_time(1920.0), 2.0);
    assert_eq!(lynx.inverse_time(2.0), 1920.0);
}

#[test]
fn a_unit_of_time_minds_neither_breaks_nor_rows_without_values_and_exists_without_gaps() {
    let fit = |panel: &Panel| Scaling::fit(panel, &[Transform::Identity]).unwrap();
    let (yes, no): (&[Option<f64>], &[Option<f64>]) = (&[Some(1.0)], &[None]);
    let broken = panel(&[("a", &[(0.0, yes), (1.0, yes), (1.5, no), (2.0, yes), (900.0, yes), (901.0, yes)])]);
    assert_eq!(fit(&broken).time_unit, 10.0);
    let single = panel(&[("a", &[(3.0, yes)])]);
    assert_eq!((fit(&single).time_origin, fit(&single).time_unit), (3.0, 1.0));
    assert_eq!(fit(&panel(&[])).time_unit, 1.0);
    let extreme = panel(&[("a", &[(0.0, yes), (1e-300, yes), (2e-300, yes)]), ("b", &[(1e150, yes)])]);
    assert!(fit(&extreme).forward_time(1e150).is_finite());
}

#[test]
fn constant_huge_and_tiny_channels_are_scaled_without_overflow() {
    assert_eq!(moments(&[0.1; 7]), (0.1, 1.0));
    assert_eq!(moments(&[]), (0.0, 1.0));
    assert_eq!(moments(&[-1e150, 1e150]), (0.0, 1e150));
    assert_eq!(moments(&[-1e-300, 1e-300]), (0.0, 1e-300));
    assert_eq!(moments(&[1e9 - 1.0, 1e9 + 1.0]), (1e9, 1.0));
}

#[test]
fn missing_cells_do_not_count() {
    let panel = panel(&[("a", &[(0.0, &[Some(1.0), None]), (1.0, &[Some(3.0), None])])]);
    assert_eq!(Moments::of(&panel), Moments { mean: vec![2.0, 0.0], deviation: vec![1.0, 1.0] });
}

#[test]
fn errors_follow_the_delta_method() {
    let panel = one(&[1.0, 10.0]);
    let log = Scaling::fit(&panel, &[Transform::Log]).unwrap();
    let deviation = 10f64.ln() / 2.0;
    let errors = log.forward(&panel).unwrap();
    for (found, expected) in errors.errors().unwrap().iter().zip([0.5 / deviation, 0.05 / deviation]) {
        assert!((found - expected).abs() < 1e-15);
    }
    let h = 1e-6;
    let channel = &log.channels[0];
    let slope = (channel.forward(10.0 + h).unwrap() - channel.forward(10.0 - h).unwrap()) / (2.0 * h);
    assert!((errors.errors().unwrap()[1] - 0.5 * slope).abs() < 1e-9);
}

#[test]
fn values_without_a_logarithm_are_errors_with_a_remedy() {
    let error = Scaling::fit(&one(&[1.0, -2.0]), &[Transform::Log]).unwrap_err().to_string();
    assert!(error.starts_with("channel `x` is taken in logs and holds -2; do not take it in logs"), "{error}");
    let scaling = Scaling::fit(&one(&[1.0, 2.0]), &[Transform::Log]).unwrap();
    assert!(matches!(scaling.forward(&one(&[0.0])), Err(Error::Config { .. })));
}

#[test]
fn other_channels_are_refused() {
    let scaling = Scaling::fit(&one(&[1.0, 2.0]), &[Transform::Identity]).unwrap();
    let other = panel(&[("a", &[(0.0, &[Some(1.0)])])]);
    assert!(matches!(scaling.forward(&other), Err(Error::Shape { .. })));
    assert!(matches!(Scaling::fit(&ramps(&[3]), &[]), Err(Error::Shape { .. })));
}

#[test]
fn lynx_and_hare_are_suggested_in_logs_and_the_rest_as_they_are() {
    let suggested = |name| {
        let panel = real(name);
        (0..panel.channel_count()).map(|c| suggest_transform(&panel.observed_values(c))).collect::<Vec<_>>()
    };
    assert_eq!(suggested("lynx_hare.csv"), [Transform::Log; 2]);
    assert_eq!(suggested("mauna_loa_co2.csv"), [Transform::Identity]);
    assert_eq!(suggested("macho_3stars.csv")[0], Transform::Identity);
    assert!(suggested("hopper_mini.csv").iter().all(|&t| t == Transform::Identity));
}

#[test]
fn a_scaling_is_kept_as_text() {
    let scaling = Scaling::fit(&one(&[0.1, 0.7]), &[Transform::Log]).unwrap();
    let text = serde_json::to_string(&scaling).unwrap();
    assert!(text.contains("\"transform\":\"log\""), "{text}");
    assert_eq!(serde_json::from_str::<Scaling>(&text).unwrap(), scaling);
    assert_eq!(toml::from_str::<Scaling>(&toml::to_string(&scaling).unwrap()).unwrap(), scaling);
}

proptest! {
    #[test]
    fn inverse_undoes_forward(values in proptest::collection::vec(1e-3..1e3f64, 2..20), log: bool) {
        let panel = one(&values);
        let transform = if log { Transform::Log } else { Transform::Identity };
        let scaling = Scaling::fit(&panel, &[transform]).unwrap();
        let scaled = scaling.forward(&panel).unwrap();
        for (scaled, value) in scaled.values().iter().zip(&values) {
            prop_assert!((scaling.channels[0].inverse(*scaled) - value).abs() < 1e-9 * value.abs().max(1.0));
        }
        for (scaled, time) in scaled.times().iter().zip(panel.times()) {
            prop_assert!((scaling.inverse_time(*scaled) - time).abs() < 1e-12 * time.abs().max(1.0));
        }
    }

    #[test]
    fn any_panel_is_scaled_or_refused_without_a_panic(values in proptest::collection::vec(-1e150..1e150f64, 1..9)) {
        let panel = one(&values);
        for transform in [Transform::Identity, Transform::Log] {
            if let Ok(scaling) = Scaling::fit(&panel, &[transform]) {
                prop_assert!(scaling.forward(&panel).is_ok());
            }
        }
    }
}
