//! Models: short compositions of the rooms above.

mod assimilate;
mod encoder;
mod fitted;
mod neural_ode;
pub mod segments;
mod store;

pub use assimilate::{Target, fit_start};
pub use encoder::{Encoder, EncoderTape, History};
pub use fitted::{Anchor, Fitted, Noise, Prediction};
pub use neural_ode::{ModelSpec, NeuralOde, Persistence};
