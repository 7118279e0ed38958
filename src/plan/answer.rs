//! Giving answers to records: what is looked at before one is kept, what answers from elsewhere are worth here, and what
//! an answer to many records does to those that have one already.

use super::choices::{self, Choice};
use super::decision::{Decision, Entry, FieldDecision, typed};
use super::store::{Stored, seen};
use super::{Plan, lost};
use crate::error::{Error, Result, fail};
use crate::model::Table;
use rusqlite::params;
use std::collections::BTreeMap;

/// What an answer to many records does where one was given before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answered {
    /// It stays.
    #[default]
    Stays,
    /// It is replaced.
    Replaced,
}

/// What becomes of one record when many are answered at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// It gets this answer.
    Answer(Decision),
    /// It was answered before and stays as it is answered.
    Before,
    /// The answer is impossible for it; why.
    Impossible(String),
}

impl Stored {
    /// Returns the person's answer; none where the question is open, or is asked again.
    pub fn answer(&self) -> Option<&Decision> {
        self.decision.as_ref().filter(|decision| **decision != Decision::Ask)
    }
}

impl Decision {
    /// Returns the choice that it is.
    pub(super) fn choice(&self) -> Option<Choice> {
        match self {
            Self::Backup => Some(Choice::Backup),
            Self::Current => Some(Choice::Current),
            Self::Skip => Some(Choice::Skip),
            Self::IntoExisting => Some(Choice::IntoExisting),
            Self::NewKey => Some(Choice::NewKey),
            Self::Fields { .. } => Some(Choice::Fields),
            Self::Ask => None,
        }
    }
}

impl Plan {
    /// Says why an answer is impossible for a record, by the table of choices and by what stands in this one's way.
    pub fn impossible(&self, record: &Stored, decision: &Decision) -> Option<(Choice, String)> {
        let choice = decision.choice()?;
        choices::refusal(self, record, choice).map(|why| (choice, why))
    }

    /// Writes the error for an impossible answer to a record, by the name that people know it by.
    pub fn refused(name: &str, choice: Choice, why: &str) -> Error {
        fail!(Usage, "{name}: {} is impossible here: {why}", choice.word())
            .hint(format!("What is possible: merganser show PLAN record {name}"))
    }

    /// Checks that an answer can be given to a record, and gives its fields the table's own names.
    ///
    /// # Errors
    /// `Usage`: a choice that is impossible for the record, a field that is not there or never written, a value that
    /// does not fit.
    pub fn checked(&self, record: &Stored, decision: Decision) -> Result<Decision> {
        let table = &self.meta().schema.tables[record.finding.table];
        if let Some((choice, why)) = self.impossible(record, &decision) {
            let name = table.named(&record.finding.key);
            return Err(Self::refused(&name, choice, &why));
        }
        let decision = decision.checked(table)?;
        if let Decision::Fields { fields } = &decision {
            fields.iter().try_for_each(|(name, answer)| self.field_is_open(record, table, name, answer))?;
        }
        Ok(decision)
    }

    /// Checks that one field of a record can be answered so.
    fn field_is_open(&self, record: &Stored, table: &Table, name: &str, answer: &FieldDecision) -> Result<()> {
        let Some(column) = table.column(name) else { return Ok(()) };
        let meta = self.meta();
        let label = table.label();
        if *answer == FieldDecision::Current {
            return Ok(());
        }
        if meta.options.never_writes(table, column) {
            return Err(fail!(Usage, "{label}.{name} is never written: the configuration says so (never_write)")
                .hint("It keeps its current value; leave it out of the answer."));
        }
        if let FieldDecision::Value(json) = answer {
            let value = typed(json, table, column)?;
            return match self.unfit(&table.columns[column], &value) {
                Some(why) => Err(fail!(Usage, "{label}.{name}: {why}").hint("Give another value.")),
                None => Ok(()),
            };
        }
        let brought = record.finding.fields.iter().any(|f| f.column == column && f.backup.is_some());
        let carried = meta.tables.iter().any(|t| t.table == record.finding.table && t.carried.contains(&column));
        let withheld = meta.withheld.iter().any(|w| *w == label || *w == format!("{label}.{name}"));
        if brought || (carried && !withheld) {
            return Ok(());
        }
        let why = if withheld { "the strategy never brings it" } else { "the backup does not carry it" };
        Err(fail!(Usage, "{label}.{name} can't be taken from the backup: {why}")
            .hint(format!("A value of your own is given with --set {name}=VALUE.")))
    }

    /// Notes a person's answer to a record; `None` takes it back.
    ///
    /// # Errors
    /// As [`Plan::checked`]; `OutOfSpace`.
    pub fn decide(&mut self, record: &Stored, decision: Option<Decision>, by: &str, at: &str) -> Result<()> {
        let decision = decision.map(|d| self.checked(record, d)).transpose()?;
        self.keep_decision(record.finding.id, decision.as_ref(), (by, at))
    }

    fn keep_decision(&mut self, id: i64, decision: Option<&Decision>, (by, at): (&str, &str)) -> Result<()> {
        let text = decision.map(|d| serde_json::to_string(d).expect("a decision always serialises"));
        self.touch(id)?;
        self.unsettle()?;
        self.connection
            .prepare_cached("UPDATE records SET decision = ?2, decided_by = ?3, decided_at = ?4 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![id, text, by, at]))
            .map_err(|e| lost(&self.path, e))?;
        // What was noted was noted beside the answer before.
        self.annotate(id, None)
    }

    /// Says what an answer to many records does to one of them. Answers by field are added to earlier ones by field;
    /// what they would change of an earlier answer counts as replacing it.
    ///
    /// # Errors
    /// `Usage` for a field or value that does not fit.
    pub fn given(&self, record: &Stored, decision: &Decision, answered: Answered) -> Result<Given> {
        let decision = match decision {
            Decision::Fields { fields } => self.extended(record, fields.clone())?,
            other => other.clone(),
        };
        if record.answer().is_some_and(|before| answered == Answered::Stays && !adds(before, &decision)) {
            return Ok(Given::Before);
        }
        if let Some((_, why)) = self.impossible(record, &decision) {
            return Ok(Given::Impossible(why));
        }
        Ok(Given::Answer(self.checked(record, decision)?))
    }

    /// Adds answers by field to what was answered for a record before; a field that is named again gets the new answer.
    ///
    /// # Errors
    /// `Usage` for a field or value that does not fit.
    pub fn extended(&self, record: &Stored, fields: BTreeMap<String, FieldDecision>) -> Result<Decision> {
        let table = &self.meta().schema.tables[record.finding.table];
        let known = || {
            let open = |(c, column): &(usize, &crate::model::Column)| {
                column.writable() && !table.key.contains(c) && !self.meta().options.never_writes(table, *c)
            };
            let names = table.columns.iter().enumerate().filter(open);
            names.map(|(_, column)| column.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        // Checked first: it gives the fields the table's own names, so that one of another spelling replaces its answer.
        let checked = (Decision::Fields { fields }).checked(table).map_err(|error| match error.hint_text() {
            Some(_) => error,
            None => error.hint(format!("Fields of {} that can be decided: {}.", table.label(), known())),
        })?;
        let Decision::Fields { fields } = checked else {
            return Err(fail!(Failed, "answers by field stay answers by field"));
        };
        let mut all = match &record.decision {
            Some(Decision::Fields { fields }) => fields.clone(),
            Some(Decision::Backup) => self.all_from_backup(record),
            Some(Decision::Current | Decision::Skip | Decision::IntoExisting | Decision::NewKey | Decision::Ask)
            | None => BTreeMap::new(),
        };
        all.extend(fields);
        Ok(Decision::Fields { fields: all })
    }

    /// Lists the answers by field that the backup's record amounts to.
    pub fn all_from_backup(&self, record: &Stored) -> BTreeMap<String, FieldDecision> {
        let table = &self.meta().schema.tables[record.finding.table];
        let open = |f: &&crate::model::change::Field| {
            f.backup.is_some() && !table.key.contains(&f.column) && table.columns[f.column].writable()
        };
        let fields = record.finding.fields.iter().filter(open);
        fields.map(|f| (table.columns[f.column].name.clone(), FieldDecision::Backup)).collect()
    }

    /// Takes over the answers of an earlier plan: those to questions that are still the same, and every `skip`. What else
    /// was answered is asked again, whatever the strategy says. Returns how many were kept, and what became of the others.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn adopt(&mut self, earlier: &Plan) -> Result<(u64, Vec<String>)> {
        let (mut taken, mut left) = (0, Vec::new());
        let mut answered = Vec::new();
        earlier.each(&super::Selector::default(), &mut |record| {
            if record.decision.is_some() {
                answered.push(record);
            }
            Ok(())
        })?;
        self.together(|plan| {
            for before in answered {
                let table = &earlier.meta().schema.tables[before.finding.table];
                let name = table.named(&before.finding.key);
                let Ok(record) = plan.record(&before.conflict_id) else {
                    left.push(format!("{name}: nothing differs any more"));
                    continue;
                };
                let (by, at) = earlier.decided(before.finding.id)?;
                let who = (by.as_deref().unwrap_or_default(), at.as_deref().unwrap_or_default());
                let alike = seen(&before) == seen(&record);
                // Who leaves a record out means the record, whatever it looks like.
                let decision = before.answer().filter(|d| alike || **d == Decision::Skip).cloned();
                let Some(decision) = decision else {
                    left.push(format!(
                        "{name}: the record looks different from when it was decided; it is asked again"
                    ));
                    plan.keep_decision(record.finding.id, Some(&Decision::Ask), who)?;
                    continue;
                };
                match plan.decide(&record, Some(decision), who.0, who.1) {
                    Ok(()) => taken += 1,
                    Err(error) => {
                        left.push(format!("{}; it is asked again", error.full_message()));
                        plan.keep_decision(record.finding.id, Some(&Decision::Ask), who)?;
                    }
                }
                plan.annotate(record.finding.id, earlier.decision_note(before.finding.id)?.as_deref())?;
            }
            Ok((taken, left))
        })
    }

    /// Takes decisions from a file's entries; returns how many were taken and which were not, with the reason. A record
    /// whose answer can't be taken is asked again, whatever the strategy says.
    ///
    /// # Errors
    /// `Usage` for a decision whose fields or values do not fit its record.
    pub fn import(&mut self, entries: Vec<Entry>, by: &str) -> Result<(u64, Vec<String>)> {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        self.together(|plan| {
            let mut taken = 0;
            let mut left = Vec::new();
            for entry in entries {
                let name = format!("{}/{}", entry.table, entry.key);
                let found = if entry.table.is_empty() { plan.record(&entry.id) } else { plan.record(&name) };
                let Ok(record) = found else {
                    left.push(format!("{name}: not in this plan"));
                    continue;
                };
                if entry.seen.as_ref().is_some_and(|then| *then != seen(&record)) {
                    left.push(format!("{name}: the record looks different from when it was decided"));
                    plan.ask_again(&record, (by, &now))?;
                    continue;
                }
                let laid_over = entry.seen.is_none() && entry.id.is_empty();
                let decision = match entry.decision {
                    Decision::Fields { fields } if laid_over => {
                        Decision::Fields { fields: plan.laid_over(&record, fields) }
                    }
                    other => other,
                };
                // What was possible there need not be possible here; the question stays open.
                if let Some((choice, why)) = plan.impossible(&record, &decision) {
                    left.push(Plan::refused(&name, choice, &why).full_message());
                    plan.ask_again(&record, (by, &now))?;
                    continue;
                }
                plan.decide(&record, Some(decision), by, &now)?;
                plan.annotate(record.finding.id, entry.note.as_deref())?;
                taken += 1;
            }
            Ok((taken, left))
        })
    }

    /// Opens a record's question where nobody answered it.
    fn ask_again(&mut self, record: &Stored, who: (&str, &str)) -> Result<()> {
        if record.decision.is_some() {
            return Ok(());
        }
        self.keep_decision(record.finding.id, Some(&Decision::Ask), who)
    }

    /// Lays AccoReg's custom data over the backup's record: what it does not name comes from there.
    fn laid_over(
        &self,
        record: &Stored,
        mut fields: BTreeMap<String, FieldDecision>,
    ) -> BTreeMap<String, FieldDecision> {
        let table = &self.meta().schema.tables[record.finding.table];
        for field in record.finding.fields.iter().filter(|f| f.backup.is_some() && !table.key.contains(&f.column)) {
            fields.entry(table.columns[field.column].name.clone()).or_insert(FieldDecision::Backup);
        }
        fields.retain(|name, _| !table.key.iter().any(|&k| table.columns[k].name == *name));
        fields
    }

    /// Runs a change to see what would come of it, and takes it back.
    ///
    /// # Errors
    /// What the change returns.
    pub fn trial<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let meta = self.meta().clone();
        self.sql("BEGIN")?;
        let tried = change(self);
        self.sql("ROLLBACK")?;
        self.meta = meta;
        self.strategies.take();
        self.load_remapped()?;
        tried
    }
}

/// Tells whether an answer only adds fields to one that was given by field.
fn adds(before: &Decision, now: &Decision) -> bool {
    let (Decision::Fields { fields: before }, Decision::Fields { fields: now }) = (before, now) else { return false };
    now.len() > before.len() && before.iter().all(|(name, answer)| now.get(name) == Some(answer))
}
