//! Files in and out, written whole or not at all.

mod atomic;
pub(crate) mod checkpoint;
mod folder;
pub mod json;
mod matrix;
pub mod npy;
mod sheet;
pub mod table;
pub mod tensors;

pub use atomic::write_atomic;
pub use folder::OutputFolder;
pub use matrix::{Matrix, read_matrix};
pub use sheet::{LARGEST_VALUE, Row, Sheet};
pub(crate) use sheet::{clipped, data_error};
