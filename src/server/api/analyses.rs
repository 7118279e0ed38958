//! Analyses: making, paging through, deciding, reports.

use super::backups::cut;
use super::parts::{
    Asked, At, Body, Listed, Paging, accepted, cursor, if_match, page, passphrase, report as html, tagged,
};
use crate::plan::Decision;
use crate::plan::answer::Answered;
use crate::plan::decision::FieldDecision;
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{self, AnalysisView, NewAnalysis, PatternView, Which};
use crate::server::service::approvals::{self, Approval};
use crate::server::service::decisions::{self, Bulk, Doing, Restrategy, Said, Try};
use crate::server::service::operations::Operation;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Compares a backup with a target: "Analyze for Merge". The operation's `subject` is the analysis's id.
#[utoipa::path(post, path = "/api/v1/analyses", tag = "analyses", request_body = NewAnalysis,
    params(("Merganser-Passphrase" = Option<String>, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn start(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    Body(mut asked, _): Body<NewAnalysis>,
) -> Answer<Response> {
    asked.passphrase = passphrase(&headers)?;
    let operation =
        blocking(move || analyses::start(&app, &person, crate::executor::home::fresh_id('o'), &asked)).await?;
    Ok(accepted(&operation))
}

/// Lists the analyses, newest first.
#[utoipa::path(get, path = "/api/v1/analyses", tag = "analyses", params(Paging), responses((status = 200, body = Listed<AnalysisView>)))]
pub(super) async fn list(State(app): State<App>, uri: Uri, Asked(paging): Asked<Paging>) -> Answer<Response> {
    let (limit, left) = (paging.limit()?, paging.position(u64::MAX)?);
    let all = blocking(move || analyses::list(&app)).await?;
    Ok(page(&uri, cut(all, left, limit)))
}

/// Describes an analysis.
#[utoipa::path(get, path = "/api/v1/analyses/{id}", tag = "analyses", params(("id" = String, Path)),
    responses((status = 200, body = AnalysisView), (status = 304)))]
pub(super) async fn get(State(app): State<App>, headers: HeaderMap, At(id): At<String>) -> Answer<Response> {
    let view = blocking(move || analyses::get(&app, &id)).await?;
    Ok(tagged(&headers, &view.etag, &view))
}

/// Gives an analysis another strategy.
#[utoipa::path(patch, path = "/api/v1/analyses/{id}", tag = "analyses", request_body = Restrategy,
    params(("id" = String, Path), ("If-Match" = String, Header)), responses((status = 200, body = AnalysisView)))]
pub(super) async fn restrategy(
    State(app): State<App>,
    headers: HeaderMap,
    At(id): At<String>,
    Body(asked, _): Body<Restrategy>,
) -> Answer<Response> {
    let etag = if_match(&headers)?;
    let view = blocking(move || decisions::restrategy(&app, &id, &asked, &etag)).await?;
    Ok(tagged(&HeaderMap::new(), &view.etag, &view))
}

/// Removes an analysis with its decisions.
#[utoipa::path(delete, path = "/api/v1/analyses/{id}", tag = "analyses", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn remove(State(app): State<App>, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || analyses::remove(&app, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only this table.
    table: Option<String>,
    /// Only this class.
    class: Option<String>,
    /// Only records with this outcome.
    outcome: Option<String>,
    /// Only conflicts of this pattern.
    pattern: Option<String>,
    /// Only records that meet a condition: `users: status = "pending"`.
    q: Option<String>,
    /// How many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on, as the page before said.
    cursor: Option<String>,
}

/// Returns records of an analysis, page by page; decisions in between move nothing.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/records", tag = "analyses", params(("id" = String, Path), Filter),
    responses((status = 200, body = Listed<Object>)))]
pub(super) async fn records(
    State(app): State<App>,
    uri: Uri,
    At(id): At<String>,
    Asked(asked): Asked<Filter>,
) -> Answer<Response> {
    let paging = Paging { limit: asked.limit, cursor: asked.cursor.clone() };
    let (limit, after) = (paging.limit()?, paging.position(0)?);
    let which = Which {
        table: asked.table,
        class: asked.class,
        outcome: asked.outcome,
        pattern: asked.pattern,
        condition: asked.q,
        security: false,
    };
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let found = blocking(move || analyses::records(&app, &id, &which, after, limit)).await?;
    let next = found.next.map(|n| cursor(n.unsigned_abs()));
    Ok(page(&uri, Listed { items: found.items, next_cursor: next, total: found.total, total_is_estimate: false }))
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct OfTable {
    /// Only this table.
    table: Option<String>,
}

/// Groups the conflicts by table, reason and fields, most frequent first.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/patterns", tag = "analyses", params(("id" = String, Path), OfTable),
    responses((status = 200, body = Vec<PatternView>)))]
pub(super) async fn patterns(
    State(app): State<App>,
    At(id): At<String>,
    Asked(asked): Asked<OfTable>,
) -> Answer<Json<Vec<PatternView>>> {
    blocking(move || analyses::patterns(&app, &id, asked.table.as_deref())).await.map(Json)
}

/// Describes one record, field by field.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/records/{table}/{key}", tag = "analyses",
    params(("id" = String, Path), ("table" = String, Path), ("key" = String, Path)),
    responses((status = 200, body = Object), (status = 304)))]
pub(super) async fn record(
    State(app): State<App>,
    headers: HeaderMap,
    At((id, table, key)): At<(String, String, String)>,
) -> Answer<Response> {
    let record = blocking(move || analyses::record(&app, &id, &table, &key)).await?;
    let etag = record["etag"].as_str().unwrap_or_default().to_owned();
    Ok(tagged(&headers, &etag, &record))
}

/// An answer to one conflict.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedDecision {
    /// `backup`, `current`, `skip`, `into-existing`, `new-key`, `fields`, or `clear` to take an answer back.
    action: String,
    /// With `fields`: `"backup"`, `"current"` or `{"value": …}` by field.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: BTreeMap<String, Value>,
    /// What is noted beside it: why, whom one asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl AskedDecision {
    fn said(self) -> Answer<Said> {
        Ok(Said { answer: self.decision()?, note: self.note })
    }

    fn decision(&self) -> Answer<Option<Decision>> {
        let mut fields = BTreeMap::new();
        for (name, value) in &self.fields {
            let answer: FieldDecision = serde_json::from_value(value.clone())
                .map_err(|e| Problem::invalid(&format!("/fields/{name}"), e.to_string()))?;
            fields.insert(name.clone(), answer);
        }
        Ok(Some(match self.action.as_str() {
            "clear" => return Ok(None),
            "backup" => Decision::Backup,
            "current" => Decision::Current,
            "skip" => Decision::Skip,
            "into-existing" => Decision::IntoExisting,
            "new-key" => Decision::NewKey,
            "fields" => Decision::Fields { fields },
            other => return Err(Problem::invalid("/action", format!("there is no action {other:?}"))),
        }))
    }
}

/// Decides one record.
#[utoipa::path(patch, path = "/api/v1/analyses/{id}/records/{table}/{key}", tag = "analyses", request_body = AskedDecision,
    params(("id" = String, Path), ("table" = String, Path), ("key" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Object)))]
pub(super) async fn decide(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At((id, table, key)): At<(String, String, String)>,
    Body(asked, _): Body<AskedDecision>,
) -> Answer<Response> {
    let etag = if_match(&headers)?;
    let said = asked.said()?;
    let record = blocking(move || decisions::decide(&app, &person, &id, (&table, &key), &said, &etag)).await?;
    let etag = record["etag"].as_str().unwrap_or_default().to_owned();
    Ok(tagged(&HeaderMap::new(), &etag, &record))
}

/// One answer for many records.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedBulk {
    /// Which records: all conflicts where nothing is said.
    #[serde(default)]
    selector: Which,
    /// The answer.
    decision: AskedDecision,
    /// Nothing is decided; it is only said how many records are meant.
    #[serde(default)]
    dry_run: bool,
    /// Records that were decided before are decided anew; without it they stay as they were decided.
    #[serde(default)]
    replace: bool,
}

/// Decides many records at once, or says how many that would be.
#[utoipa::path(post, path = "/api/v1/analyses/{id}/decisions", tag = "analyses", request_body = AskedBulk,
    params(("id" = String, Path), ("If-Match" = String, Header)), responses((status = 200, body = Bulk)))]
pub(super) async fn bulk(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
    Body(asked, _): Body<AskedBulk>,
) -> Answer<Response> {
    let etag = if_match(&headers)?;
    let said = asked.decision.said()?;
    let doing = Doing {
        trying: if asked.dry_run { Try::Count } else { Try::Do },
        answered: if asked.replace { Answered::Replaced } else { Answered::Stays },
    };
    let done = blocking(move || decisions::bulk(&app, &person, &id, &asked.selector, &said, (&etag, doing))).await?;
    Ok(tagged(&HeaderMap::new(), &done.etag, &done))
}

/// Writes all decisions as a decisions file.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/decisions", tag = "analyses", params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn export(State(app): State<App>, At(id): At<String>) -> Answer<Response> {
    let text = blocking(move || decisions::export(&app, &id)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Takes decisions from a decisions file.
#[utoipa::path(put, path = "/api/v1/analyses/{id}/decisions", tag = "analyses", request_body = Object,
    params(("id" = String, Path), ("If-Match" = String, Header)), responses((status = 200, body = Object)))]
pub(super) async fn import(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
    body: Body<Value>,
) -> Answer<Json<Value>> {
    let etag = if_match(&headers)?;
    blocking(move || decisions::import(&app, &person, &id, &body.1, &etag)).await.map(Json)
}

/// Approves a merge of an analysis exactly as it is; for a target that asks for another user's approval.
#[utoipa::path(post, path = "/api/v1/analyses/{id}/approval", tag = "analyses",
    params(("id" = String, Path), ("If-Match" = String, Header)), responses((status = 200, body = Vec<Approval>)))]
pub(super) async fn approve(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
) -> Answer<Json<Vec<Approval>>> {
    let etag = if_match(&headers)?;
    blocking(move || approvals::approve(&app, &person, &id, &etag)).await.map(Json)
}

/// Takes one's own approval of an analysis back.
#[utoipa::path(delete, path = "/api/v1/analyses/{id}/approval", tag = "analyses", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn withdraw(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || approvals::withdraw(&app, &person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the current records that changed since the analysis.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/staleness", tag = "analyses", params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn staleness(State(app): State<App>, At(id): At<String>) -> Answer<Json<Value>> {
    let stale = blocking(move || analyses::stale(&app, &id)).await?;
    Ok(Json(json!({"stale": stale})))
}

/// Returns the report as one HTML file.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/report.html", tag = "analyses", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn report(State(app): State<App>, At(id): At<String>) -> Answer<Response> {
    blocking(move || analyses::report_html(&app, &id)).await.map(html)
}

/// Returns the statements that a merge would amount to, for review only.
#[utoipa::path(get, path = "/api/v1/analyses/{id}/sql", tag = "analyses", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(super) async fn sql(State(app): State<App>, At(id): At<String>) -> Answer<Response> {
    let text = blocking(move || analyses::review_sql(&app, &id)).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
