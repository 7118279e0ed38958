//! `resolve`: answers conflicts, one by one or in bulk, from files, or by another strategy.

mod draw;
mod edit;
mod fields;
mod marks;
mod session;
mod terminal;

#[cfg(test)]
mod tests;

use self::draw::Palette;
use self::session::Session;
use super::compare::Deciding;
use super::context::Context;
use super::merge::restrategy;
use super::output::{Done, now};
use super::show::selector;
use crate::error::{Result, fail};
use crate::executor::Trust;
use crate::model::change::Class;
use crate::plan::choices::{self, Choice};
use crate::plan::decision::{self, FieldDecision};
use crate::plan::{Decision, Plan, Preview, Stored};
use crate::report::{Analyzed, Secrets, name_of, text};
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  merganser resolve p-9c41
  merganser resolve p-9c41 --take backup --where 'users: status = \"pending\"'
  merganser resolve p-9c41 --take current --table sms_verifications
  merganser resolve p-9c41 --record users/41 --field email=current --field name=backup
  merganser resolve p-9c41 --import decisions.json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Take {
    /// The backup's record.
    Backup,
    /// The current record.
    Current,
    /// The backup's fields, into the current record that holds the unique key; references follow
    IntoExisting,
    /// The backup's record beside the current one, under a new key; references follow
    NewKey,
    /// Only what marks the current record as deleted is taken back
    Undelete,
    /// Nothing is written for it.
    Skip,
}

impl Take {
    fn decision(self, plan: &Plan, record: &Stored) -> Result<Decision> {
        Ok(match self {
            Self::Backup => Decision::Backup,
            Self::Current => Decision::Current,
            Self::IntoExisting => Decision::IntoExisting,
            Self::NewKey => Decision::NewKey,
            Self::Undelete => choices::undeletion(plan, record).ok_or_else(|| {
                fail!(Usage, "undelete is impossible here: the current record is not marked as deleted")
            })?,
            Self::Skip => Decision::Skip,
        })
    }

    /// Returns the choice where not every conflict has it.
    fn special(self) -> Option<Choice> {
        match self {
            Self::IntoExisting => Some(Choice::IntoExisting),
            Self::NewKey => Some(Choice::NewKey),
            Self::Undelete => Some(Choice::Undelete),
            Self::Backup | Self::Current | Self::Skip => None,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ResolveArgs {
    /// The plan: an id, its beginning, or a file
    plan: String,
    /// The answer for all records that are meant
    #[arg(long, value_enum)]
    take: Option<Take>,
    /// Only this table
    #[arg(long)]
    table: Option<String>,
    /// Only this class (default: conflict; with --clear all)
    #[arg(long, value_delimiter = ',')]
    class: Vec<String>,
    /// Only records that meet a condition: 'users: status = "pending"'
    #[arg(long = "where", value_name = "TABLE: CONDITION")]
    condition: Option<String>,
    /// Only conflicts of this pattern, as 'show PLAN patterns' lists them
    #[arg(long)]
    pattern: Option<String>,
    /// One record: TABLE/KEY or its id
    #[arg(long, conflicts_with_all = ["table", "class", "condition", "pattern"])]
    record: Option<String>,
    /// The side a field is taken from
    #[arg(long, value_name = "FIELD=backup|current", conflicts_with = "take")]
    field: Vec<String>,
    /// A value for a field, as JSON or as text
    #[arg(long, value_name = "FIELD=VALUE", conflicts_with = "take")]
    set: Vec<String>,
    /// Take answers back
    #[arg(long, conflicts_with_all = ["take", "field", "set"])]
    clear: bool,
    /// What is noted beside the answer: why, whom you asked
    #[arg(long, value_name = "TEXT", conflicts_with = "clear")]
    note: Option<String>,
    /// Take answers from a file
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// Write the answers to a file ('-': stdout)
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Change a plan that was made or changed elsewhere
    #[arg(long)]
    trust_plan: bool,
    #[command(flatten)]
    deciding: Deciding,
}

pub(super) fn run(context: &Context<'_>, args: &ResolveArgs) -> Result<Done> {
    let home = context.home()?;
    let mut plan = context.plan(&args.plan)?;
    let key = home.key()?;
    // Sealing it again below must not hide that somebody else changed it.
    let trust = if args.trust_plan { Trust::Anything } else { Trust::SealedOnly };
    if trust == Trust::SealedOnly {
        plan.verify_seal(&key)?;
    }
    let by = context.actor();
    let mut tally = Tally::default();
    if args.deciding.is_given() {
        restrategy(&mut plan, &home, &args.deciding, trust)?;
        context.out.chat(&format!("Strategy: {}", plan.meta().strategy.0));
        tally.acted = true;
    }
    if let Some(path) = &args.import {
        import(context, &mut plan, path, &by, &mut tally)?;
    }
    let answers = args.take.is_some() || args.clear || !args.field.is_empty() || !args.set.is_empty();
    if let Some(name) = &args.record {
        if !answers {
            return Err(fail!(Usage, "what becomes of {name}?").hint("Add --take, --field, --set or --clear."));
        }
        let record = plan.record(name)?;
        answer(&mut plan, args, &[record], &by, &mut tally)?;
    } else if answers {
        let chosen = meant(&plan, args)?;
        if chosen.is_empty() {
            tally.nothing = Some(nothing_matched(&plan, args)?);
        }
        answer(&mut plan, args, &chosen, &by, &mut tally)?;
    }
    plan.write_seal(&key)?;
    if !tally.acted && args.export.is_none() {
        let secrets = context.secrets(None)?;
        ask_each(context, &mut plan, &secrets, &by, &mut tally)?;
    }
    let (preview, _) = plan.settle(context.out)?;
    plan.write_seal(&key)?;
    let mut document = None;
    if let Some(path) = &args.export {
        let decisions = plan.decisions()?;
        if path.as_os_str() == "-" {
            hides_nothing(&plan, &decisions, &context.secrets(None)?)?;
        }
        let text = decision::to_json(decisions);
        if path.as_os_str() == "-" && !context.out.is_json() {
            context.out.raw(&format!("{text}\n"));
            return Ok(Done::default());
        }
        if path.as_os_str() == "-" {
            document = serde_json::from_str::<Json>(&text).ok();
        } else {
            use std::io::Write as _;
            let mut file = crate::backup::AtomicFile::create(path)?;
            file.write_all(text.as_bytes())?;
            file.commit()?;
            context.out.chat(&format!("Decisions written to {}", path.display()));
        }
    }
    Ok(finish(context, &plan, preview, &tally, document))
}

#[derive(Default)]
struct Tally {
    acted: bool,
    decided: u64,
    removed: u64,
    /// What was looked at where nothing matched.
    nothing: Option<String>,
    left: Vec<String>,
}

impl Tally {
    fn note(&mut self, count: u64) {
        self.acted = true;
        self.decided += count;
    }
}

fn finish(context: &Context<'_>, plan: &Plan, preview: Preview, tally: &Tally, document: Option<Json>) -> Done {
    let out = context.out;
    if let Some(nothing) = &tally.nothing {
        out.line(nothing);
    } else if tally.removed > 0 {
        out.line(&format!("{} removed.", text::plural(tally.removed, "answer")));
    } else if tally.decided > 0 || tally.acted {
        out.line(&format!("{} answered.", text::plural(tally.decided, "record")));
    }
    tally.left.iter().for_each(|line| out.line(&format!("  not taken: {}", text::shown(line))));
    out.line(&format!("A merge would write: {}.", text::writes(&preview)));
    out.chat(&format!("Next: {}", text::next(&preview, &name_of(plan))));
    let mut done = Done::with(&json!({
        "plan": Analyzed::of(plan, preview).plan, "id": plan.meta().id, "decided": tally.decided, "removed": tally.removed,
        "not_taken": tally.left, "strategy": plan.meta().strategy.0,
        "undecided": preview.undecided, "preview": preview, "changed": false,
    }));
    if let Some(document) = document {
        done.fields.insert("decisions".to_owned(), document["decisions"].clone());
    }
    done
}

fn meant(plan: &Plan, args: &ResolveArgs) -> Result<Vec<Stored>> {
    let mut selector = selector(plan, args.table.as_deref(), &args.class, args.condition.as_deref())?;
    if selector.classes.is_empty() && !args.clear {
        selector.classes = vec![Class::Conflict];
        if args.take == Some(Take::Undelete) {
            selector.classes.push(Class::Updated);
        }
    }
    selector.pattern.clone_from(&args.pattern);
    let mut chosen = Vec::new();
    let special = args.take.and_then(Take::special);
    plan.each(&selector, &mut |record| {
        // In bulk only those are meant for which the choice is possible.
        let possible = special.is_none_or(|choice| choices::refusal(plan, &record, choice).is_none());
        if possible && (!args.clear || record.decision.is_some()) {
            chosen.push(record);
        }
        Ok(())
    })?;
    Ok(chosen)
}

/// Says what was looked at where no record matched.
fn nothing_matched(plan: &Plan, args: &ResolveArgs) -> Result<String> {
    let place = match &args.table {
        Some(name) => plan.meta().schema.tables[plan.table(name)?].label(),
        None => "the plan".to_owned(),
    };
    let narrowed = if args.condition.is_some() || args.pattern.is_some() { " that meets the condition" } else { "" };
    let what = match (args.clear, args.class.as_slice()) {
        (true, _) => "no record with an answer".to_owned(),
        (false, []) => "no conflict".to_owned(),
        (false, classes) => format!("no record of the class {}", classes.join(" or ")),
    };
    let more = if args.class.is_empty() && !args.clear {
        "; only conflicts were looked at: --class new,updated,... takes others"
    } else {
        ""
    };
    Ok(format!("Nothing matched: {} has {what}{narrowed}{more}.", text::shown(&place)))
}

/// Answers records, all or none of them.
fn answer(plan: &mut Plan, args: &ResolveArgs, records: &[Stored], by: &str, tally: &mut Tally) -> Result<()> {
    let fields = fields(args)?;
    plan.together(|plan| {
        records.iter().try_for_each(|record| {
            let decision = match args.take {
                Some(take) => Some(take.decision(plan, record)?),
                None if fields.is_empty() => None,
                None => Some(extended(plan, record, fields.clone())?),
            };
            plan.decide(record, decision, by, &now())?;
            plan.annotate(record.finding.id, args.note.as_deref())
        })
    })?;
    tally.acted = true;
    if args.clear {
        tally.removed += records.iter().filter(|r| r.decision.is_some()).count() as u64;
    } else {
        tally.decided += records.len() as u64;
    }
    Ok(())
}

/// Adds answers by field to what was answered for a record before; a field that is named again gets the new answer.
fn extended(plan: &Plan, record: &Stored, fields: BTreeMap<String, FieldDecision>) -> Result<Decision> {
    let table = &plan.meta().schema.tables[record.finding.table];
    // Checked first: it gives the fields the table's own names, so that one of another spelling replaces its answer.
    let known = || {
        let names = table.columns.iter().enumerate().filter(|(c, column)| column.writable() && !table.key.contains(c));
        names.map(|(_, column)| column.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let checked = (Decision::Fields { fields }).checked(table).map_err(|error| match error.hint_text() {
        Some(_) => error,
        None => error.hint(format!("Fields of {} that can be decided: {}.", table.label(), known())),
    })?;
    let Decision::Fields { fields } = checked else {
        return Err(fail!(Failed, "answers by field stay answers by field"));
    };
    let mut all = match &record.decision {
        Some(Decision::Fields { fields }) => fields.clone(),
        Some(Decision::Backup) => record
            .finding
            .fields
            .iter()
            .filter(|f| f.backup.is_some() && !table.key.contains(&f.column) && table.columns[f.column].writable())
            .map(|f| (table.columns[f.column].name.clone(), FieldDecision::Backup))
            .collect(),
        Some(Decision::Current | Decision::Skip | Decision::IntoExisting | Decision::NewKey) | None => BTreeMap::new(),
    };
    all.extend(fields);
    Ok(Decision::Fields { fields: all })
}

/// Reads the answers by field.
fn fields(args: &ResolveArgs) -> Result<BTreeMap<String, FieldDecision>> {
    let mut fields = BTreeMap::new();
    for text in &args.field {
        let (name, answer) =
            sided(text).map_err(|e| e.at("--field").hint("A value of your own is given with --set FIELD=VALUE."))?;
        fields.insert(name, answer);
    }
    for text in &args.set {
        let Some((name, value)) = text.split_once('=') else {
            return Err(fail!(Usage, "--set {text:?}: write FIELD=VALUE"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
        fields.insert(name.to_owned(), FieldDecision::Value(value));
    }
    Ok(fields)
}

/// Refuses to print decisions in which somebody typed a value for a secret column; a file is private and takes them.
fn hides_nothing(plan: &Plan, decisions: &[decision::Entry], secrets: &Secrets) -> Result<()> {
    for entry in decisions {
        let Decision::Fields { fields } = &entry.decision else { continue };
        let hidden = |(column, answer): &(&String, &FieldDecision)| {
            matches!(answer, FieldDecision::Value(_)) && secrets.hides(&entry.table, column)
        };
        if let Some((column, _)) = fields.iter().find(hidden) {
            return Err(fail!(
                Usage,
                "the decisions of {} hold a value for the secret column {}.{column}",
                plan.meta().id,
                entry.table
            )
            .hint("Write them to a file, which only you can read, or add --show-secrets."));
        }
    }
    Ok(())
}

fn import(context: &Context<'_>, plan: &mut Plan, path: &PathBuf, by: &str, tally: &mut Tally) -> Result<()> {
    let unreadable = |e: std::io::Error| {
        fail!(Usage, "the decisions file {} can't be read", path.display())
            .because(e)
            .hint("Check the path; 'merganser resolve PLAN --export FILE' writes such a file.")
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > decision::LARGEST_BYTES {
        return Err(fail!(LimitReached, "the decisions file {} is larger than 64 MiB", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let entries = decision::from_json(&text, &|name| plan.table(name).is_ok())?;
    let (taken, left) = plan.import(entries, by)?;
    left.iter().for_each(|line| context.out.event(&json!({"type": "warning", "message": line})));
    tally.note(taken);
    tally.left = left;
    Ok(())
}

/// Decides conflict by conflict on the terminal.
fn ask_each(context: &Context<'_>, plan: &mut Plan, secrets: &Secrets, by: &str, tally: &mut Tally) -> Result<()> {
    let (preview, _) = plan.settle(context.out)?;
    if preview.undecided == 0 {
        context.out.line("No conflict waits for a decision.");
        return Ok(());
    }
    if !context.can_ask() {
        return Err(fail!(
            ConfirmationNeeded,
            "{} for a decision, and there is no terminal to ask on",
            if preview.undecided == 1 {
                "1 conflict waits".to_owned()
            } else {
                format!("{} conflicts wait", preview.undecided)
            }
        )
        .hint("Add --take backup|current|skip, --import FILE or --strategy NAME; 'show PLAN conflicts' lists them."));
    }
    let palette = if context.out.colors() { Palette::Colored } else { Palette::Plain };
    let seal_key = context.home()?.key()?;
    // What settling stored is part of what is sealed from here on.
    plan.write_seal(&seal_key)?;
    if let Some(mut session) = Session::begin(plan, secrets, seal_key, by)? {
        terminal::run(&mut session, palette)?;
        tally.note(session.answered());
    }
    Ok(())
}

/// Reads `FIELD=backup` or `FIELD=current`.
fn sided(text: &str) -> Result<(String, FieldDecision)> {
    match text.split_once('=') {
        Some((name, "backup")) => Ok((name.to_owned(), FieldDecision::Backup)),
        Some((name, "current")) => Ok((name.to_owned(), FieldDecision::Current)),
        _ => Err(fail!(Usage, "{text:?}: write FIELD=backup or FIELD=current")),
    }
}
