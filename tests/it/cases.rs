//! Named scenarios as data (`tests/cases/*.toml`): each on every engine, each through all laws.

pub(crate) mod place;
mod rows;
mod run;

use place::ENGINES;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A case as its file has it; see tests/cases/README.md.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Case {
    name: String,
    schema: Option<String>,
    base: Option<String>,
    current: Option<String>,
    backup: Option<String>,
    strategy: Option<String>,
    rules: Option<String>,
    deletes: Option<String>,
    strict: Option<bool>,
    preserve_newer: Option<bool>,
    keys: Option<BTreeMap<String, Vec<String>>>,
    expect: Option<Vec<String>>,
    decide: Option<Vec<String>>,
    merged: Option<String>,
    again: Option<Vec<String>>,
    mirror: Option<String>,
    undo_leaves: Option<Vec<String>>,
    folded: Option<usize>,
    tables: Option<BTreeMap<String, String>>,
    columns: Option<BTreeMap<String, String>>,
    skip_unknown: Option<bool>,
    notes: Option<Vec<String>>,
    not_carried: Option<Vec<String>>,
    refused: Option<String>,
    error: Option<String>,
    engines: Option<Vec<String>>,
    on: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

impl Case {
    /// Returns the case as it is on an engine, or nothing where it does not run there.
    fn on(&self, engine: &str) -> Option<Self> {
        let mut case = self.clone();
        if let Some(own) = self.on.get(engine).cloned() {
            macro_rules! replace {
                ($($field:ident),*) => { $(if own.$field.is_some() { case.$field = own.$field; })* };
            }
            replace!(
                schema, base, current, backup, strategy, rules, deletes, strict, keys, expect, decide, merged, again
            );
            replace!(preserve_newer, tables, columns, skip_unknown, notes, not_carried);
            replace!(mirror, undo_leaves, folded, refused, error, engines);
        }
        case.engines.as_ref().is_none_or(|only| only.iter().any(|e| e == engine)).then_some(case)
    }
}

/// Reads all case files.
fn cases() -> Vec<Case> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the case files")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("UTF-8");
        toml::from_str::<File>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())).case
    };
    files.iter().flat_map(read).collect()
}

/// Runs every case on one engine and lists what is wrong.
fn check(engine: usize) {
    let only = std::env::var("MERGANSER_CASE").ok();
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases().iter().filter_map(|c| c.on(ENGINES[engine])) {
        if only.as_ref().is_some_and(|part| !case.name.contains(part.as_str())) {
            continue;
        }
        count += 1;
        let name = case.name.clone();
        if let Err(panic) = std::panic::catch_unwind(|| run::run(engine, &case)) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default();
            wrong.push(format!("== {name} on {} ==\n{text}", ENGINES[engine]));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(only.is_some() || count >= 40, "only {count} cases run on {}", ENGINES[engine]);
}

#[test]
fn every_case_on_sqlite() {
    check(0);
}

#[test]
fn every_case_on_postgres() {
    check(1);
}

#[test]
fn every_case_on_mariadb() {
    check(2);
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|c| c.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}
