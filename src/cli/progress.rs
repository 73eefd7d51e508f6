//! How training is going: a bar on a terminal, else a line now and then.

use super::console::Console;
use crate::train::{Best, LogRow, TrainState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Tells of epochs as they pass.
pub struct Progress {
    kind: Kind,
    console: Console,
    epochs: usize,
    first: usize,
    started: Instant,
}

enum Kind {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    /// Of a run of so many epochs, `first` of which are done.
    pub fn new(console: Console, epochs: usize, first: usize) -> Self {
        let kind = if console.quiet {
            Kind::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(epochs as u64), ProgressDrawTarget::stderr_with_hz(5));
            // A style that cannot be read leaves the default one.
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg} {eta} left") {
                bar.set_style(style);
            }
            bar.set_position(first as u64);
            bar.reset_eta();
            Kind::Bar(bar)
        } else {
            Kind::Lines { last: Instant::now() }
        };
        Self { kind, console, epochs, first, started: Instant::now() }
    }

    /// After an epoch.
    pub fn tick(&mut self, state: &TrainState) {
        let Some(row) = state.log.last() else { return };
        match &mut self.kind {
            Kind::Bar(bar) => {
                bar.set_position(state.epoch as u64);
                bar.set_message(losses(row, state.best.as_ref()));
            }
            Kind::Lines { last } if last.elapsed() >= BETWEEN_LINES => {
                *last = Instant::now();
                let each = self.started.elapsed().as_secs_f64() / (state.epoch - self.first).max(1) as f64;
                let left = each * (self.epochs - state.epoch) as f64;
                let text = losses(row, state.best.as_ref());
                self.console.say(format_args!("epoch {}/{} {text} {left:.0} s left", state.epoch, self.epochs));
            }
            Kind::Lines { .. } | Kind::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Kind::Bar(bar) = self.kind {
            bar.finish_and_clear();
        }
    }
}

fn losses(row: &LogRow, best: Option<&Best>) -> String {
    let best = best.map(|best| format!(", best {:.4}", best.score)).unwrap_or_default();
    format!("loss {:.4}{best}, horizon {}", row.train_loss, row.horizon)
}
