//! Servers that restart in the middle of a merge (CHECKS F12): before or after, never between; `status` tells which.

use super::paused::{Paused, merganser, run, until};
use crate::faults::told;
use crate::live::{Kind, Live};
use crate::proxy::{Fate, proxy};
use crate::servers::{End, Private};
use merganser::analyzer::Options;
use merganser::executor::{State, receipt};
use merganser::plan::Decision;
use serde_json::{Value as Json, json};

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')";

fn server(kind: Kind) -> Private {
    match kind {
        Kind::Postgres => Private::postgres(&[]),
        Kind::Mariadb => Private::mariadb(&[]),
    }
}

/// Makes a plan that inserts one record and updates two; returns its id.
fn plan(live: &Live) -> String {
    live.world.backup(
        "b.json",
        &[("items", json!([{"id": 1, "name": "A"}, {"id": 2, "name": "B"}, {"id": 9, "name": "new"}]))],
    );
    let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    live.decide_all(&mut plan, &Decision::Backup);
    plan.meta().id.clone()
}

/// What a merge came to, said by its exit code and by `status` once the server is there again.
fn judge(live: &Live, place: &str, ended: (i32, String, String), before: &[String], after: &[String]) -> i32 {
    let (code, stdout, stderr) = ended;
    let content = live.content();
    let place = format!("{place}: exit {code}: {stdout}{stderr}");
    let status = run(live, &["status"]);
    assert_eq!(status.0, 0, "{place}: {status:?}");
    let said: Json = serde_json::from_str(status.1.lines().last().unwrap_or_default()).expect("a result");
    let settled = said["targets"][0]["settled"].as_array().expect("a list").clone();
    assert_eq!(said["targets"][0]["lock"], Json::Null, "{place}: the lock went with the session");
    match code {
        0 => assert_eq!(content, after, "{place}"),
        21 => {
            assert_eq!(content, before, "{place}");
            assert!(stdout.contains("nothing was changed") || stdout.contains("connecting to"), "{place}");
            assert!(settled.is_empty(), "{place}: {settled:?}");
        }
        23 => {
            assert!(stdout.contains("merganser status") && stdout.contains("\"changed\":null"), "{place}");
            let [truth] = &settled[..] else { panic!("{place}: {settled:?}") };
            match truth["state"].as_str() {
                Some("committed") => assert_eq!(content, after, "{place}"),
                Some("rolled_back") => assert_eq!(content, before, "{place}"),
                other => panic!("{place}: {other:?}"),
            }
        }
        _ => panic!("{place}: not one of 0, 21 and 23"),
    }
    let (receipts, unreadable) = receipt::list(&live.world.home).expect("lists");
    assert!(unreadable.is_empty(), "{place}: {unreadable:?}");
    assert!(receipts.iter().all(|r| matches!(r.state, State::Committed | State::RolledBack)), "{place}");
    code
}

/// Takes back what is there, so that the next round begins where the first one did.
fn begin_again(live: &Live, id: &str, before: &[String], after: &[String]) -> String {
    // The next run works, whatever happened: it merges, or says that it was done.
    let next = run(live, &["merge", id, "--yes"]);
    assert_eq!(next.0, 0, "{next:?}");
    assert_eq!(live.content(), after);
    let undone = run(live, &["undo", "--yes"]);
    assert_eq!(undone.0, 0, "{undone:?}");
    assert_eq!(live.content(), before);
    plan(live)
}

/// Restarts the server while the merge stands still, at every point where it matters.
fn restarts(kind: Kind) {
    let mut server = server(kind);
    let live = Live::on(&server, kind, ITEMS);
    let before = live.content();
    let mut id = plan(&live);
    let done = run(&live, &["merge", &id, "--yes"]);
    assert_eq!(done.0, 0, "{done:?}");
    let after = live.content();
    id = begin_again(&live, &id, &before, &after);
    let points = [
        // Before the transaction, in it before and after the intent is on disk, before the first write, after a part of
        // the writes, after all of them, right before and right after the commit, and while it is being noted.
        ("locked", 0),
        ("begun", 21),
        ("intent", 21),
        ("parked", 21),
        ("between-statements", 21),
        ("written", 21),
        ("before-commit", 23),
        ("after-commit", 0),
        ("marked", 0),
    ];
    for (point, expected) in points {
        for end in [End::Orderly, End::Sudden] {
            let place = format!("{kind:?} {end:?} at {point}");
            let merge = Paused::at(point, &live, &["merge", &id, "--yes"]);
            server.restart(end);
            let ended = merge.resume();
            assert_eq!(judge(&live, &place, ended, &before, &after), expected, "{place}");
            id = begin_again(&live, &id, &before, &after);
        }
    }
}

#[test]
fn f12_postgres_restarts_at_any_point_of_a_merge() {
    restarts(Kind::Postgres);
}

#[test]
fn f12_mariadb_restarts_at_any_point_of_a_merge() {
    restarts(Kind::Mariadb);
}

/// The server has committed, and goes down before its answer arrives.
#[test]
fn f12_a_commit_that_was_done_and_never_answered_is_found_after_the_restart() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let mut server = server(kind);
        let live = Live::on(&server, kind, ITEMS);
        let before = live.content();
        for end in [End::Orderly, End::Sudden] {
            let id = plan(&live);
            let through = proxy(&live.fresh.url, Fate::Withheld);
            let merge = merganser(&live, &through, &["merge", &id, "--yes"]).spawn().expect("starts");
            until("committed", || live.content() != before);
            server.restart(end);
            let after = live.content();
            let ended = told(merge.wait_with_output().expect("ends"));
            assert_eq!(judge(&live, &format!("{kind:?} {end:?}"), ended, &before, &after), 23);
            assert_ne!(after, before, "what was committed is there");
            begin_again(&live, &id, &before, &after);
        }
    }
}

/// The server is in the middle of the commit when it goes down: PostgreSQL has it on its own disk and waits for a
/// standby that never answers; MariaDB waits for a lock that keeps commits away.
#[test]
fn f12_a_restart_within_the_commit_is_settled_by_status() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let (mut server, waiting, there) = match kind {
            Kind::Postgres => (
                Private::postgres(&["synchronous_standby_names=nobody", "synchronous_commit=local"]),
                "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
                true,
            ),
            Kind::Mariadb => (
                Private::mariadb(&[]),
                "SELECT CAST(count(*) AS CHAR) FROM information_schema.PROCESSLIST WHERE INFO = 'COMMIT' AND STATE LIKE 'Waiting for%'",
                false,
            ),
        };
        let mut live = Live::on(&server, kind, ITEMS);
        live.sql(match kind {
            Kind::Postgres => "CREATE ROLE app SUPERUSER LOGIN; ALTER ROLE app SET synchronous_commit = on",
            Kind::Mariadb => "CREATE USER app@'%'; GRANT ALL ON *.* TO app@'%'",
        });
        let before = live.content();
        let mut id = plan(&live);
        let done = run(&live, &["merge", &id, "--yes"]);
        assert_eq!(done.0, 0, "{done:?}");
        let after = live.content();
        for end in [End::Orderly, End::Sudden] {
            id = begin_again(&live, &id, &before, &after);
            let user = Live { kind, fresh: live.fresh.as_user("app"), world: live.world };
            let merge = Paused::at("before-commit", &user, &["merge", &id, "--yes"]);
            live = Live { kind, fresh: live.fresh, world: user.world };
            let mut other = live.fresh.session();
            if kind == Kind::Mariadb {
                other.execute("FLUSH TABLES WITH READ LOCK").expect("locks");
            }
            let ended = std::thread::scope(|scope| {
                let merge = scope.spawn(|| merge.resume());
                until(&format!("{kind:?} {end:?} within the commit"), || live.fresh.text(waiting) == "1");
                server.restart(end);
                merge.join().expect("no panic")
            });
            assert_eq!(judge(&live, &format!("{kind:?} {end:?}"), ended, &before, &after), 23);
            // A MariaDB that ends in order may end the holder of the lock first: the commit then still goes through.
            if kind == Kind::Postgres || end == End::Sudden {
                assert_eq!(live.content() == after, there, "{kind:?} {end:?}");
            }
        }
    }
}

/// A server that is put back from an older copy, or a standby that takes over without the last transactions: what was
/// committed is no longer there, and a transaction's number may be another one's by now.
#[test]
fn f12_a_commit_that_the_server_lost_again_is_told() {
    let mut server = Private::postgres(&[]);
    let live = Live::on(&server, Kind::Postgres, ITEMS);
    let before = live.content();
    server.stop(End::Orderly);
    let copy = server.save();
    server.start();
    // Known to be committed.
    let (code, stdout, stderr) = run(&live, &["merge", &plan(&live), "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (_, stdout, _) = run(&live, &["status"]);
    assert!(stdout.contains("\"vanished\":null"), "{stdout}");
    server.put_back(&copy);
    assert_eq!(live.content(), before);
    let (code, stdout, stderr) = run(&live, &["status"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("\"vanished\":\"m-"), "{stdout}{stderr}");
    // Not known to be committed: by a number that was not given yet, that others have by now, and on another timeline.
    for (numbers, settled) in [(0, "rolled_back"), (50, "unknown")] {
        let id = plan(&live);
        let through = proxy(&live.fresh.url, Fate::Carried);
        let lost = told(merganser(&live, &through, &["merge", &id, "--yes"]).output().expect("starts"));
        assert_eq!(lost.0, 23, "{lost:?}");
        assert_ne!(live.content(), before);
        server.put_back(&copy);
        for _ in 0..numbers {
            live.sql("CREATE TABLE IF NOT EXISTS passing (); DROP TABLE passing");
        }
        let (_, stdout, stderr) = run(&live, &["status"]);
        assert!(stdout.contains(&format!("\"state\":\"{settled}\"")), "{numbers}: {stdout}{stderr}");
    }
}

#[test]
fn f12_a_standby_that_takes_over_is_asked_for_the_records_and_not_for_the_transaction() {
    let mut primary = Private::postgres(&[]);
    let live = Live::on(&primary, Kind::Postgres, ITEMS);
    let before = live.content();
    let mut standby = primary.standby();
    let there = standby.same(&live.fresh);
    // It hears nothing from now on.
    standby.stop(End::Orderly);
    standby.set("primary_conninfo = ''");
    standby.start();
    let id = plan(&live);
    let through = proxy(&live.fresh.url, Fate::Carried);
    let lost = told(merganser(&live, &through, &["merge", &id, "--yes"]).output().expect("starts"));
    assert_eq!(lost.0, 23, "{lost:?}");
    primary.stop(End::Sudden);
    let live = Live { kind: live.kind, fresh: there, world: live.world };
    // A standby can't know yet; nothing is settled.
    let (code, stdout, _) = run(&live, &["status"]);
    assert_eq!(code, 22, "{stdout}");
    assert!(stdout.contains("standby"), "{stdout}");
    assert_eq!(live.fresh.text("SELECT pg_promote()::text"), "true");
    for _ in 0..50 {
        live.sql("CREATE TABLE IF NOT EXISTS passing (); DROP TABLE passing");
    }
    let (code, stdout, stderr) = run(&live, &["status"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("\"state\":\"rolled_back\""), "{stdout}");
    assert_eq!(live.content(), before);
    let (code, stdout, stderr) = run(&live, &["merge", &id, "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}
