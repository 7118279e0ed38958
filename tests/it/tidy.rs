//! The invariants of the source that ARCHITECTURE.md states as absences, each held by a test.

use std::path::{Path, PathBuf};

/// The layers from the bottom up; those in one row don't use each other.
const LAYERS: [&[&str]; 17] = [
    &["error"],
    &["progress"],
    &["model"],
    &["backup", "database"],
    &["analyzer"],
    &["strategy"],
    &["plan"],
    &["executor"],
    &["files"],
    &["restore"],
    &["catalog"],
    &["hooks"],
    &["config"],
    &["schedule"],
    &["report"],
    &["server"],
    // The command line starts the service.
    &["cli"],
];

/// Files over this have a seam that nobody looked for.
const MOST_LINES: usize = 700;

struct File {
    /// Below `src` or `tests`, with slashes.
    name: String,
    text: String,
}

impl File {
    /// The module right below the crate: `executor` for `executor/write.rs`.
    fn layer(&self) -> &str {
        self.name.split(['/', '.']).next().expect("a name")
    }

    /// Whether it is compiled for tests only, as a whole.
    fn is_test(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.contains("/tests/") || self.name.ends_with("testing.rs")
    }

    /// The lines before the test module, without comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        let mut in_tests = false;
        lines.filter_map(move |(number, line)| {
            // A test module stands at the end of its file.
            in_tests |= line.starts_with("mod tests {") || line.starts_with("pub(crate) mod tests {");
            let code = match line.trim_start().starts_with("//") {
                true => "",
                false => line.split(" // ").next().unwrap_or(line),
            };
            (!in_tests && !code.trim().is_empty()).then_some((number, code))
        })
    }
}

fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open: Vec<PathBuf> = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a folder").map(|e| e.expect("an entry").path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
            found.push(File { name, text: std::fs::read_to_string(&path).expect("UTF-8") });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 5, "{folder} has only {} files", found.len());
    found
}

fn no_offences(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

fn level(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The modules that a line uses by `crate::x`, also inside braces: `use crate::{model, plan::Plan};`.
fn used(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(inside) => {
                let mut depth = 0;
                let mut part = String::new();
                for c in inside.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(word(std::mem::take(&mut part).trim())),
                        _ if depth == 0 => part.push(c),
                        _ => {}
                    }
                }
                found.push(word(part.trim()));
            }
        }
    }
    found
}

#[test]
fn a_lower_layer_never_uses_a_higher_one() {
    let mut offences = Vec::new();
    for file in files("src").iter().filter(|f| f.name != "lib.rs" && f.name != "main.rs") {
        let here = level(file.layer()).unwrap_or_else(|| panic!("{}: no layer is known for it", file.name));
        for (number, line) in file.code() {
            for module in used(line) {
                let Some(there) = level(&module) else { continue };
                let sibling = there == here && module != file.layer();
                if there > here || sibling {
                    offences.push(format!("src/{}:{number}: {} uses {module}", file.name, file.layer()));
                }
            }
        }
    }
    no_offences(offences);
}

#[test]
fn uses_are_recognised() {
    assert_eq!(used("use crate::plan::Plan;"), ["plan"]);
    assert_eq!(used("use crate::{model::{A, B}, plan};"), ["model", "plan"]);
    assert_eq!(used("let x = crate::model::f(crate::error::g());"), ["model", "error"]);
    assert!(used("use super::x;").is_empty());
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut offences = Vec::new();
    for file in files("src").iter().filter(|f| !f.is_test()) {
        for (number, line) in file.code() {
            if line.contains(".unwrap()") || line.contains("unsafe ") || line.contains("todo!(") {
                offences.push(format!("src/{}:{number}: {}", file.name, line.trim()));
            }
        }
    }
    no_offences(offences);
}

#[test]
fn every_file_says_what_it_is_for_and_is_not_too_long() {
    let mut offences = Vec::new();
    for folder in ["src", "tests"] {
        for file in files(folder) {
            if !file.text.starts_with("//!") {
                offences.push(format!("{folder}/{} does not begin with //!", file.name));
            }
            let lines = file.text.lines().count();
            if lines > MOST_LINES {
                offences.push(format!("{folder}/{} has {lines} lines", file.name));
            }
        }
    }
    no_offences(offences);
}

/// CHECKS F51 and fact 6: statements that overwrite, drop or skip what nobody has seen.
#[test]
fn f51_no_statement_replaces_ignores_or_switches_checks_off() {
    let forbidden = [
        "insert or replace",
        "insert or ignore",
        "update or replace",
        "update or ignore",
        "replace into",
        "insert ignore",
        "on duplicate key",
        "foreign_key_checks=0",
        "foreign_key_checks = 0",
        "foreign_keys = off",
        "foreign_keys=off",
        "ignore_check_constraints",
        // Asking for it is how a merge refuses to go on where somebody else has set it.
        "session_replication_role =",
        "session_replication_role=",
        "session_replication_role to",
        "set_config('session_replication_role",
        "disable trigger",
        "disable keys",
        "truncate table",
        "writable_schema",
    ];
    let mut offences = Vec::new();
    for file in files("src") {
        for (number, line) in file.code() {
            let lower = line.to_lowercase();
            // The scratch database in memory asks for constraints other than references.
            if lower.contains("memory.execute_batch") {
                continue;
            }
            if let Some(what) = forbidden.iter().find(|f| lower.contains(*f)) {
                offences.push(format!("src/{}:{number}: {what}", file.name));
            }
        }
    }
    no_offences(offences);
}

/// Only the executor asks a database for a transaction.
#[test]
fn only_the_executor_begins_a_transaction() {
    let mut offences = Vec::new();
    for file in files("src").iter().filter(|f| !["executor", "database"].contains(&f.layer()) && !f.is_test()) {
        for (number, line) in file.code() {
            if line.contains(".begin(&") || line.contains("dyn Transaction") {
                offences.push(format!("src/{}:{number}: {}", file.name, line.trim()));
            }
        }
    }
    no_offences(offences);
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    // Written in two halves, so that this file does not name one itself.
    let places = [("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/"), ("/tm", "p/wt"), ("C:\\", "Users")];
    let places: Vec<String> = places.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut offences = Vec::new();
    for folder in ["src", "tests"] {
        for file in files(folder) {
            for (number, line) in file.text.lines().enumerate() {
                if let Some(place) = places.iter().find(|p| line.contains(p.as_str())) {
                    offences.push(format!("{folder}/{}:{}: {place}", file.name, number + 1));
                }
            }
        }
    }
    no_offences(offences);
}

/// What stands between backquotes or curly quotes in a cell of a table.
fn named(cell: &str, open: char, close: char) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = cell;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((name, behind)) = after.split_once(close) else { break };
        names.push(name.to_owned());
        rest = behind;
    }
    names
}

#[test]
fn every_fault_in_the_document_has_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/faults.md")).expect("the document");
    let sources: String = files("src").iter().chain(&files("tests")).map(|f| f.text.as_str()).collect();
    let mut cases = String::new();
    for entry in std::fs::read_dir(root.join("tests/cases")).expect("a folder") {
        cases.push_str(&std::fs::read_to_string(entry.expect("an entry").path()).expect("UTF-8"));
    }
    let mut offences = Vec::new();
    let mut rows = 0;
    for line in document.lines().filter(|l| l.starts_with("| F")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, _, _, tests] = cells[..] else {
            offences.push(format!("not a row of four cells: {line}"));
            continue;
        };
        rows += 1;
        if number != format!("F{rows}") {
            offences.push(format!("{number} stands where F{rows} should"));
        }
        let functions = named(tests, '`', '`');
        let scenarios = named(tests, '“', '”');
        if functions.is_empty() && scenarios.is_empty() && !tests.starts_with("not tested") {
            offences.push(format!("{number} names no test and does not say so"));
        }
        let missing = functions
            .iter()
            .filter(|f| !sources.contains(&format!("fn {f}(")) && !sources.contains(&format!("\"{f}\"")));
        offences.extend(missing.map(|f| format!("{number}: there is no test {f}")));
        let unknown = scenarios.iter().filter(|s| !cases.contains(&format!("name = \"{s}\"")));
        offences.extend(unknown.map(|s| format!("{number}: there is no case {s:?}")));
    }
    assert!(rows > 100, "only {rows} rows were read");
    no_offences(offences);
}
