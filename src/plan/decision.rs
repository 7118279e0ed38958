//! A person's answers to conflicts, and the files they travel in.
//!
//! *Shape of a decisions file:* `{"schema":"merganser.decisions/1","decisions":[{"id","table","key","action","fields"?,"note"?}]}`.
//! AccoReg's `{"User_41":{"action":"skip"}}` is read too, with its `use_custom` and `customData`.

use crate::error::{Result, fail};
use crate::model::{Cell, Table, Value, encode, names};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest decisions file that is read (CHECKS 4).
pub const LARGEST_BYTES: u64 = 64 * 1024 * 1024;

/// An answer to one conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Decision {
    /// The backup's record.
    Backup,
    /// The current record.
    Current,
    /// Nothing is written for this record.
    Skip,
    /// The backup's fields go into the current record that holds the unique key; references follow.
    #[serde(rename = "into-existing", alias = "into_existing")]
    IntoExisting,
    /// The backup's record is inserted beside the current one under a new key; references follow.
    #[serde(rename = "new-key", alias = "new_key")]
    NewKey,
    /// Field by field, by column name; a field not named keeps its current value.
    Fields {
        /// The answers.
        fields: BTreeMap<String, FieldDecision>,
    },
    /// No answer: one was given before, to what is another question by now. It is asked again, whatever the strategy says.
    Ask,
}

/// An answer for one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldDecision {
    /// The backup's value.
    Backup,
    /// The current value.
    Current,
    /// This value, in the contract's JSON form.
    Value(serde_json::Value),
}

/// One entry of a decisions file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The conflict's stable id; empty where the entry names table and key only.
    #[serde(default)]
    pub id: String,
    /// The table, by the current database's name or the backup's.
    #[serde(default)]
    pub table: String,
    /// The key as people see it: `41`, `7,12`.
    #[serde(default)]
    pub key: String,
    /// What the record looked like when it was decided, so that a replay elsewhere notices another question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What the person noted beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub decision: Decision,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: String,
    decisions: Vec<Entry>,
}

const SCHEMA: &str = "merganser.decisions/1";

/// Writes a decisions file.
pub fn to_json(entries: Vec<Entry>) -> String {
    let file = File { schema: SCHEMA.to_owned(), decisions: entries };
    serde_json::to_string_pretty(&file).expect("decisions always serialise")
}

/// Reads a decisions file, ours or AccoReg's.
///
/// # Errors
/// `Usage` with line and column for text that is neither.
pub fn from_json(text: &str, is_table: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| fail!(Usage, "the decisions file is not JSON").because(e))?;
    if value.get("schema").is_some() || value.get("decisions").is_some() {
        let file: File = serde_json::from_value(value)
            .map_err(|e| fail!(Usage, "the decisions file is not of the form {SCHEMA}").because(e))?;
        if file.schema != SCHEMA {
            return Err(fail!(Usage, "the decisions file has the form {:?}; this version reads {SCHEMA}", file.schema));
        }
        return Ok(file.decisions);
    }
    let serde_json::Value::Object(map) = value else {
        return Err(fail!(
            Usage,
            "the decisions file is neither {SCHEMA} nor an object like {{\"User_41\": {{\"action\": \"skip\"}}}}"
        ));
    };
    map.into_iter().map(|(name, answer)| accoreg(&name, &answer, is_table)).collect()
}

fn accoreg(name: &str, answer: &serde_json::Value, is_table: &dyn Fn(&str) -> bool) -> Result<Entry> {
    // Table names may hold underscores themselves: the longest one that is a table counts.
    let split = name.rmatch_indices('_').map(|(at, _)| name.split_at(at)).find(|(table, _)| is_table(table));
    let Some((table, key)) = split else {
        return Err(fail!(Usage, "the decision {name:?} names no table of the plan")
            .hint("Names are TABLE_KEY, such as User_41."));
    };
    let decision = match answer.get("action").and_then(serde_json::Value::as_str) {
        Some("skip") => Decision::Skip,
        Some("use_backup" | "backup" | "update") => Decision::Backup,
        Some("use_current" | "current") => Decision::Current,
        Some("use_custom") => {
            let Some(serde_json::Value::Object(custom)) = answer.get("customData") else {
                return Err(fail!(Usage, "the decision {name:?} has no customData object"));
            };
            let fields =
                custom.iter().map(|(column, value)| (column.clone(), FieldDecision::Value(value.clone()))).collect();
            Decision::Fields { fields }
        }
        other => return Err(fail!(Usage, "the decision {name:?} has an unknown action {other:?}")),
    };
    Ok(Entry { id: String::new(), table: table.to_owned(), key: key[1..].to_owned(), seen: None, note: None, decision })
}

impl Decision {
    /// Checks that the fields exist and the values fit, and replaces names by the table's own.
    ///
    /// # Errors
    /// `Usage` naming the field.
    pub fn checked(self, table: &Table) -> Result<Self> {
        let Self::Fields { fields } = self else { return Ok(self) };
        if fields.is_empty() {
            return Err(fail!(Usage, "a decision by field names at least one field of {}", table.label()));
        }
        let mut checked = BTreeMap::new();
        for (name, answer) in fields {
            let column = match names::find(&name, table.columns.iter().map(|c| c.name.as_str())) {
                names::Match::Exact(c) | names::Match::Folded(c) => c,
                _ => return Err(fail!(Usage, "{} has no field {name:?}", table.label())),
            };
            if table.key.contains(&column) || !table.columns[column].writable() {
                return Err(fail!(
                    Usage,
                    "{}.{name} can't be decided: it is part of the key or computed",
                    table.label()
                ));
            }
            if let FieldDecision::Value(value) = &answer {
                typed(value, table, column)?;
            }
            checked.insert(table.columns[column].name.clone(), answer);
        }
        Ok(Self::Fields { fields: checked })
    }
}

/// Reads a JSON value as a column's value.
///
/// # Errors
/// `Usage` when it does not fit the column's type.
pub fn typed(json: &serde_json::Value, table: &Table, column: usize) -> Result<Value> {
    let target = &table.columns[column];
    let shown = if table.is_secret(column) { "the value".to_owned() } else { json.to_string() };
    let unfit = |why: &str| fail!(Usage, "{}.{}: {shown} {why}", table.label(), target.name);
    let text;
    let cell = match json {
        serde_json::Value::Null if !target.nullable => return Err(unfit("is not allowed: the column needs a value")),
        serde_json::Value::Null => Cell::Null,
        serde_json::Value::Bool(b) => Cell::Bool(*b),
        serde_json::Value::Number(n) => {
            text = n.to_string();
            Cell::Number(&text)
        }
        serde_json::Value::String(s) => Cell::String(s),
        serde_json::Value::Object(tagged) if tagged.len() == 1 => match tagged.iter().next() {
            Some((tag, serde_json::Value::String(s))) if matches!(tag.as_str(), "decimal" | "float" | "json") => {
                text = s.clone();
                if tag == "json" { Cell::Json(&text) } else { Cell::Number(&text) }
            }
            _ => {
                text = json.to_string();
                Cell::Json(&text)
            }
        },
        nested => {
            text = nested.to_string();
            Cell::Json(&text)
        }
    };
    let value = encode::value_of(cell, target).ok_or_else(|| unfit("stands for no value"))?;
    if target.ty.holds(&value) { Ok(value) } else { Err(unfit(&format!("does not fit the type {}", target.declared))) }
}
