//! Every tableau against the conditions its claims rest on.

use nalgebra::Complex;

use super::*;
use crate::solve::tableau::{Coefficients, Kind};

/// A rooted tree: a condition of its order whose right-hand side is 1/density (Hairer, Nørsett & Wanner I, II.2).
struct Tree {
    order: usize,
    density: f64,
    /// The subtrees at the root, as places in the list of all trees.
    children: Vec<usize>,
}

/// All rooted trees up to an order, small ones first.
fn trees(order: usize) -> Vec<Tree> {
    let mut all: Vec<Tree> = Vec::new();
    for n in 1..=order {
        let mut found = Vec::new();
        forests(&all, n - 1, all.len(), &mut Vec::new(), &mut found);
        for children in found {
            let density = children.iter().map(|&child| all[child].density).product::<f64>() * n as f64;
            all.push(Tree { order: n, density, children });
        }
    }
    all
}

/// All collections of `size` nodes made of `chosen` and of trees before `bound`; the bound falls so that each
/// collection is found once.
fn forests(all: &[Tree], size: usize, bound: usize, chosen: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if size == 0 {
        found.push(chosen.clone());
    }
    for tree in (0..bound).filter(|&tree| all[tree].order <= size) {
        chosen.push(tree);
        forests(all, size - all[tree].order, tree + 1, chosen, found);
        chosen.pop();
    }
}

/// Rows of the positions and of the momenta, which are the same unless the method is partitioned.
fn rows(tableau: &Tableau) -> [Vec<Vec<f64>>; 2] {
    let coefficients = Coefficients::<f64>::new(tableau);
    let s = coefficients.c.len();
    let square = |rows: &[Vec<(usize, f64)>]| {
        let mut square = vec![vec![0.0; s]; s];
        for (j, terms) in rows.iter().enumerate() {
            terms.iter().for_each(|&(l, x)| square[j][l] = x);
            if 0 < j && j < coefficients.stages {
                square[j][j] = coefficients.diagonal.unwrap_or(0.0);
            }
        }
        square
    };
    [square(&coefficients.a), square(coefficients.momenta.as_ref().unwrap_or(&coefficients.a))]
}

/// Elementary weights of all trees in every stage, for roots that are rates of the positions and of the momenta.
///
/// In a separable system the rates of the positions depend on momenta alone and the other way round, so the nodes of a
/// tree are positions and momenta by turns (Hairer, Lubich & Wanner, Geometric Numerical Integration, III.2).
fn elementary_weights(tableau: &Tableau, trees: &[Tree]) -> [Vec<Vec<f64>>; 2] {
    let rows = rows(tableau);
    let mut weights = [Vec::<Vec<f64>>::new(), Vec::new()];
    for tree in trees {
        for root in 0..2 {
            let other = 1 - root;
            let stage = |row: &Vec<f64>| {
                let factor = |&child: &usize| row.iter().zip(&weights[other][child]).map(|(a, w)| a * w).sum::<f64>();
                tree.children.iter().map(factor).product()
            };
            let stages = rows[other].iter().map(stage).collect();
            weights[root].push(stages);
        }
    }
    weights
}

/// The largest residual of the conditions of exactly this order, for weights `b` at fraction θ of a step.
fn residual(trees: &[Tree], weights: &[Vec<Vec<f64>>; 2], b: &[f64], theta: f64, order: usize) -> f64 {
    let of_tree = |(place, tree): (usize, &Tree)| {
        let exact = theta.powi(order as i32) / tree.density;
        weights
            .iter()
            .map(|w| (b.iter().zip(&w[place]).map(|(b, w)| b * w).sum::<f64>() - exact).abs())
            .fold(0.0, f64::max)
    };
    trees.iter().enumerate().filter(|(_, tree)| tree.order == order).map(of_tree).fold(0.0, f64::max)
}

/// The weights of the result, a zero for each further stage.
fn result(tableau: &Tableau) -> Vec<f64> {
    rows(tableau)[0][tableau.stages() - 1].clone()
}

#[test]
fn there_are_as_many_trees_as_the_textbook_counts() {
    let counts: Vec<_> = (1..=9).map(|n| trees(9).iter().filter(|tree| tree.order == n).count()).collect();
    assert_eq!(counts, [1, 1, 2, 4, 9, 20, 48, 115, 286]);
}

#[test]
fn every_result_fulfils_the_conditions_of_its_order_and_of_none_higher() {
    let trees = trees(9);
    for tableau in METHODS {
        let (weights, b) = (elementary_weights(tableau, &trees), result(tableau));
        for n in 1..=tableau.order {
            let left = residual(&trees, &weights, &b, 1.0, n);
            // Entries of rows reach 190: each is rounded by 1e-14.
            assert!(left < 1e-13, "{} order {n}: {left:e}", tableau.name);
        }
        let left = residual(&trees, &weights, &b, 1.0, tableau.order + 1);
        assert!(left > 1e-6, "{} is of a higher order", tableau.name);
    }
}

/// What an estimate weighs vanishes for all trees but those of its power of the step and of higher ones: it is the
/// difference of two results of which the one of lower order is of the order before that power.
#[test]
fn every_estimate_falls_as_its_power_of_the_step() {
    let trees = trees(8);
    for tableau in METHODS {
        let weights = elementary_weights(tableau, &trees);
        let check = |estimate: &[f64], power: usize| {
            // At θ = 0 the exact value is nought.
            for n in 1..power {
                let left = residual(&trees, &weights, estimate, 0.0, n);
                assert!(left < 1e-13, "{} order {n}: {left:e}", tableau.name);
            }
            assert!(residual(&trees, &weights, estimate, 0.0, power) > 1e-6, "{} h^{power}", tableau.name);
        };
        match &tableau.error {
            Some(error) if error.coarse.is_some() => {
                let (fine, coarse) = (6, 4);
                check(error.weights, fine);
                check(error.coarse.unwrap(), coarse);
                // Where steps are small the error is e²/(e₂/10).
                assert_eq!(error.power, 2 * fine - coarse, "{}", tableau.name);
            }
            Some(error) => check(error.weights, error.power),
            None => {}
        }
    }
}

#[test]
fn every_continuous_extension_fulfils_the_conditions_of_its_order_and_of_none_higher() {
    let trees = trees(8);
    for tableau in METHODS {
        let weights = elementary_weights(tableau, &trees);
        let coefficients = Coefficients::<f64>::new(tableau);
        let b = |theta| (0..coefficients.c.len()).map(|j| coefficients.dense_weight(j, theta)).collect::<Vec<_>>();
        let mut higher = 0.0_f64;
        for theta in [0.1, 0.37, 0.5, 0.81, 0.9, 1.0] {
            for n in 1..=tableau.dense_order {
                let left = residual(&trees, &weights, &b(theta), theta, n);
                // Coefficients of θ reach 1200 and cancel: each is rounded by 1e-13.
                assert!(left < 1e-12, "{} θ={theta} order {n}: {left:e}", tableau.name);
            }
            higher = higher.max(residual(&trees, &weights, &b(theta), theta, tableau.dense_order + 1));
        }
        assert!(higher > 1e-6, "{} has a continuous extension of higher order", tableau.name);
    }
}

#[test]
fn continuous_extensions_start_at_the_step_s_start_and_end_at_its_result() {
    for tableau in METHODS {
        let coefficients = Coefficients::<f64>::new(tableau);
        for (j, b) in result(tableau).into_iter().enumerate() {
            assert_eq!(coefficients.dense_weight(j, 0.0), 0.0);
            let end = coefficients.dense_weight(j, 1.0);
            assert!((end - b).abs() < 1e-12, "{} stage {j}: {end} against {b}", tableau.name);
        }
    }
}

#[test]
fn tableaus_are_well_formed() {
    for tableau in METHODS {
        assert_eq!(METHODS.iter().filter(|other| other.name == tableau.name).count(), 1, "{}", tableau.name);
        tableau.check().unwrap();
        if let Kind::Partitioned(momenta) = tableau.kind {
            // Positions and momenta have one continuous extension.
            assert_eq!(momenta.last(), tableau.a.last(), "{}", tableau.name);
        }
        for (j, (row, c)) in rows(tableau)[0].iter().zip(tableau.c.iter().chain(tableau.extra_c)).enumerate() {
            let sum = row.iter().sum::<f64>();
            // Entries of vern7 reach 190: rounding.
            assert!((sum - c).abs() < 1e-13, "{} row {j}: {sum} against {c}", tableau.name);
        }
    }
}

#[test]
fn implicit_methods_are_l_stable() {
    for tableau in METHODS.iter().filter(|tableau| tableau.is_implicit()) {
        for power in -30..=80 {
            let z = Complex::new(0.0, 10_f64.powf(f64::from(power) / 10.0));
            let factor = tableau.stability(z);
            // With no pole on the left, the imaginary axis bounds the whole left half-plane.
            assert!(factor.norm() <= 1.0 + 1e-12, "{} z={z}: {}", tableau.name, factor.norm());
        }
        let far = tableau.stability(Complex::new(-1e8, 0.0)).norm();
        assert!(far < 1e-6, "{}: {far:e}", tableau.name);
    }
}

/// Steps of a pendulum, `q' = p`, `p' = −sin q`, by the rows of a partitioned tableau as they stand.
fn pendulum(tableau: &Tableau, step: f64, count: usize) -> impl Iterator<Item = (f64, f64)> {
    let Kind::Partitioned(momenta) = tableau.kind else { panic!("{} is not partitioned", tableau.name) };
    let positions = tableau.a;
    let (mut q, mut p) = (1.2, 0.3);
    (0..count).map(move |_| {
        let (mut of_q, mut of_p) = (Vec::new(), Vec::new());
        let (mut stage_q, mut stage_p) = (q, p);
        for (row_q, row_p) in positions.iter().zip(momenta) {
            let sum = |row: &[f64], slopes: &[f64]| row.iter().zip(slopes).map(|(a, k)| step * a * k).sum::<f64>();
            (stage_q, stage_p) = (q + sum(row_q, &of_q), p + sum(row_p, &of_p));
            of_q.push(stage_p);
            of_p.push(-stage_q.sin());
        }
        (q, p) = (stage_q, stage_p);
        (q, p)
    })
}

#[test]
fn symplectic_methods_have_their_order_on_a_pendulum() {
    let end = |tableau: &Tableau, count: usize| pendulum(tableau, 8.0 / count as f64, count).last().unwrap();
    let exact = end(&YOSHIDA4, 1 << 14);
    for tableau in [&VERLET, &YOSHIDA4] {
        let error = |count| {
            let (q, p) = end(tableau, count);
            (q - exact.0).hypot(p - exact.1)
        };
        let order = (error(256) / error(512)).log2();
        assert!((order - tableau.order as f64).abs() < 0.05, "{}: {order}", tableau.name);
    }
}

#[test]
fn symplectic_methods_keep_the_energy_of_a_pendulum() {
    let energy = |(q, p): (f64, f64)| 0.5 * p * p - q.cos();
    for (tableau, bound) in [(&VERLET, 2e-3), (&YOSHIDA4, 1e-5)] {
        let errors: Vec<_> =
            pendulum(tableau, 0.1, 200_000).map(|state| (energy(state) - energy((1.2, 0.3))).abs()).collect();
        let largest = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
        let (first, last) = (largest(&errors[..1000]), largest(&errors[199_000..]));
        assert!(first < bound && last < 1.01 * first, "{}: {first:e}, later {last:e}", tableau.name);
    }
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    assert!(method("tsit6").unwrap_err().to_string().contains("dopri5"));
}
