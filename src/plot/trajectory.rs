//! A trajectory: its components against time, and against each other.

use super::axes::{Axis, Range};
use super::canvas::{self, Area, Canvas, Font, Stroke};
use super::frame::{Frame, Mark, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend, diamond};
use super::palette;
use super::text;
use crate::{Error, Result};

/// Components drawn against time.
const MOST_PANELS: usize = 6;
/// Vertices in all panels against time, and in all portraits; marks in each of the two.
const VERTICES: usize = 10_000;
const MARKS: usize = 3_000;
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
/// Room above an area for the name of its upright axis.
const NAME_ROOM: f64 = 29.0;
/// Room between an area and the next one's name, and under a portrait for its level axis.
const GAP: f64 = 16.0;
const PORTRAIT_GAP: f64 = 44.0;
/// Widths of the two columns, and the room between.
const TIME_WIDTH: f64 = 640.0;
const PORTRAIT_WIDTH: f64 = 440.0;
const BETWEEN: f64 = 30.0;

/// One trajectory of a flow or a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrajectoryFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// Name of the time axis.
    pub time: String,
    /// Times, in order.
    pub times: Vec<f64>,
    /// Name and values, as many as times, of each component. The first six are drawn against time.
    pub components: Vec<(String, Vec<f64>)>,
    /// Whether states stand alone, as those of a map, or lie on a curve.
    pub points: bool,
    /// A short remark, such as that the trajectory ended early; may be empty.
    pub remark: String,
}

/// Draws a trajectory as an SVG document: panels of components against time; beside them, where there are two or three
/// components, the second and third against the first, and for a map of one component its next value.
///
/// # Errors
/// [`Error::Shape`] if a component has not one value a time.
pub fn trajectory_figure(figure: &TrajectoryFigure) -> Result<String> {
    for (name, values) in &figure.components {
        if values.len() != figure.times.len() {
            return Err(Error::shape(format!("figure: values of {name}"), figure.times.len(), values.len()));
        }
    }
    let shown = &figure.components[..figure.components.len().min(MOST_PANELS)];
    let portraits = portraits(figure);
    let panel_height = match shown.len() {
        0 | 1 => 380.0,
        2 => 190.0,
        3 => 140.0,
        4 => 120.0,
        _ => 100.0,
    };
    let time_width = if portraits.is_empty() { TIME_WIDTH + 0.6 * PORTRAIT_WIDTH } else { TIME_WIDTH };
    let width = 2.0 * MARGIN + time_width + if portraits.is_empty() { 0.0 } else { BETWEEN + PORTRAIT_WIDTH };

    let legend = legend(figure, shown.len(), !portraits.is_empty(), width - 2.0 * MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0;
    let row_height = NAME_ROOM + panel_height + GAP;
    let bottom = top + shown.len().max(1) as f64 * row_height - GAP;
    let height = bottom + TICK_ROOM + MARGIN + 16.0;

    let ys: Vec<Axis> = shown.iter().map(|(_, values)| upright_axis(values, panel_height)).collect();
    let label_room = ys.iter().map(|y| y.label_width(TICK_SIZE)).fold(20.0, f64::max) + 10.0;
    let times = Range::of(figure.times.iter().copied()).unwrap_or(Range { low: 0.0, high: 1.0 });
    let x = level_axis(times, time_width - label_room);

    canvas::render(width, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, width - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        for (number, ((name, values), y)) in shown.iter().zip(ys).enumerate() {
            let area_top = top + number as f64 * row_height + NAME_ROOM;
            let area = Area {
                left: MARGIN + label_room,
                right: MARGIN + time_width,
                top: area_top,
                bottom: area_top + panel_height,
            };
            let (frame, lowest) = (Frame { area, x: x.clone(), y }, number + 1 == shown.len());
            frame.grid(canvas);
            let stroke = Stroke::new(palette::SERIES[number], 1.3);
            if figure.points {
                let mark = Mark { colour: stroke.colour, radius: radius(values.len()), opacity: 0.8, open: false };
                frame.marks(canvas, &figure.times, values, &[], mark, MARKS / shown.len());
            } else {
                let curve = |canvas: &mut Canvas| {
                    frame.curve(canvas, &figure.times, values, stroke, VERTICES / shown.len());
                };
                canvas.clipped(area, curve);
            }
            frame.axes(canvas, lowest);
            frame.name_y(canvas, name, MARGIN, 16.0);
            if lowest {
                frame.name_x(canvas, &figure.time);
            }
        }
        let cell = (bottom - top + PORTRAIT_GAP) / portraits.len().max(1) as f64;
        for (number, portrait) in portraits.iter().enumerate() {
            let area_top = top + number as f64 * cell + NAME_ROOM;
            let left = MARGIN + time_width + BETWEEN;
            let room = Area {
                left,
                right: left + PORTRAIT_WIDTH,
                top: area_top,
                bottom: top + (number + 1) as f64 * cell - PORTRAIT_GAP,
            };
            portrait.draw(canvas, room, figure.points, portraits.len());
        }
    })
}

fn legend(figure: &TrajectoryFigure, shown: usize, start: bool, width: f64) -> Legend {
    let mut entries = Vec::new();
    if start && figure.times.len() > 1 {
        entries.push((Key::Diamond(palette::BLACK), "first row".to_owned()));
    }
    if figure.components.len() > shown {
        entries.push((Key::Remark, format!("{shown} of {} components", figure.components.len())));
    }
    if !text::clean(&figure.remark).is_empty() {
        entries.push((Key::Remark, figure.remark.clone()));
    }
    Legend::new(vec![entries], width)
}

fn upright_axis(values: &[f64], height: f64) -> Axis {
    let range = Range::of(values.iter().copied()).unwrap_or(Range { low: 0.0, high: 1.0 });
    Axis::linear(range.padded(0.06), height / 32.0, 0.0)
}

/// The more marks, the smaller each.
fn radius(count: usize) -> f64 {
    (60.0 / (count.max(1) as f64).sqrt()).clamp(0.8, 3.0)
}

/// One component against another.
struct Portrait<'a> {
    across: (String, &'a [f64]),
    up: (String, &'a [f64]),
}

fn portraits<'a>(figure: &'a TrajectoryFigure) -> Vec<Portrait<'a>> {
    match &figure.components[..] {
        [(name, values)] if figure.points && values.len() > 1 => {
            let (now, next) = (&values[..values.len() - 1], &values[1..]);
            vec![Portrait { across: (name.clone(), now), up: (format!("next {name}"), next) }]
        }
        [first, others @ ..] if (1..=2).contains(&others.len()) => {
            let pair = |other: &'a (String, Vec<f64>)| Portrait {
                across: (first.0.clone(), &first.1),
                up: (other.0.clone(), &other.1),
            };
            others.iter().map(pair).collect()
        }
        _ => Vec::new(),
    }
}

impl Portrait<'_> {
    /// Draws it into a room that has no place yet for the labels of its upright axis.
    fn draw(&self, canvas: &mut Canvas, room: Area, points: bool, portraits: usize) {
        let y = upright_axis(self.up.1, room.height());
        let left = room.left + y.label_width(TICK_SIZE).max(20.0) + 10.0;
        let values = Range::of(self.across.1.iter().copied()).unwrap_or(Range { low: 0.0, high: 1.0 });
        let area = Area { left, ..room };
        let frame = Frame { area, x: level_axis(values.padded(0.02), area.width()), y };
        frame.grid(canvas);
        if points {
            let mark = Mark { colour: palette::BLUE, radius: radius(self.up.1.len()), opacity: 0.8, open: false };
            frame.marks(canvas, self.across.1, self.up.1, &[], mark, MARKS / portraits);
        } else {
            let stroke = Stroke::new(palette::BLUE, 1.0).opacity(0.85);
            frame.path(canvas, self.across.1, self.up.1, stroke, VERTICES / portraits);
        }
        if let Some(at) = self.across.1.first().zip(self.up.1.first()).and_then(|(x, y)| frame.place(*x, *y)) {
            diamond(canvas, at, palette::BLACK);
        }
        frame.axes(canvas, true);
        frame.name_y(canvas, &self.up.0, room.left, 16.0);
        frame.name_x(canvas, &self.across.0);
    }
}
