//! Columns that all but vanished.

use crate::Real;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Makes the columns from `first` on orthonormal to all before them, one by one, those `vanished` from random vectors.
/// The frame's `(dim, columns, frames, number)`; `(seed, frame, count)` names the random stream, `count` rises with each
/// replacement.
pub(super) fn repair<T: Real>(
    frame: &mut [T],
    (dim, columns, frames, f): (usize, usize, usize, usize),
    first: usize,
    vanished: &[bool],
    (seed, number, count): (u64, u64, &mut u64),
) {
    let at = |i: usize, j: usize| (i * columns + j) * frames + f;
    for j in first..columns {
        let mut random = vanished[j - first];
        // A random vector that lies almost along the others is as good as impossible.
        for _ in 0..8 {
            if random {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(number << 40 | *count);
                *count += 1;
                for i in 0..dim {
                    let x: f64 = StandardNormal.sample(&mut rng);
                    frame[at(i, j)] = T::of(x);
                }
            }
            let mut kept = T::one();
            for _ in 0..3 {
                for l in 0..j {
                    let along = (0..dim).fold(T::zero(), |sum, i| sum + frame[at(i, l)] * frame[at(i, j)]);
                    (0..dim).for_each(|i| {
                        let less = along * frame[at(i, l)];
                        frame[at(i, j)] -= less;
                    });
                }
                kept = (0..dim).fold(T::zero(), |sum, i| sum + frame[at(i, j)] * frame[at(i, j)]).sqrt();
                let inverse = T::one() / kept;
                if inverse.is_finite() {
                    (0..dim).for_each(|i| frame[at(i, j)] *= inverse);
                }
            }
            // The last pass of an orthonormal column takes nothing away.
            if (kept - T::one()).abs() < T::of(1e-3) {
                break;
            }
            random = true;
        }
    }
}
