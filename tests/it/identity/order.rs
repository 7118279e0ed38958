//! Circles of any length, undo out of order, soft deletions, and a base of another shape.

use crate::live::both;
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::choices::{Choice, refusal, undeletion};
use serde_json::{Value, json};

const CIRCLE: &str = "CREATE TABLE a (id int PRIMARY KEY, c_id int, code varchar(20) NOT NULL UNIQUE);
     CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL, FOREIGN KEY (a_id) REFERENCES a (id));
     CREATE TABLE c (id int PRIMARY KEY, b_id int NOT NULL, boss_id int, FOREIGN KEY (b_id) REFERENCES b (id), FOREIGN KEY (boss_id) REFERENCES c (id));
     ALTER TABLE a ADD CONSTRAINT a_c FOREIGN KEY (c_id) REFERENCES c (id);
     INSERT INTO a VALUES (1, NULL, 'r1'), (2, NULL, 'r2'), (3, NULL, 'r3'), (4, NULL, 'r4'), (5, NULL, 'r5');";

/// Three tables in a circle, fifty records each; those of `c` are bosses of each other in one long circle. Five unique
/// values rotate.
fn circle() -> Vec<(&'static str, Value)> {
    let rotated = (1..=5).map(|id| json!({"id": id, "c_id": null, "code": format!("r{}", id % 5 + 1)}));
    let a = rotated.chain((100..150).map(|id| json!({"id": id, "c_id": id, "code": format!("n{id}")})));
    let b = (100..150).map(|id| json!({"id": id, "a_id": id}));
    let c = (100..150).map(|id| json!({"id": id, "b_id": id, "boss_id": if id == 149 { 100 } else { id + 1 }}));
    vec![("c", json!(c.collect::<Vec<_>>())), ("b", json!(b.collect::<Vec<_>>())), ("a", json!(a.collect::<Vec<_>>()))]
}

#[test]
fn f46_f50_circles_and_rotations_of_any_length_are_written_and_deleted_on_servers() {
    for live in both(CIRCLE) {
        let before = live.content();
        live.world.backup("b.json", &circle());
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let merged = live.merge(&mut plan).unwrap_or_else(|e| panic!("{:?}: {e:?} {:?}", live.kind, e.detail_lines()));
        assert_eq!((merged.counts.inserted, merged.counts.updated), (150, 5));
        assert_eq!(live.value("SELECT c_id FROM a WHERE id = 120"), "120");
        assert_eq!(live.value("SELECT boss_id FROM c WHERE id = 149"), "100");
        assert_eq!(live.value("SELECT code FROM a WHERE id = 5"), "r1");
        let after = live.content();
        // The whole circle goes again by the deletions of a later backup, and comes back by undoing those.
        live.world.backup("empty.json", &[("a", json!([])), ("b", json!([])), ("c", json!([]))]);
        live.world.backup("base.json", &circle()[..]);
        let options = Options { deletes: Deletes::Apply, ..Options::default() };
        let (mut plan, _) = live.analyze("empty.json", Some("base.json"), "backup-wins", options).expect("analyzes");
        let gone = live.merge(&mut plan).unwrap_or_else(|e| panic!("{:?}: {e:?} {:?}", live.kind, e.detail_lines()));
        assert_eq!((gone.counts.deleted, live.value("SELECT count(*) FROM c")), (155, "0".to_owned()));
        live.undo(&gone.merge).expect("undoes the deletions");
        assert_eq!(live.content(), after, "{:?}", live.kind);
        live.undo(&merged.merge).expect("undoes");
        assert_eq!(live.content(), before, "{:?}", live.kind);
    }
}

const ROOMS: &str = "CREATE TABLE rooms (id int PRIMARY KEY, name varchar(20), seats int);
     INSERT INTO rooms VALUES (1, 'one', 10), (2, 'two', 20);";

#[test]
fn f97_undoing_out_of_order_keeps_what_a_later_merge_wrote() {
    let first = json!([{"id": 1, "name": "uno", "seats": 10}, {"id": 2, "name": "dos", "seats": 20}, {"id": 3, "name": "tres", "seats": 30}]);
    let second = json!([{"id": 1, "name": "uno", "seats": 11}, {"id": 3, "name": "drei", "seats": 30}]);
    for live in both(ROOMS) {
        live.world.backup("1.json", &[("rooms", first.clone())]);
        live.world.backup("2.json", &[("rooms", second.clone())]);
        let merge = |file| {
            let (mut plan, _) = live.analyze(file, None, "backup-wins", Options::default()).expect("analyzes");
            live.merge(&mut plan).expect("merges").merge
        };
        let (one, two) = (merge("1.json"), merge("2.json"));
        let both_done = live.content();
        // The first is taken back first: only what the second did not touch since.
        let undone = live.undo(&one).expect("undoes");
        assert_eq!((undone.counts.updated, undone.counts.kept, undone.counts.deleted), (1, 2, 0), "{:?}", live.kind);
        assert_eq!(live.value("SELECT name FROM rooms WHERE id = 2"), "two");
        assert_eq!(live.value("SELECT name FROM rooms WHERE id = 3"), "drei");
        // Then the second, wholly, and both again in the other order.
        let undone_two = live.undo(&two).expect("undoes");
        assert_eq!((undone_two.counts.updated, undone_two.counts.kept), (2, 0));
        live.undo(&undone_two.merge).expect("redoes");
        live.undo(&undone.merge).expect("redoes");
        assert_eq!(live.content(), both_done, "{:?}", live.kind);
    }
}

#[test]
fn f97_undoing_out_of_order_in_a_file_is_alike() {
    let world = World::new(ROOMS);
    world.backup(
        "1.json",
        &[("rooms", json!([{"id": 1, "name": "uno", "seats": 10}, {"id": 3, "name": "tres", "seats": 30}]))],
    );
    world.backup("2.json", &[("rooms", json!([{"id": 3, "name": "drei", "seats": 30}]))]);
    let merge = |file| {
        let (mut plan, _) = world.analyze(file, None, "backup-wins", Options::default()).expect("analyzes");
        world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges").merge
    };
    let (one, two) = (merge("1.json"), merge("2.json"));
    let both_done = world.content();
    let undone = world.undo(&one).expect("undoes");
    assert_eq!((undone.counts.updated, undone.counts.kept, undone.counts.deleted), (1, 1, 0));
    let undone_two = world.undo(&two).expect("undoes");
    assert_eq!(undone_two.counts.updated, 1);
    assert_eq!(world.value("SELECT name FROM rooms WHERE id = 3"), "tres");
    world.undo(&undone_two.merge).expect("redoes");
    world.undo(&undone.merge).expect("redoes");
    assert_eq!(world.content(), both_done);
}

#[test]
fn f56_records_that_are_only_marked_as_deleted_are_offered_and_come_back() {
    let world = World::new(
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, text TEXT, deleted_at TEXT, updated_at TEXT);
         INSERT INTO posts VALUES (1, 'here', NULL, '2024-01-01'), (2, 'gone', '2024-06-01', '2024-06-01'), (3, 'edited', '2024-06-01', '2024-06-01');",
    );
    world.backup(
        "b.json",
        &[("posts", json!([{"id": 1, "text": "here", "deleted_at": null, "updated_at": "2024-01-01"}, {"id": 2, "text": "gone", "deleted_at": null, "updated_at": "2024-01-01"}, {"id": 3, "text": "old", "deleted_at": null, "updated_at": "2024-01-01"}, {"id": 4, "text": "new", "deleted_at": null, "updated_at": "2024-01-01"}]))],
    );
    let (mut plan, preview) = world.analyze("b.json", None, "recover-deleted", Options::default()).expect("analyzes");
    assert_eq!((preview.inserted, preview.updated), (1, 0));
    let notes = plan.meta().notes.join("\n");
    assert!(notes.contains("posts: 2 records are marked as deleted here and not in the backup"), "{notes}");
    for name in ["posts/2", "posts/3"] {
        let record = plan.record(name).expect("is there");
        let answer = undeletion(&plan, &record).expect("is marked");
        super::decide(&world, &mut plan, name, answer);
    }
    let new = plan.record("posts/4").expect("is there");
    assert!(refusal(&plan, &new, Choice::Undelete).is_some());
    super::there_and_back(&world, &mut plan);
    assert_eq!(
        world.value(
            "SELECT group_concat(id || text || coalesce(deleted_at, '')) FROM (SELECT * FROM posts ORDER BY id)"
        ),
        "1here,2gone,3edited,4new"
    );
}

#[test]
fn f74_a_base_of_another_shape_is_noted() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, phone TEXT); INSERT INTO users VALUES (1, 'Ada', '1');",
    );
    world.backup("base.json", &[("users", json!([{"id": 1, "name": "Ada", "fax": "9"}]))]);
    world.backup("b.json", &[("users", json!([{"id": 1, "name": "Ada", "phone": "2"}]))]);
    let (plan, _) = world.analyze("b.json", Some("base.json"), "manual", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), ["users/1 conflict both_changed"]);
    let notes = plan.meta().notes.join("\n");
    assert!(notes.contains("users: the base has no phone; whose change"), "{notes}");
    assert!(notes.contains("users: in the base, column users.fax is not in the current table users"), "{notes}");
}
