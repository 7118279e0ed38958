//! The forms of texts that are the same where the server holds the texts equal: `citext` compares them in lower case
//! (<https://www.postgresql.org/docs/current/citext.html>), and a nondeterministic collation hashes equal texts alike, since
//! a hash join has to find them.

use super::params::Params;
use super::view::{View, batches, weight};
use crate::error::Result;
use crate::model::{OwnedCell, Table};
use sqlx::Row;

pub(super) fn forms(view: &mut View, table: &Table, column: usize, texts: &[OwnedCell]) -> Result<Vec<String>> {
    let shape = view.shape(table)?;
    let own = &shape.columns[column];
    let doing = format!("comparing values of {}", table.label());
    let wanted: Vec<Vec<OwnedCell>> = texts.iter().map(|text| vec![text.clone()]).collect();
    let mut forms = Vec::with_capacity(texts.len());
    for (_, batch) in batches(&wanted, |key| weight(key)) {
        let mut params = Params::default();
        let value = params.column(own, batch.iter().map(|key| &key[0]))?;
        let (form, from) = if own.folds {
            (format!("pg_catalog.lower(({value})::text COLLATE pg_catalog.\"default\")"), String::new())
        } else {
            // The column stands beside the value for its collation alone.
            let text = format!("coalesce(t.{}::text, ({value})::text)", own.quoted);
            let hash = |seed| format!("pg_catalog.hashtextextended({text}, {seed})::text");
            (format!("{} || ' ' || {}", hash(0), hash(1)), format!(" LEFT JOIN {} t ON false", shape.from))
        };
        let sql = format!("SELECT {form} FROM {}{from} ORDER BY u.place", params.source());
        for row in view.session.rows(&sql, params.into_arguments(), &doing)? {
            forms.push(row.get::<Option<String>, _>(0).unwrap_or_default());
        }
    }
    Ok(forms)
}
