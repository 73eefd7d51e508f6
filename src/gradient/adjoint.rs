//! The adjoint equation as a vector field of its own, so that the ordinary solvers integrate it.
//!
//! With `λ` the loss's derivative by the state, `dλ/dt = −λᵀ ∂f/∂y` backward in time, and at each observation `λ` jumps by
//! that observation's cotangent (Chen et al. 2018, eq. 4). The equation is linear, so each trajectory's cotangents are
//! scaled to size one first: tolerances do not depend on the loss's unit.

use super::dense::Dense;
use crate::Real;
use crate::dynamics::{Component, Field, Inputs, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::solve::Problem;
use std::ops::Range;

/// Where the state comes from on the way back.
#[derive(Clone, Copy)]
pub(super) enum States<'a, T> {
    /// From the forward pass's continuous extension, as an input.
    Dense(&'a Dense<T>),
    /// Solved for again, and set right at every observation to these output states.
    Again(&'a [T]),
}

/// The adjoint's field. Its state is `λ`, with the state and the field's own inputs as inputs; or its state is the state
/// and `λ` one above the other. The slab is the field's own, so whoever integrates it can pull cotangents onto the
/// parameters from the slabs of its stages. Its own derivatives leave the field's second derivatives out: by `λ`, which is
/// all that implicit methods ask for, they are exact.
pub(super) struct Adjoint<'a, T: Real> {
    pub component: &'a dyn Component<T>,
    /// Whether the state is solved for along with `λ`.
    pub again: bool,
}

impl<T: Real> Adjoint<'_, T> {
    fn dim(&self) -> usize {
        self.component.out_dim()
    }

    /// Rows of its state.
    pub fn rows(&self) -> usize {
        self.lambda().end
    }

    /// Rows of `λ` in its own arguments and output: below the state if that is solved for too.
    pub fn lambda(&self) -> Range<usize> {
        if self.again { self.dim()..2 * self.dim() } else { 0..self.dim() }
    }

    /// The field's arguments among its own, copied to `to`.
    fn arguments(&self, u: Block<T>, to: &mut [T]) {
        if self.again {
            let (state, below) = to.split_at_mut(self.dim() * u.lanes);
            state.copy_from_slice(u.slice(0..self.dim()).data);
            below.copy_from_slice(u.slice(2 * self.dim()..u.rows()).data);
        } else {
            to.copy_from_slice(u.slice(self.dim()..u.rows()).data);
        }
    }

    /// `to = −wᵀ ∂f/∂y`.
    fn pulled(&self, params: &[T], slab: Block<T>, w: Block<T>, to: &mut [T], scratch: &mut [T]) {
        let (bar, rest) = scratch.split_at_mut(self.component.in_dim() * w.lanes);
        self.component.vjp(params, slab, w, BlockMut::new(bar, w.lanes), None, rest);
        to.iter_mut().zip(&*bar).for_each(|(to, &bar)| *to = -bar);
    }
}

impl<T: Real> Component<T> for Adjoint<'_, T> {
    fn in_dim(&self) -> usize {
        self.dim() + self.component.in_dim()
    }

    fn out_dim(&self) -> usize {
        self.rows()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        self.component.params(prefix)
    }

    fn param_count(&self) -> usize {
        self.component.param_count()
    }

    fn slab_len(&self) -> usize {
        self.component.slab_len()
    }

    fn scratch_len(&self) -> usize {
        let f = self.component;
        f.slab_len() + 2 * f.in_dim() + f.out_dim() + f.scratch_len()
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (slab, rest) = scratch.split_at_mut(self.component.slab_len() * u.lanes);
        self.linearize(params, u, out, BlockMut { data: slab, lanes: u.lanes }, rest);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: BlockMut<T>, scratch: &mut [T]) {
        let (dim, lanes) = (self.dim(), u.lanes);
        let (arguments, rest) = scratch.split_at_mut(self.component.in_dim() * lanes);
        let (slopes, rest) = rest.split_at_mut(dim * lanes);
        self.arguments(u, arguments);
        let at = Block::new(arguments, lanes);
        self.component.linearize(params, at, BlockMut::new(slopes, lanes), slab.reborrow(), rest);
        let lambda = self.lambda();
        if self.again {
            out.data[..dim * lanes].copy_from_slice(slopes);
        }
        let to = &mut out.data[lambda.start * lanes..lambda.end * lanes];
        self.pulled(params, slab.as_block(), u.slice(lambda), to, rest);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (dim, lanes, lambda) = (self.dim(), out.lanes, self.lambda());
        if self.again {
            let (along, rest) = scratch.split_at_mut(self.component.in_dim() * lanes);
            self.arguments(tangent.arguments, along);
            let tangent = Tangent::from(Block::new(along, lanes));
            self.component.jvp(params, slab, tangent, BlockMut::new(&mut out.data[..dim * lanes], lanes), rest);
        }
        let to = &mut out.data[lambda.start * lanes..lambda.end * lanes];
        self.pulled(params, slab, tangent.arguments.slice(lambda), to, scratch);
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        _params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        let (dim, lanes, lambda) = (self.dim(), w.lanes, self.lambda());
        u_bar.data.fill(T::zero());
        let (along, rest) = scratch.split_at_mut(self.component.in_dim() * lanes);
        along.fill(T::zero());
        along[..dim * lanes].copy_from_slice(w.slice(lambda.clone()).data);
        let to = &mut u_bar.data[lambda.start * lanes..lambda.end * lanes];
        let tangent = Tangent::from(Block::new(along, lanes));
        self.component.jvp(params, slab, tangent, BlockMut::new(&mut *to, lanes), rest);
        to.iter_mut().for_each(|x| *x = -*x);
        if self.again {
            let (bar, rest) = scratch.split_at_mut(self.component.in_dim() * lanes);
            self.component.vjp(params, slab, w.slice(0..dim), BlockMut::new(bar, lanes), None, rest);
            u_bar.data[..dim * lanes].copy_from_slice(&bar[..dim * lanes]);
        }
    }
}

/// What the adjoint of some trajectories starts from and meets on its way: cotangents scaled to size one.
pub(super) struct Course<'a, T: Real> {
    field: Field<'a, T>,
    states: States<'a, T>,
    outputs_bar: &'a [T],
    dim: usize,
    /// Each trajectory's largest cotangent; zero for those that have none.
    pub scales: Vec<T>,
    kinks: Vec<Vec<T>>,
    /// For each kink the output rows at that time.
    rows: Vec<Vec<Range<usize>>>,
    /// The piece of the field's own inputs before each kink, and after the last: it changes at its own kinks.
    pieces: Vec<Vec<usize>>,
    /// The problem that the adjoint is: where a trajectory ended, `λ` there (below the state, where that is solved for),
    /// and one output where it began; none for trajectories without cotangents.
    ends: Vec<T>,
    begins: Vec<T>,
    starts: Vec<T>,
    row_ptr: Vec<usize>,
}

impl<'a, T: Real> Course<'a, T> {
    /// The way back of a problem's trajectories from cotangents of their outputs.
    pub fn new(field: Field<'a, T>, problem: &Problem<T>, states: States<'a, T>, outputs_bar: &'a [T]) -> Self {
        let dim = field.state_dim();
        let mut course = Self {
            field,
            states,
            outputs_bar,
            dim,
            scales: Vec::new(),
            kinks: Vec::new(),
            rows: Vec::new(),
            pieces: Vec::new(),
            ends: Vec::new(),
            begins: Vec::new(),
            starts: Vec::new(),
            row_ptr: vec![0],
        };
        for s in 0..problem.len() {
            course.add(problem.start_times[s], problem.row_ptr[s]..problem.row_ptr[s + 1], problem.times);
        }
        course
    }

    fn add(&mut self, begin: T, rows: Range<usize>, times: &[T]) {
        let (s, dim) = (self.scales.len(), self.dim);
        let bars = &self.outputs_bar[rows.start * dim..rows.end * dim];
        let moving = rows.clone().rfind(|&row| {
            times[row] != begin && self.outputs_bar[row * dim..(row + 1) * dim].iter().any(|&bar| bar != T::zero())
        });
        let scale = moving.map_or(T::zero(), |_| bars.iter().fold(T::zero(), |most, bar| most.max(bar.abs())));
        self.scales.push(scale);
        let end = moving.map_or(begin, |row| times[row]);
        let (low, high) = (begin.min(end), begin.max(end));
        // Observations strictly between, rising, each time once with all rows that share it; then the field's own kinks.
        let mut stops: Vec<(T, Range<usize>, bool)> = Vec::new();
        let again = matches!(self.states, States::Again(_));
        let seen =
            |row: usize| again || self.outputs_bar[row * dim..(row + 1) * dim].iter().any(|&bar| bar != T::zero());
        for row in rows.clone().filter(|&row| low < times[row] && times[row] < high && seen(row)) {
            match stops.last_mut() {
                Some((t, same, _)) if *t == times[row] => same.end = row + 1,
                _ => stops.push((times[row], row..row + 1, false)),
            }
        }
        let own = self.field.inputs.map_or(&[][..], |inputs| inputs.kinks(s));
        for &kink in own.iter().filter(|&&kink| low < kink && kink < high) {
            match stops.iter_mut().find(|(t, ..)| *t == kink) {
                Some((.., both)) => *both = true,
                None => stops.push((kink, 0..0, true)),
            }
        }
        stops.sort_by(|a, b| a.0.f64().total_cmp(&b.0.f64()));
        let mut piece = own.partition_point(|&kink| kink <= low);
        let mut pieces = vec![piece];
        for (.., own) in &stops {
            piece += usize::from(*own);
            pieces.push(piece);
        }
        self.pieces.push(pieces);
        self.kinks.push(stops.iter().map(|(t, ..)| *t).collect());
        self.rows.push(stops.into_iter().map(|(_, rows, _)| rows).collect());

        let last = rows.filter(|&row| scale > T::zero() && times[row] == end);
        let mut lambda = vec![T::zero(); dim];
        last.clone().for_each(|row| self.add_bars(row, scale, &mut lambda));
        if let States::Again(outputs) = self.states {
            let row = last.last().unwrap_or(0);
            let state = outputs.get(row * dim..(row + 1) * dim);
            self.starts.extend(state.map_or(vec![T::zero(); dim], <[T]>::to_vec));
        }
        self.starts.extend(lambda);
        self.ends.push(end);
        if scale > T::zero() {
            self.begins.push(begin);
        }
        self.row_ptr.push(self.begins.len());
    }

    fn add_bars(&self, row: usize, scale: T, lambda: &mut [T]) {
        let bars = &self.outputs_bar[row * self.dim..(row + 1) * self.dim];
        lambda.iter_mut().zip(bars).for_each(|(lambda, &bar)| *lambda += bar / scale);
    }

    /// The problem that the adjoint is.
    pub fn problem(&self) -> Problem<'_, T> {
        Problem { start_times: &self.ends, starts: &self.starts, row_ptr: &self.row_ptr, times: &self.begins }
    }

    /// The piece of the field's own inputs in a piece of these.
    pub fn own_piece(&self, trajectory: usize, piece: usize) -> usize {
        self.pieces[trajectory][piece]
    }
}

impl<T: Real> Inputs<T> for Course<'_, T> {
    fn dim(&self) -> usize {
        let state = if let States::Dense(_) = self.states { self.dim } else { 0 };
        state + self.field.inputs.map_or(0, |inputs| inputs.dim())
    }

    fn kinks(&self, trajectory: usize) -> &[T] {
        &self.kinks[trajectory]
    }

    fn impulse(&self, trajectory: usize, kink: usize, state: &mut [T]) {
        let rows = self.rows[trajectory][kink].clone();
        let first = state.len() - self.dim;
        if let States::Again(outputs) = self.states {
            let (own, after) = (self.own_piece(trajectory, kink), self.own_piece(trajectory, kink + 1));
            if let (Some(inputs), true) = (self.field.inputs, own != after) {
                // The forward pass added it here.
                let mut added = vec![T::zero(); self.dim];
                inputs.impulse(trajectory, own, &mut added);
                state.iter_mut().zip(added).for_each(|(state, added)| *state -= added);
            }
            if let Some(row) = rows.clone().next_back() {
                state[..self.dim].copy_from_slice(&outputs[row * self.dim..(row + 1) * self.dim]);
            }
        }
        rows.for_each(|row| self.add_bars(row, self.scales[trajectory], &mut state[first..]));
    }

    fn at(&self, trajectory: usize, piece: usize, t: T, x: &mut [T]) {
        let own = match self.states {
            States::Dense(dense) => {
                let (state, own) = x.split_at_mut(self.dim);
                let kinks = &self.kinks[trajectory];
                // Beyond the last kink lies where the adjoint begins.
                let end = self.ends[trajectory];
                let below = piece.checked_sub(1).map(|k| kinks[k]).unwrap_or(end.min(t));
                let above = kinks.get(piece).copied().unwrap_or(end.max(t));
                dense.state(trajectory, t, (below, above), state);
                own
            }
            States::Again(_) => x,
        };
        if let Some(inputs) = self.field.inputs {
            inputs.at(trajectory, self.own_piece(trajectory, piece), t, own);
        }
    }
}
