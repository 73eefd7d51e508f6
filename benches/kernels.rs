//! Speed of the kernels on this processor: `cargo bench --bench kernels`.

use flowmap::{Real, linalg};
use std::hint::black_box;
use std::time::Instant;

/// Seconds a call, the best of some rounds.
fn seconds(calls: usize, mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() / calls as f64
    };
    (0..10).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn products<T: Real>(rows: usize, inner: usize, lanes: usize) {
    let some = |len| vec![T::of(1e-3); len];
    let (w, b, x, mut out) = (some(rows * inner), some(rows), some(inner * lanes), some(rows * lanes));
    let (mut back, mut dw, mut db) = (some(inner * lanes), some(rows * inner), some(rows));
    let operations = (2 * rows * inner * lanes) as f64;
    let calls = (5e6 / operations) as usize + 1;
    let affine = seconds(calls, || linalg::affine(black_box(&w), &b, &x, &mut out, lanes));
    let transposed = seconds(calls, || linalg::transposed_add(black_box(&w), &out, &mut back, lanes));
    let outer = seconds(calls, || linalg::outer_add(black_box(&out), &x, &mut dw, &mut db, lanes));
    let [affine, transposed, outer] = [affine, transposed, outer].map(|s| operations / s * 1e-9);
    println!(
        "{} {rows:3} x {inner:3}, {lanes:2} lanes: affine {affine:5.1}, transposed {transposed:5.1}, outer {outer:5.1} GFLOP/s",
        T::NAME
    );
}

fn functions<T: Real>(len: usize) {
    let x: Vec<T> = (0..len).map(|i| T::of((i as f64 * 0.37).sin() * 4.0)).collect();
    let mut y = x.clone();
    print!("{} {len:4} numbers:", T::NAME);
    type Function<T> = (&'static str, fn(&mut [T]));
    let functions: [Function<T>; 4] =
        [("exp", linalg::exp), ("tanh", linalg::tanh), ("sigmoid", linalg::sigmoid), ("softplus", linalg::softplus)];
    for (name, function) in functions {
        let time = seconds(200_000 / len, || {
            y.copy_from_slice(&x);
            function(black_box(&mut y));
        });
        print!(" {name} {:.2}", time * 1e9 / len as f64);
    }
    println!(" ns each");
}

fn main() {
    for (rows, lanes) in [(2, 1), (32, 1), (32, 4), (32, 16), (64, 1), (64, 16), (256, 64)] {
        products::<f64>(rows, rows, lanes);
        products::<f32>(rows, rows, lanes);
    }
    for len in [3, 64, 1024] {
        functions::<f64>(len);
        functions::<f32>(len);
    }
}
