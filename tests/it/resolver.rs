//! `merganser resolve` on a terminal: a real pseudo-terminal, keys typed into it, and what its screen then shows.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::{Value as Json, json};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long the screen may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const CANARY: &str = "hunter2hunter2";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Makes a database with conflicts, and a plan of them.
    fn new(sql: &str, tables: &[(&str, Json)], extra: &[&str]) -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a folder") };
        let connection = rusqlite::Connection::open(desk.path("app.db")).expect("opens");
        connection.execute_batch(sql).expect("the database");
        let tables: Vec<Json> = tables.iter().map(|(n, r)| json!({"tableName": n, "records": r})).collect();
        let backup = json!({"tables": tables, "metadata": {"version": "1.0"}}).to_string();
        std::fs::write(desk.path("b.json"), backup).expect("writes");
        let mut all = vec!["analyze", "b.json", "-o", "p.mplan", "--strategy", "manual"];
        all.extend(extra);
        desk.run(0, &all);
        desk
    }

    /// Five people in conflict: two alike, one with a secret, one with control characters, one with a taken e-mail.
    fn people() -> Self {
        let sql = format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, bio TEXT, password TEXT, age INTEGER);
             INSERT INTO users VALUES (1, 'ada@old.org', 'Ada', 'writes', '{CANARY}', 36), (2, 'bob@x', 'Bob', NULL, 'p', 40),
                (3, 'cy@x', 'Cy', NULL, 'p', 50), (4, 'dee@x', 'Dee' || char(27) || '[31m' || char(7), NULL, 'p', 60),
                (5, 'eve@x', 'Eve', NULL, 'p', 70);"
        );
        let users = json!([
            {"id": 1, "email": "ada@new.org", "name": "Ada", "bio": "writes", "password": format!("{CANARY}-new"), "age": 36},
            {"id": 2, "email": "bob@x", "name": "Bobby", "password": "p", "age": 40},
            {"id": 3, "email": "cy@x", "name": "Cyril", "password": "p", "age": 50},
            {"id": 4, "email": "dee@x", "name": "De\u{202e}e", "password": "p", "age": 61},
            {"id": 9, "email": "eve@x", "name": "Other Eve", "password": "p", "age": 7},
        ]);
        Self::new(&sql, &[("users", users)], &[])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let state = self.path("state").to_string_lossy().into_owned();
        vec![
            ("MERGANSER_DATA_DIR", state),
            ("DATABASE_URL", "sqlite:app.db".to_owned()),
            ("USER", "tester".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
        ]
    }

    /// Runs a command without a terminal; returns what it printed.
    fn run(&self, code: i32, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// Starts `resolve` on a terminal of 80 columns and 24 lines.
    fn resolve(&self, extra: &[(&str, &str)]) -> Terminal {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_merganser"));
        command.args(["resolve", "p.mplan"]);
        command.cwd(self.folder.path());
        command.env_clear();
        self.environment().into_iter().for_each(|(name, value)| command.env(name, value));
        extra.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        let screen = vt100::Parser::new(24, 80, 0);
        Terminal { screen, output, writer, child, raw: Vec::new(), _master: pair.master }
    }

    /// Returns what was decided, by record.
    fn decisions(&self) -> Vec<String> {
        let text = self.run(0, &["resolve", "p.mplan", "--export", "-"]);
        let file: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let list = file["decisions"].as_array().expect("a list");
        let fields = |d: &Json| if d["fields"].is_null() { String::new() } else { format!(" {}", d["fields"]) };
        list.iter().map(|d| format!("{} {}{}", d["key"], d["action"], fields(d)).replace('"', "")).collect()
    }
}

struct Terminal {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    raw: Vec<u8>,
    _master: Box<dyn MasterPty + Send>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows something.
    fn shows(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while !self.text().contains(wanted) {
            assert!(Instant::now() < end, "{wanted:?} is not on the screen:\n{}", self.text());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.screen.process(&bytes);
                self.raw.extend(bytes);
            }
        }
        // The rest of the picture comes with it.
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(60)) {
            self.screen.process(&bytes);
            self.raw.extend(bytes);
        }
        self.text()
    }

    fn types(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).and_then(|()| self.writer.flush()).expect("types");
    }

    /// Waits for the end; returns the exit code.
    fn ends(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("asks") {
                Some(status) => break status,
                None if Instant::now() > end => panic!("it does not end:\n{}", self.text()),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(300)) {
            self.screen.process(&bytes);
            self.raw.extend(bytes);
        }
        assert!(!self.screen.screen().alternate_screen(), "the terminal is given back");
        assert!(!self.screen.screen().hide_cursor(), "its cursor is seen again");
        assert!(!String::from_utf8_lossy(&self.raw).contains(CANARY), "a secret was shown");
        status.exit_code()
    }

    /// Returns the texts of a line that are inverted.
    fn inverted(&self, line: u16) -> String {
        let screen = self.screen.screen();
        (0..80).filter_map(|c| screen.cell(line, c)).filter(|c| c.inverse()).map(vt100::Cell::contents).collect()
    }
}

#[test]
fn u15_each_kind_of_answer_is_given_on_the_terminal_and_kept() {
    let desk = Desk::people();
    let mut terminal = desk.resolve(&[]);
    let screen = terminal.shows("1 of 5, 5 to decide");
    insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("resolver_first", screen);
    });
    // By field: the e-mail is typed, the secret is kept as it is.
    terminal.types("f");
    terminal.shows(">! email");
    terminal.types("e");
    terminal.shows("value: \"ada@old.org\"");
    terminal.types("\u{1b}[H\u{1b}[3~\u{1b}[F\u{7f}\u{7f}\u{7f}\u{7f}net\r");
    terminal.shows("*typed   \"ada@old.net\"");
    terminal.types("\r]");
    terminal.shows("users/2");
    // Two are alike.
    terminal.types("a");
    terminal.shows("All 2 like this one that wait");
    terminal.types("b");
    terminal.shows("2 answered");
    let screen = terminal.shows("users/4");
    assert!(screen.contains("\\u{1b}[31m") && screen.contains("\\u{7}") && screen.contains("De\\u{202e}e"), "{screen}");
    terminal.types("c");
    let screen = terminal.shows("users/9");
    assert!(screen.contains("users/5") && screen.contains("(b backup)"), "the other record is named: {screen}");
    // What each choice would do, why another can't be, and the last of the keys.
    for says in [
        "(b backup)        not possible: another current record holds its unique key",
        "i into existing   changes",
        "(k new key)       not possible: email itself is taken",
        "s skip            writes nothing for users/9",
        "u undo",
        "q end",
    ] {
        assert!(screen.contains(says), "{says:?}: {screen}");
    }
    terminal.types("b");
    terminal.shows("not possible:");
    terminal.types("s");
    terminal.shows("every conflict is answered");
    // The last answer is taken back and given again.
    terminal.types("u");
    terminal.shows("the last answer was taken back");
    terminal.shows("1 to decide");
    terminal.types("s");
    terminal.shows("0 to decide");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    let after = terminal.text();
    assert!(after.contains("5 records answered.") && after.contains("Next: merganser merge"), "{after}");
    assert_eq!(
        desk.decisions(),
        ["1 fields {email:{value:ada@old.net}}", "2 backup", "3 backup", "4 current", "9 skip"]
    );
    desk.run(0, &["merge", "p.mplan", "--yes"]);
    let connection = rusqlite::Connection::open(desk.path("app.db")).expect("opens");
    let people: Vec<String> = connection
        .prepare("SELECT email || ' ' || name || ' ' || password FROM users ORDER BY id")
        .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect())
        .expect("reads");
    assert_eq!(
        people[..3],
        [format!("ada@old.net Ada {CANARY}"), "bob@x Bobby p".to_owned(), "cy@x Cyril p".to_owned()]
    );
    assert_eq!(people.len(), 5);
}

#[test]
fn u45_answers_outlive_a_killed_terminal_and_deciding_goes_on_where_it_stopped() {
    let desk = Desk::people();
    let mut terminal = desk.resolve(&[]);
    terminal.shows("1 of 5, 5 to decide");
    terminal.types("c");
    terminal.shows("2 of 5, 4 to decide");
    terminal.types("b");
    terminal.shows("3 of 5, 3 to decide");
    terminal.child.kill().expect("kills");
    terminal.child.wait().expect("ends");
    // Whoever looks now sees what the answers come to.
    let listed = desk.run(0, &["show", "p.mplan", "records", "--json"]);
    let outcome =
        |key: &str| listed.lines().find(|l| l.contains(&format!("\"key\":{{\"id\":{key}}}"))).map(str::to_owned);
    assert!(outcome("2").is_some_and(|l| l.contains("\"outcome\":\"updated\"")), "{listed}");
    assert_eq!(desk.decisions(), ["1 current", "2 backup"]);
    let mut terminal = desk.resolve(&[]);
    terminal.shows("3 of 5, 3 to decide");
    // What was answered before is looked at, and changed.
    terminal.types("p");
    terminal.shows("Answer: take the backup's record");
    terminal.types("c");
    terminal.shows("3 of 5, 3 to decide");
    terminal.types("\u{3}");
    assert_eq!(terminal.ends(), 130);
    assert_eq!(desk.decisions(), ["1 current", "2 current"]);
}

#[test]
fn u26_a_signal_gives_the_terminal_back() {
    let desk = Desk::people();
    let mut terminal = desk.resolve(&[]);
    terminal.shows("1 of 5");
    let pid = terminal.child.process_id().expect("a process").to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("signals").success());
    assert_eq!(terminal.ends(), 143);
}

#[test]
fn u4_differences_are_marked_by_more_than_colour() {
    let desk = Desk::people();
    let mut terminal = desk.resolve(&[("NO_COLOR", "1")]);
    let screen = terminal.shows("1 of 5");
    assert!(screen.contains("\"ada@[old].org\"") && screen.contains("\"ada@[new].org\""), "{screen}");
    assert!(screen.contains("[secret "), "{screen}");
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(!["\u{1b}[33", "\u{1b}[38;", "\u{1b}[31"].iter().any(|code| raw.contains(code)), "colours: {raw:?}");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);

    let mut terminal = desk.resolve(&[]);
    let screen = terminal.shows("1 of 5");
    let line = screen.lines().position(|l| l.contains("ada@old.org")).expect("the current e-mail");
    assert_eq!(terminal.inverted(line as u16), "old");
    terminal.types("?");
    let help = terminal.shows("Any key goes back");
    assert!(["take the backup's record", "] ", "saved as soon as"].iter().all(|t| help.contains(t)), "{help}");
    terminal.types("xq");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn long_records_are_scrolled_and_a_base_is_shown() {
    let columns: Vec<String> = (0..15).map(|n| format!("f{n:02}")).collect();
    let sql = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {}); INSERT INTO t VALUES (1, {});",
        columns.iter().map(|c| format!("{c} TEXT")).collect::<Vec<_>>().join(", "),
        columns.iter().map(|c| format!("'{c} in current'")).collect::<Vec<_>>().join(", ")
    );
    let side = |word: &str| {
        let mut record: serde_json::Map<String, Json> =
            columns.iter().map(|c| (c.clone(), json!(format!("{c} in {word}")))).collect();
        record.insert("id".to_owned(), json!(1));
        json!([record])
    };
    let desk = Desk { folder: tempfile::tempdir().expect("a folder") };
    let connection = rusqlite::Connection::open(desk.path("app.db")).expect("opens");
    connection.execute_batch(&sql).expect("the database");
    for (name, word) in [("b.json", "backup"), ("o.json", "base")] {
        let text = json!({"tables": [{"tableName": "t", "records": side(word)}], "metadata": {"version": "1.0"}});
        std::fs::write(desk.path(name), text.to_string()).expect("writes");
    }
    desk.run(0, &["analyze", "b.json", "--base", "o.json", "-o", "p.mplan", "--strategy", "manual"]);
    let mut terminal = desk.resolve(&[]);
    let screen = terminal.shows("more lines below");
    assert!(screen.contains("base    \"f00 in base\""), "{screen}");
    terminal.types(&"\u{1b}[6~".repeat(9));
    terminal.shows("\"f14 in backup\"");
    // The chosen field comes into sight by itself.
    terminal.types("f");
    terminal.shows(">! f00");
    terminal.types(&"\u{1b}[B".repeat(14));
    terminal.shows(">! f14");
    terminal.types("b\r");
    terminal.shows("Answer: f14 from the backup");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}
