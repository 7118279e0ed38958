//! Whether the service lives, whether it can work, and numbers for Prometheus (INTERFACE 2.4).

use super::access::{Access, Rule};
use super::app::{App, blocking};
use super::problem::{Answer, Problem};
use super::service::{backups, operations, targets};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

pub(super) const ACCESS: &[Rule] = &[
    ("GET", "/healthz", Access::Public),
    ("GET", "/readyz", Access::Public),
    // Open on loopback only; the handler looks.
    ("GET", "/metrics", Access::Public),
];

/// What is counted while the service runs.
#[derive(Default)]
pub struct Counters(Mutex<BTreeMap<u16, u64>>);

impl Counters {
    /// Counts an answer.
    pub fn request(&self, status: u16) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// One line for each thing that has to work; what is wrong is said to who is logged in only.
async fn ready(State(app): State<App>, person: Option<axum::Extension<super::Person>>) -> Response {
    let answer = blocking(move || {
        let mut lines = Vec::new();
        let disk = probe(&app).and_then(|()| backups::room(&app, 0));
        lines.push(("state".to_owned(), disk.err().map(|e| e.full_message())));
        for target in targets::list(&app) {
            let reached = target.connect().and_then(|mut d| d.schema().map(|_| ()));
            lines.push((format!("target {}", target.name), reached.err().map(|e| e.full_message())));
        }
        Ok(lines)
    })
    .await;
    let lines = match answer {
        Ok(lines) => lines,
        Err(problem) => return problem.into_response(),
    };
    let well = lines.iter().all(|(_, problem)| problem.is_none());
    let mut text = String::new();
    for (position, (what, problem)) in lines.iter().enumerate() {
        let name = if person.is_some() || position == 0 { what.clone() } else { format!("target {position}") };
        let why = match problem {
            None => "ok",
            Some(why) if person.is_some() => why,
            Some(_) => "failed",
        };
        let _ = writeln!(text, "{name}: {}", crate::report::text::shown(why));
    }
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

/// Writes to the state's disk.
fn probe(app: &App) -> crate::error::Result<()> {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new_in(app.home().root())?;
    file.write_all(b"ready?")?;
    Ok(file.as_file().sync_all()?)
}

async fn metrics(State(app): State<App>, person: Option<axum::Extension<super::Person>>) -> Response {
    if !app.options().open_metrics && person.is_none() {
        return Problem::own("unauthenticated", "metrics need a token with the scope read").into_response();
    }
    match blocking(move || text(&app)).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Makes a label's value harmless: nothing in it ends it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(app: &App) -> Answer<String> {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, lines: Vec<(String, f64)>| {
        let _ = writeln!(text, "# HELP merganser_{name} {help}\n# TYPE merganser_{name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(text, "merganser_{name}{labels} {value}");
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    metric("build_info", "gauge", "The version.", vec![(format!("{{version=\"{version}\"}}"), 1.0)]);
    metric("uptime_seconds", "gauge", "Since the service started.", vec![(String::new(), app.uptime().as_secs_f64())]);
    let counts = operations::counts(app)?;
    let merges = counts.iter().filter(|c| c.0 == "merge" && c.2 != "running");
    metric(
        "merges_total",
        "counter",
        "Merges by target and how they ended.",
        merges.map(|c| (format!("{{target=\"{}\",outcome=\"{}\"}}", label(&c.1), c.2), c.3 as f64)).collect(),
    );
    let unknown = targets::list(app).into_iter().map(|t| {
        let open = counts.iter().filter(|c| c.1 == t.name && c.2 == "unknown").map(|c| c.3).sum::<u64>();
        (format!("{{target=\"{}\"}}", label(&t.name)), open as f64)
    });
    metric("merge_unknown_outcome", "gauge", "Merges of which it is not known how they ended.", unknown.collect());
    metric(
        "operations_running",
        "gauge",
        "Operations that run.",
        vec![(String::new(), app.jobs().running().len() as f64)],
    );
    let mut last: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    for backup in backups::list(app)? {
        let at = chrono::DateTime::parse_from_rfc3339(&backup.created_at).map_or(0.0, |t| t.timestamp() as f64);
        let of = backup.database.clone().unwrap_or_default();
        // The list begins with the newest.
        last.entry(of).or_insert((at, backup.size_bytes as f64, backup.records as f64));
    }
    let newest = |pick: fn(&(f64, f64, f64)) -> f64| {
        last.iter().map(|(of, v)| (format!("{{target=\"{}\"}}", label(of)), pick(v))).collect::<Vec<_>>()
    };
    metric("backup_last_success_timestamp_seconds", "gauge", "When the newest backup was made.", newest(|v| v.0));
    metric("backup_last_size_bytes", "gauge", "Bytes of the newest backup.", newest(|v| v.1));
    metric("backup_last_rows", "gauge", "Records of the newest backup.", newest(|v| v.2));
    let schedules = crate::schedule::metrics::of_schedules(app.home(), chrono::Utc::now())?;
    let requests = app.counters().0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    metric(
        "http_requests_total",
        "counter",
        "Answers by status.",
        requests.into_iter().map(|(status, n)| (format!("{{status=\"{status}\"}}"), n as f64)).collect(),
    );
    text.push_str(&schedules);
    Ok(text)
}
