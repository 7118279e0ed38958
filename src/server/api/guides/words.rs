//! How each guide's routes say no: the body that its application documents, in the place of our problem document.
//!
//! The status and our stable `code` stay, so that a program can still tell what to do; AccoReg's and BaluHost's own
//! statuses are those of their guides.

use super::lines;
use crate::server::problem::Problem;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Whose route it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guide {
    AccoReg,
    RayErp,
    BabyBuddy,
    BaluHost,
}

fn guide(path: &str) -> Option<Guide> {
    let under = |at: &str| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        _ if under("/api/admin/backup") => Some(Guide::AccoReg),
        _ if under("/api/backup") => Some(Guide::RayErp),
        _ if under("/api/backups") => Some(Guide::BaluHost),
        "/backup/download/" | "/backup/restore/confirm/" => Some(Guide::BabyBuddy),
        _ => None,
    }
}

/// Whether somebody said who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

fn named(headers: &HeaderMap) -> Named {
    match headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE) {
        true => Named::Yes,
        false => Named::No,
    }
}

/// Turns the problems of the guides' routes into what their guides document.
pub(in crate::server) async fn translate(request: Request, next: Next) -> Response {
    let Some(guide) = guide(request.uri().path()) else { return next.run(request).await };
    let named = named(request.headers());
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let (status, body) = written(guide, named, &problem);
    let mut translated = (status, Json(body)).into_response();
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers_mut().remove(&name) {
            translated.headers_mut().insert(name, value);
        }
    }
    translated
}

fn written(guide: Guide, named: Named, problem: &Problem) -> (StatusCode, Value) {
    let code = &problem.code;
    let status = problem.status();
    let body = match guide {
        Guide::AccoReg => {
            let (error, details) = match (status.as_u16(), named) {
                (401, Named::No) => ("Unauthorized".to_owned(), Vec::new()),
                (401, Named::Yes) => ("Invalid token".to_owned(), Vec::new()),
                (403, _) => ("Insufficient permissions".to_owned(), lines(problem)),
                _ => (problem.detail.clone(), lines(problem).split_off(1)),
            };
            match details.is_empty() {
                true => json!({"error": error, "code": code}),
                false => json!({"error": error, "details": details, "code": code}),
            }
        }
        Guide::RayErp => {
            let message = match status.as_u16() {
                401 => "Authentication required",
                403 => "Access denied",
                404 | 405 => "Not found",
                _ => "Failed to create backup",
            };
            json!({"success": false, "message": message, "error": lines(problem).join(" "), "code": code})
        }
        Guide::BabyBuddy => json!({"success": false, "models_restored": 0, "records_restored": 0,
            "errors": lines(problem), "code": code}),
        Guide::BaluHost => {
            let detail = match (code.as_str(), status.as_u16()) {
                (_, 401) => "Not authenticated".to_owned(),
                ("not_found", _) if problem.detail.starts_with("there is no backup") => "Backup not found".to_owned(),
                _ => lines(problem).join(" "),
            };
            // BaluHost's own word for a database that somebody holds.
            let status = if code == "busy" || code == "merge_running" { StatusCode::LOCKED } else { status };
            return (status, json!({"detail": detail, "code": code}));
        }
    };
    (status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_belong_to_their_guides() {
        for (path, whose) in [
            ("/api/admin/backup/merge", Some(Guide::AccoReg)),
            ("/api/backup/download", Some(Guide::RayErp)),
            ("/api/backups", Some(Guide::BaluHost)),
            ("/api/backups/b-1/restore", Some(Guide::BaluHost)),
            ("/backup/download/", Some(Guide::BabyBuddy)),
            ("/api/v1/backups", None),
            ("/backups", None),
            ("/api/backupsomething", None),
        ] {
            assert_eq!(guide(path), whose, "{path}");
        }
    }
}
