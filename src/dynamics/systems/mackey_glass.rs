//! The Mackey–Glass equation, with its history as the state.

use super::instance::Made;
use super::system::about;
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Component, LiftMap, ParamSpec, Scalar, SmallMap, Tangent};
use crate::linalg::{Block, BlockMut};

/// One step of the fourth-order Runge–Kutta method, from the present value and four past ones around the delay, between
/// which the history is a cubic.
#[derive(Clone, Debug)]
struct Next {
    /// Steps a delay.
    steps: usize,
}

impl SmallMap<5, 1, 4> for Next {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, d0, d1, d2, d3]: [S; 5], [beta, gamma, n, tau]: [S; 4]) -> [S; 1] {
        let (one, half) = (S::of(1.0), S::of(0.5));
        let h = tau / S::of(self.steps as f64);
        // The delayed value at the step's beginning, middle and end.
        let middle = S::of(0.5625) * (d1 + d2) - S::of(0.0625) * (d0 + d3);
        let inflow = [d1, middle, d2];
        let mut source = inflow;
        let mut i = 0;
        while i < 3 {
            source[i] = beta * inflow[i] / (one + inflow[i].powf(n));
            i += 1;
        }
        let k1 = source[0] - gamma * x;
        let k2 = source[1] - gamma * (x + half * h * k1);
        let k3 = source[1] - gamma * (x + half * h * k2);
        let k4 = source[2] - gamma * (x + h * k3);
        [x + h / S::of(6.0) * (k1 + S::of(2.0) * (k2 + k3) + k4)]
    }
}

/// The history one step later: rows are the value now, one step ago, …, one step more than the delay ago. Cost: that of a
/// few operations, and of moving the block down a row.
#[derive(Clone, Debug)]
struct History {
    next: LiftMap<Next, 5, 1, 4>,
}

/// Rows of the small map's arguments: five values and a time.
const SMALL: usize = 6;

impl History {
    fn rows(&self) -> usize {
        self.next.0.steps + 2
    }

    /// Rows that the next value is made of.
    fn taken(&self) -> [usize; 5] {
        let delay = self.next.0.steps;
        [0, delay + 1, delay, delay - 1, delay - 2]
    }

    fn gather(&self, u: Block<f64>, small: &mut [f64]) {
        for (to, row) in small.chunks_exact_mut(u.lanes).zip(self.taken()) {
            to.copy_from_slice(u.row(row));
        }
        small[5 * u.lanes..].fill(0.0);
    }

    /// All but the first row: what was becomes older.
    fn shift(&self, u: Block<f64>, out: &mut [f64]) {
        let kept = (self.rows() - 1) * u.lanes;
        out[u.lanes..].copy_from_slice(&u.data[..kept]);
    }
}

impl Component<f64> for History {
    fn in_dim(&self) -> usize {
        self.rows()
    }

    fn out_dim(&self) -> usize {
        self.rows()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        Component::<f64>::params(&self.next, prefix)
    }

    fn param_count(&self) -> usize {
        Component::<f64>::param_count(&self.next)
    }

    fn slab_len(&self) -> usize {
        Component::<f64>::slab_len(&self.next)
    }

    fn scratch_len(&self) -> usize {
        SMALL
    }

    fn eval(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        let lanes = u.lanes;
        let small = &mut scratch[..SMALL * lanes];
        self.gather(u, small);
        self.shift(u, out.data);
        self.next.eval(params, Block::new(small, lanes), BlockMut::new(&mut out.data[..lanes], lanes), &mut []);
    }

    fn linearize(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, slab: BlockMut<f64>, scratch: &mut [f64]) {
        let lanes = u.lanes;
        let small = &mut scratch[..SMALL * lanes];
        self.gather(u, small);
        self.shift(u, out.data);
        let first = BlockMut::new(&mut out.data[..lanes], lanes);
        self.next.linearize(params, Block::new(small, lanes), first, slab, &mut []);
    }

    fn jvp(&self, params: &[f64], slab: Block<f64>, tangent: Tangent<f64>, out: BlockMut<f64>, scratch: &mut [f64]) {
        let lanes = out.lanes;
        let small = &mut scratch[..SMALL * lanes];
        self.gather(tangent.arguments, small);
        self.shift(tangent.arguments, out.data);
        let along = Tangent { arguments: Block::new(small, lanes), params: tangent.params };
        self.next.jvp(params, slab, along, BlockMut::new(&mut out.data[..lanes], lanes), &mut []);
    }

    fn vjp(
        &self,
        params: &[f64],
        slab: Block<f64>,
        w: Block<f64>,
        mut u_bar: BlockMut<f64>,
        params_bar: Option<&mut [f64]>,
        scratch: &mut [f64],
    ) {
        let lanes = w.lanes;
        let small = &mut scratch[..SMALL * lanes];
        let first = Block::new(&w.data[..lanes], lanes);
        self.next.vjp(params, slab, first, BlockMut::new(small, lanes), params_bar, &mut []);
        let kept = (self.rows() - 1) * lanes;
        u_bar.data[..kept].copy_from_slice(&w.data[lanes..]);
        u_bar.data[kept..].fill(0.0);
        for (bar, row) in small.chunks_exact(lanes).zip(self.taken()) {
            u_bar.row(row).iter_mut().zip(bar).for_each(|(to, &x)| *to += x);
        }
    }
}

pub(super) const MACKEY_GLASS: System = System {
    name: "mackey-glass",
    title: "Mackey and Glass' blood cells, which answer late",
    kind: Kind::Delay,
    equations: "x'(t) = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x(t)",
    source: "Mackey & Glass 1977, Science 197, 287-289; as a map of its history: Farmer 1982, Physica D 4, 366-393",
    remark: "The state is the history over one delay, newest first, stepped by rk4 with cubic interpolation; the exponents \
             of the equation are the leading ones of as many as there are rows.",
    parameters: &[
        Parameter::real("beta", 0.2, "largest inflow"),
        Parameter::real("gamma", 0.1, "rate of loss"),
        Parameter::real("n", 10.0, "steepness of the answer"),
        Parameter::positive("tau", 17.0, "delay"),
        Parameter::whole("steps", 170, "steps a delay", 8..=8192),
    ],
    span: Span { end: 800.0, step: 1.0 },
    measure: Measure { step: 0.0, warmup: 5000.0, time: 100_000.0, starts: 2, exponents: 6 },
    references: &[
        Reference {
            settings: &[],
            exponents: &[about(0.00515, 0.00006), about(0.0, 0.00002), about(-0.0387, 0.0001), about(-0.0527, 0.0001)],
            dimension: Some(2.133),
            how: "rk4 with step 0.1 over 400000 time units; jitcdde: 0.00517, dimension 2.133",
        },
        Reference {
            settings: &[("tau", 23.0)],
            exponents: &[about(0.00968, 0.00011), about(0.0, 0.00002), about(-0.0122, 0.0001)],
            dimension: Some(2.794),
            how: "the same over 300000 time units; Farmer 1982: dimension 2.8",
        },
        Reference {
            settings: &[("tau", 30.0)],
            exponents: &[about(0.00696, 0.00014), about(0.00189, 0.00015), about(0.0, 0.00002), about(-0.0164, 0.0001)],
            dimension: Some(3.540),
            how: "the same over 300000 time units; Farmer 1982: dimension 3.5",
        },
    ],
    make: |p| {
        let steps = p[4] as usize;
        let h = p[3] / steps as f64;
        let next = Next { steps };
        let label = |row: usize| if row == 0 { "x".to_owned() } else { format!("x(t-{row}h)") };
        let start = (0..steps + 2).map(|row| 0.9 + 0.2 * (-h * row as f64 / 5.0).sin()).collect();
        Made::new(History { next: LiftMap(next) }, (0..steps + 2).map(label).collect(), start).zeros(1).step(h)
    },
};
