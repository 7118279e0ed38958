//! Schedules through the program: on the command line, and in the service.

use merganser::executor::Home;
use merganser::schedule::{Kept, Schedule, store};
use rusqlite::Connection;
use serde_json::Value as Json;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder") };
        let connection = Connection::open(world.path("app.db")).expect("opened");
        connection
            .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);")
            .expect("executed");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("MERGANSER_DATA_DIR", self.path("data"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program; returns its exit code and its last line.
    fn run(&self, arguments: &[&str]) -> (i32, Json) {
        let output = self.command(arguments).arg("--json").output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
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
fn a_schedule_is_added_run_told_of_and_removed() {
    let world = World::new();
    let told = world.path("told");
    std::fs::write(
        world.path("merganser.toml"),
        format!(
            "[targets.prod]\nurl = \"sqlite:app.db\"\n[hooks]\non_success = {{ command = [\"tee\", {told:?}] }}\n\
             on_failure = [{{ command = [\"tee\", {told:?}] }}]\n"
        ),
    )
    .expect("written");
    let storage = format!("file://{}", world.path("elsewhere").display());
    world.done(&["key", "generate"]);
    let added = world.done(&[
        "schedule",
        "add",
        "nightly",
        "--cron",
        "15 2 * * *",
        "--time-zone",
        "Europe/London",
        "--to",
        "prod",
        "--keep-daily",
        "14",
        "--encrypt",
        "--storage",
        &storage,
    ]);
    assert!(added["next"].as_str().is_some_and(|at| at.ends_with(":15:00Z")), "{added}");
    assert_eq!(world.run(&["schedule", "add", "nightly", "--cron", "15 2 * * *", "--to", "prod"]).0, 2, "it is there");
    for cron in ["15 2 * *", "15 25 * * *", "0 0 31 2 *"] {
        assert_eq!(world.run(&["schedule", "add", "x", "--cron", cron, "--to", "prod"]).0, 2, "{cron}");
    }
    let secret = "postgres://app:secret@db/app";
    let (code, refused) = world.run(&["schedule", "add", "x", "--cron", "0 0 * * *", "--to", secret]);
    assert!(code == 2 && !refused.to_string().contains("secret@"), "{refused}");
    assert_eq!(world.done(&["schedule", "next", "-n", "2"])["next"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.done(&["schedule", "run"])["runs"], serde_json::json!([]), "nothing is due");
    let ran = world.done(&["schedule", "run", "nightly", "--metrics-textfile", "merganser.prom"]);
    assert_eq!((&ran["runs"][0]["outcome"], &ran["runs"][0]["records"]), (&"success".into(), &2.into()));
    let event: Json = serde_json::from_str(&std::fs::read_to_string(&told).expect("was told")).expect("JSON");
    assert_eq!(event, ran["runs"][0]);
    let metrics = std::fs::read_to_string(world.path("merganser.prom")).expect("is there");
    assert!(metrics.contains("merganser_backup_last_rows{target=\"prod\",plan=\"nightly\"} 2\n"), "{metrics}");
    let kept = world.done(&["backup", "list"]);
    assert_eq!(
        (&kept["backups"][0]["encryption"], &kept["backups"][0]["storage"]),
        (&"age".into(), &storage.as_str().into())
    );
    world.done(&["backup", "verify", "--all", "--restore-test"]);
    // A run that fails says so by its code, to the hook, and in the metrics.
    std::fs::rename(world.path("app.db"), world.path("gone.db")).expect("moved");
    let (code, _) = world.run(&["schedule", "run", "nightly", "--metrics-textfile", "merganser.prom"]);
    assert_ne!(code, 0);
    assert!(std::fs::read_to_string(&told).expect("was told").contains("\"outcome\":\"failure\""));
    let listed = world.done(&["schedule", "list"]);
    assert!(listed["schedules"][0]["state"]["last_error"].is_string(), "{listed}");
    world.done(&["schedule", "rm", "nightly"]);
    assert_eq!(world.run(&["schedule", "rm", "nightly"]).0, 2);
    assert_eq!(world.done(&["backup", "list"])["backups"].as_array().map(Vec::len), Some(1), "its backups stay");
}

#[test]
fn a_schedule_chooses_format_and_files_and_keeps_to_the_rules_for_columns() {
    let world = World::new();
    Connection::open(world.path("app.db"))
        .and_then(|c| {
            c.execute_batch(
                "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, note TEXT);
                 INSERT INTO users VALUES (1, 'Ada', 'hidden');",
            )
        })
        .expect("made");
    std::fs::write(
        world.path("merganser.toml"),
        "[targets.prod]\nurl = \"sqlite:app.db\"\n[targets.prod.columns]\ndrop = [\"users.note\"]\n",
    )
    .expect("written");
    std::fs::create_dir_all(world.path("site/uploads/a")).expect("made");
    std::fs::write(world.path("site/uploads/a/face.png"), "a picture").expect("written");
    let add = |name: &str, more: &[&str]| {
        let fixed = ["schedule", "add", name, "--cron", "15 2 * * *", "--to", "prod"];
        world.run(&[fixed.as_slice(), more].concat())
    };
    assert_eq!(add("erp", &["--format", "rayerp", "--files", "site", "--time-zone", "Asia/Tokyo"]).0, 0);
    assert_eq!(add("lines", &["--format", "ndjson"]).0, 0);
    assert_eq!(add("plain", &[]).0, 0);
    // What could never be made is refused when it is asked for, not at night.
    for wrong in [
        ["--format", "jarvis-user"].as_slice(),
        &["--files", "site"],
        &["--format", "rayerp", "--files", "nowhere"],
        &["--format", "sql"],
    ] {
        assert_eq!(add("wrong", wrong).0, 2, "{wrong:?}");
    }
    for (name, format, files) in [("erp", "rayerp", 1), ("lines", "ndjson", 0), ("plain", "smart-backup", 0)] {
        world.done(&["schedule", "run", name]);
        let kept = world.done(&["backup", "list"]);
        let kept = &kept["backups"][0];
        assert_eq!(kept["format"], format, "{kept}");
        let file = world.path("made");
        world.done(&["backup", "export", kept["id"].as_str().expect("an id"), "made"]);
        let found = world.done(&["inspect", "made"]);
        assert_eq!(found["files"]["files"].as_u64().unwrap_or(0), files, "{found}");
        let dump = format!("{}", world.done(&["inspect", "made"]));
        assert!(dump.contains("name") && !dump.contains("note\""), "{name}: a column that is dropped: {dump}");
        std::fs::remove_file(file).expect("removed");
    }
}

#[test]
fn the_service_runs_what_is_due_and_tells_systemd() {
    let world = World::new();
    let home = Home::open(&world.path("data")).expect("opens");
    let schedule = Schedule {
        name: "hourly".to_owned(),
        cron: "0 * * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        target: format!("sqlite:{}", world.path("app.db").display()),
        created_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        ..Schedule::default()
    };
    store::add(&home, &Kept::new(schedule)).expect("adds");
    let socket = UnixDatagram::bind(world.path("notify")).expect("binds");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
    let mut service = world
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", world.path("notify"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let told = || {
        let mut buffer = [0; 64];
        let count = socket.recv(&mut buffer).expect("is told");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    let begun = Instant::now();
    while store::find(&home, "hourly").expect("is there").state.last_success_at.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "what is due is not run");
        std::thread::sleep(Duration::from_millis(50));
    }
    let process = service.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().expect("runs").success());
    assert_eq!(told(), "STOPPING=1");
    service.wait().expect("ends");
    assert_eq!(world.done(&["backup", "list"])["backups"].as_array().map(Vec::len), Some(1), "once");
}
