//! A slow, obviously right analysis in plain maps, and thousands of generated worlds in which both must agree.

use crate::world::World;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::{Decision, Outcome, Selector};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// A record's fields by name; a missing name is an absent field.
type Record = BTreeMap<&'static str, Json>;
/// The records of a table by key.
type Table = BTreeMap<i64, Record>;

#[derive(Clone, Debug, Default)]
struct State {
    groups: Table,
    items: Table,
}

/// With or without a timestamp column.
const SCHEMAS: [&str; 2] = [
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE items (id INTEGER PRIMARY KEY, group_id INTEGER REFERENCES groups(id), code TEXT UNIQUE, a TEXT, b INTEGER);",
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE items (id INTEGER PRIMARY KEY, group_id INTEGER REFERENCES groups(id), code TEXT UNIQUE, a TEXT, b INTEGER, updated_at TEXT);",
];

fn any_of(values: &'static [Json]) -> impl Strategy<Value = Json> {
    (0..values.len()).prop_map(move |i| values[i].clone())
}

fn values(texts: &[&str]) -> &'static [Json] {
    let list: Vec<Json> = texts.iter().map(|t| serde_json::from_str(t).expect("JSON")).collect();
    Box::leak(list.into_boxed_slice())
}

fn item(timestamped: bool, partial: bool) -> impl Strategy<Value = Record> {
    let stamp = if timestamped {
        values(&[
            "null",
            "\"2024-01-01T00:00:00Z\"",
            "\"2024-01-01T00:00:01Z\"",
            "\"2024-02-01 00:00:00\"",
            "\"soon\"",
            "\"2999-01-01T00:00:00Z\"",
        ])
    } else {
        values(&["null"])
    };
    let field = move |texts: &[&str]| {
        let chosen = any_of(values(texts));
        (chosen, if partial { 0..5u8 } else { 1..2u8 }).prop_map(|(v, drop)| (drop > 0).then_some(v))
    };
    (
        field(&["null", "1", "2", "3"]),
        field(&["null", "null", "\"k1\"", "\"k2\"", "\"k3\""]),
        field(&["null", "\"x\"", "\"y\""]),
        field(&["null", "0", "1"]),
        any_of(stamp),
    )
        .prop_map(move |(group, code, a, b, stamp)| {
            let mut record = Record::new();
            for (name, value) in [("group_id", group), ("code", code), ("a", a), ("b", b)] {
                record.extend(value.map(|v| (name, v)));
            }
            if timestamped {
                record.insert("updated_at", stamp);
            }
            record
        })
}

fn state(timestamped: bool, partial: bool) -> impl Strategy<Value = State> {
    let group = any_of(values(&["null", "\"g\"", "\"h\""])).prop_map(|name| Record::from([("name", name)]));
    (
        prop::collection::btree_map(1..4i64, group, 0..4),
        prop::collection::btree_map(1..6i64, item(timestamped, partial), 0..6),
    )
        .prop_map(|(groups, items)| State { groups, items })
}

/// Makes a state that a database can hold: no reference to nothing, no unique key twice.
fn sound(mut state: State) -> State {
    let mut codes = Vec::new();
    for item in state.items.values_mut() {
        if item["group_id"].as_i64().is_some_and(|g| !state.groups.contains_key(&g)) {
            item.insert("group_id", Json::Null);
        }
        if !item["code"].is_null() {
            if codes.contains(&item["code"]) {
                item.insert("code", Json::Null);
            }
            codes.push(item["code"].clone());
        }
    }
    state
}

fn json_of(table: &Table) -> Json {
    let records = table.iter().map(|(id, record)| {
        let mut object: Map<String, Json> = record.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        object.insert("id".to_owned(), json!(id));
        Json::Object(object)
    });
    Json::Array(records.collect())
}

fn insert_sql(state: &State) -> String {
    let mut sql = String::new();
    for (name, table) in [("groups", &state.groups), ("items", &state.items)] {
        for (id, record) in table {
            let text =
                |v: &Json| if v.is_string() { format!("'{}'", v.as_str().unwrap_or_default()) } else { v.to_string() };
            let names: Vec<&str> = record.keys().copied().collect();
            let cells: Vec<String> = record.values().map(text).collect();
            sql.push_str(&format!(
                "INSERT INTO {name} (id, {}) VALUES ({id}, {});\n",
                names.join(", "),
                cells.join(", ")
            ));
        }
    }
    sql
}

/// Seconds of a timestamp of the generator's, `Err` for one that can't be read.
fn seconds(stamp: &Json) -> Result<i64, ()> {
    match stamp.as_str() {
        Some("2024-01-01T00:00:00Z") => Ok(0),
        Some("2024-01-01T00:00:01Z") => Ok(1),
        Some("2024-02-01 00:00:00") => Ok(31 * 86_400),
        Some("2999-01-01T00:00:00Z") => Ok(i64::MAX / 2),
        _ => Err(()),
    }
}

/// The compared fields in which the backup has an opinion and differs.
fn differing<'a>(current: &Record, backup: &'a Record) -> Vec<&'a str> {
    backup.iter().filter(|(k, v)| **k != "updated_at" && current.get(*k) != Some(v)).map(|(k, _)| *k).collect()
}

fn two_way(current: &Record, backup: &Record) -> (&'static str, &'static str) {
    let fields = differing(current, backup);
    if fields.is_empty() {
        return ("unchanged", "same_fields");
    }
    let (Some(c), Some(b)) = (current.get("updated_at"), backup.get("updated_at")) else {
        let fills = fields.iter().all(|f| current[f].is_null());
        return if fills { ("updated", "fills_empty") } else { ("conflict", "both_differ") };
    };
    if c.is_null() || b.is_null() {
        return ("conflict", "no_evidence_missing");
    }
    match (seconds(c), seconds(b)) {
        (Ok(c), Ok(b)) if (c - b).abs() <= 2 => ("conflict", "no_evidence_equal"),
        (Ok(c), Ok(b)) if c.max(b) > 1_000_000_000 => ("conflict", "no_evidence_future"),
        (Ok(c), Ok(b)) if b > c => ("updated", "backup_newer"),
        (Ok(_), Ok(_)) => ("conflict", "current_newer"),
        _ => ("conflict", "no_evidence_unreadable"),
    }
}

fn three_way(base: &Record, current: &Record, backup: &Record) -> (&'static str, &'static str) {
    let (mut take, mut conflict, mut current_changed, mut differs) = (false, false, false, false);
    for name in ["name", "group_id", "code", "a", "b"] {
        let Some(c) = current.get(name) else { continue };
        let o = base.get(name);
        let changed_here = o.is_some_and(|o| o != c);
        current_changed |= changed_here;
        let Some(b) = backup.get(name) else { continue };
        if c == b {
            continue;
        }
        differs = true;
        match o {
            None => conflict = true,
            Some(o) if o == b => {}
            Some(_) if changed_here => conflict = true,
            Some(_) => take = true,
        }
    }
    match (take, conflict) {
        (_, true) => ("conflict", "both_changed"),
        (true, false) if current_changed => ("updated", "merged_fields"),
        (true, false) => ("updated", "only_backup_changed"),
        (false, false) if differs => ("unchanged", "only_current_changed"),
        (false, false) => ("unchanged", "same_fields"),
    }
}

type Classes = BTreeMap<(&'static str, i64), (&'static str, &'static str)>;

fn classify_table(name: &'static str, base: Option<&Table>, current: &Table, backup: &Table, classes: &mut Classes) {
    for (id, b) in backup {
        let o = base.and_then(|base| base.get(id));
        let found = match (o, current.get(id)) {
            (Some(o), Some(c)) => three_way(o, c, b),
            (None, Some(c)) => two_way(c, b),
            (Some(o), None) if differing(o, b).iter().all(|f| !o.contains_key(f)) => {
                ("unchanged", "deleted_in_current")
            }
            (Some(_), None) => ("conflict", "deleted_in_current"),
            (None, None) => ("new", "only_in_backup"),
        };
        classes.insert((name, *id), found);
    }
}

/// The whole analysis, by the rules of the design and nothing else.
fn oracle(base: Option<&State>, current: &State, backup: &State) -> Classes {
    let mut classes = Classes::new();
    classify_table("groups", base.map(|b| &b.groups), &current.groups, &backup.groups, &mut classes);
    classify_table("items", base.map(|b| &b.items), &current.items, &backup.items, &mut classes);
    let arrives = |classes: &Classes, id: i64| matches!(classes.get(&("items", id)), Some(("new" | "updated", _)));
    let after = |id: i64, field: &str| {
        backup
            .items
            .get(&id)
            .and_then(|r| r.get(field))
            .or_else(|| current.items.get(&id).and_then(|r| r.get(field)))
            .cloned()
            .unwrap_or(Json::Null)
    };
    let brings = |id: i64, field: &str| {
        let c = current.items.get(&id).and_then(|r| r.get(field));
        let b = backup.items.get(&id).and_then(|r| r.get(field));
        // With a base, a field that only current changed is not brought.
        let o = base.and_then(|s| s.items.get(&id)).and_then(|r| r.get(field));
        b.is_some() && b != c && (c.is_none() || o.is_none() || o != b)
    };
    // Two records of the backup that claim one code block each other.
    let ids: Vec<i64> = backup.items.keys().copied().collect();
    let claimants: Vec<i64> = ids
        .iter()
        .copied()
        .filter(|&id| arrives(&classes, id) && brings(id, "code") && !after(id, "code").is_null())
        .collect();
    for &id in &claimants {
        if claimants.iter().any(|&other| other != id && after(other, "code") == after(id, "code")) {
            classes.insert(("items", id), ("blocked", "unique_twice_in_backup"));
        }
    }
    loop {
        let mut changed = false;
        // Unique keys to their end, then parents: a record that lacks both has the first reason.
        loop {
            let held: Vec<i64> = ids
                .iter()
                .copied()
                .filter(|&id| {
                    let code = after(id, "code");
                    if !arrives(&classes, id) || !brings(id, "code") || code.is_null() {
                        return false;
                    }
                    let holder = current.items.iter().find(|(other, r)| **other != id && r["code"] == code);
                    !holder.is_none_or(|(h, _)| match classes.get(&("items", *h)) {
                        Some(("updated", _)) => brings(*h, "code"),
                        Some(("conflict", reason)) => *reason != "unique_taken" && brings(*h, "code"),
                        _ => false,
                    })
                })
                .collect();
            if held.is_empty() {
                break;
            }
            changed = true;
            for id in held {
                classes.insert(("items", id), ("conflict", "unique_taken"));
            }
        }
        for &id in &ids {
            let group = after(id, "group_id");
            if !arrives(&classes, id) || !brings(id, "group_id") || group.is_null() {
                continue;
            }
            let group = group.as_i64().unwrap_or_default();
            let there = current.groups.contains_key(&group)
                || matches!(classes.get(&("groups", group)), Some(("new" | "conflict", _)));
            if !there {
                classes.insert(("items", id), ("blocked", "missing_parent"));
                changed = true;
            }
        }
        if !changed {
            return classes;
        }
    }
}

/// Runs one world through analysis, dry run, merge, second analysis and undo.
fn check(timestamped: bool, base: Option<State>, current: State, backup: State, strategy: &str) {
    let schema = SCHEMAS[usize::from(timestamped)];
    let world = World::new(&format!("{schema}{}", insert_sql(&current)));
    let tables = |s: &State| [("items", json_of(&s.items)), ("groups", json_of(&s.groups))];
    world.backup("b.json", &tables(&backup));
    if let Some(base) = &base {
        world.backup("o.json", &tables(base));
    }
    let before = world.content();
    let base_name = base.as_ref().map(|_| "o.json");
    let (mut plan, _) = world.analyze("b.json", base_name, strategy, Options::default()).expect("analyzes");

    let expected = oracle(base.as_ref(), &current, &backup);
    let changed: BTreeMap<(String, i64), (String, String)> = expected
        .iter()
        .filter(|(_, (class, _))| *class != "unchanged")
        .map(|((t, id), (class, reason))| (((*t).to_owned(), *id), ((*class).to_owned(), (*reason).to_owned())))
        .collect();
    let mut found = BTreeMap::new();
    plan.each(&Selector::default(), &mut |record| {
        let table = plan.meta().schema.tables[record.finding.table].label();
        let key = merganser::model::Key(record.finding.key.clone()).to_string().parse().expect("a number");
        found.insert((table, key), (record.finding.class.word(), record.finding.reason.word()));
        Ok(())
    })
    .expect("reads");
    assert_eq!(found, changed, "classes");
    let counts = plan.meta().counts();
    let of = |class: &str| expected.values().filter(|(c, _)| *c == class).count() as u64;
    assert_eq!(
        (counts.new, counts.updated, counts.conflict, counts.unchanged, counts.blocked),
        (of("new"), of("updated"), of("conflict"), of("unchanged"), of("blocked"))
    );
    assert_eq!(counts.backup_records(), (backup.groups.len() + backup.items.len()) as u64);

    // What nobody can decide is skipped by a person.
    let mut undecided = Vec::new();
    let selector = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
    plan.each(&selector, &mut |r| {
        undecided.push(r);
        Ok(())
    })
    .expect("reads");
    plan.together(|p| undecided.iter().try_for_each(|r| p.decide(r, Some(Decision::Skip), "t", "t"))).expect("decides");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    let (preview, _) = plan.settle(&merganser::progress::Quiet).expect("settles");

    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Skip).expect("runs dry");
    assert_eq!(world.content(), before, "a dry run changes nothing");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(preview, dry.counts, "preview and dry run");
    assert_eq!(dry.counts, merged.counts, "dry run and merge");
    assert_eq!(world.value("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    if strategy == "backup-wins" {
        written_as_meant(&world, &plan, &backup, base.is_some());
    }
    if base.is_none() {
        let (again, _) = world.analyze("b.json", None, strategy, Options::default()).expect("analyzes again");
        let mut left = Vec::new();
        again
            .each(&Selector::default(), &mut |r| {
                left.push(r.conflict_id);
                Ok(())
            })
            .expect("reads");
        plan.each(&Selector::default(), &mut |r| {
            let done = r.outcome.is_some_and(Outcome::writes) && strategy == "backup-wins";
            assert!(!done || !left.contains(&r.conflict_id), "{:?} is written and still differs", r.finding);
            Ok(())
        })
        .expect("reads");
    }
    if merged.changed {
        let undone = world.undo(&merged.merge).expect("undoes");
        assert_eq!(undone.counts.writes(), merged.counts.writes());
    }
    assert_eq!(world.content(), before, "undo gives everything back");
}

/// Every record that backup-wins wrote holds the backup's fields, where the backup has an opinion.
fn written_as_meant(world: &World, plan: &merganser::plan::Plan, backup: &State, based: bool) {
    plan.each(&Selector::default(), &mut |r| {
        if !r.outcome.is_some_and(Outcome::writes) || based {
            return Ok(());
        }
        let name = plan.meta().schema.tables[r.finding.table].label();
        let id: i64 = merganser::model::Key(r.finding.key.clone()).to_string().parse().expect("a number");
        let table = if name == "items" { &backup.items } else { &backup.groups };
        for (field, value) in &table[&id] {
            if *field == "updated_at" {
                continue;
            }
            let text = value
                .as_str()
                .map_or_else(|| if value.is_null() { "NULL".to_owned() } else { value.to_string() }, str::to_owned);
            assert_eq!(
                world.value(&format!("SELECT {field} FROM {name} WHERE id = {id}")),
                text,
                "{name}/{id}.{field}"
            );
        }
        Ok(())
    })
    .expect("reads");
}

const STRATEGIES: [&str; 5] = ["backup-wins", "current-wins", "merge-fields", "newest-wins", "recover-deleted"];

fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("MERGANSER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn generated_worlds_agree_without_a_base((stamped, current, backup, strategy) in any::<bool>().prop_flat_map(|stamped| {
        (Just(stamped), state(stamped, false), state(stamped, true), 0..STRATEGIES.len())
    })) {
        check(stamped, None, sound(current), backup, STRATEGIES[strategy]);
    }

    #[test]
    fn generated_worlds_agree_with_a_base((stamped, base, current, backup, strategy) in any::<bool>().prop_flat_map(|stamped| {
        (Just(stamped), state(stamped, false), state(stamped, false), state(stamped, true), 0..STRATEGIES.len())
    })) {
        check(stamped, Some(base), sound(current), backup, STRATEGIES[strategy]);
    }
}

#[test]
fn all_small_worlds_agree() {
    // Two keys × two values (or no record) × three sides: 3^6 worlds.
    let side = |n: usize| {
        let mut items = Table::new();
        for (key, choice) in [(1, n % 3), (2, n / 3)] {
            if choice > 0 {
                let a = json!(if choice == 1 { "x" } else { "y" });
                items.insert(
                    key,
                    Record::from([("group_id", Json::Null), ("code", Json::Null), ("a", a), ("b", Json::Null)]),
                );
            }
        }
        State { groups: Table::new(), items }
    };
    for world in 0..729 {
        check(false, Some(side(world / 81)), side(world / 9 % 9), side(world % 9), "backup-wins");
    }
}
