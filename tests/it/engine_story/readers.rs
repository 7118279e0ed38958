//! Servers that take no writes, and poolers in between (CHECKS F73): an analysis works, a merge is refused before
//! anything happens; where a pooler lends its sessions by the transaction everything works.

use crate::faults::told;
use crate::live::{Kind, Live};
use crate::servers::{Pooler, Private};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::receipt;
use serde_json::json;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, NULL), (2, 'b'), (3, 'c')";

fn run(live: &Live, args: &[&str]) -> (i32, String, String) {
    command(live, args, None)
}

fn command(live: &Live, args: &[&str], failpoint: Option<&str>) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
    command.args(args).args(["--no-input", "--to", &live.fresh.url, "--data-dir"]).arg(live.world.home.root());
    command.current_dir(live.world.folder.path()).env_clear();
    command.envs(failpoint.map(|at| ("MERGANSER_FAILPOINT", at)));
    told(command.output().expect("starts"))
}

fn back_up(live: &Live) {
    live.world.backup("b.json", &[("items", json!([{"id": 1, "name": "A"}, {"id": 9, "name": "new"}]))]);
}

/// An analysis works and says what a merge would lack; a merge is refused, whichever way it is asked for.
fn refuses(live: &Live, why: &str) {
    back_up(live);
    let before = live.content();
    let place = format!("{:?}, {why}", live.kind);
    let (plan, preview) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("reading is enough");
    assert_eq!((preview.inserted, preview.updated), (1, 1), "{place}");
    let notes = &plan.meta().notes;
    assert!(notes.iter().any(|n| n.contains("takes no writes") && n.contains(why)), "{place}: {notes:?}");
    for what in ["b.json", &plan.meta().id] {
        let (code, stdout, stderr) = run(live, &["merge", what, "--yes"]);
        assert_eq!(code, 22, "{place}: {stdout}{stderr}");
        assert!(stderr.contains("takes no writes") && stderr.contains(why), "{place}: {stderr}");
        assert!(stderr.contains("nothing was changed"), "{place}: {stderr}");
    }
    let refused = live.database().begin(&Default::default()).map(drop).expect_err("not even begun");
    assert_eq!(refused.kind(), ErrorKind::Refused, "{place}: {refused:?}");
    let (code, stdout, stderr) = run(live, &["doctor"]);
    assert_eq!(code, 1, "{place}: {stdout}{stderr}");
    assert!(stdout.contains(why), "{place}: {stdout}");
    assert!(receipt::list(&live.world.home).expect("lists").0.is_empty(), "{place}");
    assert_eq!(live.content(), before, "{place}");
}

fn works(live: &Live) {
    back_up(live);
    let (code, stdout, stderr) = run(live, &["merge", "b.json", "--yes"]);
    assert_eq!(code, 0, "{:?}: {stdout}{stderr}", live.kind);
    assert_eq!(live.value("SELECT count(*) FROM items WHERE name IN ('A', 'new')"), "2", "{:?}", live.kind);
}

#[test]
fn f73_a_standby_is_analyzed_and_its_plan_is_merged_on_the_primary() {
    let primary = Private::postgres(&[]);
    let live = Live::on(&primary, Kind::Postgres, ITEMS);
    let standby = primary.standby();
    let reader = Live { kind: live.kind, fresh: standby.same(&live.fresh), world: crate::world::World::new("") };
    refuses(&reader, "standby");
    let (plan, _) = reader.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let writer = Live { fresh: live.fresh.clone(), ..reader };
    let (code, stdout, stderr) = run(&writer, &["merge", &plan.meta().id, "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(live.value("SELECT count(*) FROM items WHERE name IN ('A', 'new')"), "2");
}

#[test]
fn f73_a_database_that_is_set_to_read_only_is_left_alone() {
    let live = Live::new(Kind::Postgres, ITEMS);
    let name = live.value("SELECT current_database()");
    for (setting, why) in
        [("default_transaction_read_only = on", "read-only"), ("session_replication_role = replica", "foreign keys")]
    {
        live.sql(&format!("ALTER DATABASE {name} SET {setting}"));
        refuses(&live, why);
        live.sql("RESET ALL");
        live.sql(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET ALL; COMMIT"));
    }
    works(&live);
}

#[test]
fn f73_a_mariadb_replica_is_left_alone_even_by_those_who_may_write_to_it() {
    let server = Private::mariadb(&["--read-only=1"]);
    let live = Live::on(&server, Kind::Mariadb, ITEMS);
    live.sql("CREATE USER app@'%'");
    live.sql("GRANT SELECT, INSERT, UPDATE, DELETE, LOCK TABLES ON *.* TO app@'%'");
    for user in ["app", "tester"] {
        refuses(&live.as_user(user), "read_only");
    }
    live.sql("SET GLOBAL read_only = 0, GLOBAL tx_read_only = 1");
    refuses(&live.as_user("app"), "transactions are read-only");
    live.sql("SET GLOBAL tx_read_only = 0");
    works(&live.as_user("app"));
}

#[test]
fn f73_everything_works_through_a_pooler_that_lends_sessions_by_the_transaction() {
    let direct = Live::new(Kind::Postgres, ITEMS);
    let pooler = Pooler::new(&direct.fresh.url, "transaction");
    let mut live = Live { kind: direct.kind, fresh: direct.fresh.clone(), world: crate::world::World::new("") };
    live.fresh.url = pooler.url.clone();
    let before = direct.content();
    let (stop, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Others keep the pooled sessions going round, so that two statements outside a transaction meet two of them.
        for _ in 0..4 {
            scope.spawn(|| {
                let mut other = live.fresh.session();
                while !stop.load(Ordering::SeqCst) {
                    other.execute("SELECT pg_sleep(0.001)").expect("answers");
                    turns.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let whole = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..5 {
                works(&live);
                let (code, stdout, stderr) = run(&live, &["undo", "--yes"]);
                assert_eq!(code, 0, "{stdout}{stderr}");
                assert_eq!(direct.content(), before);
            }
            // The lock is the transaction's, not the pooled session's.
            let mut holder = live.database();
            let held = holder.begin(&Default::default()).expect("a transaction");
            let (code, stdout, stderr) = run(&live, &["merge", "b.json", "--yes", "--lock-timeout", "200ms"]);
            assert_eq!(code, 11, "{stdout}{stderr}");
            held.rollback().expect("rolls back");
            // Who dies in the middle leaves neither records nor the lock in the pool.
            for at in ["written:1", "after-commit:1"] {
                let (code, ..) = command(&live, &["merge", "b.json", "--yes"], Some(at));
                assert_eq!(code, -1, "killed at {at}");
                let (code, stdout, stderr) = run(&live, &["status"]);
                assert_eq!(code, 0, "{stdout}{stderr}");
                let committed = at.starts_with("after");
                assert_eq!(direct.content() == before, !committed, "{at}: {stdout}");
            }
        }));
        stop.store(true, Ordering::SeqCst);
        whole.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert!(turns.load(Ordering::SeqCst) > 100, "the others were at work");
}

#[test]
fn f73_a_pooler_that_knows_no_transactions_is_refused() {
    let direct = Live::new(Kind::Postgres, ITEMS);
    let pooler = Pooler::new(&direct.fresh.url, "statement");
    let mut live = Live { kind: direct.kind, fresh: direct.fresh.clone(), world: crate::world::World::new("") };
    live.fresh.url = pooler.url.clone();
    back_up(&live);
    let (code, stdout, stderr) = run(&live, &["merge", "b.json", "--yes"]);
    assert_eq!(code, 22, "{stdout}{stderr}");
    assert!(stderr.contains("pool") && stderr.contains("server's own address"), "{stderr}");
}
