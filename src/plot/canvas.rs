//! The document: set-up, strokes, text, and what the drawing crate cannot say.
//!
//! The backend rounds to whole units, so it draws on a canvas of [`SCALE`] units per pixel under a matching `viewBox`.
//! It also knows neither dashes nor clipping nor line joins: each element drawn leaves its further attributes in
//! a list, and [`render`] adds them to the elements in the finished text.

use super::palette::{self, Rgb};
use super::text::clean;
use crate::{Error, Result};
use plotters::prelude::{
    Color, DrawingBackend, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, SVGBackend, ShapeStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

/// Canvas units per pixel.
const SCALE: f64 = 10.0;
/// The first of these that the reader's machine has.
const FONTS: &str = "Helvetica, Arial, DejaVu Sans, sans-serif";
/// The backend divides font sizes by this.
const FONT_SIZE_FACTOR: f64 = 1.24;

/// A place on the figure in pixels, from the top left.
pub(crate) type Place = (f64, f64);

/// An area of the figure in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub colour: Rgb,
    pub opacity: f64,
    pub width: f64,
    pub dashed: bool,
}

impl Stroke {
    pub fn new(colour: Rgb, width: f64) -> Self {
        Self { colour, opacity: 1.0, width, dashed: false }
    }

    pub fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }

    fn style(&self) -> ShapeStyle {
        ShapeStyle {
            color: rgb(self.colour).mix(self.opacity),
            filled: false,
            stroke_width: units(self.width).max(1) as u32,
        }
    }
}

/// How a piece of text looks; it is centred vertically on its place.
#[derive(Clone, Copy)]
pub(crate) struct Font {
    pub size: f64,
    pub colour: Rgb,
    pub bold: bool,
    pub align: HPos,
}

impl Font {
    pub fn new(size: f64, colour: Rgb) -> Self {
        Self { size, colour, bold: false, align: HPos::Left }
    }

    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub fn centred(self) -> Self {
        Self { align: HPos::Center, ..self }
    }

    pub fn right(self) -> Self {
        Self { align: HPos::Right, ..self }
    }
}

/// A number of pixels in canvas units; the cast saturates, so far-off places stay representable.
fn units(pixels: f64) -> i32 {
    (pixels * SCALE).round().clamp(-1e7, 1e7) as i32
}

fn place((x, y): Place) -> (i32, i32) {
    (units(x), units(y))
}

fn rgb((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

/// What figures draw on.
pub(crate) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    /// For each element so far, attributes to add.
    extras: Vec<String>,
    /// Areas that lines may be clipped to.
    clips: Vec<Area>,
    clip: Option<usize>,
    failed: Option<String>,
}

impl Canvas<'_> {
    fn drew<E: Display>(&mut self, extra: String, outcome: std::result::Result<(), E>) {
        let clip = self.clip.map(|clip| format!(" clip-path=\"url(#area{clip})\"")).unwrap_or_default();
        match outcome {
            Ok(()) => self.extras.push(extra + &clip),
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    /// Keeps all that `draw` draws inside an area.
    pub fn clipped(&mut self, area: Area, draw: impl FnOnce(&mut Self)) {
        self.clips.push(area);
        self.clip = Some(self.clips.len() - 1);
        draw(self);
        self.clip = None;
    }

    pub fn line(&mut self, from: Place, to: Place, stroke: Stroke) {
        let outcome = self.backend.draw_line(place(from), place(to), &stroke.style());
        self.drew(dashes(stroke), outcome);
    }

    /// An open line through at least two places.
    pub fn path(&mut self, places: &[Place], stroke: Stroke) {
        let outcome = self.backend.draw_path(places.iter().map(|&p| place(p)), &stroke.style());
        self.drew(format!("{} stroke-linejoin=\"round\"", dashes(stroke)), outcome);
    }

    pub fn polygon(&mut self, places: &[Place], colour: Rgb, opacity: f64) {
        let outcome = self.backend.fill_polygon(places.iter().map(|&p| place(p)), &rgb(colour).mix(opacity));
        self.drew(String::new(), outcome);
    }

    pub fn rectangle(&mut self, area: Area, colour: Rgb, opacity: f64) {
        let corners = (place((area.left, area.top)), place((area.right, area.bottom)));
        let outcome = self.backend.draw_rect(corners.0, corners.1, &rgb(colour).mix(opacity), true);
        self.drew(String::new(), outcome);
    }

    /// A filled circle.
    pub fn dot(&mut self, centre: Place, radius: f64, colour: Rgb, opacity: f64) {
        let radius = units(radius).max(1) as u32;
        let outcome = self.backend.draw_circle(place(centre), radius, &rgb(colour).mix(opacity), true);
        self.drew(String::new(), outcome);
    }

    /// An open circle.
    pub fn ring(&mut self, centre: Place, radius: f64, stroke: Stroke) {
        let outcome = self.backend.draw_circle(place(centre), units(radius).max(1) as u32, &stroke.style(), false);
        self.drew(String::new(), outcome);
    }

    /// One line of text; empty text draws nothing.
    pub fn text(&mut self, text: &str, at: Place, font: Font) {
        let text = clean(text);
        if text.is_empty() {
            return;
        }
        let weight = if font.bold { FontStyle::Bold } else { FontStyle::Normal };
        let style = FontDesc::new(FontFamily::Name(FONTS), font.size * SCALE * FONT_SIZE_FACTOR, weight)
            .transform(FontTransform::None)
            .color(&rgb(font.colour))
            .pos(Pos::new(font.align, VPos::Center));
        let outcome = self.backend.draw_text(&text, &style, place(at));
        self.drew(String::new(), outcome);
    }
}

fn dashes(stroke: Stroke) -> String {
    if stroke.dashed { " stroke-dasharray=\"55 35\"".to_owned() } else { String::new() }
}

/// A document of a size in pixels on a white ground, drawn by `draw`; `title` is for readers who cannot see it.
pub(crate) fn render(width: f64, height: f64, title: &str, draw: impl FnOnce(&mut Canvas)) -> Result<String> {
    let mut drawn = String::new();
    let size = (units(width) as u32, units(height) as u32);
    let backend = SVGBackend::with_string(&mut drawn, size);
    let (extras, clips, failed) = {
        let mut canvas = Canvas { backend, extras: Vec::new(), clips: Vec::new(), clip: None, failed: None };
        canvas.rectangle(Area { left: 0.0, top: 0.0, right: width, bottom: height }, palette::WHITE, 1.0);
        draw(&mut canvas);
        if let Err(error) = canvas.backend.present() {
            canvas.failed = Some(error.to_string());
        }
        let Canvas { extras, clips, failed, .. } = canvas;
        (extras, clips, failed)
    };
    if let Some(what) = failed {
        return Err(Error::config(format!("the figure could not be drawn: {what}"), "leave the figure out"));
    }
    Ok(finish(&drawn, (width, height), title, &extras, &clips))
}

/// Puts the further attributes in, and the header that says how large a unit is.
///
/// The backend writes each tag on a line of its own and escapes `<` in text, so a line that begins with `<` is a tag.
fn finish(drawn: &str, (width, height): (f64, f64), title: &str, extras: &[String], clips: &[Area]) -> String {
    let mut out = format!(
        "<svg width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\" \
         role=\"img\">\n",
        units(width),
        units(height)
    );
    let title = clean(title);
    if !title.is_empty() {
        out.push_str(&format!("<title>{}</title>\n", escape(&title)));
    }
    for (number, clip) in clips.iter().enumerate() {
        let ((x, y), (w, h)) = (place((clip.left, clip.top)), place((clip.width(), clip.height())));
        out.push_str(&format!(
            "<clipPath id=\"area{number}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/></clipPath>\n"
        ));
    }
    let mut extras = extras.iter();
    for line in drawn.lines().skip(1) {
        if !line.starts_with('<') || line.starts_with("</") {
            out.push_str(line);
        } else {
            let end = if line.ends_with("/>") { "/>" } else { ">" };
            // What is the default anyway only makes the document longer.
            let body = line
                .trim_end_matches(end)
                .replace(" opacity=\"1\"", "")
                .replace(" stroke=\"none\"", "")
                .replace(" stroke-width=\"1\"", "")
                .replace("dy=\"0.5ex\"", "dy=\"0.35em\"")
                .replace(" \"", "\"");
            out.push_str(&body);
            out.push_str(extras.next().map_or("", String::as_str));
            out.push_str(end);
        }
        out.push('\n');
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
