//! The HTTP API: `/api/v1` (INTERFACE 3.1) and the guides' own routes. Handlers read the request, call [`super::service`],
//! and write the answer; nothing else. The OpenAPI document is made from them.

use super::access::Rule;
use super::app::App;
use axum::Router;

/// Who each route is for.
pub const ACCESS: &[Rule] = &[];

/// Returns the routes and their description.
pub fn router() -> (Router<App>, utoipa::openapi::OpenApi) {
    utoipa_axum::router::OpenApiRouter::new().split_for_parts()
}
