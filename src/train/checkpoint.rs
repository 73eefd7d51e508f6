//! A training state as a file, `checkpoint.safetensors`, from which a run goes on to the same bits.

use super::{Best, FitConfig, LogRow, Phase, Run, TrainState, Trainer};
use crate::io::checkpoint::{self, FRESH};
use crate::io::tensors::{self, Tensor, TensorData, Tensors};
use crate::nn::AdamW;
use crate::series::Panel;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Of the layout of the file, and of what training does with it.
const VERSION: u32 = 2;
const HEADER: &str = "flowmap_checkpoint";

const VALUES: &str = "values";
const AVERAGE: &str = "average";
const FIRST: &str = "optimizer.first";
const SECOND: &str = "optimizer.second";
const INITIAL: &str = "initial";
const BEST: &str = "best";
const LOG: &str = "log";
const LOG_COLUMNS: usize = 9;

/// What a run depends on: its settings and its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The settings as TOML, without the path of the data: the same data may be called by another name.
    settings: String,
    /// A hash of the data.
    data: String,
}

/// A training state with what it needs to be gone on with.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The state.
    pub state: TrainState,
    /// Seconds of training so far.
    pub wall_seconds: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    fingerprint: Fingerprint,
    phase: Phase,
    epoch: usize,
    horizon: usize,
    trusted: Option<usize>,
    looks_since_best: usize,
    failed_steps: usize,
    optimizer_steps: u64,
    initial: Option<BestHeader>,
    best: Option<BestHeader>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BestHeader {
    epoch: usize,
    horizon: usize,
}

impl Fingerprint {
    /// Of a run.
    ///
    /// # Errors
    /// If the settings cannot be written as TOML.
    pub fn of(run: &Run) -> Result<Self> {
        let mut config = run.config().clone();
        config.data.path = Default::default();
        let mut hash = Fnv::default();
        hash.panel(run.panel());
        Ok(Self { settings: config.to_toml()?, data: format!("{:016x}", hash.0) })
    }

    /// The settings as JSON.
    fn json(&self) -> String {
        let table = self.settings.parse::<toml::Table>().unwrap_or_default();
        serde_json::to_value(table).unwrap_or_default().to_string()
    }
}

impl Checkpoint {
    /// Writes a state to a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn save(path: &Path, fingerprint: &Fingerprint, state: &TrainState, wall_seconds: f64) -> Result<()> {
        // Taken apart by name, so that a part added later cannot be forgotten here.
        let TrainState {
            phase,
            epoch,
            horizon,
            trusted,
            values,
            average,
            optimizer,
            first,
            best,
            looks_since_best,
            failed_steps,
            log,
        } = state;
        let described =
            |best: &Option<Best>| best.as_ref().map(|best| BestHeader { epoch: best.epoch, horizon: best.horizon });
        let header = Header {
            version: VERSION,
            fingerprint: fingerprint.clone(),
            phase: *phase,
            epoch: *epoch,
            horizon: *horizon,
            trusted: *trusted,
            looks_since_best: *looks_since_best,
            failed_steps: *failed_steps,
            optimizer_steps: optimizer.steps,
            initial: described(first),
            best: described(best),
        };
        let header = serde_json::to_string(&header).map_err(|bad| Error::format(path, bad.to_string(), FRESH))?;
        let mut content = Tensors { metadata: [(HEADER.to_string(), header)].into(), ..Tensors::default() };
        let mut put = |name: &str, shape: Vec<usize>, numbers: Vec<f64>| -> Result<()> {
            content.named.insert(name.into(), Tensor::new(shape, TensorData::F64(numbers))?);
            Ok(())
        };
        put(VALUES, vec![values.len()], values.clone())?;
        put(AVERAGE, vec![average.len()], average.clone())?;
        put(FIRST, vec![values.len()], optimizer.first.clone())?;
        put(SECOND, vec![values.len()], optimizer.second.clone())?;
        for (name, best) in [(INITIAL, first), (BEST, best)] {
            if let Some(best) = best {
                put(&format!("{name}.values"), vec![best.values.len()], best.values.clone())?;
                put(&format!("{name}.errors"), vec![best.errors.len()], best.errors.clone())?;
                put(&format!("{name}.score"), vec![1], vec![best.score])?;
            }
        }
        put(LOG, vec![log.len(), LOG_COLUMNS], log.iter().flat_map(log_numbers).collect())?;
        put("wall_seconds", vec![1], vec![wall_seconds])?;
        tensors::write(path, &content)
    }

    /// Reads the state of a run.
    ///
    /// # Errors
    /// [`Error::File`] if there is no such file; [`Error::Format`] if it is damaged, or of a run with other data or
    /// settings; the message tells what differs.
    pub fn load(path: &Path, run: &Run) -> Result<Self> {
        let content = checkpoint::read(path)?;
        let header = content.metadata.get(HEADER);
        let header = header.ok_or_else(|| Error::format(path, "it holds no training state", FRESH))?;
        let header: Header = serde_json::from_str(header)
            .map_err(|bad| Error::format(path, format!("its header is damaged or of another version: {bad}"), FRESH))?;
        if header.version != VERSION {
            let what = format!("its layout has version {}, this program reads version {VERSION}", header.version);
            return Err(Error::format(path, what, FRESH));
        }
        let now = Fingerprint::of(run)?;
        if header.fingerprint.data != now.data {
            let what = "it was made from other data";
            return Err(Error::format(path, what, format!("give the same data, or {FRESH}")));
        }
        if header.fingerprint.settings != now.settings {
            checkpoint::same_settings(path, &header.fingerprint.json(), &now.json())?;
        }
        let parsed = parse(&content, header, &run.trainer()?, run.config());
        parsed.ok_or_else(|| Error::format(path, "its numbers are not those of this run", FRESH))
    }
}

/// The state, if its sizes are those that the run has at that epoch.
fn parse(content: &Tensors, header: Header, trainer: &Trainer, config: &FitConfig) -> Option<Checkpoint> {
    let model = trainer.model();
    let longest = config.training.horizon.max(2);
    let length = |phase: Phase, horizon: usize| {
        let usable = (2..=longest).contains(&horizon);
        usable.then(|| model.param_count() + trainer.windows(phase, horizon).len() * model.state_dim())
    };
    let numbers = |name: &str, length: usize| {
        let tensor = content.named.get(name)?;
        match tensor.data() {
            TensorData::F64(numbers) if numbers.len() == length => Some(numbers.clone()),
            _ => None,
        }
    };
    let one = |name: &str| numbers(name, 1).map(|numbers| numbers[0]);
    let most = match (header.phase, &header.best) {
        (Phase::Search, _) => config.training.epochs,
        (Phase::Refit, best) => best.as_ref()?.epoch.min(config.training.epochs),
    };
    if header.epoch > most {
        return None;
    }
    let here = length(header.phase, header.horizon)?;
    let looked = |name: &str, header: BestHeader| {
        Some(Best {
            epoch: header.epoch,
            horizon: header.horizon,
            score: one(&format!("{name}.score"))?,
            errors: numbers(&format!("{name}.errors"), trainer.validation_count())?,
            values: numbers(&format!("{name}.values"), length(Phase::Search, header.horizon)?)?,
        })
    };
    let look = |name: &str, header: Option<BestHeader>| match header {
        None => Some(None),
        Some(header) => looked(name, header).map(Some),
    };
    let first = look(INITIAL, header.initial)?;
    let best = look(BEST, header.best)?;
    let rows = *content.named.get(LOG)?.shape().first()?;
    let log = numbers(LOG, rows.checked_mul(LOG_COLUMNS)?)?;
    let mut optimizer = AdamW::new(0, config.training.weight_decay);
    optimizer.steps = header.optimizer_steps;
    optimizer.first = numbers(FIRST, here)?;
    optimizer.second = numbers(SECOND, here)?;
    let state = TrainState {
        phase: header.phase,
        epoch: header.epoch,
        horizon: header.horizon,
        trusted: header.trusted,
        values: numbers(VALUES, here)?,
        average: numbers(AVERAGE, here)?,
        optimizer,
        first,
        best,
        looks_since_best: header.looks_since_best,
        failed_steps: header.failed_steps,
        log: log.as_chunks().0.iter().map(log_row).collect(),
    };
    Some(Checkpoint { state, wall_seconds: one("wall_seconds").filter(|s| s.is_finite() && *s >= 0.0)? })
}

fn log_numbers(row: &LogRow) -> [f64; LOG_COLUMNS] {
    let LogRow { phase, epoch, horizon, rate, train_loss, validation_loss, gradient_norm, failures } = row;
    let refit = f64::from(u8::from(*phase == Phase::Refit));
    let (looked, loss) = validation_loss.map_or((0.0, 0.0), |loss| (1.0, loss));
    [refit, *epoch as f64, *horizon as f64, *rate, *train_loss, looked, loss, *gradient_norm, *failures as f64]
}

fn log_row(numbers: &[f64; LOG_COLUMNS]) -> LogRow {
    let [refit, epoch, horizon, rate, train_loss, looked, loss, gradient_norm, failures] = *numbers;
    LogRow {
        phase: if refit == 1.0 { Phase::Refit } else { Phase::Search },
        epoch: epoch as usize,
        horizon: horizon as usize,
        rate,
        train_loss,
        validation_loss: (looked == 1.0).then_some(loss),
        gradient_norm,
        failures: failures as usize,
    }
}

/// The hash of Fowler, Noll and Vo in its 64-bit form 1a: to tell files apart, not to resist an attack.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// With the length, so that neighbours cannot trade bytes.
    fn texts(&mut self, texts: &[String]) {
        self.bytes(&texts.len().to_le_bytes());
        for text in texts {
            self.bytes(&text.len().to_le_bytes());
            self.bytes(text.as_bytes());
        }
    }

    fn numbers(&mut self, numbers: &[f64]) {
        self.bytes(&numbers.len().to_le_bytes());
        numbers.iter().for_each(|x| self.bytes(&x.to_bits().to_le_bytes()));
    }

    fn panel(&mut self, panel: &Panel) {
        self.texts(panel.channels());
        self.texts(panel.names());
        panel.row_ptr().iter().for_each(|row| self.bytes(&row.to_le_bytes()));
        self.numbers(panel.times());
        self.numbers(panel.values());
        panel.mask().iter().for_each(|&observed| self.bytes(&[u8::from(observed)]));
        self.numbers(panel.errors().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
