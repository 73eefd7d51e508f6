//! Loss over the epochs of a training run.

use super::axes::{Axis, Range, usable};
use super::canvas::{self, Area, Canvas, Font, Stroke};
use super::frame::{Frame, TICK_ROOM, TICK_SIZE};
use super::legend::{Key, Legend, diamond};
use super::palette;
use super::text;
use crate::{Error, Result};

const WIDTH: f64 = 920.0;
const AREA_HEIGHT: f64 = 340.0;
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
const STAGE_SIZE: f64 = 10.5;
const STAGE_ROW: f64 = 14.0;
/// Rows of stage labels; what finds no room in them goes without.
const STAGE_ROWS: usize = 4;
const VERTICES: usize = 6_000;
/// More marks of stages than this would hide the curves.
const MOST_STAGES: usize = 200;

/// Training and validation loss by epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// What the loss is, with its unit: `mean squared error (scaled)`; `loss` if empty.
    pub loss: String,
    /// Epochs, in order.
    pub epochs: Vec<f64>,
    /// Training loss, as many.
    pub training: Vec<f64>,
    /// Validation loss: as many, or none; NaN where it was not measured.
    pub validation: Vec<f64>,
    /// Changes of horizon or stage.
    pub stages: Vec<Stage>,
    /// The epoch whose parameters were kept.
    pub best_epoch: Option<f64>,
}

/// The epoch a stage of training begins at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// When it begins.
    pub epoch: f64,
    /// A short name: `horizon 40`.
    pub label: String,
}

/// Draws training and validation loss as an SVG document.
///
/// The loss axis is logarithmic, unless a loss is negative (a log-likelihood). A logarithmic axis leaves out zeros.
///
/// # Errors
/// [`Error::Shape`] if the vectors differ in length.
pub fn loss_figure(figure: &LossFigure) -> Result<String> {
    let expected = figure.epochs.len();
    for (what, found) in [("training losses", figure.training.len()), ("validation losses", figure.validation.len())] {
        if found != expected && !(found == 0 && what.starts_with('v')) {
            return Err(Error::shape(format!("figure: {what}"), expected, found));
        }
    }
    // Validation is often measured now and then only: the line joins what there is.
    let (checked, validation): (Vec<f64>, Vec<f64>) =
        figure.epochs.iter().zip(&figure.validation).filter(|(_, loss)| usable(**loss)).unzip();
    let y = loss_axis(figure.training.iter().chain(&validation).copied());

    let legend = legend(figure, &validation, &y);
    let label_room = y.label_width(TICK_SIZE).max(20.0) + 10.0;
    let (left, right) = (MARGIN + label_room, WIDTH - MARGIN);
    let marked = figure.epochs.iter().copied().chain(figure.best_epoch);
    let epochs = Range::of(marked).unwrap_or(Range { low: 0.0, high: 1.0 });
    let x = epoch_axis(epochs, right - left);

    // Labels of stages stand in rows above the area.
    let marks = stage_marks(figure, &x, left, right);
    let rows = marks.iter().filter_map(|mark| mark.row).max().map_or(0, |row| row + 1);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let name_top = MARGIN + title_height + legend.height() + 6.0;
    let top = name_top + 28.0 + rows as f64 * STAGE_ROW;
    let area = Area { left, right, top, bottom: top + AREA_HEIGHT };
    let height = area.bottom + TICK_ROOM + MARGIN + 16.0;
    let frame = Frame { area, x, y };

    canvas::render(WIDTH, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, WIDTH - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        let name = if figure.loss.trim().is_empty() { "loss" } else { &figure.loss };
        frame.name_y(canvas, name, MARGIN, top - name_top - 11.0);
        frame.grid(canvas);
        draw_stages(canvas, &marks, area);
        canvas.clipped(area, |canvas| {
            frame.curve(canvas, &figure.epochs, &figure.training, training_stroke(), VERTICES);
            frame.curve(canvas, &checked, &validation, validation_stroke(), VERTICES);
        });
        if let Some((epoch, loss)) = best(figure)
            && let Some(at) = frame.place(epoch, loss)
        {
            diamond(canvas, at, palette::BLACK);
        }
        frame.axes(canvas, true);
        frame.name_x(canvas, "epoch");
    })
}

fn training_stroke() -> Stroke {
    Stroke::new(palette::BLUE, 1.6)
}

fn validation_stroke() -> Stroke {
    Stroke::new(palette::VERMILLION, 1.8)
}

/// Logarithmic where that can be.
fn loss_axis(losses: impl Iterator<Item = f64> + Clone) -> Axis {
    let ticks = AREA_HEIGHT / 40.0;
    match (Range::of(losses.clone()), Range::of(losses.filter(|loss| *loss > 0.0))) {
        (Some(all), _) if all.low < 0.0 => Axis::linear(all.padded(0.05), ticks, 0.0),
        (_, Some(positive)) => Axis::logarithmic(positive, ticks),
        _ => Axis::logarithmic(Range { low: 0.1, high: 1.0 }, ticks),
    }
}

/// Epochs are whole numbers, so are their ticks.
fn epoch_axis(epochs: Range, width: f64) -> Axis {
    let range = if epochs.span() < 1.0 {
        Range { low: epochs.low - 0.6, high: epochs.high + 0.6 }
    } else {
        epochs.padded(0.015)
    };
    Axis::linear(range, width / 80.0, 1.0)
}

/// The best epoch with the loss there: that of validation if it was measured, else of training.
fn best(figure: &LossFigure) -> Option<(f64, f64)> {
    let epoch = figure.best_epoch?;
    let at = figure.epochs.iter().position(|e| *e == epoch)?;
    let loss = figure.validation.get(at).copied().filter(|loss| usable(*loss));
    Some((epoch, loss.unwrap_or(figure.training[at])))
}

fn legend(figure: &LossFigure, validation: &[f64], y: &Axis) -> Legend {
    let mut entries = vec![(Key::Line(training_stroke()), "training".to_owned())];
    if !validation.is_empty() {
        entries.push((Key::Line(validation_stroke()), "validation".to_owned()));
    }
    if let Some((epoch, loss)) = best(figure).filter(|(_, loss)| y.fraction(*loss).is_some()) {
        entries.push((Key::Diamond(palette::BLACK), format!("best: epoch {epoch}, {}", short(loss))));
    }
    let missing = figure.training.iter().chain(validation).filter(|loss| y.fraction(**loss).is_none()).count();
    if missing > 0 {
        let what = if missing == 1 { "value" } else { "values" };
        entries.push((Key::Remark, format!("{missing} {what} zero or not finite")));
    }
    Legend::new(vec![entries], WIDTH - 2.0 * MARGIN)
}

/// Three significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        let decimals = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).max(0) as usize };
        format!("{value:.decimals$}")
    } else {
        format!("{value:.2e}")
    }
}

/// A stage on the page: its place and, if there is room for its label, the label's row above the area.
struct StageMark {
    x: f64,
    row: Option<usize>,
    label: String,
}

/// Gives each label the lowest row above those it reaches over, from the right: so no mark's line crosses a label.
fn stage_marks(figure: &LossFigure, axis: &Axis, left: f64, right: f64) -> Vec<StageMark> {
    let mut stages: Vec<(f64, &str)> = figure
        .stages
        .iter()
        .filter_map(|stage| Some((axis.fraction(stage.epoch)?, stage.label.as_str())))
        .filter(|(at, _)| (0.0..=1.0).contains(at))
        .map(|(at, label)| (left + at * (right - left), label))
        .collect();
    stages.sort_by(|a, b| a.0.total_cmp(&b.0));
    let stride = stages.len().div_ceil(MOST_STAGES).max(1);
    let mut marks: Vec<StageMark> = Vec::new();
    for (x, label) in stages.into_iter().step_by(stride).rev() {
        let label = text::fit(label, STAGE_SIZE, 150.0);
        let end = x + text::width(&label, STAGE_SIZE);
        let above = marks.iter().filter(|mark| mark.x <= end + 8.0).filter_map(|mark| Some(mark.row? + 1)).max();
        let row = Some(above.unwrap_or(0)).filter(|row| *row < STAGE_ROWS && end <= right && !label.is_empty());
        marks.push(StageMark { x, row, label });
    }
    marks
}

fn draw_stages(canvas: &mut Canvas, marks: &[StageMark], area: Area) {
    for mark in marks {
        let rise = mark.row.map_or(0.0, |row| (row + 1) as f64 * STAGE_ROW);
        let stroke = Stroke::new(palette::LINE, 0.9);
        canvas.line((mark.x, area.top - rise + 2.0), (mark.x, area.bottom), stroke);
        if mark.row.is_some() {
            let at = (mark.x + 3.0, area.top - rise + 0.5 * STAGE_ROW - 1.0);
            canvas.text(&mark.label, at, Font::new(STAGE_SIZE, palette::GREY));
        }
    }
}
