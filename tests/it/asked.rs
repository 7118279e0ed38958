//! Options that protect something: each name in them names something, or the analysis is refused.

use crate::world::World;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use serde_json::json;

fn world() -> World {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, password TEXT, name TEXT, seen TEXT);
         CREATE TABLE rooms (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id));
         INSERT INTO users VALUES (1, 'p', 'a', NULL);",
    );
    world.backup(
        "b.json",
        &[("User", json!([{"id": 1, "password": "q", "name": "b"}])), ("rooms", json!([{"id": 1, "user_id": 1}]))],
    );
    world
}

fn refused(options: Options, named: &[&str]) {
    let world = world();
    let plans = std::fs::read_dir(world.home.plans()).expect("a folder").count();
    let error = match world.analyze("b.json", None, "backup-wins", options.clone()) {
        Err(error) => error,
        Ok(_) => panic!("{options:?} is accepted"),
    };
    assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
    for text in named {
        assert!(error.full_message().contains(text), "{text}: {}", error.full_message());
    }
    assert_eq!(std::fs::read_dir(world.home.plans()).expect("a folder").count(), plans, "no plan is left behind");
}

fn list(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

#[test]
fn a_misspelt_name_that_should_protect_something_is_an_error() {
    let of = Options::default;
    let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
    refused(Options { skip_columns: list("pasword"), ..of() }, &["--skip-columns", "did you mean password"]);
    refused(Options { skip_columns: list("users.pasword"), ..of() }, &["users.pasword", "users.password"]);
    refused(Options { skip_columns: list("usres.password"), ..of() }, &["did you mean users.password"]);
    refused(Options { skip_tables: list("usres"), ..of() }, &["--skip-tables", "did you mean User or users"]);
    refused(Options { only_tables: list("usres"), ..of() }, &["did you mean users"]);
    refused(Options { only_columns: list("nmae"), ..of() }, &["did you mean name"]);
    refused(Options { map_tables: pair("Usr", "users"), ..of() }, &["--map-table", "did you mean User"]);
    refused(Options { map_tables: pair("User", "usres"), ..of() }, &["did you mean users"]);
    refused(Options { map_columns: pair("User.nmae", "name"), ..of() }, &["did you mean User.name"]);
    refused(Options { map_columns: pair("nmae", "name"), ..of() }, &["does not say of which table"]);
    refused(Options { map_columns: pair("User.name", "rooms.name"), ..of() }, &["User stands for users"]);
    refused(Options { timestamps: vec![(None, Some("sene".to_owned()))], ..of() }, &["did you mean seen"]);
    refused(Options { keys: vec![("users".to_owned(), list("nmae"))], ..of() }, &["did you mean name"]);
    refused(Options { conditions: list("users: nmae = 1"), ..of() }, &["nmae"]);
    refused(Options { declared: list("usres"), ..of() }, &["configuration", "did you mean users"]);
    refused(Options { declared: list("users\u{0}pasword"), ..of() }, &["users.pasword", "did you mean password"]);
}

#[test]
fn names_of_either_side_are_taken() {
    let world = world();
    for pattern in ["password", "users.password", "User.password", "Users.Password"] {
        let options = Options { skip_columns: list(pattern), ..Options::default() };
        let (plan, _) = world.analyze("b.json", None, "backup-wins", options).expect(pattern);
        let finding = plan.record("users/1").expect("differs").finding;
        let password = finding
            .fields
            .iter()
            .find(|f| plan.meta().schema.tables[finding.table].columns[f.column].name == "password");
        assert!(password.is_none(), "{pattern}");
    }
    for table in ["users", "User"] {
        let options = Options { skip_tables: list(table), ..Options::default() };
        assert!(world.analyze("b.json", None, "backup-wins", options).is_ok(), "{table}");
    }
}

#[test]
fn a_column_that_is_mapped_and_left_out_stays_out() {
    let world = world();
    world.backup("c.json", &[("users", json!([{"id": 1, "hash": "q"}]))]);
    let map_columns = vec![("users.hash".to_owned(), "password".to_owned())];
    let options = Options { map_columns, skip_columns: list("users.hash"), ..Options::default() };
    let (plan, _) = world.analyze("c.json", None, "backup-wins", options).expect("analyzes");
    assert_eq!(plan.meta().counts().unchanged, 1);
}

#[test]
fn f61_a_value_that_was_promised_is_not_changed_by_a_trigger() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price INTEGER, note TEXT);
         CREATE TRIGGER more AFTER UPDATE OF price ON t WHEN NEW.price < 100 BEGIN UPDATE t SET price = NEW.price + 100 WHERE id = NEW.id; END;
         INSERT INTO t VALUES (1, NULL, 'x');",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "price": 5}]))]);
    let before = world.content();
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is rolled back");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.hint_text().is_some_and(|h| h.contains("trigger") && h.contains("t.price")), "{error:?}");
    assert_eq!(world.content(), before);
}

#[test]
fn f65_what_cascades_on_update_is_blocked_with_its_reach() {
    let world = World::new(
        "CREATE TABLE cities (id INTEGER PRIMARY KEY, code TEXT UNIQUE, name TEXT);
         CREATE TABLE people (id INTEGER PRIMARY KEY, city TEXT REFERENCES cities (code) ON UPDATE CASCADE);
         INSERT INTO cities VALUES (1, 'a', NULL), (2, 'b', NULL);
         INSERT INTO people VALUES (1, 'a'), (2, 'a');",
    );
    world.sqlite_backup(
        "base.db",
        "CREATE TABLE cities (id INTEGER PRIMARY KEY, code TEXT, name TEXT);
         INSERT INTO cities VALUES (1, 'a', NULL), (2, 'b', NULL);",
    );
    world.backup("b.json", &[("cities", json!([{"id": 1, "code": "z"}, {"id": 2, "code": "y"}]))]);
    let before = world.content();
    let (mut plan, preview) =
        world.analyze("b.json", Some("base.db"), "backup-wins", Options::default()).expect("analyzes");
    let finding = plan.record("cities/1").expect("is there").finding;
    assert!(finding.note.as_deref().is_some_and(|n| n.contains("2 of people")), "{finding:?}");
    assert_eq!((preview.updated, preview.blocked), (1, 1));
    let report = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges the other");
    assert_eq!(report.counts.updated, 1);
    assert_eq!(world.value("SELECT group_concat(city) FROM people"), "a,a");
    world.undo(&report.merge).expect("is taken back");
    assert_eq!(world.content(), before);
}

#[test]
fn f41_an_identical_record_twice_is_folded_with_a_base_too() {
    let world =
        World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES (1, 'x', 'old')");
    world.backup("base.json", &[("t", json!([{"id": 1, "a": "x", "b": "old"}]))]);
    let record = json!({"id": 1, "a": "new", "b": "old"});
    world.backup("b.json", &[("t", json!([record, record]))]);
    let (plan, _) = world.analyze("b.json", Some("base.json"), "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(plan.meta().counts().updated, 1);
    assert!(plan.meta().notes.iter().any(|n| n.contains("repeat an identical one")), "{:?}", plan.meta().notes);
}

#[test]
fn f126_keys_are_equal_as_their_index_compares_them() {
    let world = World::new(
        "CREATE TABLE t (name TEXT, a TEXT, PRIMARY KEY (name COLLATE NOCASE)); INSERT INTO t VALUES ('Ann', 'x');
         CREATE TABLE u (name TEXT NOT NULL, a TEXT); CREATE UNIQUE INDEX u_name ON u (name COLLATE NOCASE);",
    );
    world.backup("b.json", &[("t", json!([{"name": "ANN", "a": "y"}, {"name": "bob", "a": "z"}]))]);
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let counts = plan.meta().counts();
    assert_eq!((counts.new, counts.conflict, counts.current_only), (1, 1, 0), "{counts:?}");
    let u = plan.meta().schema.tables.iter().find(|t| t.name == "u").expect("is there");
    // No key is made of it: only the database can tell what it holds equal.
    assert!(u.key.is_empty() && u.uniques.iter().any(|q| q.name == "u_name" && q.reads == [0]), "{u:?}");
}

#[test]
fn analyzing_again_reads_the_backup_as_before() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a REAL); INSERT INTO t VALUES (1, 1.5)");
    let (plan, _) = {
        world.backup("b.json", &[("t", json!([{"id": 1, "a": 2.5}]))]);
        world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes")
    };
    assert_eq!(plan.meta().read.options().limits, merganser::backup::Limits::default());
}

#[test]
fn u9_an_undo_can_be_forced_over_later_edits_and_be_taken_back() {
    use merganser::executor::undo::{OnKept, Wanted, plan_with};
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, NULL)");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}, {"id": 2, "a": "y"}]))]);
    let before = world.content();
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    world.sql("UPDATE t SET a = 'edited'");
    let edited = world.content();
    let usual = world.undo(&merged.merge).expect("keeps them");
    assert!(!usual.changed);
    let receipt =
        merganser::executor::Receipt::open(&world.home.receipt_path(&merged.merge).expect("is there")).expect("opens");
    let out = world.home.plans().join("p-force.mplan");
    let wanted = Wanted { only_tables: &[], on_kept: OnKept::Force };
    let mut forced = plan_with(&world.home, &receipt, &mut world.database(), &wanted, &out).expect("a plan");
    let undone = world.merge(&mut forced, Ending::Commit, OnBlocked::Refuse).expect("puts them back");
    assert_eq!(world.content(), before);
    world.undo(&undone.merge).expect("is taken back");
    assert_eq!(world.content(), edited);
}

#[test]
fn f125_an_empty_column_takes_the_style_of_an_sqlite_backup() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, made DATETIME, seen DATETIME);";
    let world = World::new(&format!("{schema} INSERT INTO t VALUES (9, NULL, '2024-01-01 00:00:00')"));
    world.sqlite_backup(
        "b.db",
        &format!(
            "{schema} INSERT INTO t VALUES (1, 1700000000123, '2024-02-02 00:00:00'), (9, NULL, '2024-01-01 00:00:00')"
        ),
    );
    let (mut plan, _) = world.analyze("b.db", None, "backup-wins", Options::default()).expect("analyzes");
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(
        world.value("SELECT typeof(made) || made || seen FROM t WHERE id = 1"),
        "integer17000000001232024-02-02 00:00:00"
    );
}

#[test]
fn f124_digits_that_are_cut_are_told() {
    let world =
        World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME); INSERT INTO t VALUES (1, 1700000000)");
    world.backup("b.json", &[("t", json!([{"id": 2, "at": "2024-01-02T03:04:05.678Z"}]))]);
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert!(
        plan.meta().notes.iter().any(|n| n.starts_with("t.at: instants are held less finely")),
        "{:?}",
        plan.meta().notes
    );
}
