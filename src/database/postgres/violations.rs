//! Asking the server whether records would be refused, without writing: its own expressions over typed values.

use super::catalog::{Shape, bind};
use super::errors;
use super::params::Params;
use super::view::{View, batches, weight};
use crate::database::Violation;
use crate::error::Result;
use crate::model::{OwnedCell, Table};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// With more leaves than this the check for a fitting partition is left to the merge itself.
const MOST_PARTITIONS: usize = 500;

/// The column of positions; no table of a person's has such a name.
const PLACE: &str = "\"merganser: place\"";

struct Rule {
    name: String,
    expression: String,
}

/// Returns one answer a record.
pub(super) fn find(view: &mut View, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
    let shape = view.shape(table)?;
    let rules = rules(view, table, &shape)?;
    let mut answers: Vec<Option<Violation>> = records.iter().map(|r| missing(table, &shape, r)).collect();
    let cases = rules.iter().enumerate().map(|(n, rule)| format!("WHEN NOT ({}) THEN {n}", rule.expression));
    let cases: Vec<String> = cases.collect();
    let verdict = if cases.is_empty() { "NULL::int4".to_owned() } else { format!("CASE {} END", cases.join(" ")) };
    let open: Vec<usize> = (0..records.len()).filter(|p| answers[*p].is_none()).collect();
    let said = ask(view, Asked { table, shape: &shape, records }, &open, &verdict)?;
    for (member, said) in said {
        let rule = match said {
            Said::Row(row) => row.get::<Option<i32>, _>(1).and_then(|r| rules.get(usize::try_from(r).ok()?)),
            Said::Refused { constraint, message } => {
                answers[member] = Some(Violation { constraint, message });
                continue;
            }
        };
        if let Some(rule) = rule {
            let message = match rule.name.as_str() {
                "partition" => "no partition takes this record".to_owned(),
                name => format!("the check {name} does not hold: {}", rule.expression),
            };
            answers[member] = Some(Violation { constraint: rule.name.clone(), message });
        }
    }
    Ok(answers)
}

/// Finds nulls where none may be, without asking.
fn missing(table: &Table, shape: &Shape, record: &[OwnedCell]) -> Option<Violation> {
    record.iter().zip(&shape.columns).zip(&table.columns).find_map(|((cell, column), named)| {
        let no_default = column.expression.is_none() && !column.identity && !column.generated;
        let message = match cell {
            OwnedCell::Null if column.not_null => format!("{} must not be null", named.name),
            OwnedCell::Absent if column.not_null && no_default => {
                format!("{} needs a value: it must not be null and has no default", named.name)
            }
            _ => return None,
        };
        Some(Violation { constraint: format!("{} not null", named.name), message })
    })
}

/// Reads the checks of the table and, where it is partitioned, what its partitions take.
fn rules(view: &mut View, table: &Table, shape: &Shape) -> Result<Vec<Rule>> {
    let doing = format!("reading the checks of {}", table.label());
    let sql = "SELECT conname::text, pg_get_expr(conbin, conrelid) FROM pg_constraint \
               WHERE conrelid = $1::int8 AND contype = 'c' ORDER BY conname";
    let rows = view.session.rows(sql, bind([shape.table]), &doing)?;
    let mut rules: Vec<Rule> = rows.iter().map(|row| Rule { name: row.get(0), expression: row.get(1) }).collect();
    let sql = "SELECT pg_get_partition_constraintdef(p.relid) FROM pg_partition_tree($1::int8::oid::regclass) p \
               JOIN pg_class c ON c.oid = $1::int8 AND c.relkind = 'p' WHERE p.isleaf";
    let leaves = view.session.rows(sql, bind([shape.table]), &doing)?;
    let bounds: Option<Vec<String>> = leaves.iter().map(|row| row.get::<Option<String>, _>(0)).collect();
    if let Some(bounds) = bounds.filter(|b| !b.is_empty() && b.len() <= MOST_PARTITIONS) {
        let expression = bounds.iter().map(|b| format!("({b})")).collect::<Vec<_>>().join(" OR ");
        rules.push(Rule { name: "partition".to_owned(), expression: format!("({expression}) IS TRUE") });
    }
    Ok(rules)
}

/// Records of a table that the server is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) table: &'a Table,
    pub(super) shape: &'a Shape,
    pub(super) records: &'a [Vec<OwnedCell>],
}

/// What the server says of one record.
pub(super) enum Said {
    /// A row: the place, then what was asked for.
    Row(PgRow),
    /// The record's values are not even what its columns hold.
    Refused { constraint: String, message: String },
}

/// Asks for expressions over some of the records: typed values, generated columns over them, the question over both.
pub(super) fn ask(view: &mut View, asked: Asked<'_>, members: &[usize], question: &str) -> Result<Vec<(usize, Said)>> {
    let mut groups: Vec<(Vec<bool>, Vec<usize>)> = Vec::new();
    for &position in members {
        let absent: Vec<bool> = asked.records[position].iter().map(|cell| *cell == OwnedCell::Absent).collect();
        match groups.iter_mut().find(|(mask, _)| *mask == absent) {
            Some((_, members)) => members.push(position),
            None => groups.push((absent, vec![position])),
        }
    }
    let mut said = Vec::new();
    for (absent, members) in &groups {
        for (_, batch) in batches(members, |&m| weight(&asked.records[m])) {
            Question { asked, absent, question }.batch(view, batch, &mut said)?;
        }
    }
    Ok(said)
}

/// A question about records that lack the same fields.
struct Question<'a> {
    asked: Asked<'a>,
    absent: &'a [bool],
    question: &'a str,
}

impl Question<'_> {
    /// Asks about records together; where the server can't read one of them, halves until it stands alone.
    fn batch(&self, view: &mut View, members: &[usize], said: &mut Vec<(usize, Said)>) -> Result<()> {
        let doing = format!("checking values for {}", self.asked.table.label());
        let (sql, params) = self.statement(members)?;
        view.session.run("SAVEPOINT violations", &doing)?;
        let rows = match view.session.try_rows(&sql, params.into_arguments())? {
            Ok(rows) => rows,
            Err(error) if errors::connection_lost(&error) => return Err(view.session.fail(error, &doing)),
            Err(error) => {
                view.session.run("ROLLBACK TO SAVEPOINT violations; RELEASE SAVEPOINT violations", &doing)?;
                if members.len() > 1 {
                    let (left, right) = members.split_at(members.len() / 2);
                    self.batch(view, left, said)?;
                    return self.batch(view, right, said);
                }
                // An expression that can't be evaluated apart from its table (class 42) is left to the merge itself.
                match errors::about_values(&error) {
                    Some((constraint, message)) => said.push((members[0], Said::Refused { constraint, message })),
                    None if errors::code(&error).is_some_and(|code| code.starts_with("42")) => {}
                    None => return Err(view.session.fail(error, &doing)),
                }
                return Ok(());
            }
        };
        view.session.run("RELEASE SAVEPOINT violations", &doing)?;
        for row in rows {
            let place: i64 = row.get(0);
            let member = usize::try_from(place - 1).ok().and_then(|p| members.get(p));
            said.extend(member.map(|&member| (member, Said::Row(row))));
        }
        Ok(())
    }

    /// Builds the question: typed values, then generated columns over them, then the rules over both.
    fn statement(&self, members: &[usize]) -> Result<(String, Params)> {
        let mut params = Params::default();
        let mut values = vec![format!("u.place AS {PLACE}")];
        let mut computed = Vec::new();
        for (position, column) in self.asked.shape.columns.iter().enumerate() {
            let name = &column.quoted;
            match &column.expression {
                Some(expression) if column.generated => computed.push(format!("({expression}) AS {name}")),
                // A sequence must not be advanced by asking; any number will do.
                Some(expression) if self.absent[position] && !expression.contains("nextval(") => {
                    values.push(format!("({expression})::{} AS {name}", column.cast));
                }
                _ if self.absent[position] => values.push(format!("NULL::{} AS {name}", column.cast)),
                _ => {
                    let cells = members.iter().map(|&m| &self.asked.records[m][position]);
                    let value = params.column(column, cells)?;
                    let domain = column.domain.as_deref().map(|d| format!("::{d}")).unwrap_or_default();
                    values.push(format!("({value}){domain} AS {name}"));
                }
            }
        }
        if params.is_empty() {
            // Nothing but defaults: one text a record keeps the number of rows right.
            params.places(members.len())?;
        }
        let computed = computed.iter().map(|c| format!(", {c}")).collect::<String>();
        let source = params.source();
        // Naming the whole record, and subqueries that can't be merged into the rest, keep the planner from leaving out
        // values that no rule looks at: domains check them, and what is computed may overflow its type.
        let sql = format!(
            "SELECT {PLACE}::int8, {}, (v.*) IS NULL FROM (SELECT b.*{computed} FROM (SELECT {} FROM {source} OFFSET 0) b OFFSET 0) v",
            self.question,
            values.join(", "),
        );
        Ok((sql, params))
    }
}
