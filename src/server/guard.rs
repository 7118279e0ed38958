//! What every request passes first and every answer last: Host and Origin are checked (CHECKS T11), safety headers are set
//! (CHECKS T14), and a line is logged that never holds a query, a header or a body.

use super::app::App;
use super::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing but what this service itself serves, no inline script, no frames.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Lets only requests through that are meant for this service and come from its own pages or a program.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    match allowed(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Sets the safety headers of every answer, and logs and counts it.
pub(super) async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = std::time::Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    protect(response.headers_mut());
    if app.options().tls.is_some() {
        // Whoever came over TLS once never comes without it.
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    app.counters().request(response.status().as_u16());
    tracing::info!(
        method = method.as_str(),
        path = crate::report::text::shown(&path),
        status = response.status().as_u16(),
        millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

fn protect(headers: &mut HeaderMap) {
    let usual = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in usual {
        // A handler may be stricter, and assets may be kept.
        if let axum::http::header::Entry::Vacant(entry) = headers.entry(HeaderName::from_static(name)) {
            entry.insert(HeaderValue::from_static(value));
        }
    }
}

fn allowed(app: &App, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let host = host(request).ok_or_else(|| Problem::own("malformed", "the request names no host"))?;
    let name = host_name(&host);
    if !app.options().hosts.iter().any(|h| h.eq_ignore_ascii_case(name)) {
        return Err(Problem::forbidden(format!("this service does not answer for the host {name:?}"))
            .hint("Add it to hosts in [serve] of merganser.toml, if people reach the service by that name."));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let scheme = if app.options().tls.is_some() { Scheme::Https } else { Scheme::Either };
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin" | "none"), None) => Ok(()),
        (None | Some("same-origin" | "none"), Some(origin)) if same_origin(origin, &host, scheme) => Ok(()),
        // Programs send neither; a browser's cookie alone is never enough.
        (None, None) if headers.get(header::COOKIE).is_none() => Ok(()),
        _ => Err(Problem::forbidden("the request does not come from this service's own pages")),
    }
}

fn host(request: &Request) -> Option<String> {
    let named = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).map(str::to_owned);
    named.or_else(|| request.uri().authority().map(ToString::to_string))
}

/// Returns the name in `name:port` or `[address]:port`.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// The schemes that our own pages can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// We speak TLS ourselves: a page without it is somebody else's.
    Https,
    /// Whether a proxy before us speaks TLS is not known here.
    Either,
}

fn same_origin(origin: &str, host: &str, scheme: Scheme) -> bool {
    origin.split_once("://").is_some_and(|(given, place)| {
        (given == "https" || (given == "http" && scheme == Scheme::Either)) && place.eq_ignore_ascii_case(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_origins_are_taken_apart() {
        assert_eq!(host_name("localhost:7878"), "localhost");
        assert_eq!(host_name("[::1]:7878"), "::1");
        assert_eq!(host_name("example.org"), "example.org");
        assert!(same_origin("http://localhost:7878", "localhost:7878", Scheme::Either));
        assert!(same_origin("https://localhost:7878", "localhost:7878", Scheme::Https));
        assert!(!same_origin("http://localhost:7878", "localhost:7878", Scheme::Https));
        for other in ["null", "http://localhost:7879", "http://evil.example", "file://localhost:7878", "localhost:7878"]
        {
            assert!(!same_origin(other, "localhost:7878", Scheme::Either), "{other}");
        }
    }
}
