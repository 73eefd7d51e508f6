//! The scalar of a computation: `f32` or `f64`.

use nalgebra::RealField;

/// A working precision. Everything numerical in this crate is written once for any `Real`.
pub trait Real: RealField + Copy + Default + std::fmt::LowerExp + crate::linalg::Kernels {
    /// The type's name, as written in files: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest value of this precision.
    fn of(x: f64) -> Self;

    /// The value in double precision (exact).
    fn f64(self) -> f64;
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        self as f64
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }
}
