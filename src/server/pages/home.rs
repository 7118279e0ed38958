//! Home: how things stand, and the two things people come for.

use super::analysis::{Head, open};
use super::backups::BackupRow;
use super::chrome::{Chrome, Desk, draw};
use super::html::{Html, safe};
use super::merges::{MergeRow, latest};
use super::targets::{self, TargetView};
use super::words;
use crate::server::problem::Answer;
use crate::server::service::{backups, operations};
use askama::Template;
use axum::response::Response;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    chrome: Chrome,
    headline: String,
    targets: Vec<TargetView>,
    /// What is worth a look, and where.
    warnings: Vec<(String, String)>,
    /// Whether nothing was done here yet.
    first_steps: bool,
    last_backup: Option<BackupRow>,
    next_run: Option<(String, Html)>,
    analyses: Vec<Head>,
    merges: Vec<MergeRow>,
    can_write: bool,
}

/// Clocks of two machines are never quite the same.
const SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// Says whether this machine's clock, or that of one where a backup was made, is or was wrong: by what is dated later than now.
fn from_the_future(desk: &Desk, backups: &[backups::BackupView]) -> Answer<Option<String>> {
    let later = |text: &str| {
        let at = chrono::DateTime::parse_from_rfc3339(text).ok()?.to_utc();
        (at > chrono::Utc::now() + SKEW).then(|| crate::report::text::when(text))
    };
    let backup = backups.iter().find_map(|b| Some(words::from_the_future(&safe(&b.name), &later(&b.created_at)?)));
    let last = operations::list(&desk.app, 1)?;
    let operation = last.first().and_then(|o| Some(words::from_the_future(&o.id, &later(&o.started_at)?)));
    Ok(operation.or(backup))
}

/// Draws it.
pub(super) fn home(desk: &Desk) -> Answer<Response> {
    let found = backups::list(&desk.app)?;
    let analyses = open(desk, 5)?;
    let merges = latest(desk, 5)?;
    let targets = targets::list(&desk.app);
    let mut warnings = Vec::new();
    if targets.is_empty() {
        warnings.push((words::NO_DATABASE_IS_NAMED_IN_THE_CONFIGURATION.to_owned(), String::new()));
    }
    let unverified = found.iter().filter(|b| b.verified_at.is_none()).count() as u64;
    if let (true, Some(newest)) = (unverified == found.len() as u64, found.first()) {
        let text = words::NO_BACKUP_WAS_VERIFIED_YET_VERIFYING_READS.to_owned();
        warnings.push((text, format!("/backups/{}", newest.id)));
    }
    warnings.extend(from_the_future(desk, &found)?.map(|text| (text, String::new())));
    if let Some(merge) = merges.iter().find(|m| m.unknown) {
        warnings.push((words::THE_OUTCOME_OF_A_MERGE_IS_NOT.to_owned(), format!("/merges/{}", merge.id)));
    }
    let unsafe_key = crate::server::service::keys::list(&desk.app)?.into_iter().find(|k| k.used && !k.exported);
    warnings.extend(unsafe_key.map(|k| (words::export_reminder(&k.name), "/settings".to_owned())));
    if crate::server::service::keys::unconfirmed(&desk.app)?.is_some() {
        warnings.push((words::KEY_WAITS.to_owned(), "/recovery".to_owned()));
    }
    let waiting = analyses.iter().filter(|a| a.waiting_count > 0).count() as u64;
    let first_steps = found.is_empty() && analyses.is_empty() && merges.is_empty();
    let headline = match (first_steps, waiting) {
        (true, _) => words::NOTHING_IS_HERE_YET_A_BACKUP_IS.to_owned(),
        (_, 0) if analyses.is_empty() => words::NOTHING_WAITS_FOR_YOU.to_owned(),
        (_, 0) => words::ready(analyses.len() as u64),
        (_, n) => format!(
            words::phrase!(FOR_YOUR_DECISIONS),
            if n == 1 { words::N_1_ANALYSIS_WAITS.to_owned() } else { format!(words::phrase!(ANALYSES_WAIT), n = n) }
        ),
    };
    let page = Home {
        chrome: desk.chrome("home", words::HOME_TITLE, words::HOME_TITLE),
        headline,
        targets,
        warnings,
        first_steps,
        last_backup: found.first().map(BackupRow::of),
        next_run: super::schedules::next_run(desk)?,
        analyses,
        merges,
        can_write: desk.can_write(),
    };
    draw(&page)
}
