//! Where methods are stable: their regions in the complex plane, with the eigenvalues of a system times its steps.

use super::axes::{Axis, Range};
use super::canvas::{self, Area, Font, Stroke};
use super::frame::{Frame, Mark, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::palette;
use super::text;
use crate::Result;

const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
/// Width of an area; its height follows, as both axes have one scale.
const PANEL: f64 = 270.0;
const COLUMNS: usize = 3;
const BETWEEN: f64 = 26.0;
/// Room over an area for the panel's name and that of the upright axis.
const NAMES: f64 = 46.0;
/// Cells across an area.
const CELLS: usize = 150;
/// Where no mode grows: opaque, for seams between see-through cells would show. A light tint of the palette's sky blue.
const STABLE: palette::Rgb = (179, 221, 245);

/// Stability regions, one panel a method.
#[derive(Clone, Default)]
pub struct RegionsFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// One for each method.
    pub panels: Vec<RegionPanel>,
    /// Short remarks.
    pub remarks: Vec<String>,
}

/// One method.
#[derive(Clone)]
pub struct RegionPanel {
    /// Its name, and what else is to be said.
    pub name: String,
    /// What a step multiplies a mode by, at `z = re + i im`.
    pub growth: std::rc::Rc<dyn Fn(f64, f64) -> f64>,
    /// Name of a step and `hλ` of all modes at that step.
    pub points: Vec<(String, Vec<[f64; 2]>)>,
}

/// Draws stability regions as an SVG document: shaded where a step makes no mode larger.
///
/// # Errors
/// If the document cannot be made.
pub fn regions_figure(figure: &RegionsFigure) -> Result<String> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in figure.panels.iter().flat_map(|panel| &panel.points) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mark = |name: &str| {
        let at = names.iter().position(|known| *known == name).unwrap_or(0);
        Mark { colour: palette::SERIES[at % palette::SERIES.len()], radius: 3.6, opacity: 1.0, open: false }
    };
    let columns = figure.panels.len().clamp(1, COLUMNS);
    let label_room = 36.0;
    let cell = label_room + PANEL;
    let width = 2.0 * MARGIN + columns as f64 * cell + (columns - 1) as f64 * BETWEEN;
    let shaded = (Key::Band(STABLE, 1.0), "no mode grows".to_owned());
    let points = names.iter().map(|name| (Key::Mark(mark(name)), (*name).to_owned()));
    let remarks = figure.remarks.iter().map(|remark| (Key::Remark, remark.clone()));
    let legend =
        Legend::new(vec![std::iter::once(shaded).chain(points).collect(), remarks.collect()], width - 2.0 * MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0;
    let row = NAMES + PANEL + TICK_ROOM + 34.0;
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let height = top + rows as f64 * row + MARGIN;

    canvas::render(width, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, width - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        for (number, panel) in figure.panels.iter().enumerate() {
            let (column, line) = (number % columns, number / columns);
            let left = MARGIN + column as f64 * (cell + BETWEEN) + label_room;
            let area_top = top + line as f64 * row + NAMES;
            let area = Area { left, right: left + PANEL, top: area_top, bottom: area_top + PANEL };
            let [across, up] = window(panel);
            let frame = Frame { area, x: level_axis(across, PANEL), y: Axis::linear(up, PANEL / 45.0, 0.0) };
            canvas.clipped(area, |canvas| {
                shade(canvas, &frame, panel, [across, up]);
                for (from, to) in [((across.low, 0.0), (across.high, 0.0)), ((0.0, up.low), (0.0, up.high))] {
                    if let (Some(from), Some(to)) = (frame.place(from.0, from.1), frame.place(to.0, to.1)) {
                        canvas.line(from, to, Stroke::new(palette::GREY, 0.8));
                    }
                }
            });
            for (name, points) in &panel.points {
                let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|p| (p[0], p[1])).unzip();
                frame.marks(canvas, &x, &y, &[], mark(name), 500);
            }
            frame.axes(canvas, true);
            frame.name_y(canvas, &panel.name, left - label_room, NAMES - 12.0);
            canvas.text("Im hλ", (left - label_room, area_top - 10.0), Font::new(TICK_SIZE, palette::INK));
            frame.name_x(canvas, "Re hλ");
        }
    })
}

/// What a panel shows: the region near zero, and the points that are not too far out.
fn window(panel: &RegionPanel) -> [Range; 2] {
    let near = panel.points.iter().flat_map(|(_, points)| points).filter(|p| p[0].abs().max(p[1].abs()) <= 12.0);
    let size = near.map(|p| (-p[0]).max(p[1].abs() + 0.5)).fold(4.2, f64::max) * 1.1;
    [Range { low: -size, high: 0.6 * size }, Range { low: -0.8 * size, high: 0.8 * size }]
}

/// Shades the cells where nothing grows, runs of them at a time.
fn shade(canvas: &mut canvas::Canvas, frame: &Frame, panel: &RegionPanel, [across, up]: [Range; 2]) {
    let (wide, high) = (across.span() / CELLS as f64, up.span() / CELLS as f64);
    for line in 0..CELLS {
        let y = up.low + (line as f64 + 0.5) * high;
        let stable = |column: usize| (panel.growth)(across.low + (column as f64 + 0.5) * wide, y) <= 1.0 + 1e-9;
        let mut column = 0;
        while column < CELLS {
            let first = column;
            while column < CELLS && stable(column) {
                column += 1;
            }
            if column > first {
                let corner = frame.place(across.low + first as f64 * wide, y + 0.5 * high);
                let other = frame.place(across.low + column as f64 * wide, y - 0.5 * high);
                if let (Some((left, top)), Some((right, bottom))) = (corner, other) {
                    canvas.rectangle(Area { left, top, right, bottom: bottom + 0.5 }, STABLE, 1.0);
                }
            }
            column += 1;
        }
    }
}
