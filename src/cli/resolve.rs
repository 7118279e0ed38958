//! `resolve`: answers conflicts, one by one or in bulk, from files, or by another strategy.

mod bulk;
mod draw;
mod edit;
mod fields;
mod marks;
mod offers;
mod session;
mod terminal;

#[cfg(test)]
mod tests;

use self::bulk::{Tally, act, finish};
use self::draw::Palette;
use self::session::Session;
use super::compare::Deciding;
use super::context::Context;
use super::output::{Done, now};
use crate::error::{Result, fail};
use crate::plan::decision::{self, FieldDecision};
use crate::plan::{Decision, Plan};
use crate::report::Secrets;
use clap::{Args, ValueEnum};
use serde_json::Value as Json;
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
    /// Answer records anew that are answered already; without it they stay as they are answered
    #[arg(long, conflicts_with = "clear")]
    replace: bool,
    /// Answer nothing; only say how many would be answered, and what a merge would write then
    #[arg(long, conflicts_with = "export")]
    dry_run: bool,
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

impl ResolveArgs {
    /// Tells whether answers are given here.
    fn answers(&self) -> bool {
        self.take.is_some() || self.clear || !self.field.is_empty() || !self.set.is_empty()
    }

    /// Tells whether anything is changed without asking.
    fn acts(&self) -> bool {
        self.answers() || self.record.is_some() || self.import.is_some() || self.deciding.is_given()
    }
}

pub(super) fn run(context: &Context<'_>, args: &ResolveArgs) -> Result<Done> {
    let home = context.home()?;
    let mut plan = context.plan(&args.plan)?;
    let key = home.key()?;
    // Sealing it again below must not hide that somebody else changed it.
    if !args.trust_plan {
        plan.verify_seal(&key)?;
    }
    let by = context.actor();
    if args.dry_run {
        if !args.acts() {
            return Err(fail!(Usage, "--dry-run: there is nothing to try")
                .hint("Say what is answered: --take, --field, --set, --clear, --import FILE or --strategy NAME."));
        }
        let (preview, tally) = plan.trial(|plan| {
            let tally = act(context, plan, args, &by)?;
            Ok((plan.settle(context.out)?.0, tally))
        })?;
        return Ok(finish(context, &plan, preview, &tally, (args, None)));
    }
    let mut tally = act(context, &mut plan, args, &by)?;
    plan.write_seal(&key)?;
    if !args.acts() && args.export.is_none() {
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
    Ok(finish(context, &plan, preview, &tally, (args, document)))
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
