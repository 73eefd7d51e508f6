//! Which gradient when: accuracy, time and memory of every strategy on a mild, a stiff, a chaotic and a long problem, the
//! table of docs/gradients.md. `cargo bench --bench gradients`.

use flowmap::dynamics::{Component, Field, Lift, Scalar, SmallField};
use flowmap::gradient::{Settings, audit, growth, trusted_span};
use flowmap::nn::{Activation, Mlp, fan_in_normal};
use flowmap::solve::{KVAERNO5, Options, Problem, RK4};
use rand::SeedableRng;

/// Robertson's kinetics with rates of more usual size.
struct Kinetics;
impl SmallField<3, 3> for Kinetics {
    fn rhs<S: Scalar>(&self, _t: S, [a, b, c]: [S; 3], [k1, k2, k3]: [S; 3]) -> [S; 3] {
        let (slow, fast, back) = (k1 * a, k2 * b * b, k3 * b * c);
        [back - slow, slow - fast - back, fast]
    }
}

struct Lorenz;
impl SmallField<3, 3> for Lorenz {
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [sigma, rho, beta]: [S; 3]) -> [S; 3] {
        [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    }
}

/// The mean square of all outputs.
fn loss(_: usize, states: &[f64], bar: &mut [f64]) -> f64 {
    let scale = 1.0 / states.len() as f64;
    bar.iter_mut().zip(states).for_each(|(bar, y)| *bar = 2.0 * scale * y);
    states.iter().map(|y| scale * y * y).sum()
}

fn report(name: &str, field: Field<f64>, params: &[f64], start: &[f64], times: &[f64], options: &Options) {
    let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times };
    let settings = Settings { memory: 1 << 20, ..Settings::default() };
    let table = audit(field, params, &problem, options, &settings, (2, 0), loss).expect("an audit");
    let growths = growth(field, params, &problem, options, 0).expect("a growth");
    println!("\n## {name}\n{table}");
    for growth in &growths {
        let trust = trusted_span(&growths, options).map_or("any span".into(), |span| format!("spans to {span:.1}"));
        println!("a cotangent grows by e^{:.1} over a span of {:.1}; trusted over {trust}", growth.log, growth.span);
    }
}

fn main() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let net = Mlp::new(&[2, 32, 32, 2], Activation::Tanh, Activation::Identity).expect("a net");
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    let even = |end: f64, count: usize| (1..=count).map(|k| end * k as f64 / count as f64).collect::<Vec<_>>();
    let field = Field::autonomous(&net).expect("a field");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    pool.install(|| {
        let adaptive = Options::adaptive(1e-6, 1e-8);
        report("mild: a learned field, 50 outputs on [0, 5]", field, &params, &[0.5, -0.3], &even(5.0, 50), &adaptive);
        let kinetics = Lift::<_, 3, 3>(Kinetics);
        let stiff = Options { method: &KVAERNO5, ..Options::adaptive(1e-6, 1e-10) };
        let field_of = |component| Field::with_time(component).expect("a field");
        report(
            "stiff: Robertson's kinetics, 10 outputs on [0, 40], kvaerno5",
            field_of(&kinetics),
            &[0.04, 3e7, 1e4],
            &[1.0, 0.0, 0.0],
            &even(40.0, 10),
            &stiff,
        );
        let lorenz = Lift::<_, 3, 3>(Lorenz);
        report(
            "chaotic: Lorenz 63, 50 outputs on [0, 10]",
            field_of(&lorenz),
            &[10.0, 28.0, 8.0 / 3.0],
            &[1.0, 1.0, 20.0],
            &even(10.0, 50),
            &adaptive,
        );
        report(
            "long: a learned field, 50,000 RK4 steps, one output",
            field,
            &params,
            &[0.5, -0.3],
            &[500.0],
            &Options::fixed(&RK4, 0.01),
        );
    });
}
