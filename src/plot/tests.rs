//! Every figure is valid XML of bounded size, whatever the numbers and names.

use super::axes::{Axis, Range};
use super::*;
use proptest::prelude::*;

fn wave(count: usize, offset: f64) -> Vec<f64> {
    (0..count).map(|i| offset + (i as f64 * 0.37).sin()).collect()
}

fn steps(count: usize, from: f64) -> Vec<f64> {
    (0..count).map(|i| from + i as f64).collect()
}

fn points(count: usize, from: f64, error: bool) -> Points {
    let error = if error { vec![0.4; count] } else { Vec::new() };
    Points { time: steps(count, from), value: wave(count, 0.0), error }
}

fn curve(count: usize, from: f64, band: bool) -> Curve {
    let (low, high) = if band { (wave(count, -1.0), wave(count, 1.0)) } else { Default::default() };
    Curve { time: steps(count, from), value: wave(count, 0.0), low, high }
}

fn series(name: &str, count: usize) -> FitSeries {
    FitSeries {
        name: name.into(),
        observed: points(count, 0.0, true),
        held_out: points(count / 4, count as f64, true),
        fitted: curve(count, 0.0, true),
        forecast: curve(count / 4, count as f64, true),
        held_out_from: Some(count as f64 - 0.5),
    }
}

fn figure(panels: usize, names: &[&str], count: usize) -> FitFigure {
    let series = || names.iter().map(|name| series(name, count)).collect();
    let panel = |i| FitPanel { channel: format!("channel_{i}"), unit: Some("m/s".into()), series: series() };
    FitFigure { title: "fit".into(), time: "time (s)".into(), panels: (0..panels).map(panel).collect() }
}

/// All text of a valid document, piece by piece.
fn texts(svg: &str) -> Vec<String> {
    assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
    let document = roxmltree::Document::parse(svg).expect("valid XML");
    for node in document.descendants() {
        for attribute in node.attributes() {
            let value = attribute.value();
            let numeric = !matches!(attribute.name(), "font-family" | "clip-path");
            assert!(!numeric || !(value.contains("NaN") || value.contains("inf")), "{} = {value}", attribute.name());
        }
    }
    let text = document.descendants().filter(|node| node.has_tag_name("text"));
    text.filter_map(|node| node.text()).map(|text| text.trim().to_owned()).collect()
}

fn open_circles(svg: &str) -> usize {
    let document = roxmltree::Document::parse(svg).expect("valid XML");
    document.descendants().filter(|n| n.has_tag_name("circle") && n.attribute("fill") == Some("none")).count()
}

#[test]
fn every_panel_is_named_with_its_unit() {
    for panels in [0, 1, 2, 5, 14] {
        let texts = texts(&fit_figure(&figure(panels, &["a"], 20)).unwrap());
        for i in 0..panels {
            assert!(texts.contains(&format!("channel_{i} (m/s)")), "{panels} panels: {texts:?}");
        }
        assert_eq!(texts.contains(&"time (s)".to_owned()), panels > 0);
    }
}

#[test]
fn open_circles_appear_only_with_a_held_out_part() {
    let mut figure = figure(1, &["a"], 40);
    let svg = fit_figure(&figure).unwrap();
    assert_eq!(open_circles(&svg), 10 + 1, "ten points and the legend's");
    assert!(texts(&svg).contains(&"held-out span".to_owned()));
    figure.panels[0].series[0].held_out = Points::default();
    figure.panels[0].series[0].held_out_from = None;
    let svg = fit_figure(&figure).unwrap();
    assert_eq!(open_circles(&svg), 0);
    assert!(!texts(&svg).iter().any(|text| text.contains("held")));
}

#[test]
fn names_with_markup_are_escaped_and_long_ones_shortened() {
    let mut figure = figure(1, &["<b>&\"'", "two"], 5);
    figure.panels[0].channel = "x".repeat(500);
    figure.title = "line\nbreak \u{0} <svg> ".into();
    let texts = texts(&fit_figure(&figure).unwrap());
    assert!(texts.contains(&"<b>&\"'".to_owned()));
    assert!(texts.contains(&"line break   <svg>".to_owned()));
    assert!(texts.iter().any(|text| text.starts_with("xxxx") && text.ends_with('…') && text.len() < 200));
}

#[test]
fn size_is_bounded_for_long_and_many_data() {
    let names: Vec<String> = (0..40).map(|i| format!("series {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    texts(&fit_figure(&figure(1, &["a"], 100_000)).unwrap());
    texts(&fit_figure(&figure(14, &names[..6], 2_000)).unwrap());
    let shown = texts(&fit_figure(&figure(100, &names, 50)).unwrap());
    assert!(shown.contains(&"6 of 40 series".to_owned()) && shown.contains(&"48 of 100 channels".to_owned()));
    // Every second value missing: as many pieces of curve as values.
    let mut gaps = figure(14, &names[..6], 2_000);
    for s in gaps.panels.iter_mut().flat_map(|panel| &mut panel.series) {
        s.fitted.value.iter_mut().step_by(2).for_each(|v| *v = f64::NAN);
        s.fitted.low.iter_mut().step_by(3).for_each(|v| *v = f64::NAN);
    }
    texts(&fit_figure(&gaps).unwrap());
}

#[test]
fn a_gap_breaks_the_curve() {
    let mut s = FitSeries { fitted: curve(30, 0.0, false), ..Default::default() };
    s.fitted.value[15] = f64::INFINITY;
    let panels = vec![FitPanel { channel: "x".into(), unit: None, series: vec![s] }];
    let svg = fit_figure(&FitFigure { panels, ..Default::default() }).unwrap();
    assert_eq!(svg.matches("<polyline").count(), 2);
}

#[test]
fn lengths_that_differ_are_an_error() {
    let mut fit = figure(1, &["a"], 5);
    fit.panels[0].series[0].observed.value.pop();
    assert!(matches!(fit_figure(&fit), Err(crate::Error::Shape { .. })));
    let loss = LossFigure { epochs: vec![1.0], ..Default::default() };
    assert!(matches!(loss_figure(&loss), Err(crate::Error::Shape { .. })));
}

#[test]
fn losses_of_any_kind_are_drawn() {
    let best = |training: Vec<f64>| LossFigure {
        epochs: steps(training.len(), 0.0),
        validation: training.iter().map(|loss| 2.0 * loss).collect(),
        training,
        best_epoch: Some(0.0),
        ..Default::default()
    };
    for training in [vec![], vec![0.3], vec![0.0; 4], vec![f64::NAN; 3], vec![1e-300, 1e300], vec![-3.0, 5.0]] {
        let texts = texts(&loss_figure(&best(training)).unwrap());
        assert!(texts.contains(&"epoch".to_owned()) && texts.contains(&"loss".to_owned()));
    }
    let texts = texts(&loss_figure(&best(vec![0.5, 0.25])).unwrap());
    assert!(texts.contains(&"best: epoch 0, 1.00".to_owned()), "{texts:?}");
}

fn lines(values: Vec<f64>, logarithmic: bool) -> LinesFigure {
    let line = |name: &str, look: Look| Line::solid(name, steps(values.len(), 0.0), values.clone()).look(look);
    let panel = |y: &str| LinesPanel {
        x: "training step".into(),
        y: y.into(),
        logarithmic,
        logarithmic_x: logarithmic,
        shown: None,
        lines: vec![line("LSTM", Look::Solid), line("<GRU>", Look::Marks), line("truth", Look::Truth)],
        levels: vec![("chance".into(), 0.5)],
    };
    let panels = vec![panel("accuracy (%)"), panel("loss")];
    LinesFigure { title: "learned".into(), panels, remarks: vec!["in short".into()] }
}

#[test]
fn curves_name_models_axes_and_levels_whatever_the_numbers() {
    for values in [wave(30, 2.0), vec![], vec![f64::NAN, 0.0, -1.0, f64::INFINITY], vec![1e300, 1e-300]] {
        for logarithmic in [false, true] {
            let texts = texts(&lines_figure(&lines(values.clone(), logarithmic)).unwrap());
            for name in ["LSTM", "<GRU>", "truth", "accuracy (%)", "loss", "chance", "training step", "in short"] {
                assert!(texts.iter().any(|text| text == name), "{name} in {texts:?}");
            }
        }
    }
    let mut both = lines(wave(3, 0.0), false);
    let marks = both.panels[0].lines[0].clone().look(Look::Marks);
    both.panels[0].lines.push(marks);
    assert_eq!(texts(&lines_figure(&both).unwrap()).iter().filter(|text| *text == "LSTM").count(), 1);
    let mut wrong = lines(wave(3, 0.0), false);
    wrong.panels[1].lines[0].x.pop();
    assert!(matches!(lines_figure(&wrong), Err(crate::Error::Shape { .. })));
    assert!(lines_figure(&LinesFigure::default()).is_ok());
}

#[test]
fn stability_regions_are_documents_whatever_the_points() {
    let disc = |re: f64, im: f64| ((1.0 + re).powi(2) + im * im).sqrt();
    let panel = |points: Vec<[f64; 2]>| RegionPanel {
        name: "euler".into(),
        growth: std::rc::Rc::new(disc),
        points: vec![("h = 0.1".into(), points)],
    };
    for points in [vec![[-0.5, 0.5]], vec![], vec![[f64::NAN, 1.0], [-1e300, f64::INFINITY]]] {
        let figure =
            RegionsFigure { title: "t".into(), panels: vec![panel(points); 4], remarks: vec!["stable".into()] };
        let texts = texts(&regions_figure(&figure).unwrap());
        assert!(texts.iter().any(|text| text == "no mode grows") && texts.iter().any(|text| text == "h = 0.1"));
    }
    assert!(regions_figure(&RegionsFigure::default()).is_ok());
}

#[test]
fn crowded_stage_labels_are_left_out() {
    let stages = |count: usize| -> usize {
        let stages = (0..count).map(|i| Stage { epoch: i as f64, label: format!("horizon {i}") });
        let training = vec![0.5; 300];
        let figure = LossFigure { epochs: steps(300, 0.0), training, stages: stages.collect(), ..Default::default() };
        texts(&loss_figure(&figure).unwrap()).iter().filter(|text| text.starts_with("horizon")).count()
    };
    assert_eq!(stages(1), 1);
    assert!((3..100).contains(&stages(300)));
}

#[test]
fn known_axes_have_known_labels() {
    let labels = |low, high| {
        let axis = Axis::linear(Range { low, high }, 4.0, 0.0);
        (axis.ticks.iter().map(|tick| tick.label.clone()).collect::<Vec<_>>().join(" "), axis.remark)
    };
    assert_eq!(labels(1958.2, 2001.9), ("1960 1980 2000".into(), String::new()));
    assert_eq!(labels(-1.0, 1.0), ("−1.0 −0.5 0.0 0.5 1.0".into(), String::new()));
    assert_eq!(labels(0.0, 4e-12), ("0 1 2 3 4".into(), "×10⁻¹²".into()));
    assert_eq!(labels(1e12 - 1.0, 1e12 + 1.0), ("−1.0 −0.5 0.0 0.5 1.0".into(), "+ 1×10¹²".into()));
    assert_eq!(labels(2_459_000.51, 2_459_000.55).1, "+ 2459000.5");
    assert_eq!(labels(7.0, 7.0).1, "");
}

/// Any number at all, extremes more often than they come by chance.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324,
            1e12, 1e150, -1e150, 1e-12, 49066.59,
        ]),
    ]
}

fn numbers(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), count)
}

fn any_points() -> impl Strategy<Value = Points> {
    (0..12usize, any::<bool>()).prop_flat_map(|(n, bars)| {
        (numbers(n), numbers(n), numbers(if bars { n } else { 0 })).prop_map(|(time, value, error)| Points {
            time,
            value,
            error,
        })
    })
}

fn any_curve() -> impl Strategy<Value = Curve> {
    (0..30usize, any::<bool>()).prop_flat_map(|(n, band)| {
        let ends = if band { n } else { 0 };
        (numbers(n), numbers(n), numbers(ends), numbers(ends)).prop_map(|(time, value, low, high)| Curve {
            time,
            value,
            low,
            high,
        })
    })
}

fn any_series() -> impl Strategy<Value = FitSeries> {
    (any::<String>(), any_points(), any_points(), any_curve(), any_curve(), prop::option::of(number())).prop_map(
        |(name, observed, held_out, fitted, forecast, held_out_from)| FitSeries {
            name,
            observed,
            held_out,
            fitted,
            forecast,
            held_out_from,
        },
    )
}

fn any_fit() -> impl Strategy<Value = FitFigure> {
    let panel = (any::<String>(), prop::option::of(any::<String>()), prop::collection::vec(any_series(), 0..4))
        .prop_map(|(channel, unit, series)| FitPanel { channel, unit, series });
    (any::<String>(), any::<String>(), prop::collection::vec(panel, 0..11))
        .prop_map(|(title, time, panels)| FitFigure { title, time, panels })
}

fn any_loss() -> impl Strategy<Value = LossFigure> {
    let stage = (number(), any::<String>()).prop_map(|(epoch, label)| Stage { epoch, label });
    let losses = (0..20usize).prop_flat_map(|n| (numbers(n), numbers(n), numbers(n)));
    (any::<String>(), any::<String>(), losses, prop::collection::vec(stage, 0..9), prop::option::of(number())).prop_map(
        |(title, loss, (epochs, training, validation), stages, best_epoch)| LossFigure {
            title,
            loss,
            epochs,
            training,
            validation,
            stages,
            best_epoch,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_fit_is_a_valid_document(figure in any_fit()) {
        texts(&fit_figure(&figure).unwrap());
    }

    #[test]
    fn any_loss_is_a_valid_document(figure in any_loss()) {
        texts(&loss_figure(&figure).unwrap());
    }

    #[test]
    fn tick_labels_are_short_distinct_and_within_the_range(
        middle in -10.0..10.0f64, power in -20..20i32, spread in -13..2i32, wanted in 2.0..12.0f64,
    ) {
        let middle = middle * 10f64.powi(power);
        let half = middle.abs().max(1e-30) * 10f64.powi(spread);
        let range = Range { low: middle - half, high: middle + half }.widened();
        let axis = Axis::linear(range, wanted, 0.0);
        prop_assert!((2..=16).contains(&axis.ticks.len()), "{axis:?}");
        for pair in axis.ticks.windows(2) {
            prop_assert!(pair[0].label != pair[1].label, "{axis:?}");
        }
        for tick in &axis.ticks {
            prop_assert!(tick.label.chars().count() <= 8, "{axis:?}");
            prop_assert!((-1e-3..1.001).contains(&axis.tick_fraction(tick.at)), "{axis:?}");
        }
    }
}

fn trajectory(dim: usize, count: usize, points: bool) -> TrajectoryFigure {
    let component = |i: usize| (format!("y{i}"), wave(count, i as f64));
    let (times, components) = (steps(count, 0.0), (0..dim).map(component).collect());
    TrajectoryFigure { title: "t".into(), time: "time".into(), times, components, points, remark: String::new() }
}

#[test]
fn trajectories_name_their_components_and_stay_small_whatever_their_length() {
    for points in [false, true] {
        for (dim, count) in
            [(0, 0), (1, 0), (1, 1), (1, 50), (2, 2), (2, 200_000), (3, 200_000), (4, 100), (40, 50_000)]
        {
            let shown = texts(&trajectory_figure(&trajectory(dim, count, points)).unwrap());
            for i in 0..dim.min(6) {
                assert!(shown.contains(&format!("y{i}")), "{dim} of {count}: {shown:?}");
            }
            assert_eq!(shown.contains(&"6 of 40 components".to_owned()), dim == 40);
            assert_eq!(shown.contains(&"next y0".to_owned()), points && dim == 1 && count > 1);
            assert_eq!(
                shown.contains(&"first row".to_owned()),
                count > 1 && (matches!(dim, 2 | 3) || (points && dim == 1))
            );
        }
    }
    let mut broken = trajectory(3, 20, false);
    broken.components[1].1[7] = f64::NAN;
    broken.components[2].1[9] = 1e300;
    broken.remark = "ended early".into();
    assert!(texts(&trajectory_figure(&broken).unwrap()).contains(&"ended early".to_owned()));
    broken.components[0].1.pop();
    assert!(trajectory_figure(&broken).is_err());
}
