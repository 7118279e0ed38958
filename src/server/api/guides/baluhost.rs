//! BaluHost's routes: archives of the database, made, listed, restored, sent and removed.
//!
//! Its ids are numbers; here each is made from the backup's own id, so that none is ever given to another backup.

use super::super::backups::file;
use super::super::parts::{At, Body};
use super::{made, only_target, put_back};
use crate::catalog::make::Format;
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::backups::{self, BackupView};
use crate::server::service::merges::NewMerge;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, remove))
        .routes(routes!(restore))
        .routes(routes!(download))
}

/// Returns the number of a backup: 48 bits of its id's digest, which every program's numbers can hold.
fn number(id: &str) -> u64 {
    let digest = blake3::hash(id.as_bytes());
    digest.as_bytes()[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Finds a backup by its number, its id or its name.
fn found(app: &App, id: &str) -> Answer<BackupView> {
    match id.parse::<u64>() {
        Err(_) => backups::get(app, id),
        Ok(wanted) => {
            let all = backups::list(app)?;
            all.into_iter().find(|b| number(&b.id) == wanted).ok_or_else(|| Problem::not_found("backup", id))
        }
    }
}

/// Writes a backup as BaluHost does.
fn written(view: &BackupView) -> Value {
    json!({"id": number(&view.id), "filename": view.file, "size_bytes": view.size_bytes,
        "size_mb": megabytes(view.size_bytes), "backup_type": "database_only", "status": "completed",
        "created_at": view.created_at, "completed_at": view.created_at, "creator_id": null, "error_message": null,
        "includes_database": true, "includes_files": false, "includes_config": false, "backup": view.id})
}

fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 100.0).round() / 100.0
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
struct NewArchive {
    /// `full` or `database_only`; what it includes is in the answer.
    backup_type: Option<String>,
    /// Must not be false.
    includes_database: Option<bool>,
    /// Files are not kept here: the answer says so.
    includes_files: Option<bool>,
    /// Settings are not kept here: the answer says so.
    includes_config: Option<bool>,
}

/// Says what was asked for besides the database, which is not done here.
fn beyond(files: Option<bool>, config: Option<bool>) -> Vec<&'static str> {
    let said = [
        (files, "files are not part of these backups: only the database is"),
        (config, "settings are not part of these backups: only the database is"),
    ];
    said.into_iter().filter(|(asked, _)| *asked == Some(true)).map(|(_, note)| note).collect()
}

/// BaluHost's route: makes a backup.
#[utoipa::path(post, path = "/api/backups", tag = "guides", request_body = NewArchive, responses((status = 201, body = Object)))]
async fn create(State(app): State<App>, person: Person, Body(asked, _): Body<NewArchive>) -> Answer<Response> {
    let kind = asked.backup_type.as_deref().unwrap_or("full");
    if asked.includes_database == Some(false) || !matches!(kind, "full" | "database_only") {
        return Err(Problem::invalid(
            "/backup_type",
            "only databases are backed up here, whole: full or database_only",
        ));
    }
    let view = blocking(move || made(&app, &person, Format::BaluHost)).await?;
    let mut body = written(&view);
    body["notes"] = json!(beyond(asked.includes_files, asked.includes_config));
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// BaluHost's route: lists the backups.
#[utoipa::path(get, path = "/api/backups", tag = "guides", responses((status = 200, body = Object)))]
async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let all = blocking(move || backups::list(&app)).await?;
    let bytes: u64 = all.iter().map(|b| b.size_bytes).sum();
    let views: Vec<Value> = all.iter().map(written).collect();
    Ok(Json(json!({"backups": views, "total_size_bytes": bytes, "total_size_mb": megabytes(bytes)})))
}

/// BaluHost's route: describes a backup.
#[utoipa::path(get, path = "/api/backups/{id}", tag = "guides", params(("id" = String, Path)), responses((status = 200, body = Object)))]
async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<Value>> {
    blocking(move || Ok(written(&found(&app, &id)?))).await.map(Json)
}

/// BaluHost's route: removes a backup.
#[utoipa::path(delete, path = "/api/backups/{id}", tag = "guides", params(("id" = String, Path)), responses((status = 204)))]
async fn remove(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || {
        let view = found(&app, &id)?;
        backups::remove(&app, &person, &view.id)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
struct Restoring {
    /// The backup's id; must be the path's.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    backup_id: Option<Value>,
    /// Must not be false.
    #[serde(default)]
    restore_database: Option<bool>,
    /// Files are not part of these backups: the answer says so.
    #[serde(default)]
    restore_files: Option<bool>,
    /// Settings are not part of these backups: the answer says so.
    #[serde(default)]
    restore_config: Option<bool>,
    /// Must be true.
    #[serde(default)]
    confirm: bool,
}

/// BaluHost's route: merges a backup, its values winning.
#[utoipa::path(post, path = "/api/backups/{id}/restore", tag = "guides", params(("id" = String, Path)), request_body = Restoring, responses((status = 200, body = Object)))]
async fn restore(
    State(app): State<App>,
    person: Person,
    At(id): At<String>,
    Body(asked, _): Body<Restoring>,
) -> Answer<Json<Value>> {
    let given = asked.backup_id.as_ref().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    blocking(move || {
        let view = found(&app, &id)?;
        if given.is_some_and(|given| given != id && given != view.id && given != number(&view.id).to_string()) {
            return Err(Problem::own("malformed", "Backup ID mismatch"));
        }
        if !asked.confirm {
            return Err(Problem::own("malformed", "send \"confirm\": true to restore").hint("Nothing was changed."));
        }
        if asked.restore_database == Some(false) {
            return Err(Problem::invalid("/restore_database", "only databases are restored here"));
        }
        // The guide's confirmation is the one that our own routes ask for, word by word.
        let merge = NewMerge { confirm: Some(only_target(&app)?.name), confirm_security: true, ..NewMerge::default() };
        let result = put_back(&app, &person, &view, "keep", merge)?;
        let body_id = asked.backup_id.clone().unwrap_or_else(|| json!(number(&view.id)));
        Ok(json!({"success": true, "message": "Backup restored successfully. Please restart the application.",
            "backup_id": body_id, "restored_at": crate::server::state::now(), "merge": result["merge"],
            "notes": beyond(asked.restore_files, asked.restore_config)}))
    })
    .await
    .map(Json)
}

/// BaluHost's route: sends a backup's file.
#[utoipa::path(get, path = "/api/backups/{id}/download", tag = "guides", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/gzip", body = Vec<u8>)))]
async fn download(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<Response> {
    let (entry, path) = blocking(move || {
        let view = found(&app, &id)?;
        backups::fetch(&app, &person, &view.id)
    })
    .await?;
    let kind = if entry.file.ends_with(".gz") { "application/gzip" } else { "application/octet-stream" };
    file(&entry.file, kind, &path).await
}
