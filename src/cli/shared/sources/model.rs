//! Fitted models.

use super::{Measurement, Subject, Usual, seen};
use crate::analysis::audit::{self, SumRule};
use crate::analysis::stability::step_map;
use crate::analysis::{Stepped, least_step, near, suited_step};
use crate::cli::args::{Common, SourceArgs};
use crate::cli::shared::named;
use crate::models::Fitted;
use crate::{Error, Result};
use serde_json::json;
use std::path::Path;

const STARTS: usize = 2;
/// Spans of the training data walked before counting, and counted, but not more steps than these.
const WARMUP_SPANS: f64 = 1.0;
const SPANS: f64 = 50.0;
const MOST_STEPS: f64 = 100_000.0;

pub fn measure<M: Measurement>(folder: &Path, args: &SourceArgs, common: &Common, with: &M) -> Result<M::Found> {
    let path = folder.join("model.safetensors");
    let fitted = Fitted::load(&path)?;
    let (model, unit) = (fitted.model()?, fitted.scaling.time_unit);
    let (field, params) = (model.field()?, &fitted.params[model.field_params()]);
    let Some(anchor) = fitted.anchors.last() else {
        return Err(Error::format(&path, "it knows no state to start from", "fit it to at least one series"));
    };
    let start = match &args.start {
        None => anchor.state.clone(),
        Some(start) if start.len() == model.state_dim() && start.iter().all(|x| x.is_finite()) => start.clone(),
        Some(start) => {
            let what = format!("--start has {} numbers, the model's state has {}", start.len(), model.state_dim());
            return Err(Error::config(what, "give one finite number a row of the state, in the model's units"));
        }
    };
    let method = named::method(args.method.as_deref().unwrap_or("rk4"), "a fitted model", false)?;
    let step = match args.step {
        Some(step) => step / unit,
        None => suited_step(field, params, &start, anchor.time, fitted.span)?,
    };
    seen(step * unit, least_step(field, params, &start, anchor.time) * unit)?;
    let map = step_map(field, method, step)?;
    // The model's time is that of the file in a unit of its own; exponents are told in the file's.
    let mut stepped = Stepped::timed(&*map, params, step);
    (stepped.clock.start, stepped.clock.unit) = (anchor.time, unit);
    let seed = common.seed.unwrap_or(0);
    let in_steps = |spans: f64| (spans * fitted.span / step.abs()).clamp(1.0, MOST_STEPS).ceil() as u64;
    let (warmup, steps) = (in_steps(WARMUP_SPANS), in_steps(SPANS).max(20_000));
    let timed = stepped.takes_time();
    with.measure(Subject {
        stepped: &stepped,
        starts: near(&start, args.starts.map_or(STARTS, |n| n as usize), seed),
        source: json!({
            "kind": "model", "name": folder, "model": "neural-ode", "method": method.name,
            "exponents": if timed { "conditional" } else { "autonomous" }, "start": start, "time_unit": unit,
        }),
        title: format!("{}: the fitted model", folder.display()),
        per_time: true,
        usual: Usual { warmup, steps, exponents: None },
        rules: vec![SumRule::determinant(&stepped), SumRule::divergence(field, params, step)],
        sum: None,
        zeros: usize::from(!timed),
        pairs: None,
        further: Box::new(|spectrum| {
            let checked = spectrum.steps.min(20_000);
            let apart = (checked / 10).max(1);
            vec![
                audit::leading(spectrum, &stepped, &start, checked, seed),
                audit::jacobian(&stepped, &start, warmup.min(checked), apart, seed),
            ]
        }),
        outputs: 0..stepped.dim(),
    })
}
