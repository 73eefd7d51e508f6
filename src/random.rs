//! Random numbers: what a seed draws, and by which of its streams, in one place.
//!
//! Streams have numbers of their own among things that one seed draws in one run; others may share theirs. What has a seed
//! to itself, such as a model's first parameters, draws by stream 0. Frames of tangents draw by the number
//! of their start with bit 62 set (`analysis::Walk`), columns in place of vanished ones by frame and count (`linalg::Qr`).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What is drawn. A stream's number must never change: the same seed gives the same result in every version.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// Series held out for testing.
    TestSeries,
    /// Series held out for validation.
    ValidationSeries,
    /// Where an epoch's trajectories are anchored.
    Anchors { epoch: usize },
    /// The order of an epoch's trajectories, and seeds of noise.
    Order { epoch: usize },
    /// Noise on the starts from a trajectory on.
    Noise { first: usize },
    /// What a model of sequences draws in a training step.
    SequenceStep(u64),
    /// A gradient whose growth is looked at.
    Probe(usize),
    /// A direction that gradients are compared along.
    Direction(usize),
    /// A start near a given one.
    Start(usize),
    /// Covariant vectors where a run ends.
    Covariant,
    /// Gradients that set out from an end, of a start.
    Cotangents { start: usize, end: usize },
}

impl Stream {
    /// Its generator.
    pub fn of(self, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(match self {
            Self::TestSeries => 1,
            Self::ValidationSeries => 2,
            Self::Anchors { epoch } => 17 + 4 * epoch as u64,
            Self::Order { epoch } => 18 + 4 * epoch as u64,
            Self::SequenceStep(step) => 1 + step,
            Self::Noise { first: number } | Self::Probe(number) | Self::Direction(number) | Self::Start(number) => {
                number as u64
            }
            Self::Covariant => 1 << 61,
            Self::Cotangents { start, end } => (start as u64) << 32 | end as u64 | 1 << 63,
        });
        rng
    }
}
