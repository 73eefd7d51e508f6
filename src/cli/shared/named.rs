//! Named systems as options ask for them.

use crate::analysis::section::Plane;
use crate::cli::args::{Common, Passages, SectionArgs};
use crate::dynamics::Crossing;
use crate::dynamics::systems::{Instance, Kind, Settings, system};
use crate::io::clipped;
use crate::solve::{self, Tableau};
use crate::{Error, Result};

/// The system with its parameters; where it has a seed of its own, `--seed` is that too unless it is set.
pub fn build(name: &str, set: &[String], common: &Common) -> Result<Instance> {
    let system = system(name)?;
    let mut settings = Settings::parse(set)?;
    if let (Some(seed), None) = (common.seed, settings.get("seed"))
        && system.parameters.iter().any(|parameter| parameter.name == "seed")
    {
        settings.set("seed", seed as f64)?;
    }
    system.build(&settings)
}

/// The start asked for, or the usual one.
pub fn start(given: Option<&Vec<f64>>, instance: &Instance) -> Result<Vec<f64>> {
    let Some(start) = given else { return Ok(instance.start.clone()) };
    if start.len() != instance.dim() {
        let (name, dim) = (instance.system.name, instance.dim());
        let what = format!("--start has {} numbers, {name} has {dim} components", start.len());
        return Err(Error::config(what, "give one number a component, as `flowmap systems` lists them"));
    }
    match start.iter().find(|y| !y.is_finite()) {
        Some(bad) => Err(Error::config(format!("--start holds {bad}"), "give finite numbers")),
        None => Ok(start.clone()),
    }
}

/// A method by its name, checked to step the system: partitioned ones step separable systems alone.
///
/// # Errors
/// If there is none of the name, or it does not.
pub fn method(name: &str, system: &str, separable: bool) -> Result<&'static Tableau> {
    let method = solve::method(name)?;
    if method.is_partitioned() && !separable {
        let what = format!("{} is for separable systems, and {system} is none", method.name);
        return Err(Error::config(what, "choose another method; `flowmap systems NAME` says what is separable"));
    }
    Ok(method)
}

/// The number of a component.
///
/// # Errors
/// If there is none of the name.
pub fn component(name: &str, instance: &Instance) -> Result<usize> {
    instance.labels.iter().position(|label| label == name).ok_or_else(|| {
        let what = format!("{} has no component `{}`", instance.system.name, clipped(name));
        Error::config(what, "`flowmap systems NAME` lists them")
    })
}

/// The plane asked for, checked before anything is computed.
///
/// # Errors
/// If there is no such component, or the system is no flow.
pub fn plane(args: &SectionArgs, instance: &Instance) -> Result<Option<Plane>> {
    let Some((component, value)) = &args.section else { return Ok(None) };
    let name = instance.system.name;
    if instance.system.kind != Kind::Flow {
        let what =
            format!("--section is given, but {name} is a {}, which steps over planes", instance.system.kind.name());
        return Err(Error::config(what, "leave it out"));
    }
    let at = self::component(component, instance)?;
    if !value.is_finite() {
        return Err(Error::config(format!("--section is at {value}"), "give a finite number"));
    }
    let crossing = match args.crossing {
        Passages::Rising => Crossing::Rising,
        Passages::Falling => Crossing::Falling,
        Passages::Either => Crossing::Either,
    };
    Plane::of_component(at, instance.dim(), *value, crossing).map(Some)
}
