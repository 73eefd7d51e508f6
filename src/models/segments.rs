//! The trajectories that training integrates: a start and the rows it is to meet.

use super::{Conditioning, History};
use crate::series::Panel;
use std::ops::Range;

/// Where a trajectory starts from.
#[derive(Clone, Debug)]
pub enum Start {
    /// A learned start, by its number.
    Learned(usize),
    /// The encoder's state after these observations.
    Encoded(History),
}

/// One trajectory: its start and the rows of a panel that it is compared with.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Series in the panel.
    pub series: usize,
    /// Time of the start.
    pub time: f64,
    /// Where it starts from.
    pub start: Start,
    /// Rows of the panel (counted over all series) that it is compared with.
    pub rows: Range<usize>,
    /// The learned start that follows, with its time: the trajectory should end there.
    pub next: Option<(usize, f64)>,
}

/// Windows of `horizon` rows over `rows` of one series, each with a learned start, numbered from `first`. A window's
/// first row is its start's time. A rest of a single row joins the window before.
pub fn windows(panel: &Panel, series: usize, rows: Range<usize>, horizon: usize, first: usize) -> Vec<Segment> {
    let offset = panel.rows(series).start;
    let mut begins: Vec<usize> = rows.clone().step_by(horizon).collect();
    if begins.len() > 1 && begins.last() == Some(&(rows.end - 1)) {
        begins.pop();
    }
    let segment = |(k, &begin): (usize, &usize)| {
        let end = begins.get(k + 1).copied().unwrap_or(rows.end);
        Segment {
            series,
            time: panel.times()[offset + begin],
            start: Start::Learned(first + k),
            rows: offset + begin..offset + end,
            next: begins.get(k + 1).map(|&next| (first + k + 1, panel.times()[offset + next])),
        }
    };
    begins.iter().enumerate().map(segment).collect()
}

/// A trajectory that starts at the last of a series' first `anchor` rows and is compared with the rows after it, up to
/// `horizon` of them and not beyond `end`; from the very first row on where `anchor` is 1.
pub fn encoded(
    panel: &Panel,
    series: usize,
    anchor: usize,
    end: usize,
    horizon: usize,
    known: usize,
    conditioning: &Conditioning,
) -> Option<Segment> {
    let record = panel.get(series)?;
    if anchor == 0 || anchor > record.times.len() {
        return None;
    }
    let offset = panel.rows(series).start;
    // The anchor row itself is compared too: the state should agree with what was just observed.
    Some(Segment {
        series,
        time: record.times[anchor - 1],
        start: Start::Encoded(History::of(&record, anchor, known, conditioning)),
        rows: offset + anchor - 1..offset + end.min(anchor + horizon).max(anchor),
        next: None,
    })
}

impl Segment {
    /// What channel `c` of its states is to be added to.
    pub fn offset(&self, c: usize) -> f64 {
        match &self.start {
            Start::Learned(_) => 0.0,
            Start::Encoded(history) => history.offset[c],
        }
    }

    /// Number of the learned start, if it has one.
    pub fn learned(&self) -> Option<usize> {
        match self.start {
            Start::Learned(k) => Some(k),
            Start::Encoded(_) => None,
        }
    }
}
