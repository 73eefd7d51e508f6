//! Functions of single numbers, for many of them at once.
//!
//! All of them rest on one exponential: the argument is `n ln 2 + r` with a whole `n` and `|r| ≤ ln 2 / 2`, a polynomial
//! gives `eʳ − 1`, and `2ⁿ` is made from bits. No branches: special values come out right by the arithmetic itself.

use super::dispatch::{Kernel, dispatch};
use super::vector::{Kernels, Vector};
use crate::Real;

/// `x = eˣ`, within 1 ulp (with fused multiply-add).
pub fn exp<T: Real>(x: &mut [T]) {
    dispatch(Map(x, Exp));
}

/// `x = tanh(x)`, within 2 ulp (2.1 in single precision).
///
/// Like all functions here: right at ±0, ±∞ and denormals, NaN stays NaN, and a number's result has the same bits in any
/// place of a slice of any length.
pub fn tanh<T: Real>(x: &mut [T]) {
    dispatch(Map(x, Tanh));
}

/// `x = 1/(1 + exp(−x))`, within 2 ulp (2.1 in single precision).
pub fn sigmoid<T: Real>(x: &mut [T]) {
    dispatch(Map(x, Sigmoid));
}

/// `x = ln(1 + exp(x))`, without overflow, within 3 ulp.
pub fn softplus<T: Real>(x: &mut [T]) {
    dispatch(Map(x, Softplus));
}

/// `x = ln x`, within 1 ulp (with fused multiply-add): −∞ at ±0, NaN below.
pub fn ln<T: Real>(x: &mut [T]) {
    dispatch(Map(x, Ln));
}

/// A function of one number, for a vector of them.
pub(super) trait Function {
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V;
}

/// Puts a function's values in the place of its arguments.
pub(super) struct Map<'a, T, F>(pub &'a mut [T], pub F);

impl<T: Kernels, F: Function> Kernel<T> for Map<'_, T, F> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let mut chunks = self.0.chunks_exact_mut(V::N);
        for chunk in &mut chunks {
            // SAFETY: a chunk holds `V::N` numbers.
            unsafe { F::of(V::load(chunk.as_ptr())).store(chunk.as_mut_ptr()) }
        }
        let rest = chunks.into_remainder();
        if !rest.is_empty() {
            // SAFETY: the rest holds `rest.len() < V::N` numbers.
            unsafe { F::of(V::load_part(rest.as_ptr(), rest.len())).store_part(rest.as_mut_ptr(), rest.len()) }
        }
    }
}

pub(super) struct Exp;
pub(super) struct Tanh;
pub(super) struct Sigmoid;
pub(super) struct Softplus;
pub(super) struct Ln;
pub(super) struct RoughLog2;
pub(super) struct RoughExp2;

/// A polynomial as two of half the degree in `x²`: half the time from argument to value.
#[inline(always)]
fn polynomial<T: Kernels, V: Vector<T>>(x: V, coefficients: &[T]) -> V {
    let square = x.mul(x);
    let last = coefficients.len() - 1;
    let mut sums = [V::splat(coefficients[last]), V::splat(coefficients[last - 1])];
    for (i, &c) in coefficients[..last - 1].iter().enumerate().rev() {
        let parity = (last - i) % 2;
        sums[parity] = sums[parity].fma(square, V::splat(c));
    }
    if last % 2 == 1 { sums[0].fma(x, sums[1]) } else { sums[1].fma(x, sums[0]) }
}

/// `(n, n + round, eʳ − 1)` for `x = n ln 2 + r`.
#[inline(always)]
fn reduced<T: Kernels, V: Vector<T>>(x: V) -> (V, V, V) {
    let c = &T::CONSTANTS;
    let round = V::splat(c.round);
    let shifted = x.fma(V::splat(c.log2_e), round);
    let n = shifted.sub(round);
    let negative = V::splat(T::ZERO).sub(n);
    let r = negative.fma(V::splat(c.ln2.1), negative.fma(V::splat(c.ln2.0), x));
    (n, shifted, r.mul(r).fma(polynomial(r, c.exp), r))
}

/// The exponential for numbers up to `exp_range.1`.
#[inline(always)]
fn exponential<T: Kernels, V: Vector<T>>(x: V) -> V {
    let c = &T::CONSTANTS;
    let (n, _, em1) = reduced(x.at_least(V::splat(c.exp_range.0)));
    // In two factors, for neither the largest nor the denormal results have their power of two as a normal number.
    let round = V::splat(c.round);
    let half = n.fma(V::splat(c.half), round);
    let other = n.sub(half.sub(round)).add(round);
    em1.add(V::splat(T::ONE)).mul(half.exponent()).mul(other.exponent())
}

impl Function for Exp {
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        exponential(x.at_most(V::splat(T::CONSTANTS.exp_range.1)))
    }
}

impl Function for Tanh {
    /// `e/(e + 2)` for small `x` and `1 − 2/(e + 2)` for large, with `e = exp(2|x|) − 1`: so the errors of `e` and of the
    /// quotient never meet the result at full size.
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let (one, two) = (V::splat(T::ONE), V::splat(T::CONSTANTS.two));
        let a = x.abs().at_most(V::splat(T::CONSTANTS.tanh_end));
        let (_, shifted, em1) = reduced(a.add(a));
        let power = shifted.exponent();
        let e = power.fma(em1, power.sub(one));
        let small = e.less(two);
        let q = V::select(small, e, two).div(e.add(two));
        V::select(small, q, one.sub(q)).with_sign(x)
    }
}

impl Function for Sigmoid {
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let (zero, one) = (V::splat(T::ZERO), V::splat(T::ONE));
        let e = exponential(zero.sub(x.abs()));
        V::select(x.less(zero), e, one).div(one.add(e))
    }
}

impl Function for Softplus {
    /// `max(x, 0) + ln(1 + e)` with `e = exp(−|x|)`, and `ln(1 + e) = 2 atanh(s) = e − s(e − s²(2/3 + …))`, where
    /// `s = e/(2 + e)`: so for small `e` the logarithm is as exact as `e`.
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let zero = V::splat(T::ZERO);
        let e = exponential(zero.sub(x.abs()));
        let s = e.div(e.add(V::splat(T::CONSTANTS.two)));
        let z = s.mul(s);
        let inner = zero.sub(z).fma(polynomial(z, T::CONSTANTS.atanh), e);
        let log = zero.sub(s).fma(inner, e);
        x.at_least(zero).add(log)
    }
}

impl Function for RoughLog2 {
    /// Of a positive number to 2e-5. Zero gives a number below −100, infinity and NaN one above 100, so nothing that comes
    /// of it has to be looked at again.
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let c = &T::CONSTANTS;
        let f = x.mantissa().sub(V::splat(T::ONE));
        x.exponent_field().sub(V::splat(c.bias)).add(polynomial(f, c.rough_log2))
    }
}

impl Function for RoughExp2 {
    /// To 3e-6 of itself, for numbers between −100 and 100; those beyond are taken as these.
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let c = &T::CONSTANTS;
        let (round, bound) = (V::splat(c.round), V::splat(c.rough_bound));
        let x = x.at_most(bound).at_least(bound.neg());
        let shifted = x.add(round);
        polynomial(x.sub(shifted.sub(round)), c.rough_exp2).mul(shifted.exponent())
    }
}

impl Function for Ln {
    /// `e ln 2 + ln(1 + f)` with `1 + f` between `√½` and `√2`, and `ln(1 + f) = f − f²/2 + s(f²/2 + z(2/3 + …))` with
    /// `s = f/(2 + f)`, `z = s²`: for small `f` the logarithm is as exact as `f`.
    #[inline(always)]
    fn of<T: Kernels, V: Vector<T>>(x: V) -> V {
        let c = &T::CONSTANTS;
        let (zero, one, half, infinity) = (V::splat(T::ZERO), V::splat(T::ONE), V::splat(c.half), V::splat(c.infinity));
        let denormal = x.less(V::splat(c.normal.0));
        let normal = V::select(denormal, x.mul(V::splat(c.normal.1)), x);
        let m = normal.mantissa();
        let large = V::splat(c.sqrt_2).less(m);
        let f = V::select(large, m.mul(half), m).sub(one);
        let e = normal.exponent_field().sub(V::select(denormal, V::splat(c.normal.2), zero));
        let e = e.add(V::select(large, one, zero)).sub(V::splat(c.bias));

        let s = f.div(f.add(V::splat(c.two)));
        let z = s.mul(s);
        let square = half.mul(f).mul(f);
        let inner = z.fma(polynomial(z, c.atanh_short), square);
        let low = s.fma(inner, e.mul(V::splat(c.ln2.1)));
        let log = e.fma(V::splat(c.ln2.0), f.sub(square.sub(low)));

        let finite = V::select(x.less(infinity), log, infinity);
        let other = V::select(x.abs().less_or_equal(zero), infinity.neg(), V::splat(c.nan));
        V::select(zero.less(x), finite, other)
    }
}
