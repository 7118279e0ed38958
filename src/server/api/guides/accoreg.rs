//! AccoReg's routes: analyze, merge, make a backup, and send one.

use super::super::parts::{Asked, Body};
use super::{ended, lines, made, only_target, record_counts, sent};
use crate::backup::{Compression, WriteFormat};
use crate::catalog::make::Format;
use crate::executor::home::fresh_id;
use crate::server::access::{Person, Role};
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{self, AnalysisView, NewAnalysis};
use crate::server::service::backups::{self, BackupView};
use crate::server::service::decisions;
use crate::server::service::merges::{self, NewMerge};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Conflicts that an answer lists; how many there are is in its summary.
const LISTED: usize = 1000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(merge, config)).routes(routes!(create_and_download))
}

fn smart() -> Format {
    Format::Records(WriteFormat::SmartBackup(Compression::None, Default::default()))
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "camelCase")]
struct MergeOptions {
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
    /// What the backup changes about who may do what has been looked at; of an administrator it is not asked.
    confirm_security: bool,
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct MergeAction {
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
async fn merge(State(app): State<App>, person: Person, Body(asked, _): Body<MergeAction>) -> Answer<Response> {
    blocking(move || match asked.action.as_str() {
        "analyze" => {
            let (view, backup) = analyzed(&app, &person, &asked)?;
            Ok(Json(analysis(&app, &view, &backup)?).into_response())
        }
        "merge" => {
            let (view, _) = analyzed(&app, &person, &asked)?;
            Ok(merged(&app, &person, &asked, &view).unwrap_or_else(|problem| failed(&problem)))
        }
        "create-incremental-backup" => {
            let view = made(&app, &person, smart())?;
            let about = json!({"exportedAt": view.created_at, "version": "1.0", "recordCounts": record_counts(&view)});
            let backup = json!({"filename": view.file, "metadata": about, "size": view.size_bytes});
            let message = "Incremental backup created successfully";
            Ok(Json(json!({"success": true, "message": message, "backup": backup})).into_response())
        }
        _ => Err(Problem::own(
            "malformed",
            "Invalid action. Supported actions: analyze, merge, create-incremental-backup",
        )),
    })
    .await
}

fn analyzed(app: &App, person: &Person, asked: &MergeAction) -> Answer<(AnalysisView, BackupView)> {
    let name = asked.filename.as_deref().unwrap_or_default();
    if name.is_empty() {
        let what = if asked.action == "merge" { "merge operation" } else { "analysis" };
        return Err(Problem::own("malformed", format!("Filename is required for {what}")));
    }
    if name.contains("..") || name.contains(['/', '\\']) {
        return Err(Problem::own("malformed", "Invalid filename"));
    }
    let backup = backups::get(app, name)?;
    let wanted = NewAnalysis {
        backup: backup.id.clone(),
        target: only_target(app)?.name,
        strategy: Some(asked.options.conflict_resolution.as_deref().unwrap_or("backup_wins").replace('_', "-")),
        preserve_newer: asked.options.preserve_newer,
        skip_tables: asked.options.skip_tables.clone(),
        only_tables: asked.options.only_tables.clone().unwrap_or_default(),
        ..NewAnalysis::default()
    };
    let result = ended(app, &analyses::start(app, person, fresh_id('o'), &wanted)?)?;
    Ok((analyses::get(app, result["id"].as_str().unwrap_or_default())?, backup))
}

fn analysis(app: &App, view: &AnalysisView, backup: &BackupView) -> Answer<Value> {
    let counts = &view.analyzed["counts"];
    let which = analyses::Which { class: Some("conflict".to_owned()), ..analyses::Which::default() };
    let page = analyses::records(app, &view.id, &which, 0, LISTED)?;
    let conflicts: Vec<Value> = page.items.iter().map(|record| conflict(view, record)).collect();
    Ok(json!({"success": true, "analysis": {
        "summary": {"totalRecords": backup.records, "tableBreakdown": record_counts(backup), "estimatedChanges":
            {"newRecords": counts["new"], "updatedRecords": counts["updated"], "conflicts": counts["conflict"]}},
        "conflicts": conflicts, "filename": backup.file, "fileSize": backup.size_bytes,
        "fileSizeFormatted": formatted(backup.size_bytes), "id": view.id, "security": view.security}}))
}

/// Writes a conflict as AccoReg does: both sides with the fields that are known of them, and those in question.
fn conflict(view: &AnalysisView, record: &Value) -> Value {
    let tables = view.analyzed["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = tables.iter().find(|t| t["name"] == record["table"]).map(|t| &t["backup_name"]);
    let fields = record["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let side = |side: &str| {
        let key = record["key"].as_object().cloned().unwrap_or_default();
        let known = fields.iter().filter(|f| f.get(side).is_some());
        let named = known.map(|f| (f["name"].as_str().unwrap_or_default().to_owned(), f[side].clone()));
        key.into_iter().chain(named).collect::<Map<String, Value>>()
    };
    let in_question: Vec<&Value> = fields.iter().filter(|f| f["conflict"] == true).map(|f| &f["name"]).collect();
    json!({"table": named.unwrap_or(&record["table"]), "id": record["record"], "current": side("current"),
        "backup": side("backup"), "conflictFields": in_question, "action": "update", "reason": record["reason"]})
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

fn merged(app: &App, person: &Person, asked: &MergeAction, view: &AnalysisView) -> Answer<Response> {
    if !asked.conflict_resolutions.is_empty() {
        let text = Value::Object(asked.conflict_resolutions.clone()).to_string();
        let taken = decisions::import(app, person, &view.id, &text, "*")?;
        let left = taken["not_taken"].as_array().cloned().unwrap_or_default();
        if !left.is_empty() {
            let lines: Vec<String> = left.iter().filter_map(|l| l.as_str().map(str::to_owned)).collect();
            return Err(Problem::invalid("/conflictResolutions", format!("not taken: {}", lines.join("; "))));
        }
    }
    let options = &asked.options;
    let wanted = NewMerge {
        analysis: view.id.clone(),
        dry_run: options.dry_run,
        // An administrator could give the same power without a backup; of anybody else it is asked for.
        confirm_security: options.confirm_security || person.role == Role::Admin,
        ..NewMerge::default()
    };
    let result = ended(app, &merges::start(app, person, fresh_id('o'), &wanted)?)?;
    let counts = &result["counts"];
    let number = |name: &str| counts[name].as_u64().unwrap_or(0);
    let message = match options.dry_run {
        true => "Incremental merge completed successfully (dry run: nothing was changed)",
        false => "Incremental merge completed successfully",
    };
    Ok(Json(json!({"success": true, "message": message, "result": {
        "summary": {"tablesProcessed": view.analyzed["tables"].as_array().map_or(0, Vec::len),
            "recordsAdded": number("inserted"), "recordsUpdated": number("updated"),
            "recordsSkipped": number("skipped") + number("kept") + number("kept_newer"),
            "conflictsDetected": view.analyzed["counts"]["conflict"]},
        "conflicts": [], "errors": []}, "merge": result["merge"], "security": view.security}))
    .into_response())
}

/// Says as AccoReg does that nothing was merged. Its counts are what was done: nothing, for a merge is whole or not at all.
fn failed(problem: &Problem) -> Response {
    let done = json!({"tablesProcessed": 0, "recordsAdded": 0, "recordsUpdated": 0, "recordsSkipped": 0,
        "conflictsDetected": problem.rows.len()});
    let body = json!({"error": "Incremental merge failed", "details": lines(problem), "partialResult": done,
        "code": problem.code});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

/// AccoReg's configuration: the ways to resolve conflicts, and the tables.
#[utoipa::path(get, path = "/api/admin/backup/merge", tag = "guides", responses((status = 200, body = Object)))]
async fn config(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let schema = only_target(&app)?.connect()?.schema()?;
        let option = |value: &str, label: &str, description: &str| {
            json!({"value": value, "label": label, "description": description})
        };
        Ok(json!({"success": true, "config": {
            "conflictResolutionOptions": [
                option("backup_wins", "Backup Wins", "Use backup data for all conflicts"),
                option("current_wins", "Current Wins", "Keep current data, skip conflicting updates"),
                option("merge_fields", "Merge Fields", "Fill empty current fields; a null never overwrites a value"),
                option("manual", "Manual Resolution", "Review each conflict individually"),
            ],
            "supportedTables": schema.tables.iter().map(crate::model::Table::label).collect::<Vec<_>>(),
            "features": {"dryRun": true, "preserveNewer": true, "selectiveTables": true, "conflictPreview": true,
                "manualResolution": true}}}))
    })
    .await
    .map(Json)
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct Download {
    /// `create-and-download`.
    action: Option<String>,
    /// `incremental`.
    r#type: Option<String>,
}

/// AccoReg's route: makes a Smart Backup and sends it.
#[utoipa::path(get, path = "/api/admin/backup/download", tag = "guides", params(Download),
    responses((status = 200, content_type = "application/json", body = Object)))]
async fn create_and_download(
    State(app): State<App>,
    person: Person,
    Asked(asked): Asked<Download>,
) -> Answer<Response> {
    if asked.action.as_deref() != Some("create-and-download")
        || asked.r#type.as_deref().unwrap_or("incremental") != "incremental"
    {
        return Err(Problem::own("malformed", "only action=create-and-download with type=incremental is known"));
    }
    let begun = Instant::now();
    let (view, path) = blocking(move || {
        let view = made(&app, &person, smart())?;
        let (_, path) = backups::fetch(&app, &person, &view.id)?;
        Ok((view, path))
    })
    .await?;
    let mut response = sent(&view.file, &path).await?;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let about = json!({"filename": view.file, "size": view.size_bytes, "sizeFormatted": formatted(view.size_bytes),
        "created": view.created_at, "duration": millis, "type": "incremental", "format": "json",
        "recordCounts": record_counts(&view)});
    if let Ok(value) = HeaderValue::from_str(&about.to_string()) {
        response.headers_mut().insert("x-backup-info", value);
    }
    Ok(response)
}
