//! Operations: what runs, phase by phase, and how it ended. A page says "Nothing was changed" only where the engine does.

use super::chrome::{Chrome, Desk, Step, TargetBadge, draw, draw_with, go, way};
use super::html::{Html, safe, sentence, time};
use super::merges::Outcome;
use super::words;
use crate::executor::State;
use crate::executor::receipt;
use crate::server::problem::{Answer, Problem};
use crate::server::service::operations::{self, Kind, Operation, OperationState};
use crate::server::service::targets;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

struct PhaseRow {
    word: &'static str,
    text: &'static str,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "running.html")]
struct RunningPage {
    chrome: Chrome,
    id: String,
    title: &'static str,
    subject: String,
    events: String,
    phases: Vec<PhaseRow>,
    percent: Option<u64>,
    percent_or_zero: u64,
    bar_words: String,
    detail: String,
    started: u64,
    elapsed: String,
    can_cancel: bool,
}

/// The phases of each kind, in their order.
fn phases(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Analysis => &["schema", "compare", "check", "settle"],
        Kind::Merge | Kind::DryRun | Kind::Undo => &["settle", "lock", "record", "write", "verify", "commit"],
        Kind::Backup | Kind::Verify => &[],
    }
}

/// Draws an operation: as it runs, or how it ended.
pub(super) fn operation(desk: &Desk, id: &str) -> Answer<Response> {
    let operation = operations::get(&desk.app, id)?;
    match operation.state {
        OperationState::Running => running(desk, operation),
        OperationState::Done => done(desk, &operation),
        OperationState::Failed | OperationState::Cancelled | OperationState::Unknown => ended_badly(desk, &operation),
    }
}

fn running(desk: &Desk, operation: Operation) -> Answer<Response> {
    let known = phases(operation.kind);
    let at = operation.phase.as_deref().and_then(|p| known.iter().position(|k| *k == p));
    let rows = known.iter().enumerate().map(|(position, word)| PhaseRow {
        word,
        text: if *word == "commit" && operation.kind == Kind::DryRun { words::ROLL_BACK } else { words::phase(word) },
        state: match at {
            Some(at) if position < at => "done",
            Some(at) if position == at => "now",
            _ => "",
        },
    });
    let percent = operation.total.filter(|t| *t > 0).map(|t| (operation.done * 100 / t).min(100));
    let detail = match (&operation.table, operation.total) {
        (Some(table), Some(total)) => safe(&format!(
            words::phrase!(OF_RECORDS),
            words::grouped(operation.done),
            words::grouped(total),
            table = table
        )),
        (Some(table), None) => {
            safe(&format!(words::phrase!(RECORDS_SO_FAR), words::grouped(operation.done), table = table))
        }
        _ => words::WORKING.to_owned(),
    };
    let begun = chrono::DateTime::parse_from_rfc3339(&operation.started_at).map(|t| t.to_utc());
    let seconds = begun.map_or(0, |t| (chrono::Utc::now() - t).num_seconds().max(0)).unsigned_abs();
    let title = match operation.kind {
        Kind::Backup => words::MAKING_A_BACKUP,
        Kind::Verify => words::VERIFYING_A_BACKUP,
        Kind::Analysis => words::ANALYZING,
        Kind::Merge => words::MERGING,
        Kind::DryRun => words::TRYING_WITHOUT_KEEPING_ANYTHING,
        Kind::Undo => words::TAKING_BACK,
    };
    let mut chrome = desk.chrome("running", place(operation.kind), title);
    chrome.refresh = Some(2);
    chrome.running = None;
    (chrome.target, chrome.way) = (badge(desk, &operation), step(&operation));
    draw(&RunningPage {
        chrome,
        title,
        subject: safe(&match (&operation.target, operation.kind) {
            (Some(target), Kind::Merge | Kind::Undo | Kind::DryRun) => {
                format!(words::phrase!(IN_IN_ONE_TRANSACTION), target = target)
            }
            (Some(target), Kind::Analysis) => {
                format!(words::phrase!(AGAINST_NOTHING_IS_CHANGED_BY_IT), target = target)
            }
            (Some(target), _) => format!(words::phrase!(OF_3), target = target),
            (None, _) => String::new(),
        }),
        events: format!("/api/v1/operations/{}/events", operation.id),
        phases: rows.collect(),
        percent,
        percent_or_zero: percent.unwrap_or(0),
        bar_words: percent.map_or_else(String::new, |p| format!(words::phrase!(OF_THIS_TABLE), p = p)),
        detail,
        started: seconds,
        elapsed: crate::report::text::age(seconds.cast_signed()),
        can_cancel: desk.can_write() && operation.cancellable,
        id: operation.id,
    })
}

/// Returns the badge of the database that an operation is about.
fn badge(desk: &Desk, operation: &Operation) -> Option<TargetBadge> {
    let name = operation.target.as_deref()?;
    let protected = targets::get(&desk.app, name).is_ok_and(|t| t.settings.protected);
    Some(TargetBadge { name: safe(name), protected })
}

/// Draws where an operation is on the way to a merge, where it is on it.
fn step(operation: &Operation) -> Html {
    match operation.kind {
        Kind::Analysis => way(Step::Analyze, None),
        Kind::DryRun => way(Step::Review, operation.subject.as_deref()),
        Kind::Merge => way(Step::Merge, operation.subject.as_deref()),
        Kind::Backup | Kind::Verify | Kind::Undo => Html::default(),
    }
}

fn place(kind: Kind) -> &'static str {
    match kind {
        Kind::Backup | Kind::Verify => words::BACKUPS,
        Kind::Analysis | Kind::DryRun => words::ANALYSES,
        Kind::Merge | Kind::Undo => words::HISTORY,
    }
}

/// Goes on to what an operation made.
fn done(desk: &Desk, operation: &Operation) -> Answer<Response> {
    let made = |name: &str| operation.result[name].as_str().unwrap_or_default().to_owned();
    match operation.kind {
        Kind::Backup => go(&format!("/backups/{}", made("id"))),
        Kind::Verify => go(&format!("/backups/{}", operation.subject.clone().unwrap_or_default())),
        Kind::Analysis => go(&format!("/analyses/{}", operation.subject.clone().unwrap_or_default())),
        Kind::DryRun => {
            go(&format!("/analyses/{}/review?tried={}", operation.subject.clone().unwrap_or_default(), operation.id))
        }
        Kind::Merge | Kind::Undo if !made("merge").is_empty() => go(&format!("/merges/{}", made("merge"))),
        Kind::Merge | Kind::Undo => {
            let mut page = blank(desk, operation, words::NOTHING_HAD_TO_BE_WRITTEN);
            (page.kind, page.sign) = ("good", "✓");
            page.sentence = format!(words::phrase!(EVERYTHING_WAS_AS_IT_SHOULD_BE_ALREADY), words::UNCHANGED);
            draw(&page)
        }
    }
}

fn blank(desk: &Desk, operation: &Operation, title: &str) -> Outcome {
    let mut facts = vec![(words::BEGAN, time(&operation.started_at)), (words::WHO, Html::text(&operation.user))];
    if let Some(target) = &operation.target {
        facts.push((words::DATABASE, Html::text(target)));
    }
    let back = match (&operation.subject, operation.kind) {
        (Some(id), Kind::Merge | Kind::DryRun) => format!("/analyses/{id}/review"),
        (Some(id), Kind::Undo) => format!("/merges/{id}"),
        (Some(id), Kind::Verify) => format!("/backups/{id}"),
        _ => "/backups".to_owned(),
    };
    let named = match operation.kind {
        Kind::Merge | Kind::DryRun => words::BACK_TO_THE_REVIEW,
        Kind::Undo => words::BACK_TO_THE_MERGE,
        Kind::Verify => words::BACK_TO_THE_BACKUP,
        Kind::Analysis | Kind::Backup => words::BACK_TO_THE_BACKUPS,
    };
    Outcome {
        chrome: Chrome {
            target: badge(desk, operation),
            way: step(operation),
            ..desk.chrome("ended", place(operation.kind), title)
        },
        crumb: None,
        title: title.to_owned(),
        kind: "bad",
        sign: "×",
        sentence: String::new(),
        detail: String::new(),
        lines: Vec::new(),
        not_listed: 0,
        hint: String::new(),
        find_out: None,
        notify: None,
        facts,
        tables: Vec::new(),
        written: Vec::new(),
        links: vec![(back, named, false), ("/history".to_owned(), words::HISTORY, false)],
    }
}

fn ended_badly(desk: &Desk, operation: &Operation) -> Answer<Response> {
    let fallback = Problem::own("conflict", words::IT_ENDED_WITHOUT_SAYING_WHY);
    let problem = operation.problem.as_ref().unwrap_or(&fallback);
    let unknown = operation.state == OperationState::Unknown;
    let mut page =
        blank(desk, operation, if unknown { words::THE_OUTCOME_IS_NOT_KNOWN } else { words::IT_WAS_NOT_DONE });
    page.sentence = match operation.state {
        OperationState::Unknown => words::THE_CONNECTION_WAS_LOST_WHILE_THE_CHANGES.to_owned(),
        // What only reads or rolls back changes nothing; of a merge the receipt has to say so.
        _ if unchanged(desk, operation, problem)? => words::UNCHANGED.to_owned(),
        _ => words::WHAT_IT_CHANGED_IS_NOT_KNOWN_LOOK.to_owned(),
    };
    // The heading says already that nothing was changed.
    page.detail = sentence(&safe(problem.detail.trim_end_matches(words::ALREADY_SAID)));
    if unknown {
        // So does it that the connection was lost.
        page.detail = String::new();
        (page.kind, page.sign) = ("warn", "!");
        page.find_out = Some(operation.id.clone());
    }
    if operation.state == OperationState::Cancelled {
        (page.kind, page.sign) = ("warn", "–");
        page.title = words::STOPPED.to_owned();
        page.detail = words::IT_WAS_STOPPED_ON_REQUEST.to_owned();
    }
    let part = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    page.lines = problem
        .rows
        .iter()
        .take(100)
        .map(|row| {
            let name =
                [part(row, "table"), part(row, "key")].iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>();
            safe(format!("{}  {}", name.join("/"), part(row, "detail")).trim())
        })
        .collect();
    page.hint = problem.hint.as_deref().map(|hint| sentence(&safe(hint))).unwrap_or_default();
    if problem.code == "plan_stale"
        && let Some(id) = &operation.subject
    {
        // The message names the plan and ends with the number; people know neither plans nor that word.
        if let Some(count) = problem.detail.rsplit_once(": ").and_then(|(_, n)| n.parse::<u64>().ok()) {
            page.detail = format!(words::phrase!(RECORDS_CHANGED_SINCE_THE_ANALYSIS), words::plural(count, "record"));
            page.not_listed = count.saturating_sub(page.lines.len() as u64);
        }
        page.links.insert(0, (format!("/analyze?again={id}"), words::ANALYZE_AGAIN, desk.can_write()));
        page.links.insert(1, (format!("/analyses/{id}"), words::OPEN_THE_ANALYSIS, false));
        page.hint = words::ANALYZE_THE_BACKUP_AGAIN_THE_DATABASE_CHANGED.to_owned();
    }
    if problem.code == "schema_mismatch" && operation.asked.is_some() && desk.can_write() {
        page.links.insert(0, (format!("/analyze?fix={}", operation.id), words::MAP_THE_NAMES, true));
        page.hint = words::SAY_WHERE_THEY_GO.to_owned();
    }
    draw_with(StatusCode::OK, &page)
}

/// Tells whether it is certain that nothing was changed (U46): the operation only reads, it says so, or its receipt does.
fn unchanged(desk: &Desk, operation: &Operation, problem: &Problem) -> Answer<bool> {
    if !matches!(operation.kind, Kind::Merge | Kind::Undo) {
        return Ok(true);
    }
    if problem.code == "outcome_unknown" {
        return Ok(false);
    }
    let (all, _) = receipt::list(desk.app.home())?;
    let of_it = all.iter().filter(|r| Some(&r.plan) == operation.plan.as_ref());
    Ok(of_it.clone().all(|r| r.state == State::RolledBack))
}

/// Asks an operation to stop.
pub(super) fn cancel(desk: &Desk, id: &str) -> Answer<Response> {
    operations::cancel(&desk.app, desk.person()?, id)?;
    go(&format!("/operations/{id}"))
}

/// Finds out how an operation ended.
pub(super) fn find_out(desk: &Desk, id: &str) -> Answer<Response> {
    operations::find_out(&desk.app, id)?;
    go(&format!("/operations/{id}"))
}
