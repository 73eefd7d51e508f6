//! Dimension and entropy from a spectrum.

use super::{Spectrum, Status};
use crate::{Error, Result};

fn undefined(what: &str, remedy: &str) -> Error {
    Error::config(what, remedy)
}

/// Exponents as sums count them: so many as are known to be 0, of those that may be, are.
fn counted(spectrum: &Spectrum) -> Vec<f64> {
    let mut exponents = spectrum.exponents.clone();
    let mut neutral: Vec<usize> = (0..exponents.len()).filter(|&i| spectrum.neutral[i]).collect();
    neutral.sort_by(|&a, &b| exponents[a].abs().total_cmp(&exponents[b].abs()));
    neutral.iter().take(spectrum.zeros).for_each(|&i| exponents[i] = 0.0);
    exponents
}

/// The first exponent at which the sum becomes negative, with the sum before it.
fn crossing(exponents: &[f64]) -> Option<(usize, f64)> {
    let mut sum = 0.0;
    // Sums of a system that keeps volumes are zero up to rounding.
    let mut size = 0.0;
    for (i, &next) in exponents.iter().enumerate() {
        size += if next.is_finite() { next.abs() } else { 0.0 };
        if sum + next < -1e-9 * size {
            return Some((i, f64::max(sum, 0.0)));
        }
        sum += next;
    }
    None
}

/// Whether rounding hides one of so many leading exponents.
fn hidden(spectrum: &Spectrum, count: usize) -> bool {
    spectrum.status[..count].contains(&Status::BelowPrecision)
}

pub(super) fn kaplan_yorke(spectrum: &Spectrum) -> Result<f64> {
    let exponents = counted(spectrum);
    let used = crossing(&exponents).map_or(exponents.len(), |(i, _)| i + 1);
    match crossing(&exponents) {
        _ if hidden(spectrum, used) => Err(undefined(
            "the Kaplan-Yorke dimension hangs on an exponent that rounding hides",
            "factor more often, or compute in double precision",
        )),
        Some((i, sum)) => Ok(i as f64 + sum / exponents[i].abs()),
        None if spectrum.is_complete() => Ok(spectrum.dim as f64),
        None => Err(undefined(
            &format!("the sum of the {} known exponents does not become negative", spectrum.exponents.len()),
            "ask for more exponents",
        )),
    }
}

pub(super) fn kaplan_yorke_error(spectrum: &Spectrum) -> Option<f64> {
    kaplan_yorke(spectrum).ok()?;
    let exponents = counted(spectrum);
    let Some((i, sum)) = crossing(&exponents) else { return Some(0.0) };
    let last = exponents[i].abs();
    let error = |k: usize| if exponents[k] == 0.0 { 0.0 } else { spectrum.standard_errors[k] };
    let before: f64 = (0..i).map(|k| error(k).powi(2)).sum();
    Some((before + (error(i) * sum / last).powi(2)).sqrt() / last)
}

pub(super) fn entropy(spectrum: &Spectrum) -> Result<f64> {
    let exponents = counted(spectrum);
    if !spectrum.is_complete() && exponents.last().is_some_and(|last| *last > 0.0) {
        return Err(undefined("the last known exponent is positive, and there may be more", "ask for more exponents"));
    }
    if hidden(spectrum, exponents.iter().take_while(|x| **x > 0.0).count()) {
        return Err(undefined(
            "rounding hides a positive exponent",
            "factor more often, or compute in double precision",
        ));
    }
    Ok(exponents.iter().map(|x| x.max(0.0)).sum())
}
