//! Undos that are killed (CHECKS F2), on both servers: taken back whole or not at all, and the next one works.

use super::paused::{merganser, run};
use crate::faults::told;
use crate::live::{Live, both};
use merganser::analyzer::Options;
use merganser::executor::{State, receipt};
use merganser::plan::Decision;
use serde_json::json;

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')";

/// Merges two changes and a new record; returns the merge's id.
fn merge(live: &Live) -> String {
    let items = json!([{"id": 1, "name": "A"}, {"id": 2, "name": "B"}, {"id": 9, "name": "new"}]);
    live.world.backup("b.json", &[("items", items)]);
    let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    live.decide_all(&mut plan, &Decision::Backup);
    live.merge(&mut plan).expect("merges").merge
}

#[test]
fn f2_an_undo_on_a_server_killed_at_any_step_is_before_or_after() {
    for live in both(ITEMS) {
        let before = live.content();
        let mut id = merge(&live);
        let merged = live.content();
        let (mut kept, mut undone) = (0, 0);
        for step in 1.. {
            let args = ["undo", &id, "--yes"];
            let mut undo = merganser(&live, &live.fresh.url, &args);
            let ended = told(undo.env("MERGANSER_FAILPOINT", format!("any:{step}")).output().expect("starts"));
            let place = format!("{:?} step {step}: {ended:?}", live.kind);
            let status = run(&live, &["status"]);
            assert_eq!(status.0, 0, "{place}: {status:?}");
            let now = live.content();
            if ended.0 == 0 {
                assert_eq!(now, before, "{place}");
                break;
            }
            assert_eq!(ended.0, -1, "{place}");
            let (receipts, unreadable) = receipt::list(&live.world.home).expect("lists");
            assert!(unreadable.is_empty(), "{place}: {unreadable:?}");
            assert!(receipts.iter().all(|r| matches!(r.state, State::Committed | State::RolledBack)), "{place}");
            if now == before {
                undone += 1;
                let committed = receipts.iter().find(|r| r.state == State::Committed).expect("a receipt");
                assert!(committed.id.starts_with('u'), "{place}: the undo is known: {committed:?}");
                id = merge(&live);
            } else {
                kept += 1;
                assert_eq!(now, merged, "{place}");
            }
        }
        assert!(kept >= 5 && undone >= 2, "{:?}: kept {kept} times, undone {undone} times", live.kind);
    }
}
