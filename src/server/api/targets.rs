//! Targets: listing, testing, their schema.

use super::parts::At;
use crate::server::app::{App, blocking};
use crate::server::problem::Answer;
use crate::server::service::targets::{self, TargetView};
use axum::Json;
use axum::extract::State;
use serde_json::Value;

/// Lists the targets.
#[utoipa::path(get, path = "/api/v1/targets", tag = "targets", responses((status = 200, body = Vec<TargetView>)))]
pub(super) async fn list(State(app): State<App>) -> Answer<Json<Vec<TargetView>>> {
    blocking(move || Ok(targets::list(&app).iter().map(targets::Target::view).collect())).await.map(Json)
}

/// Describes a target.
#[utoipa::path(get, path = "/api/v1/targets/{id}", tag = "targets", params(("id" = String, Path)), responses((status = 200, body = TargetView)))]
pub(super) async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<TargetView>> {
    blocking(move || Ok(targets::get(&app, &id)?.view())).await.map(Json)
}

/// Connects to a target and says what is there.
#[utoipa::path(post, path = "/api/v1/targets/{id}/test", tag = "targets", params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn test(State(app): State<App>, At(id): At<String>) -> Answer<Json<Value>> {
    blocking(move || targets::test(&app, &id)).await.map(Json)
}

/// Describes a target's tables, parents first.
#[utoipa::path(get, path = "/api/v1/targets/{id}/schema", tag = "targets", params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn schema(State(app): State<App>, At(id): At<String>) -> Answer<Json<Value>> {
    blocking(move || Ok(targets::schema_json(&targets::schema(&app, &id)?))).await.map(Json)
}
