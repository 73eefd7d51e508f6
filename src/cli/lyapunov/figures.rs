//! `spectrum.svg`.

use crate::Result;
use crate::analysis::{Spectrum, Status};
use crate::io::OutputFolder;
use crate::plot::{ExponentMark, SpectrumFigure, spectrum_figure};

/// `spectrum.svg`: exponents with their errors, and how they converged.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &OutputFolder, spectrum: &Spectrum, title: &str, unit: &str, remarks: &[String]) -> Result<()> {
    let mark = |i: usize| match (spectrum.status[i], spectrum.neutral[i]) {
        (Status::MinusInfinity, _) => ExponentMark::Dead,
        (Status::BelowPrecision, _) => ExponentMark::Hidden,
        (Status::Resolved, true) => ExponentMark::Neutral,
        (Status::Resolved, false) => ExponentMark::Resolved,
    };
    let figure = SpectrumFigure {
        title: title.into(),
        unit: unit.into(),
        exponents: spectrum.exponents.clone(),
        errors: spectrum.standard_errors.clone(),
        marks: (0..spectrum.exponents.len()).map(mark).collect(),
        progress: "steps counted, of each start".into(),
        steps: spectrum.trace.iter().map(|point| point.steps as f64).collect(),
        averages: spectrum.trace.iter().map(|point| point.exponents.clone()).collect(),
        remarks: remarks.to_vec(),
    };
    folder.write("spectrum.svg", &spectrum_figure(&figure)?)
}
