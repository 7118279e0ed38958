//! History: the audit log as people and programs read it.

use crate::executor::audit::{self, Entry};
use crate::server::app::App;
use crate::server::problem::Answer;
use serde_json::{Value as Json, json};

/// Which entries are meant.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Only of this person: the beginning of the actor.
    pub actor: Option<String>,
    /// Only of this kind.
    pub action: Option<String>,
    /// Only since this time (RFC 3339).
    pub since: Option<String>,
}

/// Returns entries older than a number, newest first.
///
/// # Errors
/// `Failed` for a log that can't be read.
pub fn list(app: &App, which: &Entries, before: u64, limit: usize) -> Answer<Vec<Entry>> {
    let mut entries = audit::read(app.home())?;
    entries.reverse();
    let meant = |e: &Entry| {
        e.sequence < before
            && which.actor.as_deref().is_none_or(|a| e.actor.starts_with(a))
            && which.action.as_deref().is_none_or(|a| e.event == a)
            && which.since.as_deref().is_none_or(|s| e.time.as_str() >= s)
    };
    Ok(entries.into_iter().filter(meant).take(limit).collect())
}

/// Checks the chain of the log.
///
/// # Errors
/// `Failed` for a log that can't be read at all.
pub fn verify(app: &App) -> Answer<Json> {
    Ok(match audit::verify(app.home()) {
        Ok(count) => json!({"sound": true, "entries": count}),
        Err(error) => json!({"sound": false, "problem": error.full_message()}),
    })
}
