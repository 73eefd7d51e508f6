//! Same bits: in any company, on any number of threads, after an interruption.

use super::kit::*;
use crate::analysis::{Run, Spectrum, SpectrumOptions, Stepped, Walk, near};
use crate::solve::{RK4, StepMap};
use std::path::Path;

#[test]
fn with_a_fixed_interval_a_start_has_the_same_bits_alone_and_in_company() {
    for (name, dim) in [("henon", 2), ("ikeda", 2)] {
        let instance = named(name, &[]);
        let system = Stepped::map(&*instance.component, &instance.params);
        let starts = near(&instance.start, 11, 3);
        let options = SpectrumOptions { qr_every: Some(4), ..SpectrumOptions::new(100, 2000) };
        let mut together = Run::new(&system, &starts, options.clone()).unwrap();
        while together.go_on().unwrap() {}
        for s in [0, 7, 10] {
            let walk = together.walks().nth(s / 8).unwrap();
            let mut alone = Walk::new(&system, &starts[s..=s], s, dim, options.frame, options.seed).unwrap();
            while alone.step() < 2100 {
                alone.advance(4);
                alone.orthonormalize();
            }
            let lane = |block: crate::linalg::Block<f64>, starts: usize| {
                block.data.iter().skip(s % 8).step_by(starts).copied().collect::<Vec<f64>>()
            };
            let company = walk.starts();
            assert_eq!(lane(walk.state(), company), alone.state().data, "{name} {s}");
            assert_eq!(lane(walk.frame(), company), alone.frame().data, "{name} {s}");
        }
    }
}

fn lorenz96(threads: usize, stop_at: Option<u64>) -> Spectrum {
    let instance = named("lorenz96", &["n=9"]);
    let map = StepMap::new(instance.field().unwrap(), &RK4, 0.01).unwrap();
    let system = Stepped::timed(&map, &instance.params, 0.01);
    let starts = near(&instance.start, 3, 2);
    let options = SpectrumOptions::new(300, 4000);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut run = Run::new(&system, &starts, options.clone()).unwrap();
        while run.go_on().unwrap() {
            if stop_at.is_some_and(|stop| run.step() >= stop) {
                let saved = run.save("as before").unwrap();
                let mut again = Run::new(&system, &starts, options.clone()).unwrap();
                assert!(again.restore(&saved, "other", Path::new("x")).unwrap_err().to_string().contains("as before"));
                again.restore(&saved, "as before", Path::new("x")).unwrap();
                return again.finish().unwrap();
            }
        }
        run.spectrum()
    })
}

#[test]
fn threads_and_interruptions_leave_the_bits() {
    let whole = lorenz96(1, None);
    assert_eq!(whole, lorenz96(2, None));
    assert_eq!(whole, lorenz96(2, Some(150)));
    assert_eq!(whole, lorenz96(1, Some(2000)));
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let henon = named("henon", &[]);
    let system = Stepped::map(&*henon.component, &henon.params);
    let mut run = Run::new(&system, std::slice::from_ref(&henon.start), SpectrumOptions::new(10, 1000)).unwrap();
    run.go_on().unwrap();
    let saved = run.save("s").unwrap();
    let names: Vec<String> = saved.named.keys().cloned().collect();
    for name in names {
        let mut damaged = saved.clone();
        damaged.named.remove(&name);
        assert!(run.restore(&damaged, "s", Path::new("x")).is_err(), "{name}");
    }
}
