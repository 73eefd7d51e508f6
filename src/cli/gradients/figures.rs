//! `gradients.svg`.

use super::report::{Part, Report};
use crate::Result;
use crate::analysis::Status;
use crate::analysis::horizon::Reached;
use crate::cli::shared::short;
use crate::io::OutputFolder;
use crate::plot::{Line, LinesFigure, LinesPanel, Look, lines_figure};
use std::f64::consts::LN_10;

/// Singular values drawn, evenly on a logarithmic scale of their numbers: more have no colours of their own.
const MOST_LINES: usize = 4;

/// Norms with the predicted slope, and singular values, against lag; a pair of panels for each direction.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &OutputFolder, report: &Report) -> Result<()> {
    let both = report.backward.is_some();
    let mut remarks = Vec::new();
    for part in report.parts() {
        let of = if both { format!("{}: ", part.direction()) } else { String::new() };
        remarks.push(match part.horizon_kind {
            Reached::Measured => format!("{of}horizon {} steps", short(part.horizon)),
            Reached::Extrapolated => format!("{of}horizon some {} steps, extrapolated", short(part.horizon)),
            Reached::Never => format!("{of}no horizon"),
        });
        remarks.push(format!("{of}measured rate {:.4}", part.measured_rate));
        remarks.push(format!("{of}predicted rate {:.4}", part.predicted_rate));
    }
    let figure = LinesFigure {
        title: report.first.title.clone(),
        panels: report.parts().flat_map(|part| panels(part, both)).collect(),
        remarks,
    };
    folder.write("gradients.svg", &lines_figure(&figure)?)
}

fn panels(part: &Part, both: bool) -> Vec<LinesPanel> {
    let of = if both { format!(", {}", part.direction()) } else { String::new() };
    let step = if part.step == 1.0 { "steps".into() } else { format!("steps of {}", short(part.step)) };
    let x = format!("lag ({step})");
    let lags: Vec<f64> = part.lags.iter().map(|&lag| lag as f64).collect();
    let decimal = |logs: &[f64]| logs.iter().map(|log| log / LN_10).collect::<Vec<f64>>();
    let [from, to] = part.fitted_lags;
    let fitted = || part.lags.iter().copied().filter(|lag| (from..=to).contains(lag));
    let predicted: Vec<f64> = fitted().map(|lag| part.predicted_log(lag) / LN_10).collect();
    let mut lines = vec![
        Line::solid("gradient norm, mean of logarithms", lags.clone(), decimal(&part.log_backward_norms)),
        Line::solid("slope of the leading exponent", fitted().map(|lag| lag as f64).collect(), predicted)
            .look(Look::Dashed),
    ];
    let reached = [part.horizon(), part.precision_horizon()];
    let levels = reached.iter().filter(|horizon| horizon.reached == Reached::Measured);
    let levels = levels.map(|h| (format!("threshold {}", short(h.threshold)), h.threshold.log10())).collect();
    if part.products.is_empty() {
        let y = format!("log10 of the share of the norm at lag 0{of}");
        return vec![LinesPanel { x, y, levels, lines, ..LinesPanel::default() }];
    }
    lines.insert(1, Line::solid("largest singular value", lags.clone(), decimal(&part.log_singular_max)));
    let norms = LinesPanel {
        x: x.clone(),
        y: format!("log10 of the share of the norm at lag 0{of}"),
        levels,
        lines,
        ..LinesPanel::default()
    };
    let value = |i: usize| {
        // What rounding hides is no value.
        let shown = |at: usize| match part.products[at].status[i] {
            Status::Resolved => part.products[at].logs[i] / LN_10,
            Status::BelowPrecision | Status::MinusInfinity => f64::NAN,
        };
        let name = if i == 0 { "largest singular value".into() } else { format!("singular value {}", i + 1) };
        Line::solid(name, lags.clone(), (0..part.products.len()).map(shown).collect())
    };
    let lines: Vec<Line> = chosen(part.state_dimension).into_iter().map(value).collect();
    let shown = seen(&lines, part.precision_threshold.log10());
    let cut = if shown.is_some() {
        format!(", down to {:.0e} of the largest", part.precision_threshold)
    } else {
        String::new()
    };
    let singular = LinesPanel {
        x,
        y: format!("log10 of singular values of the product{of}{cut}"),
        shown,
        lines,
        ..LinesPanel::default()
    };
    vec![norms, singular]
}

/// What the axis shows where some line falls so far that nothing else could be read: down to what rounding leaves beside the
/// first.
fn seen(lines: &[Line], depth: f64) -> Option<[f64; 2]> {
    let finite = |line: &Line| line.y.iter().copied().filter(|y| y.is_finite()).collect::<Vec<f64>>();
    let least = |values: Vec<f64>| values.into_iter().reduce(f64::min);
    let floor = least(finite(lines.first()?))? + depth;
    let all: Vec<f64> = lines.iter().flat_map(finite).collect();
    let most = all.iter().copied().fold(floor, f64::max);
    (least(all)? < floor).then_some([floor, most])
}

/// Which of so many singular values are drawn.
fn chosen(count: usize) -> Vec<usize> {
    if count <= MOST_LINES {
        return (0..count).collect();
    }
    let apart = (count as f64).powf(1.0 / (MOST_LINES - 1) as f64);
    let mut chosen: Vec<usize> = (0..MOST_LINES).map(|k| apart.powi(k as i32).round() as usize - 1).collect();
    chosen.dedup();
    chosen
}
