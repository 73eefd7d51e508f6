//! What is stepped: a named system, a matrix, or a fitted model.

use super::subject::Subject;
use crate::analysis::rest::{Found, eigenvalues};
use crate::cli::args::{Common, StabilityArgs};
use crate::cli::shared::named;
use crate::dynamics::Field;
use crate::dynamics::systems::{Instance, Kind};
use crate::io::{clipped, read_matrix};
use crate::models::{Fitted, NeuralOde};
use crate::nn::{Activation, Mlp};
use crate::{Error, Result};
use nalgebra::{Complex, DMatrix};
use std::f64::consts::TAU;
use std::path::Path;

/// Share of the standard deviation of the data, or of the trajectory, that a step may be off.
pub const SHARE: f64 = 0.1;
/// Lyapunov times that a chaotic system is followed for unless asked otherwise: errors of steps grow tenfold.
const LYAPUNOV_TIMES: f64 = 2.3;
/// A linear system is followed until its slowest decay, or else its fastest growth, has gone through so many e-foldings, or
/// for so many turns where it does neither.
const DECAYED: f64 = 5.0;
const TURNS: f64 = 5.0;
/// A real part this small beside its eigenvalue neither grows nor decays.
pub const NEITHER: f64 = 1e-9;

/// Owns what a [`Subject`] borrows.
pub enum Source {
    System(Box<Instance>),
    Matrix { field: Mlp, params: Vec<f64>, dim: usize, path: String, span: f64 },
    Model { fitted: Box<Fitted>, model: Box<NeuralOde>, path: String },
}

impl Source {
    pub fn of(args: &StabilityArgs, common: &Common) -> Result<Self> {
        match (&args.system, &args.matrix, &args.model) {
            (Some(name), _, _) => {
                let instance = named::build(name, &args.set, common)?;
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

    pub fn name(&self) -> &str {
        match self {
            Self::System(instance) => instance.system.name,
            Self::Matrix { path, .. } | Self::Model { path, .. } => path,
        }
    }

    /// Whether partitioned methods step it.
    pub fn is_separable(&self) -> bool {
        matches!(self, Self::System(instance) if instance.separable)
    }

    /// What is to be looked at, not yet explored.
    pub fn subject(&self, args: &StabilityArgs) -> Result<Subject<'_>> {
        match self {
            Self::System(instance) => system(instance, args),
            Self::Matrix { field, params, dim, span, .. } => Ok(Subject {
                name: self.name().into(),
                kind: "matrix",
                labels: (0..*dim).map(|i| format!("y{i}")).collect(),
                start: start(args, *dim, "the matrix has as many rows", || vec![1.0; *dim])?,
                span: *span,
                is_linear: true,
                ..bare(Field::autonomous(field)?, params)
            }),
            Self::Model { fitted, model, path } => self::model(fitted, model, path, args),
        }
    }
}

/// A subject of which nothing but its field is known.
fn bare<'a>(field: Field<'a, f64>, params: &'a [f64]) -> Subject<'a> {
    Subject {
        name: String::new(),
        kind: "",
        field,
        params,
        labels: Vec::new(),
        start: Vec::new(),
        time: 0.0,
        span: 0.0,
        unit: 1.0,
        is_linear: false,
        energy: None,
        tolerance: Vec::new(),
        timed: false,
        rest: Found::default(),
        attracting: None,
    }
}

fn system<'a>(instance: &'a Instance, args: &StabilityArgs) -> Result<Subject<'a>> {
    let leading = instance.system.references.iter().find(|r| r.settings.is_empty());
    let leading = leading.and_then(|r| r.exponents.first()).map_or(0.0, |e| e.value);
    let whole = instance.system.span.end;
    let energy = || instance.conserved.iter().find(|c| c.name == "energy").map(|c| &*c.quantity);
    Ok(Subject {
        name: instance.system.name.into(),
        kind: "system",
        labels: instance.labels.clone(),
        start: named::start(args.start.as_ref(), instance)?,
        span: if leading > 0.0 { whole.min(LYAPUNOV_TIMES / leading) } else { whole },
        energy: instance.energy.as_deref().or_else(energy),
        ..bare(instance.field()?, &instance.params)
    })
}

fn model<'a>(fitted: &'a Fitted, model: &'a NeuralOde, path: &str, args: &StabilityArgs) -> Result<Subject<'a>> {
    let Some(anchor) = fitted.anchors.first() else {
        let what = "the model knows no state to start from";
        return Err(Error::config(what, "fit it to at least one series"));
    };
    let (dim, channels) = (model.state_dim(), &fitted.scaling.channels);
    let further = (channels.len()..dim).map(|i| format!("state {i}"));
    Ok(Subject {
        name: path.into(),
        kind: "model",
        labels: channels.iter().map(|c| c.name.clone()).chain(further).collect(),
        start: start(args, dim, "the model's state has as many rows", || anchor.state.clone())?,
        time: anchor.time,
        span: fitted.span,
        unit: fitted.scaling.time_unit,
        // The model's units are standard deviations of the training data; further rows are not observed.
        tolerance: (0..dim).map(|i| if i < channels.len() { SHARE } else { f64::INFINITY }).collect(),
        ..bare(model.field()?, &fitted.params[model.field_params()])
    })
}

fn start(args: &StabilityArgs, dim: usize, why: &str, usual: impl Fn() -> Vec<f64>) -> Result<Vec<f64>> {
    let start = args.start.clone().unwrap_or_else(usual);
    if start.len() == dim {
        return Ok(start);
    }
    let what = format!("--start has {} numbers", start.len());
    Err(Error::config(what, format!("give {dim}, {why}")))
}

fn matrix(path: &Path) -> Result<Source> {
    let matrix = read_matrix(path)?;
    let (dim, rows) = (matrix.columns, matrix.rows());
    if rows != dim {
        let what = format!("it holds {rows} rows of {dim} numbers, and a matrix A of y' = A y is square");
        return Err(Error::format(path, what, "give as many rows as columns, under a line of names"));
    }
    let span = matrix_span(&DMatrix::from_row_slice(dim, dim, &matrix.values));
    let Some(span) = span else {
        let largest = matrix.values.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let what = format!("its largest number is {largest:e}, too far from 1 for times to be numbers");
        return Err(Error::format(path, what, "give the rates A in another unit of time"));
    };
    let columns = (0..dim).flat_map(|j| (0..dim).map(move |i| (i, j)));
    let mut params: Vec<f64> = columns.map(|(i, j)| matrix.values[i * dim + j]).collect();
    params.resize(dim * dim + dim, 0.0);
    let field = Mlp::new(&[dim, dim], Activation::Identity, Activation::Identity)?;
    Ok(Source::Matrix { field, params, dim, path: clipped(&path.display().to_string()), span })
}

/// How long a linear system is followed; none if its eigenvalues or its times are not numbers.
fn matrix_span(matrix: &DMatrix<f64>) -> Option<f64> {
    let modes = eigenvalues(matrix.clone())?;
    let neither = |z: &&Complex<f64>| z.re.abs() <= NEITHER * z.norm();
    let slowest = modes.iter().filter(|z| z.re < 0.0 && !neither(z)).map(|z| DECAYED / -z.re).reduce(f64::max);
    let growing = modes.iter().filter(|z| z.re > 0.0 && !neither(z)).map(|z| DECAYED / z.re).reduce(f64::min);
    let turning = modes.iter().filter(|z| z.im != 0.0).map(|z| TURNS * TAU / z.im.abs()).reduce(f64::max);
    let largest = if matrix.amax() > 0.0 { matrix.amax() } else { 1.0 };
    // What grows is out of sight before the rest has decayed; without eigenvalues only the matrix's size tells a time.
    let span = growing.or(slowest).or(turning).unwrap_or(1.0 / largest);
    // Steps up to ten thousand times the fastest mode's time are tried.
    (span.is_finite() && (1e5 / largest).is_finite()).then_some(span)
}
