//! How several models learn the same task.

use super::axes::{Axis, Range};
use super::canvas::{self, Area, Font, Stroke};
use super::frame::{Frame, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::palette;
use super::text;
use crate::{Error, Result};

const WIDTH: f64 = 920.0;
const AREA_HEIGHT: f64 = 300.0;
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
const VERTICES: usize = 6_000;
/// Panels one under the other, each with a measure of several models by training step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<LearningPanel>,
}

/// One measure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningPanel {
    /// What is measured, with its unit: `test accuracy (%)`.
    pub measure: String,
    /// Whether the measure's axis is logarithmic.
    pub logarithmic: bool,
    /// Name, training steps and the measure there. Models of the same name have the same colour in all panels.
    pub curves: Vec<(String, Vec<f64>, Vec<f64>)>,
    /// Values to compare with, drawn as dashed lines, and their names.
    pub levels: Vec<(String, f64)>,
}

/// Draws learning curves as an SVG document.
///
/// # Errors
/// [`Error::Shape`] if a curve's vectors differ in length.
pub fn learning_figure(figure: &LearningFigure) -> Result<String> {
    let mut names: Vec<&str> = Vec::new();
    for (name, steps, values) in figure.panels.iter().flat_map(|panel| &panel.curves) {
        if steps.len() != values.len() {
            return Err(Error::shape(format!("figure: {name}"), steps.len(), values.len()));
        }
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let stroke = |name: &str| {
        let at = names.iter().position(|known| *known == name).unwrap_or(0);
        Stroke::new(palette::SERIES[at % palette::SERIES.len()], 1.8)
    };
    let dashed = Stroke::new(palette::GREY, 1.2).dashed();
    let entries = names.iter().map(|name| (Key::Line(stroke(name)), (*name).to_owned())).collect();
    let legend = Legend::new(vec![entries], WIDTH - 2.0 * MARGIN);

    let axes: Vec<Axis> = figure.panels.iter().map(measure_axis).collect();
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
        let area = Area { left, right, top: area_top, bottom: area_top + AREA_HEIGHT };
        let steps = panel.curves.iter().flat_map(|(_, steps, _)| steps.iter().copied());
        let steps = Range::of(steps.chain([0.0])).unwrap_or(Range { low: 0.0, high: 1.0 });
        top = area.bottom + TICK_ROOM + 26.0;
        frames.push((name_top, key, Frame { area, x: level_axis(steps.widened(), right - left), y }));
    }

    canvas::render(WIDTH, top + MARGIN, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, WIDTH - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        for ((name_top, key, frame), panel) in frames.iter().zip(&figure.panels) {
            frame.name_y(canvas, &panel.measure, MARGIN, frame.area.top - name_top - 11.0);
            key.draw(canvas, left, name_top + 20.0);
            frame.grid(canvas);
            canvas.clipped(frame.area, |canvas| {
                for (_, level) in &panel.levels {
                    if let Some(at) = frame.y.fraction(*level) {
                        let y = frame.area.bottom - at * frame.area.height();
                        canvas.line((frame.area.left, y), (frame.area.right, y), dashed);
                    }
                }
                for (name, steps, values) in &panel.curves {
                    frame.curve(canvas, steps, values, stroke(name), VERTICES);
                }
            });
            frame.axes(canvas, true);
            frame.name_x(canvas, "training step");
        }
    })
}

fn measure_axis(panel: &LearningPanel) -> Axis {
    let ticks = AREA_HEIGHT / 40.0;
    let levels = panel.levels.iter().map(|(_, level)| *level);
    let all = panel.curves.iter().flat_map(|(_, _, values)| values.iter().copied()).chain(levels);
    if panel.logarithmic {
        Axis::logarithmic(Range::of(all.filter(|v| *v > 0.0)).unwrap_or(Range { low: 0.1, high: 1.0 }), ticks)
    } else {
        Axis::linear(Range::of(all).unwrap_or(Range { low: 0.0, high: 1.0 }).padded(0.05), ticks, 0.0)
    }
}
