//! The Kuramoto–Sivashinsky equation on a ring, in its Fourier modes.

use super::instance::{Made, Stepping};
use super::system::about;
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut, affine, transposed_add};
use nalgebra::Complex;
use std::f64::consts::TAU;

/// The waves of a ring: state `(a_0, c_1, s_1, c_2, s_2, …)` of `u = a_0 + Σ c_k cos kθ + s_k sin kθ`, with so few waves
/// that products on the grid alias onto none of them (the 2/3 rule).
#[derive(Clone, Debug)]
struct Waves {
    grid: usize,
    rows: usize,
    /// From modes to the grid, `grid × rows`.
    synthesis: Vec<f64>,
    /// From `u²` on the grid to the modes of `−½ (u²)_θ`, `rows × grid`.
    analysis: Vec<f64>,
}

impl Waves {
    fn new(grid: usize) -> Self {
        let rows = 1 + 2 * ((grid - 1) / 3);
        let (mut synthesis, mut analysis) = (vec![1.0; grid * rows], vec![0.0; rows * grid]);
        for k in 1..=rows / 2 {
            for j in 0..grid {
                // Turns are reduced first: large angles lose digits.
                let (sin, cos) = (TAU * (k * j % grid) as f64 / grid as f64).sin_cos();
                synthesis[(2 * k - 1) * grid + j] = cos;
                synthesis[2 * k * grid + j] = sin;
                let weight = k as f64 / grid as f64;
                analysis[j * rows + 2 * k - 1] = -weight * sin;
                analysis[j * rows + 2 * k] = weight * cos;
            }
        }
        Self { grid, rows, synthesis, analysis }
    }

    /// The number of a row's wave.
    fn wave(row: usize) -> f64 {
        row.div_ceil(2) as f64
    }

    /// The modes of `−½ (u²)_θ`; `u` on the grid is left in `points`, `room` has as many numbers.
    fn steepen(&self, modes: &[f64], points: &mut [f64], room: &mut [f64], out: &mut [f64], lanes: usize) {
        affine(&self.synthesis, &[], modes, points, lanes);
        room.iter_mut().zip(&*points).for_each(|(square, u)| *square = u * u);
        affine(&self.analysis, &[], room, out, lanes);
    }

    /// Its derivative along directions, at points left before.
    fn push(&self, points: Block<f64>, directions: &[f64], room: &mut [f64], out: &mut [f64], lanes: usize) {
        affine(&self.synthesis, &[], directions, room, lanes);
        twice_points(points, room, lanes);
        affine(&self.analysis, &[], room, out, lanes);
    }

    /// The transpose, added to `out`.
    fn pull(&self, points: Block<f64>, w: &[f64], room: &mut [f64], out: &mut [f64], lanes: usize) {
        room.fill(0.0);
        transposed_add(&self.analysis, w, room, lanes);
        twice_points(points, room, lanes);
        transposed_add(&self.synthesis, room, out, lanes);
    }
}

/// `block *= 2 u` for groups of lanes at points.
fn twice_points(points: Block<f64>, block: &mut [f64], lanes: usize) {
    for (row, u) in block.chunks_exact_mut(lanes).zip(points.data.chunks_exact(points.lanes)) {
        for group in row.chunks_exact_mut(points.lanes) {
            group.iter_mut().zip(u).for_each(|(x, u)| *x *= 2.0 * u);
        }
    }
}

/// `da/dt` of the modes; the parameter is the length `l` of the ring. With `s = 2π/l` and angles for places,
/// `u_t = −s u u_θ − s² u_θθ − s⁴ u_θθθθ`. Cost: two products with matrices of grid times modes.
#[derive(Clone, Debug)]
struct Modes(Waves);

impl Modes {
    /// Rate of a wave, and its derivative by `s`.
    fn rate(wave: f64, s: f64) -> (f64, f64) {
        let (square, fourth) = (wave * wave, wave.powi(4));
        (s * s * square - s.powi(4) * fourth, 2.0 * s * square - 4.0 * s.powi(3) * fourth)
    }

    fn field(&self, params: &[f64], u: Block<f64>, out: &mut [f64], points: &mut [f64], room: &mut [f64]) {
        let s = TAU / params[0];
        self.0.steepen(u.data, points, room, out, u.lanes);
        for (row, (out, u)) in out.chunks_exact_mut(u.lanes).zip(u.data.chunks_exact(u.lanes)).enumerate() {
            let (rate, _) = Self::rate(Waves::wave(row), s);
            out.iter_mut().zip(u).for_each(|(out, u)| *out = s * *out + rate * u);
        }
    }
}

impl Component<f64> for Modes {
    fn in_dim(&self) -> usize {
        self.0.rows
    }

    fn out_dim(&self) -> usize {
        self.0.rows
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}l"), &[1])]
    }

    fn param_count(&self) -> usize {
        1
    }

    /// The modes, `u` on the grid, and the derivative by `s`.
    fn slab_len(&self) -> usize {
        2 * self.0.rows + self.0.grid
    }

    fn scratch_len(&self) -> usize {
        2 * self.0.grid
    }

    fn eval(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        let (points, rest) = scratch.split_at_mut(self.0.grid * u.lanes);
        self.field(params, u, out.data, points, &mut rest[..self.0.grid * u.lanes]);
    }

    fn linearize(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, slab: BlockMut<f64>, scratch: &mut [f64]) {
        let (modes, rest) = slab.split_at_row(self.0.rows);
        let (points, by_s) = rest.split_at_row(self.0.grid);
        modes.data.copy_from_slice(u.data);
        self.field(params, u, out.data, points.data, &mut scratch[..self.0.grid * u.lanes]);
        let s = TAU / params[0];
        for (row, by_s) in by_s.data.chunks_exact_mut(u.lanes).enumerate() {
            let (rate, rate_by_s) = Self::rate(Waves::wave(row), s);
            for (lane, by_s) in by_s.iter_mut().enumerate() {
                let (a, value) = (u.row(row)[lane], out.data[row * u.lanes + lane]);
                *by_s = (value - rate * a) / s + rate_by_s * a;
            }
        }
    }

    fn jvp(
        &self,
        params: &[f64],
        slab: Block<f64>,
        tangent: Tangent<f64>,
        mut out: BlockMut<f64>,
        scratch: &mut [f64],
    ) {
        let (lanes, s) = (out.lanes, TAU / params[0]);
        let points = slab.slice(self.0.rows..self.0.rows + self.0.grid);
        let by_s = slab.slice(self.0.rows + self.0.grid..slab.rows());
        let d = tangent.arguments;
        self.0.push(points, d.data, &mut scratch[..self.0.grid * lanes], out.data, lanes);
        for row in 0..self.0.rows {
            let (rate, _) = Self::rate(Waves::wave(row), s);
            for (lane, out) in out.row(row).iter_mut().enumerate() {
                let by_length = tangent.params.map_or(0.0, |p| p.row(0)[lane] * -s / params[0]);
                *out = s * *out + rate * d.row(row)[lane] + by_length * by_s.row(row)[lane % slab.lanes];
            }
        }
    }

    fn vjp(
        &self,
        params: &[f64],
        slab: Block<f64>,
        w: Block<f64>,
        u_bar: BlockMut<f64>,
        params_bar: Option<&mut [f64]>,
        scratch: &mut [f64],
    ) {
        let (lanes, s) = (w.lanes, TAU / params[0]);
        let points = slab.slice(self.0.rows..self.0.rows + self.0.grid);
        u_bar.data.fill(0.0);
        self.0.pull(points, w.data, &mut scratch[..self.0.grid * lanes], u_bar.data, lanes);
        for (row, (bar, w)) in u_bar.data.chunks_exact_mut(lanes).zip(w.data.chunks_exact(lanes)).enumerate() {
            let (rate, _) = Self::rate(Waves::wave(row), s);
            bar.iter_mut().zip(w).for_each(|(bar, w)| *bar = s * *bar + rate * w);
        }
        if let Some(bar) = params_bar {
            let by_s = slab.slice(self.0.rows + self.0.grid..slab.rows());
            for row in 0..self.0.rows {
                for (lane, w) in w.row(row).iter().enumerate() {
                    bar[0] += w * by_s.row(row)[lane % slab.lanes] * -s / params[0];
                }
            }
        }
    }
}

/// A step of ETDRK4 (Cox & Matthews 2002, J. Comput. Phys. 176, 430–455, eqs. 26–29, with the coefficients as contour
/// integrals: Kassam & Trefethen 2005, SIAM J. Sci. Comput. 26, 1214–1233): the stiff linear part is exact. No parameters.
/// Cost: eight products with matrices of grid times modes.
#[derive(Clone, Debug)]
struct Etdrk4 {
    waves: Waves,
    /// The factor of the quadratic term.
    s: f64,
    /// For each row: `e^{hL}`, `e^{hL/2}`, `Q`, `f₁`, `f₂`, `f₃`.
    weights: Vec<[f64; 6]>,
}

/// Points on the contours around each rate.
const CONTOUR: usize = 32;

impl Etdrk4 {
    fn new(waves: Waves, length: f64, h: f64) -> Self {
        let s = TAU / length;
        let weights = (0..waves.rows).map(|row| {
            let rate = h * Modes::rate(Waves::wave(row), s).0;
            let mut sums = [0.0; 4];
            for p in 0..CONTOUR {
                let angle = TAU * (p as f64 + 0.5) / CONTOUR as f64;
                let z = Complex::new(rate + angle.cos(), angle.sin());
                let (e, cube) = (z.exp(), z * z * z);
                let terms = [
                    ((z * 0.5).exp() - 1.0) / z,
                    (-4.0 - z + e * (4.0 - z * 3.0 + z * z)) / cube,
                    (2.0 + z + e * (-2.0 + z)) / cube,
                    (-4.0 - z * 3.0 - z * z + e * (4.0 - z)) / cube,
                ];
                sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += h * term.re / CONTOUR as f64);
            }
            let [q, f1, f2, f3] = sums;
            [rate.exp(), (0.5 * rate).exp(), q, f1, f2, f3]
        });
        Self { s, weights: weights.collect(), waves }
    }

    /// `out = Σ weights(row) · blocks` with the factor of the quadratic term in the weights of what is not a state.
    fn mix<const K: usize>(
        &self,
        out: &mut [f64],
        lanes: usize,
        blocks: [&[f64]; K],
        weigh: impl Fn(&[f64; 6], f64) -> [f64; K],
    ) {
        for (row, weights) in self.weights.iter().enumerate() {
            let weights = weigh(weights, self.s);
            for at in row * lanes..(row + 1) * lanes {
                let mut sum = 0.0;
                let mut k = 0;
                while k < K {
                    sum += weights[k] * blocks[k][at];
                    k += 1;
                }
                out[at] = sum;
            }
        }
    }

    /// The step made of `quadratic(stage, state, out)`, for states and tangents alike.
    fn step(
        &self,
        v: &[f64],
        out: &mut [f64],
        lanes: usize,
        rooms: &mut [f64],
        mut quadratic: impl FnMut(usize, &[f64], &mut [f64]),
    ) {
        let block = self.waves.rows * lanes;
        let (a, rest) = rooms.split_at_mut(block);
        let (nv, rest) = rest.split_at_mut(block);
        let (na, rest) = rest.split_at_mut(block);
        let (nb, nc) = rest.split_at_mut(block);
        quadratic(0, v, nv);
        self.mix(a, lanes, [v, nv], |[_, half, q, ..], s| [*half, q * s]);
        quadratic(1, a, na);
        self.mix(out, lanes, [v, na], |[_, half, q, ..], s| [*half, q * s]);
        quadratic(2, out, nb);
        self.mix(out, lanes, [a, nb, nv], |[_, half, q, ..], s| [*half, 2.0 * q * s, -q * s]);
        quadratic(3, out, nc);
        self.mix(out, lanes, [v, nv, na, nb, nc], |[whole, _, _, f1, f2, f3], s| {
            [*whole, f1 * s, 2.0 * f2 * s, 2.0 * f2 * s, f3 * s]
        });
    }

    /// Blocks of rows that [`step`](Self::step) needs.
    const ROOMS: usize = 5;
}

impl Component<f64> for Etdrk4 {
    fn in_dim(&self) -> usize {
        self.waves.rows
    }

    fn out_dim(&self) -> usize {
        self.waves.rows
    }

    fn params(&self, _: &str) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn param_count(&self) -> usize {
        0
    }

    /// `u` on the grid at the four stages.
    fn slab_len(&self) -> usize {
        4 * self.waves.grid
    }

    fn scratch_len(&self) -> usize {
        Self::ROOMS * self.waves.rows + 2 * self.waves.grid
    }

    fn eval(&self, _: &[f64], u: Block<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        let (rooms, rest) = scratch.split_at_mut(Self::ROOMS * self.waves.rows * u.lanes);
        let (points, rest) = rest.split_at_mut(self.waves.grid * u.lanes);
        let room = &mut rest[..self.waves.grid * u.lanes];
        self.step(u.data, out.data, u.lanes, rooms, |_, state, value| {
            self.waves.steepen(state, points, room, value, u.lanes);
        });
    }

    fn linearize(&self, _: &[f64], u: Block<f64>, out: BlockMut<f64>, slab: BlockMut<f64>, scratch: &mut [f64]) {
        let (rooms, rest) = scratch.split_at_mut(Self::ROOMS * self.waves.rows * u.lanes);
        let points = self.waves.grid * u.lanes;
        self.step(u.data, out.data, u.lanes, rooms, |stage, state, value| {
            let kept = &mut slab.data[stage * points..(stage + 1) * points];
            self.waves.steepen(state, kept, &mut rest[..points], value, u.lanes);
        });
    }

    fn jvp(&self, _: &[f64], slab: Block<f64>, tangent: Tangent<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        let lanes = out.lanes;
        let (rooms, rest) = scratch.split_at_mut(Self::ROOMS * self.waves.rows * lanes);
        let room = &mut rest[..self.waves.grid * lanes];
        self.step(tangent.arguments.data, out.data, lanes, rooms, |stage, direction, value| {
            let points = slab.slice(stage * self.waves.grid..(stage + 1) * self.waves.grid);
            self.waves.push(points, direction, room, value, lanes);
        });
    }

    fn vjp(
        &self,
        _: &[f64],
        slab: Block<f64>,
        w: Block<f64>,
        u_bar: BlockMut<f64>,
        _: Option<&mut [f64]>,
        scratch: &mut [f64],
    ) {
        let lanes = w.lanes;
        let block = self.waves.rows * lanes;
        let (rooms, rest) = scratch.split_at_mut(Self::ROOMS * block);
        let room = &mut rest[..self.waves.grid * lanes];
        let (c_bar, rooms) = rooms.split_at_mut(block);
        let (b_bar, rooms) = rooms.split_at_mut(block);
        let (a_bar, rooms) = rooms.split_at_mut(block);
        let (n_bar, _) = rooms.split_at_mut(block);
        let points = |stage: usize| slab.slice(stage * self.waves.grid..(stage + 1) * self.waves.grid);
        let mut pull = |stage: usize, n_bar: &[f64], bar: &mut [f64]| {
            self.waves.pull(points(stage), n_bar, room, bar, lanes);
        };
        // From the last stage to the first: each one's quadratic term is told how far it moved what came after.
        self.mix(n_bar, lanes, [w.data], |[.., f3], s| [f3 * s]);
        c_bar.fill(0.0);
        pull(3, n_bar, c_bar);
        self.mix(n_bar, lanes, [w.data, c_bar], |[_, _, q, _, f2, _], s| [2.0 * f2 * s, 2.0 * q * s]);
        b_bar.fill(0.0);
        pull(2, n_bar, b_bar);
        self.mix(n_bar, lanes, [w.data, b_bar], |[_, _, q, _, f2, _], s| [2.0 * f2 * s, q * s]);
        self.mix(a_bar, lanes, [c_bar], |[_, half, ..], _| [*half]);
        pull(1, n_bar, a_bar);
        self.mix(n_bar, lanes, [w.data, c_bar, a_bar], |[_, _, q, f1, ..], s| [f1 * s, -q * s, q * s]);
        self.mix(u_bar.data, lanes, [w.data, b_bar, a_bar], |[whole, half, ..], _| [*whole, *half, *half]);
        pull(0, n_bar, u_bar.data);
    }
}

/// The usual step.
const STEP: f64 = 0.25;

pub(super) const KURAMOTO_SIVASHINSKY: System = System {
    name: "kuramoto-sivashinsky",
    title: "Kuramoto and Sivashinsky's flame front on a ring",
    kind: Kind::Flow,
    equations: "u_t = -u u_x - u_xx - u_xxxx on a ring of length l, in Fourier modes: mean, then cosine and sine of each wave",
    source: "Kuramoto & Tsuzuki 1976, Prog. Theor. Phys. 55, 356-369; Sivashinsky 1977, Acta Astronaut. 4, 1177-1206",
    remark: "Stiff. Exponents are those of ETDRK4 with step 0.25, which takes the linear part exactly. The mean of u is \
             conserved and counts as a direction of its own: it adds an exponent of 0, and 1 to the Kaplan-Yorke \
             dimension of those who leave it out. The most contracting exponents span more than double precision in a \
             single step: ask for the leading ones.",
    parameters: &[
        Parameter::positive("l", 22.0, "length of the ring"),
        Parameter::whole("n", 64, "points of the grid; a third of them are waves", 8..=1024),
    ],
    span: Span { end: 200.0, step: 0.5 },
    measure: Measure { step: STEP, warmup: 500.0, time: 40_000.0, starts: 2, exponents: 12 },
    references: &[
        Reference {
            settings: &[],
            exponents: &[
                about(0.0485, 0.0008),
                about(0.0001, 0.0002),
                about(0.0001, 0.0002),
                about(-0.0007, 0.0010),
                about(-0.0013, 0.0007),
                about(-0.1890, 0.0018),
                about(-0.2567, 0.0018),
                about(-0.2919, 0.0018),
                about(-0.3112, 0.0018),
                about(-1.9639, 0.0018),
                about(-1.9682, 0.0018),
                about(-5.6021, 0.0018),
            ],
            dimension: Some(5.2),
            how: "ETDRK4 with step 0.25, 64 points, over 40000 time units; Cvitanovic & Ding: 0.048, 0, 0, -0.003, -0.189",
        },
        Reference {
            settings: &[("l", 36.0), ("n", 96.0)],
            exponents: &[
                about(0.0792, 0.0016),
                about(0.0493, 0.0016),
                about(0.0174, 0.0015),
                about(0.0, 0.0002),
                about(0.0, 0.0002),
                about(-0.0016, 0.0016),
                about(-0.0200, 0.0016),
                about(-0.0917, 0.0016),
                about(-0.1639, 0.0016),
                about(-0.2412, 0.0016),
            ],
            dimension: Some(8.197),
            how: "the same with 96 points, over 20000 time units; Edson et al.: 0.080, 0.056, 0.014, 0.003, -0.003",
        },
    ],
    make: |p| {
        let waves = Waves::new(p[1] as usize);
        let (rows, s) = (waves.rows, TAU / p[0]);
        // A few long waves out of step.
        let start = (0..rows).map(|row| if row == 0 { 0.0 } else { (row as f64).cos() * (-0.5 * row as f64).exp() });
        let label = |row: usize| match row {
            0 => "mean".to_owned(),
            row if row % 2 == 1 => format!("cos{}", row.div_ceil(2)),
            row => format!("sin{}", row / 2),
        };
        let sum = (0..rows).map(|row| Modes::rate(Waves::wave(row), s).0).sum();
        let step = Etdrk4::new(waves.clone(), p[0], STEP);
        let made = Made::new(Modes(waves), (0..rows).map(label).collect(), start.collect());
        // Time, place, and the mean do not change what happens.
        made.sum(sum).zeros(3).stepping(Stepping {
            map: Box::new(step),
            params: Vec::new(),
            step: STEP,
            method: "etdrk4",
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;

    #[test]
    fn the_step_fulfils_the_contract_and_follows_the_field() {
        let waves = Waves::new(16);
        let (field, params) = (Modes(waves.clone()), [9.0]);
        let step = Etdrk4::new(waves.clone(), params[0], 0.25);
        if let Err(what) = testkit::check(&step, &[], 0.8, 3) {
            panic!("{what}");
        }
        // Fourth order against many small explicit steps.
        let start: Vec<f64> = (0..waves.rows).map(|i| (1.0 + i as f64).sin() * (-0.7 * i as f64).exp()).collect();
        let fine = {
            let problem =
                crate::solve::Problem { start_times: &[0.0], starts: &start, row_ptr: &[0, 1], times: &[0.5] };
            let field = crate::dynamics::Field::autonomous(&field).unwrap();
            crate::solve::solve(field, &params, &problem, &crate::solve::Options::adaptive(1e-11, 1e-12))
                .unwrap()
                .states
        };
        let error = |h: f64| {
            let step = Etdrk4::new(waves.clone(), params[0], h);
            let (mut state, mut scratch) = (start.clone(), vec![0.0; step.scratch_len()]);
            for _ in 0..(0.5 / h) as usize {
                let u = state.clone();
                step.eval(&[], Block::new(&u, 1), BlockMut::new(&mut state, 1), &mut scratch);
            }
            state.iter().zip(&fine).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
        };
        let (coarse, finer) = (error(0.03125), error(0.015625));
        assert!((coarse / finer).log2() > 3.5 && finer < 1e-5, "{coarse:e} {finer:e}");
    }
}
