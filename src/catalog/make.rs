//! Making a backup: one consistent view of a database, written table by table, with rules for columns that must not leave.

use super::{Carried, Catalog, Entry, Kind, now};
use crate::analyzer::graph;
use crate::backup::{self, Compression, FilesFormat, Sealing, TableOptions, WriteFormat};
use crate::database::Database;
use crate::error::{Result, fail};
use crate::executor::home::fresh_id;
use crate::model::{Cell, ColumnType, OwnedCell, Schema, Table};
use crate::progress::{Phase, Progress};

/// What becomes of a column on its way into a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is left out; a merge of the backup keeps what is there.
    Drop,
    /// It is null.
    Null,
    /// Text is replaced by a keyed digest: equal values stay equal, nothing can be read from it.
    Hash,
    /// It is carried as it is, whatever a rule before says.
    Keep,
}

/// What is backed up, and how.
pub struct Create<'a> {
    /// What it is called; none: its id.
    pub name: Option<&'a str>,
    /// The file's format.
    pub format: WriteFormat,
    /// Only these tables; empty: all.
    pub only_tables: &'a [String],
    /// Not these tables.
    pub skip_tables: &'a [String],
    /// Rules for columns, `table.column` or `column`; later ones win.
    pub rules: &'a [(String, Rule)],
    /// Tags.
    pub tags: &'a [String],
    /// How it is encrypted, if at all.
    pub sealing: Option<&'a Sealing>,
}

impl Default for Create<'_> {
    fn default() -> Self {
        let format = WriteFormat::SmartBackup(Compression::Zstd, Default::default());
        Self { name: None, format, only_tables: &[], skip_tables: &[], rules: &[], tags: &[], sealing: None }
    }
}

impl Catalog {
    /// Backs a database up and lists the backup once its file is complete and on disk.
    ///
    /// # Errors
    /// `Usage` for names that are not there, or rules that can't be kept; what the database reports; `OutOfSpace`.
    pub fn create(
        &mut self,
        database: &mut dyn Database,
        request: &Create<'_>,
        progress: &dyn Progress,
    ) -> Result<Entry> {
        let id = fresh_id('b');
        let name = request.name.map_or_else(|| id.clone(), str::to_owned);
        self.free(&name)?;
        progress.phase(Phase::Schema);
        let schema = database.schema()?;
        let chosen = chosen(&schema, request)?;
        let rules = chosen
            .iter()
            .map(|&table| column_rules(&schema.tables[table], request.rules))
            .collect::<Result<Vec<_>>>()?;
        known_rules(&schema, request.rules)?;
        let file = format!("{id}.{}{}", extension(request.format), request.sealing.map_or("", Sealing::suffix));
        let path = self.home.backups().join(&file);
        let created_at = now();
        let key = self.home.key()?;
        let mut snapshot = database.snapshot()?;
        let mut writer = backup::create_sealed(&path, request.format, &created_at, request.sealing)?;
        let mut tables = Vec::new();
        for (&position, rules) in chosen.iter().zip(&rules) {
            let table = &schema.tables[position];
            let label = table.label();
            let excluded = (0..table.columns.len()).filter(|&c| rules[c] == Rule::Drop).collect();
            writer.begin_table(table, &TableOptions { excluded, partial: false })?;
            let mut records = 0;
            let mut hashed: Vec<OwnedCell> = vec![OwnedCell::Null; table.columns.len()];
            let plain = rules.iter().all(|rule| matches!(rule, Rule::Keep | Rule::Drop));
            snapshot.scan(table, &mut |cells| {
                records += 1;
                if records % 1024 == 0 {
                    progress.go_on()?;
                    progress.advance(&label, records, None);
                }
                if plain {
                    return writer.record(cells);
                }
                for (column, cell) in cells.iter().enumerate().filter(|(c, _)| rules[*c] == Rule::Hash) {
                    hashed[column] = hash(*cell, &key);
                }
                let ruled: Vec<Cell<'_>> = cells
                    .iter()
                    .enumerate()
                    .map(|(column, cell)| match rules[column] {
                        Rule::Keep | Rule::Drop => *cell,
                        Rule::Null => Cell::Null,
                        Rule::Hash => hashed[column].as_cell(),
                    })
                    .collect();
                writer.record(&ruled)
            })?;
            tables.push(Carried { name: label, records });
        }
        writer.finish()?;
        drop(snapshot);
        let (digest, size_bytes) = backup::digest(&path)?;
        let whole = chosen.len() == schema.tables.len() && rules.iter().flatten().all(|rule| *rule == Rule::Keep);
        let entry = Entry {
            id,
            name,
            created_at,
            database: Some(database.identity().clone()),
            kind: if whole { Kind::Full } else { Kind::Selected },
            format: word(request.format).to_owned(),
            file,
            size_bytes,
            digest,
            tables,
            tags: request.tags.to_vec(),
            encryption: request.sealing.map(|sealing| sealing.word().to_owned()),
            base: None,
            verified: None,
        };
        self.add(&entry, Some(&schema))?;
        Ok(entry)
    }
}

/// Returns the tables to be written, parents first.
fn chosen(schema: &Schema, request: &Create<'_>) -> Result<Vec<usize>> {
    let resolve = |names: &[String]| -> Result<Vec<usize>> {
        let find = |name: &String| {
            schema.table(name).ok_or_else(|| fail!(Usage, "the current database has no table {name:?}"))
        };
        names.iter().map(find).collect()
    };
    let (only, skip) = (resolve(request.only_tables)?, resolve(request.skip_tables)?);
    let wanted = |table: &usize| (only.is_empty() || only.contains(table)) && !skip.contains(table);
    Ok(graph::order(schema).tables.into_iter().filter(wanted).collect())
}

fn matches(pattern: &str, table: &Table, column: &str) -> bool {
    match pattern.rsplit_once('.') {
        Some((in_table, name)) => (in_table == table.label() || in_table == table.name) && name == column,
        None => pattern == column,
    }
}

fn known_rules(schema: &Schema, rules: &[(String, Rule)]) -> Result<()> {
    let known = |pattern: &str| schema.tables.iter().any(|t| t.columns.iter().any(|c| matches(pattern, t, &c.name)));
    match rules.iter().find(|(pattern, _)| !known(pattern)) {
        Some((pattern, _)) => Err(fail!(Usage, "no table of the current database has a column {pattern:?}")),
        None => Ok(()),
    }
}

/// Returns one rule per column.
fn column_rules(table: &Table, rules: &[(String, Rule)]) -> Result<Vec<Rule>> {
    let mut found = Vec::new();
    for (position, column) in table.columns.iter().enumerate() {
        let rule = rules.iter().rev().find(|(pattern, _)| matches(pattern, table, &column.name));
        let rule = rule.map_or(Rule::Keep, |(_, rule)| *rule);
        let place = format!("{}.{}", table.label(), column.name);
        if rule != Rule::Keep && table.key.contains(&position) {
            return Err(fail!(Usage, "{place} is the key; without it no record could be found again"));
        }
        if rule == Rule::Null && !column.nullable {
            return Err(fail!(Usage, "{place} can't be null").hint("Drop it, or hash it if it is text."));
        }
        if rule == Rule::Hash && !matches!(column.ty, ColumnType::Text { .. } | ColumnType::Any) {
            return Err(fail!(Usage, "{place} holds no text, so that a digest does not fit").hint("Drop it."));
        }
        found.push(rule);
    }
    Ok(found)
}

fn hash(cell: Cell<'_>, key: &[u8; 32]) -> OwnedCell {
    let bytes = match cell {
        Cell::Absent | Cell::Null => return cell.into(),
        Cell::Bytes(bytes) | Cell::RawText(bytes) => bytes.to_vec(),
        Cell::Text(text) | Cell::String(text) | Cell::Number(text) | Cell::Json(text) => text.as_bytes().to_vec(),
        other => format!("{other:?}").into_bytes(),
    };
    OwnedCell::Text(blake3::keyed_hash(key, &bytes).to_hex()[..32].to_owned())
}

fn extension(format: WriteFormat) -> &'static str {
    match format {
        WriteFormat::SmartBackup(Compression::None, _) | WriteFormat::TableMap => "json",
        WriteFormat::SmartBackup(Compression::Gzip, _) => "json.gz",
        WriteFormat::SmartBackup(Compression::Zstd, _) => "json.zst",
        WriteFormat::Files(_) | WriteFormat::JarvisUser => "zip",
    }
}

fn word(format: WriteFormat) -> &'static str {
    use backup::Format;
    match format {
        WriteFormat::SmartBackup(..) => Format::SmartBackup,
        WriteFormat::TableMap => Format::TableMap,
        WriteFormat::Files(FilesFormat::NdJson) => Format::NdJson,
        WriteFormat::Files(FilesFormat::RayErp) => Format::RayErp,
        WriteFormat::Files(FilesFormat::Django) => Format::Django,
        WriteFormat::JarvisUser => Format::Jarvis,
    }
    .word()
}
