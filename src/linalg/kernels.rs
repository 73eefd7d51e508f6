//! Naive kernels, to be replaced.
use crate::Real;

/// Per-type pieces of the kernels.
pub trait Kernels {}
impl Kernels for f32 {}
impl Kernels for f64 {}

/// `out = W·x + b` for every lane: `W` is `rows × inner` column by column, `b` has `rows` numbers (or none), `x` is
/// `inner × lanes`, `out` is `rows × lanes`.
pub fn affine<T: Real>(w: &[T], b: &[T], x: &[T], out: &mut [T], lanes: usize) {
    let rows = out.len() / lanes;
    let inner = x.len() / lanes;
    for i in 0..rows {
        for l in 0..lanes {
            let mut acc = if b.is_empty() { T::zero() } else { b[i] };
            for k in 0..inner {
                acc = w[k * rows + i].mul_add(x[k * lanes + l], acc);
            }
            out[i * lanes + l] = acc;
        }
    }
}

/// `out += Wᵀ·y` for every lane: `y` is `rows × lanes`, `out` is `inner × lanes`.
pub fn transposed_add<T: Real>(w: &[T], y: &[T], out: &mut [T], lanes: usize) {
    let rows = y.len() / lanes;
    let inner = out.len() / lanes;
    for k in 0..inner {
        for l in 0..lanes {
            let mut acc = out[k * lanes + l];
            for i in 0..rows {
                acc = w[k * rows + i].mul_add(y[i * lanes + l], acc);
            }
            out[k * lanes + l] = acc;
        }
    }
}

/// `dw += y·xᵀ` summed over lanes, and `db += y` summed over lanes (`db` may be empty).
pub fn outer_add<T: Real>(y: &[T], x: &[T], dw: &mut [T], db: &mut [T], lanes: usize) {
    let rows = y.len() / lanes;
    let inner = x.len() / lanes;
    for k in 0..inner {
        for i in 0..rows {
            let mut acc = dw[k * rows + i];
            for l in 0..lanes {
                acc = y[i * lanes + l].mul_add(x[k * lanes + l], acc);
            }
            dw[k * rows + i] = acc;
        }
    }
    for (i, d) in db.iter_mut().enumerate() {
        for l in 0..lanes {
            *d += y[i * lanes + l];
        }
    }
}

/// `out = base + h ⊙ Σ_j c_j k_j`: `stages` holds the blocks `k_j` one after another, each as long as `out`; lane `l`
/// uses step `h[l]`. An empty `base` counts as zero.
pub fn combine<T: Real>(base: &[T], h: &[T], coefficients: &[T], stages: &[T], out: &mut [T]) {
    let lanes = h.len();
    let stride = out.len();
    for i in 0..out.len() {
        let mut acc = T::zero();
        for (j, &c) in coefficients.iter().enumerate() {
            acc = c.mul_add(stages[j * stride + i], acc);
        }
        let b = if base.is_empty() { T::zero() } else { base[i] };
        out[i] = h[i % lanes].mul_add(acc, b);
    }
}

/// `out += a ⊙ h ⊙ x`: `h` has one number a lane.
pub fn scaled_add<T: Real>(a: T, h: &[T], x: &[T], out: &mut [T]) {
    let lanes = h.len();
    for (i, (o, &x)) in out.iter_mut().zip(x).enumerate() {
        *o = (a * h[i % lanes]).mul_add(x, *o);
    }
}

/// `x = tanh(x)`.
pub fn tanh<T: Real>(x: &mut [T]) {
    x.iter_mut().for_each(|v| *v = v.tanh());
}

/// `x = 1/(1 + exp(−x))`.
pub fn sigmoid<T: Real>(x: &mut [T]) {
    x.iter_mut().for_each(|v| *v = T::one() / (T::one() + (-*v).exp()));
}

/// `x = ln(1 + exp(x))`, without overflow.
pub fn softplus<T: Real>(x: &mut [T]) {
    x.iter_mut().for_each(|v| {
        let z = *v;
        *v = z.max(T::zero()) + (-z.abs()).exp().ln_1p();
    });
}

/// `x = exp(x)`.
pub fn exp<T: Real>(x: &mut [T]) {
    x.iter_mut().for_each(|v| *v = v.exp());
}
