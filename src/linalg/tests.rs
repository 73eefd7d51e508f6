//! Kernels against naive ones, the same bits in every place, and the accuracy of the elementwise functions.

use super::dispatch::Kernel;
use super::elementwise::{Exp, Function, Ln, Map, Sigmoid, Softplus, Tanh};
use super::vector::{Kernels, Vector};
use super::*;
use crate::Real;
use proptest::prelude::*;

/// Numbers between −1 and 1, the same for the same seed.
fn numbers<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::of((state >> 32) as f64 / 2f64.powi(31) - 1.0)
        })
        .collect()
}

fn close<T: Real>(found: &[T], expected: &[f64], terms: usize) {
    let tolerance = T::default_epsilon().f64() * (terms + 2) as f64;
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        assert!((x.f64() - y).abs() <= tolerance, "{x:e} for {y:e} at {i}");
    }
}

/// `f64` represents every `f32`, and its bits differ where those of the number do.
fn bits<T: Real>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.f64().to_bits()).collect()
}

/// Lane `l` alone.
fn lane<T: Real>(block: &[T], lanes: usize, l: usize) -> Vec<T> {
    block.iter().skip(l).step_by(lanes).copied().collect()
}

fn products_are_right<T: Real>(rows: usize, inner: usize, lanes: usize, seed: u64) {
    let w: Vec<T> = numbers(rows * inner, seed);
    let b: Vec<T> = numbers(rows, seed + 1);
    let x: Vec<T> = numbers(inner * lanes, seed + 2);
    let y: Vec<T> = numbers(rows * lanes, seed + 3);

    for b in [&b[..], &[]] {
        let mut out: Vec<T> = numbers(rows * lanes, seed + 4);
        affine(&w, b, &x, &mut out, lanes);
        let mut expected = vec![0.0; rows * lanes];
        for (e, sum) in expected.iter_mut().enumerate() {
            let (i, l) = (e / lanes, e % lanes);
            *sum = b.get(i).map_or(0.0, |b| b.f64());
            (0..inner).for_each(|k| *sum += w[k * rows + i].f64() * x[k * lanes + l].f64());
        }
        close(&out, &expected, inner);
        for l in 0..lanes {
            let mut alone = vec![T::zero(); rows];
            affine(&w, b, &lane(&x, lanes, l), &mut alone, 1);
            assert_eq!(bits(&alone), bits(&lane(&out, lanes, l)), "affine, lane {l}");
        }
    }

    let before: Vec<T> = numbers(inner * lanes, seed + 5);
    let mut out = before.clone();
    transposed_add(&w, &y, &mut out, lanes);
    let mut expected: Vec<f64> = before.iter().map(|x| x.f64()).collect();
    for (e, sum) in expected.iter_mut().enumerate() {
        let (k, l) = (e / lanes, e % lanes);
        (0..rows).for_each(|i| *sum += w[k * rows + i].f64() * y[i * lanes + l].f64());
    }
    close(&out, &expected, rows);
    for l in 0..lanes {
        let mut alone = lane(&before, lanes, l);
        transposed_add(&w, &lane(&y, lanes, l), &mut alone, 1);
        assert_eq!(bits(&alone), bits(&lane(&out, lanes, l)), "transposed_add, lane {l}");
    }

    let (mut dw, mut db) = (w.clone(), b.clone());
    outer_add(&y, &x, &mut dw, &mut db, lanes);
    let mut expected: Vec<f64> = w.iter().map(|x| x.f64()).collect();
    for (e, sum) in expected.iter_mut().enumerate() {
        let (k, i) = (e / rows, e % rows);
        (0..lanes).for_each(|l| *sum += y[i * lanes + l].f64() * x[k * lanes + l].f64());
    }
    close(&dw, &expected, lanes);
    let mut expected: Vec<f64> = b.iter().map(|x| x.f64()).collect();
    (0..rows * lanes).for_each(|e| expected[e / lanes] += y[e].f64());
    close(&db, &expected, lanes);
    let (mut one_by_one, mut bias) = (w.clone(), b.clone());
    for l in 0..lanes {
        outer_add(&lane(&y, lanes, l), &lane(&x, lanes, l), &mut one_by_one, &mut bias, 1);
    }
    assert_eq!(bits(&dw), bits(&one_by_one), "outer_add lane by lane");
    assert_eq!(bits(&db), bits(&bias), "outer_add lane by lane, bias");
    let mut without_bias = w.clone();
    outer_add(&y, &x, &mut without_bias, &mut [], lanes);
    assert_eq!(bits(&dw), bits(&without_bias));
}

fn combinations_are_right<T: Real>(rows: usize, lanes: usize, stages: usize, seed: u64) {
    let len = rows * lanes;
    let base: Vec<T> = numbers(len, seed);
    let h: Vec<T> = numbers(lanes, seed + 1);
    let c: Vec<(usize, T)> = numbers(stages, seed + 2).into_iter().enumerate().collect();
    let k: Vec<T> = numbers(len * stages, seed + 3);
    let a = T::of(0.3);
    for base in [&base[..], &[]] {
        let mut out: Vec<T> = numbers(len, seed + 4);
        combine(base, &h, &c, &k, out.len(), &mut out);
        let expected: Vec<f64> = (0..len)
            .map(|i| {
                let sum: f64 = (0..stages).map(|j| c[j].1.f64() * k[j * len + i].f64()).sum();
                base.get(i).map_or(0.0, |b| b.f64()) + h[i % lanes].f64() * sum
            })
            .collect();
        close(&out, &expected, stages);
        for l in 0..lanes {
            let base = if base.is_empty() { vec![] } else { lane(base, lanes, l) };
            let mut alone = vec![T::zero(); rows];
            combine(&base, &h[l..=l], &c, &lane(&k, lanes, l), alone.len(), &mut alone);
            assert_eq!(bits(&alone), bits(&lane(&out, lanes, l)), "combine, lane {l}");
        }
    }
    let x = &k[..len.min(k.len())];
    if x.len() == len {
        let mut out = base.clone();
        scaled_add(a, &h, x, &mut out);
        let expected: Vec<f64> = (0..len).map(|i| base[i].f64() + a.f64() * h[i % lanes].f64() * x[i].f64()).collect();
        close(&out, &expected, 1);
        for l in 0..lanes {
            let mut alone = lane(&base, lanes, l);
            scaled_add(a, &h[l..=l], &lane(x, lanes, l), &mut alone);
            assert_eq!(bits(&alone), bits(&lane(&out, lanes, l)), "scaled_add, lane {l}");
        }
    }
}

fn point_products_are_right<T: Real>(rows: usize, points: usize, groups: usize, seed: u64) {
    let lanes = points * groups;
    let d: Vec<T> = numbers(rows * points, seed);
    let v: Vec<T> = numbers(rows * lanes, seed + 1);
    let mut out = v.clone();
    scale_points(&d, points, &mut out, lanes);
    let expected: Vec<T> = (0..rows * lanes).map(|i| d[i / lanes * points + i % lanes % points] * v[i]).collect();
    assert_eq!(bits(&out), bits(&expected));
}

fn functions_do_not_see_the_place<T: Real>(len: usize, seed: u64) {
    for function in [exp::<T>, tanh, sigmoid, softplus, ln] {
        let mut x: Vec<T> = numbers(len, seed);
        x.iter_mut().for_each(|x| *x *= T::of(12.0));
        let alone: Vec<T> = x
            .iter()
            .map(|&x| {
                let mut one = [x];
                function(&mut one);
                one[0]
            })
            .collect();
        function(&mut x);
        assert_eq!(bits(&x), bits(&alone));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn products_match_the_reference_and_a_lane_has_the_same_bits_alone(
        rows in 1usize..40, inner in 1usize..40, lanes in 1usize..36, seed in any::<u32>(),
    ) {
        products_are_right::<f64>(rows, inner, lanes, seed.into());
        products_are_right::<f32>(rows, inner, lanes, seed.into());
    }

    #[test]
    fn combinations_match_the_reference_and_a_lane_has_the_same_bits_alone(
        rows in 1usize..40, lanes in 1usize..70, stages in 0usize..8, seed in any::<u32>(),
    ) {
        combinations_are_right::<f64>(rows, lanes, stages, seed.into());
        combinations_are_right::<f32>(rows, lanes, stages, seed.into());
    }

    #[test]
    fn point_products_are_exact(rows in 1usize..9, points in 1usize..20, groups in 1usize..9, seed in any::<u32>()) {
        point_products_are_right::<f64>(rows, points, groups, seed.into());
        point_products_are_right::<f32>(rows, points, groups, seed.into());
    }

    #[test]
    fn functions_have_the_same_bits_in_every_place(len in 1usize..70, seed in any::<u32>()) {
        functions_do_not_see_the_place::<f64>(len, seed.into());
        functions_do_not_see_the_place::<f32>(len, seed.into());
    }
}

#[test]
fn large_products_are_right() {
    products_are_right::<f64>(130, 300, 19, 1);
    products_are_right::<f32>(70, 257, 33, 2);
    products_are_right::<f64>(300, 5, 1, 3);
    // Wide enough to be packed, with panels of every height; deep enough to be packed in parts.
    products_are_right::<f64>(79, 261, 161, 4);
    products_are_right::<f32>(67, 135, 173, 5);
    products_are_right::<f64>(31, 530, 166, 6);
}

#[test]
fn zeros_left_out_of_a_product_and_scales_taken_in_change_no_bits_of_chains_from_zero() {
    for (rows, inner, lanes) in [(79, 600, 200), (30, 40, 5), (200, 7, 163), (9, 8, 1)] {
        let w: Vec<f64> = numbers(rows * inner, 1);
        let mut x: Vec<f64> = numbers(inner * lanes, 2);
        let d: Vec<f64> = numbers(rows, 3);
        // A lower trapezoid whose rows are mixed.
        for k in 0..inner {
            let known = (k * 7 + 3) % inner * lanes / inner;
            x[k * lanes + known..(k + 1) * lanes].fill(if k % 2 == 0 { 0.0 } else { -0.0 });
        }
        for add in [false, true] {
            let before = numbers(rows * lanes, 4);
            let (mut plain, mut scaled) = (before.clone(), before.clone());
            if add {
                affine_add(&w, &x, &mut plain, lanes)
            } else {
                affine(&w, &[], &x, &mut plain, lanes)
            }
            for l in 0..lanes {
                let mut alone = lane(&before, lanes, l);
                let x = lane(&x, lanes, l);
                if add {
                    affine_add(&w, &x, &mut alone, 1)
                } else {
                    affine(&w, &[], &x, &mut alone, 1)
                }
                assert_eq!(bits(&alone), bits(&lane(&plain, lanes, l)), "lane {l} of {rows} x {inner} x {lanes}");
            }
            affine_scaled(&w, &x, &d, &mut scaled, lanes, add);
            scale_points(&d, 1, &mut plain, lanes);
            assert_eq!(bits(&scaled), bits(&plain), "{rows} x {inner} x {lanes}");
        }
    }
}

#[test]
fn blocks_of_several_steps_add_as_their_steps_do() {
    let (rows, inner, lanes) = (9, 5, [7, 7, 3, 1]);
    let cells: usize = lanes.iter().sum();
    let (y, x): (Vec<f64>, Vec<f64>) = (numbers((rows + 2) * cells, 1), numbers((inner + 3) * cells, 2));
    let (y, x) =
        (Blocks::new(&y, rows + 2, &lanes).slice(1..1 + rows), Blocks::new(&x, inner + 3, &lanes).slice(3..3 + inner));
    let mut found: [Vec<f64>; 2] = [numbers(rows * inner, 3), numbers(rows, 4)];
    let mut expected = found.clone();
    let [dw, db] = &mut found;
    outer_add_blocks(y.clone(), x.clone(), dw, db);
    for (y, x) in y.iter().zip(x.iter()) {
        let [dw, db] = &mut expected;
        outer_add(y.data, x.data, dw, db, y.lanes);
    }
    assert_eq!(found.map(|x| bits(&x)), expected.map(|x| bits(&x)));
}

#[test]
fn products_without_inner_dimension_are_the_bias() {
    let mut out = [5.0f64; 6];
    affine(&[], &[1.0, 2.0], &[], &mut out, 3);
    assert_eq!(out, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    affine(&[], &[], &[], &mut out, 3);
    assert_eq!(out, [0.0; 6]);
}

/// The portable vectors, whatever this processor has.
fn portable<T: Kernels, F: Function>(x: &mut [T], function: F) {
    Map(x, function).run::<T::Portable>();
}

/// A function in this processor's instructions and in portable ones.
type Pair<T> = [fn(&mut [T]); 2];

fn pair<T: Real>(name: &str) -> Pair<T> {
    match name {
        "exp" => [exp::<T>, |x| portable(x, Exp)],
        "tanh" => [tanh::<T>, |x| portable(x, Tanh)],
        "sigmoid" => [sigmoid::<T>, |x| portable(x, Sigmoid)],
        "softplus" => [softplus::<T>, |x| portable(x, Softplus)],
        "ln" => [ln::<T>, |x| portable(x, Ln)],
        _ => unreachable!(),
    }
}

fn ulps(name: &str) -> f64 {
    match name {
        "exp" | "ln" => 1.01,
        "softplus" => 3.0,
        _ => 2.0,
    }
}

/// The table holds `function x y_high y_low`, where the sum of the last two is the value in 400 bits, rounded to two
/// doubles. It was computed with mpmath: a third of the arguments over the whole range, a third in ±2.5, a third with
/// uniform exponents from −30 to 4. For the logarithm: uniform exponents, 1/2 to 2, close to 1, denormals.
#[test]
fn double_functions_are_within_their_ulps() {
    for line in include_str!("tests/doubles.txt").lines() {
        let mut fields = line.split(' ');
        let name = fields.next().unwrap();
        let [x, high, low] = std::array::from_fn(|_| fields.next().unwrap().parse::<f64>().unwrap());
        let unit = high.next_up() - high;
        for (function, slack) in pair::<f64>(name).into_iter().zip([1.0, 1.5]) {
            let mut found = [x];
            function(&mut found);
            let error = ((found[0] - high) - low).abs() / unit;
            assert!(error <= slack * ulps(name), "{name}({x}) = {} instead of {high}: {error} ulp", found[0]);
        }
    }
}

#[test]
fn float_functions_are_within_their_ulps() {
    type Reference = (&'static str, fn(f64) -> f64);
    let references: [Reference; 5] = [
        ("exp", f64::exp),
        ("tanh", f64::tanh),
        ("sigmoid", |x| 1.0 / (1.0 + (-x).exp())),
        ("softplus", |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        ("ln", |x| x.abs().ln()),
    ];
    for (name, reference) in references {
        for i in 0..60_000u32 {
            let x = match i % 3 {
                0 => (f64::from(i) / 30_000.0 - 1.0) * 103.0,
                1 => (f64::from(i) / 30_000.0 - 1.0) * 3.0,
                _ => (f64::from(i) * 2e-3).exp2() * 1e-30 * if i % 2 == 0 { 1.0 } else { -1.0 },
            } as f32;
            let x = if name == "ln" { x.abs() } else { x };
            let expected = reference(f64::from(x));
            let nearest = expected as f32;
            for (function, slack) in pair::<f32>(name).into_iter().zip([1.0, 1.5]) {
                let mut found = [x];
                function(&mut found);
                if nearest.is_infinite() {
                    assert_eq!(found[0], nearest, "{name}({x})");
                    continue;
                }
                let unit = f64::from(nearest.next_up()) - f64::from(nearest);
                let error = (f64::from(found[0]) - expected).abs() / unit;
                assert!(error <= slack * 1.05 * ulps(name), "{name}({x}) = {} for {expected}: {error} ulp", found[0]);
            }
        }
    }
}

fn special_values_are_right<T: Real>(denormal: T, huge: T) {
    let inf = T::one() / T::zero();
    let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
    let cases: [(&str, &[(T, T)]); 5] = [
        ("exp", &[(zero, one), (-zero, one), (inf, inf), (-inf, zero), (huge, inf), (-huge, zero), (denormal, one)]),
        (
            "tanh",
            &[(zero, zero), (-zero, -zero), (inf, one), (-inf, -one), (huge, one), (-huge, -one), (denormal, denormal)],
        ),
        (
            "sigmoid",
            &[(zero, half), (-zero, half), (inf, one), (-inf, zero), (huge, one), (-huge, zero), (denormal, half)],
        ),
        ("softplus", &[(inf, inf), (-inf, zero), (huge, huge), (-huge, zero)]),
        ("ln", &[(zero, -inf), (-zero, -inf), (inf, inf), (one, zero)]),
    ];
    for (name, cases) in cases {
        for function in pair::<T>(name) {
            for &(x, expected) in cases {
                let mut found = [x];
                function(&mut found);
                assert_eq!(bits(&found), bits(&[expected]), "{name}({x:e}) = {:e}", found[0]);
            }
            let mut found = [zero / T::zero()];
            function(&mut found);
            assert!(found[0].f64().is_nan(), "{name}(NaN)");
            if name == "ln" {
                let mut below = [-denormal, -one, -inf];
                function(&mut below);
                assert!(below.iter().all(|x| x.f64().is_nan()), "{below:?}");
            }
        }
    }
}

#[test]
fn special_values_of_functions_are_right() {
    special_values_are_right::<f64>(5e-324, 1e300);
    special_values_are_right::<f32>(1e-45, 1e30);
}

#[test]
fn gradual_underflow_is_kept() {
    let mut x = [-745.1f64];
    exp(&mut x);
    assert_eq!(x[0], 5e-324);
    let mut x = [-103.2f32];
    sigmoid(&mut x);
    assert_eq!(x[0], 1e-45);
}

/// Products with portable vectors; each element is within rounding of the other's.
#[test]
fn portable_products_agree() {
    portable_products_of(13, 9, 7);
    portable_products_of(71, 140, 173);
}

fn portable_products_of(rows: usize, inner: usize, lanes: usize) {
    let w: Vec<f64> = numbers(rows * inner, 1);
    let b: Vec<f64> = numbers(rows, 2);
    let x: Vec<f64> = numbers(inner * lanes, 3);
    let (mut out, mut expected) = (vec![0.0; rows * lanes], vec![0.0; rows * lanes]);
    affine(&w, &b, &x, &mut expected, lanes);
    run_portable(gemm::Affine { w: &w, b: &b, x: &x, out: &mut out, lanes, add: false, scale: &[] });
    close(&out, &expected, 4 * inner);
    let (mut back, mut expected) = (x.clone(), x.clone());
    transposed_add(&w, &out, &mut expected, lanes);
    run_portable(gemm::TransposedAdd { w: &w, y: &out, out: &mut back, lanes });
    close(&back, &expected, 4 * rows);
    let (mut dw, mut expected) = (w.clone(), w.clone());
    outer_add(&out, &x, &mut expected, &mut [], lanes);
    run_portable(gemm::OuterAdd { y: &out, x: &x, dw: &mut dw, db: &mut [], lanes });
    close(&dw, &expected, 4 * lanes);
}

fn run_portable<T: Kernels>(kernel: impl Kernel<T>) {
    fn with<T, V: Vector<T>>(kernel: impl Kernel<T>) {
        kernel.run::<V>();
    }
    with::<T, T::Portable>(kernel);
}
