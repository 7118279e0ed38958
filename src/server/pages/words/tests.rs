//! The catalogue is where all words are: none in the templates, none in the pages' code, and none that pages never say.

use std::path::{Path, PathBuf};

fn files(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder of the repository");
    let paths = entries.map(|e| e.expect("an entry").path()).filter(|p| p.extension().is_some_and(|e| e == extension));
    paths.map(|p| (p.clone(), std::fs::read_to_string(&p).expect("a file of the repository"))).collect()
}

/// Removes everything between two marks, marks included.
fn without(text: &str, open: &str, close: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(open) {
        out.push_str(&rest[..at]);
        let after = &rest[at + open.len()..];
        match after.find(close) {
            Some(end) => rest = &after[end + close.len()..],
            None => return out,
        }
    }
    out + rest
}

fn has_word(text: &str) -> bool {
    text.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() > 1)
}

#[test]
fn templates_hold_no_words() {
    let mut found = Vec::new();
    for (path, text) in files("templates", "html") {
        let plain = without(&without(&text, "{%", "%}"), "{{", "}}");
        let plain = without(&without(&plain, "<code>", "</code>"), "<kbd>", "</kbd>");
        for attribute in ["aria-label=\"", "title=\"", "alt=\""] {
            for part in plain.split(attribute).skip(1) {
                let value = part.split('"').next().unwrap_or_default();
                if has_word(value) {
                    found.push(format!("{}: {attribute}{value}", path.display()));
                }
            }
        }
        let text = without(&without(&plain, "<!", ">"), "<", ">");
        found.extend(text.lines().filter(|l| has_word(l)).map(|l| format!("{}: {}", path.display(), l.trim())));
    }
    assert!(found.is_empty(), "words outside the catalogue:\n{}", found.join("\n"));
}

/// Returns the literals of a source file's code, its tests and comments left out.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n").replace("\\\"", "'");
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn code_holds_no_sentences() {
    let mut found = Vec::new();
    for (path, source) in files("src/server/pages", "rs") {
        if path.ends_with("words.rs") {
            continue;
        }
        for literal in literals(&source) {
            let plain = without(&without(&literal, "{", "}"), "<", ">");
            let words: Vec<&str> = plain.split_whitespace().collect();
            let spoken = |w: &&str| w.len() > 1 && w.chars().all(|c| c.is_alphabetic() || ",.:;'’".contains(c));
            let technical = plain.contains("charset") || plain.contains("Only") || plain.contains("can't be drawn");
            if words.iter().filter(|w| spoken(w)).count() > 2 && !technical && !is_failure(&source, &literal) {
                found.push(format!("{}: {literal}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "sentences outside the catalogue:\n{}", found.join("\n"));
}

/// What `fail!` says of the service itself is the crate's, not the pages'; class lists of SVG and HTML are no words.
fn is_failure(source: &str, literal: &str) -> bool {
    let at = source.find(literal).unwrap_or(0);
    let before = &source[..at];
    before.rfind("fail!(").is_some_and(|f| !before[f..].contains(';'))
}

#[test]
fn some_things_are_never_said() {
    let said = concat!(include_str!("../words.rs"), include_str!("labels.rs"), include_str!("said.rs")).to_lowercase();
    for never in ["are you sure", "successfully", "ours", "theirs", "incoming"] {
        let spoken = said
            .split(|c: char| !c.is_alphabetic() && c != ' ')
            .any(|part| format!(" {part} ").contains(&format!(" {never} ")));
        assert!(!spoken, "{never:?} is never said");
    }
    assert_eq!(super::ANALYZE, "Analyze for Merge");
    assert_eq!(super::MERGE, "Perform Incremental Merge");
}
