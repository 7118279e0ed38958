//! `inspect`: what is in a backup; needs no database, no configuration and no data folder.

use super::compare::Read;
use super::context::Context;
use super::output::Done;
use crate::backup::{self, Inspection, Place, RecordSink};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::Cell;
use crate::report::secrets::{digest_text, is_secret_name};
use crate::report::text::{aligned, plural, short, shown, when};
use base64::Engine as _;
use clap::Args;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  merganser inspect backup.json
  merganser inspect backup.json --table User --limit 5
  merganser inspect fixture.json --json | jq '.tables[].name'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// The backup
    file: PathBuf,
    /// Show records of this table
    #[arg(long)]
    table: Option<String>,
    /// At most so many records
    #[arg(long, default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    read: Read,
}

pub(super) fn run(context: &Context<'_>, args: &InspectArgs) -> Result<Done> {
    super::analyze::must_exist(&args.file)?;
    let options = args.read.options(context);
    if let Some(table) = &args.table {
        return records(context, args, table, &options);
    }
    let mut found = backup::inspect(&args.file, &options)?;
    if !context.global.show_secrets {
        for column in found.tables.iter_mut().flat_map(|t| &mut t.columns).filter(|c| is_secret_name(&c.name)) {
            column.sample = column.sample.as_deref().map(|s| format!("[secret {}]", digest_text(s)));
        }
    }
    print(context, args, &found);
    // A backup that holds less than it claims is not whole; what it does hold is shown all the same.
    let short = found.tables.iter().any(|t| t.claimed.is_some_and(|claimed| claimed != t.records));
    Ok(Done::with(&found).exit(if short { ErrorKind::BackupDamaged.exit_code() } else { 0 }))
}

fn print(context: &Context<'_>, args: &InspectArgs, found: &Inspection) {
    let out = context.out;
    out.line(&format!("Backup    {}", shown(&args.file.display().to_string())));
    let version = found.version.as_deref().map(|v| format!(", version {}", shown(v))).unwrap_or_default();
    out.line(&format!("Format    {}{version}, {} bytes", found.format, found.size_bytes));
    if let Some(at) = &found.exported_at {
        out.line(&format!("Exported  {}", when(at)));
    }
    if !found.says.is_empty() {
        let said: Vec<String> = found.says.iter().map(|(key, value)| format!("{key} {value}")).collect();
        out.line(&format!("Says      {}", shown(&said.join(", "))));
    }
    out.line(&format!("Digest    blake3:{}", found.digest));
    out.line(&format!(
        "Holds     {} in {}\n",
        plural(found.records, "record"),
        plural(found.tables.len() as u64, "table")
    ));
    if let Some(files) = found.files.filter(|files| files.files > 0) {
        out.line(&format!("Files     {}, {} bytes\n", plural(files.files, "file"), files.size_bytes));
    }
    let rows: Vec<Vec<String>> = found
        .tables
        .iter()
        .map(|t| {
            let claimed = t.claimed.map_or_else(|| "–".to_owned(), |n| n.to_string());
            let names: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
            vec![t.name.clone(), short(&names.join(", "), 70), t.records.to_string(), claimed]
        })
        .collect();
    out.text(&aligned(&["table", "columns", "records", "claimed"], &rows, 2));
    if out.verbose > 0 {
        for table in &found.tables {
            out.line(&format!("\n{}", shown(&table.name)));
            let rows: Vec<Vec<String>> = table
                .columns
                .iter()
                .map(|c| {
                    vec![
                        c.name.clone(),
                        c.kinds.join("|"),
                        c.sample.clone().unwrap_or_default(),
                        c.nulls.to_string(),
                        c.absent.to_string(),
                    ]
                })
                .collect();
            out.text(&aligned(&["column", "kinds", "sample", "nulls", "absent"], &rows, 3));
        }
    }
    found.notes.iter().for_each(|n| out.line(&format!("  Note: {}", shown(n))));
    found.problems.iter().for_each(|p| out.line(&format!("  Problem: {}", shown(p))));
    out.chat(&format!("\nNext: merganser analyze {} --to TARGET", shown(&args.file.display().to_string())));
}

/// Keeps the first records of a table; stops the reading when it has enough.
struct First {
    limit: usize,
    hide: bool,
    records: Vec<Json>,
    fields: Map<String, Json>,
}

/// Says that the reading was stopped because enough was read; never leaves this file.
const ENOUGH: &str = "enough";

impl RecordSink for First {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let value = match cell {
            Cell::Absent => return Ok(()),
            Cell::Null => Json::Null,
            Cell::Bool(b) => json!(b),
            Cell::Int(i) => json!(i),
            Cell::UInt(u) => json!(u),
            Cell::Real(r) => json!({"decimal": r.to_string()}),
            Cell::Number(text) => match text.parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => json!({"decimal": text}),
            },
            Cell::String(text) | Cell::Text(text) => json!(text),
            Cell::RawText(bytes) | Cell::Bytes(bytes) => {
                json!({"bytes": base64::engine::general_purpose::STANDARD.encode(bytes)})
            }
            Cell::Json(text) => json!({"json": text}),
        };
        let value = match value {
            Json::Null => Json::Null,
            other if self.hide && is_secret_name(name) => {
                json!({"redacted": format!("blake3:{}", digest_text(&other.to_string()))})
            }
            other => other,
        };
        self.fields.insert(name.to_owned(), value);
        Ok(())
    }

    fn end_record(&mut self, _: Place) -> Result<()> {
        self.records.push(Json::Object(std::mem::take(&mut self.fields)));
        if self.records.len() >= self.limit { Err(Error::new(ErrorKind::Failed, ENOUGH)) } else { Ok(()) }
    }
}

fn records(context: &Context<'_>, args: &InspectArgs, name: &str, options: &backup::ReadOptions) -> Result<Done> {
    let mut reader = backup::open(&args.file, options)?;
    let mut names = Vec::new();
    while let Some(header) = reader.next_table()? {
        if header.name != name {
            names.push(header.name);
            continue;
        }
        let mut sink = First {
            limit: args.limit.max(1),
            hide: !context.global.show_secrets,
            records: Vec::new(),
            fields: Map::new(),
        };
        if let Err(error) = reader.read_records(&mut sink)
            && error.to_string() != ENOUGH
            && !error.to_string().ends_with(&format!(": {ENOUGH}"))
        {
            return Err(error);
        }
        for record in &sink.records {
            context.out.line(&shown(&record.to_string()));
        }
        return Ok(Done::with(&json!({"table": name, "records": sink.records})));
    }
    let near = names.iter().min_by_key(|n| strsim::damerau_levenshtein(n, name));
    let error = fail!(Usage, "the backup has no table {name:?}");
    Err(match near {
        Some(near) => error.hint(format!("Did you mean {near}? It has {}.", names.join(", "))),
        None => error,
    })
}
