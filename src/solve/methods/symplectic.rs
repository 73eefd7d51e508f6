//! Symplectic methods for separable systems: the rate of the positions is made of the momenta alone and the rate of the
//! momenta of the positions (and of time) alone.
//!
//! A stage's state pairs positions and momenta so that positions and momenta share the weights of the result, and thus
//! the continuous extension. Stages in pairs hold the same positions or the same momenta; no form has fewer stages, for
//! each kick needs the drift before it and each drift the kick before it. The nodes are the times of the positions.

use crate::solve::tableau::{Kind, Tableau};

/// Störmer–Verlet (kick, drift, kick) with cubic Hermite interpolation, which is of the result's order.
pub const VERLET: Tableau = Tableau {
    name: "verlet",
    order: 2,
    c: &[0.0, 0.0, 1.0, 1.0],
    a: &[&[], &[0.0], &[0.0, 1.0], &[0.0, 0.5, 0.5]],
    kind: Kind::Partitioned(&[&[], &[0.5], &[0.5, 0.0], &[0.0, 0.5, 0.5]]),
    dense: &[&[1.0, -2.0, 1.0], &[0.0, 1.5, -1.0], &[0.0, 1.5, -1.0], &[0.0, -1.0, 1.0]],
    dense_order: 2,
    source: "Hairer, Lubich & Wanner, Geometric Numerical Integration, I.1.4 and II.2",
    ..Tableau::BLANK
};

/// Yoshida's fourth-order composition of three Störmer–Verlet steps (Forest and Ruth's method) with cubic Hermite
/// interpolation.
pub const YOSHIDA4: Tableau = Tableau {
    name: "yoshida4",
    order: 4,
    c: &[0.0, 0.0, 1.3512071919596575, 1.3512071919596575, -0.35120719195965766, -0.35120719195965766, 1.0, 1.0],
    a: &[
        &[],
        &[0.0],
        &[0.0, 1.3512071919596575],
        &[0.0, 1.3512071919596575, 0.0],
        &[0.0, 1.3512071919596575, 0.0, -1.7024143839193153],
        &[0.0, 1.3512071919596575, 0.0, -1.7024143839193153, 0.0],
        &[0.0, 1.3512071919596575, 0.0, -1.7024143839193153, 0.0, 1.3512071919596575],
        &[
            0.0,
            0.6756035959798288,
            0.6756035959798288,
            -0.8512071919596577,
            -0.8512071919596577,
            0.6756035959798288,
            0.6756035959798288,
        ],
    ],
    kind: Kind::Partitioned(&[
        &[],
        &[0.6756035959798288],
        &[0.6756035959798288, 0.0],
        &[0.6756035959798288, 0.0, -0.17560359597982883],
        &[0.6756035959798288, 0.0, -0.17560359597982883, 0.0],
        &[0.6756035959798288, 0.0, -0.17560359597982883, 0.0, -0.17560359597982883],
        &[0.6756035959798288, 0.0, -0.17560359597982883, 0.0, -0.17560359597982883, 0.0],
        &[
            0.0,
            0.6756035959798288,
            0.6756035959798288,
            -0.8512071919596577,
            -0.8512071919596577,
            0.6756035959798288,
            0.6756035959798288,
        ],
    ]),
    dense: &[
        &[1.0, -2.0, 1.0],
        &[0.0, 2.0268107879394863, -1.3512071919596575],
        &[0.0, 2.0268107879394863, -1.3512071919596575],
        &[0.0, -2.553621575878973, 1.7024143839193153],
        &[0.0, -2.553621575878973, 1.7024143839193153],
        &[0.0, 2.0268107879394863, -1.3512071919596575],
        &[0.0, 2.0268107879394863, -1.3512071919596575],
        &[0.0, -1.0, 1.0],
    ],
    dense_order: 3,
    source: "Yoshida 1990, Physics Letters A 150, 262–268; Forest & Ruth 1990, Physica D 43, 105–117",
    ..Tableau::BLANK
};
