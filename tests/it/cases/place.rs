//! A current database of a case: made from lines of records, read back by the engine's own means.

use crate::live::{Kind, Live};
use crate::world::World;
use merganser::database::Database;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

pub(crate) const ENGINES: [&str; 3] = ["sqlite", "postgres", "mariadb"];

/// Records by table, in the order of their lines.
pub(crate) type Records = Vec<(String, Map<String, Json>)>;

/// Reads `table {"field": value}` lines.
pub(crate) fn records(text: &str) -> Records {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines
        .map(|line| {
            let (table, json) = line.split_once(' ').unwrap_or_else(|| panic!("not a record: {line}"));
            (table.to_owned(), serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {line}")))
        })
        .collect()
}

pub(crate) enum Place {
    Sqlite(World),
    Server(Box<Live>),
}

impl Place {
    pub(crate) fn new(engine: usize, schema: &str) -> Self {
        match engine {
            0 => {
                let types = [("{id}", "INTEGER PRIMARY KEY"), ("{at}", "TEXT"), ("{json}", "JSON")];
                Self::Sqlite(World::new(&types.iter().fold(schema.to_owned(), |s, (from, to)| s.replace(from, to))))
            }
            1 => Self::Server(Box::new(Live::new(Kind::Postgres, &schema.replace("{json}", "jsonb")))),
            _ => Self::Server(Box::new(Live::new(Kind::Mariadb, &schema.replace("{json}", "json")))),
        }
    }

    /// Puts records in, in whatever order, as a restore with its checks off would.
    pub(crate) fn fill(&self, records: &Records) {
        let quote = if matches!(self, Self::Server(live) if live.kind == Kind::Mariadb) { "`" } else { "\"" };
        let name = |n: &str| format!("{quote}{n}{quote}");
        let literal = |value: &Json| match value {
            Json::Null | Json::Number(_) | Json::Bool(_) => value.to_string(),
            Json::String(text) if quote == "`" && text.ends_with('Z') && text.contains('T') => {
                format!("'{}'", text.trim_end_matches('Z').replace('T', " "))
            }
            Json::String(text) => format!("'{}'", text.replace('\'', "''")),
            nested => format!("'{}'", nested.to_string().replace('\'', "''")),
        };
        let mut sql = String::new();
        for (table, record) in records {
            let names: Vec<String> = record.keys().map(|n| name(n)).collect();
            let cells: Vec<String> = record.values().map(literal).collect();
            sql.push_str(&format!(
                "INSERT INTO {} ({}) VALUES ({});\n",
                name(table),
                names.join(", "),
                cells.join(", ")
            ));
        }
        match self {
            Self::Sqlite(world) => {
                let connection = world.connection();
                let text = format!("PRAGMA foreign_keys = OFF; BEGIN; {sql} COMMIT;");
                connection.execute_batch(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            }
            Self::Server(live) if live.kind == Kind::Postgres => {
                live.sql(&format!("SET session_replication_role = replica; BEGIN; {sql} COMMIT"));
            }
            Self::Server(live) => {
                live.sql(&format!("SET foreign_key_checks = 0; SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES'); START TRANSACTION; {sql} COMMIT"));
            }
        }
    }

    /// Removes a server's database; a folder goes by itself.
    pub(crate) fn remove(&self) {
        let Self::Server(live) = self else { return };
        let (server, name) = live.fresh.url.rsplit_once('/').expect("a URL with a database");
        let mut other = live.fresh.clone();
        other.url = format!("{server}/{}", if live.kind == Kind::Postgres { "postgres" } else { "mysql" });
        // Connections that end by themselves may still hold a PostgreSQL database.
        let force = if live.kind == Kind::Postgres { " WITH (FORCE)" } else { "" };
        other.execute(&format!("DROP DATABASE {name}{force}"));
    }

    pub(crate) fn world(&self) -> &World {
        match self {
            Self::Sqlite(world) => world,
            Self::Server(live) => &live.world,
        }
    }

    pub(crate) fn database(&self) -> Box<dyn Database> {
        match self {
            Self::Sqlite(world) => Box::new(world.database()),
            Self::Server(live) => live.database(),
        }
    }

    pub(crate) fn content(&self) -> Vec<String> {
        match self {
            Self::Sqlite(world) => world.content(),
            Self::Server(live) => live.content(),
        }
    }

    /// Returns some columns of a table as texts, sorted.
    pub(crate) fn read(&self, table: &str, columns: &[String]) -> Vec<Vec<Option<String>>> {
        const NULL: &str = "\u{2400}";
        const END: &str = "\u{241f}";
        let mut rows: Vec<String> = match self {
            Self::Sqlite(world) => {
                let cell = |c: &String| format!("coalesce(CAST(\"{c}\" AS TEXT), '{NULL}')");
                let cells: Vec<String> = columns.iter().map(cell).collect();
                let sql = format!("SELECT {} FROM \"{table}\"", cells.join(&format!(" || '{END}' || ")));
                let connection = world.connection();
                let mut statement = connection.prepare(&sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
                let rows = statement.query_map([], |r| r.get::<_, String>(0)).expect("queries");
                rows.map(|r| r.expect("a row")).collect()
            }
            Self::Server(live) => {
                let (quote, cast) = if live.kind == Kind::Postgres { ('"', "text") } else { ('`', "char") };
                let cell = |c: &String| format!("coalesce(CAST({quote}{c}{quote} AS {cast}), '{NULL}')");
                let cells: Vec<String> = columns.iter().map(cell).collect();
                let sql = format!("SELECT concat_ws('{END}', {}) FROM {quote}{table}{quote}", cells.join(", "));
                live.fresh.texts(&sql).into_iter().flatten().collect()
            }
        };
        rows.sort();
        let cell = |c: &str| (c != NULL).then(|| c.to_owned());
        rows.iter().map(|row| row.split(END).map(cell).collect()).collect()
    }
}

/// Writes records as a Smart Backup.
pub(crate) fn backup(world: &World, name: &str, records: &Records, tables: &[String]) {
    let mut grouped: BTreeMap<&str, Vec<Json>> = tables.iter().map(|t| (t.as_str(), Vec::new())).collect();
    for (table, record) in records {
        grouped.entry(table).or_default().push(Json::Object(record.clone()));
    }
    let tables: Vec<(&str, Json)> = grouped.into_iter().map(|(t, r)| (t, json!(r))).collect();
    world.backup(name, &tables);
}
