//! The main job from Rust: an irregular series from a file, a Neural ODE fitted to it, its forecast beside what a person
//! gets with no model at all.
//!
//! The same as `flowmap fit data/lynx_hare.csv --holdout 0.2`, without its files.

use flowmap::series::read::{ReadOptions, read_csv};
use flowmap::series::split::Split;
use flowmap::train::{DataSpec, FitConfig, Metrics, Run, SplitSpec};
use std::path::Path;

fn main() -> flowmap::Result<()> {
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let path = Path::new("data/lynx_hare.csv");
    let (panel, _warnings) = read_csv(path, &ReadOptions::default())?;
    let held_out = SplitSpec { holdout: Some(0.2), ..SplitSpec::default() };
    let split = Split::new(&panel, held_out.hold_out()?, 0)?;

    let mut config = FitConfig::suited(DataSpec::new(path, &panel), held_out, 0, &panel, &split)?;
    if quick {
        config.training.epochs = 100;
    }
    let run = Run::new(config, panel, split)?;
    let (state, stopped) = run.train(|_| {})?;
    let fitted = run.finish(&state)?;

    let metrics = Metrics::of(&run, &fitted, state.log.len(), 0.0, stopped)?;
    println!("{:<12} {:>10}", "forecast by", "error");
    println!("{:<12} {:>10.4}", "neural ode", metrics.test_mse_scaled.unwrap_or(f64::NAN));
    for (name, error) in metrics.baseline_mse_scaled.unwrap_or_default() {
        println!("{name:<12} {:>10.4}", error.unwrap_or(f64::NAN));
    }
    let ahead = [1921.0, 1922.0, 1923.0];
    let forecast = fitted.predict(&fitted.anchors, &[&ahead])?;
    for (year, cells) in ahead.iter().zip(forecast.values.chunks(2)) {
        println!("{year}: {:.1} thousand hares, {:.1} thousand lynxes", cells[0], cells[1]);
    }
    Ok(())
}
