//! Irregular times.
//!
//! A damped oscillator and the hares and lynxes of Lotka and Volterra are observed at fewer and fewer random times. A
//! Neural ODE takes the times as they are. A GRU needs a grid, and so has it filled in by straight lines, or it is told how
//! long it is until what comes next. All three learn from the same observations of the same 16 series, and from nothing but
//! these: the GRU on the grid reads filled values, and is asked for observed ones only. They read the first half of 16
//! others, and forecast the second half at every time. What is filled in is wrong where observations are rare, and what a
//! gap does must be learned from gaps, where the Neural ODE has it from the calculus. Where all is observed that advantage is
//! gone. (Chen et al. 2018, NeurIPS, sec. 5.1; Rubanova, Chen & Duvenaud 2019, NeurIPS.)

#[path = "lesson/forecasts.rs"]
mod forecasts;
mod lesson;

use flowmap::Result;
use flowmap::dynamics::{Field, Lift, Scalar, SmallField};
use flowmap::plot::{Line, LinesPanel, Look};
use flowmap::solve::map_parts;
use forecasts::{Series, gru_on_grid, gru_with_gaps, neural_ode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Copy)]
pub enum System {
    Oscillator,
    LotkaVolterra,
}

impl SmallField<2, 0> for System {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [a, b]: [S; 2], []: [S; 0]) -> [S; 2] {
        match self {
            Self::Oscillator => [b, -a - b * S::of(0.1)],
            Self::LotkaVolterra => [a - a * b, a * b - b],
        }
    }
}

pub const SYSTEMS: [(System, &str); 2] =
    [(System::Oscillator, "damped oscillator"), (System::LotkaVolterra, "Lotka–Volterra")];
pub const MODELS: [&str; 3] = ["Neural ODE", "GRU on a filled grid", "GRU given the gaps"];
/// Shares of the grid that are observed.
pub const SHARES: [f64; 4] = [1.0, 0.5, 0.2, 0.1];
/// Training steps of each model.
pub const STEPS: usize = 1000;
const SERIES: usize = 16;

/// Root mean square forecast errors of the three models, by one seed.
pub fn errors(system: System, share: f64, steps: usize, seed: u64) -> Result<[f64; 3]> {
    let (mut rng, truth) = (ChaCha8Rng::seed_from_u64(seed), Lift::<_, 2, 0>(system));
    let range = if matches!(system, System::Oscillator) { -1.5..1.5 } else { 0.5..2.0 };
    let mut draw = |_| {
        let start = [rng.random_range(range.clone()), rng.random_range(range.clone())];
        Series::draw(Field::with_time(&truth)?, start, share, &mut rng)
    };
    let all = (0..2 * SERIES).map(&mut draw).collect::<Result<Vec<_>>>()?;
    let (train, test) = all.split_at(SERIES);
    let ode = neural_ode(train, test, steps, &mut rng)?;
    let filled = gru_on_grid(train, test, steps, &mut rng)?;
    Ok([ode, filled, gru_with_gaps(train, test, steps, &mut rng)?])
}

fn main() -> Result<()> {
    let (steps, seeds) = if lesson::quick() { (20, 2) } else { (STEPS, 5) };
    let mut panels = Vec::new();
    println!("root mean square forecast error: mean of {seeds} seeds (smallest to largest)");
    for (system, name) in SYSTEMS {
        println!("{name:<18} {:^26} {:^26} {:^26}", MODELS[0], MODELS[1], MODELS[2]);
        let mut lines = MODELS.map(|model| Line::solid(model, Vec::new(), Vec::new()));
        let mut marks = lines.clone().map(|line| line.look(Look::Marks));
        for share in SHARES {
            print!("{:>12} % seen", 100.0 * share);
            let all = map_parts(seeds, 1, |seed| errors(system, share, steps, seed.start as u64));
            let all = all.into_iter().collect::<Result<Vec<_>>>()?;
            for k in 0..3 {
                let of: Vec<f64> = all.iter().map(|errors| errors[k]).collect();
                let mean = of.iter().sum::<f64>() / seeds as f64;
                let (low, high) = of.iter().fold((mean, mean), |(a, b), &x| (a.min(x), b.max(x)));
                print!(" {mean:>10.4} ({low:.4}–{high:.4})");
                lines[k].x.push(100.0 * share);
                lines[k].y.push(mean);
                // Beside each other, so that no seed hides another model's.
                marks[k].x.extend(of.iter().map(|_| 100.0 * share * (1.0 + 0.02 * (k as f64 - 1.0))));
                marks[k].y.extend(of);
            }
            println!();
        }
        panels.push(LinesPanel {
            x: "share of the grid observed (%)".into(),
            y: format!("root mean square forecast error, {name} (units of the state)"),
            logarithmic: true,
            logarithmic_x: true,
            lines: lines.into_iter().chain(marks).collect(),
            ..LinesPanel::default()
        });
    }
    lesson::remarked("irregular_times", "Irregular times", panels, &["lines: means over seeds; marks: each seed"])
}
