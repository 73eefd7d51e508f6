//! `spectrum.csv` and `convergence.csv`.

use crate::Result;
use crate::analysis::Spectrum;
use crate::io::OutputFolder;
use crate::io::table::{self, Cell};

/// `spectrum.csv`: a row an exponent.
///
/// # Errors
/// If it cannot be written.
pub fn write_spectrum(folder: &OutputFolder, spectrum: &Spectrum) -> Result<()> {
    let header = [
        "number",
        "exponent",
        "standard_error",
        "status",
        "neutral",
        "per_step",
        "between_starts",
        "finite_time_deviation",
    ];
    let rows = (0..spectrum.exponents.len()).map(|i| {
        vec![
            Cell::Integer(i as i64 + 1),
            spectrum.exponents[i].into(),
            spectrum.standard_errors[i].into(),
            spectrum.status[i].name().into(),
            if spectrum.neutral[i] { "true" } else { "false" }.into(),
            (spectrum.exponents[i] * spectrum.unit).into(),
            spectrum.between_starts[i].into(),
            spectrum.finite_time_deviations[i].into(),
        ]
    });
    table::write(&folder.file("spectrum.csv"), &header, rows)
}

/// `convergence.csv`: a row a bin, the averages of all starts up to there.
///
/// # Errors
/// If it cannot be written.
pub fn write_convergence(folder: &OutputFolder, spectrum: &Spectrum) -> Result<()> {
    let names = (1..=spectrum.exponents.len()).map(|i| format!("exponent_{i}"));
    let header: Vec<String> = ["steps".into(), "time".into()].into_iter().chain(names).collect();
    let rows = spectrum.trace.iter().map(|point| {
        let place = [Cell::Integer(point.steps as i64), (point.steps as f64 * spectrum.unit).into()];
        place.into_iter().chain(point.exponents.iter().map(|&x| x.into())).collect()
    });
    table::write(&folder.file("convergence.csv"), &header, rows)
}
