//! Operations: what jobs do and did, kept so that a restart knows how they ended, and the answers to repeated requests.

use crate::error::{Result, fail};
use crate::executor::{State as MergeState, receipt, recover};
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::problem::{Answer, Problem};
use crate::server::state::{State, digest, now};
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Makes a backup.
    Backup,
    /// Checks a backup.
    Verify,
    /// Compares a backup with a database.
    Analysis,
    /// Merges.
    Merge,
    /// Tries a merge and rolls it back.
    DryRun,
    /// Takes a merge back.
    Undo,
}

impl Kind {
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Analysis => "analysis",
            Self::Merge => "merge",
            Self::DryRun => "dry_run",
            Self::Undo => "undo",
        }
    }

    /// Tells whether it holds a database's write lock.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Merge | Self::DryRun | Self::Undo)
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// It runs.
    Running,
    /// It was carried out.
    Done,
    /// It was not carried out.
    Failed,
    /// It was stopped on request; nothing was changed.
    Cancelled,
    /// The connection was lost during the commit; ask again with [`find_out`].
    Unknown,
}

/// One operation.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// How far it is.
    pub state: OperationState,
    /// Who began it.
    pub user: String,
    /// Their id: a name may be somebody else's one day.
    #[serde(default)]
    pub user_id: String,
    /// A digest of the grant under which they began it, where they may reach only their own records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// From where.
    pub address: String,
    /// The target's name.
    pub target: Option<String>,
    /// What it makes or works on: an analysis, a merge, a backup.
    pub subject: Option<String>,
    /// The plan that it carries out, where it writes to a database.
    pub plan: Option<String>,
    /// What an analysis was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub asked: Option<Json>,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The phase it is in.
    pub phase: Option<String>,
    /// The table it is at.
    pub table: Option<String>,
    /// Records done of that table in that phase.
    pub done: u64,
    /// Records in all, where that is known.
    pub total: Option<u64>,
    /// Whether it can still be stopped.
    pub cancellable: bool,
    /// What it made.
    pub result: Json,
    /// Why it was not carried out.
    pub problem: Option<Problem>,
}

/// Tells whether a person began the operation of this id, or the one that made what has it, under the grant that they have
/// now: what they began as somebody who may more, or while other records were theirs, is closed to them.
///
/// # Errors
/// `Failed`.
pub fn began(state: &State, person: &Person, id: &str) -> Result<bool> {
    let sql = "SELECT count(*) > 0 FROM operations WHERE operation ->> 'user_id' = ?1 AND operation ->> 'grant' IS ?3
               AND (id = ?2 OR operation ->> 'subject' = ?2 OR (kind = 'backup' AND operation ->> '$.result.id' = ?2))";
    state.with(|c| c.query_row(sql, (&person.id, id, person.grant()), |row| row.get(0)))
}

/// Keeps an operation as it is now.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub fn store(app: &App, operation: &Operation) -> Result<()> {
    let text = serde_json::to_string(operation).expect("an operation always serialises");
    let state = json!(operation.state);
    app.state().with(|c| {
        c.execute(
            "INSERT INTO operations (id, kind, state, started_at, operation) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET state = ?3, operation = ?5",
            (&operation.id, operation.kind.word(), state.as_str(), &operation.started_at, text),
        )
        .map(|_| ())
    })
}

fn read(text: &str) -> Result<Operation> {
    serde_json::from_str(text).map_err(|e| fail!(Failed, "an operation in state.db can't be read").because(e))
}

fn stored(app: &App, id: &str) -> Result<Option<Operation>> {
    let text: Option<String> = app
        .state()
        .with(|c| c.query_row("SELECT operation FROM operations WHERE id = ?", [id], |r| r.get(0)).optional())?;
    text.map(|t| read(&t)).transpose()
}

/// Finds an operation; one that runs as it is at this moment.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, id: &str) -> Answer<Operation> {
    if let Some(job) = app.jobs().find(id) {
        return Ok(job.operation());
    }
    stored(app, id)?.ok_or_else(|| Problem::not_found("operation", id))
}

/// Lists operations, newest first.
///
/// # Errors
/// `Failed`.
pub fn list(app: &App, limit: usize) -> Answer<Vec<Operation>> {
    let texts: Vec<String> = app.state().with(|c| {
        c.prepare("SELECT operation FROM operations ORDER BY started_at DESC, id DESC LIMIT ?")?
            .query_map([limit as i64], |r| r.get(0))?
            .collect()
    })?;
    let kept = texts.iter().map(|t| read(t)).collect::<Result<Vec<_>>>()?;
    // Progress is not kept, only told.
    Ok(kept.into_iter().map(|o| app.jobs().find(&o.id).map_or(o, |job| job.operation())).collect())
}

/// What operations are about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// An analysis.
    Analysis(&'a str),
    /// A target.
    Target(&'a str),
    /// A merge.
    Merge(&'a str),
}

/// Lists the operations of a kind that were carried out, newest first.
///
/// # Errors
/// `Failed`.
pub fn carried_out(app: &App, kind: Kind, about: About<'_>, most: u32) -> Result<Vec<Operation>> {
    let (place, name) = match about {
        About::Analysis(id) => ("$.subject", id),
        About::Target(name) => ("$.target", name),
        About::Merge(id) => ("$.result.merge", id),
    };
    let sql = "SELECT operation FROM operations WHERE kind = ?1 AND state = 'done' AND operation ->> ?2 = ?3
               ORDER BY started_at DESC, id DESC LIMIT ?4";
    let texts: Vec<String> = app
        .state()
        .with(|c| c.prepare_cached(sql)?.query_map((kind.word(), place, name, most), |r| r.get(0))?.collect())?;
    texts.iter().map(|t| read(t)).collect()
}

impl Operation {
    /// Returns how long it took, where it has ended.
    pub fn took(&self) -> Option<std::time::Duration> {
        let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
        (at(self.ended_at.as_deref()?)? - at(&self.started_at)?).to_std().ok()
    }

    /// Returns how many records it wrote, or tried to: inserted, updated, deleted.
    pub fn written(&self) -> [u64; 3] {
        ["inserted", "updated", "deleted"].map(|word| self.result["counts"][word].as_u64().unwrap_or(0))
    }

    /// Returns what people were told of it.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.result["notes"].as_array();
        notes.into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    }
}

/// Asks an operation to stop; it rolls back what it began, unless it is committing already.
///
/// # Errors
/// `not_found`; `forbidden` for somebody else's; `conflict` when it can't be stopped any more.
pub fn cancel(app: &App, person: &Person, id: &str) -> Answer<Operation> {
    let operation = get(app, id)?;
    if operation.user_id != person.id && person.role < crate::server::Role::Admin {
        return Err(Problem::forbidden(format!("only {} or an administrator can stop it", operation.user)));
    }
    match app.jobs().find(id).filter(|_| operation.state == OperationState::Running && operation.cancellable) {
        Some(job) => {
            job.ask_to_stop(crate::error::ErrorKind::Interrupted);
            Ok(job.operation())
        }
        None => Err(Problem::own("conflict", format!("the operation {id} can't be stopped any more"))
            .about(format!("/api/v1/operations/{id}"))),
    }
}

/// Finds out how an operation ended of which that is not known.
///
/// # Errors
/// `not_found`; `unreachable` when the database can't be asked.
pub fn find_out(app: &App, id: &str) -> Answer<Operation> {
    let operation = get(app, id)?;
    if app.jobs().find(id).is_some_and(|j| j.operation().state == OperationState::Running) {
        return Ok(operation);
    }
    if !matches!(operation.state, OperationState::Unknown | OperationState::Running) {
        return Ok(operation);
    }
    Ok(settle(app, operation)?)
}

/// Settles what a service before this one left running.
///
/// # Errors
/// `Failed` for a state database that can't be used.
pub fn settle_left(app: &App) -> Result<()> {
    let texts: Vec<String> = app.state().with(|c| {
        c.prepare("SELECT operation FROM operations WHERE state IN ('running', 'unknown')")?
            .query_map([], |r| r.get(0))?
            .collect()
    })?;
    for text in texts {
        let settled = settle(app, read(&text)?)?;
        tracing::warn!(operation = settled.id, state = ?settled.state, "the service had stopped while it ran");
    }
    Ok(())
}

fn settle(app: &App, mut operation: Operation) -> Result<Operation> {
    let receipt_of = |plan: &str| -> Result<Option<receipt::ReceiptMeta>> {
        Ok(receipt::list(app.home())?.0.into_iter().find(|r| r.plan == plan))
    };
    let mut found = operation.plan.as_deref().map(receipt_of).transpose()?.flatten();
    if let Some(meta) =
        found.as_ref().filter(|m| matches!(m.state, MergeState::Intent | MergeState::Unknown) || m.unfinished)
    {
        // Where the database can't be asked now, the outcome stays unknown and can be asked for again.
        if let Err(problem) = super::targets::of(app, &meta.database)
            .and_then(|t| Ok(t.connect()?))
            .and_then(|mut db| Ok(recover::status(app.home(), db.as_mut())?))
        {
            tracing::warn!(operation = operation.id, problem = problem.detail, "its outcome can't be found out yet");
        }
        found = operation.plan.as_deref().map(receipt_of).transpose()?.flatten();
    }
    operation.ended_at = Some(now());
    operation.cancellable = false;
    match found {
        Some(meta) if meta.state == MergeState::Committed => {
            operation.state = OperationState::Done;
            operation.problem = None;
            operation.result = json!({"merge": meta.id, "plan": meta.plan, "changed": true, "dry_run": false,
                "counts": meta.counts, "settled": true});
        }
        Some(meta) if matches!(meta.state, MergeState::Intent | MergeState::Unknown) => {
            operation.state = OperationState::Unknown;
            let why = fail!(OutcomeUnknown, "the service stopped while {} was being committed", meta.id)
                .hint("Find it out again once the database can be reached.");
            operation.problem = Some(why.into());
        }
        _ => {
            operation.state = OperationState::Failed;
            let why =
                fail!(Terminated, "the service was stopped while it ran; nothing was changed").hint("Start it again.");
            operation.problem = Some(why.into());
        }
    }
    store(app, &operation)?;
    Ok(operation)
}

/// A request that is carried out once, however often it comes (INTERFACE 3.5).
#[derive(Clone, Debug)]
pub struct Once<'a> {
    /// What was asked for.
    pub route: &'a str,
    /// The key that the caller chose.
    pub key: &'a str,
    /// The request's content.
    pub body: &'a str,
}

/// Held while it is found out whether a request came before.
static ASKING: Mutex<()> = Mutex::new(());

/// Starts an operation unless the same request came before: then the first answer is given again.
///
/// # Errors
/// `invalid` for the same key with another request; `still_running`; what starting meets.
pub fn once(
    app: &App,
    person: &Person,
    once: &Once<'_>,
    start: impl FnOnce(String) -> Answer<Operation>,
) -> Answer<Operation> {
    if !(1..=128).contains(&once.key.len()) {
        return Err(Problem::invalid("/headers/Idempotency-Key", "an Idempotency-Key has 1 to 128 characters"));
    }
    let _asking = ASKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let body = digest(once.body);
    let names = (&person.id, once.route, once.key);
    let before: Option<(String, String)> = app.state().with(|c| {
        c.query_row("SELECT body, operation FROM answers WHERE user_id = ? AND route = ? AND key = ?", names, |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .optional()
    })?;
    if let Some((kept, id)) = before {
        if kept != body {
            return Err(Problem::invalid(
                "/headers/Idempotency-Key",
                "this Idempotency-Key came with another request before",
            ));
        }
        // Without its operation the service was killed in between: nothing had begun.
        match get(app, &id) {
            Ok(operation) if operation.state == OperationState::Running => {
                return Err(Problem::own("still_running", "the same request is still being carried out")
                    .about(format!("/api/v1/operations/{id}")));
            }
            Ok(operation) => return Ok(operation),
            Err(_) => {}
        }
    }
    let id = crate::executor::home::fresh_id('o');
    app.state().with(|c| {
        c.execute(
            "INSERT INTO answers (user_id, route, key, body, operation, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (user_id, route, key) DO UPDATE SET operation = ?5, made_at = ?6",
            (&person.id, once.route, once.key, &body, &id, now()),
        )
    })?;
    let started = start(id);
    if started.is_err() {
        // What did not begin may be asked for again.
        app.state().with(|c| c.execute("DELETE FROM answers WHERE user_id = ? AND route = ? AND key = ?", names))?;
    }
    started
}

/// Counts ended operations by kind, target and state.
///
/// # Errors
/// `Failed`.
pub fn counts(app: &App) -> Result<Vec<(String, String, String, u64)>> {
    let sql = "SELECT kind, coalesce(json_extract(operation, '$.target'), ''), state, count(*) FROM operations GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    app.state().with(|c| {
        c.prepare(sql)?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get::<_, i64>(3)?.unsigned_abs())))?
            .collect()
    })
}
