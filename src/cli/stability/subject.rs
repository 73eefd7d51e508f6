//! What is stepped: a named system, a matrix, or a fitted model.

use super::super::args::{Common, StabilityArgs};
use super::super::simulate;
use crate::analysis::rest::{Found, RestPoint, Resting};
use crate::analysis::stability::{Course, accurate};
use crate::dynamics::systems::{Instance, Kind};
use crate::dynamics::{Component, Field, jacobian};
use crate::io::{clipped, read_matrix};
use crate::linalg::{Block, BlockMut};
use crate::models::{Fitted, NeuralOde};
use crate::nn::{Activation, Mlp};
use crate::series::grid::spread;
use crate::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::path::Path;

/// Starts of the search for rest beside those that suggest themselves.
const FURTHER_STARTS: usize = 24;
/// Share of the standard deviation of the data, or of the trajectory, that a step may be off.
const SHARE: f64 = 0.1;
/// Rows of the trajectory that deviations are taken from.
const ROWS: usize = 400;
/// Lyapunov times that a chaotic system is followed for unless asked otherwise: errors of steps grow tenfold.
const LYAPUNOV_TIMES: f64 = 2.3;

/// Owns what a [`Subject`] borrows.
pub enum Source {
    System(Box<Instance>),
    Matrix { field: Mlp, params: Vec<f64>, dim: usize, path: String },
    Model { fitted: Box<Fitted>, model: Box<NeuralOde>, path: String },
}

/// A field with a trajectory, its point of rest if one attracts, and what a step may be off.
pub struct Subject<'a> {
    pub name: String,
    pub kind: &'static str,
    pub field: Field<'a, f64>,
    pub params: &'a [f64],
    pub labels: Vec<String>,
    pub start: Vec<f64>,
    pub time: f64,
    pub span: f64,
    /// Units of time outside in one of the field's.
    pub unit: f64,
    pub separable: bool,
    pub energy: Option<&'a dyn Component<f64>>,
    pub tolerance: Vec<f64>,
    /// Whether the field changes with time.
    pub timed: bool,
    pub rest: Found,
    /// The point of rest that attracts, nearest to where the trajectory ends.
    pub attracting: Option<RestPoint>,
}

impl Source {
    pub fn of(args: &StabilityArgs, common: &Common) -> Result<Self> {
        match (&args.system, &args.matrix, &args.model) {
            (Some(name), _, _) => {
                let instance = simulate::build(name, &args.set, common)?;
                if instance.system.kind != Kind::Flow {
                    let what = format!("{name} is a {}, and no method steps it", instance.system.kind.name());
                    return Err(Error::config(what, "choose a flow; `flowmap systems` lists them"));
                }
                Ok(Self::System(Box::new(instance)))
            }
            (_, Some(path), _) => matrix(path),
            (_, _, Some(folder)) => {
                let fitted = Fitted::load(&folder.join("model.safetensors"))?;
                let model = Box::new(fitted.model()?);
                Ok(Self::Model { fitted: Box::new(fitted), model, path: folder.display().to_string() })
            }
            _ => Err(Error::config("nothing to step is named", "give --system, --matrix or --model")),
        }
    }

    pub fn subject(&self, args: &StabilityArgs, seed: u64) -> Result<Subject<'_>> {
        let mut subject = match self {
            Self::System(instance) => {
                let start = simulate::start(args.start.as_ref(), instance)?;
                let leading = instance.system.references.iter().find(|r| r.settings.is_empty());
                let leading = leading.and_then(|r| r.exponents.first()).map_or(0.0, |e| e.value);
                let whole = instance.system.span.end;
                let span = if leading > 0.0 { whole.min(LYAPUNOV_TIMES / leading) } else { whole };
                let energy = || instance.conserved.iter().find(|c| c.name == "energy").map(|c| &*c.quantity);
                Subject {
                    name: instance.system.name.into(),
                    kind: "system",
                    field: instance.field()?,
                    params: &instance.params,
                    labels: instance.labels.clone(),
                    start,
                    time: 0.0,
                    span,
                    unit: 1.0,
                    separable: instance.separable,
                    energy: instance.energy.as_deref().or_else(energy),
                    tolerance: Vec::new(),
                    timed: false,
                    rest: Found::default(),
                    attracting: None,
                }
            }
            Self::Matrix { field, params, dim, path } => {
                let start = args.start.clone().unwrap_or_else(|| vec![1.0; *dim]);
                if start.len() != *dim || start.iter().any(|x| !x.is_finite()) {
                    let what = format!("--start has {} numbers, the matrix has {dim} rows", start.len());
                    return Err(Error::config(what, "give one finite number a row"));
                }
                let modes = Resting::flow(Field::autonomous(field)?, params, 0.0)?.describe(&vec![0.0; *dim]);
                let slowest =
                    modes.iter().flat_map(|m| &m.eigenvalues).map(|z| z.re.abs()).fold(f64::INFINITY, f64::min);
                let fastest = modes.iter().flat_map(|m| &m.eigenvalues).map(|z| z.norm()).fold(0.0, f64::max);
                // Long enough for the slowest mode to fade, within reason.
                let span = if fastest > 0.0 { (5.0 / slowest).clamp(5.0 / fastest, 1e4 / fastest) } else { 1.0 };
                Subject {
                    name: path.clone(),
                    kind: "matrix",
                    field: Field::autonomous(field)?,
                    params,
                    labels: (0..*dim).map(|i| format!("y{i}")).collect(),
                    start,
                    time: 0.0,
                    span,
                    unit: 1.0,
                    separable: false,
                    energy: None,
                    tolerance: Vec::new(),
                    timed: false,
                    rest: Found::default(),
                    attracting: None,
                }
            }
            Self::Model { fitted, model, path } => {
                let Some(anchor) = fitted.anchors.first() else {
                    let what = "the model knows no state to start from";
                    return Err(Error::config(what, "fit it to at least one series"));
                };
                let dim = model.state_dim();
                let start = args.start.clone().unwrap_or_else(|| anchor.state.clone());
                if start.len() != dim || start.iter().any(|x| !x.is_finite()) {
                    let what = format!("--start has {} numbers, the model's state has {dim}", start.len());
                    return Err(Error::config(what, "give one finite number a row of the state, in the model's units"));
                }
                let channels = fitted.scaling.channels.len();
                let extra = (channels..dim).map(|i| format!("state {i}"));
                Subject {
                    name: path.clone(),
                    kind: "model",
                    field: model.field()?,
                    params: &fitted.params[model.field_params()],
                    labels: fitted
                        .scaling
                        .channels
                        .iter()
                        .map(|c| format!("{} (scaled)", c.name))
                        .chain(extra)
                        .collect(),
                    start,
                    time: anchor.time,
                    span: fitted.span,
                    unit: fitted.scaling.time_unit,
                    separable: false,
                    energy: None,
                    // The model's units are standard deviations of the training data; further rows are not observed.
                    tolerance: (0..dim).map(|i| if i < channels { SHARE } else { f64::INFINITY }).collect(),
                    timed: false,
                    rest: Found::default(),
                    attracting: None,
                }
            }
        };
        if let Some(span) = args.span {
            if !(span > 0.0 && span.is_finite()) {
                return Err(Error::config(format!("--span is {span}"), "give a positive number"));
            }
            subject.span = span / subject.unit;
        }
        subject.explore(seed)?;
        Ok(subject)
    }
}

impl Subject<'_> {
    pub fn course(&self) -> Course<'_> {
        Course { start: &self.start, time: self.time, span: self.span, tolerance: &self.tolerance }
    }

    /// The accurate trajectory at evenly spread times: times, and states one after another.
    pub fn trajectory(&self, rows: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let times = spread(self.time, self.time + self.span, rows);
        let states = accurate(self.field, self.params, self.course(), &times)?;
        Ok((times, states))
    }

    /// Follows the trajectory, and looks for places of rest along it and around.
    fn explore(&mut self, seed: u64) -> Result<()> {
        let dim = self.start.len();
        let (_, states) = match self.trajectory(ROWS) {
            Ok(followed) => followed,
            // What grows beyond all bounds has no trajectory to keep to, and rests where it rests.
            Err(Error::Solve { .. }) if self.tolerance.is_empty() => (Vec::new(), self.start.clone()),
            Err(error) => return Err(error),
        };
        let rows = states.len() / dim;
        let column = |i: usize| states.iter().skip(i).step_by(dim);
        let mean: Vec<f64> = (0..dim).map(|i| column(i).sum::<f64>() / rows as f64).collect();
        let spread = |i: usize| (column(i).map(|x| (x - mean[i]).powi(2)).sum::<f64>() / rows as f64).sqrt();
        let deviations: Vec<f64> = (0..dim).map(spread).collect();
        if self.tolerance.is_empty() {
            self.tolerance = deviations.iter().map(|d| SHARE * d.max(1e-300)).collect();
        }
        self.timed = (0..rows.min(5)).any(|k| self.changes_with_time(&states[k * (rows / 5).max(1) * dim..][..dim]));
        if self.timed {
            return Ok(());
        }
        let end = states[states.len() - dim..].to_vec();
        let mut starts = vec![end.clone(), vec![0.0; dim], mean.clone(), self.start.clone()];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..FURTHER_STARTS {
            let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
            starts.push((0..dim).map(|i| mean[i] + 2.0 * deviations[i].max(1e-3) * draw()).collect());
        }
        self.rest = Resting::flow(self.field, self.params, self.time)?.search(&starts)?;
        // What lies far from where the trajectory goes is of another world, such as a pendulum turned over many times.
        let near = |state: &[f64]| {
            let size = |i: usize| 5.0 * deviations[i].max(1e-3) + (self.start[i] - mean[i]).abs();
            state.iter().enumerate().all(|(i, x)| (x - mean[i]).abs() <= size(i))
                || state.iter().all(|x| x.abs() < 1e-6)
        };
        self.rest.points.retain(|point| near(&point.state));
        let far = |p: &RestPoint| p.state.iter().zip(&end).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let attracting = self.rest.points.iter().filter(|p| p.nature.attracts());
        self.attracting = attracting.min_by(|a, b| far(a).total_cmp(&far(b))).cloned();
        Ok(())
    }

    fn changes_with_time(&self, state: &[f64]) -> bool {
        let (component, dim) = (self.field.component, state.len());
        if component.in_dim() == dim {
            return false;
        }
        let mut arguments = state.to_vec();
        arguments.push(self.time);
        let (mut out, mut slab) = (vec![0.0; dim], vec![0.0; component.slab_len()]);
        let (u, value, kept) = (Block::new(&arguments, 1), BlockMut::new(&mut out, 1), BlockMut::new(&mut slab, 1));
        component.linearize(self.params, u, value, kept, &mut vec![0.0; component.scratch_len()]);
        let rows = jacobian(component, self.params, Block::new(&slab, 1), dim + 1);
        rows.chunks_exact(dim + 1).any(|row| row[dim] != 0.0)
    }
}

fn matrix(path: &Path) -> Result<Source> {
    let matrix = read_matrix(path)?;
    let dim = matrix.columns;
    if matrix.rows() != dim {
        let what = format!("it holds {} rows of {dim} numbers", matrix.rows());
        return Err(Error::format(path, what, "give a square matrix, under a header of one name a column"));
    }
    let name = clipped(&path.display().to_string());
    let columns = (0..dim).flat_map(|j| (0..dim).map(move |i| (i, j)));
    let mut params: Vec<f64> = columns.map(|(i, j)| matrix.values[i * dim + j]).collect();
    params.resize(dim * dim + dim, 0.0);
    let field = Mlp::new(&[dim, dim], Activation::Identity, Activation::Identity)?;
    Ok(Source::Matrix { field, params, dim, path: name.to_string() })
}
