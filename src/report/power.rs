//! What a plan would change about who may do what: roles and rights, reset passwords, planted tokens and sessions (CHECKS
//! T15). A backup is only data, and this is the data by which somebody becomes an administrator.
//!
//! Known by names alone, so it errs on the side of telling. It says what would be written, not whether that is right.

use super::secrets::{Secrets, is_secret_name};
use crate::error::Result;
use crate::model::{Table, Value, names};
use crate::plan::settle::{Strategies, settle};
use crate::plan::{Outcome, Plan, Selector, Stored};
use serde::Serialize;

/// Records that are listed one by one; the others are only counted.
const LISTED: usize = 100;

/// Folded names of columns that say what somebody may do.
const RIGHTS: [&str; 14] = [
    "role",
    "roleid",
    "userrole",
    "usertype",
    "isadmin",
    "admin",
    "isadministrator",
    "issuperuser",
    "superuser",
    "issuper",
    "isstaff",
    "isroot",
    "isowner",
    "accesslevel",
];

/// Words in a new record's text that name power.
const STRONG: [&str; 6] = ["admin", "root", "super", "owner", "staff", "operator"];

/// One record that would change who may do what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The table.
    pub table: String,
    /// The record's key, as people see it.
    pub record: String,
    /// `inserted` or `updated`.
    pub outcome: &'static str,
    /// The fields concerned.
    pub fields: Vec<String>,
}

/// What a plan would change about who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Power {
    /// How many records.
    pub total: u64,
    /// The first hundred of them.
    pub changes: Vec<Change>,
}

/// Whether a record is new to the database or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    New,
    Changed,
}

fn is_right(folded: &str) -> bool {
    RIGHTS.contains(&folded) || folded.contains("permission") || folded.contains("privilege")
}

/// Tells whether all of a table is about who may do what: roles, memberships, sessions, tokens.
fn is_about_power(table: &Table) -> bool {
    let folded = names::fold(&table.name);
    let ends = ["role", "session", "token", "apikey", "admin", "administrator", "credential", "usergroup"];
    folded.contains("permission")
        || folded.contains("privilege")
        || folded.contains("userrole")
        || folded.contains("roleuser")
        || ends.iter().any(|end| folded.ends_with(end))
        || (folded.starts_with("auth") && folded.ends_with("group"))
}

/// Tells whether a table has anything by which somebody gets power.
fn concerns(table: &Table) -> bool {
    let power = |name: &str| is_right(&names::fold(name)) || is_secret_name(name);
    is_about_power(table) || table.columns.iter().any(|c| power(&c.name))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || matches!(value.to_string().as_str(), "" | "[]" | "{}")
}

/// Tells whether writing a value into a field of a table changes who may do what.
fn matters(table: &Table, column: usize, value: &Value, arrival: Arrival) -> bool {
    let name = &table.columns[column].name;
    let folded = names::fold(name);
    if table.key.contains(&column) && arrival == Arrival::Changed || table.timestamp == Some(column) {
        return false;
    }
    if is_about_power(table) {
        return arrival == Arrival::Changed || !is_empty(value);
    }
    if is_right(&folded) {
        let text = value.to_string().to_lowercase();
        let refers = folded.ends_with("id") || table.foreign_keys.iter().any(|f| f.columns.contains(&column));
        let strong = match value {
            Value::Bool(yes) => *yes,
            Value::Integer(number) => *number != 0,
            _ => matches!(text.as_str(), "true" | "t" | "yes" | "y" | "1") || STRONG.iter().any(|w| text.contains(w)),
        };
        let list = folded.contains("permission") || folded.contains("privilege");
        return arrival == Arrival::Changed || strong || ((refers || list) && !is_empty(value));
    }
    // A new person has a password of their own; a token in their record opens the door to who wrote the backup.
    let planted = !["password", "passwd", "passphrase"].iter().any(|word| folded.contains(word));
    is_secret_name(name) && !is_empty(value) && (arrival == Arrival::Changed || planted)
}

impl Power {
    /// Finds what a settled plan would change about who may do what.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    ///
    /// *Complexity:* one look at the written records of the tables that have to do with it.
    pub fn of(plan: &Plan, secrets: &Secrets) -> Result<Self> {
        let strategies = Strategies::of(plan)?;
        let mut power = Self::default();
        for (position, table) in plan.meta().schema.tables.iter().enumerate() {
            if !concerns(table) {
                continue;
            }
            for outcome in [Outcome::Inserted, Outcome::Updated] {
                let written = Selector { table: Some(position), outcome: Some(outcome), ..Selector::default() };
                let arrival = if outcome == Outcome::Inserted { Arrival::New } else { Arrival::Changed };
                plan.each(&written, &mut |record| {
                    let writes = settle(plan, &strategies, &record)?.writes;
                    let differs = |column: usize, value: &Value| {
                        let field = record.finding.fields.iter().find(|f| f.column == column);
                        field.is_none_or(|f| f.current.as_ref() != Some(value))
                    };
                    let fields: Vec<String> = writes
                        .iter()
                        .filter(|(column, value)| matters(table, *column, value, arrival) && differs(*column, value))
                        .map(|(column, _)| table.columns[*column].name.clone())
                        .collect();
                    power.note(table, secrets.key_text(table, &record.finding.key), outcome, fields);
                    Ok(())
                })?;
            }
        }
        Ok(power)
    }

    fn note(&mut self, table: &Table, record: String, outcome: Outcome, fields: Vec<String>) {
        if fields.is_empty() {
            return;
        }
        self.total += 1;
        if self.changes.len() < LISTED {
            self.changes.push(Change { table: table.label(), record, outcome: outcome.word(), fields });
        }
    }
}

/// Tells whether taking the backup's side of a record would change who may do what: never part of a decision about many.
pub fn would_change(plan: &Plan, record: &Stored) -> bool {
    let table = &plan.meta().schema.tables[record.finding.table];
    let fields = &record.finding.fields;
    let arrival = match fields.iter().any(|f| f.current.is_some()) {
        true => Arrival::Changed,
        false => Arrival::New,
    };
    concerns(table)
        && fields.iter().any(|f| {
            let brought = f.backup.as_ref().filter(|value| f.current.as_ref() != Some(value));
            brought.is_some_and(|value| matters(table, f.column, value, arrival))
        })
}
