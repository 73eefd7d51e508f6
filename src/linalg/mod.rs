//! Blocks of numbers and the few kernels that everything else is made of.
//!
//! A *block* holds `rows × lanes` numbers, one row after another: row `i` is component `i` of every lane, and a lane is
//! one trajectory (or one tangent). Weights are `rows × inner` matrices stored column by column.
//!
//! **Same bits.** In every kernel here a lane's result depends on that lane's numbers only, never on how many lanes
//! stand beside it: each element of a product is one chain of fused multiply-adds over the inner index in order, and
//! elementwise functions use the same code for full vectors and for tails. Wide products leave out terms whose factor is
//! zero in all lanes of a tile: with finite weights that can change nothing but the sign of a zero.

mod aligned;
mod block;
mod combine;
mod constants;
mod dispatch;
mod elementwise;
mod gemm;
mod jacobi;
pub(crate) mod lu;
mod pack;
mod packed;
mod planes;
mod points;
mod qr;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use aligned::Aligned;
pub use block::{Block, BlockMut, Blocks};
pub use combine::{combine, scaled_add};
pub(crate) use dispatch::{Kernel, dispatch, dispatch_width, fitting_width};
pub use elementwise::{exp, ln, sigmoid, softplus, tanh};
pub use gemm::{affine, affine_add, affine_scaled, outer_add, outer_add_blocks, transposed_add};
pub(crate) use jacobi::log_singular_values;
pub(crate) use pack::{Pack, PackMask};
pub(crate) use planes::{At, Planes, Pointwise, Results, pointwise};
pub use points::{direction_add_points, outer_add_points, scale_points, scaled_points};
pub use qr::Qr;
pub use vector::Kernels;
pub(crate) use vector::Vector;
