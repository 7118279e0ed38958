//! Chains: of many records each depends on the next, and what becomes of the last is what becomes of all.
//!
//! They are long, so that a rule that looks at all records again for each link is felt.

use crate::world::World;
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::decision::Decision;
use serde_json::{Value as Json, json};

const LINKS: usize = 2_000;

const TREE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id), name TEXT);";

/// Numbers in an order that is neither that of the chain nor its reverse.
fn shuffled(count: usize) -> Vec<usize> {
    (0..count).map(|link| (link * 7 + 3) % count).collect()
}

/// Every link refers to the one before it; ids have no order.
fn chain(first: Option<usize>) -> Json {
    let ids = shuffled(LINKS);
    let link = |at: usize| {
        let parent = if at == 0 { first } else { Some(ids[at - 1]) };
        json!({"id": ids[at], "parent": parent, "name": "b"})
    };
    // Nor do they come in the order of the chain.
    Json::Array(shuffled(LINKS).into_iter().map(link).collect())
}

#[test]
fn f49_a_chain_whose_first_parent_is_nowhere_is_blocked_as_a_whole() {
    let world = World::new(TREE);
    world.backup("b.json", &[("t", chain(Some(LINKS + 5)))]);
    let (_, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.blocked, preview.writes()), (LINKS as u64, 0));
}

#[test]
fn f49_a_chain_whose_first_is_skipped_stays_away_as_a_whole() {
    let world = World::new(TREE);
    world.backup("b.json", &[("t", chain(None))]);
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.inserted, LINKS as u64);
    let first = plan.record(&format!("t/{}", shuffled(LINKS)[0])).expect("is in the plan");
    plan.decide(&first, Some(Decision::Skip), "admin", "now").expect("decides");
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!((preview.skipped, preview.blocked, preview.writes()), (1, LINKS as u64 - 1, 0));
    let last = plan.record(&format!("t/{}", shuffled(LINKS)[LINKS - 1])).expect("is in the plan");
    assert_eq!(
        last.why.as_deref(),
        Some(format!("parent → t/{} is not there after this merge", shuffled(LINKS)[LINKS - 2]).as_str())
    );
}

#[test]
fn f46_places_of_which_the_first_stays_taken_all_stay() {
    // Current has a new record at the first place, and each other moved down by one.
    let ids = shuffled(LINKS);
    let rows: Vec<String> = ids.iter().enumerate().map(|(place, id)| format!("({id}, {}, 'c')", place + 1)).collect();
    let world = World::new(&format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, place INTEGER NOT NULL UNIQUE, updated_at TEXT);
         INSERT INTO t VALUES ({}, 0, 'c'), {};",
        LINKS + 9,
        rows.join(", ")
    ));
    let records = |at: &str| -> Json {
        ids.iter().enumerate().map(|(place, id)| json!({"id": id, "place": place, "updated_at": at})).collect()
    };
    world.backup("b.json", &[("t", records("2026-01-01T00:00:00Z"))]);
    let options = Options { preserve_newer: false, ..Options::default() };
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    assert_eq!(preview.writes(), 0, "{preview:?}");
    let report = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("writes nothing");
    assert!(!report.changed);
    // Without the new one all move.
    let deleted = world.connection().execute(&format!("DELETE FROM t WHERE id = {}", LINKS + 9), []);
    assert_eq!(deleted.expect("deletes"), 1);
    let (mut plan, preview) = world
        .analyze("b.json", None, "backup-wins", Options { preserve_newer: false, ..Options::default() })
        .expect("analyzes");
    assert_eq!(preview.updated, LINKS as u64);
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value(&format!("SELECT place FROM t WHERE id = {}", ids[17])), "17");
}

#[test]
fn f57_of_a_chain_that_is_deleted_all_stay_that_the_one_kept_needs() {
    let ids = shuffled(LINKS);
    let row = |at: usize| {
        format!("({}, {}, 'c')", ids[at], if at == 0 { "NULL".to_owned() } else { ids[at - 1].to_string() })
    };
    let rows: Vec<String> = (0..LINKS).map(row).collect();
    let world = World::new(&format!("{TREE} INSERT INTO t VALUES {};", rows.join(", ")));
    world.backup("b.json", &[("t", json!([]))]);
    let options = Options { deletes: Deletes::Mirror, ..Options::default() };
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    assert_eq!(preview.deleted, LINKS as u64);
    // The one in the middle stays, with all before it.
    let middle = plan.record(&format!("t/{}", ids[LINKS / 2])).expect("is in the plan");
    plan.decide(&middle, Some(Decision::Skip), "admin", "now").expect("decides");
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!((preview.deleted, preview.blocked), ((LINKS - 1 - LINKS / 2) as u64, (LINKS / 2) as u64));
    plan.update_meta(&world.home.key().expect("a key"), |_| ()).expect("is sealed again");
    world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(world.value("SELECT count(*) FROM t"), (LINKS / 2 + 1).to_string());
}
