//! The contract every system fulfils, and how systems combine.

mod component;
pub use component::{Component, Tangent};
