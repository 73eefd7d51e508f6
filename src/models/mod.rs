//! Models: short compositions of the rooms above.

mod assimilate;
mod encoder;
mod fitted;
mod neural_ode;
mod noise;
mod persistence;
pub mod segments;
pub mod sequence;
mod store;

pub use assimilate::{Target, fit_start};
pub use encoder::{Conditioning, Encoder, EncoderTape, History};
pub use fitted::{Anchor, Fitted, Prediction};
pub use neural_ode::{ModelSpec, NeuralOde};
pub use noise::Noise;
pub use persistence::{Persistence, persistence};
