//! The shared types: what an analysis, a record, a merge, an undo and an error look like to programs.

use super::Secrets;
use crate::error::{Error, Result};
use crate::executor::{MergeReport, Receipt};
use crate::model::change::{Class, Counts};
use crate::model::encode;
use crate::plan::choices::{self, Offer};
use crate::plan::decision::{Decision, FieldDecision};
use crate::plan::settle::of_neither_side;
use crate::plan::{ActionKind, Outcome, Plan, Preview, Selector, Stored};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The counts of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableView {
    /// The table's label.
    pub name: String,
    /// The backup's name for it.
    pub backup_name: String,
    /// Records per class.
    pub counts: Counts,
    /// "two-way" or "three-way".
    pub compared: &'static str,
}

/// What an analysis found.
#[derive(Clone, Debug, Serialize)]
pub struct Analyzed {
    /// The plan's file.
    pub plan: String,
    /// The plan's id.
    pub id: String,
    /// What a command finds the plan by: its id, or its path where it is kept elsewhere.
    #[serde(skip)]
    pub name: String,
    /// Records per class.
    pub counts: Counts,
    /// The same per table, parents first.
    pub tables: Vec<TableView>,
    /// Columns that the backup does not carry.
    pub not_carried: Vec<String>,
    /// "two-way" or "three-way".
    pub compared: &'static str,
    /// The strategy's name.
    pub strategy: String,
    /// What a merge would do under the strategy and the decisions so far.
    pub preview: Preview,
    /// The database, without secrets.
    pub target: String,
    /// The backup's path.
    pub backup: Option<String>,
    /// The base's path.
    pub base: Option<String>,
    /// When the plan becomes too old.
    pub expires_at: String,
    /// Things a person should know.
    pub notes: Vec<String>,
}

/// Returns what a command finds a plan by.
pub fn name_of(plan: &Plan) -> String {
    let (path, id) = (plan.path(), &plan.meta().id);
    let named_by_id = path.file_name().is_some_and(|n| n.to_string_lossy() == format!("{id}.mplan"));
    if named_by_id { id.clone() } else { path.display().to_string() }
}

impl Analyzed {
    /// Describes a plan.
    pub fn of(plan: &Plan, preview: Preview) -> Self {
        let meta = plan.meta();
        let tables = meta.tables.iter().map(|t| TableView {
            name: t.name.clone(),
            backup_name: t.backup_name.clone(),
            counts: t.counts,
            compared: if t.three_way { "three-way" } else { "two-way" },
        });
        let absolute = std::path::absolute(plan.path()).unwrap_or_else(|_| plan.path().to_owned());
        Self {
            plan: absolute.display().to_string(),
            id: meta.id.clone(),
            name: name_of(plan),
            counts: meta.counts(),
            tables: tables.collect(),
            not_carried: meta.not_carried.clone(),
            compared: meta.compared_word(),
            strategy: meta.strategy.0.clone(),
            preview,
            target: meta.database.display.clone(),
            backup: meta.backup.as_ref().map(|b| b.path.clone()),
            base: meta.base.as_ref().map(|b| b.path.clone()),
            expires_at: meta.expires_at.clone(),
            notes: meta.notes.clone(),
        }
    }
}

/// One field of a record; a side that does not have it is left out.
#[derive(Clone, Debug, Serialize)]
pub struct FieldView {
    /// The column.
    pub name: String,
    /// The base's value, where a base is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Json>,
    /// The current value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Json>,
    /// The backup's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Json>,
    /// What a merge writes, where that is neither side's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Json>,
    /// Whether it is part of the conflict.
    pub conflict: bool,
}

/// One record of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct RecordView {
    /// `record`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The stable id.
    pub id: String,
    /// The table.
    pub table: String,
    /// The key's fields.
    pub key: Json,
    /// The class.
    pub class: String,
    /// Why.
    pub reason: String,
    /// The person's answer.
    pub decision: Json,
    /// What a person should know.
    pub note: Option<String>,
    /// What becomes of it.
    pub outcome: Option<&'static str>,
    /// Where the backup has it: the record's number in its table, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_record: Option<u64>,
    /// The fields in which the sides differ.
    pub fields: Vec<FieldView>,
    /// For a conflict: what can be answered, and why the rest can't.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Offer>,
}

impl RecordView {
    /// Describes a record of a plan.
    pub fn of(plan: &Plan, record: &Stored, secrets: &Secrets) -> Self {
        let finding = &record.finding;
        let table = &plan.meta().schema.tables[finding.table];
        let mut written: BTreeMap<usize, Json> = of_neither_side(plan, record)
            .unwrap_or_default()
            .into_iter()
            .map(|(column, value)| (column, secrets.json(table, column, &value)))
            .collect();
        let mut fields: Vec<FieldView> = finding
            .fields
            .iter()
            .map(|field| {
                let shown = |value: &crate::model::Value| secrets.json(table, field.column, value);
                FieldView {
                    name: table.columns[field.column].name.clone(),
                    base: field.base.as_ref().map(|b| b.as_ref().map_or(Json::Null, shown)),
                    current: field.current.as_ref().map(shown),
                    backup: field.backup.as_ref().map(shown),
                    written: written.remove(&field.column),
                    conflict: field.in_conflict,
                }
            })
            .collect();
        // Fields in which the sides don't differ, or that the backup does not have.
        fields.extend(written.into_iter().map(|(column, value)| {
            let name = table.columns[column].name.clone();
            FieldView { name, base: None, current: None, backup: None, written: Some(value), conflict: false }
        }));
        let label = table.label();
        let choices = if finding.class == Class::Conflict { choices::offers(plan, record) } else { Vec::new() };
        Self {
            kind: "record",
            choices: scrubbed(choices, |text| secrets.scrub(table, &finding.fields, text)),
            id: record.conflict_id.clone(),
            key: secrets.key_json(table, &finding.key),
            class: finding.class.word(),
            reason: finding.reason.word(),
            decision: record.decision.as_ref().map_or(Json::Null, |d| decision_json(&label, d, secrets)),
            note: super::text::because(record).map(|note| secrets.scrub(table, &finding.fields, &note)),
            outcome: record.outcome.map(Outcome::word),
            backup_record: Some(finding.place.record).filter(|r| *r > 0),
            fields,
            table: label,
        }
    }
}

/// Removes secrets from what is said of choices.
pub(super) fn scrubbed(offers: Vec<Offer>, scrub: impl Fn(&str) -> String) -> Vec<Offer> {
    let clean = |text: Option<String>| text.map(|t| scrub(&t));
    offers.into_iter().map(|o| Offer { why: clean(o.why), consequence: clean(o.consequence), ..o }).collect()
}

impl RecordView {
    /// Adds what each choice would do.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn with_consequences(mut self, plan: &Plan, record: &Stored, secrets: &Secrets) -> Result<Self> {
        if record.finding.class == Class::Conflict {
            let table = &plan.meta().schema.tables[record.finding.table];
            let scrub = |text: &str| secrets.scrub(table, &record.finding.fields, text);
            self.choices = scrubbed(choices::consequences(plan, record)?, scrub);
        }
        Ok(self)
    }
}

/// Writes a decision: `"backup"`, `"current"`, `"skip"`, or an object by field.
fn decision_json(table: &str, decision: &Decision, secrets: &Secrets) -> Json {
    match decision {
        Decision::Backup => json!("backup"),
        Decision::Current => json!("current"),
        Decision::Skip => json!("skip"),
        Decision::IntoExisting => json!("into-existing"),
        Decision::NewKey => json!("new-key"),
        Decision::Fields { fields } => {
            let one = |(name, answer): (&String, &FieldDecision)| {
                let shown = match answer {
                    FieldDecision::Backup => json!("backup"),
                    FieldDecision::Current => json!("current"),
                    FieldDecision::Value(_) if secrets.hides(table, name) => json!({"value": {"redacted": "blake3:"}}),
                    FieldDecision::Value(value) => json!({"value": value}),
                };
                (name.clone(), shown)
            };
            json!({"action": "fields", "fields": fields.iter().map(one).collect::<Map<_, _>>()})
        }
    }
}

/// What a merge did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The merge's id; `null` for a dry run.
    pub merge: Option<String>,
    /// The receipt's file.
    pub receipt: Option<String>,
    /// The plan's id.
    pub plan: String,
    /// Whether the database was changed.
    pub changed: bool,
    /// Whether it was rolled back on purpose.
    pub dry_run: bool,
    /// Records per outcome.
    pub counts: Preview,
    /// The same per table.
    pub tables: Vec<Json>,
    /// Records left out, with the reason.
    pub left_out: Vec<String>,
    /// Things a person should know.
    pub notes: Vec<String>,
    /// The command that takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// The merge that carried the plan out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already: Option<String>,
}

/// Whether what is described was kept or rolled back on purpose.
pub use crate::executor::Ending;

impl Merged {
    /// Describes a merge.
    pub fn of(report: &MergeReport, plan: &str, ending: Ending) -> Self {
        let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        let id = some(&report.merge).or_else(|| report.already.clone());
        let tables = report.tables.iter().map(|(name, counts)| json!({"name": name, "counts": counts}));
        Self {
            receipt: some(&report.receipt),
            plan: plan.to_owned(),
            changed: report.changed,
            dry_run: ending == Ending::RollBack,
            counts: report.counts,
            tables: tables.collect(),
            left_out: report.left_out.clone(),
            notes: report.notes.clone(),
            undo: id.as_ref().map(|id| format!("merganser undo {id}")),
            merge: id,
            already: report.already.clone(),
        }
    }
}

/// The three lists of an undo.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Undone {
    /// Records taken back: inserted again, changed back, removed.
    pub reversed: Vec<String>,
    /// Records that were changed since and stay.
    pub kept: Vec<String>,
    /// Records that can't be taken back.
    pub blocked: Vec<String>,
    /// How many of each.
    #[serde(skip)]
    pub counts: [u64; 3],
    /// Things a person should know.
    pub notes: Vec<String>,
}

/// Records named in each of the three lists.
const NAMED: usize = 100;

impl Undone {
    /// Lists what an undo plan does.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn of(plan: &Plan, secrets: &Secrets) -> Result<Self> {
        let mut lists = Self { notes: plan.meta().notes.clone(), ..Self::default() };
        let mut named: [Vec<Stored>; 3] = Default::default();
        // Most of a large undo is only counted: the records that are named are few, and only those are read.
        for (outcome, count) in counted(plan)? {
            let list = match outcome {
                outcome if outcome.writes() => 0,
                Outcome::Blocked => 2,
                _ => 1,
            };
            lists.counts[list] += count;
            let selector = Selector { outcome: Some(outcome), ..Selector::default() };
            named[list].extend(plan.page(&selector, 0, NAMED)?.records);
        }
        let [reversed, kept, blocked] = named.map(|mut records| {
            records.sort_by_key(|record| record.finding.id);
            records.truncate(NAMED);
            let line = |record: Stored| {
                let table = &plan.meta().schema.tables[record.finding.table];
                let name = secrets.record_name(table, &record.finding.key);
                let why = record.why.as_deref().or(record.finding.note.as_deref());
                why.map_or_else(|| name.clone(), |why| format!("{name}: {why}"))
            };
            records.into_iter().map(line).collect()
        });
        (lists.reversed, lists.kept, lists.blocked) = (reversed, kept, blocked);
        Ok(lists)
    }

    /// Returns the counts as the contract has them.
    pub fn counts_json(&self) -> Json {
        json!({"reversed": self.counts[0], "kept": self.counts[1], "blocked": self.counts[2]})
    }
}

/// Counts the records of an undo plan by outcome.
fn counted(plan: &Plan) -> Result<BTreeMap<Outcome, u64>> {
    let mut counts = BTreeMap::new();
    for (_, outcome, count) in plan.outcome_counts()? {
        *counts.entry(outcome).or_default() += count;
    }
    Ok(counts)
}

/// An error as programs see it.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorView {
    /// The stable code.
    pub code: &'static str,
    /// What happened; may change between versions.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where it is explained.
    pub docs: String,
    /// The records or tables concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Json>,
}

impl ErrorView {
    /// Describes an error.
    pub fn of(error: &Error) -> Self {
        let rows = error.detail_lines().iter().map(|line| {
            let (name, detail) = line.split_once(": ").unwrap_or((line, ""));
            match name.split_once('/') {
                Some((table, key)) => json!({"table": table, "key": key, "detail": detail}),
                None => json!({"detail": line}),
            }
        });
        Self {
            code: error.kind().code(),
            message: error.full_message(),
            hint: error.hint_text().map(str::to_owned),
            docs: format!("docs/errors.md#{}", error.kind().code()),
            rows: rows.collect(),
        }
    }
}

/// Names every record that was written, per table: `updated 41: name, email`.
///
/// # Errors
/// `Failed` for a damaged receipt.
pub fn written(receipt: &Receipt, secrets: &Secrets) -> Result<Vec<(String, Vec<String>)>> {
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    let mut after = 0;
    loop {
        let images = receipt.page(after, 500)?;
        let Some(last) = images.last() else { return Ok(tables) };
        after = last.id;
        for image in images {
            let table = &receipt.meta().schema.tables[image.table];
            let key: Vec<_> = table
                .key
                .iter()
                .zip(&image.key)
                .filter_map(|(&c, cell)| encode::value_of(cell.as_cell(), &table.columns[c]))
                .collect();
            let what = match image.kind {
                ActionKind::Insert => "inserted",
                ActionKind::Update => "updated",
                ActionKind::Delete => "deleted",
            };
            let names = table.names(&image.columns).join(", ");
            let fields = if image.kind == ActionKind::Update { format!(": {names}") } else { String::new() };
            let line = format!("{what} {}{fields}", secrets.key_text(table, &key));
            let label = table.label();
            match tables.iter_mut().find(|(name, _)| *name == label) {
                Some((_, lines)) => lines.push(line),
                None => tables.push((label, vec![line])),
            }
        }
    }
}
