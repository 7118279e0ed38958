//! Conflicts by pattern: the same fields, for the same reason, decided together after their number was shown.

use super::analysis::Head;
use super::chrome::{Chrome, Desk, Step, draw, encoded, way};
use super::html::{Html, safe, share};
use super::words;
use crate::plan::answer::Answered;
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::Which;
use crate::server::service::decisions::{self, Bulk, Doing};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

/// What is to be shown first.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    pattern: Option<String>,
    take: Option<String>,
    /// Set where those that were decided before are meant, too.
    replace: Option<String>,
}

struct PatternRow {
    pattern: String,
    count: u64,
    bar: Html,
    table: String,
    reason: &'static str,
    fields: String,
    first: String,
    waiting: u64,
}

/// One column that keeps most conflicts busy.
struct Noise {
    sentence: String,
    pattern: String,
    button: String,
}

struct Preview {
    pattern: String,
    take: String,
    count: u64,
    sentence: String,
    /// What is said of those that are never decided together with others.
    alone: Option<String>,
    /// What is said of those that stay as they were decided, or can't be decided so.
    stay: Vec<String>,
    /// Where those that were decided before are decided anew.
    anew: Option<String>,
    /// Whether they are.
    replace: bool,
    consequence: &'static str,
    button: String,
}

#[derive(Template)]
#[template(path = "patterns.html")]
struct Patterns {
    chrome: Chrome,
    a: Head,
    total: u64,
    waiting: u64,
    patterns: Vec<PatternRow>,
    noise: Option<Noise>,
    preview: Option<Preview>,
}

/// Conflicts of one column from which it is worth saying that it is this column only.
const NOISY: u64 = 20;

/// Draws the patterns of an analysis, and what deciding one of them would do.
pub(super) fn patterns(desk: &Desk, id: &str, query: &Query) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let meta = plan.meta();
    let found = plan.patterns(None)?;
    let total = found.iter().map(|p| p.1).sum();
    let undecided = plan.waiting()?;
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
            fields: if fields.is_empty() { words::THE_WHOLE_RECORD.to_owned() } else { safe(&fields) },
            first: format!("/analyses/{id}/records/{}", first.unwrap_or_default()),
            waiting: undecided.get(&pattern).copied().unwrap_or(0),
            pattern,
            count,
        });
    }
    let preview = match (&query.pattern, &query.take) {
        (Some(pattern), Some(take)) => Some(asked(desk, id, pattern, take, answered(query.replace.as_deref()))?),
        _ => None,
    };
    let preview =
        preview.map(|p: Preview| Preview { sentence: format!("{}: {}", p.button, said(&rows, &p.pattern)), ..p });
    let mut chrome = desk.chrome("patterns", words::ANALYSES, words::CONFLICTS);
    chrome.target = Some(desk.badge(&meta.database));
    chrome.way = way(Step::Decide, Some(id));
    let noise =
        rows.first().filter(|r| preview.is_none() && r.waiting >= NOISY && r.waiting * 2 > total).and_then(noise);
    let waiting = undecided.values().sum();
    draw(&Patterns { chrome, a: Head::of(desk, &plan)?, total, waiting, patterns: rows, noise, preview })
}

/// Offers to leave one column alone where most conflicts are about nothing else.
fn noise(row: &PatternRow) -> Option<Noise> {
    let single = row.pattern.rsplit_once(": ").is_some_and(|(_, fields)| !fields.is_empty() && !fields.contains(", "));
    single.then(|| Noise {
        sentence: format!(
            words::phrase!(IN_DIFFER_ONLY_IN_IGNORE_THIS_COLUMN),
            words::plural(row.count, "conflict"),
            row.table,
            row.fields
        ),
        button: format!(words::phrase!(LEAVE_AS_IT_IS_IN_CURRENT), row.fields),
        pattern: row.pattern.clone(),
    })
}

/// Says in words which conflicts a pattern means.
fn said(rows: &[PatternRow], pattern: &str) -> String {
    rows.iter().find(|r| r.pattern == pattern).map_or_else(|| safe(pattern), |r| format!("{}, {}", r.table, r.fields))
}

/// Reads what becomes of conflicts that were decided before.
pub(super) fn answered(replace: Option<&str>) -> Answered {
    if replace.is_some_and(|r| !r.is_empty()) { Answered::Replaced } else { Answered::Stays }
}

fn asked(desk: &Desk, id: &str, pattern: &str, take: &str, answered: Answered) -> Answer<Preview> {
    let (verb, consequence) = match take {
        "backup" => (words::TAKE_BACKUP_2, words::THE_BACKUPS_RECORDS_REPLACE_THE_CURRENT_ONES),
        "current" => (words::KEEP_CURRENT_2, words::THE_CURRENT_RECORDS_STAY_AS_THEY_ARE),
        "skip" => (words::SKIP_3, words::NOTHING_IS_WRITTEN_FOR_THESE_AND_THEY),
        _ => {
            return Err(Problem::invalid(
                "/take",
                format!(words::phrase!(IS_NONE_OF_BACKUP_CURRENT_AND_SKIP), take = take),
            ));
        }
    };
    let which = Which { pattern: Some(pattern.to_owned()), ..Which::default() };
    let said = decisions::Said { answer: super::deciding::whole(take)?, note: None };
    let doing = Doing { answered, ..Doing::COUNTED };
    let Bulk { matched: count, left_out, answered: before, impossible, .. } =
        decisions::bulk(&desk.app, desk.person()?, id, &which, &said, ("*", doing))?;
    if count + left_out + before + impossible == 0 {
        return Err(Problem::not_found("pattern", pattern));
    }
    let many = words::plural(count, "conflict");
    let mut stay = Vec::new();
    stay.extend((before > 0).then(|| words::decided_before(before)));
    stay.extend((impossible > 0).then(|| words::impossible_for(impossible)));
    let link = || format!("/analyses/{id}/conflicts?pattern={}&take={take}&replace=1", encoded(pattern));
    Ok(Preview {
        sentence: String::new(),
        alone: (left_out > 0).then(|| words::decided_alone(left_out)),
        stay,
        anew: (before > 0).then(link),
        replace: answered == Answered::Replaced,
        button: format!("{verb} for {many}"),
        consequence,
        pattern: pattern.to_owned(),
        take: take.to_owned(),
        count,
    })
}
