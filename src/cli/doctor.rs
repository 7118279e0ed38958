//! `doctor`: what stands in the way of a merge, as far as can be told without writing.

use super::context::Context;
use super::output::Done;
use crate::database::{Database, Rights, WriteOptions};
use crate::error::Result;
use crate::model::schema::Schema;
use crate::report::text::shown;
use clap::Args;
use serde_json::{Value as Json, json};
use std::time::Duration;

const EXAMPLES: &str = "Examples:
  merganser doctor
  merganser doctor --to prod";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {}

/// How a check turned out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Fine,
    Note,
    Problem,
}

struct Checks<'a> {
    context: &'a Context<'a>,
    list: Vec<Json>,
    problems: usize,
}

impl Checks<'_> {
    fn add(&mut self, found: Found, name: &str, text: &str) {
        let word = match found {
            Found::Fine => "ok",
            Found::Note => "note",
            Found::Problem => "problem",
        };
        self.problems += usize::from(found == Found::Problem);
        self.context.out.line(&format!("{word:>8}  {name}: {}", shown(text)));
        self.list.push(json!({"check": name, "result": word, "text": text}));
    }
}

pub(super) fn run(context: &Context<'_>) -> Result<Done> {
    let mut checks = Checks { context, list: Vec::new(), problems: 0 };
    match context.home() {
        Ok(home) => checks.add(Found::Fine, "data folder", &home.root().display().to_string()),
        Err(error) => checks.add(Found::Problem, "data folder", &error.full_message()),
    }
    match context.config() {
        Ok(config) if config.unknown_keys().is_empty() => {
            checks.add(Found::Fine, "configuration", &format!("{} files", config.files.len()));
        }
        Ok(config) => {
            checks.add(Found::Problem, "configuration", &format!("unknown: {}", config.unknown_keys().join(", ")))
        }
        Err(error) => checks.add(Found::Problem, "configuration", &error.full_message()),
    }
    if chrono::Utc::now().timestamp() < 1_750_000_000 {
        checks.add(Found::Problem, "clock", "the system's clock is years behind; timestamps would be judged wrongly");
    } else {
        checks.add(Found::Fine, "clock", &super::output::now());
    }
    match context.target() {
        Err(error) if context.global.to.is_some() => checks.add(Found::Problem, "target", &error.full_message()),
        Err(_) => checks.add(Found::Note, "target", "none given; add --to to check a database"),
        Ok(target) => match target.connect(context.out) {
            Err(error) => checks.add(Found::Problem, "target", &error.full_message()),
            Ok(mut database) => self::database(&mut checks, database.as_mut()),
        },
    }
    let problems = checks.problems;
    let done = Done::with(&json!({"checks": checks.list, "problems": problems}));
    Ok(if problems > 0 { done.exit(1) } else { done })
}

fn database(checks: &mut Checks<'_>, database: &mut dyn Database) {
    checks.add(Found::Fine, "target", &format!("{} is reachable", database.identity().display));
    match database.schema() {
        Ok(schema) => {
            self::schema(checks, &schema);
            match database.lacking(&schema) {
                Ok(lacking) => {
                    for one in lacking.iter().filter(|l| schema.tables.iter().any(|t| l.is_about(t))) {
                        let text = format!("the user lacks {}; an owner gives it: {};", one.privileges, one.grant);
                        checks.add(Found::Problem, &one.table, &text);
                    }
                }
                Err(error) => checks.add(Found::Problem, "privileges", &error.full_message()),
            }
        }
        Err(error) => checks.add(Found::Problem, "schema", &error.full_message()),
    }
    if let Ok(schema) = database.schema() {
        match database.rights(&schema) {
            Ok(rights) => rights.iter().for_each(|rights| self::rights(checks, rights)),
            Err(error) => checks.add(Found::Problem, "rights", &error.full_message()),
        }
    }
    // Beginning takes the lock that a merge takes; nothing is written before it is given back.
    let options = WriteOptions { lock_timeout: Duration::from_secs(2), ..WriteOptions::default() };
    match crate::executor::can_write(database, &options) {
        Ok(()) => checks.add(Found::Fine, "writing", "a write transaction can be opened"),
        Err(error) => checks.add(Found::Problem, "writing", &error.full_message()),
    }
}

/// Says which rights suffice, and warns of a user who may do far more.
fn rights(checks: &mut Checks<'_>, rights: &Rights) {
    for why in &rights.excess {
        let text = format!("the user {why}, which nothing here needs; use one with the rights below");
        checks.add(Found::Note, "rights", &text);
    }
    let all = |grants: &[String]| grants.iter().map(|g| format!("{g};")).collect::<Vec<_>>().join(" ");
    checks.add(Found::Fine, "rights", &format!("backing up and analyzing need {}", all(&rights.reading)));
    checks.add(Found::Fine, "rights", &format!("merging and undoing need besides {}", all(&rights.writing)));
}

fn schema(checks: &mut Checks<'_>, schema: &Schema) {
    checks.add(Found::Fine, "schema", &format!("{} tables, {}", schema.tables.len(), schema.engine));
    for table in &schema.tables {
        let name = table.label();
        if let Some(why) = &table.refused {
            checks.add(Found::Problem, &name, why);
        }
        if table.key.is_empty() {
            checks.add(Found::Note, &name, "has no key: only inserts are possible; name one with --key");
        }
        for trigger in &table.triggers {
            checks.add(Found::Note, &name, &format!("trigger {} runs {}", trigger.name, trigger.event));
        }
        for note in &table.notes {
            checks.add(Found::Note, &name, note);
        }
    }
    for line in &schema.left_out {
        checks.add(Found::Note, "left out", line);
    }
}
