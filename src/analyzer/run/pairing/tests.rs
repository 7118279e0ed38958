//! Keys that come twice in the backup must never meet here unseen; and a backup in no order is given up on.

use super::*;
use crate::analyzer::Options;
use crate::model::schema::{Column, ColumnType, Engine, Generated, Schema, Storage, Unique};
use std::sync::mpsc::sync_channel;

/// A table of a text key and a text.
fn mapping() -> Mapping {
    let column = |name: &str| Column {
        name: name.to_owned(),
        declared: String::new(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Default::default(),
        enforced: false,
        ty: ColumnType::Text { max_chars: None },
    };
    let unique = Unique {
        name: "u".to_owned(),
        columns: vec![0],
        predicate: None,
        nulls_equal: false,
        deferrable: false,
        reads: Vec::new(),
    };
    let table = Table {
        schema: None,
        name: "t".to_owned(),
        columns: vec![column("id"), column("a")],
        key: vec![0],
        key_is_primary: true,
        uniques: vec![unique],
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
    };
    let schema = Schema { engine: Engine::Sqlite, tables: vec![table], left_out: Vec::new() };
    Mapping::new(schema, &Options::default()).expect("maps")
}

/// What came of holding two sides against each other.
#[derive(Debug, Default, PartialEq)]
struct Held {
    /// How many records of current were taken.
    taken: usize,
    unchanged: u64,
    roles: Vec<Role>,
    ascending: bool,
    /// Whether the backup's reader was told to go on by itself.
    apart: bool,
}

/// Holds records, written as `key` or `key:text`, against each other.
fn hold(current: &[&str], backup: &[&str]) -> Held {
    let mapping = mapping();
    let target = &mapping.schema.tables[0];
    let split = |record: &str| {
        let (key, text) = record.split_once(':').unwrap_or((record, "x"));
        (key.to_owned(), text.to_owned())
    };
    let (to_pairing, rows) = sync_channel(backup.len() + 1);
    let mut encoder = RowEncoder::new(target, Form::Raw);
    for (position, record) in backup.iter().enumerate() {
        let (key, text) = split(record);
        encoder.put_all(&[Cell::String(&key), Cell::String(&text)]);
        encoder.close(Place { record: position as u64, offset: None }, false);
        if let Some(full) = encoder.full() {
            to_pairing.send(full).expect("room for every batch");
        }
    }
    encoder.finish().into_iter().for_each(|rest| to_pairing.send(rest).expect("room for every batch"));
    drop(to_pairing);
    let (to, from_current) = sync_channel(backup.len() + current.len() + 2);
    let apart = Arc::new(AtomicBool::new(false));
    let mut pairing = Pairing::new(&mapping, 0, Pairs { rows, apart: Arc::clone(&apart) }, &to);
    let mut held = Held::default();
    let all = current.iter().all(|record| {
        let (key, text) = split(record);
        let taken = pairing.current(&[Raw::Text(key.as_bytes()), Raw::Text(text.as_bytes())]).expect("nothing fails");
        held.taken += usize::from(taken);
        taken
    });
    if all {
        pairing.finish().expect("nothing fails");
    }
    drop(pairing);
    drop(to);
    for message in from_current {
        match message {
            FromSide::Steps(steps) => {
                held.unchanged += steps.unchanged;
                held.roles.extend(steps.roles);
            }
            FromSide::Apart(seen, _) => held.ascending = seen.backup_ascending,
            FromSide::Rows(_) | FromSide::End(_) | FromSide::Failed(_) => panic!("not said here"),
        }
    }
    held.apart = apart.load(atomic::Ordering::Relaxed);
    held
}

#[test]
fn records_that_are_alike_are_counted_and_the_rest_goes_on_in_order() {
    let held = hold(&["1", "2", "4:old", "5"], &["1", "3", "4:new", "5"]);
    let roles = vec![Role::Current, Role::Backup, Role::Pair];
    assert_eq!(held, Held { taken: 4, unchanged: 2, roles, ascending: true, apart: true });
}

#[test]
fn a_key_that_comes_again_after_it_met_goes_on_and_is_known_to_be_doubtful() {
    for again in ["2", "2:other"] {
        let held = hold(&["1", "2", "3"], &["1", "2", "3", again]);
        assert_eq!((held.unchanged, held.roles, held.ascending), (3, vec![Role::Backup], false), "{again}");
    }
}

#[test]
fn a_key_that_went_on_alone_does_not_meet_unseen_when_it_comes_again() {
    // The first 2 went on without a partner; were the second counted as unchanged, the join would take the first for new.
    let held = hold(&["3", "2"], &["2", "3", "2"]);
    assert_eq!((held.unchanged, held.roles, held.ascending), (1, vec![Role::Backup, Role::Pair], false));
}

#[test]
fn a_backup_in_no_order_is_given_up_on_and_nothing_of_it_is_lost() {
    // Pairs of neighbours swap places, all before the only record of current.
    let keys = |swapped: usize| -> Vec<String> {
        let before = (0..ASIDE + 1_000).map(|i| format!("{:07}", i ^ swapped));
        before.chain(["9".to_owned()]).collect()
    };
    let (disordered, sorted) = (keys(1), keys(0));
    let disordered: Vec<&str> = disordered.iter().map(String::as_str).collect();
    let held = hold(&["9"], &disordered);
    assert_eq!((held.taken, held.unchanged, held.ascending, held.apart), (0, 0, false, true));
    assert_eq!(held.roles, vec![Role::Backup; disordered.len()]);
    // In order as many are no reason to give up.
    let sorted: Vec<&str> = sorted.iter().map(String::as_str).collect();
    let held = hold(&["9"], &sorted);
    assert_eq!((held.taken, held.unchanged, held.ascending), (1, 1, true));
    assert_eq!(held.roles, vec![Role::Backup; sorted.len() - 1]);
}
