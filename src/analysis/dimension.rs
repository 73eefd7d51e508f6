//! Dimension and entropy from a spectrum.

use super::{Spectrum, Status};
use crate::{Error, Result};

fn undefined(what: &str, remedy: &str) -> Error {
    Error::config(what, remedy)
}

/// An exponent as the sums count it.
fn counted(spectrum: &Spectrum, i: usize) -> f64 {
    if spectrum.neutral[i] { 0.0 } else { spectrum.exponents[i] }
}

/// The first exponent at which the sum becomes negative, with the sum before it.
fn crossing(spectrum: &Spectrum) -> Option<(usize, f64)> {
    let mut sum = 0.0;
    // Sums of a system that keeps volumes are zero up to rounding.
    let mut size = 0.0;
    for i in 0..spectrum.exponents.len() {
        let next = counted(spectrum, i);
        size += if next.is_finite() { next.abs() } else { 0.0 };
        if sum + next < -1e-9 * size {
            return Some((i, f64::max(sum, 0.0)));
        }
        sum += next;
    }
    None
}

pub(super) fn kaplan_yorke(spectrum: &Spectrum) -> Result<f64> {
    match crossing(spectrum) {
        Some((i, _)) if spectrum.status[i] == Status::BelowPrecision => Err(undefined(
            "the Kaplan-Yorke dimension hangs on an exponent that rounding hides",
            "factor more often, or compute in double precision",
        )),
        Some((i, sum)) => Ok(i as f64 + sum / counted(spectrum, i).abs()),
        None if spectrum.is_complete() => Ok(spectrum.dim as f64),
        None => Err(undefined(
            &format!("the sum of the {} known exponents does not become negative", spectrum.exponents.len()),
            "ask for more exponents",
        )),
    }
}

pub(super) fn kaplan_yorke_error(spectrum: &Spectrum) -> Option<f64> {
    kaplan_yorke(spectrum).ok()?;
    let Some((i, sum)) = crossing(spectrum) else { return Some(0.0) };
    let last = counted(spectrum, i).abs();
    let error = |k: usize| if spectrum.neutral[k] { 0.0 } else { spectrum.standard_errors[k] };
    let before: f64 = (0..i).map(|k| error(k).powi(2)).sum();
    Some((before + (error(i) * sum / last).powi(2)).sqrt() / last)
}

pub(super) fn entropy(spectrum: &Spectrum) -> Result<f64> {
    let last = spectrum.exponents.len() - 1;
    if !spectrum.is_complete() && counted(spectrum, last) > 0.0 {
        return Err(undefined("the last known exponent is positive, and there may be more", "ask for more exponents"));
    }
    Ok((0..=last).map(|i| counted(spectrum, i).max(0.0)).sum())
}
