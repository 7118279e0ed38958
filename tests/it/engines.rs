//! The adapters against real servers: every type, every schema feature, locks, errors, counters.

mod address;
mod mysql;
mod postgres;

use crate::proxy::{Fate, proxy};
use crate::servers::Fresh;
use merganser::ErrorKind;
use merganser::database::url::ConnectUrl;
use merganser::database::{Database, Snapshot, WriteOptions};
use merganser::model::encode::value_of;
use merganser::model::{Cell, OwnedCell, Schema, Table};

/// Returns a table of a schema by its label.
fn table<'a>(schema: &'a Schema, name: &str) -> &'a Table {
    let position = schema.table(name).unwrap_or_else(|| panic!("no table {name} in {:?}", labels(schema)));
    &schema.tables[position]
}

fn labels(schema: &Schema) -> Vec<String> {
    schema.tables.iter().map(Table::label).collect()
}

/// Reads all records of a table.
fn scan(snapshot: &mut dyn Snapshot, table: &Table) -> Vec<Vec<OwnedCell>> {
    let mut records = Vec::new();
    let mut sink = |cells: &[Cell<'_>]| {
        records.push(cells.iter().map(|c| OwnedCell::from(*c)).collect());
        Ok(())
    };
    snapshot.scan(table, &mut sink).unwrap_or_else(|error| panic!("{error:?}"));
    records
}

/// Fetches by the columns given, sorted by what was wanted.
fn fetch(
    snapshot: &mut dyn Snapshot,
    table: &Table,
    columns: &[usize],
    wanted: &[Vec<OwnedCell>],
) -> Vec<(usize, Vec<OwnedCell>)> {
    let mut records = Vec::new();
    let mut sink = |place: usize, cells: &[Cell<'_>]| {
        records.push((place, cells.iter().map(|c| OwnedCell::from(*c)).collect()));
        Ok(())
    };
    snapshot.fetch(table, columns, wanted, &mut sink).unwrap_or_else(|error| panic!("{error:?}"));
    records.sort_by_key(|(place, _): &(usize, Vec<OwnedCell>)| *place);
    records
}

fn text(text: &str) -> OwnedCell {
    OwnedCell::Text(text.to_owned())
}

fn all_columns(table: &Table) -> Vec<usize> {
    (0..table.columns.len()).collect()
}

/// Reads each record, turns every cell into its value and back, and compares with what was read.
///
/// Then writes the values into an empty copy of the table and reads them again: what `store` gives is what the engine
/// gives back.
fn round_trip(database: &mut dyn Database, from: &str, to: &str) {
    let schema = database.schema().expect("the schema");
    let (from, to) = (table(&schema, from), table(&schema, to));
    let records = scan(&mut *database.snapshot().expect("a snapshot"), from);
    assert!(!records.is_empty());
    let stored: Vec<Vec<OwnedCell>> = records
        .iter()
        .map(|record| {
            let store = |(cell, column): (&OwnedCell, _)| {
                let value = value_of(cell.as_cell(), column).expect("a value");
                database.store(column, &value).unwrap_or_else(|why| panic!("{} {value:?}: {why}", column.name))
            };
            record.iter().zip(&from.columns).map(store).collect()
        })
        .collect();
    let mut transaction = database.begin(&Default::default()).expect("a transaction");
    transaction.insert(to, &all_columns(to), &stored).expect("inserted");
    transaction.check(&[to]).expect("checked");
    transaction.commit().expect("committed");
    let again = scan(&mut *database.snapshot().expect("a snapshot"), to);
    assert_eq!(format!("{records:?}"), format!("{again:?}"));
}

/// Loses the connection at the commit, before and after the server sees it: the outcome is unknown to the client, and
/// the database holds all or nothing.
fn lost_commit(fresh: &Fresh, connect: impl Fn(&ConnectUrl) -> Box<dyn Database>) {
    for (fate, stored) in [(Fate::Swallowed, "0"), (Fate::Carried, "1")] {
        let url = ConnectUrl::parse(&proxy(&fresh.url, fate)).expect("a URL");
        let mut database = connect(&url);
        let schema = database.schema().expect("the schema");
        let mut transaction = database.begin(&WriteOptions::default()).expect("a transaction");
        transaction.insert(table(&schema, "t"), &[0], &[vec![OwnedCell::Int(1)]]).expect("inserted");
        let id = transaction.id().expect("an id");
        let error = transaction.commit().expect_err("lost");
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}");
        if let Some(id) = id {
            assert_eq!(database.transaction_outcome(&id).expect("an answer"), Some(stored == "1"));
        }
        assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR(1)) FROM t"), stored);
    }
}

/// Loses the connection in the middle of writing: nothing is stored, and the client knows.
fn lost_write(fresh: &Fresh, connect: impl Fn(&ConnectUrl) -> Box<dyn Database>) {
    let url = ConnectUrl::parse(&proxy(&fresh.url, Fate::CutAt("INSERT"))).expect("a URL");
    let mut database = connect(&url);
    let schema = database.schema().expect("the schema");
    let mut transaction = database.begin(&WriteOptions::default()).expect("a transaction");
    let error = transaction.insert(table(&schema, "t"), &[0], &[vec![OwnedCell::Int(1)]]).expect_err("lost");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
    assert!(transaction.commit().is_err_and(|e| e.kind() != ErrorKind::OutcomeUnknown));
    assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR(1)) FROM t"), "0");
}

/// Holds the forms of texts against what the server says of each pair: the same where it holds them equal, and only there.
fn check_forms(
    fresh: &Fresh,
    collations: &[(&str, &str)],
    same: impl Fn(&str, usize, usize) -> String,
    texts: &[&str],
) {
    let mut database = merganser::database::connect(&fresh.url).expect("connected");
    let schema = database.schema().expect("the schema");
    let mut snapshot = database.snapshot().expect("a snapshot");
    for (name, _) in collations {
        let target = table(&schema, name);
        let cells: Vec<OwnedCell> = texts.iter().map(|t| text(t)).collect();
        let forms = snapshot.forms(target, target.column("v").expect("v"), &cells).expect("forms");
        assert_eq!(forms.len(), texts.len());
        let mut pairs = Vec::new();
        for one in 0..texts.len() {
            pairs.extend((one + 1..texts.len()).map(|other| (one, other)));
        }
        let equal: Vec<bool> = pairs.iter().map(|&(a, b)| fresh.text(&same(name, a, b)) == "1").collect();
        for (&(one, other), equal) in pairs.iter().zip(equal) {
            assert_eq!(forms[one] == forms[other], equal, "{name}: {:?} and {:?}", texts[one], texts[other]);
        }
    }
}

/// Texts that some collation or other holds equal.
const SPELLINGS: [&str; 22] = [
    "abc", "ABC", "abc  ", "ábc", "a", "a ", "a\u{a0}", "a\t", "", " ", "ß", "ss", "ch", "Ch", "å", "aa", "e\u{301}",
    "é", "😀", "😁", "a-b", "ab",
];

#[test]
fn f116_forms_are_the_same_where_mariadb_holds_texts_equal() {
    let collations = [
        ("general", "utf8mb4 COLLATE utf8mb4_general_ci"),
        ("unicode", "utf8mb4 COLLATE utf8mb4_unicode_ci"),
        ("unpadded", "utf8mb4 COLLATE utf8mb4_unicode_nopad_ci"),
        ("uca", "utf8mb4 COLLATE utf8mb4_uca1400_ai_ci"),
        ("levels", "utf8mb4 COLLATE utf8mb4_uca1400_as_cs"),
        ("danish", "utf8mb4 COLLATE utf8mb4_danish_ci"),
        ("spanish", "utf8mb4 COLLATE utf8mb4_spanish2_ci"),
        ("german", "utf8mb4 COLLATE utf8mb4_german2_ci"),
    ];
    let fresh = crate::servers::mariadb("CREATE TABLE texts (n int PRIMARY KEY, v varchar(20) CHARACTER SET utf8mb4)");
    for (name, collation) in collations {
        fresh.execute(&format!("CREATE TABLE `{name}` (n int PRIMARY KEY, v varchar(20) CHARACTER SET {collation})"));
        for (n, text) in SPELLINGS.iter().enumerate() {
            fresh.execute(&format!("INSERT INTO `{name}` VALUES ({n}, '{text}')"));
        }
    }
    let same = |name: &str, a: usize, b: usize| {
        format!("SELECT CAST((SELECT x.v = y.v FROM `{name}` x, `{name}` y WHERE x.n = {a} AND y.n = {b}) AS CHAR)")
    };
    check_forms(&fresh, &collations, same, &SPELLINGS);
}

#[test]
fn f116_forms_are_the_same_where_postgresql_holds_texts_equal() {
    let collations = [
        ("folded", "citext"),
        ("level2", "text COLLATE level2"),
        ("level1", "varchar(20) COLLATE level1"),
        ("shifted", "text COLLATE shifted"),
        ("padded", "character(20) COLLATE level2"),
    ];
    let fresh = crate::servers::postgres(
        "CREATE EXTENSION citext;
         CREATE COLLATION level1 (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
         CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE COLLATION shifted (provider = icu, locale = 'und-u-ka-shifted', deterministic = false)",
    );
    for (name, ty) in collations {
        fresh.execute(&format!("CREATE TABLE \"{name}\" (n int PRIMARY KEY, v {ty})"));
        for (n, text) in SPELLINGS.iter().enumerate() {
            fresh.execute(&format!("INSERT INTO \"{name}\" VALUES ({n}, '{text}')"));
        }
    }
    let same = |name: &str, a: usize, b: usize| {
        format!("SELECT (SELECT (x.v = y.v)::int FROM \"{name}\" x, \"{name}\" y WHERE x.n = {a} AND y.n = {b})::text")
    };
    check_forms(&fresh, &collations, same, &SPELLINGS);
}
