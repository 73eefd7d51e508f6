//! A fit in plain words.

use crate::train::{Metrics, Run, Stopped};
use std::fmt::Write;
use std::path::Path;

/// What a fit came to, and where its files are.
pub fn summary(run: &Run, metrics: &Metrics, out: &Path) -> String {
    let mut text = String::new();
    let mut line = |what: &str, words: String| {
        let _ = writeln!(text, "{what:<12} {words}");
    };
    let panel = run.panel();
    line(
        "data",
        format!(
            "{} series, {} rows, {} channels; {} rows for training",
            panel.series_count(),
            panel.row_count(),
            panel.channel_count(),
            run.split().training_row_count()
        ),
    );
    line("model", format!("{}, {} parameters, seed {}", metrics.model, metrics.parameters, metrics.seed));
    line("training", format!("{} epochs in {:.1} s; {}", metrics.epochs, metrics.wall_seconds, why(metrics)));
    line("fit error", number(metrics.train_mse_scaled) + " (mean square, in units of the training standard deviation)");
    if let Some(words) = test(metrics) {
        line("test error", words);
    }
    if let Some(coverage) = metrics.test_interval_coverage {
        let validated = run.split().series.iter().any(|s| !s.validation.is_empty());
        let remark = if validated { "" } else { " (it is that of the fit: too few rows for a validation part)" };
        line("interval", format!("90 % interval holds {:.0} % of the held-out cells{remark}", 100.0 * coverage));
    }
    line("files", out.display().to_string());
    text.pop();
    text
}

fn why(metrics: &Metrics) -> &'static str {
    match metrics.stopped_because {
        Stopped::Epochs => "all epochs done",
        Stopped::Patience => "stopped early: the validation part no longer improved",
        Stopped::NoImprovement => "training did not clearly improve on the start the data suggest, which is kept",
        Stopped::Interrupted => "interrupted; the best model so far is saved, go on with --resume",
    }
}

fn test(metrics: &Metrics) -> Option<String> {
    let baselines = metrics.baseline_mse_scaled.as_ref()?;
    let error = metrics.test_mse_scaled;
    let known = baselines.iter().filter_map(|(name, error)| Some((name, (*error)?)));
    let best = known.min_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(error), Some((name, baseline))) = (error, best) else {
        return Some(format!("{}: no held-out cell is observed", number(error)));
    };
    let name = match name.as_str() {
        "last_value" => "carrying the last value on",
        "mean" => "predicting the mean",
        "linear" => "a straight line",
        other => other,
    };
    let verdict = if !error.is_finite() {
        "the model's forecast could not be followed to the end".into()
    } else if baseline == 0.0 {
        "without a model there is no error to begin with".into()
    } else if error < baseline {
        format!("the model is better: {:.2} times that error", error / baseline)
    } else {
        format!("the model is no better: {:.2} times that error", error / baseline)
    };
    Some(format!("{}, against {} for {name}; {verdict}", number(Some(error)), number(Some(baseline))))
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value != 0.0 && !(1e-3..1e4).contains(&value.abs()) => format!("{value:.3e}"),
        Some(value) => format!("{value:.4}"),
        None => "unknown".into(),
    }
}
