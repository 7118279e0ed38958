//! Encrypted backups through the program: keys, what is asked for, and what a wrong key does.

use rusqlite::Connection;
use serde_json::Value as Json;
use std::path::PathBuf;
use std::process::{Command, Stdio};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder") };
        let connection = Connection::open(world.path("app.db")).expect("opened");
        connection
            .execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ada'), (2, 'Bob');")
            .expect("executed");
        std::fs::write(world.path("right"), "correct horse\n").expect("written");
        std::fs::write(world.path("wrong"), "battery staple\n").expect("written");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program; returns its exit code and its last line.
    fn run(&self, arguments: &[&str]) -> (i32, Json) {
        let output = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(arguments)
            .arg("--json")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("MERGANSER_DATA_DIR", self.path("data"))
            .env("DATABASE_URL", "sqlite:app.db")
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!text.contains("correct horse") && !text.contains("AGE-SECRET-KEY-1"), "{text}");
        let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().expect("ends"), serde_json::from_str(last).expect("JSON"))
    }

    fn done(&self, arguments: &[&str]) -> Json {
        let (code, last) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {last}");
        last
    }
}

#[test]
fn f23_a_backup_to_a_passphrase_needs_it_and_nothing_is_done_without() {
    let world = World::new();
    for (flag, name) in [("--encrypt", "a.json.age"), ("--aes-256-cbc", "a.json.enc")] {
        world.done(&["backup", "create", "-o", name, flag, "--passphrase-file", "right"]);
        let text = std::fs::read(world.path(name)).expect("read");
        assert!(!text.windows(3).any(|w| w == b"Ada"), "the content is hidden");
        let plans = || std::fs::read_dir(world.path("data/plans")).expect("a folder").count();
        for keys in [vec![], vec!["--passphrase-file", "wrong"], vec!["--passphrase-command", "echo nothing"]] {
            for command in [&["analyze"][..], &["inspect"], &["merge", "--yes"]] {
                let arguments: Vec<&str> = command.iter().copied().chain([name]).chain(keys.iter().copied()).collect();
                let (code, last) = world.run(&arguments);
                assert_eq!((code, last["error"]["code"].as_str()), (12, Some("wrong_key")), "{arguments:?}: {last}");
            }
        }
        let before = plans();
        let last = world.done(&["analyze", name, "--passphrase-command", "cat right"]);
        assert_eq!((&last["counts"]["unchanged"], plans()), (&2.into(), before + 1));
        // The merge of a plan needs no key: what it writes is in the plan, and the file is known by its digest.
        Connection::open(world.path("app.db"))
            .and_then(|c| c.execute_batch("DELETE FROM users WHERE id = 2"))
            .expect("deleted");
        let plan =
            world.done(&["analyze", name, "--passphrase-file", "right"])["plan"].as_str().expect("a path").to_owned();
        assert_eq!(world.done(&["merge", &plan, "--yes"])["counts"]["inserted"], 1);
    }
}

#[test]
fn keys_are_made_listed_replaced_and_exported() {
    let world = World::new();
    let made = world.done(&["key", "generate"]);
    let recipient = made["recipient"].as_str().expect("a recipient");
    assert!(recipient.starts_with("age1"), "{recipient}");
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(world.path(path)).expect("is there").permissions().mode() & 0o777
    };
    assert_eq!(mode("data/keys/main.identity"), 0o600);
    assert_eq!(world.run(&["key", "generate"]).0, 2, "a key is never overwritten");
    world.done(&["backup", "create", "-o", "old.json.age", "--encrypt"]);
    world.done(&["key", "export", "--out", "safe.identity"]);
    assert_eq!(mode("safe.identity"), 0o600);
    assert_eq!(world.run(&["key", "export", "--out", "safe.identity"]).0, 2, "nothing is overwritten");
    let rotated = world.done(&["key", "rotate"]);
    assert_ne!(rotated["recipient"], made["recipient"]);
    assert_eq!(world.done(&["key", "list"])["keys"].as_array().expect("a list").len(), 2);
    world.done(&["backup", "create", "-o", "new.json.age", "--encrypt"]);
    for name in ["old.json.age", "new.json.age"] {
        assert_eq!(world.done(&["analyze", name])["counts"]["unchanged"], 2, "{name}");
    }
    // Elsewhere only the exported key helps, and only with what was encrypted to it.
    std::fs::rename(world.path("data"), world.path("gone")).expect("moved");
    assert_eq!(world.run(&["inspect", "old.json.age"]).0, 12);
    world.done(&["inspect", "old.json.age", "--identity", "safe.identity"]);
    assert_eq!(world.run(&["inspect", "new.json.age", "--identity", "safe.identity"]).0, 12);
}

#[test]
fn the_configuration_says_to_whom_every_backup_is_encrypted() {
    let world = World::new();
    let recipient = world.done(&["key", "generate"])["recipient"].as_str().expect("a recipient").to_owned();
    std::fs::write(world.path("merganser.toml"), format!("[backup]\nencrypt_to = [{recipient:?}]\n")).expect("written");
    let made = world.done(&["backup", "create"]);
    let path = made["backup"].as_str().or_else(|| made["path"].as_str()).expect("a path");
    assert!(path.ends_with(".age"), "{path}");
    assert_eq!(world.done(&["inspect", path])["records"], 2);
    let plain = world.done(&["backup", "create", "--no-encrypt"]);
    let path = plain["backup"].as_str().or_else(|| plain["path"].as_str()).expect("a path");
    assert!(!path.ends_with(".age"), "{path}");
    assert_eq!(world.run(&["backup", "create", "--encrypt-to", "age1nobody"]).0, 2);
}
