//! Too little memory (CHECKS F6): the language ends the process with SIGABRT then, and nothing of this program runs any
//! more. What is registered here beforehand gives that end its exit code; the system's own words go to standard error.

use crate::error::{ErrorKind, Result, fail};
use signal_hook::consts::SIGABRT;
use signal_hook::flag::register_conditional_shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// While nothing can have been committed, and from the commit on.
static UNWRITTEN: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));
static COMMITTING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Whether a thread could not be started.
static SHORT: AtomicBool = AtomicBool::new(false);

/// Gives running out of memory its exit codes.
pub(super) fn watch() -> Result<()> {
    for (kind, when) in [(ErrorKind::OutOfSpace, &UNWRITTEN), (ErrorKind::OutcomeUnknown, &COMMITTING)] {
        register_conditional_shutdown(SIGABRT, i32::from(kind.exit_code()), Arc::clone(when))
            .map_err(|e| fail!(Failed, "signals can't be taken").because(e))?;
    }
    Ok(())
}

/// Notes that a commit begins: from now on what is written is not known to a process that ends.
pub(super) fn commit_begins() {
    UNWRITTEN.store(false, Ordering::SeqCst);
    COMMITTING.store(true, Ordering::SeqCst);
}

/// Notes what a panic says, if it is about threads that the system does not give.
pub(super) fn hear(panic: Option<&str>) {
    if panic.is_some_and(|said| said.starts_with("failed to spawn thread")) {
        SHORT.store(true, Ordering::SeqCst);
    }
}

/// Tells whether the process ended for want of threads, before anything can have been committed.
pub(super) fn ran_short() -> bool {
    SHORT.load(Ordering::SeqCst) && UNWRITTEN.load(Ordering::SeqCst)
}
