//! Reads the records of a JSON array, one after another, as text comes in.

use super::record::{Attempt, RecordParser};
use super::window::Window;
use crate::backup::options::ReadOptions;
use crate::backup::{Place, RecordSink, TableHeader};
use crate::error::{Result, fail};

/// Bytes of the longest token that is not JSON until its last byte is there: `-Infinity`.
const TOKEN_BYTES: usize = 16;

/// Describes the table of a Django model: `core.child` is `core_child`, as Django names tables.
pub(crate) fn django_header(model: &str) -> TableHeader {
    TableHeader {
        name: model.replace('.', "_"),
        claimed_key: Some("pk".to_owned()),
        whole: true,
        pk_field: Some("pk".to_owned()),
        origin: Some(model.to_owned()),
        ..TableHeader::default()
    }
}

/// Looks at the first record of an array, without reading it, and returns its model when it is a Django record.
///
/// # Errors
/// As reading it.
pub(crate) fn first_model(
    window: &mut Window,
    parser: &mut RecordParser,
    options: &ReadOptions,
    table: &str,
) -> Result<Option<String>> {
    if window.peek()? != Some(b'{') {
        return Ok(None);
    }
    complete_record(window, parser, options, table, 1)?;
    Ok(parser.django_model(window.rest()))
}

/// Reads the rest of an array of records into a sink and returns how many there were.
///
/// # Errors
/// `BackupDamaged` and `LimitReached` with table, record and place; what the sink returns as it is.
pub(crate) fn read_array(
    window: &mut Window,
    parser: &mut RecordParser,
    options: &ReadOptions,
    table: &str,
    sink: &mut dyn RecordSink,
) -> Result<u64> {
    let mut count = 0u64;
    let mut after_comma = false;
    loop {
        match window.peek()? {
            Some(b']') if !after_comma => {
                window.advance(1);
                return Ok(count);
            }
            Some(b',') if count > 0 && !after_comma => {
                window.advance(1);
                after_comma = true;
            }
            Some(b'{') if count == 0 || after_comma => {
                let length = complete_record(window, parser, options, table, count + 1)?;
                emit_record(window, parser, table, count + 1, sink)?;
                window.advance(length);
                count += 1;
                after_comma = false;
            }
            Some(_) if count == 0 || after_comma => {
                return Err(window
                    .damaged(format_args!("element {} of `{}` is not a record", count + 1, table.escape_debug()))
                    .hint("every record is an object: {\"column\": value}"));
            }
            Some(_) => return Err(window.damaged(format_args!("`{}`: `,` or `]` was expected", table.escape_debug()))),
            None => return Err(window.truncated().at(format_args!("{}, record {}", table.escape_debug(), count + 1))),
        }
    }
}

/// Gets text until the record at hand is whole; returns its length.
pub(crate) fn complete_record(
    window: &mut Window,
    parser: &mut RecordParser,
    options: &ReadOptions,
    table: &str,
    number: u64,
) -> Result<usize> {
    let at = |window: &Window, ahead| format!("{}, record {number} ({})", table.escape_debug(), window.place(ahead));
    loop {
        match parser.parse(window.rest()) {
            Attempt::Complete(length) if length > options.limits.record_bytes => {
                let limit = options.limits.record_bytes;
                return Err(fail!(LimitReached, "the record is longer than {limit} bytes").at(at(window, 0)));
            }
            Attempt::Complete(length) => return Ok(length),
            Attempt::Wrong(ahead, error) => {
                // A number or a NaN that the window cut is wrong as it stands; with more text it may be whole.
                let cut = window.rest().len() - ahead <= TOKEN_BYTES;
                if !cut || !window.fill()? {
                    return Err(error.at(at(window, ahead)));
                }
            }
            Attempt::NeedsMore => {
                let held = window.rest().len();
                if held > options.limits.record_bytes {
                    let limit = options.limits.record_bytes;
                    return Err(fail!(LimitReached, "the record is longer than {limit} bytes").at(at(window, 0)));
                }
                super::scan::check_depth(window.rest(), options.limits.depth).map_err(|e| e.at(at(window, 0)))?;
                if !window.fill()? {
                    return Err(window.truncated().at(format_args!("{}, record {number}", table.escape_debug())));
                }
            }
        }
    }
}

/// Hands the record just parsed to a sink, naming the record in errors of the parser's own.
pub(crate) fn emit_record(
    window: &Window,
    parser: &mut RecordParser,
    table: &str,
    number: u64,
    sink: &mut dyn RecordSink,
) -> Result<()> {
    let place = Place { record: number, offset: Some(window.offset()) };
    let emitted = parser.emit(window.rest(), place, sink);
    emitted.map_err(|error| match parser.sink_failed {
        true => error,
        false => error.at(format_args!("{}, record {number} ({})", table.escape_debug(), window.place(0))),
    })
}
