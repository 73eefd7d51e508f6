//! Named systems.

use super::super::args::{Common, LyapunovArgs};
use super::super::console::Console;
use super::super::simulate;
use super::{Subject, Usual, finish};
use crate::analysis::audit::{self, SumRule};
use crate::analysis::stability::step_map;
use crate::analysis::{Stepped, near};
use crate::dynamics::Field;
use crate::dynamics::systems::{Instance, Kind};
use crate::solve;
use crate::{Error, Result};
use serde_json::json;

/// Steps of the check by two trajectories, and of the whole cost of the checks.
const SEPARATION_STEPS: u64 = 200_000;
const SEPARATION_WORK: u64 = 20_000_000;

pub fn measure(name: &str, args: &LyapunovArgs, common: &Common, console: &Console) -> Result<()> {
    let instance = simulate::build(name, &args.set, common)?;
    let start = simulate::start(args.start.as_ref(), &instance)?;
    let system = instance.system;
    if system.kind != Kind::Flow && (args.method.is_some() || args.step.is_some()) {
        let what = format!("{name} is a {}, which makes steps of its own", system.kind.name());
        return Err(Error::config(what, "leave --method and --step out"));
    }
    let own = instance.stepping.as_ref().filter(|own| args.method.as_ref().is_none_or(|m| m == own.method));
    match (system.kind, own) {
        (Kind::Map | Kind::Delay, _) => {
            let stepped = Stepped::timed(&*instance.component, &instance.params, instance.step);
            with(&instance, start, &stepped, None, "iteration", args, common, console)
        }
        (Kind::Flow, Some(own)) => {
            if args.step.is_some_and(|step| step != own.step) {
                let what = format!("{} takes steps of {}", own.method, own.step);
                return Err(Error::config(what, "leave --step out, or name another method"));
            }
            let stepped = Stepped::timed(&*own.map, &own.params, own.step);
            with(&instance, start, &stepped, None, own.method, args, common, console)
        }
        (Kind::Flow, None) => {
            let method = solve::method(args.method.as_deref().unwrap_or("rk4"))?;
            if matches!(method.kind, solve::Kind::Partitioned(_)) && !instance.separable {
                let what = format!("{} is for separable systems, and {name} is none at these parameters", method.name);
                return Err(Error::config(what, "choose another method"));
            }
            let step = args.step.unwrap_or(system.measure.step);
            let field = instance.field()?;
            let map = step_map(field, method, step)?;
            let stepped = Stepped::timed(&*map, &instance.params, step);
            with(&instance, start, &stepped, Some(field), method.name, args, common, console)
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "the parts of one description")]
fn with(
    instance: &Instance,
    start: Vec<f64>,
    stepped: &Stepped<f64>,
    field: Option<Field<f64>>,
    method: &str,
    args: &LyapunovArgs,
    common: &Common,
    console: &Console,
) -> Result<()> {
    let (system, step) = (instance.system, stepped.clock.step);
    let measure = system.measure;
    let count = args.starts.map_or(measure.starts, |n| n as usize);
    let seed = common.seed.unwrap_or(0);
    let starts = near(&start, count, seed);
    let parameters: serde_json::Map<_, _> =
        system.parameters.iter().zip(&instance.values).map(|(p, &value)| (p.name.to_owned(), json!(value))).collect();
    let in_steps = |time: f64| (time / step.abs()).ceil().max(1.0) as u64;
    let mut rules = vec![SumRule::determinant(stepped)];
    rules.extend(field.map(|field| SumRule::divergence(field, &instance.params, step)));
    let cost = 1 + stepped.map.slab_len() as u64;
    let checked = SEPARATION_STEPS.min(SEPARATION_WORK / cost).max(2000);
    let warmup = in_steps(measure.warmup);
    let usual_exponents = Some(measure.exponents).filter(|&m| m > 0 && m < stepped.dim());
    finish(
        Subject {
            stepped,
            source: json!({
                "kind": system.kind.name(), "name": system.name, "parameters": parameters, "method": method,
                "exponents": "autonomous", "start": start,
            }),
            title: format!("{}: {}", system.name, system.title),
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
        },
        args,
        common,
        console,
    )
}
