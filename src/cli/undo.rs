//! `undo` and `redo`: take a merge back, or an undo; what was changed since stays.

use super::context::Context;
use super::merge::scrubbed;
use super::output::Done;
use super::signals::Working;
use crate::error::{Result, fail};
use crate::executor::receipt::{self, ReceiptMeta};
use crate::executor::undo::{OnKept, Wanted};
use crate::executor::{self, Ending, Home, MergeOptions, OnBlocked, OnStale, Receipt, State};
use crate::plan::{Plan, PlanKind};
use crate::report::text;
use crate::report::{Secrets, Undone, clean};
use clap::{Args, ValueEnum};
use serde_json::json;

const EXAMPLES: &str = "Examples:
  merganser undo
  merganser undo m-9c41 --on-kept force
  merganser undo m-9c41 --dry-run
  merganser undo m-9c41 --only-tables users --yes";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum KeptArg {
    /// They stay, and are listed.
    #[default]
    Report,
    /// Put them back as well: what was changed since is lost, and can be put back by undoing the undo.
    Force,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UndoArgs {
    /// The merge (undo) or the undo (redo); its id, or the beginning of it (default: the last one)
    merge: Option<String>,
    /// Do everything inside the transaction, then roll back
    #[arg(long)]
    dry_run: bool,
    /// Only these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    only_tables: Vec<String>,
    /// Records that were changed since
    #[arg(long, value_enum, default_value_t)]
    on_kept: KeptArg,
    /// The name of a protected target
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// What the audit log should say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn undo(context: &Context<'_>, args: &UndoArgs) -> Result<Done> {
    run(context, args, "undo")
}

pub(super) fn redo(context: &Context<'_>, args: &UndoArgs) -> Result<Done> {
    run(context, args, "redo")
}

fn is_undo(meta: &ReceiptMeta) -> bool {
    matches!(meta.kind, PlanKind::Undo { .. })
}

/// Finds what is to be taken back: the one named, else the last that was not taken back yet.
fn find(home: &Home, args: &UndoArgs, word: &str) -> Result<Receipt> {
    let (receipts, unreadable) = receipt::list(home)?;
    let committed: Vec<&ReceiptMeta> = receipts.iter().filter(|r| r.state == State::Committed).collect();
    // What took a receipt back, if anything did.
    let back = |id: &str| {
        committed.iter().find(|r| match &r.kind {
            PlanKind::Undo { merge } => merge == id,
            PlanKind::Redo { undo } => undo == id,
            PlanKind::Merge => false,
        })
    };
    let id = match &args.merge {
        Some(name) => {
            let path = match home.receipt_path(name) {
                Ok(path) => path,
                Err(error) => {
                    let lost = receipt::lost(home)?.into_iter().find(|e| e.merge == *name);
                    return Err(
                        lost.map_or_else(|| super::context::listed(error, "log"), |entry| irretrievable(&entry))
                    );
                }
            };
            let mut meta = Receipt::open(&path)?.meta().clone();
            if word == "redo" && !is_undo(&meta) {
                meta = (*back(&meta.id).ok_or_else(|| fail!(Usage, "{} was not undone", meta.id))?).clone();
            } else if word == "undo" && is_undo(&meta) {
                return Err(
                    fail!(Usage, "{} is an undo itself", meta.id).hint(format!("Use 'merganser redo {}'.", meta.id))
                );
            }
            // What was taken back and brought again is taken back where it was brought last.
            while let Some(again) = back(&meta.id).and_then(|r| back(&r.id)) {
                meta = (**again).clone();
            }
            meta.id
        }
        None => {
            let wanted = committed.iter().find(|r| is_undo(r) == (word == "redo") && back(&r.id).is_none());
            // The last one is meant, not the one before it because the last one's receipt is gone.
            let since = wanted.map_or("", |r| r.committed_at.as_deref().unwrap_or(&r.started_at));
            let lost = receipt::lost(home)?.into_iter().find(|e| (e.event == "undo") == (word == "redo"));
            if let Some(entry) = lost.filter(|e| e.time.as_str() > since) {
                let error = irretrievable(&entry);
                let before =
                    |r: &&&ReceiptMeta| format!("To take back what came before it: merganser {word} {}.", r.id);
                return Err(error.details(wanted.iter().map(before).collect()));
            }
            let nothing = || {
                let error = fail!(Usage, "there is nothing to {word} in {}", home.root().display());
                if unreadable.is_empty() { error } else { error.details(unreadable.clone()) }
            };
            wanted.ok_or_else(nothing)?.id.clone()
        }
    };
    Receipt::open(&home.receipts().join(format!("{id}.receipt")))
}

/// Says that something can't be taken back because its receipt is gone.
fn irretrievable(entry: &crate::executor::audit::Entry) -> crate::error::Error {
    fail!(
        PlanMismatch,
        "the receipt of {} ({}, on {}) is missing or damaged, so that it can't be taken back; nothing was changed",
        entry.merge,
        entry.time,
        entry.database
    )
    .hint("A whole backup made before it can be merged or restored instead ('merganser backup list').")
}

fn run(context: &Context<'_>, args: &UndoArgs, word: &str) -> Result<Done> {
    let home = context.home()?;
    crate::files::recover(&home)?;
    if super::files::alone(&home, args.merge.as_deref())? {
        return files_only(context, args, &home, word);
    }
    let receipt = find(&home, args, word)?;
    let meta = receipt.meta().clone();
    let target = context.target_of(&meta.database)?;
    if !args.dry_run {
        context.must_be_answerable(&target, args.confirm.as_deref())?;
    }
    for name in &args.only_tables {
        if !meta.schema.tables.iter().any(|t| t.label() == *name || t.name == *name) {
            let known: Vec<String> = meta.schema.tables.iter().map(crate::model::Table::label).collect();
            return Err(fail!(Usage, "--only-tables: {} wrote to no table {name:?}", meta.id)
                .hint(format!("The database has {}.", known.join(", "))));
        }
    }
    let mut database = target.connect(context.out)?;
    let path = home.plans().join(format!("{}.mplan", executor::home::fresh_id('p')));
    let on_kept = if args.on_kept == KeptArg::Force { OnKept::Force } else { OnKept::Report };
    let wanted = Wanted { only_tables: &args.only_tables, on_kept };
    let outcome = executor::undo::plan_with(&home, &receipt, database.as_mut(), &wanted, &path).and_then(|mut plan| {
        let secrets = context.secrets(Some(&target.settings))?;
        let lists = Undone::of(&plan, &secrets)?;
        let verb = if word == "undo" { "Undoing" } else { "Redoing" };
        context.out.chat(&format!("{verb} {} of {} on {}:", meta.id, meta.started_at, meta.database.display));
        context.out.text(&text::undone(&lists, 20, word));
        if !args.dry_run && lists.counts[0] > 0 {
            let question = format!(
                "{} back {} on {}?",
                if word == "undo" { "Take" } else { "Put" },
                text::plural(lists.counts[0], "change"),
                meta.database.display
            );
            context.confirm(&target, &question, args.confirm.as_deref())?;
        }
        carry_out(context, args, &home, &mut plan, database.as_mut(), (&lists, &secrets), word)
    });
    // An undo's plan can be made again at any time; it is of no use afterwards.
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let mut done = outcome?;
    done.fields.insert("of".to_owned(), json!(meta.id));
    Ok(done)
}

/// Takes back what was done to files alone.
fn files_only(context: &Context<'_>, args: &UndoArgs, home: &Home, word: &str) -> Result<Done> {
    let merge = args.merge.as_deref().expect("named");
    if args.dry_run {
        return Err(fail!(Usage, "{merge} wrote files only, which can't be tried").hint("Leave --dry-run out."));
    }
    let question = format!("{} back the files of {merge}?", if word == "undo" { "Take" } else { "Put" });
    context.confirm(&super::context::Target::default(), &question, args.confirm.as_deref())?;
    let by = executor::home::fresh_id(if word == "undo" { 'u' } else { 'm' });
    let carried = crate::files::undo(home, merge, &by)?.unwrap_or_default();
    let files = super::files::done(context, &carried);
    Ok(Done::with(&json!({"merge": by, "of": merge, "changed": true, "files": files})))
}

fn carry_out(
    context: &Context<'_>,
    args: &UndoArgs,
    home: &Home,
    plan: &mut Plan,
    database: &mut dyn crate::database::Database,
    (lists, secrets): (&Undone, &Secrets),
    word: &str,
) -> Result<Done> {
    let options = MergeOptions {
        ending: if args.dry_run { Ending::RollBack } else { Ending::Commit },
        on_stale: OnStale::Refuse,
        on_blocked: OnBlocked::Skip,
        actor: context.actor(),
        note: args.note.clone(),
        ..MergeOptions::default()
    };
    let report = {
        let _working = Working::begin();
        executor::merge(plan, database, home, &options, context.out)
    };
    let mut report = report.map_err(|error| scrubbed(error, plan, secrets))?;
    for line in report.left_out.iter_mut().chain(&mut report.notes) {
        *line = clean::line(plan, secrets, line);
    }
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let carried = match (&plan.meta().kind, args.dry_run || !args.only_tables.is_empty()) {
        (PlanKind::Undo { merge: past } | PlanKind::Redo { undo: past }, false) => {
            let by = super::files::id_of(&report.merge, if word == "undo" { 'u' } else { 'm' });
            crate::files::undo(home, past, &by)?.map(|carried| (by, carried))
        }
        _ => None,
    };
    let id = some(&report.merge).or_else(|| carried.as_ref().map(|(by, _)| by.clone()));
    let opposite = if word == "undo" { "redo" } else { "undo" };
    let last = match (&id, args.dry_run) {
        (_, true) => "Dry run: rolled back; nothing was changed.".to_owned(),
        (None, _) if word == "undo" => "Nothing to take back. Nothing was changed.".to_owned(),
        (None, _) => "Nothing to put back. Nothing was changed.".to_owned(),
        (Some(id), _) => format!("Done: {id}. Take it back with: merganser {opposite} {id}"),
    };
    report.notes.iter().for_each(|n| context.out.line(&format!("  Note: {}", text::shown(n))));
    context.out.line(&last);
    let notes = [lists.notes.as_slice(), &report.notes].concat();
    let mut done = Done::with(&json!({
        "merge": id,
        "receipt": some(&report.receipt),
        "changed": report.changed,
        "dry_run": args.dry_run,
        "counts": lists.counts_json(),
        "reversed": lists.reversed, "kept": lists.kept, "blocked": lists.blocked,
        "left_out": report.left_out,
        "notes": notes,
        "target": database.identity().display,
    }));
    if let Some((_, carried)) = &carried {
        done.fields.insert("files".to_owned(), super::files::done(context, carried));
    }
    done.fields.insert(opposite.to_owned(), json!(id.map(|id| format!("merganser {opposite} {id}"))));
    let blocked = lists.counts[2] > 0 || !report.left_out.is_empty();
    Ok(done.exit(if blocked { 3 } else { 0 }))
}
