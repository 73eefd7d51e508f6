//! The function a channel's values go through before they are scaled.

use serde::{Deserialize, Serialize};

/// What is done to a channel's values before they are shifted and scaled. Both kinds rise, so that an interval's
/// lower bound stays its lower bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// Nothing.
    #[default]
    Identity,
    /// The natural logarithm; for values above 0.
    Log,
}

impl Transform {
    /// Into the transformed value; none if there is none (the logarithm of a value not above 0).
    pub fn forward(self, value: f64) -> Option<f64> {
        match self {
            Self::Identity => Some(value),
            Self::Log => (value > 0.0).then(|| value.ln()),
        }
    }

    /// Back to the file's units.
    pub fn inverse(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Log => value.exp(),
        }
    }

    /// The derivative at a value in the file's units, for measurement errors (the delta method).
    pub fn slope(self, value: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Log => 1.0 / value,
        }
    }
}

/// Suggests a transform for a channel from its training values.
///
/// [`Transform::Log`] if all are above 0, the largest is more than ten times the smallest, their skewness is above
/// 0.5, and that of their logarithms is nearer to 0. Populations and concentrations are of this kind: they change by
/// factors, and a model in logarithms cannot predict negative ones. Otherwise [`Transform::Identity`].
pub fn suggest_transform(values: &[f64]) -> Transform {
    let (low, high) = values.iter().fold((f64::INFINITY, 0.0f64), |(low, high), &v| (low.min(v), high.max(v)));
    if low.is_nan() || low <= 0.0 || high <= 10.0 * low {
        return Transform::Identity;
    }
    let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
    let raw = skewness(values);
    if raw > 0.5 && skewness(&logs).abs() < raw { Transform::Log } else { Transform::Identity }
}

/// The third standardised moment; 0 for fewer than two different values.
fn skewness(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // Brought to order one first: cubes of large values overflow.
    let largest = values.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
    if largest == 0.0 {
        return 0.0;
    }
    let moment = |power: i32| values.iter().map(|v| ((v - mean) / largest).powi(power)).sum::<f64>() / n;
    let spread = moment(2);
    moment(3) / (spread * spread.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_suggested_for_positive_skewed_values_of_several_magnitudes() {
        let powers: Vec<f64> = (0..20).map(|i| 1.5f64.powi(i)).collect();
        assert_eq!(suggest_transform(&powers), Transform::Log);
        let with_zero: Vec<f64> = powers.iter().map(|v| v - 1.0).collect();
        assert_eq!(suggest_transform(&with_zero), Transform::Identity);
        let narrow: Vec<f64> = powers.iter().map(|v| v + 1000.0).collect();
        assert_eq!(suggest_transform(&narrow), Transform::Identity);
        let even: Vec<f64> = (1..30).map(f64::from).collect();
        assert_eq!(suggest_transform(&even), Transform::Identity);
        for odd in [&[][..], &[1.0], &[1e150, 1e-150], &[1.0; 5], &[f64::NAN]] {
            let _ = suggest_transform(odd);
        }
    }
}
