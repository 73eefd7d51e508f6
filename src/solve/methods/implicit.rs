//! Singly diagonally implicit methods, for stiff systems: the first stage is explicit, the last is the result.

use crate::solve::tableau::{Estimate, Kind, Tableau};

/// Implicit Euler, whose error is estimated against the trapezoidal rule, with linear interpolation.
pub const IMPLICIT_EULER: Tableau = Tableau {
    name: "implicit-euler",
    order: 1,
    c: &[0.0, 1.0],
    a: &[&[], &[0.0]],
    kind: Kind::DiagonallyImplicit(1.0),
    error: Some(Estimate { power: 2, weights: &[-0.5, 0.5], coarse: None }),
    dense: &[&[0.0], &[1.0]],
    dense_order: 1,
    source: "Hairer & Wanner, Solving ODEs II, IV.1 and IV.3",
    ..Tableau::BLANK
};

/// Kværnø's L-stable 5(4), whose sixth stage is the embedded result, with cubic Hermite interpolation.
pub const KVAERNO5: Tableau = Tableau {
    name: "kvaerno5",
    order: 5,
    c: &[0.0, 0.52, 1.230333209967908, 0.8957659843500759, 0.43639360985864756, 1.0, 1.0],
    a: &[
        &[],
        &[0.26],
        &[0.13, 0.8403332099679081],
        &[0.22371961478320504, 0.476755323197997, -0.06470895363112615],
        &[0.16648564323248322, 0.1045001884159172, 0.03631482272098715, -0.13090704451073998],
        &[0.13855640231268224, 0.0, -0.04245337201752043, 0.02446657898003141, 0.6194303907248068],
        &[0.13659751177640292, 0.0, -0.05496908796538376, -0.04118626728321046, 0.629933048990164, 0.06962479448202728],
    ],
    kind: Kind::DiagonallyImplicit(0.26),
    error: Some(Estimate {
        power: 5,
        weights: &[
            -0.00195889053627933,
            0.0,
            -0.01251571594786333,
            -0.06565284626324187,
            0.01050265826535727,
            -0.1903752055179727,
            0.26,
        ],
        coarse: None,
    }),
    dense: &[
        &[1.0, -1.5902074646707913, 0.7268049764471942],
        &[0.0],
        &[0.0, -0.1649072638961513, 0.10993817593076752],
        &[0.0, -0.12355880184963138, 0.08237253456642092],
        &[0.0, 1.889799146970492, -1.259866097980328],
        &[0.0, 0.20887438344608183, -0.13924958896405457],
        &[0.0, -0.22, 0.48],
    ],
    dense_order: 3,
    source: "Kværnø 2004, BIT 44, 489–502, the 5/4 method with γ = 0.26",
    ..Tableau::BLANK
};
