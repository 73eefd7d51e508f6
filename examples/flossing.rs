//! Gradient flossing (Engelken 2023, NeurIPS 36): a tanh net is to say after a long row of noise whether the row began with
//! +1 or −1. Begun as usual in libraries, with uniform weights of size 1/√units, its leading Lyapunov exponents lie well
//! below 0: what is learnt from the end of the row does not reach its beginning. A regulariser moves the leading exponents
//! to 0 in the first part of training, and the same net, with the same steps, learns.
//!
//! The third arm begins with an orthogonal recurrent matrix, the usual remedy where one can choose the beginning.
//! Arguments, both optional: the lag (100) and seeds (`1,2,3,4,5`).

mod lesson;

use flowmap::Result;
use flowmap::analysis::flossing::{FlossingOptions, FlossingTape};
use flowmap::analysis::{Drive, Stepped};
use flowmap::cells::{Kind, Layers, Stack};
use flowmap::models::sequence::{
    Example, ModelTape, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target,
};
use flowmap::nn::{Activation, Mlp, Schedule, clip_norm};
use flowmap::plot::{Line, LinesPanel};
use flowmap::train::{SequenceTrainer, SequenceTraining};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Net = SequenceModel<RecurrentEncoder>;

const HIDDEN: usize = 32;
const BATCH: usize = 32;
/// Exponents that are moved to 0, and the steps they are taken over.
const EXPONENTS: usize = 8;
const ALONG: u64 = 40;
/// Weight of the regulariser, the most its gradient may have, and its share of training.
const WEIGHT: f64 = 1.0;
const CLIP: f64 = 1.0;
const SHARE: f64 = 0.4;

/// A row whose first number is to be remembered.
fn draw(lag: usize, rng: &mut ChaCha8Rng) -> Example<f64> {
    let bit: usize = rng.random_range(0..2);
    let mut inputs: Vec<f64> = (0..=lag).map(|_| rng.random_range(-0.2..0.2)).collect();
    inputs[0] = 2.0 * bit as f64 - 1.0;
    Example { inputs, target: Target::Classes(vec![bit]) }
}

fn accuracy(net: &Net, params: &[f64], test: &[Example<f64>]) -> Result<f64> {
    let inputs: Vec<&[f64]> = test.iter().map(|example| &example.inputs[..]).collect();
    let found = net.predict(params, &inputs, &mut ModelTape::default())?;
    let right = test.iter().zip(&found).filter(|(example, found)| {
        matches!(&example.target, Target::Classes(classes) if classes[0] == usize::from(found[1] > found[0]))
    });
    Ok(100.0 * right.count() as f64 / test.len() as f64)
}

/// The net as a row drives it.
fn driven<'a>(stack: &'a Stack, params: &'a [f64], row: &'a Example<f64>) -> Stepped<'a, f64> {
    Stepped::map(stack, params).driven(Drive::Sequences(vec![&row.inputs]))
}

/// Trains and returns steps, test accuracies, and the leading exponent at each of them.
fn learn(net: &Net, arm: &str, seed: u64, lag: usize, steps: usize) -> Result<[Vec<f64>; 3]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut params: Vec<f64> = net.encoder.initial(&mut rng);
    let specs = net.params::<f64>();
    let cells = net.encoder.layers.param_count::<f64>();
    params.resize(specs.iter().map(|spec| spec.len()).sum(), 0.0);
    if arm != "orthogonal" {
        let size = 1.0 / (HIDDEN as f64).sqrt();
        params[..cells].iter_mut().for_each(|p| *p = rng.random_range(-size..size));
    }
    let training = SequenceTraining {
        schedule: Schedule { peak: 2e-3, warmup: 20, total: steps, floor: 0.05 },
        clip: 1.0,
        weight_decay: 0.0,
        part: BATCH / 2,
        growth: None,
        seed,
    };
    let mut trainer = SequenceTrainer::new(net, params, training)?;
    let test: Vec<Example<f64>> = (0..256).map(|_| draw(lag, &mut rng)).collect();
    let (stack, start) = (net.encoder.layers.stack()?, [0.0; HIDDEN]);
    let (mut tape, options) = (FlossingTape::default(), FlossingOptions::new(EXPONENTS, 0, ALONG.min(lag as u64 + 1)));
    let mut curve = [Vec::new(), Vec::new(), Vec::new()];
    for step in 0..=steps {
        let batch: Vec<Example<f64>> = (0..BATCH).map(|_| draw(lag, &mut rng)).collect();
        if step % (steps / 40).max(1) == 0 {
            let leading = tape
                .run(&driven(&stack, &trainer.params()[..cells], &batch[0]), &start, &options)
                .map_or(f64::NAN, |x| x[0]);
            let row = [step as f64, accuracy(net, trainer.params(), &test)?, leading];
            curve.iter_mut().zip(row).for_each(|(column, x)| column.push(x));
        }
        let flossed = arm == "flossing" && (step as f64) < SHARE * steps as f64;
        trainer.step_with(&batch.iter().collect::<Vec<_>>(), |params, gradient| {
            if flossed {
                let mut own = vec![0.0; cells];
                tape.add(&driven(&stack, &params[..cells], &batch[0]), &start, &options, (0.0, WEIGHT), &mut own)?;
                clip_norm(&mut own, CLIP);
                gradient.iter_mut().zip(&own).for_each(|(sum, &g)| *sum += g);
            }
            Ok(())
        })?;
    }
    Ok(curve)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let lag = arguments.next().and_then(|lag| lag.parse().ok()).unwrap_or(if quick { 20 } else { 100 });
    let seeds = arguments.next().unwrap_or(if quick { "1" } else { "1,2,3,4,5" }.into());
    let steps = if quick { 40 } else { 800 };
    let encoder = RecurrentEncoder {
        layers: Layers {
            kind: Kind::Rnn(Activation::Tanh),
            layers: 1,
            hidden: HIDDEN,
            inputs: 1,
            bidirectional: false,
        },
        readout: Readout::Last,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 0.0,
    };
    let head = Mlp::new(&[HIDDEN, 2], Activation::Identity, Activation::Identity)?;
    let net = SequenceModel::new::<f64>(encoder, head)?;

    println!("a bit remembered over {lag} steps of noise; {steps} training steps; chance is 50 %");
    println!(
        "{:<12} {:>4} {:>15} {:>25} {:>8}",
        "begun", "seed", "accuracy at end", "leading exponent at start", "at end"
    );
    let (mut accuracies, mut exponents) = (Vec::new(), Vec::new());
    for arm in ["plain", "flossing", "orthogonal"] {
        for seed in seeds.split(',').filter_map(|seed| seed.parse().ok()) {
            let [at, accuracy, leading] = learn(&net, arm, seed, lag, steps)?;
            let last = |x: &[f64]| x.last().copied().unwrap_or(f64::NAN);
            println!(
                "{arm:<12} {seed:>4} {:>13.1} % {:>25.3} {:>8.3}",
                last(&accuracy),
                leading.first().copied().unwrap_or(f64::NAN),
                last(&leading)
            );
            accuracies.push(Line::solid(arm, at.clone(), accuracy));
            exponents.push(Line::solid(arm, at, leading));
        }
    }
    let panel = |measure: &str, lines, level: (&str, f64)| LinesPanel {
        x: "training step".into(),
        y: measure.into(),
        lines,
        levels: vec![(level.0.into(), level.1)],
        ..LinesPanel::default()
    };
    let panels = vec![
        panel("test accuracy (%)", accuracies, ("chance", 50.0)),
        panel("leading exponent (nats per step)", exponents, ("signals neither grow nor fade", 0.0)),
    ];
    let title = format!("A bit remembered over {lag} steps, with and without gradient flossing");
    lesson::figure("flossing", &title, panels)
}
