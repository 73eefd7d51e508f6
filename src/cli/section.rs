//! `flowmap simulate --section`: where a flow's trajectory passes a value of a component.

use super::args::{Passages, SectionArgs};
use super::{figures, tables};
use crate::analysis::section::{Plane, Section};
use crate::dynamics::Crossing;
use crate::dynamics::systems::{Instance, Kind};
use crate::io::{OutputFolder, clipped};
use crate::plot::TrajectoryFigure;
use crate::solve::Options;
use crate::{Error, Result};

/// Files that it writes.
pub const FILES: [&str; 2] = ["section.csv", "section.svg"];

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
    let at = instance.labels.iter().position(|label| label == component).ok_or_else(|| {
        let what = format!("{name} has no component `{}`", clipped(component));
        Error::config(what, "`flowmap systems NAME` lists them")
    })?;
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

/// Follows the trajectory once more, with an event at the plane, and writes `section.csv` and `section.svg`.
///
/// # Errors
/// Those of [`Plane::section`]; if a file cannot be written.
pub fn write(
    folder: &OutputFolder,
    instance: &Instance,
    plane: &Plane,
    start: (f64, &[f64]),
    span: [f64; 2],
    options: &Options,
) -> Result<Section> {
    let section = plane.section(instance.field()?, &instance.params, start, span, options)?;
    tables::write_states(&folder.file("section.csv"), &instance.labels, &section.times, &section.states)?;
    let dim = instance.dim();
    let others = instance.labels.iter().enumerate().filter(|(i, _)| plane.normal[*i] == 0.0);
    let column = |i: usize| section.states.iter().skip(i).step_by(dim).copied().collect();
    let cut = plane.normal.iter().position(|n| *n != 0.0).map_or("", |i| &instance.labels[i]);
    let figure = TrajectoryFigure {
        title: format!("{}: {}", instance.system.name, instance.system.title),
        time: "time".into(),
        times: section.times.clone(),
        components: others.map(|(i, label)| (label.clone(), column(i))).collect(),
        points: true,
        remark: format!("{} passages through {cut} = {}", section.times.len(), plane.offset),
    };
    figures::write_section(folder, &figure)?;
    Ok(section)
}
