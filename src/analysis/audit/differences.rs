//! The Jacobian against finite differences.

use super::Check;
use crate::analysis::Stepped;
use crate::analysis::states::States;
use crate::dynamics::Tangent;
use crate::linalg::{Block, BlockMut};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Relative half width of the differences, and the error that leaves.
const WIDTH: f64 = 1e-5;
const TOLERANCE: f64 = 1e-5;
/// Least share of the state's size by which a component is moved, relative to the others.
const SMALLEST: f64 = 1e-3;
/// Points along the trajectory.
const POINTS: u64 = 5;

/// The JVP along random directions against central differences, at points of a trajectory `apart` steps from each other;
/// the worst relative error. A map with corners may have one of them between two points of a difference.
pub fn jacobian(system: &Stepped<f64>, start: &[f64], warmup: u64, apart: u64, seed: u64) -> Check {
    let (map, dim) = (system.map, system.dim());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut states = States::new(system, 0, 0, start);
    states.advance(warmup);
    let (mut slab, mut scratch) = (vec![0.0; map.slab_len()], vec![0.0; map.scratch_len()]);
    let mut errors: Vec<f64> = Vec::new();
    for point in 0..POINTS {
        if system.length().is_some_and(|length| states.step() >= length) {
            break;
        }
        states.linearize(&mut slab);
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let size = length(states.state()).max(1e-3);
        // Small components may bend the map on their own scale.
        let scale = |x: &f64| x.abs() + SMALLEST * size;
        let normal =
            |x: &f64| -> f64 { scale(x) * <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut rng) };
        let mut direction: Vec<f64> = states.state().iter().map(normal).collect();
        direction.resize(map.in_dim(), 0.0);
        let mut slope = vec![0.0; dim];
        let along = Tangent::from(Block::new(&direction, 1));
        map.jvp(system.params, Block::new(&slab, 1), along, BlockMut::new(&mut slope, 1), &mut scratch);
        let width = WIDTH * size / length(&direction);
        let mut side = |sign: f64| {
            let u: Vec<f64> = states.arguments.iter().zip(&direction).map(|(u, d)| u + sign * width * d).collect();
            let mut out = vec![0.0; dim];
            map.eval(system.params, Block::new(&u, 1), BlockMut::new(&mut out, 1), &mut scratch);
            out
        };
        let (right, left) = (side(1.0), side(-1.0));
        let apart_by: Vec<f64> = (0..dim).map(|i| (right[i] - left[i]) / (2.0 * width) - slope[i]).collect();
        // Where the slope vanishes, what rounding leaves of the difference is no error of it.
        let rounding = 4.0 * f64::EPSILON * length(&states.next) / width;
        errors.push(length(&apart_by) / (length(&slope) + rounding / TOLERANCE).max(f64::MIN_POSITIVE));
        states.go();
        if point + 1 < POINTS {
            states.advance(apart.min(system.length().map_or(apart, |n| n.saturating_sub(states.step()))));
        }
    }
    // A point at a corner, or where a torus is cut open, says nothing of the others.
    errors.sort_by(f64::total_cmp);
    let middle = errors[errors.len() / 2];
    let note = format!("relative error of the JVP against central differences, the median of {} points", errors.len());
    Check::new("jacobian", middle, 0.0, TOLERANCE, note)
}
