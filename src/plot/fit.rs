//! A fit or forecast against its observations, one panel a channel.

use super::axes::{Axis, Range, usable};
use super::canvas::{self, Area, Canvas, Font, Stroke};
use super::frame::{Frame, Mark, TICK_ROOM, TICK_SIZE, level_axis};
use super::legend::{Key, Legend};
use super::palette::{self, Rgb};
use super::text;
use crate::{Error, Result};

/// More series than this cannot be told apart in one panel.
const MOST_SERIES: usize = palette::SERIES.len();
/// More panels than this are no longer a picture.
const MOST_PANELS: usize = 48;
/// Bytes of a document.
const LONGEST: usize = 1_000_000;
/// Marks and error bars in a whole figure, which bounds the document's size.
const MARKS: usize = 4_500;
/// Vertices of curves in a whole figure; intervals get half as many in addition.
const VERTICES: usize = 14_000;
/// Marks smaller than this are many.
const CROWDED: f64 = 2.6;
/// Margin around the figure in pixels.
const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 17.0;

/// Observations, fitted curves and forecasts of some series in one or more channels.
///
/// Also right for forecasts alone: leave `held_out`, `held_out_from` and whatever else there is not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitFigure {
    /// Over the whole; may be empty.
    pub title: String,
    /// Name of the time axis, with its unit: `time (days)`.
    pub time: String,
    /// One a channel; the first 48 are drawn.
    pub panels: Vec<FitPanel>,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitPanel {
    /// Name of the channel.
    pub channel: String,
    /// Its unit, if known.
    pub unit: Option<String>,
    /// A series has one hue in all panels, by its name; the first six names of the figure are drawn.
    pub series: Vec<FitSeries>,
}

/// What there is of one series in one channel; any part may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FitSeries {
    /// Name of the series.
    pub name: String,
    /// What the model was fitted to or conditioned on.
    pub observed: Points,
    /// What it has not seen.
    pub held_out: Points,
    /// The model over the span it was fitted to.
    pub fitted: Curve,
    /// The model beyond it.
    pub forecast: Curve,
    /// The time from which on observations are held out.
    pub held_out_from: Option<f64>,
}

/// Single observations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// Times.
    pub time: Vec<f64>,
    /// Values, as many.
    pub value: Vec<f64>,
    /// Half lengths of error bars: as many, or none.
    pub error: Vec<f64>,
}

/// A line, with an interval if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Times, in order.
    pub time: Vec<f64>,
    /// Values, as many; one that is not finite is a gap.
    pub value: Vec<f64>,
    /// Lower ends of the 90 % interval: as many, or none.
    pub low: Vec<f64>,
    /// Upper ends of the 90 % interval: as many as lower ones.
    pub high: Vec<f64>,
}

impl Points {
    fn check(&self) -> Result<()> {
        same("values", self.value.len(), self.time.len())?;
        if self.error.is_empty() { Ok(()) } else { same("errors", self.error.len(), self.time.len()) }
    }

    /// An error bar is an element of its own.
    fn cost(&self) -> usize {
        self.value.len() + self.error.len()
    }

    fn range(&self) -> Option<Range> {
        Range::of(self.value.iter().copied())
    }

    /// With the error bars.
    fn reach(&self) -> Option<Range> {
        let ends = self.value.iter().zip(&self.error).flat_map(|(v, e)| [v - e, v + e]);
        Range::of(ends)
    }
}

impl Curve {
    fn check(&self) -> Result<()> {
        same("curve values", self.value.len(), self.time.len())?;
        same("upper ends of the interval", self.high.len(), self.low.len())?;
        if self.low.is_empty() { Ok(()) } else { same("ends of the interval", self.low.len(), self.time.len()) }
    }

    fn has_band(&self) -> bool {
        !self.low.is_empty()
    }

    /// The same curve begun at the end of the one before it, lest there be a gap between fit and forecast.
    fn joined_to(&self, before: &Curve) -> Curve {
        let mut joined = self.clone();
        let end = before.time.len().checked_sub(1);
        let (Some(end), Some(&start)) = (end, self.time.first()) else { return joined };
        if before.time[end] < start && (before.has_band() == self.has_band()) {
            joined.time.insert(0, before.time[end]);
            joined.value.insert(0, before.value[end]);
            if self.has_band() {
                joined.low.insert(0, before.low[end]);
                joined.high.insert(0, before.high[end]);
            }
        }
        joined
    }
}

impl FitSeries {
    fn check(&self) -> Result<()> {
        self.observed.check()?;
        self.held_out.check()?;
        self.fitted.check()?;
        self.forecast.check()
    }

    fn shows_anything(&self) -> bool {
        let values = self.observed.value.iter().chain(&self.held_out.value);
        let values = values.chain(&self.fitted.value).chain(&self.forecast.value);
        values.chain(&self.fitted.low).chain(&self.forecast.low).any(|v| usable(*v))
    }

    fn times(&self) -> impl Iterator<Item = f64> {
        let points = self.observed.time.iter().chain(&self.held_out.time);
        points.chain(&self.fitted.time).chain(&self.forecast.time).copied()
    }
}

fn same(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::shape(format!("figure: {what}"), expected, found)) }
}

fn joined(ranges: impl IntoIterator<Item = Option<Range>>) -> Option<Range> {
    ranges.into_iter().flatten().reduce(Range::join)
}

/// The heights a panel shows: all observations; error bars, curves and intervals only as far as these stay readable.
fn heights(series: &[&FitSeries]) -> Range {
    let points = joined(series.iter().flat_map(|s| [s.observed.range(), s.held_out.range()]));
    let bars = joined(series.iter().flat_map(|s| [s.observed.reach(), s.held_out.reach()]));
    let curves = || series.iter().flat_map(|s| [&s.fitted, &s.forecast]);
    let lines = joined(curves().map(|c| Range::of(c.value.iter().copied())));
    let bands = joined(curves().map(|c| Range::of(c.low.iter().chain(&c.high).copied())));
    let base = points.or(lines).or(bands).unwrap_or(Range { low: 0.0, high: 1.0 });
    let mut range = base;
    for (part, times) in [(bars, 0.5), (lines, 0.8), (bands, 0.6)] {
        if let Some(part) = part {
            range = range.join(base.stretch(part, times));
        }
    }
    range.padded(0.06)
}

/// How the parts of a series look.
struct Look {
    observed: Mark,
    held_out: Mark,
    curve: Stroke,
}

impl Look {
    /// A lone series has a hue for each part; several have one hue each, and their parts differ in shape.
    fn new(alone: bool, hue: Rgb, radius: f64) -> Self {
        let (ink, open) = if alone { (palette::GREY, palette::VERMILLION) } else { (hue, hue) };
        Self {
            observed: Mark { colour: ink, radius, opacity: 0.6, open: false },
            held_out: Mark { colour: open, radius: 1.15 * radius, opacity: 0.85, open: true },
            curve: Stroke::new(hue, 1.8),
        }
    }
}

/// Which panels and series are drawn, with the hue's number of each.
struct Shown<'a> {
    panels: Vec<(&'a FitPanel, Vec<(usize, &'a FitSeries)>)>,
    names: Vec<&'a str>,
    all_names: usize,
}

impl<'a> Shown<'a> {
    fn of(figure: &'a FitFigure) -> Self {
        let mut known = std::collections::HashSet::new();
        let series = figure.panels.iter().flat_map(|panel| &panel.series);
        let mut names: Vec<&str> = series.map(|s| s.name.as_str()).filter(|name| known.insert(*name)).collect();
        let all_names = names.len();
        names.truncate(MOST_SERIES);
        let number = |s: &'a FitSeries| Some((names.iter().position(|name| *name == s.name)?, s));
        let panels = figure.panels.iter().take(MOST_PANELS);
        let panels = panels.map(|panel| (panel, panel.series.iter().filter_map(number).take(MOST_SERIES).collect()));
        Self { panels: panels.collect(), names, all_names }
    }

    fn series(&self) -> impl Iterator<Item = &'a FitSeries> {
        self.panels.iter().flat_map(|(_, series)| series.iter().map(|(_, s)| *s))
    }

    fn legend(&self, figure: &FitFigure, width: f64) -> Legend {
        let any = |has: fn(&FitSeries) -> bool| self.series().any(has);
        let alone = self.names.len() < 2;
        // With several hues in the panels, the key to shapes has none of them.
        let hue = if alone { palette::SERIES[0] } else { palette::GREY };
        let look = Look::new(alone, hue, 3.4);
        let parts = [
            (any(|s| !s.observed.time.is_empty()), Key::Mark(look.observed), "observed"),
            (any(|s| !s.held_out.time.is_empty()), Key::Mark(look.held_out), "held out"),
            (any(|s| !s.fitted.time.is_empty()), Key::Line(look.curve), "model"),
            (any(|s| !s.forecast.time.is_empty()), Key::Line(look.curve.dashed()), "forecast"),
            (any(|s| s.fitted.has_band() || s.forecast.has_band()), Key::Band(hue, 0.2), "90 % interval"),
        ];
        let split = self.panels.iter().any(|(_, series)| common_split(series).is_some());
        let lone_splits = self
            .panels
            .iter()
            .any(|(_, s)| common_split(s).is_none() && s.iter().any(|(_, s)| s.held_out_from.is_some()));
        let parts = parts
            .into_iter()
            .chain([(split, Key::Span, "held-out span"), (lone_splits, Key::Start(hue), "held out from here")]);
        let parts = parts.filter(|part| part.0).map(|(_, key, name)| (key, name.to_owned())).collect();
        let mut series = Vec::new();
        if !alone {
            for (name, hue) in self.names.iter().zip(palette::SERIES) {
                series.push((Key::Line(Stroke::new(hue, 4.0)), (*name).to_owned()));
            }
        }
        if self.all_names > self.names.len() {
            series.push((Key::Remark, format!("{} of {} series", self.names.len(), self.all_names)));
        }
        if figure.panels.len() > self.panels.len() {
            series.push((Key::Remark, format!("{} of {} channels", self.panels.len(), figure.panels.len())));
        }
        Legend::new(vec![parts, series], width)
    }
}

/// Draws observations, fits and forecasts as an SVG document.
///
/// Panels share their span of time and stand in one to three columns, read row by row. Long data are thinned, so that
/// the document stays under a megabyte. What the model does far outside the observations is cut off at the panel's
/// edge.
///
/// # Errors
/// [`Error::Shape`] if vectors that belong together differ in length.
pub fn fit_figure(figure: &FitFigure) -> Result<String> {
    figure.panels.iter().flat_map(|panel| &panel.series).try_for_each(FitSeries::check)?;
    let shown = Shown::of(figure);
    let mut document = String::new();
    // Elements differ in length: if the usual shares make the document too long, smaller ones do not.
    for detail in [1.0, 0.6, 0.3] {
        document = draw(figure, &shown, &Budget::of(&shown, detail))?;
        if document.len() < LONGEST {
            break;
        }
    }
    Ok(document)
}

fn draw(figure: &FitFigure, shown: &Shown, budget: &Budget) -> Result<String> {
    let (columns, panel_height, width) = match shown.panels.len() {
        0 | 1 => (1, 380.0, 920.0),
        2 => (1, 230.0, 920.0),
        3 | 4 => (1, 175.0, 920.0),
        5..=8 => (2, 165.0, 1080.0),
        _ => (3, 140.0, 1240.0),
    };
    let count = shown.panels.len().max(1);
    let rows = count.div_ceil(columns);

    // The axes first: how wide their labels are decides where the areas begin.
    let times = Range::of(shown.series().flat_map(FitSeries::times)).unwrap_or(Range { low: 0.0, high: 1.0 });
    let ys: Vec<Axis> = shown
        .panels
        .iter()
        .map(|(_, series)| heights(&series.iter().map(|(_, s)| *s).collect::<Vec<_>>()))
        .map(|range| Axis::linear(range, panel_height / 32.0, 0.0))
        .collect();
    let label_room = ys.iter().map(|y| y.label_width(TICK_SIZE)).fold(20.0, f64::max) + 10.0;
    let between = 26.0;
    let cell_width = (width - 2.0 * MARGIN - between * (columns as f64 - 1.0)) / columns as f64;
    let x = level_axis(times, cell_width - label_room);

    let legend = shown.legend(figure, width - 2.0 * MARGIN);
    let title_height = if text::clean(&figure.title).is_empty() { 0.0 } else { 30.0 };
    let top = MARGIN + title_height + legend.height() + 6.0;
    let name_height = 29.0;
    let row_height = name_height + panel_height + 16.0;
    let height = top + rows as f64 * row_height + TICK_ROOM + MARGIN + 6.0;

    canvas::render(width, height, &figure.title, |canvas| {
        let title = text::fit(&figure.title, TITLE_SIZE * text::BOLD, width - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, MARGIN + 9.0), Font::new(TITLE_SIZE, palette::INK).bold());
        legend.draw(canvas, MARGIN, MARGIN + title_height);
        if shown.panels.is_empty() {
            let note = Font::new(TITLE_SIZE, palette::GREY).centred();
            canvas.text("no channels to show", (0.5 * width, 0.5 * height), note);
        }
        for (number, ((panel, series), y)) in shown.panels.iter().zip(ys).enumerate() {
            let (row, column) = (number / columns, number % columns);
            let cell_left = MARGIN + column as f64 * (cell_width + between);
            let area_top = top + row as f64 * row_height + name_height;
            let area = Area {
                left: cell_left + label_room,
                top: area_top,
                right: cell_left + cell_width,
                bottom: area_top + panel_height,
            };
            let frame = Frame { area, x: x.clone(), y };
            let lowest = number + columns >= shown.panels.len();
            draw_panel(canvas, &frame, series, shown.names.len() < 2, budget, lowest);
            frame.name_y(canvas, &named(panel), cell_left, 16.0);
            if lowest {
                frame.name_x(canvas, &figure.time);
            }
        }
    })
}

/// How much of each part may be drawn: shares in proportion to lengths.
struct Budget {
    marks: f64,
    vertices: f64,
    bands: f64,
}

impl Budget {
    fn of(shown: &Shown, detail: f64) -> Self {
        let marks: usize = shown.series().map(|s| s.observed.cost() + s.held_out.cost()).sum();
        let vertices: usize = shown.series().map(|s| s.fitted.time.len() + s.forecast.time.len()).sum();
        let share = |most: usize, all: usize| (detail * most as f64 / all.max(1) as f64).min(1.0);
        Self { marks: share(MARKS, marks), vertices: share(VERTICES, vertices), bands: share(VERTICES / 4, vertices) }
    }

    fn marks(&self, points: &Points) -> usize {
        (self.marks * points.time.len() as f64).ceil() as usize
    }

    fn vertices(&self, curve: &Curve) -> usize {
        (self.vertices * curve.time.len() as f64).ceil() as usize + 1
    }

    /// Each place of an interval is two vertices.
    fn band(&self, curve: &Curve) -> usize {
        (self.bands * curve.time.len() as f64).ceil() as usize + 1
    }
}

fn named(panel: &FitPanel) -> String {
    match &panel.unit {
        Some(unit) if !unit.trim().is_empty() => format!("{} ({unit})", panel.channel),
        _ => panel.channel.clone(),
    }
}

fn draw_panel(
    canvas: &mut Canvas,
    frame: &Frame,
    series: &[(usize, &FitSeries)],
    alone: bool,
    budget: &Budget,
    lowest: bool,
) {
    if !series.iter().any(|(_, s)| s.shows_anything()) {
        frame.axes(canvas, lowest);
        let middle = (0.5 * (frame.area.left + frame.area.right), 0.5 * (frame.area.top + frame.area.bottom));
        canvas.text("no values", middle, Font::new(TICK_SIZE, palette::GREY).centred());
        return;
    }
    let split = common_split(series);
    if let Some(split) = split {
        shade_from(canvas, frame, split);
    }
    frame.grid(canvas);
    let points = series.iter().map(|(_, s)| s.observed.time.len() + s.held_out.time.len()).sum::<usize>() as f64;
    // The more marks to the area, the smaller each.
    let radius = (0.17 * (frame.area.width() * frame.area.height() / points.max(1.0)).sqrt()).clamp(1.5, 3.2);
    let looks: Vec<Look> = series.iter().map(|(hue, _)| Look::new(alone, palette::SERIES[*hue], radius)).collect();
    let parts = || series.iter().map(|(_, s)| *s).zip(&looks);
    canvas.clipped(frame.area, |canvas| {
        for (s, look) in parts() {
            for curve in [&s.fitted, &s.forecast.joined_to(&s.fitted)] {
                frame.band(canvas, &curve.time, (&curve.low, &curve.high), look.curve.colour, budget.band(curve));
            }
        }
    });
    for (s, look) in parts() {
        for (points, mark) in [(&s.observed, look.observed), (&s.held_out, look.held_out)] {
            frame.marks(canvas, &points.time, &points.value, &points.error, mark, budget.marks(points));
        }
    }
    canvas.clipped(frame.area, |canvas| {
        for (s, look) in parts() {
            // Among crowded marks a pale rim keeps the curve visible.
            if alone && radius < CROWDED {
                let rim = Stroke::new(palette::WHITE, look.curve.width + 1.2).opacity(0.6);
                frame.curve(canvas, &s.fitted.time, &s.fitted.value, rim, budget.vertices(&s.fitted));
                frame.curve(canvas, &s.forecast.time, &s.forecast.value, rim, budget.vertices(&s.forecast));
            }
            frame.curve(canvas, &s.fitted.time, &s.fitted.value, look.curve, budget.vertices(&s.fitted));
            let forecast = s.forecast.joined_to(&s.fitted);
            frame.curve(canvas, &forecast.time, &forecast.value, look.curve.dashed(), budget.vertices(&forecast));
        }
    });
    if split.is_none() {
        for (s, look) in parts() {
            if let Some(x) = s.held_out_from.and_then(|from| inside(frame, from)) {
                let Area { top, bottom, .. } = frame.area;
                canvas.line((x, top), (x, bottom), Stroke::new(look.curve.colour, 1.0).opacity(0.6).dashed());
            }
        }
    }
    frame.axes(canvas, lowest);
}

/// Where the held-out part begins, if it begins at one time for all series.
fn common_split(series: &[(usize, &FitSeries)]) -> Option<f64> {
    let first = series.first()?.1.held_out_from?;
    series.iter().all(|(_, s)| s.held_out_from == Some(first)).then_some(first)
}

fn inside(frame: &Frame, time: f64) -> Option<f64> {
    let fraction = frame.x.fraction(time).filter(|f| (0.0..=1.0).contains(f))?;
    Some(frame.area.left + fraction * frame.area.width())
}

fn shade_from(canvas: &mut Canvas, frame: &Frame, time: f64) {
    if let Some(x) = inside(frame, time) {
        let Area { top, bottom, .. } = frame.area;
        canvas.rectangle(Area { left: x, ..frame.area }, palette::SHADE, 1.0);
        canvas.line((x, top), (x, bottom), Stroke::new(palette::GREY, 1.0).opacity(0.7));
    }
}
