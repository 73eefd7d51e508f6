//! Named systems.

use super::{Measurement, Subject, Usual, seen};
use crate::analysis::audit::{self, SumRule};
use crate::analysis::rest::Resting;
use crate::analysis::stability::step_map;
use crate::analysis::{Stepped, least_step, near};
use crate::cli::args::{Common, SourceArgs};
use crate::cli::shared::named;
use crate::dynamics::systems::{Instance, Kind};
use crate::dynamics::{Component, Field};
use crate::{Error, Result};
use serde_json::json;

/// Steps of the check by two trajectories, and of the whole cost of the checks.
const SEPARATION_STEPS: u64 = 200_000;
const SEPARATION_WORK: u64 = 20_000_000;

/// How a named system steps, unless asked otherwise.
pub struct SystemSteps<'a> {
    map: Map<'a>,
    params: &'a [f64],
    step: f64,
    /// What makes the steps.
    pub method: &'a str,
    field: Option<Field<'a, f64>>,
}

enum Map<'a> {
    Lent(&'a dyn Component<f64>),
    Made(Box<dyn Component<f64> + 'a>),
}

impl<'a> SystemSteps<'a> {
    /// By the method and step asked for, the system's own or the usual one.
    ///
    /// # Errors
    /// If the system cannot be stepped so.
    pub fn of(instance: &'a Instance, method: Option<&str>, step: Option<f64>) -> Result<Self> {
        let (system, name) = (instance.system, instance.system.name);
        if system.kind != Kind::Flow && (method.is_some() || step.is_some()) {
            let what = format!("{name} is a {}, which makes steps of its own", system.kind.name());
            return Err(Error::config(what, "leave --method and --step out"));
        }
        let own = instance.stepping.as_ref().filter(|own| method.is_none_or(|m| m == own.method));
        match (system.kind, own) {
            (Kind::Map | Kind::Delay, _) => Ok(Self {
                map: Map::Lent(&*instance.component),
                params: &instance.params,
                step: instance.step,
                method: "iteration",
                field: None,
            }),
            (Kind::Flow, Some(own)) => {
                if step.is_some_and(|step| step != own.step) {
                    let what = format!("{} takes steps of {}", own.method, own.step);
                    return Err(Error::config(what, "leave --step out, or name another method"));
                }
                let map = Map::Lent(&*own.map);
                Ok(Self { map, params: &own.params, step: own.step, method: own.method, field: None })
            }
            (Kind::Flow, None) => {
                let method = named::method(method.unwrap_or("rk4"), name, instance.separable)?;
                let (step, field) = (step.unwrap_or(system.measure.step), instance.field()?);
                seen(step, least_step(field, &instance.params, &instance.start, 0.0))?;
                let map = Map::Made(step_map(field, method, step)?);
                Ok(Self { map, params: &instance.params, step, method: method.name, field: Some(field) })
            }
        }
    }

    /// The step as the engine takes it.
    pub fn stepped(&self) -> Stepped<'_, f64> {
        let map = match &self.map {
            Map::Lent(map) => *map,
            Map::Made(map) => &**map,
        };
        Stepped::timed(map, self.params, self.step)
    }
}

pub fn measure<M: Measurement>(name: &str, args: &SourceArgs, common: &Common, measure: &M) -> Result<M::Found> {
    let instance = named::build(name, &args.set, common)?;
    let start = named::start(args.start.as_ref(), &instance)?;
    let stepping = SystemSteps::of(&instance, args.method.as_deref(), args.step)?;
    with(&instance, start, &stepping, args, common, measure)
}

fn with<M: Measurement>(
    instance: &Instance,
    start: Vec<f64>,
    stepping: &SystemSteps,
    args: &SourceArgs,
    common: &Common,
    with: &M,
) -> Result<M::Found> {
    let (system, step) = (instance.system, stepping.step);
    let stepped = &stepping.stepped();
    let measure = system.measure;
    let count = args.starts.map_or(measure.starts, |n| n as usize);
    let seed = common.seed.unwrap_or(0);
    let starts = near(&start, count, seed);
    let parameters: serde_json::Map<_, _> =
        system.parameters.iter().zip(&instance.values).map(|(p, &value)| (p.name.to_owned(), json!(value))).collect();
    let in_steps = |time: f64| (time / step.abs()).ceil().max(1.0) as u64;
    let mut rules = vec![SumRule::determinant(stepped)];
    rules.extend(stepping.field.map(|field| SumRule::divergence(field, &instance.params, step)));
    let cost = 1 + stepped.map.slab_len() as u64;
    let checked = SEPARATION_STEPS.min(SEPARATION_WORK / cost).max(2000);
    let warmup = in_steps(measure.warmup);
    // Most fields take time, and few change with it.
    let driven = stepping.field.map(|field| Resting::flow(field, &instance.params, 0.0)).transpose()?;
    let driven = driven.is_some_and(|field| field.changes_with_time(&start));
    let usual_exponents = Some(measure.exponents).filter(|&m| m > 0 && m < stepped.dim());
    with.measure(Subject {
        stepped,
        source: json!({
            "kind": system.kind.name(), "name": system.name, "parameters": parameters, "method": stepping.method,
            "exponents": if driven { "conditional" } else { "autonomous" }, "start": start,
        }),
        title: format!("{}: {}", system.name, system.title),
        per_time: system.kind != Kind::Map,
        usual: Usual { warmup, steps: in_steps(measure.time), exponents: usual_exponents },
        rules,
        sum: instance.sum_of_exponents,
        zeros: instance.zeros,
        pairs: instance.pairs,
        further: Box::new(|spectrum| {
            let start = &start;
            let apart = (checked / 10).max(1);
            vec![
                audit::leading(spectrum, stepped, start, checked, seed),
                audit::jacobian(stepped, start, warmup.min(checked), apart, seed),
            ]
        }),
        starts,
        outputs: 0..stepped.dim(),
    })
}
