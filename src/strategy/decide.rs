//! Decides one record: what is carried at all, the preserve-newer gate, then the rules, then the timestamp.

use super::field::{self, Evidence, Merged};
use super::take::{Sides, Take, refusal, sides};
use super::{Choice, Conflict, Field, Granularity, KeepReason, PreserveNewer, Rule, Strategy};
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{Table, Value};

/// Whose change a difference is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    /// Both sides', or nobody knows: the rules decide.
    Both,
    /// The backup's alone: written.
    Backup,
    /// The current side's alone: stays.
    Current,
}

/// The answer for one field.
enum Outcome {
    /// The backup's value is written.
    FromBackup(Value),
    /// A value of both sides is written.
    Mixed(Value),
    /// The current value stays.
    Stays,
}

pub(super) fn decide(strategy: &Strategy, record: &Conflict<'_>) -> Choice {
    if matches!(record.class, Class::Unchanged | Class::Blocked | Class::Excluded) {
        return Choice::Keep(KeepReason::NothingToChange);
    }
    if !strategy.carries(record.class) || !strategy.brings_table(record.table) {
        return Choice::Skip;
    }
    match sides(record.reason) {
        Sides::Dated | Sides::Undated | Sides::Based => fields(strategy, record),
        Sides::BackupOnly | Sides::CurrentOnly | Sides::Rivals | Sides::Strangers => whole(strategy, record),
        Sides::Settled => Choice::Keep(KeepReason::NothingToChange),
    }
}

/// Decides a record that must be taken whole, because its sides are not two states of one record.
fn whole(strategy: &Strategy, record: &Conflict<'_>) -> Choice {
    // A record of a class that no rule names is carried out as it is.
    let take = strategy.record_rule(record).map_or(Take::Backup, |rule| rule.take);
    // Under a new key it overwrites nothing, however new that is.
    if current_is_newer(record) && take != Take::NewKey {
        return Choice::Keep(KeepReason::NewerKept);
    }
    if let Some(why) = refusal(record.reason, take) {
        return Choice::Ask(format!("{} is impossible here: {why}", take.word()));
    }
    match take {
        Take::Skip => Choice::Skip,
        Take::Current => Choice::Keep(KeepReason::ByStrategy),
        Take::IntoExisting => Choice::IntoExisting,
        Take::NewKey => Choice::NewKey,
        Take::Backup if sides(record.reason) == Sides::CurrentOnly => Choice::Delete,
        Take::Backup => {
            let written: Vec<_> = opinions(strategy, record).map(|(f, value)| (f.column, value.clone())).collect();
            if written.is_empty() { Choice::Keep(KeepReason::NothingToChange) } else { Choice::Write(written) }
        }
        _ => Choice::Ask(asked(record.reason)),
    }
}

/// Decides a record that both sides hold, field by field.
fn fields(strategy: &Strategy, record: &Conflict<'_>) -> Choice {
    if !opinions(strategy, record).any(|(field, _)| !field.is_timestamp) {
        return Choice::Keep(KeepReason::NothingToChange);
    }
    let closed = current_is_newer(record);
    let as_whole = strategy.granularity == Granularity::Record && record.class == Class::Conflict;
    if closed && (as_whole || !record.has_base) {
        return Choice::Keep(KeepReason::NewerKept);
    }
    let mut written = Vec::new();
    // Whether the record will hold values that are not the backup's, where the backup has an opinion.
    let mut mixed = !as_whole && !record.kept.is_empty();
    let mut asks = Vec::new();
    // What current alone changed is up for decision only where the record is decided as a whole.
    let open = if as_whole { record.kept } else { &[] };
    let open = opinions_on(strategy, record.table, open);
    for (field, backup) in opinions(strategy, record).chain(open).filter(|(field, _)| !field.is_timestamp) {
        let changed = if as_whole { Changed::Both } else { whose_change(record, field) };
        let rule = strategy.rule_for(record, field_name(record.table, field));
        let decided = changed == Changed::Both || (changed == Changed::Backup && record.class != Class::Conflict);
        let answer = match rule {
            // Leaving a record out is weaker than any write, so it comes before the gate.
            Some(rule) if decided && rule.take == Take::Skip && rule.field.is_none() => return Choice::Skip,
            _ if changed == Changed::Current || (closed && changed == Changed::Both) => Ok(Outcome::Stays),
            Some(rule) if decided => by_rule(strategy, record, rule.take, field, backup, changed),
            _ => Ok(Outcome::FromBackup(backup.clone())),
        };
        match answer {
            Ok(Outcome::FromBackup(value)) => written.push((field.column, value)),
            Ok(Outcome::Mixed(value)) => {
                mixed = true;
                written.push((field.column, value));
            }
            Ok(Outcome::Stays) => mixed = true,
            Err(why) => asks.push((field_name(record.table, field), why)),
        }
    }
    if !asks.is_empty() {
        return Choice::Ask(question(&asks));
    }
    if written.is_empty() {
        return Choice::Keep(if closed { KeepReason::NewerKept } else { KeepReason::ByStrategy });
    }
    written.extend(timestamp(strategy, record, mixed));
    written.sort_by_key(|(column, _)| *column);
    Choice::Write(written)
}

/// Returns what the timestamp becomes when other fields are written: the backup's for a record that is the backup's
/// in everything, else the later one. A timestamp is never erased.
fn timestamp(strategy: &Strategy, record: &Conflict<'_>, mixed: bool) -> Option<(usize, Value)> {
    let (field, backup) = opinions(strategy, record).find(|(field, value)| field.is_timestamp && !value.is_null())?;
    let later = match (record.backup_at, record.current_at) {
        (Some(backup_at), Some(current_at)) => backup_at.nanos_since(current_at) > 0,
        (Some(_), None) => true,
        (None, _) => false,
    };
    (!mixed || later).then(|| (field.column, backup.clone()))
}

/// Returns the fields in which the backup has an opinion that may be brought and can be written, with its value.
fn opinions<'a>(strategy: &'a Strategy, record: &Conflict<'a>) -> impl Iterator<Item = (&'a Field, &'a Value)> + 'a {
    opinions_on(strategy, record.table, record.fields)
}

fn opinions_on<'a>(
    strategy: &'a Strategy,
    table: &'a Table,
    fields: &'a [Field],
) -> impl Iterator<Item = (&'a Field, &'a Value)> + 'a {
    fields.iter().filter_map(move |field| {
        let column = table.columns.get(field.column)?;
        let brought = column.writable() && strategy.brings_field(table, &column.name);
        field.backup.as_ref().filter(|_| brought).map(|value| (field, value))
    })
}

/// Tells whether the current record stays because it is newer.
///
/// A timestamp in the future is no evidence for a rule, but keeping the current record is the harmless mistake.
fn current_is_newer(record: &Conflict<'_>) -> bool {
    record.preserve_newer == PreserveNewer::On
        && (record.reason == Reason::CurrentNewer
            || match (record.current_at, record.backup_at) {
                (Some(current), Some(backup)) => beyond(current.nanos_since(backup), record),
                _ => false,
            })
}

fn beyond(nanos: i128, record: &Conflict<'_>) -> bool {
    nanos > i128::try_from(record.tolerance.as_nanos()).unwrap_or(i128::MAX)
}

/// Returns which side the timestamps call newer.
fn evidence(record: &Conflict<'_>) -> Evidence {
    match (record.reason, record.backup_at, record.current_at) {
        (Reason::BackupNewer, ..) => Evidence::BackupNewer,
        (Reason::CurrentNewer, ..) => Evidence::CurrentNewer,
        (Reason::NoEvidenceFuture, ..) => Evidence::None,
        (_, Some(backup), Some(current)) => {
            if beyond(backup.nanos_since(current), record) {
                Evidence::BackupNewer
            } else if beyond(current.nanos_since(backup), record) {
                Evidence::CurrentNewer
            } else {
                Evidence::None
            }
        }
        _ => Evidence::None,
    }
}

fn whose_change(record: &Conflict<'_>, field: &Field) -> Changed {
    if !record.has_base || field.in_conflict {
        return Changed::Both;
    }
    match &field.base {
        Some(Some(base)) if field.backup.as_ref().is_some_and(|backup| same(base, backup)) => Changed::Current,
        Some(Some(base)) if field.current.as_ref().is_some_and(|current| same(base, current)) => Changed::Backup,
        // The base says nothing of the field: nobody's change is known, so the rules decide.
        _ => Changed::Both,
    }
}

fn by_rule(
    strategy: &Strategy,
    record: &Conflict<'_>,
    take: Take,
    field: &Field,
    backup: &Value,
    changed: Changed,
) -> Result<Outcome, String> {
    if let Some(why) = refusal(record.reason, take) {
        return Err(format!("{} is impossible here: {why}", take.word()));
    }
    // Against a base, merging means writing what only the backup changed, an erased value included.
    if take == Take::MergeFields && changed == Changed::Backup {
        return Ok(Outcome::FromBackup(backup.clone()));
    }
    let current = field.current.as_ref().unwrap_or(&Value::Null);
    let base = field.base.as_ref().and_then(Option::as_ref);
    let column = &record.table.columns[field.column];
    let tie = field::Tie { take: strategy.tie, evidence: evidence(record) };
    match field::merge(take, &field::Sides { base, current, backup, column }, tie)? {
        Merged::Backup => Ok(Outcome::FromBackup(backup.clone())),
        Merged::Current => Ok(Outcome::Stays),
        Merged::Value(value) if same(&value, backup) => Ok(Outcome::FromBackup(value)),
        Merged::Value(value) if same(&value, current) => Ok(Outcome::Stays),
        Merged::Value(value) => Ok(Outcome::Mixed(value)),
        Merged::Ask => Err(asked(record.reason)),
    }
}

fn field_name<'a>(table: &'a Table, field: &Field) -> &'a str {
    &table.columns[field.column].name
}

fn asked(reason: Reason) -> String {
    format!("the strategy asks ({reason})")
}

/// Joins the questions of several fields; fields with one question share it.
fn question(asks: &[(&str, String)]) -> String {
    let mut lines: Vec<(Vec<&str>, &str)> = Vec::new();
    for (field, why) in asks {
        match lines.iter_mut().find(|(_, known)| known == why) {
            Some((fields, _)) => fields.push(field),
            None => lines.push((vec![field], why)),
        }
    }
    let lines: Vec<_> = lines.iter().map(|(fields, why)| format!("{}: {why}", fields.join(", "))).collect();
    lines.join("; ")
}

impl Strategy {
    /// Finds the rule that decides the record as a whole.
    fn record_rule(&self, record: &Conflict<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.field.is_none() && rule.matches(record))
    }

    /// Finds the first rule that decides a field: one that names it, or one for whole records.
    fn rule_for(&self, record: &Conflict<'_>, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(record) && rule.field.as_ref().is_none_or(|glob| glob.matches(name)))
    }
}

impl Rule {
    fn matches(&self, record: &Conflict<'_>) -> bool {
        // Without a base a field that differs may be either side's change, however late the backup's record is: what is
        // said of that field holds. What is said of whole records does not: the class has decided about those.
        let in_class = match &self.classes {
            Some(classes) => classes.contains(&record.class),
            None if record.class == Class::Conflict => true,
            None => self.field.is_some() && record.class == Class::Updated && !record.has_base,
        };
        in_class
            && self.reasons.contains(&record.reason)
            && self.table.as_ref().is_none_or(|glob| glob.matches_table(record.table))
    }
}
