//! Phase portraits: where states go, and where they rest.

use super::axes::{Axis, Range};
use super::canvas::{self, Area, Canvas, Font, Place, Stroke};
use super::frame::{Frame, Mark, NAME_SIZE, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::lines::{Line, Look};
use super::palette;
use super::rest_mark::rest_mark;
use super::text;
use crate::analysis::rest::Nature;
use crate::{Error, Result};

const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;
/// Width of a lone panel and of one among others, and their height.
const ALONE: f64 = 700.0;
const AMONG: f64 = 470.0;
const HEIGHT: f64 = 480.0;
const BETWEEN: f64 = 30.0;
/// Room above an area for the name of its upright axis.
const NAME_ROOM: f64 = 29.0;
/// Length of an arrow, in pixels.
const ARROW: f64 = 14.0;
const VERTICES: usize = 20_000;
const MARKS: usize = 4_000;

/// Planes side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortraitFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// From left to right.
    pub panels: Vec<PortraitPanel>,
    /// Short remarks under the key.
    pub remarks: Vec<String>,
}

/// One plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortraitPanel {
    /// What is drawn level, with its unit.
    pub x: String,
    /// What is drawn upright, with its unit.
    pub y: String,
    /// Where the field points: a place and the motion there. Only its direction is drawn.
    pub arrows: Vec<[[f64; 2]; 2]>,
    /// Trajectories. Those of the same name have the same colour in all panels.
    pub curves: Vec<Line>,
    /// Where it rests.
    pub points: Vec<PortraitPoint>,
}

/// A point of rest.
#[derive(Clone, Debug, PartialEq)]
pub struct PortraitPoint {
    /// Where.
    pub at: [f64; 2],
    /// What small displacements do.
    pub nature: Nature,
    /// Written beside it; may be empty.
    pub name: String,
}

/// Draws phase portraits as an SVG document: points of rest have a shape and a colour for each type of stability, which the
/// key names.
///
/// # Errors
/// [`Error::Shape`] if a curve's vectors differ in length.
pub fn portrait_figure(figure: &PortraitFigure) -> Result<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut curves = Vec::new();
    let lines = || figure.panels.iter().flat_map(|panel| &panel.curves);
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
        // Blue and vermillion are taken by the points that attract and repel.
        [palette::BLUISH_GREEN, palette::REDDISH_PURPLE, palette::SKY_BLUE][at % 3]
    };
    let stroke = |line: &Line| match line.look {
        Look::Solid | Look::Marks => Stroke::new(colour(line), 1.3).opacity(0.85),
        Look::Dashed => Stroke::new(colour(line), 1.3).dashed(),
        Look::Truth => Stroke::new(palette::GREY, 0.8).opacity(0.35),
    };
    let mark = |line: &Line| Mark { colour: colour(line), radius: 1.3, opacity: 0.7, open: false };
    for line in lines() {
        let known = |(look, name): &(Look, &str)| *look == line.look && *name == line.name;
        if !curves.iter().any(|(at, _, _)| known(at)) {
            let key = if line.look == Look::Marks { Key::Mark(mark(line)) } else { Key::Line(stroke(line)) };
            curves.push(((line.look, line.name.as_str()), key, line.name.clone()));
        }
    }
    let all: Vec<Nature> =
        figure.panels.iter().flat_map(|panel| panel.points.iter().map(|point| point.nature)).collect();
    let natures = Nature::ALL.into_iter().filter(|nature| all.contains(nature));
    let mut entries: Vec<(Key, String)> = natures.map(|nature| (Key::Rest(nature), nature.name().to_owned())).collect();
    entries.extend(curves.into_iter().map(|(_, key, name)| (key, name)));

    let count = figure.panels.len().max(1);
    let cell = if count == 1 { ALONE } else { AMONG };
    let width = 2.0 * MARGIN + count as f64 * cell + (count - 1) as f64 * BETWEEN;
    let remarks = figure.remarks.iter().map(|remark| (Key::Remark, remark.clone())).collect();
    let legend = Legend::new(vec![entries, remarks], width - 2.0 * MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0 + NAME_ROOM;
    let height = top + HEIGHT + TICK_ROOM + 24.0 + MARGIN;

    canvas::render(width, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, width - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        for (number, panel) in figure.panels.iter().enumerate() {
            let outer = MARGIN + number as f64 * (cell + BETWEEN);
            let [across, up] = [0, 1].map(|axis| panel.span(axis));
            let y = Axis::linear(up.padded(0.05), HEIGHT / 40.0, 0.0);
            let left = outer + y.label_width(TICK_SIZE).max(20.0) + 10.0;
            let area = Area { left, right: outer + cell, top, bottom: top + HEIGHT };
            let frame = Frame { area, x: level_axis(across.padded(0.03), area.width()), y };
            frame.grid(canvas);
            canvas.clipped(area, |canvas| {
                panel.arrows.iter().for_each(|&[at, along]| arrow(canvas, &frame, at, along));
                for line in &panel.curves {
                    if line.look == Look::Marks {
                        frame.marks(canvas, &line.x, &line.y, &[], mark(line), MARKS / count);
                    } else {
                        frame.path(canvas, &line.x, &line.y, stroke(line), VERTICES / count / panel.curves.len());
                    }
                }
            });
            frame.axes(canvas, true);
            frame.name_y(canvas, &panel.y, outer, 16.0);
            frame.name_x(canvas, &panel.x);
            for point in &panel.points {
                if let Some(at) = frame.place(point.at[0], point.at[1]).filter(|at| frame.holds(*at)) {
                    rest_mark(canvas, at, point.nature);
                    let beside = (at.0 + 9.0, at.1 - 9.0);
                    canvas.text(&point.name, beside, Font::new(NAME_SIZE, palette::INK).bold());
                }
            }
        }
    })
}

impl PortraitPanel {
    /// What there is along an axis.
    fn span(&self, axis: usize) -> Range {
        let curves = self.curves.iter().flat_map(|line| if axis == 0 { &line.x } else { &line.y });
        let points = self.points.iter().map(|point| point.at[axis]);
        let arrows = self.arrows.iter().map(|[at, _]| at[axis]);
        Range::of(curves.copied().chain(points).chain(arrows)).unwrap_or(Range { low: 0.0, high: 1.0 })
    }
}

/// A short arrow about a place, in the direction that a motion has on the figure; none where there is no motion.
fn arrow(canvas: &mut Canvas, frame: &Frame, [x, y]: [f64; 2], [dx, dy]: [f64; 2]) {
    let (Some(from), Some(middle)) = (frame.x.slope(dx), frame.place(x, y)) else { return };
    let Some(up) = frame.y.slope(dy) else { return };
    let (right, down) = (from * frame.area.width(), -up * frame.area.height());
    let length = right.hypot(down);
    if !(length > 0.0 && length.is_finite()) {
        return;
    }
    let (right, down) = (right / length, down / length);
    let at = |along: f64, aside: f64| -> Place {
        (middle.0 + along * right - aside * down, middle.1 + along * down + aside * right)
    };
    let half = 0.5 * ARROW;
    canvas.line(at(-half, 0.0), at(half - 3.0, 0.0), Stroke::new(palette::LINE, 1.0));
    canvas.polygon(&[at(half, 0.0), at(half - 4.5, 2.4), at(half - 4.5, -2.4)], palette::LINE, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(panels: usize) -> PortraitFigure {
        let points = Nature::ALL.into_iter().enumerate();
        let points = points.map(|(k, nature)| PortraitPoint { at: [k as f64, 0.5], nature, name: format!("p{k}") });
        let panel = PortraitPanel {
            x: "x".into(),
            y: "y < z".into(),
            arrows: vec![[[0.0, 0.0], [1.0, -1.0]], [[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [f64::NAN, f64::INFINITY]]],
            curves: vec![
                Line::solid("way", vec![0.0, 1.0, f64::NAN, 2.0, 1.0], vec![0.0, 1.0, 1.0, 0.0, 0.3]),
                Line::solid("states", vec![0.0, 1.0], vec![1e200, 1.0]).look(Look::Marks),
            ],
            points: points.collect(),
        };
        PortraitFigure { title: "a & b".into(), panels: vec![panel; panels], remarks: vec!["seen".into()] }
    }

    #[test]
    fn portraits_name_every_type_of_rest_that_they_show_and_no_other() {
        for panels in [0, 1, 2, 3] {
            let svg = portrait_figure(&figure(panels)).unwrap();
            roxmltree::Document::parse(&svg).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
            assert!(Nature::ALL.iter().all(|nature| svg.contains(nature.name()) == (panels > 0)));
        }
        let mut few = figure(1);
        few.panels[0].points.retain(|point| point.nature == Nature::Saddle);
        let svg = portrait_figure(&few).unwrap();
        assert!(svg.contains("saddle") && !svg.contains("stable") && svg.contains("p4") && !svg.contains("p3"));
    }

    #[test]
    fn curves_of_two_lengths_are_refused() {
        let mut bad = figure(1);
        bad.panels[0].curves[0].x.pop();
        assert!(matches!(portrait_figure(&bad), Err(Error::Shape { .. })));
    }
}
