//! Networks as components, their initial values, and what trains them.

mod activation;
mod adabelief;
mod gain;
mod harmonics;
mod init;
mod mlp;
mod optim;
mod relaxation;

pub use activation::Activation;
pub use adabelief::AdaBelief;
pub use gain::Gain;
pub use harmonics::Harmonics;
pub use init::{fan_in_normal, fan_in_uniform};
pub use mlp::Mlp;
pub use optim::{AdamW, Schedule, clip_norm};
pub use relaxation::Relaxation;
