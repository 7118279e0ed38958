//! The first records of a backup's tables, which show how it stores dates.

use crate::backup::{Place, Reader, RecordSink};
use crate::database::Sample;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Cell, OwnedCell};

/// Records looked at per table.
const RECORDS: usize = 200;
/// Ends the reading of a table; never leaves this file.
const ENOUGH: &str = "enough records were seen";

struct First {
    sample: Sample,
    records: usize,
}

impl RecordSink for First {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let columns = &mut self.sample.columns;
        let position = columns.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            columns.push((name.to_owned(), Vec::new()));
            columns.len() - 1
        });
        columns[position].1.push(OwnedCell::from(cell));
        Ok(())
    }

    fn end_record(&mut self, _: Place) -> Result<()> {
        self.records += 1;
        if self.records < RECORDS { Ok(()) } else { Err(Error::new(ErrorKind::Failed, ENOUGH)) }
    }
}

/// Reads the first records of every table of a backup that can be left in the middle of one.
///
/// # Errors
/// What reading meets.
pub(super) fn first_records(reader: &mut dyn Reader) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while let Some(header) = reader.next_table()? {
        let mut first = First { sample: Sample { table: header.name, columns: Vec::new() }, records: 0 };
        match reader.read_records(&mut first) {
            Err(error) if !error.to_string().ends_with(ENOUGH) => return Err(error),
            _ => samples.push(first.sample),
        }
    }
    Ok(samples)
}
