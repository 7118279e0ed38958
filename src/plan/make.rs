//! Making a plan: from a backup, a database and what was asked to a settled, sealed plan file.

mod samples;

use super::settle::Strategies;
use super::{BackupPin, Meta, Plan, PlanKind, Preview, ReadPin, withheld};
use crate::analyzer::{self, Base, Current, Options, django, matching};
use crate::backup::{self, Format, ReadOptions, Summary};
use crate::database::Database;
use crate::error::{Result, fail};
use crate::model::schema::Engine;
use crate::progress::{Phase, Progress};
use crate::strategy::Strategy;
use std::path::Path;

/// How long a plan may wait before it is merged, in days (CHECKS 4).
const KEPT_DAYS: i64 = 7;

/// What to analyze, against what, and how.
pub struct Request<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// The base, where one is given.
    pub base: Option<&'a Path>,
    /// How files are read.
    pub read: ReadOptions,
    /// How records are compared.
    pub options: Options,
    /// The strategy, by name or path.
    pub strategy: &'a str,
    /// Strategies of single tables: table, name or path.
    pub table_strategies: Vec<(String, String)>,
    /// The plan's id; its file is `out`.
    pub id: String,
    /// Where the plan is written.
    pub out: &'a Path,
    /// The key that seals it.
    pub state_key: [u8; 32],
}

/// Analyzes a backup and saves the plan, settled under its strategy.
///
/// # Errors
/// Whatever reading, comparing or saving meets; the unfinished plan file is removed then.
pub fn make(request: &Request<'_>, database: &mut dyn Database, progress: &dyn Progress) -> Result<(Plan, Preview)> {
    let was_there = request.out.exists();
    let made = build(request, database, progress);
    if made.is_err() && !was_there {
        // What can't be finished is of no use; the cause is what gets reported.
        let _ = std::fs::remove_file(request.out);
    }
    made
}

fn build(request: &Request<'_>, database: &mut dyn Database, progress: &dyn Progress) -> Result<(Plan, Preview)> {
    let strategy = Strategy::load(request.strategy)?;
    let reader = backup::open(request.backup, &request.read)?;
    let format = reader.format();
    progress.phase(Phase::Schema);
    let mut schema = database.schema()?;
    if format == Format::Sqlite && schema.engine == Engine::Sqlite {
        let mut first = backup::open(request.backup, &request.read)?;
        database.adopt_styles(&mut schema, &samples::first_records(first.as_mut())?)?;
    }
    let mut table_strategies = Vec::new();
    for (table, name) in &request.table_strategies {
        if table == "files" && schema.table(table).is_none() {
            // The files that travel with a backup are decided about as records of a table of that name are.
            let strategy = Strategy::load(name)?;
            table_strategies.push((table.clone(), strategy.name.clone(), strategy.text().to_owned()));
            continue;
        }
        let position = schema
            .table(table)
            .ok_or_else(|| fail!(Usage, "--strategy-for: the current database has no table {table:?}"))?;
        let strategy = Strategy::load(name)?;
        table_strategies.push((schema.tables[position].label(), strategy.name.clone(), strategy.text().to_owned()));
    }
    let now = chrono::Utc::now();
    let time = |t: chrono::DateTime<chrono::Utc>| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let pin = |path: &Path, summary: &Summary, format: &str| -> Result<BackupPin> {
        Ok(BackupPin {
            path: path.canonicalize()?.display().to_string(),
            digest: summary.digest.clone(),
            size_bytes: summary.size_bytes,
            format: format.to_owned(),
            exported_at: summary.exported_at.clone(),
        })
    };
    let mut meta = Meta {
        id: request.id.clone(),
        kind: PlanKind::Merge,
        created_at: time(now),
        expires_at: time(now + chrono::Duration::days(KEPT_DAYS)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backup: None,
        base: None,
        database: database.identity().clone(),
        options: request.options.clone(),
        read: ReadPin::of(&request.read),
        schema: schema.clone(),
        compared: Vec::new(),
        tables: Vec::new(),
        not_carried: Vec::new(),
        withheld: Vec::new(),
        notes: Vec::new(),
        strategy: (strategy.name.clone(), strategy.text().to_owned()),
        table_strategies,
        files: None,
    };
    let mut plan = Plan::create(request.out, meta.clone())?;
    plan.settle_as_found()?;
    // What is never brought is not even looked at. The plan keeps what was asked: it is found out anew each time.
    let strategies = Strategies::of_meta(&meta)?;
    let never = withheld::tables(&strategies, &schema);
    let mut asked = request.options.clone();
    asked.skip_tables.extend(never.iter().cloned());
    let mut snapshot = database.snapshot()?;
    let open_base = || backup::open(request.base.expect("only asked with a base"), &request.read);
    let open_backup = || backup::open(request.backup, &request.read);
    let mut sources = vec![django::Source { format, open: &open_backup }];
    if request.base.is_some() {
        sources.push(django::Source { format: open_base()?.format(), open: &open_base });
    }
    let django = django::prepare(&sources, database, snapshot.as_mut(), &schema, &asked)?;
    let (reader, mut options) = match &django {
        Some(django) => (django.wrap(reader, 0), django.options(&asked)),
        None => (reader, asked),
    };
    if django.is_some() {
        matching::django_defaults(&mut options, &schema);
    }
    let shaped_backup = || {
        let backup = open_backup()?;
        Ok(match &django {
            Some(django) => django.wrap(backup, 0),
            None => backup,
        })
    };
    let open_base = || {
        let base = open_base()?;
        Ok(match &django {
            Some(django) => django.wrap(base, 1),
            None => base,
        })
    };
    let base = request.base.map(|_| Base { open: &open_base });
    let opened_base: matching::Open<'_> = &open_base;
    let matched = matching::prepare(
        (&shaped_backup, request.base.map(|_| opened_base)),
        database,
        snapshot.as_mut(),
        &schema,
        &options,
    )?;
    let lacking = database.lacking(&schema)?;
    let read_only = database.read_only()?;
    let analysis = analyzer::analyze(
        reader,
        base.as_ref(),
        Current { database, snapshot: snapshot.as_mut(), schema, matched: matched.as_ref() },
        &options,
        &mut plan,
        progress,
    )?;
    drop(snapshot);
    meta.backup = Some(pin(request.backup, &analysis.backup, format.word())?);
    meta.base = match (request.base, &analysis.base) {
        (Some(path), Some(summary)) => Some(pin(path, summary, "")?),
        _ => None,
    };
    meta.schema = analysis.schema;
    meta.compared = analysis.compared;
    meta.tables = analysis.tables;
    meta.not_carried = analysis.not_carried;
    meta.notes = analysis.notes;
    meta.withheld = never;
    meta.withheld.extend(withheld::columns(&strategies, &meta));
    if !meta.withheld.is_empty() {
        let what = meta.withheld.join(", ");
        meta.notes.push(format!("{} never brings, and the plan does not hold: {what}", meta.strategy.0));
    }
    meta.notes.extend(meta.schema.left_out.iter().cloned());
    for result in meta.tables.iter().filter(|r| r.counts.new + r.counts.updated + r.counts.conflict > 0) {
        let table = &meta.schema.tables[result.table];
        // An analysis reads; what a merge would need besides is told before anybody decides anything.
        for one in lacking.iter().filter(|l| l.is_about(table)) {
            meta.notes.push(format!(
                "{}: a merge would lack {}; an owner gives it: {};",
                result.name, one.privileges, one.grant
            ));
        }
    }
    if let Some(why) = read_only {
        meta.notes.push(format!("this server takes no writes, so that a merge needs the address of another: {why}"));
    }
    progress.phase(Phase::Settle);
    plan.complete(meta)?;
    if strategy.name == "recover-deleted" {
        plan.offer_undeletion()?;
    }
    let (preview, _) = plan.settle(progress)?;
    plan.finish(&request.state_key)?;
    Ok((plan, preview))
}

impl Plan {
    /// Notes how many records are only marked as deleted: bringing back what is missing does not bring those back.
    fn offer_undeletion(&mut self) -> Result<()> {
        let mut notes = Vec::new();
        for result in &self.meta().tables {
            let table = &self.meta().schema.tables[result.table];
            if !table.columns.iter().any(|c| crate::model::names::is_deleted_name(&c.name)) {
                continue;
            }
            let selector = super::Selector {
                table: Some(result.table),
                classes: vec![crate::model::change::Class::Updated, crate::model::change::Class::Conflict],
                ..super::Selector::default()
            };
            let mut count = 0;
            self.each(&selector, &mut |record| {
                count += u64::from(super::choices::refusal(self, &record, super::choices::Choice::Undelete).is_none());
                Ok(())
            })?;
            if count > 0 {
                notes.push(format!(
                    "{}: {count} records are marked as deleted here and not in the backup; \
                     'merganser resolve {} --take undelete' brings them back",
                    result.name,
                    self.meta().id
                ));
            }
        }
        self.meta.notes.extend(notes);
        self.write_meta()
    }
}
