//! Keys, references and unique values that are spelled differently and that the database holds equal.

use super::engines::there_and_back;
use crate::live::{Kind, Live};
use crate::world::listed;
use merganser::ErrorKind;
use merganser::analyzer::classify::Deletes;
use merganser::analyzer::{Options, VirtualKey};
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::choices::{Choice, consequences};
use merganser::plan::{Decision, Outcome};
use serde_json::json;

/// The same tables under collations that hold letters equal without case; `{code}` is such a text, `{bare}` one without.
fn places(sql: &str) -> Vec<Live> {
    let nocase = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";
    let kinds = [
        (Kind::Mariadb, "", "varchar(40) COLLATE utf8mb4_general_ci"),
        (Kind::Mariadb, "", "varchar(40) COLLATE utf8mb4_unicode_ci"),
        (Kind::Postgres, "CREATE EXTENSION citext;", "citext"),
        (Kind::Postgres, nocase, "varchar(40) COLLATE nocase"),
    ];
    let live = |(kind, before, code): (Kind, &str, &str)| {
        Live::new(kind, &format!("{before} {}", sql.replace("{code}", code)))
    };
    kinds.into_iter().map(live).collect()
}

const PEOPLE: &str =
    "CREATE TABLE p (code {code} PRIMARY KEY, email varchar(20) NOT NULL UNIQUE, created_at varchar(30));
     CREATE TABLE c (id int PRIMARY KEY, code {code}, FOREIGN KEY (code) REFERENCES p (code));
     CREATE TABLE u (id int PRIMARY KEY, kind varchar(9), code {code});
     INSERT INTO p VALUES ('r1', 'r@cur', '2025-01-01'), ('Z9', 'a@x', '2025-01-01');
     INSERT INTO c VALUES (1, 'r1');";

fn by_kind() -> Options {
    let key = VirtualKey {
        table: "u".to_owned(),
        columns: vec!["code".to_owned()],
        parent: "p".to_owned(),
        references: vec!["code".to_owned()],
        when: Some(("kind".to_owned(), "p".to_owned())),
    };
    Options { virtual_keys: vec![key], ..Options::default() }
}

#[test]
fn f116_references_follow_a_record_in_whatever_spelling() {
    for live in places(PEOPLE) {
        let people = json!([{"code": "K1", "email": "a@x", "created_at": "2024-01-01"}, {"code": "R1", "email": "r@bak", "created_at": "2024-01-01"}]);
        let children =
            json!([{"id": 2, "code": "R1"}, {"id": 3, "code": "r1"}, {"id": 4, "code": "k1"}, {"id": 5, "code": "K1"}]);
        let loose = json!([{"id": 1, "kind": "p", "code": "R1"}, {"id": 2, "kind": "p", "code": "r1"}, {"id": 3, "kind": "q", "code": "r1"}, {"id": 4, "kind": "p", "code": "k1"}]);
        live.world.backup("b.json", &[("p", people), ("c", children), ("u", loose)]);
        let (mut plan, _) = live.analyze("b.json", None, "manual", by_kind()).expect("analyzes");
        // By the name that is shown, and by the backup's.
        let [shown, asked] = ["p/r1", "p/R1"].map(|name| plan.record(name).expect(name));
        assert_eq!(shown, asked);
        let told = consequences(&plan, &shown).expect("consequences");
        let told = told.into_iter().find(|o| o.choice == Choice::NewKey).and_then(|o| o.consequence).expect("possible");
        assert!(told.contains("keeps 1 of c under p/r1; re-points 2 of c, 2 of u"), "{told}");
        live.decide(&mut plan, "p/r1", Decision::NewKey);
        live.decide(&mut plan, "p/K1", Decision::IntoExisting);
        let path = plan.path().to_owned();
        drop(plan);
        let mut plan = merganser::plan::Plan::open(&path).expect("opens");
        there_and_back(&live, &mut plan);
        let new = live.value("SELECT code FROM p WHERE email = 'r@bak'");
        assert!(new.to_lowercase() != "r1", "{new}");
        assert_eq!(live.value("SELECT count(*) FROM c WHERE code = 'r1' AND id = 1"), "1");
        assert_eq!(live.value(&format!("SELECT count(*) FROM c WHERE code = '{new}' AND id IN (2, 3)")), "2");
        assert_eq!(live.value("SELECT count(*) FROM c WHERE code = 'Z9' AND id IN (4, 5)"), "2");
        assert_eq!(live.value(&format!("SELECT count(*) FROM u WHERE code = '{new}' AND id IN (1, 2)")), "2");
        assert_eq!(live.value("SELECT concat(code) FROM u WHERE id = 3"), "r1");
        assert_eq!(live.value("SELECT concat(code) FROM u WHERE id = 4"), "Z9");
    }
}

#[test]
fn f116_a_parent_is_found_in_whatever_spelling() {
    for live in places(PEOPLE) {
        let people = json!([{"code": "NEW", "email": "n@x", "created_at": "2024-01-01"}, {"code": "Taken", "email": "a@x", "created_at": "2024-01-01"}]);
        let children = json!([{"id": 2, "code": "new"}, {"id": 3, "code": "nEw"}, {"id": 4, "code": "z9"}, {"id": 5, "code": "none"}, {"id": 6, "code": "tAKEN"}]);
        live.world.backup("b.json", &[("p", people), ("c", children)]);
        let (mut plan, preview) = live.analyze("b.json", None, "manual", by_kind()).expect("analyzes");
        let found = listed(&plan);
        let blocked: Vec<_> = found.iter().filter(|l| l.contains("blocked")).collect();
        assert_eq!(blocked, ["c/5 blocked missing_parent"], "{:?} {found:?}", live.kind);
        assert_eq!((preview.inserted, preview.undecided), (4, 1), "{found:?}");
        // What is not brought takes its children with it.
        live.decide(&mut plan, "p/Taken", Decision::Skip);
        let merged = live.merge_with(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
        assert_eq!((merged.counts.inserted, merged.counts.blocked), (4, 2));
    }
}

#[test]
fn f116_a_key_of_the_backup_in_two_spellings_is_refused() {
    for live in places(PEOPLE) {
        let person = |code: &str, email: &str| json!({"code": code, "email": email, "created_at": "2025-01-01"});
        let same = person("r1", "r@cur");
        let changed = person("r1", "r@new");
        for pair in [
            [person("abc", "1@x"), person("ABC", "2@x")],
            // The first is as it is here, or differs.
            [same.clone(), person("R1", "2@x")],
            [person("R1", "2@x"), same.clone()],
            [changed, person("R1", "2@x")],
            [person("R1", "r@cur"), same],
        ] {
            live.world.backup("b.json", &[("p", json!(pair))]);
            let refused = live.analyze("b.json", None, "manual", by_kind()).map(|(plan, _)| listed(&plan));
            let refused = refused.expect_err("two of one key");
            assert_eq!(refused.kind(), ErrorKind::BackupDamaged, "{refused:?}");
            let told = refused.full_message();
            assert!(told.contains("the database holds them equal"), "{told}");
        }
        live.world.backup("b.json", &[("p", json!([person("R1", "r@cur"), person("z9", "a@x")]))]);
        let (plan, _) = live.analyze("b.json", None, "manual", by_kind()).expect("one of each key");
        assert!(!listed(&plan).iter().any(|l| l.contains("new")), "{:?}", listed(&plan));
    }
}

#[test]
fn f116_a_named_key_that_stands_in_current_in_two_spellings_is_refused() {
    for live in
        places("CREATE TABLE p (code {code} NOT NULL, n varchar(9)); INSERT INTO p VALUES ('a', 'x'), ('A', 'y');")
    {
        live.world.backup("b.json", &[("p", json!([{"code": "a", "n": "z"}, {"code": "c", "n": "z"}]))]);
        let options = Options { keys: vec![("p".to_owned(), vec!["code".to_owned()])], ..Options::default() };
        let told = live.analyze("b.json", None, "backup-wins", options).map(|(plan, _)| listed(&plan));
        assert!(told.expect_err("twice").full_message().contains("two current records have the same key"));
    }
}

#[test]
fn f116_a_record_that_the_backup_spells_differently_than_the_base_is_not_deleted() {
    for live in places(PEOPLE) {
        let base = json!([{"code": "r1", "email": "r@cur", "created_at": "2025-01-01"}, {"code": "Z9", "email": "a@x", "created_at": "2025-01-01"}]);
        let people = json!([{"code": "R1", "email": "r@new", "created_at": "2025-01-01"}, {"code": "Z9", "email": "a@x", "created_at": "2025-01-01"}]);
        live.world.backup("o.json", &[("p", base)]);
        live.world.backup("b.json", &[("p", people)]);
        for deletes in [Deletes::Keep, Deletes::Apply, Deletes::Mirror] {
            let options = Options { deletes, ..by_kind() };
            let (plan, preview) = live.analyze("b.json", Some("o.json"), "manual", options).expect("analyzes");
            let found = listed(&plan);
            assert_eq!(preview.deleted, 0, "{:?} {found:?}", live.kind);
            assert_eq!(found.iter().filter(|l| l.starts_with("p/")).count(), 1, "{found:?}");
            assert!(found.iter().any(|l| l.starts_with("p/r1 ")), "{found:?}");
            assert_eq!(plan.meta().counts().backup_records(), 2);
        }
    }
}

#[test]
fn f116_what_the_backup_claims_twice_in_two_spellings_is_blocked() {
    let tables = "CREATE TABLE u (id int PRIMARY KEY, email {code} NOT NULL UNIQUE, n varchar(9));
         INSERT INTO u VALUES (1, 'a@x', 'a'), (2, 'b@x', 'b'), (3, 'c@x', 'c');";
    for live in places(tables) {
        let updates = json!([{"id": 1, "email": "q@x", "n": "a"}, {"id": 2, "email": "Q@X", "n": "b"}]);
        live.world.backup("b.json", &[("u", updates)]);
        let (plan, preview) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        assert_eq!((preview.updated, preview.blocked), (0, 2), "{:?}", listed(&plan));
        let new = json!([{"id": 16, "email": "new", "n": "1"}, {"id": 17, "email": "NEW", "n": "2"}, {"id": 18, "email": "A@X", "n": "3"}]);
        live.world.backup("b.json", &[("u", new)]);
        let (mut plan, _) = live.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
        assert_eq!(
            listed(&plan),
            [
                "u/16 blocked unique_twice_in_backup",
                "u/17 blocked unique_twice_in_backup",
                "u/18 conflict unique_taken"
            ]
        );
        assert_eq!(
            plan.record("u/16").expect("16").finding.note.as_deref(),
            Some("u/17 of the backup has email = NEW too")
        );
        live.decide(&mut plan, "u/17", Decision::Skip);
        live.decide(&mut plan, "u/18", Decision::IntoExisting);
        there_and_back(&live, &mut plan);
        assert_eq!(live.value("SELECT concat(email) FROM u WHERE id = 16"), "new");
        assert_eq!(plan.record("u/16").expect("16").outcome, Some(Outcome::Inserted));
    }
}

#[test]
fn f116_claims_that_only_the_database_computes_are_compared_as_it_compares_them() {
    let nocase = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";
    let partial = "CREATE TABLE u (id int PRIMARY KEY, email {ty}, live boolean NOT NULL);
         CREATE UNIQUE INDEX u_live ON u (email) WHERE live";
    let computed = "CREATE TABLE u (id int PRIMARY KEY, email citext, live boolean NOT NULL);
         CREATE UNIQUE INDEX u_live ON u (((email::text || 'x')::citext))";
    let generated = "CREATE TABLE u (id int PRIMARY KEY, email varchar(20), live boolean NOT NULL,
         g varchar(30) COLLATE utf8mb4_general_ci AS (concat(email, 'x')) STORED UNIQUE)";
    let citext = "CREATE EXTENSION citext;";
    for live in [
        Live::new(Kind::Postgres, &format!("{citext} {}", partial.replace("{ty}", "citext"))),
        Live::new(Kind::Postgres, &format!("{nocase} {}", partial.replace("{ty}", "text COLLATE nocase"))),
        Live::new(Kind::Postgres, &format!("{citext} {computed}")),
        Live::new(Kind::Mariadb, generated),
    ] {
        let new = json!([{"id": 1, "email": "new", "live": true}, {"id": 2, "email": "NEW", "live": true}, {"id": 3, "email": "other", "live": true}]);
        live.world.backup("b.json", &[("u", new)]);
        let (plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let twice = "unique_twice_in_backup";
        let wanted =
            [format!("u/1 blocked {twice}"), format!("u/2 blocked {twice}"), "u/3 new only_in_backup".to_owned()];
        assert_eq!(listed(&plan), wanted, "{:?}", live.kind);
    }
}

#[test]
fn f116_references_follow_a_matched_record_in_whatever_spelling() {
    for live in places(PEOPLE) {
        let people = json!([{"code": "K1", "email": "a@x", "created_at": "2025-01-01"}, {"code": "R1", "email": "new@x", "created_at": "2024-01-01"}]);
        let children =
            json!([{"id": 2, "code": "k1"}, {"id": 3, "code": "K1"}, {"id": 4, "code": "r1"}, {"id": 5, "code": "z9"}]);
        let loose = json!([{"id": 1, "kind": "p", "code": "k1"}, {"id": 2, "kind": "q", "code": "k1"}]);
        live.world.backup("b.json", &[("c", children), ("p", people), ("u", loose)]);
        let options = Options { matches: vec![("p".to_owned(), vec!["email".to_owned()])], ..by_kind() };
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", options).expect("analyzes");
        there_and_back(&live, &mut plan);
        let new = live.value("SELECT code FROM p WHERE email = 'new@x'");
        assert!(new.to_lowercase() != "r1", "{new}");
        assert_eq!(live.value("SELECT count(*) FROM c WHERE code = 'Z9' AND id IN (2, 3, 5)"), "3", "{:?}", live.kind);
        assert_eq!(live.value(&format!("SELECT count(*) FROM c WHERE code = '{new}' AND id = 4")), "1");
        assert_eq!(live.value("SELECT count(*) FROM u WHERE code = 'Z9' AND id = 1"), "1");
        assert_eq!(live.value("SELECT concat(code) FROM u WHERE id = 2"), "k1");
    }
}

#[test]
fn f116_parents_are_written_before_children_that_spell_them_differently() {
    let tree =
        "CREATE TABLE tree (code {code} PRIMARY KEY, parent {code}, FOREIGN KEY (parent) REFERENCES tree (code));
         INSERT INTO tree VALUES ('top', NULL);";
    for live in places(tree) {
        let nodes = json!([{"code": "leaf", "parent": "BRANCH"}, {"code": "branch", "parent": "ROOT"}, {"code": "root", "parent": "TOP"}]);
        live.world.backup("b.json", &[("tree", nodes)]);
        let (mut plan, preview) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        assert_eq!((preview.inserted, preview.blocked), (3, 0), "{:?}", listed(&plan));
        there_and_back(&live, &mut plan);
    }
}
