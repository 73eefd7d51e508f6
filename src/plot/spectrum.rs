//! A Lyapunov spectrum with its errors, and how it converged.

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
const SPECTRUM_HEIGHT: f64 = 300.0;
const CONVERGENCE_HEIGHT: f64 = 220.0;
/// Room above an area for the name of its upright axis.
const NAME_ROOM: f64 = 29.0;
/// Room between the areas, for the ticks and the name of the upper one's level axis.
const BETWEEN: f64 = 50.0;
const MARKS: usize = 5_000;
const VERTICES: usize = 6_000;
/// Lines of convergence drawn.
const MOST_LINES: usize = 6;

/// What is said of an exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExponentMark {
    /// Measured.
    Resolved,
    /// Zero as far as can be seen.
    Neutral,
    /// Hidden by rounding: an upper bound.
    Hidden,
    /// Minus infinity.
    Dead,
}

/// Exponents with their errors and their way there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpectrumFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// The unit of exponents: `nats per unit of time`.
    pub unit: String,
    /// From the largest down.
    pub exponents: Vec<f64>,
    /// One standard error each.
    pub errors: Vec<f64>,
    /// One mark each.
    pub marks: Vec<ExponentMark>,
    /// Name of the convergence axis: `steps counted`.
    pub progress: String,
    /// Where the averages were taken, in order.
    pub steps: Vec<f64>,
    /// For each of these, all exponents so far.
    pub averages: Vec<Vec<f64>>,
    /// Short remarks, such as the dimension.
    pub remarks: Vec<String>,
}

/// Draws a spectrum against the exponents' number, with bars of two standard errors and a mark for what is said of each,
/// and below it the running averages of up to six of them.
///
/// # Errors
/// [`Error::Shape`] if lists differ in length.
pub fn spectrum_figure(figure: &SpectrumFigure) -> Result<String> {
    let count = figure.exponents.len();
    let rows =
        figure.averages.iter().map(Vec::len).filter(|n| *n != count).chain([figure.errors.len(), figure.marks.len()]);
    if let Some(found) = rows.into_iter().find(|n| *n != count) {
        return Err(Error::shape("figure: exponents", count, found));
    }
    if figure.averages.len() != figure.steps.len() {
        return Err(Error::shape("figure: averages", figure.steps.len(), figure.averages.len()));
    }
    let finite = || figure.exponents.iter().copied().filter(|x| usable(*x));
    let all = Range::of(finite().chain([0.0])).unwrap_or(Range { low: -1.0, high: 1.0 });
    let upper = Axis::linear(all.padded(0.08), SPECTRUM_HEIGHT / 38.0, 0.0);
    let numbers = Range { low: 1.0, high: (count.max(1)) as f64 };
    let padded = Range { low: numbers.low - 0.6, high: numbers.high + 0.6 };
    let lines = chosen(figure);
    let settled = settled(figure, &lines);
    let lower = Axis::linear(settled.padded(0.1), CONVERGENCE_HEIGHT / 34.0, 0.0);

    let legend = legend(figure, &lines);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0 + NAME_ROOM;
    let label_room = upper.label_width(TICK_SIZE).max(lower.label_width(TICK_SIZE)).max(20.0) + 10.0;
    let (left, right) = (MARGIN + label_room, WIDTH - MARGIN);
    let area = Area { left, right, top, bottom: top + SPECTRUM_HEIGHT };
    let second = area.bottom + BETWEEN + NAME_ROOM;
    let below = Area { left, right, top: second, bottom: second + CONVERGENCE_HEIGHT };
    let height = below.bottom + TICK_ROOM + MARGIN + 16.0;
    let spectrum = Frame { area, x: Axis::linear(padded, (right - left) / 70.0, 1.0), y: upper };
    let steps = Range::of(figure.steps.iter().copied().chain([0.0])).unwrap_or(Range { low: 0.0, high: 1.0 });
    let convergence = Frame { area: below, x: level_axis(steps, right - left), y: lower };

    canvas::render(WIDTH, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, WIDTH - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        spectrum.grid(canvas);
        if let (Some(from), Some(to)) = (spectrum.place(padded.low, 0.0), spectrum.place(padded.high, 0.0)) {
            canvas.line(from, to, Stroke::new(palette::GREY, 1.0));
        }
        for kind in [ExponentMark::Resolved, ExponentMark::Neutral, ExponentMark::Hidden, ExponentMark::Dead] {
            let own: Vec<usize> = (0..count).filter(|&i| figure.marks[i] == kind).collect();
            let x: Vec<f64> = own.iter().map(|&i| (i + 1) as f64).collect();
            // What is minus infinity stands at the lower edge.
            let y = |&i: &usize| if kind == ExponentMark::Dead { all.padded(0.06).low } else { figure.exponents[i] };
            let y: Vec<f64> = own.iter().map(y).collect();
            let error: Vec<f64> = own.iter().map(|&i| 2.0 * figure.errors[i]).collect();
            let error = if kind == ExponentMark::Dead { &[][..] } else { &error };
            spectrum.marks(canvas, &x, &y, error, mark(kind, count), MARKS);
        }
        spectrum.axes(canvas, true);
        spectrum.name_y(canvas, &format!("exponent ({})", figure.unit), MARGIN, 16.0);
        spectrum.name_x(canvas, "number of the exponent");

        convergence.grid(canvas);
        canvas.clipped(below, |canvas| {
            for (number, &i) in lines.iter().enumerate() {
                let y: Vec<f64> = figure.averages.iter().map(|row| row[i]).collect();
                convergence.curve(canvas, &figure.steps, &y, stroke(number), VERTICES / lines.len().max(1));
            }
        });
        convergence.axes(canvas, true);
        convergence.name_y(canvas, &format!("average so far ({})", figure.unit), MARGIN, 16.0);
        convergence.name_x(canvas, &figure.progress);
    })
}

fn mark(kind: ExponentMark, count: usize) -> Mark {
    let radius = (40.0 / (count.max(1) as f64).sqrt()).clamp(1.6, 4.0);
    let (colour, open) = match kind {
        ExponentMark::Resolved => (palette::BLUE, false),
        ExponentMark::Neutral => (palette::BLUISH_GREEN, true),
        ExponentMark::Hidden => (palette::VERMILLION, true),
        ExponentMark::Dead => (palette::BLACK, false),
    };
    Mark { colour, radius, opacity: 1.0, open }
}

fn stroke(number: usize) -> Stroke {
    Stroke::new(palette::SERIES[number % palette::SERIES.len()], 1.5)
}

/// Exponents whose convergence is drawn: all of a few, else the leading ones that have a value.
fn chosen(figure: &SpectrumFigure) -> Vec<usize> {
    let drawn = |i: &usize| figure.exponents[*i].is_finite();
    (0..figure.exponents.len()).filter(drawn).take(MOST_LINES).collect()
}

/// Where the averages lie once a tenth of the run is over.
fn settled(figure: &SpectrumFigure, lines: &[usize]) -> Range {
    let late = figure.averages.iter().skip(figure.averages.len() / 10);
    let values = late.flat_map(|row| lines.iter().map(|&i| row[i]));
    Range::of(values).unwrap_or(Range { low: -1.0, high: 1.0 })
}

fn legend(figure: &SpectrumFigure, lines: &[usize]) -> Legend {
    let names = [
        (ExponentMark::Resolved, "exponent, bar of two standard errors"),
        (ExponentMark::Neutral, "zero within its error"),
        (ExponentMark::Hidden, "hidden by rounding: at most this"),
        (ExponentMark::Dead, "minus infinity"),
    ];
    let there = names.into_iter().filter(|(kind, _)| figure.marks.contains(kind));
    let marks = there.map(|(kind, name)| (Key::Mark(Mark { radius: 4.0, ..mark(kind, 1) }), name.to_owned()));
    let curves = lines.iter().enumerate().map(|(number, i)| (Key::Line(stroke(number)), format!("exponent {}", i + 1)));
    let remarks = figure.remarks.iter().map(|remark| (Key::Remark, remark.clone()));
    Legend::new(vec![marks.collect(), curves.collect(), remarks.collect()], WIDTH - 2.0 * MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(count: usize) -> SpectrumFigure {
        let marks = [ExponentMark::Resolved, ExponentMark::Neutral, ExponentMark::Hidden, ExponentMark::Dead];
        let mark = |i: usize| marks[4 * i / count.max(1)];
        let value = |i: usize| if mark(i) == ExponentMark::Dead { f64::NEG_INFINITY } else { 1.0 - i as f64 };
        SpectrumFigure {
            title: "a < b & c".into(),
            unit: "nats per step".into(),
            exponents: (0..count).map(value).collect(),
            errors: vec![0.1; count],
            marks: (0..count).map(mark).collect(),
            progress: "steps".into(),
            steps: vec![1.0, 2.0, 3.0],
            averages: vec![(0..count).map(value).collect(); 3],
            remarks: vec!["dimension 2".into()],
        }
    }

    #[test]
    fn spectra_of_any_size_and_kind_are_documents_with_their_marks_named() {
        for count in [1, 4, 8, 300] {
            let svg = spectrum_figure(&figure(count)).unwrap();
            roxmltree::Document::parse(&svg).unwrap();
            assert!(svg.contains("number of the exponent") && svg.contains("nats per step"));
            assert_eq!(svg.contains("minus infinity"), count >= 4);
        }
        let nothing = SpectrumFigure { errors: vec![f64::INFINITY; 4], steps: vec![], averages: vec![], ..figure(4) };
        roxmltree::Document::parse(&spectrum_figure(&nothing).unwrap()).unwrap();
    }

    #[test]
    fn lists_of_other_lengths_are_refused() {
        for bad in [
            SpectrumFigure { errors: vec![0.1; 3], ..figure(4) },
            SpectrumFigure { marks: Vec::new(), ..figure(4) },
            SpectrumFigure { averages: vec![vec![0.0; 3]; 3], ..figure(4) },
            SpectrumFigure { steps: vec![1.0], ..figure(4) },
        ] {
            assert!(matches!(spectrum_figure(&bad), Err(Error::Shape { .. })));
        }
    }
}
