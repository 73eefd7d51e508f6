//! Gradient flows of two losses, as fields that are written once and differentiated by dual numbers.

use flowmap::dynamics::{Scalar, SmallField};

/// `x' = −A x`, downhill on `½ xᵀ A x`. The curvatures, eigenvalues of `A`, are 3 and 3 ± √3.
#[derive(Clone, Copy)]
pub struct Quadratic;

impl SmallField<3, 0> for Quadratic {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], []: [S; 0]) -> [S; 3] {
        [-(x * S::of(4.0) + y), -(x + y * S::of(3.0) + z), -(y + z * S::of(2.0))]
    }
}

/// Steps of a sequence.
const LENGTH: usize = 4;
/// Weight decay, without which the best weights would lie infinitely far away.
pub const DECAY: f64 = 0.01;

/// Downhill on the mean squared error of a recurrent net of two tanh units that says at the end of each of four short
/// sequences what its first input was, with weight decay: the gradient by backpropagation through time, negative. Parameters: recurrent weights row
/// after row, input weights, weights of the read-out.
#[derive(Clone, Copy)]
pub struct SmallNet {
    /// The sequences.
    pub inputs: [[f64; LENGTH]; 4],
}

impl SmallNet {
    pub fn of_waves() -> Self {
        let input = |k: f64| (2.1 * k + 0.1 * k * k).sin();
        let input = |sequence, t| input((sequence * LENGTH + t) as f64);
        Self { inputs: std::array::from_fn(|sequence| std::array::from_fn(|t| input(sequence, t))) }
    }
}

impl SmallField<8, 0> for SmallNet {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, p: [S; 8], []: [S; 0]) -> [S; 8] {
        let mut downhill = p.map(|p| -p * S::of(DECAY));
        for input in &self.inputs {
            let mut h = [[S::of(0.0); 2]; LENGTH + 1];
            for t in 0..LENGTH {
                for i in 0..2 {
                    let sum = p[2 * i] * h[t][0] + p[2 * i + 1] * h[t][1] + p[4 + i] * S::of(input[t]);
                    h[t + 1][i] = sum.tanh();
                }
            }
            let error = p[6] * h[LENGTH][0] + p[7] * h[LENGTH][1] - S::of(input[0]);
            let down = -error * S::of(2.0 / self.inputs.len() as f64);
            let mut h_bar = [p[6] * down, p[7] * down];
            for i in 0..2 {
                downhill[6 + i] = downhill[6 + i] + down * h[LENGTH][i];
            }
            for t in (0..LENGTH).rev() {
                let mut a = [S::of(0.0); 2];
                for i in 0..2 {
                    a[i] = h_bar[i] * (S::of(1.0) - h[t + 1][i] * h[t + 1][i]);
                    downhill[2 * i] = downhill[2 * i] + a[i] * h[t][0];
                    downhill[2 * i + 1] = downhill[2 * i + 1] + a[i] * h[t][1];
                    downhill[4 + i] = downhill[4 + i] + a[i] * S::of(input[t]);
                }
                h_bar = [p[0] * a[0] + p[2] * a[1], p[1] * a[0] + p[3] * a[1]];
            }
        }
        downhill
    }
}

/// A field whose speed has a limit: what clipping the gradient's norm makes of a gradient flow.
#[derive(Clone, Copy)]
pub struct Clipped<F>(pub F, pub f64);

impl<F: SmallField<N, 0>, const N: usize> SmallField<N, 0> for Clipped<F> {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, t: S, y: [S; N], p: [S; 0]) -> [S; N] {
        let mut v = self.0.rhs(t, y, p);
        let square = v.iter().fold(S::of(0.0), |sum, &v| sum + v * v);
        let shrink = S::of(1.0).min(S::of(self.1) / square.sqrt());
        v.iter_mut().for_each(|v| *v = *v * shrink);
        v
    }
}
