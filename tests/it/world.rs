//! A small world for tests: a current SQLite database, a backup, perhaps a base, and the whole way from analysis to undo.

use merganser::analyzer::Options;
use merganser::database::{Database, sqlite::Sqlite};
use merganser::executor::{self, Ending, Home, MergeOptions, MergeReport, OnBlocked, Receipt};
use merganser::plan::make::{Request, make};
use merganser::plan::{Plan, Preview, Selector, Stored};
use merganser::progress::Quiet;
use merganser::{Result, executor::home::fresh_id};
use std::path::PathBuf;

/// A folder with everything in it, removed at the end.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) home: Home,
}

impl World {
    /// Makes a world whose current database is made by SQL.
    pub(crate) fn new(sql: &str) -> Self {
        // In memory where there is such a folder: the tests wait for the disk often enough.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
            .expect("a temporary folder");
        let home = Home::open(&folder.path().join("state")).expect("a data folder");
        let world = Self { folder, home };
        world.sql(sql);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs SQL on the current database, as an application would.
    pub(crate) fn sql(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    }

    pub(crate) fn connection(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path("current.db")).expect("opens");
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").expect("pragmas");
        connection
    }

    /// Writes a file into the world's folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("writes");
        path
    }

    /// Writes a Smart Backup of tables given as `(name, records)`.
    pub(crate) fn backup(&self, name: &str, tables: &[(&str, serde_json::Value)]) -> PathBuf {
        let tables: Vec<_> = tables.iter().map(|(n, r)| serde_json::json!({"tableName": n, "records": r})).collect();
        self.file(name, &serde_json::json!({"tables": tables, "metadata": {"version": "1.0"}}).to_string())
    }

    /// Writes an SQLite backup made by SQL.
    pub(crate) fn sqlite_backup(&self, name: &str, sql: &str) -> PathBuf {
        let path = self.path(name);
        let connection = rusqlite::Connection::open(&path).expect("opens");
        connection.execute_batch(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
        path
    }

    pub(crate) fn database(&self) -> Sqlite {
        Sqlite::open(&self.path("current.db")).expect("opens")
    }

    /// Analyzes under a strategy.
    pub(crate) fn analyze(
        &self,
        backup: &str,
        base: Option<&str>,
        strategy: &str,
        options: Options,
    ) -> Result<(Plan, Preview)> {
        self.analyze_with(&mut self.database(), backup, base, strategy, options)
    }

    pub(crate) fn analyze_with(
        &self,
        database: &mut dyn Database,
        backup: &str,
        base: Option<&str>,
        strategy: &str,
        options: Options,
    ) -> Result<(Plan, Preview)> {
        let id = fresh_id('p');
        let out = self.home.plans().join(format!("{id}.mplan"));
        let base = base.map(|b| self.path(b));
        let request = Request {
            backup: &self.path(backup),
            base: base.as_deref(),
            read: Default::default(),
            options,
            strategy,
            table_strategies: Vec::new(),
            id,
            out: &out,
            state_key: self.home.key()?,
        };
        make(&request, database, &Quiet)
    }

    pub(crate) fn merge(&self, plan: &mut Plan, ending: Ending, on_blocked: OnBlocked) -> Result<MergeReport> {
        let options = MergeOptions { ending, on_blocked, actor: "test".to_owned(), ..MergeOptions::default() };
        executor::merge(plan, &mut self.database(), &self.home, &options, &Quiet)
    }

    /// Takes a merge back.
    pub(crate) fn undo(&self, merge: &str) -> Result<MergeReport> {
        let receipt = Receipt::open(&self.home.receipt_path(merge)?)?;
        let out = self.home.plans().join(format!("{}.mplan", fresh_id('p')));
        let mut plan = executor::undo::plan(&self.home, &receipt, &mut self.database(), &[], &out)?;
        self.merge(&mut plan, Ending::Commit, OnBlocked::Skip)
    }

    /// Returns the whole content, table by table, as SQL text with each value's storage class.
    pub(crate) fn content(&self) -> Vec<String> {
        dump(&self.connection())
    }

    /// Reads one value.
    pub(crate) fn value(&self, sql: &str) -> String {
        let value: rusqlite::types::Value =
            self.connection().query_row(sql, [], |r| r.get(0)).unwrap_or_else(|e| panic!("{e}: {sql}"));
        match value {
            rusqlite::types::Value::Null => "NULL".to_owned(),
            rusqlite::types::Value::Integer(i) => i.to_string(),
            rusqlite::types::Value::Real(r) => r.to_string(),
            rusqlite::types::Value::Text(t) => t,
            rusqlite::types::Value::Blob(b) => format!("{b:?}"),
        }
    }
}

/// Lists all records of a database, by table, in order of content.
pub(crate) fn dump(connection: &rusqlite::Connection) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").expect("prepares");
    let names: Vec<String> = tables.query_map([], |r| r.get(0)).expect("queries").map(|n| n.expect("a name")).collect();
    for name in names {
        let mut statement =
            connection.prepare(&format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""))).expect("prepares");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("queries");
        let mut of_table = Vec::new();
        while let Some(row) = rows.next().expect("steps") {
            let cells: Vec<String> = (0..columns).map(|c| format!("{:?}", row.get_ref(c).expect("a value"))).collect();
            of_table.push(format!("{name}: {}", cells.join(", ")));
        }
        of_table.sort();
        lines.extend(of_table);
    }
    lines
}

/// Lists the records of a plan as `table/key class reason`.
pub(crate) fn listed(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    plan.each(&Selector::default(), &mut |record: Stored| {
        let table = plan.meta().schema.tables[record.finding.table].label();
        let key = merganser::model::Key(record.finding.key.clone());
        lines.push(format!("{table}/{key} {} {}", record.finding.class, record.finding.reason));
        Ok(())
    })
    .expect("a readable plan");
    lines.sort();
    lines
}
