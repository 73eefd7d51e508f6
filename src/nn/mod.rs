//! Networks as components, their initial values, and what trains them.

mod activation;
mod adabelief;
mod conv;
mod gain;
mod harmonics;
mod init;
mod loss;
mod mlp;
mod mlp_curved;
mod optim;
mod relaxation;

pub use activation::Activation;
pub use adabelief::AdaBelief;
pub use conv::Convolution;
pub use gain::Gain;
pub use harmonics::Harmonics;
pub use init::{fan_in_normal, fan_in_uniform, orthogonal, recurrent_uniform};
pub use loss::{cross_entropy, squared_error};
pub use mlp::Mlp;
pub use optim::{AdamW, Schedule, clip_norm};
pub use relaxation::Relaxation;
