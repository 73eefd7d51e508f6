//! `flowmap simulate --portrait`: where a named system rests, in a plane with its trajectory.

use crate::analysis::rest::{Found, Law, Nature, RestPoint, Resting, around};
use crate::cli::shared::named;
use crate::dynamics::systems::{Instance, Kind};
use crate::io::OutputFolder;
use crate::io::table::{self, Cell};
use crate::plot::{Line, Look, PortraitFigure, PortraitPanel, PortraitPoint, portrait_figure};
use crate::{Error, Result};
use serde::Serialize;

/// Files that it writes.
pub const FILES: [&str; 2] = ["rest.csv", "portrait.svg"];
/// Starts of the search.
const STARTS: usize = 200;
/// A search takes the cube of the dimensions.
const MOST_DIMENSIONS: usize = 128;
/// Arrows along an axis.
const ARROWS: usize = 22;

/// What is asked for, checked before anything is computed.
pub struct Portrait<'a> {
    resting: Resting<'a>,
    plane: [usize; 2],
}

/// A point of rest in the report.
#[derive(Serialize)]
pub struct RestReport {
    state: Vec<f64>,
    nature: &'static str,
    residual: f64,
    /// Real and imaginary parts, the least stable first.
    eigenvalues: Vec<[f64; 2]>,
}

impl<'a> Portrait<'a> {
    /// # Errors
    /// If the system has no plane or no rest, or the plane names no two of its components.
    pub fn of(instance: &'a Instance, plane: Option<&Vec<String>>, time: f64, start: &[f64]) -> Result<Self> {
        let (name, dim) = (instance.system.name, instance.dim());
        let refused = |what: String| Err(Error::config(what, "leave --portrait out"));
        if instance.system.kind == Kind::Delay {
            return refused(format!("{name} is a delay equation, whose state is a whole history"));
        }
        if !(2..=MOST_DIMENSIONS).contains(&dim) {
            return refused(format!(
                "{name} has {dim} components; portraits are of systems with 2 to {MOST_DIMENSIONS}"
            ));
        }
        let resting = match instance.system.kind {
            Kind::Flow => Resting::flow(instance.field()?, &instance.params, time)?,
            Kind::Map | Kind::Delay => {
                let time = vec![time; instance.component.in_dim() - dim];
                Resting::map(&*instance.component, &instance.params, &time, 1)?
            }
        };
        if resting.changes_with_time(start) {
            return refused(format!("{name} is driven by time and rests nowhere"));
        }
        let place = |wanted: &str| named::component(wanted, instance);
        let plane = match plane.map(Vec::as_slice) {
            None => [0, 1],
            Some([x, y]) if x != y => [place(x)?, place(y)?],
            Some(_) => return Err(Error::config("--plane does not name two components", "write --plane X,Y")),
        };
        Ok(Self { resting, plane })
    }

    /// Searches from along a trajectory and around, and writes `rest.csv` and `portrait.svg`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &OutputFolder, instance: &Instance, states: &[f64], seed: u64) -> Result<Found> {
        let dim = instance.dim();
        let found = self.resting.search(&around(states, dim, STARTS, seed))?;
        let mut header: Vec<String> = instance.labels.clone();
        header.extend(["type".into(), "residual".into()]);
        (1..=dim).for_each(|i| header.extend([format!("eigenvalue_{i}_re"), format!("eigenvalue_{i}_im")]));
        let rows = found.points.iter().map(|point| {
            let state = point.state.iter().map(|&x| Cell::from(x));
            let described = [point.nature.name().into(), point.residual.into()];
            let values = point.eigenvalues.iter().flat_map(|z| [z.re.into(), z.im.into()]);
            state.chain(described).chain(values).collect()
        });
        table::write(&folder.file("rest.csv"), &header, rows)?;
        folder.write("portrait.svg", &portrait_figure(&self.figure(instance, states, &found.points)?)?)?;
        Ok(found)
    }

    fn figure(&self, instance: &Instance, states: &[f64], points: &[RestPoint]) -> Result<PortraitFigure> {
        let dim = instance.dim();
        let [across, up] = self.plane.map(|i| states.iter().skip(i).step_by(dim).copied().collect::<Vec<f64>>());
        // A pendulum turned over many times rests too, but far from here.
        let near = [&across, &up].map(|values| stretched(span(values), 0.5));
        let at = |point: &RestPoint| self.plane.map(|i| point.state[i]);
        let inside = |at: [f64; 2]| (0..2).all(|k| (near[k][0]..=near[k][1]).contains(&at[k]));
        let shown: Vec<&RestPoint> = points.iter().filter(|point| inside(at(point))).collect();
        let view = [0, 1].map(|k| {
            let own = shown.iter().map(|point| at(point)[k]);
            stretched(span(&own.chain([&across, &up][k].iter().copied()).collect::<Vec<f64>>()), 0.05)
        });
        let flow = self.resting.law() == Law::Flow;
        let (name, look) = if flow { ("trajectory", Look::Solid) } else { ("states", Look::Marks) };
        let place = |point: &&RestPoint| PortraitPoint { at: at(point), nature: point.nature, name: String::new() };
        let panel = PortraitPanel {
            x: instance.labels[self.plane[0]].clone(),
            y: instance.labels[self.plane[1]].clone(),
            // What the field of more components does off the trajectory is not of this plane.
            arrows: if flow && dim == 2 { self.arrows(view)? } else { Vec::new() },
            curves: vec![Line::solid(name, across, up).look(look)],
            points: shown.iter().map(place).collect(),
        };
        let elsewhere = points.len() - shown.len();
        let remark = match points.len() {
            0 => Some("no point of rest was found".into()),
            _ => (elsewhere > 0).then(|| format!("{elsewhere} points of rest lie further out")),
        };
        Ok(PortraitFigure {
            title: format!("{}: {}", instance.system.name, instance.system.title),
            panels: vec![panel],
            remarks: remark.into_iter().collect(),
        })
    }

    /// The field's directions on a grid; the plane may have the two components in either order.
    fn arrows(&self, view: [[f64; 2]; 2]) -> Result<Vec<[[f64; 2]; 2]>> {
        let share = |step: usize, [low, high]: [f64; 2]| low + (high - low) * (step as f64 + 0.5) / ARROWS as f64;
        let arrow = |k: usize| {
            let at = [share(k % ARROWS, view[0]), share(k / ARROWS, view[1])];
            let mut state = [0.0; 2];
            self.plane.iter().zip(at).for_each(|(&i, x)| state[i] = x);
            let motion = self.resting.motion(&state)?;
            Ok([at, self.plane.map(|i| motion[i])])
        };
        (0..ARROWS * ARROWS).map(arrow).collect()
    }
}

/// What a search found, for the report.
pub fn report(found: &Found) -> Vec<RestReport> {
    let of = |point: &RestPoint| RestReport {
        state: point.state.clone(),
        nature: point.nature.name(),
        residual: point.residual,
        eigenvalues: point.eigenvalues.iter().map(|z| [z.re, z.im]).collect(),
    };
    found.points.iter().map(of).collect()
}

/// How many there are of each type, in words.
pub fn in_words(found: &Found) -> String {
    let count = |nature: Nature| found.points.iter().filter(|point| point.nature == nature).count();
    let some = Nature::ALL.into_iter().map(|nature| (count(nature), nature.name())).filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, name)| format!("{count} {name}")).collect();
    if some.is_empty() { "none found".into() } else { some.join(", ") }
}

fn span(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| [low.min(x), high.max(x)])
}

/// Wider by a share on either side.
fn stretched([low, high]: [f64; 2], share: f64) -> [f64; 2] {
    let room = (share * (high - low)).max(1e-6 * (1.0 + low.abs()));
    [low - room, high + room]
}
