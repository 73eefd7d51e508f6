//! One-dimensional convolution.

use crate::Real;
use crate::dynamics::ParamSpec;
use crate::linalg;

/// A convolution along a sequence without padding: at each of `steps − kernel + 1` places the filters are applied to the
/// `kernel` steps from there on (`torch.nn.Conv1d` with stride 1).
///
/// Parameters: `weight` `[filters, inputs·kernel]`, column by column, where column `i·kernel + k` belongs to feature `i` at
/// step `k` of the window (so PyTorch's `[filters, inputs, kernel]` is the same matrix); `bias` `[filters]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Features of a step.
    pub inputs: usize,
    /// Filters.
    pub filters: usize,
    /// Steps of a window, the receptive field.
    pub kernel: usize,
}

impl Convolution {
    /// Numbers of a window.
    pub fn window(&self) -> usize {
        self.inputs * self.kernel
    }

    /// Places in a sequence of that many numbers; none if it is not whole steps or shorter than the kernel.
    pub fn places(&self, numbers: usize) -> Option<usize> {
        let steps = numbers.checked_div(self.inputs).filter(|steps| steps * self.inputs == numbers)?;
        (steps + 1).checked_sub(self.kernel).filter(|&places| places > 0)
    }

    /// Parameters' names and shapes.
    pub fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new(format!("{prefix}weight"), &[self.filters, self.window()]),
            ParamSpec::new(format!("{prefix}bias"), &[self.filters]),
        ]
    }

    /// How many parameters there are.
    pub fn param_count(&self) -> usize {
        self.filters * (self.window() + 1)
    }

    /// `values = W·windows + b`, `filters × places`, for a sequence of `steps × inputs` numbers; leaves the `windows`,
    /// `window × places`. Costs `filters · window · places` multiplications.
    pub fn forward<T: Real>(&self, params: &[T], sequence: &[T], windows: &mut [T], values: &mut [T], places: usize) {
        for (row, window) in windows.chunks_exact_mut(places).enumerate() {
            let (feature, k) = (row / self.kernel, row % self.kernel);
            let column = sequence[k * self.inputs + feature..].iter().step_by(self.inputs);
            window.iter_mut().zip(column).for_each(|(w, &x)| *w = x);
        }
        let (weight, bias) = params.split_at(self.filters * self.window());
        linalg::affine(weight, bias, windows, values, places);
    }

    /// Adds the parameters' cotangent to `params_bar`, from that of the values.
    pub fn accumulate<T: Real>(&self, windows: &[T], values_bar: &[T], params_bar: &mut [T], places: usize) {
        let (weight, bias) = params_bar.split_at_mut(self.filters * self.window());
        linalg::outer_add(values_bar, windows, weight, bias, places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sums_over_windows_and_short_sequences_have_no_place() {
        let convolution = Convolution { inputs: 2, filters: 1, kernel: 3 };
        // Weights by feature, then step: x₀ of the three steps, then x₁.
        let params = [1.0, 10.0, 100.0, -1.0, -10.0, -100.0, 0.5];
        let sequence = [1.0, 0.0, 2.0, 0.0, 3.0, 1.0, 4.0, 0.0];
        let places = convolution.places(sequence.len()).unwrap();
        let (mut windows, mut values) = (vec![0.0; 12], vec![0.0; 2]);
        convolution.forward(&params, &sequence, &mut windows, &mut values, places);
        assert_eq!(values, [1.0 + 20.0 + 300.0 - 100.0 + 0.5, 2.0 + 30.0 + 400.0 - 10.0 + 0.5]);
        assert_eq!((convolution.places(4), convolution.places(5), convolution.places(6)), (None, None, Some(1)));
    }
}
