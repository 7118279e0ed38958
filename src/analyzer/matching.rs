//! Records matched by a natural key: where backup and current call one record by different ids, the backup's id is replaced
//! by the current one, in the record and in all that refer to it, before anything is compared.
//!
//! A record of the backup that current does not have keeps its id, unless another entity has it by now: then a new one is
//! made. One pass over the backup for each table that is matched so.
//!
//! *Memory:* the ids that differ, and with a base the natural keys that current does not have; bounded by the budget.

mod spellings;

use super::graph;
use super::keys::{generated, made_key, next_number};
use super::mapping::{Found, Mapping, find_column, find_table};
use super::options::Options;
use super::rows::{Form, RowRef};
use super::sides::{BackupSink, Wanted};
use crate::backup::Reader;
use crate::database::{Database, Snapshot, whole};
use crate::error::{Error, Result, fail};
use crate::model::{ColumnType, Key, OwnedCell, Schema, Table, Value, encode};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

/// Records looked up in one go.
const PAGE: usize = 500;

/// Opens a backup from its beginning.
pub type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Reader>>;

/// Which ids of the backup and the base stand for which of current.
#[derive(Debug, Default)]
pub struct Matched {
    /// For the backup, then for the base: by table.
    sides: [Ids; 2],
    /// What was matched, for people.
    pub(super) notes: Vec<String>,
}

/// New keys by old ones: canonical key bytes to encoded values.
#[derive(Debug, Default)]
pub(super) struct Ids {
    tables: HashMap<usize, HashMap<Vec<u8>, Vec<Vec<u8>>>>,
    bytes: usize,
}

/// A reference that follows, or the key itself.
#[derive(Debug)]
pub(super) struct Follow {
    /// The referring columns.
    pub(super) columns: Vec<usize>,
    /// The table whose ids they are.
    pub(super) parent: usize,
    /// The column and the text in it that make it a reference.
    pub(super) when: Option<(usize, String)>,
}

impl Matched {
    /// Returns the ids of the backup.
    pub(super) fn backup(&self) -> &Ids {
        &self.sides[0]
    }

    /// Returns the ids of the base.
    pub(super) fn base(&self) -> &Ids {
        &self.sides[1]
    }
}

impl Ids {
    /// Lists what of a table's records follows.
    pub(super) fn follows(&self, schema: &Schema, table: usize) -> Vec<Follow> {
        let own = &schema.tables[table];
        let mut found = Vec::new();
        if self.tables.contains_key(&table) {
            found.push(Follow { columns: own.key.clone(), parent: table, when: None });
        }
        for foreign_key in &own.foreign_keys {
            let Some(parent) = foreign_key.table.filter(|p| self.tables.contains_key(p)) else { continue };
            // In the order of the parent's key, which is how ids are looked up.
            let target = &schema.tables[parent];
            let place =
                |k: &usize| foreign_key.references.iter().position(|r| r == k).map(|at| foreign_key.columns[at]);
            let columns: Option<Vec<usize>> = target.key.iter().map(place).collect();
            let known = |c: &Vec<usize>| found.iter().any(|f: &Follow| f.columns == *c && f.when == foreign_key.when);
            if let Some(columns) = columns.filter(|c| foreign_key.references.len() == target.key.len() && !known(c)) {
                found.push(Follow { columns, parent, when: foreign_key.when.clone() });
            }
        }
        found
    }

    /// Checks that what a backup names as deleted can be told: its names hold the backup's ids.
    ///
    /// # Errors
    /// `Usage` where they can't.
    pub(super) fn tell_deletions(&self, schema: &Schema, table: usize, count: usize) -> Result<()> {
        let target = &schema.tables[table];
        let concerns = |f: &Follow| f.columns.iter().any(|c| target.key.contains(c));
        if count == 0 || !self.follows(schema, table).iter().any(concerns) {
            return Ok(());
        }
        Err(fail!(
            Usage,
            "--match: the backup names {count} deleted records of {} by its own ids, which stand for others here",
            target.label()
        )
        .hint("Analyze it without --match, or merge a full backup."))
    }

    /// Returns the key that a key stands for.
    pub(super) fn of(&self, table: usize, key: &[u8]) -> Option<&[Vec<u8>]> {
        self.tables.get(&table)?.get(key).map(Vec::as_slice)
    }

    /// Lets another spelling of a key stand for what the key stands for.
    fn also(&mut self, table: usize, old: &[u8], spelled: Vec<u8>) {
        let Some(of_table) = self.tables.get_mut(&table) else { return };
        if let Some(new) = of_table.get(old).cloned() {
            self.bytes += spelled.len() + new.iter().map(Vec::len).sum::<usize>() + 96;
            of_table.entry(spelled).or_insert(new);
        }
    }

    fn insert(&mut self, table: usize, old: Vec<u8>, new: &[Value], budget: usize) -> Result<()> {
        let encoded: Vec<Vec<u8>> = new
            .iter()
            .map(|value| {
                let mut bytes = Vec::new();
                encode::encode_value(Some(value), &mut bytes);
                bytes
            })
            .collect();
        self.bytes += old.len() + encoded.iter().map(Vec::len).sum::<usize>() + 96;
        if self.bytes > budget {
            return Err(fail!(
                LimitReached,
                "the ids that differ between backup and current need more than the memory allowed"
            )
            .hint("Match fewer tables, or merge the backup in parts with --only-tables."));
        }
        self.tables.entry(table).or_default().insert(old, encoded);
        Ok(())
    }
}

/// Finds which ids stand for which; nothing where no table is matched by a natural key.
///
/// # Errors
/// `Usage` for a key that is not unique or can be null; what reading and asking the database meets.
pub fn prepare(
    (backup, base): (Open<'_>, Option<Open<'_>>),
    database: &dyn Database,
    snapshot: &mut dyn Snapshot,
    schema: &Schema,
    options: &Options,
) -> Result<Option<Matched>> {
    if options.matches.is_empty() {
        return Ok(None);
    }
    let mapping = Mapping::new(schema.clone(), options)?;
    let mut asked: HashMap<usize, Vec<usize>> = HashMap::new();
    for (table, columns) in &options.matches {
        let (table, columns) = natural(&mapping, table, columns)?;
        asked.insert(table, columns);
    }
    let mut matched = Matched::default();
    for table in graph::order(&mapping.schema).tables {
        let Some(columns) = asked.get(&table) else { continue };
        let mut pass = Pass {
            mapping: &mapping,
            database,
            snapshot,
            table,
            columns,
            budget: options.budget_bytes,
            name: "backup",
        };
        let (own, kept) = pass.side(backup, &mut matched.sides[0], &HashMap::new())?;
        if let Some(base) = base {
            pass.name = "base";
            pass.side(base, &mut matched.sides[1], &kept)?;
        }
        let target = &mapping.schema.tables[table];
        let by = target.names(columns).join(" + ");
        if own.matched > 0 {
            matched.notes.push(format!(
                "{}: {} records are matched by {by} under another id",
                target.label(),
                own.matched
            ));
        }
        if own.made > 0 {
            matched.notes.push(format!("{}: {} records get a new id, another has theirs", target.label(), own.made));
        }
    }
    Ok(Some(matched))
}

/// Adds what Django's own tables are matched by, where the user said nothing of them: their ids differ between databases
/// that hold the same models.
pub fn django_defaults(options: &mut Options, schema: &Schema) {
    let known = [("django_content_type", ["app_label", "model"]), ("auth_permission", ["content_type_id", "codename"])];
    for (name, columns) in known {
        let columns = columns.map(str::to_owned).to_vec();
        let named = |list: &[(String, Vec<String>)]| list.iter().any(|(table, _)| table == name);
        let usable = schema.table(name).is_some_and(|t| is_natural(&schema.tables[t], &columns));
        if usable && !named(&options.matches) && !named(&options.keys) {
            options.matches.push((name.to_owned(), columns));
        }
    }
}

fn is_natural(table: &Table, names: &[String]) -> bool {
    let columns: Option<Vec<usize>> = names.iter().map(|n| table.column(n)).collect();
    columns.is_some_and(|c| table.key_is_primary && why_not(table, &c).is_none())
}

/// Says why columns are no natural key.
fn why_not(table: &Table, columns: &[usize]) -> Option<&'static str> {
    let sorted = |columns: &[usize]| {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns
    };
    let unique = table.uniques.iter().any(|u| u.is_plain() && sorted(&u.columns) == sorted(columns));
    if !unique {
        return Some("no unique constraint is on exactly these columns");
    }
    if columns.iter().any(|&c| table.columns[c].nullable) {
        return Some("it can be null");
    }
    if columns.iter().any(|c| table.key.contains(c)) {
        return Some("it is part of the key by which records are told apart anyway");
    }
    None
}

/// Finds a natural key that a user named.
fn natural(mapping: &Mapping, table: &str, names: &[String]) -> Result<(usize, Vec<usize>)> {
    let at = |e: Error| e.at("--match");
    let position = find_table(&mapping.schema, table).map_err(at)?;
    let target = &mapping.schema.tables[position];
    let columns = names.iter().map(|n| find_column(target, n)).collect::<Result<Vec<_>>>().map_err(at)?;
    let compared = |c: &usize| mapping.compared[position][*c];
    let why = match why_not(target, &columns) {
        None if !target.key_is_primary => Some("the table has no primary key, or another key was named for it"),
        None if !columns.iter().chain(&target.key).all(compared) => Some("one of the columns is left out"),
        why => why,
    };
    match why {
        None => Ok((position, columns)),
        Some(why) => Err(fail!(Usage, "--match: {} can't be matched by {}: {why}", target.label(), names.join(" + "))
            .hint("A natural key is a unique constraint whose columns are NOT NULL.")),
    }
}

/// What a side had.
#[derive(Default)]
struct Tally {
    matched: u64,
    made: u64,
}

/// Natural keys, as canonical bytes, with the key that their record goes by.
type Kept = HashMap<Vec<u8>, Vec<Value>>;

/// What becomes of a side's records.
#[derive(Default)]
struct Sorted {
    /// Keys that stand for a current one.
    found: Vec<(Vec<u8>, Vec<Value>)>,
    /// The side's own key of each record that stands for a current one under another key, by the canonical bytes of that.
    claimed: HashMap<Vec<u8>, Vec<Value>>,
    /// Digests of the keys that stand for themselves.
    own: HashSet<u64>,
    /// Records whose key another entity has.
    homeless: Vec<Met>,
    /// Those that keep theirs.
    kept: Kept,
}

impl Sorted {
    /// Notes that a record stands for a current one; returns the key of another that does, if there is one.
    fn claim(&mut self, stands: &[u8], old: &[u8], (own, key): (&[Value], &[Value])) -> Option<Vec<Value>> {
        let digest = xxh3_64(stands);
        if stands == old {
            self.own.insert(digest);
            return self.claimed.get(stands).cloned();
        }
        if self.own.contains(&digest) {
            return Some(key.to_vec());
        }
        // The same record may come twice; whether it is the same is seen when it is compared.
        self.claimed.insert(stands.to_vec(), own.to_vec()).filter(|other| other != own)
    }
}

/// A record as far as matching needs it.
struct Met {
    natural: Vec<Value>,
    key: Vec<Value>,
}

struct Pass<'a> {
    mapping: &'a Mapping,
    database: &'a dyn Database,
    snapshot: &'a mut dyn Snapshot,
    table: usize,
    columns: &'a [usize],
    budget: usize,
    /// The side that is read, for people.
    name: &'static str,
}

impl Pass<'_> {
    /// Goes through one side; returns also which keys its records that current lacks go by.
    fn side(&mut self, open: Open<'_>, ids: &mut Ids, elsewhere: &Kept) -> Result<(Tally, Kept)> {
        let mut tally = Tally::default();
        let mut sorted = Sorted::default();
        let mut highest: Option<i64> = None;
        let generated = generated(&self.mapping.schema, self.table);
        let mut page: Vec<Met> = Vec::new();
        let mut held = 0;
        let part = generated.and_then(|c| self.target().key.iter().position(|&k| k == c));
        let (mapping, table, columns) = (self.mapping, self.table, self.columns);
        rows(mapping, table, Some(ids), open, &mut |row| {
            let Some(met) = read(mapping, table, columns, row) else { return Ok(()) };
            if let Some(Value::Integer(number)) = part.and_then(|p| met.key.get(p)) {
                highest = highest.max(Some(whole(*number)));
            }
            page.push(met);
            if page.len() >= PAGE {
                held += self.page(std::mem::take(&mut page), elsewhere, &mut sorted, &mut tally)?;
                if held > self.budget {
                    return Err(fail!(
                        LimitReached,
                        "matching {} needs more than the memory allowed",
                        mapping.schema.tables[table].label()
                    ));
                }
            }
            Ok(())
        })?;
        self.page(page, elsewhere, &mut sorted, &mut tally)?;
        let Sorted { found, homeless, mut kept, claimed, .. } = sorted;
        let renamed: Vec<Vec<Value>> = claimed.into_values().chain(homeless.iter().map(|m| m.key.clone())).collect();
        for (old, new) in found {
            ids.insert(table, old, &new, self.budget)?;
        }
        if !homeless.is_empty() {
            tally.made += homeless.len() as u64;
            self.house(homeless, (generated.zip(part), highest), ids, &mut kept)?;
        }
        self.spellings(open, ids, &renamed)?;
        Ok((tally, kept))
    }

    /// Makes new keys for records whose own another entity has.
    fn house(
        &mut self,
        homeless: Vec<Met>,
        (generated, mut highest): (Option<(usize, usize)>, Option<i64>),
        ids: &mut Ids,
        kept: &mut Kept,
    ) -> Result<()> {
        let (table, columns) = (self.table, self.columns);
        let target = &self.mapping.schema.tables[table];
        let Some((column, part)) = generated else {
            return Err(fail!(
                Usage,
                "--match: {} records of {} have a key that another entity holds, and no new one can be made for it",
                homeless.len(),
                target.label()
            ));
        };
        if matches!(target.columns[column].ty, ColumnType::Integer { .. } | ColumnType::Any) {
            highest = highest.max(self.snapshot.highest(target, column)?);
        }
        for met in homeless {
            let next = next_number(highest);
            let natural = tuple_bytes(target, columns, &met.natural);
            let seed = blake3::hash(&natural).to_hex().to_string();
            let made = made_key(&target.columns[column], &met.key[part], &seed, next).ok_or_else(|| {
                fail!(Usage, "--match: no free value of {}.{} can be made", target.label(), target.columns[column].name)
            })?;
            if matches!(made, Value::Integer(_)) {
                highest = next;
            }
            let mut new = met.key.clone();
            new[part] = made;
            ids.insert(table, tuple_bytes(target, &target.key, &met.key), &new, self.budget)?;
            kept.insert(natural, new);
        }
        Ok(())
    }

    /// Says that two records of a side are one here.
    fn matched_twice(&self, of_side: [Vec<Value>; 2], here: Vec<Value>) -> Error {
        let (target, [one, other]) = (self.target(), of_side.map(Key));
        let (label, by) = (target.label(), target.names(self.columns).join(" + "));
        fail!(
            BackupDamaged,
            "--match: {label}/{one} and {label}/{other} of the {} have the same {by}; both would be {label}/{} here",
            self.name,
            Key(here)
        )
        .hint(format!("Remove one of the two from it, or analyze without --match for {label}."))
    }

    fn target(&self) -> &Table {
        &self.mapping.schema.tables[self.table]
    }

    /// Looks a page of records up in current; returns roughly how many bytes it made to be kept.
    fn page(&mut self, page: Vec<Met>, elsewhere: &Kept, sorted: &mut Sorted, tally: &mut Tally) -> Result<usize> {
        let target = &self.mapping.schema.tables[self.table];
        let by_natural = self.fetch(self.columns, &page.iter().map(|m| m.natural.as_slice()).collect::<Vec<_>>())?;
        let by_key = self.fetch(&target.key, &page.iter().map(|m| m.key.as_slice()).collect::<Vec<_>>())?;
        let mut held = 0;
        for ((met, current), holder) in page.into_iter().zip(by_natural).zip(by_key) {
            let old = tuple_bytes(target, &target.key, &met.key);
            let natural = tuple_bytes(target, self.columns, &met.natural);
            let stands_for = current.or_else(|| elsewhere.get(&natural).cloned());
            match stands_for {
                Some(key) => {
                    let stands = tuple_bytes(target, &target.key, &key);
                    if let Some(other) = sorted.claim(&stands, &old, (&met.key, &key)) {
                        return Err(self.matched_twice([other, met.key], key));
                    }
                    held += 24;
                    if stands != old {
                        held += old.len() + 2 * stands.len() + 256;
                        tally.matched += 1;
                        sorted.found.push((old, key));
                    }
                }
                None if holder.is_some() => {
                    held += old.len() + natural.len() + 256;
                    sorted.homeless.push(met);
                }
                None => {
                    held += natural.len() + 128;
                    sorted.kept.insert(natural, met.key);
                }
            }
        }
        Ok(held)
    }

    /// Returns the keys of the current records that have some values.
    fn fetch(&mut self, columns: &[usize], wanted: &[&[Value]]) -> Result<Vec<Option<Vec<Value>>>> {
        let target = &self.mapping.schema.tables[self.table];
        let cells = |values: &&[Value]| -> Vec<OwnedCell> {
            let stored = columns.iter().zip(values.iter());
            stored.map(|(&c, v)| self.database.store_any(&target.columns[c], v).unwrap_or(OwnedCell::Null)).collect()
        };
        let asked: Vec<Vec<OwnedCell>> = wanted.iter().map(cells).collect();
        let mut found = vec![None; wanted.len()];
        if asked.is_empty() {
            return Ok(found);
        }
        self.snapshot.fetch(target, columns, &asked, &mut |position, row| {
            found[position] =
                target.key.iter().map(|&c| encode::value_of(row[c], &target.columns[c])).collect::<Option<Vec<_>>>();
            Ok(())
        })?;
        Ok(found)
    }
}

fn tuple_bytes(table: &Table, columns: &[usize], values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (&column, value) in columns.iter().zip(values) {
        encode::encode_key_part(value, table.columns[column].collation, &mut bytes);
    }
    bytes
}

/// Reads key and natural key of a record; none where a part is missing.
fn read(mapping: &Mapping, table: usize, columns: &[usize], row: RowRef<'_>) -> Option<Met> {
    let values: Vec<&[u8]> = encode::split(row.body).collect();
    let tuple = |columns: &[usize]| -> Option<Vec<Value>> {
        columns.iter().map(|&c| encode::decode(values[c]).filter(|v| !v.is_null())).collect()
    };
    Some(Met { natural: tuple(columns)?, key: tuple(&mapping.schema.tables[table].key)? })
}

/// Reads the records of one table of a backup, references to tables that were matched before followed.
fn rows(
    mapping: &Mapping,
    table: usize,
    ids: Option<&Ids>,
    open: Open<'_>,
    visit: &mut dyn FnMut(RowRef<'_>) -> Result<()>,
) -> Result<()> {
    let mut reader = open()?;
    while let Some(header) = reader.next_table()? {
        if mapping.table(&header.name) != Found::At(table) {
            continue;
        }
        let mut failed: Option<Error> = None;
        let mut send = |batch: super::rows::Batch, _| {
            let outcome = (0..batch.len()).try_for_each(|r| visit(batch.row(r)));
            failed = outcome.err();
            if failed.is_none() { Wanted::More(Form::Canonical) } else { Wanted::Nothing }
        };
        let mut sink = BackupSink::new(mapping, table, &header, Form::Canonical, &mut send);
        sink.follow(ids);
        let outcome = reader.read_records(&mut sink).and_then(|_| sink.finish());
        drop(sink);
        if let Some(error) = failed {
            return Err(error);
        }
        return outcome.map_err(|e| e.at(&header.name));
    }
    Ok(())
}
