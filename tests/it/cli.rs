//! The program itself: the binary run as people and scripts run it, against SQLite files.

use rusqlite::Connection;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A password hash that must never be printed.
pub(crate) const CANARY: &str = "c4n4ry-7f3a";

/// A folder with an application database, a backup of it, and a data folder of its own.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

fn users(extra: &str) -> String {
    format!(
        r#"{{"tables":[{{"tableName":"users","records":[
        {{"id":1,"email":"a@x","name":"new name","password_hash":"{CANARY}-b","updated_at":"2026-11-09T00:00:00Z"}},
        {{"id":2,"email":"b@x","name":"older","password_hash":"{CANARY}","updated_at":"2026-10-01T00:00:00Z"}},
        {{"id":3,"email":"c@x","name":"same time","password_hash":"{CANARY}","updated_at":"2026-11-01T00:00:00Z"}},
        {{"id":4,"email":"d@x","name":"deleted","password_hash":"{CANARY}","updated_at":"2026-11-01T00:00:00Z"}}{extra}]}},
        {{"tableName":"rooms","records":[{{"id":1,"name":"one","user_id":1}},{{"id":4,"name":"four","user_id":4}}]}}],
        "metadata":{{"exportedAt":"2026-11-18T02:15:00Z","version":"1.0"}}}}"#
    )
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder") };
        world.sql(&format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, password_hash TEXT, updated_at TEXT);
             CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL, user_id INTEGER REFERENCES users (id));
             INSERT INTO users VALUES (1, 'a@x', 'a', '{CANARY}', '2026-11-01T00:00:00Z'),
                 (2, 'b@x', 'b', '{CANARY}', '2026-11-02T00:00:00Z'), (3, 'c@x', 'c', '{CANARY}', '2026-11-01T00:00:00Z'),
                 (9, 'z@x', 'z', '{CANARY}', '2026-11-01T00:00:00Z');
             INSERT INTO rooms VALUES (1, 'one', 1), (9, 'nine', 9);"
        ));
        world.write("backup.json", &users(""));
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn sql(&self, sql: &str) {
        Connection::open(self.path("app.db")).and_then(|c| c.execute_batch(sql)).expect("executed");
    }

    /// Returns everything that the database holds.
    pub(crate) fn content(&self) -> Vec<String> {
        let connection = Connection::open(self.path("app.db")).expect("opened");
        let mut lines = Vec::new();
        for table in ["users", "rooms"] {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY id")).expect("prepared");
            let columns = statement.column_count();
            let mut rows = statement.query([]).expect("queried");
            while let Some(row) = rows.next().expect("a row") {
                let cells: Vec<_> = (0..columns).map(|c| format!("{:?}", row.get_ref(c).expect("a cell"))).collect();
                lines.push(format!("{table} {}", cells.join("|")));
            }
        }
        lines
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("MERGANSER_DATA_DIR", self.path("state"))
            .env("DATABASE_URL", "sqlite:app.db")
            .env("USER", "tester")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("the program runs");
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(stream);
            assert!(!text.contains(CANARY), "{arguments:?} prints a secret: {text}");
            assert!(!text.contains('\u{1b}'), "{arguments:?} prints control codes without a terminal: {text}");
        }
        output
    }

    /// Runs a command and checks its exit code; returns what it printed.
    pub(crate) fn text(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).expect("text");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}\n{errors}");
        text + errors.as_ref()
    }

    /// Runs a command with `--json`, checks the contract of the lines, and returns them.
    pub(crate) fn lines(&self, code: i32, arguments: &[&str]) -> Vec<Json> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.run(&all);
        let text = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<Json> =
            text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{all:?}: {e}: {l}"))).collect();
        let last = lines.last().unwrap_or_else(|| panic!("{all:?} prints nothing"));
        assert_eq!(lines.iter().filter(|l| l["type"] == "result").count(), 1, "{all:?}\n{text}");
        assert_eq!(last["type"], "result", "{all:?}\n{text}");
        assert_eq!(last["exit_code"], code, "{all:?}\n{text}");
        assert_eq!(output.status.code(), Some(code), "{all:?}\n{text}");
        if lines.len() > 1 && lines[0]["type"] != "error" {
            assert_eq!(lines[0]["type"], "start");
            assert_eq!(lines[0]["schema"], "merganser.events/1");
        }
        lines
    }

    pub(crate) fn result(&self, code: i32, arguments: &[&str]) -> Json {
        self.lines(code, arguments).pop().expect("checked by lines")
    }
}

const COMMANDS: [&[&str]; 32] = [
    &[],
    &["inspect"],
    &["analyze"],
    &["plan"],
    &["show"],
    &["resolve"],
    &["merge"],
    &["apply"],
    &["undo"],
    &["redo"],
    &["log"],
    &["log", "show"],
    &["status"],
    &["backup"],
    &["backup", "create"],
    &["backup", "list"],
    &["backup", "show"],
    &["backup", "verify"],
    &["backup", "forget"],
    &["backup", "export"],
    &["backup", "import"],
    &["backup", "rm"],
    &["restore"],
    &["strategies"],
    &["target"],
    &["config"],
    &["doctor"],
    &["demo"],
    &["completions"],
    &["man"],
    &["version"],
    &["schema"],
];

#[test]
fn help_needs_nothing_and_shows_examples() {
    let world = World::new();
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let mut arguments = command.to_vec();
            arguments.push(flag);
            let text = world.text(0, &arguments);
            assert!(text.contains("Usage:"), "{arguments:?}");
        }
    }
    assert!(world.text(0, &[]).contains("analyze"));
    for command in ["inspect", "analyze", "merge", "undo", "resolve", "show"] {
        assert!(world.text(0, &[command, "-h"]).contains("Examples:"), "{command}");
    }
    assert!(!world.path("state").exists(), "help makes no data folder");
}

#[test]
fn a_plan_is_merged_and_undone_to_the_byte() {
    let world = World::new();
    let before = world.content();
    let analyzed = world.result(0, &["analyze", "backup.json", "-o", "p.mplan"]);
    assert_eq!(
        analyzed["counts"],
        serde_json::json!({"new": 2, "updated": 1, "conflict": 2, "unchanged": 1, "blocked": 0, "excluded": 0, "current_only": 2})
    );
    assert_eq!(analyzed["compared"], "two-way");
    assert_eq!(world.content(), before);
    let records = world.lines(0, &["show", "p.mplan", "records"]);
    let records: Vec<&Json> = records.iter().filter(|l| l["type"] == "record").collect();
    assert_eq!(records.len(), 5);
    let stale = records.iter().find(|r| r["key"]["id"] == 2).expect("users/2");
    assert_eq!((&stale["class"], &stale["reason"]), (&Json::from("conflict"), &Json::from("current_newer")));
    assert!(stale["decision"].is_null() && stale["fields"][0].get("base").is_none());
    let new = records.iter().find(|r| r["class"] == "new").expect("a new one");
    assert!(new["fields"].as_array().expect("fields").iter().all(|f| f.get("current").is_none()));
    let dry = world.result(0, &["merge", "p.mplan", "--dry-run"]);
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["changed"], false);
    assert_eq!(world.content(), before);
    let merged = world.result(0, &["merge", "p.mplan", "--yes"]);
    assert_eq!(merged["counts"], dry["counts"]);
    assert_eq!(merged["changed"], true);
    for (name, count) in [("inserted", 2), ("updated", 2), ("deleted", 0), ("skipped", 0), ("kept_newer", 1)] {
        assert_eq!(merged["counts"][name], count, "{name}");
    }
    let id = merged["merge"].as_str().expect("an id").to_owned();
    assert!(Path::new(merged["receipt"].as_str().expect("a path")).is_file());
    assert_ne!(world.content(), before);
    let after = world.content();
    assert_eq!(world.result(0, &["merge", "p.mplan", "--yes"])["changed"], false, "a plan is carried out once");
    let undone = world.result(0, &["undo", &id, "--yes"]);
    assert_eq!(undone["counts"], serde_json::json!({"reversed": 4, "kept": 0, "blocked": 0}));
    assert_eq!(world.content(), before);
    world.result(0, &["redo", "--yes"]);
    assert_eq!(world.content(), after);
    world.result(0, &["undo", &id, "--yes"]);
    assert_eq!(world.content(), before);
    assert_eq!(world.result(0, &["log"])["entries"].as_array().expect("entries").len(), 4);
    assert_eq!(world.result(0, &["log", "verify"])["entries"], 4);
    world.text(0, &["log", "show", &id]);
}

#[test]
fn analyzing_twice_prints_the_same() {
    let world = World::new();
    let clean = |lines: Vec<Json>| {
        let drop = |mut line: Json| {
            for name in ["run", "time", "id", "plan", "expires_at"] {
                line.as_object_mut().expect("an object").remove(name);
            }
            line.to_string()
        };
        lines.into_iter().map(drop).collect::<Vec<_>>()
    };
    let first = clean(world.lines(0, &["analyze", "backup.json", "--records"]));
    assert_eq!(first, clean(world.lines(0, &["analyze", "backup.json", "--records"])));
}

/// Every failure leaves the database as it was; returns its error code.
fn refused(world: &World, code: i32, arguments: &[&str]) -> String {
    let before = world.content();
    let result = world.result(code, arguments);
    assert_eq!(world.content(), before, "{arguments:?}");
    assert_eq!(result["ok"], false);
    result["error"]["code"].as_str().expect("a code").to_owned()
}

#[test]
fn exit_codes_say_what_to_do() {
    let world = World::new();
    world.write("broken.json", &users("")[..300]);
    world.write("text.json", "hello");
    world.write("other.json", r#"{"tables":[{"tableName":"spaceships","records":[{"id":1}]}]}"#);
    assert_eq!(refused(&world, 2, &["analyze"]), "usage");
    assert_eq!(refused(&world, 2, &["merge", "backup.json"]), "confirmation_needed");
    assert_eq!(refused(&world, 3, &["merge", "backup.json", "--strategy", "manual", "--yes"]), "needs_decision");
    assert_eq!(refused(&world, 10, &["analyze", "missing.json"]), "backup_not_found");
    assert_eq!(refused(&world, 10, &["analyze", "text.json"]), "unknown_format");
    assert_eq!(refused(&world, 13, &["analyze", "broken.json"]), "backup_damaged");
    assert_eq!(refused(&world, 14, &["analyze", "other.json"]), "schema_mismatch");
    assert_eq!(refused(&world, 21, &["analyze", "backup.json", "--to", "sqlite:none.db"]), "unreachable");
    assert_eq!(refused(&world, 25, &["merge", "backup.json", "--yes", "--max-changes", "1"]), "limit_reached");
    world.result(5, &["analyze", "backup.json", "--detailed-exitcode"]);
    world.result(4, &["analyze", "backup.json", "--detailed-exitcode", "--only-tables", "rooms", "--parents", "none"]);
    let locked = Connection::open(world.path("app.db")).expect("opened");
    locked.execute_batch("BEGIN IMMEDIATE").expect("locked");
    assert_eq!(refused(&world, 11, &["merge", "backup.json", "--yes", "--lock-timeout", "100ms"]), "busy");
    drop(locked);
    world.sql("CREATE TRIGGER no_more BEFORE INSERT ON rooms BEGIN SELECT RAISE(ABORT, 'closed'); END");
    assert_eq!(refused(&world, 22, &["merge", "backup.json", "--yes"]), "database_refused");
    world.sql("DROP TRIGGER no_more");
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan"]);
    world.sql("UPDATE users SET name = 'edited' WHERE id = 1");
    let stale = world.result(0, &["show", "p.mplan", "--stale"]);
    assert_eq!(stale["stale"].as_array().expect("a list").len(), 1);
    assert_eq!(refused(&world, 20, &["merge", "p.mplan", "--yes"]), "plan_stale");
    let skipped = world.result(3, &["merge", "p.mplan", "--yes", "--on-stale", "skip"]);
    assert_eq!((&skipped["changed"], &skipped["counts"]["stale"]), (&Json::Bool(true), &Json::from(1)));
}

#[test]
fn a_stale_plan_can_be_analyzed_again() {
    let world = World::new();
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan", "--strategy", "manual"]);
    world.result(0, &["resolve", "p.mplan", "--take", "current"]);
    world.sql("UPDATE users SET name = 'edited', updated_at = '2026-11-02T00:00:00Z' WHERE id = 1");
    let refreshed = world.result(0, &["analyze", "--refresh", "p.mplan"]);
    assert_eq!(refreshed["preview"]["undecided"], 0, "decisions are kept");
    let merged = world.result(0, &["merge", "p.mplan", "--yes", "--on-stale", "reanalyze"]);
    assert_eq!(merged["counts"]["inserted"], 2);
}

#[test]
fn conflicts_are_decided_every_way() {
    let world = World::new();
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan", "--strategy", "manual", "--no-preserve-newer"]);
    assert_eq!(refused(&world, 2, &["resolve", "p.mplan"]), "confirmation_needed");
    let record = |name: &str| world.result(0, &["show", "p.mplan", "record", name])["record"].clone();
    world.result(0, &["resolve", "p.mplan", "--record", "users/2", "--set", "name=\"typed\""]);
    assert_eq!(record("users/2")["decision"]["fields"]["name"]["value"], "typed");
    world.result(0, &["resolve", "p.mplan", "--take", "skip", "--where", "users: id = 3"]);
    assert_eq!(record("users/3")["decision"], "skip");
    world.result(0, &["resolve", "p.mplan", "--export", "d.json"]);
    world.result(0, &["resolve", "p.mplan", "--clear"]);
    assert!(record("users/2")["decision"].is_null());
    let imported = world.result(0, &["resolve", "p.mplan", "--import", "d.json"]);
    assert_eq!((&imported["decided"], &imported["undecided"]), (&Json::from(2), &Json::from(0)));
    assert_eq!(world.result(0, &["merge", "p.mplan", "--yes"])["counts"]["skipped"], 1);
    let connection = Connection::open(world.path("app.db")).expect("opened");
    let name: String = connection.query_row("SELECT name FROM users WHERE id = 2", [], |r| r.get(0)).expect("a name");
    assert_eq!(name, "typed");
}

#[test]
fn a_merge_needs_its_confirmation_at_once() {
    let world = World::new();
    let begun = std::time::Instant::now();
    let text = world.text(2, &["merge", "backup.json"]);
    assert!(text.contains("--yes"), "{text}");
    assert!(begun.elapsed().as_secs() < 5);
    world.write("merganser.toml", "[targets.prod]\nurl = \"sqlite:app.db\"\nprotected = true\n");
    let before = world.content();
    for target in ["prod", "sqlite:app.db"] {
        let text = world.text(2, &["merge", "backup.json", "--to", target, "--yes"]);
        assert!(text.contains("--confirm prod"), "{text}");
    }
    world.text(2, &["merge", "backup.json", "--to", "prod", "--yes", "--confirm", "dev"]);
    assert_eq!(world.content(), before);
    world.text(0, &["merge", "backup.json", "--to", "prod", "--yes", "--confirm", "prod"]);
    assert_ne!(world.content(), before);
}

#[test]
fn passwords_of_urls_stay_hidden() {
    let world = World::new();
    let url = format!("postgres://app:{CANARY}@127.0.0.1:1/app");
    world.write("merganser.toml", &format!("[targets.prod]\nurl = \"{url}\"\n[targets.prod.tables.users]\nkeys = 1\n"));
    world.text(21, &["analyze", "backup.json", "--to", "prod"]);
    world.text(21, &["analyze", "backup.json", "--to", &url]);
    world.text(0, &["target", "list"]);
    world.text(0, &["target", "show", "prod"]);
    world.text(0, &["config", "show", "--origin"]);
    assert!(world.text(2, &["config", "check"]).contains("targets.prod.tables.users.keys"));
    world.write("merganser.toml", &format!("[targets.prod\nurl = \"{url}\"\n"));
    world.text(2, &["config", "show"]);
}

#[test]
fn reports_are_whole_and_harmless() {
    let world = World::new();
    world.sql("UPDATE users SET name = '<script>alert(1)</script>' WHERE id = 3");
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan"]);
    let html = world.text(0, &["show", "p.mplan", "--html"]);
    assert!(html.contains("&lt;script&gt;") && html.contains("<caption>") && html.contains("scope=\"col\""));
    for outside in ["<script", "http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let sql = world.text(0, &["show", "p.mplan", "--sql"]);
    assert!(sql.starts_with("-- For review only") && sql.contains("UPDATE \"users\" SET"));
    world.text(0, &["show", "p.mplan"]);
    world.text(0, &["show", "p.mplan", "conflicts"]);
    world.text(0, &["inspect", "backup.json", "-v"]);
    world.text(0, &["inspect", "backup.json", "--table", "users"]);
    let shown =
        world.command(&["inspect", "backup.json", "--table", "users", "--show-secrets"]).output().expect("runs");
    assert!(String::from_utf8_lossy(&shown.stdout).contains(CANARY));
}

#[test]
fn a_backup_brings_a_database_back() {
    let world = World::new();
    for (name, flag) in [("b.json", "--pretty"), ("b.json.gz", "--gzip"), ("b.json.zst", "--zstd")] {
        let made = world.result(0, &["backup", "create", "-o", name, flag]);
        assert_eq!(made["records"], 6);
        world.result(0, &["analyze", name, "--detailed-exitcode"]);
    }
    world.result(0, &["backup", "create", "-o", "b.sqlite3", "--format", "sqlite"]);
    world.result(2, &["backup", "create", "-o", "b.json"]);
    world.result(0, &["backup", "create"]);
    assert_eq!(world.result(0, &["backup", "list"])["backups"].as_array().expect("a list").len(), 1);
    let before = world.content();
    world.sql("DELETE FROM rooms; DELETE FROM users WHERE id = 9");
    world.result(0, &["merge", "b.sqlite3", "--yes", "--backup-first"]);
    assert_eq!(world.content(), before);
}

#[test]
fn a_plan_made_elsewhere_is_refused() {
    let world = World::new();
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan"]);
    let plan = Connection::open(world.path("p.mplan")).expect("opened");
    plan.execute("UPDATE records SET decision = '{\"action\":\"skip\"}'", []).expect("changed");
    drop(plan);
    assert_eq!(refused(&world, 20, &["merge", "p.mplan", "--yes"]), "plan_mismatch");
    assert_eq!(refused(&world, 20, &["merge", "p.mplan", "--yes", "--strategy", "manual"]), "plan_mismatch");
    assert_eq!(refused(&world, 20, &["resolve", "p.mplan", "--take", "backup"]), "plan_mismatch");
    world.result(0, &["merge", "p.mplan", "--yes", "--trust-plan"]);
    assert_eq!(refused(&world, 2, &["merge", "p.mplan", "--yes", "--only-tables", "rooms"]), "usage");
}

#[test]
fn an_undo_keeps_what_was_changed_since() {
    let world = World::new();
    world.result(0, &["merge", "backup.json", "--yes"]);
    world.sql("UPDATE users SET name = 'mine' WHERE id = 1; INSERT INTO rooms VALUES (50, 'fifty', 4)");
    let preview = world.result(3, &["undo", "--dry-run"]);
    assert_eq!(preview["counts"], serde_json::json!({"reversed": 2, "kept": 1, "blocked": 1}));
    let undone = world.result(3, &["undo", "--yes"]);
    assert_eq!(undone["counts"], preview["counts"]);
    assert!(undone["blocked"][0].as_str().expect("a line").starts_with("users/4"));
}

#[test]
fn f4_an_interrupt_is_answered_with_a_result() {
    let world = World::new();
    // Another writer holds the database, so that the merge is waiting when the signal comes.
    let locked = Connection::open(world.path("app.db")).expect("opened");
    locked.execute_batch("BEGIN IMMEDIATE").expect("locked");
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let child = world
            .command(&["merge", "backup.json", "--yes", "--json", "--lock-timeout", "60s"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let id = child.id().to_string();
        let mut child = child;
        let mut reader = std::io::BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = Vec::new();
        let mut next = |lines: &mut Vec<Json>| {
            let mut line = String::new();
            let more = std::io::BufRead::read_line(&mut reader, &mut line).expect("read") > 0;
            lines.extend(more.then(|| serde_json::from_str::<Json>(&line).expect("JSON")));
            more
        };
        while next(&mut lines) && lines.last().is_some_and(|l| l["phase"] != "lock") {}
        // The first asks to stop, the second ends a wait that can't be asked.
        for _ in 0..2 {
            Command::new("kill").args([signal, &id]).status().expect("sent");
            std::thread::yield_now();
        }
        let mut tries = 0;
        while child.try_wait().expect("waited").is_none() && tries < 200 {
            Command::new("kill").args([signal, &id]).stderr(Stdio::null()).status().expect("sent");
            tries += 1;
        }
        assert_eq!(child.wait().expect("ended").code(), Some(code));
        while next(&mut lines) {}
        assert_eq!(lines.last().expect("lines")["type"], "result");
        assert_eq!(lines.last().expect("lines")["exit_code"], code);
    }
}

#[test]
fn the_rest_answers() {
    let world = World::new();
    for arguments in [
        &["status"][..],
        &["strategies"],
        &["strategies", "show", "manual"],
        &["target", "test"],
        &["config", "path"],
        &["config", "check"],
        &["doctor"],
        &["completions", "bash"],
        &["man"],
        &["version"],
        &["schema", "events"],
        &["schema", "decisions"],
        &["demo"],
    ] {
        let text = world.text(0, arguments);
        assert!(!text.is_empty(), "{arguments:?}");
        assert_eq!(world.result(0, arguments)["ok"], true);
    }
    assert!(world.text(2, &["strategies", "show", "backup-win"]).contains("backup-wins"));
    assert!(world.text(10, &["inspect", "backup.jsn"]).contains("backup.json"));
}

#[test]
fn answers_in_bulk_extend_earlier_ones() {
    let world = World::new();
    world.result(0, &["analyze", "backup.json", "-o", "p.mplan", "--strategy", "manual", "--no-preserve-newer"]);
    let answers = |name: &str| {
        let record = world.result(0, &["show", "p.mplan", "record", name])["record"].clone();
        record["decision"]["fields"].clone()
    };
    world.result(0, &["resolve", "p.mplan", "--record", "users/2", "--set", "name=one"]);
    let many = ["resolve", "p.mplan", "--table", "users", "--class", "conflict,new", "--set", "email=e@x"];
    assert_eq!(world.result(0, &many)["decided"], 3);
    assert_eq!(answers("users/2"), serde_json::json!({"name": {"value": "one"}, "email": {"value": "e@x"}}));
    assert_eq!(answers("users/4"), serde_json::json!({"email": {"value": "e@x"}}));
    let other = ["resolve", "p.mplan", "--table", "users", "--class", "new", "--field", "Email=backup", "--replace"];
    let stays = world.result(0, &other[..8]);
    assert_eq!((&stays["decided"], &stays["answered_before"]), (&serde_json::json!(0), &serde_json::json!(1)));
    world.result(0, &other);
    assert_eq!(answers("users/4"), serde_json::json!({"email": "backup"}));
    assert!(world.text(0, &["resolve", "p.mplan", "--clear"]).contains("3 answers removed"));
    assert!(world.text(0, &["resolve", "p.mplan", "--export", "-"]).contains("\"decisions\": []"));
    let text = world.text(0, &["resolve", "p.mplan", "--table", "rooms", "--take", "backup"]);
    assert!(text.contains("Nothing matched") && text.contains("only conflicts"), "{text}");
    let text = world.text(2, &["resolve", "p.mplan", "--table", "users", "--set", "nope=1"]);
    assert!(text.contains("email"), "{text}");
    world.text(2, &["resolve", "p.mplan", "--table", "users", "--take", "backup", "--set", "name=x"]);
}

#[test]
fn a_required_column_that_the_strategy_withholds_is_given_in_bulk() {
    let world = World::new();
    world.sql("DROP TABLE rooms; DROP TABLE users");
    world.sql(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, password_hash TEXT NOT NULL, updated_at TEXT)",
    );
    let analyze = [
        "analyze",
        "backup.json",
        "-o",
        "p.mplan",
        "--intent",
        "environment-sync",
        "--only-tables",
        "users",
        "--parents",
        "none",
    ];
    let text = world.text(0, &analyze);
    assert!(text.contains("--class new --set password_hash=VALUE"), "{text}");
    assert!(!text.contains("Next: merganser merge"), "{text}");
    let text = world.text(3, &["merge", "p.mplan"]);
    assert!(text.contains("4 records can't be written") && text.contains("users/1"), "{text}");
    world.result(0, &["resolve", "p.mplan", "--table", "users", "--class", "new", "--set", "password_hash=x"]);
    assert_eq!(world.result(0, &["merge", "p.mplan", "--yes"])["counts"]["inserted"], 4);
}

#[test]
fn a_redo_names_the_undo_that_takes_it_back() {
    let world = World::new();
    let before = world.content();
    world.result(0, &["merge", "backup.json", "--yes"]);
    world.result(0, &["undo", "--yes"]);
    let text = world.text(0, &["redo", "--yes"]);
    assert!(text.contains("put back") && !text.contains("reversed"), "{text}");
    let id = text.split("merganser undo ").nth(1).expect("the hint").trim().to_owned();
    assert!(id.starts_with("u-"), "{id}");
    world.text(0, &["undo", &id, "--yes"]);
    assert_eq!(world.content(), before);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let world = World::new();
    world.write(
        "text.db",
        "this is no database, but long enough to be read as the header of one, at least nearly so, yes",
    );
    let text = world.text(21, &["analyze", "backup.json", "--to", "sqlite:text.db"]);
    assert!(text.contains("is not an SQLite database, or is damaged"), "{text}");
    let text = world.text(2, &["analyze", "backup.json", "--to", "app:pw@host/x"]);
    assert!(text.contains("host/x") && !text.contains("pw@"), "{text}");
    assert!(world.text(2, &["show", "p-nosuch"]).contains("merganser status"));
    assert!(world.text(2, &["log", "show", "m-nosuch"]).contains("merganser log"));
    assert!(world.text(2, &["analyze", "backup.json", "-o", "none/p.mplan"]).contains("no folder none"));
    let message = world.result(2, &["merge"])["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("<PLAN>"), "{message}");
    let help = world.text(0, &["merge", "--help"]);
    assert_eq!(help.matches("Examples:").count(), 1);
}

#[test]
fn a_record_made_of_both_sides_keeps_the_later_timestamp_and_one_decided_as_a_whole_is_the_backups() {
    let world = World::new();
    let backup = |name: &str, bio: &str, at: &str| {
        let records: Vec<_> = [1, 2]
            .map(|id| serde_json::json!({"id": id, "name": name, "bio": bio, "note": "n", "updated_at": at}))
            .into();
        serde_json::json!({ "people": records }).to_string()
    };
    // The backup changed the biography in February; current changed the name in March, of the second also the biography.
    world.write("base.json", &backup("old", "old", "2026-01-01T00:00:00Z"));
    world.write("b.json", &backup("old", "backup's", "2026-02-01T00:00:00Z"));
    let table = "DROP TABLE IF EXISTS people;
         CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, bio TEXT, note TEXT, updated_at TEXT);
         INSERT INTO people VALUES (1, 'current', 'old', 'n', '2026-03-01T00:00:00Z'),
             (2, 'current', 'current', 'n', '2026-03-01T00:00:00Z');";
    world.write("record.toml", "summary = \"x\"\ngranularity = \"record\"\n[[rule]]\ntake = \"backup\"\n");
    let both = "current backup's 2026-03-01T00:00:00Z";
    let whole = "old backup's 2026-02-01T00:00:00Z";
    let merge = ["merge", "--base", "base.json", "--no-preserve-newer", "--yes", "b.json"];
    for (strategy, second) in [("backup-wins", both), ("record.toml", whole)] {
        world.sql(table);
        world.result(0, &[&merge[..], &["--strategy", strategy]].concat());
        assert_eq!(people(&world), [both, second], "{strategy}");
    }
    // A person's answer for the backup is no other.
    world.sql(table);
    let plan = ["analyze", "b.json", "--base", "base.json", "-o", "p.mplan", "--strategy", "manual"];
    world.result(0, &[&plan[..], &["--no-preserve-newer"]].concat());
    world.result(0, &["resolve", "p.mplan", "--record", "people/2", "--take", "backup"]);
    world.result(0, &["merge", "p.mplan", "--yes"]);
    assert_eq!(people(&world), [both, both]);
    // Nor is a timestamp in the future evidence that the backup is newer.
    world.sql(table);
    world.write("b.json", &backup("old", "backup's", "2999-02-01T00:00:00Z"));
    world.result(3, &[&merge[..], &["--strategy", "newest-wins"]].concat());
}

fn people(world: &World) -> Vec<String> {
    let connection = Connection::open(world.path("app.db")).expect("opened");
    let mut statement =
        connection.prepare("SELECT name || ' ' || bio || ' ' || updated_at FROM people ORDER BY id").expect("prepared");
    statement.query_map([], |row| row.get(0)).expect("queried").collect::<Result<_, _>>().expect("read")
}

#[test]
fn notes_and_hints_speak_of_what_happened() {
    let world = World::new();
    world.sql("CREATE TABLE sums (id INTEGER PRIMARY KEY, a INT, b INT AS (a * 2) STORED); INSERT INTO sums (id, a) VALUES (1, 2)");
    world.write("sums.json", r#"{"sums":[{"id":1,"a":2,"b":5}]}"#);
    let notes = world.result(0, &["analyze", "sums.json"])["notes"].to_string();
    assert!(notes.contains("sums.b is computed by the database"), "{notes}");
    assert!(!notes.contains("on request"), "nobody asked for it: {notes}");
    let error = world.result(25, &["merge", "backup.json", "--yes", "--max-changes", "1"])["error"].clone();
    world.write("orphan.json", r#"{"rooms":[{"id":5,"name":"five","user_id":1},{"id":6,"name":"six","user_id":66}]}"#);
    let partly = world.result(3, &["merge", "orphan.json", "--yes", "--on-blocked", "skip"]);
    assert_eq!((&partly["changed"], &partly["counts"]["blocked"]), (&Json::Bool(true), &Json::from(1)), "{partly}");
    let left_out = partly["left_out"].to_string();
    assert!(left_out.contains("rooms/6") && left_out.contains("users/66"), "what is left out is listed: {left_out}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("--max-changes")), "{error}");
}
