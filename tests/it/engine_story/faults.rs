//! Lost connections, deadlocks and writers in between, on both servers (CHECKS 5.1 and 5.2).

use crate::live::{Kind, Live, both};
use crate::proxy::{Fate, counting};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::database::connect;
use merganser::executor::{self, MergeOptions, MergeReport, State, recover};
use merganser::plan::{Decision, Plan};
use merganser::progress::Quiet;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')";

/// Writes the backup of this file and makes a plan that updates two records and inserts one.
fn plan(live: &Live) -> Plan {
    live.world.backup(
        "b.json",
        &[("items", json!([{"id": 1, "name": "A"}, {"id": 2, "name": "B"}, {"id": 9, "name": "new"}]))],
    );
    let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    live.decide_all(&mut plan, &Decision::Backup);
    plan
}

fn merge_through(live: &Live, url: &str, plan: &mut Plan) -> merganser::Result<MergeReport> {
    let mut database = connect(url)?;
    executor::merge(plan, &mut *database, &live.world.home, &MergeOptions::default(), &Quiet)
}

/// Cuts the connection at every single thing that the client says during a merge.
fn cut_everywhere(live: &Live, fate: fn(usize) -> Fate) {
    let before = live.content();
    let mut open = plan(live);
    let done = live.merge(&mut open).expect("merges");
    let after = live.content();
    live.undo(&done.merge).expect("undoes");
    assert_eq!(live.content(), before);
    open = plan(live);
    let (mut unknown, mut unreachable) = (0, 0);
    for number in 1.. {
        let (url, said) = counting(&live.fresh.url, fate(number));
        let outcome = merge_through(live, &url, &mut open);
        let settled = recover::settle_all(&live.world.home, &mut *live.database()).expect("settles");
        let content = live.content();
        let place = format!("{:?} {:?}: {outcome:?}", live.kind, fate(number));
        let merge = match &outcome {
            Ok(report) => {
                assert_eq!(content, after, "{place}");
                Some(report.merge.clone())
            }
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => {
                unknown += 1;
                let [truth] = &settled[..] else { panic!("{place}: {settled:?}") };
                let committed = truth.state == State::Committed;
                assert_eq!(content, if committed { after.clone() } else { before.clone() }, "{place} {truth:?}");
                committed.then(|| truth.id.clone())
            }
            Err(error) => {
                unreachable += 1;
                assert_eq!(error.kind(), ErrorKind::Unreachable, "{place}");
                assert_eq!(content, before, "{place}");
                None
            }
        };
        if let Some(merge) = merge {
            live.undo(&merge).expect("undoes");
            assert_eq!(live.content(), before, "{place}");
            open = plan(live);
        }
        if said.load(Ordering::SeqCst) < number {
            break;
        }
    }
    assert!(unknown >= 1 && unreachable > 10, "{unknown} unknown, {unreachable} unreachable");
}

#[test]
fn f9_f10_postgres_a_connection_lost_before_any_message_leaves_all_or_nothing() {
    cut_everywhere(&Live::new(Kind::Postgres, ITEMS), Fate::Unheard);
}

#[test]
fn f9_f10_postgres_a_connection_lost_after_any_message_leaves_all_or_nothing() {
    cut_everywhere(&Live::new(Kind::Postgres, ITEMS), Fate::Unanswered);
}

#[test]
fn f9_f10_mariadb_a_connection_lost_before_any_message_leaves_all_or_nothing() {
    cut_everywhere(&Live::new(Kind::Mariadb, ITEMS), Fate::Unheard);
}

#[test]
fn f9_f10_mariadb_a_connection_lost_after_any_message_leaves_all_or_nothing() {
    cut_everywhere(&Live::new(Kind::Mariadb, ITEMS), Fate::Unanswered);
}

#[test]
fn f11_f15_a_merge_of_unknown_outcome_is_settled_by_the_next_one() {
    for live in both(ITEMS) {
        for (fate, there) in [(Fate::Swallowed, false), (Fate::Carried, true)] {
            let mut open = plan(&live);
            let before = live.content();
            let (url, _) = counting(&live.fresh.url, fate);
            let unknown = merge_through(&live, &url, &mut open).expect_err("lost");
            assert_eq!((unknown.kind(), unknown.kind().exit_code()), (ErrorKind::OutcomeUnknown, 23));
            let next = live.merge(&mut open).expect("settles and merges");
            assert_eq!((next.already.is_some(), next.changed), (there, !there), "{:?} {fate:?}", live.kind);
            let merge = next.already.unwrap_or(next.merge);
            live.undo(&merge).expect("undoes");
            assert_eq!(live.content(), before);
        }
    }
}

#[test]
fn f1_f11_a_process_killed_at_any_step_leaves_all_or_nothing() {
    for live in both(ITEMS) {
        let before = live.content();
        let mut open = plan(&live);
        let done = live.merge(&mut open).expect("merges");
        let after = live.content();
        live.undo(&done.merge).expect("undoes");
        open = plan(&live);
        let mut ends = Vec::new();
        for step in 1.. {
            let merge = std::process::Command::new(env!("CARGO_BIN_EXE_merganser"))
                .args(["merge", &open.meta().id, "--yes", "--to", &live.fresh.url, "--data-dir"])
                .arg(live.world.path("state"))
                .env("MERGANSER_FAILPOINT", format!("any:{step}"))
                .output()
                .expect("runs");
            let (settled, holder) = recover::status(&live.world.home, &mut *live.database()).expect("settles");
            assert_eq!(holder, None, "the lock went with the process");
            let content = live.content();
            let place = format!("{:?} step {step}: {}", live.kind, String::from_utf8_lossy(&merge.stderr));
            if merge.status.success() {
                assert_eq!((content, settled), (after.clone(), Vec::new()), "{place}");
                break;
            }
            // Nothing to settle: killed before its receipt was whole, or when everything was written down already.
            let truth = settled.first();
            ends.extend(truth.map(|t| t.state));
            let committed = truth.map_or(content == after, |t| t.state == State::Committed);
            assert_eq!(content, if committed { after.clone() } else { before.clone() }, "{place} {truth:?}");
            if committed {
                let (receipts, _) = executor::receipt::list(&live.world.home).expect("lists");
                let newest = receipts.iter().find(|r| r.state == State::Committed).expect("the merge's receipt");
                live.undo(&newest.id).expect("undoes");
                open = plan(&live);
            }
        }
        assert_eq!(ends.last(), Some(&State::Committed), "{ends:?}");
        // Rolled back up to the commit, committed from there on, and never anything else.
        let turn = ends.iter().position(|s| *s == State::Committed).expect("the last one");
        assert!(turn >= 3 && ends[..turn].iter().all(|s| *s == State::RolledBack), "{ends:?}");
        assert!(ends[turn..].iter().all(|s| *s == State::Committed), "{ends:?}");
    }
}

#[test]
fn f13_f14_what_others_wrote_since_is_told_and_not_guessed() {
    for live in both(ITEMS) {
        let mut open = plan(&live);
        let (url, _) = counting(&live.fresh.url, Fate::Carried);
        merge_through(&live, &url, &mut open).expect_err("lost");
        // Asked while the server can't be reached, nothing is settled and nothing forgotten.
        let word = if live.kind == Kind::Postgres { "pg_xact_status" } else { "GET_LOCK" };
        let (away, _) = counting(&live.fresh.url, Fate::CutAt(word));
        let mut away = connect(&away).expect("connected");
        let error = recover::settle_all(&live.world.home, &mut *away).expect_err("can't be asked");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
        live.sql("UPDATE items SET name = 'mine' WHERE id = 1");
        let settled = recover::settle_all(&live.world.home, &mut *live.database()).expect("settles");
        assert_eq!(settled[0].state, State::Committed);
        if live.kind == Kind::Mariadb {
            assert_eq!((settled[0].after, settled[0].before, settled[0].neither), (2, 0, 1));
            assert_eq!(settled[0].lines, ["items/1: neither as it was nor as written"]);
        }
    }
}

/// Waits until a session waits for a lock.
pub(super) fn wait_for_waiting(live: &Live) {
    let sql = match live.kind {
        Kind::Postgres => {
            "SELECT count(*)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()"
        }
        Kind::Mariadb => {
            "SELECT CAST(count(*) AS CHAR) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
             WHERE t.trx_state = 'LOCK WAIT' AND p.DB = DATABASE()"
        }
    };
    let end = Instant::now() + Duration::from_secs(20);
    while live.fresh.text(sql) == "0" {
        assert!(Instant::now() < end, "nobody waits");
        // InnoDB shows what it showed last to those who ask more often than every 100 ms.
        std::thread::sleep(Duration::from_millis(120));
    }
}

#[test]
fn f33_a_deadlock_is_tried_again_on_a_new_connection() {
    for live in both(&format!("{ITEMS}; CREATE TABLE heavy (id int PRIMARY KEY)")) {
        let mut open = plan(&live);
        let mut other = live.fresh.session();
        other.execute("BEGIN").expect("begins");
        // MariaDB gives up the transaction that has written less.
        let rows: Vec<String> = (0..200).map(|n| format!("({n})")).collect();
        other.execute(&format!("INSERT INTO heavy VALUES {}", rows.join(","))).expect("writes");
        other.execute("SELECT id FROM items WHERE id = 2 FOR UPDATE").expect("locks");
        let report = std::thread::scope(|scope| {
            let merge = scope.spawn(|| live.merge(&mut open));
            wait_for_waiting(&live);
            other.execute("SELECT id FROM items WHERE id = 1 FOR UPDATE").expect("the merge is given up, not this");
            other.execute("ROLLBACK").expect("rolls back");
            merge.join().expect("no panic")
        });
        assert_eq!(report.expect("merges").counts.writes(), 3);
        assert_eq!(live.value("SELECT count(*) FROM items WHERE name IN ('A', 'B', 'new')"), "3");
    }
}

#[test]
fn f34_a_lock_held_too_long_ends_the_merge_with_nothing_kept() {
    for live in both(ITEMS) {
        let mut open = plan(&live);
        let before = live.content();
        let mut other = live.fresh.session();
        other.execute("BEGIN").expect("begins");
        other.execute("SELECT id FROM items WHERE id = 2 FOR UPDATE").expect("locks");
        let mut options = MergeOptions::default();
        options.write.lock_timeout = Duration::from_millis(300);
        let busy = executor::merge(&mut open, &mut *live.database(), &live.world.home, &options, &Quiet);
        let busy = busy.expect_err("is busy");
        assert_eq!((busy.kind(), busy.is_retryable()), (ErrorKind::Busy, false), "{busy:?}");
        assert_eq!(live.content(), before);
        other.execute("ROLLBACK").expect("rolls back");
        assert!(live.merge(&mut open).expect("merges").changed);
    }
}

#[test]
fn f12_a_session_that_the_server_ends_leaves_nothing() {
    for live in both(ITEMS) {
        let mut open = plan(&live);
        let before = live.content();
        let mut other = live.fresh.session();
        other.execute("BEGIN").expect("begins");
        other.execute("SELECT id FROM items WHERE id = 2 FOR UPDATE").expect("locks");
        let lost = std::thread::scope(|scope| {
            let merge = scope.spawn(|| live.merge(&mut open));
            wait_for_waiting(&live);
            match live.kind {
                Kind::Postgres => live.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'merganser' AND datname = current_database()"),
                Kind::Mariadb => {
                    let id = live.fresh.text("SELECT CAST(trx_mysql_thread_id AS CHAR) FROM information_schema.INNODB_TRX t
                        JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND p.DB = DATABASE()");
                    live.sql(&format!("KILL CONNECTION {id}"));
                }
            }
            merge.join().expect("no panic")
        });
        let lost = lost.expect_err("lost");
        assert_eq!(lost.kind(), ErrorKind::Unreachable, "{lost:?}");
        assert_eq!(live.content(), before);
        other.execute("ROLLBACK").expect("rolls back");
        assert!(live.merge(&mut open).expect("merges").changed);
    }
}

/// Merges while eight clients write: no acknowledged write is lost, and none of a merge that was reported.
fn f32_writers(kind: Kind) {
    const RECORDS: usize = 400;
    let rows: Vec<String> = (1..=RECORDS).map(|n| format!("({n}, 'old')")).collect();
    let live = Live::new(
        kind,
        &format!(
            "CREATE TABLE items (id {{id}}, name varchar(20), n int NOT NULL DEFAULT 0);
             CREATE TABLE tokens (token varchar(40) PRIMARY KEY);
             INSERT INTO items (id, name) VALUES {}",
            rows.join(", ")
        ),
    );
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicUsize::new(0);
    let (mut merged, mut stale) = (Vec::new(), 0);
    let tokens = std::thread::scope(|scope| {
        let (live, stop, acknowledged) = (&live, &stop, &acknowledged);
        let writers: Vec<_> = (0..8usize)
            .map(|writer| {
                scope.spawn(move || {
                    let mut session = live.fresh.session();
                    let mut tokens = Vec::new();
                    let mut turn = writer * 7919;
                    while !stop.load(Ordering::SeqCst) {
                        turn += 1;
                        // Mostly the same few records, and now and then any.
                        let id = if turn % 2048 == 0 { turn / 2048 * 31 % RECORDS } else { turn % 40 } + 1;
                        if session.execute(&format!("UPDATE items SET n = n + 1 WHERE id = {id}")).is_ok() {
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                        }
                        let token = format!("{writer}-{turn}");
                        if session.execute(&format!("INSERT INTO tokens VALUES ('{token}')")).is_ok() {
                            tokens.push(token);
                        }
                    }
                    tokens
                })
            })
            .collect();
        let end = Instant::now() + Duration::from_secs(20);
        for round in 1.. {
            if Instant::now() >= end || merged.len() >= 4 {
                break;
            }
            let items: Vec<_> = (0..4)
                .map(|n| json!({"id": (round * 13 + n * 97) % (RECORDS - 40) + 41, "name": format!("round {round}")}))
                .collect();
            let token = format!("merge-{round}");
            live.world.backup("b.json", &[("items", json!(items)), ("tokens", json!([{"token": token}]))]);
            let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
            live.decide_all(&mut plan, &Decision::Backup);
            match live.merge(&mut plan) {
                Ok(report) => {
                    assert_eq!(report.counts.writes(), 5);
                    merged.push((round, token));
                }
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::PlanStale | ErrorKind::Busy), "{error:?}");
                    stale += 1;
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        writers.into_iter().flat_map(|w| w.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert!(!merged.is_empty(), "{stale} were stale and none was merged");
    assert_eq!(live.value("SELECT sum(n) FROM items"), acknowledged.load(Ordering::SeqCst).to_string());
    let there: std::collections::HashSet<String> =
        live.fresh.texts("SELECT token FROM tokens").into_iter().flatten().collect();
    assert!(tokens.iter().chain(merged.iter().map(|(_, token)| token)).all(|token| there.contains(token)));
    assert_eq!(there.len(), tokens.len() + merged.len());
    let (last, _) = merged.last().expect("one was merged");
    assert_eq!(live.value(&format!("SELECT count(*) FROM items WHERE name = 'round {last}'")), "4");
}

#[test]
fn f32_postgres_writers_and_merges_lose_nothing_of_each_other() {
    f32_writers(Kind::Postgres);
}

#[test]
fn f32_mariadb_writers_and_merges_lose_nothing_of_each_other() {
    f32_writers(Kind::Mariadb);
}
