//! A run's state as named arrays, to go on from later with the same bits.

use super::Run;
use super::walk::Position;
use crate::io::checkpoint::{FRESH, same_settings};
use crate::io::tensors::{Tensor, TensorData, Tensors};
use crate::{Error, Real, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Names the kind of file.
const KIND: &str = "flowmap-spectrum";

impl<T: Real> Run<'_, T> {
    /// Everything that [`restore`](Self::restore) needs; `settings` says what was run, in the caller's words;
    /// best as a JSON object, of which only what differs is told later.
    ///
    /// # Errors
    /// Never: the shapes are those of the arrays.
    pub fn save(&self, settings: &str) -> Result<Tensors> {
        let mut content = Tensors::default();
        content.metadata.insert(KIND.into(), settings.into());
        let mut put = |name: String, numbers: Vec<f64>| -> Result<()> {
            let tensor = Tensor::new(vec![numbers.len()], TensorData::F64(numbers))?;
            content.named.insert(name, tensor);
            Ok(())
        };
        let whole = |x: &[u64]| x.iter().map(|&x| x as f64).collect::<Vec<f64>>();
        for (g, group) in self.groups.iter().enumerate() {
            let Position { step, state, frame, history } = group.walk.position();
            // Both precisions are exact in double.
            put(format!("{g}.state"), state.iter().map(|x| x.f64()).collect())?;
            put(format!("{g}.frame"), frame.iter().map(|x| x.f64()).collect())?;
            put(format!("{g}.history"), whole(&history))?;
            let (interval, ledger) = (&group.interval, &group.ledger);
            let counts = [step, interval.last, ledger.factored, ledger.bin];
            put(format!("{g}.counts"), whole(&counts))?;
            put(format!("{g}.interval"), vec![interval.spread, interval.growth])?;
            put(format!("{g}.open"), ledger.open.clone())?;
            put(format!("{g}.bins"), ledger.bins.clone())?;
            put(format!("{g}.noise"), ledger.noise.clone())?;
            put(format!("{g}.zeros"), ledger.zeros.clone())?;
        }
        if let Some(dead) = &self.dead {
            for (name, lines) in ["dead.rows", "dead.columns"].iter().zip(dead) {
                put(String::from(*name), lines.iter().map(|&i| i as f64).collect())?;
            }
        }
        Ok(content)
    }

    /// Goes on from what [`save`](Self::save) gave for a run of the same settings; `path` is named in errors.
    ///
    /// # Errors
    /// If it is of another kind, of other settings, or damaged.
    pub fn restore(&mut self, content: &Tensors, settings: &str, path: &Path) -> Result<()> {
        let Some(then) = content.metadata.get(KIND) else {
            return Err(Error::format(
                path,
                "not the checkpoint of a spectrum",
                "name the folder of an unfinished run",
            ));
        };
        same_settings(path, then, settings)?;
        let damaged = |name: &str| Error::format(path, format!("`{name}` is missing or damaged"), FRESH);
        let get = |name: String, length: Option<usize>| -> Result<Vec<f64>> {
            let tensor = content.named.get(&name).ok_or_else(|| damaged(&name))?.to_f64();
            if length.is_some_and(|length| length != tensor.len()) { Err(damaged(&name)) } else { Ok(tensor) }
        };
        let whole = |x: Vec<f64>| x.into_iter().map(|x| x as u64).collect::<Vec<u64>>();
        let real = |x: Vec<f64>| x.into_iter().map(T::of).collect::<Vec<T>>();
        for g in 0..self.groups.len() {
            let group = &mut self.groups[g];
            let (lanes, starts) = (group.ledger.open.len(), group.walk.starts());
            let counts = whole(get(format!("{g}.counts"), Some(4))?);
            let interval = get(format!("{g}.interval"), Some(2))?;
            if counts[3] != group.ledger.bin {
                return Err(damaged("counts"));
            }
            group.walk.restore(&Position {
                step: counts[0],
                state: real(get(format!("{g}.state"), Some(group.walk.state().data.len()))?),
                frame: real(get(format!("{g}.frame"), Some(group.walk.frame().data.len()))?),
                history: whole(get(format!("{g}.history"), Some(2 * starts))?),
            })?;
            (group.interval.last, group.ledger.factored) = (counts[1], counts[2]);
            (group.interval.spread, group.interval.growth) = (interval[0], interval[1]);
            group.ledger.open = get(format!("{g}.open"), Some(lanes))?;
            group.ledger.bins = get(format!("{g}.bins"), None)?;
            group.ledger.noise = get(format!("{g}.noise"), Some(lanes))?;
            group.ledger.zeros = get(format!("{g}.zeros"), Some(lanes))?;
            let counted = counts[0].saturating_sub(self.options.warmup) / counts[3].max(1);
            if group.ledger.bins.len() as u64 != counted * lanes as u64 {
                return Err(damaged("bins"));
            }
        }
        let lines = |name: &str| -> Result<BTreeSet<usize>> {
            Ok(get(name.into(), None)?.into_iter().map(|x| x as usize).collect())
        };
        self.dead = match content.named.contains_key("dead.rows") {
            true => Some([lines("dead.rows")?, lines("dead.columns")?]),
            false => None,
        };
        Ok(())
    }
}
