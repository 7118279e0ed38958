//! Undo after the world moved on: receipts that are lost (CHECKS F98) and schemas that changed (F99).

use super::{run, told};
use crate::live::{Kind, Live};
use crate::world::World;
use merganser::analyzer::Options;
use merganser::executor::{Ending, MergeReport, OnBlocked};
use merganser::plan::Preview;
use merganser::{ErrorKind, Result};
use serde_json::json;

const SCHEMA: &str = "CREATE TABLE users (id {id}, email varchar(50) UNIQUE, name varchar(50));
     CREATE TABLE orders (id {id}, user_id int NOT NULL REFERENCES users(id), n int);
     INSERT INTO users (id, email, name) VALUES (1, 'a@x', 'Ada'), (2, 'b@x', 'Bob');
     INSERT INTO orders (id, user_id, n) VALUES (1, 1, 5)";

/// One database per engine that a merge has inserted users/3 and orders/2 into, and updated users/1's name.
enum Merged {
    Sqlite(World, String),
    Server(Box<Live>, String),
}

impl Merged {
    fn on(engine: Option<Kind>) -> Self {
        let records = [
            ("users", json!([{"id": 1, "email": "a@x", "name": "Ada L"}, {"id": 3, "email": "c@x", "name": "Cy"}])),
            ("orders", json!([{"id": 2, "user_id": 3, "n": 1}])),
        ];
        match engine {
            None => {
                let world = World::new(&SCHEMA.replace("{id}", "INTEGER PRIMARY KEY"));
                world.backup("b.json", &records);
                let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
                let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
                Self::Sqlite(world, merged.merge)
            }
            Some(kind) => {
                let live = Live::new(kind, SCHEMA);
                live.world.backup("b.json", &records);
                let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
                let merged = live.merge(&mut plan).expect("merges");
                Self::Server(Box::new(live), merged.merge)
            }
        }
    }

    fn sql(&self, sql: &str) {
        match self {
            Self::Sqlite(world, _) => world.sql(sql),
            Self::Server(live, _) => live.sql(sql),
        }
    }

    fn value(&self, sql: &str) -> String {
        match self {
            Self::Sqlite(world, _) => world.value(sql),
            Self::Server(live, _) => live.value(sql),
        }
    }

    fn undo(&self) -> Result<MergeReport> {
        match self {
            Self::Sqlite(world, merge) => world.undo(merge),
            Self::Server(live, merge) => live.undo(merge),
        }
    }
}

/// A migration after the merge, and what an undo then does: deleted, updated, kept, blocked; the names afterwards.
const MIGRATIONS: &[(&str, [u64; 4], &str)] = &[
    ("ALTER TABLE users ADD COLUMN age int", [2, 1, 0, 0], "Ada,Bob"),
    ("ALTER TABLE users ADD COLUMN age int NOT NULL DEFAULT 5", [2, 1, 0, 0], "Ada,Bob"),
    // Somebody gave the merged record a value that deleting it would lose.
    ("ALTER TABLE users ADD COLUMN age int; UPDATE users SET age = 7 WHERE id = 3", [1, 1, 1, 0], "Ada,Bob,Cy"),
    ("ALTER TABLE users DROP COLUMN email", [2, 1, 0, 0], "Ada,Bob"),
    // A table that nobody knew of at the merge refers to a record of it, and would go with it.
    (
        "CREATE TABLE notes (id int PRIMARY KEY, user_id int, CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users(id)
             ON DELETE CASCADE);
         INSERT INTO notes VALUES (1, 3)",
        [1, 1, 0, 1],
        "Ada,Bob,Cy",
    ),
    // A column of another name is another column: what it holds may be somebody's, so the order stays, and its user with it.
    ("ALTER TABLE orders RENAME COLUMN n TO amount", [0, 1, 1, 1], "Ada,Bob,Cy"),
];

fn f99_on(engine: Option<Kind>, aggregate: &str) {
    for (migration, [deleted, updated, kept, blocked], names) in MIGRATIONS {
        let merged = Merged::on(engine);
        // SQLite does not drop a column that an index is made of.
        if engine.is_none() && migration.contains("DROP COLUMN email") {
            merged.sql("ALTER TABLE orders DROP COLUMN n");
        } else {
            migration.split(';').for_each(|sql| merged.sql(sql));
        }
        let undone = merged.undo().unwrap_or_else(|e| panic!("{migration}: {e} {:?}", e.detail_lines()));
        let Preview { deleted: d, updated: u, kept: k, blocked: b, .. } = undone.counts;
        assert_eq!([d, u, k, b], [*deleted, *updated, *kept, *blocked], "{migration}");
        assert_eq!(merged.value(&format!("SELECT {aggregate} FROM users")), *names, "{migration}");
        if migration.contains("notes") {
            assert_eq!(merged.value("SELECT count(*) FROM notes"), "1");
        }
    }
}

#[test]
fn f99_an_undo_after_a_migration_of_sqlite() {
    f99_on(None, "group_concat(name)");
}

#[test]
fn f99_an_undo_after_a_migration_of_postgres() {
    f99_on(Some(Kind::Postgres), "string_agg(name, ',' ORDER BY id)");
}

#[test]
fn f99_an_undo_after_a_migration_of_mariadb() {
    f99_on(Some(Kind::Mariadb), "group_concat(name ORDER BY id)");
}

#[test]
fn f99_a_column_that_is_gone_blocks_what_it_held() {
    let merged = Merged::on(None);
    merged.sql("ALTER TABLE users DROP COLUMN name");
    let undone = merged.undo().expect("undoes the rest");
    assert_eq!((undone.counts.deleted, undone.counts.updated, undone.counts.blocked), (2, 0, 1));
    assert_eq!(merged.value("SELECT group_concat(id) FROM users"), "1,2");
}

#[test]
fn f99_a_table_that_is_gone_is_named() {
    let merged = Merged::on(None);
    merged.sql("ALTER TABLE orders RENAME TO purchases");
    let error = merged.undo().expect_err("orders is not there");
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("the table orders"), "{error}");
    assert_eq!(merged.value("SELECT count(*) FROM users"), "3");
}

#[test]
fn f99_a_table_that_came_since_the_analysis_is_not_reached_by_deletions() {
    let world = World::new(&SCHEMA.replace("{id}", "INTEGER PRIMARY KEY"));
    world.backup("b.json", &[("users", json!([{"id": 1, "email": "a@x", "name": "Ada"}]))]);
    let options = Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() };
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    world.sql(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id) ON DELETE CASCADE);
         INSERT INTO notes VALUES (1, 2)",
    );
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("notes would lose a record");
    assert_eq!(error.kind(), ErrorKind::PlanStale);
    assert!(error.detail_lines().iter().any(|l| l == "table notes is new and refers to users"), "{error:?}");
    assert_eq!(world.value("SELECT count(*) FROM notes"), "1");
}

#[test]
fn f98_a_receipt_that_is_lost_is_named_and_nothing_else_taken_back() {
    for loss in [Loss::Missing, Loss::Truncated] {
        let Merged::Sqlite(world, first) = Merged::on(None) else { unreachable!("made on SQLite") };
        world.backup("b.json", &[("users", json!([{"id": 4, "email": "d@x", "name": "Di"}]))]);
        let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let last = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges").merge;
        let path = world.home.receipt_path(&last).expect("its receipt");
        match loss {
            Loss::Missing => std::fs::remove_file(&path).expect("removes"),
            Loss::Truncated => std::fs::write(&path, &std::fs::read(&path).expect("reads")[..2000]).expect("writes"),
        }
        let before = world.content();
        // Without a name the last one is meant, never the one before it.
        for arguments in [vec!["undo", "--yes"], vec!["undo", &last, "--yes"]] {
            let (code, _, said) = run(&world, &arguments);
            assert_eq!(code, 20, "{said}");
            assert!(said.contains(&last), "{said}");
        }
        assert_eq!(world.content(), before);
        let (code, _, said) = told(super::merganser(&world, &["undo", &first, "--yes"]).output().expect("starts"));
        assert_eq!(code, 0, "{said}");
    }
}

#[derive(Clone, Copy)]
enum Loss {
    Missing,
    Truncated,
}

/// Every kind of change at once; what the database counts for itself stays ahead, as after any insertion.
fn f94_on(engine: Option<Kind>) {
    const TABLES: &str = "CREATE TABLE teams (id {id}, name varchar(20) UNIQUE, lead int);
         CREATE TABLE people (id {id}, team_id int REFERENCES teams (id) ON DELETE CASCADE, email varchar(20) UNIQUE, score double precision);
         CREATE TABLE visits (day date, n int);
         INSERT INTO teams (id, name) VALUES (1, 'red'), (2, 'blue'), (3, 'gone');
         INSERT INTO people (id, team_id, email, score) VALUES (1, 1, 'a@x', 0.1), (2, 1, 'b@x', -0.0), (3, 3, 'c@x', NULL);
         INSERT INTO visits VALUES ('2026-01-01', 3), ('2026-01-01', 3)";
    let records = [
        // Two names swap places.
        (
            "teams",
            json!([{"id": 1, "name": "blue", "lead": 4}, {"id": 2, "name": "red", "lead": null}, {"id": 9, "name": "new", "lead": null}]),
        ),
        (
            "people",
            json!([
                {"id": 1, "team_id": 2, "email": "b@x", "score": 1e300}, {"id": 2, "team_id": 9, "email": "a@x", "score": null},
                {"id": 4, "team_id": 9, "email": "d@x", "score": 2.5}
            ]),
        ),
        (
            "visits",
            json!([{"day": "2026-01-01", "n": 3}, {"day": "2026-01-01", "n": 3}, {"day": "2026-01-01", "n": 3}, {"day": "2026-02-01", "n": null}]),
        ),
    ];
    let options = || Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() };
    let all = Preview { inserted: 4, updated: 4, deleted: 2, ..Preview::default() };
    let what = format!("{engine:?}");
    match engine {
        None => {
            let world = World::new(&TABLES.replace("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"));
            world.backup("b.json", &records);
            let counter = "SELECT seq FROM sqlite_sequence WHERE name = 'teams'";
            let content =
                || world.content().into_iter().filter(|l| !l.starts_with("sqlite_sequence")).collect::<Vec<_>>();
            let before = content();
            let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options()).expect("analyzes");
            let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
            assert_eq!(writes(&merged), writes_of(&all), "{what}");
            assert_ne!(content(), before, "{what}");
            let undone = world.undo(&merged.merge).expect("undoes");
            assert_eq!((undone.counts.writes(), undone.left_out.len()), (10, 0), "{what}");
            assert_eq!(content(), before, "{what}");
            assert_eq!(world.value(counter), "9", "{what}: a number is never given twice");
        }
        Some(kind) => {
            let live = Live::new(kind, TABLES);
            live.world.backup("b.json", &records);
            let before = live.content();
            let (mut plan, _) = live.analyze("b.json", None, "backup-wins", options()).expect("analyzes");
            let merged = live.merge(&mut plan).expect("merges");
            assert_eq!(writes(&merged), writes_of(&all), "{what}");
            assert_ne!(live.content(), before, "{what}");
            let undone = live.undo(&merged.merge).expect("undoes");
            assert_eq!((undone.counts.writes(), undone.left_out.len()), (10, 0), "{what}");
            assert_eq!(live.content(), before, "{what}");
            live.sql("INSERT INTO teams (name) VALUES ('later')");
            assert_eq!(
                live.value("SELECT id FROM teams WHERE name = 'later'"),
                "10",
                "{what}: a number is never given twice"
            );
        }
    }
}

fn writes(merged: &MergeReport) -> [u64; 3] {
    writes_of(&merged.counts)
}

fn writes_of(counts: &Preview) -> [u64; 3] {
    [counts.inserted, counts.updated, counts.deleted]
}

#[test]
fn f94_an_undo_with_nothing_changed_since_gives_back_everything_on_sqlite() {
    f94_on(None);
}

#[test]
fn f94_an_undo_with_nothing_changed_since_gives_back_everything_on_postgres() {
    f94_on(Some(Kind::Postgres));
}

#[test]
fn f94_an_undo_with_nothing_changed_since_gives_back_everything_on_mariadb() {
    f94_on(Some(Kind::Mariadb));
}
