//! The configured databases, as pages show them: never with their passwords.

use super::html::safe;
use super::words;
use crate::model::Schema;
use crate::server::app::App;
use crate::server::problem::Answer;
use crate::server::service::targets;

/// A configured database.
#[derive(Clone, Debug)]
pub(super) struct TargetView {
    pub(super) name: String,
    pub(super) display: String,
    pub(super) engine: &'static str,
    pub(super) protected: bool,
}

/// Lists the configured databases.
pub(super) fn list(app: &App) -> Vec<TargetView> {
    let shown = targets::list(app).into_iter().map(|target| {
        let view = target.view();
        TargetView {
            name: safe(&view.name),
            display: safe(view.display.as_deref().unwrap_or(words::ITS_ADDRESS_CANT_BE_READ)),
            engine: engine(view.engine.as_deref().unwrap_or_default()),
            protected: view.protected,
        }
    });
    shown.collect()
}

/// Returns an engine's name.
pub(super) fn engine(word: &str) -> &'static str {
    match word {
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        "mysql" => words::MYSQL_OR_MARIADB,
        _ => "",
    }
}

/// Connects and says what is there: tables, references that go around in circles, rights that are missing.
pub(super) fn tried(app: &App, name: &str) -> String {
    let looked = || -> Answer<(Schema, Vec<String>)> {
        let mut database = targets::get(app, name)?.connect()?;
        let schema = database.schema()?;
        let lacking = database.lacking(&schema)?;
        let lacking = lacking.iter().filter(|l| schema.tables.iter().any(|t| l.is_about(t)));
        let lacking = lacking.map(|l| format!("{} on {}", l.privileges, l.table)).collect();
        Ok((schema, lacking))
    };
    match looked() {
        Ok((schema, lacking)) => {
            let keys: usize = schema.tables.iter().map(|t| t.foreign_keys.len()).sum();
            let mut parts = vec![
                words::plural(schema.tables.len() as u64, "table"),
                words::plural(keys as u64, "reference"),
                match circles(&schema) {
                    0 => words::NO_CIRCLES.to_owned(),
                    n => words::circles(n),
                },
            ];
            if lacking.is_empty() {
                parts.push(words::MAY_WRITE.to_owned());
            }
            let mut text = format!("✓ {}: {}", words::REACHABLE, parts.join(", "));
            if !lacking.is_empty() {
                text.push_str(&format!(". ! {} {}", words::LACKS, lacking.join("; ")));
            }
            safe(&text)
        }
        Err(problem) => safe(&format!("× {}", problem.detail)),
    }
}

/// Counts the tables that refer to themselves, directly or around a circle.
fn circles(schema: &Schema) -> u64 {
    let parents = |t: usize| schema.tables[t].foreign_keys.iter().filter_map(|k| k.table);
    let around = |start: &usize| {
        let (mut seen, mut left) = (vec![false; schema.tables.len()], parents(*start).collect::<Vec<_>>());
        while let Some(table) = left.pop() {
            if table == *start {
                return true;
            }
            if !std::mem::replace(&mut seen[table], true) {
                left.extend(parents(table));
            }
        }
        false
    };
    (0..schema.tables.len()).filter(around).count() as u64
}
