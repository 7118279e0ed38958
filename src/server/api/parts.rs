//! The parts of requests and answers that all handlers share; what can't be read becomes a problem document.

use crate::backup::Secret;
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::Hidden;
use crate::server::service::operations::Operation;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON body, with its text.
pub(super) struct Body<T>(pub(super) T, pub(super) String);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::own("unsupported_media_type", "send the request as application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|e| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::own("too_large", "the request's body is too large"),
            _ => Problem::own("malformed", "the request's body can't be read"),
        })?;
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| Problem::own("malformed", "the request's body is not UTF-8"))?;
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Self(value, text)),
            Err(error) if error.is_data() => Err(Problem::invalid("", error.to_string())),
            Err(error) => Err(Problem::own("malformed", format!("the request's body is not JSON: {error}"))),
        }
    }
}

/// The parts of the path.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|p| Self(p.0)).map_err(|e| Problem::own("malformed", e.body_text()))
    }
}

/// The parameters behind the path.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|q| Self(q.0)).map_err(|e| Problem::own("malformed", e.body_text()))
    }
}

/// Returns the ETag that a change is based on.
///
/// # Errors
/// `precondition_required` without `If-Match`.
pub(super) fn if_match(headers: &HeaderMap) -> Answer<String> {
    let given = headers.get(header::IF_MATCH).and_then(|v| v.to_str().ok()).ok_or_else(|| {
        Problem::own("precondition_required", "send the ETag that you read, as If-Match")
            .hint("It keeps you from overwriting what somebody else decided meanwhile.")
    })?;
    Ok(given.trim().trim_start_matches("W/").trim_matches('"').to_owned())
}

/// Returns the key by which a request is carried out once.
///
/// # Errors
/// `precondition_required` without one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Answer<String> {
    let given = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_owned);
    given.ok_or_else(|| {
        Problem::own("precondition_required", "send an Idempotency-Key of your own, 1 to 128 characters")
            .hint("The same key again gives the same answer, and does nothing twice.")
    })
}

/// The header that a passphrase comes in.
const PASSPHRASE: &str = "merganser-passphrase";

/// Returns the passphrase that came with a request: UTF-8, percent-encoded, so that every client can send every text.
///
/// # Errors
/// `malformed`, which never repeats it.
pub(super) fn passphrase(headers: &HeaderMap) -> Answer<Hidden> {
    let Some(value) = headers.get(PASSPHRASE) else { return Ok(Hidden::default()) };
    let wrong = || Problem::own("malformed", "the passphrase is not percent-encoded UTF-8");
    let mut bytes = Vec::new();
    let mut given = value.as_bytes().iter();
    while let Some(&byte) = given.next() {
        let digit = |given: &mut std::slice::Iter<'_, u8>| given.next().and_then(|d| char::from(*d).to_digit(16));
        match byte {
            b'%' => {
                let (high, low) = (digit(&mut given).ok_or_else(wrong)?, digit(&mut given).ok_or_else(wrong)?);
                bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
            }
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    match text.is_empty() {
        true => Err(Problem::own("malformed", "the passphrase is empty")),
        false => Ok(Hidden(Some(Secret::from_text(text)))),
    }
}

/// Answers that an operation has begun, and where to follow it.
pub(super) fn accepted(operation: &Operation) -> Response {
    let place = format!("/api/v1/operations/{}", operation.id);
    let mut response = (StatusCode::ACCEPTED, Json(operation)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Answers with something that has an ETag; with nothing but 304 where the caller has it already.
pub(super) fn tagged(headers: &HeaderMap, etag: &str, value: &impl Serialize) -> Response {
    let quoted = format!("\"{etag}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = match known {
        Some(known) if known.split(',').any(|k| k.trim().trim_start_matches("W/") == quoted) => {
            StatusCode::NOT_MODIFIED.into_response()
        }
        _ => Json(value).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&quoted) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// A page of something.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Listed<T> {
    /// What is on the page.
    pub(super) items: Vec<T>,
    /// What to ask with for the next page; none at the end.
    pub(super) next_cursor: Option<String>,
    /// How many there are in all.
    pub(super) total: u64,
    /// Whether that is a guess.
    pub(super) total_is_estimate: bool,
}

/// How a page is asked for.
#[derive(Clone, Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<usize>,
    /// Where to go on, as the page before said.
    pub(super) cursor: Option<String>,
}

impl Paging {
    pub(super) fn limit(&self) -> Answer<usize> {
        match self.limit.unwrap_or(100) {
            limit @ 1..=1000 => Ok(limit),
            _ => Err(Problem::invalid("/limit", "the limit is 1 to 1000")),
        }
    }

    /// Reads the cursor: a number that only we give a meaning to.
    pub(super) fn position(&self, first: u64) -> Answer<u64> {
        match &self.cursor {
            None => Ok(first),
            Some(text) => u64::from_str_radix(text.strip_prefix('c').unwrap_or(" "), 16)
                .ok()
                .filter(|n| i64::try_from(*n).is_ok())
                .ok_or_else(|| Problem::invalid("/cursor", "this is no cursor of ours")),
        }
    }
}

/// Writes a cursor.
pub(super) fn cursor(position: u64) -> String {
    format!("c{position:x}")
}

/// Answers with a page, and the address of the next one.
pub(super) fn page<T: Serialize>(uri: &axum::http::Uri, page: Listed<T>) -> Response {
    let link = page.next_cursor.as_ref().and_then(|cursor| {
        let kept = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .filter(|(name, _)| name != "cursor");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("cursor", cursor)
            .finish();
        HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
    });
    let mut response = Json(page).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// Answers with a file to keep, never to be shown by the browser (CHECKS T14).
pub(super) fn attachment(name: &str, kind: &'static str, body: axum::body::Body) -> Response {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{safe}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Answers with a report that may be shown, but never run anything.
pub(super) fn report(html: String) -> Response {
    let mut response = axum::response::Html(html).into_response();
    let policy =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
