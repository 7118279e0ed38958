//! The single steps as a program of their own, for `peers.sh`: generating the data, parsing alone, scanning alone.

#![allow(clippy::print_stdout)] // an example prints

#[allow(dead_code)]
mod data;

use data::{Order, Size};
use merganser::backup::{Ignore, ReadOptions};
use merganser::database::Database;
use merganser::database::sqlite::Sqlite;
use std::path::Path;

const USAGE: &str = "usage: alone generate FOLDER RECORDS CHANGED_PER_100000 similar|shuffled
       alone parse BACKUP
       alone scan DATABASE";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["generate", folder, records, changed, order] => {
            let order = if order == "shuffled" { Order::Shuffled } else { Order::Similar };
            let size = Size { records: records.parse()?, changed: changed.parse()?, order };
            data::generate(Path::new(folder), size)?;
        }
        ["parse", backup] => println!("{} records", parse(Path::new(backup))?),
        ["scan", database] => println!("{} records", scan(Path::new(database))?),
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Reads a backup to its end and keeps nothing.
fn parse(path: &Path) -> merganser::Result<u64> {
    let mut reader = merganser::backup::open(path, &ReadOptions::default())?;
    let mut records = 0;
    while reader.next_table()?.is_some() {
        records += reader.read_records(&mut Ignore)?;
    }
    reader.finish()?;
    Ok(records)
}

/// Reads every record of every table of a database and keeps nothing.
fn scan(path: &Path) -> merganser::Result<u64> {
    let mut database = Sqlite::open(path)?;
    let schema = database.schema()?;
    let mut snapshot = database.snapshot()?;
    let mut records = 0;
    for table in &schema.tables {
        snapshot.scan(table, &mut |_| {
            records += 1;
            Ok(())
        })?;
    }
    Ok(records)
}
