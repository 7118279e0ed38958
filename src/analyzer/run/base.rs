//! The base's side of the pass: its tables in the order that the backup asks for.

use super::{Base, FromSide, Ids};
use crate::analyzer::TableResult;
use crate::analyzer::mapping::{Found, Mapping};
use crate::analyzer::sides::{BackupSink, Learned};
use crate::backup::{Reader, Summary};
use crate::error::Result;
use std::sync::mpsc::{Receiver, SyncSender};

/// Reads the tables of the base in the order asked for; a base in another order is opened again from its beginning.
pub(super) fn read_base(
    (mapping, ids): (&Mapping, Option<&Ids>),
    base: &Base<'_>,
    requests: &Receiver<usize>,
    to: &SyncSender<FromSide>,
) -> (Option<Summary>, Vec<(usize, Learned)>) {
    let mut reader: Option<Box<dyn Reader>> = None;
    let mut known = Vec::new();
    for table in requests {
        let mut read = || -> Result<bool> {
            for fresh in [reader.is_none(), true] {
                if fresh {
                    reader = Some((base.open)()?);
                }
                let current = reader.as_mut().expect("opened above");
                while let Some(header) = current.next_table()? {
                    if mapping.table(&header.name) == Found::At(table) {
                        let mut send = |batch, _| to.send(FromSide::Rows(batch)).is_ok();
                        let mut sink = BackupSink::new(mapping, table, &header, &mut send);
                        sink.follow(ids);
                        current.read_records(&mut sink).map_err(|e| e.at(format_args!("base, {}", header.name)))?;
                        sink.finish()?;
                        known.push((table, sink.learned));
                        return Ok(true);
                    }
                }
                if fresh {
                    break;
                }
            }
            Ok(false)
        };
        let message = match read() {
            Ok(found) => FromSide::End(found),
            Err(error) => FromSide::Failed(error),
        };
        if to.send(message).is_err() {
            return (None, known);
        }
    }
    // Reading on to the end checks what the base claims of itself.
    let Some(mut reader) = reader else { return (None, known) };
    while let Ok(Some(_)) = reader.next_table() {}
    (reader.finish().ok(), known)
}

/// Says where the base's columns are not those of the backup or of current: what that means for a three-way comparison.
pub(super) fn base_notes(mapping: &Mapping, tables: &[TableResult], base: &[(usize, Learned)]) -> Vec<String> {
    let mut notes = Vec::new();
    for (table, learned) in base {
        let Some(result) = tables.iter().find(|r| r.table == *table && r.three_way) else { continue };
        let target = &mapping.schema.tables[*table];
        let compared = |c: &usize| mapping.compared[*table][*c] && target.columns[*c].writable();
        let missing: Vec<usize> =
            result.carried.iter().copied().filter(|c| compared(c) && !learned.carried[*c]).collect();
        if !missing.is_empty() {
            notes.push(format!(
                "{}: the base has no {}; whose change a difference there is can't be told, so it is a conflict",
                result.name,
                target.names(&missing).join(", ")
            ));
        }
        let only_base: Vec<usize> = (0..target.columns.len())
            .filter(|c| compared(c) && learned.carried[*c] && !result.carried.contains(c))
            .collect();
        if !only_base.is_empty() {
            let names = target.names(&only_base).join(", ");
            notes.push(format!("{}: the base has {names}, the backup does not; it is not compared", result.name));
        }
        notes.extend(learned.unknown.iter().map(|sentence| format!("{}: in the base, {sentence}", result.name)));
    }
    notes
}
