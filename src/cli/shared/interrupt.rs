//! Ctrl-C: the first one asks for an end, the second one ends at once.

use crate::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The computation failed: it was not let to end.
const INTERRUPTED: i32 = 1;

/// Listens for Ctrl-C and for a request to terminate.
///
/// # Errors
/// If the system does not allow it.
pub fn listen() -> Result<()> {
    let handler = || {
        if ASKED.fetch_add(1, Ordering::SeqCst) > 0 {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|bad| Error::config(format!("Ctrl-C cannot be listened for: {bad}"), "report this"))
}

/// Whether an end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst) > 0
}
