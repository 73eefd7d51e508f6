//! What every component must satisfy, as one function: JVP against finite differences, VJP against JVP by the
//! dot-product identity, a batch against its lanes one by one to the last bit, `linearize` against `eval`.

use super::{Bend, Component, Curved, ParamSpec, Tangent, side_by_side};
use crate::Real;
use crate::linalg::{Block, BlockMut};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A component's operations on owned vectors, each with fresh buffers: for tests, not for speed.
struct Fresh<'a, T: Real, C: ?Sized> {
    component: &'a C,
    params: &'a [T],
}

impl<T: Real, C: Component<T> + ?Sized> Fresh<'_, T, C> {
    /// Scratch with rubbish in it: components must not rely on what they find there.
    fn scratch(&self, lanes: usize) -> Vec<T> {
        vec![T::of(f64::NAN); self.component.scratch_len() * lanes]
    }

    fn eval(&self, params: &[T], u: &[T], lanes: usize) -> Vec<T> {
        let mut out = vec![T::of(f64::NAN); self.component.out_dim() * lanes];
        let mut scratch = self.scratch(lanes);
        self.component.eval(params, Block::new(u, lanes), BlockMut::new(&mut out, lanes), &mut scratch);
        out
    }

    fn linearize(&self, u: &[T], lanes: usize) -> (Vec<T>, Vec<T>) {
        let mut out = vec![T::of(f64::NAN); self.component.out_dim() * lanes];
        let mut slab = vec![T::of(f64::NAN); self.component.slab_len() * lanes];
        let mut scratch = self.scratch(lanes);
        self.component.linearize(
            self.params,
            Block::new(u, lanes),
            BlockMut::new(&mut out, lanes),
            BlockMut::new(&mut slab, lanes),
            &mut scratch,
        );
        (out, slab)
    }

    fn jvp(&self, slab: &[T], points: usize, du: &[T], dp: Option<&[T]>, lanes: usize) -> Vec<T> {
        let mut out = vec![T::of(f64::NAN); self.component.out_dim() * lanes];
        let mut scratch = self.scratch(lanes);
        let tangent = Tangent { arguments: Block::new(du, lanes), params: dp.map(|p| Block::new(p, lanes)) };
        let slab = Block::new(slab, points);
        self.component.jvp(self.params, slab, tangent, BlockMut::new(&mut out, lanes), &mut scratch);
        out
    }

    fn vjp(&self, slab: &[T], points: usize, w: &[T], lanes: usize) -> (Vec<T>, Vec<T>) {
        let mut u_bar = vec![T::of(f64::NAN); self.component.in_dim() * lanes];
        let mut params_bar = vec![T::zero(); self.component.param_count()];
        let mut scratch = self.scratch(lanes);
        self.component.vjp(
            self.params,
            Block::new(slab, points),
            Block::new(w, lanes),
            BlockMut::new(&mut u_bar, lanes),
            Some(&mut params_bar),
            &mut scratch,
        );
        (u_bar, params_bar)
    }
}

fn lane_of<T: Real>(block: &[T], lanes: usize, lane: usize) -> Vec<T> {
    block.iter().skip(lane).step_by(lanes).copied().collect()
}

fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x.f64() * y.f64()).sum()
}

fn same_bits<T: Real>(what: &str, lane: usize, a: &[T], b: &[T]) -> Result<(), String> {
    match a.iter().zip(b).position(|(x, y)| x.f64().to_bits() != y.f64().to_bits()) {
        Some(i) => Err(format!("{what}, lane {lane}, row {i}: {:e} in the batch, {:e} alone", a[i], b[i])),
        None => Ok(()),
    }
}

/// Checks a component at `params` and seeded random arguments of the given scale. Sizes are a handful of lanes; the
/// finite-difference check wants `f64`.
///
/// # Errors
/// A sentence that says which property failed, where, and by how much.
pub fn check<T: Real, C: Component<T> + ?Sized>(
    component: &C,
    params: &[T],
    scale: f64,
    seed: u64,
) -> Result<(), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut random =
        |n: usize, scale: f64| -> Vec<T> { (0..n).map(|_| T::of(scale * rng.random_range(-1.0..1.0))).collect() };
    let of = Fresh { component, params };
    let (n_in, n_out, n_params) = (component.in_dim(), component.out_dim(), component.param_count());
    if params.len() != n_params {
        return Err(format!("{n_params} parameters declared, {} given", params.len()));
    }
    let arrays = component.params("prefix.");
    let declared: usize = arrays.iter().map(|spec| spec.len()).sum();
    if declared != n_params {
        return Err(format!("param_count is {n_params} but the named arrays hold {declared}"));
    }
    let wrong = |&(k, spec): &(usize, &ParamSpec)| {
        !spec.name.starts_with("prefix.") || arrays[..k].iter().any(|other| other.name == spec.name)
    };
    if let Some((_, spec)) = arrays.iter().enumerate().find(wrong) {
        return Err(format!("the array's name {} comes twice or lacks its prefix", spec.name));
    }
    let epsilon = T::default_epsilon().f64();

    // A batch of points, then every lane alone.
    let lanes = 5;
    let u = random(n_in * lanes, scale);
    let w = random(n_out * lanes, 1.0);
    let du = random(n_in * lanes, 1.0);
    let dp = random(n_params * lanes, 1.0);
    let out = of.eval(params, &u, lanes);
    let (out_linearized, slab) = of.linearize(&u, lanes);
    let pushed = of.jvp(&slab, lanes, &du, Some(&dp), lanes);
    let (pulled, _) = of.vjp(&slab, lanes, &w, lanes);
    let nothing = of.vjp(&vec![T::zero(); slab.len()], lanes, &vec![T::zero(); w.len()], lanes);
    if nothing.0.iter().chain(&nothing.1).any(|&x| x != T::zero()) {
        return Err("a slab and a cotangent of zeros give something else than zeros".into());
    }
    for lane in 0..lanes {
        let alone = lane_of(&u, lanes, lane);
        same_bits("eval", lane, &lane_of(&out, lanes, lane), &of.eval(params, &alone, 1))?;
        same_bits("linearize", lane, &lane_of(&out_linearized, lanes, lane), &lane_of(&out, lanes, lane))?;
        let (_, slab_alone) = of.linearize(&alone, 1);
        same_bits("slab", lane, &lane_of(&slab, lanes, lane), &slab_alone)?;
        let (du_alone, dp_alone) = (lane_of(&du, lanes, lane), lane_of(&dp, lanes, lane));
        let pushed_alone = of.jvp(&slab_alone, 1, &du_alone, Some(&dp_alone), 1);
        same_bits("jvp", lane, &lane_of(&pushed, lanes, lane), &pushed_alone)?;
        let (pulled_alone, params_alone) = of.vjp(&slab_alone, 1, &lane_of(&w, lanes, lane), 1);
        same_bits("vjp", lane, &lane_of(&pulled, lanes, lane), &pulled_alone)?;

        // The dot-product identity: w·(J δ) = (Jᵀ w)·δ, over arguments and parameters at once.
        let forward = dot(&lane_of(&w, lanes, lane), &pushed_alone);
        let backward = dot(&pulled_alone, &du_alone) + dot(&params_alone, &dp_alone);
        let size =
            dot(&pushed_alone, &pushed_alone).sqrt() * dot(&lane_of(&w, lanes, lane), &lane_of(&w, lanes, lane)).sqrt();
        if (forward - backward).abs() > 500.0 * epsilon * (1.0 + size) {
            return Err(format!("dot-product identity, lane {lane}: {forward:e} by JVP, {backward:e} by VJP"));
        }

        // JVP against a central difference along (δu, δθ).
        if T::NAME == "f64" {
            let h = 1e-6;
            let shift = |sign: f64, base: &[T], along: &[T]| -> Vec<T> {
                base.iter().zip(along).map(|(&b, &d)| b + T::of(sign * h) * d).collect()
            };
            let plus = of.eval(&shift(1.0, params, &dp_alone), &shift(1.0, &alone, &du_alone), 1);
            let minus = of.eval(&shift(-1.0, params, &dp_alone), &shift(-1.0, &alone, &du_alone), 1);
            for i in 0..n_out {
                let difference = (plus[i] - minus[i]).f64() / (2.0 * h);
                if (difference - pushed_alone[i].f64()).abs() > 2e-7 * (1.0 + difference.abs()) {
                    return Err(format!("row {i}: JVP {:e}, finite difference {difference:e}", pushed_alone[i]));
                }
            }
        }
    }

    // Without parameters a tangent is that with a zero direction, and a cotangent passes the state all the same;
    // parameters' cotangents are added to what is there.
    let still = vec![T::zero(); n_params * lanes];
    let (with, without) = (of.jvp(&slab, lanes, &du, Some(&still), lanes), of.jvp(&slab, lanes, &du, None, lanes));
    if let Some(i) =
        with.iter().zip(&without).position(|(a, b)| (*a - *b).f64().abs() > 100.0 * epsilon * (1.0 + a.f64().abs()))
    {
        return Err(format!("jvp, number {i}: {:e} along no parameter, {:e} without", with[i], without[i]));
    }
    let (mut u_bar, mut params_bar) = (vec![T::of(f64::NAN); n_in * lanes], vec![T::one(); n_params]);
    let mut scratch = of.scratch(lanes);
    let blocks = (Block::new(&slab, lanes), Block::new(&w, lanes));
    component.vjp(params, blocks.0, blocks.1, BlockMut::new(&mut u_bar, lanes), None, &mut scratch);
    for lane in 0..lanes {
        same_bits("vjp without parameters", lane, &lane_of(&u_bar, lanes, lane), &lane_of(&pulled, lanes, lane))?;
    }
    component.vjp(params, blocks.0, blocks.1, BlockMut::new(&mut u_bar, lanes), Some(&mut params_bar), &mut scratch);
    let (_, fresh) = of.vjp(&slab, lanes, &w, lanes);
    let added =
        |i: &usize| ((params_bar[*i] - fresh[*i]).f64() - 1.0).abs() > 100.0 * epsilon * (2.0 + fresh[*i].f64().abs());
    if let Some(i) = (0..n_params).find(added) {
        return Err(format!("parameter {i}: the cotangent is not added to what is there"));
    }

    // Two groups of lanes over the same points.
    let twice = |block: &[T]| -> Vec<T> { block.chunks_exact(lanes).flat_map(|row| [row, row].concat()).collect() };
    let double = of.jvp(&slab, lanes, &twice(&du), Some(&twice(&dp)), 2 * lanes);
    let (double_pulled, _) = of.vjp(&slab, lanes, &twice(&w), 2 * lanes);
    for lane in 0..2 * lanes {
        same_bits(
            "jvp of two groups",
            lane,
            &lane_of(&double, 2 * lanes, lane),
            &lane_of(&pushed, lanes, lane % lanes),
        )?;
        same_bits(
            "vjp of two groups",
            lane,
            &lane_of(&double_pulled, 2 * lanes, lane),
            &lane_of(&pulled, lanes, lane % lanes),
        )?;
    }

    // One point, several tangents and cotangents: groups of lanes on one slab.
    let alone = lane_of(&u, lanes, 0);
    let (_, slab) = of.linearize(&alone, 1);
    let grouped = of.jvp(&slab, 1, &du, Some(&dp), lanes);
    let (pulled, summed) = of.vjp(&slab, 1, &w, lanes);
    let mut sum = vec![0.0; n_params];
    for lane in 0..lanes {
        let one = of.jvp(&slab, 1, &lane_of(&du, lanes, lane), Some(&lane_of(&dp, lanes, lane)), 1);
        same_bits("jvp of a group", lane, &lane_of(&grouped, lanes, lane), &one)?;
        let (one, params_one) = of.vjp(&slab, 1, &lane_of(&w, lanes, lane), 1);
        same_bits("vjp of a group", lane, &lane_of(&pulled, lanes, lane), &one)?;
        sum.iter_mut().zip(&params_one).for_each(|(s, p)| *s += p.f64());
    }
    match sum.iter().zip(&summed).position(|(s, p)| (s - p.f64()).abs() > 100.0 * epsilon * (1.0 + s.abs())) {
        Some(i) => {
            Err(format!("parameter {i}: lanes' cotangents sum to {:e}, the batch gives {:e}", sum[i], summed[i]))
        }
        None => Ok(()),
    }
}

/// Checks the second derivatives of a component, at seeded random arguments and `lanes` tangents of size 1, against
/// extrapolated differences of its values and tangents' images, and the images' bits.
///
/// # Errors
/// A sentence that says which derivative is off, and by how much.
pub fn check_curved<C: Curved<f64> + ?Sized>(
    component: &C,
    params: &[f64],
    lanes: usize,
    seed: u64,
) -> Result<(), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let (rows, out, group) = (component.in_dim(), component.out_dim(), lanes + 1);
    let (u, tangents, a, w) = (draw(rows), draw(rows * lanes), draw(out), draw(out * lanes));
    let of = Fresh { component, params };
    let (_, slab) = of.linearize(&u, 1);
    let mut scratch = vec![f64::NAN; component.bend_scratch_len().max(component.scratch_len()) * group];
    let mut image = vec![f64::NAN; out * lanes];
    let mut pushed = vec![f64::NAN; component.pushed_len() * lanes];
    let (slab, along) = (Block::new(&slab, 1), Block::new(&tangents, lanes));
    let to = (BlockMut::new(&mut image, lanes), BlockMut::new(&mut pushed, lanes));
    component.push(params, slab, along, to.0, to.1, &mut scratch);
    same_bits("push against jvp", 0, &image, &of.jvp(slab.data, 1, &tangents, None, lanes))?;
    let (pushed, value, images) = (Block::new(&pushed, lanes), Block::new(&a, 1), Block::new(&w, lanes));
    let (mut bars, mut kept) = (vec![f64::NAN; rows * group], vec![f64::NAN; component.pushed_len() * group]);
    scratch.fill(f64::NAN);
    let to = (BlockMut::new(&mut bars, group), BlockMut::new(&mut kept, group));
    component.bend(params, Bend { slab, tangents: along, pushed, value, images }, to.0, to.1, &mut scratch);
    let mut all = vec![0.0; rows * group];
    side_by_side(&tangents, &u, &mut all);
    let mut params_bar = vec![0.5; params.len()];
    component.accumulate(Block::new(&all, group), Block::new(&kept, group), group, &mut params_bar);

    // `aᵀ g(u) + Σ wᵀ ∂g/∂u δu` from values and pushes alone.
    let scalar = |params: &[f64], all: &[f64]| {
        let of = Fresh { component, params };
        let (value, slab) = of.linearize(&lane_of(all, group, lanes), 1);
        let tangents: Vec<f64> = all.chunks_exact(group).flat_map(|row| &row[..lanes]).copied().collect();
        dot(&a, &value) + dot(&w, &of.jvp(&slab, 1, &tangents, None, lanes))
    };
    let near = |what: &str, at: usize, found: f64, of: &dyn Fn(f64) -> f64| {
        // Twice extrapolated: the error falls as the sixth power of the step.
        let central = |h: f64| (of(h) - of(-h)) / (2.0 * h);
        let [a, b, c] = [2e-3, 1e-3, 5e-4].map(central);
        let (once, more) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
        let known = (16.0 * more - once) / 15.0;
        if (found - known).abs() < 1e-9 * known.abs().max(1.0) {
            Ok(())
        } else {
            Err(format!("by {what} {at}: {found:e}, by differences {known:e}"))
        }
    };
    let moved = |x: &[f64], at: usize, by: f64| {
        let mut x = x.to_vec();
        x[at] += by;
        x
    };
    for (at, &found) in bars.iter().enumerate() {
        let what = if at % group == lanes { "the point, row" } else { "a tangent, place" };
        near(what, at, found, &|by| scalar(params, &moved(&all, at, by)))?;
    }
    for (at, &found) in params_bar.iter().enumerate() {
        near("parameter", at, found - 0.5, &|by| scalar(&moved(params, at, by), &all))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::{AtRest, Beside, Chain, Identity, Lift, Scalar, SmallField, Sum, Swept};

    struct Forced;
    impl SmallField<2, 3> for Forced {
        #[inline(always)]
        fn rhs<S: Scalar>(&self, t: S, y: [S; 2], p: [S; 3]) -> [S; 2] {
            let swing = (p[0] * y[0]).sin() - p[1] * y[1] / (S::of(1.0) + (y[0] * y[0]).sqrt().exp());
            let turn = (y[0] + S::of(2.0)).powf(p[1] + S::of(1.5)) * y[1].atan2(S::of(1.5) + t * t);
            let kept = y[0].max(S::of(-3.0)).min(y[1] + S::of(4.0));
            [y[1].tanh() + p[2] * t.cos() + kept, swing * y[1].powi(3) - (S::of(0.5) + y[1] * y[1]).ln() + turn]
        }
    }

    /// Has a derivative at zero, too, where [`AtRest`] looks.
    struct Smooth;
    impl SmallField<2, 3> for Smooth {
        #[inline(always)]
        fn rhs<S: Scalar>(&self, t: S, y: [S; 2], p: [S; 3]) -> [S; 2] {
            [p[0] + y[1].tanh(), p[1] * (y[0] + p[2]).sin() - y[1] * t]
        }
    }

    #[test]
    fn a_lifted_field_and_every_combinator_pass() {
        let field = || Lift::<_, 2, 3>(Forced);
        for seed in 0..20 {
            check::<f64, _>(&field(), &[0.7, -0.4, 1.1], 1.0, seed).unwrap();
            check::<f32, _>(&field(), &[0.7, -0.4, 1.1], 1.0, seed).unwrap();
            let p = [0.7, -0.4, 1.1, 0.2, 0.5, -0.9];
            check::<f64, _>(&Sum::new::<f64>(field(), field()).unwrap(), &p, 1.0, seed).unwrap();
            check::<f64, _>(&Beside::new(field(), field()), &p, 1.0, seed).unwrap();
            check::<f64, _>(&AtRest(Lift::<_, 2, 3>(Smooth)), &p[..3], 1.0, seed).unwrap();
            check::<f64, _>(&Swept::<_, 2, 3>(Forced), &[], 1.0, seed).unwrap();
            check::<f32, _>(&Swept::<_, 2, 3>(Forced), &[], 1.0, seed).unwrap();
            let timed = Beside::new(field(), Identity(1));
            check::<f64, _>(&Chain::new::<f64>(timed, field()).unwrap(), &p, 1.0, seed).unwrap();
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert!(Chain::new::<f64>(Identity(2), Identity(3)).is_err());
        assert!(Sum::new::<f64>(Identity(2), Identity(3)).is_err());
    }
}
