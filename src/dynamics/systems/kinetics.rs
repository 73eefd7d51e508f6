//! Populations and reactions.

use super::instance::Made;
use super::system::exact;
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Scalar, SmallField, SmallMap};

struct LotkaVolterra;
impl SmallField<2, 4> for LotkaVolterra {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [alpha, beta, delta, gamma]: [S; 4]) -> [S; 2] {
        [x * (alpha - beta * y), y * (delta * x - gamma)]
    }
}

struct LotkaVolterraLevel;
impl SmallMap<2, 1, 4> for LotkaVolterraLevel {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [alpha, beta, delta, gamma]: [S; 4]) -> [S; 1] {
        [delta * x - gamma * x.ln() + beta * y - alpha * y.ln()]
    }
}

pub(super) const LOTKA_VOLTERRA: System = System {
    name: "lotka-volterra",
    title: "prey and predators",
    kind: Kind::Flow,
    equations: "prey' = prey (alpha - beta predator), predator' = predator (delta prey - gamma)",
    source: "Lotka 1920, PNAS 6, 410-415; Volterra 1926, Nature 118, 558-560",
    remark: "",
    parameters: &[
        Parameter::real("alpha", 1.1, "growth of the prey"),
        Parameter::real("beta", 0.4, "losses of the prey to each predator"),
        Parameter::real("delta", 0.1, "growth of the predators by each prey"),
        Parameter::real("gamma", 0.4, "deaths of the predators"),
    ],
    span: Span { end: 60.0, step: 0.05 },
    measure: Measure { step: 0.005, warmup: 50.0, time: 1000.0, starts: 8, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[exact(0.0), exact(0.0)],
        dimension: Some(2.0),
        how: "every trajectory is periodic, on a level of the conserved quantity",
    }],
    make: |_| {
        let made = Made::flow(LotkaVolterra, ["prey", "predator"], [10.0, 5.0]);
        made.conserving("level", LotkaVolterraLevel).sum(0.0).zeros(2)
    },
};

struct Robertson;
impl SmallField<3, 3> for Robertson {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [k1, k2, k3]: [S; 3]) -> [S; 3] {
        let (slow, fast, back) = (k1 * x, k2 * y * y, k3 * y * z);
        [back - slow, slow - back - fast, fast]
    }
}

struct RobertsonMass;
impl SmallMap<3, 1, 3> for RobertsonMass {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], _p: [S; 3]) -> [S; 1] {
        [x + y + z]
    }
}

pub(super) const ROBERTSON: System = System {
    name: "robertson",
    title: "Robertson's autocatalytic reaction, stiff",
    kind: Kind::Flow,
    equations: "x' = k3 y z - k1 x, y' = k1 x - k3 y z - k2 y^2, z' = k2 y^2",
    source: "Robertson 1966; Hairer & Wanner, Solving ODEs II, eq. IV.1.4",
    remark: "Its rates differ by nine powers of ten: explicit methods need many steps, kvaerno5 few. y is of the order of \
             1e-5, so choose an absolute tolerance below that.",
    parameters: &[
        Parameter::real("k1", 0.04, "slow rate"),
        Parameter::real("k2", 3e7, "very fast rate"),
        Parameter::real("k3", 1e4, "fast rate"),
    ],
    span: Span { end: 10.0, step: 0.02 },
    measure: Measure { step: 0.000_1, warmup: 1.0, time: 40.0, starts: 1, exponents: 0 },
    references: &[],
    make: |_| Made::flow(Robertson, ["x", "y", "z"], [1.0, 0.0, 0.0]).conserving("mass", RobertsonMass).zeros(1),
};

struct StiffLinear;
impl SmallField<2, 1> for StiffLinear {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [k]: [S; 1]) -> [S; 2] {
        [y - S::of(2.0) * x, (k - S::of(2.0)) * x - (k - S::of(1.0)) * y]
    }
}

pub(super) const STIFF_LINEAR: System = System {
    name: "stiff-linear",
    title: "two decays, one much faster",
    kind: Kind::Flow,
    equations: "x' = -2 x + y, y' = (k - 2) x - (k - 1) y; the rates are 1 and k",
    source: "Lambert 1991, Numerical Methods for Ordinary Differential Systems, sec. 6.1",
    remark: "The fast rate is gone from the solution at once, and still limits the steps of explicit methods to 2/k and the \
             like.",
    parameters: &[Parameter::real("k", 1000.0, "the fast rate")],
    span: Span { end: 5.0, step: 0.01 },
    measure: Measure { step: 0.000_05, warmup: 0.5, time: 10.0, starts: 1, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[exact(-1.0), exact(-1000.0)],
        dimension: Some(0.0),
        how: "the eigenvalues of its matrix",
    }],
    make: |p| Made::flow(StiffLinear, ["x", "y"], [1.0, 0.0]).sum(-1.0 - p[0]),
};
