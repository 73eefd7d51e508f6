//! A plotting area: two axes, a light grid, and data drawn into it.

use super::axes::{Axis, Range, usable};
use super::canvas::{Area, Canvas, Font, Place, Stroke};
use super::palette::{self, Rgb};
use super::text;
use super::thin;

/// Font size of tick labels in pixels.
pub(crate) const TICK_SIZE: f64 = 11.0;
/// Font size of names of axes in pixels.
pub(crate) const NAME_SIZE: f64 = 12.5;
/// How far tick labels may reach past the right edge.
const OVERHANG: f64 = 16.0;
/// Room under a frame for its tick labels.
pub(crate) const TICK_ROOM: f64 = 20.0;

/// A level axis over a width, with as many ticks as their labels leave room for.
pub(crate) fn level_axis(values: Range, width: f64) -> Axis {
    let range = values.padded(0.02);
    let mut wanted = (width / 52.0).max(2.0);
    loop {
        let axis = Axis::linear(range, wanted, 0.0);
        let needed = axis.ticks.len() as f64 * (axis.label_width(TICK_SIZE) + 18.0);
        if needed <= width || wanted <= 2.0 {
            return axis;
        }
        wanted -= 1.0;
    }
}

/// An area with its axes.
pub(crate) struct Frame {
    pub area: Area,
    pub x: Axis,
    pub y: Axis,
}

impl Frame {
    /// Where a pair of values lies, if it can be drawn; far-off places come nearer, but stay off the area.
    pub fn place(&self, x: f64, y: f64) -> Option<Place> {
        let (x, y) = (self.x.fraction(x)?, self.y.fraction(y)?);
        let (x, y) = (x.clamp(-20.0, 21.0), y.clamp(-20.0, 21.0));
        Some((self.area.left + x * self.area.width(), self.area.bottom - y * self.area.height()))
    }

    /// Whether a place lies in the area.
    pub fn holds(&self, (x, y): Place) -> bool {
        self.area.left <= x && x <= self.area.right && self.area.top <= y && y <= self.area.bottom
    }

    /// The grid, under the data.
    pub fn grid(&self, canvas: &mut Canvas) {
        let Area { left, right, top, bottom } = self.area;
        let stroke = Stroke::new(palette::GRID, 0.8);
        for tick in &self.x.ticks {
            let x = left + self.x.tick_fraction(tick.at) * self.area.width();
            canvas.line((x, top), (x, bottom), stroke);
        }
        for tick in &self.y.ticks {
            let y = bottom - self.y.tick_fraction(tick.at) * self.area.height();
            canvas.line((left, y), (right, y), stroke);
        }
    }

    /// The axis lines and tick labels; those of x only where `with_x`.
    pub fn axes(&self, canvas: &mut Canvas, with_x: bool) {
        let Area { left, right, top, bottom } = self.area;
        let stroke = Stroke::new(palette::LINE, 1.0);
        canvas.line((left, bottom), (right, bottom), stroke);
        canvas.line((left, top), (left, bottom), stroke);
        let font = Font::new(TICK_SIZE, palette::GREY);
        for tick in &self.y.ticks {
            let y = bottom - self.y.tick_fraction(tick.at) * self.area.height();
            canvas.line((left - 4.0, y), (left, y), stroke);
            canvas.text(&tick.label, (left - 7.0, y), font.right());
        }
        for tick in &self.x.ticks {
            let x = left + self.x.tick_fraction(tick.at) * self.area.width();
            canvas.line((x, bottom), (x, bottom + 4.0), stroke);
            if with_x {
                // A wide label at the end of the axis must not leave the figure.
                let x = x.min(right + OVERHANG - 0.5 * text::width(&tick.label, TICK_SIZE));
                canvas.text(&tick.label, (x, bottom + 13.0), font.centred());
            }
        }
    }

    /// The name of x under the tick labels.
    pub fn name_x(&self, canvas: &mut Canvas, name: &str) {
        let remark = if self.x.remark.is_empty() { String::new() } else { format!("   {}", self.x.remark) };
        let name = text::fit(name, NAME_SIZE, self.area.width() - text::width(&remark, NAME_SIZE)) + &remark;
        let middle = 0.5 * (self.area.left + self.area.right);
        canvas.text(&name, (middle, self.area.bottom + TICK_ROOM + 12.0), Font::new(NAME_SIZE, palette::INK).centred());
    }

    /// The name of y above the area, flush with the left edge of its tick labels at `left`.
    ///
    /// A long name reads better there than turned on its side.
    pub fn name_y(&self, canvas: &mut Canvas, name: &str, left: f64, above: f64) {
        let y = self.area.top - above;
        let room = self.area.right - left;
        let remark_width = text::width(&self.y.remark, TICK_SIZE);
        let gap = if self.y.remark.is_empty() { 0.0 } else { 10.0 };
        let name = text::fit(name, NAME_SIZE * text::BOLD, room - remark_width - gap);
        canvas.text(&name, (left, y), Font::new(NAME_SIZE, palette::INK).bold());
        canvas.text(&self.y.remark, (self.area.right, y), Font::new(TICK_SIZE, palette::GREY).right());
    }

    /// A line through the values, broken where one cannot be drawn; a lone value is a dot.
    pub fn curve(&self, canvas: &mut Canvas, x: &[f64], y: &[f64], stroke: Stroke, most: usize) {
        let places: Vec<Option<Place>> = x.iter().zip(y).map(|(&x, &y)| self.place(x, y)).collect();
        let runs: Vec<Vec<Place>> = places
            .split(Option::is_none)
            .filter(|run| !run.is_empty())
            .map(|run| run.iter().flatten().copied().collect())
            .collect();
        // Values in tatters: many gaps must not make a large document either.
        let stride = runs.len().div_ceil((most / 8).max(1)).max(1);
        for run in runs.iter().step_by(stride) {
            let share = (most as f64 * run.len() as f64 / x.len() as f64) as usize;
            match thin::path(run, share).as_slice() {
                [] => {}
                [only] => {
                    if self.holds(*only) {
                        canvas.dot(*only, 1.4 * stroke.width, stroke.colour, stroke.opacity);
                    }
                }
                line => canvas.path(line, stroke),
            }
        }
    }

    /// A line that may turn any way through the values, broken where one cannot be drawn.
    pub fn path(&self, canvas: &mut Canvas, x: &[f64], y: &[f64], stroke: Stroke, most: usize) {
        let usable = |(x, y): (&f64, &f64)| (usable(*x) && usable(*y)).then(|| self.place(*x, *y)).flatten();
        let places: Vec<_> = x.iter().zip(y).map(usable).collect();
        let runs = places.split(Option::is_none).map(|run| run.iter().flatten().copied().collect::<Vec<_>>());
        for run in runs.filter(|run| run.len() > 1) {
            let share = most * run.len() / places.len();
            canvas.path(&thin::curve(&run, share), stroke);
        }
    }

    /// The area between two lines, broken where either cannot be drawn.
    pub fn band(&self, canvas: &mut Canvas, x: &[f64], (low, high): (&[f64], &[f64]), colour: Rgb, most: usize) {
        let places: Vec<Option<(f64, f64, f64)>> = x
            .iter()
            .zip(low.iter().zip(high))
            .map(|(&x, (&low, &high))| Some((self.place(x, low)?.0, self.place(x, low)?.1, self.place(x, high)?.1)))
            .collect();
        let runs: Vec<Vec<_>> = places
            .split(Option::is_none)
            .filter(|run| run.len() > 1)
            .map(|run| run.iter().flatten().copied().collect())
            .collect();
        let stride = runs.len().div_ceil((most / 8).max(1)).max(1);
        for run in runs.iter().step_by(stride) {
            let share = (most as f64 * run.len() as f64 / x.len() as f64) as usize;
            let run = thin::band(run, share);
            let lower = run.iter().map(|p| (p.0, p.1));
            let upper = run.iter().rev().map(|p| (p.0, p.2));
            canvas.polygon(&lower.chain(upper).collect::<Vec<_>>(), colour, 0.2);
        }
    }

    /// Marks at the values that lie in the area, with error bars where there are any.
    pub fn marks(&self, canvas: &mut Canvas, x: &[f64], y: &[f64], error: &[f64], mark: Mark, most: usize) {
        let (numbers, places): (Vec<usize>, Vec<Place>) = (0..x.len().min(y.len()))
            .filter_map(|i| Some((i, self.place(x[i], y[i]).filter(|&p| self.holds(p))?)))
            .unzip();
        let kept = thin::marks(&places, 0.5 * mark.radius, most);
        let bar = Stroke::new(mark.colour, 0.8).opacity((0.15 * mark.radius).clamp(0.15, 0.45));
        let cut = |at: Place| (at.0, at.1.clamp(self.area.top, self.area.bottom));
        for &k in kept.iter().filter(|_| !error.is_empty()) {
            let (i, at) = (numbers[k], places[k]);
            let half = error.get(i).copied().unwrap_or(0.0).abs();
            let ends = (self.place(x[i], y[i] - half).map(cut), self.place(x[i], y[i] + half).map(cut));
            let (Some(from), Some(to)) = ends else { continue };
            // What the mark itself hides need not be drawn, and nothing shows through a circle.
            if mark.open {
                for (end, rim) in [(from, at.1 + mark.radius), (to, at.1 - mark.radius)] {
                    if (end.1 - at.1).abs() > mark.radius {
                        canvas.line((at.0, rim), end, bar);
                    }
                }
            } else if from.1 - to.1 > 2.0 * mark.radius {
                canvas.line(from, to, bar);
            }
        }
        for &k in &kept {
            mark.draw(canvas, places[k]);
        }
    }
}

/// A mark for a point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub colour: Rgb,
    pub radius: f64,
    pub opacity: f64,
    /// A circle rather than a disc.
    pub open: bool,
}

impl Mark {
    pub fn draw(&self, canvas: &mut Canvas, at: Place) {
        if self.open {
            let stroke = Stroke::new(self.colour, (0.45 * self.radius).clamp(0.7, 1.3)).opacity(self.opacity);
            canvas.ring(at, self.radius, stroke);
        } else {
            canvas.dot(at, self.radius, self.colour, self.opacity);
        }
    }
}
