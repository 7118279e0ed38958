//! Servers that are full or away, and changes that don't matter (CHECKS F8, F13, F30, F31), on both servers.

use super::paused::run;
use crate::faults::told;
use crate::live::{Kind, Live, both};
use crate::proxy::{Fate, proxy};
use crate::servers::Private;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::database::connect;
use merganser::executor::{self, MergeOptions, State, receipt};
use merganser::progress::Quiet;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     CREATE TABLE others (id {id}, name varchar(20));
     INSERT INTO items (id, name) VALUES (1, NULL), (2, 'b'), (3, 'c')";

#[test]
fn f30_f31_unrelated_writes_and_what_was_changed_back_do_not_matter() {
    for live in both(ITEMS) {
        live.world.backup("b.json", &[("items", json!([{"id": 1, "name": "A"}, {"id": 9, "name": "new"}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        live.sql("UPDATE items SET name = 'x' WHERE id = 2; INSERT INTO items (id, name) VALUES (4, 'd'); INSERT INTO others (name) VALUES ('y')");
        live.sql("UPDATE items SET name = 'changed' WHERE id = 1");
        live.sql("UPDATE items SET name = NULL WHERE id = 1");
        let merged = live.merge(&mut plan).unwrap_or_else(|e| panic!("{:?}: {e:?}", live.kind));
        assert_eq!((merged.counts.updated, merged.counts.inserted), (1, 1), "{:?}", live.kind);
        assert_eq!(live.value("SELECT name FROM items WHERE id = 2"), "x");
    }
}

#[test]
fn f13_a_target_that_is_away_keeps_an_unknown_outcome_unknown() {
    for live in both(ITEMS) {
        live.world.backup("b.json", &[("items", json!([{"id": 1, "name": "A"}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let mut database = connect(&proxy(&live.fresh.url, Fate::Carried)).expect("connects");
        let options = MergeOptions::default();
        let lost = executor::merge(&mut plan, &mut *database, &live.world.home, &options, &Quiet);
        let lost = lost.expect_err("the answer to the commit is lost");
        assert_eq!(lost.kind(), ErrorKind::OutcomeUnknown, "{lost:?}");
        let status = |url: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
            command.args(["status", "--no-input", "--to", url, "--data-dir"]).arg(live.world.home.root());
            told(command.current_dir(live.world.folder.path()).env_clear().output().expect("starts"))
        };
        let state = || receipt::list(&live.world.home).expect("lists").0[0].state;
        let port = live.fresh.url.split(':').nth(2).and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
        let (code, stdout, stderr) = status(&live.fresh.url.replacen(&port, "1", 1));
        assert_eq!(code, 21, "{:?}: {stdout}{stderr}", live.kind);
        assert!(stderr.contains("stays unknown"), "{:?}: {stdout}{stderr}", live.kind);
        assert!(matches!(state(), State::Intent | State::Unknown), "{:?}", live.kind);
        let (code, stdout, stderr) = status(&live.fresh.url);
        assert_eq!(code, 0, "{:?}: {stdout}{stderr}", live.kind);
        assert!(matches!(state(), State::Committed | State::RolledBack), "{:?}", live.kind);
    }
}

#[test]
fn f70_what_the_user_may_not_write_is_told_at_the_analysis_with_its_grant() {
    for live in both(ITEMS) {
        let user = format!("reader_{}", std::process::id());
        live.sql(&match live.kind {
            Kind::Postgres => {
                format!("CREATE ROLE {user} LOGIN; GRANT SELECT ON items TO {user}; GRANT ALL ON others TO {user}")
            }
            Kind::Mariadb => format!(
                "CREATE USER '{user}'@'%'; GRANT SELECT ON items TO '{user}'@'%'; GRANT ALL ON others TO '{user}'@'%'"
            ),
        });
        let reader = live.as_user(&user);
        reader.world.backup(
            "b.json",
            &[("items", json!([{"id": 1, "name": "A"}])), ("others", json!([{"id": 1, "name": "A"}]))],
        );
        let (plan, _) = reader.analyze("b.json", None, "backup-wins", Options::default()).expect("reading is enough");
        let notes: Vec<&String> = plan.meta().notes.iter().filter(|n| n.contains("a merge would lack")).collect();
        assert_eq!(notes.len(), 1, "{:?}: {:?}", live.kind, plan.meta().notes);
        assert!(notes[0].contains("items") && notes[0].contains("GRANT INSERT, UPDATE, DELETE ON"), "{notes:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
        command.args(["doctor", "--no-input", "--to", &reader.fresh.url, "--data-dir"]).arg(reader.world.home.root());
        let (code, stdout, stderr) = told(command.env_clear().output().expect("starts"));
        assert_eq!(code, 1, "{:?}: {stdout}{stderr}", live.kind);
        assert!(stdout.contains("the user lacks INSERT, UPDATE, DELETE"), "{:?}: {stdout}", live.kind);
        live.sql(&match live.kind {
            Kind::Postgres => format!("REVOKE ALL ON items, others FROM {user}; DROP ROLE {user}"),
            Kind::Mariadb => format!("DROP USER '{user}'@'%'"),
        });
    }
}

/// A file system of a few MiB, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn new(owner: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("merganser-small-").tempdir().expect("a folder").keep();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m,mode=777", "none"]).arg(&folder).status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "no file system can be mounted here; leave this test out with tests/run.sh or -- --skip needs_mount_"
        );
        let place = folder.join("data");
        std::fs::create_dir(&place).expect("a folder");
        let lent = Command::new("chown").arg(format!("{owner}:{owner}")).arg(&place).status().expect("starts");
        assert!(lent.success());
        Self(folder)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // The server may still hold files open: a lazy unmount goes through.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn needs_mount_f8_a_full_disk_of_postgres_changes_nothing() {
    let small = Small::new("postgres");
    let space = format!("small_{}", std::process::id());
    let live = Live::new(Kind::Postgres, "SELECT 1");
    live.sql(&format!("CREATE TABLESPACE {space} LOCATION '{}'", small.0.join("data").display()));
    live.sql(&format!("CREATE TABLE big (id int PRIMARY KEY, body text) TABLESPACE {space}"));
    live.sql("ALTER TABLE big ALTER body SET STORAGE EXTERNAL; INSERT INTO big VALUES (1, 'x')");
    let before = live.content();
    let body = "abcdefgh".repeat(4_000);
    let rows: Vec<_> = (2..400).map(|id| json!({"id": id, "body": body})).collect();
    live.world.backup("b.json", &[("big", json!(rows))]);
    let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let full = live.merge(&mut plan).expect_err("the disk is full");
    assert_eq!(full.kind(), ErrorKind::OutOfSpace, "{full:?}");
    assert_eq!(live.content(), before);
    assert_eq!(receipt::list(&live.world.home).expect("lists").0[0].state, State::RolledBack);
    live.sql("DROP TABLE big");
    live.sql(&format!("DROP TABLESPACE {space}"));
}

/// MariaDB says that the table is full, or, for values that it keeps outside of the record (seen with 10.11), ends itself.
#[test]
fn needs_mount_f8_a_full_disk_of_mariadb_changes_nothing() {
    let mut server = Private::mariadb(&[]);
    for (length, may_end) in [(3_000, false), (32_000, true)] {
        let small = Small::new("mysql");
        let live = Live::on(&server, Kind::Mariadb, "SELECT 1");
        live.sql(&format!(
            "CREATE TABLE big (id int PRIMARY KEY, body longtext) DATA DIRECTORY = '{}'; INSERT INTO big VALUES (1, 'x')",
            small.0.join("data").display()
        ));
        let before = live.content();
        let rows: Vec<_> = (2..3_000).map(|id| json!({"id": id, "body": "a".repeat(length)})).collect();
        live.world.backup("b.json", &[("big", json!(rows))]);
        let (code, stdout, stderr) = run(&live, &["merge", "b.json", "--yes"]);
        let told = format!("{length}: exit {code}: {stdout}{stderr}");
        assert!(stdout.contains("nothing was changed"), "{told}");
        if may_end && code == 21 {
            // Who reads this has the place to look at; there it says what happened.
            assert!(stdout.contains("its own log says why") && stdout.contains("a full disk"), "{told}");
            let log = server.ended();
            assert!(log.contains("InnoDB"), "{log}");
            // As an administrator does: room first, then the server.
            let room = Command::new("mount").args(["-o", "remount,size=256m"]).arg(&small.0).status().expect("starts");
            assert!(room.success());
            server.start();
        } else {
            assert_eq!(code, 24, "{told}");
        }
        let (code, stdout, stderr) = run(&live, &["status"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(live.content(), before, "{told}");
        assert_eq!(receipt::list(&live.world.home).expect("lists").0[0].state, State::RolledBack, "{told}");
        live.sql("DROP TABLE big");
    }
}
