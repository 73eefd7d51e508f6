//! Maps.

use super::instance::Made;
use super::system::{OF_A_MAP, about, exact};
use super::{Kind, Parameter, Reference, Span, System};
use crate::dynamics::{Scalar, SmallMap};
use std::f64::consts::{LN_2, TAU};

/// `x` modulo `period`, in `[0, period)` but for rounding.
#[inline(always)]
fn wrapped<S: Scalar>(x: S, period: f64) -> S {
    x - S::of(period) * (x / S::of(period)).floor()
}

struct Henon;
impl SmallMap<2, 2, 2> for Henon {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [a, b]: [S; 2]) -> [S; 2] {
        [S::of(1.0) - a * x * x + y, b * x]
    }
}

pub(super) const HENON: System = System {
    name: "henon",
    title: "Hénon's folded plane",
    kind: Kind::Map,
    equations: "x' = 1 - a x^2 + y, y' = b x",
    source: "Hénon 1976, Commun. Math. Phys. 50, 69-77",
    remark: "",
    parameters: &[Parameter::real("a", 1.4, "strength of the fold"), Parameter::real("b", 0.3, "contraction of areas")],
    span: Span { end: 3000.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.41921, 0.00002), about(-1.62318, 0.00002)],
        dimension: Some(1.2583),
        how: "400 starts of 1000000 steps; Sprott: 0.41922, -1.62319",
    }],
    make: |p| Made::map(Henon, ["x", "y"], [0.1, 0.1]).sum(p[1].abs().ln()),
};

struct Ikeda;
impl SmallMap<2, 2, 1> for Ikeda {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [u]: [S; 1]) -> [S; 2] {
        let one = S::of(1.0);
        let turn = S::of(0.4) - S::of(6.0) / (one + x * x + y * y);
        let (sin, cos) = (turn.sin(), turn.cos());
        [one + u * (x * cos - y * sin), u * (x * sin + y * cos)]
    }
}

pub(super) const IKEDA: System = System {
    name: "ikeda",
    title: "light in Ikeda's ring cavity",
    kind: Kind::Map,
    equations: "x' = 1 + u (x cos t - y sin t), y' = u (x sin t + y cos t), t = 0.4 - 6/(1 + x^2 + y^2)",
    source: "Ikeda 1979, Opt. Commun. 30, 257-261; Hammel, Jones & Moloney 1985, J. Opt. Soc. Am. B 2, 552-564",
    remark: "",
    parameters: &[Parameter::real("u", 0.9, "share of the light that stays in the ring")],
    span: Span { end: 3000.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.50768, 0.00008), about(-0.71840, 0.00008)],
        dimension: Some(1.7067),
        how: "50000000 steps",
    }],
    make: |p| Made::map(Ikeda, ["x", "y"], [0.1, 0.1]).sum(2.0 * p[0].abs().ln()),
};

struct Lozi;
impl SmallMap<2, 2, 2> for Lozi {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [a, b]: [S; 2]) -> [S; 2] {
        [S::of(1.0) - a * x.abs() + y, b * x]
    }
}

pub(super) const LOZI: System = System {
    name: "lozi",
    title: "Lozi's map, Hénon's with a sharp fold",
    kind: Kind::Map,
    equations: "x' = 1 - a |x| + y, y' = b x",
    source: "Lozi 1978, J. Phys. Colloques 39, C5-9-C5-10",
    remark: "",
    parameters: &[Parameter::real("a", 1.7, "strength of the fold"), Parameter::real("b", 0.5, "contraction of areas")],
    span: Span { end: 3000.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.47025, 0.00003), about(-1.16340, 0.00003)],
        dimension: Some(1.4042),
        how: "100000000 steps",
    }],
    make: |p| Made::map(Lozi, ["x", "y"], [0.1, 0.1]).sum(p[1].abs().ln()),
};

struct Standard;
impl SmallMap<2, 2, 1> for Standard {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [theta, p]: [S; 2], [k]: [S; 1]) -> [S; 2] {
        let kicked = p + k * theta.sin();
        [wrapped(theta + kicked, TAU), wrapped(kicked, TAU)]
    }
}

const STANDARD_HOW: &str = "20000000 to 50000000 steps; for large k close to ln(k/2)";

pub(super) const STANDARD: System = System {
    name: "standard",
    title: "Chirikov's kicked rotor",
    kind: Kind::Map,
    equations: "p' = p + k sin(theta) mod 2 pi, theta' = theta + p' mod 2 pi",
    source: "Chirikov 1979, Phys. Rep. 52, 263-379",
    remark: "It preserves areas. At small k regular islands and chaos live side by side: exponents depend on the start.",
    parameters: &[Parameter::real("k", 10.0, "strength of the kicks")],
    span: Span { end: 3000.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[
        Reference {
            settings: &[],
            exponents: &[about(1.6199, 0.0001), about(-1.6199, 0.0001)],
            dimension: Some(2.0),
            how: STANDARD_HOW,
        },
        Reference {
            settings: &[("k", 20.0)],
            exponents: &[about(2.3054, 0.0002), about(-2.3054, 0.0002)],
            dimension: Some(2.0),
            how: STANDARD_HOW,
        },
        Reference {
            settings: &[("k", 50.0)],
            exponents: &[about(3.2194, 0.0002), about(-3.2194, 0.0002)],
            dimension: Some(2.0),
            how: STANDARD_HOW,
        },
    ],
    make: |_| Made::map(Standard, ["theta", "p"], [1.0, 0.5]).sum(0.0).pairs(0.0),
};

struct Logistic;
impl SmallMap<1, 1, 1> for Logistic {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x]: [S; 1], [r]: [S; 1]) -> [S; 1] {
        [r * x * (S::of(1.0) - x)]
    }
}

pub(super) const LOGISTIC: System = System {
    name: "logistic",
    title: "the logistic map",
    kind: Kind::Map,
    equations: "x' = r x (1 - x)",
    source: "May 1976, Nature 261, 459-467",
    remark: "Starts outside [0, 1], and r above 4, escape.",
    parameters: &[Parameter::real("r", 4.0, "growth")],
    span: Span { end: 200.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[
        Reference { settings: &[], exponents: &[exact(LN_2)], dimension: Some(1.0), how: "exactly ln 2" },
        Reference {
            settings: &[("r", 3.2)],
            exponents: &[exact(-0.916290731874155)],
            dimension: Some(0.0),
            how: "exactly ln(0.16)/2, of the cycle of period 2",
        },
        Reference {
            settings: &[("r", 3.9)],
            exponents: &[about(0.496021, 0.0001)],
            dimension: Some(1.0),
            how: "50000000 steps",
        },
    ],
    make: |_| Made::map(Logistic, ["x"], [0.1]),
};

/// By how much the tent is flatter than it should be, relatively.
const LESS: f64 = 1e-12;

struct Tent;
impl SmallMap<1, 1, 1> for Tent {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x]: [S; 1], [mu]: [S; 1]) -> [S; 1] {
        let half = S::of(0.5);
        // A slope of exactly 2 would only shift bits out: after 55 steps none were left. A little less rounds at every step,
        // which brings new ones in, and changes the exponent by as little.
        let slope = mu * S::of(1.0 - LESS);
        [slope * (half - (x - half).abs())]
    }
}

pub(super) const TENT: System = System {
    name: "tent",
    title: "the tent map",
    kind: Kind::Map,
    equations: "x' = mu min(x, 1 - x)",
    source: "Collet & Eckmann 1980, Iterated Maps on the Interval as Dynamical Systems",
    remark: "The slope is mu (1 - 1e-12): with exactly 2 each step would shift one bit out of the state, which would be 0 \
             after some 55 steps. Slopes up to 2 keep it in [0, 1].",
    parameters: &[Parameter::real("mu", 2.0, "slope")],
    span: Span { end: 200.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[Reference { settings: &[], exponents: &[exact(LN_2)], dimension: Some(1.0), how: "exactly ln mu" }],
    make: |p| Made::map(Tent, ["x"], [0.1]).sum((p[0] * (1.0 - LESS)).abs().ln()),
};

struct Cat;
impl SmallMap<2, 2, 0> for Cat {
    #[inline(always)]
    fn at<S: Scalar>(&self, _t: S, [x, y]: [S; 2], _p: [S; 0]) -> [S; 2] {
        let sum = x + y;
        [wrapped(x + sum, 1.0), wrapped(sum, 1.0)]
    }
}

pub(super) const CAT: System = System {
    name: "cat",
    title: "Arnold's cat on the torus",
    kind: Kind::Map,
    equations: "x' = 2 x + y mod 1, y' = x + y mod 1",
    source: "Arnold & Avez 1968, Ergodic Problems of Classical Mechanics",
    remark: "",
    parameters: &[],
    span: Span { end: 1000.0, step: 1.0 },
    measure: OF_A_MAP,
    references: &[Reference {
        settings: &[],
        exponents: &[exact(0.962423650119207), exact(-0.962423650119207)],
        dimension: Some(2.0),
        how: "exactly ln((3 + sqrt 5)/2) and its negative",
    }],
    make: |_| Made::map(Cat, ["x", "y"], [0.1, 0.2]).sum(0.0).pairs(0.0),
};
