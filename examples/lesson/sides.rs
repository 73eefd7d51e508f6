//! What lies on either side of a saddle.

use flowmap::Result;
use flowmap::analysis::rest::{Nature, RestPoint};
use flowmap::cells::{Along, Cell, Ragged, SequenceTape};
use flowmap::dynamics::PointJacobian;
use nalgebra::{DMatrix, DVector};

/// For each saddle with a single unstable direction the numbers of the points that a cell with an input of 0 falls to from its
/// one side and from its other, the nearest after some thousand steps.
pub fn of_saddles(cell: &Cell, params: &[f64], points: &[RestPoint]) -> Result<Vec<[usize; 2]>> {
    let border = |point: &&RestPoint| {
        point.nature == Nature::Saddle && point.eigenvalues.iter().filter(|z| z.norm() > 1.0).count() == 1
    };
    points.iter().filter(border).map(|point| sides(cell, params, point, points)).collect()
}

fn sides(cell: &Cell, params: &[f64], saddle: &RestPoint, points: &[RestPoint]) -> Result<[usize; 2]> {
    let away = unstable(cell, params, &saddle.state);
    let (ragged, inputs) = (Ragged::new(&[4000]), vec![0.0; 4000 * cell.inputs]);
    let mut ends = [0; 2];
    for (end, sign) in ends.iter_mut().zip([1e-3, -1e-3]) {
        let start: Vec<f64> = saddle.state.iter().zip(away.iter()).map(|(h, a)| h + sign * a).collect();
        let mut tape = SequenceTape::default();
        tape.run(cell, params, &Along { ragged: &ragged, inputs: &inputs, start: Some(&start) }, false)?;
        let distance = |point: &RestPoint| point.state.iter().zip(tape.last()).map(|(a, b)| (a - b).powi(2)).sum();
        let distances: Vec<f64> = points.iter().map(distance).collect();
        *end = (0..points.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or(0);
    }
    Ok(ends)
}

/// The unstable direction, by power iteration.
fn unstable(cell: &Cell, params: &[f64], state: &[f64]) -> DVector<f64> {
    let u = [state, &vec![0.0; cell.inputs]].concat();
    let rows = PointJacobian::new(cell, params).at(&u, state.len());
    let matrix = DMatrix::from_row_slice(state.len(), state.len(), &rows);
    (0..500).fold(DVector::repeat(state.len(), 1.0), |away, _| (&matrix * away).normalize())
}
