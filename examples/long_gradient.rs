//! A gradient through a million solver steps in little memory, with its memory told beforehand.
//!
//! A tape of such a pass would take gigabytes. Within a budget the forward pass keeps a tape of its last steps and states
//! along the way, and the way back computes what lies between once more, to the same bits (checkpointing: Griewank &
//! Walther 2008, *Evaluating Derivatives*, ch. 12). The forecast stands in the first line, what was really taken in the
//! last.

use flowmap::dynamics::{Component, Field};
use flowmap::gradient::{Plan, Settings, gradient, show_bytes};
use flowmap::nn::{Activation, Mlp, fan_in_normal};
use flowmap::solve::{Options, Problem, RK4};
use rand::SeedableRng;

fn main() -> flowmap::Result<()> {
    let steps = if std::env::var_os("FLOWMAP_QUICK").is_some() { 20_000 } else { 1_000_000 };
    let net = Mlp::new(&[2, 64, 64, 2], Activation::Tanh, Activation::Identity)?;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    let end = [0.01 * f64::from(steps)];
    let problem = Problem { start_times: &[0.0], starts: &[0.5, -0.3], row_ptr: &[0, 1], times: &end };
    let (field, options) = (Field::autonomous(&net)?, Options::fixed(&RK4, 0.01));

    let settings = Settings { memory: 192 << 20, ..Settings::default() };
    let plan = Plan::new(field, &params, &problem, &options, &settings)?;
    println!("{steps} RK4 steps of a field of {} parameters: {plan}", params.len());
    let g = gradient(field, &params, &problem, &options, &settings, |_, y, bar| {
        bar.copy_from_slice(y);
        0.5 * y.iter().map(|y| y * y).sum::<f64>()
    })?;
    let norm = g.params.iter().map(|g| g * g).sum::<f64>().sqrt();
    println!("loss {:.6}, norm of the gradient {norm:.6e}", g.loss);
    println!("kept at most {}; the whole process {}", show_bytes(g.bytes), peak_resident());
    Ok(())
}

/// The most memory that this process has had, where the system tells it.
fn peak_resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    peak.map_or("is not told here".into(), |kib: usize| show_bytes(kib << 10))
}
