//! A fitted model: what it takes to predict.

use super::assimilate::{Target, fit_start};
use super::segments::{self, Segment};
use super::{Conditioning, EncoderTape, History, ModelSpec, NeuralOde, Noise};
use crate::dynamics::Field;
use crate::series::Panel;
use crate::series::scale::Scaling;
use crate::solve::{
    Failure, Independent, Options, Problem, Solution, SolverSpec, map_chunks, solve, solve_independently,
};
use crate::{Error, Result};

/// A state from which a series is predicted, in the model's units.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    /// Series, by its number in the panel it was made from.
    pub series: usize,
    /// Predictions for times after this one start here, up to the next anchor's.
    pub after: f64,
    /// Time of the state.
    pub time: f64,
    /// Time of the last observation that the state takes into account.
    pub known: f64,
    /// The state.
    pub state: Vec<f64>,
    /// What is added to its channels, one number each.
    pub offset: Vec<f64>,
}

/// A model with all that its predictions depend on.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// What the model is made of.
    pub spec: ModelSpec,
    /// Units and channels.
    pub scaling: Scaling,
    /// Length of the training data, in the model's unit of time.
    pub span: f64,
    /// How trajectories are integrated.
    pub solver: SolverSpec,
    /// Rows that one trajectory of training spans at the most.
    pub horizon: usize,
    /// How conditioning rows are taken in.
    pub conditioning: Conditioning,
    /// How strongly a window's start is drawn to the end of the window before.
    pub continuity: f64,
    /// Parameters.
    pub params: Vec<f64>,
    /// Prediction error of each channel.
    pub noise: Vec<Noise>,
    /// Names of the series it was fitted to.
    pub series: Vec<String>,
    /// Where the predictions of these series start.
    pub anchors: Vec<Anchor>,
}

/// Predictions at `rows × channels` cells, in the file's units.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The model's values; NaN beyond a failure.
    pub values: Vec<f64>,
    /// Lower ends of the 90 % interval.
    pub low: Vec<f64>,
    /// Upper ends of the 90 % interval.
    pub high: Vec<f64>,
    /// Series whose trajectory could not be followed to the end, and why.
    pub failures: Vec<(usize, Failure)>,
}

impl Fitted {
    /// The model itself.
    ///
    /// # Errors
    /// If the parameters are not as many as the model has.
    pub fn model(&self) -> Result<NeuralOde> {
        let scaling = &self.scaling;
        let model =
            NeuralOde::new(&self.conditioning.centred, &self.spec, scaling.time_origin, scaling.time_unit, self.span)?;
        if model.param_count() != self.params.len() {
            return Err(Error::shape("parameters of the model", model.param_count(), self.params.len()));
        }
        Ok(model)
    }

    fn options(&self) -> Result<Options> {
        self.solver.options(self.scaling.time_unit)
    }

    /// Anchors for predicting the series of a panel (in the model's units) given the first `rows[s]` rows of each: along
    /// those rows, and at the last of them. `known` are starts that are known already, found by series and time.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn condition(&self, panel: &Panel, rows: &[usize], known: &[Anchor]) -> Result<Vec<Anchor>> {
        let model = self.model()?;
        if panel.channel_count() != self.scaling.channels.len() || self.horizon == 0 {
            let found = format!("{}, horizon {}", panel.channel_count(), self.horizon);
            return Err(Error::shape("channels to condition on", self.scaling.channels.len(), found));
        }
        let lengths: Vec<usize> = (0..panel.series_count()).map(|s| panel.rows(s).len()).collect();
        if rows.len() != lengths.len() || rows.iter().zip(&lengths).any(|(rows, length)| rows > length) {
            return Err(Error::shape("conditioning rows", format!("up to {lengths:?}"), format!("{rows:?}")));
        }
        if model.encoder().is_some() {
            self.encode(&model, panel, rows)
        } else {
            self.assimilate(&model, panel, rows, known)
        }
    }

    fn encode(&self, model: &NeuralOde, panel: &Panel, rows: &[usize]) -> Result<Vec<Anchor>> {
        let Some((encoder, params)) = model.encoder() else { return Ok(Vec::new()) };
        let mut places = Vec::new();
        for (series, record) in panel.series().enumerate() {
            let end = rows[series];
            let mut place = |after: f64, count: usize| {
                places.push((
                    series,
                    after,
                    record.times[count - 1],
                    History::of(&record, count, end, &self.conditioning),
                ));
            };
            for begin in (0..end).step_by(self.horizon) {
                let after = if begin == 0 { f64::NEG_INFINITY } else { record.times[begin - 1] };
                place(after, begin.max(1));
            }
            if end > 0 {
                place(record.times[end - 1], end);
            }
        }
        let states = map_chunks(places.len(), |range| {
            let histories: Vec<&History> = places[range].iter().map(|(.., history)| history).collect();
            let lanes = histories.len();
            let states = encoder.encode(&self.params[params.clone()], &histories, &mut EncoderTape::default())?;
            let state = |lane: usize| states.iter().skip(lane).step_by(lanes).copied().collect();
            Ok((0..lanes).map(state).collect::<Vec<Vec<f64>>>())
        });
        let states: Vec<Vec<Vec<f64>>> = states.into_iter().collect::<Result<_>>()?;
        let anchors = places.into_iter().zip(states.into_iter().flatten());
        let anchor = |((series, after, time, history), state): ((usize, f64, f64, History), Vec<f64>)| Anchor {
            series,
            after,
            time,
            known: time,
            state,
            offset: history.offset,
        };
        Ok(anchors.map(anchor).collect())
    }

    fn assimilate(&self, model: &NeuralOde, panel: &Panel, rows: &[usize], known: &[Anchor]) -> Result<Vec<Anchor>> {
        let options = self.options()?;
        let mut anchors: Vec<Anchor> = Vec::new();
        for (series, record) in panel.series().enumerate() {
            let channels = panel.channel_count();
            let offset = panel.rows(series).start;
            let mut before: Option<Anchor> = None;
            for window in segments::windows(panel, series, 0..rows[series], self.horizon, 0) {
                let own = window.rows.start - offset..window.rows.end - offset;
                // A start that was learned on fewer rows does not know the others yet.
                let end = record.times[own.end - 1];
                let learned = known.iter().find(|a| a.series == series && a.time == window.time && a.known == end);
                let state = match learned {
                    Some(anchor) => anchor.state.clone(),
                    None => {
                        let expected =
                            self.expected(model, &options, &record, own.start, before.as_ref(), window.time)?;
                        let target = Target {
                            start: window.time,
                            times: &record.times[own.clone()],
                            values: &record.values[own.start * channels..own.end * channels],
                            mask: &record.mask[own.start * channels..own.end * channels],
                        };
                        fit_start(model, &self.params, &options, &target, &expected, self.continuity)?
                    }
                };
                let after = if own.start == 0 { f64::NEG_INFINITY } else { record.times[own.start - 1] };
                let known = record.times[own.end - 1];
                let anchor = Anchor { series, after, time: window.time, known, state, offset: vec![0.0; channels] };
                before = Some(anchor.clone());
                anchors.push(anchor);
            }
        }
        Ok(anchors)
    }

    /// The state expected at a time: where the window before ends, or else what is observed there.
    fn expected(
        &self,
        model: &NeuralOde,
        options: &Options,
        record: &crate::series::Series,
        row: usize,
        before: Option<&Anchor>,
        time: f64,
    ) -> Result<Vec<f64>> {
        if let Some(anchor) = before {
            let problem =
                Problem { start_times: &[anchor.time], starts: &anchor.state, row_ptr: &[0, 1], times: &[time] };
            let solution = solve(model.field()?, &self.params[model.field_params()], &problem, options)?;
            if solution.reports[0].failure.is_none() {
                return Ok(solution.states);
            }
        }
        let mut state = History::of(record, row + 1, row + 1, &self.conditioning).level;
        state.resize(model.state_dim(), 0.0);
        Ok(state)
    }

    /// Predicts series from anchors at times in the file's unit, `at[s]` rising for each series.
    ///
    /// # Errors
    /// If a series with times has no anchor. A trajectory that fails leaves NaN and is listed.
    pub fn predict(&self, anchors: &[Anchor], at: &[&[f64]]) -> Result<Prediction> {
        let options = self.options()?;
        self.predict_by(anchors, at, |field, params, problem| solve(field, params, problem, &options))
    }

    /// As [`predict`](Self::predict), with a method of the `ode_solvers` crate at these tolerances: an independent
    /// check of this crate's own solvers.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); also if a tolerance is not positive.
    pub fn predict_independently(
        &self,
        method: Independent,
        anchors: &[Anchor],
        at: &[&[f64]],
        (rtol, atol): (f64, f64),
    ) -> Result<Prediction> {
        self.predict_by(anchors, at, |field, params, problem| {
            solve_independently(method, field, params, problem, rtol, atol)
        })
    }

    fn predict_by(
        &self,
        anchors: &[Anchor],
        at: &[&[f64]],
        solve: impl Fn(Field<f64>, &[f64], &Problem<f64>) -> Result<Solution<f64>>,
    ) -> Result<Prediction> {
        let model = self.model()?;
        let (dim, channels) = (model.state_dim(), self.scaling.channels.len());
        // Trajectories away from each anchor, forward and (before the first one) backward, with the rows they fill.
        let (mut start_times, mut starts, mut row_ptr, mut times) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        let (mut rows, mut owners, mut row) = (Vec::new(), Vec::<&Anchor>::new(), 0);
        let mut by_series = vec![Vec::<&Anchor>::new(); at.len()];
        anchors.iter().filter(|a| a.series < at.len()).for_each(|a| by_series[a.series].push(a));
        for (own, at) in by_series.iter().zip(at) {
            let scaled: Vec<f64> = at.iter().map(|&t| self.scaling.forward_time(t)).collect();
            if own.is_empty() && !at.is_empty() {
                return Err(Error::config(
                    "a series to be predicted has nothing to start from",
                    "give it rows to be conditioned on",
                ));
            }
            for (k, anchor) in own.iter().enumerate() {
                let first = if k == 0 { 0 } else { scaled.partition_point(|&t| t <= anchor.after) };
                let last = own.get(k + 1).map_or(scaled.len(), |next| scaled.partition_point(|&t| t <= next.after));
                let middle = scaled.partition_point(|&t| t < anchor.time).clamp(first, last.max(first));
                for part in [(first..middle).rev().collect::<Vec<_>>(), (middle..last).collect()] {
                    if !part.is_empty() {
                        start_times.push(anchor.time);
                        starts.extend(&anchor.state);
                        owners.push(anchor);
                        times.extend(part.iter().map(|&i| scaled[i]));
                        rows.extend(part.iter().map(|&i| row + i));
                        row_ptr.push(times.len());
                    }
                }
            }
            row += at.len();
        }
        let problem = Problem { start_times: &start_times, starts: &starts, row_ptr: &row_ptr, times: &times };
        let solution = solve(model.field()?, &self.params[model.field_params()], &problem)?;
        let blank = vec![f64::NAN; row * channels];
        let mut out = Prediction { values: blank.clone(), low: blank.clone(), high: blank, failures: Vec::new() };
        let widths = self.noise.iter().map(|noise| noise.half_width()).collect::<Result<Vec<f64>>>()?;
        let mut seen = vec![0.0; channels];
        for (trajectory, (anchor, report)) in owners.iter().zip(&solution.reports).enumerate() {
            for k in row_ptr[trajectory]..row_ptr[trajectory + 1] {
                model.observe(&self.params, &solution.states[k * dim..][..dim], &mut seen);
                for (c, scaling) in self.scaling.channels.iter().enumerate() {
                    let (cell, value) = (rows[k] * channels + c, seen[c] + anchor.offset[c]);
                    let beyond = (times[k] - anchor.known).max(anchor.time - times[k]);
                    let half = widths[c] * self.noise[c].widening(beyond);
                    out.values[cell] = scaling.inverse(value);
                    out.low[cell] = scaling.inverse(value - half);
                    out.high[cell] = scaling.inverse(value + half);
                }
            }
            out.failures.extend(report.failure.iter().map(|failure| (anchor.series, *failure)));
        }
        Ok(out)
    }

    /// A failure with its time and step in the file's unit.
    pub fn in_file_units(&self, failure: &Failure) -> Failure {
        Failure {
            time: self.scaling.inverse_time(failure.time),
            step: failure.step * self.scaling.time_unit,
            ..*failure
        }
    }

    /// The anchors at learned starts of windows.
    pub fn learned(windows: &[Segment], panel: &Panel, starts: &[f64], dim: usize) -> Vec<Anchor> {
        let anchor = |window: &Segment| {
            let k = window.learned()?;
            let first = panel.rows(window.series).start;
            let after =
                if window.rows.start == first { f64::NEG_INFINITY } else { panel.times()[window.rows.start - 1] };
            Some(Anchor {
                series: window.series,
                after,
                time: window.time,
                known: panel.times()[window.rows.end - 1],
                state: starts[k * dim..][..dim].to_vec(),
                offset: vec![0.0; panel.channel_count()],
            })
        };
        windows.iter().filter_map(anchor).collect()
    }
}
