//! Asking the server whether records would be refused, without writing: its own expressions over typed values.

use super::catalog::{Shape, text, unescaped};
use super::errors;
use super::params::{batches, extent, padded, push};
use super::view::View;
use crate::database::Violation;
use crate::error::Result;
use crate::model::{ColumnType, OwnedCell, Table};
use sqlx::mysql::MySqlArguments;

/// How many records one statement judges: each is a part of a `UNION`.
pub(super) const RECORDS: usize = 64;
/// The column of positions; no table of a person's has such a name.
pub(super) const PLACE: &str = "`merganser: place`";

/// A check by name and expression.
pub(super) struct Rule {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) expression: String,
}

/// Reads the checks of one table, or of all.
pub(super) fn rules(view: &mut super::session::Session, table: Option<&str>) -> Result<Vec<Rule>> {
    // MariaDB names checks per table and says which; MySQL names them per database.
    let own = "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
               WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2";
    let joined = "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c \
                  JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA \
                    AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK' AND t.ENFORCED = 'YES' \
                  WHERE c.CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2";
    let mut found = view.try_rows(own, MySqlArguments::default())?;
    let mysql = found.is_err();
    if mysql {
        found = view.try_rows(joined, MySqlArguments::default())?;
    }
    let rows = match found {
        Ok(rows) => rows,
        // MySQL before 8.0.16 has no checks and no such table.
        Err(error) if errors::number(&error) == Some(1109) => Vec::new(),
        Err(error) => return Err(view.fail(error, "reading the checks")),
    };
    let rule = |row: &sqlx::mysql::MySqlRow| {
        let shown = text(row, 2)?;
        let expression = if mysql { unescaped(&shown) } else { shown };
        Some(Rule { table: text(row, 0)?, name: text(row, 1)?, expression })
    };
    Ok(rows.iter().filter_map(rule).filter(|r| table.is_none_or(|t| r.table == t)).collect())
}

/// Returns one answer a record.
pub(super) fn find(view: &mut View, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
    let shape = view.shape(table)?;
    let mut answers: Vec<Option<Violation>> = records.iter().map(|r| missing(table, &shape, r)).collect();
    let mut rules = rules(&mut view.session, Some(&table.name))?;
    rules.extend(limits(table, &shape));
    if rules.is_empty() {
        return Ok(answers);
    }
    let members: Vec<usize> = (0..records.len()).filter(|m| answers[*m].is_none()).collect();
    for (_, batch) in batches(&members, RECORDS, |&m| extent(&records[m])) {
        judge(view, table, &shape, &rules, records, batch, &mut answers)?;
    }
    Ok(answers)
}

/// What the types of computed columns hold: the server says so only when it stores them.
fn limits(table: &Table, shape: &Shape) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (column, shaped) in table.columns.iter().zip(&shape.columns).filter(|(_, shaped)| shaped.expression.is_some()) {
        let name = &shaped.quoted;
        let fits = match &column.ty {
            ColumnType::Integer { min, max } => Some(format!("{name} BETWEEN {min} AND {max}")),
            ColumnType::Text { max_chars: Some(most) } => Some(format!("CHAR_LENGTH({name}) <= {most}")),
            _ => None,
        };
        let given = (!column.nullable).then(|| format!("{name} IS NOT NULL"));
        rules.extend(given.into_iter().chain(fits).map(|expression| Rule {
            table: table.name.clone(),
            name: column.name.clone(),
            expression,
        }));
    }
    rules
}

/// Finds nulls where none may be, without asking.
fn missing(table: &Table, shape: &Shape, record: &[OwnedCell]) -> Option<Violation> {
    record.iter().zip(&shape.columns).zip(&table.columns).find_map(|((cell, column), named)| {
        let no_default = column.default.is_none() && !column.counter && column.expression.is_none();
        let message = match cell {
            OwnedCell::Null if !column.nullable => format!("{} must not be null", named.name),
            OwnedCell::Absent if !column.nullable && no_default => {
                format!("{} needs a value: it must not be null and has no default", named.name)
            }
            _ => return None,
        };
        Some(Violation { constraint: format!("{} not null", named.name), message })
    })
}

/// Judges records together; where the server can't evaluate one of them, halves until it stands alone.
fn judge(
    view: &mut View,
    table: &Table,
    shape: &Shape,
    rules: &[Rule],
    records: &[Vec<OwnedCell>],
    members: &[usize],
    answers: &mut [Option<Violation>],
) -> Result<()> {
    let (sql, arguments) = statement(shape, rules, records, members)?;
    let rows = match view.session.try_rows(&sql, arguments)? {
        Ok(rows) => rows,
        Err(error) if errors::connection_lost(&error) || errors::number(&error) == Some(1213) => {
            return Err(view.session.fail(error, &format!("checking values for {}", table.label())));
        }
        Err(_) if members.len() > 1 => {
            let (left, right) = members.split_at(members.len() / 2);
            judge(view, table, shape, rules, records, left, answers)?;
            return judge(view, table, shape, rules, records, right, answers);
        }
        Err(error) => {
            // A check that can't be evaluated apart from its table is left to the merge itself: unknown names, syntax.
            if !matches!(errors::number(&error), Some(1054 | 1064 | 1305 | 1630)) {
                let constraint = rules[0].name.clone();
                let message = format!("the checks can't be evaluated: {error}");
                answers[members[0]] = Some(Violation { constraint, message });
            }
            return Ok(());
        }
    };
    for row in &rows {
        let parse = |position| text(row, position).and_then(|t| t.parse::<usize>().ok());
        let member = parse(0).and_then(|place| members.get(place.checked_sub(1)?));
        let rule = parse(1).and_then(|rule| rules.get(rule));
        if let (Some(&member), Some(rule)) = (member, rule) {
            let message = format!("the check {} does not hold: {}", rule.name, rule.expression);
            answers[member] = Some(Violation { constraint: rule.name.clone(), message });
        }
    }
    Ok(())
}

/// Builds the question which rule does not hold.
fn statement(
    shape: &Shape,
    rules: &[Rule],
    records: &[Vec<OwnedCell>],
    members: &[usize],
) -> Result<(String, MySqlArguments)> {
    let mentions: Vec<&str> = rules.iter().map(|r| r.expression.as_str()).collect();
    let (source, arguments) = source(shape, &mentions, records, members)?;
    let rules = rules.iter().enumerate();
    let verdict: Vec<String> = rules.map(|(n, rule)| format!("WHEN NOT ({}) THEN {n}", rule.expression)).collect();
    let sql = format!("SELECT CAST({PLACE} AS CHAR), CAST(CASE {} END AS CHAR) FROM {source}", verdict.join(" "),);
    Ok((sql, arguments))
}

/// Builds what expressions are asked over: typed values, then generated columns over them, and the column of places.
pub(super) fn source(
    shape: &Shape,
    mentions: &[&str],
    records: &[Vec<OwnedCell>],
    members: &[usize],
) -> Result<(String, MySqlArguments)> {
    // Only what some expression or generated column names: each column costs in every part of the union.
    let named = |quoted: &str| {
        let computed = shape.columns.iter().filter_map(|c| c.expression.as_deref());
        mentions.iter().copied().chain(computed).any(|expression| expression.contains(quoted))
    };
    let named: Vec<bool> = shape.columns.iter().map(|c| named(&c.quoted)).collect();
    let mut arguments = MySqlArguments::default();
    let mut parts = Vec::with_capacity(members.len());
    for place in 0..padded(members.len()) {
        // Padding repeats the last record; its answers are not looked at.
        let member = members[place.min(members.len() - 1)];
        let mut values = vec![format!("{} AS {PLACE}", place + 1)];
        let columns = shape.columns.iter().zip(&records[member]).zip(&named);
        for (column, cell) in columns.filter(|(_, named)| **named).map(|(column, _)| column) {
            let name = &column.quoted;
            match (&column.expression, &column.default) {
                (Some(_), _) => {}
                // A sequence must not be advanced by asking; any value will do.
                (None, Some(default)) if *cell == OwnedCell::Absent && !default.contains("nextval(") => {
                    values.push(format!("({default}) AS {name}"));
                }
                _ => {
                    push(&mut arguments, cell)?;
                    values.push(format!("{} AS {name}", column.typed));
                }
            }
        }
        parts.push(format!("SELECT {}", values.join(", ")));
    }
    let computed = shape.columns.iter().filter_map(|c| Some(format!(", ({}) AS {}", c.expression.as_ref()?, c.quoted)));
    let computed: String = computed.collect();
    let source = format!("(SELECT b.*{computed} FROM ({}) b) v", parts.join(" UNION ALL "));
    Ok((source, arguments))
}
