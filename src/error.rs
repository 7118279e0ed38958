//! The one error type: what happened, to what, what to do next, and how a program should take it.
//!
//! Conflicts, blocked records and stale plans that a caller can act on are *values* of the analysis and the merge;
//! an [`Error`] means that the step as a whole did not happen.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an [`Error`]; decides the exit code and the stable code string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Anything without a better name.
    Failed,
    /// The call itself is wrong: an argument, an option, a selector.
    Usage,
    /// A person has to confirm and nobody can be asked.
    ConfirmationNeeded,
    /// Conflicts are undecided or records are blocked; nothing was applied.
    NeedsDecision,
    /// The backup file does not exist.
    BackupNotFound,
    /// The file is of no format that can be read.
    UnknownFormat,
    /// Another merge holds the lock, or a lock could not be had in time.
    Busy,
    /// A key or passphrase is wrong or missing.
    WrongKey,
    /// The backup is damaged, truncated, ambiguous or fails a check of its own.
    BackupDamaged,
    /// Tables or columns do not fit and need a mapping.
    SchemaMismatch,
    /// Current records changed since the analysis.
    PlanStale,
    /// The plan file is unreadable, of another version, or not for this database or backup.
    PlanMismatch,
    /// The database can't be reached, or the connection was lost before the commit.
    Unreachable,
    /// The database refused a statement or a written record did not read back as meant.
    Refused,
    /// The connection was lost during the commit.
    OutcomeUnknown,
    /// Disk, memory or a quota is used up.
    OutOfSpace,
    /// One of the safety limits was reached.
    LimitReached,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl ErrorKind {
    /// Returns the process exit code (INTERFACE 1.4).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage | Self::ConfirmationNeeded => 2,
            Self::NeedsDecision => 3,
            Self::BackupNotFound | Self::UnknownFormat => 10,
            Self::Busy => 11,
            Self::WrongKey => 12,
            Self::BackupDamaged => 13,
            Self::SchemaMismatch => 14,
            Self::PlanStale | Self::PlanMismatch => 20,
            Self::Unreachable => 21,
            Self::Refused => 22,
            Self::OutcomeUnknown => 23,
            Self::OutOfSpace => 24,
            Self::LimitReached => 25,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Returns the stable code that scripts and the HTTP API see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::ConfirmationNeeded => "confirmation_needed",
            Self::NeedsDecision => "needs_decision",
            Self::BackupNotFound => "backup_not_found",
            Self::UnknownFormat => "unknown_format",
            Self::Busy => "busy",
            Self::WrongKey => "wrong_key",
            Self::BackupDamaged => "backup_damaged",
            Self::SchemaMismatch => "schema_mismatch",
            Self::PlanStale => "plan_stale",
            Self::PlanMismatch => "plan_mismatch",
            Self::Unreachable => "unreachable",
            Self::Refused => "database_refused",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::OutOfSpace => "out_of_space",
            Self::LimitReached => "limit_reached",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// Lists every kind, for tables in docs and tests.
    pub const ALL: [Self; 19] = [
        Self::Failed,
        Self::Usage,
        Self::ConfirmationNeeded,
        Self::NeedsDecision,
        Self::BackupNotFound,
        Self::UnknownFormat,
        Self::Busy,
        Self::WrongKey,
        Self::BackupDamaged,
        Self::SchemaMismatch,
        Self::PlanStale,
        Self::PlanMismatch,
        Self::Unreachable,
        Self::Refused,
        Self::OutcomeUnknown,
        Self::OutOfSpace,
        Self::LimitReached,
        Self::Interrupted,
        Self::Terminated,
    ];
}

/// A failure: kind, one sentence, what to do next, and the cause.
///
/// *Shape:* `details` are further lines (records, tables) for people; `rows` in JSON come from them too.
#[derive(thiserror::Error)]
#[error("{}{}", .0.message, .0.consequence)]
pub struct Error(Box<Inner>);

/// A database's own words, which may quote values of records: not part of any message until [`Error::reveal`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The table whose records they are about; none where that is not known.
    pub table: Option<String>,
    /// The columns whose values they may quote; none: any.
    pub columns: Option<Vec<String>>,
    /// The words.
    pub text: String,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    /// `; nothing was changed`.
    consequence: String,
    quote: Option<Quote>,
    hint: Option<String>,
    details: Vec<String>,
    retryable: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of a kind with one sentence: what happened, to what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            consequence: String::new(),
            quote: None,
            hint: None,
            details: Vec::new(),
            retryable: false,
            source: None,
        }))
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds further lines: one per record, table or column concerned.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.0.details = details;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what follows from it to the message: `…; nothing was changed`.
    #[must_use]
    pub fn and(mut self, consequence: &str) -> Self {
        self.0.consequence.push_str(&format!("; {consequence}"));
        self
    }

    /// Adds a database's own words, which may quote values.
    #[must_use]
    pub fn quoting(mut self, quote: Quote) -> Self {
        self.0.quote = Some(quote);
        self
    }

    /// Says of which table the records were, where the database did not.
    #[must_use]
    pub fn about(mut self, table: &str) -> Self {
        if let Some(quote) = &mut self.0.quote {
            quote.table.get_or_insert_with(|| table.to_owned());
        }
        self
    }

    /// Returns the database's own words, which may quote values.
    pub fn quote(&self) -> Option<&Quote> {
        self.0.quote.as_ref()
    }

    /// Makes the database's own words a part of the message.
    #[must_use]
    pub fn reveal(mut self) -> Self {
        if let Some(quote) = self.0.quote.take() {
            self.0.message = format!("{}: {}", self.0.message, quote.text);
        }
        self
    }

    /// Marks a failure of a transaction that the database gave up for another one's sake: it may be tried again whole.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Tells whether the whole transaction may be tried again on a new connection.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Puts the place in front of the message: `users, record 12: …`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let place = place.to_string();
        // Who found it may have said where already: `orders, record 12`.
        let said = self.0.message.strip_prefix(&place).is_some_and(|rest| rest.starts_with([',', ':']));
        if !said {
            self.0.message = format!("{place}: {}", self.0.message);
        }
        self
    }

    /// Tells whether it says of a backup that it is not as it should be.
    pub fn is_of_backup(&self) -> bool {
        matches!(self.kind(), ErrorKind::BackupDamaged | ErrorKind::UnknownFormat | ErrorKind::LimitReached)
    }

    /// Returns what the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns what to do next, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the further lines.
    pub fn detail_lines(&self) -> &[String] {
        &self.0.details
    }

    /// Returns the message with every cause behind it, in one line.
    pub fn full_message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.0.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(error) = cause {
            let line = error.to_string();
            if !text.contains(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.full_message())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::OutOfSpace,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}

/// Shortens the making of errors: `fail!(Usage, "no table {name}")`.
macro_rules! fail {
    ($kind:ident, $($message:tt)+) => {
        $crate::error::Error::new($crate::error::ErrorKind::$kind, format!($($message)+))
    };
}
pub(crate) use fail;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_exit_codes_are_in_the_documented_set() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|k| k.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        let known = [1, 2, 3, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24, 25, 130, 143];
        assert!(ErrorKind::ALL.iter().all(|k| known.contains(&k.exit_code())));
    }

    #[test]
    fn the_full_message_names_the_cause_once() {
        let cause = std::io::Error::other("disk on fire");
        let error = fail!(Failed, "reading a.json failed").because(cause);
        assert_eq!(error.full_message(), "reading a.json failed: disk on fire");
    }
}
