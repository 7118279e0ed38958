//! Receipts that a disk has changed: found before anything is taken back, whichever byte it is (CHECKS F98).

use super::run;
use crate::world::World;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::receipt::{self, ReceiptMeta, State};
use merganser::executor::{Ending, OnBlocked, Receipt, recover};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many bytes are flipped; `MERGANSER_FLIPS=10000` for the long run.
fn flips() -> usize {
    std::env::var("MERGANSER_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

/// A database that a merge has inserted into, updated and deleted from, enough for several pages of the receipt.
struct Merged {
    world: World,
    merge: String,
    receipt: PathBuf,
    /// The database's content before and after.
    before: Vec<String>,
    after: Vec<String>,
    /// The database's file before and after.
    files: [Vec<u8>; 2],
}

impl Merged {
    fn new() -> Self {
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)";
        let world = World::new(&format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, balance REAL);
             CREATE TABLE visits (day TEXT, n INTEGER);
             INSERT INTO users {numbers} SELECT i, 'user ' || i, i / 7.0 FROM n;
             INSERT INTO visits VALUES ('2026-01-01', 3)"
        ));
        // Changed: 1–40; new: 91–120; deleted: 61–90.
        let users: Vec<Value> = (1..=60)
            .chain(91..=120)
            .map(|i| {
                let name = if i <= 40 { format!("changed {i}") } else { format!("user {i}") };
                json!({"id": i, "name": name, "balance": f64::from(i) / 7.0})
            })
            .collect();
        let visits = json!([{"day": "2026-01-01", "n": 3}, {"day": "2026-01-02", "n": 4}]);
        world.backup("b.json", &[("users", users.into()), ("visits", visits)]);
        let before = world.content();
        let path = world.path("current.db");
        let file = std::fs::read(&path).expect("reads");
        let options = Options { deletes: Deletes::Mirror, ..Options::default() };
        let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
        let report = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
        assert_eq!((report.counts.inserted, report.counts.updated, report.counts.deleted), (31, 40, 30));
        let receipt = world.home.receipt_path(&report.merge).expect("its receipt");
        let (after, files) = (world.content(), [file, std::fs::read(&path).expect("reads")]);
        assert_ne!(before, after);
        Self { world, merge: report.merge, receipt, before, after, files }
    }

    /// Flips bits one after the other, each in the whole receipt with the database's file as given.
    fn flipped(&self, database: usize, mut check: impl FnMut(&str)) {
        let whole = std::fs::read(&self.receipt).expect("reads");
        let mut state: u64 = 20_261_129;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for _ in 0..flips() {
            let mut flipped = whole.clone();
            let (at, bit) = (next() % whole.len(), next() % 8);
            flipped[at] ^= 1 << bit;
            std::fs::write(&self.receipt, &flipped).expect("writes");
            std::fs::write(self.world.path("current.db"), &self.files[database]).expect("writes");
            check(&format!("byte {at}, bit {bit}"));
            // What a receipt that is none any more leaves beside it.
            let _ = std::fs::remove_file(self.receipt.with_extension("receipt-journal"));
        }
        std::fs::write(&self.receipt, &whole).expect("writes");
    }

    fn change(&self, change: impl FnOnce(&mut ReceiptMeta)) {
        Receipt::open(&self.receipt).and_then(|mut r| r.set_state(change)).expect("changes");
    }
}

#[test]
fn f98_any_flipped_byte_of_a_receipt_is_found_before_anything_is_taken_back_or_does_no_harm() {
    let merged = Merged::new();
    let (mut found, mut harmless) = (0, 0);
    merged.flipped(1, |at| match merged.world.undo(&merged.merge) {
        Ok(_) => {
            harmless += 1;
            assert_eq!(merged.world.content(), merged.before, "{at}: another undo than the right one");
        }
        Err(error) => {
            found += 1;
            assert!(
                matches!(error.kind(), ErrorKind::PlanMismatch | ErrorKind::Failed),
                "{at}: {}",
                error.full_message()
            );
            assert!(error.full_message().contains("receipt"), "{at}: {}", error.full_message());
            assert_eq!(merged.world.content(), merged.after, "{at}: refused, and yet something was written");
        }
    });
    // The rest is free room, and an index that an undo does not read.
    assert!(found > flips() / 4 && harmless > 0, "{found} found, {harmless} harmless");
    merged.world.undo(&merged.merge).expect("the whole receipt takes the merge back");
    assert_eq!(merged.world.content(), merged.before);
}

#[test]
fn f98_a_flipped_byte_of_a_receipt_never_tells_a_wrong_outcome() {
    let merged = Merged::new();
    merged.change(|m| m.state = State::Intent);
    for (database, truth) in [(0, State::RolledBack), (1, State::Committed)] {
        let mut told = 0;
        merged.flipped(database, |at| {
            let settled = recover::settle_all(&merged.world.home, &mut merged.world.database());
            match settled.as_deref() {
                Ok([one]) if one.state == truth => told += 1,
                Ok([one]) => {
                    assert_eq!(one.state, State::Unknown, "{at}");
                    assert!(one.lines.iter().any(|l| l.contains("receipt")), "{at}: {:?}", one.lines);
                }
                // It can't be opened, and is named by whoever lists receipts.
                Ok(_) => assert_eq!(receipt::list(&merged.world.home).expect("lists").1.len(), 1, "{at}"),
                Err(error) => assert!(error.full_message().contains("receipt"), "{at}: {}", error.full_message()),
            }
        });
        assert!(told > 0, "{truth:?} is never told");
    }
}

#[test]
fn f98_a_changed_value_of_a_receipt_is_named_by_the_command() {
    let merged = Merged::new();
    let connection = rusqlite::Connection::open(&merged.receipt).expect("opens");
    let change = "UPDATE records SET before = replace(before, 'user 7\"', 'user 8\"') WHERE key LIKE '%:7}%'";
    assert_eq!(connection.execute(change, []).expect("changes"), 1);
    drop(connection);
    let (code, _, said) = run(&merged.world, &["undo", &merged.merge, "--yes"]);
    assert_eq!(code, 20, "{said}");
    assert!(said.contains("what it holds of users is not what was written down"), "{said}");
    assert_eq!(merged.world.content(), merged.after);
    // What is sound of it can still be taken back.
    let (code, _, said) = run(&merged.world, &["undo", &merged.merge, "--only-tables", "visits", "--yes"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn f98_f109_a_receipt_without_tallies_is_taken_back_and_says_so() {
    let merged = Merged::new();
    let connection = rusqlite::Connection::open(&merged.receipt).expect("opens");
    connection
        .execute_batch(
            "DELETE FROM meta WHERE key = 'digest';
             UPDATE meta SET value = json_remove(value, '$.images') WHERE key = 'receipt'",
        )
        .expect("is as release 0.1 wrote it");
    drop(connection);
    let (code, out, said) = run(&merged.world, &["undo", &merged.merge, "--yes", "--json"]);
    assert_eq!(code, 0, "{said}");
    let last: Value = serde_json::from_str(out.lines().last().expect("a result")).expect("JSON");
    let notes = last["notes"].as_array().expect("notes");
    assert!(notes.iter().any(|n| n.as_str().is_some_and(|n| n.contains("release 0.1"))), "{last}");
    assert_eq!(merged.world.content(), merged.before);
}
