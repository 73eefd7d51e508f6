//! Explicit methods of order 4 and less.

use crate::solve::tableau::{Estimate, Tableau};

/// Explicit Euler with linear interpolation.
pub const EULER: Tableau = Tableau {
    name: "euler",
    order: 1,
    c: &[0.0, 1.0],
    a: &[&[], &[1.0]],
    dense: &[&[1.0], &[0.0]],
    dense_order: 1,
    source: "Euler 1768",
    ..Tableau::BLANK
};

/// The midpoint rule with Euler's method as its embedded result and a quadratic continuous extension.
pub const MIDPOINT: Tableau = Tableau {
    name: "midpoint",
    order: 2,
    c: &[0.0, 0.5, 1.0],
    a: &[&[], &[0.5], &[0.0, 1.0]],
    error: Some(Estimate { power: 2, weights: &[-1.0, 1.0, 0.0], coarse: None }),
    // The only quadratics that meet both conditions of order 2: b_1 is θ²/(2c_1) and b_0 is θ − b_1.
    dense: &[&[1.0, -1.0], &[0.0, 1.0], &[0.0]],
    dense_order: 2,
    source: "Runge 1895; Hairer, Nørsett & Wanner, Solving ODEs I, II.1 table 1.1",
    ..Tableau::BLANK
};

/// Heun's second-order method with Euler's as its embedded result and a quadratic continuous extension.
pub const HEUN: Tableau = Tableau {
    name: "heun",
    order: 2,
    c: &[0.0, 1.0, 1.0],
    a: &[&[], &[1.0], &[0.5, 0.5]],
    error: Some(Estimate { power: 2, weights: &[-0.5, 0.5, 0.0], coarse: None }),
    // As for the midpoint rule.
    dense: &[&[1.0, -0.5], &[0.0, 0.5], &[0.0]],
    dense_order: 2,
    source: "Runge 1895, Heun 1900; Hairer, Nørsett & Wanner, Solving ODEs I, II.1",
    ..Tableau::BLANK
};

/// Ralston's second-order method, of least error bound, with Euler's as its embedded result and a quadratic continuous
/// extension.
pub const RALSTON: Tableau = Tableau {
    name: "ralston",
    order: 2,
    c: &[0.0, 2.0 / 3.0, 1.0],
    a: &[&[], &[2.0 / 3.0], &[0.25, 0.75]],
    error: Some(Estimate { power: 2, weights: &[-0.75, 0.75, 0.0], coarse: None }),
    // As for the midpoint rule.
    dense: &[&[1.0, -0.75], &[0.0, 0.75], &[0.0]],
    dense_order: 2,
    source: "Ralston 1962, Mathematics of Computation 16, 431–437",
    ..Tableau::BLANK
};

/// Shu and Osher's third-order method, which keeps what Euler's keeps in each step (strong stability), with cubic
/// Hermite interpolation.
pub const SSPRK3: Tableau = Tableau {
    name: "ssprk3",
    order: 3,
    c: &[0.0, 1.0, 0.5, 1.0],
    a: &[&[], &[1.0], &[0.25, 0.25], &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0]],
    dense: &[&[1.0, -1.5, 2.0 / 3.0], &[0.0, 0.5, -1.0 / 3.0], &[0.0, 2.0, -4.0 / 3.0], &[0.0, -1.0, 1.0]],
    dense_order: 3,
    source: "Shu & Osher 1988, Journal of Computational Physics 77, 439–471, eq. 2.18",
    ..Tableau::BLANK
};

/// Bogacki–Shampine 3(2) with cubic Hermite interpolation.
pub const BS3: Tableau = Tableau {
    name: "bs3",
    order: 3,
    c: &[0.0, 0.5, 0.75, 1.0],
    a: &[&[], &[0.5], &[0.0, 0.75], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]],
    error: Some(Estimate { power: 3, weights: &[-5.0 / 72.0, 1.0 / 12.0, 1.0 / 9.0, -1.0 / 8.0], coarse: None }),
    dense: &[&[1.0, -4.0 / 3.0, 5.0 / 9.0], &[0.0, 1.0, -2.0 / 3.0], &[0.0, 4.0 / 3.0, -8.0 / 9.0], &[0.0, -1.0, 1.0]],
    dense_order: 3,
    source: "Bogacki & Shampine 1989, Applied Mathematics Letters 2, 321–325",
    ..Tableau::BLANK
};

/// The classical fourth-order method with cubic Hermite interpolation.
pub const RK4: Tableau = Tableau {
    name: "rk4",
    order: 4,
    c: &[0.0, 0.5, 0.5, 1.0, 1.0],
    a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0], &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0]],
    // Hermite: b_j (3θ² − 2θ³), plus θ − 2θ² + θ³ of the slope at the start and θ³ − θ² of that at the end.
    dense: &[
        &[1.0, -1.5, 2.0 / 3.0],
        &[0.0, 1.0, -2.0 / 3.0],
        &[0.0, 1.0, -2.0 / 3.0],
        &[0.0, 0.5, -1.0 / 3.0],
        &[0.0, -1.0, 1.0],
    ],
    dense_order: 3,
    source: "Kutta 1901; Hairer, Nørsett & Wanner, Solving ODEs I, II.1 table 1.2 and eq. II.6.7",
    ..Tableau::BLANK
};

/// Kutta's other fourth-order method, the 3/8 rule, with cubic Hermite interpolation.
pub const RK4_38: Tableau = Tableau {
    name: "rk4-38",
    order: 4,
    c: &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0],
    a: &[&[], &[1.0 / 3.0], &[-1.0 / 3.0, 1.0], &[1.0, -1.0, 1.0], &[0.125, 0.375, 0.375, 0.125]],
    dense: &[&[1.0, -1.625, 0.75], &[0.0, 1.125, -0.75], &[0.0, 1.125, -0.75], &[0.0, 0.375, -0.25], &[0.0, -1.0, 1.0]],
    dense_order: 3,
    source: "Kutta 1901; Hairer, Nørsett & Wanner, Solving ODEs I, II.1 table 1.2 and eq. II.6.7",
    ..Tableau::BLANK
};
