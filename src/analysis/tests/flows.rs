//! Flows by their numerical steps.

use super::kit::*;
use crate::analysis::{Run, SpectrumOptions, Stepped, audit, near};
use crate::dynamics::systems::{Kind, SYSTEMS};
use crate::dynamics::{Component, Field};
use crate::solve::{EULER, RK4, StepMap};
use nalgebra::Complex;

#[test]
fn a_linear_flow_has_the_exponents_of_the_methods_stability_function() {
    // A spiral and a fast decay: the map's own values to rounding, the flow's to the method's order.
    let field = fixed(3, vec![-0.2, 1.1, 0.0, -1.1, -0.2, 0.0, 0.3, 0.0, -3.0]);
    let h = 0.1;
    let map = StepMap::new(Field::with_time(&field).unwrap(), &RK4, h).unwrap();
    let system = Stepped::timed(&map, &[], h);
    let spectrum = Run::new(
        &system,
        &[vec![0.0; 3]],
        SpectrumOptions { qr_every: Some(10), ..SpectrumOptions::new(2000, 40_000) },
    )
    .unwrap()
    .finish()
    .unwrap();
    let of = |re: f64, im: f64| RK4.stability(Complex::new(re * h, im * h)).norm().ln() / h;
    let known = [of(-0.2, 1.1), of(-0.2, 1.1), of(-3.0, 0.0)];
    assert!((spectrum.sum - known.iter().sum::<f64>()).abs() < 1e-12, "{} {known:?}", spectrum.sum);
    assert!((spectrum.exponents[2] - known[2]).abs() < 1e-12 && apart(&spectrum.exponents, &known) < 1e-4);
    assert!(apart(&known, &[-0.2, -0.2, -3.0]) < 1e-3 && apart(&known, &[-0.2, -0.2, -3.0]) > 1e-6);
}

/// The spectrum of a named flow by rk4 from several starts.
fn flow(
    name: &str,
    settings: &[&str],
    step: f64,
    starts: usize,
    options: SpectrumOptions,
) -> crate::analysis::Spectrum {
    let instance = named(name, settings);
    let map = StepMap::new(instance.field().unwrap(), &RK4, step).unwrap();
    let system = Stepped::timed(&map, &instance.params, step);
    let options = SpectrumOptions { zeros: instance.zeros, ..options };
    Run::new(&system, &near(&instance.start, starts, 1), options).unwrap().finish().unwrap()
}

#[test]
fn lorenz_63_has_its_exponents_its_sum_and_its_zero() {
    let spectrum = flow("lorenz63", &[], 0.005, 8, SpectrumOptions::new(10_000, 100_000));
    for (i, known) in [0.9057, 0.0, -14.5724].into_iter().enumerate() {
        let off = (spectrum.exponents[i] - known).abs();
        assert!(off < 3.0 * spectrum.standard_errors[i] + 0.002, "{:?}", spectrum.exponents);
    }
    assert!(spectrum.standard_errors[0] < 0.004, "{:?}", spectrum.standard_errors);
    assert_eq!(spectrum.neutral, [false, true, false]);
    assert!((spectrum.sum + 41.0 / 3.0).abs() < 1e-4, "{}", spectrum.sum);
    assert!((spectrum.kaplan_yorke().unwrap() - 2.0621).abs() < 0.0015, "{:?}", spectrum.kaplan_yorke());
    assert!((spectrum.entropy().unwrap() - spectrum.exponents[0]).abs() < 1e-15);
    assert!(audit::zeros(&spectrum, 1).holds && !audit::zeros(&spectrum, 2).holds);
}

#[test]
fn a_partial_spectrum_agrees_with_the_whole_and_refuses_what_it_cannot_know() {
    let options = SpectrumOptions::new(1000, 20_000);
    let leading = flow("lorenz63", &[], 0.01, 1, SpectrumOptions { exponents: Some(2), ..options.clone() });
    let whole = flow("lorenz63", &[], 0.01, 1, options.clone());
    assert!(apart(&leading.exponents, &whole.exponents[..2]) < 5e-3);
    assert!(leading.kaplan_yorke().is_err());
    assert!((leading.entropy().unwrap() - leading.exponents[0]).abs() < 1e-15);
    let first = flow("lorenz63", &[], 0.01, 1, SpectrumOptions { exponents: Some(1), ..options });
    assert!(first.entropy().is_err() && first.kaplan_yorke().is_err());
}

#[test]
fn lorenz_96_at_rest_has_the_eigenvalues_of_its_waves() {
    // Re[−1 + F(e^{iθ} − e^{−2iθ})] at F < 8/9.
    let f = 0.7;
    let spectrum = flow("lorenz96", &["n=6", "f=0.7"], 0.02, 1, SpectrumOptions::new(4000, 40_000));
    let mut known: Vec<f64> = (0..6)
        .map(|k| {
            let theta = std::f64::consts::TAU * f64::from(k) / 6.0;
            -1.0 + f * (theta.cos() - (2.0 * theta).cos())
        })
        .collect();
    known.sort_by(|a, b| b.total_cmp(a));
    assert!(apart(&spectrum.exponents, &known) < 1e-3, "{:?} {known:?}", spectrum.exponents);
}

#[test]
fn audits_hold_for_right_systems_and_catch_wrong_ones() {
    let instance = named("rossler", &[]);
    let h = 0.02;
    let map = StepMap::new(instance.field().unwrap(), &RK4, h).unwrap();
    let system = Stepped::timed(&map, &instance.params, h);
    let start = &instance.start;
    let mut run = Run::new(&system, std::slice::from_ref(start), SpectrumOptions::new(5000, 100_000)).unwrap();
    while run.go_on().unwrap() {}
    let spectrum = run.spectrum();
    let divergence = audit::SumRule::divergence(instance.field().unwrap(), &instance.params, h);
    for rule in [audit::SumRule::determinant(&system), divergence] {
        let check = audit::sum(&run, std::slice::from_ref(start), rule).unwrap().unwrap().0;
        assert!(check.holds, "{check:?}");
    }
    let leading = audit::leading(&spectrum, &system, start, 100_000, 3);
    assert!(leading.holds && (leading.value - 0.0714).abs() < 0.01, "{leading:?}");
    assert!(audit::jacobian(&system, start, 500, 100, 3).holds);
    let euler = StepMap::new(instance.field().unwrap(), &EULER, h).unwrap();
    let other = Stepped::timed(&euler, &instance.params, h);
    let check = audit::sum(&run, std::slice::from_ref(start), audit::SumRule::determinant(&other)).unwrap().unwrap().0;
    assert!(!check.holds, "another map's determinant passes: {check:?}");

    struct Wrong<'a>(&'a dyn Component<f64>);
    impl Component<f64> for Wrong<'_> {
        fn in_dim(&self) -> usize {
            self.0.in_dim()
        }
        fn out_dim(&self) -> usize {
            self.0.out_dim()
        }
        fn params(&self, prefix: &str) -> Vec<crate::dynamics::ParamSpec> {
            self.0.params(prefix)
        }
        fn param_count(&self) -> usize {
            self.0.param_count()
        }
        fn slab_len(&self) -> usize {
            self.0.slab_len()
        }
        fn scratch_len(&self) -> usize {
            self.0.scratch_len()
        }
        fn eval(
            &self,
            p: &[f64],
            u: crate::linalg::Block<f64>,
            out: crate::linalg::BlockMut<f64>,
            scratch: &mut [f64],
        ) {
            self.0.eval(p, u, out, scratch);
        }
        fn linearize(
            &self,
            p: &[f64],
            u: crate::linalg::Block<f64>,
            out: crate::linalg::BlockMut<f64>,
            slab: crate::linalg::BlockMut<f64>,
            scratch: &mut [f64],
        ) {
            self.0.linearize(p, u, out, slab, scratch);
        }
        fn jvp(
            &self,
            p: &[f64],
            slab: crate::linalg::Block<f64>,
            tangent: crate::dynamics::Tangent<f64>,
            out: crate::linalg::BlockMut<f64>,
            scratch: &mut [f64],
        ) {
            self.0.jvp(p, slab, tangent, crate::linalg::BlockMut::new(out.data, out.lanes), scratch);
            out.data[0] *= 1.001;
        }
        fn vjp(
            &self,
            p: &[f64],
            slab: crate::linalg::Block<f64>,
            w: crate::linalg::Block<f64>,
            u_bar: crate::linalg::BlockMut<f64>,
            bar: Option<&mut [f64]>,
            scratch: &mut [f64],
        ) {
            self.0.vjp(p, slab, w, u_bar, bar, scratch);
        }
    }
    let wrong = Wrong(&map);
    let system = Stepped::timed(&wrong, &instance.params, h);
    assert!(!audit::jacobian(&system, start, 500, 100, 3).holds);
}

#[test]
fn symplectic_systems_come_in_pairs() {
    let spectrum = flow("henon-heiles", &[], 0.02, 1, SpectrumOptions::new(1000, 50_000));
    let pairs = audit::pairs(&spectrum, 0.0).unwrap();
    assert!(pairs.holds, "{pairs:?} {:?}", spectrum.exponents);
    assert_eq!(spectrum.kaplan_yorke().unwrap(), 4.0);
    assert!(audit::zeros(&spectrum, 2).holds);
    let lorenz = flow("lorenz63", &[], 0.01, 1, SpectrumOptions::new(1000, 10_000));
    assert!(!audit::pairs(&lorenz, 0.0).unwrap().holds);
}

#[test]
fn a_limit_cycle_has_dimension_one_although_its_zero_comes_out_negative() {
    let cycle = flow("van-der-pol", &[], 0.01, 1, SpectrumOptions::new(20_000, 100_000));
    assert!(cycle.exponents[0] < 0.0 && cycle.neutral == [true, false], "{:?}", cycle.exponents);
    assert_eq!((cycle.kaplan_yorke().unwrap(), cycle.entropy().unwrap()), (1.0, 0.0));
}

#[test]
fn the_usual_steps_keep_the_sum_of_every_flow_within_a_ten_thousandth() {
    for system in SYSTEMS.iter().filter(|system| system.kind == Kind::Flow && system.measure.step > 0.0) {
        let settings = if system.name == "rate-network" { &["n=40"][..] } else { &[] };
        let instance = named(system.name, settings);
        // Along a closed orbit the sum comes to zero only once a turn.
        if let (Some(sum), None, false) =
            (instance.sum_of_exponents, &instance.stepping, system.name == "lotka-volterra")
        {
            let h = system.measure.step;
            let spectrum = flow(system.name, settings, h, 1, SpectrumOptions::new(2000, 20_000));
            assert!((spectrum.sum - sum).abs() < 1e-4, "{}: {} {sum}", system.name, spectrum.sum);
        }
    }
}
