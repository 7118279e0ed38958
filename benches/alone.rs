//! The single steps as a program of their own, for `peers.sh`: generating the data, parsing alone, scanning alone,
//! writing a backup.

#![allow(clippy::print_stdout)] // an example prints

#[allow(dead_code)]
mod data;

use data::{Order, Size};
use merganser::backup::{Compression, FilesFormat, Ignore, Layout, ReadOptions, TableOptions, WriteFormat};
use merganser::database::Database;
use merganser::database::sqlite::Sqlite;
use std::path::Path;

const USAGE: &str = "usage: alone generate FOLDER RECORDS CHANGED_PER_100000 similar|shuffled
       alone parse BACKUP
       alone scan DATABASE
       alone write smart-backup|django DATABASE FILE";

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
        ["write", format, database, file] => {
            let format = match format {
                "smart-backup" => WriteFormat::SmartBackup(Compression::None, Layout::Compact),
                "django" => WriteFormat::Files(FilesFormat::Django),
                _ => return Err(USAGE.into()),
            };
            let start = std::time::Instant::now();
            let records = write(Path::new(database), format, Path::new(file))?;
            let seconds = start.elapsed().as_secs_f64();
            println!("{records} records in {seconds:.2} s, {:.0} a second", records as f64 / seconds);
        }
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

/// Writes every table of a database to a backup, as `backup create` does.
fn write(database: &Path, format: WriteFormat, file: &Path) -> merganser::Result<u64> {
    let mut database = Sqlite::open(database)?;
    let schema = database.schema()?;
    let mut snapshot = database.snapshot()?;
    let mut writer = merganser::backup::create(file, format, "2026-11-21T00:00:00Z")?;
    let mut records = 0;
    for table in &schema.tables {
        writer.begin_table(table, &TableOptions::default())?;
        snapshot.scan(table, &mut |cells| {
            records += 1;
            writer.record(cells)
        })?;
    }
    writer.finish()?;
    Ok(records)
}
