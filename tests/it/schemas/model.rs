//! Random schemas and their contents: up to eight tables, cycles, composite keys and references, unique keys (composite, within
//! a part of the table, with nulls), checks, computed columns, triggers.

use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Numbers from a seed (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    /// Tells whether something happens that happens so often in a hundred.
    pub(crate) fn often(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) text: bool,
    pub(super) nullable: bool,
    /// Must not be negative.
    pub(super) checked: bool,
    pub(super) unique: bool,
    /// The table whose first key column it refers to.
    pub(super) parent: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// How many of the columns are the key; the key's columns come first.
    pub(super) key: usize,
    pub(super) columns: Vec<Column>,
    /// Two columns that are unique together.
    pub(super) pair: Option<(usize, usize)>,
    /// A column that is unique among the records whose other column is 1.
    pub(super) partial: Option<(usize, usize)>,
    /// Two columns that refer to another table's key of two.
    pub(super) composites: Vec<(usize, usize, usize)>,
    /// Whether what is written is noted in another table.
    pub(super) audited: bool,
    /// A column of which twice the value is computed.
    pub(super) doubled: Option<usize>,
}

/// Columns that are unique together, where another column is 1 if that matters.
#[derive(Clone, Debug)]
pub(super) struct UniqueKey {
    pub(super) columns: Vec<usize>,
    pub(super) flag: Option<usize>,
}

pub(super) type Record = Map<String, Json>;
/// The records of each table, by key.
pub(super) type State = Vec<BTreeMap<String, Record>>;

impl Table {
    pub(super) fn key_of(&self, record: &Record) -> String {
        let text = |c: &Column| match &record[&c.name] {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.columns[..self.key].iter().map(text).collect::<Vec<_>>().join(",")
    }

    /// Lists the sets of columns that are unique besides the key.
    pub(super) fn uniques(&self) -> Vec<UniqueKey> {
        let plain = |columns| UniqueKey { columns, flag: None };
        let mut all: Vec<UniqueKey> =
            (0..self.columns.len()).filter(|&c| self.columns[c].unique).map(|c| plain(vec![c])).collect();
        all.extend(self.pair.map(|(a, b)| plain(vec![a, b])));
        all.extend(self.partial.map(|(c, flag)| UniqueKey { columns: vec![c], flag: Some(flag) }));
        all
    }

    /// Returns a record's values of a unique key; none where one is null or absent, or the key is not about the record.
    pub(super) fn tuple(&self, unique: &UniqueKey, record: &Record) -> Option<Vec<Json>> {
        if unique.flag.is_some_and(|flag| record.get(&self.columns[flag].name) != Some(&json!(1))) {
            return None;
        }
        unique.columns.iter().map(|&c| record.get(&self.columns[c].name).filter(|v| !v.is_null()).cloned()).collect()
    }
}

/// Makes a schema.
pub(super) fn schema(dice: &mut Dice) -> Vec<Table> {
    let count = 1 + dice.below(8);
    let mut tables: Vec<Table> = (0..count)
        .map(|at| {
            let key = if dice.often(25) { 2 } else { 1 };
            let mut columns = Vec::new();
            for part in 0..key {
                let name = format!("k{part}");
                let text = key == 2 && part == 1;
                columns.push(Column { name, text, nullable: false, checked: false, unique: false, parent: None });
            }
            for number in 0..1 + dice.below(4) {
                let (text, nullable) = (dice.often(50), dice.often(60));
                let unique = dice.often(25);
                let checked = !text && dice.often(25);
                columns.push(Column { name: format!("c{number}"), text, nullable, checked, unique, parent: None });
            }
            for number in 0..dice.below(3) {
                // Circles are closed by references that may be null.
                let parent = dice.below(count);
                let nullable = parent >= at || dice.often(50);
                let name = format!("r{number}");
                columns.push(Column {
                    name,
                    text: false,
                    nullable,
                    checked: false,
                    unique: false,
                    parent: Some(parent),
                });
            }
            let usual: Vec<usize> = (key..columns.len()).filter(|&c| columns[c].parent.is_none()).collect();
            let pair = (usual.len() > 1 && dice.often(25)).then(|| (usual[0], usual[1]));
            let doubled = usual.iter().copied().find(|&c| !columns[c].text).filter(|_| dice.often(25));
            let mut flags = usual.iter().copied().filter(|&c| !columns[c].text && !columns[c].unique);
            let partial = flags.next_back().and_then(|flag| Some((usual.iter().copied().find(|&c| c != flag)?, flag)));
            let partial = partial.filter(|_| dice.often(30));
            let (composites, audited) = (Vec::new(), dice.often(15));
            Table { name: format!("t{at}"), key, columns, pair, doubled, partial, composites, audited }
        })
        .collect();
    // References by one column go to keys of one, by two columns to keys of two.
    let keys: Vec<usize> = tables.iter().map(|t| t.key).collect();
    for table in &mut tables {
        let parent = dice.below(count);
        if keys[parent] == 2 && dice.often(60) {
            let first = table.columns.len();
            for (name, text) in [("q0", false), ("q1", true)] {
                let name = name.to_owned();
                table.columns.push(Column { name, text, nullable: true, checked: false, unique: false, parent: None });
            }
            table.composites.push((first, first + 1, parent));
        }
    }
    for column in tables.iter_mut().flat_map(|t| &mut t.columns) {
        column.parent = column.parent.filter(|p| keys[*p] == 1);
    }
    tables
}

/// Writes the schema for an engine: SQLite declares references at once, the others when all tables are there.
pub(super) fn ddl(tables: &[Table], engine: &str) -> String {
    let (mut create, mut later, mut indexes) = (String::new(), String::new(), String::new());
    for table in tables {
        let mut lines = Vec::new();
        for column in &table.columns {
            let mut line = format!("{} {}", column.name, if column.text { "varchar(20)" } else { "int" });
            if !column.nullable {
                line.push_str(" NOT NULL");
            }
            if column.checked {
                line.push_str(&format!(" CHECK ({} >= 0)", column.name));
            }
            lines.push(line);
        }
        if let Some(column) = table.doubled {
            lines.push(format!("twice int GENERATED ALWAYS AS ({} * 2) STORED", table.columns[column].name));
        }
        let names =
            |columns: &[usize]| columns.iter().map(|&c| table.columns[c].name.clone()).collect::<Vec<_>>().join(", ");
        lines.push(format!("PRIMARY KEY ({})", names(&(0..table.key).collect::<Vec<_>>())));
        for unique in table.uniques() {
            match unique.flag {
                None => lines.push(format!("UNIQUE ({})", names(&unique.columns))),
                // MariaDB knows no predicates; what is computed does for one.
                Some(flag) if engine == "mariadb" => {
                    let (column, flag) = (&table.columns[unique.columns[0]], &table.columns[flag].name);
                    let ty = if column.text { "varchar(20)" } else { "int" };
                    lines.push(format!("live {ty} AS (if({flag} = 1, {}, NULL)) STORED UNIQUE", column.name));
                }
                Some(flag) => indexes.push_str(&format!(
                    "CREATE UNIQUE INDEX {0}_live ON {0} ({1}) WHERE {2} = 1;\n",
                    table.name,
                    names(&unique.columns),
                    table.columns[flag].name
                )),
            }
        }
        for &(first, second, parent) in &table.composites {
            let reference =
                format!("FOREIGN KEY ({}) REFERENCES {} (k0, k1)", names(&[first, second]), tables[parent].name);
            match engine {
                "sqlite" => lines.push(reference),
                _ => later.push_str(&format!("ALTER TABLE {} ADD {reference};\n", table.name)),
            }
        }
        for column in &table.columns {
            let Some(parent) = column.parent else { continue };
            let reference = format!("FOREIGN KEY ({}) REFERENCES {} (k0)", column.name, tables[parent].name);
            match engine {
                "sqlite" => lines.push(reference),
                _ => later.push_str(&format!("ALTER TABLE {} ADD {reference};\n", table.name)),
            }
        }
        create.push_str(&format!("CREATE TABLE {} ({});\n", table.name, lines.join(", ")));
    }
    if tables.iter().any(|t| t.audited) {
        create.push_str("CREATE TABLE audit (what varchar(50));\n");
    }
    for name in tables.iter().filter(|t| t.audited).map(|t| &t.name) {
        let note = format!("INSERT INTO audit VALUES ('{name}')");
        later.push_str(&match engine {
            "sqlite" => format!("CREATE TRIGGER {name}_audit AFTER UPDATE ON {name} BEGIN {note}; END;\n"),
            "postgres" => format!(
                "CREATE FUNCTION {name}_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note}; RETURN NULL; END $$;
                 CREATE TRIGGER {name}_audit AFTER UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_audit();\n"
            ),
            _ => format!("CREATE TRIGGER {name}_audit AFTER UPDATE ON {name} FOR EACH ROW {note};\n"),
        });
    }
    [create, indexes, later].concat()
}

/// Makes a value for a column; references go to records there are.
fn value(dice: &mut Dice, column: &Column, state: &State) -> Json {
    if column.nullable && dice.often(25) {
        return Json::Null;
    }
    if let Some(parent) = column.parent {
        let keys: Vec<&Record> = state[parent].values().collect();
        return match keys.get(dice.below(keys.len())) {
            Some(record) => record["k0"].clone(),
            None => Json::Null,
        };
    }
    match column.text {
        true => json!(["red", "green", "blue", "gold", "grey", "pink"][dice.below(6)]),
        false => json!(dice.below(if column.unique { 12 } else { 4 }) as i64 - if column.checked { 0 } else { 1 }),
    }
}

/// Tells whether a record may stand in a table beside the others.
fn fits(table: &Table, at: usize, record: &Record, key: &str, state: &State) -> bool {
    let nulls = table.columns.iter().all(|c| c.nullable || !record[&c.name].is_null());
    let taken = table.uniques().iter().any(|unique| {
        let tuple = table.tuple(unique, record);
        tuple.is_some() && state[at].iter().any(|(other, r)| other != key && table.tuple(unique, r) == tuple)
    });
    nulls && !taken
}

fn add(dice: &mut Dice, tables: &[Table], at: usize, state: &mut State) {
    let table = &tables[at];
    for _ in 0..4 {
        let mut record = Record::new();
        for (position, column) in table.columns.iter().enumerate() {
            let made = match position < table.key {
                true if column.text => json!(["a", "b", "c"][dice.below(3)]),
                true => json!(1 + dice.below(if table.key == 1 { 12 } else { 3 })),
                false => value(dice, column, state),
            };
            record.insert(column.name.clone(), made);
        }
        for composite in 0..table.composites.len() {
            refer(dice, table, composite, &mut record, state);
        }
        let key = table.key_of(&record);
        if !state[at].contains_key(&key) && fits(table, at, &record, &key, state) {
            state[at].insert(key, record);
            return;
        }
    }
}

/// Lets a record refer to one that there is, or to none.
fn refer(dice: &mut Dice, table: &Table, composite: usize, record: &mut Record, state: &State) {
    let (first, second, parent) = table.composites[composite];
    let keys: Vec<&Record> = state[parent].values().collect();
    let chosen = keys.get(dice.below(keys.len())).filter(|_| dice.often(75));
    for (column, part) in [(first, "k0"), (second, "k1")] {
        record.insert(table.columns[column].name.clone(), chosen.map_or(Json::Null, |r| r[part].clone()));
    }
}

/// Makes contents.
pub(super) fn fill(dice: &mut Dice, tables: &[Table]) -> State {
    let mut state: State = vec![BTreeMap::new(); tables.len()];
    for at in 0..tables.len() {
        for _ in 0..dice.below(6) {
            add(dice, tables, at, &mut state);
        }
    }
    state
}

/// Edits contents as an application would: what comes out could be in a database.
pub(super) fn edit(dice: &mut Dice, tables: &[Table], state: &mut State) {
    for (at, table) in tables.iter().enumerate() {
        let keys: Vec<String> = state[at].keys().cloned().collect();
        for key in &keys {
            if dice.often(15) && !referred(tables, at, &state[at][key], state) {
                state[at].remove(key);
            } else if dice.often(45) {
                change(dice, table, at, key, state);
            }
        }
        swap(dice, table, at, state);
        for _ in 0..dice.below(3) {
            add(dice, tables, at, state);
        }
    }
}

fn change(dice: &mut Dice, table: &Table, at: usize, key: &str, state: &mut State) {
    for _ in 0..1 + dice.below(2) {
        let position = table.key + dice.below(table.columns.len() - table.key);
        let column = &table.columns[position];
        let mut record = state[at][key].clone();
        match table.composites.iter().position(|(a, b, _)| [*a, *b].contains(&position)) {
            Some(composite) => refer(dice, table, composite, &mut record, state),
            None => drop(record.insert(column.name.clone(), value(dice, column, state))),
        }
        if fits(table, at, &record, key, state) {
            state[at].insert(key.to_owned(), record);
        }
    }
}

/// Turns the values of a unique column around among two or three records.
fn swap(dice: &mut Dice, table: &Table, at: usize, state: &mut State) {
    let Some(unique) = table.columns.iter().find(|c| c.unique) else { return };
    let keys: Vec<String> = state[at].keys().take(2 + dice.below(2)).cloned().collect();
    if keys.len() < 2 || !dice.often(40) {
        return;
    }
    let before = state[at].clone();
    let values: Vec<Json> = keys.iter().map(|k| state[at][k][&unique.name].clone()).collect();
    for (position, key) in keys.iter().enumerate() {
        let next = values[(position + 1) % keys.len()].clone();
        state[at].get_mut(key).expect("listed").insert(unique.name.clone(), next);
    }
    let sound = state[at].iter().all(|(key, record)| fits(table, at, record, key, state));
    if !sound {
        state[at] = before;
    }
}

/// Tells whether any record of a state refers to a record.
pub(super) fn referred(tables: &[Table], at: usize, record: &Record, state: &State) -> bool {
    tables.iter().zip(state).any(|(table, records)| {
        let mut columns = table.columns.iter().filter(|c| c.parent == Some(at));
        let mut composites = table.composites.iter().filter(|(.., parent)| *parent == at);
        let name = |c: usize| &table.columns[c].name;
        columns.any(|c| records.values().any(|r| r[&c.name] == record["k0"]))
            || composites
                .any(|(a, b, _)| records.values().any(|r| r[name(*a)] == record["k0"] && r[name(*b)] == record["k1"]))
    })
}

/// Damages a backup: what no database would hold, and fields that are absent.
pub(super) fn damage(dice: &mut Dice, tables: &[Table], state: &mut State) {
    for (table, records) in tables.iter().zip(state) {
        for record in records.values_mut() {
            let position = table.key + dice.below(table.columns.len() - table.key);
            let column = &table.columns[position];
            if dice.often(12) {
                record.remove(&column.name);
            } else if dice.often(6) {
                let bad = match (column.parent, column.checked) {
                    (Some(_), _) => json!(999),
                    (None, true) => json!(-7),
                    (None, false) if column.nullable || dice.often(50) => continue,
                    (None, false) => Json::Null,
                };
                record.insert(column.name.clone(), bad);
            } else if dice.often(4) && column.unique {
                record.insert(column.name.clone(), if column.text { json!("red") } else { json!(3) });
            }
        }
    }
}
