//! A defect of the program itself: told with its place and a way on, like any other failure, and without any data.
//!
//! What a panic says may hold values of records; only the line of the source is kept.

use super::memory;
use super::output::Done;
use crate::error::{Result, fail};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Where the first panic was; those that follow are its consequences.
static PLACE: OnceLock<String> = OnceLock::new();

/// Takes panics from now on, in every thread.
pub(super) fn watch() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        tracing::error!(place, "a defect");
        memory::hear(panic.payload_as_str());
        // Only the first counts.
        let _ = PLACE.set(place);
    }));
}

/// Runs a command; a panic becomes an error.
pub(super) fn caught(command: &str, run: impl FnOnce() -> Result<Done>) -> Result<Done> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        if memory::ran_short() {
            return Err(fail!(OutOfSpace, "the system gives no more threads or memory; nothing was changed")
                .hint("Give it more memory, or let other programs end."));
        }
        let place = PLACE.get().map_or("", String::as_str);
        let writes = matches!(command, "merge" | "undo" | "redo" | "restore");
        // Whether the commit was reached is not known here, but the receipt and the database tell.
        Err(if writes {
            fail!(OutcomeUnknown, "merganser ended by a defect of its own{place}").hint(
                "Run 'merganser status': it finds out whether the records were written. Please report the defect.",
            )
        } else {
            fail!(Failed, "merganser ended by a defect of its own{place}; the current database was not changed")
                .hint("Please report it, with the command.")
        })
    })
}
