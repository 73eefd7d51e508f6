//! What an attractor and its exponents do as a parameter changes.

use super::axes::{Axis, Range, usable};
use super::canvas::{self, Area, Font, Stroke};
use super::frame::{Frame, Mark, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::palette;
use super::text;
use crate::{Error, Result};

const WIDTH: f64 = 920.0;
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
const SAMPLES_HEIGHT: f64 = 360.0;
const EXPONENTS_HEIGHT: f64 = 200.0;
/// Room above an area for the name of its upright axis.
const NAME_ROOM: f64 = 29.0;
/// Room between the areas, which share their level axis.
const BETWEEN: f64 = 16.0;
const MARKS: usize = 20_000;
const VERTICES: usize = 6_000;
/// Exponents drawn.
const MOST_LINES: usize = 6;
/// Exponents that fall far for a few values are cut off: so many times the span of nine tenths of them is shown.
const SHOWN: f64 = 0.6;

/// A parameter scanned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// Name of the parameter.
    pub parameter: String,
    /// Its values, in order.
    pub values: Vec<f64>,
    /// What is sampled, with its unit.
    pub sampled: String,
    /// Samples of the attractor at each value.
    pub samples: Vec<Vec<f64>>,
    /// The unit of exponents: `nats per step`.
    pub unit: String,
    /// Exponents at each value, from the largest down; the first six are drawn.
    pub exponents: Vec<Vec<f64>>,
    /// Short remarks, such as how many runs failed.
    pub remarks: Vec<String>,
}

/// Draws samples of the attractor above and exponents below, against one axis of the parameter.
///
/// # Errors
/// [`Error::Shape`] if lists differ in length.
pub fn sweep_figure(figure: &SweepFigure) -> Result<String> {
    for (what, found) in [("samples", figure.samples.len()), ("exponents", figure.exponents.len())] {
        if found != figure.values.len() {
            return Err(Error::shape(format!("figure: {what}"), figure.values.len(), found));
        }
    }
    let lines = figure.exponents.iter().map(Vec::len).min().unwrap_or(0).min(MOST_LINES);
    // Neighbours in time, as many of each value as there is room for: every second of them would be half of an orbit of
    // period two. Each value begins at another phase.
    let room = (MARKS / figure.values.len().max(1)).max(1);
    let some = |(number, (&value, own)): (usize, (&f64, &Vec<f64>))| -> Vec<(f64, f64)> {
        let count = own.len();
        (0..room.min(count)).map(|k| (value, own[(number * room + k) % count])).collect()
    };
    let (at, samples): (Vec<f64>, Vec<f64>) =
        figure.values.iter().zip(&figure.samples).enumerate().flat_map(some).unzip();
    let any = Range { low: 0.0, high: 1.0 };
    let upper = Range::of(samples.iter().copied()).unwrap_or(any);
    let upper = Axis::linear(upper.padded(0.04), SAMPLES_HEIGHT / 38.0, 0.0);
    let lower = Axis::linear(shown(figure, lines).padded(0.06), EXPONENTS_HEIGHT / 34.0, 0.0);

    let curves = (0..lines).map(|i| (Key::Line(stroke(i)), format!("exponent {}", i + 1)));
    let remarks = figure.remarks.iter().map(|remark| (Key::Remark, remark.clone()));
    let legend = Legend::new(vec![curves.collect(), remarks.collect()], WIDTH - 2.0 * MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0 + NAME_ROOM;
    let label_room = upper.label_width(TICK_SIZE).max(lower.label_width(TICK_SIZE)).max(20.0) + 10.0;
    let (left, right) = (MARGIN + label_room, WIDTH - MARGIN);
    let area = Area { left, right, top, bottom: top + SAMPLES_HEIGHT };
    let second = area.bottom + BETWEEN + NAME_ROOM;
    let below = Area { left, right, top: second, bottom: second + EXPONENTS_HEIGHT };
    let height = below.bottom + TICK_ROOM + MARGIN + 16.0;
    let x = level_axis(Range::of(figure.values.iter().copied()).unwrap_or(any).widened(), right - left);
    let attractor = Frame { area, x: x.clone(), y: upper };
    let exponents = Frame { area: below, x, y: lower };

    canvas::render(WIDTH, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, WIDTH - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        attractor.grid(canvas);
        let mark = Mark {
            colour: palette::BLACK,
            radius: if samples.len() > 2000 { 0.8 } else { 1.2 },
            opacity: 0.7,
            open: false,
        };
        attractor.marks(canvas, &at, &samples, &[], mark, MARKS);
        attractor.axes(canvas, false);
        attractor.name_y(canvas, &figure.sampled, MARGIN, 16.0);

        exponents.grid(canvas);
        canvas.clipped(below, |canvas| {
            if let Some(zero) = exponents.y.fraction(0.0) {
                let y = below.bottom - zero * below.height();
                canvas.line((below.left, y), (below.right, y), Stroke::new(palette::GREY, 1.0));
            }
            for i in 0..lines {
                let y: Vec<f64> = figure.exponents.iter().map(|row| row[i]).collect();
                exponents.curve(canvas, &figure.values, &y, stroke(i), VERTICES / lines);
            }
        });
        exponents.axes(canvas, true);
        exponents.name_y(canvas, &format!("exponents ({})", figure.unit), MARGIN, 16.0);
        exponents.name_x(canvas, &figure.parameter);
    })
}

fn stroke(number: usize) -> Stroke {
    Stroke::new(palette::SERIES[number], 1.1)
}

/// What is shown of the exponents: all of nine tenths of them with 0, and some room for the others.
fn shown(figure: &SweepFigure, lines: usize) -> Range {
    let mut all: Vec<f64> =
        figure.exponents.iter().flat_map(|row| row[..lines].iter().copied()).filter(|x| usable(*x)).collect();
    all.sort_by(f64::total_cmp);
    let Some(whole) = Range::of(all.iter().copied().chain([0.0])) else { return Range { low: -1.0, high: 1.0 } };
    let low = all.get(all.len() / 20).copied().unwrap_or(0.0);
    let high = all.iter().rev().nth(all.len() / 20).copied().unwrap_or(0.0);
    Range { low: low.min(0.0), high: high.max(0.0) }.stretch(whole, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(count: usize, exponents: usize) -> SweepFigure {
        let value = |k: usize| k as f64 / 10.0;
        SweepFigure {
            title: "a < b & c".into(),
            parameter: "r".into(),
            values: (0..count).map(value).collect(),
            sampled: "x".into(),
            samples: (0..count).map(|k| vec![value(k); k % 4]).collect(),
            unit: "nats per step".into(),
            exponents: (0..count).map(|k| vec![value(k) - 1.0; exponents]).collect(),
            remarks: vec!["2 runs failed".into()],
        }
    }

    #[test]
    fn sweeps_of_any_size_and_with_failures_are_documents() {
        for (count, exponents) in [(0, 0), (1, 1), (50, 2), (3000, 9)] {
            let mut sweep = figure(count, exponents);
            if let Some(row) = sweep.exponents.get_mut(20) {
                row.fill(f64::NAN);
                sweep.exponents[21].fill(f64::NEG_INFINITY);
            }
            let svg = sweep_figure(&sweep).unwrap();
            roxmltree::Document::parse(&svg).unwrap();
            assert!(svg.contains("nats per step") && svg.contains("2 runs failed"));
            assert_eq!(svg.contains("exponent 6"), exponents == 9);
            assert!(!svg.contains("exponent 7"));
        }
    }

    #[test]
    fn lists_of_other_lengths_are_refused() {
        for bad in
            [SweepFigure { samples: Vec::new(), ..figure(4, 1) }, SweepFigure { exponents: Vec::new(), ..figure(4, 1) }]
        {
            assert!(matches!(sweep_figure(&bad), Err(Error::Shape { .. })));
        }
    }
}
