//! A system with its parameters chosen.

use super::{Kind, System};
use crate::dynamics::{Component, Field, Lift, LiftMap, SmallField, SmallMap};
use crate::{Error, Result};

/// A named system with its parameters, ready to be integrated, iterated or linearised.
pub struct Instance {
    /// What it is an instance of.
    pub system: &'static System,
    /// The vector field or map; its arguments are the state and, where it takes it, time.
    pub component: Box<dyn Component<f64>>,
    /// The component's parameters.
    pub params: Vec<f64>,
    /// All parameters, sizes and seeds too, in the order of [`System::parameters`].
    pub values: Vec<f64>,
    /// Names of the state's components.
    pub labels: Vec<String>,
    /// The usual start, at time 0.
    pub start: Vec<f64>,
    /// Whether the state is positions then momenta (or velocities), and each half's derivative depends on the other half
    /// and time alone: what symplectic methods need.
    pub separable: bool,
    /// Quantities that do not change along trajectories.
    pub conserved: Vec<Conserved>,
    /// The energy, where there is one: conserved, or lost by damping. One row from state and time, with the system's
    /// parameters.
    pub energy: Option<Box<dyn Component<f64>>>,
    /// The sum of all Lyapunov exponents, where it is known exactly.
    pub sum_of_exponents: Option<f64>,
    /// How many exponents are known to be 0 while the state moves.
    pub zeros: usize,
    /// The sum of each pair of exponents, the first and the last, the second and the last but one, …, where all have one.
    pub pairs: Option<f64>,
    /// Time that a step of the component takes; 0 for a flow, whose component gives a rate.
    pub step: f64,
    /// A step of a method made for this flow.
    pub stepping: Option<Stepping>,
}

/// A method's step for one flow, as a map.
pub struct Stepping {
    /// The next state.
    pub map: Box<dyn Component<f64>>,
    /// Its parameters.
    pub params: Vec<f64>,
    /// Time that it takes.
    pub step: f64,
    /// The method.
    pub method: &'static str,
}

/// A quantity that does not change along trajectories.
pub struct Conserved {
    /// What it is called.
    pub name: &'static str,
    /// One row from state and time (`dim + 1` rows), with the system's parameters.
    pub quantity: Box<dyn Component<f64>>,
}

impl Instance {
    pub(super) fn new(system: &'static System, values: Vec<f64>) -> Self {
        let made = (system.make)(&values);
        let step = if system.kind == Kind::Map { 1.0 } else { made.step };
        let numbers = system.parameters.iter().zip(&values);
        let params = numbers.filter(|(parameter, _)| parameter.whole.is_none()).map(|(_, &value)| value).collect();
        Self {
            system,
            component: made.component,
            params,
            values,
            labels: made.labels,
            start: made.start,
            separable: made.separable,
            conserved: made.conserved,
            energy: made.energy,
            sum_of_exponents: made.sum_of_exponents,
            zeros: made.zeros,
            pairs: made.pairs,
            step,
            stepping: made.stepping,
        }
    }

    /// Rows of the state.
    pub fn dim(&self) -> usize {
        self.component.out_dim()
    }

    /// The vector field of a flow.
    ///
    /// # Errors
    /// If it is a map or a delay equation.
    pub fn field(&self) -> Result<Field<'_, f64>> {
        match self.system.kind {
            Kind::Map | Kind::Delay => {
                let what = format!("{} has no vector field, its component gives the next state", self.system.name);
                Err(Error::config(what, "iterate it, or choose a flow"))
            }
            Kind::Flow if self.takes_time() => Field::with_time(&*self.component),
            Kind::Flow => Field::autonomous(&*self.component),
        }
    }

    fn takes_time(&self) -> bool {
        self.component.in_dim() > self.dim()
    }
}

/// What a system's own file says of it once its parameters are known.
pub(super) struct Made {
    pub component: Box<dyn Component<f64>>,
    pub labels: Vec<String>,
    pub start: Vec<f64>,
    pub separable: bool,
    pub conserved: Vec<Conserved>,
    pub energy: Option<Box<dyn Component<f64>>>,
    pub sum_of_exponents: Option<f64>,
    pub zeros: usize,
    pub pairs: Option<f64>,
    pub step: f64,
    pub stepping: Option<Stepping>,
}

impl Made {
    pub fn new(component: impl Component<f64> + 'static, labels: Vec<String>, start: Vec<f64>) -> Self {
        let component = Box::new(component);
        Self {
            component,
            labels,
            start,
            separable: false,
            conserved: Vec::new(),
            energy: None,
            sum_of_exponents: None,
            zeros: 0,
            pairs: None,
            step: 0.0,
            stepping: None,
        }
    }

    pub fn flow<F: SmallField<N, P> + 'static, const N: usize, const P: usize>(
        field: F,
        labels: [&str; N],
        start: [f64; N],
    ) -> Self {
        Self::new(Lift::<F, N, P>(field), labels.map(String::from).to_vec(), start.to_vec())
    }

    pub fn map<F: SmallMap<N, N, P> + 'static, const N: usize, const P: usize>(
        map: F,
        labels: [&str; N],
        start: [f64; N],
    ) -> Self {
        Self::new(LiftMap::<F, N, N, P>(map), labels.map(String::from).to_vec(), start.to_vec())
    }

    /// With a conserved quantity.
    pub fn conserving<Q: SmallMap<N, 1, P> + 'static, const N: usize, const P: usize>(
        mut self,
        name: &'static str,
        quantity: Q,
    ) -> Self {
        self.conserved.push(Conserved { name, quantity: Box::new(LiftMap::<Q, N, 1, P>(quantity)) });
        self
    }

    /// With an energy.
    pub fn energy<Q: SmallMap<N, 1, P> + 'static, const N: usize, const P: usize>(self, quantity: Q) -> Self {
        Self { energy: Some(Box::new(LiftMap::<Q, N, 1, P>(quantity))), ..self }
    }

    pub fn separable(self) -> Self {
        Self { separable: true, ..self }
    }

    pub fn sum(self, sum: f64) -> Self {
        Self { sum_of_exponents: Some(sum), ..self }
    }

    pub fn zeros(self, zeros: usize) -> Self {
        Self { zeros, ..self }
    }

    pub fn pairs(self, sum: f64) -> Self {
        Self { pairs: Some(sum), ..self }
    }

    pub fn step(self, step: f64) -> Self {
        Self { step, ..self }
    }

    pub fn stepping(self, stepping: Stepping) -> Self {
        Self { stepping: Some(stepping), ..self }
    }
}
