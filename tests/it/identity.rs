//! Records that meet under one unique key or one id: the choices, what follows them, and taking them back.

mod binary;
mod collations;
mod engines;
mod kept;
mod matching;
mod order;
mod values;

use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::executor::{Ending, MergeReport, OnBlocked};
use merganser::plan::choices::{Choice, consequences, offers};
use merganser::plan::{Decision, Outcome, Plan};
use serde_json::json;

const SHOP: &str =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT, created_at TEXT);
     CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id), total INTEGER);
     CREATE TABLE roles (user_id INTEGER REFERENCES users(id), role TEXT, PRIMARY KEY (user_id, role));
     INSERT INTO users VALUES (41, 'x@x', 'Xen', '2024-05-05'), (57, 'a@x', 'Ada', '2024-01-01');
     INSERT INTO orders VALUES (1, 57, 10), (2, 57, 20), (3, 57, 30), (4, 41, 40);
     INSERT INTO roles VALUES (57, 'admin');";

fn decide(world: &World, plan: &mut Plan, record: &str, decision: Decision) {
    let record = plan.record(record).expect("is there");
    plan.together(|p| p.decide(&record, Some(decision), "me", "now")).expect("decides");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
}

/// Merges, compares the dry run with it, takes it back and does it again.
fn there_and_back(world: &World, plan: &mut Plan) -> MergeReport {
    let before = world.content();
    let dry = world
        .merge(plan, Ending::RollBack, OnBlocked::Refuse)
        .unwrap_or_else(|e| panic!("{e:?} {:?}", e.detail_lines()));
    assert_eq!(world.content(), before);
    let merged = world.merge(plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(dry.counts, merged.counts);
    let after = world.content();
    let undone = world.undo(&merged.merge).expect("undoes");
    assert_eq!(undone.left_out, [""; 0]);
    assert_eq!(world.content(), before);
    world.undo(&undone.merge).expect("redoes");
    assert_eq!(world.content(), after);
    merged
}

#[test]
fn f45_the_backup_goes_into_the_existing_record_and_its_children_follow() {
    let world = World::new(SHOP);
    world.backup(
        "b.json",
        &[
            ("users", json!([{"id": 90, "email": "a@x", "name": "Ada L", "created_at": "2024-01-01"}])),
            ("orders", json!([{"id": 7, "user_id": 90, "total": 70}, {"id": 1, "user_id": 90, "total": 10}, {"id": 2, "user_id": 90, "total": 21}])),
            ("roles", json!([{"user_id": 90, "role": "admin"}, {"user_id": 90, "role": "staff"}])),
        ],
    );
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.undecided, 1, "{:?}", listed(&plan));
    let record = plan.record("users/90").expect("is there");
    let said = consequences(&plan, &record).expect("a readable plan");
    let into = said.iter().find(|o| o.choice == Choice::IntoExisting).expect("is offered");
    assert_eq!(
        into.consequence.as_deref(),
        Some(
            "changes 1 field of users/57; keeps 3 of orders, 1 of roles under users/57; re-points 3 of orders, 2 of roles"
        )
    );
    let new = said.iter().find(|o| o.choice == Choice::NewKey).expect("is listed");
    assert_eq!(new.why.as_deref(), Some("email itself is taken, whatever the key; give it another value with --set"));
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    let merged = there_and_back(&world, &mut plan);
    assert_eq!(preview, merged.counts);
    assert_eq!((merged.counts.updated, merged.counts.inserted), (2, 2));
    assert_eq!(world.value("SELECT group_concat(id || name) FROM users WHERE id > 41"), "57Ada L");
    assert_eq!(
        world.value(
            "SELECT group_concat(id || ':' || total) FROM (SELECT * FROM orders WHERE user_id = 57 ORDER BY id)"
        ),
        "1:10,2:21,3:30,7:70"
    );
    assert_eq!(
        world.value("SELECT group_concat(role) FROM (SELECT * FROM roles WHERE user_id = 57 ORDER BY role)"),
        "admin,staff"
    );
}

#[test]
fn f45_a_one_to_one_child_that_the_existing_record_has_already_is_foreseen() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT);
         CREATE TABLE profiles (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL UNIQUE REFERENCES users(id), bio TEXT);
         CREATE TABLE avatars (profile_id INTEGER PRIMARY KEY REFERENCES profiles(id), url TEXT);
         INSERT INTO users VALUES (57, 'a@x', 'Ada'), (58, 'b@x', 'Bob');
         INSERT INTO profiles VALUES (3, 57, 'here');",
    );
    world.backup(
        "b.json",
        &[
            (
                "users",
                json!([{"id": 90, "email": "a@x", "name": "Ada L"}, {"id": 91, "email": "b@x", "name": "Bob L"}]),
            ),
            ("profiles", json!([{"id": 9, "user_id": 90, "bio": "there"}, {"id": 10, "user_id": 91, "bio": "new"}])),
            ("avatars", json!([{"profile_id": 9, "url": "nine"}, {"profile_id": 10, "url": "ten"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("users/90").expect("is there");
    let said = consequences(&plan, &record).expect("a readable plan");
    let into = said.iter().find(|o| o.choice == Choice::IntoExisting).expect("is offered");
    let wanted = "blocks 1 of profiles: once its references follow: user_id = 57 is held by profiles/3";
    assert!(into.consequence.as_deref().is_some_and(|c| c.contains(wanted)), "{:?}", into.consequence);
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    decide(&world, &mut plan, "users/91", Decision::IntoExisting);
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    assert_eq!((preview.blocked, preview.inserted, preview.updated), (2, 2, 2), "{:?}", listed(&plan));
    let why = plan.record("profiles/9").expect("is there").why;
    assert_eq!(why.as_deref(), Some("once its references follow: user_id = 57 is held by profiles/3"));
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Skip).expect("a dry run");
    assert_eq!(dry.counts, preview);
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(merged.counts, preview);
    assert_eq!(
        world.value("SELECT group_concat(id || ':' || user_id || bio) FROM (SELECT * FROM profiles ORDER BY id)"),
        "3:57here,10:58new"
    );
}

#[test]
fn f44_both_records_of_a_reused_key_are_kept_and_references_follow() {
    let world = World::new(SHOP);
    world.backup(
        "b.json",
        &[
            ("users", json!([{"id": 41, "email": "y@x", "name": "Yan", "created_at": "2023-01-01"}, {"id": 60, "email": "z@x", "name": "Zoe", "created_at": "2023-01-01"}])),
            ("orders", json!([{"id": 8, "user_id": 41, "total": 80}, {"id": 9, "user_id": 60, "total": 90}])),
            ("roles", json!([{"user_id": 41, "role": "admin"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("users/41").expect("is there");
    assert_eq!(record.finding.reason, merganser::model::change::Reason::ReusedKey);
    let said = consequences(&plan, &record).expect("a readable plan");
    let new = said.iter().find(|o| o.choice == Choice::NewKey).expect("is offered");
    assert_eq!(
        new.consequence.as_deref(),
        Some(
            "inserts users/41 of the backup under a new key; keeps 1 of orders under users/41; re-points 1 of orders, 1 of roles; \
             records of roles that both sides have alike stay with users/41"
        )
    );
    assert!(!offers(&plan, &record).iter().any(|o| o.choice == Choice::IntoExisting && o.legal));
    decide(&world, &mut plan, "users/41", Decision::NewKey);
    let merged = there_and_back(&world, &mut plan);
    assert_eq!((merged.counts.inserted, merged.counts.updated), (5, 0));
    // Above both sides: the backup's highest is 60.
    assert_eq!(
        world.value("SELECT group_concat(id || name) FROM (SELECT * FROM users ORDER BY id)"),
        "41Xen,57Ada,60Zoe,61Yan"
    );
    assert_eq!(
        world.value("SELECT group_concat(id || ':' || user_id) FROM orders WHERE id IN (4, 8, 9)"),
        "4:41,8:61,9:60"
    );
    assert_eq!(world.value("SELECT user_id FROM roles WHERE user_id <> 57"), "61");
}

#[test]
fn a_strategy_keeps_both_or_takes_the_backup_into_the_existing_record() {
    let world = World::new(SHOP);
    world.file(
        "s.toml",
        "summary = \"both\"\n[[rule]]\nreason = \"unique_taken\"\ntake = \"into-existing\"\n[[rule]]\nreason = \"reused_key\"\ntake = \"new-key\"\n[[rule]]\ntake = \"ask\"\n",
    );
    world.backup(
        "b.json",
        &[
            ("orders", json!([{"id": 7, "user_id": 90, "total": 70}, {"id": 8, "user_id": 41, "total": 80}])),
            ("users", json!([{"id": 90, "email": "a@x", "name": "Ada L", "created_at": "2024-01-01"}, {"id": 41, "email": "y@x", "name": "Yan", "created_at": "2023-01-01"}])),
        ],
    );
    let strategy = world.path("s.toml").display().to_string();
    let (mut plan, preview) = world.analyze("b.json", None, &strategy, Options::default()).expect("analyzes");
    assert_eq!((preview.inserted, preview.updated, preview.undecided), (3, 1, 0), "{:?}", listed(&plan));
    let merged = there_and_back(&world, &mut plan);
    assert_eq!((merged.counts.inserted, merged.counts.updated), (3, 1));
    assert_eq!(world.value("SELECT group_concat(id || ':' || user_id) FROM orders WHERE id > 4"), "7:57,8:91");
}

#[test]
fn f45_composite_and_text_keys_are_remapped_with_every_part_of_a_reference() {
    let world = World::new(
        "CREATE TABLE people (tenant INTEGER, code TEXT, email TEXT NOT NULL, name TEXT, note TEXT, created_at TEXT, PRIMARY KEY (tenant, code), UNIQUE (tenant, email));
         CREATE TABLE pets (id INTEGER PRIMARY KEY, tenant INTEGER, owner TEXT, name TEXT, FOREIGN KEY (tenant, owner) REFERENCES people (tenant, code));
         CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT);
         CREATE TABLE tagged (pet INTEGER REFERENCES pets(id), tag TEXT REFERENCES tags(id), PRIMARY KEY (pet, tag));
         INSERT INTO people VALUES (1, 'a', 'a@x', 'Ada', NULL, '2024-01-01'), (2, 'a', 'a@x', 'Ann', NULL, '2024-01-01');
         INSERT INTO tags VALUES ('6f1f9a3c-0000-4000-8000-000000000001', 'red', '2024-01-01');",
    );
    world.backup(
        "b.json",
        &[
            ("people", json!([{"tenant": 1, "code": "z", "email": "a@x", "name": "Ada", "note": "n", "created_at": "2024-01-01"}, {"tenant": 2, "code": "a", "email": "b@x", "name": "Bea", "note": "b", "created_at": "2020-01-01"}])),
            ("pets", json!([{"id": 1, "tenant": 1, "owner": "z", "name": "Rex"}, {"id": 2, "tenant": 2, "owner": "a", "name": "Tom"}])),
            ("tags", json!([{"id": "6f1f9a3c-0000-4000-8000-000000000001", "name": "blue", "created_at": "2020-01-01"}])),
            ("tagged", json!([{"pet": 1, "tag": "6f1f9a3c-0000-4000-8000-000000000001"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "people/1,z", Decision::IntoExisting);
    decide(&world, &mut plan, "people/2,a", Decision::NewKey);
    decide(&world, &mut plan, "tags/6f1f9a3c-0000-4000-8000-000000000001", Decision::NewKey);
    there_and_back(&world, &mut plan);
    assert_eq!(world.value("SELECT note FROM people WHERE tenant = 1 AND code = 'a'"), "n");
    assert_eq!(world.value("SELECT owner FROM pets WHERE id = 1"), "a");
    let code = world.value("SELECT code FROM people WHERE name = 'Bea'");
    assert!(code.starts_with("a-") && code.len() == 10, "{code}");
    assert_eq!(world.value("SELECT owner FROM pets WHERE id = 2"), code);
    let tag = world.value("SELECT id FROM tags WHERE name = 'blue'");
    assert_eq!((tag.len(), &tag[14..15]), (36, "8"));
    assert_eq!(world.value("SELECT tag FROM tagged"), tag);
}

#[test]
fn an_impossible_choice_is_refused_with_its_reason() {
    let world = World::new(SHOP);
    world.backup("b.json", &[("users", json!([{"id": 90, "email": "a@x", "name": "Ada L"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("users/90").expect("is there");
    let error = plan.decide(&record, Some(Decision::NewKey), "me", "now").expect_err("the address is taken");
    assert_eq!(error.kind(), merganser::ErrorKind::Usage);
    assert!(error.full_message().contains("email itself is taken"), "{}", error.full_message());
    // With another address it can come under its own key.
    let other = merganser::plan::FieldDecision::Value(json!("b@x"));
    decide(&world, &mut plan, "users/90", Decision::Fields { fields: [("email".to_owned(), other)].into() });
    let merged = there_and_back(&world, &mut plan);
    assert_eq!(merged.counts.inserted, 1);
    assert_eq!(world.value("SELECT email FROM users WHERE id = 90"), "b@x");
}

#[test]
fn an_existing_record_that_changed_since_makes_the_plan_stale() {
    let world = World::new(SHOP);
    world.backup("b.json", &[("users", json!([{"id": 90, "email": "a@x", "name": "Ada L"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    world.sql("UPDATE users SET name = 'Adele' WHERE id = 57");
    let before = world.content();
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is stale");
    assert_eq!(error.kind(), merganser::ErrorKind::PlanStale);
    assert_eq!(error.detail_lines(), ["users/90: name"]);
    assert_eq!(world.content(), before);
}

#[test]
fn two_records_never_go_into_one() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, login TEXT UNIQUE, name TEXT);
         INSERT INTO users VALUES (1, 'a@x', 'ada', 'Ada');",
    );
    world.backup("b.json", &[("users", json!([{"id": 8, "email": "a@x", "login": "x", "name": "E"}, {"id": 9, "email": "y", "login": "ada", "name": "L"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "users/8", Decision::IntoExisting);
    decide(&world, &mut plan, "users/9", Decision::IntoExisting);
    let before = world.content();
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("both can't");
    assert_eq!(error.kind(), merganser::ErrorKind::NeedsDecision);
    assert!(
        error.detail_lines()[0].contains("2 records of the backup would go into users/1"),
        "{:?}",
        error.detail_lines()
    );
    assert_eq!(world.content(), before);
}

#[test]
fn references_follow_through_keys_that_hold_references() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL);
         CREATE TABLE members (user_id INTEGER REFERENCES users(id), team INTEGER, since TEXT, PRIMARY KEY (user_id, team));
         CREATE TABLE votes (id INTEGER PRIMARY KEY, voter INTEGER, team INTEGER, FOREIGN KEY (voter, team) REFERENCES members (user_id, team));
         INSERT INTO users VALUES (5, 'a@x'); INSERT INTO members VALUES (5, 1, 'x');",
    );
    world.backup(
        "b.json",
        &[
            ("votes", json!([{"id": 1, "voter": 90, "team": 1}, {"id": 2, "voter": 90, "team": 2}])),
            ("members", json!([{"user_id": 90, "team": 1, "since": "x"}, {"user_id": 90, "team": 2, "since": "y"}])),
            ("users", json!([{"id": 90, "email": "a@x"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    let merged = there_and_back(&world, &mut plan);
    assert_eq!((merged.counts.inserted, merged.counts.kept), (3, 2));
    assert_eq!(world.value("SELECT group_concat(voter || ':' || team) FROM votes"), "5:1,5:2");
    assert_eq!(world.value("SELECT count(*) FROM members"), "2");
}

#[test]
fn a_record_that_is_there_already_with_other_fields_is_blocked_and_named() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL);
         CREATE TABLE members (user_id INTEGER REFERENCES users(id), team INTEGER, since TEXT, PRIMARY KEY (user_id, team));
         INSERT INTO users VALUES (5, 'a@x'); INSERT INTO members VALUES (5, 1, 'x');",
    );
    world.backup(
        "b.json",
        &[
            ("members", json!([{"user_id": 90, "team": 1, "since": "z"}])),
            ("users", json!([{"id": 90, "email": "a@x"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    let before = world.content();
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is blocked");
    assert!(error.detail_lines()[0].contains("members/5,1 is there already, with other values of since"), "{error:?}");
    assert_eq!(world.content(), before);
}

#[test]
fn f44_a_new_key_is_impossible_where_no_number_is_higher() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, no TEXT NOT NULL UNIQUE, created_at TEXT);
         INSERT INTO p VALUES (9223372036854775807, 'm', '2025-01-01'), (5, 'c', '2025-01-01');",
    );
    world.backup("b.json", &[("p", json!([{"id": 5, "no": "b", "created_at": "2024-01-01"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("p/5").expect("is there");
    let refused = plan.decide(&record, Some(Decision::NewKey), "me", "now").expect_err("no key is free");
    let why = "id takes no number above 9223372036854775807, which is in use";
    assert!(refused.full_message().contains(why), "{refused:?}");
    // The last number there is can be given once.
    world.sql("UPDATE p SET id = 9223372036854775806 WHERE no = 'm'; INSERT INTO p VALUES (6, 'd', '2025-01-01')");
    let both =
        json!([{"id": 5, "no": "b", "created_at": "2024-01-01"}, {"id": 6, "no": "e", "created_at": "2024-01-01"}]);
    world.backup("b.json", &[("p", both)]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    for name in ["p/5", "p/6"] {
        decide(&world, &mut plan, name, Decision::NewKey);
    }
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!((preview.inserted, preview.undecided), (1, 1));
}

#[test]
fn f44_the_next_number_is_above_those_that_64_bits_do_not_hold() {
    let live = crate::live::Live::new(
        crate::live::Kind::Mariadb,
        "CREATE TABLE p (id bigint unsigned PRIMARY KEY, no varchar(9) NOT NULL UNIQUE, created_at varchar(30));
         INSERT INTO p VALUES (1, 'a', '2025-01-01'), (5, 'c', '2025-01-01'), (18446744073709551615, 'm', '2025-01-01')",
    );
    live.world.backup("b.json", &[("p", json!([{"id": 5, "no": "b", "created_at": "2024-01-01"}]))]);
    let (plan, _) = live.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("p/5").expect("is there");
    let offer = offers(&plan, &record).into_iter().find(|o| o.choice == Choice::NewKey).expect("listed");
    assert!(!offer.legal && offer.why.is_some_and(|why| why.contains("no number above")), "{record:?}");
}

#[test]
fn f45_a_record_is_free_once_the_other_that_claims_its_unique_key_is_not_written() {
    let world = World::new(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT UNIQUE, nick TEXT UNIQUE, g_id INTEGER REFERENCES g(id), n TEXT);
         CREATE TABLE o (id INTEGER PRIMARY KEY, u_id INTEGER REFERENCES u(id));
         INSERT INTO u VALUES (1, 'a@x', 'a', NULL, 'A'), (2, 'b@x', 'b', NULL, 'B');",
    );
    let user =
        |id: i64, email: &str, nick: &str| json!({"id": id, "email": email, "nick": nick, "g_id": null, "n": "n"});
    let mut lost = user(20, "lost@x", "p");
    lost["g_id"] = json!(9);
    let users = json!([
        user(16, "new@x", "q"), user(17, "new@x", "r"), user(18, "other@x", "q"),
        lost, user(21, "lost@x", "s"),
        {"id": 1, "email": "z@x", "nick": "a", "g_id": null, "n": "A"}, {"id": 2, "email": "z@x", "nick": "b", "g_id": null, "n": "B"},
    ]);
    world.backup("b.json", &[("u", users), ("o", json!([{"id": 1, "u_id": 16}, {"id": 2, "u_id": 17}]))]);
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let outcomes = |plan: &Plan, names: &[&str]| -> Vec<String> {
        names.iter().map(|n| plan.record(n).expect(n).outcome.map_or("none", |o| o.word()).to_owned()).collect()
    };
    let note = |plan: &Plan, name: &str| plan.record(name).expect(name).finding.note.unwrap_or_default();
    assert_eq!(note(&plan, "u/16"), "u/17 of the backup has email = new@x too");
    assert_eq!(note(&plan, "u/17"), "u/16 of the backup has email = new@x too");
    // What stands in its way already blocks nobody else; but what refers to it waits with it.
    assert_eq!(
        outcomes(&plan, &["u/16", "u/17", "u/18", "o/1", "o/2"]),
        ["blocked", "blocked", "inserted", "blocked", "blocked"]
    );
    // A record that lacks its parent is not written, so that it takes nothing from another.
    assert_eq!(outcomes(&plan, &["u/20", "u/21"]), ["blocked", "inserted"]);
    assert_eq!(preview.inserted, 2, "{:?}", listed(&plan));
    decide(&world, &mut plan, "u/16", Decision::Skip);
    decide(&world, &mut plan, "u/21", Decision::Skip);
    plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!(
        outcomes(&plan, &["u/16", "u/17", "u/18", "o/1", "o/2"]),
        ["skipped", "inserted", "inserted", "blocked", "inserted"]
    );
    // Free of the other, it still lacks its parent.
    let lost = plan.record("u/20").expect("is there");
    assert_eq!(
        (lost.outcome, lost.why.as_deref()),
        (Some(Outcome::Blocked), Some("g_id → g/9 is in neither backup nor current"))
    );
    // Freed, it meets the third that claims another key of it.
    let record = plan.record("u/16").expect("is there");
    plan.decide(&record, None, "me", "now").expect("takes it back");
    decide(&world, &mut plan, "u/17", Decision::Skip);
    plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!(outcomes(&plan, &["u/16", "u/17", "u/18"]), ["blocked", "skipped", "blocked"]);
    decide(&world, &mut plan, "u/18", Decision::Skip);
    decide(&world, &mut plan, "u/20", Decision::Skip);
    decide(&world, &mut plan, "o/2", Decision::Skip);
    plan.settle(&merganser::progress::Quiet).expect("settles");
    assert_eq!(outcomes(&plan, &["u/16", "o/1"]), ["inserted", "inserted"]);
    let (dry, merged) = (Ending::RollBack, Ending::Commit);
    let dry = world.merge(&mut plan, dry, OnBlocked::Skip).expect("runs dry");
    let merged = world.merge(&mut plan, merged, OnBlocked::Skip).expect("merges");
    assert_eq!(dry.counts, merged.counts);
    assert_eq!(world.value("SELECT group_concat(id) FROM (SELECT id FROM u ORDER BY id)"), "1,2,16");
}
