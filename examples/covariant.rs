//! Covariant Lyapunov vectors: how close chaos comes to tangencies.
//!
//! The vectors of Lorenz 96 along a long trajectory, in memory that grows with the square root of its length, and the smallest
//! angle between the growing and the shrinking directions: where it comes near zero the system is not hyperbolic. The
//! exponents are the average growth of the vectors. (Ginelli et al. 2007, Phys. Rev. Lett. 99, 130601.)

mod lesson;

use flowmap::Result;
use flowmap::analysis::{Covariant, CovariantOptions, Stepped};
use flowmap::dynamics::systems::{Settings, system};
use flowmap::plot::{Line, LinesPanel};
use flowmap::solve::{RK4, StepMap};

fn main() -> Result<()> {
    let (size, spans) = if lesson::quick() { ("n=8", 500) } else { ("n=40", 100_000) };
    let lorenz = system("lorenz96")?.build(&Settings::parse(&[size])?)?;
    let step = 0.05;
    let map = StepMap::new(lorenz.field()?, &RK4, step)?;
    let stepped = Stepped::timed(&map, &lorenz.params, step);
    let growing = if lesson::quick() { 2 } else { 13 };
    let begun = std::time::Instant::now();
    let measured = Covariant::new(&stepped, &lorenz.start, CovariantOptions::new(spans))?.measure(&[growing])?;
    println!(
        "{spans} steps of {step} of lorenz96 {size} in {:.1} s, peak memory {}",
        begun.elapsed().as_secs_f64(),
        peak()
    );
    let exponents = measured.exponents();
    println!("leading exponents {:.3?}", &exponents[..4.min(exponents.len())]);
    let mut angles = measured.angles[0].clone();
    angles.sort_by(f64::total_cmp);
    let share = |q: f64| angles[((angles.len() - 1) as f64 * q) as usize];
    println!("smallest angle between the {growing} growing directions and the others, by share of time (radians):");
    [0.0, 0.01, 0.1, 0.5].iter().for_each(|&q| println!("{:>5} % below {:.4}", 100.0 * q, share(q)));
    let shown = 2000.min(measured.angles[0].len());
    let times = (0..shown).map(|k| k as f64 * step).collect();
    let lines = vec![Line::solid("smallest angle", times, measured.angles[0][..shown].to_vec())];
    let panel = LinesPanel {
        x: "time".into(),
        y: format!("angle between the {growing} growing directions and the others (radians)"),
        logarithmic: true,
        lines,
        ..LinesPanel::default()
    };
    lesson::figure("covariant", "Covariant vectors of Lorenz 96", vec![panel])
}

/// The most memory this process has held.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("is not told here".into(), |kib| kib.trim().to_owned())
}
