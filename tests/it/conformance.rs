//! One list of values for all engines: every ordered pair of them as the backup's origin and the current database.
//!
//! Equal is unchanged, a difference is seen, what can't be held is blocked at the analysis, what is written reads back,
//! and undo restores (CHECKS 5.7).

mod chinook;

use crate::live::{Kind, Live};
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::backup::{Compression, Layout, TableOptions, WriteFormat};
use merganser::database::{Database, Snapshot};
use merganser::executor::{self, Ending, MergeOptions, MergeReport, OnBlocked, Receipt, home::fresh_id};
use merganser::plan::{Decision, Outcome, Plan, Selector};
use merganser::progress::Quiet;
use std::path::Path;

/// A current database on any engine.
enum Current {
    Sqlite(World),
    Server(Box<Live>),
}

const ENGINES: [&str; 3] = ["SQLite", "PostgreSQL", "MariaDB"];

impl Current {
    fn new(engine: usize, sql: &str) -> Self {
        match engine {
            0 => Self::Sqlite(World::new(sql)),
            1 => Self::Server(Box::new(Live::new(Kind::Postgres, sql))),
            _ => Self::Server(Box::new(Live::new(Kind::Mariadb, sql))),
        }
    }

    fn world(&self) -> &World {
        match self {
            Self::Sqlite(world) => world,
            Self::Server(live) => &live.world,
        }
    }

    fn database(&self) -> Box<dyn Database> {
        match self {
            Self::Sqlite(world) => Box::new(world.database()),
            Self::Server(live) => live.database(),
        }
    }

    fn content(&self) -> Vec<String> {
        match self {
            Self::Sqlite(world) => world.content(),
            Self::Server(live) => live.content(),
        }
    }

    fn sql(&self, sql: &str) {
        match self {
            Self::Sqlite(world) => world.sql(sql),
            Self::Server(live) => live.sql(sql),
        }
    }

    fn analyze(&self, backup: &Path, strategy: &str) -> Plan {
        let name = backup.to_str().expect("a readable path");
        let analyzed = self.world().analyze_with(&mut *self.database(), name, None, strategy, Options::default());
        analyzed.unwrap_or_else(|e| panic!("{e:?} {:?}", e.detail_lines())).0
    }

    /// Decides what is undecided for the backup, and merges.
    fn merge(&self, plan: &mut Plan) -> merganser::Result<MergeReport> {
        let mut open = Vec::new();
        let selector = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
        plan.each(&selector, &mut |record| {
            open.push(record);
            Ok(())
        })?;
        plan.together(|p| open.iter().try_for_each(|r| p.decide(r, Some(Decision::Backup), "me", "now")))?;
        plan.update_meta(&self.world().home.key()?, |_| {})?;
        self.carry_out(plan)
    }

    fn carry_out(&self, plan: &mut Plan) -> merganser::Result<MergeReport> {
        let options = MergeOptions { ending: Ending::Commit, on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
        executor::merge(plan, &mut *self.database(), &self.world().home, &options, &Quiet)
    }

    fn undo(&self, merge: &str) -> merganser::Result<MergeReport> {
        let home = &self.world().home;
        let receipt = Receipt::open(&home.receipt_path(merge)?)?;
        let out = home.plans().join(format!("{}.mplan", fresh_id('p')));
        let mut plan = executor::undo::plan(home, &receipt, &mut *self.database(), &[], &out)?;
        self.carry_out(&mut plan)
    }

    /// Writes everything into a Smart Backup.
    fn back_up(&self, to: &Path) {
        let mut database = self.database();
        let schema = database.schema().expect("the schema");
        let format = WriteFormat::SmartBackup(Compression::None, Layout::default());
        let mut writer = merganser::backup::create(to, format, "2024-01-01T00:00:00Z").expect("a backup");
        let mut snapshot = database.snapshot().expect("a snapshot");
        for table in &schema.tables {
            writer.begin_table(table, &TableOptions::default()).expect("begins");
            Snapshot::scan(&mut *snapshot, table, &mut |cells| writer.record(cells)).expect("is read");
        }
        writer.finish().expect("is written");
    }
}

/// A kind of value: the column's type and two values that differ, on SQLite, PostgreSQL and MariaDB.
struct Case {
    name: &'static str,
    types: [&'static str; 3],
    one: [&'static str; 3],
    other: [&'static str; 3],
}

const fn case(name: &'static str, types: [&'static str; 3], one: [&'static str; 3], other: [&'static str; 3]) -> Case {
    Case { name, types, one, other }
}

const CASES: &[Case] = &[
    case("f119_int", ["INTEGER", "int", "int"], ["1"; 3], ["-2147483648"; 3]),
    case("f119_big", ["INTEGER", "bigint", "bigint"], ["9007199254740993"; 3], ["-9223372036854775808"; 3]),
    case("f120_decimal", ["DECIMAL(20,4)", "numeric(20,4)", "decimal(20,4)"], ["1.1", "1.1000", "1.10"], ["-7.25"; 3]),
    case(
        "f120_wide",
        ["TEXT", "numeric(38,10)", "decimal(38,10)"],
        ["'1234567890123456789012345678.0123456789'"; 3],
        ["'0.0000000001'"; 3],
    ),
    case("f121_float", ["REAL", "double precision", "double"], ["0.1"; 3], ["-1.5e300"; 3]),
    case("f127_flag", ["BOOLEAN", "boolean", "boolean"], ["1", "true", "1"], ["0", "false", "0"]),
    case("f114_text", ["TEXT", "text", "text"], ["'a ''b'' \u{1F600} e\u{301}'"; 3], ["'\u{e9}'"; 3]),
    case("f117_space", ["TEXT", "text", "text"], ["'a  '"; 3], ["'a'"; 3]),
    case("f132_empty", ["TEXT", "text", "text"], ["''"; 3], ["NULL"; 3]),
    case("f118_short", ["VARCHAR(10)", "varchar(10)", "varchar(10)"], ["'0123456789'"; 3], ["'x'"; 3]),
    case("f129_bytes", ["BLOB", "bytea", "blob"], ["x'00ff0a'", "'\\x00ff0a'", "x'00ff0a'"], ["x''", "''", "x''"]),
    case("f128_json", ["JSON", "jsonb", "json"], ["'{\"b\": [1, 2.50, null], \"a\": \"x\"}'"; 3], ["'[]'"; 3]),
    case(
        "f124_clock",
        ["DATETIME", "timestamp(3)", "datetime(3)"],
        ["'2024-01-15 10:30:00.123'"; 3],
        ["'1999-12-31 23:59:59.999'"; 3],
    ),
    case(
        "f123_instant",
        ["DATETIME", "timestamptz(3)", "timestamp(3) NULL"],
        ["'2024-01-15T10:30:00.123Z'", "'2024-01-15 10:30:00.123+00'", "FROM_UNIXTIME(1705314600.123)"],
        ["'2024-07-01T00:00:00.000Z'", "'2024-07-01 05:45:00+05:45'", "FROM_UNIXTIME(1719792000)"],
    ),
    case("f122_date", ["DATE", "date", "date"], ["'2024-02-29'"; 3], ["'1000-01-01'"; 3]),
    case("f122_time", ["TIME", "time(3)", "time(3)"], ["'10:30:00.500'"; 3], ["'23:59:59.999'"; 3]),
    case(
        "f130_uuid",
        ["UUID", "uuid", "uuid"],
        ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"; 3],
        ["'ffffffff-ffff-4fff-8fff-ffffffffffff'"; 3],
    ),
    case("f130_enum", ["TEXT", "mood", "enum('sad','ok')"], ["'sad'"; 3], ["'ok'"; 3]),
];

/// Makes a database: record 1 is always the one value; of the others the origin has what current is to get.
fn filled(engine: usize, is_origin: bool) -> Current {
    let mut sql = String::new();
    if engine == 1 {
        sql.push_str("CREATE TYPE mood AS ENUM ('sad', 'ok');");
    }
    for Case { name, types, one, other } in CASES {
        let (one, other) = (one[engine], other[engine]);
        sql.push_str(&format!("CREATE TABLE {name} (id int PRIMARY KEY, v {});", types[engine]));
        sql.push_str(&if is_origin {
            format!("INSERT INTO {name} VALUES (1, {one}), (2, {one}), (3, {other});")
        } else {
            format!("INSERT INTO {name} VALUES (1, {one}), (2, {other});")
        });
    }
    Current::new(engine, &sql)
}

/// Returns the values of a table's records in a content, by their keys.
fn values(content: &[String], table: &str) -> Vec<String> {
    let prefix = format!("{table}: ");
    let of_table = content.iter().filter_map(|line| line.strip_prefix(&prefix));
    of_table.map(|line| line.split_once(',').expect("two columns").1.to_owned()).collect()
}

#[test]
fn every_kind_of_value_survives_between_every_pair_of_engines() {
    let folder = tempfile::tempdir().expect("a folder");
    let backups: Vec<_> = (0..3)
        .map(|engine| {
            let path = folder.path().join(format!("{engine}.json"));
            filled(engine, true).back_up(&path);
            path
        })
        .collect();
    let mut wrong = Vec::new();
    for (engine, into) in ENGINES.iter().enumerate() {
        let current = filled(engine, false);
        let before = current.content();
        for (origin, backup) in backups.iter().enumerate() {
            let pair = format!("{} into {into}", ENGINES[origin]);
            let mut plan = current.analyze(backup, "backup-wins");
            let seen = listed(&plan);
            let mut blocked = Vec::new();
            for Case { name, .. } in CASES {
                let of_case: Vec<&String> = seen.iter().filter(|l| l.starts_with(&format!("{name}/"))).collect();
                let is = |position: usize, start: String, classes: &[&str]| {
                    of_case.get(position).is_some_and(|l| {
                        l.strip_prefix(&start).is_some_and(|rest| classes.iter().any(|c| rest.starts_with(c)))
                    })
                };
                let fits = of_case.len() == 2
                    && is(0, format!("{name}/2 "), &["conflict", "updated"])
                    && is(1, format!("{name}/3 "), &["new"]);
                if !fits {
                    wrong.push(format!("{pair}: {of_case:?}"));
                    blocked.push(*name);
                }
            }
            let merged = match current.merge(&mut plan) {
                Ok(merged) => merged,
                Err(error) => {
                    wrong.push(format!("{pair}: {error:?} {:?}", error.detail_lines()));
                    continue;
                }
            };
            let after = current.content();
            for Case { name, .. } in CASES.iter().filter(|c| !blocked.contains(&c.name)) {
                let (was, is) = (values(&before, name), values(&after, name));
                // The engine's own text of the very same values; SQLite keeps the spelling it is given, and JSON has
                // been through another engine's idea of order and spaces.
                let expected = [was[0].clone(), was[0].clone(), was[1].clone()];
                if engine != 0 && *name != "f128_json" && is != expected {
                    wrong.push(format!("{pair}: {name}: {is:?} instead of {expected:?}"));
                }
            }
            let again = listed(&current.analyze(backup, "backup-wins"));
            let left: Vec<&String> =
                again.iter().filter(|l| !blocked.iter().any(|b| l.starts_with(&format!("{b}/")))).collect();
            if !left.is_empty() {
                wrong.push(format!("{pair}: analyzed again: {left:?}"));
            }
            current.undo(&merged.merge).expect("undoes");
            assert_eq!(current.content(), before, "{pair}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A value that not every engine can hold: type and value by engine; no value where it can't.
type Narrow = (&'static str, [&'static str; 3], [Option<&'static str>; 3]);

const NARROW: &[Narrow] = &[
    ("f110_nul", ["TEXT", "text", "text"], [Some("CAST(x'610062' AS TEXT)"), None, Some("x'610062'")]),
    (
        "f119_unsigned",
        ["TEXT", "bigint", "bigint unsigned"],
        [Some("'18446744073709551615'"), None, Some("18446744073709551615")],
    ),
    ("f121_infinite", ["REAL", "double precision", "double"], [Some("9e999"), Some("'Infinity'"), None]),
    ("f122_forever", ["DATETIME", "timestamp", "datetime"], [None, Some("'infinity'"), None]),
    ("f122_far", ["DATE", "date", "date"], [None, Some("'12345-01-01'"), None]),
    ("f118_long", ["TEXT", "varchar(3)", "text"], [Some("'longer'"), None, Some("'longer'")]),
    ("f120_digits", ["TEXT", "numeric", "decimal(10,2)"], [Some("'123.456'"), Some("123.456"), None]),
    (
        "f115_narrow",
        ["TEXT", "text", "varchar(20) CHARACTER SET utf8mb3"],
        [Some("'\u{1F600}'"), Some("'\u{1F600}'"), None],
    ),
    ("f119_small", ["INTEGER", "int", "smallint"], [Some("70000"), Some("70000"), None]),
    ("f65_required", ["INTEGER", "int NOT NULL", "int"], [Some("NULL"), None, Some("NULL")]),
];

#[test]
fn what_an_engine_can_not_hold_is_blocked_at_the_analysis() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |engine: usize, is_origin: bool| {
        let mut sql = String::new();
        for (name, types, values) in NARROW {
            sql.push_str(&format!("CREATE TABLE {name} (id int PRIMARY KEY, v {});", types[engine]));
            if let (true, Some(value)) = (is_origin, values[engine]) {
                sql.push_str(&format!("INSERT INTO {name} VALUES (1, {value});"));
            }
        }
        Current::new(engine, &sql)
    };
    let mut wrong = Vec::new();
    for origin in 0..3 {
        let backup = folder.path().join(format!("{origin}.json"));
        make(origin, true).back_up(&backup);
        for engine in 0..3 {
            let current = make(engine, false);
            let pair = format!("{} into {}", ENGINES[origin], ENGINES[engine]);
            let mut plan = current.analyze(&backup, "backup-wins");
            let seen = listed(&plan);
            for (name, _, values) in NARROW.iter().filter(|(_, _, values)| values[origin].is_some()) {
                let class = if values[engine].is_some() { "new" } else { "blocked" };
                // SQLite holds anything as text.
                let class = if engine == 0 { "" } else { class };
                if !seen.iter().any(|l| l.starts_with(&format!("{name}/1 {class}"))) {
                    let found: Vec<_> = seen.iter().filter(|l| l.starts_with(name)).collect();
                    wrong.push(format!("{pair}: {name} is not {class}: {found:?}"));
                }
            }
            match current.merge(&mut plan) {
                Ok(merged) if merged.changed => {
                    let left: Vec<String> = listed(&current.analyze(&backup, "backup-wins"))
                        .into_iter()
                        .filter(|l| !l.contains(" blocked "))
                        .collect();
                    if !left.is_empty() {
                        wrong.push(format!("{pair}: analyzed again: {left:?}"));
                    }
                }
                Ok(_) => {}
                Err(error) => wrong.push(format!("{pair}: {error:?} {:?}", error.detail_lines())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn f43_records_without_a_key_are_taken_back_one_by_one() {
    for engine in 0..ENGINES.len() {
        let text = ["TEXT", "text", "text"][engine];
        let current = Current::new(
            engine,
            &format!(
                "CREATE TABLE notes (n INTEGER, body {text}); INSERT INTO notes VALUES (1, 'a'), (1, 'a'), (2, NULL)"
            ),
        );
        let before = current.content();
        let records = serde_json::json!([
            {"n": 1, "body": "a"}, {"n": 1, "body": "a"}, {"n": 1, "body": "a"}, {"n": 1, "body": "A"},
            {"n": 2, "body": null}, {"n": 3, "body": "x  "}, {"n": null, "body": "x"}]);
        let backup = current.world().backup("keyless.json", &[("notes", records)]);
        let mut plan = current.analyze(&backup, "backup-wins");
        let merged = current.merge(&mut plan).expect("merges");
        assert_eq!(merged.counts.inserted, 4, "engine {engine}");
        let undone = current.undo(&merged.merge).expect("is taken back");
        assert_eq!((undone.counts.deleted, undone.left_out.len()), (4, 0), "engine {engine}");
        assert_eq!(current.content(), before, "engine {engine}");
    }
}
