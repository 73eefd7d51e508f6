//! Problems of any size: fixed chunks of trajectories, over any number of threads.

use super::{Options, Problem, Recording, Solution, ensemble, integrate};
use crate::dynamics::{Field, Inputs, Marcher};
use crate::{Real, Result};
use rayon::prelude::*;
use std::ops::Range;

/// Trajectories a chunk. Sums over trajectories are taken per chunk and added in chunk order, so they have the same bits
/// for any number of threads; the number is part of that promise.
pub const CHUNK: usize = 16;

/// Calls `work` for each chunk of `0..count` and returns the results in order. Threads are those of the current pool.
pub fn map_chunks<V: Send>(count: usize, work: impl Fn(Range<usize>) -> V + Sync) -> Vec<V> {
    map_parts(count, CHUNK, work)
}

/// Calls `work` for each part of a problem, of `size` trajectories, with the number of its first trajectory and the field
/// with that part's inputs.
pub(crate) fn map_problem<T: Real, V: Send>(
    field: Field<T>,
    problem: &Problem<T>,
    size: usize,
    work: impl Fn(usize, Field<T>, &Problem<T>) -> V + Sync,
) -> Vec<V> {
    map_parts(problem.len(), size, |range| {
        let first = range.start;
        with_part(field, problem, range, |field, part| work(first, field, part))
    })
}

/// Calls `work` for some trajectories of a problem alone, with the field with their inputs.
pub(crate) fn with_part<T: Real, V>(
    field: Field<T>,
    problem: &Problem<T>,
    range: Range<usize>,
    work: impl FnOnce(Field<T>, &Problem<T>) -> V,
) -> V {
    let mut row_ptr = Vec::new();
    let shifted = field.inputs.map(|inputs| Shifted { inputs, by: range.start });
    let part = problem.part(range, field.state_dim(), &mut row_ptr);
    work(Field { inputs: shifted.as_ref().map(|x| x as &dyn Inputs<T>), ..field }, &part)
}

/// The same as [`map_chunks`] for parts of any size, the last perhaps smaller.
pub fn map_parts<V: Send>(count: usize, size: usize, work: impl Fn(Range<usize>) -> V + Sync) -> Vec<V> {
    let chunks = count.div_ceil(size);
    let range = |chunk: usize| chunk * size..count.min((chunk + 1) * size);
    if chunks <= 1 || rayon::current_num_threads() == 1 {
        return (0..chunks).map(|chunk| work(range(chunk))).collect();
    }
    (0..chunks).into_par_iter().map(|chunk| work(range(chunk))).collect()
}

/// Inputs of a part of the trajectories.
struct Shifted<'a, T> {
    inputs: &'a dyn Inputs<T>,
    by: usize,
}

impl<T: Real> Inputs<T> for Shifted<'_, T> {
    fn dim(&self) -> usize {
        self.inputs.dim()
    }

    fn kinks(&self, trajectory: usize) -> &[T] {
        self.inputs.kinks(trajectory + self.by)
    }

    fn constant(&self) -> bool {
        self.inputs.constant()
    }

    fn trajectories(&self) -> usize {
        self.inputs.trajectories().saturating_sub(self.by)
    }

    fn impulse(&self, trajectory: usize, kink: usize, state: &mut [T]) {
        self.inputs.impulse(trajectory + self.by, kink, state);
    }

    fn numbers(&self, trajectories: Range<usize>) -> Range<usize> {
        self.inputs.numbers(trajectories.start + self.by..trajectories.end + self.by)
    }

    fn pull(&self, trajectory: usize, piece: usize, t: T, x_bar: &[T], bar: &mut [T]) {
        self.inputs.pull(trajectory + self.by, piece, t, x_bar, bar);
    }

    fn at(&self, trajectory: usize, piece: usize, t: T, x: &mut [T]) {
        self.inputs.at(trajectory + self.by, piece, t, x);
    }
}

/// Integrates all trajectories of a problem, each with its own steps.
///
/// A trajectory's result has the same bits alone, among others, and for any number of threads. Cost: the evaluations
/// that the reports count; memory: the outputs and a chunk's buffers a thread. Many trajectories of a
/// [`Lift`](crate::dynamics::Lift) or [`Swept`](crate::dynamics::Swept) with an explicit method share vector
/// instructions, so they cost several times less together than one by one.
///
/// ```
/// use flowmap::dynamics::{Field, Lift, Scalar, SmallField};
/// use flowmap::solve::{Options, Problem, solve};
/// struct Decay;
/// impl SmallField<1, 1> for Decay {
///     fn rhs<S: Scalar>(&self, _t: S, y: [S; 1], p: [S; 1]) -> [S; 1] {
///         [-p[0] * y[0]]
///     }
/// }
/// let decay = Lift::<_, 1, 1>(Decay);
/// let problem = Problem { start_times: &[0.0], starts: &[1.0], row_ptr: &[0, 2], times: &[0.5, 2.0] };
/// let solution = solve(Field::with_time(&decay)?, &[1.0], &problem, &Options::adaptive(1e-9, 1e-9))?;
/// assert!((solution.states[1] - (-2.0f64).exp()).abs() < 1e-8);
/// # Ok::<(), flowmap::Error>(())
/// ```
///
/// # Errors
/// If sizes or options do not fit. A trajectory that fails is reported in the solution and leaves the others alone.
pub fn solve<T: Real>(field: Field<T>, params: &[T], problem: &Problem<T>, options: &Options) -> Result<Solution<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let marcher = ensemble::marcher(field, options);
    // A kernel's lanes are full while it has trajectories in store.
    let size = match marcher {
        Some(_) => problem.len().div_ceil(rayon::current_num_threads()).clamp(1, ensemble::BATCH),
        None => CHUNK,
    };
    let parts = map_problem(field, problem, size, |first, field, part| {
        let part = match marcher {
            Some(Marcher(kernel)) => ensemble::march(field, kernel, params, part, options)?,
            None => integrate(field, params, part, options, &mut Recording::Nothing)?,
        };
        Ok((first, part))
    });
    Solution::whole(parts)
}
