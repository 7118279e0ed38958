//! Home: how things stand, and the two things people come for.

use super::analysis::{Head, open};
use super::backups::BackupRow;
use super::chrome::{Chrome, Desk, draw};
use super::html::Html;
use super::merges::{MergeRow, latest};
use super::targets::{self, TargetView};
use super::words;
use crate::server::problem::Answer;
use crate::server::service::backups;
use askama::Template;
use axum::response::Response;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    chrome: Chrome,
    headline: String,
    targets: Vec<TargetView>,
    warnings: Vec<String>,
    last_backup: Option<BackupRow>,
    next_run: Option<(String, Html)>,
    analyses: Vec<Head>,
    merges: Vec<MergeRow>,
    can_write: bool,
}

/// Draws it.
pub(super) fn home(desk: &Desk) -> Answer<Response> {
    let found = backups::list(&desk.app)?;
    let analyses = open(desk, 5)?;
    let merges = latest(desk, 5)?;
    let targets = targets::list(&desk.app);
    let mut warnings = Vec::new();
    if targets.is_empty() {
        warnings.push("No database is named in the configuration: add [targets.NAME] to merganser.toml.".to_owned());
    }
    let unverified = found.iter().filter(|b| b.verified_at.is_none()).count() as u64;
    if unverified > 0 && unverified == found.len() as u64 {
        warnings.push("No backup was verified yet. Verifying reads one to its end and compares its digest.".to_owned());
    }
    if merges.iter().any(|m| m.unknown) {
        warnings.push("The outcome of a merge is not known; open it to find out.".to_owned());
    }
    let waiting = analyses.iter().filter(|a| a.waiting_count > 0).count() as u64;
    let headline = match (found.len(), waiting) {
        (0, _) => "Nothing is here yet. A backup is the first step.".to_owned(),
        (_, 0) => "Everything is decided. Nothing waits for you.".to_owned(),
        (_, n) => format!(
            "{} for your decisions.",
            if n == 1 { "1 analysis waits".to_owned() } else { format!("{n} analyses wait") }
        ),
    };
    let page = Home {
        chrome: desk.chrome("home", "Home", "Home"),
        headline,
        targets,
        warnings,
        last_backup: found.first().map(BackupRow::of),
        next_run: super::schedules::next_run(desk)?,
        analyses,
        merges,
        can_write: desk.can_write(),
    };
    draw(&page)
}
