//! How a trajectory can end early: what happened, the likely cause, and what to try.

/// Where and why a trajectory ended early.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("ended at time {} with step {}: {reason}; {cause}; {}", plain(*.time), plain(*.step), .cause.advice())]
pub struct Failure {
    /// The last time reached.
    pub time: f64,
    /// The step that was tried.
    pub step: f64,
    /// What happened.
    pub reason: Reason,
    /// The likely cause.
    pub cause: Cause,
}

/// What ended a trajectory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// State or field became infinite or NaN.
    #[error("component {component} is not finite")]
    NotFinite {
        /// The first such component, counted from 0.
        component: usize,
    },
    /// No step is small enough, or none that is allowed.
    #[error("the step became too small")]
    StepUnderflow {
        /// The component with the largest error, counted from 0.
        component: usize,
    },
    /// The allowance of steps is used up.
    #[error("too many steps")]
    TooManySteps,
    /// The equations of an implicit stage were not solved.
    #[error("no solution of an implicit stage was found")]
    Unsolved,
    /// An event comes again and again while time stands still.
    #[error("event {event} comes again and again while time stands still")]
    EventChatter {
        /// Which event, counted from 0.
        event: usize,
    },
}

/// Why it was so, as far as the field's size and linearisation tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The field is infinite or NaN near there, at a state of usual size.
    #[error("the field is not finite there")]
    FieldNotFinite,
    /// The state grows beyond all bounds.
    #[error("the state grows beyond all bounds")]
    BlowUp,
    /// Stability, not accuracy, keeps an explicit method's steps short.
    #[error("the problem is stiff for an explicit method")]
    Stiff,
    /// A fixed step lies beyond the method's stability limit.
    #[error("the step is too long for the method to be stable")]
    Unstable,
    /// The events leave no time between them.
    #[error("the events pile up")]
    Chatter,
    /// The field jumps or has a kink there that nobody declared.
    #[error("the field seems to jump there, or the tolerance is beyond the working precision")]
    Rough,
    /// Newton's method finds no solution of a stage that is so long.
    #[error("the step is too long for the equations of its stages to be solved")]
    Nonlinear,
    /// Many steps of reasonable length.
    #[error("the time span is long for the time scale of the solution")]
    Long,
    /// A map has more steps to go than are allowed.
    #[error("there are more steps to go than are allowed")]
    Allowance,
}

impl Cause {
    /// What to try.
    pub fn advice(self) -> &'static str {
        match self {
            Self::FieldNotFinite => {
                "check the field for division by zero, logarithms and roots, and where it overflows"
            }
            Self::BlowUp => {
                "end before that time, or begin elsewhere or with other parameters; of a flow with fixed steps, shorten them"
            }
            Self::Stiff => "use a stiff method such as kvaerno5",
            Self::Unstable => "shorten the step, or use an implicit or adaptive method",
            Self::Chatter => "let the event stop the trajectory, or give it a state to rest in",
            Self::Rough => "declare the inputs' kinks, describe the jump as an event, or loosen the tolerance",
            Self::Nonlinear => "shorten the step, or let the method choose its own",
            Self::Long => "allow more steps, or loosen the tolerance",
            Self::Allowance => "allow more, or end before that time",
        }
    }
}

/// A number without a row of zeros.
fn plain(x: f64) -> String {
    if x == 0.0 || (1e-4..1e16).contains(&x.abs()) { x.to_string() } else { format!("{x:e}") }
}
