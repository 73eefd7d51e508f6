//! Steps of Lyapunov spectra: random recurrent nets, beside the bare product and factorisation that no method can do
//! without, and Lorenz 63. One thread, `f64`.
//!
//!     cargo bench --bench spectrum            a table
//!     cargo bench --bench spectrum -- --json  lines for benches/peers/run

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_on_the_left_in_place_scratch, apply_block_householder_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Accum, Conj, Mat, Par};
use flowmap::analysis::{Drive, Frame, Stepped, Walk, near};
use flowmap::cells::{Cell, Kind};
use flowmap::dynamics::Component;
use flowmap::dynamics::systems::{Settings, system};
use flowmap::linalg::{Qr, affine};
use flowmap::nn::Activation;
use flowmap::solve::{RK4, StepMap};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::time::Instant;

/// Rounds at least, of which the best counts, and seconds that they take at least: the machine is shared.
const ROUNDS: usize = 5;
const SECONDS: f64 = 0.5;

struct Case {
    kind: Kind,
    units: usize,
    exponents: usize,
    every: u64,
    steps: u64,
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let tell = |task: &str, peer: &str, seconds: f64| {
        if json {
            println!(
                "{{\"task\": \"{task}\", \"peer\": \"{peer}\", \"precision\": \"f64\", \"seconds\": {seconds:e}}}"
            );
        } else {
            println!("{task:32} {peer:8} {:12.2} us", 1e6 * seconds);
        }
    };
    let rnn = Kind::Rnn(Activation::Tanh);
    let case = |kind, units, exponents, every, steps| Case { kind, units, exponents, every, steps };
    for case in [
        case(rnn, 128, 128, 1, 80),
        case(rnn, 128, 128, 10, 80),
        case(rnn, 512, 512, 1, 80),
        case(rnn, 512, 512, 10, 80),
        case(rnn, 1024, 1024, 1, 80),
        case(rnn, 1024, 1024, 10, 80),
        case(rnn, 512, 32, 1, 80),
        case(Kind::Lstm, 64, 128, 1, 80),
        case(Kind::Lstm, 256, 512, 1, 80),
    ] {
        let name = if case.kind == rnn { "rnn" } else { "lstm" };
        let task = format!("spectrum-{name}-{}-{}-{}", case.units, case.exponents, case.every);
        let (ours, floor) = measure(&case);
        tell(&task, "flowmap", ours);
        tell(&task, "floor", floor);
    }
    tell("spectrum-lorenz63", "flowmap", lorenz());
    tell("spectrum-lorenz63", "goal", 0.5e-6);
}

fn normal(count: usize, deviation: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| -> f64 { deviation * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut rng) })
        .collect()
}

/// Seconds a step, and seconds of its product and its share of a factorisation alone.
fn measure(case: &Case) -> (f64, f64) {
    let cell = Cell { kind: case.kind, hidden: case.units, inputs: 0 };
    let gain = if case.kind == Kind::Lstm { 1.5 } else { 2.0 };
    let params = normal(Component::<f64>::param_count(&cell), gain / (case.units as f64).sqrt(), 1);
    let system = Stepped::map(&cell, &params).driven(Drive::Constant(&[]));
    let (dim, m) = (cell.state(), case.exponents);
    let start = normal(dim, 0.5, 2);
    let mut walk = Walk::new(&system, &[start], 0, m, Frame::Random, 0).expect("a start");
    // A bin of a spectrum: frames are made orthonormal at its end only.
    let mut stretch = || {
        for _ in 1..case.steps / case.every {
            walk.advance(case.every);
            walk.eliminate();
        }
        walk.advance(case.every);
        walk.orthonormalize();
    };
    stretch();
    let rows = cell.gate_rows();
    let (weights, frame) = (normal(rows * case.units, 0.1, 3), normal(case.units * m, 1.0, 4));
    let mut out = vec![0.0; rows * m];
    let mut own = || affine(&weights, &[], &frame, &mut out, m);
    let (a, b) = (Mat::<f64>::full(rows, case.units, 0.1), Mat::<f64>::full(case.units, m, 0.2));
    let mut c = Mat::<f64>::zeros(rows, m);
    let mut foreign = || {
        faer::linalg::matmul::matmul(c.as_mut(), Accum::Replace, a.as_ref(), b.as_ref(), 1.0, Par::Seq);
    };
    let tangents = normal(dim * m, 1.0, 5);
    let mut ours = (Qr::new(dim, m, 1, 0), tangents.clone());
    let mut factor = || {
        ours.1.copy_from_slice(&tangents);
        ours.0.factor(&mut ours.1);
    };
    let mut reflect = reflections(dim, m, &tangents);
    // In turn, so that whatever else runs slows all of them alike.
    let (mut step, mut product, mut qr) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    let begun = Instant::now();
    let mut round = 0;
    while round < ROUNDS || begun.elapsed().as_secs_f64() < SECONDS {
        round += 1;
        step = step.min(timed(&mut stretch) / case.steps as f64);
        product = product.min(timed(&mut own)).min(timed(&mut foreign));
        qr = qr.min(timed(&mut factor)).min(timed(&mut reflect));
    }
    (step, product + qr / case.every as f64)
}

fn timed(work: &mut impl FnMut()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

/// Householder reflections in blocks with the orthonormal factor, column by column in place.
fn reflections(dim: usize, m: usize, tangents: &[f64]) -> impl FnMut() + use<> {
    let block = recommended_block_size::<f64>(dim, m);
    let frame = Mat::from_fn(dim, m, |i, j| tangents[i * m + j]);
    let (mut work, mut q, mut coefficients) = (frame.clone(), frame.clone(), Mat::<f64>::zeros(block, m));
    let factor = qr_in_place_scratch::<f64>(dim, m, block, Par::Seq, Default::default());
    let apply = apply_block_householder_on_the_left_in_place_scratch::<f64>(dim, block, m);
    let mut memory = MemBuffer::new(factor.or(apply));
    move || {
        work.copy_from(&frame);
        let stack = MemStack::new(&mut memory);
        qr_in_place(work.as_mut(), coefficients.as_mut(), Par::Seq, stack, Default::default());
        q.fill(0.0);
        (0..m).for_each(|j| q[(j, j)] = 1.0);
        for first in (0..m).step_by(block).rev() {
            let last = m.min(first + block);
            apply_block_householder_on_the_left_in_place_with_conj(
                work.as_ref().get(first.., first..last),
                coefficients.as_ref().get(..last - first, first..last),
                Conj::No,
                q.as_mut().get_mut(first.., first..),
                Par::Seq,
                stack,
            );
        }
    }
}

/// Seconds a step of rk4 with its three tangents, eight starts together, factored as often as it needs.
fn lorenz() -> f64 {
    let lorenz = system("lorenz63").and_then(|s| s.build(&Settings::default())).expect("it exists");
    let map = StepMap::new(lorenz.field().expect("a flow"), &RK4, 0.005).expect("an explicit method");
    let system = Stepped::timed(&map, &lorenz.params, 0.005);
    let mut walk = Walk::new(&system, &near(&lorenz.start, 8, 1), 0, 3, Frame::Random, 0).expect("starts");
    let steps = 200_000;
    let mut stretch = || {
        for _ in 0..steps / 200 {
            walk.advance(200);
            walk.orthonormalize();
        }
    };
    let seconds = (0..ROUNDS).map(|_| timed(&mut stretch)).fold(f64::INFINITY, f64::min);
    seconds / (8.0 * steps as f64)
}
