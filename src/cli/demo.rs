//! `demo`: a small application database, a backup of it, edits on both sides, and the whole way through, for real.
//!
//! Everything happens in a folder of its own that goes away at the end; every step is checked.

use super::args::Cli;
use super::context::Context;
use super::output::Done;
use crate::database::Database as _;
use crate::database::sqlite::Sqlite;
use crate::error::{Result, fail};
use crate::model::OwnedCell;
use clap::{Args, Parser};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  merganser demo\n  merganser demo --keep ./demo")]
pub(super) struct DemoArgs {
    /// Make everything in this new folder and leave it there
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

const SCHEMA: &str = "
    CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, capacity INTEGER NOT NULL);
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, phone TEXT,
        password_hash TEXT, updated_at TEXT NOT NULL);
    CREATE TABLE allocations (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id),
        room_id INTEGER NOT NULL REFERENCES rooms (id), note TEXT);
    CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT NOT NULL, at TEXT NOT NULL);
    INSERT INTO rooms VALUES (1, 'North', 2), (2, 'South', 3), (3, 'Attic', 1);
    INSERT INTO users VALUES
        (1, 'ada@example.org', 'Ada', '555-0100', 'x1', '2026-11-01T09:00:00Z'),
        (2, 'ben@example.org', 'Ben', NULL, 'x2', '2026-11-01T09:00:00Z'),
        (3, 'cho@example.org', 'Cho', '555-0102', 'x3', '2026-11-02T09:00:00Z'),
        (4, 'dee@example.org', 'Dee', '555-0103', 'x4', '2026-11-03T09:00:00Z');
    INSERT INTO allocations VALUES (1, 1, 1, 'window'), (2, 2, 1, NULL), (3, 3, 2, NULL), (4, 4, 3, 'quiet');
    INSERT INTO audit VALUES (1, 'opened', '2026-11-01T08:00:00Z');";

/// What happened after the backup: somebody deleted too much, others went on working.
const AFTER: &str = "
    DELETE FROM allocations WHERE user_id = 4; DELETE FROM users WHERE id = 4;
    UPDATE users SET name = 'Benjamin', phone = '555-0199', updated_at = '2026-11-10T12:00:00Z' WHERE id = 2;
    UPDATE rooms SET capacity = 4 WHERE id = 2;
    INSERT INTO users VALUES (5, 'eve@example.org', 'Eve', NULL, 'x5', '2026-11-11T10:00:00Z');
    INSERT INTO audit VALUES (2, 'cleaned up', '2026-11-10T12:00:01Z');";

pub(super) fn run(context: &Context<'_>, args: &DemoArgs) -> Result<Done> {
    match &args.keep {
        Some(folder) => {
            std::fs::create_dir(folder)
                .map_err(|e| fail!(Usage, "the folder {} can't be made", folder.display()).because(e))?;
            let done = Demo { context, folder: &std::path::absolute(folder)? }.run()?;
            context.out.line(&format!("Everything is in {}.", folder.display()));
            Ok(done)
        }
        None => Demo { context, folder: tempfile::tempdir()?.path() }.run(),
    }
}

struct Demo<'a> {
    context: &'a Context<'a>,
    folder: &'a Path,
}

impl Demo<'_> {
    fn run(&self) -> Result<Done> {
        let out = self.context.out;
        let (app, backup, plan) = (self.path("app.db"), self.path("backup.json"), self.path("plan.mplan"));
        out.line("A small booking application: rooms, users, allocations. First, a backup of it.");
        self.sql(&app, SCHEMA)?;
        let current = format!("sqlite:{app}");
        self.step(&["backup", "create", "--to", &current, "--out", &backup])?;
        out.line("\nThen life goes on: Dee and her allocation are deleted by mistake, Ben changes his name and phone,");
        out.line("the South room grows, Eve joins. Now: bring Dee back, and lose nothing of the rest.");
        self.sql(&app, AFTER)?;
        let before = content(&app)?;
        let analyzed = self.step(&["analyze", &backup, "--to", &current, "--out", &plan, "--strategy", "manual"])?;
        check(analyzed["counts"]["new"] == 2 && analyzed["counts"]["conflict"] == 2, "2 new and 2 conflicts")?;
        self.step(&["show", &plan, "conflicts"])?;
        out.line("\nBen's own changes stay; the room's capacity goes back to what the backup has.");
        self.step(&["resolve", &plan, "--take", "current", "--table", "users"])?;
        self.step(&["resolve", &plan, "--record", "rooms/2", "--field", "capacity=backup"])?;
        let dry = self.step(&["merge", &plan, "--dry-run"])?;
        check(content(&app)? == before, "a dry run changes nothing")?;
        let merged = self.step(&["merge", &plan, "--yes"])?;
        check(merged["counts"] == dry["counts"], "the dry run announced what the merge did")?;
        check(merged["counts"]["inserted"] == 2 && merged["counts"]["updated"] == 1, "2 inserted, 1 updated")?;
        check(content(&app)? != before, "the merge changed the database")?;
        out.line("\nAnd all of it can be taken back.");
        let undone = self.step(&["undo", "--yes"])?;
        check(undone["counts"]["reversed"] == 3, "3 records taken back")?;
        check(content(&app)? == before, "undo restored the content exactly")?;
        self.step(&["log"])?;
        out.line(
            "\nDemo done: backed up, analyzed, resolved, merged, undone; the content is exactly as before the merge.",
        );
        out.line("Next: merganser inspect YOUR-BACKUP");
        Ok(Done::with(&json!({"steps": 9, "changed": false, "restored": true})))
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn sql(&self, app: &str, sql: &str) -> Result<()> {
        Connection::open(app).and_then(|c| c.execute_batch(sql)).map_err(crate::database::sqlite::error)
    }

    /// Prints a command as a user would type it, and runs it.
    fn step(&self, words: &[&str]) -> Result<serde_json::Map<String, serde_json::Value>> {
        let folder = format!("{}/", self.folder.display());
        let typed: Vec<String> = words.iter().map(|w| w.replace(&folder, "")).collect();
        self.context.out.line(&format!("\n$ merganser {}", typed.join(" ")));
        let state = self.path("state");
        let all = ["merganser", "--data-dir", &state].into_iter().chain(words.iter().copied());
        let cli = Cli::try_parse_from(all).map_err(|e| fail!(Failed, "the demo's own command can't be read: {e}"))?;
        let command = cli.command.ok_or_else(|| fail!(Failed, "the demo's own command is empty"))?;
        // An empty configuration: the demo is the same wherever it runs.
        let context = Context::without_config(&cli.global, self.context.out);
        let done = super::run(&context, command)?;
        check(done.exit == 0, &format!("'{}' exits 0", typed.join(" ")))?;
        Ok(done.fields)
    }
}

fn check(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(fail!(Failed, "the demo expected: {what}")) }
}

/// Reads everything that a database holds.
fn content(app: &str) -> Result<Vec<Vec<OwnedCell>>> {
    let mut database = Sqlite::open(Path::new(app))?;
    let schema = database.schema()?;
    let mut snapshot = database.snapshot()?;
    let mut rows = Vec::new();
    for table in &schema.tables {
        snapshot.scan(table, &mut |cells| {
            rows.push(cells.iter().map(|&c| OwnedCell::from(c)).collect());
            Ok(())
        })?;
    }
    Ok(rows)
}
