//! Style sheet, script and pictures, embedded in the binary.

use super::access::{Access, Rule};
use super::app::App;
use super::problem::Problem;
use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub(super) const ACCESS: &[Rule] = &[("GET", "/assets/{name}", Access::Public)];

pub(super) fn router() -> Router<App> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    match super::pages::ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *content).into_response()
        }
        None => Problem::not_found("file", &name).into_response(),
    }
}
