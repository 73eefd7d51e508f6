//! Irregular series: reading, splitting, scaling and the predictions one gets without a model.
//!
//! A [`Panel`] holds the records of many entities, each with its own times and missing cells, one after another and
//! never padded. [`read_csv`](read::read_csv) makes one from a file, [`Split`](split::Split) says which rows are for
//! training and which are held out, [`Scaling`](scale::Scaling) brings values and times to a scale of order one, and
//! [`baseline`] predicts held-out cells with no model at all.

pub mod baseline;
pub mod check;
pub mod grid;
pub mod levels;
mod panel;
pub mod read;
pub mod scale;
pub mod split;
mod summary;
mod times;
mod transform;
mod warning;

#[cfg(test)]
mod testing;

pub use panel::{Panel, Series};
pub use summary::{ChannelSummary, GapSummary, Summary};
pub use times::{RequestedTimes, read_times};
pub use warning::{Notice, Warning};
