//! How training is going: a bar on a terminal, else a line now and then.

use super::tables::phase;
use crate::cli::shared::{BETWEEN_LINES, Console};
use crate::train::{Phase, TrainState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// Tells of epochs as they pass.
pub struct Progress {
    kind: Display,
    console: Console,
    /// Most epochs of the search.
    epochs: usize,
    /// Which phase the pace is that of, since when and from which of its epochs on.
    pace: (Phase, Instant, usize),
}

enum Display {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    /// Of a run whose search has so many epochs, from a state on.
    pub fn new(console: Console, epochs: usize, state: &TrainState) -> Self {
        let kind = if console.quiet {
            Display::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(epochs as u64), ProgressDrawTarget::stderr_with_hz(5));
            // A style that cannot be read leaves the default one.
            if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            Display::Bar(bar)
        } else {
            Display::Lines { last: Instant::now() }
        };
        Self { kind, console, epochs, pace: (state.phase, Instant::now(), state.epoch) }
    }

    /// After an epoch.
    pub fn tick(&mut self, state: &TrainState) {
        if self.pace.0 != state.phase {
            self.pace = (state.phase, Instant::now(), state.epoch.saturating_sub(1));
        }
        let due = match &mut self.kind {
            Display::Bar(_) => true,
            Display::Lines { last } if last.elapsed() >= BETWEEN_LINES => {
                *last = Instant::now();
                true
            }
            Display::Lines { .. } | Display::Nothing => false,
        };
        if !due {
            return;
        }
        let (total, message) = (self.total(state), self.message(state));
        match &self.kind {
            Display::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(state.epoch as u64);
                bar.set_message(message);
            }
            _ => self.console.say(format_args!("{}/{total} {message}", state.epoch)),
        }
    }

    /// Epochs of the present phase.
    fn total(&self, state: &TrainState) -> usize {
        match (state.phase, &state.best) {
            (Phase::Refit, Some(best)) => best.epoch,
            _ => self.epochs,
        }
    }

    fn message(&self, state: &TrainState) -> String {
        let (_, since, from) = self.pace;
        let each = since.elapsed().as_secs_f64() / (state.epoch.saturating_sub(from)).max(1) as f64;
        let here = self.total(state).saturating_sub(state.epoch);
        // After the search the refit takes as many epochs as gave the best model.
        let then = match (state.phase, &state.best) {
            (Phase::Search, Some(best)) => best.epoch,
            _ => 0,
        };
        let left = each * (here + then) as f64;
        let losses = state.log.last().map(|row| {
            let best = state.best.as_ref().map(|best| format!(", validation {:.4}", best.score)).unwrap_or_default();
            format!("loss {:.4}{best}, horizon {}", row.train_loss, row.horizon)
        });
        format!("{}: {}, at most {} left", phase(state.phase), losses.unwrap_or_default(), clock(left))
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Display::Bar(bar) = self.kind {
            bar.finish_and_clear();
        }
    }
}

/// Seconds as `12 s` or `3 min 5 s`.
fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if whole < 60 { format!("{whole} s") } else { format!("{} min {} s", whole / 60, whole % 60) }
}
