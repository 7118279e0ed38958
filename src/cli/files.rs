//! Files that travel with a backup, on the command line: what was found, what becomes of them, what was done.

use super::context::Context;
use crate::backup::ReadOptions;
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::executor::home::fresh_id;
use crate::files::{self, Carried, FileOutcome, Missing, Prepared, Settled};
use crate::model::change::Class;
use crate::plan::Plan;
use crate::report::text::{plural, shown};
use clap::Args;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// Files listed at most; the plan has them all.
const LISTED: usize = 20;

/// Where the files are.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Files")]
pub(super) struct FilesArgs {
    /// Merge the files that travel with the backup, too: the folder that holds uploads/, the users' folders, or the files
    #[arg(long, value_name = "FOLDER")]
    pub(super) files: Option<PathBuf>,
    /// Merge the files alone, no records
    #[arg(long, requires = "files", conflicts_with_all = ["only_tables", "skip_tables"])]
    pub(super) files_only: bool,
    /// Delete files that a whole backup does not have
    #[arg(long, requires = "files")]
    pub(super) files_mirror: bool,
}

impl FilesArgs {
    /// Returns the folder and what becomes of files that only it has.
    pub(super) fn wanted(&self) -> Option<(PathBuf, Missing)> {
        let missing = if self.files_mirror { Missing::Goes } else { Missing::Stays };
        self.files.clone().map(|root| (root, missing))
    }
}

/// Returns what an earlier plan asked of the files.
pub(super) fn as_before(plan: &Plan) -> Option<(PathBuf, Missing)> {
    let files = plan.meta().files.as_ref()?;
    let missing = if files.count(Class::CurrentOnly) > 0 { Missing::Goes } else { Missing::Stays };
    Some((PathBuf::from(&files.root), missing))
}

/// Compares the files and puts what was found into the plan.
pub(super) fn add(plan: &mut Plan, home: &Home, wanted: &(PathBuf, Missing), read: &ReadOptions) -> Result<()> {
    let Some(pin) = plan.meta().backup.clone() else { return Ok(()) };
    let found = files::analyze(Path::new(&pin.path), &wanted.0, wanted.1, read)?;
    plan.update_meta(&home.key()?, |meta| meta.files = Some(found))
}

/// Says what was found of the files and what becomes of them.
pub(super) fn say(context: &Context<'_>, plan: &Plan, settled: &Settled) {
    let Some(found) = &plan.meta().files else { return };
    let out = context.out;
    let count = |class| found.count(class);
    out.line(&format!(
        "Files   {}: {} new, {} updated, {} in conflict, {} unchanged, {} blocked, {} only there",
        shown(&found.root),
        count(Class::New),
        count(Class::Updated),
        count(Class::Conflict),
        found.unchanged,
        count(Class::Blocked),
        found.current_only + count(Class::CurrentOnly),
    ));
    for (finding, outcome) in found.findings.iter().zip(&settled.outcomes).take(LISTED) {
        out.line(&format!("  {}: {}, {}: {}", shown(&finding.path), finding.class, finding.reason, words(outcome)));
    }
    if found.findings.len() > LISTED {
        out.line(&format!("  and {} more", found.findings.len() - LISTED));
    }
}

fn words(outcome: &FileOutcome) -> String {
    match outcome {
        FileOutcome::Write => "is written".to_owned(),
        FileOutcome::Delete => "is deleted".to_owned(),
        FileOutcome::Keep(why) => format!("stays; {why}"),
        FileOutcome::Blocked(why) | FileOutcome::Undecided(why) => shown(why),
    }
}

/// Returns what was found for programs.
pub(super) fn as_json(plan: &Plan, settled: &Settled) -> Option<Json> {
    let found = plan.meta().files.as_ref()?;
    let one = |(finding, outcome): (&crate::plan::FileFinding, &FileOutcome)| {
        let outcome = match outcome {
            FileOutcome::Write => "write",
            FileOutcome::Delete => "delete",
            FileOutcome::Keep(_) => "keep",
            FileOutcome::Blocked(_) => "blocked",
            FileOutcome::Undecided(_) => "undecided",
        };
        json!({"path": finding.path, "class": finding.class, "reason": finding.reason, "outcome": outcome,
            "current": finding.current, "backup": finding.backup})
    };
    let list: Vec<Json> = found.findings.iter().zip(&settled.outcomes).map(one).collect();
    Some(json!({
        "root": found.root,
        "counts": {"new": found.count(Class::New), "updated": found.count(Class::Updated),
            "conflict": found.count(Class::Conflict), "unchanged": found.unchanged,
            "blocked": found.count(Class::Blocked),
            "current_only": found.current_only + found.count(Class::CurrentOnly)},
        "files": list,
    }))
}

/// Fails where a person has to decide about files first.
pub(super) fn needs_nobody(plan: &Plan, settled: &Settled, skip_blocked: bool) -> Result<()> {
    let Some(found) = &plan.meta().files else { return Ok(()) };
    let open = |outcome: &FileOutcome| match outcome {
        FileOutcome::Undecided(_) => true,
        FileOutcome::Blocked(_) => !skip_blocked,
        _ => false,
    };
    let lines: Vec<String> = found
        .findings
        .iter()
        .zip(&settled.outcomes)
        .filter(|(_, outcome)| open(outcome))
        .map(|(finding, outcome)| format!("{}: {}", finding.path, words(outcome)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(fail!(NeedsDecision, "{} undecided or blocked; nothing was changed", plural(lines.len() as u64, "file"))
        .details(lines)
        .hint("Choose with --strategy-for files=backup-wins, current-wins or newest-wins; --on-blocked skip leaves blocked ones out."))
}

/// Stages what a merge does to files, if anything.
pub(super) fn prepare(plan: &Plan, settled: &Settled, home: &Home, read: &ReadOptions) -> Result<Option<Prepared>> {
    let (Some(found), Some(pin)) = (&plan.meta().files, &plan.meta().backup) else { return Ok(None) };
    if settled.writes() == 0 {
        return Ok(None);
    }
    files::prepare(&plan.meta().id, found, settled, Path::new(&pin.path), read, home).map(Some)
}

/// Says what was done to files.
pub(super) fn done(context: &Context<'_>, carried: &Carried) -> Json {
    let (written, deleted) = (plural(carried.written, "file"), carried.deleted);
    context.out.line(&format!("Files: {written} written, {deleted} deleted."));
    for path in &carried.kept {
        context.out.line(&format!("  {}: was changed since; it stays", shown(path)));
    }
    json!(carried)
}

/// Returns a merge's id, or makes one where only files were written.
pub(super) fn id_of(merge: &str, letter: char) -> String {
    if merge.is_empty() { fresh_id(letter) } else { merge.to_owned() }
}

/// Tells whether a merge of files alone is meant, which has no receipt of records.
pub(super) fn alone(home: &Home, name: Option<&str>) -> Result<bool> {
    match name {
        Some(name) if home.receipt_path(name).is_err() => files::touched(home, name),
        _ => Ok(false),
    }
}
