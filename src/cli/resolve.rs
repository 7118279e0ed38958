//! `resolve`: answers conflicts, one by one or in bulk, from files, or by another strategy.

use super::compare::Deciding;
use super::context::Context;
use super::merge::restrategy;
use super::output::{Done, now};
use super::show::selector;
use crate::error::{Result, fail};
use crate::executor::Trust;
use crate::model::change::Class;
use crate::plan::decision::{self, FieldDecision};
use crate::plan::{Decision, Outcome, Plan, Preview, Selector, Stored};
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
    /// Nothing is written for it.
    Skip,
}

impl Take {
    fn decision(self) -> Decision {
        match self {
            Self::Backup => Decision::Backup,
            Self::Current => Decision::Current,
            Self::Skip => Decision::Skip,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, before_long_help = EXAMPLES)]
pub(super) struct ResolveArgs {
    /// The plan: an id, its beginning, or a file
    plan: String,
    /// The answer for all records that are meant
    #[arg(long, value_enum)]
    take: Option<Take>,
    /// Only this table
    #[arg(long)]
    table: Option<String>,
    /// Only this class (default: conflict)
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
    #[arg(long, value_name = "FIELD=backup|current", requires = "record")]
    field: Vec<String>,
    /// A value for a field, as JSON or as text
    #[arg(long, value_name = "FIELD=VALUE", requires = "record")]
    set: Vec<String>,
    /// Take answers back
    #[arg(long, conflicts_with_all = ["take", "field", "set"])]
    clear: bool,
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
        let decision = one(args)?;
        plan.decide(&record, decision, &by, &now())?;
        tally.note(1);
    } else if answers {
        let chosen = meant(&plan, args)?;
        let decision = args.take.map(Take::decision);
        plan.together(|plan| chosen.iter().try_for_each(|r| plan.decide(r, decision.clone(), &by, &now())))?;
        tally.note(chosen.len() as u64);
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
        let text = decision::to_json(plan.decisions()?);
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
    if tally.decided > 0 || tally.acted {
        out.line(&format!("{} answered.", text::plural(tally.decided, "record")));
    }
    tally.left.iter().for_each(|line| out.line(&format!("  not taken: {}", text::shown(line))));
    out.line(&format!("A merge would write: {}.", text::writes(&preview)));
    let next = if preview.undecided > 0 { "resolve" } else { "merge" };
    out.chat(&format!("Next: merganser {next} {}", text::shown(&name_of(plan))));
    let mut done = Done::with(&json!({
        "plan": Analyzed::of(plan, preview).plan, "id": plan.meta().id, "decided": tally.decided,
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
    if selector.classes.is_empty() {
        selector.classes = vec![Class::Conflict];
    }
    selector.pattern.clone_from(&args.pattern);
    let mut chosen = Vec::new();
    plan.each(&selector, &mut |record| {
        chosen.push(record);
        Ok(())
    })?;
    Ok(chosen)
}

/// Reads the answer for one record.
fn one(args: &ResolveArgs) -> Result<Option<Decision>> {
    if args.field.is_empty() && args.set.is_empty() {
        return Ok(args.take.map(Take::decision));
    }
    let mut fields = BTreeMap::new();
    for text in &args.field {
        let (name, side) = text.split_once('=').unwrap_or((text, ""));
        let answer = match side {
            "backup" => FieldDecision::Backup,
            "current" => FieldDecision::Current,
            _ => {
                return Err(fail!(Usage, "--field {text:?}: write FIELD=backup or FIELD=current")
                    .hint("A value of your own is given with --set FIELD=VALUE."));
            }
        };
        fields.insert(name.to_owned(), answer);
    }
    for text in &args.set {
        let Some((name, value)) = text.split_once('=') else {
            return Err(fail!(Usage, "--set {text:?}: write FIELD=VALUE"));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.to_owned()));
        fields.insert(name.to_owned(), FieldDecision::Value(value));
    }
    Ok(Some(Decision::Fields { fields }))
}

fn import(context: &Context<'_>, plan: &mut Plan, path: &PathBuf, by: &str, tally: &mut Tally) -> Result<()> {
    let unreadable = |e: std::io::Error| fail!(Usage, "the decisions file {} can't be read", path.display()).because(e);
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

/// Asks for each undecided conflict on the terminal.
fn ask_each(context: &Context<'_>, plan: &mut Plan, secrets: &Secrets, by: &str, tally: &mut Tally) -> Result<()> {
    let (preview, _) = plan.settle(context.out)?;
    let waiting = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
    if preview.undecided == 0 {
        context.out.line("No conflict waits for a decision.");
        return Ok(());
    }
    if !context.can_ask() {
        return Err(fail!(
            ConfirmationNeeded,
            "{} wait for a decision, and there is no terminal to ask on",
            text::plural(preview.undecided, "conflict")
        )
        .hint("Add --take backup|current|skip, --import FILE or --strategy NAME; 'show PLAN conflicts' lists them."));
    }
    let mut after = 0;
    while let Some(record) = plan.page(&waiting, after, 1)?.records.pop() {
        after = record.finding.id;
        context.out.stderr(&format!("\n{}", text::record(plan, &record, secrets)));
        loop {
            let answer = context.ask("  b backup, c current, s skip, n next, q save and quit: ")?;
            let take = match answer.trim() {
                "b" => Take::Backup,
                "c" => Take::Current,
                "s" => Take::Skip,
                "n" => break,
                "q" | "" => return Ok(()),
                _ => continue,
            };
            plan.decide(&record, Some(take.decision()), by, &now())?;
            tally.note(1);
            break;
        }
    }
    Ok(())
}
