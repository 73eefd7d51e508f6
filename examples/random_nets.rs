//! Random recurrent nets `h' = J tanh(h)` beside mean-field theory: with `J` normal of variance `g²/N` and `N → ∞` the
//! leading exponent is `ln g + ½ ln⟨sech⁴(σz)⟩` where `σ² = g²⟨tanh²(σz)⟩` and `z` is a standard normal number
//! (Molgedey, Schuchhardt & Schuster 1992, Phys. Rev. Lett. 69, 3717–3719).
//!
//! At large gains tanh saturates, and a single step spans more than double precision: the lowest exponents are marked,
//! not invented.

use flowmap::analysis::{Run, SpectrumOptions, Status, Stepped};
use flowmap::cells::Cell;
use flowmap::dynamics::Component;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn main() -> flowmap::Result<()> {
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let (units, nets, steps) = if quick { (60, 2, 200) } else { (500, 5, 1500) };
    println!(
        "{units} units, mean of {nets} nets\n{:>5} {:>10} {:>10} {:>10} {:>14}",
        "gain", "first", "over nets", "theory", "below precision"
    );
    for gain in [2.0, 3.0, 5.0, 10.0] {
        let cell = Cell::rnn(units, 0);
        let mut first = Vec::new();
        let mut hidden = 0;
        for seed in 0..nets {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let mut params = vec![0.0; Component::<f64>::param_count(&cell)];
            params[..units * units].iter_mut().for_each(|w| *w = gain / (units as f64).sqrt() * normal());
            let start: Vec<f64> = (0..units).map(|_| normal()).collect();
            let net = Stepped::map(&cell, &params);
            let leading = SpectrumOptions { exponents: Some(8), ..SpectrumOptions::new(steps / 5, steps) };
            first.push(Run::new(&net, std::slice::from_ref(&start), leading)?.finish()?.exponents[0]);
            if seed == 0 {
                // All exponents, of one net.
                let all = Run::new(&net, &[start], SpectrumOptions::new(steps / 50, steps / 10))?.finish()?;
                hidden = all.status.iter().filter(|status| **status != Status::Resolved).count();
            }
        }
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        let spread = (first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / first.len() as f64).sqrt();
        println!("{gain:>5} {mean:>10.4} {spread:>10.4} {:>10.4} {hidden:>14}", theory(gain));
    }
    Ok(())
}

fn theory(gain: f64) -> f64 {
    let mut variance = gain * gain;
    for _ in 0..200 {
        variance = gain * gain * average(|z| (variance.sqrt() * z).tanh().powi(2));
    }
    gain.ln() + 0.5 * average(|z| (variance.sqrt() * z).cosh().powi(-4)).ln()
}

/// Over a standard normal number, by the trapezoidal rule.
fn average(f: impl Fn(f64) -> f64) -> f64 {
    let (count, reach) = (40_000, 8.0);
    let h = 2.0 * reach / f64::from(count);
    let weigh = |z: f64| f(z) * (-0.5 * z * z).exp();
    (0..=count).map(|i| weigh(-reach + h * f64::from(i))).sum::<f64>() * h / std::f64::consts::TAU.sqrt()
}
