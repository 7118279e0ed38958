//! What must be said of every record and left behind, by plain rules over maps.
//!
//! Which class fields and presence alone give is computed. What other records or constraints make of it is verified as a
//! claim: a record said to lack its parent must lack it, a unique value said to be taken must be.

use super::model::{Record, State, Table, UniqueKey, referred};
use super::{Place, World};
use merganser::analyzer::classify::Deletes;
use merganser::model::Key;
use merganser::plan::{Outcome, Plan, Stored};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Table position and key.
type Id = (usize, String);

fn id(world: &World, plan: &Plan, record: &Stored) -> Id {
    let label = plan.meta().schema.tables[record.finding.table].label();
    let table = world.tables.iter().position(|t| label.ends_with(&t.name)).expect("a table of the world");
    (table, Key(record.finding.key.clone()).to_string())
}

/// The fields in which the backup has an opinion and differs.
fn differing<'a>(table: &'a Table, current: &Record, backup: &Record) -> Vec<&'a str> {
    let names = table.columns[table.key..].iter().map(|c| c.name.as_str());
    names.filter(|n| backup.contains_key(*n) && backup.get(*n) != current.get(*n)).collect()
}

fn two_way(table: &Table, current: &Record, backup: &Record) -> &'static str {
    let fields = differing(table, current, backup);
    match fields.iter().all(|f| current[*f].is_null()) {
        _ if fields.is_empty() => "unchanged same_fields",
        true => "updated fills_empty",
        false => "conflict both_differ",
    }
}

fn three_way(table: &Table, base: &Record, current: &Record, backup: &Record) -> &'static str {
    let (mut take, mut conflict, mut here) = (false, false, false);
    for column in &table.columns[table.key..] {
        let (o, c, b) = (&base[&column.name], &current[&column.name], backup.get(&column.name));
        here |= o != c;
        match b {
            Some(b) if b != c && o != b && o != c => conflict = true,
            Some(b) if b != c && o == c => take = true,
            _ => {}
        }
    }
    match (take, conflict) {
        (_, true) => "conflict both_changed",
        (true, false) if here => "updated merged_fields",
        (true, false) => "updated only_backup_changed",
        (false, false) => "unchanged",
    }
}

/// What fields and presence alone say of every record that some side has.
fn expected(world: &World) -> BTreeMap<Id, &'static str> {
    let mut all = BTreeMap::new();
    for (at, table) in world.tables.iter().enumerate() {
        let of_base = |key: &str| world.base.as_ref().and_then(|b| b[at].get(key));
        for (key, b) in &world.backup[at] {
            let said = match (of_base(key), world.current[at].get(key)) {
                (Some(o), Some(c)) => three_way(table, o, c, b),
                (None, Some(c)) => two_way(table, c, b),
                (Some(o), None) if differing(table, o, b).is_empty() => "unchanged",
                (Some(_), None) => "conflict deleted_in_current",
                (None, None) => "new only_in_backup",
            };
            all.insert((at, key.clone()), said);
        }
        for (key, c) in world.current[at].iter().filter(|(key, _)| !world.backup[at].contains_key(*key)) {
            let said = match (world.deletes, of_base(key)) {
                (Deletes::Mirror, _) => "current_only not_in_backup",
                (Deletes::Apply, Some(o)) if o == c => "current_only deleted_in_backup",
                (Deletes::Apply, Some(_)) => "conflict deleted_in_backup",
                _ => "unchanged",
            };
            all.insert((at, key.clone()), said);
        }
    }
    all
}

/// The record as it would be with the backup's fields.
fn overlaid(world: &World, (at, key): &Id) -> Record {
    let mut record = world.current[*at].get(key).cloned().unwrap_or_default();
    record.extend(world.backup[*at].get(key).cloned().unwrap_or_default());
    record
}

/// The record as a merge of fields would leave it: what only current changed since the base stays.
fn merged(world: &World, id: &Id) -> Record {
    let mut record = overlaid(world, id);
    let (at, key) = id;
    let base = world.base.as_ref().and_then(|b| b[*at].get(key));
    if let (Some(o), Some(c)) = (base, world.current[*at].get(key)) {
        for (name, value) in c {
            if world.backup[*at].get(key).and_then(|b| b.get(name)) == o.get(name) {
                record.insert(name.clone(), value.clone());
            }
        }
    }
    record
}

/// Verifies what the analysis says of every record.
pub(super) fn classes(world: &World, plan: &Plan, found: &[Stored]) {
    let expected = expected(world);
    let mut said: BTreeMap<Id, String> = BTreeMap::new();
    for record in found {
        let line = format!("{} {}", record.finding.class, record.finding.reason);
        said.insert(id(world, plan, record), line);
    }
    for (id, wanted) in &expected {
        let line = said.remove(id).unwrap_or_else(|| "unchanged".to_owned());
        let name = format!("{}/{}", world.tables[id.0].name, id.1);
        if line.split(' ').next() == wanted.split(' ').next() && (line == *wanted || wanted.starts_with("unchanged")) {
            continue;
        }
        let reason = line.split(' ').nth(1).unwrap_or_default();
        assert!(claim(world, id, wanted, reason), "{name}: said to be {line:?}; fields and presence give {wanted:?}");
    }
    assert!(said.is_empty(), "records of no side: {said:?}");
    let records: usize = world.backup.iter().map(BTreeMap::len).sum();
    let lacking = found.iter().filter(|r| {
        let backup = &world.backup[id(world, plan, r).0];
        r.finding.class.word() == "conflict" && !backup.contains_key(&id(world, plan, r).1)
    });
    let counted = plan.meta().counts().backup_records() as usize;
    assert_eq!(counted, records + lacking.count(), "records of the backup that are counted");
}

/// Tells whether what other records or constraints are said to make of a record holds.
fn claim(world: &World, id: &Id, wanted: &str, reason: &str) -> bool {
    let (at, table) = (id.0, &world.tables[id.0]);
    let record = overlaid(world, id);
    let class = wanted.split(' ').next().unwrap_or_default();
    let arrives = matches!(class, "new" | "updated" | "conflict");
    let own = [record.clone(), merged(world, id)];
    // Whether another record holds the value now, or would with what the backup brings it.
    let others = |unique: &UniqueKey, state: &State, brought: fn(&World, &Id) -> Record| {
        own.iter().filter_map(|r| table.tuple(unique, r)).any(|own| {
            let mut others = state[at].keys().filter(|key| **key != id.1);
            others.any(|key| table.tuple(unique, &brought(world, &(at, key.clone()))).as_ref() == Some(&own))
        })
    };
    let held = |unique: &UniqueKey| others(unique, &world.current, |world, (at, key)| world.current[*at][key].clone());
    let claimed = |unique: &UniqueKey| others(unique, &world.backup, overlaid) || others(unique, &world.backup, merged);
    match reason {
        "missing_parent" => {
            // Whether the parent in the backup arrives is the plan's to say; it must not be there already.
            let lonely = table.columns.iter().any(|column| {
                let value = record.get(&column.name).filter(|v| !v.is_null());
                let (Some(parent), Some(value)) = (column.parent, value) else { return false };
                !world.current[parent].contains_key(&value.to_string())
            });
            let lonely_pair = table.composites.iter().any(|&(first, second, parent)| {
                let value = |c: usize| record.get(&table.columns[c].name).filter(|v| !v.is_null());
                let (Some(first), Some(second)) = (value(first), value(second)) else { return false };
                let key = format!("{first},{}", second.as_str().unwrap_or_default());
                !world.current[parent].contains_key(&key)
            });
            arrives && (lonely || lonely_pair)
        }
        "unique_taken" => arrives && table.uniques().iter().any(held),
        "unique_twice_in_backup" => arrives && table.uniques().iter().any(|u| claimed(u) || held(u)),
        "null_not_allowed" => {
            let lacks = |c: &super::model::Column| !c.nullable && record.get(&c.name).is_none_or(Json::is_null);
            arrives && table.columns.iter().any(lacks)
        }
        "check_fails" => {
            let fails = |c: &super::model::Column| {
                c.checked && record.get(&c.name).and_then(Json::as_i64).is_some_and(|n| n < 0)
            };
            arrives && table.columns.iter().any(fails)
        }
        "reused_key" => {
            let (Some(c), Some(b)) = (world.current[at].get(&id.1), world.backup[at].get(&id.1)) else { return false };
            let differs = |unique: &UniqueKey| {
                table.tuple(unique, c).is_some() && table.tuple(unique, c) != table.tuple(unique, b)
            };
            table.uniques().iter().filter(|u| u.flag.is_none()).any(differs)
        }
        "still_referenced" => class != "new" && referred(&world.tables, at, &world.current[at][&id.1], &world.current),
        _ => false,
    }
}

/// Verifies the content after a merge, given what was said to become of each record.
pub(super) fn content(world: &World, place: &Place, plan: &Plan, settled: &[Stored]) {
    let mut state = world.current.clone();
    let mut free: Vec<Id> = Vec::new();
    for record in settled {
        let (at, key) = id(world, plan, record);
        let table = &world.tables[at];
        match record.outcome {
            Some(Outcome::Deleted) => drop(state[at].remove(&key)),
            Some(Outcome::Inserted) => {
                let mut made: Record = table.columns.iter().map(|c| (c.name.clone(), Json::Null)).collect();
                made.extend(world.backup[at][&key].clone());
                state[at].insert(key, made);
            }
            Some(Outcome::Updated) if world.strategy == "backup-wins" => {
                let (b, base) = (&world.backup[at][&key], world.base.as_ref().and_then(|o| o[at].get(&key)));
                let target = state[at].get_mut(&key).expect("an updated record is in current");
                for name in differing(table, &target.clone(), b) {
                    // What only current changed since the base stays.
                    if base.is_none_or(|o| o[name] != b[name]) {
                        target.insert(name.to_owned(), b[name].clone());
                    }
                }
            }
            Some(Outcome::Updated) => free.push((at, key)),
            _ => {}
        }
    }
    for (at, table) in world.tables.iter().enumerate() {
        let mut columns: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
        columns.extend(table.doubled.map(|_| "twice".to_owned()));
        let text = |value: &Json| match value {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let row = |r: &Record| -> Vec<Option<String>> {
            let mut row: Vec<_> = table.columns.iter().map(|c| text(&r[&c.name])).collect();
            if let Some(column) = table.doubled {
                row.push(r[&table.columns[column].name].as_i64().map(|n| (n * 2).to_string()));
            }
            row
        };
        let mut wanted: Vec<Vec<Option<String>>> = state[at].values().map(row).collect();
        let mut found = place.read(&table.name, &columns);
        if free.iter().any(|(t, _)| *t == at) {
            // Fields that the strategy chose one by one come from one of the sides.
            for (_, key) in free.iter().filter(|(t, _)| *t == at) {
                let sides = [&world.current[at][key], &world.backup[at][key]];
                let kept = row(sides[0]);
                let position =
                    found.iter().position(|r| r[..table.key] == kept[..table.key]).expect("an updated record");
                let now = found.remove(position);
                for (position, column) in table.columns.iter().enumerate() {
                    let fits = sides.iter().any(|s| s.get(&column.name).is_some_and(|v| text(v) == now[position]));
                    assert!(fits, "{}/{key}.{} is {:?}, of neither side", table.name, column.name, now[position]);
                }
                let position = wanted.iter().position(|r| *r == kept).expect("in current");
                wanted.remove(position);
            }
        }
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{} after the merge (left: found)", table.name);
    }
}
