//! Marks of points of rest: the shape says whether states turn about it, the colour and the filling whether they come nearer.

use super::canvas::{Canvas, Place, Stroke};
use super::palette;
use crate::analysis::rest::Nature;

const RADIUS: f64 = 5.0;
/// A white rim makes it stand out from the curves under it.
const RIM: f64 = 1.8;

/// Discs for nodes, squares for foci, filled and blue where they attract, open and vermillion where they repel; a diamond for
/// a saddle, a triangle where the linearisation does not decide.
pub(crate) fn rest_mark(canvas: &mut Canvas, at: Place, nature: Nature) {
    match nature {
        Nature::StableNode => {
            canvas.dot(at, RADIUS + RIM, palette::WHITE, 1.0);
            canvas.dot(at, RADIUS, palette::BLUE, 1.0);
        }
        Nature::UnstableNode => {
            canvas.dot(at, RADIUS + RIM, palette::WHITE, 1.0);
            canvas.ring(at, RADIUS, Stroke::new(palette::VERMILLION, 2.0));
        }
        Nature::StableFocus => cornered(canvas, at, &SQUARE, [palette::BLUE; 2]),
        Nature::UnstableFocus => cornered(canvas, at, &SQUARE, [palette::VERMILLION, palette::WHITE]),
        Nature::Saddle => cornered(canvas, at, &DIAMOND, [palette::ORANGE; 2]),
        Nature::Marginal => cornered(canvas, at, &TRIANGLE, [palette::BLACK; 2]),
    }
}

const SQUARE: [Place; 4] = [(-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)];
const DIAMOND: [Place; 4] = [(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)];
const TRIANGLE: [Place; 3] = [(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)];

/// A shape with its rim, in one colour and an inner one.
fn cornered(canvas: &mut Canvas, (x, y): Place, shape: &[Place], [outer, inner]: [palette::Rgb; 2]) {
    let sizes = [(RADIUS + RIM, palette::WHITE), (RADIUS, outer), (RADIUS - 2.0, inner)];
    for (size, colour) in sizes {
        let corners: Vec<Place> = shape.iter().map(|(dx, dy)| (x + size * dx, y + size * dy)).collect();
        canvas.polygon(&corners, colour, 1.0);
    }
}
