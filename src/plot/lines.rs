//! Curves in panels one under the other: how models learn, how gradients fade, how trajectories run away.

use super::axes::{Axis, Range};
use super::canvas::{self, Area, Font, Stroke};
use super::frame::{Frame, Mark, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::palette;
use super::text;
use crate::{Error, Result};

const WIDTH: f64 = 920.0;
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
const VERTICES: usize = 6_000;
const MARKS: usize = 2_000;

/// Panels one under the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinesFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<LinesPanel>,
    /// Short remarks under the key.
    pub remarks: Vec<String>,
}

/// Some curves in one area.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinesPanel {
    /// What is drawn level, with its unit: `training step`.
    pub x: String,
    /// What is drawn upright, with its unit: `test accuracy (%)`.
    pub y: String,
    /// Whether the level axis is logarithmic.
    pub logarithmic_x: bool,
    /// Whether the upright axis is logarithmic.
    pub logarithmic: bool,
    /// What the upright axis shows of curves that run away; all where there is none.
    pub shown: Option<[f64; 2]>,
    /// The curves. Those of the same name have the same colour in all panels and one entry in the key, that of the first.
    pub lines: Vec<Line>,
    /// Values to compare with, drawn as dashed lines, and their names.
    pub levels: Vec<(String, f64)>,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its name in the key.
    pub name: String,
    /// Where its points lie.
    pub x: Vec<f64>,
    /// Their values.
    pub y: Vec<f64>,
    /// How it looks.
    pub look: Look,
}

/// How a curve looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Through its points.
    #[default]
    Solid,
    /// Through its points, dashed: what is predicted or compared with.
    Dashed,
    /// Its points as marks.
    Marks,
    /// A thick grey line: the truth.
    Truth,
}

impl Line {
    /// A solid curve.
    pub fn solid(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self { name: name.into(), x, y, look: Look::Solid }
    }

    /// The same with another look.
    pub fn look(self, look: Look) -> Self {
        Self { look, ..self }
    }
}

/// Draws curves as an SVG document.
///
/// # Errors
/// [`Error::Shape`] if a curve's vectors differ in length.
pub fn lines_figure(figure: &LinesFigure) -> Result<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut entries = Vec::new();
    let lines = || figure.panels.iter().flat_map(|panel| &panel.lines);
    for line in lines() {
        if line.x.len() != line.y.len() {
            return Err(Error::shape(format!("figure: {}", line.name), line.x.len(), line.y.len()));
        }
        if line.look != Look::Truth && !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    let colour = |line: &Line| {
        let at = names.iter().position(|known| *known == line.name).unwrap_or(0);
        palette::SERIES[at % palette::SERIES.len()]
    };
    let stroke = |line: &Line| match line.look {
        Look::Solid | Look::Marks => Stroke::new(colour(line), 1.8),
        Look::Dashed => Stroke::new(colour(line), 1.8).dashed(),
        Look::Truth => Stroke::new(palette::GREY, 3.5).opacity(0.55),
    };
    let mark = |line: &Line| Mark { colour: colour(line), radius: 3.0, opacity: 0.9, open: false };
    for line in lines() {
        let key = if line.look == Look::Marks { Key::Mark(mark(line)) } else { Key::Line(stroke(line)) };
        if !entries.iter().any(|(_, name)| *name == line.name) {
            entries.push((key, line.name.clone()));
        }
    }
    let dashed = Stroke::new(palette::GREY, 1.2).dashed();
    let remarks = figure.remarks.iter().map(|remark| (Key::Remark, remark.clone())).collect();
    let legend = Legend::new(vec![entries, remarks], WIDTH - 2.0 * MARGIN);

    let area_height = match figure.panels.len() {
        0 | 1 => 360.0,
        2 => 290.0,
        _ => 190.0,
    };
    let axes: Vec<Axis> = figure.panels.iter().map(|panel| upright_axis(panel, area_height)).collect();
    let label_room = axes.iter().map(|axis| axis.label_width(TICK_SIZE)).fold(20.0, f64::max) + 10.0;
    let (left, right) = (MARGIN + label_room, WIDTH - MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let mut top = MARGIN + title_height + legend.height();
    let mut frames = Vec::new();
    for (panel, y) in figure.panels.iter().zip(axes) {
        let levels = panel.levels.iter().map(|(name, _)| (Key::Line(dashed), name.clone())).collect();
        let key = Legend::new(vec![levels], right - left);
        let name_top = top + 8.0;
        let area_top = name_top + 24.0 + key.height();
        let area = Area { left, right, top: area_top, bottom: area_top + area_height };
        top = area.bottom + TICK_ROOM + 26.0;
        frames.push((name_top, key, Frame { area, x: across(panel, right - left), y }));
    }

    canvas::render(WIDTH, top + MARGIN, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, WIDTH - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        for ((name_top, key, frame), panel) in frames.iter().zip(&figure.panels) {
            frame.name_y(canvas, &panel.y, MARGIN, frame.area.top - name_top - 11.0);
            key.draw(canvas, left, name_top + 20.0);
            frame.grid(canvas);
            canvas.clipped(frame.area, |canvas| {
                for (_, level) in &panel.levels {
                    if let Some(at) = frame.y.fraction(*level) {
                        let y = frame.area.bottom - at * frame.area.height();
                        canvas.line((frame.area.left, y), (frame.area.right, y), dashed);
                    }
                }
                for line in &panel.lines {
                    if line.look == Look::Marks {
                        frame.marks(canvas, &line.x, &line.y, &[], mark(line), MARKS);
                    } else {
                        frame.curve(canvas, &line.x, &line.y, stroke(line), VERTICES);
                    }
                }
            });
            frame.axes(canvas, true);
            frame.name_x(canvas, &panel.x);
        }
    })
}

fn across(panel: &LinesPanel, width: f64) -> Axis {
    let all = panel.lines.iter().flat_map(|line| line.x.iter().copied());
    if panel.logarithmic_x {
        let range = Range::of(all.filter(|x| *x > 0.0)).unwrap_or(Range { low: 0.1, high: 1.0 });
        return Axis::logarithmic(range, width / 90.0);
    }
    level_axis(Range::of(all).unwrap_or(Range { low: 0.0, high: 1.0 }).widened(), width)
}

fn upright_axis(panel: &LinesPanel, height: f64) -> Axis {
    let ticks = height / 40.0;
    let levels = panel.levels.iter().map(|(_, level)| *level);
    let all = panel.lines.iter().flat_map(|line| line.y.iter().copied()).chain(levels);
    let shown = panel.shown.map(|[low, high]| Range { low, high });
    if panel.logarithmic {
        let all = shown.or_else(|| Range::of(all.filter(|v| *v > 0.0)));
        return Axis::logarithmic(all.unwrap_or(Range { low: 0.1, high: 1.0 }), ticks);
    }
    let all = shown.or_else(|| Range::of(all)).unwrap_or(Range { low: 0.0, high: 1.0 });
    Axis::linear(all.padded(0.05), ticks, 0.0)
}
