//! Tests of the analyzer's parts: the complete truth table of the classification, bounded exhaustive joins, conditions,
//! and the order of tables.

mod verdicts;

use super::classify::{Deletes, Rules, Sides, Verdict, classify};
use super::filter::Filter;
use super::join::{Join, Side};
use super::rows::{Batch, Form, RowEncoder};
use super::{graph, mapping};
use crate::backup::Place;
use crate::model::calendar::parse_timestamp;
use crate::model::change::{Class, Reason};
use crate::model::schema::{Column, Engine, ForeignKey, Generated, Schema, Storage, Table, Unique};
use crate::model::{Cell, ColumnType, encode};
use std::collections::BTreeMap;

fn column(name: &str, ty: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        declared: String::new(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Default::default(),
        enforced: false,
        ty,
    }
}

fn table(name: &str, columns: &[(&str, ColumnType)]) -> Table {
    Table {
        schema: None,
        name: name.to_owned(),
        columns: columns.iter().map(|(n, ty)| column(n, ty.clone())).collect(),
        key: vec![0],
        key_is_primary: true,
        uniques: vec![unique(&[0])],
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        timestamp: None,
        refused: None,
        notes: Vec::new(),
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    }
}

fn unique(columns: &[usize]) -> Unique {
    Unique {
        name: "u".to_owned(),
        columns: columns.to_vec(),
        predicate: None,
        nulls_equal: false,
        deferrable: false,
        reads: Vec::new(),
    }
}

fn refers(column: usize, to: usize) -> ForeignKey {
    ForeignKey {
        name: "f".to_owned(),
        columns: vec![column],
        table: Some(to),
        table_name: String::new(),
        references: vec![0],
        deferrable: false,
        on_delete: String::new(),
        on_update: String::new(),
        declared: true,
        when: None,
    }
}

fn text() -> ColumnType {
    ColumnType::Text { max_chars: None }
}

/// `id`, `a`, `b`, and, where asked for, `updated_at`.
fn records(clock: Clock) -> Table {
    let mut columns = vec![("id", text()), ("a", text()), ("b", text())];
    if clock == Clock::Yes {
        columns.push(("updated_at", text()));
    }
    let mut table = table("t", &columns);
    table.timestamp = (clock == Clock::Yes).then_some(3);
    table
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Yes,
    No,
}

/// Encodes a record written as words: `-` is absent, `0` null, anything else text.
fn body(table: &Table, words: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (word, column) in words.split(' ').zip(&table.columns) {
        let cell = match word {
            "-" => Cell::Absent,
            "0" => Cell::Null,
            word => Cell::String(word),
        };
        encode::encode(cell, column, &mut out);
    }
    out
}

fn rules() -> Rules {
    Rules {
        created: None,
        tolerance_nanos: 2_000_000_000,
        now: parse_timestamp("2025-01-01T00:00:00Z").expect("an instant"),
        strict: false,
        deletes: Deletes::Keep,
    }
}

fn judged(
    table: &Table,
    base: Option<Option<&str>>,
    current: Option<&str>,
    backup: Option<&str>,
    rules: &Rules,
) -> Verdict {
    let encoded = |words: &str| body(table, words);
    let base_body = base.flatten().map(encoded);
    let (current, backup) = (current.map(encoded), backup.map(encoded));
    let sides = Sides {
        base: base.map(|_| base_body.as_deref()),
        current: current.as_deref(),
        backup: backup.as_deref(),
        backup_whole: true,
        backup_deleted: false,
    };
    classify(table, &vec![true; table.columns.len()], &sides, rules)
}

fn word(verdict: &Verdict) -> String {
    format!("{} {}", verdict.class, verdict.reason)
}

#[test]
fn the_two_way_table() {
    let (plain, clocked) = (records(Clock::No), records(Clock::Yes));
    let cases = [
        // current, backup, expected; without a timestamp column
        (None, Some("1 x y"), "new only_in_backup"),
        (Some("1 x y"), None, "current_only only_in_current"),
        (Some("1 x y"), Some("1 x y"), "unchanged same_fields"),
        (Some("1 x y"), Some("1 x -"), "unchanged same_fields"),
        (Some("1 x y"), Some("1 - -"), "unchanged same_fields"),
        (Some("1 0 0"), Some("1 0 0"), "unchanged same_fields"),
        (Some("1 0 y"), Some("1 x y"), "updated fills_empty"),
        (Some("1 0 0"), Some("1 x y"), "updated fills_empty"),
        (Some("1 0 y"), Some("1 x z"), "conflict both_differ"),
        (Some("1 x y"), Some("1 0 y"), "conflict both_differ"),
        (Some("1 x y"), Some("1 z -"), "conflict both_differ"),
        // with one
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 x y 2024-06-01T00:00:00Z"), "unchanged same_fields"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y 2024-06-01T00:00:00Z"), "updated backup_newer"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y 2024-01-01T00:00:02.001Z"), "updated backup_newer"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y 2024-01-01T00:00:02.000Z"), "conflict no_evidence_equal"),
        (Some("1 x y 2024-01-01T00:00:02.000Z"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict no_evidence_equal"),
        (Some("1 x y 2024-01-01T00:00:03Z"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict current_newer"),
        (Some("1 x y 2024-01-01T01:00:00+01:00"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict no_evidence_equal"),
        (Some("1 x y 0"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict no_evidence_missing"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y -"), "conflict no_evidence_missing"),
        (Some("1 x y soon"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict no_evidence_unreadable"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y 2025-01-01T00:00:02Z"), "updated backup_newer"),
        (Some("1 x y 2024-01-01T00:00:00Z"), Some("1 z y 2025-01-01T00:00:03Z"), "conflict no_evidence_future"),
        (Some("1 x y 2030-01-01T00:00:00Z"), Some("1 z y 2024-01-01T00:00:00Z"), "conflict no_evidence_future"),
        // A clock that can't tell is no reason to call a filled gap safe: the table has one, and it says nothing.
        (Some("1 0 y 0"), Some("1 x y 2024-01-01T00:00:00Z"), "conflict no_evidence_missing"),
    ];
    for (current, backup, expected) in cases {
        let table = if current.or(backup).is_some_and(|w| w.split(' ').count() == 4) { &clocked } else { &plain };
        let verdict = judged(table, None, current, backup, &rules());
        assert_eq!(word(&verdict), expected, "current {current:?}, backup {backup:?}");
        let conflict = verdict.class == Class::Conflict;
        assert!(verdict.fields.iter().all(|f| f.in_conflict == (conflict && !f.is_timestamp)), "{verdict:?}");
    }
}

#[test]
fn the_three_way_table() {
    let table = records(Clock::No);
    let with = |deletes, strict| Rules { deletes, strict, ..rules() };
    let (keep, apply, mirror) = (with(Deletes::Keep, false), with(Deletes::Apply, false), with(Deletes::Mirror, false));
    let strict = with(Deletes::Keep, true);
    let (base, other, third) = (Some("1 x y"), Some("1 X y"), Some("1 x Y"));
    let cases = [
        // base, current, backup, rules, expected
        (base, base, base, &keep, "unchanged same_fields"),
        (base, base, other, &keep, "updated only_backup_changed"),
        (base, other, base, &keep, "unchanged only_current_changed"),
        (base, other, other, &keep, "unchanged same_fields"),
        (base, other, third, &keep, "updated merged_fields"),
        (base, other, third, &strict, "conflict merged_fields"),
        (base, other, Some("1 Z y"), &keep, "conflict both_changed"),
        (base, other, Some("1 Z Y"), &keep, "conflict both_changed"),
        (base, other, Some("1 0 y"), &keep, "conflict both_changed"),
        (base, other, Some("1 - Y"), &keep, "updated merged_fields"),
        (base, other, Some("1 - y"), &keep, "unchanged same_fields"),
        (base, None, base, &keep, "unchanged deleted_in_current"),
        (base, None, other, &keep, "conflict deleted_in_current"),
        (base, None, Some("1 - y"), &keep, "unchanged deleted_in_current"),
        (base, base, None, &keep, "current_only only_in_current"),
        (base, base, None, &apply, "current_only deleted_in_backup"),
        (base, other, None, &keep, "current_only only_in_current"),
        (base, other, None, &apply, "conflict deleted_in_backup"),
        (base, other, None, &mirror, "current_only not_in_backup"),
        (base, None, None, &apply, "unchanged same_fields"),
        (None, base, base, &keep, "unchanged same_fields"),
        (None, base, other, &keep, "conflict both_differ"),
        (None, Some("1 0 y"), other, &keep, "updated fills_empty"),
        (None, None, base, &keep, "new only_in_backup"),
        (None, base, None, &apply, "current_only only_in_current"),
        (None, base, None, &mirror, "current_only not_in_backup"),
    ];
    for (base, current, backup, rules, expected) in cases {
        let verdict = judged(&table, Some(base), current, backup, rules);
        assert_eq!(word(&verdict), expected, "base {base:?}, current {current:?}, backup {backup:?}, {rules:?}");
    }
    // Only the fields that both changed are in conflict.
    let verdict = judged(&table, Some(base), other, Some("1 Z Y"), &keep);
    assert_eq!(verdict.fields.iter().map(|f| (f.column, f.in_conflict)).collect::<Vec<_>>(), [(1, true), (2, false)]);
}

/// Every world of one record with two fields over absent, null and two values on three sides, against a few lines that
/// say the same field by field.
#[test]
fn all_small_three_way_worlds() {
    let table = records(Clock::No);
    let values = ["0", "p", "q"];
    let bodies: Vec<String> = values.iter().flat_map(|a| values.iter().map(move |b| format!("1 {a} {b}"))).collect();
    let carried: Vec<String> =
        ["-", "0", "p", "q"].iter().flat_map(|a| ["-", "0", "p", "q"].map(|b| format!("1 {a} {b}"))).collect();
    let part = |words: &str, c: usize| words.split(' ').nth(c).expect("a word").to_owned();
    let worlds = bodies.iter().flat_map(|base| {
        bodies.iter().flat_map({
            let carried = &carried;
            move |current| carried.iter().map(move |backup| (base, current, backup))
        })
    });
    for (base, current, backup) in worlds {
        let verdict = judged(&table, Some(Some(base)), Some(current), Some(backup), &rules());
        let (mut take, mut conflict, mut mine, mut differs) = (false, false, false, false);
        for column in [1, 2] {
            let (o, c, b) = (part(base, column), part(current, column), part(backup, column));
            mine |= o != c;
            if b == "-" || b == c {
                continue;
            }
            differs = true;
            conflict |= o != c && o != b;
            take |= o == c && o != b;
        }
        let expected = match (conflict, take, mine) {
            (true, _, _) => (Class::Conflict, Reason::BothChanged),
            (false, true, true) => (Class::Updated, Reason::MergedFields),
            (false, true, false) => (Class::Updated, Reason::OnlyBackupChanged),
            (false, false, _) if differs => (Class::Unchanged, Reason::OnlyCurrentChanged),
            (false, false, _) => (Class::Unchanged, Reason::SameFields),
        };
        assert_eq!((verdict.class, verdict.reason), expected, "base {base}, current {current}, backup {backup}");
        // Swapping the sides mirrors the classes (law 4), where the backup carries all fields.
        if !backup.contains('-') {
            let swapped = judged(&table, Some(Some(base)), Some(backup), Some(current), &rules());
            assert_eq!(swapped.class == Class::Conflict, verdict.class == Class::Conflict);
            let mirrored =
                [(Reason::OnlyBackupChanged, Reason::OnlyCurrentChanged), (Reason::SameFields, Reason::SameFields)];
            if let Some((_, other)) = mirrored.iter().find(|(one, _)| *one == verdict.reason) {
                assert_eq!(swapped.reason, *other, "base {base}, current {current}, backup {backup}");
            }
        }
    }
}

// ---- the join ----

/// Streams of `(key, content)`; content 0 stands for the row's only spelling.
type Stream = Vec<(u8, u8)>;

fn batches(table: &Table, stream: &Stream, size: usize) -> Vec<Batch> {
    let mut encoder = RowEncoder::new(table, Form::Canonical);
    let mut batches = Vec::new();
    for (at, (key, content)) in stream.iter().enumerate() {
        let (key, content) = (key.to_string(), content.to_string());
        let place = Place { record: at as u64 + 1, offset: None };
        batches.extend(encoder.push(&[Cell::String(&key), Cell::String(&content)], place));
        if (at + 1) % size == 0 {
            batches.extend(encoder.finish());
        }
    }
    batches.extend(encoder.finish());
    batches
}

/// The contents of each side that met.
type Together = [Option<(u8, u8)>; 3];

/// What met, as the contents of each side, sorted; `Err` where a key came twice with different content.
fn joined(
    streams: [Option<&Stream>; 3],
    keyless: bool,
    budget_bytes: usize,
    size: usize,
) -> Result<Vec<Together>, String> {
    let mut target = table("t", &[("k", text()), ("v", text())]);
    if keyless {
        target.key.clear();
    }
    let sides: Vec<Side> = Side::ALL.into_iter().filter(|&s| streams[s as usize].is_some()).collect();
    let mut open = streams.map(|s| s.map(|s| batches(&target, s, size).into_iter()));
    let mut found = Vec::new();
    let join = Join { sides, keyless, budget_bytes };
    let read = |row: super::rows::RowRef<'_>| {
        let digit = |c: usize| encode::split(row.body).nth(c).and_then(encode::decode).map(|v| v.to_string());
        let number = |c: usize| digit(c).and_then(|d| d.parse().ok()).expect("a digit");
        (number(0), number(1))
    };
    join.run("t", &mut |side| Ok(open[side as usize].as_mut().and_then(Iterator::next)), &mut |met| {
        found.push(met.rows.map(|row| row.map(read)));
        Ok(())
    })
    .map_err(|e| e.to_string())?;
    found.sort();
    Ok(found)
}

/// The same by plain maps, for keys that stand once on a side.
fn naive(streams: [Option<&Stream>; 3]) -> Vec<[Option<(u8, u8)>; 3]> {
    let mut keys: BTreeMap<u8, [Option<(u8, u8)>; 3]> = BTreeMap::new();
    for (side, stream) in streams.iter().enumerate() {
        for row in stream.iter().copied().flatten() {
            keys.entry(row.0).or_default()[side] = Some(*row);
        }
    }
    let mut rows: Vec<_> = keys.into_values().collect();
    rows.sort();
    rows
}

/// All orders of all subsets of the keys 1..=n.
fn streams(n: u8) -> Vec<Stream> {
    let mut found: Vec<Stream> = vec![Vec::new()];
    let mut grown = 0;
    while grown < found.len() {
        let stream = found[grown].clone();
        for key in 1..=n {
            if stream.iter().all(|(k, _)| *k != key) {
                found.push(stream.iter().copied().chain([(key, 0)]).collect());
            }
        }
        grown += 1;
    }
    found
}

const BUDGETS: [usize; 2] = [0, 1 << 20];

#[test]
fn two_streams_join_in_every_order() {
    let all = streams(3);
    for current in &all {
        for backup in &all {
            let sides = [None, Some(current), Some(backup)];
            let expected = naive(sides);
            for size in [1, 2] {
                assert_eq!(joined(sides, false, BUDGETS[1], size).as_ref(), Ok(&expected), "{current:?} {backup:?}");
            }
        }
    }
    // Spilling makes files; a part of the worlds is enough.
    for current in all.iter().step_by(3) {
        for backup in all.iter().step_by(6) {
            let sides = [None, Some(current), Some(backup)];
            assert_eq!(joined(sides, false, 0, 2).as_ref(), Ok(&naive(sides)), "{current:?} {backup:?} spilled");
        }
    }
}

#[test]
fn three_streams_join_in_every_order() {
    let all = streams(3);
    let few: Vec<&Stream> = all.iter().filter(|s| s.len() != 1).collect();
    for (position, base) in all.iter().enumerate() {
        for current in &few {
            for (other, backup) in few.iter().enumerate() {
                let sides = [Some(base), Some(*current), Some(*backup)];
                let expected = naive(sides);
                assert_eq!(
                    joined(sides, false, BUDGETS[1], 2).as_ref(),
                    Ok(&expected),
                    "{base:?} {current:?} {backup:?}"
                );
                if position % 5 == 3 && other % 6 == 2 && current.first() == Some(&(2, 0)) {
                    assert_eq!(
                        joined(sides, false, 0, 1).as_ref(),
                        Ok(&expected),
                        "{base:?} {current:?} {backup:?} spilled"
                    );
                }
            }
        }
    }
}

/// A key twice on the backup's side is never joined silently: an error, folded where identical, or handed on a second
/// time, where the check that follows looks at it.
#[test]
fn a_key_twice_is_refused_folded_or_seen_again() {
    let currents = streams(2);
    for budget in BUDGETS {
        for current in &currents {
            for backup in [[(1, 0), (2, 0), (1, 1)], [(1, 0), (1, 1), (2, 0)], [(2, 0), (1, 1), (1, 0)]] {
                let backup = backup.to_vec();
                let outcome = joined([None, Some(current), Some(&backup)], false, budget, 1);
                if let Ok(rows) = outcome {
                    let ones = rows.iter().filter(|r| r[2].is_some_and(|(k, _)| k == 1)).count();
                    assert_eq!(ones, 2, "{current:?} {backup:?}: one of two records vanished");
                }
            }
            let same = vec![(1, 0), (2, 0), (1, 0)];
            let rows = joined([None, Some(current), Some(&same)], false, budget, 1).expect("folds");
            let ones = rows.iter().filter(|r| r[2].is_some_and(|(k, _)| k == 1)).count();
            assert!((1..=2).contains(&ones), "{current:?}: {rows:?}");
        }
    }
}

/// Without a key, records are counted: as many meet as both sides have.
#[test]
fn multisets_join_by_count() {
    let mut all: Vec<Stream> = vec![Vec::new()];
    for length in 1..=4u32 {
        all.extend((0..2u32.pow(length)).map(|bits| (0..length).map(|i| ((bits >> i & 1) as u8, 0)).collect()));
    }
    for (position, current) in all.iter().enumerate() {
        for (other, backup) in all.iter().enumerate() {
            let count = |s: &Stream, k: u8| s.iter().filter(|r| r.0 == k).count();
            let mut expected = Vec::new();
            for key in 0..2u8 {
                let (c, b) = (count(current, key), count(backup, key));
                let row = Some((key, 0));
                expected.extend(std::iter::repeat_n([None, row, row], c.min(b)));
                expected.extend(std::iter::repeat_n([None, row, None], c.saturating_sub(b)));
                expected.extend(std::iter::repeat_n([None, None, row], b.saturating_sub(c)));
            }
            expected.sort();
            let sides = [None, Some(current), Some(backup)];
            assert_eq!(joined(sides, true, BUDGETS[1], 2).as_ref(), Ok(&expected), "{current:?} {backup:?}");
            if position % 8 == 4 && other % 7 == 3 {
                assert_eq!(joined(sides, true, 0, 2).as_ref(), Ok(&expected), "{current:?} {backup:?} spilled");
            }
        }
    }
}

// ---- conditions, order, names ----

#[test]
fn conditions_meet_what_they_say() {
    let integer = ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 };
    let table = table("t", &[("id", text()), ("status", text()), ("n", integer)]);
    let cases = [
        ("status = pending", "1 pending 5", true),
        ("status = 'pending' and n >= 5", "1 pending 5", true),
        ("status = \"pending\" and n > 5", "1 pending 5", false),
        ("n < 10", "1 x 9", true),
        ("n <= 9", "1 x 9", true),
        ("n != 9", "1 x 9", false),
        ("n <> 8", "1 x 9", true),
        ("n in (1, 9, 3)", "1 x 9", true),
        ("n in (1, 3)", "1 x 9", false),
        ("n is null", "1 x 0", true),
        ("n is null", "1 x -", true),
        ("n is not null", "1 x 9", true),
        ("n is not null", "1 x 0", false),
        ("n != 9", "1 x 0", false),
        ("n = 9", "1 x 0", false),
        ("Status = x", "1 x 0", true),
    ];
    for (condition, record, meets) in cases {
        let filter = Filter::parse(&table, condition).expect(condition);
        let body = body(&table, record);
        let values: Vec<&[u8]> = encode::split(&body).collect();
        assert_eq!(filter.meets(|c| values[c]), meets, "{condition} on {record}");
    }
    for bad in [
        "",
        "n",
        "n =",
        "n = 1 or n = 2",
        "n in 1",
        "n in (1",
        "nosuch = 1",
        "n is 1",
        "status = 'x",
        "n ~ 1",
        "= 1",
        "n = 1 and",
    ] {
        assert!(Filter::parse(&table, bad).is_err(), "{bad:?} was read");
    }
}

#[test]
fn tables_are_ordered_parents_first() {
    let make = |edges: &[(usize, usize)], n: usize| {
        let mut tables: Vec<Table> =
            (0..n).map(|i| table(&format!("t{i}"), &[("id", text()), ("r", text())])).collect();
        for &(child, parent) in edges {
            tables[child].foreign_keys.push(refers(1, parent));
        }
        Schema { engine: Engine::Sqlite, tables, left_out: Vec::new() }
    };
    // Every graph of three tables.
    for bits in 0..512u32 {
        let edges: Vec<(usize, usize)> =
            (0..9).filter(|i| bits >> i & 1 == 1).map(|i| (i as usize / 3, i as usize % 3)).collect();
        let schema = make(&edges, 3);
        let order = graph::order(&schema);
        assert_eq!(order, graph::order(&schema), "not stable");
        let mut sorted = order.tables.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2]);
        let at = |t: usize| order.tables.iter().position(|&x| x == t).expect("is there");
        let together = |a: usize, b: usize| order.cycles.iter().any(|c| c.contains(&a) && c.contains(&b));
        for &(child, parent) in edges.iter().filter(|(c, p)| c != p) {
            assert!(at(parent) < at(child) || together(child, parent), "{edges:?}: {order:?}");
        }
        for cycle in &order.cycles {
            let path = graph::describe_cycle(&schema, cycle);
            assert!(path.contains(" → "), "{edges:?}: {path}");
        }
    }
    let chain = make(&[(0, 1), (1, 2)], 4);
    assert_eq!(graph::with_ancestors(&chain, &[1]), [false, true, true, false]);
}

#[test]
fn names_are_matched_exactly_then_folded_then_refused() {
    let schema = Schema {
        engine: Engine::Sqlite,
        tables: ["room_allocations", "users", "Item", "items"]
            .iter()
            .map(|n| table(n, &[("id", text()), ("createdAt", text())]))
            .collect(),
        left_out: Vec::new(),
    };
    let mapping = mapping::Mapping::new(schema, &super::Options::default()).expect("maps");
    let position = |name: &str| match mapping.table(name) {
        mapping::Found::At(position) => Some(position),
        _ => None,
    };
    assert_eq!(position("RoomAllocation"), Some(0));
    assert_eq!(position("public.users"), Some(1));
    assert_eq!(position("User"), Some(1));
    assert_eq!((position("Item"), position("items")), (Some(2), Some(3)));
    assert_eq!(position("ITEMS"), None, "two tables fold to it");
    assert_eq!(position("Nobody"), None);
    assert!(matches!(mapping.column(0, "RoomAllocation", "created_at"), mapping::Found::At(1)));
    assert!(matches!(mapping.column(0, "RoomAllocation", "nosuch"), mapping::Found::Unknown(_)));
}
