//! The routes that the five guides document, with their shapes, on the same functions as `/api/v1`.

use super::backups::{file, store};
use super::parts::{Asked, At, Body};
use crate::backup::{Compression, FilesFormat, WriteFormat};
use crate::catalog::Entry;
use crate::catalog::make::Format;
use crate::executor::home::fresh_id;
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::jobs::Job;
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{self, NewAnalysis};
use crate::server::service::backups::{self, BackupView, NewBackup};
use crate::server::service::decisions;
use crate::server::service::merges::{self, NewMerge};
use crate::server::service::operations::{Operation, OperationState};
use crate::server::service::targets;
use axum::Json;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(merge, merge_config))
        .routes(routes!(create_and_download))
        .routes(routes!(system_download))
        .routes(routes!(babybuddy_download))
        .merge(OpenApiRouter::new().routes(routes!(babybuddy_restore)).layer(DefaultBodyLimit::disable()))
        .routes(routes!(create, list))
        .routes(routes!(get, remove))
        .routes(routes!(restore))
        .routes(routes!(download))
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
                let _ = wait.block_on(tokio::time::timeout(std::time::Duration::from_secs(1), told.changed()));
            }
            OperationState::Done => return Ok(now.result),
            _ => return Err(now.problem.unwrap_or_else(|| Problem::own("conflict", "it did not happen"))),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MergeOptions {
    /// `backup_wins`, `current_wins`, `merge_fields`, `manual`.
    conflict_resolution: Option<String>,
    /// Whether newer current records stay (as the page of the guide has it: yes).
    preserve_newer: Option<bool>,
    /// Tables that are left out.
    skip_tables: Vec<String>,
    /// The only tables.
    only_tables: Option<Vec<String>>,
    /// Everything is rolled back.
    dry_run: bool,
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MergeAction {
    /// `analyze`, `merge`, `create-incremental-backup`.
    action: String,
    /// The backup's name.
    #[serde(default)]
    filename: Option<String>,
    /// How.
    #[serde(default)]
    options: MergeOptions,
    /// Decisions: `{"User_41":{"action":"skip"}}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    conflict_resolutions: Map<String, Value>,
}

/// AccoReg's route: analyze, merge, or make a backup.
#[utoipa::path(post, path = "/api/admin/backup/merge", tag = "guides", request_body = MergeAction, responses((status = 200, body = Object)))]
pub(super) async fn merge(
    State(app): State<App>,
    person: Person,
    Body(asked, _): Body<MergeAction>,
) -> Answer<Json<Value>> {
    blocking(move || match asked.action.as_str() {
        "analyze" => analyzed(&app, &person, &asked).map(|(answer, _)| answer),
        "merge" => merged(&app, &person, &asked),
        "create-incremental-backup" => {
            let entry = made(&app, &person, Format::Records(WriteFormat::SmartBackup(Compression::None, Default::default())))?;
            Ok(json!({"success": true, "message": "Incremental backup created", "backup":
                {"filename": entry.name, "size": entry.size_bytes, "metadata": {"recordCounts": record_counts(&entry)}}}))
        }
        _ => Err(Problem::own(
            "malformed",
            "Invalid action. Supported actions: analyze, merge, create-incremental-backup",
        )),
    })
    .await
    .map(Json)
}

fn analyzed(app: &App, person: &Person, asked: &MergeAction) -> Answer<(Value, String)> {
    let name = asked.filename.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(Problem::own("malformed", format!("Filename is required for {} operation", asked.action)));
    }
    if name.contains("..") || name.contains(['/', '\\']) {
        return Err(Problem::own("malformed", "Invalid filename"));
    }
    let target = only_target(app)?;
    let wanted = NewAnalysis {
        backup: name.to_owned(),
        target: target.name,
        strategy: Some(asked.options.conflict_resolution.as_deref().unwrap_or("backup_wins").replace('_', "-")),
        preserve_newer: asked.options.preserve_newer,
        skip_tables: asked.options.skip_tables.clone(),
        only_tables: asked.options.only_tables.clone().unwrap_or_default(),
        ..NewAnalysis::default()
    };
    let operation = analyses::start(app, person, fresh_id('o'), &wanted)?;
    let result = ended(app, &operation)?;
    let id = result["id"].as_str().unwrap_or_default().to_owned();
    let entry = backups::get(app, name)?;
    let counts = &result["counts"];
    let tables: Map<String, Value> = entry.tables.iter().map(|t| (t.name.clone(), json!(t.records))).collect();
    let which = analyses::Which { class: Some("conflict".to_owned()), ..analyses::Which::default() };
    let conflicts = analyses::records(app, &id, &which, 0, 1000)?;
    let answer = json!({"success": true, "analysis": {
        "summary": {"totalRecords": entry.records, "tableBreakdown": tables, "estimatedChanges":
            {"newRecords": counts["new"], "updatedRecords": counts["updated"], "conflicts": counts["conflict"]}},
        "conflicts": conflicts.items, "filename": entry.name, "fileSize": entry.size_bytes,
        "fileSizeFormatted": formatted(entry.size_bytes), "id": id}});
    Ok((answer, id))
}

/// Writes a size as AccoReg does: `12.06 KB`.
fn formatted(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "Bytes");
    for next in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, next);
    }
    let text = format!("{size:.2}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

fn merged(app: &App, person: &Person, asked: &MergeAction) -> Answer<Value> {
    let (_, id) = analyzed(app, person, asked)?;
    if !asked.conflict_resolutions.is_empty() {
        let text = Value::Object(asked.conflict_resolutions.clone()).to_string();
        let taken = decisions::import(app, person, &id, &text, "*")?;
        let left = taken["not_taken"].as_array().cloned().unwrap_or_default();
        if !left.is_empty() {
            let lines: Vec<String> = left.iter().filter_map(|l| l.as_str().map(str::to_owned)).collect();
            return Err(Problem::invalid("/conflictResolutions", format!("not taken: {}", lines.join("; "))));
        }
    }
    let wanted = NewMerge { analysis: id.clone(), dry_run: asked.options.dry_run, ..NewMerge::default() };
    let result = ended(app, &merges::start(app, person, fresh_id('o'), &wanted)?)?;
    let view = analyses::get(app, &id)?;
    let counts = &result["counts"];
    let number = |name: &str| counts[name].as_u64().unwrap_or(0);
    let message = match asked.options.dry_run {
        true => "Dry run: nothing was changed",
        false => "Incremental merge completed successfully",
    };
    Ok(json!({"success": true, "message": message, "result": {
        "summary": {"tablesProcessed": view.analyzed["tables"].as_array().map_or(0, Vec::len),
            "recordsAdded": number("inserted"), "recordsUpdated": number("updated"),
            "recordsSkipped": number("skipped") + number("kept") + number("kept_newer"),
            "conflictsDetected": view.analyzed["counts"]["conflict"]},
        "conflicts": [], "errors": []}, "merge": result["merge"]}))
}

/// AccoReg's configuration: the ways to resolve conflicts, and the tables.
#[utoipa::path(get, path = "/api/admin/backup/merge", tag = "guides", responses((status = 200, body = Object)))]
pub(super) async fn merge_config(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let schema = only_target(&app)?.connect()?.schema()?;
        let option = |value: &str, label: &str, description: &str| {
            json!({"value": value, "label": label, "description": description})
        };
        Ok(json!({"success": true, "config": {
            "conflictResolutionOptions": [
                option("backup_wins", "Backup Wins", "The backup's record is taken"),
                option("current_wins", "Current Wins", "The current record stays"),
                option("merge_fields", "Merge Fields", "Empty current fields are filled from the backup"),
                option("manual", "Manual", "Every conflict is decided by a person"),
            ],
            "supportedTables": schema.tables.iter().map(crate::model::Table::label).collect::<Vec<_>>(),
            "features": {"dryRun": true, "preserveNewer": true, "selectiveTables": true, "conflictPreview": true,
                "manualResolution": true}}}))
    })
    .await
    .map(Json)
}

fn record_counts(entry: &BackupView) -> Map<String, Value> {
    entry.tables.iter().map(|t| (t.name.clone(), json!(t.records))).collect()
}

/// Makes a backup of the only target and waits for it.
fn made(app: &App, person: &Person, format: Format) -> Answer<BackupView> {
    let wanted = NewBackup { target: only_target(app)?.name, ..NewBackup::default() };
    let operation = backups::start_create_as(app, person, fresh_id('o'), &wanted, format)?;
    let result = ended(app, &operation)?;
    backups::get(app, result["id"].as_str().unwrap_or_default())
}

async fn made_and_sent(app: App, person: Person, format: Format, kind: &'static str) -> Answer<Response> {
    let (view, entry, path) = blocking(move || {
        let view = made(&app, &person, format)?;
        let (entry, path): (Entry, _) = backups::fetch(&app, &person, &view.id)?;
        Ok((view, entry, path))
    })
    .await?;
    let mut response = file(&entry.file, kind, &path).await?;
    let about = json!({"filename": entry.file, "size": view.size_bytes, "sizeFormatted": formatted(view.size_bytes),
        "created": view.created_at, "type": "incremental", "format": "json", "recordCounts": record_counts(&view)});
    if let Ok(value) = HeaderValue::from_str(&about.to_string()) {
        response.headers_mut().insert("x-backup-info", value);
    }
    Ok(response)
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Download {
    /// `create-and-download`.
    action: Option<String>,
    /// `incremental`.
    r#type: Option<String>,
}

/// AccoReg's route: makes a Smart Backup and sends it.
#[utoipa::path(get, path = "/api/admin/backup/download", tag = "guides", params(Download),
    responses((status = 200, content_type = "application/json", body = Object)))]
pub(super) async fn create_and_download(
    State(app): State<App>,
    person: Person,
    Asked(asked): Asked<Download>,
) -> Answer<Response> {
    if asked.action.as_deref() != Some("create-and-download")
        || asked.r#type.as_deref().unwrap_or("incremental") != "incremental"
    {
        return Err(Problem::own("malformed", "only action=create-and-download with type=incremental is known"));
    }
    let format = Format::Records(WriteFormat::SmartBackup(Compression::None, Default::default()));
    made_and_sent(app, person, format, "application/json").await
}

/// RayERP's route: makes a backup archive and sends it.
#[utoipa::path(get, path = "/api/backup/download", tag = "guides",
    responses((status = 200, content_type = "application/zip", body = Vec<u8>)))]
pub(super) async fn system_download(State(app): State<App>, person: Person) -> Answer<Response> {
    made_and_sent(app, person, Format::Records(WriteFormat::Files(FilesFormat::RayErp)), "application/zip").await
}

/// Baby Buddy's route: makes a backup archive and sends it.
#[utoipa::path(get, path = "/backup/download/", tag = "guides",
    responses((status = 200, content_type = "application/zip", body = Vec<u8>)))]
pub(super) async fn babybuddy_download(State(app): State<App>, person: Person) -> Answer<Response> {
    made_and_sent(app, person, Format::Records(WriteFormat::Files(FilesFormat::Django)), "application/zip").await
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // Only described: the form is read field by field.
pub(super) struct RestoreForm {
    /// The archive.
    #[schema(value_type = String, format = Binary)]
    backup_file: Vec<u8>,
    /// Whether what is only in current is deleted; asks for RESTORE in `confirm`.
    clear_existing_data: Option<String>,
    /// RESTORE, where data is cleared.
    confirm: Option<String>,
}

/// Baby Buddy's route: takes an archive and merges it, the backup's values winning.
#[utoipa::path(post, path = "/backup/restore/confirm/", tag = "guides",
    request_body(content_type = "multipart/form-data", content = RestoreForm), responses((status = 200, body = Object)))]
pub(super) async fn babybuddy_restore(
    State(app): State<App>,
    person: Person,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Answer<Json<Value>> {
    let mut form =
        form.map_err(|_| Problem::own("unsupported_media_type", "send the archive as multipart/form-data"))?;
    let broken = |_| Problem::own("malformed", "the form can't be read");
    let (mut stored, mut clear, mut confirm) = (None, false, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "backup_file" if stored.is_none() => {
                let name = format!("restore-{}.zip", fresh_id('x'));
                let begun = {
                    let app = app.clone();
                    blocking(move || backups::begin_upload(&app, &name, None)).await?
                };
                stored = Some(store(begun, Box::pin(field), false).await?.0);
            }
            "clear_existing_data" => {
                clear = matches!(field.text().await.map_err(broken)?.as_str(), "true" | "on" | "1")
            }
            "confirm" => confirm = Some(field.text().await.map_err(broken)?),
            _ => {}
        }
    }
    let Some(stored) = stored else { return Err(Problem::own("malformed", "No backup file provided.")) };
    blocking(move || {
        let view = stored.finish(&app, &person)?;
        let deletes = if clear { "mirror" } else { "keep" };
        let (merge, result) = put_back(&app, &person, &view, deletes, confirm)?;
        Ok(json!({"success": true, "models_restored": view.tables.len(), "records_restored": result["counts"]["inserted"].as_u64().unwrap_or(0)
            + result["counts"]["updated"].as_u64().unwrap_or(0), "errors": [], "merge": merge}))
    })
    .await
    .map(Json)
}

/// Merges a backup as a restore does: the backup's values win, also over newer ones.
fn put_back(
    app: &App,
    person: &Person,
    view: &BackupView,
    deletes: &str,
    confirm: Option<String>,
) -> Answer<(Value, Value)> {
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
    let wanted = NewMerge { analysis, confirm, ..NewMerge::default() };
    let result = ended(app, &merges::start(app, person, fresh_id('o'), &wanted)?)?;
    Ok((result["merge"].clone(), result))
}

/// Writes a backup as BaluHost does.
fn balu(view: &BackupView) -> Value {
    json!({"id": view.id, "filename": view.name, "size_bytes": view.size_bytes, "size_mb": megabytes(view.size_bytes),
        "status": "completed", "created_at": view.created_at, "backup_type": "full", "includes_database": true,
        "includes_files": false, "includes_config": false})
}

fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 100.0).round() / 100.0
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub(super) struct BaluCreate {
    /// `full` or `database_only`; files are not backed up here.
    backup_type: Option<String>,
    /// Must not be false.
    includes_database: Option<bool>,
    /// Files are not backed up here.
    includes_files: Option<bool>,
    /// Settings are not backed up here.
    includes_config: Option<bool>,
}

/// BaluHost's route: makes a backup.
#[utoipa::path(post, path = "/api/backups", tag = "guides", request_body = BaluCreate, responses((status = 201, body = Object)))]
pub(super) async fn create(
    State(app): State<App>,
    person: Person,
    Body(asked, _): Body<BaluCreate>,
) -> Answer<Response> {
    let kind = asked.backup_type.as_deref().unwrap_or("full");
    if asked.includes_database == Some(false) || !matches!(kind, "full" | "database_only") {
        return Err(Problem::invalid("/backup_type", "only databases are backed up here: full or database_only"));
    }
    if asked.includes_files == Some(true) || asked.includes_config == Some(true) {
        return Err(Problem::invalid("/includes_files", "files and settings are not backed up here; say false"));
    }
    let made = blocking(move || made(&app, &person, Format::default())).await?;
    Ok((StatusCode::CREATED, Json(balu(&made))).into_response())
}

/// BaluHost's route: lists the backups.
#[utoipa::path(get, path = "/api/backups", tag = "guides", responses((status = 200, body = Object)))]
pub(super) async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let all = blocking(move || backups::list(&app)).await?;
    let bytes: u64 = all.iter().map(|b| b.size_bytes).sum();
    let views: Vec<Value> = all.iter().map(balu).collect();
    Ok(Json(json!({"backups": views, "total_size_bytes": bytes, "total_size_mb": megabytes(bytes)})))
}

/// BaluHost's route: describes a backup.
#[utoipa::path(get, path = "/api/backups/{id}", tag = "guides", params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<Value>> {
    blocking(move || Ok(balu(&backups::get(&app, &id)?))).await.map(Json)
}

/// BaluHost's route: removes a backup.
#[utoipa::path(delete, path = "/api/backups/{id}", tag = "guides", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn remove(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || backups::remove(&app, &person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
pub(super) struct BaluRestore {
    /// The backup's id; must be the path's.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    backup_id: Option<Value>,
    /// Must not be false.
    #[serde(default)]
    restore_database: Option<bool>,
    /// Files are not restored here.
    #[serde(default)]
    restore_files: Option<bool>,
    /// Settings are not restored here.
    #[serde(default)]
    restore_config: Option<bool>,
    /// Must be true.
    #[serde(default)]
    confirm: bool,
}

/// BaluHost's route: merges a backup, its values winning.
#[utoipa::path(post, path = "/api/backups/{id}/restore", tag = "guides", params(("id" = String, Path)), request_body = BaluRestore, responses((status = 200, body = Object)))]
pub(super) async fn restore(
    State(app): State<App>,
    person: Person,
    At(id): At<String>,
    Body(asked, _): Body<BaluRestore>,
) -> Answer<Json<Value>> {
    let given = asked.backup_id.as_ref().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    if given.is_some_and(|given| given != id) {
        return Err(Problem::own("malformed", "Backup ID mismatch"));
    }
    if !asked.confirm {
        return Err(Problem::own("malformed", "send \"confirm\": true to restore").hint("Nothing was changed."));
    }
    if asked.restore_database == Some(false) || asked.restore_files == Some(true) || asked.restore_config == Some(true)
    {
        return Err(Problem::invalid("/restore_files", "only databases are restored here"));
    }
    blocking(move || {
        let view = backups::get(&app, &id)?;
        let target = only_target(&app)?;
        let (merge, _) = put_back(&app, &person, &view, "keep", Some(target.name))?;
        Ok(json!({"success": true, "message": "Backup restored successfully.", "backup_id": view.id,
            "restored_at": crate::server::state::now(), "merge": merge}))
    })
    .await
    .map(Json)
}

/// BaluHost's route: sends a backup's file.
#[utoipa::path(get, path = "/api/backups/{id}/download", tag = "guides", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/gzip", body = Vec<u8>)))]
pub(super) async fn download(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<Response> {
    let (entry, path) = blocking(move || backups::fetch(&app, &person, &id)).await?;
    file(&entry.file, "application/gzip", &path).await
}
