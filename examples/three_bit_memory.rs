//! A three-bit memory.
//!
//! A GRU learns to hold three bits: pulses on three inputs set them, up or down, and at every step all three are asked for.
//! Where does it keep them? Without input it rests in eight places that attract, the corners of a bent cube, one for each
//! word of three bits; on the borders between their basins lie saddles, from which states fall along the cube's edges into
//! one word or the other. (Sussillo & Barak 2013, Neural Comput. 25, 626-649, sec. 4.)

mod tasks;

use flowmap::Result;
use flowmap::analysis::rest::{Found, Resting};
use flowmap::cells::{Cell, Kind};
use flowmap::dynamics::Component;
use flowmap::linalg::{Block, BlockMut};
use flowmap::models::sequence::{Example, Readout, Target};
use flowmap::nn::{Activation, Mlp};
use flowmap::plot::{Line, Look, PortraitFigure, PortraitPanel, PortraitPoint, portrait_figure};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, learn, model, quick, recurrent, write_figure};

const BITS: usize = 3;
/// Probability of a pulse on an input at a step.
const PULSES: f64 = 0.1;
const STEPS: usize = 40;
/// Starts of the search.
const STARTS: usize = 2000;

/// Pulses on every input at the first step, then now and then; each input's last one is asked for at every step.
fn draw(steps: usize, rng: &mut ChaCha8Rng) -> Example<f32> {
    let (mut inputs, mut words) = (Vec::new(), Vec::new());
    let mut word = [0.0f32; BITS];
    for step in 0..steps {
        for bit in &mut word {
            let pulse = match rng.random::<f64>() {
                x if step > 0 && x >= PULSES => 0.0,
                _ if rng.random::<bool>() => 1.0,
                _ => -1.0,
            };
            if pulse != 0.0 {
                *bit = pulse;
            }
            inputs.push(pulse);
        }
        words.extend(word);
    }
    Example { inputs, target: Target::Numbers(words) }
}

/// A trained net and where it rests.
pub struct Memory {
    /// Mean squared error of the bits.
    pub error: f64,
    /// Rests without input.
    pub found: Found,
    cell: Cell,
    params: Vec<f64>,
    head: Vec<f64>,
}

impl Memory {
    /// The bits read out from a state.
    pub fn word(&self, state: &[f64]) -> Result<[f64; BITS]> {
        let head = Mlp::new(&[state.len(), BITS], Activation::Identity, Activation::Identity)?;
        let (mut word, mut scratch) = ([0.0; BITS], vec![0.0; Component::<f64>::scratch_len(&head)]);
        head.eval(&self.head, Block::new(state, 1), BlockMut::new(&mut word, 1), &mut scratch);
        Ok(word)
    }

    /// States from a start on, under rows of inputs.
    fn follow(&self, start: &[f64], inputs: &[f64]) -> Vec<Vec<f64>> {
        let (mut u, mut scratch) = (start.to_vec(), vec![0.0; Component::<f64>::scratch_len(&self.cell)]);
        u.resize(start.len() + BITS, 0.0);
        let mut states = vec![start.to_vec()];
        for row in inputs.chunks_exact(BITS) {
            u[start.len()..].copy_from_slice(row);
            let mut next = vec![0.0; start.len()];
            self.cell.eval(&self.params, Block::new(&u, 1), BlockMut::new(&mut next, 1), &mut scratch);
            u[..start.len()].copy_from_slice(&next);
            states.push(next);
        }
        states
    }
}

/// A GRU of some units after some steps of training; the search sets out from states that it visits and from averages of
/// some of them, where borders lie.
pub fn measure(units: usize, budget: usize) -> Result<Memory> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let test: Vec<Example<f32>> = (0..200).map(|_| draw(STEPS, &mut rng)).collect();
    let model = model(recurrent(Kind::Gru, units, BITS, false, Readout::EveryStep), BITS)?;
    let plan = Plan { name: "three bits".into(), steps: budget, rate: 1e-2, growth: None, seed: 3, enough: None };
    let (learned, params) = learn(&plan, &model, &test, |_, rng| draw(STEPS, rng))?;
    let layers = model.encoder.layers;
    let mut params: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
    let head = params.split_off(layers.param_count::<f32>());
    let mut memory = Memory { error: learned.last(), found: Found::default(), cell: layers.cell(0), params, head };
    let visited = memory.follow(&vec![0.0; units], &pulses(300, &mut rng));
    let starts: Vec<Vec<f64>> = (0..STARTS)
        .map(|k| {
            let some: Vec<&Vec<f64>> = (0..=k % 4).map(|_| &visited[rng.random_range(1..visited.len())]).collect();
            (0..units).map(|i| some.iter().map(|state| state[i]).sum::<f64>() / some.len() as f64).collect()
        })
        .collect();
    memory.found = Resting::map(&memory.cell, &memory.params, &[0.0; BITS], 1)?.search(&starts)?;
    Ok(memory)
}

fn pulses(steps: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    draw(steps, rng).inputs.iter().map(|&x| f64::from(x)).collect()
}

/// A state's place along directions, from an average.
fn project(state: &[f64], mean: &DVector<f64>, directions: &DMatrix<f64>) -> [f64; BITS] {
    let along = directions.tr_mul(&(DVector::from_column_slice(state) - mean));
    [along[0], along[1], along[2]]
}

/// The planes of the first principal direction of the states under pulses with the second and with the third.
fn portrait(memory: &Memory) -> Result<PortraitFigure> {
    let units = memory.cell.state();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let visited = memory.follow(&vec![0.0; units], &pulses(1500, &mut rng)).split_off(1);
    let matrix = DMatrix::from_fn(units, visited.len(), |i, k| visited[k][i]);
    let mean = matrix.column_mean();
    let centred = DMatrix::from_fn(units, visited.len(), |i, k| matrix[(i, k)] - mean[i]);
    let eigen = (&centred * centred.transpose()).symmetric_eigen();
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let directions = eigen.eigenvectors.select_columns(&order[..BITS]);
    let place = |state: &[f64]| project(state, &mean, &directions);

    let still = vec![0.0; 400 * BITS];
    let mut curves: Vec<(&str, Look, Vec<[f64; BITS]>)> =
        vec![("under pulses", Look::Truth, visited.iter().map(|state| place(state)).collect())];
    for saddle in memory.found.points.iter().filter(|point| !point.nature.attracts()) {
        // What grows takes over whatever the push.
        let push: Vec<f64> = (0..units).map(|_| rng.random_range(-1e-3..1e-3)).collect();
        for side in [1.0, -1.0] {
            let start: Vec<f64> = saddle.state.iter().zip(&push).map(|(x, by)| x + side * by).collect();
            let way = memory.follow(&start, &still).iter().map(|state| place(state)).collect();
            curves.push(("without input, from beside a saddle", Look::Solid, way));
        }
    }
    let panel = |up: usize| -> Result<PortraitPanel> {
        let curves = curves.iter().map(|(name, look, way)| {
            Line::solid(*name, way.iter().map(|at| at[0]).collect(), way.iter().map(|at| at[up]).collect()).look(*look)
        });
        let points = memory.found.points.iter().map(|point| {
            let name = if point.nature.attracts() { digits(&memory.word(&point.state)?) } else { String::new() };
            let at = place(&point.state);
            Ok(PortraitPoint { at: [at[0], at[up]], nature: point.nature, name })
        });
        Ok(PortraitPanel {
            x: "first principal direction".into(),
            y: format!("{} principal direction", if up == 1 { "second" } else { "third" }),
            curves: curves.collect(),
            points: points.collect::<Result<_>>()?,
            ..PortraitPanel::default()
        })
    };
    Ok(PortraitFigure {
        title: "Where a GRU keeps three bits".into(),
        panels: vec![panel(1)?, panel(2)?],
        remarks: vec!["digits: the word that is read out there".into()],
    })
}

fn digits(word: &[f64; BITS]) -> String {
    word.iter().map(|bit| if *bit > 0.0 { '1' } else { '0' }).collect()
}

fn main() -> Result<()> {
    let memory = measure(16, if quick() { 60 } else { 800 })?;
    let Found { points, slow, failed } = &memory.found;
    let attracting = points.iter().filter(|point| point.nature.attracts()).count();
    println!("mean squared error of the bits {:.5}", memory.error);
    println!(
        "{attracting} places of rest attract, {} do not; {} slow points, {failed} failed",
        points.len() - attracting,
        slow.len()
    );
    println!("{:<15} {:>18} {:>8} {:>26}", "type", "largest multiplier", "growing", "read out");
    let mut rows: Vec<_> = points.iter().collect();
    rows.sort_by_key(|point| point.eigenvalues.iter().filter(|z| z.norm() > 1.0).count());
    for point in rows {
        let growing = point.eigenvalues.iter().filter(|z| z.norm() > 1.0).count();
        let word = memory.word(&point.state)?.map(|bit| format!("{bit:>8.3}")).concat();
        println!("{:<15} {:>18.4} {growing:>8} {word:>26}", point.nature.name(), point.eigenvalues[0].norm());
    }
    write_figure("three_bit_memory", &portrait_figure(&portrait(&memory)?)?)
}
