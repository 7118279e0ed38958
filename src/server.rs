//! The service: HTTP API and pages over the same engine as the command line.
//!
//! Requests never do long work: analyses, merges and backups run as jobs on threads of their own ([`jobs`]). What a request
//! may do is decided in one place ([`access`]), before any handler runs. What is done is in [`service`], which knows
//! neither HTTP nor HTML, so that API and pages can't differ.

pub mod access;
pub mod api;
pub mod app;
pub mod assets;
pub mod guard;
pub mod health;
pub mod jobs;
pub mod logs;
mod notify;
pub mod pages;
pub mod people;
pub mod problem;
pub mod run;
pub mod service;
pub mod state;
mod timetable;

pub use access::{Person, Role};
pub use app::{App, Options};
pub use problem::{Answer, Problem};
pub use run::run;

use axum::Router;
use axum::extract::DefaultBodyLimit;

/// Bytes of a request's body, other than an upload's.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// Puts all routes together: guards outside, access next, handlers inside.
pub fn router(app: &App) -> Router {
    let (api, _) = api::router();
    Router::new()
        .merge(api)
        .merge(pages::router())
        .merge(assets::router())
        .merge(health::router())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(app.clone(), access::check))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(problem::panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::check))
        // Whoever says no inside of it, a guide's route says it in its guide's words.
        .layer(axum::middleware::from_fn(api::translate))
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::watch))
        .with_state(app.clone())
}
