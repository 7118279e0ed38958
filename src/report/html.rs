//! The HTML report: one file, no script, nothing from outside, light and dark, printable.

use super::text::{age, explained, next, shown, writes};
use super::{Analyzed, RecordView, Secrets};
use crate::error::Result;
use crate::executor::receipt::ReceiptMeta;
use crate::model::change::Counts;
use crate::plan::{Plan, Selector};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Records of one table that a report lists.
const LISTED: usize = 200;

const STYLE: &str = ":root{color-scheme:light dark;--line:#8886}body{font:1rem/1.5 system-ui,sans-serif;max-width:72rem;margin:auto;padding:1rem}\
table{border-collapse:collapse;margin:.5rem 0;display:block;overflow-x:auto}caption{text-align:start;font-weight:600;padding:.25rem 0}\
th,td{border:1px solid var(--line);padding:.25rem .6rem;text-align:start;vertical-align:top;overflow-wrap:anywhere}td.n{text-align:end;font-variant-numeric:tabular-nums}\
details{margin:.75rem 0}summary{cursor:pointer;font-weight:600}code{font-family:ui-monospace,monospace}.null{opacity:.6;font-style:italic}\
@media print{details{break-inside:avoid}}";

/// Escapes text for HTML; control and direction characters are made visible first.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Writes the report of a plan.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn plan(analyzed: &Analyzed, plan: &Plan, secrets: &Secrets) -> Result<String> {
    let meta = plan.meta();
    let backup = meta.backup.as_ref().map_or("–", |b| b.path.as_str());
    let facts = [
        ("What", format!("analysis {}", meta.id)),
        ("When", meta.created_at.clone()),
        ("Backup", backup.to_owned()),
        ("Current", meta.database.display.clone()),
        ("Compared", analyzed.compared.to_owned()),
        ("Strategy", analyzed.strategy.clone()),
        ("A merge would write", writes(&analyzed.preview)),
        ("Next", next(&analyzed.preview, &analyzed.name)),
    ];
    let mut page = head(&format!("merganser: plan {}", meta.id), &facts);
    counts(&mut page, analyzed);
    list(&mut page, "Not carried by the backup", &analyzed.not_carried);
    list(&mut page, "Notes", &analyzed.notes);
    for table in &meta.tables {
        records(&mut page, plan, table.table, &table.name, secrets)?;
    }
    page.push_str("</main></body></html>\n");
    Ok(page)
}

/// Writes the report of a merge or an undo: its receipt's facts and the records it wrote, named by the caller.
pub fn receipt(meta: &ReceiptMeta, written: &[(String, Vec<String>)]) -> String {
    let ended = meta.committed_at.as_deref().unwrap_or("–");
    let took = chrono::DateTime::parse_from_rfc3339(&meta.started_at)
        .ok()
        .zip(chrono::DateTime::parse_from_rfc3339(ended).ok())
        .map_or_else(String::new, |(from, to)| format!(" (took {})", age((to - from).num_seconds())));
    let facts = [
        ("What", meta.id.clone()),
        ("When", format!("{}{took}", meta.started_at)),
        ("Who", meta.actor.clone()),
        ("Current", meta.database.display.clone()),
        ("Outcome", format!("{:?}", meta.state)),
        (
            "Written",
            format!(
                "{} inserted, {} updated, {} deleted",
                meta.counts.inserted, meta.counts.updated, meta.counts.deleted
            ),
        ),
        ("Note", meta.note.clone().unwrap_or_default()),
        ("Undo", format!("merganser undo {}", meta.id)),
    ];
    let mut page = head(&format!("merganser: {}", meta.id), &facts);
    for (table, lines) in written {
        let _ = writeln!(page, "<details><summary>{} ({})</summary><ul>", escape(table), lines.len());
        for line in lines {
            let _ = writeln!(page, "<li>{}</li>", escape(line));
        }
        page.push_str("</ul></details>\n");
    }
    page.push_str("</main></body></html>\n");
    page
}

fn head(title: &str, facts: &[(&str, String)]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{0}</title><style>{STYLE}</style></head>\n\
<body><main><h1>{0}</h1>\n<table><caption>Summary</caption>\n",
        escape(title)
    );
    for (name, value) in facts.iter().filter(|(_, v)| !v.is_empty()) {
        let _ = writeln!(page, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    page.push_str("</table>\n");
    page
}

fn counts(page: &mut String, analyzed: &Analyzed) {
    page.push_str("<table><caption>Records per table and class</caption>\n<thead><tr><th scope=\"col\">table</th>");
    for word in ["new", "updated", "conflict", "unchanged", "blocked", "excluded", "current_only"] {
        let _ = write!(page, "<th scope=\"col\">{word}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    let mut row = |name: &str, c: &Counts| {
        let _ = write!(page, "<tr><th scope=\"row\">{}</th>", escape(name));
        for n in [c.new, c.updated, c.conflict, c.unchanged, c.blocked, c.excluded, c.current_only] {
            let _ = write!(page, "<td class=\"n\">{n}</td>");
        }
        page.push_str("</tr>\n");
    };
    analyzed.tables.iter().for_each(|t| row(&t.name, &t.counts));
    row("total", &analyzed.counts);
    page.push_str("</tbody></table>\n");
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "<details><summary>{} ({})</summary><ul>", escape(title), lines.len());
    lines.iter().for_each(|line| {
        let _ = writeln!(page, "<li>{}</li>", escape(line));
    });
    page.push_str("</ul></details>\n");
}

fn records(page: &mut String, plan: &Plan, table: usize, name: &str, secrets: &Secrets) -> Result<()> {
    let selector = Selector { table: Some(table), classes: super::text::LISTED.to_vec(), ..Selector::default() };
    let found = plan.page(&selector, 0, LISTED)?;
    if found.records.is_empty() {
        return Ok(());
    }
    let more = if found.next.is_some() { format!(", the first {LISTED} of them") } else { String::new() };
    let _ = writeln!(page, "<details><summary>{}: records that differ{more}</summary>", escape(name));
    for record in &found.records {
        let view = RecordView::of(plan, record, secrets);
        let table = &plan.meta().schema.tables[record.finding.table];
        let outcome = view.outcome.map(|o| format!(" → {o}")).unwrap_or_default();
        let note = view.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
        let is_made = view.fields.iter().any(|f| f.written.is_some());
        let (head, span) = if is_made { ("<th scope=\"col\">Written</th>", 4) } else { ("", 3) };
        let _ = writeln!(
            page,
            "<table><caption>{} — {}, {}{}{}</caption>\n<thead><tr><th scope=\"col\">field</th><th scope=\"col\">base</th><th scope=\"col\">Current</th><th scope=\"col\">Backup</th>{head}</tr></thead><tbody>",
            escape(&secrets.record_name(table, &record.finding.key)),
            escape(&view.class),
            escape(&view.reason),
            escape(&outcome),
            escape(&note)
        );
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">why</th><td colspan=\"{span}\">{}</td></tr>",
            escape(explained(record.finding.reason))
        );
        for field in &view.fields {
            let mark = if field.conflict { " (! conflict)" } else { "" };
            let made = if is_made { format!("<td>{}</td>", value(field.written.as_ref())) } else { String::new() };
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\">{}{mark}</th><td>{}</td><td>{}</td><td>{}</td>{made}</tr>",
                escape(&field.name),
                value(field.base.as_ref()),
                value(field.current.as_ref()),
                value(field.backup.as_ref())
            );
        }
        page.push_str("</tbody></table>\n");
    }
    page.push_str("</details>\n");
    Ok(())
}

/// Draws absent, null, text and everything else differently.
fn value(json: Option<&Json>) -> String {
    match json {
        None => "–".to_owned(),
        Some(Json::Null) => "<span class=\"null\">NULL</span>".to_owned(),
        Some(other) => format!("<code>{}</code>", escape(&other.to_string())),
    }
}
