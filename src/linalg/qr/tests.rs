use super::*;
use crate::linalg::BlockMut;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Frames side by side, column `j` of each scaled by `exp(−spread · j / columns)` along with a common direction.
fn frames(dim: usize, columns: usize, count: usize, spread: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let modes: Vec<f64> = (0..columns * columns * count).map(|_| normal()).collect();
    let basis: Vec<f64> = (0..dim * columns * count).map(|_| normal()).collect();
    let mut out = vec![0.0; dim * columns * count];
    for f in 0..count {
        for i in 0..dim {
            for j in 0..columns {
                out[(i * columns + j) * count + f] = (0..columns)
                    .map(|l| {
                        let weight = (-spread * l as f64 / columns as f64).exp();
                        basis[(f * dim + i) * columns + l] * weight * modes[(f * columns + l) * columns + j]
                    })
                    .sum();
            }
        }
    }
    out
}

/// `Q R − A` relative to each column's length, `QᵀQ − I`, and whether the diagonal is positive.
fn defects(before: &[f64], after: &[f64], qr: &Qr<f64>) -> (f64, f64) {
    let (dim, columns, count) = (qr.dim, qr.columns, qr.frames);
    let (mut product, mut gram): (f64, f64) = (0.0, 0.0);
    for f in 0..count {
        let at = |x: &[f64], i: usize, j: usize| x[(i * columns + j) * count + f];
        for j in 0..columns {
            let length = qr.lengths()[j * count + f];
            for i in 0..dim {
                let value: f64 = (0..=j).map(|l| at(after, i, l) * qr.r(f, l, j)).sum();
                product = product.max((value - at(before, i, j)).abs() / length);
            }
            for l in 0..=j {
                let dot: f64 = (0..dim).map(|i| at(after, i, l) * at(after, i, j)).sum();
                gram = gram.max((dot - f64::from(l == j)).abs());
            }
            assert!(qr.r(f, j, j) >= 0.0 && qr.r(f, j, j) == qr.diagonal()[j * count + f]);
        }
    }
    (product, gram)
}

fn check(dim: usize, columns: usize, count: usize, spread: f64, seed: u64) {
    let before = frames(dim, columns, count, spread, seed);
    let (mut after, mut qr) = (before.clone(), Qr::new(dim, columns, count, seed));
    qr.factor(&mut after);
    let (product, gram) = defects(&before, &after, &qr);
    let room = 1e-14 * (dim as f64).sqrt().max(4.0);
    assert!(product < room && gram < room, "{dim}x{columns}, spread {spread}: {product:e} {gram:e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn frames_become_orthonormal_and_the_product_is_the_frame(
        dim in 1usize..80, share in 0.0f64..1.0, count in 1usize..12, spread in 0.0f64..32.0, seed in 0u64..1000,
    ) {
        check(dim, 1 + (share * (dim - 1) as f64) as usize, count, spread, seed);
    }
}

#[test]
fn every_method_keeps_columns_that_span_the_whole_precision_orthonormal() {
    for (dim, columns) in [(3, 3), (16, 9), (17, 17), (70, 33), (200, 200), (230, 195), (260, 20)] {
        for spread in [0.0, 20.0, 34.0] {
            check(dim, columns, 1, spread, 7);
        }
    }
}

#[test]
fn a_frame_has_the_same_bits_alone_and_in_company() {
    for (dim, columns) in [(1, 1), (3, 3), (5, 2), (16, 16), (20, 6)] {
        let together = frames(dim, columns, 11, 5.0, 3);
        let mut whole = together.clone();
        Qr::new(dim, columns, 11, 0).factor(&mut whole);
        for f in 0..11 {
            let pick = |x: &[f64]| x.iter().skip(f).step_by(11).copied().collect::<Vec<f64>>();
            let mut alone = pick(&together);
            Qr::new(dim, columns, 1, 0).factor(&mut alone);
            assert_eq!(alone, pick(&whole), "{dim}x{columns}");
        }
    }
}

#[test]
fn columns_that_vanish_are_replaced_by_random_orthonormal_ones() {
    for (dim, columns) in [(4, 4), (24, 20), (200, 200)] {
        let mut frame = frames(dim, columns, 1, 0.0, 5);
        let copied: Vec<f64> = frame.chunks_exact(columns).map(|row| row[0]).collect();
        for (row, &x) in frame.chunks_exact_mut(columns).zip(&copied) {
            row[1] = 0.0;
            row[2] = -2.0 * x;
        }
        let mut qr = Qr::new(dim, columns, 1, 9);
        qr.factor(&mut frame);
        assert_eq!(qr.diagonal()[1], 0.0);
        assert!(qr.diagonal()[2] <= 1e-14 * qr.lengths()[2], "{:e}", qr.diagonal()[2]);
        assert!(qr.history()[0] >= 1);
        let mut block = frame.clone();
        let block = BlockMut::new(&mut block, columns);
        for a in 0..columns {
            for b in 0..=a {
                let dot: f64 = block.data.chunks_exact(columns).map(|row| row[a] * row[b]).sum();
                assert!((dot - f64::from(a == b)).abs() < 1e-13, "{a} {b} {dot:e}");
            }
        }
    }
}

#[test]
fn single_precision_keeps_its_own_rounding() {
    let wide = frames(30, 30, 1, 8.0, 2);
    let mut frame: Vec<f32> = wide.iter().map(|&x| x as f32).collect();
    Qr::new(30, 30, 1, 0).factor(&mut frame);
    for a in 0..30 {
        for b in 0..=a {
            let dot: f32 = frame.chunks_exact(30).map(|row| row[a] * row[b]).sum();
            assert!((dot - f32::from(u8::from(a == b))).abs() < 1e-5);
        }
    }
}
