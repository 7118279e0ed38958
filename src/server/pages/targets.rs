//! The configured databases, as pages show them: never with their passwords.

use super::html::safe;
use crate::server::app::App;
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
            display: safe(view.display.as_deref().unwrap_or("its address can't be read")),
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
        "mysql" => "MySQL or MariaDB",
        _ => "",
    }
}

/// Connects and says what is there, in a sentence.
pub(super) fn tried(app: &App, name: &str) -> String {
    match targets::schema(app, name) {
        Ok(schema) => {
            let keys: usize = schema.tables.iter().map(|t| t.foreign_keys.len()).sum();
            let tables = super::words::plural(schema.tables.len() as u64, "table");
            format!("✓ reachable: {tables}, {}", super::words::plural(keys as u64, "reference"))
        }
        Err(problem) => safe(&format!("× {}", problem.detail)),
    }
}
