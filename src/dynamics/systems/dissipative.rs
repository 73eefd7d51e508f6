//! Lorenz's and Rössler's attractors.

use super::instance::Made;
use super::system::{about, exact};
use super::{Kind, Measure, Parameter, Reference, Span, System};
use crate::dynamics::{Scalar, SmallField};

struct Lorenz63;
impl SmallField<3, 3> for Lorenz63 {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [sigma, rho, beta]: [S; 3]) -> [S; 3] {
        [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    }
}

pub(super) const LORENZ63: System = System {
    name: "lorenz63",
    title: "Lorenz's convection model, the butterfly",
    kind: Kind::Flow,
    equations: "x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z",
    source: "Lorenz 1963, J. Atmos. Sci. 20, 130-141",
    remark: "",
    parameters: &[
        Parameter::real("sigma", 10.0, "Prandtl number"),
        Parameter::real("rho", 28.0, "Rayleigh number over its critical value"),
        Parameter::real("beta", 8.0 / 3.0, "shape of the convection cells"),
    ],
    span: Span { end: 40.0, step: 0.01 },
    measure: Measure { step: 0.005, warmup: 100.0, time: 10000.0, starts: 16, exponents: 0 },
    references: &[
        Reference {
            settings: &[],
            exponents: &[about(0.9047, 0.0008), exact(0.0), about(-14.5714, 0.0008)],
            dimension: Some(2.0621),
            how: "rk4 with step 0.005 over 50000 time units; Sprott: 0.9056, 0, -14.5723",
        },
        Reference {
            settings: &[("sigma", 16.0), ("rho", 45.92), ("beta", 4.0)],
            exponents: &[about(1.5027, 0.0016), exact(0.0), about(-22.5027, 0.0016)],
            dimension: Some(2.0668),
            how: "rk4 with step 0.0025 over 10000 time units; Wolf et al. 1985 give 2.16 bits, 1.50 nats",
        },
    ],
    make: |p| Made::flow(Lorenz63, ["x", "y", "z"], [1.0, 1.0, 1.0]).sum(-(p[0] + 1.0 + p[2])).zeros(1),
};

struct Rossler;
impl SmallField<3, 3> for Rossler {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [a, b, c]: [S; 3]) -> [S; 3] {
        [-y - z, x + a * y, b + z * (x - c)]
    }
}

pub(super) const ROSSLER: System = System {
    name: "rossler",
    title: "Rössler's folded band",
    kind: Kind::Flow,
    equations: "x' = -y - z, y' = x + a y, z' = b + z (x - c)",
    source: "Rössler 1976, Phys. Lett. A 57, 397-398",
    remark: "",
    parameters: &[
        Parameter::real("a", 0.2, "growth of the spiral"),
        Parameter::real("b", 0.2, "inflow of z"),
        Parameter::real("c", 5.7, "x at which z begins to grow"),
    ],
    span: Span { end: 200.0, step: 0.05 },
    measure: Measure { step: 0.01, warmup: 500.0, time: 20000.0, starts: 16, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.07193, 0.00035), exact(0.0), about(-5.3946, 0.0004)],
        dimension: Some(2.0133),
        how: "rk4 with step 0.01 over 200000 time units; Sprott: 0.0714, 0, -5.3943",
    }],
    make: |_| Made::flow(Rossler, ["x", "y", "z"], [1.0, 1.0, 0.0]).zeros(1),
};

struct HyperRossler;
impl SmallField<4, 4> for HyperRossler {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z, w]: [S; 4], [a, b, c, d]: [S; 4]) -> [S; 4] {
        [-y - z, x + a * y + w, b + x * z, d * w - c * z]
    }
}

pub(super) const HYPER_ROSSLER: System = System {
    name: "hyper-rossler",
    title: "Rössler's hyperchaos, two directions of growth",
    kind: Kind::Flow,
    equations: "x' = -y - z, y' = x + a y + w, z' = b + x z, w' = d w - c z",
    source: "Rössler 1979, Phys. Lett. A 71, 155-157",
    remark: "Starts far from the attractor escape.",
    parameters: &[
        Parameter::real("a", 0.25, "growth of the spiral"),
        Parameter::real("b", 3.0, "inflow of z"),
        Parameter::real("c", 0.5, "effect of z on w"),
        Parameter::real("d", 0.05, "growth of w"),
    ],
    span: Span { end: 300.0, step: 0.05 },
    measure: Measure { step: 0.005, warmup: 500.0, time: 5000.0, starts: 16, exponents: 0 },
    references: &[Reference {
        settings: &[],
        exponents: &[about(0.1105, 0.0021), about(0.0211, 0.0013), exact(0.0), about(-24.9, 0.4)],
        dimension: Some(3.005),
        how: "rk4 over 20000 time units",
    }],
    make: |_| Made::flow(HyperRossler, ["x", "y", "z", "w"], [-10.0, -6.0, 0.0, 10.0]).zeros(1),
};
