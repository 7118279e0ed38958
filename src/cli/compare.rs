//! The options of a comparison, which `analyze` takes and `merge` of a file too.

use super::args::duration;
use super::context::{Context, Target};
use super::files::FilesArgs;
use super::secret::KeyArgs;
use super::signals::Working;
use crate::analyzer::Options;
use crate::analyzer::classify::Deletes;
use crate::analyzer::options::{OnUnknown, Parents, Touch};
use crate::backup::{Limits, LoneSurrogates, Nul, ReadOptions};
use crate::catalog::Catalog;
use crate::database::{Database, Identity};
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::files::Missing;
use crate::plan::make::{Request, make};
use crate::plan::{Plan, Preview};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Presets over strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Intent {
    /// Insert what was deleted; change nothing that exists.
    RecoverDeleted,
    /// Put chosen records back as they were.
    PutBack,
    /// Take over another environment's data, without its secrets.
    #[value(alias = "sync")]
    EnvironmentSync,
    /// Combine two copies field by field.
    Combine,
}

impl Intent {
    fn strategy(self) -> &'static str {
        match self {
            Self::RecoverDeleted => "recover-deleted",
            Self::PutBack => "backup-wins",
            Self::EnvironmentSync => "environment-sync",
            Self::Combine => "merge-fields",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DeletesArg {
    /// Nothing is deleted.
    #[default]
    Keep,
    /// Delete what the backup deleted since the base.
    Apply,
    /// Delete what is only in current, in tables that the backup carries whole.
    Mirror,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum UnknownArg {
    /// Refuse, with suggestions.
    #[default]
    Error,
    /// Leave it out.
    Skip,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ParentsArg {
    /// Pull them in.
    #[default]
    Auto,
    /// Block records that need one.
    Require,
    /// Look nothing up.
    None,
}

/// Which strategy decides.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Deciding")]
pub(super) struct Deciding {
    /// Strategy that decides conflicts: a name (see 'merganser strategies') or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) strategy: Option<String>,
    /// Strategy of one table
    #[arg(long, value_name = "TABLE=NAME")]
    pub(super) strategy_for: Vec<String>,
    /// Keep current records that are newer, whatever the strategy (default)
    #[arg(long, overrides_with = "no_preserve_newer")]
    pub(super) preserve_newer: bool,
    /// Let the strategy alone decide
    #[arg(long, overrides_with = "preserve_newer")]
    pub(super) no_preserve_newer: bool,
}

/// How records are compared.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Comparing")]
pub(super) struct Compare {
    /// What you want: a preset of strategies
    #[arg(long, value_enum, value_name = "NAME")]
    pub(super) intent: Option<Intent>,
    /// An earlier backup that both sides come from: FILE, none, or auto: the last one that the catalog knows (default)
    #[arg(long, value_name = "FILE|auto|none")]
    pub(super) base: Option<String>,
    /// What is done about records that the backup no longer has
    #[arg(long, value_enum, default_value_t)]
    pub(super) deletes: DeletesArg,
    /// With a base: changes of different fields of one record are a conflict
    #[arg(long)]
    pub(super) strict: bool,
    /// Set the timestamps of written records to the moment of the analysis, as the application would
    #[arg(long)]
    pub(super) touch: bool,
    /// Timestamps no further apart than this count as equal
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub(super) tolerance: Option<Duration>,
    /// Column that says when a record was last changed: NAME, TABLE.NAME, TABLE.none
    #[arg(long, value_name = "COLUMN")]
    pub(super) timestamp_column: Vec<String>,
    /// Columns that identify the records of a table
    #[arg(long, value_name = "TABLE=COL,COL")]
    pub(super) key: Vec<String>,
    /// Match a table's records by a natural key, whatever their ids; references follow
    #[arg(long = "match", value_name = "TABLE=COLUMN[,COLUMN]")]
    pub(super) matches: Vec<String>,
    /// Only these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(super) only_tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub(super) skip_tables: Vec<String>,
    /// Only these columns: COLUMN or TABLE.COLUMN
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) only_columns: Vec<String>,
    /// Not these columns
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) skip_columns: Vec<String>,
    /// Only records that meet a condition: 'users: status = "pending"'
    #[arg(long = "where", value_name = "TABLE: CONDITION")]
    pub(super) conditions: Vec<String>,
    /// How records that chosen ones refer to are found
    #[arg(long, value_enum, default_value_t)]
    pub(super) parents: ParentsArg,
    /// Name of a table in the backup and in current
    #[arg(long, value_name = "BACKUP=CURRENT")]
    pub(super) map_table: Vec<String>,
    /// Name of a column in the backup and in current
    #[arg(long, value_name = "TABLE.COL=TABLE.COL")]
    pub(super) map_column: Vec<String>,
    /// Mappings from a TOML file with [tables] and [columns]
    #[arg(long, value_name = "FILE")]
    pub(super) map_file: Option<PathBuf>,
    /// Tables that current does not have
    #[arg(long, value_enum, default_value_t)]
    pub(super) on_unknown_table: UnknownArg,
    /// Columns that current does not have
    #[arg(long, value_enum, default_value_t)]
    pub(super) on_unknown_column: UnknownArg,
    #[command(flatten)]
    pub(super) files: FilesArgs,
    #[command(flatten)]
    pub(super) read: Read,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum NulArg {
    /// Text like any other; what the database can't hold is blocked
    #[default]
    Keep,
    /// They are taken out
    Strip,
    /// Each becomes U+FFFD
    Replace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SurrogatesArg {
    /// The backup is refused, with the place
    #[default]
    Refuse,
    /// Each becomes U+FFFD
    Replace,
}

/// How a backup is read.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct Read {
    /// Read NaN and Infinity, which are not JSON
    #[arg(long)]
    pub(super) lenient_json: bool,
    /// NUL characters in text, which PostgreSQL can't hold
    #[arg(long, value_enum, default_value_t)]
    pub(super) nul: NulArg,
    /// Halves of surrogate pairs in JSON (`\ud800`), which are no characters
    #[arg(long, value_enum, default_value_t)]
    pub(super) lone_surrogates: SurrogatesArg,
    /// Read a backup although it claims other record counts than it has
    #[arg(long)]
    pub(super) accept_count_mismatch: bool,
    /// Largest nesting of JSON
    #[arg(long, value_name = "N")]
    pub(super) max_depth: Option<usize>,
    /// Largest record, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) max_record_bytes: Option<usize>,
    /// Largest string or binary value, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) max_string_bytes: Option<usize>,
    /// Largest expanded size, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) max_expanded_bytes: Option<u64>,
    /// Most tables
    #[arg(long, value_name = "N")]
    pub(super) max_tables: Option<usize>,
    /// Largest ratio of expanded to compressed size
    #[arg(long, value_name = "N")]
    pub(super) max_ratio: Option<u64>,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
}

impl Read {
    pub(super) fn options(&self, context: &Context<'_>) -> ReadOptions {
        let usual = Limits::default();
        let limits = Limits {
            depth: self.max_depth.unwrap_or(usual.depth),
            record_bytes: self.max_record_bytes.unwrap_or(usual.record_bytes),
            string_bytes: self.max_string_bytes.unwrap_or(usual.string_bytes),
            expanded_bytes: self.max_expanded_bytes.unwrap_or(usual.expanded_bytes),
            tables: self.max_tables.unwrap_or(usual.tables),
            ratio: self.max_ratio.unwrap_or(usual.ratio),
            ..usual
        };
        ReadOptions {
            limits,
            lenient_json: self.lenient_json,
            nul: match self.nul {
                NulArg::Keep => Nul::Keep,
                NulArg::Strip => Nul::Strip,
                NulArg::Replace => Nul::Replace,
            },
            lone_surrogates: match self.lone_surrogates {
                SurrogatesArg::Refuse => LoneSurrogates::Refuse,
                SurrogatesArg::Replace => LoneSurrogates::Replace,
            },
            accept_count_mismatch: self.accept_count_mismatch,
            keys: self.keys.keys(context),
            ..ReadOptions::default()
        }
    }
}

/// Splits `a=b`.
pub(super) fn pair(text: &str, flag: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => {
            Ok((left.trim().to_owned(), right.trim().to_owned()))
        }
        _ => Err(fail!(Usage, "{flag} {text:?} has no '=' with a name on both sides")),
    }
}

impl Deciding {
    /// Returns the strategy's name or path.
    pub(super) fn name(&self, intent: Option<Intent>, configured: Option<&str>) -> String {
        let preset = intent.map(|i| i.strategy().to_owned());
        self.strategy
            .clone()
            .or(preset)
            .or_else(|| configured.map(str::to_owned))
            .unwrap_or_else(|| "backup-wins".to_owned())
    }

    /// Returns the strategies of single tables.
    pub(super) fn tables(&self) -> Result<Vec<(String, String)>> {
        self.strategy_for.iter().map(|t| pair(t, "--strategy-for")).collect()
    }

    /// Tells whether anything was asked for.
    pub(super) fn is_given(&self) -> bool {
        self.strategy.is_some() || !self.strategy_for.is_empty() || self.preserve_newer || self.no_preserve_newer
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct MapFile {
    tables: std::collections::BTreeMap<String, String>,
    columns: std::collections::BTreeMap<String, String>,
}

impl Compare {
    /// Turns the arguments into the analyzer's options.
    pub(super) fn options(&self, deciding: &Deciding, target: &Target) -> Result<Options> {
        let mut options = Options {
            only_tables: self.only_tables.clone(),
            skip_tables: if self.files.files_only { vec!["*".to_owned()] } else { self.skip_tables.clone() },
            only_columns: self.only_columns.clone(),
            skip_columns: self.skip_columns.clone(),
            conditions: self.conditions.clone(),
            strict: self.strict,
            preserve_newer: !deciding.no_preserve_newer,
            touch: if self.touch { Touch::Analysis } else { Touch::Keep },
            deletes: match self.deletes {
                DeletesArg::Keep => Deletes::Keep,
                DeletesArg::Apply => Deletes::Apply,
                DeletesArg::Mirror => Deletes::Mirror,
            },
            parents: match self.parents {
                ParentsArg::Auto => Parents::Auto,
                ParentsArg::Require => Parents::Require,
                ParentsArg::None => Parents::None,
            },
            on_unknown_table: unknown(self.on_unknown_table),
            on_unknown_column: unknown(self.on_unknown_column),
            ..Options::default()
        };
        if let Some(tolerance) = self.tolerance {
            options.tolerance_millis = u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX);
        }
        for text in &self.map_table {
            options.map_tables.push(pair(text, "--map-table")?);
        }
        for text in &self.map_column {
            options.map_columns.push(pair(text, "--map-column")?);
        }
        if let Some(path) = &self.map_file {
            let text = std::fs::read_to_string(path)
                .map_err(|e| fail!(Usage, "the mapping {} can't be read", path.display()).because(e))?;
            let file: MapFile = toml::from_str(&text)
                .map_err(|e| fail!(Usage, "the mapping {} can't be read", path.display()).because(e))?;
            options.map_tables.extend(file.tables);
            options.map_columns.extend(file.columns);
        }
        for text in &self.key {
            let (table, columns) = pair(text, "--key")?;
            options.keys.push((table, columns.split(',').map(|c| c.trim().to_owned()).collect()));
        }
        for text in &self.matches {
            let (table, columns) = pair(text, "--match")?;
            options.matches.push((table, columns.split(',').map(|c| c.trim().to_owned()).collect()));
        }
        for text in &self.timestamp_column {
            let (table, column) = match text.rsplit_once('.') {
                Some((table, column)) => (Some(table.to_owned()), column),
                None => (None, text.as_str()),
            };
            options.timestamps.push((table, Some(column.to_owned()).filter(|c| c != "none")));
        }
        target.settings.apply(&mut options)?;
        Ok(options)
    }

    /// Returns the base's file, where one is to be compared with: the one that was given, else the one that the catalog
    /// knows.
    ///
    /// # Errors
    /// `Failed` when the catalog can't be read.
    pub(super) fn base(
        &self,
        context: &Context<'_>,
        home: &Home,
        file: &Path,
        database: &Identity,
    ) -> Result<Option<PathBuf>> {
        match self.base.as_deref() {
            Some("none") => Ok(None),
            asked @ (None | Some("auto")) => {
                let catalog = Catalog::open(home)?;
                let found = catalog.base_of(file, database, &self.read.options(context))?;
                match &found {
                    Some(base) => context.out.chat(&format!("Base: {}, which both sides come from.", base.name)),
                    None if asked.is_some() => {
                        context.out.warning("--base auto: no common base is known of this backup; compared two-way");
                    }
                    None => {}
                }
                found.iter().try_for_each(|base| catalog.fetch(base, context.out))?;
                Ok(found.map(|base| catalog.path(&base)))
            }
            Some(path) => Ok(Some(PathBuf::from(path))),
        }
    }

    /// Lists the options given that a saved plan can't take any more.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let mut given = Vec::new();
        let mut note = |is: bool, flag| given.extend(is.then_some(flag));
        note(self.intent.is_some(), "--intent");
        note(self.base.is_some(), "--base");
        note(self.deletes != DeletesArg::Keep, "--deletes");
        note(self.files.files.is_some(), "--files");
        note(self.strict, "--strict");
        note(self.touch, "--touch");
        note(self.tolerance.is_some(), "--tolerance");
        note(!self.timestamp_column.is_empty(), "--timestamp-column");
        note(!self.key.is_empty(), "--key");
        note(!self.matches.is_empty(), "--match");
        note(!self.only_tables.is_empty(), "--only-tables");
        note(!self.skip_tables.is_empty(), "--skip-tables");
        note(!self.only_columns.is_empty(), "--only-columns");
        note(!self.skip_columns.is_empty(), "--skip-columns");
        note(!self.conditions.is_empty(), "--where");
        note(!self.map_table.is_empty(), "--map-table");
        note(!self.map_column.is_empty(), "--map-column");
        note(self.map_file.is_some(), "--map-file");
        note(self.parents != ParentsArg::Auto, "--parents");
        note(self.on_unknown_table != UnknownArg::Error, "--on-unknown-table");
        note(self.on_unknown_column != UnknownArg::Error, "--on-unknown-column");
        given
    }
}

fn unknown(arg: UnknownArg) -> OnUnknown {
    match arg {
        UnknownArg::Error => OnUnknown::Error,
        UnknownArg::Skip => OnUnknown::Skip,
    }
}

/// What is compared, and where the plan goes.
pub(super) struct Wanted<'a> {
    pub(super) backup: &'a Path,
    pub(super) base: Option<&'a Path>,
    pub(super) read: ReadOptions,
    pub(super) options: Options,
    pub(super) strategy: &'a str,
    pub(super) table_strategies: Vec<(String, String)>,
    pub(super) id: String,
    pub(super) out: &'a Path,
    pub(super) files: Option<(PathBuf, Missing)>,
}

/// Analyzes and saves the plan.
pub(super) fn analyze(
    context: &Context<'_>,
    home: &Home,
    database: &mut dyn Database,
    wanted: Wanted<'_>,
) -> Result<(Plan, Preview)> {
    let request = Request {
        backup: wanted.backup,
        base: wanted.base,
        read: wanted.read,
        options: wanted.options,
        strategy: wanted.strategy,
        table_strategies: wanted.table_strategies,
        id: wanted.id,
        out: wanted.out,
        state_key: home.key()?,
    };
    let _working = Working::begin();
    let (mut plan, preview) = make(&request, database, context.out)?;
    if let Some(files) = &wanted.files
        && let Err(error) = super::files::add(&mut plan, home, files, &request.read)
    {
        drop(plan);
        std::fs::remove_file(request.out)?;
        return Err(error);
    }
    Ok((plan, preview))
}
