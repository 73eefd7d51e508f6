//! Where a system rests: fixed points of flows and maps, slow points, periodic orbits of maps, and their stability.

use crate::dynamics::{Component, Field, jacobian};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Result};
use nalgebra::{Complex, DMatrix, DVector, Schur};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps of the search before it is given up.
const MOST_STEPS: usize = 200;
/// A residual this small, relative to the largest at any start, is rest.
const AT_REST: f64 = 1e-9;
/// Points closer than this, relative to their size, are one.
const SAME: f64 = 1e-6;
/// An eigenvalue this near to the border between growth and decay lies on it.
const ON_BORDER: f64 = 1e-9;

/// When the motion is asked whether it changes with time, from the moment that is held still on.
const MOMENTS: [f64; 4] = [0.0, 0.37, 1.3, 2.9];

/// What rest means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// The component's value is the derivative: rest is where it is zero.
    Flow,
    /// The component's value is the next state: rest is where it comes back after `period` steps.
    Map {
        /// 1 for fixed points.
        period: usize,
    },
}

/// A system whose places of rest are looked for.
#[derive(Clone)]
pub struct Resting<'a> {
    component: &'a dyn Component<f64>,
    params: &'a [f64],
    /// Inputs (and time) that stay as they are.
    beside: Vec<f64>,
    law: Law,
}

/// How small displacements from a point of rest go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// All shrink, straight.
    StableNode,
    /// All shrink, some turning.
    StableFocus,
    /// All grow, straight.
    UnstableNode,
    /// All grow, some turning.
    UnstableFocus,
    /// Some grow, some shrink.
    Saddle,
    /// Some neither grow nor shrink to first order: the linearisation does not decide.
    Marginal,
}

impl Nature {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::StableNode, Self::StableFocus, Self::UnstableNode, Self::UnstableFocus, Self::Saddle, Self::Marginal];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::StableNode => "stable node",
            Self::StableFocus => "stable focus",
            Self::UnstableNode => "unstable node",
            Self::UnstableFocus => "unstable focus",
            Self::Saddle => "saddle",
            Self::Marginal => "marginal",
        }
    }

    /// Whether all small displacements shrink.
    pub fn attracts(self) -> bool {
        matches!(self, Self::StableNode | Self::StableFocus)
    }
}

/// A fixed point, or one point of a periodic orbit.
#[derive(Clone, Debug, PartialEq)]
pub struct RestPoint {
    /// Where.
    pub state: Vec<f64>,
    /// What is left of the derivative, or of the way a period goes (Euclidean norm).
    pub residual: f64,
    /// Eigenvalues of the Jacobian (of a whole period: the multipliers), the least stable first.
    pub eigenvalues: Vec<Complex<f64>>,
    /// What they say.
    pub nature: Nature,
}

/// A place where the motion is slowest round about, and does not rest (Sussillo & Barak 2013, Neural Comput. 25, 626-649).
#[derive(Clone, Debug, PartialEq)]
pub struct SlowPoint {
    /// Where.
    pub state: Vec<f64>,
    /// How fast: the norm of the derivative, or of a step (a period).
    pub speed: f64,
}

/// What a search from many starts came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Points of rest, each once, in the order of the starts that found them.
    pub points: Vec<RestPoint>,
    /// Slow points, each once.
    pub slow: Vec<SlowPoint>,
    /// Starts that led to neither.
    pub failed: usize,
}

impl<'a> Resting<'a> {
    /// A flow, with time held still if it takes it.
    ///
    /// # Errors
    /// If the field has inputs, or the parameters are not its.
    pub fn flow(field: Field<'a, f64>, params: &'a [f64], time: f64) -> Result<Self> {
        if field.inputs.is_some() {
            let what = "a field with inputs does not rest";
            return Err(Error::config(what, "hold them still: make them parameters"));
        }
        let beside = if field.timed { vec![time] } else { Vec::new() };
        Self::new(field.component, params, beside, Law::Flow)
    }

    /// A map under inputs that stay the same; a map that takes time has it as its one input.
    ///
    /// # Errors
    /// If the parts do not fit each other, or the period is 0.
    pub fn map(component: &'a dyn Component<f64>, params: &'a [f64], inputs: &[f64], period: usize) -> Result<Self> {
        if period == 0 {
            return Err(Error::config("the period is 0", "give the number of steps of an orbit, 1 for fixed points"));
        }
        Self::new(component, params, inputs.to_vec(), Law::Map { period })
    }

    fn new(component: &'a dyn Component<f64>, params: &'a [f64], beside: Vec<f64>, law: Law) -> Result<Self> {
        if params.len() != component.param_count() {
            return Err(Error::shape("parameters", component.param_count(), params.len()));
        }
        if component.in_dim() != component.out_dim() + beside.len() {
            let inputs = component.in_dim().saturating_sub(component.out_dim());
            return Err(Error::shape("inputs of a system at rest", inputs, beside.len()));
        }
        Ok(Self { component, params, beside, law })
    }

    /// Looks from every start, by Newton's method and, where that does not get nearer, by that of Levenberg and Marquardt.
    ///
    /// Costs some tens of dense Jacobians a start, each as many JVPs as there are states, and as many factorisations.
    ///
    /// # Errors
    /// If a start is no finite state.
    pub fn search(&self, starts: &[Vec<f64>]) -> Result<Found> {
        let dim = self.component.out_dim();
        if let Some(bad) = starts.iter().find(|start| start.len() != dim || start.iter().any(|x| !x.is_finite())) {
            return Err(Error::shape("a start", format!("{dim} finite numbers"), format!("{bad:?}")));
        }
        let norms = starts.iter().map(|start| self.linearize(start).0.norm());
        let scale = norms.filter(|x| x.is_finite()).fold(1e-12, f64::max);
        let mut found = Found::default();
        for start in starts {
            match self.descend(start, scale) {
                Some((state, residual)) if residual <= AT_REST * scale => {
                    if found.points.iter().all(|p| apart(&p.state, &state)) {
                        match self.describe(&state) {
                            Some(point) => found.points.push(point),
                            None => found.failed += 1,
                        }
                    }
                }
                Some((state, speed)) => {
                    if found.slow.iter().all(|p| apart(&p.state, &state)) {
                        found.slow.push(SlowPoint { state, speed });
                    }
                }
                None => found.failed += 1,
            }
        }
        Ok(found)
    }

    /// What is known of a state that rests; none if its Jacobian is not finite.
    pub fn describe(&self, state: &[f64]) -> Option<RestPoint> {
        let (residual, mut matrix) = self.linearize(state);
        if let Law::Map { .. } = self.law {
            (0..state.len()).for_each(|i| matrix[(i, i)] += 1.0);
        }
        let mut eigenvalues = eigenvalues(matrix)?;
        // Above zero for what grows.
        let growth = |z: &Complex<f64>| if self.law == Law::Flow { z.re } else { z.norm().ln() };
        eigenvalues.sort_by(|a, b| growth(b).total_cmp(&growth(a)).then(b.im.total_cmp(&a.im)));
        let size = eigenvalues.iter().map(|z| z.norm()).fold(f64::MIN_POSITIVE, f64::max);
        let border = if self.law == Law::Flow { ON_BORDER * size } else { ON_BORDER };
        let grow = eigenvalues.iter().filter(|z| growth(z) > border).count();
        let shrink = eigenvalues.iter().filter(|z| growth(z) < -border).count();
        let turns = eigenvalues.iter().any(|z| z.im.abs() > ON_BORDER * size);
        let nature = match (grow, shrink, turns) {
            (grow, shrink, _) if grow + shrink < eigenvalues.len() => Nature::Marginal,
            (0, _, false) => Nature::StableNode,
            (0, _, true) => Nature::StableFocus,
            (_, 0, false) => Nature::UnstableNode,
            (_, 0, true) => Nature::UnstableFocus,
            _ => Nature::Saddle,
        };
        Some(RestPoint { state: state.to_vec(), residual: residual.norm(), eigenvalues, nature })
    }

    /// What rest means here.
    pub fn law(&self) -> Law {
        self.law
    }

    /// The motion at a state: its derivative, or the way that a period goes from there.
    ///
    /// # Errors
    /// If the state has other components.
    pub fn motion(&self, state: &[f64]) -> Result<Vec<f64>> {
        if state.len() != self.component.out_dim() {
            return Err(Error::shape("a state", self.component.out_dim(), state.len()));
        }
        Ok(self.linearize(state).0.as_slice().to_vec())
    }

    /// Whether the motion at a state changes with the time or the inputs that are held still: what rests then rests for a
    /// moment only. Asked at some moments, as a forcing stands still at its own turning points.
    pub fn changes_with_time(&self, state: &[f64]) -> bool {
        let (component, dim) = (self.component, self.component.out_dim());
        if self.beside.is_empty() || state.len() != dim {
            return false;
        }
        let rows = component.in_dim();
        let (mut out, mut slab) = (vec![0.0; dim], vec![0.0; component.slab_len()]);
        let mut scratch = vec![0.0; component.scratch_len()];
        MOMENTS.into_iter().any(|after| {
            let arguments: Vec<f64> = state.iter().copied().chain(self.beside.iter().map(|x| x + after)).collect();
            let (value, kept) = (BlockMut::new(&mut out, 1), BlockMut::new(&mut slab, 1));
            component.linearize(self.params, Block::new(&arguments, 1), value, kept, &mut scratch);
            let matrix = jacobian(component, self.params, Block::new(&slab, 1), rows);
            matrix.chunks_exact(rows).any(|row| row[dim..].iter().any(|x| *x != 0.0))
        })
    }

    /// What does not rest, `f(y)` or `g(g(…y)) − y`, and its Jacobian.
    fn linearize(&self, state: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let dim = state.len();
        let steps = if let Law::Map { period } = self.law { period } else { 1 };
        let mut at = state.to_vec();
        let mut product = DMatrix::identity(dim, dim);
        let mut value = vec![0.0; dim];
        let mut slab = vec![0.0; self.component.slab_len()];
        let mut scratch = vec![0.0; self.component.scratch_len()];
        for _ in 0..steps {
            let arguments: Vec<f64> = at.iter().chain(&self.beside).copied().collect();
            let (u, out) = (Block::new(&arguments, 1), BlockMut::new(&mut value, 1));
            self.component.linearize(self.params, u, out, BlockMut::new(&mut slab, 1), &mut scratch);
            let rows = jacobian(self.component, self.params, Block::new(&slab, 1), dim);
            product = DMatrix::from_row_slice(dim, dim, &rows) * product;
            at.copy_from_slice(&value);
        }
        let mut residual = DVector::from_vec(at);
        if let Law::Map { .. } = self.law {
            residual -= DVector::from_column_slice(state);
            (0..dim).for_each(|i| product[(i, i)] -= 1.0);
        }
        (residual, product)
    }

    /// The way down from a start, to a place where the residual is least round about, and its norm there.
    fn descend(&self, start: &[f64], scale: f64) -> Option<(Vec<f64>, f64)> {
        let dim = start.len();
        let mut state = DVector::from_column_slice(start);
        let (mut residual, mut matrix) = self.linearize(start);
        let mut norm = residual.norm();
        let mut damping = 1e-3;
        for _ in 0..MOST_STEPS {
            if !norm.is_finite() || matrix.iter().any(|x| !x.is_finite()) {
                return None;
            }
            if norm == 0.0 {
                break;
            }
            let newton = matrix.clone().lu().solve(&residual);
            let squares = matrix.tr_mul(&matrix);
            let slope = matrix.tr_mul(&residual);
            let mut moved = None;
            // Newton's step first: it alone ends at the last bit.
            for attempt in 0..30 {
                let step = if attempt == 0 {
                    newton.clone()
                } else {
                    let size = squares.diagonal().max().max(f64::MIN_POSITIVE);
                    let damped = &squares + DMatrix::identity(dim, dim) * (damping * size);
                    damped.cholesky().map(|factor| factor.solve(&slope))
                };
                let Some(step) = step.filter(|step| step.iter().all(|x| x.is_finite())) else { continue };
                let next = &state - &step;
                let (further, jacobian) = self.linearize(next.as_slice());
                if further.norm() < norm {
                    moved = Some((next, further, jacobian));
                    damping = (damping / if attempt == 0 { 1.0 } else { 5.0 }).max(1e-12);
                    break;
                }
                if attempt > 0 {
                    damping *= 5.0;
                }
            }
            let Some((next, further, jacobian)) = moved else { break };
            let way = (&next - &state).norm();
            let gained = norm - further.norm();
            (state, residual, matrix) = (next, further, jacobian);
            norm = residual.norm();
            if norm > AT_REST * scale && way <= 1e-12 * (1.0 + state.norm()) && gained <= 1e-12 * norm {
                break;
            }
        }
        // Neither rest nor the least round about: the search stopped on its way.
        let least = matrix.tr_mul(&residual).norm() <= 1e-5 * norm * matrix.norm();
        (norm <= AT_REST * scale || least).then(|| (state.as_slice().to_vec(), norm))
    }
}

/// Starts for a search: half of them from along a trajectory, `states` one after another of `dim` components, half drawn by
/// the seed from the box that holds it, widened by half its sides. States that have run away beyond 1e100 are left out.
pub fn around(states: &[f64], dim: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let bounded = |row: &&[f64]| row.iter().all(|x| x.abs() < 1e100);
    let rows: Vec<&[f64]> = states.chunks_exact(dim.max(1)).filter(bounded).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let along = (count / 2).min(rows.len());
    let mut starts: Vec<Vec<f64>> = (1..=along).map(|k| rows[k * rows.len() / along - 1].to_vec()).collect();
    let side = |i: usize| {
        let column = || rows.iter().map(|row| row[i]);
        let (low, high) = (column().fold(f64::INFINITY, f64::min), column().fold(f64::NEG_INFINITY, f64::max));
        (low, (high - low).max(1e-3 * (1.0 + low.abs())))
    };
    let sides: Vec<(f64, f64)> = (0..dim).map(side).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    starts.resize_with(count, || sides.iter().map(|(low, size)| low + size * rng.random_range(-0.5..1.5)).collect());
    starts
}

/// Eigenvalues of a real matrix in no particular order; none if it is not finite or they are not found.
pub fn eigenvalues(matrix: DMatrix<f64>) -> Option<Vec<Complex<f64>>> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let most = 1000 * matrix.nrows().max(1);
    Schur::try_new(matrix, f64::EPSILON, most).map(|schur| schur.complex_eigenvalues().iter().copied().collect())
}

/// Whether two states are not the same.
fn apart(a: &[f64], b: &[f64]) -> bool {
    let size = a.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > SAME * size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::systems::{Instance, Settings, system};

    fn built(name: &str, set: &[&str]) -> Instance {
        system(name).unwrap().build(&Settings::parse(set).unwrap()).unwrap()
    }

    fn boxed(dim: usize, size: f64, count: usize) -> Vec<Vec<f64>> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        (0..count).map(|_| (0..dim).map(|_| rng.random_range(-size..size)).collect()).collect()
    }

    /// That a set of eigenvalues is that of the roots given.
    fn assert_eigenvalues(found: &[Complex<f64>], expected: &[Complex<f64>]) {
        assert_eq!(found.len(), expected.len());
        for z in expected {
            let nearest = found.iter().map(|w| (w - z).norm()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= 1e-10 * (1.0 + z.norm()), "{z}: {nearest:e} in {found:?}");
        }
    }

    #[test]
    fn both_fixed_points_of_henon_have_the_eigenvalues_of_the_closed_form() {
        let henon = built("henon", &[]);
        let (a, b) = (1.4f64, 0.3f64);
        let resting = Resting::map(&*henon.component, &henon.params, &[0.0], 1).unwrap();
        let found = resting.search(&boxed(2, 2.0, 20)).unwrap();
        assert_eq!((found.points.len(), found.failed), (2, 0), "{found:?}");
        for sign in [1.0, -1.0] {
            let x = (-(1.0 - b) + sign * ((1.0 - b).powi(2) + 4.0 * a).sqrt()) / (2.0 * a);
            let point = found.points.iter().find(|p| (p.state[0] - x).abs() < 1e-10).unwrap();
            let root = (a * a * x * x + b).sqrt();
            assert_eigenvalues(&point.eigenvalues, &[(-a * x + root).into(), (-a * x - root).into()]);
            assert_eq!(point.nature, Nature::Saddle);
        }
    }

    #[test]
    fn the_three_fixed_points_of_lorenz_have_the_eigenvalues_of_the_closed_form() {
        let lorenz = built("lorenz63", &[]);
        let (sigma, rho, beta) = (10.0f64, 28.0f64, 8.0f64 / 3.0);
        let resting = Resting::flow(lorenz.field().unwrap(), &lorenz.params, 0.0).unwrap();
        let found = resting.search(&boxed(3, 30.0, 40)).unwrap();
        assert_eq!((found.points.len(), found.failed), (3, 0), "{found:?}");
        let root = ((sigma + 1.0).powi(2) + 4.0 * sigma * (rho - 1.0)).sqrt();
        let origin = found.points.iter().find(|p| p.state[0].abs() < 1e-9).unwrap();
        let expected = [-beta, 0.5 * (-sigma - 1.0 + root), 0.5 * (-sigma - 1.0 - root)];
        assert_eigenvalues(&origin.eigenvalues, &expected.map(Complex::from));
        let wing = (beta * (rho - 1.0)).sqrt();
        for sign in [1.0, -1.0] {
            let point = found.points.iter().find(|p| (p.state[0] - sign * wing).abs() < 1e-9).unwrap();
            assert_eq!(point.nature, Nature::Saddle);
            for z in &point.eigenvalues {
                // z³ + (σ+β+1) z² + β(σ+ρ) z + 2βσ(ρ−1) = 0
                let (c2, c1, c0) = (sigma + beta + 1.0, beta * (sigma + rho), 2.0 * beta * sigma * (rho - 1.0));
                let value = ((z + c2) * z + c1) * z + c0;
                let slope = (3.0 * z + 2.0 * c2) * z + c1;
                assert!((value / slope).norm() <= 1e-10 * z.norm(), "{z} is {:e} off", (value / slope).norm());
            }
        }
    }

    #[test]
    fn periodic_orbits_of_the_logistic_map_have_the_multipliers_of_the_closed_form() {
        let map = built("logistic", &["r=3.2"]);
        let resting = Resting::map(&*map.component, &map.params, &[0.0], 2).unwrap();
        let found = resting.search(&boxed(1, 1.0, 40)).unwrap();
        let orbit: Vec<_> = found.points.iter().filter(|p| p.nature.attracts()).collect();
        assert_eq!(orbit.len(), 2, "{found:?}");
        // r² − 2r − 4 = multiplier of the 2-cycle, with its sign turned.
        let expected = -(3.2f64 * 3.2 - 2.0 * 3.2 - 4.0);
        orbit.iter().for_each(|p| assert!((p.eigenvalues[0].re - expected).abs() < 1e-10));
    }

    #[test]
    fn natures_are_those_of_the_eigenvalues() {
        let nature = |name: &str, set: &[&str], at: &[f64]| {
            let instance = built(name, set);
            Resting::flow(instance.field().unwrap(), &instance.params, 0.0).unwrap().describe(at).unwrap().nature
        };
        assert_eq!(nature("pendulum", &[], &[0.0, 0.0]), Nature::StableFocus);
        assert_eq!(nature("pendulum", &["damping=10"], &[0.0, 0.0]), Nature::StableNode);
        assert_eq!(nature("pendulum", &["damping=0"], &[0.0, 0.0]), Nature::Marginal);
        assert_eq!(nature("pendulum", &[], &[std::f64::consts::PI, 0.0]), Nature::Saddle);
        assert_eq!(nature("van-der-pol", &[], &[0.0, 0.0]), Nature::UnstableFocus);
        assert_eq!(nature("van-der-pol", &["mu=3"], &[0.0, 0.0]), Nature::UnstableNode);
    }

    #[test]
    fn where_a_flow_never_rests_its_slowest_place_is_told() {
        let rossler = built("rossler", &["c=0.1", "a=0.5", "b=0.2"]);
        let resting = Resting::flow(rossler.field().unwrap(), &rossler.params, 0.0).unwrap();
        let found = resting.search(&boxed(3, 1.0, 10)).unwrap();
        assert!(found.points.is_empty() && !found.slow.is_empty(), "c² < 4ab leaves no fixed point: {found:?}");
        assert!(found.slow.iter().all(|p| p.speed > 1e-3));
    }

    #[test]
    fn from_around_a_swinging_pendulum_it_is_found_hanging_and_upright() {
        let pendulum = built("pendulum", &[]);
        let resting = Resting::flow(pendulum.field().unwrap(), &pendulum.params, 0.0).unwrap();
        assert!(!resting.changes_with_time(&pendulum.start));
        let found = resting.search(&around(&[2.0, 0.0, 0.0, 3.0, -1.5, 0.0], 2, 60, 1)).unwrap();
        for (angle, nature) in [(0.0, Nature::StableFocus), (std::f64::consts::PI, Nature::Saddle)] {
            let point = found.points.iter().find(|p| (p.state[0] - angle).abs() < 1e-9).unwrap();
            assert_eq!(point.nature, nature);
            assert!(resting.motion(&point.state).unwrap().iter().all(|x| x.abs() < 1e-9));
        }
        assert!(resting.motion(&[0.0]).is_err());
        let forced = built("duffing", &[]);
        let resting = Resting::flow(forced.field().unwrap(), &forced.params, 0.0).unwrap();
        assert!(resting.changes_with_time(&forced.start));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (lorenz, henon) = (built("lorenz63", &[]), built("henon", &[]));
        assert!(Resting::flow(lorenz.field().unwrap(), &henon.params, 0.0).is_err());
        assert!(Resting::map(&*henon.component, &henon.params, &[0.0], 0).is_err());
        assert!(Resting::map(&*henon.component, &henon.params, &[0.0, 1.0], 1).is_err());
        let resting = Resting::map(&*henon.component, &henon.params, &[0.0], 1).unwrap();
        assert!(resting.search(&[vec![f64::NAN, 0.0]]).is_err() && resting.search(&[vec![0.0]]).is_err());
    }
}
