//! The little SQL text that the adapter makes and reads: quoting, and finding CHECK clauses in a CREATE TABLE statement.

use crate::model::schema::Check;
use crate::model::{Column, Table};

/// Quotes an identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Lists columns by position, quoted, with commas.
pub(crate) fn list(table: &Table, columns: &[usize]) -> String {
    columns.iter().map(|&c| quote(&table.columns[c].name)).collect::<Vec<_>>().join(", ")
}

/// Writes `"a" = ? AND "b" = ?` with the given comparison.
pub(crate) fn all(table: &Table, columns: &[usize], comparison: &str) -> String {
    columns
        .iter()
        .map(|&c| format!("{} {comparison} ?", quote(&table.columns[c].name)))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// Returns what a SELECT reads for a column: computed columns are not part of a record.
pub(crate) fn selected(column: &Column) -> String {
    if column.writable() { quote(&column.name) } else { "NULL".to_owned() }
}

/// Finds the CHECK clauses of a CREATE TABLE statement, skipping strings, quoted names and comments.
pub(crate) fn checks(create: &str) -> Vec<Check> {
    let mut found = Vec::new();
    let bytes = create.as_bytes();
    let mut at = 0;
    let mut name: Option<String> = None;
    let mut previous = String::new();
    while at < bytes.len() {
        let next = skip_token(create, at);
        let token = &create[at..next];
        if token.eq_ignore_ascii_case("CHECK") {
            let open = create[next..].find(|c: char| !c.is_whitespace()).map_or(bytes.len(), |o| next + o);
            if bytes.get(open) == Some(&b'(') {
                let close = matching(create, open);
                let expression = create[open + 1..close].trim().to_owned();
                let name = name.take().unwrap_or_else(|| format!("CHECK ({expression})"));
                found.push(Check { name, expression });
                at = close + 1;
                continue;
            }
        }
        if previous.eq_ignore_ascii_case("CONSTRAINT") && !token.trim().is_empty() {
            name = Some(token.trim_matches(|c| matches!(c, '"' | '`' | '[' | ']')).to_owned());
        } else if token == "," {
            name = None;
        }
        if !token.trim().is_empty() {
            token.clone_into(&mut previous);
        }
        at = next;
    }
    found
}

/// What an index is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IndexSql {
    /// Its columns and expressions, with their collations.
    pub(crate) parts: Vec<String>,
    /// Which records are in it, where not all are.
    pub(crate) predicate: Option<String>,
}

/// Reads a CREATE INDEX statement as SQLite keeps it.
pub(crate) fn index(create: &str) -> Option<IndexSql> {
    let mut at = 0;
    while at < create.len() && &create[at..skip_token(create, at)] != "(" {
        at = skip_token(create, at);
    }
    if at >= create.len() {
        return None;
    }
    let close = matching(create, at);
    let mut parts = vec![String::new()];
    let (mut depth, mut position) = (0, at + 1);
    while position < close {
        let next = skip_token(create, position);
        let token = &create[position..next];
        match token {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if token == "," && depth == 0 {
            parts.push(String::new());
        } else if !token.starts_with("--") && !token.starts_with("/*") {
            parts.last_mut().expect("one at least").push_str(token);
        }
        position = next;
    }
    for part in &mut parts {
        let whole = part.trim();
        let direction = |word: &&str| whole.len() > word.len() && whole.to_ascii_uppercase().ends_with(word);
        let end = [" ASC", " DESC"].iter().find(|w| direction(w)).map_or(whole.len(), |w| whole.len() - w.len());
        *part = whole[..end].trim().to_owned();
    }
    let mut rest = close + 1;
    while rest < create.len() {
        let next = skip_token(create, rest);
        if create[rest..next].eq_ignore_ascii_case("WHERE") {
            return Some(IndexSql { parts, predicate: Some(create[next..].trim().to_owned()) });
        }
        rest = next;
    }
    Some(IndexSql { parts, predicate: None })
}

/// Returns the end of the token that starts at a position: a word, a quoted thing, a comment, or one character.
fn skip_token(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let first = rest.chars().next().unwrap_or(' ');
    let quoted = |close: char| {
        let mut chars = rest.char_indices().skip(1).peekable();
        while let Some((position, c)) = chars.next() {
            if c == close {
                if close != ']' && chars.peek().is_some_and(|(_, next)| *next == close) {
                    chars.next();
                    continue;
                }
                return start + position + c.len_utf8();
            }
        }
        text.len()
    };
    match first {
        '\'' | '"' | '`' => quoted(first),
        '[' => quoted(']'),
        '-' if rest.starts_with("--") => start + rest.find('\n').map_or(rest.len(), |n| n + 1),
        '/' if rest.starts_with("/*") => start + rest.find("*/").map_or(rest.len(), |n| n + 2),
        c if c.is_alphanumeric() || c == '_' => {
            start + rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        }
        c => start + c.len_utf8(),
    }
}

/// Returns the position of the bracket that closes the one at `open`.
fn matching(text: &str, open: usize) -> usize {
    let mut depth = 0;
    let mut at = open;
    while at < text.len() {
        let next = skip_token(text, at);
        match &text[at..next] {
            "(" => depth += 1,
            ")" => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        at = next;
    }
    text.len().saturating_sub(1).max(open + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_found_whatever_stands_around_them() {
        let sql = r#"CREATE TABLE t (a int CHECK (a > 0), "check" text, -- CHECK (no)
            b text DEFAULT 'CHECK (x)', CONSTRAINT "b ok" CHECK (b IN ('(', ')') AND length(b) < 3), c CHECK(c))"#;
        let found: Vec<_> = checks(sql).into_iter().map(|c| (c.name, c.expression)).collect();
        assert_eq!(
            found,
            [
                ("CHECK (a > 0)".to_owned(), "a > 0".to_owned()),
                ("b ok".to_owned(), "b IN ('(', ')') AND length(b) < 3".to_owned()),
                ("CHECK (c)".to_owned(), "c".to_owned()),
            ]
        );
        assert!(checks("CREATE TABLE t (a CHECK (").len() <= 1);
        assert!(checks("").is_empty());
    }

    #[test]
    fn an_index_is_read_with_its_expressions_and_its_predicate() {
        let read = |sql: &str| index(sql).map(|i| (i.parts, i.predicate));
        let parts = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read(
                r#"CREATE UNIQUE INDEX "a (b" ON "t,1" (lower(a), coalesce(b, ',') COLLATE NOCASE DESC , c asc) WHERE x = ')' AND y"#
            ),
            Some((parts(&["lower(a)", "coalesce(b, ',') COLLATE NOCASE", "c"]), Some("x = ')' AND y".to_owned())))
        );
        assert_eq!(read("CREATE UNIQUE INDEX i ON t (a, \"b\")"), Some((parts(&["a", "\"b\""]), None)));
        assert_eq!(read("CREATE UNIQUE INDEX i ON t"), None);
    }

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(quote(r#"x"; DROP TABLE y; --"#), r#""x""; DROP TABLE y; --""#);
    }
}
