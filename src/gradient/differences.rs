//! Derivatives by finite differences, to check others by.

/// Rows of the extrapolation, and by how much the step shrinks from one to the next.
const ROWS: usize = 10;
const SHRINK: f64 = 1.6;

/// The derivative of `f` at 0 by central differences with steps from `step` down, extrapolated to zero step, and an
/// estimate of its error (Ridders 1982, Adv. Eng. Software 4, 75–76).
///
/// The first step should be one over which `f` changes a good deal. Cost: at most 20 evaluations.
pub fn difference(mut f: impl FnMut(f64) -> f64, step: f64) -> (f64, f64) {
    let mut before = [0.0; ROWS];
    let (mut best, mut error, mut h) = (f64::NAN, f64::INFINITY, step);
    for row in 0..ROWS {
        let mut now = [0.0; ROWS];
        now[0] = (f(h) - f(-h)) / (2.0 * h);
        let mut power = 1.0;
        for column in 1..=row {
            power *= SHRINK * SHRINK;
            now[column] = now[column - 1] + (now[column - 1] - before[column - 1]) / (power - 1.0);
            let spread = (now[column] - now[column - 1]).abs().max((now[column] - before[column - 1]).abs());
            if spread <= error {
                (best, error) = (now[column], spread);
            }
        }
        // Rounding has taken over.
        if row > 0 && (now[row] - before[row - 1]).abs() >= 2.0 * error {
            break;
        }
        before = now;
        h /= SHRINK;
    }
    (best, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_functions_have_ten_digits_and_an_honest_error() {
        let check = |f: &dyn Fn(f64) -> f64, exact: f64| {
            let (value, error) = difference(f, 0.5);
            assert!(
                (value - exact).abs() <= (10.0 * error).max(1e-14) && error < 1e-10 * exact.abs(),
                "{value} {error}"
            );
        };
        check(&|x| (1.0 + x).sin(), 1f64.cos());
        check(&|x| (3.0 * x).exp(), 3.0);
        check(&|x| 1.0 / (2.0 + x), -0.25);
    }

    #[test]
    fn a_jump_is_told_by_its_error() {
        let (_, error) = difference(|x| x.signum(), 0.5);
        assert!(error > 0.1);
    }
}
