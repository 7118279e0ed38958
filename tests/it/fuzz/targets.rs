//! Everything that reads what others wrote, as functions of bytes: none may panic, hang or take memory without bounds.
//!
//! Used by the seeded runner of the tests and by the cargo-fuzz targets in `fuzz/`.

#[path = "targets/others.rs"]
mod others;
#[path = "targets/readers.rs"]
mod readers;
#[path = "targets/service.rs"]
mod service;

pub use others::{config, cron, receipt, terminal};
pub use readers::{archive, csv, database, document, envelope, ndjson};
pub use service::request;

use merganser::ErrorKind;
use merganser::backup::{self, Ignore, Keys, Limits, Passphrase, ReadOptions, Secret};
use merganser::database::{Database, sqlite::Sqlite, url::ConnectUrl};
use merganser::model::names;
use merganser::model::schema::Engine;
use merganser::plan::{Plan, Selector, decision};
use merganser::progress::Quiet;
use merganser::strategy::Strategy;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the encrypted seeds are encrypted with.
pub const PASSPHRASE: &str = "a passphrase";

/// A file with these bytes, in memory where there is such a folder; gone with the folder.
struct File(#[expect(dead_code, reason = "kept until the file is read")] tempfile::TempDir, PathBuf);

fn file(name: &str, data: &[u8]) -> File {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, data).expect("writes");
    File(folder, path)
}

/// Limits that a test reaches in no time.
fn options() -> ReadOptions {
    let limits = Limits {
        string_bytes: 1 << 20,
        record_bytes: 4 << 20,
        metadata_bytes: 1 << 20,
        tables: 1_000,
        entries: 1_000,
        entry_bytes: 32 << 20,
        expanded_bytes: 64 << 20,
        ratio_from_bytes: 16 << 20,
        wall_time: Duration::from_secs(10),
        ..Limits::default()
    };
    ReadOptions { limits, ..ReadOptions::default() }
}

/// An error about a file says where: in which file, table or record, at which byte or line.
fn has_a_place(error: &merganser::Error, name: &str) {
    let text = error.full_message();
    let places = [name, "byte", "line", "record", "entry", "table", "page", "member", "column", ".json", ".csv"];
    let told = places.iter().any(|p| text.contains(p));
    assert!(error.kind() != ErrorKind::BackupDamaged || told, "an error without a place: {text}");
    assert!(!text.trim().is_empty());
}

fn read(path: &Path, options: &ReadOptions) -> merganser::Result<()> {
    let mut reader = backup::open(path, options)?;
    while reader.next_table()?.is_some() {
        reader.read_records(&mut Ignore)?;
    }
    reader.finish().map(drop)
}

/// Backups of every format: recognised by content, read to their end.
pub fn backup(data: &[u8]) {
    for name in ["backup.bin", "backup.csv"] {
        // A comma-separated file is told by its name; everything else by its content.
        if name.ends_with("csv") && data.iter().take(64).any(|b| *b < 9) {
            continue;
        }
        let file = file(name, data);
        if let Err(error) = read(&file.1, &options()) {
            has_a_place(&error, name);
        }
        // Says the same twice: nothing of it depends on chance.
        assert_eq!(read(&file.1, &options()).is_ok(), read(&file.1, &options()).is_ok());
    }
}

/// What `inspect` shows of a file.
pub fn inspect(data: &[u8]) {
    let file = file("backup.bin", data);
    if let Err(error) = backup::inspect(&file.1, &options()) {
        has_a_place(&error, "backup.bin");
    }
}

/// Encrypted backups with a passphrase at hand.
pub fn encrypted(data: &[u8]) {
    let file = file("backup.enc", data);
    let passphrase = Passphrase::Given(Secret::from_text(PASSPHRASE.to_owned()));
    let keys = Keys::new(Some(passphrase), Vec::new(), None);
    if let Err(error) = read(&file.1, &ReadOptions { keys, ..options() }) {
        has_a_place(&error, "backup.enc");
    }
}

/// A plan from somewhere else.
pub fn plan(data: &[u8]) {
    let file = file("plan.mplan", data);
    let Ok(mut plan) = Plan::open(&file.1) else { return };
    let _ = plan.verify_seal(&[7; 32]);
    let _ = plan.patterns(None);
    let _ = plan.decisions();
    let _ = plan.record("t/1");
    let _ = plan.page(&Selector::default(), 0, 100);
    let _ = plan.settle(&Quiet);
}

/// Decisions files, ours and AccoReg's.
pub fn decisions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_table = |name: &str| name == "User" || name == "users";
    if let Ok(entries) = decision::from_json(text, &is_table) {
        let again = decision::from_json(&decision::to_json(entries.clone()), &is_table).expect("our own file");
        assert_eq!(entries, again);
    }
}

/// Strategy files.
pub fn strategy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Strategy::parse("fuzz", text) {
        assert!(!error.full_message().is_empty());
    }
}

/// Addresses of databases: what is shown of one never holds its password.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = ConnectUrl::parse(text);
    let odd = |c: char| c.is_control() || " /:@?#%[]\\\"<>^`{|}&=".contains(c);
    let word: String = text.chars().filter(|c| !odd(*c)).take(20).collect();
    let with_password = format!("postgres://ada:canary{word}canary@host/db");
    if let Ok(parsed) = ConnectUrl::parse(&with_password) {
        assert!(!parsed.display().contains("canary"), "{}", parsed.display());
    }
    if let Err(error) = ConnectUrl::parse(&format!("{with_password}?{text}")) {
        let said = format!("{} {}", error.full_message(), error.hint_text().unwrap_or_default());
        assert!(!said.contains("canary"), "{said}");
    }
}

/// Names: quotes of all three dialects hold what is in them, folding is stable, and a table and a column of any name are read and found by it.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let quoted = |engine, mark: char| {
        let quoted = merganser::database::quoted(engine, text);
        let inside = quoted.strip_prefix(mark).and_then(|q| q.strip_suffix(mark)).expect("quotes at both ends");
        let twice = format!("{mark}{mark}");
        assert!(!inside.replace(&twice, "").contains(mark), "{text:?} ends its quotes: {quoted}");
        assert_eq!(inside.replace(&twice, &mark.to_string()), text, "another name: {quoted}");
    };
    quoted(Engine::Postgres, '"');
    quoted(Engine::Sqlite, '"');
    quoted(Engine::Mysql, '`');
    let folded = names::fold(text);
    let _ = names::find(text, ["users", "Users", "room_allocations", folded.as_str()].into_iter());
    let _ = (names::is_updated_name(text), names::is_created_name(text));
    let name: String = text.chars().filter(|c| *c != '\0').take(60).collect();
    // SQLite keeps such names to itself.
    if name.is_empty() || name.to_lowercase().starts_with("sqlite_") || name.eq_ignore_ascii_case("id") {
        return;
    }
    let file = file("names.db", b"");
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let connection = rusqlite::Connection::open(&file.1).expect("opens");
    let sql = format!(
        "CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT); INSERT INTO {quoted} VALUES (1, 'one'); CREATE TABLE canary (a);"
    );
    if connection.execute_batch(&sql).is_err() {
        return;
    }
    drop(connection);
    let mut database = Sqlite::open(&file.1).expect("opens");
    let schema = database.schema().expect("a schema with a hostile name");
    assert_eq!(schema.tables.len(), 2, "{name:?}");
    let table = schema.tables.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("{name:?} is lost"));
    assert_eq!(table.columns[1].name, name);
    let mut count = 0;
    database
        .snapshot()
        .and_then(|mut s| {
            s.scan(table, &mut |_| {
                count += 1;
                Ok(())
            })
        })
        .expect("a table with a hostile name is read");
    assert_eq!(count, 1);
}

/// Conditions of `--where`.
pub fn conditions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    thread_local! {
        static SCHEMA: merganser::model::Schema = {
            let file = file("c.db", b"");
            let connection = rusqlite::Connection::open(&file.1).expect("opens");
            connection.execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, at DATETIME, n REAL)").expect("made");
            Sqlite::open(&file.1).and_then(|mut d| d.schema()).expect("a schema")
        };
    }
    SCHEMA.with(|schema| {
        if let Ok((_, condition)) = merganser::analyzer::filter::split(text) {
            let _ = merganser::analyzer::filter::Filter::parse(&schema.tables[0], condition);
        }
        let _ = merganser::analyzer::filter::Filter::parse(&schema.tables[0], text);
    });
}
