//! The pages: HTML over [`super::service`], the same functions as the API.

use super::access::Rule;
use super::app::App;
use axum::Router;

/// Who each page is for.
pub const ACCESS: &[Rule] = &[];

/// The files that pages use: name, content type, content.
pub const ASSETS: &[(&str, &str, &[u8])] = &[];

/// Returns the routes of the pages.
pub fn router() -> Router<App> {
    Router::new()
}
