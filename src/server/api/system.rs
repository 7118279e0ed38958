//! Retention, the audit log, status, and the description of the API itself.

use super::parts::{Asked, Body, Listed, Paging, cursor, page};
use crate::catalog::Catalog;
use crate::catalog::forget::{Forgetting, Keep, Policy};
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::people;
use crate::server::problem::Answer;
use crate::server::service::{history, operations, targets};
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is kept.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AskedPolicy {
    /// The newest so many.
    keep_last: Option<u32>,
    /// The newest of so many hours.
    keep_hourly: Option<u32>,
    /// The newest of so many days.
    keep_daily: Option<u32>,
    /// The newest of so many weeks.
    keep_weekly: Option<u32>,
    /// The newest of so many months.
    keep_monthly: Option<u32>,
    /// The newest of so many years.
    keep_yearly: Option<u32>,
    /// Those with one of these tags.
    keep_tags: Vec<String>,
}

impl AskedPolicy {
    fn policy(&self) -> Policy {
        let keep = |count: Option<u32>| count.map_or(Keep::Unset, Keep::Count);
        Policy {
            last: keep(self.keep_last),
            hourly: keep(self.keep_hourly),
            daily: keep(self.keep_daily),
            weekly: keep(self.keep_weekly),
            monthly: keep(self.keep_monthly),
            yearly: keep(self.keep_yearly),
            tags: self.keep_tags.iter().map(|tag| vec![tag.clone()]).collect(),
        }
    }
}

fn forget(app: &App, asked: &AskedPolicy, forgetting: Forgetting) -> Answer<Value> {
    let judged = Catalog::open(app.home())?.forget(&asked.policy(), forgetting)?;
    let view = |one: &crate::catalog::forget::Judged| {
        json!({"id": one.entry.id, "name": one.entry.name, "created_at": one.entry.created_at,
            "keep": !one.reasons.is_empty(), "reasons": one.reasons})
    };
    Ok(json!({"backups": judged.iter().map(view).collect::<Vec<_>>()}))
}

/// Says which backups a policy would remove, and why the others stay.
#[utoipa::path(post, path = "/api/v1/retention/preview", tag = "retention", request_body = AskedPolicy, responses((status = 200, body = Object)))]
pub(super) async fn preview(State(app): State<App>, Body(asked, _): Body<AskedPolicy>) -> Answer<Json<Value>> {
    blocking(move || forget(&app, &asked, Forgetting::DryRun)).await.map(Json)
}

/// Removes the backups that a policy does not keep.
#[utoipa::path(post, path = "/api/v1/retention/apply", tag = "retention", request_body = AskedPolicy, responses((status = 200, body = Object)))]
pub(super) async fn apply(
    State(app): State<App>,
    person: Person,
    Body(asked, _): Body<AskedPolicy>,
) -> Answer<Json<Value>> {
    blocking(move || {
        let done = forget(&app, &asked, Forgetting::Remove)?;
        let gone = done["backups"].as_array().map_or(0, |b| b.iter().filter(|b| b["keep"] == false).count());
        people::note(app.home(), "backups_forgotten", &person.actor(), &format!("{gone} removed"))?;
        Ok(done)
    })
    .await
    .map(Json)
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedAudit {
    /// Only of this person.
    actor: Option<String>,
    /// Only of this kind.
    action: Option<String>,
    /// Only since this time.
    since: Option<String>,
    /// How many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on, as the page before said.
    cursor: Option<String>,
}

/// Returns the audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AskedAudit), responses((status = 200, body = Listed<Object>)))]
pub(super) async fn audit(State(app): State<App>, uri: Uri, Asked(asked): Asked<AskedAudit>) -> Answer<Response> {
    let paging = Paging { limit: asked.limit, cursor: asked.cursor.clone() };
    let (limit, before) = (paging.limit()?, paging.position(u64::MAX >> 1)?);
    let which = history::Entries { actor: asked.actor, action: asked.action, since: asked.since };
    let mut found = blocking(move || history::list(&app, &which, before, limit + 1)).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|e| cursor(e.sequence));
    let total = found.len() as u64;
    Ok(page(&uri, Listed { items: found, next_cursor: next, total, total_is_estimate: more }))
}

/// Checks the chain of the audit log.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = Object)))]
pub(super) async fn verify(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || history::verify(&app)).await.map(Json)
}

/// Says what runs, and since when.
#[utoipa::path(get, path = "/api/v1/status", tag = "system", responses((status = 200, body = Object)))]
pub(super) async fn status(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let open: Vec<_> = operations::list(&app, 200)?
            .into_iter()
            .filter(|o| matches!(o.state, operations::OperationState::Running | operations::OperationState::Unknown))
            .collect();
        let names: Vec<_> = targets::list(&app).iter().map(targets::Target::view).collect();
        Ok(json!({"version": env!("CARGO_PKG_VERSION"), "uptime_seconds": app.uptime().as_secs(),
            "operations": open, "targets": names}))
    })
    .await
    .map(Json)
}

/// Returns this description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "system", responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], super::document()).into_response()
}
