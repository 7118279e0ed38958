//! Review SQL: what a merge amounts to, for people to read. merganser itself never executes it (CHECKS T5).
//!
//! Names and values are quoted for the plan's engine; in comments nothing that came from data can end the line.

use super::Secrets;
use crate::database::quoted;
use crate::error::Result;
use crate::model::schema::Engine;
use crate::model::{Table, Value, encode};
use crate::plan::settle::{Strategies, Target, settle};
use crate::plan::{Outcome, Plan, PlanKind, Selector, Stored};
use std::fmt::Write as _;

/// Writes the statements of a plan.
///
/// # Errors
/// `PlanMismatch` for a damaged plan, `Usage` for a strategy that can't be read any more.
pub fn review(plan: &Plan, secrets: &Secrets) -> Result<String> {
    let meta = plan.meta();
    let mut text = String::new();
    let _ = writeln!(text, "-- For review only: not executed by merganser, and no substitute for 'merganser merge'.");
    let _ = writeln!(text, "-- Plan {} for {}", comment(&meta.id), comment(&meta.database.display));
    let strategies = Strategies::of(plan)?;
    for result in &meta.tables {
        let _ = writeln!(text, "\n-- Table {}", comment(&result.name));
        let selector = Selector { table: Some(result.table), ..Selector::default() };
        plan.each(&selector, &mut |record| {
            if record.outcome.is_some_and(Outcome::writes) {
                let (writes, key) = writes(plan, &strategies, &record)?;
                statement(&mut text, plan, &record, (&writes, &key), secrets);
            }
            Ok(())
        })?;
    }
    Ok(text)
}

/// Fields and their values, and the key of the record that they are written to.
type Written = (Vec<(usize, Value)>, Vec<Value>);

/// Returns what is written, and the key of the record that it is written to.
fn writes(plan: &Plan, strategies: &Strategies, record: &Stored) -> Result<Written> {
    let own = record.finding.key.clone();
    if plan.meta().kind == PlanKind::Merge {
        let settled = settle(plan, strategies, record)?;
        let key = if let Target::Existing(key, _) = settled.target { key } else { own };
        return Ok((settled.writes, key));
    }
    let table = &plan.meta().schema.tables[record.finding.table];
    let action = plan.action(record.finding.id)?;
    let values = action.columns.iter().zip(&action.cells);
    let values = values.filter_map(|(&c, cell)| Some((c, encode::value_of(cell.as_cell(), &table.columns[c])?)));
    Ok((values.collect(), own))
}

fn statement(
    text: &mut String,
    plan: &Plan,
    record: &Stored,
    (writes, key): (&[(usize, Value)], &[Value]),
    secrets: &Secrets,
) {
    let meta = plan.meta();
    let engine = meta.schema.engine;
    let table = &meta.schema.tables[record.finding.table];
    let name = match &table.schema {
        Some(schema) => format!("{}.{}", quoted(engine, schema), quoted(engine, &table.name)),
        None => quoted(engine, &table.name),
    };
    let column = |c: usize| quoted(engine, &table.columns[c].name);
    let value = |c: usize, v: &Value| literal(engine, table, c, v, secrets);
    let key: Vec<String> =
        table.key.iter().zip(key).map(|(&c, v)| format!("{} = {}", column(c), value(c, v))).collect();
    let _ = writeln!(
        text,
        "-- {}: {}, {}",
        comment(&secrets.record_name(table, &record.finding.key)),
        record.finding.class,
        record.finding.reason
    );
    let _ = match record.outcome {
        Some(Outcome::Inserted) => {
            let columns: Vec<String> = writes.iter().map(|(c, _)| column(*c)).collect();
            let values: Vec<String> = writes.iter().map(|(c, v)| value(*c, v)).collect();
            writeln!(text, "INSERT INTO {name} ({}) VALUES ({});", columns.join(", "), values.join(", "))
        }
        Some(Outcome::Updated) => {
            let sets: Vec<String> = writes.iter().map(|(c, v)| format!("{} = {}", column(*c), value(*c, v))).collect();
            writeln!(text, "UPDATE {name} SET {} WHERE {};", sets.join(", "), key.join(" AND "))
        }
        _ => writeln!(text, "DELETE FROM {name} WHERE {};", key.join(" AND ")),
    };
}

/// Makes text from data unable to end a comment's line.
fn comment(text: &str) -> String {
    super::text::shown(text).replace(['\u{2028}', '\u{2029}'], " ")
}

fn literal(engine: Engine, table: &Table, column: usize, value: &Value, secrets: &Secrets) -> String {
    if !value.is_null() && secrets.hides(&table.label(), &table.columns[column].name) {
        return string(engine, &secrets.text(table, column, value));
    }
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(b) if engine == Engine::Sqlite => u8::from(*b).to_string(),
        Value::Bool(b) => b.to_string().to_uppercase(),
        Value::Integer(_) | Value::Decimal(_) => value.to_string(),
        Value::Float(f) if f.is_finite() => f.to_string(),
        Value::Bytes(bytes) | Value::RawText(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            if engine == Engine::Postgres { format!("'\\x{hex}'::bytea") } else { format!("X'{hex}'") }
        }
        other => string(engine, &other.to_string()),
    }
}

fn string(engine: Engine, text: &str) -> String {
    let text = text.replace('\'', "''");
    match engine {
        // Backslashes are escapes in MySQL's strings unless the server was told otherwise.
        Engine::Mysql => format!("'{}'", text.replace('\\', "\\\\")),
        Engine::Sqlite | Engine::Postgres => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes_or_its_comment() {
        assert_eq!(quoted(Engine::Sqlite, "x\"; DROP"), "\"x\"\"; DROP\"");
        assert_eq!(quoted(Engine::Mysql, "x`y"), "`x``y`");
        assert_eq!(string(Engine::Mysql, "a\\' b"), "'a\\\\'' b'");
        assert_eq!(comment("a\n\\! rm\r\u{2028}b"), "a\\n\\! rm\\r b");
    }
}
