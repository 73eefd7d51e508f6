//! Figures as SVG text: fits, forecasts, training losses, trajectories, phase portraits, spectra, sweeps, stability regions,
//! and curves of any kind.
//!
//! A figure is a plain record of `f64` vectors; a function turns it into one SVG document, which the caller writes.
//! Nothing here reads or writes files, prints, or panics on any numbers or names. Values that are not finite (or beyond
//! 1e150 in size) count as missing: a gap in a curve, a point left out.
//!
//! The parts are shared by all figures: [`palette`] names the colours, `canvas` sets the document up, `axes` finds
//! ranges and tick labels, `frame` maps data into a plotting area and draws curves, bands and marks there, `legend`
//! lays out the key outside the data, `thin` keeps documents small. A new figure is a layout of frames.

mod axes;
mod canvas;
mod fit;
mod frame;
mod legend;
mod lines;
mod loss;
pub mod palette;
mod portrait;
mod regions;
mod rest_mark;
mod spectrum;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod thin;
mod trajectory;

pub use fit::{Curve, FitFigure, FitPanel, FitSeries, Points, fit_figure};
pub use lines::{Line, LinesFigure, LinesPanel, Look, lines_figure};
pub use loss::{LossFigure, Stage, loss_figure};
pub use portrait::{PortraitFigure, PortraitPanel, PortraitPoint, portrait_figure};
pub use regions::{RegionPanel, RegionsFigure, regions_figure};
pub use spectrum::{ExponentMark, SpectrumFigure, spectrum_figure};
pub use sweep::{SweepFigure, sweep_figure};
pub use trajectory::{TrajectoryFigure, trajectory_figure};
