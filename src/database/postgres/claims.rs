//! What records claim of indexes over expressions, with a predicate, over computed columns, with nulls that collide: the
//! server evaluates its own expressions over typed values, and finds by them who holds a claim.

use super::catalog::{Shape, bind};
use super::view::{View, batches, weight};
use super::violations::{Asked, Said, ask};
use crate::database::FetchSink;
use crate::error::{Result, fail};
use crate::model::{OwnedCell, Table, Unique};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Row};

/// An index as the catalog of the connection at hand has it.
struct Index {
    /// Expression and type of each part.
    parts: Vec<(String, String)>,
    /// Which parts are compared in lower case.
    folded: Vec<bool>,
    predicate: Option<String>,
    nulls_equal: bool,
}

fn index(view: &mut View, table: &Table, shape: &Shape, unique: &Unique) -> Result<Index> {
    let sql = "SELECT ic.relname::text, pg_get_indexdef(i.indexrelid, a.attnum, true), format_type(a.atttypid, NULL), \
               pg_get_expr(i.indpred, i.indrelid), coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false), \
               (SELECT t.typname = 'citext' FROM pg_type t WHERE t.oid = a.atttypid) \
               FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid \
               JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum BETWEEN 1 AND i.indnkeyatts \
               WHERE i.indrelid = $1::int8 AND i.indisunique ORDER BY a.attnum";
    let rows = view.session.rows(sql, bind([shape.table]), &format!("reading the indexes of {}", table.label()))?;
    let own: Vec<_> = rows.iter().filter(|row| row.get::<String, _>(0) == unique.name).collect();
    let Some(first) = own.first() else {
        return Err(fail!(
            SchemaMismatch,
            "{}: the index {} is not in the database any more",
            table.label(),
            unique.name
        )
        .hint("analyze again with the present schema"));
    };
    Ok(Index {
        parts: own.iter().map(|row| (row.get(1), row.get(2))).collect(),
        folded: own.iter().map(|row| row.get(5)).collect(),
        predicate: first.get(3),
        nulls_equal: first.get(4),
    })
}

pub(super) fn claims(
    view: &mut View,
    table: &Table,
    unique: &Unique,
    records: &[Vec<OwnedCell>],
) -> Result<Vec<Option<Vec<OwnedCell>>>> {
    let shape = view.shape(table)?;
    let index = index(view, table, &shape, unique)?;
    let predicate = index.predicate.map_or("true".to_owned(), |p| format!("({p}) IS TRUE"));
    let text = |((part, _), folded): (&(String, String), &bool)| match folded {
        true => format!(", pg_catalog.lower(({part})::text COLLATE pg_catalog.\"default\")"),
        false => format!(", ({part})::text"),
    };
    let parts: String = index.parts.iter().zip(&index.folded).map(text).collect();
    let members: Vec<usize> = (0..records.len()).collect();
    let asked = Asked { table, shape: &shape, records };
    let mut claims = vec![None; records.len()];
    for (member, said) in ask(view, asked, &members, &format!("{predicate}{parts}"))? {
        // A record that its own columns refuse claims nothing.
        let Said::Row(row) = said else { continue };
        let cell = |part| row.get::<Option<String>, _>(part + 2).map_or(OwnedCell::Null, OwnedCell::Text);
        let cells: Vec<OwnedCell> = (0..index.parts.len()).map(cell).collect();
        let counts = index.nulls_equal || !cells.contains(&OwnedCell::Null);
        if row.get::<bool, _>(1) && counts {
            claims[member] = Some(cells);
        }
    }
    Ok(claims)
}

pub(super) fn claimants(
    view: &mut View,
    table: &Table,
    unique: &Unique,
    claims: &[Vec<OwnedCell>],
    sink: &mut FetchSink<'_>,
) -> Result<()> {
    let shape = view.shape(table)?;
    let index = index(view, table, &shape, unique)?;
    // Names of no person's making, so that the index's own names mean the table's columns.
    let name = |part: usize| format!("\"merganser: {part}\"");
    let equals = if index.nulls_equal { "IS NOT DISTINCT FROM" } else { "=" };
    let parts = index.parts.iter().enumerate();
    let mut conditions: Vec<String> =
        parts.map(|(p, (part, ty))| format!("({part}) {equals} {}::{ty}", name(p))).collect();
    conditions.extend(index.predicate.map(|p| format!("({p})")));
    let names: Vec<String> = (0..index.parts.len()).map(name).collect();
    let arrays: Vec<String> = (1..=index.parts.len()).map(|p| format!("${p}::text[]")).collect();
    let source = format!(
        "(SELECT * FROM unnest({}) WITH ORDINALITY AS \"merganser: u\"({}, \"merganser: place\") OFFSET 0) AS \"merganser: w\"",
        arrays.join(", "),
        names.join(", ")
    );
    for (start, batch) in batches(claims, |claim| weight(claim)) {
        let mut arguments = PgArguments::default();
        for part in 0..index.parts.len() {
            let text = |claim: &Vec<OwnedCell>| match &claim[part] {
                OwnedCell::Text(text) => Some(text.clone()),
                _ => None,
            };
            let added = arguments.add(batch.iter().map(text).collect::<Vec<Option<String>>>());
            added.map_err(|error| fail!(Failed, "the claims of {} can't be sent", table.label()).because(error))?;
        }
        view.placed(
            table,
            "\"merganser: place\"",
            &source,
            &conditions.join(" AND "),
            arguments,
            &mut |place, cells| sink(start + place, cells),
        )?;
    }
    Ok(())
}
