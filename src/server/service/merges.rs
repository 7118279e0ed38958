//! Merges: "Perform Incremental Merge" and undo as jobs, what was merged, and what an undo would do.

use super::approvals;
use super::operations::{Kind, Operation};
use super::targets;
use crate::analyzer::options::Reach;
use crate::catalog::Catalog;
use crate::error::fail;
use crate::executor::home::fresh_id;
use crate::executor::receipt::{self, ReceiptMeta};
use crate::executor::{self, Ending, MaxChanges, MergeOptions, OnBlocked, OnStale, Receipt};
use crate::plan::{Plan, PlanKind};
use crate::report::power::Change;
use crate::report::{Merged, Undone, clean, html, text};
use crate::server::access::Person;
use crate::server::app::{App, is_id};
use crate::server::jobs::Spec;
use crate::server::problem::{Answer, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What is to be merged, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMerge {
    /// The analysis's id.
    pub analysis: String,
    /// The analysis's ETag, as it was looked at; another one is refused.
    #[serde(default)]
    pub etag: Option<String>,
    /// The target's name, for protected targets; `RESTORE` for a merge that deletes.
    #[serde(default)]
    pub confirm: Option<String>,
    /// What the analysis lists under `security` has been looked at; needed where it lists anything.
    #[serde(default)]
    pub confirm_security: bool,
    /// What the audit log should say.
    #[serde(default)]
    pub note: Option<String>,
    /// Everything is done inside the transaction, which is then rolled back.
    #[serde(default)]
    pub dry_run: bool,
    /// Records that changed since are left out and listed instead of refused.
    #[serde(default)]
    pub skip_stale: bool,
    /// Records that can't be written are left out and listed instead of refused.
    #[serde(default)]
    pub skip_blocked: bool,
    /// A backup of the target is made before.
    #[serde(default)]
    pub backup_first: bool,
    /// Nothing is written when more records than this would change.
    #[serde(default)]
    pub max_changes: Option<u64>,
}

/// Merges an analysis, as a job.
///
/// # Errors
/// `not_found`; `precondition_failed` for another ETag; `expired`; `already_merged`; `confirmation_needed`;
/// `needs_decision`; `merge_running`.
pub fn start(app: &App, person: &Person, id: String, request: &NewMerge) -> Answer<Operation> {
    let plan = app.plan(&request.analysis)?;
    let meta = plan.meta().clone();
    if meta.kind != PlanKind::Merge {
        return Err(Problem::own("conflict", "this analysis takes a merge back; undo the merge instead"));
    }
    if let Some(own) = &person.own {
        let wider = meta.options.conditions != own.conditions || meta.options.reach != Reach::Both;
        if wider || !super::operations::began(app.state(), person, &meta.id)? {
            return Err(Problem::forbidden("this analysis reaches further than your own records"));
        }
        if request.backup_first {
            return Err(Problem::forbidden("a backup of the whole database is not yours to make"));
        }
    }
    if request.etag.as_deref().is_some_and(|etag| plan.revision().is_ok_and(|now| now != etag)) {
        return Err(Problem::own("precondition_failed", "the analysis was changed since it was looked at")
            .hint("Look at it again, then merge."));
    }
    if chrono::DateTime::parse_from_rfc3339(&meta.expires_at).is_ok_and(|at| at < chrono::Utc::now()) {
        return Err(Problem::own("expired", format!("the analysis {} expired at {}", meta.id, meta.expires_at))
            .hint("Analyze again."));
    }
    if let Some(merge) = receipt::merged_by(app.home(), &meta.id)?
        && !request.dry_run
    {
        return Err(Problem::own("already_merged", format!("it was merged by {merge}"))
            .about(format!("/api/v1/merges/{merge}")));
    }
    let target = targets::of(app, &meta.database)?;
    if !request.dry_run {
        target.confirm(person, request.confirm.as_deref())?;
        confirm_deletions(&plan, &target, request.confirm.as_deref())?;
        confirm_security(app, person, &plan, request.confirm_security)?;
        approvals::check(app, person, &target, &meta.id, &plan.revision()?)?;
    }
    let spec = Spec {
        id,
        kind: if request.dry_run { Kind::DryRun } else { Kind::Merge },
        target: Some(target.name.clone()),
        subject: Some(meta.id.clone()),
        plan: Some(meta.id.clone()),
        asked: None,
    };
    let ending = if request.dry_run { Ending::RollBack } else { Ending::Commit };
    let options = MergeOptions {
        ending,
        on_stale: if request.skip_stale { OnStale::Skip } else { OnStale::Refuse },
        on_blocked: if request.skip_blocked { OnBlocked::Skip } else { OnBlocked::Refuse },
        max_changes: request.max_changes.map(MaxChanges::Records),
        actor: person.actor(),
        note: request.note.clone(),
        ..MergeOptions::default()
    };
    let backup_first = request.backup_first && !request.dry_run;
    app.jobs().start(app, person, spec, move |app, job| {
        let lock = app.writing(&meta.id);
        // Nobody decides anything while it is carried out.
        let _held = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut plan = app.plan(&meta.id)?;
        let mut database = target.connect()?;
        let backup = match backup_first {
            true => {
                let (sealing, tags) = (super::keys::sealing(app)?, ["before-merge".to_owned()]);
                let wanted =
                    crate::catalog::make::Create { sealing: sealing.as_ref(), tags: &tags, ..Default::default() };
                let made = super::backups::make(app, database.as_mut(), &wanted, job);
                Some(made.map_err(|e| e.at("the backup before the merge").and("nothing was changed"))?)
            }
            false => None,
        };
        let secrets = app.secrets();
        let report = executor::merge(&mut plan, database.as_mut(), app.home(), &options, job)
            .map_err(|error| clean::error(&plan, &secrets, error))?;
        let report = clean::report(&plan, &secrets, report);
        report.notes.iter().for_each(|note| job.warn(note));
        if ending == Ending::Commit
            && let Err(error) =
                Catalog::open(app.home()).and_then(|mut c| c.share_merged(&plan, &report, database.identity()))
        {
            // The merge is done; a base that is not found later costs a question, not data.
            job.warn(&format!("the catalog does not know of this merge: {}", error.full_message()));
        }
        let mut result = json!(Merged::of(&report, &meta.id, ending));
        result["backup"] = json!(backup.map(|b| b.id));
        Ok(result)
    })
}

/// A merge that deletes asks for a word of its own; where the target is protected its name was asked for already.
fn confirm_deletions(plan: &Plan, target: &targets::Target, given: Option<&str>) -> Answer<()> {
    let deleted = plan.settled()?.deleted;
    if deleted == 0 || target.settings.protected || given == Some("RESTORE") {
        return Ok(());
    }
    let why =
        fail!(ConfirmationNeeded, "this merge deletes {deleted} records from {}; nothing was changed", target.name);
    Err(why.hint("Send \"confirm\": \"RESTORE\" to go on.").into())
}

/// A merge that changes who may do what needs a tick of its own (CHECKS T15); who may reach only their own records can't
/// give it.
fn confirm_security(app: &App, person: &Person, plan: &Plan, given: bool) -> Answer<()> {
    let power = app.power(plan)?;
    if power.total == 0 {
        return Ok(());
    }
    let listed = |c: &Change| format!("{}/{}: {} ({})", c.table, c.record, c.fields.join(", "), c.outcome);
    let lines: Vec<String> = power.changes.iter().map(listed).collect();
    if person.own.is_some() {
        return Err(Problem::forbidden(format!(
            "this would change who may do what, which an operator has to decide: {}",
            lines.join("; ")
        )));
    }
    if given {
        return Ok(());
    }
    let count = text::plural(power.total, "record");
    let why = fail!(ConfirmationNeeded, "this merge changes who may do what, in {count}; nothing was changed");
    Err(why.details(lines).hint("Look at each; then send \"confirm_security\": true to go on.").into())
}

/// A merge or an undo that was carried out.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MergeView {
    /// Its id.
    pub id: String,
    /// The analysis that it carried out.
    pub analysis: String,
    /// `merge`, `undo`, `redo`.
    pub kind: String,
    /// What it took back or brought again.
    pub of: Option<String>,
    /// What took it back, if anything did.
    pub undone_by: Option<String>,
    /// How it ended: `committed`, `rolled_back`, `unknown`.
    #[schema(value_type = String)]
    pub state: Json,
    /// When it began.
    pub started_at: String,
    /// When it was committed.
    pub committed_at: Option<String>,
    /// Who did it, from where.
    pub actor: String,
    /// What they noted.
    pub note: Option<String>,
    /// The target's name, where one is known for the database.
    pub target: Option<String>,
    /// The database's address, without a password.
    pub database: String,
    /// Records inserted, updated and deleted.
    #[schema(value_type = Object)]
    pub counts: Json,
}

fn view(app: &App, meta: &ReceiptMeta, all: &[ReceiptMeta]) -> MergeView {
    let (kind, of) = match &meta.kind {
        PlanKind::Merge => ("merge", None),
        PlanKind::Undo { merge } => ("undo", Some(merge.clone())),
        PlanKind::Redo { undo } => ("redo", Some(undo.clone())),
    };
    let undone_by = all.iter().find(|r| {
        let taken = match &r.kind {
            PlanKind::Undo { merge } => merge,
            PlanKind::Redo { undo } => undo,
            PlanKind::Merge => return false,
        };
        *taken == meta.id && r.state == crate::executor::State::Committed
    });
    MergeView {
        id: meta.id.clone(),
        analysis: meta.plan.clone(),
        kind: kind.to_owned(),
        of,
        undone_by: undone_by.map(|r| r.id.clone()),
        state: json!(meta.state),
        started_at: meta.started_at.clone(),
        committed_at: meta.committed_at.clone(),
        actor: meta.actor.clone(),
        note: meta.note.clone(),
        target: targets::of(app, &meta.database).ok().map(|t| t.name),
        database: meta.database.display.clone(),
        counts: json!(meta.counts),
    }
}

/// Lists merges and undos, newest first, also the command line's.
///
/// # Errors
/// `Failed`.
pub fn list(app: &App) -> Answer<Vec<MergeView>> {
    let (all, _) = receipt::list(app.home())?;
    Ok(all.iter().map(|meta| view(app, meta, &all)).collect())
}

fn receipt(app: &App, id: &str) -> Answer<Receipt> {
    let path = app.home().receipts().join(format!("{id}.receipt"));
    match is_id(id) && path.is_file() {
        true => Ok(Receipt::open(&path)?),
        false => Err(Problem::not_found("merge", id)),
    }
}

/// Describes one merge.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, id: &str) -> Answer<MergeView> {
    let (all, _) = receipt::list(app.home())?;
    Ok(view(app, receipt(app, id)?.meta(), &all))
}

/// Writes the report of a merge: one HTML file.
///
/// # Errors
/// `not_found`.
pub fn report_html(app: &App, id: &str) -> Answer<String> {
    let receipt = receipt(app, id)?;
    Ok(html::receipt(receipt.meta(), &crate::report::view::written(&receipt, &app.secrets())?))
}

/// Says what an undo would do: the three lists, with the counts.
///
/// # Errors
/// `not_found`, `unreachable`, `usage`, `plan_stale`.
pub fn undo_preview(app: &App, id: &str, only_tables: &[String]) -> Answer<Json> {
    let receipt = receipt(app, id)?;
    let mut database = targets::of(app, &receipt.meta().database)?.connect()?;
    let path = app.home().plans().join(format!("{}.undo", fresh_id('p')));
    let made = executor::undo::plan(app.home(), &receipt, database.as_mut(), only_tables, &path);
    let lists = made.and_then(|plan| Undone::of(&plan, &app.secrets()));
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let lists = lists?;
    Ok(
        json!({"merge": id, "counts": lists.counts_json(), "reversed": lists.reversed, "kept": lists.kept, "blocked": lists.blocked,
            "notes": lists.notes}),
    )
}

/// How a merge is to be taken back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUndo {
    /// Only these tables; empty: all.
    #[serde(default)]
    pub only_tables: Vec<String>,
    /// The target's name, for protected targets.
    #[serde(default)]
    pub confirm: Option<String>,
    /// What the audit log should say.
    #[serde(default)]
    pub note: Option<String>,
    /// Everything is done inside the transaction, which is then rolled back.
    #[serde(default)]
    pub dry_run: bool,
}

/// Takes a merge back, or an undo, as a job; what was changed since stays.
///
/// # Errors
/// `not_found`, `confirmation_needed`, `merge_running`, `conflict` for what was taken back already.
pub fn start_undo(app: &App, person: &Person, id: String, merge: &str, request: &NewUndo) -> Answer<Operation> {
    let view = get(app, merge)?;
    if let Some(by) = view.undone_by.filter(|_| request.only_tables.is_empty()) {
        return Err(Problem::own("conflict", format!("{merge} was taken back by {by} already")));
    }
    if person.own.is_some() {
        return Err(Problem::forbidden("only an operator takes a merge back"));
    }
    let meta = receipt(app, merge)?.meta().clone();
    let target = targets::of(app, &meta.database)?;
    if !request.dry_run {
        target.confirm(person, request.confirm.as_deref())?;
        approvals::check(app, person, &target, merge, approvals::UNDO)?;
    }
    let plan_id = fresh_id('p');
    let path = app.home().plans().join(format!("{plan_id}.undo"));
    let spec = Spec {
        id,
        kind: if request.dry_run { Kind::DryRun } else { Kind::Undo },
        target: Some(target.name.clone()),
        subject: Some(merge.to_owned()),
        plan: None,
        asked: None,
    };
    let options = MergeOptions {
        ending: if request.dry_run { Ending::RollBack } else { Ending::Commit },
        on_blocked: OnBlocked::Skip,
        actor: person.actor(),
        note: request.note.clone(),
        ..MergeOptions::default()
    };
    let (merge, request) = (merge.to_owned(), request.clone());
    if !request.dry_run {
        approvals::spend(app, &merge)?;
    }
    app.jobs().start(app, person, spec, move |app, job| {
        let receipt = receipt(app, &merge)?;
        let mut database = target.connect()?;
        let outcome = executor::undo::plan(app.home(), &receipt, database.as_mut(), &request.only_tables, &path)
            .and_then(|mut plan| {
                job.carries_out(&plan.meta().id);
                let secrets = app.secrets();
                let lists = Undone::of(&plan, &secrets)?;
                let report = executor::merge(&mut plan, database.as_mut(), app.home(), &options, job)
                    .map_err(|error| clean::error(&plan, &secrets, error))?;
                Ok((lists, clean::report(&plan, &secrets, report)))
            });
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let (lists, report) = outcome?;
        let notes = [lists.notes.as_slice(), &report.notes].concat();
        Ok(json!({"merge": Some(&report.merge).filter(|m| !m.is_empty()), "of": merge, "changed": report.changed,
            "dry_run": request.dry_run, "counts": lists.counts_json(), "reversed": lists.reversed,
            "kept": lists.kept, "blocked": lists.blocked,
            "notes": notes}))
    })
}
