//! Systems of two degrees of freedom that conserve their energy.

use super::instance::Made;
use super::system::about;
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Scalar, SmallField, SmallMap};

struct HenonHeiles;
impl SmallField<4, 0> for HenonHeiles {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, px, py]: [S; 4], _p: [S; 0]) -> [S; 4] {
        [px, py, -x - S::of(2.0) * x * y, y * y - x * x - y]
    }
}

struct HenonHeilesEnergy;
impl SmallMap<4, 1, 0> for HenonHeilesEnergy {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y, px, py]: [S; 4], _p: [S; 0]) -> [S; 1] {
        let quadratic = S::of(0.5) * (px * px + py * py + x * x + y * y);
        [quadratic + y * (x * x - y * y / S::of(3.0))]
    }
}

pub(super) const HENON_HEILES: System = System {
    name: "henon-heiles",
    title: "Hénon and Heiles' star in a galaxy",
    kind: Kind::Flow,
    equations: "x' = px, y' = py, px' = -x - 2 x y, py' = y^2 - x^2 - y",
    source: "Hénon & Heiles 1964, Astron. J. 69, 73-79",
    remark: "The usual start has energy 1/8; above 1/6 trajectories may escape.",
    parameters: &[],
    span: Span { end: 200.0, step: 0.1 },
    measure: Measure { step: 0.02, warmup: 500.0, time: 10000.0, starts: 16, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.0397, 0.0032), about(0.0, 0.0001), about(0.0, 0.0001), about(-0.0397, 0.0032)],
        dimension: Some(4.0),
        how: "rk4 from the usual start over 100000 time units",
    }],
    make: |_| {
        let made = Made::flow(HenonHeiles, ["x", "y", "px", "py"], [0.0, -0.25, 0.42081, 0.0]);
        made.separable().conserving("energy", HenonHeilesEnergy).sum(0.0).zeros(2).pairs(0.0)
    },
};

struct DoublePendulum;
impl SmallField<4, 5> for DoublePendulum {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [a1, a2, p1, p2]: [S; 4], [m1, m2, l1, l2, g]: [S; 5]) -> [S; 4] {
        let (sin, cos) = ((a1 - a2).sin(), (a1 - a2).cos());
        let (both, mass) = (m1 + m2, m1 + m2 * sin * sin);
        // The angular velocities are the momenta through the inverse of the mass matrix.
        let w1 = (l2 * p1 - l1 * p2 * cos) / (l1 * l1 * l2 * mass);
        let w2 = (both * l1 * p2 - m2 * l2 * p1 * cos) / (m2 * l1 * l2 * l2 * mass);
        let coupling = m2 * l1 * l2 * w1 * w2 * sin;
        [w1, w2, -both * g * l1 * a1.sin() - coupling, coupling - m2 * g * l2 * a2.sin()]
    }
}

struct DoublePendulumEnergy;
impl SmallMap<4, 1, 5> for DoublePendulumEnergy {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [a1, a2, p1, p2]: [S; 4], [m1, m2, l1, l2, g]: [S; 5]) -> [S; 1] {
        let (sin, cos) = ((a1 - a2).sin(), (a1 - a2).cos());
        let both = m1 + m2;
        let twice = m2 * l2 * l2 * p1 * p1 + both * l1 * l1 * p2 * p2 - S::of(2.0) * m2 * l1 * l2 * p1 * p2 * cos;
        let kinetic = twice / (S::of(2.0) * m2 * l1 * l1 * l2 * l2 * (m1 + m2 * sin * sin));
        [kinetic - both * g * l1 * a1.cos() - m2 * g * l2 * a2.cos()]
    }
}

pub(super) const DOUBLE_PENDULUM: System = System {
    name: "double-pendulum",
    title: "two point masses on massless rods",
    kind: Kind::Flow,
    equations: "Hamilton's equations of two angles from the vertical and their canonical momenta; with both bodies' \
                velocities w1, w2: p1 = (m1+m2) l1^2 w1 + m2 l1 l2 w2 cos(theta1-theta2), \
                p2 = m2 l2^2 w2 + m2 l1 l2 w1 cos(theta1-theta2)",
    source: "Landau & Lifshitz, Mechanics, sec. 5, problem 1; Shinbrot et al. 1992, Am. J. Phys. 60, 491-499",
    remark: "The usual start is at rest with both rods 120 degrees from hanging; at rest the momenta are 0. The reference \
             holds for that start.",
    parameters: &[
        Parameter::positive("m1", 1.0, "upper mass"),
        Parameter::positive("m2", 1.0, "lower mass"),
        Parameter::positive("l1", 1.0, "upper length"),
        Parameter::positive("l2", 1.0, "lower length"),
        Parameter::real("g", 9.81, "gravity"),
    ],
    span: Span { end: 20.0, step: 0.01 },
    measure: Measure { step: 0.001, warmup: 50.0, time: 1500.0, starts: 16, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(1.418, 0.007), about(0.0, 0.0005), about(0.0, 0.0005), about(-1.418, 0.007)],
        dimension: Some(4.0),
        how: "rk4 with step 0.001 from the usual start over 20000 time units",
    }],
    make: |_| {
        let tilt = 2.0 * std::f64::consts::FRAC_PI_3;
        let made = Made::flow(DoublePendulum, ["theta1", "theta2", "p1", "p2"], [tilt, tilt, 0.0, 0.0]);
        made.conserving("energy", DoublePendulumEnergy).sum(0.0).zeros(2).pairs(0.0)
    },
};
