//! Models: short compositions of the rooms above.

mod encoder;
mod neural_ode;

pub use encoder::{Encoder, EncoderTape, History};
pub use neural_ode::{ModelSpec, NeuralOde};
