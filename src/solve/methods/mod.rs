//! The methods: a tableau each.

use super::Tableau;
use super::tableau::{EXPLICIT, Estimate};
use crate::{Error, Result};

/// Explicit Euler with linear interpolation.
pub const EULER: Tableau = Tableau {
    name: "euler",
    order: 1,
    c: &[0.0, 1.0],
    a: &[&[], &[1.0]],
    dense: &[&[1.0], &[0.0]],
    dense_order: 1,
    source: "Euler 1768",
    ..EXPLICIT
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
    ..EXPLICIT
};

/// Dormand–Prince 5(4) with the fourth-order continuous extension of the `dopri5` code.
pub const DOPRI5: Tableau = Tableau {
    name: "dopri5",
    order: 5,
    c: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    a: &[
        &[],
        &[0.2],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    error: Some(Estimate {
        order: 5,
        weights: &[71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0],
        coarse: None,
    }),
    dense: &[
        &[1.0, -2.8535800653862835, 3.0717434641059005, -1.1270175653862835],
        &[0.0],
        &[0.0, 4.023133379230305, -6.249321565289, 2.675424484351598],
        &[0.0, -3.7324019615885042, 10.068970589843675, -5.685526961588504],
        &[0.0, 2.5548038301849423, -6.399112377351017, 3.5219323679207912],
        &[0.0, -1.3744241142186024, 3.272657752246729, -1.7672812570757455],
        &[0.0, 1.3824689317781436, -3.764937863556287, 2.382468931778144],
    ],
    dense_order: 4,
    source: "Dormand & Prince 1980; Hairer, Nørsett & Wanner, Solving ODEs I, table II.5.2 and eq. II.6.12",
    ..EXPLICIT
};

/// Tsitouras 5(4) with its free fourth-order continuous extension.
pub const TSIT5: Tableau = Tableau {
    name: "tsit5",
    order: 5,
    c: &[0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0],
    a: &[
        &[],
        &[0.161],
        &[-0.008480655492356989, 0.335480655492357],
        &[2.8971530571054935, -6.359448489975075, 4.3622954328695815],
        &[5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
        &[5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
        &[0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774],
    ],
    error: Some(Estimate {
        order: 5,
        weights: &[
            -0.001780011052225777,
            -0.0008164344596567469,
            0.007880878010261995,
            -0.1447110071732629,
            0.5823571654525552,
            -0.45808210592918697,
            1.0 / 66.0,
        ],
        coarse: None,
    }),
    dense: &[
        &[1.0, -2.763706197274826, 2.9132554618219127, -1.0530884977290216],
        &[0.0, 0.1317, -0.2234, 0.1017],
        &[0.0, 3.9302962368947516, -5.941033872131505, 2.490627285651253],
        &[0.0, -12.411077166933677, 30.33818863028232, -16.548102889244902],
        &[0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
        &[0.0, -27.896526289197288, 65.09189467479367, -34.87065786149661],
        &[0.0, 1.5, -4.0, 2.5],
    ],
    dense_order: 4,
    source: "Tsitouras 2011, Computers & Mathematics with Applications 62, 770–775",
    ..EXPLICIT
};

/// Every method, for lists and look-up.
pub const METHODS: [&Tableau; 4] = [&EULER, &RK4, &DOPRI5, &TSIT5];

/// The method of this name.
///
/// # Errors
/// If there is none; the message lists those there are.
pub fn method(name: &str) -> Result<&'static Tableau> {
    METHODS.into_iter().find(|tableau| tableau.name == name).ok_or_else(|| {
        let names: Vec<_> = METHODS.iter().map(|tableau| tableau.name).collect();
        Error::config(format!("no method is called \"{name}\""), format!("choose one of {}", names.join(", ")))
    })
}

/// The methods that can choose their own steps, for messages.
pub(crate) fn adaptive_names() -> String {
    let names: Vec<_> = METHODS.iter().filter(|tableau| tableau.error.is_some()).map(|tableau| tableau.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::tableau::Coefficients;

    /// Weights against the order conditions up to order 4 (Hairer, Nørsett & Wanner I, table II.2.1) at fraction θ of a
    /// step, where the right-hand sides are θ^(order)/γ.
    fn conditions(tableau: &Tableau, weight: impl Fn(usize) -> f64, theta: f64, order: usize) {
        let s = tableau.stages();
        let a = |i: usize, j: usize| tableau.a[i].get(j).copied().unwrap_or(0.0);
        let c = |i: usize| tableau.c[i];
        let sum = |f: &dyn Fn(usize) -> f64| (0..s).map(f).sum::<f64>();
        let ac = |i: usize| sum(&|j| a(i, j) * c(j));
        let trees: [(usize, f64, f64); 8] = [
            (1, sum(&weight), 1.0),
            (2, sum(&|i| weight(i) * c(i)), 2.0),
            (3, sum(&|i| weight(i) * c(i) * c(i)), 3.0),
            (3, sum(&|i| weight(i) * ac(i)), 6.0),
            (4, sum(&|i| weight(i) * c(i).powi(3)), 4.0),
            (4, sum(&|i| weight(i) * c(i) * ac(i)), 8.0),
            (4, sum(&|i| weight(i) * sum(&|j| a(i, j) * c(j) * c(j))), 12.0),
            (4, sum(&|i| weight(i) * sum(&|j| a(i, j) * ac(j))), 24.0),
        ];
        for (degree, left, gamma) in trees.into_iter().filter(|tree| tree.0 <= order) {
            let right = theta.powi(degree as i32) / gamma;
            assert!((left - right).abs() < 1e-13, "{} θ={theta} order {degree}: {left} against {right}", tableau.name);
        }
    }

    #[test]
    fn results_and_continuous_extensions_fulfil_the_order_conditions() {
        for tableau in METHODS {
            let s = tableau.stages();
            let exact = Coefficients::<f64>::new(tableau);
            assert_eq!((tableau.a.len(), tableau.dense.len()), (s, s));
            for i in 1..s {
                assert!((tableau.a[i].iter().sum::<f64>() - tableau.c[i]).abs() < 1e-13, "{} row {i}", tableau.name);
            }
            let b = |i: usize| tableau.a[s - 1].get(i).copied().unwrap_or(0.0);
            conditions(tableau, b, 1.0, tableau.order.min(4));
            for theta in [0.1, 0.37, 0.5, 0.9, 1.0] {
                conditions(tableau, |i| exact.dense_weight(i, theta), theta, tableau.dense_order);
            }
            if let Some(error) = &tableau.error {
                conditions(tableau, |i| b(i) - error.weights[i], 1.0, error.order.min(5) - 1);
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert!(method("tsit6").unwrap_err().to_string().contains("dopri5"));
    }
}
