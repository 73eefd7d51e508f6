//! Known inputs as paths through knots: values at given times and a rule for the time between them.

mod slopes;
#[cfg(test)]
mod tests;

use super::Inputs;
use crate::{Error, Real, Result};
use std::ops::Range;

/// What a path does between its knots. Before the first knot and after the last, every path stays at that knot's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Holds the last value; jumps at every knot but the first.
    Step,
    /// Straight lines; the slope jumps at every knot.
    Linear,
    /// Cubics whose slope at a knot is that of the line from the knot before it (Morrill et al. 2021, *Neural controlled
    /// differential equations for online prediction*). The slope is continuous between the first and last knot.
    Hermite,
    /// The natural cubic spline: slope and curvature are continuous, the curvature is zero at the first and last knot.
    NaturalSpline,
}

/// How much of what comes later a path's present value needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookahead {
    /// Nothing: the value at any time depends on the knots up to it alone.
    Nothing,
    /// The next knot: at a knot, that value and all before it are settled (*discretely online* in Morrill et al. 2021);
    /// between knots the path is on its way to a value that an observer does not yet know.
    NextKnot,
    /// Every knot.
    Everything,
}

impl Interpolation {
    /// How far it looks ahead.
    pub fn lookahead(self) -> Lookahead {
        match self {
            Self::Step => Lookahead::Nothing,
            Self::Linear | Self::Hermite => Lookahead::NextKnot,
            Self::NaturalSpline => Lookahead::Everything,
        }
    }

    /// Whether the value at any time is settled by the knots up to that time. Paths that are settled at their knots only
    /// still suit online use with a delay of one knot; [`lookahead`](Self::lookahead) tells them from the others.
    pub fn is_causal(self) -> bool {
        self.lookahead() == Lookahead::Nothing
    }

    /// Which of a trajectory's knots are kinks.
    fn kinks(self, knots: usize) -> Vec<usize> {
        match self {
            _ if knots < 2 => Vec::new(),
            Self::Step => (1..knots).collect(),
            Self::Linear => (0..knots).collect(),
            Self::Hermite | Self::NaturalSpline => vec![0, knots - 1],
        }
    }
}

/// Known inputs through knots, one path a trajectory, each with its own times: every solver's step ends at the kinks, so
/// no order of accuracy is lost there.
///
/// ```
/// use flowmap::dynamics::{Inputs, Interpolation, Path};
/// // Two trajectories of one channel, with three knots and two.
/// let (times, values) = (vec![0.0, 1.0, 3.0, 0.0, 2.0], vec![5.0, 6.0, 2.0, 0.0, 1.0]);
/// let path = Path::new(Interpolation::Linear, 1, vec![0, 3, 5], times, values)?;
/// let mut x = [0.0];
/// path.at(0, path.piece(0, 2.0), 2.0, &mut x);
/// assert_eq!((x, path.kinks(0)), ([4.0], &[0.0, 1.0, 3.0][..]));
/// # Ok::<(), flowmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Path<T> {
    interpolation: Interpolation,
    dim: usize,
    /// Trajectory `s` has the knots `row_ptr[s]..row_ptr[s + 1]`.
    row_ptr: Vec<usize>,
    times: Vec<T>,
    /// `knots × dim`.
    values: Vec<T>,
    /// Slopes at the knots, for cubics.
    slopes: Vec<T>,
    kink_ptr: Vec<usize>,
    kinks: Vec<T>,
}

impl<T: Real> Path<T> {
    /// Paths of `dim` channels: trajectory `s` has the knots `row_ptr[s]..row_ptr[s + 1]` of `times`, which rise, and of
    /// `values`, `knots × dim`. One knot makes a constant. Cost: a few operations a number.
    ///
    /// # Errors
    /// If sizes do not fit, a trajectory has no knot, its times do not rise, or a number is not finite.
    pub fn new(
        interpolation: Interpolation,
        dim: usize,
        row_ptr: Vec<usize>,
        times: Vec<T>,
        values: Vec<T>,
    ) -> Result<Self> {
        check(dim, &row_ptr, &times, &values)?;
        let rows = || row_ptr.windows(2).map(|pair| pair[0]..pair[1]);
        let (mut kink_ptr, mut kinks) = (vec![0], Vec::new());
        for range in rows() {
            kinks.extend(interpolation.kinks(range.len()).into_iter().map(|k| times[range.start + k]));
            kink_ptr.push(kinks.len());
        }
        let slopes = rows().flat_map(|range| {
            let (times, values) = (&times[range.clone()], &values[range.start * dim..range.end * dim]);
            match interpolation {
                Interpolation::Step | Interpolation::Linear => Vec::new(),
                Interpolation::Hermite => slopes::backward(times, values, dim),
                Interpolation::NaturalSpline => slopes::natural(times, values, dim),
            }
        });
        let slopes = slopes.collect();
        Ok(Self { interpolation, dim, row_ptr, times, values, slopes, kink_ptr, kinks })
    }

    /// What it does between knots.
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// Whether values depend on nothing that comes later: see [`Interpolation::is_causal`].
    pub fn is_causal(&self) -> bool {
        self.interpolation.is_causal()
    }

    /// The piece that holds time `t` when time runs forward; a kink belongs to the piece that it begins.
    pub fn piece(&self, trajectory: usize, t: T) -> usize {
        self.kinks(trajectory).partition_point(|&kink| kink <= t)
    }

    /// Writes the slope `dx/dt`, as [`at`](Inputs::at) does the value. A step path's slope is 0: its jumps have none.
    pub fn slope_at(&self, trajectory: usize, piece: usize, t: T, slope: &mut [T]) {
        let Some((at, s, h)) = self.segment(trajectory, piece, t) else { return slope.fill(T::zero()) };
        for (c, slope) in slope.iter_mut().enumerate() {
            let (from, secant) = self.secant(at, c, h);
            *slope = match self.cubic(from, secant) {
                None => secant,
                Some([m, b, c]) => m + s * (T::of(2.0) * b + s * T::of(3.0) * c),
            };
        }
    }

    /// The segment that `t` lies in: its first knot, which part of it is behind, and its length. None where the path
    /// stands still.
    fn segment(&self, trajectory: usize, piece: usize, t: T) -> Option<(usize, T, T)> {
        let first = self.row_ptr[trajectory];
        let times = &self.times[first..self.row_ptr[trajectory + 1]];
        let k = match self.interpolation {
            Interpolation::Step => return None,
            Interpolation::Linear => piece.checked_sub(1)?,
            Interpolation::Hermite | Interpolation::NaturalSpline if piece != 1 => return None,
            Interpolation::Hermite | Interpolation::NaturalSpline => {
                times[1..times.len() - 1].partition_point(|&knot| knot <= t)
            }
        };
        let (from, to) = (*times.get(k)?, *times.get(k + 1)?);
        let h = to - from;
        // Rounding may lead a stage's time past the end of its step.
        Some((first + k, ((t - from) / h).max(T::zero()).min(T::one()), h))
    }

    /// Where a channel's value at a knot stands, and the slope of the line to the next knot's.
    fn secant(&self, knot: usize, channel: usize, h: T) -> (usize, T) {
        let from = knot * self.dim + channel;
        (from, (self.values[from + self.dim] - self.values[from]) / h)
    }

    /// Of a cubic `x + h s (m + s (b + s c))`: m, b and c.
    fn cubic(&self, from: usize, secant: T) -> Option<[T; 3]> {
        let (&m, &end) = (self.slopes.get(from)?, self.slopes.get(from + self.dim)?);
        Some([m, T::of(3.0) * secant - T::of(2.0) * m - end, m + end - T::of(2.0) * secant])
    }

    /// The knot at which a path stands still in a piece where it does.
    fn resting(&self, trajectory: usize, piece: usize) -> usize {
        let (first, end) = (self.row_ptr[trajectory], self.row_ptr[trajectory + 1]);
        match self.interpolation {
            Interpolation::Step => (first + piece).min(end - 1),
            _ if piece == 0 => first,
            _ => end - 1,
        }
    }
}

impl<T: Real> Inputs<T> for Path<T> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn kinks(&self, trajectory: usize) -> &[T] {
        &self.kinks[self.kink_ptr[trajectory]..self.kink_ptr[trajectory + 1]]
    }

    fn at(&self, trajectory: usize, piece: usize, t: T, x: &mut [T]) {
        let Some((at, s, h)) = self.segment(trajectory, piece, t) else {
            let at = self.resting(trajectory, piece) * self.dim;
            return x.copy_from_slice(&self.values[at..at + self.dim]);
        };
        for (c, x) in x.iter_mut().enumerate() {
            let (from, secant) = self.secant(at, c, h);
            let mean_slope = match self.cubic(from, secant) {
                None => secant,
                Some([m, b, c]) => m + s * (b + s * c),
            };
            *x = self.values[from] + h * s * mean_slope;
        }
    }

    fn trajectories(&self) -> usize {
        self.row_ptr.len() - 1
    }

    fn numbers(&self, trajectories: Range<usize>) -> Range<usize> {
        self.row_ptr[trajectories.start] * self.dim..self.row_ptr[trajectories.end] * self.dim
    }

    /// Cost: a few operations a channel, and for natural splines as many a knot.
    fn pull(&self, trajectory: usize, piece: usize, t: T, x_bar: &[T], bar: &mut [T]) {
        let rows = self.row_ptr[trajectory]..self.row_ptr[trajectory + 1];
        let Some((at, s, h)) = self.segment(trajectory, piece, t) else {
            let own = &mut bar[(self.resting(trajectory, piece) - rows.start) * self.dim..][..self.dim];
            return own.iter_mut().zip(x_bar).for_each(|(bar, &x)| *bar += x);
        };
        let (one, two, three) = (T::one(), T::of(2.0), T::of(3.0));
        let knot = at - rows.start;
        // How the value depends on the segment's secant and on the slopes at its ends.
        let cubic = !matches!(self.interpolation, Interpolation::Step | Interpolation::Linear);
        let by_secant = if cubic { h * s * s * (three - two * s) } else { h * s };
        for (c, &x_bar) in x_bar.iter().enumerate() {
            bar[knot * self.dim + c] += x_bar * (one - by_secant / h);
            bar[(knot + 1) * self.dim + c] += x_bar * by_secant / h;
        }
        if cubic {
            let by_slopes = [h * s * (one - s) * (one - s), h * s * s * (s - one)];
            let times = &self.times[rows];
            for (c, &x_bar) in x_bar.iter().enumerate() {
                let slopes_bar = by_slopes.map(|by| by * x_bar);
                match self.interpolation {
                    Interpolation::NaturalSpline => slopes::natural_pull(times, knot, slopes_bar, (c, self.dim), bar),
                    _ => slopes::backward_pull(times, knot, slopes_bar, (c, self.dim), bar),
                }
            }
        }
    }
}

fn check<T: Real>(dim: usize, row_ptr: &[usize], times: &[T], values: &[T]) -> Result<()> {
    let whole = row_ptr.first() == Some(&0) && row_ptr.last() == Some(&times.len()) && row_ptr.is_sorted();
    if !whole {
        let expected = format!("rising from 0 to {}", times.len());
        return Err(Error::shape("row pointers of a path", expected, format!("{row_ptr:?}")));
    }
    if values.len() != times.len() * dim {
        return Err(Error::shape("values of a path", format!("{} × {dim}", times.len()), values.len()));
    }
    for (s, pair) in row_ptr.windows(2).enumerate() {
        let of = &times[pair[0]..pair[1]];
        let refused = |what: String, remedy: &str| Err(Error::config(format!("path {s} {what}"), remedy));
        if of.is_empty() {
            return refused("has no knot".into(), "give each trajectory at least one time with its values");
        }
        if let Some(k) = of.iter().position(|t| !t.is_finite()) {
            return refused(format!("has time {} at knot {k}", of[k]), "give finite times");
        }
        if let Some(k) = of.windows(2).position(|pair| pair[0] >= pair[1]) {
            let what = format!("has time {} at knot {} after {}", of[k + 1], k + 1, of[k]);
            return refused(what, "give times that rise, each once");
        }
        let own = &values[pair[0] * dim..pair[1] * dim];
        if let Some(cell) = own.iter().position(|x| !x.is_finite()) {
            let what = format!("has the value {} in channel {} at knot {}", own[cell], cell % dim, cell / dim);
            return refused(what, "give finite values; fill missing ones, or leave the knot out");
        }
    }
    Ok(())
}
