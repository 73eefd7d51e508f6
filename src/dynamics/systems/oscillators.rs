//! Oscillators of one degree of freedom.

use super::instance::Made;
use super::system::{about, exact};
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Scalar, SmallField, SmallMap};

struct Duffing;
impl SmallField<2, 5> for Duffing {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, t: S, [x, v]: [S; 2], [delta, alpha, beta, gamma, omega]: [S; 5]) -> [S; 2] {
        [v, gamma * (omega * t).cos() - delta * v - x * (alpha + beta * x * x)]
    }
}

pub(super) const DUFFING: System = System {
    name: "duffing",
    title: "Duffing's driven double well",
    kind: Kind::Flow,
    equations: "x' = v, v' = gamma cos(omega t) - delta v - alpha x - beta x^3",
    source: "Duffing 1918; Guckenheimer & Holmes 1983, Nonlinear Oscillations, sec. 2.2",
    remark: "Time enters: the phase of the drive, a state of its own, would add an exponent of 0.",
    parameters: &[
        Parameter::real("delta", 0.2, "damping"),
        Parameter::real("alpha", -1.0, "linear stiffness"),
        Parameter::real("beta", 1.0, "cubic stiffness"),
        Parameter::real("gamma", 0.3, "strength of the drive"),
        Parameter::real("omega", 1.0, "angular frequency of the drive"),
    ],
    span: Span { end: 200.0, step: 0.05 },
    measure: Measure { step: 0.02, warmup: 500.0, time: 20000.0, starts: 16, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.15894, 0.00081), about(-0.35894, 0.00081)],
        dimension: None,
        how: "rk4 over 200000 time units; with the drive's phase the Kaplan-Yorke dimension is 2.4428",
    }],
    make: |p| {
        let made = Made::flow(Duffing, ["x", "v"], [0.5, 0.0]).sum(-p[0]).pairs(-p[0]);
        if p[0] == 0.0 { made.separable() } else { made }
    },
};

struct VanDerPol;
impl SmallField<2, 1> for VanDerPol {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, v]: [S; 2], [mu]: [S; 1]) -> [S; 2] {
        [v, mu * (S::of(1.0) - x * x) * v - x]
    }
}

pub(super) const VAN_DER_POL: System = System {
    name: "van-der-pol",
    title: "Van der Pol's relaxation oscillator",
    kind: Kind::Flow,
    equations: "x' = v, v' = mu (1 - x^2) v - x",
    source: "van der Pol 1926, Phil. Mag. 2, 978-992",
    remark: "Stiff for mu of 100 and more.",
    parameters: &[Parameter::real("mu", 1.0, "strength of the nonlinear damping")],
    span: Span { end: 40.0, step: 0.02 },
    measure: Measure { step: 0.01, warmup: 200.0, time: 2000.0, starts: 8, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[exact(0.0)],
        dimension: None,
        how: "along a limit cycle the largest is exactly 0",
    }],
    make: |_| Made::flow(VanDerPol, ["x", "v"], [2.0, 0.0]).zeros(1),
};

struct Pendulum;
impl SmallField<2, 3> for Pendulum {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [theta, omega]: [S; 2], [g, l, damping]: [S; 3]) -> [S; 2] {
        [omega, -(g / l) * theta.sin() - damping * omega]
    }
}

/// Energy over mass and squared length.
struct PendulumEnergy;
impl SmallMap<2, 1, 3> for PendulumEnergy {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [theta, omega]: [S; 2], [g, l, _]: [S; 3]) -> [S; 1] {
        [S::of(0.5) * omega * omega - (g / l) * theta.cos()]
    }
}

pub(super) const PENDULUM: System = System {
    name: "pendulum",
    title: "the pendulum, damped",
    kind: Kind::Flow,
    equations: "theta' = omega, omega' = -(g/l) sin(theta) - damping omega",
    source: "Strogatz 2015, Nonlinear Dynamics and Chaos, sec. 6.7",
    remark: "With damping=0 its energy is conserved, and it is separable, as symplectic methods want it.",
    parameters: &[
        Parameter::real("g", 9.81, "gravity"),
        Parameter::positive("l", 1.0, "length"),
        Parameter::real("damping", 0.5, "rate of damping"),
    ],
    span: Span { end: 20.0, step: 0.01 },
    measure: Measure { step: 0.01, warmup: 50.0, time: 500.0, starts: 8, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[exact(-0.25), exact(-0.25)],
        dimension: Some(0.0),
        how: "real parts of the eigenvalues at rest: half the damping while 4 g/l exceeds its square",
    }],
    make: |p| {
        let made = Made::flow(Pendulum, ["theta", "omega"], [2.0, 0.0]).sum(-p[2]).pairs(-p[2]).energy(PendulumEnergy);
        if p[2] == 0.0 { made.separable().conserving("energy", PendulumEnergy).zeros(2) } else { made }
    },
};
