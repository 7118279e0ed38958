//! A service of a test's own with a small application's database, and a backup of how it was before.

use crate::servers::{self, Fresh};
use merganser::config::{Config, Target};
use merganser::executor::Home;
use merganser::server::{Options, run};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The administrator's password in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery";

const TABLES: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT, updated_at TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), item TEXT NOT NULL, note TEXT);";

/// How it is now: user 2 was deleted, users 3 and 4 were changed on both sides, user 9 is new here.
const CURRENT: &str = "INSERT INTO users VALUES (1, 'Anna Berg', 'anna@example.org', NULL, '2026-11-01T10:00:00.000Z'),
    (3, 'Carl Fischer', 'carl@example.com', '1', '2026-11-02T10:00:00.000Z'),
    (4, 'Dora Lang', 'dora@example.com', '2', '2026-11-02T10:00:00.000Z'),
    (5, 'Emil Kaya', 'emil@example.com', '3', '2026-11-02T10:00:00.000Z'),
    (9, 'Nora New', 'nora@example.org', NULL, '2026-11-19T10:00:00.000Z');
    INSERT INTO orders VALUES (1, 1, 'Tea', NULL), (3, 3, 'Milk', 'cold');";

/// How it was: `current` is what the backup's records were.
const BACKUP: &str = r#"{"metadata": {"version": "1"}, "data": {"users": [
    {"id": 1, "name": "Anna Berg", "email": "anna@example.org", "phone": null, "updated_at": "2026-11-01T10:00:00.000Z"},
    {"id": 2, "name": "Bea <b>Bold</b> \u202egnp", "email": "bea@example.org", "phone": "", "updated_at": "2026-11-01T10:00:00.000Z"},
    {"id": 3, "name": "Carl Fischer", "email": "carl@example.org", "phone": "1", "updated_at": "2026-11-02T10:00:00.000Z"},
    {"id": 4, "name": "Dora Lang", "email": "dora@example.org", "phone": "2", "updated_at": "2026-11-02T10:00:00.000Z"},
    {"id": 5, "name": "Emil Kaya", "email": "emil@example.org", "phone": "3", "updated_at": "2026-11-02T10:00:00.000Z"}],
    "orders": [{"id": 1, "user_id": 1, "item": "Tea", "note": " "}, {"id": 2, "user_id": 2, "item": "Cake", "note": null},
    {"id": 3, "user_id": 3, "item": "Milk", "note": "cold"}]}}"#;

/// Where the database is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A running service.
pub(crate) struct Site {
    /// Its address.
    pub(crate) root: String,
    /// The link of the first run.
    pub(crate) setup: String,
    /// The file to upload.
    pub(crate) backup: PathBuf,
    /// What is removed at the end.
    _folder: tempfile::TempDir,
    database: Database,
    stop: Arc<AtomicBool>,
    runs: Runs,
}

/// Where the service runs.
enum Runs {
    /// In this process.
    Here(Option<std::thread::JoinHandle<()>>),
    /// In one of its own.
    Apart(std::process::Child),
}

enum Database {
    Sqlite(PathBuf),
    Postgres(Fresh),
}

impl Site {
    /// Starts one; `protected` targets ask for their name.
    pub(crate) fn start(engine: Engine, protected: bool) -> Self {
        Self::with(engine, protected, CURRENT, BACKUP)
    }

    /// Starts one with other records.
    pub(crate) fn with(engine: Engine, protected: bool, current: &str, backup: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (url, database) = match engine {
            Engine::Sqlite => {
                let path = folder.path().join("app.db");
                rusqlite::Connection::open(&path)
                    .and_then(|c| c.execute_batch(&format!("{TABLES} BEGIN; {current} COMMIT;")))
                    .expect("a database");
                (format!("sqlite:{}", path.display()), Database::Sqlite(path))
            }
            Engine::Postgres => {
                let fresh = servers::postgres(&format!("{TABLES} {current}"));
                (fresh.url.clone(), Database::Postgres(fresh))
            }
        };
        let file = folder.path().join("friday.json");
        std::fs::write(&file, backup).expect("a backup");
        let mut config = Config::default();
        config.settings.targets.insert("app".to_owned(), Target { url: Some(url), protected, ..Target::default() });
        let home = folder.path().join("home");
        std::fs::create_dir(&home).expect("a folder");
        std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("private");
        let stop = Arc::new(AtomicBool::new(false));
        let (say, heard) = std::sync::mpsc::channel();
        let thread = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let options = Options::at("127.0.0.1:0".parse().expect("an address"));
                let home = Home::open(&home).expect("a home");
                // The test may have ended before the service says anything more.
                let ready = |line: &str| drop(say.send(line.to_owned()));
                run(home, config, options, &ready, move || stop.load(Ordering::SeqCst)).expect("the service runs");
            })
        };
        let mut setup = String::new();
        let root = loop {
            let line = heard.recv_timeout(std::time::Duration::from_secs(60)).expect("the service starts");
            if let Some(at) = line.find("/setup?") {
                setup = line[at..].trim().to_owned();
            }
            if let Some((_, root)) = line.split_once("Listening on ") {
                break root.trim().to_owned();
            }
        };
        Self { root, setup, backup: file, _folder: folder, database, stop, runs: Runs::Here(Some(thread)) }
    }

    /// Starts the program itself as README says, with a shop's database: paths are short, since it runs beside it.
    pub(crate) fn shop() -> Self {
        let (current, backup) = super::shop::now_and_then();
        Self::apart(&format!("{} BEGIN; {current} COMMIT;", super::shop::TABLES), &backup, super::shop::CONFIG)
    }

    /// Starts the program itself beside a database that statements make.
    pub(crate) fn apart(sql: &str, backup: &str, config: &str) -> Self {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.db");
        rusqlite::Connection::open(&path).and_then(|c| c.execute_batch(sql)).expect("a database");
        let file = folder.path().join("friday.json");
        std::fs::write(&file, backup).expect("a backup");
        let config = format!("[targets.shop]\nurl = \"sqlite:shop.db\"\n{config}");
        std::fs::write(folder.path().join("merganser.toml"), config).expect("a configuration");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "merganser_data"])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = std::io::BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut setup, mut root) = (String::new(), String::new());
        while root.is_empty() {
            let line = lines.next().expect("the service starts").expect("a line");
            if let Some(at) = line.find("/setup?") {
                setup = line[at..].trim().to_owned();
            }
            if let Some((_, found)) = line.split_once("Listening on ") {
                found.trim().clone_into(&mut root);
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let stop = Arc::new(AtomicBool::new(false));
        let database = Database::Sqlite(path);
        Self { root, setup, backup: file, _folder: folder, database, stop, runs: Runs::Apart(child) }
    }

    /// Opens the current database as its application does, to hold it.
    pub(crate) fn application(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("a database")
    }

    /// Returns where the current database is.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.database {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(_) => panic!("only SQLite is a file"),
        }
    }

    /// Opens a database of the service's data folder.
    pub(crate) fn data(&self, name: &str) -> rusqlite::Connection {
        let folder = ["home", "merganser_data"].map(|name| self._folder.path().join(name));
        let folder = folder.into_iter().find(|f| f.exists()).expect("a data folder");
        rusqlite::Connection::open(folder.join(name)).expect("opens")
    }

    /// Changes the current database behind the service's back.
    pub(crate) fn run(&self, sql: &str) {
        match &self.database {
            Database::Sqlite(path) => {
                rusqlite::Connection::open(path).and_then(|c| c.execute_batch(sql)).expect("a change");
            }
            Database::Postgres(_) => panic!("only SQLite is changed so"),
        }
    }

    /// Reads one value of the current database as text.
    pub(crate) fn value(&self, sql: &str) -> String {
        match &self.database {
            Database::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).expect("a database");
                connection
                    .query_row(sql, [], |r| r.get::<_, rusqlite::types::Value>(0))
                    .map(|v| match v {
                        rusqlite::types::Value::Text(text) => text,
                        rusqlite::types::Value::Integer(number) => number.to_string(),
                        other => format!("{other:?}"),
                    })
                    .unwrap_or_else(|_| "nothing".to_owned())
            }
            Database::Postgres(fresh) => fresh.text(sql),
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // A service that broke has failed the test already.
        match &mut self.runs {
            Runs::Here(thread) => drop(thread.take().map(std::thread::JoinHandle::join)),
            Runs::Apart(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
