//! Blocks whose lanes are several groups over the same points: lane `j·points + p` belongs to point `p`.

use super::{Block, outer_add};
use crate::Real;

/// `v ← d ⊙ v`, where `d` is `rows × points` and `v` is `rows × (groups·points)`.
pub fn scale_points<T: Real>(d: &[T], points: usize, v: &mut [T], lanes: usize) {
    if points == lanes {
        v.iter_mut().zip(d).for_each(|(v, &d)| *v *= d);
        return;
    }
    for (row, d) in v.chunks_exact_mut(lanes).zip(d.chunks_exact(points)) {
        if let [d] = d {
            row.iter_mut().for_each(|v| *v *= *d);
        } else {
            for group in row.chunks_exact_mut(points) {
                group.iter_mut().zip(d).for_each(|(v, &d)| *v *= d);
            }
        }
    }
}

/// `out = d ⊙ v`, shapes as for [`scale_points`].
pub fn scaled_points<T: Real>(d: &[T], points: usize, v: &[T], out: &mut [T], lanes: usize) {
    for (to, (row, d)) in out.chunks_exact_mut(lanes).zip(v.chunks_exact(lanes).zip(d.chunks_exact(points))) {
        if let [d] = d {
            to.iter_mut().zip(row).for_each(|(to, &v)| *to = v * *d);
        } else {
            for (to, group) in to.chunks_exact_mut(points).zip(row.chunks_exact(points)) {
                to.iter_mut().zip(group.iter().zip(d)).for_each(|(to, (&v, &d))| *to = v * d);
            }
        }
    }
}

/// `dw += y·xᵀ` and `db += y` summed over lanes, where `x` is `inner × points` and `y` is `rows × (groups·points)`.
pub fn outer_add_points<T: Real>(y: &[T], x: &[T], points: usize, dw: &mut [T], db: &mut [T], lanes: usize) {
    if points == lanes {
        outer_add(y, x, dw, db, lanes);
        return;
    }
    let rows = y.len() / lanes;
    for (i, y) in y.chunks_exact(lanes).enumerate() {
        for (k, x) in x.chunks_exact(points).enumerate() {
            let dw = &mut dw[k * rows + i];
            y.iter().enumerate().for_each(|(lane, &y)| *dw += y * x[lane % points]);
        }
        if let Some(db) = db.get_mut(i) {
            y.iter().for_each(|&y| *db += y);
        }
    }
}

/// `out += δW·x + δb`, where every lane has its own direction: `dw` is `(rows·inner) × lanes` (matrices column by
/// column), `db` is `rows × lanes`, `x` is `inner × points`, `out` is `rows × lanes`.
pub fn direction_add_points<T: Real>(dw: Block<T>, db: Block<T>, x: Block<T>, out: &mut [T]) {
    let rows = db.rows();
    for (i, out) in out.chunks_exact_mut(db.lanes).enumerate() {
        for k in 0..x.rows() {
            let (d, x) = (dw.row(k * rows + i), x.row(k));
            out.iter_mut().zip(d).enumerate().for_each(|(lane, (o, &d))| *o += d * x[lane % x.len()]);
        }
        out.iter_mut().zip(db.row(i)).for_each(|(o, &d)| *o += d);
    }
}
