//! Answering without a terminal: one record, all that are meant, or those of a file; and what is said of it.

use super::{ResolveArgs, Take};
use crate::cli::context::Context;
use crate::cli::merge::restrategy;
use crate::cli::output::{Done, now};
use crate::cli::show::selector;
use crate::database::Database;
use crate::error::{Result, fail};
use crate::executor::Trust;
use crate::model::change::Class;
use crate::plan::answer::{Answered, Given};
use crate::plan::choices::{self, Choice};
use crate::plan::decision::{self, FieldDecision};
use crate::plan::held::Held;
use crate::plan::{Decision, Plan, Preview, Stored};
use crate::report::{Analyzed, Secrets, name_of, text};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Records that are named one by one.
const NAMED: usize = 20;

/// What was answered, and what was not.
#[derive(Default)]
pub(super) struct Tally {
    decided: u64,
    removed: u64,
    /// Records that stay as they were answered before.
    before: u64,
    /// Records for which the answer is impossible.
    impossible: u64,
    /// What was looked at where nothing was answered.
    nothing: Option<String>,
    left: Vec<String>,
    dry_run: bool,
}

impl Tally {
    pub(super) fn note(&mut self, count: u64) {
        self.decided += count;
    }
}

impl Take {
    fn word(self) -> &'static str {
        match self {
            Self::Backup => Choice::Backup.word(),
            Self::Current => Choice::Current.word(),
            Self::IntoExisting => Choice::IntoExisting.word(),
            Self::NewKey => Choice::NewKey.word(),
            Self::Undelete => Choice::Undelete.word(),
            Self::Skip => Choice::Skip.word(),
        }
    }

    /// Returns the answer for a record, or why there is none.
    fn decision(self, plan: &Plan, record: &Stored) -> std::result::Result<Decision, String> {
        Ok(match self {
            Self::Backup => Decision::Backup,
            Self::Current => Decision::Current,
            Self::IntoExisting => Decision::IntoExisting,
            Self::NewKey => Decision::NewKey,
            Self::Undelete => {
                let none = || "the current record is not marked as deleted, or the backup's is too".to_owned();
                if let Some(why) = choices::refusal(plan, record, Choice::Undelete) {
                    return Err(why);
                }
                choices::undeletion(plan, record).ok_or_else(none)?
            }
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

/// Does what the arguments ask for without a terminal.
pub(super) fn act(context: &Context<'_>, plan: &mut Plan, args: &ResolveArgs, by: &str) -> Result<Tally> {
    let mut tally = Tally { dry_run: args.dry_run, ..Tally::default() };
    if args.deciding.is_given() {
        let trust = if args.trust_plan { Trust::Anything } else { Trust::SealedOnly };
        restrategy(plan, &context.home()?, &args.deciding, trust)?;
        context.out.chat(&format!("Strategy: {}", plan.meta().strategy.0));
    }
    if let Some(path) = &args.import {
        import(context, plan, path, by, &mut tally)?;
    }
    if let Some(name) = &args.record {
        if !args.answers() {
            return Err(fail!(Usage, "what becomes of {name}?").hint("Add --take, --field, --set or --clear."));
        }
        let record = plan.record(name)?;
        one(context, plan, args, &record, by, (&mut tally, &context.secrets(None)?))?;
    } else if args.answers() {
        all(context, plan, args, by, (&mut tally, &context.secrets(None)?))?;
    }
    Ok(tally)
}

/// The current database, where an answer needs it: connected to once, and done without where it can't be reached.
#[derive(Default)]
struct Current(Option<Option<Box<dyn Database>>>);

impl Current {
    /// Says which current record has what an answer types into a unique key, as far as that can be found out.
    fn held(&mut self, context: &Context<'_>, plan: &Plan, record: &Stored, decision: &Decision) -> Option<Held> {
        if !plan.types_unique(record, decision) {
            return None;
        }
        let unknown = |_| {
            context
                .out
                .chat("The current database was not asked whether another record has the value; a merge asks it.");
        };
        let connected = || context.target_of(&plan.meta().database).and_then(|target| target.connect(context.out));
        let database = self.0.get_or_insert_with(|| connected().map_err(unknown).ok()).as_mut()?;
        plan.held_in(database.as_mut(), record, decision).map_err(unknown).ok()?
    }
}

/// Answers one record: what is impossible for it is refused.
fn one(
    context: &Context<'_>,
    plan: &mut Plan,
    args: &ResolveArgs,
    record: &Stored,
    by: &str,
    (tally, secrets): (&mut Tally, &Secrets),
) -> Result<()> {
    if args.clear {
        tally.removed += u64::from(record.decision.is_some());
        return plan.decide(record, None, by, &now());
    }
    let table = &plan.meta().schema.tables[record.finding.table];
    let name = secrets.record_name(table, &record.finding.key);
    let refused = |choice, why: &str| Plan::refused(&name, choice, &secrets.scrub(table, &record.finding.fields, why));
    let decision = match args.take {
        Some(take) => take.decision(plan, record).map_err(|why| refused(Choice::Undelete, &why))?,
        None => plan.extended(record, fields(args)?)?,
    };
    if let Some((choice, why)) = plan.impossible(record, &decision) {
        return Err(refused(choice, &why));
    }
    let decision = plan.checked(record, decision)?;
    if let Some(held) = Current::default().held(context, plan, record, &decision) {
        let why = secrets.held(table, &held);
        return Err(fail!(Usage, "{name}: {why}").hint("Give another value with --set."));
    }
    plan.together(|plan| {
        plan.decide(record, Some(decision), by, &now())?;
        plan.annotate(record.finding.id, args.note.as_deref())
    })?;
    tally.decided += 1;
    Ok(())
}

/// Answers all records that are meant and open, or none of them.
fn all(
    context: &Context<'_>,
    plan: &mut Plan,
    args: &ResolveArgs,
    by: &str,
    (tally, secrets): (&mut Tally, &Secrets),
) -> Result<()> {
    let records = meant(plan, args)?;
    if records.is_empty() {
        tally.nothing = Some(nothing_matched(plan, args)?);
        return Ok(());
    }
    let (by_field, looked) = (fields(args)?, records.len() as u64);
    let mut current = Current::default();
    let answered = if args.replace { Answered::Replaced } else { Answered::Stays };
    plan.together(|plan| {
        for record in &records {
            if args.clear {
                plan.decide(record, None, by, &now())?;
                tally.removed += 1;
                continue;
            }
            let given = match args.take.map(|take| take.decision(plan, record)) {
                Some(Err(why)) => Given::Impossible(why),
                Some(Ok(decision)) => plan.given(record, &decision, answered)?,
                None => plan.given(record, &Decision::Fields { fields: by_field.clone() }, answered)?,
            };
            let given = match given {
                Given::Answer(decision) => match current.held(context, plan, record, &decision) {
                    Some(held) => {
                        let table = &plan.meta().schema.tables[record.finding.table];
                        Given::Impossible(secrets.held(table, &held))
                    }
                    None => Given::Answer(decision),
                },
                other => other,
            };
            match given {
                Given::Answer(decision) => {
                    plan.decide(record, Some(decision), by, &now())?;
                    plan.annotate(record.finding.id, args.note.as_deref())?;
                    tally.decided += 1;
                }
                Given::Before => tally.before += 1,
                Given::Impossible(why) => tally.refuse(plan, record, args, (&why, secrets)),
            }
        }
        Ok(())
    })?;
    if !args.clear && tally.decided == 0 {
        let special = args.take.filter(|take| take.special().is_some());
        let of_none =
            |take: Take| format!(": {} is possible for none of {}", take.word(), text::plural(looked, "record"));
        tally.nothing = Some(format!("Nothing was answered{}.", special.map(of_none).unwrap_or_default()));
    }
    Ok(())
}

impl Tally {
    /// Counts a record for which the answer is impossible, and names it unless the answer is for few reasons only and
    /// this is none of them.
    fn refuse(&mut self, plan: &Plan, record: &Stored, args: &ResolveArgs, (why, secrets): (&str, &Secrets)) {
        let special = args.take.and_then(Take::special);
        if special.is_some_and(|choice| choices::impossible(record.finding.reason, choice).is_some()) {
            return;
        }
        self.impossible += 1;
        if self.left.len() < NAMED {
            let table = &plan.meta().schema.tables[record.finding.table];
            let name = secrets.record_name(table, &record.finding.key);
            self.left.push(format!("{name}: {}", secrets.scrub(table, &record.finding.fields, why)));
        }
    }

    /// Says what was done, in lines.
    fn lines(&self, word: Option<&'static str>) -> Vec<String> {
        let mut lines = Vec::new();
        let would = if self.dry_run { " would be" } else { "" };
        match &self.nothing {
            Some(nothing) => lines.push(nothing.clone()),
            None if self.removed > 0 => lines.push(format!("{}{would} removed.", text::plural(self.removed, "answer"))),
            None => lines.push(format!("{}{would} answered.", text::plural(self.decided, "record"))),
        }
        if self.before > 0 {
            let many = text::plural(self.before, "record");
            let stays = if self.before == 1 { "stays as it is answered" } else { "stay as they are answered" };
            lines.push(format!("{many} {stays} already; --replace answers anew."));
        }
        if self.impossible > 0 {
            let many = text::plural(self.impossible, "record");
            lines.push(format!("{} is impossible for {many}:", word.unwrap_or("That answer")));
        }
        lines
    }
}

/// Writes down what was done, and what a merge would do now.
pub(super) fn finish(
    context: &Context<'_>,
    plan: &Plan,
    preview: Preview,
    tally: &Tally,
    (args, document): (&ResolveArgs, Option<Json>),
) -> Done {
    let out = context.out;
    if args.acts() || tally.decided > 0 {
        tally.lines(args.take.map(Take::word)).iter().for_each(|line| out.line(line));
    }
    tally.left.iter().for_each(|line| out.line(&format!("  not taken: {}", text::shown(line))));
    let more = tally.impossible.saturating_sub(NAMED as u64);
    if more > 0 {
        out.line(&format!("  … and {more} more"));
    }
    let (then, kept) = if tally.dry_run { ("then ", " Nothing was answered.") } else { ("", "") };
    out.line(&format!("A merge would {then}write: {}.{kept}", text::writes(&preview)));
    if !tally.dry_run {
        out.chat(&format!("Next: {}", text::next(&preview, &name_of(plan))));
    }
    let mut done = Done::with(&json!({
        "plan": Analyzed::of(plan, preview).plan, "id": plan.meta().id, "decided": tally.decided, "removed": tally.removed,
        "answered_before": tally.before, "impossible": tally.impossible, "not_taken": tally.left, "dry_run": tally.dry_run,
        "strategy": plan.meta().strategy.0, "undecided": preview.undecided, "preview": preview, "changed": false,
    }));
    if let Some(document) = document {
        done.fields.insert("decisions".to_owned(), document["decisions"].clone());
    }
    done
}

/// Lists the records that are meant: conflicts and what else waits for an answer, where no class is named.
fn meant(plan: &Plan, args: &ResolveArgs) -> Result<Vec<Stored>> {
    let mut selector = selector(plan, args.table.as_deref(), &args.class, args.condition.as_deref())?;
    if selector.classes.is_empty() && !args.clear {
        selector.classes = vec![Class::Conflict];
        selector.or_waiting = true;
        if args.take == Some(Take::Undelete) {
            selector.classes.push(Class::Updated);
        }
    }
    selector.pattern.clone_from(&args.pattern);
    let mut chosen = Vec::new();
    plan.each(&selector, &mut |record| {
        if !args.clear || record.decision.is_some() {
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

/// Reads `FIELD=backup` or `FIELD=current`.
fn sided(text: &str) -> Result<(String, FieldDecision)> {
    match text.split_once('=') {
        Some((name, "backup")) => Ok((name.to_owned(), FieldDecision::Backup)),
        Some((name, "current")) => Ok((name.to_owned(), FieldDecision::Current)),
        _ => Err(fail!(Usage, "{text:?}: write FIELD=backup or FIELD=current")),
    }
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
