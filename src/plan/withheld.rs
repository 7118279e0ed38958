//! What a plan never holds: values of the backup, and of the base, that its strategies never bring. A plan that takes
//! production's data to development is a file in development; passwords and tokens of production have no business in it.
//!
//! Tables that are never brought are not compared at all. A column that is never brought is compared, so that a record's
//! class is what it is, and its values are taken out on the way into the plan.

use super::settle::Strategies;
use super::{Meta, Plan};
use crate::analyzer::Finding;
use crate::error::{Result, fail};
use crate::model::{Schema, Table};
use std::borrow::Cow;

/// The columns of each table whose values stay out, by position.
#[derive(Default)]
pub(super) struct Withheld(Vec<Vec<usize>>);

impl Withheld {
    pub(super) fn of(strategies: &Strategies, schema: &Schema) -> Self {
        let columns = |table: &Table| {
            let strategy = strategies.of_table(table);
            let brings =
                |c: &usize| strategy.brings_table(table) && strategy.brings_field(table, &table.columns[*c].name);
            (0..table.columns.len()).filter(|c| !table.key.contains(c) && !brings(c)).collect()
        };
        Self(schema.tables.iter().map(columns).collect())
    }

    /// Tells whether a column's values stay out.
    pub(super) fn has(&self, table: usize, column: usize) -> bool {
        self.0.get(table).is_some_and(|columns| columns.contains(&column))
    }

    /// Takes the values that stay out of a finding.
    pub(super) fn take_out(&self, finding: &mut Finding) {
        let columns = self.0.get(finding.table).map_or(&[][..], Vec::as_slice);
        for field in finding.fields.iter_mut().chain(&mut finding.kept).filter(|f| columns.contains(&f.column)) {
            (field.backup, field.base) = (None, None);
        }
    }

    /// Returns a finding without the values that stay out.
    pub(super) fn without<'a>(&self, finding: &'a Finding) -> Cow<'a, Finding> {
        if self.0.get(finding.table).is_none_or(Vec::is_empty) {
            return Cow::Borrowed(finding);
        }
        let mut finding = finding.clone();
        self.take_out(&mut finding);
        Cow::Owned(finding)
    }
}

/// Names the tables that are never brought, by their labels.
pub(super) fn tables(strategies: &Strategies, schema: &Schema) -> Vec<String> {
    schema.tables.iter().filter(|t| !strategies.of_table(t).brings_table(t)).map(Table::label).collect()
}

/// Names what stays out of the tables that were compared: `users.password`.
pub(super) fn columns(strategies: &Strategies, meta: &Meta) -> Vec<String> {
    let withheld = Withheld::of(strategies, &meta.schema);
    let brought = |t: &usize| strategies.of_table(&meta.schema.tables[*t]).brings_table(&meta.schema.tables[*t]);
    let compared = meta.tables.iter().map(|result| result.table).filter(brought);
    let names = |table: usize| {
        let definition = &meta.schema.tables[table];
        withheld.0[table].iter().map(move |&c| format!("{}.{}", definition.label(), definition.columns[c].name))
    };
    compared.flat_map(names).collect()
}

impl Plan {
    /// Checks that strategies ask for nothing that the plan does not hold.
    ///
    /// # Errors
    /// `Usage` naming what they would bring.
    pub(super) fn holds_what_is_brought(&self, strategies: &Strategies) -> Result<()> {
        let meta = self.meta();
        let brings = |name: &&String| {
            let table = |label: &str| meta.schema.tables.iter().find(|t| t.label() == label);
            match (table(name), name.rsplit_once('.')) {
                (Some(table), _) => strategies.of_table(table).brings_table(table),
                (None, Some((label, column))) => table(label).is_some_and(|t| {
                    strategies.of_table(t).brings_table(t) && strategies.of_table(t).brings_field(t, column)
                }),
                (None, None) => false,
            }
        };
        let lacking: Vec<String> = meta.withheld.iter().filter(brings).cloned().collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(fail!(
            Usage,
            "the plan holds nothing of {}, which {} never brings and the strategy asked for would",
            lacking.join(", "),
            meta.strategy.0
        )
        .hint("Analyze again with that strategy: merganser analyze --strategy NAME."))
    }
}
