//! The routes that the five guides document, with their shapes, on the same functions as `/api/v1`.
//!
//! Each guide's routes are in a file of their own; how its errors look is in [`words`].

mod accoreg;
mod babybuddy;
mod baluhost;
mod rayerp;
pub(in crate::server) mod words;

use super::backups::file;
use crate::catalog::make::Format;
use crate::executor::home::fresh_id;
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::jobs::Job;
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{self, NewAnalysis};
use crate::server::service::backups::{self, BackupView, NewBackup};
use crate::server::service::merges::{self, NewMerge};
use crate::server::service::operations::{Operation, OperationState};
use crate::server::service::targets;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(accoreg::router())
        .merge(rayerp::router())
        .merge(babybuddy::router())
        .merge(baluhost::router())
}

/// Returns the one target that a guide's route means: it names none.
fn only_target(app: &App) -> Answer<targets::Target> {
    let mut all = targets::list(app).into_iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::own("not_found", "no target is configured")),
        (Some(_), Some(_)) => {
            Err(Problem::own("conflict", "several targets are configured; use /api/v1, which names the target"))
        }
    }
}

/// Waits until an operation has ended; the guides' routes answer with what it made.
fn ended(app: &App, operation: &Operation) -> Answer<Value> {
    let job = app.jobs().find(&operation.id).ok_or_else(|| Problem::not_found("operation", &operation.id))?;
    let job: &Job = &job;
    let mut told = job.follow();
    loop {
        let now = job.operation();
        match now.state {
            OperationState::Running => {
                let wait = tokio::runtime::Handle::current();
                // A job always tells its end; the limit only bounds a missed wake-up.
                let _ = wait.block_on(tokio::time::timeout(Duration::from_secs(1), told.changed()));
            }
            OperationState::Done => return Ok(now.result),
            _ => return Err(now.problem.unwrap_or_else(|| Problem::own("conflict", "it did not happen"))),
        }
    }
}

/// Makes a backup of the only target and waits for it.
fn made(app: &App, person: &Person, format: Format) -> Answer<BackupView> {
    let wanted = NewBackup { target: only_target(app)?.name, ..NewBackup::default() };
    let operation = backups::start_create_as(app, person, fresh_id('o'), &wanted, format)?;
    let result = ended(app, &operation)?;
    backups::get(app, result["id"].as_str().unwrap_or_default())
}

/// Merges a backup as a restore does: the backup's values win, also over newer ones.
fn put_back(app: &App, person: &Person, view: &BackupView, deletes: &str, merge: NewMerge) -> Answer<Value> {
    let wanted = NewAnalysis {
        backup: view.id.clone(),
        target: only_target(app)?.name,
        strategy: Some("backup-wins".to_owned()),
        preserve_newer: Some(false),
        deletes: Some(deletes.to_owned()),
        ..NewAnalysis::default()
    };
    let found = ended(app, &analyses::start(app, person, fresh_id('o'), &wanted)?)?;
    let analysis = found["id"].as_str().unwrap_or_default().to_owned();
    ended(app, &merges::start(app, person, fresh_id('o'), &NewMerge { analysis, ..merge })?)
}

/// Sends a backup's file under its own name.
async fn sent(name: &str, path: &Path) -> Answer<Response> {
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => "application/json",
        Some("zip") => "application/zip",
        Some("gz") => "application/gzip",
        // Encrypted, or a database's file.
        _ => "application/octet-stream",
    };
    file(name, kind, path).await
}

fn record_counts(view: &BackupView) -> Map<String, Value> {
    view.tables.iter().map(|t| (t.name.clone(), json!(t.records))).collect()
}

/// Lists what a problem says, line by line.
fn lines(problem: &Problem) -> Vec<String> {
    let row = |row: &Value| match (row["table"].as_str(), row["key"].as_str()) {
        (Some(table), Some(key)) => format!("{table}/{key}: {}", row["detail"].as_str().unwrap_or_default()),
        _ => row["detail"].as_str().unwrap_or_default().to_owned(),
    };
    std::iter::once(problem.detail.clone())
        .chain(problem.rows.iter().map(row))
        .chain(problem.hint.clone())
        .filter(|line| !line.is_empty())
        .collect()
}
