//! Poincaré sections: where a trajectory passes through a plane.

use crate::dynamics::{Component, Crossing, Effect, Event, Field, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::solve::{Options, Problem, solve};
use crate::{Error, Result};

/// The plane `normal · y = offset`, and which passages through it count.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// One number a component of the state.
    pub normal: Vec<f64>,
    /// Where it stands along the normal.
    pub offset: f64,
    /// Rising passages go the way of the normal.
    pub crossing: Crossing,
}

/// Passages, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// When.
    pub times: Vec<f64>,
    /// Where: `passages × dim`, one state after another.
    pub states: Vec<f64>,
}

impl Plane {
    /// The plane on which component `at` of `dim` has a value.
    ///
    /// # Errors
    /// If there is no such component.
    pub fn of_component(at: usize, dim: usize, offset: f64, crossing: Crossing) -> Result<Self> {
        let mut normal = vec![0.0; dim];
        let one =
            normal.get_mut(at).ok_or_else(|| Error::shape("a component to cut at", format!("below {dim}"), at))?;
        *one = 1.0;
        Ok(Self { normal, offset, crossing })
    }

    /// The passages of the trajectory from `start`, at time `from`, through the plane, between the times `after` and `end`.
    /// They are found as events on the method's dense output, by which they lie on the plane to rounding.
    ///
    /// Cost: that of the solve. A start on the plane is no passage.
    ///
    /// # Errors
    /// If the plane, the start, the times or an option cannot be used, or the field has events of its own; a trajectory that
    /// could not be followed.
    pub fn section(
        &self,
        field: Field<f64>,
        params: &[f64],
        (from, start): (f64, &[f64]),
        [after, end]: [f64; 2],
        options: &Options,
    ) -> Result<Section> {
        let dim = field.state_dim();
        if self.normal.len() != dim {
            return Err(Error::shape("normal of a plane", dim, self.normal.len()));
        }
        let finite = self.normal.iter().chain([&self.offset]).all(|x| x.is_finite());
        if !finite || self.normal.iter().all(|x| *x == 0.0) {
            return Err(Error::config(
                "the plane's normal or offset is no direction or place",
                "give finite numbers, not all 0",
            ));
        }
        if !(from <= after && after < end) {
            let what = format!("passages are asked for between times {after} and {end}");
            return Err(Error::config(what, "give an end after that, and both after the start"));
        }
        if !field.events.is_empty() {
            return Err(Error::config("the field has events of its own", "cut a field without"));
        }
        let events = [Event { condition: self, crossing: self.crossing, effect: Effect::Record }];
        let problem = Problem { start_times: &[from], starts: start, row_ptr: &[0, 1], times: &[end] };
        let solution = solve(field.with_events(&events)?, params, &problem, options)?;
        if let Some(failure) = solution.reports.first().and_then(|report| report.failure) {
            return Err(Error::Solve { series: "start 1".into(), failure });
        }
        let mut section = Section::default();
        for passage in solution.occurrences.into_iter().filter(|passage| passage.time >= after) {
            section.times.push(passage.time);
            section.states.extend(passage.state);
        }
        Ok(section)
    }
}

/// `normal · y − offset` of state and time.
impl Component<f64> for Plane {
    fn in_dim(&self) -> usize {
        self.normal.len() + 1
    }

    fn out_dim(&self) -> usize {
        1
    }

    fn params(&self, _: &str) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn param_count(&self) -> usize {
        0
    }

    fn slab_len(&self) -> usize {
        0
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, _: &[f64], u: Block<f64>, out: BlockMut<f64>, _: &mut [f64]) {
        out.data.fill(-self.offset);
        self.add(u, out.data);
    }

    fn linearize(&self, params: &[f64], u: Block<f64>, out: BlockMut<f64>, _: BlockMut<f64>, scratch: &mut [f64]) {
        self.eval(params, u, out, scratch);
    }

    fn jvp(&self, _: &[f64], _: Block<f64>, tangent: Tangent<f64>, out: BlockMut<f64>, _: &mut [f64]) {
        out.data.fill(0.0);
        self.add(tangent.arguments, out.data);
    }

    fn vjp(&self, _: &[f64], _: Block<f64>, w: Block<f64>, u_bar: BlockMut<f64>, _: Option<&mut [f64]>, _: &mut [f64]) {
        for (row, &n) in u_bar.data.chunks_exact_mut(w.lanes).zip(self.normal.iter().chain([&0.0])) {
            row.iter_mut().zip(w.data).for_each(|(bar, w)| *bar = n * w);
        }
    }
}

impl Plane {
    /// `out += normal · y` for every lane.
    fn add(&self, u: Block<f64>, out: &mut [f64]) {
        for (row, &n) in u.data.chunks_exact(u.lanes).zip(&self.normal) {
            out.iter_mut().zip(row).for_each(|(out, x)| *out += n * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::systems::{Settings, system};
    use crate::dynamics::{Lift, Scalar, SmallField, testkit};
    use proptest::prelude::*;
    use std::f64::consts::{PI, TAU};

    /// A spiral: turns at rate `p[1]` and shrinks at rate `p[0]`.
    struct Spiral;
    impl SmallField<2, 2> for Spiral {
        fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [a, w]: [S; 2]) -> [S; 2] {
            [-a * x - w * y, w * x - a * y]
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_spiral_passes_a_line_through_its_centre_when_and_where_it_must(
            shrinks in 0.0..0.2f64, turns in 0.5..3.0f64, tilt in 0.0..TAU, phase in 0.1..PI - 0.1, way in 0usize..3,
        ) {
            let crossing = [Crossing::Rising, Crossing::Falling, Crossing::Either][way];
            let plane = Plane { normal: vec![2.0 * tilt.cos(), 2.0 * tilt.sin()], offset: 0.0, crossing };
            testkit::check(&plane, &[], 1.0, 1).map_err(TestCaseError::fail)?;
            let field = Lift::<_, 2, 2>(Spiral);
            let field = Field::with_time(&field).unwrap();
            // Along the normal the state is cos(ωt + phase): it falls through 0 first, after the angle π/2 − phase, if that lies ahead.
            let start = [(tilt + phase).cos(), (tilt + phase).sin()];
            let (end, params) = (20.0, [shrinks, turns]);
            let options = Options::adaptive(1e-11, 1e-12);
            let found = plane.section(field, &params, (0.0, &start), [0.0, end], &options).unwrap();
            let mut known = Vec::new();
            for k in 0.. {
                let time = (0.5 * PI - phase + f64::from(k) * PI) / turns;
                if time > end { break; }
                let falling = k % 2 == 0;
                let counts = match crossing { Crossing::Either => true, Crossing::Falling => falling, Crossing::Rising => !falling };
                if time > 0.0 && counts { known.push((time, if falling { 1.0 } else { -1.0 })); }
            }
            prop_assert_eq!(found.times.len(), known.len());
            for ((time, state), (at, side)) in found.times.iter().zip(found.states.chunks_exact(2)).zip(known) {
                prop_assert!((time - at).abs() < 1e-8, "{time} {at}");
                let size = (-shrinks * at).exp();
                let across = state[1] * tilt.cos() - state[0] * tilt.sin();
                let along = state[0] * tilt.cos() + state[1] * tilt.sin();
                prop_assert!(along.abs() < 1e-9 && (across - side * size).abs() < 1e-8, "{state:?} {size}");
            }
        }
    }

    #[test]
    fn rosslers_section_is_a_line_and_later_passages_are_those_of_the_whole() {
        let instance = system("rossler").unwrap().build(&Settings::default()).unwrap();
        let (field, options) = (instance.field().unwrap(), Options::adaptive(1e-9, 1e-9));
        let plane = Plane::of_component(0, 3, 0.0, Crossing::Rising).unwrap();
        let of =
            |after| plane.section(field, &instance.params, (0.0, &instance.start), [after, 400.0], &options).unwrap();
        let (whole, late) = (of(0.0), of(200.0));
        assert!(whole.times.len() > 50 && late.times.len() < whole.times.len());
        assert!(whole.times.ends_with(&late.times) && whole.states.ends_with(&late.states));
        // Where it rises through x = 0 the attractor is thin: y spans units, z hardly anything.
        for state in late.states.chunks_exact(3) {
            assert!(state[0].abs() < 1e-8 && state[1] < 0.0 && state[2] > 0.0 && state[2] < 0.1, "{state:?}");
        }
    }

    #[test]
    fn what_is_no_plane_or_no_span_is_refused() {
        let instance = system("rossler").unwrap().build(&Settings::default()).unwrap();
        let field = instance.field().unwrap();
        let good = Plane::of_component(0, 3, 0.0, Crossing::Either).unwrap();
        let refused = |plane: &Plane, span| {
            let options = Options::adaptive(1e-6, 1e-6);
            plane.section(field, &instance.params, (0.0, &instance.start), span, &options).unwrap_err().to_string()
        };
        assert!(Plane::of_component(3, 3, 0.0, Crossing::Either).is_err());
        assert!(refused(&Plane { normal: vec![1.0], ..good.clone() }, [0.0, 1.0]).contains("normal of a plane"));
        assert!(refused(&Plane { normal: vec![0.0; 3], ..good.clone() }, [0.0, 1.0]).contains("not all 0"));
        assert!(refused(&Plane { offset: f64::NAN, ..good.clone() }, [0.0, 1.0]).contains("finite"));
        assert!(refused(&good, [2.0, 1.0]).contains("give an end after"));
        assert!(refused(&good, [0.0, f64::INFINITY]).contains("finite"));
    }
}
