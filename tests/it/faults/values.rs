//! Values that a side can't hold (CHECKS F110, F113) and clocks that disagree (F105).

use super::run;
use crate::live::{Kind, Live};
use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::backup::{LoneSurrogates, Nul, ReadOptions};
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::Plan;
use serde_json::json;

/// Analyzes as the command line does, with options for reading.
fn read_with(world: &World, database: &mut dyn merganser::database::Database, read: ReadOptions) -> Plan {
    let id = merganser::executor::home::fresh_id('p');
    let request = merganser::plan::make::Request {
        backup: &world.path("b.json"),
        base: None,
        read,
        options: Options::default(),
        strategy: "backup-wins",
        table_strategies: Vec::new(),
        out: &world.home.plans().join(format!("{id}.mplan")),
        id,
        state_key: world.home.key().expect("a key"),
    };
    merganser::plan::make::make(&request, database, &merganser::progress::Quiet).expect("analyzes").0
}

#[test]
fn f110_nul_is_blocked_for_postgres_unless_it_may_be_taken_out() {
    let live = Live::new(Kind::Postgres, "CREATE TABLE t (id {id}, a text, j jsonb)");
    live.world.backup("b.json", &[("t", json!([{"id": 1, "a": "x\0y", "j": {"k": "p\0q", "esc": "\\u0000"}}]))]);
    let (plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), ["t/1 blocked value_not_storable"]);
    let why = plan.record("t/1").expect("is there").finding.note.unwrap_or_default();
    assert!(why.contains("NUL") && why.contains("--nul"), "{why}");
    for (nul, text, json) in [(Nul::Strip, "xy", "pq"), (Nul::Replace, "x\u{fffd}y", "p\u{fffd}q")] {
        let read = ReadOptions { nul, ..ReadOptions::default() };
        let mut plan = read_with(&live.world, &mut *live.database(), read);
        let merged = live.merge(&mut plan).expect("merges");
        assert_eq!(live.value("SELECT a FROM t"), text);
        assert_eq!(live.value("SELECT j->>'k' FROM t"), json);
        assert_eq!(live.value("SELECT j->>'esc' FROM t"), "\\u0000", "an escaped backslash is no NUL");
        assert_eq!(plan.meta().read.nul, nul, "analyzing again reads alike");
        live.undo(&merged.merge).expect("undoes");
    }
}

#[test]
fn f110_the_command_line_tells_what_it_took_out() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x\0y"}, {"id": 2, "a": "plain"}]))]);
    let (code, out, said) = run(&world, &["analyze", "b.json", "--nul", "strip"]);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("taken out of 1 values"), "{out}");
    let (code, _, said) = run(&world, &["merge", "b.json", "--nul", "strip", "--yes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(world.value("SELECT group_concat(a) FROM t"), "xy,plain");
}

#[test]
fn f111_nul_stays_where_it_can() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x\0y"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT hex(a) FROM t"), "780079");
    let live = Live::new(Kind::Mariadb, "CREATE TABLE t (id {id}, a text)");
    live.world.backup("b.json", &[("t", json!([{"id": 1, "a": "x\0y"}]))]);
    let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    live.merge(&mut plan).expect("merges");
    assert_eq!(live.value("SELECT hex(a) FROM t"), "780079");
}

#[test]
fn f113_half_a_surrogate_pair_is_refused_with_its_place_or_replaced() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, j JSON)");
    let text = r#"{"tables": [{"tableName": "t", "records": [{"id": 1, "a": "fine \ud83d\ude00", "j": {"k": 1}},
        {"id": 2, "a": "half \ud83d", "j": {"k": "\ude00"}}]}], "metadata": {"version": "1.0"}}"#;
    world.file("b.json", text);
    let before = world.content();
    let error = world.analyze("b.json", None, "backup-wins", Options::default()).map(|_| ()).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
    let said = format!("{} {}", error.full_message(), error.hint_text().unwrap_or_default());
    assert!(said.contains("record 2") && said.contains("byte") && said.contains("--lone-surrogates"), "{said}");
    assert_eq!(world.content(), before);
    let read = ReadOptions { lone_surrogates: LoneSurrogates::Replace, ..ReadOptions::default() };
    let mut plan = read_with(&world, &mut world.database(), read);
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT group_concat(a, '|') FROM t"), "fine \u{1f600}|half \u{fffd}");
    assert_eq!(world.value("SELECT j->>'k' FROM t WHERE id = 2"), "\u{fffd}");
}

/// The two clocks of a record that differs, and the reason that must be given: a clock alone never wins silently.
#[test]
fn f105_clocks_decide_only_where_they_can_be_believed() {
    let now = chrono::Utc::now();
    let at = |offset: chrono::Duration| (now + offset).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let past = "2024-01-01T10:00:00.000Z".to_owned();
    let cases = [
        (past.clone(), past.clone(), "conflict no_evidence_equal"),
        // Within two seconds, in either direction and at either precision.
        (past.clone(), "2024-01-01T10:00:01.900Z".to_owned(), "conflict no_evidence_equal"),
        ("2024-01-01T10:00:01.900Z".to_owned(), past.clone(), "conflict no_evidence_equal"),
        ("2024-01-01T10:00:00Z".to_owned(), "2024-01-01T10:00:00.999Z".to_owned(), "conflict no_evidence_equal"),
        (past.clone(), "2024-01-01T10:00:02.100Z".to_owned(), "updated backup_newer"),
        ("2024-01-01T10:00:02.100Z".to_owned(), past.clone(), "conflict current_newer"),
        // Another zone is the same instant.
        (past.clone(), "2024-01-01T12:00:00.000+02:00".to_owned(), "conflict no_evidence_equal"),
        (past.clone(), "2024-01-01T10:00:00.000-01:00".to_owned(), "updated backup_newer"),
        // What lies ahead of this machine's clock says nothing.
        (past.clone(), at(chrono::Duration::days(1)), "conflict no_evidence_future"),
        (at(chrono::Duration::days(1)), past.clone(), "conflict no_evidence_future"),
        (past.clone(), "soon".to_owned(), "conflict no_evidence_unreadable"),
    ];
    for (current, backup, expected) in cases {
        let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, updated_at TEXT)");
        world
            .connection()
            .execute("INSERT INTO t VALUES (1, 'here', ?1), (2, 'same', ?1)", [&current])
            .expect("is run");
        let record = |id: i32, a: &str| json!({"id": id, "a": a, "updated_at": backup});
        world.backup("b.json", &[("t", json!([record(1, "there"), record(2, "same")]))]);
        let (plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
        // Record 2 differs in nothing but its clock, and is unchanged whatever that says.
        assert_eq!(listed(&plan), [format!("t/1 {expected}")], "current {current}, backup {backup}");
    }
}

#[test]
fn f24_without_the_backup_that_was_asked_for_the_merge_does_not_begin() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}]))]);
    std::fs::write(world.home.root().join("catalog.db"), "this is no catalogue").expect("writes");
    let before = world.content();
    let (code, _, said) = run(&world, &["merge", "b.json", "--backup-first", "--yes"]);
    assert!(![0, 3, 23].contains(&code), "{code}: {said}");
    assert!(said.contains("catalog.db"), "{said}");
    assert_eq!(world.content(), before);
}

#[test]
fn f125_whole_seconds_are_written_as_the_column_writes_them() {
    // Python leaves the fraction out where it is zero, others pad it: a record that comes back is spelled as it was.
    for (whole, fraction) in [
        ("2024-05-01 00:00:00", "2024-05-01 10:00:00.123456"),
        ("2024-05-01T00:00:00.000Z", "2024-05-01T10:00:00.123Z"),
    ] {
        let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, created_at datetime, a TEXT)";
        let world = World::new(&format!(
            "{schema}; INSERT INTO t VALUES (1, '{whole}', 'a'), (2, '{fraction}', 'b'), (3, '{whole}', 'c')"
        ));
        let before = world.content();
        let records = |at: [&str; 3]| json!([{"id": 1, "created_at": at[0], "a": "a"}, {"id": 2, "created_at": at[1], "a": "b"}, {"id": 3, "created_at": at[2], "a": "c"}]);
        world.backup("b.json", &[("t", records([whole, fraction, whole]))]);
        world.sqlite_backup(
            "b.db",
            &format!("{schema}; INSERT INTO t VALUES (1, '{whole}', 'a'), (2, '{fraction}', 'b'), (3, '{whole}', 'c')"),
        );
        for backup in ["b.json", "b.db"] {
            world.sql("DELETE FROM t WHERE id = 3");
            let (mut plan, _) = world.analyze(backup, None, "backup-wins", Options::default()).expect("analyzes");
            world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
            assert_eq!(world.content(), before, "{backup}");
        }
    }
}
