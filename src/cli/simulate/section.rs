//! `flowmap simulate --section`: where a flow's trajectory passes a value of a component.

use super::trajectory;
use crate::Result;
use crate::analysis::section::{Plane, Section};
use crate::dynamics::systems::Instance;
use crate::io::OutputFolder;
use crate::plot::TrajectoryFigure;
use crate::solve::Options;

/// Files that it writes.
pub const FILES: [&str; 2] = ["section.csv", "section.svg"];

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
    let components = trajectory::components(&instance.labels, &section.states).into_iter().zip(&plane.normal);
    let cut = plane.normal.iter().position(|n| *n != 0.0).map_or("", |i| &instance.labels[i]);
    let figure = TrajectoryFigure {
        title: format!("{}: {}", instance.system.name, instance.system.title),
        time: "time".into(),
        times: section.times.clone(),
        components: components.filter(|(_, normal)| **normal == 0.0).map(|(component, _)| component).collect(),
        points: true,
        remark: format!("{} passages through {cut} = {}", section.times.len(), plane.offset),
    };
    trajectory::write(folder, "section", &instance.labels, &section.states, &figure)?;
    Ok(section)
}
