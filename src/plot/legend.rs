//! The key to a figure: rows of marks and names, outside the data.

use super::canvas::{Area, Canvas, Font, Stroke};
use super::frame::Mark;
use super::palette::{self, Rgb};
use super::rest_mark::rest_mark;
use super::text;
use crate::analysis::rest::Nature;

const SIZE: f64 = 12.0;
const ROW: f64 = 20.0;
const SWATCH: f64 = 24.0;
const GAP: f64 = 20.0;
/// Names longer than this many pixels are cut.
const LONGEST: f64 = 260.0;

/// What stands before a name.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Mark(Mark),
    Line(Stroke),
    Band(Rgb, f64),
    Diamond(Rgb),
    /// A point of rest.
    Rest(Nature),
    /// A shaded span and the line it begins at.
    Span,
    /// An upright dashed line.
    Start(Rgb),
    /// Only words.
    Remark,
}

/// Rows of entries, broken to a width.
pub(crate) struct Legend {
    rows: Vec<Vec<(f64, Key, String)>>,
}

impl Legend {
    /// Lays groups of entries out, each beginning a new row.
    pub fn new(groups: Vec<Vec<(Key, String)>>, width: f64) -> Self {
        let mut rows = Vec::new();
        for group in groups.into_iter().filter(|group| !group.is_empty()) {
            let mut row = Vec::new();
            let mut x = 0.0;
            for (key, name) in group {
                let name = text::fit(&name, SIZE, LONGEST);
                let wide = swatch(key) + text::width(&name, SIZE);
                if x + wide > width && !row.is_empty() {
                    rows.push(std::mem::take(&mut row));
                    x = 0.0;
                }
                row.push((x, key, name));
                x += wide + GAP;
            }
            rows.push(row);
        }
        Self { rows }
    }

    pub fn height(&self) -> f64 {
        ROW * self.rows.len() as f64
    }

    pub fn draw(&self, canvas: &mut Canvas, left: f64, top: f64) {
        for (number, row) in self.rows.iter().enumerate() {
            let y = top + ROW * (number as f64 + 0.5);
            for (x, key, name) in row {
                let (x, right) = (left + x, left + x + SWATCH - 6.0);
                let middle = 0.5 * (x + right);
                match *key {
                    Key::Mark(mark) => mark.draw(canvas, (middle, y)),
                    Key::Line(stroke) => canvas.line((x, y), (right, y), stroke),
                    Key::Band(colour, opacity) => {
                        canvas.rectangle(Area { left: x, top: y - 5.5, right, bottom: y + 5.5 }, colour, opacity);
                    }
                    Key::Diamond(colour) => diamond(canvas, (middle, y), colour),
                    Key::Rest(nature) => rest_mark(canvas, (middle, y), nature),
                    Key::Span => {
                        canvas.rectangle(Area { left: x, top: y - 7.0, right, bottom: y + 7.0 }, palette::SHADE, 1.0);
                        canvas.line((x, y - 7.0), (x, y + 7.0), Stroke::new(palette::GREY, 1.0).opacity(0.7));
                    }
                    Key::Start(colour) => {
                        let stroke = Stroke::new(colour, 1.0).opacity(0.6).dashed();
                        canvas.line((middle, y - 8.0), (middle, y + 8.0), stroke);
                    }
                    Key::Remark => {}
                }
                let colour = if matches!(key, Key::Remark) { palette::GREY } else { palette::INK };
                canvas.text(name, (x + swatch(*key), y), Font::new(SIZE, colour));
            }
        }
    }
}

fn swatch(key: Key) -> f64 {
    if matches!(key, Key::Remark) { 0.0 } else { SWATCH }
}

/// A diamond with a white rim, which stands out from the lines under it.
pub(crate) fn diamond(canvas: &mut Canvas, (x, y): (f64, f64), colour: Rgb) {
    for (radius, colour) in [(7.0, palette::WHITE), (5.2, colour)] {
        canvas.polygon(&[(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], colour, 1.0);
    }
}
