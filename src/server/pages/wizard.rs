//! "Analyze for Merge": what, into which database, by which names, how; one page, one form.

use super::analysis::strategies;
use super::backups::BackupRow;
use super::chrome::{Chrome, Desk, Step, draw, draw_with, go, way};
use super::html::{safe, sentence};
use super::targets::{self, TargetView};
use super::words;
use crate::model::{Schema, names};
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{self, NewAnalysis};
use crate::server::service::backups::BackupTable;
use crate::server::service::operations::{self, About, Kind, Operation};
use crate::server::service::{backups, targets as databases};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "wizard.html")]
struct Wizard {
    chrome: Chrome,
    backup: BackupRow,
    backup_tables: String,
    error: Option<String>,
    hint: String,
    lines: Vec<String>,
    intent: String,
    targets: Vec<TargetView>,
    target: String,
    columns: Vec<ColumnRow>,
    unsure: Vec<NameRow>,
    sure: Vec<NameRow>,
    reached: bool,
    /// Why the chosen database can't be looked at.
    unreached: Option<String>,
    known_tables: Vec<String>,
    skip_unknown: bool,
    strategies: Vec<(String, String)>,
    strategy: String,
    only_tables: String,
    skip_columns: String,
    timestamp: String,
    deletes: String,
    /// The analysis that is made again; its decisions are taken over.
    again: String,
}

/// A table of the backup, and which of the database's it is taken for.
struct NameRow {
    /// The name, as the form sends it back.
    raw: String,
    name: String,
    records: String,
    /// The table that is meant; empty: nobody knows, "-": left out.
    to: String,
    /// The column that says when a record was changed.
    clock: String,
}

/// Fills in what an analysis that is made again was made of.
fn again(desk: &Desk, form: &Form) -> Answer<Form> {
    let mut filled = form.clone();
    let id = field(form, "again");
    if id.is_empty() {
        return Ok(filled);
    }
    if let Some(made) = operations::carried_out(&desk.app, Kind::Analysis, About::Analysis(id), 1)?.first()
        && made.asked.is_some()
    {
        return Ok(repaired(form, made));
    }
    // The command line made it: what it was asked for is not kept.
    let plan = desk.app.plan(id)?;
    let digest = plan.meta().backup.as_ref().map(|b| b.digest.clone());
    let kept = crate::catalog::Catalog::open(desk.app.home())?.list()?;
    if let Some(entry) = kept.into_iter().find(|e| Some(&e.digest) == digest.as_ref()) {
        filled.push(("backup".to_owned(), entry.id));
    }
    if let Ok(target) = databases::of(&desk.app, &plan.meta().database) {
        filled.push(("target".to_owned(), target.name));
    }
    let intent = words::INTENTS.iter().find(|i| i.3 == plan.meta().strategy.0);
    filled.push(("intent".to_owned(), intent.map_or("custom", |i| i.0).to_owned()));
    Ok(filled)
}

/// Fills in what an analysis that failed was asked for, so that only its names have to be mapped.
fn repaired(form: &Form, operation: &Operation) -> Form {
    let asked: NewAnalysis = operation.asked.clone().and_then(|a| serde_json::from_value(a).ok()).unwrap_or_default();
    let mut filled = form.clone();
    let mut put = |name: &str, value: String| filled.push((name.to_owned(), value));
    put("backup", asked.backup);
    put("target", asked.target);
    let strategy = asked.strategy.unwrap_or_default();
    match words::INTENTS.iter().find(|i| i.3 == strategy) {
        Some(intent) => put("intent", intent.0.to_owned()),
        None => {
            put("intent", "custom".to_owned());
            put("strategy", strategy);
        }
    }
    put("deletes", asked.deletes.unwrap_or_default());
    put("only_tables", asked.only_tables.join(", "));
    put("timestamp", asked.timestamps.iter().map(|(t, c)| format!("{t}.{c}")).next().unwrap_or_default());
    asked.map_tables.into_iter().for_each(|(from, to)| {
        put("map_from", from);
        put("map_to", to);
    });
    asked.skip_tables.into_iter().for_each(|table| {
        put("map_from", table);
        put("map_to", "-".to_owned());
    });
    asked.map_columns.into_iter().for_each(|(from, to)| {
        put("column_from", from);
        put("column_to", to);
    });
    put("skip_columns", asked.skip_columns.join(", "));
    filled
}

/// A column of the backup that its table does not have, and the columns that it may be.
struct ColumnRow {
    /// `table.column` by the backup's names, as the form sends it back.
    raw: String,
    name: String,
    /// The column that was chosen; "-": left out.
    to: String,
    /// `table.column` of the database, and the column's name.
    choices: Vec<(String, String)>,
}

/// Returns the backup's table and column that a line of a problem about names is about.
fn column_in<'a>(line: &'a str, tables: &'a [BackupTable]) -> Option<(&'a str, &'a str)> {
    let name = crate::analyzer::column_of(line)?;
    let of = |t: &&'a BackupTable| name.strip_prefix(t.name.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let table = tables.iter().filter(of).max_by_key(|t| t.name.len())?;
    Some((table.name.as_str(), &name[table.name.len() + 1..]))
}

/// A form as it came: names and values in their order.
pub(super) type Form = Vec<(String, String)>;

/// Returns the value of a field, empty where it is not there.
pub(super) fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    form.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim())
}

/// Draws the form; `problem` is what stood in the way the last time.
pub(super) fn wizard(desk: &Desk, form: &Form, problem: Option<&Problem>) -> Answer<Response> {
    let form = &again(desk, form)?;
    let failed = match field(form, "fix") {
        "" => None,
        id => Some(operations::get(&desk.app, id)?),
    };
    // A page that is asked for to mend what failed is itself no failure.
    let refused = failed.is_none();
    let form = &failed.as_ref().map_or_else(|| form.clone(), |operation| repaired(form, operation));
    let problem = problem.or(failed.as_ref().and_then(|operation| operation.problem.as_ref()));
    let view = backups::get(&desk.app, field(form, "backup"))?;
    let targets = targets::list(&desk.app);
    let chosen = match field(form, "target") {
        "" if targets.len() == 1 => targets[0].name.clone(),
        given => safe(given),
    };
    // Names can be looked at once a database is chosen and reached.
    let read = if chosen.is_empty() { None } else { Some(databases::schema(&desk.app, &chosen)) };
    let (schema, unreached) = match read {
        None => (None, None),
        Some(Ok(schema)) => (Some(schema), None),
        Some(Err(problem)) => (None, Some(sentence(&safe(&problem.detail)))),
    };
    let known: Vec<String> = schema.iter().flat_map(|s| s.tables.iter().map(crate::model::Table::label)).collect();
    let chosen_by_hand: Vec<(&str, &str)> = {
        let all = |name: &'static str| form.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str());
        all("map_from").zip(all("map_to")).collect()
    };
    let rows = view.tables.iter().map(|t| {
        let by_hand = chosen_by_hand.iter().find(|(from, _)| *from == t.name).map_or("", |(_, to)| to);
        let matched = match names::find(&t.name, known.iter().map(String::as_str)) {
            names::Match::Exact(at) | names::Match::Folded(at) => known[at].as_str(),
            _ => "",
        };
        let to = if by_hand.is_empty() { matched } else { by_hand };
        let table = schema.iter().flat_map(|s| &s.tables).find(|t| t.label() == to);
        let clock = table.map(|t| {
            let found = t.columns.iter().find(|c| c.writable() && names::is_updated_name(&c.name));
            found.map_or_else(|| words::NO_CLOCK.to_owned(), |c| safe(&c.name))
        });
        NameRow {
            raw: t.name.clone(),
            name: safe(&t.name),
            records: words::grouped(t.records),
            to: to.to_owned(),
            clock: clock.unwrap_or_default(),
        }
    });
    let rows: Vec<NameRow> = rows.collect();
    let columns = columns(form, problem, &view.tables, &rows, schema.as_ref());
    let (sure, unsure): (Vec<_>, Vec<_>) = rows.into_iter().partition(|r| !r.to.is_empty());
    let text = |name: &str| field(form, name).to_owned();
    let part =
        |row: &serde_json::Value| row["detail"].as_str().or(row["table"].as_str()).unwrap_or_default().to_owned();
    let mut chrome = desk.chrome("wizard", words::ANALYSES, words::ANALYZE);
    chrome.way = way(Step::Analyze, None);
    let page = Wizard {
        chrome,
        backup: BackupRow::of(&view),
        backup_tables: safe(&view.tables.iter().map(|t| t.name.as_str()).take(4).collect::<Vec<_>>().join(", ")),
        error: problem.map(|p| sentence(&safe(&p.detail))),
        hint: match failed {
            Some(_) => words::SAY_WHERE_THEY_GO.to_owned(),
            None => problem.and_then(|p| p.hint.as_deref()).map(safe).unwrap_or_default(),
        },
        lines: problem.map(|p| p.rows.iter().map(|r| safe(&part(r))).collect()).unwrap_or_default(),
        intent: if field(form, "intent").is_empty() { "put-back".to_owned() } else { text("intent") },
        targets,
        target: chosen,
        columns,
        unsure: if schema.is_some() { unsure } else { Vec::new() },
        sure,
        reached: schema.is_some(),
        unreached,
        known_tables: known.clone(),
        skip_unknown: !field(form, "skip_unknown").is_empty(),
        strategies: strategies(),
        strategy: text("strategy"),
        only_tables: text("only_tables"),
        skip_columns: text("skip_columns"),
        timestamp: text("timestamp"),
        deletes: text("deletes"),
        // One that was merged since may be gone.
        again: Some(text("again")).filter(|id| desk.app.plan(id).is_ok()).unwrap_or_default(),
    };
    match problem.filter(|_| refused) {
        Some(problem) => draw_with(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::CONFLICT), &page),
        None => draw(&page),
    }
}

/// Lists the columns that have to be mapped: those that the analysis did not find, and those that were mapped before.
fn columns(
    form: &Form,
    problem: Option<&Problem>,
    tables: &[BackupTable],
    rows: &[NameRow],
    schema: Option<&Schema>,
) -> Vec<ColumnRow> {
    let all = |name: &'static str| form.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.clone());
    let mut wanted: Vec<(String, String)> = all("column_from").zip(all("column_to")).collect();
    for row in problem.iter().flat_map(|p| &p.rows) {
        let found = row["detail"].as_str().and_then(|line| column_in(line, tables));
        let Some(raw) = found.map(|(table, column)| format!("{table}.{column}")) else { continue };
        if wanted.iter().all(|(known, _)| *known != raw) {
            wanted.push((raw, String::new()));
        }
    }
    let row = |(raw, to): (String, String)| {
        let of = |r: &&NameRow| raw.strip_prefix(r.raw.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let table = rows.iter().filter(of).max_by_key(|r| r.raw.len());
        let current = schema.zip(table).and_then(|(s, r)| s.tables.iter().find(|t| t.label() == r.to));
        let choice = |label: &str, name: &str| (format!("{label}.{name}"), safe(name));
        let choices = current.map(|t| t.columns.iter().map(|c| choice(&t.label(), &c.name)).collect());
        ColumnRow { name: safe(&raw), raw, to, choices: choices.unwrap_or_default() }
    };
    wanted.into_iter().map(row).collect()
}

/// Starts the analysis, or shows the form again with what stands in the way.
pub(super) fn analyze(desk: &Desk, form: &Form) -> Answer<Response> {
    let started = request(form)
        .and_then(|request| analyses::start(&desk.app, desk.person()?, crate::executor::home::fresh_id('o'), &request));
    match started {
        Ok(operation) => go(&format!("/operations/{}", operation.id)),
        Err(problem) if problem.status < 500 => wizard(desk, form, Some(&problem)),
        Err(problem) => Err(problem),
    }
}

fn request(form: &Form) -> Answer<NewAnalysis> {
    let list = |name: &str| -> Vec<String> {
        field(form, name).split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect()
    };
    if field(form, "target").is_empty() {
        return Err(Problem::invalid("/target", words::NO_DATABASE_WAS_CHOSEN));
    }
    let intent = words::INTENTS.iter().find(|i| i.0 == field(form, "intent"));
    let strategy = match (field(form, "strategy"), intent) {
        ("", Some(intent)) => Some(intent.3.to_owned()),
        ("", None) => None,
        (name, _) => Some(name.to_owned()),
    };
    let all = |name: &str| form.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
    let (mut map_tables, mut skip_tables) = (BTreeMap::new(), Vec::new());
    for (from, to) in all("map_from").into_iter().zip(all("map_to")) {
        match to.as_str() {
            "" => {}
            same if same == from => {}
            "-" => skip_tables.push(from),
            _ => {
                map_tables.insert(from, to);
            }
        }
    }
    let (mut map_columns, mut skip_columns) = (BTreeMap::new(), list("skip_columns"));
    for (from, to) in all("column_from").into_iter().zip(all("column_to")) {
        match to.as_str() {
            "" => {}
            "-" => skip_columns.push(from),
            _ => {
                map_columns.insert(from, to);
            }
        }
    }
    let mut timestamps = BTreeMap::new();
    if let Some((table, column)) = field(form, "timestamp").split_once('.') {
        timestamps.insert(table.to_owned(), column.to_owned());
    } else if !field(form, "timestamp").is_empty() {
        return Err(Problem::invalid("/timestamp", words::WRITE_THE_COLUMN_OF_CHANGE_AS_TABLE));
    }
    Ok(NewAnalysis {
        backup: field(form, "backup").to_owned(),
        target: field(form, "target").to_owned(),
        strategy,
        preserve_newer: Some(!field(form, "preserve_newer").is_empty()),
        base: Some("auto".to_owned()),
        deletes: Some(field(form, "deletes").to_owned()).filter(|d| !d.is_empty()),
        only_tables: list("only_tables"),
        skip_tables,
        skip_columns,
        map_tables,
        map_columns,
        skip_unknown: !field(form, "skip_unknown").is_empty(),
        timestamps,
        again: Some(field(form, "again").to_owned()).filter(|again| !again.is_empty()),
        ..NewAnalysis::default()
    })
}
