//! The contract every system fulfils, and how systems combine.
//!
//! A new vector field, cell or layer implements [`Component`], is checked by [`testkit::check`], and from there gets
//! simulation, gradients and analysis without another line. A field of a few states that is easily written down
//! implements [`SmallField`] instead, once, generically over the scalar, and [`Lift`] makes a component of it.

mod at_rest;
mod component;
mod compose;
mod curved;
mod dual;
mod field;
mod jacobian;
mod lift;
mod march;
mod path;
mod ray;
mod stride;
pub mod systems;
pub mod testkit;

pub use at_rest::AtRest;
pub use component::{Component, ParamSpec, Tangent};
pub use compose::{Beside, Chain, Identity, Sum};
pub use curved::{Bend, Curved};
pub(crate) use curved::{add_lanes, add_points, apart, side_by_side};
pub use dual::{Dual, Scalar};
pub use field::{Constants, Crossing, Effect, Event, Field, Inputs};
pub use jacobian::{PointJacobian, jacobian};
pub use lift::{Lift, LiftMap, SmallField, SmallMap, Swept};
pub use march::Marcher;
pub(crate) use march::{March, Rows, Scale, Stand};
pub use path::{Interpolation, Lookahead, Path};
pub use stride::Strider;
pub(crate) use stride::{Going, MOST_STAGES, Method};
