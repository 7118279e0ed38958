//! Answers that say no: RFC 9457 problem documents with the command line's error codes (INTERFACE 3.3).

use crate::error::{Error, ErrorKind};
use crate::report::ErrorView;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The result of everything that the service does.
pub type Answer<T> = std::result::Result<T, Problem>;

/// Why a request was not carried out.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where the problem is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code; the command line's, or one of HTTP's own.
    pub code: String,
    /// What happened, to what.
    pub detail: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What it is about: a path of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The records or tables concerned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Value>,
    /// The fields of the request that are wrong: `pointer` and `detail`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Value>,
    /// When to try again, in seconds.
    #[serde(skip)]
    pub retry_after_seconds: Option<u64>,
}

/// Codes of HTTP's own, with their titles; the others are [`ErrorKind::code`].
pub const OWN: [(&str, u16, &str); 17] = [
    ("malformed", 400, "The request can't be read"),
    ("unauthenticated", 401, "Nobody is logged in"),
    ("forbidden", 403, "This is not allowed"),
    ("not_found", 404, "There is no such thing"),
    ("method_not_allowed", 405, "The address does not take this method"),
    ("conflict", 409, "Something stands in the way"),
    ("merge_running", 409, "A merge is running on this database"),
    ("still_running", 409, "The same request is still being carried out"),
    ("already_merged", 409, "The analysis was merged already"),
    ("approval_needed", 409, "Another user has to approve it"),
    ("expired", 410, "The analysis is too old"),
    ("precondition_failed", 412, "It was changed by somebody else"),
    ("too_large", 413, "The request is too large"),
    ("unsupported_media_type", 415, "The request is of a kind that is not read here"),
    ("invalid", 422, "The request says something that can't be done"),
    ("precondition_required", 428, "A header is missing"),
    ("too_many_requests", 429, "Too much at once"),
];

impl Problem {
    /// Makes a problem of one of HTTP's own codes.
    pub fn own(code: &str, detail: impl Into<String>) -> Self {
        let (code, status, title) = OWN.iter().find(|(c, ..)| *c == code).copied().unwrap_or(OWN[0]);
        Self::new(code, status, title, detail.into())
    }

    fn new(code: &str, status: u16, title: &str, detail: String) -> Self {
        Self {
            kind: format!("https://merganser.dev/problems/{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail,
            hint: None,
            instance: None,
            rows: Vec::new(),
            errors: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// Says that there is no such thing.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::own("not_found", format!("there is no {what} {name:?}"))
    }

    /// Says that this is not allowed.
    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::own("forbidden", why)
    }

    /// Says which field of the request is wrong.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let errors = vec![serde_json::json!({"pointer": pointer, "detail": detail})];
        Self { errors, ..Self::own("invalid", detail) }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what it is about.
    #[must_use]
    pub fn about(mut self, path: impl Into<String>) -> Self {
        self.instance = Some(path.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Says which status and title an error kind has.
pub const fn status_of(kind: ErrorKind) -> (u16, &'static str) {
    match kind {
        ErrorKind::Failed => (500, "It failed"),
        ErrorKind::Usage => (422, "The request says something that can't be done"),
        ErrorKind::ConfirmationNeeded => (422, "It has to be confirmed"),
        ErrorKind::NeedsDecision => (409, "A person has to decide first"),
        ErrorKind::BackupNotFound => (404, "There is no such backup"),
        ErrorKind::UnknownFormat => (422, "The file is of no format that is known"),
        ErrorKind::Busy => (409, "The database is busy"),
        ErrorKind::WrongKey => (422, "The key is wrong or missing"),
        ErrorKind::BackupDamaged => (422, "The backup is damaged"),
        ErrorKind::SchemaMismatch => (422, "The backup does not fit the current database"),
        ErrorKind::PlanStale => (409, "The current data changed since the analysis"),
        ErrorKind::PlanMismatch => (409, "The analysis does not belong to this backup and database"),
        ErrorKind::Unreachable => (503, "The database can't be reached"),
        ErrorKind::Refused => (409, "The database refused it"),
        ErrorKind::OutcomeUnknown => (409, "It is not known how the merge ended"),
        ErrorKind::OutOfSpace => (507, "There is no space left"),
        ErrorKind::LimitReached => (422, "A safety limit was reached"),
        ErrorKind::Interrupted | ErrorKind::Terminated => (409, "It was stopped"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let view = ErrorView::of(&error);
        let (status, title) = status_of(error.kind());
        Self { hint: view.hint, rows: view.rows, ..Self::new(view.code, status, title, view.message) }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"merganser\""));
        }
        // The guides' routes say it in their own words.
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers an address that nothing is at.
pub(super) async fn no_route(uri: Uri) -> Problem {
    Problem::not_found("page or resource", uri.path())
}

/// Answers a method that an address does not take.
pub(super) async fn no_method(uri: Uri) -> Problem {
    Problem::own("method_not_allowed", format!("{} does not take this method", uri.path()))
}

/// Answers for a handler that broke; what broke is in the log, not in the answer.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request's handler broke");
    Problem::from(Error::new(ErrorKind::Failed, "the service met an error of its own; it is in its log"))
        .into_response()
}
