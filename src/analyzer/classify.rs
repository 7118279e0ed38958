//! The decision table of DESIGN 4 as one pure function: the records of one key on two or three sides in, class and
//! reason and differing fields out. It knows nothing of how the records were brought together.

use crate::model::calendar::{Timestamp, parse_timestamp};
use crate::model::change::{Class, Field, Reason};
use crate::model::compare::same;
use crate::model::schema::Storage;
use crate::model::{Column, Table, Value, encode};
use serde::{Deserialize, Serialize};

/// What the sides' clocks say of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// The table has no timestamp column.
    NoColumn,
    BackupNewer,
    CurrentNewer,
    Equal,
    Missing,
    Unreadable,
    Future,
}

/// What is done about records that the backup or the base no longer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deletes {
    /// Nothing is ever deleted.
    #[default]
    Keep,
    /// What was deleted in the backup since the base is deleted.
    Apply,
    /// What is only in current is deleted, in tables that the backup carries whole.
    Mirror,
}

/// The settings of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Instants no further apart than this count as equal.
    pub tolerance_nanos: i128,
    /// The latest instant that is not in the future.
    pub now: Timestamp,
    /// Whether fields changed on different sides make a conflict.
    pub strict: bool,
    /// What is done about missing records.
    pub deletes: Deletes,
    /// The column that says when a record was made.
    pub created: Option<usize>,
}

/// What the comparison of one key found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// The differing fields, in column order; for a new record all that it brings.
    pub fields: Vec<Field>,
    /// With a base: the fields that current alone changed, in column order.
    pub kept: Vec<Field>,
    /// The backup record's timestamp, where it has a readable one.
    pub backup_at: Option<Timestamp>,
    /// The current record's timestamp, where it has a readable one.
    pub current_at: Option<Timestamp>,
}

impl Verdict {
    fn plain(class: Class, reason: Reason) -> Self {
        Self { class, reason, fields: Vec::new(), kept: Vec::new(), backup_at: None, current_at: None }
    }
}

/// The encoded bodies of one key's records.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The base's record; the outer `None`: no base is known for the table.
    pub base: Option<Option<&'a [u8]>>,
    /// The current record.
    pub current: Option<&'a [u8]>,
    /// The backup's record.
    pub backup: Option<&'a [u8]>,
    /// Whether the backup carries the table whole, so that an absent record was deleted.
    pub backup_whole: bool,
    /// Whether the backup names the record as deleted.
    pub backup_deleted: bool,
}

/// Classifies the records of one key.
///
/// `compared` says of each column whether it takes part (false: filtered out, or computed by the engine).
pub fn classify(table: &Table, compared: &[bool], sides: &Sides<'_>, rules: &Rules) -> Verdict {
    match (sides.base, sides.current, sides.backup) {
        (_, Some(current), Some(backup)) => match sides.base {
            Some(Some(base)) => three_way(table, compared, base, current, backup, rules),
            _ => two_way(table, compared, current, backup, rules),
        },
        (Some(Some(base)), None, Some(backup)) => deleted_in_current(table, compared, base, backup),
        (_, None, Some(backup)) => Verdict {
            fields: carried(table, compared, backup, None),
            ..Verdict::plain(Class::New, Reason::OnlyInBackup)
        },
        (base, Some(current), None) => only_in_current(table, compared, base.flatten(), current, sides, rules),
        (_, None, None) => Verdict::plain(Class::Unchanged, Reason::SameFields),
    }
}

/// Lists every field that a backup record brings to a place where no current record is.
fn carried(table: &Table, compared: &[bool], backup: &[u8], base: Option<&[u8]>) -> Vec<Field> {
    let mut base_values = base.map(encode::split);
    encode::split(backup)
        .enumerate()
        .filter_map(|(column, bytes)| {
            let base = base_values.as_mut().and_then(Iterator::next);
            if !compared[column] {
                return None;
            }
            let backup = encode::decode(bytes)?;
            Some(Field {
                column,
                base: base.map(encode::decode),
                current: None,
                backup: Some(backup),
                in_conflict: false,
                is_timestamp: table.timestamp == Some(column),
            })
        })
        .collect()
}

/// Tells whether two encoded values mean the same; absent ones are equal only to absent ones.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a == b
        || match (encode::decode(a), encode::decode(b)) {
            (Some(x), Some(y)) => same(&x, &y),
            _ => false,
        }
}

fn two_way(table: &Table, compared: &[bool], current: &[u8], backup: &[u8], rules: &Rules) -> Verdict {
    let mut fields = Vec::new();
    let mut clock = None;
    for (column, (c, b)) in encode::split(current).zip(encode::split(backup)).enumerate() {
        if !compared[column] || encode::is_absent(b) || table.key.contains(&column) || equal(c, b) {
            continue;
        }
        let field = Field {
            column,
            base: None,
            current: encode::decode(c),
            backup: encode::decode(b),
            in_conflict: true,
            is_timestamp: table.timestamp == Some(column),
        };
        if table.timestamp == Some(column) {
            clock = Some(field);
        } else {
            fields.push(field);
        }
    }
    if fields.is_empty() {
        return Verdict::plain(Class::Unchanged, Reason::SameFields);
    }
    let (evidence, backup_at, current_at) = clocks(table, current, backup, rules);
    let fills_empty = fields.iter().all(|f| f.current.as_ref().is_some_and(Value::is_null));
    let (class, reason) = if reused(table, compared, current, backup, &fields, rules) {
        (Class::Conflict, Reason::ReusedKey)
    } else {
        match evidence {
            Evidence::BackupNewer => (Class::Updated, Reason::BackupNewer),
            Evidence::CurrentNewer => (Class::Conflict, Reason::CurrentNewer),
            Evidence::Equal => (Class::Conflict, Reason::NoEvidenceEqual),
            Evidence::Missing => (Class::Conflict, Reason::NoEvidenceMissing),
            Evidence::Unreadable => (Class::Conflict, Reason::NoEvidenceUnreadable),
            Evidence::Future => (Class::Conflict, Reason::NoEvidenceFuture),
            Evidence::NoColumn if fills_empty => (Class::Updated, Reason::FillsEmpty),
            Evidence::NoColumn => (Class::Conflict, Reason::BothDiffer),
        }
    };
    if let Some(mut clock) = clock {
        clock.in_conflict = false;
        let place = fields.partition_point(|f| f.column < clock.column);
        fields.insert(place, clock);
    }
    if class == Class::Updated {
        fields.iter_mut().for_each(|f| f.in_conflict = false);
    }
    if reason == Reason::ReusedKey {
        // Two entities are shown, and may both be kept, whole: also where they are alike.
        fields.extend(alike(table, compared, current, backup, &fields));
        fields.sort_by_key(|f| f.column);
    }
    Verdict { class, reason, fields, kept: Vec::new(), backup_at, current_at }
}

/// Lists the fields that both sides carry and that do not differ.
fn alike(table: &Table, compared: &[bool], current: &[u8], backup: &[u8], differing: &[Field]) -> Vec<Field> {
    let sides = encode::split(current).zip(encode::split(backup)).enumerate();
    sides
        .filter(|(column, (_, b))| {
            compared[*column]
                && !encode::is_absent(b)
                && !table.key.contains(column)
                && !differing.iter().any(|f| f.column == *column)
        })
        .map(|(column, (c, b))| Field {
            column,
            base: None,
            current: encode::decode(c),
            backup: encode::decode(b),
            in_conflict: false,
            is_timestamp: table.timestamp == Some(column),
        })
        .collect()
}

fn value_at(body: &[u8], column: usize) -> Option<Value> {
    encode::split(body).nth(column).and_then(encode::decode)
}

fn clocks(
    table: &Table,
    current: &[u8],
    backup: &[u8],
    rules: &Rules,
) -> (Evidence, Option<Timestamp>, Option<Timestamp>) {
    let Some(column) = table.timestamp else { return (Evidence::NoColumn, None, None) };
    let (c, b) = (value_at(current, column), value_at(backup, column));
    let (current_at, backup_at) = (
        c.as_ref().and_then(|v| instant(v, &table.columns[column])),
        b.as_ref().and_then(|v| instant(v, &table.columns[column])),
    );
    let missing = |v: &Option<Value>| v.as_ref().is_none_or(Value::is_null);
    let evidence = match (backup_at, current_at) {
        _ if missing(&c) || missing(&b) => Evidence::Missing,
        (Some(backup), Some(current)) => {
            let future = rules.now.nanos_since(backup).min(rules.now.nanos_since(current)) < -rules.tolerance_nanos;
            let ahead = backup.nanos_since(current);
            if ahead.abs() <= rules.tolerance_nanos || backup.same_at_coarser(current) {
                Evidence::Equal
            } else if future {
                Evidence::Future
            } else if ahead > 0 {
                Evidence::BackupNewer
            } else {
                Evidence::CurrentNewer
            }
        }
        _ => Evidence::Unreadable,
    };
    (evidence, backup_at, current_at)
}

/// Reads a value as an instant: timestamps, counts of units since 1970, ISO text in a text column.
pub fn instant(value: &Value, column: &Column) -> Option<Timestamp> {
    match value {
        Value::Timestamp(t) => Some(*t),
        Value::Date(days) => Some(Timestamp { seconds: days.checked_mul(86_400)?, nanos: 0, digits: 0, zoned: false }),
        Value::Text(text) => parse_timestamp(text.trim()),
        Value::Float(f) => encode::to_timestamp(crate::model::Cell::Real(*f), column.storage),
        Value::Decimal(d) => encode::to_timestamp(crate::model::Cell::Real(d.to_f64()), column.storage),
        Value::Integer(i) => {
            let storage = if column.storage == Storage::Native { Storage::HexText } else { column.storage };
            encode::to_timestamp(crate::model::Cell::Int(i64::try_from(*i).ok()?), storage)
        }
        _ => None,
    }
}

/// Tells whether two records of one key are evidently two entities: made at different times, or, where that is not
/// known, with another natural key and most other fields different too (CHECKS F44).
fn reused(table: &Table, compared: &[bool], current: &[u8], backup: &[u8], fields: &[Field], rules: &Rules) -> bool {
    if let Some(column) = rules.created.filter(|&c| compared[c]) {
        let at = |body| value_at(body, column).and_then(|v| instant(&v, &table.columns[column]));
        if let (Some(c), Some(b)) = (at(current), at(backup)) {
            return !c.same_at_coarser(b) && c.nanos_since(b).abs() > rules.tolerance_nanos;
        }
    }
    let differs = |column: usize| fields.iter().any(|f| f.column == column);
    let natural = table
        .uniques
        .iter()
        .filter(|u| u.columns != table.key && u.is_plain())
        .any(|u| u.columns.iter().all(|&c| !table.columns[c].nullable) && u.columns.iter().any(|&c| differs(c)));
    if !natural {
        return false;
    }
    let in_unique = |c: usize| table.uniques.iter().any(|u| u.decided_by().contains(&c));
    let others: Vec<usize> = encode::split(backup)
        .enumerate()
        .filter(|(c, bytes)| {
            compared[*c]
                && !in_unique(*c)
                && !table.key.contains(c)
                && table.timestamp != Some(*c)
                && !encode::is_absent(bytes)
        })
        .map(|(c, _)| c)
        .collect();
    others.len() >= 2 && others.iter().filter(|&&c| differs(c)).count() * 2 > others.len()
}

fn three_way(table: &Table, compared: &[bool], base: &[u8], current: &[u8], backup: &[u8], rules: &Rules) -> Verdict {
    let (mut fields, mut kept) = (Vec::new(), Vec::new());
    let (mut current_changed, mut take, mut conflicts, mut differs) = (false, false, false, false);
    let sides = encode::split(base).zip(encode::split(current)).zip(encode::split(backup));
    for (column, ((o, c), b)) in sides.enumerate() {
        if !compared[column] || table.key.contains(&column) {
            continue;
        }
        let is_clock = table.timestamp == Some(column);
        let based = !encode::is_absent(o);
        let changed_in_current = based && !equal(o, c);
        current_changed |= changed_in_current && !is_clock;
        if encode::is_absent(b) || equal(c, b) {
            continue;
        }
        let changed_in_backup = !based || !equal(o, b);
        differs |= !is_clock;
        let in_conflict = !is_clock && changed_in_backup && (changed_in_current || !based);
        if !is_clock {
            take |= changed_in_backup && !in_conflict;
            conflicts |= in_conflict;
        }
        let decode = encode::decode;
        let field = Field {
            column,
            base: Some(decode(o)),
            current: decode(c),
            backup: decode(b),
            in_conflict,
            is_timestamp: is_clock,
        };
        // What only current changed stays, but for the clock that goes with the record.
        if changed_in_backup || is_clock { fields.push(field) } else { kept.push(field) }
    }
    let (_, backup_at, current_at) = clocks(table, current, backup, rules);
    // A backup's timestamp in the future is no evidence that it is newer; a current one that is keeps the record.
    let backup_at = backup_at.filter(|at| at.nanos_since(rules.now) <= rules.tolerance_nanos);
    let (class, reason) = match (take, conflicts) {
        (false, false) if differs => (Class::Unchanged, Reason::OnlyCurrentChanged),
        (false, false) => (Class::Unchanged, Reason::SameFields),
        (_, true) => (Class::Conflict, Reason::BothChanged),
        (true, false) if current_changed && rules.strict => (Class::Conflict, Reason::MergedFields),
        (true, false) if current_changed => (Class::Updated, Reason::MergedFields),
        (true, false) => (Class::Updated, Reason::OnlyBackupChanged),
    };
    if class == Class::Unchanged {
        return Verdict::plain(class, reason);
    }
    if reason == Reason::MergedFields && rules.strict {
        fields.iter_mut().filter(|f| table.timestamp != Some(f.column)).for_each(|f| f.in_conflict = true);
    }
    Verdict { class, reason, fields, kept, backup_at, current_at }
}

/// Tells whether a record is as the base has it, in the fields that both carry; the timestamp alone is no change.
fn as_in_base(table: &Table, compared: &[bool], base: &[u8], other: &[u8]) -> bool {
    encode::split(base).zip(encode::split(other)).enumerate().all(|(column, (o, x))| {
        !compared[column]
            || table.timestamp == Some(column)
            || encode::is_absent(x)
            || encode::is_absent(o)
            || equal(o, x)
    })
}

fn deleted_in_current(table: &Table, compared: &[bool], base: &[u8], backup: &[u8]) -> Verdict {
    if as_in_base(table, compared, base, backup) {
        return Verdict::plain(Class::Unchanged, Reason::DeletedInCurrent);
    }
    let mut fields = carried(table, compared, backup, Some(base));
    fields.iter_mut().for_each(|f| f.in_conflict = !f.is_timestamp);
    Verdict { fields, ..Verdict::plain(Class::Conflict, Reason::DeletedInCurrent) }
}

/// Lists every field of a current record that is to go.
fn leaving(table: &Table, compared: &[bool], current: &[u8], base: Option<&[u8]>, conflict: bool) -> Vec<Field> {
    let mut base_values = base.map(encode::split);
    encode::split(current)
        .enumerate()
        .filter_map(|(column, bytes)| {
            let base = base_values.as_mut().and_then(Iterator::next);
            if !compared[column] {
                return None;
            }
            let current = encode::decode(bytes)?;
            Some(Field {
                column,
                base: base.map(encode::decode),
                current: Some(current),
                backup: None,
                in_conflict: conflict && table.timestamp != Some(column),
                is_timestamp: table.timestamp == Some(column),
            })
        })
        .collect()
}

fn only_in_current(
    table: &Table,
    compared: &[bool],
    base: Option<&[u8]>,
    current: &[u8],
    sides: &Sides<'_>,
    rules: &Rules,
) -> Verdict {
    match (rules.deletes, base) {
        _ if !sides.backup_whole && !sides.backup_deleted => Verdict::plain(Class::CurrentOnly, Reason::OnlyInCurrent),
        // The backup says that it was deleted, but not as what: a person has to look.
        (Deletes::Apply, None) if sides.backup_deleted => Verdict {
            fields: leaving(table, compared, current, None, true),
            ..Verdict::plain(Class::Conflict, Reason::DeletedInBackup)
        },
        (Deletes::Keep, _) | (Deletes::Apply, None) => Verdict::plain(Class::CurrentOnly, Reason::OnlyInCurrent),
        (Deletes::Apply, Some(base)) if as_in_base(table, compared, base, current) => Verdict {
            fields: leaving(table, compared, current, Some(base), false),
            ..Verdict::plain(Class::CurrentOnly, Reason::DeletedInBackup)
        },
        (Deletes::Apply, Some(base)) => Verdict {
            fields: leaving(table, compared, current, Some(base), true),
            ..Verdict::plain(Class::Conflict, Reason::DeletedInBackup)
        },
        (Deletes::Mirror, _) => Verdict {
            fields: leaving(table, compared, current, None, false),
            ..Verdict::plain(Class::CurrentOnly, Reason::NotInBackup)
        },
    }
}
