//! Conflicts by pattern: the same fields, for the same reason, decided together after their number was shown.

use super::analysis::Head;
use super::chrome::{Chrome, Desk, draw};
use super::html::{Html, safe, share};
use super::words;
use crate::server::problem::{Answer, Problem};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

/// What is to be shown first.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    pattern: Option<String>,
    take: Option<String>,
}

struct PatternRow {
    pattern: String,
    count: u64,
    bar: Html,
    table: String,
    reason: &'static str,
    fields: String,
    first: String,
}

struct Preview {
    pattern: String,
    take: String,
    count: u64,
    sentence: String,
    consequence: &'static str,
    button: String,
}

#[derive(Template)]
#[template(path = "patterns.html")]
struct Patterns {
    chrome: Chrome,
    a: Head,
    total: u64,
    patterns: Vec<PatternRow>,
    preview: Option<Preview>,
}

/// Draws the patterns of an analysis, and what deciding one of them would do.
pub(super) fn patterns(desk: &Desk, id: &str, query: &Query) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let meta = plan.meta();
    let found = plan.patterns(None)?;
    let total = found.iter().map(|p| p.1).sum();
    let mut rows = Vec::new();
    for (pattern, count) in found.into_iter().take(500) {
        let (_, first) = plan.pattern_size(&pattern)?;
        let record = first.as_deref().map(|f| plan.record(f)).transpose()?;
        let table = record.as_ref().map_or_else(String::new, |r| meta.schema.tables[r.finding.table].label());
        let fields = pattern.rsplit_once(": ").map_or(String::new(), |(_, fields)| fields.to_owned());
        rows.push(PatternRow {
            bar: share(count, total),
            table: safe(&table),
            reason: record.as_ref().map_or("", |r| crate::report::text::explained(r.finding.reason)),
            fields: if fields.is_empty() { "the whole record".to_owned() } else { safe(&fields) },
            first: format!("/analyses/{id}/records/{}", first.unwrap_or_default()),
            pattern,
            count,
        });
    }
    let preview = match (&query.pattern, &query.take) {
        (Some(pattern), Some(take)) => Some(asked(pattern, take, plan.pattern_size(pattern)?.0)?),
        _ => None,
    };
    let preview =
        preview.map(|p: Preview| Preview { sentence: format!("{}: {}", p.button, said(&rows, &p.pattern)), ..p });
    let mut chrome = desk.chrome("patterns", "Analyses", "Conflicts");
    chrome.target = Some(desk.badge(&meta.database));
    draw(&Patterns { chrome, a: Head::of(desk, &plan)?, total, patterns: rows, preview })
}

/// Says in words which conflicts a pattern means.
fn said(rows: &[PatternRow], pattern: &str) -> String {
    rows.iter().find(|r| r.pattern == pattern).map_or_else(|| safe(pattern), |r| format!("{}, {}", r.table, r.fields))
}

fn asked(pattern: &str, take: &str, count: u64) -> Answer<Preview> {
    if count == 0 {
        return Err(Problem::not_found("pattern", pattern));
    }
    let (verb, consequence) = match take {
        "backup" => (
            "Take Backup",
            "The Backup's records replace the Current ones, except where a newer Current record is kept.",
        ),
        "current" => ("Keep Current", "The Current records stay as they are; nothing is written for these."),
        "skip" => ("Skip", "Nothing is written for these, and they count as left out."),
        _ => return Err(Problem::invalid("/take", format!("{take:?} is none of backup, current and skip"))),
    };
    let many = words::plural(count, "conflict");
    Ok(Preview {
        sentence: String::new(),
        button: format!("{verb} for {many}"),
        consequence,
        pattern: pattern.to_owned(),
        take: take.to_owned(),
        count,
    })
}
