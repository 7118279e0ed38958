//! Decisions: one record, many at once with the count shown first, files of them, and another strategy.
//!
//! A change holds the analysis's lock in this process, and is one transaction of the plan file with its new seal, so that
//! the command line beside it never meets a plan that is half decided.

use super::analyses::{AnalysisView, Which, record_etag, record_json, stored, view};
use crate::analyzer::filter;
use crate::error::Result;
use crate::model::change::Class;
use crate::model::names;
use crate::plan::answer::{Answered, Given};
use crate::plan::decision::{self, FieldDecision};
use crate::plan::{Decision, Plan, PlanKind, Selector, Stored};
use crate::progress::Quiet;
use crate::report::Secrets;
use crate::report::power::would_change;
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::problem::{Answer, Problem};
use crate::server::state::now;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::PoisonError;

/// Changes a plan: one at a time, sealed by us before, settled and sealed again after.
fn change<T>(app: &App, id: &str, etag: Option<&str>, work: impl FnOnce(&mut Plan) -> Answer<T>) -> Answer<(T, Plan)> {
    let lock = app.writing(id);
    let _held = lock.lock().unwrap_or_else(PoisonError::into_inner);
    let mut plan = app.plan(id)?;
    let key = app.home().key()?;
    if plan.meta().kind != PlanKind::Merge {
        return Err(Problem::own("conflict", "an undo takes no decisions"));
    }
    if let Some(merge) = crate::executor::receipt::merged_by(app.home(), id)? {
        return Err(Problem::own("already_merged", format!("it was merged by {merge}")));
    }
    let mut refused = None;
    let done = plan.together(|plan| {
        plan.begin_changes(&key)?;
        if let Some(given) = etag
            && given != "*"
            && given != plan.revision()?
        {
            refused = Some(
                Problem::own("precondition_failed", "the analysis was changed since it was read")
                    .hint("Read it again and look at what changed."),
            );
            return Err(crate::error::fail!(Failed, "refused"));
        }
        let made = match work(plan) {
            Ok(made) => made,
            Err(problem) => {
                refused = Some(problem);
                return Err(crate::error::fail!(Failed, "refused"));
            }
        };
        plan.settle(&Quiet)?;
        plan.seal_changes()?;
        Ok(made)
    });
    match (refused, done) {
        (Some(problem), _) => Err(problem),
        (None, Ok(made)) => Ok((made, plan)),
        (None, Err(error)) => Err(error.into()),
    }
}

/// Keeps an answer within a person's own records: nothing goes into another's record or under another key, and no typed
/// value takes the record out of what is theirs.
fn within_own(person: &Person, plan: &Plan, table: usize, answer: Option<&Decision>) -> Answer<()> {
    let Some(own) = &person.own else { return Ok(()) };
    let beyond = |why: &str| Err(Problem::forbidden(why));
    match answer {
        None | Some(Decision::Backup | Decision::Current | Decision::Skip | Decision::Ask) => Ok(()),
        Some(Decision::IntoExisting | Decision::NewKey) => beyond("another record is not yours to write"),
        Some(Decision::Fields { fields }) => {
            let schema = &plan.meta().schema.tables[table];
            let mut fixed = schema.key.clone();
            for condition in &own.conditions {
                let (name, text) = filter::split(condition)?;
                if plan.table(name)? == table {
                    fixed.extend(filter::Filter::parse(schema, text)?.columns());
                }
            }
            let typed = fields.iter().filter(|(_, answer)| matches!(answer, FieldDecision::Value(_)));
            for (name, _) in typed {
                let columns = schema.columns.iter().map(|c| c.name.as_str());
                match names::find(name, columns) {
                    names::Match::Exact(c) | names::Match::Folded(c) if !fixed.contains(&c) => {}
                    _ => {
                        return beyond(
                            "this field says whose the record is; choose the backup's value or the current one",
                        );
                    }
                }
            }
            Ok(())
        }
    }
}

/// What somebody says to a conflict.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The answer; `None` takes one back, and its note with it.
    pub answer: Option<Decision>,
    /// What they note beside it.
    pub note: Option<String>,
}

impl Said {
    fn note(&self) -> Option<&str> {
        self.answer.as_ref().and(self.note.as_deref())
    }
}

/// Decides one record; `etag` is the record's, as it was read.
///
/// # Errors
/// `precondition_failed` when somebody decided it since; `usage` for a field or value that does not fit.
pub fn decide(
    app: &App,
    person: &Person,
    id: &str,
    (table, key): (&str, &str),
    said: &Said,
    etag: &str,
) -> Answer<Json> {
    let ((), plan) = change(app, id, None, |plan| {
        let record = stored(plan, table, key)?;
        if etag != "*" && etag != record_etag(plan, &record)? {
            let (by, at) = plan.decided(record.finding.id)?;
            let who = by.map_or_else(|| "somebody else".to_owned(), |by| format!("{by} at {}", at.unwrap_or_default()));
            return Err(Problem::own("precondition_failed", format!("{table}/{key} was decided by {who} meanwhile"))
                .hint("Read it again; the other decision is kept."));
        }
        within_own(person, plan, record.finding.table, said.answer.as_ref())?;
        possible(&app.secrets(), plan, &record, said.answer.as_ref())?;
        free(app, plan, &record, said.answer.as_ref())?;
        plan.decide(&record, said.answer.clone(), &person.name, &now())?;
        Ok(plan.annotate(record.finding.id, said.note())?)
    })?;
    record_json(app, &plan, &stored(&plan, table, key)?)
}

/// Refuses an answer that is impossible for a record, and says so without secrets.
pub fn possible(secrets: &Secrets, plan: &Plan, record: &Stored, answer: Option<&Decision>) -> Result<()> {
    let Some((choice, why)) = answer.and_then(|answer| plan.impossible(record, answer)) else { return Ok(()) };
    let table = &plan.meta().schema.tables[record.finding.table];
    let name = secrets.record_name(table, &record.finding.key);
    Err(Plan::refused(&name, choice, &secrets.scrub(table, &record.finding.fields, &why)))
}

/// Refuses a value typed into a unique key that another current record has, as far as the database can be asked.
fn free(app: &App, plan: &Plan, record: &Stored, answer: Option<&Decision>) -> Result<()> {
    let Some(answer) = answer.filter(|answer| plan.types_unique(record, answer)) else { return Ok(()) };
    // Fields and values that do not fit are told first.
    let answer = plan.checked(record, answer.clone())?;
    let connected = super::targets::of(app, &plan.meta().database).and_then(|target| Ok(target.connect()?));
    let Ok(mut database) = connected else { return Ok(()) };
    match plan.held_in(database.as_mut(), record, &answer) {
        Ok(Some(held)) => {
            let table = &plan.meta().schema.tables[record.finding.table];
            Err(crate::error::fail!(Usage, "{}", app.secrets().held(table, &held)).hint("Give another value."))
        }
        // What can't be asked now is asked when the merge begins.
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Whether what is asked for is done, or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// It is only counted.
    Count,
    /// It is done.
    Do,
}

/// What deciding many records did, or would do.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Bulk {
    /// How many records are meant.
    pub matched: u64,
    /// How many more are left out, because their backup side changes who may do what: each is decided by itself.
    pub left_out: u64,
    /// How many more stay as they were decided before.
    pub answered: u64,
    /// For how many more the answer is impossible.
    pub impossible: u64,
    /// Whether they were decided.
    pub decided: bool,
    /// The analysis's ETag afterwards.
    pub etag: String,
    /// How many conflicts nobody decided yet, afterwards.
    pub undecided: u64,
}

/// What is to be done with many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doing {
    /// Whether it is done, or only counted.
    pub trying: Try,
    /// What becomes of those that were decided before.
    pub answered: Answered,
}

impl Doing {
    /// Only counts.
    pub const COUNTED: Self = Self { trying: Try::Count, answered: Answered::Stays };
    /// Decides what is open.
    pub const DONE: Self = Self { trying: Try::Do, answered: Answered::Stays };
}

/// Decides all records that are meant and open: conflicts, where no class is named. With [`Try::Count`] it only says how
/// many.
///
/// # Errors
/// `precondition_failed` when the analysis was changed since; `usage`.
pub fn bulk(
    app: &App,
    person: &Person,
    id: &str,
    which: &Which,
    said: &Said,
    (etag, doing): (&str, Doing),
) -> Answer<Bulk> {
    let secrets = app.secrets();
    let selector = |plan: &Plan| -> Result<Selector> {
        let mut selector = which.selector(plan, &secrets)?;
        if selector.classes.is_empty() {
            (selector.classes, selector.or_waiting) = (vec![Class::Conflict], true);
        }
        Ok(selector)
    };
    let sorted = |plan: &Plan, page: &[Stored], bulk: &mut Bulk| -> Answer<Vec<(usize, Option<Decision>)>> {
        let mut given = Vec::new();
        for (at, record) in page.iter().enumerate() {
            within_own(person, plan, record.finding.table, said.answer.as_ref())?;
            if let Some(answer) = bulk.sort(plan, record, (said.answer.as_ref(), doing.answered, which.security))? {
                given.push((at, answer));
            }
        }
        Ok(given)
    };
    if doing.trying == Try::Count {
        let plan = app.plan(id)?;
        let (selector, mut bulk, mut after) = (selector(&plan)?, Bulk::default(), 0);
        loop {
            let page = plan.page(&selector, after, 500)?;
            bulk.matched += sorted(&plan, &page.records, &mut bulk)?.len() as u64;
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        return Ok(Bulk { etag: plan.revision()?, undecided: plan.settled()?.undecided, ..bulk });
    }
    let at = now();
    let (bulk, plan) = change(app, id, Some(etag), |plan| {
        let (selector, mut bulk, mut after) = (selector(plan)?, Bulk { decided: true, ..Bulk::default() }, 0);
        loop {
            let page = plan.page(&selector, after, 500)?;
            for (position, answer) in sorted(plan, &page.records, &mut bulk)? {
                let record = &page.records[position];
                plan.decide(record, answer, &person.name, &at)?;
                plan.annotate(record.finding.id, said.note())?;
                bulk.matched += 1;
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(bulk),
            }
        }
    })?;
    Ok(Bulk { etag: plan.revision()?, undecided: plan.settled()?.undecided, ..bulk })
}

impl Bulk {
    /// Returns what one of many records is answered, if it is; and counts it where it is left as it is.
    fn sort(
        &mut self,
        plan: &Plan,
        record: &Stored,
        (answer, answered, security): (Option<&Decision>, Answered, bool),
    ) -> Result<Option<Option<Decision>>> {
        // What keeps current changes nothing; what takes the backup's side may make somebody an administrator.
        let keeps = matches!(answer, None | Some(Decision::Current | Decision::Skip));
        if !keeps && !security && would_change(plan, record) {
            self.left_out += 1;
            return Ok(None);
        }
        let Some(answer) = answer else { return Ok(record.decision.is_some().then_some(None)) };
        Ok(match plan.given(record, answer, answered)? {
            Given::Answer(decision) => Some(Some(decision)),
            Given::Before => {
                self.answered += 1;
                None
            }
            Given::Impossible(_) => {
                self.impossible += 1;
                None
            }
        })
    }
}

/// Writes all decisions of an analysis as a decisions file.
///
/// # Errors
/// `not_found`.
pub fn export(app: &App, id: &str) -> Answer<String> {
    Ok(decision::to_json(app.plan(id)?.decisions()?))
}

/// Takes decisions from a decisions file, ours or AccoReg's; says which could not be taken.
///
/// # Errors
/// `usage` for text that is no decisions file; `precondition_failed`.
pub fn import(app: &App, person: &Person, id: &str, text: &str, etag: &str) -> Answer<Json> {
    let ((taken, left), plan) = change(app, id, Some(etag), |plan| {
        let entries = decision::from_json(text, &|name| plan.table(name).is_ok())?;
        for entry in entries.iter().filter(|_| person.own.is_some()) {
            if let Ok(table) = plan.table(&entry.table) {
                within_own(person, plan, table, Some(&entry.decision))?;
            } else if let Ok(record) = plan.record(&entry.id) {
                within_own(person, plan, record.finding.table, Some(&entry.decision))?;
            }
        }
        Ok(plan.import(entries, &person.name)?)
    })?;
    Ok(json!({"taken": taken, "not_taken": left, "etag": plan.revision()?}))
}

/// Another strategy for an analysis.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restrategy {
    /// The strategy's name.
    #[serde(default)]
    pub strategy: Option<String>,
    /// Strategies of single tables: table to name.
    #[serde(default)]
    pub table_strategies: std::collections::BTreeMap<String, String>,
    /// Whether newer current records stay.
    #[serde(default)]
    pub preserve_newer: Option<bool>,
}

/// Gives an analysis another strategy; its counts per outcome change at once, its decisions stay.
///
/// # Errors
/// `invalid`, `precondition_failed`.
pub fn restrategy(app: &App, id: &str, wanted: &Restrategy, etag: &str) -> Answer<AnalysisView> {
    let usual = wanted.strategy.as_deref().map(super::analyses::strategy).transpose()?;
    let mut tables = Vec::new();
    for (table, name) in &wanted.table_strategies {
        tables.push((table.clone(), super::analyses::strategy(name)?.to_owned()));
    }
    let key = app.home().key()?;
    let ((), plan) = change(app, id, Some(etag), |plan| {
        // All of it is sealed again, so all of it is looked at before.
        plan.verify_seal(&key)?;
        Ok(plan.take_strategy(&key, usual, &tables, wanted.preserve_newer)?)
    })?;
    view(app, &plan)
}
