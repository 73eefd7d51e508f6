//! Covariant Lyapunov vectors: how close chaos comes to tangencies.
//!
//! The vectors of Lorenz 96 along a long trajectory, in memory that grows with the square root of its length: the exponents as
//! their average growth, and the smallest angles between the subspaces of those that grow, of the one that does neither, and
//! of those that shrink. Where an angle comes near zero the system is not hyperbolic. (Ginelli et al. 2007, Phys. Rev. Lett.
//! 99, 130601.)

mod lesson;

use flowmap::Result;
use flowmap::analysis::{Covariant, CovariantOptions, Spread, Stepped};
use flowmap::dynamics::systems::{Settings, system};
use flowmap::plot::Line;
use flowmap::solve::{RK4, StepMap};
use std::f64::consts::FRAC_PI_2;

const BINS: usize = 90;

fn main() -> Result<()> {
    let (size, spans, growing) = if lesson::quick() { ("n=8", 500, 2) } else { ("n=40", 100_000, 13) };
    let lorenz = system("lorenz96")?.build(&Settings::parse(&[size])?)?;
    let step = 0.05;
    let map = StepMap::new(lorenz.field()?, &RK4, step)?;
    let stepped = Stepped::timed(&map, &lorenz.params, step);
    let vectors = lorenz.dim();
    // After those that grow comes the direction of the flow.
    let (grow, neutral, shrink) = (0..growing, growing..growing + 1, growing + 1..vectors);
    let pairs = [
        ("growing and shrinking", grow.clone(), shrink.clone()),
        ("growing and neutral", grow, neutral.clone()),
        ("neutral and shrinking", neutral, shrink),
    ];
    let begun = std::time::Instant::now();
    let (mut exponents, mut angles) = (vec![0.0; vectors], vec![Vec::new(); pairs.len()]);
    Covariant::new(&stepped, &lorenz.start, CovariantOptions::new(spans))?.visit(|moment| {
        exponents.iter_mut().zip(moment.growth).for_each(|(sum, growth)| *sum += growth / (spans as f64 * step));
        for (all, (_, some, others)) in angles.iter_mut().zip(&pairs) {
            all.push(moment.angle_between(some.clone(), others.clone())?);
        }
        Ok(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{spans} steps of {step} of lorenz96 {size} in {seconds:.1} s, peak memory {}", peak());
    let shown: Vec<String> =
        exponents[..4].iter().chain(&exponents[growing - 1..growing + 2]).map(|x| format!("{x:.3}")).collect();
    println!("exponents 1 to 4 and {growing} to {}: {}", growing + 2, shown.join(" "));
    println!("smallest angle between directions (radians)");
    println!("{:<22} {:>8} {:>8} {:>8} {:>8}", "", "least", "5 %", "median", "95 %");
    let mut lines = Vec::new();
    for ((name, _, _), all) in pairs.iter().zip(&angles) {
        let [least, few, median, most, _] = Spread::of(all)?.quantiles;
        println!("{name:<22} {least:>8.4} {few:>8.4} {median:>8.4} {most:>8.4}");
        lines.push(histogram(name, all));
    }
    let panel = lesson::panel("smallest angle between the subspaces (radians)", "share of moments per radian", lines);
    lesson::figure("covariant", "Angles between covariant subspaces of Lorenz 96", vec![panel])
}

/// The outline of a histogram of angles, of area 1.
fn histogram(name: &str, angles: &[f64]) -> Line {
    let width = FRAC_PI_2 / BINS as f64;
    let mut shares = [0.0; BINS];
    for angle in angles {
        shares[((angle / width) as usize).min(BINS - 1)] += 1.0 / (angles.len() as f64 * width);
    }
    let corners = shares.iter().enumerate().flat_map(|(k, &share)| {
        let left = k as f64 * width;
        [(left, share), (left + width, share)]
    });
    let (x, y) = corners.unzip();
    Line::solid(name, x, y)
}

/// The most memory this process has held.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("is not told here".into(), |kib| kib.trim().to_owned())
}
