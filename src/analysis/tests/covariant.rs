//! Covariant vectors that are known, and what must hold of all.

use super::kit::*;
use crate::analysis::{Covariant, CovariantOptions, Spread, Stepped};
use crate::dynamics::Tangent;
use crate::dynamics::systems::Instance;
use crate::linalg::{Block, BlockMut};
use crate::solve::{RK4, StepMap};
use nalgebra::{DMatrix, DVector, Matrix3, Vector3};

/// What the Jacobian of a step at a state makes of columns.
fn pushed(system: &Stepped<f64>, state: &[f64], time: f64, v: &DMatrix<f64>) -> DMatrix<f64> {
    let (map, dim, lanes) = (system.map, v.nrows(), v.ncols());
    let mut arguments = state.to_vec();
    arguments.resize(map.in_dim(), time);
    let mut slab = vec![0.0; map.slab_len()];
    let mut scratch = vec![0.0; map.scratch_len() * lanes];
    let mut next = vec![0.0; dim];
    let (u, out) = (Block::new(&arguments, 1), BlockMut::new(&mut next, 1));
    map.linearize(system.params, u, out, BlockMut::new(&mut slab, 1), &mut scratch);
    let mut along = v.transpose().as_slice().to_vec();
    along.resize(map.in_dim() * lanes, 0.0);
    let mut moved = vec![0.0; dim * lanes];
    let tangent = Tangent::from(Block::new(&along, lanes));
    map.jvp(system.params, Block::new(&slab, 1), tangent, BlockMut::new(&mut moved, lanes), &mut scratch);
    DMatrix::from_row_slice(dim, lanes, &moved)
}

/// The sine of the angle between two lines.
fn sine(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    let (a, b) = (a.normalize(), b.normalize());
    (&b - &a * a.dot(&b)).norm()
}

/// The largest sine between vectors carried over a step and those that are there.
fn defect(system: &Stepped<f64>, start: &[f64], options: CovariantOptions) -> f64 {
    let (mut worst, mut later): (f64, Option<DMatrix<f64>>) = (0.0, None);
    Covariant::new(system, start, options)
        .unwrap()
        .visit(|moment| {
            let vectors = moment.vectors();
            let moved = pushed(system, moment.state, moment.time, &vectors);
            for j in 0..vectors.ncols() {
                assert!((vectors.column(j).norm() - 1.0).abs() < 1e-12);
                let grown = moved.column(j).norm().ln();
                assert!((grown - moment.growth[j]).abs() < 1e-9, "{grown} {}", moment.growth[j]);
                if let Some(later) = &later {
                    worst = worst.max(sine(&moved.column(j).into(), &later.column(j).into()));
                }
            }
            later = Some(vectors);
            Ok(())
        })
        .unwrap();
    worst
}

fn rk4(instance: &Instance, step: f64) -> StepMap<'_, f64> {
    StepMap::new(instance.field().unwrap(), &RK4, step).unwrap()
}

#[test]
fn vectors_carried_by_the_jacobian_stay_parallel() {
    for name in ["henon", "ikeda", "standard"] {
        let map = named(name, &[]);
        let found = defect(
            &Stepped::map(&*map.component, &map.params),
            &map.start,
            CovariantOptions { warmup: 100, after: 200, ..CovariantOptions::new(2000) },
        );
        assert!(found < 1e-10, "{name}: {found:e}");
    }
    for (name, set, step) in [("lorenz63", &[][..], 0.01), ("lorenz96", &["n=10"][..], 0.02)] {
        let flow = named(name, set);
        let map = rk4(&flow, step);
        let options = CovariantOptions { warmup: 2000, after: 2000, ..CovariantOptions::new(1000) };
        let found = defect(&Stepped::timed(&map, &flow.params, step), &flow.start, options);
        assert!(found < 1e-10, "{name}: {found:e}");
    }
}

#[test]
fn the_neutral_vector_of_lorenz_is_the_direction_of_the_flow() {
    let lorenz = named("lorenz63", &[]);
    let step = 0.005;
    let map = rk4(&lorenz, step);
    let system = Stepped::timed(&map, &lorenz.params, step);
    let options = CovariantOptions { warmup: 10_000, after: 10_000, ..CovariantOptions::new(4000) };
    let mut worst: f64 = 0.0;
    Covariant::new(&system, &lorenz.start, options)
        .unwrap()
        .visit(|moment| {
            let mut flow = vec![0.0; 3];
            let mut arguments = moment.state.to_vec();
            arguments.resize(lorenz.component.in_dim(), 0.0);
            let mut scratch = vec![0.0; lorenz.component.scratch_len()];
            let out = BlockMut::new(&mut flow, 1);
            lorenz.component.eval(&lorenz.params, Block::new(&arguments, 1), out, &mut scratch);
            worst = worst.max(sine(&moment.vectors().column(1).into(), &DVector::from_vec(flow)));
            Ok(())
        })
        .unwrap();
    assert!(worst < 1e-5, "{worst:e}");
}

#[test]
fn reflecting_cycles_have_the_eigenvectors_of_their_product() {
    // Each matrix turns space over, so unsigned factors flip columns at every step, and the triangles of the three phases
    // differ: a solve by the triangle of the span before gives other vectors.
    let phases = [
        Matrix3::new(-2.0, 0.3, 0.1, 0.2, 1.0, -0.4, 0.1, 0.2, 0.4),
        Matrix3::new(1.5, -0.2, 0.3, 0.3, -0.9, 0.1, 0.2, -0.1, 0.3),
        Matrix3::new(1.2, 0.3, -0.2, 0.1, -1.1, 0.2, 0.3, 0.2, 0.5),
    ];
    assert!(phases.iter().all(|m| m.determinant() < 0.0));
    let map = Linear {
        dim: 3,
        matrix: move |step, out: &mut [f64]| {
            out.copy_from_slice(phases[(step % 3) as usize].as_slice());
        },
    };
    let system = Stepped::map(&map, &[]);
    let options = CovariantOptions { warmup: 300, after: 300, ..CovariantOptions::new(30) };
    let mut worst: f64 = 0.0;
    Covariant::new(&system, &[0.0; 3], options)
        .unwrap()
        .visit(|moment| {
            let at = moment.time as usize;
            let product = phases[(at + 2) % 3] * phases[(at + 1) % 3] * phases[at % 3];
            let vectors = moment.vectors();
            for j in 0..3 {
                let v = Vector3::from_iterator(vectors.column(j).iter().copied());
                let w = product * v;
                worst = worst.max((w - v * v.dot(&w)).norm() / w.norm());
            }
            Ok(())
        })
        .unwrap();
    assert!(worst < 1e-10, "{worst:e}");
}

#[test]
fn growth_averages_to_the_exponents_and_stretches_do_not_show() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let of = |spans: u64, every: u64| {
        let options =
            CovariantOptions { warmup: 1200 / every, after: 600 / every, every, ..CovariantOptions::new(spans) };
        Covariant::new(&system, &henon.start, options).unwrap().measure(&[1]).unwrap()
    };
    let (single, triple) = (of(6000, 1), of(2000, 3));
    assert_eq!(single.exponents().len(), 2);
    // A step multiplies the area between the vectors, the sine of their angle, by the determinant.
    let (first, second) = (single.finite_time(0, 1).unwrap(), single.finite_time(1, 1).unwrap());
    let sines: Vec<f64> = single.angles[0].iter().map(|angle| angle.sin().ln()).collect();
    let steps = 5000;
    let grown: f64 = first[..steps].iter().chain(&second[..steps]).sum();
    assert!((grown - steps as f64 * 0.3f64.ln() - sines[0] + sines[steps]).abs() < 1e-7, "{grown}");
    assert!((single.exponents()[0] - 0.419).abs() < 0.02);
    // The same vectors whatever the span, up to rounding that chaos does not amplify: the state's way is the same.
    assert!(apart(&single.exponents(), &triple.exponents()) < 1e-10);
    for (n, angle) in triple.angles[0].iter().enumerate() {
        assert!((angle - single.angles[0][3 * n]).abs() < 1e-9);
    }
    let local = single.finite_time(0, 1).unwrap();
    let windows = single.finite_time(0, 100).unwrap();
    let (local, windows) = (Spread::of(&local).unwrap(), Spread::of(&windows).unwrap());
    assert!((local.mean - windows.mean).abs() < 1e-12 && windows.deviation < 0.3 * local.deviation);
    assert!(local.quantiles.is_sorted());
}

#[test]
fn angles_are_those_of_the_vectors() {
    let flow = named("lorenz96", &["n=6"]);
    let map = rk4(&flow, 0.02);
    let system = Stepped::timed(&map, &flow.params, 0.02);
    let options = CovariantOptions { warmup: 500, after: 500, ..CovariantOptions::new(50) };
    Covariant::new(&system, &flow.start, options)
        .unwrap()
        .visit(|moment| {
            let v = moment.vectors();
            for (i, j) in [(0, 1), (2, 5)] {
                let known = v.column(i).dot(&v.column(j)).abs().acos();
                assert!((moment.angle(i, j) - known).abs() < 1e-7);
                assert!((moment.angle_between(i..i + 1, j..j + 1)? - moment.angle(i, j)).abs() < 1e-10);
            }
            let least = moment.angle_between(0..2, 2..6)?;
            assert!(least <= moment.angle(0, 3).min(moment.angle(1, 5)) + 1e-12);
            assert!(moment.angle_between(0..2, 6..6).is_err() && moment.angle_between(0..7, 1..2).is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let (henon, logistic) = (named("henon", &[]), named("logistic", &["r=2"]));
    let system = Stepped::map(&*henon.component, &henon.params);
    let new = |options| Covariant::new(&system, &henon.start, options);
    assert!(new(CovariantOptions { vectors: Some(0), ..CovariantOptions::new(5) }).is_err());
    assert!(new(CovariantOptions { vectors: Some(3), ..CovariantOptions::new(5) }).is_err());
    assert!(new(CovariantOptions { every: 0, ..CovariantOptions::new(5) }).is_err());
    assert!(new(CovariantOptions::new(u64::MAX)).is_err() && new(CovariantOptions::new(0)).is_err());
    assert!(new(CovariantOptions::new(5)).unwrap().measure(&[2]).is_err());
    assert!(Spread::of(&[]).is_err() && Spread::of(&[f64::NAN]).is_err());
    // At its fixed point 1/2 the derivative is 0.
    let dead = Stepped::map(&*logistic.component, &logistic.params);
    assert!(Covariant::new(&dead, &[0.5], CovariantOptions::new(5)).unwrap().measure(&[]).is_err());
    let escapes = Covariant::new(&system, &[50.0, 50.0], CovariantOptions::new(5)).unwrap().measure(&[]);
    assert!(escapes.is_err());
}
