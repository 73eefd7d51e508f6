//! How steps are chosen.

use super::tableau::Coefficients;
use super::{TSIT5, Tableau};
use crate::linalg::{Kernel, Pack, PackMask, Vector, dispatch};
use crate::{Error, Real, Result};

/// How a trajectory's steps are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Steps of this length; the last one ends at the last output time.
    Fixed {
        /// Length of a step, positive.
        step: f64,
    },
    /// Steps such that the estimated error of each stays within `atol + rtol·|y|` (root mean square over components).
    Adaptive {
        /// Relative tolerance.
        rtol: f64,
        /// Absolute tolerance.
        atol: f64,
    },
}

/// Gains of the step-size controller: the next step is `h · 0.9 · e₀^−(I+P+D)/k · e₁^(P+2D)/k · e₂^−D/k`, where `e₀` is
/// the step's scaled error, `e₁` and `e₂` those before it, and the estimate falls as `h^k` (Söderlind 2003, ACM TOMS 29).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains {
    /// I, the share of the step's own error.
    pub integral: f64,
    /// P, the answer to its change.
    pub proportional: f64,
    /// D, the answer to the change of its change.
    pub derivative: f64,
}

impl Gains {
    /// The elementary controller: quickest, and restless where stability limits the step.
    pub const I: Self = Self { integral: 1.0, proportional: 0.0, derivative: 0.0 };
    /// That of the `dopri5` code, the default (Hairer, Nørsett & Wanner I, sec. II.4; II, sec. IV.2).
    pub const PI: Self = Self { integral: 0.65, proportional: 0.2, derivative: 0.0 };
    /// Söderlind's H312 filter: the smoothest sequence of steps, for rough fields (Söderlind 2003, table III).
    pub const PID: Self = Self { integral: 2.0 / 9.0, proportional: -2.0 / 9.0, derivative: 1.0 / 18.0 };
}

/// A method with its step control.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The method.
    pub method: &'static Tableau,
    /// How its steps are chosen.
    pub control: Control,
    /// Attempted steps a trajectory may take.
    pub max_steps: usize,
    /// Gains of the step-size controller.
    pub gains: Gains,
    /// The first step to attempt; chosen from the field where none is given.
    pub first_step: Option<f64>,
    /// A trajectory that needs a smaller step ends with a failure; no step is accepted because it is small.
    pub min_step: f64,
    /// No step is longer.
    pub max_step: f64,
}

impl Options {
    /// Tsit5 with these tolerances.
    pub fn adaptive(rtol: f64, atol: f64) -> Self {
        Self::new(&TSIT5, Control::Adaptive { rtol, atol }, 100_000)
    }

    /// A method with steps of fixed length.
    pub fn fixed(method: &'static Tableau, step: f64) -> Self {
        Self::new(method, Control::Fixed { step }, 100_000_000)
    }

    /// A method with its control, and no limits but on the number of steps.
    pub fn new(method: &'static Tableau, control: Control, max_steps: usize) -> Self {
        let (first_step, min_step, max_step) = (None, 0.0, f64::INFINITY);
        Self { method, control, max_steps, gains: Gains::PI, first_step, min_step, max_step }
    }

    /// Checks that numbers are usable and that the method can do what the control asks.
    ///
    /// # Errors
    /// What cannot be used, and what to do.
    pub fn check(&self) -> Result<()> {
        let positive = |name: &str, x: f64| {
            if x > 0.0 && x.is_finite() {
                Ok(())
            } else {
                Err(Error::config(format!("{name} is {x}"), "give a positive number"))
            }
        };
        if self.max_steps == 0 {
            return Err(Error::config("max_steps is 0", "allow at least one step"));
        }
        self.first_step.map_or(Ok(()), |step| positive("the first step", step))?;
        if !(self.min_step >= 0.0 && self.min_step <= self.max_step && self.max_step > 0.0) {
            let what = format!("steps are to be between {} and {}", self.min_step, self.max_step);
            return Err(Error::config(what, "give a smallest step of at least 0 and a longest above it"));
        }
        let Gains { integral, proportional, derivative } = self.gains;
        if !(integral > 0.0 && (integral + proportional + derivative).is_finite()) {
            return Err(Error::config(
                format!("the step-size controller's gains are {integral}, {proportional}, {derivative}"),
                "give finite gains, the integral one positive",
            ));
        }
        self.method.check()?;
        match self.control {
            Control::Fixed { step } => positive("the step", step),
            Control::Adaptive { rtol, atol } => {
                positive("the relative tolerance", rtol)?;
                positive("the absolute tolerance", atol)?;
                if self.method.error.is_none() {
                    return Err(Error::config(
                        format!("{} has no error estimate, so it cannot choose its own steps", self.method.name),
                        format!("give it a fixed step, or choose one of {}", super::methods::adaptive_names()),
                    ));
                }
                Ok(())
            }
        }
    }
}

/// Weight of the coarse estimate's mean square beside the fine one's (see [`Estimate`](super::Estimate)).
pub(crate) const COARSE: f64 = 0.01;

/// Steps of fixed length that are counted from one place: whole numbers up to 2²⁴ are exact in single precision.
pub(crate) const COUNTED: usize = 1 << 20;

/// A last step that would leave a sliver is stretched over it, to this many times its length.
#[inline(always)]
pub(crate) fn stretch<T: Real>() -> T {
    T::one() + T::default_epsilon().sqrt()
}

/// A step this small beside the time is not told from rounding.
#[inline(always)]
pub(crate) fn least_share<T: Real>() -> T {
    T::of(16.0) * T::default_epsilon()
}

/// The signed length of another attempt at `t` after a refused one of length `step`, `factor` times as long but not under
/// `min_step`; none where that is no shorter, or too short to tell from rounding.
pub(crate) fn shorter<T: Real>(t: T, step: T, factor: T, min_step: T) -> Option<T> {
    let length = (step * factor).abs().max(min_step);
    let rounding = least_share::<T>() * t.abs();
    let shorter = length.copysign(step);
    (rounding < length && length < step.abs() && t + shorter != t).then_some(shorter)
}

/// The step-size controller, lane by lane. It works with binary logarithms of scaled errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controller<T>(Pace<T>);

impl<T: Real> Controller<T> {
    /// What is remembered before the first step.
    pub const LOG_FLOOR: f64 = Pace::<T>::LOG_FLOOR;
    /// What stands for the logarithm of an error that is not known.
    pub const LOST: f64 = Pace::<T>::LOST;

    pub fn new(gains: Gains, coefficients: &Coefficients<T>) -> Self {
        let order = coefficients.error_power as f64;
        let Gains { integral: i, proportional: p, derivative: d } = gains;
        let exponents = [-(i + p + d), p + 2.0 * d, -d].map(|x| T::of(x / order));
        Self(Pace { exponents, alone: T::of(-1.0 / order) })
    }

    /// The arithmetic, for lanes side by side.
    pub fn pace(&self) -> Pace<T> {
        self.0
    }

    /// The binary logarithm of the root of a mean square error.
    pub fn log_error(mean_square: T) -> T {
        Pace::log_root_of_one(mean_square)
    }

    /// Factor for the next step after an accepted one, from the logarithms of the errors.
    pub fn after_accept(&self, log_error: T, before: [T; 2], just_rejected: bool) -> T {
        let most = T::of(if just_rejected { 1.0 } else { Pace::<T>::GROW });
        self.0.factor_of_one(log_error, before, true, most)
    }

    /// Factor for another attempt after a rejected one; [`LOST`](Self::LOST) shrinks the step as far as allowed.
    pub fn after_reject(&self, log_error: T) -> T {
        self.0.factor_of_one(log_error, [T::zero(); 2], false, T::one())
    }
}

/// The step-size controller's arithmetic, the same wherever steps are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace<T> {
    /// Exponents of a step's error and of the two before it.
    pub exponents: [T; 3],
    /// Exponent after a rejected attempt.
    pub alone: T,
}

impl<T: Real> Pace<T> {
    const SAFETY: f64 = 0.9;
    const SHRINK: f64 = 0.2;
    /// The largest factor; after a rejection it is 1.
    pub const GROW: f64 = 10.0;
    /// The logarithm of the smallest error remembered (1e-4), so that one lucky step does not open the next one wide.
    pub const LOG_FLOOR: f64 = -13.287712379549449;
    /// Stands for the logarithm of an error that is not known.
    pub const LOST: f64 = 1000.0;

    /// The logarithm of the root of a mean square. Five digits are enough to choose a step by.
    #[inline(always)]
    pub fn log_root<V: Vector<T>, const C: usize>(mean_square: Pack<T, V, C>) -> Pack<T, V, C> {
        Pack::splat(T::of(0.5)) * mean_square.rough_log2()
    }

    /// The factor for the next attempt, from the logarithms of this error and of the two before. After a rejected
    /// attempt only this error counts.
    #[inline(always)]
    pub fn factor<V: Vector<T>, const C: usize>(
        &self,
        log_error: Pack<T, V, C>,
        before: [Pack<T, V, C>; 2],
        accepted: PackMask<V::Mask, C>,
        most: Pack<T, V, C>,
    ) -> Pack<T, V, C> {
        let (shrink, safety) = (Pack::splat(T::of(Self::SHRINK)), Pack::splat(T::of(Self::SAFETY)));
        let [a, b, c] = self.exponents;
        let smooth = Pack::splat(a) * log_error + Pack::splat(b) * before[0] + Pack::splat(c) * before[1];
        let exponent = Pack::select(accepted, smooth, Pack::splat(self.alone) * log_error);
        (safety * exponent.rough_exp2()).at_least(shrink).at_most(Pack::select(accepted, most, safety))
    }
}

/// Arguments and results of one lane's [`Pace::factor`].
struct Factor<'a, T> {
    pace: &'a Pace<T>,
    log_error: T,
    before: [T; 2],
    accepted: bool,
    most: T,
    out: &'a mut T,
}

impl<T: Real> Kernel<T> for Factor<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let splat = Pack::<T, V, 1>::splat;
        let accepted = splat(if self.accepted { T::zero() } else { T::one() }).less(splat(T::of(0.5)));
        let before = [splat(self.before[0]), splat(self.before[1])];
        let factor = self.pace.factor(splat(self.log_error), before, accepted, splat(self.most));
        factor.store_part(std::slice::from_mut(self.out));
    }
}

struct LogRoot<'a, T>(&'a mut T);

impl<T: Real> Kernel<T> for LogRoot<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        Pace::log_root(Pack::<T, V, 1>::splat(*self.0)).store_part(std::slice::from_mut(self.0));
    }
}

impl<T: Real> Pace<T> {
    /// [`factor`](Self::factor) of one lane.
    pub fn factor_of_one(&self, log_error: T, before: [T; 2], accepted: bool, most: T) -> T {
        let mut out = T::zero();
        dispatch(Factor { pace: self, log_error, before, accepted, most, out: &mut out });
        out
    }

    /// [`log_root`](Self::log_root) of one lane.
    pub fn log_root_of_one(mean_square: T) -> T {
        let mut out = mean_square;
        dispatch(LogRoot(&mut out));
        out
    }
}
