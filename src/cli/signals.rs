//! Ctrl-C and SIGTERM: the first asks the work to stop and roll back, the second ends the process at once.
//!
//! Where nothing asks whether to stop (a prompt, reading a file), the first ends the process too: nothing is half done there.

use super::output::Output;
use crate::error::{Error, ErrorKind, Result, fail};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

static ASKED: AtomicI32 = AtomicI32::new(0);
static WORKING: AtomicUsize = AtomicUsize::new(0);

/// Says that work is being done that asks whether to stop; until it is dropped.
pub(super) struct Working;

impl Working {
    pub(super) fn begin() -> Self {
        WORKING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        WORKING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn kind(signal: i32) -> Option<ErrorKind> {
    match signal {
        SIGINT => Some(ErrorKind::Interrupted),
        SIGTERM => Some(ErrorKind::Terminated),
        _ => None,
    }
}

/// Returns what was asked for, if anything.
pub(super) fn asked() -> Option<ErrorKind> {
    kind(ASKED.load(Ordering::SeqCst))
}

/// Starts the thread that takes the signals.
pub(super) fn watch(out: &'static Output) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|e| fail!(Failed, "signals can't be taken").because(e))?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let again = ASKED.swap(signal, Ordering::SeqCst) != 0;
                if again || WORKING.load(Ordering::SeqCst) == 0 {
                    let kind = kind(signal).unwrap_or(ErrorKind::Interrupted);
                    out.fail(None, &Error::new(kind, "stopped on request; the current database was not changed"));
                    std::process::exit(i32::from(kind.exit_code()));
                }
                out.remark("stopping: rolling back what was begun (once more to stop at once)");
            }
        })
        .map(|_| ())
        .map_err(|e| fail!(OutOfSpace, "the system gives no thread; nothing was changed").because(e))
}
