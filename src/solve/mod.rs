//! Solvers.
/// Why a trajectory stopped early.
#[derive(Clone, Debug, thiserror::Error)]
#[error("todo")]
pub struct Failure;
