//! Schedules: listing, adding, running, removing.

use super::parts::{At, Body, accepted, idempotency_key};
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::Answer;
use crate::server::service::operations::{Once, Operation, once};
use crate::server::service::schedules::{self, NewSchedule, ScheduleView};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Lists the schedules by name.
#[utoipa::path(get, path = "/api/v1/schedules", tag = "schedules", responses((status = 200, body = Vec<ScheduleView>)))]
pub(super) async fn list(State(app): State<App>) -> Answer<Json<Vec<ScheduleView>>> {
    blocking(move || schedules::list(&app)).await.map(Json)
}

/// Adds a schedule.
#[utoipa::path(post, path = "/api/v1/schedules", tag = "schedules", request_body = NewSchedule, responses((status = 201, body = ScheduleView)))]
pub(super) async fn add(State(app): State<App>, person: Person, Body(asked, _): Body<NewSchedule>) -> Answer<Response> {
    let view = blocking(move || schedules::add(&app, &person, &asked)).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Describes a schedule.
#[utoipa::path(get, path = "/api/v1/schedules/{id}", tag = "schedules", params(("id" = String, Path)), responses((status = 200, body = ScheduleView)))]
pub(super) async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<ScheduleView>> {
    blocking(move || schedules::get(&app, &id)).await.map(Json)
}

/// Removes a schedule; its backups stay.
#[utoipa::path(delete, path = "/api/v1/schedules/{id}", tag = "schedules", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn remove(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || schedules::remove(&app, &person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs a schedule now.
#[utoipa::path(post, path = "/api/v1/schedules/{id}/run", tag = "schedules",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn run(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    let operation = blocking(move || {
        let route = format!("POST /schedules/{id}/run");
        let same = Once { route: &route, key: &key, body: "" };
        once(&app, &person, &same, |operation| schedules::start_run(&app, &person, operation, &id))
    })
    .await?;
    Ok(accepted(&operation))
}
