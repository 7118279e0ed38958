//! Signals and panics at every step of a merge, on every engine (CHECKS F4, F5; INTERFACE U3, U5, U26): the result line
//! tells the exit code, the database is before or after as that code says, and the next run works.

use super::{result, told};
use crate::live::{Kind, Live};
use crate::world::World;
use merganser::analyzer::Options;
use serde_json::json;
use std::process::{Command, Stdio};

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name varchar(20), parent int REFERENCES items (id));
     INSERT INTO items VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 1)";
const STATE: &str = "state";

/// A database on an engine, with a saved plan that inserts and updates.
enum Place {
    Sqlite(World),
    Server(Live),
}

impl Place {
    fn all() -> [Self; 3] {
        let server = |kind| Self::Server(Live::new(kind, ITEMS));
        [Self::Sqlite(World::new(ITEMS)), server(Kind::Postgres), server(Kind::Mariadb)]
    }

    fn world(&self) -> &World {
        match self {
            Self::Sqlite(world) => world,
            Self::Server(live) => &live.world,
        }
    }

    fn content(&self) -> Vec<String> {
        match self {
            Self::Sqlite(world) => world.content(),
            Self::Server(live) => live.content(),
        }
    }

    /// Makes a plan; returns its id.
    fn plan(&self) -> String {
        let records = json!([{"id": 1, "name": "A", "parent": null}, {"id": 2, "name": "b", "parent": 9}, {"id": 9, "name": "new", "parent": 1}]);
        self.world().backup("b.json", &[("items", records)]);
        let analyzed = match self {
            Self::Sqlite(world) => world.analyze("b.json", None, "backup-wins", Options::default()),
            Self::Server(live) => live.analyze("b.json", None, "backup-wins", Options::default()),
        };
        analyzed.unwrap_or_else(|e| panic!("{}", e.full_message())).0.meta().id.clone()
    }

    fn run(&self, arguments: &[&str], failpoint: &str) -> (i32, String, String) {
        let world = self.world();
        let url = match self {
            Self::Sqlite(world) => format!("sqlite:{}", world.path("current.db").display()),
            Self::Server(live) => live.fresh.url.clone(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
        command.args(arguments).args(["--json", "--to", &url, "--data-dir"]).arg(world.path(STATE));
        for name in ["MERGANSER_TARGET", "DATABASE_URL", "MERGANSER_CONFIG", "MERGANSER_PROFILE", "MERGANSER_LOG"] {
            command.env_remove(name);
        }
        let output =
            command.current_dir(world.folder.path()).stdin(Stdio::null()).env("MERGANSER_FAILPOINT", failpoint);
        told(output.output().expect("starts"))
    }
}

/// Stops a merge at every step in a way; `stopped` is the code of a merge that was.
fn at_every_step(place: &Place, action: &str, stopped: i32) {
    let before = place.content();
    let (code, stdout, stderr) = place.run(&["merge", &place.plan(), "--yes"], "none:0");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let after = place.content();
    assert_ne!(after, before);
    let undo = |what: &str| {
        let (code, stdout, stderr) = place.run(&["undo", "--yes"], "none:0");
        assert_eq!(code, 0, "{what}: the undo: {stdout}{stderr}");
        assert_eq!(place.content(), before, "{what}: after the undo");
    };
    undo("whole");
    let (mut unchanged, mut done, mut id) = (0, 0, place.plan());
    for step in 1.. {
        // A plan that was not carried out is tried again: so each run is also the next one after a stop.
        let what = format!("{action} at step {step}");
        let (code, stdout, stderr) = place.run(&["merge", &id, "--yes"], &format!("any:{step}:{action}"));
        let (result, now) = (result(&stdout), place.content());
        assert_eq!(
            (&result["type"], &result["exit_code"]),
            (&json!("result"), &json!(code)),
            "{what}: {stdout}{stderr}"
        );
        match code {
            0 => assert_eq!(now, after, "{what}: {stdout}"),
            23 => assert!(stopped == 23 && (now == before || now == after), "{what}: {stdout}{stderr}"),
            code => assert!(code == stopped && now == before, "{what}: exit code {code}: {stdout}{stderr}"),
        }
        let (settled, stdout, stderr) = place.run(&["status"], "none:0");
        assert_eq!(settled, 0, "{what}: the status: {stdout}{stderr}");
        if now == after {
            undo(&what);
            id = place.plan();
        } else {
            unchanged += 1;
        }
        // A panic that does not come had its last step before; a signal comes too late for the steps after the commit.
        done += usize::from(code == 0);
        if done == if action == "panic" { 1 } else { 3 } {
            break;
        }
    }
    assert!(unchanged > 3, "{action}: stopped before the commit {unchanged} times only");
}

#[test]
fn f4_u26_ctrl_c_at_any_step_rolls_back_with_a_result_or_is_too_late() {
    Place::all().iter().for_each(|place| at_every_step(place, "int", 130));
}

#[test]
fn f4_u26_sigterm_at_any_step_rolls_back_with_a_result_or_is_too_late() {
    Place::all().iter().for_each(|place| at_every_step(place, "term", 143));
}

#[test]
fn f5_a_panic_at_any_step_is_told_and_settled() {
    Place::all().iter().for_each(|place| at_every_step(place, "panic", 23));
}
