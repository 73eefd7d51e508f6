//! Losses: how far a block of outputs is from what it should be, and the cotangent of that.

use crate::linalg::{self, Block, BlockMut};
use crate::{Error, Real, Result};

/// `weight · Σ (y − target)²` over all numbers of the block, and its cotangent in `y_bar`.
pub fn squared_error<T: Real>(y: Block<T>, target: Block<T>, weight: f64, y_bar: BlockMut<T>) -> f64 {
    let mut sum = 0.0;
    let twice = T::of(2.0 * weight);
    for ((bar, &y), &target) in y_bar.data.iter_mut().zip(y.data).zip(target.data) {
        let difference = y - target;
        sum += difference.f64() * difference.f64();
        *bar = twice * difference;
    }
    weight * sum
}

/// `weight · Σ −ln softmax(y)_class` over the lanes, one class a lane, and its cotangent in `y_bar`. Numbers of any size
/// are right: the largest of a lane is taken off first.
///
/// # Errors
/// [`Error::Shape`] that names the first class beyond the rows.
pub fn cross_entropy<T: Real>(y: Block<T>, classes: &[usize], weight: f64, mut y_bar: BlockMut<T>) -> Result<f64> {
    let (rows, lanes) = (y.rows(), y.lanes);
    if classes.len() != lanes {
        return Err(Error::shape("classes of a block", lanes, classes.len()));
    }
    if let Some(class) = classes.iter().find(|&&class| class >= rows) {
        return Err(Error::shape("a class", format!("0 to {}", rows.saturating_sub(1)), class));
    }
    for lane in 0..lanes {
        let most = (0..rows).map(|i| y.row(i)[lane]).fold(y.row(0)[lane], |a, b| if b > a { b } else { a });
        (0..rows).for_each(|i| y_bar.row(i)[lane] = y.row(i)[lane] - most);
    }
    let mut sum = 0.0;
    for (lane, &class) in classes.iter().enumerate() {
        sum -= y_bar.row(class)[lane].f64();
    }
    linalg::exp(y_bar.data);
    for (lane, &class) in classes.iter().enumerate() {
        let total = (0..rows).map(|i| y_bar.row(i)[lane].f64()).sum::<f64>();
        sum += total.ln();
        let scale = T::of(weight / total);
        (0..rows).for_each(|i| y_bar.row(i)[lane] *= scale);
        y_bar.row(class)[lane] -= T::of(weight);
    }
    Ok(weight * sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cotangents_are_the_derivatives(y in proptest::collection::vec(-3.0f64..3.0, 12), lane in 0usize..3, row in 0usize..4) {
            let target: Vec<f64> = y.iter().map(|y| y.cos()).collect();
            let classes = [3, 0, 2];
            let squared = |y: &[f64], bar: &mut [f64]| {
                squared_error(Block::new(y, 3), Block::new(&target, 3), 0.7, BlockMut::new(bar, 3))
            };
            let entropy = |y: &[f64], bar: &mut [f64]| {
                cross_entropy(Block::new(y, 3), &classes, 0.7, BlockMut::new(bar, 3)).unwrap()
            };
            let (mut bar, mut unused, at) = (vec![0.0; 12], vec![0.0; 12], row * 3 + lane);
            let mut moved = [y.clone(), y.clone()];
            moved[0][at] += 1e-5;
            moved[1][at] -= 1e-5;
            for loss in [&squared as &dyn Fn(&[f64], &mut [f64]) -> f64, &entropy] {
                loss(&y, &mut bar);
                let difference = (loss(&moved[0], &mut unused) - loss(&moved[1], &mut unused)) / 2e-5;
                prop_assert!((bar[at] - difference).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn entropies_of_huge_numbers_are_finite_and_those_of_equal_ones_known() {
        let mut bar = [0.0; 4];
        let loss = cross_entropy(Block::new(&[1e300, 0.0, -1e300, 0.0], 2), &[0, 1], 1.0, BlockMut::new(&mut bar, 2));
        assert_eq!(loss.unwrap(), 2f64.ln());
        assert_eq!(bar, [0.0, 0.5, 0.0, -0.5]);
        let refused = cross_entropy(Block::new(&[0.0; 4], 2), &[0, 2], 1.0, BlockMut::new(&mut bar, 2));
        assert_eq!(refused.unwrap_err().to_string(), "a class: expected 0 to 1, found 2");
    }
}
