//! The Chinook music store: backed up, edited, merged under each strategy, and taken back.

use crate::world::{World, dump};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::{Plan, Preview};

/// Tracks of album 141, with a playlist entry each in several lists.
const TRACKS: u64 = 57;

/// The store as it was backed up, and the copy that people worked on since.
fn store() -> World {
    let world = World::new("");
    let chinook = crate::data::real("chinook/Chinook_Sqlite.sqlite");
    std::fs::copy(&chinook, world.path("backup.db")).expect("copies");
    std::fs::copy(&chinook, world.path("current.db")).expect("copies");
    for name in ["backup.db", "current.db"] {
        let mut mode = std::fs::metadata(world.path(name)).expect("is there").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
        std::fs::set_permissions(world.path(name), mode).expect("sets");
    }
    world.sql(
        "DELETE FROM PlaylistTrack WHERE TrackId IN (SELECT TrackId FROM Track WHERE AlbumId = 141);
         DELETE FROM InvoiceLine WHERE TrackId IN (SELECT TrackId FROM Track WHERE AlbumId = 141);
         DELETE FROM Track WHERE AlbumId = 141; DELETE FROM Album WHERE AlbumId = 141;
         UPDATE Track SET UnitPrice = 1.49 WHERE TrackId BETWEEN 1 AND 10;
         UPDATE Customer SET Phone = NULL WHERE CustomerId = 5;
         INSERT INTO Customer (CustomerId, FirstName, LastName, Email) VALUES (1000, 'New', 'Customer', 'new@example.com');
         UPDATE Artist SET Name = 'x' WHERE ArtistId = 1; UPDATE Artist SET Name = 'AC/DC' WHERE ArtistId = 2;
         UPDATE Artist SET Name = 'Accept' WHERE ArtistId = 1;",
    );
    world
}

fn rows(world: &World, sql: &str) -> u64 {
    world.value(sql).parse().expect("a number")
}

fn clean(world: &World) {
    assert_eq!(world.value("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    assert_eq!(world.value("PRAGMA integrity_check"), "ok");
}

fn analyze(world: &World, strategy: &str) -> (Plan, Preview) {
    world.analyze("backup.db", None, strategy, Options::default()).expect("analyzes")
}

/// What the analysis finds is the same under every strategy.
fn counted(world: &World, plan: &Plan) {
    let counts = plan.meta().counts();
    let deleted = 1 + TRACKS + deleted_since(world, "PlaylistTrack") + deleted_since(world, "InvoiceLine");
    assert_eq!(counts.new, deleted, "{counts:?}");
    // Ten prices and two names differ on both sides; the missing phone number is filled.
    assert_eq!((counts.conflict, counts.updated, counts.blocked, counts.current_only), (12, 1, 0, 1), "{counts:?}");
    let backup = rusqlite::Connection::open(world.path("backup.db")).expect("opens");
    assert_eq!(counts.backup_records(), dump(&backup).len() as u64, "they add up to the backup's records");
}

fn deleted_since(world: &World, table: &str) -> u64 {
    let backup = rusqlite::Connection::open(world.path("backup.db")).expect("opens");
    let sql = format!("SELECT count(*) FROM {table}");
    let before: i64 = backup.query_row(&sql, [], |r| r.get(0)).expect("counts");
    u64::try_from(before).expect("positive") - rows(world, &sql)
}

/// Runs the story under one strategy; `check` looks at the merged store.
fn story(strategy: &str, writes: (u64, u64), check: impl Fn(&World)) {
    let world = store();
    let before = world.content();
    let (mut plan, preview) = analyze(&world, strategy);
    counted(&world, &plan);
    let new = plan.meta().counts().new;
    assert_eq!((preview.inserted, preview.updated), (new * writes.0, writes.1), "{strategy}: {preview:?}");
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    assert_eq!((dry.counts, world.content() == before), (preview, true), "{strategy}");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(merged.counts, preview, "{strategy}");
    clean(&world);
    check(&world);
    assert_eq!(world.value("SELECT Email FROM Customer WHERE CustomerId = 1000"), "new@example.com");
    let after = world.content();
    let (_, again) = analyze(&world, strategy);
    assert_eq!(again.writes(), 0, "{strategy}: {again:?}");
    let undone = world.undo(&merged.merge).expect("undoes");
    assert!(world.content() == before, "{strategy}: the undo did not give back what was");
    clean(&world);
    world.undo(&undone.merge).expect("redoes");
    assert!(world.content() == after, "{strategy}: the redo did not give back the merge");
}

#[test]
fn real_data_the_backup_wins() {
    story("backup-wins", (1, 13), |world| {
        let original = rusqlite::Connection::open(world.path("backup.db")).expect("opens");
        let now: Vec<String> =
            world.content().into_iter().filter(|l| !l.starts_with("Customer: Integer(1000)")).collect();
        let meant = dump(&original);
        let first = now.iter().zip(&meant).find(|(a, b)| a != b);
        assert!(now == meant, "{first:?}: all but the new customer is as it was backed up");
    });
}

#[test]
fn real_data_the_current_database_wins() {
    story("current-wins", (1, 1), |world| {
        assert_eq!(world.value("SELECT sum(UnitPrice) FROM Track WHERE TrackId <= 10"), "14.9");
        assert_eq!(world.value("SELECT Name FROM Artist WHERE ArtistId = 1"), "Accept");
        assert_eq!(rows(world, "SELECT count(*) FROM Track WHERE AlbumId = 141"), TRACKS);
    });
}

#[test]
fn real_data_what_was_deleted_is_recovered_and_nothing_else() {
    story("recover-deleted", (1, 0), |world| {
        assert_eq!(world.value("SELECT Phone FROM Customer WHERE CustomerId = 5"), "NULL");
        assert_eq!(world.value("SELECT sum(UnitPrice) FROM Track WHERE TrackId <= 10"), "14.9");
        assert_eq!(rows(world, "SELECT count(*) FROM Track"), 3503);
    });
}

/// Without timestamps neither is newer: both of these ask, and write nothing while a conflict is undecided.
#[test]
fn real_data_nothing_is_written_while_conflicts_are_undecided() {
    for strategy in ["manual", "merge-fields", "newest-wins"] {
        let world = store();
        let before = world.content();
        let (mut plan, preview) = analyze(&world, strategy);
        counted(&world, &plan);
        assert_eq!(preview.undecided, 12, "{strategy}: {preview:?}");
        let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect_err("refuses");
        assert_eq!((error.kind(), error.detail_lines().len()), (ErrorKind::NeedsDecision, 12), "{strategy}");
        assert!(world.content() == before, "{strategy}");
    }
}

/// With the backup as base as well, everything that differs is the current side's doing: nothing to do.
#[test]
fn real_data_with_a_base_what_only_current_changed_stays() {
    let world = store();
    let (plan, preview) =
        world.analyze("backup.db", Some("backup.db"), "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.writes(), plan.meta().counts().conflict), (0, 0));
}

/// The same store as JSON, as other tools export it: the same values, nothing differs but what was edited.
#[test]
fn real_data_a_smart_backup_of_the_store_says_the_same() {
    let world = store();
    std::fs::copy(world.path("backup.db"), world.path("current2.db")).expect("copies");
    let mut database = merganser::database::sqlite::Sqlite::open(&world.path("current2.db")).expect("opens");
    let connection = rusqlite::Connection::open(world.path("backup.db")).expect("opens");
    let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").expect("prepares");
    let names: Vec<String> = names.query_map([], |r| r.get(0)).expect("lists").map(|n| n.expect("a name")).collect();
    let tables: Vec<(&str, serde_json::Value)> = names
        .iter()
        .map(|name| {
            let mut statement = connection.prepare(&format!("SELECT * FROM [{name}]")).expect("prepares");
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([]).expect("reads");
            let mut records = Vec::new();
            while let Some(row) = rows.next().expect("steps") {
                let record = columns.iter().enumerate().map(|(c, column)| {
                    use rusqlite::types::ValueRef as V;
                    let value = match row.get_ref(c).expect("a value") {
                        V::Null => serde_json::Value::Null,
                        V::Integer(i) => i.into(),
                        V::Real(r) => r.into(),
                        V::Text(t) => String::from_utf8_lossy(t).into_owned().into(),
                        V::Blob(_) => panic!("there are none"),
                    };
                    (column.clone(), value)
                });
                records.push(record.collect::<serde_json::Map<_, _>>().into());
            }
            (name.as_str(), serde_json::Value::Array(records))
        })
        .collect();
    world.backup("store.json", &tables);
    let (plan, preview) =
        world.analyze_with(&mut database, "store.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.writes(), 0);
    assert_eq!(plan.meta().counts().unchanged, dump(&connection).len() as u64);
    let (plan, preview) = world.analyze("store.json", None, "backup-wins", Options::default()).expect("analyzes");
    counted(&world, &plan);
    assert_eq!(preview.updated, 13);
}
