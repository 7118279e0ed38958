//! How long a transaction may keep records locked (CHECKS F35): a step that is asked whether to go on says no then.

use super::MergeOptions;
use crate::database::WriteOptions;
use crate::error::{ErrorKind, Result, fail};
use crate::progress::{Phase, Progress};
use std::time::{Duration, Instant};

/// Progress that ends with the time that was given.
pub(super) struct Limited<'a> {
    inner: &'a dyn Progress,
    end: Option<(Instant, Duration)>,
}

impl<'a> Limited<'a> {
    /// Starts the clock.
    pub(super) fn new(inner: &'a dyn Progress, options: &MergeOptions) -> Self {
        Self { inner, end: options.max_lock_time.map(|limit| (Instant::now() + limit, limit)) }
    }
}

/// Returns the limits of the transaction: no single statement takes longer than all of it may.
pub(super) fn write_options(options: &MergeOptions) -> WriteOptions {
    let own = options.write.statement_timeout;
    let statement_timeout = match options.max_lock_time {
        Some(limit) if own.is_zero() || limit < own => limit.max(Duration::from_millis(1)),
        _ => own,
    };
    WriteOptions { statement_timeout, ..options.write }
}

impl Progress for Limited<'_> {
    fn phase(&self, phase: Phase) {
        self.inner.phase(phase);
    }

    fn advance(&self, table: &str, done: u64, total: Option<u64>) {
        self.inner.advance(table, done, total);
    }

    fn stop(&self) -> Option<ErrorKind> {
        self.inner.stop()
    }

    fn go_on(&self) -> Result<()> {
        if let Some((end, limit)) = self.end
            && Instant::now() >= end
        {
            return Err(fail!(
                LimitReached,
                "records would be locked for longer than --max-lock-time ({} ms)",
                limit.as_millis()
            )
            .hint("Give it more time, or merge fewer records at once: a table or a filter at a time."));
        }
        self.inner.go_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Quiet;

    #[test]
    fn f35_what_takes_longer_than_asked_is_stopped() {
        let within = |limit| MergeOptions { max_lock_time: limit, ..MergeOptions::default() };
        let stopped = |limit| Limited::new(&Quiet, &within(limit)).go_on().err().map(|error| error.kind());
        assert_eq!(stopped(Some(Duration::ZERO)), Some(ErrorKind::LimitReached));
        assert_eq!((stopped(Some(Duration::from_secs(3600))), stopped(None)), (None, None));
        let mut options = within(Some(Duration::from_secs(5)));
        assert_eq!(write_options(&options).statement_timeout, Duration::from_secs(5));
        options.write.statement_timeout = Duration::from_secs(1);
        assert_eq!(write_options(&options).statement_timeout, Duration::from_secs(1));
        options.max_lock_time = None;
        assert_eq!(write_options(&options).statement_timeout, Duration::from_secs(1));
    }
}
