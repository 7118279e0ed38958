//! How far a long step has come, and whether it should stop: the one thing every layer reports the same way.

use crate::error::{Error, ErrorKind, Result};

/// A step of an analysis or a merge, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading the schema.
    Schema,
    /// Reading and comparing records.
    Compare,
    /// Checking references and constraints of what differs.
    Check,
    /// Deciding.
    Settle,
    /// Taking the lock and checking that nothing changed since the analysis.
    Lock,
    /// Writing the undo images.
    Record,
    /// Writing.
    Write,
    /// Reading back what was written.
    Verify,
    /// Committing.
    Commit,
}

impl Phase {
    /// Returns the word shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Compare => "compare",
            Self::Check => "check",
            Self::Settle => "settle",
            Self::Lock => "lock",
            Self::Record => "record",
            Self::Write => "write",
            Self::Verify => "verify",
            Self::Commit => "commit",
        }
    }
}

/// Takes reports and says whether to go on. Called from several threads.
pub trait Progress: Sync {
    /// A phase begins.
    fn phase(&self, phase: Phase);

    /// So many records of a table are done in this phase; the total where it is known.
    fn advance(&self, table: &str, done: u64, total: Option<u64>);

    /// Why the step should stop, if it should: [`ErrorKind::Interrupted`] or [`ErrorKind::Terminated`].
    fn stop(&self) -> Option<ErrorKind>;

    /// Fails if the step should stop.
    ///
    /// # Errors
    /// `Interrupted` or `Terminated`.
    fn go_on(&self) -> Result<()> {
        match self.stop() {
            None => Ok(()),
            Some(kind) => Err(Error::new(kind, "stopped on request; the current database was not changed")),
        }
    }
}

/// Reports nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn phase(&self, _: Phase) {}

    fn advance(&self, _: &str, _: u64, _: Option<u64>) {}

    fn stop(&self) -> Option<ErrorKind> {
        None
    }
}

/// Does what `MERGANSER_FAILPOINT=NAME:N` or `NAME:N:ACTION` asks for at a named step, the N-th time: ends the process as
/// a power cut would, panics (`panic`), sends itself a signal (`int`, `term`) and gives it the time to arrive, or stands
/// still until somebody sends SIGCONT (`stop`).
/// Only in builds with debug assertions: a released binary has no such door.
pub(crate) fn failpoint(name: &str) {
    if cfg!(debug_assertions) {
        use std::sync::atomic::{AtomicU64, Ordering};
        static PASSED: AtomicU64 = AtomicU64::new(0);
        let Ok(wanted) = std::env::var("MERGANSER_FAILPOINT") else { return };
        let mut parts = wanted.split(':');
        let (Some(at), Some(count), action) = (parts.next(), parts.next(), parts.next()) else { return };
        if at != "any" && at != name {
            return;
        }
        let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        if count.parse() != Ok(passed) {
            return;
        }
        let signal = match action {
            Some("panic") => panic!("{name}"),
            Some("int") => signal_hook::consts::SIGINT,
            Some("term") => signal_hook::consts::SIGTERM,
            Some("stop") => signal_hook::consts::SIGSTOP,
            // As a power cut: no handler runs.
            _ => signal_hook::consts::SIGKILL,
        };
        // A signal that can't be raised leaves the step as it is, and the test without what it waits for.
        let _ = signal_hook::low_level::raise(signal);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
