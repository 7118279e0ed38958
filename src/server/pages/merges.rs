//! What was done: one merge with its receipt, taking it back, and the history.

use super::chrome::{Chrome, Desk, Notice, Step, draw, way};
use super::html::{Html, safe, time};
use super::review::Written;
use super::words;
use crate::executor::receipt::{self, ReceiptMeta};
use crate::executor::{Receipt, State, audit};
use crate::plan::{ActionKind, PlanKind, Preview};
use crate::report::Undone;
use crate::report::html::escape;
use crate::server::app::is_id;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use crate::server::service::operations::{self, About, Kind};
use crate::server::service::{self, targets};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;

/// A merge, an undo or a redo, as lists show it.
pub(super) struct MergeRow {
    pub(super) id: String,
    pub(super) what: &'static str,
    /// The backup that it came from.
    pub(super) of: String,
    pub(super) when: Html,
    pub(super) database: String,
    pub(super) records: String,
    pub(super) who: String,
    pub(super) state: &'static str,
    pub(super) can_undo: bool,
    pub(super) unknown: bool,
    pub(super) back: &'static str,
}

fn what(kind: &PlanKind) -> &'static str {
    match kind {
        PlanKind::Merge => words::MERGE_2,
        PlanKind::Undo { .. } => words::UNDO,
        PlanKind::Redo { .. } => words::REDO,
    }
}

fn records(counts: &receipt::Counted) -> String {
    words::written(counts.inserted, counts.updated, counts.deleted)
}

/// Names the backup that a merge came from: as the catalog has it, else as its file.
fn source(meta: &ReceiptMeta, kept: &[crate::catalog::Entry]) -> Option<(String, Option<String>)> {
    let (path, digest) = meta.backup.as_ref()?;
    let file = std::path::Path::new(path).file_name().map_or(path.as_str().into(), |n| n.to_string_lossy());
    Some(match kept.iter().find(|e| e.digest == *digest) {
        Some(e) => (safe(&e.name), Some(e.id.clone())),
        None => (safe(&file), None),
    })
}

/// Tells by what something was taken back, if it was.
fn taken_back<'a>(all: &'a [ReceiptMeta], id: &str) -> Option<&'a ReceiptMeta> {
    all.iter().filter(|r| r.state == State::Committed).find(|r| match &r.kind {
        PlanKind::Undo { merge } => merge == id,
        PlanKind::Redo { undo } => undo == id,
        PlanKind::Merge => false,
    })
}

fn state(meta: &ReceiptMeta, back: Option<&ReceiptMeta>) -> &'static str {
    match (meta.state, back) {
        (State::Committed, Some(_)) => words::TAKEN_BACK,
        (State::Committed, None) => "done",
        (State::RolledBack, _) => words::ROLLED_BACK,
        (State::Intent, _) => words::RUNNING_OR_ENDED_WITHOUT_A_WORD,
        (State::Unknown, _) => words::OUTCOME_NOT_KNOWN,
    }
}

/// Returns the last merges.
pub(super) fn latest(desk: &Desk, most: usize) -> Answer<Vec<MergeRow>> {
    let (all, _) = receipt::list(desk.app.home())?;
    let kept = crate::catalog::Catalog::open(desk.app.home())?.list()?;
    let rows = all.iter().take(most).map(|meta| {
        let back = taken_back(&all, &meta.id);
        MergeRow {
            id: meta.id.clone(),
            what: what(&meta.kind),
            of: source(meta, &kept).map(|s| s.0).unwrap_or_default(),
            when: time(&meta.started_at),
            database: safe(&meta.database.display),
            records: records(&meta.counts),
            who: safe(&meta.actor),
            state: state(meta, back),
            can_undo: meta.state == State::Committed && back.is_none(),
            unknown: matches!(meta.state, State::Unknown),
            back: if matches!(meta.kind, PlanKind::Undo { .. }) { words::REDO } else { words::UNDO },
        }
    });
    Ok(rows.collect())
}

#[derive(Template)]
#[template(path = "outcome.html")]
pub(super) struct Outcome {
    pub(super) chrome: Chrome,
    /// What this is in the history, where it is part of that.
    pub(super) crumb: Option<&'static str>,
    pub(super) title: String,
    pub(super) kind: &'static str,
    pub(super) sign: &'static str,
    pub(super) sentence: String,
    pub(super) detail: String,
    pub(super) lines: Vec<String>,
    /// How many more there are than the lines.
    pub(super) not_listed: u64,
    pub(super) hint: String,
    pub(super) find_out: Option<String>,
    /// Where it is told to others, and to how many.
    pub(super) notify: Option<(String, String)>,
    pub(super) facts: Vec<(&'static str, Html)>,
    pub(super) tables: Vec<Written>,
    pub(super) written: Vec<(String, Vec<String>, bool)>,
    pub(super) links: Vec<(String, &'static str, bool)>,
}

fn open(desk: &Desk, id: &str) -> Answer<Receipt> {
    let path = desk.app.home().receipts().join(format!("{id}.receipt"));
    match is_id(id) && path.is_file() {
        true => Ok(Receipt::open(&path)?),
        false => Err(Problem::not_found("merge", id)),
    }
}

/// Records listed of each table.
const LISTED: usize = 200;

/// Draws one merge.
pub(super) fn merge(desk: &Desk, id: &str) -> Answer<Response> {
    merge_with(desk, id, None)
}

/// Tells those who are told of runs that succeeded, and says who could not be told.
pub(super) fn notify(desk: &Desk, id: &str) -> Answer<Response> {
    let view = service::merges::get(&desk.app, id)?;
    if view.committed_at.is_none() {
        return Err(Problem::own("conflict", words::NOTHING_TO_TELL));
    }
    let count = |name: &str| view.counts[name].as_u64().unwrap_or(0);
    let took = |at: &str| chrono::DateTime::parse_from_rfc3339(at).ok();
    let duration =
        view.committed_at.as_deref().and_then(took).zip(took(&view.started_at)).map(|(end, begin)| end - begin);
    let event = crate::hooks::Event {
        schedule: String::new(),
        target: view.target.clone().unwrap_or_else(|| view.database.clone()),
        outcome: crate::hooks::Outcome::Success,
        started_at: view.started_at.clone(),
        duration_seconds: duration.map_or(0.0, |d| d.as_seconds_f64()),
        backup: None,
        size_bytes: None,
        records: None,
        error: None,
        merge: Some(crate::hooks::Merge {
            id: view.id.clone(),
            kind: view.kind.clone(),
            actor: view.actor.clone(),
            inserted: count("inserted"),
            updated: count("updated"),
            deleted: count("deleted"),
        }),
    };
    let failed = desk.app.config().settings.hooks.tell(&event);
    let done = format!("{id}: {}", words::plural(failed.len() as u64, "failure"));
    people::note(desk.app.home(), "merge_told", &desk.person()?.actor(), &done)?;
    let notice = match failed.is_empty() {
        true => Notice { kind: "good", text: words::TOLD_OF_IT.to_owned() },
        false => Notice { kind: "bad", text: safe(&failed.join(" ")) },
    };
    merge_with(desk, id, Some(notice))
}

fn merge_with(desk: &Desk, id: &str, notice: Option<Notice>) -> Answer<Response> {
    let receipt = open(desk, id)?;
    let meta = receipt.meta();
    let (all, _) = receipt::list(desk.app.home())?;
    let back = taken_back(&all, id);
    let (tables, written) = written(desk, &receipt)?;
    let total = meta.counts.inserted + meta.counts.updated + meta.counts.deleted;
    let (kind, sign, sentence) = match (meta.state, back) {
        (State::Committed, None) => {
            let place = desk.badge(&meta.database).name;
            ("good", "✓", words::wrote(&meta.kind, total, &place))
        }
        (State::Committed, Some(by)) => {
            ("warn", "!", format!(words::phrase!(THIS_WAS_DONE_AND_TAKEN_BACK_BY), safe(&by.actor)))
        }
        (State::RolledBack, _) => ("bad", "×", format!(words::phrase!(IT_WAS_ROLLED_BACK), words::UNCHANGED)),
        (State::Intent | State::Unknown, _) => ("warn", "!", words::IT_IS_NOT_KNOWN_YET_HOW_THIS.to_owned()),
    };
    let mut facts = vec![
        (words::BEGAN, time(&meta.started_at)),
        (words::WHO, Html::text(&meta.actor)),
        (words::DATABASE, Html::text(&meta.database.display)),
        (
            words::RECORDS,
            Html::text(&format!(words::phrase!(PLANNED_AND_WRITTEN_ARE_THE_SAME_EACH), records(&meta.counts))),
        ),
    ];
    if let Some(at) = &meta.committed_at {
        facts.insert(1, (words::COMMITTED, time(at)));
    }
    let kept = crate::catalog::Catalog::open(desk.app.home())?.list()?;
    if let Some((name, id)) = source(meta, &kept) {
        let link = |id: String| Html::made(format!("<a href=\"/backups/{}\">{}</a>", escape(&id), escape(&name)));
        facts.push((words::BACKUP, id.map_or_else(|| Html::text(&name), link)));
    }
    facts.push((words::ID, Html::made(format!("<code>{}</code>", escape(id)))));
    if let Some(note) = &meta.note {
        facts.push((words::NOTE, Html::text(note)));
    }
    // What only the operation knows; the command line's merges have none here.
    if let Some(operation) = operations::carried_out(&desk.app, Kind::Merge, About::Merge(id), 1)?.first() {
        if let Some(made) = operation.result["backup"].as_str() {
            let name = kept.iter().find(|e| e.id == made).map_or(made, |e| e.name.as_str());
            let link = format!("<a href=\"/backups/{}\">{}</a>", escape(made), escape(&safe(name)));
            facts.push((words::BACKUP_BEFORE, Html::made(link)));
        }
        let notes = operation.notes();
        if !notes.is_empty() {
            facts.push((words::SEEN, Html::text(&notes.join("; "))));
        }
    }
    let receivers = desk.app.config().settings.hooks.on_success.count() as u64;
    let notify = (meta.state == State::Committed && receivers > 0 && desk.can_write())
        .then(|| (format!("/merges/{id}/notify"), words::tell(receivers)));
    let undo = if matches!(meta.kind, PlanKind::Undo { .. }) { words::REDO } else { words::UNDO };
    let mut links = Vec::new();
    if meta.state == State::Committed && back.is_none() && desk.can_write() {
        links.push((format!("/merges/{id}/undo"), undo, false));
    }
    if let Some(by) = back {
        links.push((format!("/merges/{}", by.id), words::OPEN_WHAT_TOOK_IT_BACK, true));
    }
    links.push((format!("/merges/{id}/report.html"), words::REPORT, false));
    links.push(("/history".to_owned(), words::HISTORY, false));
    let badge = desk.badge(&meta.database);
    let title = match meta.state {
        State::Committed => words::done(&meta.kind, &badge.name),
        State::RolledBack | State::Intent | State::Unknown => what(&meta.kind).to_owned(),
    };
    let mut chrome = desk.chrome("merge", words::HISTORY, title.clone());
    chrome.target = Some(badge);
    if meta.kind == PlanKind::Merge {
        chrome.way = way(Step::Merge, None);
    }
    chrome.notice = notice;
    let stands = meta.state == State::Committed && back.is_none() && meta.kind == PlanKind::Merge;
    draw(&Outcome {
        chrome,
        crumb: Some(what(&meta.kind)),
        title,
        kind,
        sign,
        sentence,
        detail: String::new(),
        lines: Vec::new(),
        not_listed: 0,
        hint: if stands { words::LOOK_AT_YOUR_APPLICATION.to_owned() } else { String::new() },
        find_out: None,
        notify,
        facts,
        tables,
        written,
        links,
    })
}

type PerTable = (Vec<Written>, Vec<(String, Vec<String>, bool)>);

/// Counts and names what was written, per table.
fn written(desk: &Desk, receipt: &Receipt) -> Answer<PerTable> {
    let secrets = desk.app.secrets();
    let mut tables: Vec<(usize, Preview, Vec<String>, bool)> = Vec::new();
    let mut after = 0;
    loop {
        let images = receipt.page(after, 500)?;
        let Some(last) = images.last() else { break };
        after = last.id;
        for image in images {
            let table = &receipt.meta().schema.tables[image.table];
            let at = match tables.iter().position(|t| t.0 == image.table) {
                Some(at) => at,
                None => {
                    tables.push((image.table, Preview::default(), Vec::new(), false));
                    tables.len() - 1
                }
            };
            let (_, counts, lines, more) = &mut tables[at];
            let word = match image.kind {
                ActionKind::Insert => {
                    counts.inserted += 1;
                    words::INSERTED_2
                }
                ActionKind::Update => {
                    counts.updated += 1;
                    words::UPDATED_2
                }
                ActionKind::Delete => {
                    counts.deleted += 1;
                    words::DELETED_2
                }
            };
            if lines.len() == LISTED {
                *more = true;
                continue;
            }
            let key: Vec<_> = table
                .key
                .iter()
                .zip(&image.key)
                .filter_map(|(&c, cell)| crate::model::encode::value_of(cell.as_cell(), &table.columns[c]))
                .collect();
            let fields = match image.kind {
                ActionKind::Update => format!(": {}", table.names(&image.columns).join(", ")),
                _ => String::new(),
            };
            lines.push(safe(&format!("{word} {}{fields}", secrets.key_text(table, &key))));
        }
    }
    let name = |t: usize| safe(&receipt.meta().schema.tables[t].label());
    let counted = Written::beside(tables.iter().map(|(t, counts, ..)| Written::of(name(*t), counts)).collect());
    Ok((counted, tables.into_iter().map(|(t, _, lines, more)| (name(t), lines, more)).collect()))
}

#[derive(Template)]
#[template(path = "undo.html")]
struct UndoPage {
    chrome: Chrome,
    id: String,
    verb: &'static str,
    title: String,
    /// When, by whom and in which database it was done.
    subject: (Html, String, String),
    /// What it is called in the history.
    crumb: &'static str,
    word: &'static str,
    counts: (u64, u64, u64),
    notes: Vec<String>,
    buckets: Vec<(&'static str, &'static str, Vec<String>, u64)>,
    tables: Vec<String>,
    protected: bool,
    target_name: String,
    button: String,
    once: String,
    can_write: bool,
}

/// Draws what taking a merge back would do: three lists.
pub(super) fn undo(desk: &Desk, id: &str) -> Answer<Response> {
    let receipt = open(desk, id)?;
    let meta = receipt.meta();
    let redo = matches!(meta.kind, PlanKind::Undo { .. });
    let target = targets::of(&desk.app, &meta.database)?;
    let mut database = target.connect()?;
    let path = desk.app.home().plans().join(format!("{}.mplan", crate::executor::home::fresh_id('p')));
    let made = crate::executor::undo::plan(desk.app.home(), &receipt, database.as_mut(), &[], &path);
    let lists = made.and_then(|plan| {
        let tables: Vec<String> = plan.meta().tables.iter().map(|t| safe(&t.name)).collect();
        Ok((Undone::of(&plan, &desk.app.secrets())?, tables))
    });
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let (lists, tables) = lists?;
    let [reversed, kept, blocked] = lists.counts;
    let shown = |list: &[String]| list.iter().map(|l| safe(l)).collect::<Vec<_>>();
    let bucket = |title, text, list: &[String], count: u64| (title, text, shown(list), count - list.len() as u64);
    let (verb, word) = if redo { (words::REDO, words::PUT_BACK) } else { (words::UNDO, words::TAKEN_BACK) };
    let mut chrome = desk.chrome("undo", words::HISTORY, words::undoing(&meta.kind));
    chrome.target = Some(desk.badge(&meta.database));
    draw(&UndoPage {
        title: chrome.title.clone(),
        chrome,
        id: id.to_owned(),
        verb,
        subject: (time(&meta.started_at), safe(&meta.actor), safe(&meta.database.display)),
        crumb: what(&meta.kind),
        word,
        counts: (reversed, kept, blocked),
        notes: shown(&lists.notes),
        buckets: vec![
            bucket(
                if redo { words::WILL_BE_PUT_BACK } else { words::WILL_BE_TAKEN_BACK },
                words::EACH_RETURNS_TO_EXACTLY_WHAT_IT_WAS,
                &lists.reversed,
                reversed,
            ),
            bucket(
                words::STAYS_BECAUSE_IT_WAS_CHANGED_SINCE,
                words::YOUR_LATER_WORK_IS_NOT_OVERWRITTEN,
                &lists.kept,
                kept,
            ),
            bucket(words::CANT_BE_TAKEN_BACK, words::OTHER_RECORDS_REFER_TO_THESE_NOW, &lists.blocked, blocked),
        ],
        tables,
        protected: target.settings.protected,
        target_name: safe(&target.name),
        button: format!(
            "{} {}",
            if redo { words::PUT_BACK_2 } else { words::TAKE_BACK },
            words::plural(reversed, "change")
        ),
        once: crate::executor::home::fresh_id('k'),
        can_write: desk.can_write(),
    })
}

/// What the history is asked for by.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    q: String,
    #[serde(default)]
    skip: usize,
}

struct EntryRow {
    when: Html,
    what: String,
    id: String,
    link: String,
    who: String,
    database: String,
    records: String,
    note: String,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    chrome: Chrome,
    chain: Result<u64, String>,
    query: String,
    entries: Vec<EntryRow>,
    next: Option<String>,
}

/// Entries on a page.
const ON_A_PAGE: usize = 100;

/// Returns the entries that hold a text, newest first.
fn entries(desk: &Desk, text: &str) -> Answer<Vec<audit::Entry>> {
    let needle = text.to_lowercase();
    let holds = |e: &audit::Entry| {
        [&e.event, &e.merge, &e.actor, &e.database, e.note.as_ref().unwrap_or(&String::new())]
            .iter()
            .any(|part| part.to_lowercase().contains(&needle))
    };
    let mut found: Vec<_> = audit::read(desk.app.home())?.into_iter().filter(holds).collect();
    found.reverse();
    Ok(found)
}

/// Draws the history.
pub(super) fn history(desk: &Desk, query: &Query) -> Answer<Response> {
    let found = entries(desk, &query.q)?;
    let more = found.len() > query.skip + ON_A_PAGE;
    let rows = found.iter().skip(query.skip).take(ON_A_PAGE).map(|e| {
        let merged = matches!(e.event.as_str(), "merge" | "undo" | "redo");
        EntryRow {
            when: time(&e.time),
            what: safe(&e.event.replace('_', " ")),
            id: safe(&e.merge),
            link: if merged { format!("/merges/{}", e.merge) } else { String::new() },
            who: safe(&e.actor),
            database: safe(&e.database),
            records: if merged { records(&e.counts) } else { String::new() },
            note: e.note.as_deref().map(safe).unwrap_or_default(),
        }
    });
    let skip = query.skip + ON_A_PAGE;
    draw(&History {
        chrome: desk.chrome("history", words::HISTORY, words::HISTORY),
        chain: audit::verify(desk.app.home()).map_err(|e| safe(&e.full_message())),
        query: query.q.clone(),
        entries: rows.collect(),
        next: more.then(|| format!("/history?q={}&skip={skip}", super::chrome::encoded(&query.q))),
    })
}

/// Writes the history for other programs: as JSON, one entry a line, or as CSV.
pub(super) fn export(desk: &Desk, csv: Csv) -> Answer<String> {
    let mut out = String::new();
    if csv == Csv::Yes {
        out.push_str("time,event,id,actor,database,inserted,updated,deleted,note\r\n");
    }
    for e in audit::read(desk.app.home())? {
        if csv == Csv::No {
            out.push_str(
                &serde_json::to_string(&e)
                    .map_err(|e| crate::error::fail!(Failed, "an entry can't be written: {e}"))?,
            );
            out.push('\n');
            continue;
        }
        let counts = [e.counts.inserted, e.counts.updated, e.counts.deleted].map(|n| n.to_string());
        let note = e.note.unwrap_or_default();
        let cells = [&e.time, &e.event, &e.merge, &e.actor, &e.database, &counts[0], &counts[1], &counts[2], &note];
        out.push_str(&cells.map(|c| csv_cell(c)).join(","));
        out.push_str("\r\n");
    }
    Ok(out)
}

/// Whether an export is CSV.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Csv {
    Yes,
    No,
}

/// Quotes a cell; one that a spreadsheet would take for a formula begins with an apostrophe (CHECKS T14).
fn csv_cell(text: &str) -> String {
    let text = crate::report::text::shown(text);
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if risky { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn t14_cells_of_an_export_are_no_formulas() {
        assert_eq!(csv_cell("=1+1"), "\"'=1+1\"");
        assert_eq!(csv_cell("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
