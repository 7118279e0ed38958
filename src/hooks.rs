//! What is told to others after a scheduled run: a command, a webhook, a mail. A hook that fails changes nothing of the run.

mod command;
mod mail;
#[cfg(test)]
mod tests;
mod webhook;

pub use mail::Mail;
pub use webhook::signature;

use crate::error::{Result, fail};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Whom to tell, by how a run ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// After a run that succeeded.
    pub on_success: Several,
    /// After a run that failed.
    pub on_failure: Several,
}

/// One hook or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Several {
    /// `{ url = "…" }`.
    One(Box<Hook>),
    /// `[{ url = "…" }, { command = ["…"] }]`.
    Many(Vec<Hook>),
}

impl Several {
    /// Returns how many are told.
    pub fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(hooks) => hooks.len(),
        }
    }
}

impl Default for Several {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// One that is told: by exactly one of its ways.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hook {
    /// A program and its arguments; no shell is between. The event comes as JSON on its standard input.
    pub command: Option<Vec<String>>,
    /// Where the event is posted to, as JSON.
    pub url: Option<String>,
    /// A file with the secret that posts are signed with.
    pub secret_file: Option<PathBuf>,
    /// Whether the address may be a private one of this network.
    pub allow_private: bool,
    /// A mail.
    pub mail: Option<Mail>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The backup is there.
    Success,
    /// It is not.
    Failure,
}

/// What happened, as hooks are told.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The schedule.
    pub schedule: String,
    /// The target's name, or its URL without a password.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// How long it took.
    pub duration_seconds: f64,
    /// The backup's name.
    pub backup: Option<String>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Its records.
    pub records: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// The merge that a person tells of, in the place of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
}

/// A merge, as hooks are told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Merge {
    /// Its id.
    pub id: String,
    /// `merge`, `undo`, `redo`.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// Records inserted.
    pub inserted: u64,
    /// Records updated.
    pub updated: u64,
    /// Records deleted.
    pub deleted: u64,
}

impl Event {
    /// Returns what happened, in a few words without line breaks: `backup nightly`.
    fn subject(&self) -> String {
        let text = match &self.merge {
            Some(merge) => format!("{} {}", merge.kind, merge.id),
            None => format!("backup {}", self.schedule),
        };
        text.chars().filter(|c| !c.is_control()).collect()
    }

    /// Makes an event that tells of nothing but that notices arrive.
    pub fn test(outcome: Outcome, now: &str) -> Self {
        Self {
            schedule: "test".to_owned(),
            target: "test".to_owned(),
            outcome,
            started_at: now.to_owned(),
            duration_seconds: 0.0,
            backup: None,
            size_bytes: None,
            records: None,
            error: (outcome == Outcome::Failure).then(|| "a test; nothing failed".to_owned()),
            merge: None,
        }
    }

    /// Returns one line for people.
    pub fn line(&self) -> String {
        if let Some(merge) = &self.merge {
            return format!(
                "{} of {}: {} inserted, {} updated, {} deleted, by {}",
                self.subject(),
                self.target,
                merge.inserted,
                merge.updated,
                merge.deleted,
                merge.actor
            );
        }
        match self.outcome {
            Outcome::Success => {
                format!("backup {} of {} succeeded: {} records", self.schedule, self.target, self.records.unwrap_or(0))
            }
            Outcome::Failure => {
                format!(
                    "backup {} of {} FAILED: {}",
                    self.schedule,
                    self.target,
                    self.error.as_deref().unwrap_or("unknown")
                )
            }
        }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("an event always serialises")
    }
}

impl Hooks {
    /// Tells everybody; returns a line for each that could not be told.
    pub fn tell(&self, event: &Event) -> Vec<String> {
        let hooks = match event.outcome {
            Outcome::Success => &self.on_success,
            Outcome::Failure => &self.on_failure,
        };
        let hooks = match hooks {
            Several::One(hook) => std::slice::from_ref(hook.as_ref()),
            Several::Many(hooks) => hooks,
        };
        let told = hooks.iter().map(|hook| hook.tell(event));
        told.filter_map(Result::err).map(|error| format!("a hook failed: {}", error.full_message())).collect()
    }
}

impl Hook {
    /// Tells one.
    ///
    /// # Errors
    /// `Usage` for a hook that is none or several; `Failed`.
    pub fn tell(&self, event: &Event) -> Result<()> {
        match (&self.command, &self.url, &self.mail) {
            (Some(command), None, None) => command::run(command, event),
            (None, Some(_), None) => webhook::post(self, event),
            (None, None, Some(mail)) => mail.send(event),
            _ => Err(fail!(Usage, "a hook has exactly one of command, url and mail")
                .hint("Look at [hooks] in the configuration.")),
        }
    }
}
