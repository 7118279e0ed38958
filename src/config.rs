//! Settings from files: `./merganser.toml`, `$XDG_CONFIG_HOME/merganser/config.toml`, `/etc/merganser/config.toml`.
//!
//! Nearer files win, value by value; each value remembers where it came from. `false` or `""` unsets a value.

use crate::analyzer::{Options, VirtualKey};
use crate::backup::Sealing;
use crate::catalog::make::Rule;
use crate::catalog::storage::Storage;
use crate::error::{Result, fail};
use crate::hooks::Hooks;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The merged settings with their origins.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// The files that were read, nearest first.
    pub files: Vec<PathBuf>,
    /// Each value by its dotted name, with the file it came from.
    pub origins: BTreeMap<String, (Value, PathBuf)>,
}

/// What can be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Named databases.
    pub targets: BTreeMap<String, Target>,
    /// The strategy where none is given.
    pub strategy: Option<String>,
    /// The data folder.
    pub data_dir: Option<PathBuf>,
    /// How backups are made.
    pub backup: BackupSettings,
    /// Whom to tell of scheduled runs.
    pub hooks: Hooks,
}

/// How backups are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackupSettings {
    /// Recipients of age that every backup is encrypted to.
    pub encrypt_to: Vec<String>,
    /// Where backups are kept, as a URL; none: in the data folder.
    pub storage: Option<String>,
}

impl BackupSettings {
    /// Returns how backups are encrypted where nobody says otherwise, if at all.
    ///
    /// # Errors
    /// `Usage` for a recipient that is none.
    pub fn sealing(&self) -> Result<Option<Sealing>> {
        match self.encrypt_to.is_empty() {
            true => Ok(None),
            false => Sealing::to_recipients(&self.encrypt_to).map(Some),
        }
    }

    /// Opens where backups are kept, if that is elsewhere.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub fn place(&self) -> Result<Option<Storage>> {
        self.storage.as_deref().map(Storage::open).transpose()
    }
}

/// A named database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its URL.
    pub url: Option<String>,
    /// A file that holds its URL.
    pub url_file: Option<PathBuf>,
    /// Whether its name is asked for before anything is written.
    pub protected: bool,
    /// Whether a merge over HTTP needs another user's approval first.
    pub approval: bool,
    /// What is known of its tables.
    pub tables: BTreeMap<String, TableSettings>,
    /// What becomes of columns on their way into a backup.
    pub columns: ColumnSettings,
}

/// Rules for columns, each `column` or `table.column`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ColumnSettings {
    /// Columns that are left out.
    pub drop: Vec<String>,
    /// Columns that are made null.
    pub null: Vec<String>,
    /// Columns whose text is replaced by a keyed digest.
    pub hash: Vec<String>,
    /// Columns that are carried whatever another rule says.
    pub keep: Vec<String>,
}

impl ColumnSettings {
    /// Lists them as rules; later ones win.
    pub fn rules(&self) -> Vec<(String, Rule)> {
        let all =
            [(&self.drop, Rule::Drop), (&self.null, Rule::Null), (&self.hash, Rule::Hash), (&self.keep, Rule::Keep)];
        all.iter().flat_map(|(names, rule)| names.iter().map(|name| (name.clone(), *rule))).collect()
    }
}

/// What is known of a table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TableSettings {
    /// The column that says when a record was last changed; empty: none.
    pub timestamp: Option<String>,
    /// Columns that are never shown.
    pub secret_columns: Vec<String>,
    /// Columns that are never written.
    pub never_write: Vec<String>,
    /// The columns that identify a record.
    pub key: Vec<String>,
    /// Columns that are not compared.
    pub ignore_columns: Vec<String>,
    /// The natural key by which records are matched, whatever their ids.
    #[serde(rename = "match")]
    pub matched_by: Vec<String>,
    /// References that the database does not declare.
    pub virtual_fks: Vec<VirtualFk>,
}

/// A reference that the database does not declare: `{ columns = ["created_by"], references = "admins.id" }`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VirtualFk {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The referenced table and columns: `admins.id`, `people.tenant,code`.
    pub references: String,
    /// One column and the text in it that make it this reference: `{ owner_type = "user" }`.
    pub when: BTreeMap<String, String>,
}

impl VirtualFk {
    fn of_table(&self, table: &str) -> Result<VirtualKey> {
        let wrong = |why: &str| fail!(Usage, "the configuration: virtual_fks of {table}: {why}");
        let Some((parent, references)) = self.references.rsplit_once('.') else {
            return Err(wrong("references is written TABLE.COLUMN, or TABLE.COLUMN,COLUMN"));
        };
        if self.columns.is_empty() || self.when.len() > 1 {
            return Err(wrong("it needs columns, and at most one column in when"));
        }
        Ok(VirtualKey {
            table: table.to_owned(),
            columns: self.columns.clone(),
            parent: parent.to_owned(),
            references: references.split(',').map(|c| c.trim().to_owned()).collect(),
            when: self.when.iter().next().map(|(column, text)| (column.clone(), text.clone())),
        })
    }
}

/// The keys that each level knows, to find misspelled ones.
const TOP: [&str; 10] =
    ["targets", "strategy", "data_dir", "backup", "retention", "hooks", "serve", "schedules", "profiles", "limits"];
const TARGET: [&str; 6] = ["url", "url_file", "protected", "approval", "tables", "columns"];
const COLUMNS: [&str; 4] = ["drop", "null", "hash", "keep"];
const TABLE: [&str; 7] =
    ["timestamp", "secret_columns", "never_write", "key", "ignore_columns", "match", "virtual_fks"];

impl Config {
    /// Reads the files; `explicit` takes the place of `./merganser.toml`, `profile` is laid over all of them.
    ///
    /// # Errors
    /// `Usage` with file, line and column for a file that is not TOML or holds a value of the wrong kind.
    pub fn load(explicit: Option<&Path>, profile: Option<&str>) -> Result<Self> {
        let mut merged = Table::new();
        let mut config = Self::default();
        for path in Self::paths(explicit) {
            if explicit != Some(path.as_path()) && !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path)
                .map_err(|e| fail!(Usage, "the configuration {} can't be read", path.display()).because(e))?;
            // The parser's message repeats the line in question, which may hold a password.
            let table: Table = toml::from_str(&text).map_err(|e| {
                let at = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
                fail!(Usage, "the configuration {}, line {at}: {}", path.display(), e.message())
            })?;
            config.note_origins("", &table, &path);
            fill(&mut merged, table);
            config.files.push(path);
        }
        if let Some(name) = profile {
            let overlay = merged.get("profiles").and_then(|p| p.get(name)).and_then(Value::as_table).cloned();
            let mut overlay = overlay.ok_or_else(|| {
                fail!(Usage, "no configuration file has a profile {name:?}")
                    .hint("Add [profiles.NAME] to merganser.toml.")
            })?;
            fill(&mut overlay, merged);
            merged = overlay;
        }
        unset(&mut merged);
        config.settings = Value::Table(merged)
            .try_into()
            .map_err(|e: toml::de::Error| fail!(Usage, "the configuration is not as it should be: {}", e.message()))?;
        Ok(config)
    }

    /// Lists where settings are looked for, nearest first.
    pub fn paths(explicit: Option<&Path>) -> Vec<PathBuf> {
        let mut paths = vec![explicit.map_or_else(|| PathBuf::from("merganser.toml"), Path::to_owned)];
        let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config"));
        let xdg = std::env::var_os("XDG_CONFIG_HOME").filter(|v| !v.is_empty()).map(PathBuf::from).or_else(home);
        paths.extend(xdg.map(|folder| folder.join("merganser/config.toml")));
        paths.push(PathBuf::from("/etc/merganser/config.toml"));
        paths
    }

    fn note_origins(&mut self, prefix: &str, table: &Table, path: &Path) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) => self.note_origins(&name, inner, path),
                other => {
                    self.origins.entry(name).or_insert_with(|| (other.clone(), path.to_owned()));
                }
            }
        }
    }

    /// Lists keys that mean nothing, each with the file it is in.
    pub fn unknown_keys(&self) -> Vec<String> {
        let known = |name: &str| {
            let parts: Vec<&str> = name.split('.').collect();
            match parts.as_slice() {
                ["profiles", ..] => true,
                ["targets", _, "tables", _, key, ..] => TABLE.contains(key),
                ["targets", _, "columns", key, ..] => COLUMNS.contains(key),
                ["targets", _, key, ..] => TARGET.contains(key),
                [top, ..] => TOP.contains(top),
                [] => true,
            }
        };
        let wrong = self.origins.iter().filter(|(name, _)| !known(name));
        wrong.map(|(name, (_, path))| format!("{name} ({})", path.display())).collect()
    }
}

/// Takes from `other` what `table` does not have.
fn fill(table: &mut Table, other: Table) {
    for (key, value) in other {
        match (table.get_mut(&key), value) {
            (None, value) => {
                table.insert(key, value);
            }
            (Some(Value::Table(inner)), Value::Table(more)) => fill(inner, more),
            (Some(_), _) => {}
        }
    }
}

/// Removes what was set to `""`, and to `false` where that is no answer of its own.
fn unset(table: &mut Table) {
    table.retain(|key, value| match value {
        Value::String(text) => !text.is_empty() || key == "timestamp",
        Value::Boolean(false) => key == "protected",
        _ => true,
    });
    table.iter_mut().filter_map(|(_, value)| value.as_table_mut()).for_each(unset);
}

impl Target {
    /// Returns the URL, read from its file where it is kept in one.
    ///
    /// # Errors
    /// `Usage` when there is none; the message never holds it.
    pub fn address(&self, name: &str) -> Result<String> {
        if let Some(path) = &self.url_file {
            return std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|e| {
                fail!(Usage, "the URL of target {name} can't be read from {}", path.display()).because(e)
            });
        }
        self.url.clone().ok_or_else(|| {
            fail!(Usage, "the target {name} has no url").hint(format!("Add url or url_file to [targets.{name}]."))
        })
    }

    /// Lays what is known of the tables under what a user asked for.
    ///
    /// # Errors
    /// `Usage` for a reference that is not written as it should be.
    pub fn apply(&self, options: &mut Options) -> Result<()> {
        for (table, known) in &self.tables {
            options.declared.push(table.clone());
            let columns = known.secret_columns.iter().chain(&known.never_write);
            options.declared.extend(columns.map(|column| format!("{table}\u{0}{column}")));
            options.secret_columns.extend(known.secret_columns.iter().map(|column| (table.clone(), column.clone())));
            if !known.key.is_empty() && !options.keys.iter().any(|(t, _)| t == table) {
                options.keys.push((table.clone(), known.key.clone()));
            }
            if let Some(column) = &known.timestamp
                && !options.timestamps.iter().any(|(t, _)| t.as_deref() == Some(table))
            {
                options.timestamps.push((Some(table.clone()), Some(column.clone()).filter(|c| !c.is_empty())));
            }
            if !known.matched_by.is_empty() && !options.matches.iter().any(|(t, _)| t == table) {
                options.matches.push((table.clone(), known.matched_by.clone()));
            }
            for virtual_fk in &known.virtual_fks {
                options.virtual_keys.push(virtual_fk.of_table(table)?);
            }
            let left_out = known.ignore_columns.iter().chain(&known.never_write);
            options.skip_columns.extend(left_out.map(|column| format!("{table}.{column}")));
            options.never_write.extend(known.never_write.iter().map(|column| format!("{table}.{column}")));
        }
        Ok(())
    }

    /// Lists the columns that are never shown.
    pub fn secret_columns(&self) -> Vec<(String, String)> {
        let columns = |(table, known): (&String, &TableSettings)| {
            known.secret_columns.iter().map(|c| (table.clone(), c.clone())).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(columns).collect()
    }
}
