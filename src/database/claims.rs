//! Which columns decide what a record claims of a unique key that is more than its columns: found by reading the names
//! in the database's own SQL. A name too many makes the engine look once more than needed, never once less.

use crate::model::{Column, Table};

/// Notes what decides the claims of a table's unique keys that hold computed columns, or nulls that collide.
pub(super) fn settle(table: &mut Table) {
    let columns = &table.columns;
    for unique in table.uniques.iter_mut().filter(|u| u.is_plain()) {
        let computed = unique.columns.iter().any(|&c| !columns[c].writable());
        let collides = unique.nulls_equal && unique.columns.iter().any(|&c| columns[c].nullable);
        if computed || collides {
            unique.reads = stored(columns, unique.columns.clone());
        }
    }
}

/// Lists the stored columns that a piece of the database's own SQL names.
pub(crate) fn named(columns: &[Column], sql: &str) -> Vec<usize> {
    let names = identifiers(sql);
    let is_named = |c: &usize| names.iter().any(|n| n.eq_ignore_ascii_case(&columns[*c].name));
    stored(columns, (0..columns.len()).filter(is_named).collect())
}

/// Puts what a computed column is computed from in its place.
fn stored(columns: &[Column], positions: Vec<usize>) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for position in positions {
        let column = &columns[position];
        let below = match &column.default {
            _ if column.writable() => vec![position],
            Some(expression) => {
                let names = identifiers(expression);
                let is_named = |c: &usize| names.iter().any(|n| n.eq_ignore_ascii_case(&columns[*c].name));
                (0..columns.len()).filter(|&c| columns[c].writable()).filter(is_named).collect()
            }
            // What it is computed from is not known here.
            None => (0..columns.len()).filter(|&c| columns[c].writable()).collect(),
        };
        found.extend(below);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Lists words and quoted names; strings are passed over.
fn identifiers(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '\'' | '"' | '`' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        let length = match close {
            Some(close) => rest[1..].find(close).map_or(rest.len(), |end| end + 2),
            None => rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len()).max(first.len_utf8()),
        };
        let token = &rest[..length];
        match close {
            Some('\'') => {}
            Some(_) => found.push(token[1..].trim_end_matches(['"', '`', ']']).to_owned()),
            None => found.push(token.to_owned()),
        }
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::identifiers;

    #[test]
    fn names_are_found_however_they_are_quoted() {
        let found = identifiers("lower(\"E mail\") || `b` || [c] WHERE active = 'not me' AND n>1");
        for name in ["E mail", "b", "c", "active", "n"] {
            assert!(found.iter().any(|f| f == name), "{name}: {found:?}");
        }
        assert!(!found.iter().any(|f| f.contains("not")));
        assert!(identifiers("\"open").contains(&"open".to_owned()));
    }
}
