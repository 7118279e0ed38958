//! Backups: the list, uploading, and looking into one before any database is chosen.

use super::chrome::{Chrome, Desk, Step, draw, go, way};
use super::html::{Html, IN_LIST, found, safe, time, value};
use super::targets::{self, TargetView};
use super::words;
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::backups::{self, BackupView};
use askama::Template;
use axum::extract::Multipart;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

/// A backup, as pages show it.
pub(super) struct BackupRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Html,
    pub(super) database: String,
    /// Whether it came as a file, of which nobody knows where it was made.
    pub(super) from_file: bool,
    pub(super) kind: &'static str,
    pub(super) format: String,
    pub(super) size: String,
    pub(super) digest: String,
    pub(super) records: String,
    pub(super) tags: Vec<String>,
    pub(super) verified: Option<Html>,
    pub(super) encrypted: bool,
    pub(super) kept: String,
}

impl BackupRow {
    pub(super) fn of(view: &BackupView) -> Self {
        Self {
            id: view.id.clone(),
            name: safe(&view.name),
            created: time(&view.created_at),
            database: view.database.as_deref().map_or_else(|| words::NOT_KNOWN.to_owned(), safe),
            from_file: view.database.is_none(),
            kind: match view.kind.as_str() {
                Some("full") => "whole",
                Some("selected") => words::SOME_TABLES,
                Some("imported") => "uploaded",
                _ => "backup",
            },
            format: safe(&view.format),
            size: words::size(view.size_bytes),
            digest: view.digest.clone(),
            records: words::grouped(view.records),
            tags: view.tags.iter().map(|t| safe(t)).collect(),
            verified: view.verified_at.as_deref().map(time),
            kept: match view.kept_because.is_empty() {
                true => words::NO_RULE_REMOVES_IT.to_owned(),
                false => safe(&because(&view.kept_because)),
            },
            encrypted: view.format.contains("age") || view.format.contains("aes"),
        }
    }
}

/// Joins the reasons for which a backup is kept, each once.
pub(super) fn because(reasons: &[String]) -> String {
    let mut said: Vec<&str> = Vec::new();
    for reason in reasons.iter().map(|r| words::kept_because(r)) {
        if !said.contains(&reason) {
            said.push(reason);
        }
    }
    said.join(", ")
}

#[derive(Template)]
#[template(path = "backups.html")]
struct List {
    chrome: Chrome,
    backups: Vec<BackupRow>,
    targets: Vec<TargetView>,
    can_write: bool,
}

/// Draws the list.
pub(super) fn list(desk: &Desk) -> Answer<Response> {
    let found = backups::list(&desk.app)?;
    draw(&List {
        chrome: desk.chrome("backups", words::BACKUPS, words::BACKUPS),
        backups: found.iter().map(BackupRow::of).collect(),
        targets: targets::list(&desk.app),
        can_write: desk.can_write(),
    })
}

/// Takes an uploaded file in, streamed to a name of ours, and goes on to it.
pub(super) async fn upload(app: App, person: Person, mut form: Multipart, length: Option<u64>) -> Answer<Response> {
    let unread = |e: axum::extract::multipart::MultipartError| {
        Problem::own("malformed", format!(words::phrase!(THE_UPLOAD_CANT_BE_READ_NOTHING_WAS), e.body_text()))
    };
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        if field.name() != Some("file") {
            continue;
        }
        let name = name_of(field.file_name().unwrap_or_default());
        if name.is_empty() {
            return Err(Problem::invalid("/file", words::NO_FILE_WAS_CHOSEN).hint(words::CHOOSE_A_FILE_AND_UPLOAD_IT));
        }
        let mut upload = {
            let app = app.clone();
            blocking(move || backups::begin_upload(&app, &name, length)).await?
        };
        while let Some(bytes) = field.chunk().await.map_err(unread)? {
            upload = blocking(move || upload.add(&bytes).map(|()| upload)).await?;
        }
        let view = blocking(move || upload.finish(&app, &person)).await?;
        return go(&format!("/backups/{}", view.id));
    }
    Err(Problem::invalid("/file", words::THE_FORM_HOLDS_NO_FILE))
}

/// Names a backup that is made now: by its database and the time in UTC.
pub(super) fn fresh_name(target: &str) -> String {
    let fit: String = name_of(target).chars().take(64).collect();
    format!("{fit} {}", chrono::Utc::now().format("%Y-%m-%d %H.%M.%S"))
}

/// Makes a backup's name of a file's: its last part, in characters that names have here.
fn name_of(file: &str) -> String {
    let last = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let fit = |c: char| if c.is_ascii_alphanumeric() || ".-_ ".contains(c) { c } else { '-' };
    last.trim_start_matches('.').chars().map(fit).take(128).collect()
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    q: String,
}

struct TableRow {
    name: String,
    records: String,
    declared: String,
    /// Whether it holds as many as it claims.
    agrees: bool,
    columns: String,
    names: Vec<String>,
    samples: Vec<Vec<Html>>,
}

#[derive(Template)]
#[template(path = "inspect.html")]
struct Inspect {
    chrome: Chrome,
    backup: BackupRow,
    problem: Option<String>,
    notes: Vec<String>,
    query: String,
    hits: Vec<(String, Html)>,
    more_hits: bool,
    tables: Vec<TableRow>,
    /// Whether records of any table are shown.
    sampled: bool,
    can_write: bool,
    is_admin: bool,
}

/// Records shown of each table, and tables whose records are shown.
const SAMPLES: usize = 5;
const SAMPLED: usize = 30;
/// Hits of a search shown.
const HITS: usize = 50;

/// Draws what is in a backup.
pub(super) fn inspect(desk: &Desk, id: &str, query: &Query) -> Answer<Response> {
    let app = &desk.app;
    let view = backups::get(app, id)?;
    let (inspection, problem) = match backups::inspection(app, id) {
        Ok(found) => (Some(found), None),
        Err(problem) => (None, Some(safe(&problem.detail))),
    };
    let mut tables = Vec::new();
    let mut notes = Vec::new();
    let mut hits = Vec::new();
    if let Some(found) = &inspection {
        notes.extend(found.problems.iter().chain(&found.notes).map(|n| safe(n)));
        for (position, table) in found.tables.iter().enumerate() {
            let names: Vec<String> = table.columns.iter().map(|c| c.name.clone()).take(12).collect();
            let sampled = position < SAMPLED && table.records > 0;
            let items =
                if sampled { backups::records(app, id, &table.name, 0, SAMPLES, None)?.items } else { Vec::new() };
            let cells =
                |item: &Json| names.iter().map(|n| value(item["fields"].get(n), "missing", 60)).collect::<Vec<_>>();
            let listed: Vec<String> = table.columns.iter().map(|c| safe(&c.name)).collect();
            tables.push(TableRow {
                name: safe(&table.name),
                records: words::grouped(table.records),
                declared: table.claimed.map_or_else(|| "–".to_owned(), words::grouped),
                agrees: table.claimed == Some(table.records),
                columns: listed.join(", "),
                samples: items.iter().map(cells).collect(),
                names: names.iter().map(|n| safe(n)).collect(),
            });
            if !query.q.is_empty() && hits.len() < HITS {
                let found = backups::records(app, id, &table.name, 0, HITS - hits.len(), Some(&query.q))?;
                let marked = |item: &Json| self::found(&line(&item["fields"]), &query.q);
                hits.extend(found.items.iter().map(|i| (safe(&table.name), marked(i))));
            }
        }
    }
    let mut chrome = desk.chrome("inspect", words::BACKUPS, safe(&view.name));
    chrome.way = way(Step::Backup, None);
    let page = Inspect {
        chrome,
        backup: BackupRow::of(&view),
        problem,
        notes,
        query: query.q.clone(),
        more_hits: hits.len() >= HITS,
        hits,
        sampled: tables.iter().any(|t| !t.samples.is_empty()),
        tables,
        can_write: desk.can_write(),
        is_admin: desk.is_admin(),
    };
    draw(&page)
}

/// Writes a record in one line.
fn line(fields: &Json) -> String {
    let Json::Object(map) = fields else { return String::new() };
    let one = |(name, value): (&String, &Json)| {
        let text = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{name}: {}", crate::report::text::short(&text, IN_LIST / 2))
    };
    safe(&map.iter().map(one).collect::<Vec<_>>().join("  ·  "))
}

/// Removes a backup whose name was typed.
pub(super) fn delete(desk: &Desk, id: &str, confirm: &str) -> Answer<Response> {
    let view = backups::get(&desk.app, id)?;
    if confirm != view.name {
        return Err(Problem::invalid(
            "/confirm",
            format!(words::phrase!(IS_NOT_THE_NAME_OF_THE_BACKUP), confirm = confirm),
        )
        .hint(format!(words::phrase!(TYPE_2), view.name)));
    }
    backups::remove(&desk.app, desk.person()?, id)?;
    go("/backups")
}
