//! `merge`: carries out a plan, or analyzes a file first and carries that out.

use super::analyze::{must_exist, refresh};
use super::args::duration;
use super::compare::{Compare, Deciding, Wanted, analyze};
use super::context::{Context, Target};
use super::output::{Done, Output};
use super::signals::Working;
use crate::catalog::Catalog;
use crate::database::{Database, Isolation, WriteOptions};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::executor::home::fresh_id;
use crate::executor::{self, Ending, Home, MaxChanges, MergeOptions, MergeReport, OnBlocked, OnStale, Trust};
use crate::files::{self, FileOutcome};
use crate::plan::{Outcome, Plan, PlanKind, Selector};
use crate::report::text::{self, Saved, summary};
use crate::report::{Analyzed, Merged, Secrets, clean, name_of};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLES: &str = "Examples:
  merganser merge p-9c41
  merganser merge p-9c41 --yes --json
  merganser merge backup.json --to dev --strategy newest-wins --dry-run";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum StaleArg {
    /// Write nothing.
    #[default]
    Refuse,
    /// Leave changed records out.
    Skip,
    /// Analyze again, keep the decisions, and merge that.
    Reanalyze,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum BlockedArg {
    /// Write nothing.
    #[default]
    Refuse,
    /// Leave blocked records out.
    Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum IsolationArg {
    /// One consistent view; what is written is locked and compared again.
    #[default]
    RepeatableRead,
    /// As if nobody else was there.
    Serializable,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MergeArgs {
    /// A plan (id or file), or a backup to analyze and merge
    plan: String,
    /// Do everything inside the transaction, then roll back
    #[arg(long)]
    dry_run: bool,
    /// Current records that changed since the analysis
    #[arg(long, value_enum, default_value_t)]
    on_stale: StaleArg,
    /// Records that can't be written
    #[arg(long, value_enum, default_value_t)]
    on_blocked: BlockedArg,
    /// Write a whole backup before anything else
    #[arg(long)]
    backup_first: bool,
    /// How long to wait for locks
    #[arg(long, value_name = "DUR", value_parser = duration)]
    lock_timeout: Option<Duration>,
    /// How long one statement may take
    #[arg(long, value_name = "DUR", value_parser = duration)]
    statement_timeout: Option<Duration>,
    /// How long records may stay locked; then everything is rolled back
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_lock_time: Option<Duration>,
    /// What the transaction may see of others (PostgreSQL, MariaDB)
    #[arg(long, value_enum, default_value_t)]
    isolation: IsolationArg,
    /// How many records are written and read back in one go
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_size: u16,
    /// Stop if more records would change: a number, or a share of the backup's records such as 5%
    #[arg(long, value_name = "N|N%", value_parser = max_changes)]
    max_changes: Option<MaxChanges>,
    /// The name of a protected target
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// What the audit log should say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Carry out a plan that was made or changed elsewhere
    #[arg(long)]
    trust_plan: bool,
    /// Keep the plan that was made for a backup given directly
    #[arg(long)]
    keep_plan: bool,
    #[command(flatten)]
    deciding: Deciding,
    #[command(flatten)]
    compare: Compare,
    #[arg(skip)]
    into: Into,
}

/// What the tables may hold already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Into {
    /// Whatever it is.
    #[default]
    Anything,
    /// Nothing.
    EmptyTables,
}

/// A merge that restores a backup.
pub(super) struct Restoring {
    pub(super) file: String,
    pub(super) into: Into,
    pub(super) dry_run: bool,
    pub(super) backup_first: bool,
    pub(super) confirm: Option<String>,
    pub(super) note: Option<String>,
    pub(super) deciding: Deciding,
    pub(super) compare: Compare,
}

fn max_changes(text: &str) -> std::result::Result<MaxChanges, String> {
    let wrong = || "write a number such as 500, or a share such as 5%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent = percent.trim().parse().map_err(|_| wrong())?;
            if (0.0..=100.0).contains(&percent) { Ok(MaxChanges::Percent(percent)) } else { Err(wrong()) }
        }
        None => text.trim().parse().map(MaxChanges::Records).map_err(|_| wrong()),
    }
}

impl MergeArgs {
    /// Returns the arguments of a merge that restores a backup.
    pub(super) fn restoring(request: Restoring) -> Self {
        Self {
            plan: request.file,
            dry_run: request.dry_run,
            on_stale: StaleArg::default(),
            on_blocked: BlockedArg::default(),
            backup_first: request.backup_first,
            lock_timeout: None,
            statement_timeout: None,
            max_lock_time: None,
            isolation: IsolationArg::default(),
            batch_size: 0,
            max_changes: None,
            confirm: request.confirm,
            note: request.note,
            trust_plan: false,
            keep_plan: false,
            deciding: request.deciding,
            compare: request.compare,
            into: request.into,
        }
    }

    fn options(&self, context: &Context<'_>) -> MergeOptions {
        let usual = WriteOptions::default();
        MergeOptions {
            ending: if self.dry_run { Ending::RollBack } else { Ending::Commit },
            on_stale: if self.on_stale == StaleArg::Skip { OnStale::Skip } else { OnStale::Refuse },
            on_blocked: if self.on_blocked == BlockedArg::Skip { OnBlocked::Skip } else { OnBlocked::Refuse },
            trust: if self.trust_plan { Trust::Anything } else { Trust::SealedOnly },
            max_changes: self.max_changes,
            write: WriteOptions {
                lock_timeout: self.lock_timeout.unwrap_or(usual.lock_timeout),
                statement_timeout: self.statement_timeout.unwrap_or(usual.statement_timeout),
                isolation: match self.isolation {
                    IsolationArg::RepeatableRead => Isolation::RepeatableRead,
                    IsolationArg::Serializable => Isolation::Serializable,
                },
            },
            max_lock_time: self.max_lock_time,
            batch: usize::from(self.batch_size),
            actor: context.actor(),
            note: self.note.clone(),
        }
    }
}

pub(super) fn run(context: &Context<'_>, args: &MergeArgs) -> Result<Done> {
    let home = context.home()?;
    let (mut plan, target, temporary) = match saved_plan(&home, &args.plan)? {
        Some(path) => {
            let mut plan = Plan::open(&path)?;
            if let [first, ..] = args.compare.given().as_slice() {
                return Err(fail!(
                    Usage,
                    "{first} belongs to an analysis; the plan {} is made already",
                    plan.meta().id
                )
                .hint("Analyze again with it, or merge the backup itself."));
            }
            let target = context.target_of(&plan.meta().database)?;
            if !args.dry_run
                && let Err(error) = context.must_be_answerable(&target, args.confirm.as_deref())
            {
                // What the plan itself lacks comes first: a confirmation alone would not carry it out.
                let secrets = context.secrets(Some(&target.settings))?;
                return Err(unready(context, args, &mut plan, &secrets)?.unwrap_or(error));
            }
            (plan, target, None)
        }
        None => {
            let target = context.target()?;
            if !args.dry_run {
                context.must_be_answerable(&target, args.confirm.as_deref())?;
            }
            let (plan, path) = analyzed(context, args, &home, &target)?;
            (plan, target, Some(path))
        }
    };
    let outcome = carry_out(context, args, &home, &mut plan, &target).map_err(|error| {
        // The plan of a backup given directly is gone by then.
        if error.kind() == ErrorKind::PlanStale && temporary.is_some() && !args.keep_plan {
            return error.hint("Run the same command again: it analyzes the backup anew.");
        }
        error
    });
    let keep = args.keep_plan || outcome.as_ref().is_err_and(|e| e.kind() == ErrorKind::NeedsDecision);
    if let Some(path) = temporary.filter(|_| !keep) {
        drop(plan);
        std::fs::remove_file(path)?;
    }
    outcome
}

/// Finds the plan that is meant; `None` for a backup's file.
fn saved_plan(home: &Home, name: &str) -> Result<Option<PathBuf>> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(is_plan(path).then(|| path.to_owned()));
    }
    let looks_like_file = name.contains(['/', '.']) || path.exists();
    match home.plan_path(name) {
        Ok(path) => Ok(Some(path)),
        Err(_) if looks_like_file && !name.ends_with(".mplan") => must_exist(path).map(|()| None),
        Err(error) => super::context::listed_in(Err(error), "status"),
    }
}

/// Says what a person has to decide first, if anything.
fn unready(context: &Context<'_>, args: &MergeArgs, plan: &mut Plan, secrets: &Secrets) -> Result<Option<Error>> {
    if args.deciding.is_given() {
        return Ok(None);
    }
    let (preview, _) = plan.settle(context.out)?;
    let lines = |outcome| -> Result<Vec<String>> {
        let selector = Selector { outcome: Some(outcome), ..Selector::default() };
        Ok(plan.page(&selector, 0, 100)?.records.iter().map(|r| text::line(plan, r, secrets)).collect())
    };
    let next = format!("Next: {}", text::next(&preview, &name_of(plan)));
    if preview.undecided > 0 {
        let many = text::plural(preview.undecided, "conflict");
        let error = fail!(NeedsDecision, "{many} undecided; nothing was changed");
        return Ok(Some(error.details(lines(Outcome::Undecided)?).hint(next)));
    }
    if preview.blocked > 0 && args.on_blocked == BlockedArg::Refuse {
        let many = text::plural(preview.blocked, "record");
        let error = fail!(NeedsDecision, "{many} can't be written; nothing was changed");
        let hint = completing(plan)?.map_or(next.clone(), |how| format!("{next}; or {how}"));
        return Ok(Some(error.details(lines(Outcome::Blocked)?).hint(hint)));
    }
    Ok(None)
}

/// Most records that a merge lists as left out; the plan lists the rest.
const MOST_LISTED: usize = 1_000;

/// Lists the records that the plan knows can't be written, which a merge has left out.
fn blocked(plan: &Plan, secrets: &Secrets) -> Result<Vec<String>> {
    let selector = Selector { outcome: Some(Outcome::Blocked), ..Selector::default() };
    let page = plan.page(&selector, 0, MOST_LISTED)?;
    let mut lines: Vec<String> = page.records.iter().map(|r| text::line(plan, r, secrets)).collect();
    if lines.len() == MOST_LISTED {
        lines.push(format!("perhaps more: merganser show {} records --outcome blocked", name_of(plan)));
    }
    Ok(lines)
}

/// Names the command that gives blocked records the value they lack, where that is all they lack.
fn completing(plan: &Plan) -> Result<Option<String>> {
    let selector = Selector { outcome: Some(Outcome::Blocked), ..Selector::default() };
    let page = plan.page(&selector, 0, 20)?;
    Ok(page.records.iter().find_map(|record| text::completing(plan, record, &name_of(plan))))
}

/// Tells a plan by its header: an SQLite file with the application id `MRGN`.
pub(super) fn is_plan(path: &Path) -> bool {
    let mut head = [0u8; 72];
    std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok()
        && head.starts_with(b"SQLite format 3\0")
        && &head[68..72] == b"MRGN"
}

fn analyzed(context: &Context<'_>, args: &MergeArgs, home: &Home, target: &Target) -> Result<(Plan, PathBuf)> {
    let read = args.compare.read.options(context);
    crate::backup::unlock(Path::new(&args.plan), &read.keys)?;
    let options = args.compare.options(&args.deciding, target)?;
    let configured = context.config()?.settings.strategy.clone();
    let strategy = args.deciding.name(args.compare.intent, configured.as_deref());
    let id = fresh_id('p');
    let out = home.plans().join(format!("{id}.mplan"));
    let mut database = target.connect(context.out)?;
    executor::writable(database.as_mut())?;
    let base = args.compare.base(context, home, Path::new(&args.plan), database.identity())?;
    let wanted = Wanted {
        backup: Path::new(&args.plan),
        base: base.as_deref(),
        read,
        options,
        strategy: &strategy,
        table_strategies: args.deciding.tables()?,
        id,
        out: &out,
        files: args.compare.files.wanted(),
    };
    let (plan, _) = analyze(context, home, database.as_mut(), wanted)?;
    if args.into == Into::EmptyTables
        && let Err(error) = must_be_empty(&plan)
    {
        drop(plan);
        std::fs::remove_file(&out)?;
        return Err(error);
    }
    Ok((plan, out))
}

/// Fails where the tables that the backup carries hold records.
fn must_be_empty(plan: &Plan) -> Result<()> {
    let held = |c: &crate::model::change::Counts| c.current_only + c.unchanged + c.updated + c.conflict;
    let full: Vec<String> = plan
        .meta()
        .tables
        .iter()
        .filter(|table| held(&table.counts) > 0)
        .map(|table| format!("{}: {}", table.name, text::plural(held(&table.counts), "record")))
        .collect();
    if full.is_empty() {
        return Ok(());
    }
    let display = &plan.meta().database.display;
    Err(fail!(Usage, "the tables of {display} are not empty; nothing was changed").details(full).hint(
        "Say what becomes of the records there: --existing overwrite, keep or clear; or analyze first with 'merganser analyze'.",
    ))
}

fn carry_out(context: &Context<'_>, args: &MergeArgs, home: &Home, plan: &mut Plan, target: &Target) -> Result<Done> {
    if plan.meta().kind != PlanKind::Merge {
        return Err(fail!(Usage, "the plan {} takes a merge back; use 'merganser undo'", plan.meta().id));
    }
    if args.deciding.is_given() && saved(args) {
        restrategy(plan, home, &args.deciding, if args.trust_plan { Trust::Anything } else { Trust::SealedOnly })?;
    }
    let (preview, _) = plan.settle(context.out)?;
    let shown = Analyzed::of(plan, preview);
    let secrets = context.secrets(Some(&target.settings))?;
    context.out.chat(&summary(&shown, plan, &secrets, Saved::No));
    files::recover(home)?;
    let settled = files::settle(plan.meta())?;
    super::files::say(context, plan, &settled);
    super::files::needs_nobody(plan, &settled, args.on_blocked == BlockedArg::Skip)?;
    let mut database = target.connect(context.out)?;
    let options = args.options(context);
    if !args.dry_run && preview.undecided == 0 && preview.writes() + settled.writes() > 0 {
        let mut question =
            format!("Apply {} to {}?", text::plural(preview.writes(), "change"), database.identity().display);
        if let Some(found) = plan.meta().files.as_ref().filter(|_| settled.writes() > 0) {
            let deleted = settled.count(|outcome| *outcome == FileOutcome::Delete);
            let many = text::plural(settled.writes(), "file");
            question = format!("This changes {many} in {}, {deleted} of them deleted. {question}", found.root);
        }
        if preview.deleted > 0 {
            question = format!("This deletes {}. {question}", text::plural(preview.deleted, "record"));
        }
        context.confirm(target, &question, args.confirm.as_deref())?;
    }
    let backup = if args.backup_first && !args.dry_run && preview.writes() > 0 {
        Some(super::backup::before_merge(context, home, database.as_mut())?)
    } else {
        None
    };
    let staged = match args.dry_run {
        true => None,
        false => super::files::prepare(plan, &settled, home, &args.compare.read.options(context))?,
    };
    let report = match attempt(context, args, home, plan, database.as_mut(), &options) {
        Ok(report) => report,
        Err(error) => {
            // Unless it is not known how the records ended, nothing becomes of the files.
            if let Some(staged) = staged.filter(|_| error.kind() != ErrorKind::OutcomeUnknown) {
                staged.abandon()?;
            }
            return Err(scrubbed(error, plan, &secrets));
        }
    };
    let merge = super::files::id_of(&report.merge, 'm');
    let carried = match (staged, &report.already) {
        (Some(staged), None) => Some(staged.commit(&merge)?),
        (Some(staged), Some(_)) => {
            staged.abandon()?;
            None
        }
        (None, _) => None,
    };
    if let Err(error) = Catalog::open(home).and_then(|mut c| c.share_merged(plan, &report, database.identity())) {
        // The merge is done; a base that is not found later costs a question, not data.
        context.out.warning(&format!("the catalog does not know of this merge: {}", error.full_message()));
    }
    let mut merged = Merged::of(&report, &plan.meta().id, options.ending);
    for line in &mut merged.left_out {
        *line = clean::line(plan, &secrets, line);
    }
    if report.already.is_none() && report.counts.blocked > 0 {
        merged.left_out.extend(blocked(plan, &secrets)?);
    }
    context.out.text(&text::merged(&merged, &database.identity().display));
    let mut done = Done::with(&merged);
    done.fields.insert("target".to_owned(), json!(database.identity().display));
    if let Some(carried) = &carried {
        done.fields.insert("files".to_owned(), super::files::done(context, carried));
        done.fields.insert("merge".to_owned(), json!(merge));
        done.fields.insert("changed".to_owned(), json!(true));
        if report.merge.is_empty() {
            context.out.line(&format!("Take it back with: merganser undo {merge}"));
        }
    }
    if let Some(path) = backup {
        context.out.line(&format!("Backup made before: {path}"));
        done.fields.insert("backup".to_owned(), json!(path));
    }
    let left_out = report.counts.blocked + report.counts.stale > 0
        || !report.left_out.is_empty()
        || carried.is_some_and(|carried| !carried.kept.is_empty());
    Ok(done.exit(if left_out { 3 } else { 0 }))
}

/// Removes secret values from an error about records of the plan, and names the plan so that it is found.
pub(super) fn scrubbed(error: Error, plan: &Plan, secrets: &Secrets) -> Error {
    let error = clean::error(plan, secrets, error);
    // A plan that is kept elsewhere is not found by its id.
    let mut hint = error.hint_text().map(|h| h.replace(&plan.meta().id, &name_of(plan)));
    if error.kind() == ErrorKind::NeedsDecision
        && let Ok(Some(how)) = completing(plan)
    {
        hint = Some(hint.map_or(how.clone(), |hint| format!("{hint} Or {how}")));
    }
    if hint.is_none() && error.full_message().contains("UNIQUE constraint failed") {
        let name = name_of(plan);
        hint = Some(format!(
            "Another record holds the value; where it was given with --set, give another: merganser resolve {name} --record TABLE/KEY --set FIELD=VALUE"
        ));
    }
    if hint.is_none() && error.full_message().contains(clean::UNSAID) {
        hint = Some("--show-secrets shows them.".to_owned());
    }
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn saved(args: &MergeArgs) -> bool {
    !Path::new(&args.plan).is_file() || is_plan(Path::new(&args.plan))
}

/// Gives a plan another strategy; a plan made elsewhere is noticed before it is sealed again.
pub(super) fn restrategy(plan: &mut Plan, home: &Home, deciding: &Deciding, trust: Trust) -> Result<()> {
    let key = home.key()?;
    if trust == Trust::SealedOnly {
        plan.verify_seal(&key)?;
    }
    let preserve = (deciding.preserve_newer || deciding.no_preserve_newer).then_some(!deciding.no_preserve_newer);
    plan.take_strategy(&key, deciding.strategy.as_deref(), &deciding.tables()?, preserve)
}

fn attempt(
    context: &Context<'_>,
    args: &MergeArgs,
    home: &Home,
    plan: &mut Plan,
    database: &mut dyn Database,
    options: &MergeOptions,
) -> Result<MergeReport> {
    let out: &Output = context.out;
    let first = {
        let _working = Working::begin();
        executor::merge(plan, database, home, options, out)
    };
    match first {
        Err(error) if error.kind() == ErrorKind::PlanStale && args.on_stale == StaleArg::Reanalyze => {
            out.warning("the plan is stale; analyzing again");
            let (fresh, preview, _) = refresh(context, plan, None)?;
            let fresh_path = fresh.path().to_owned();
            *plan = fresh;
            out.chat(&format!("A merge would write now: {}.", text::writes(&preview)));
            let _working = Working::begin();
            let outcome = executor::merge(plan, database, home, options, out);
            if outcome.is_ok() && !args.keep_plan {
                std::fs::remove_file(fresh_path)?;
            }
            outcome
        }
        other => other,
    }
}
