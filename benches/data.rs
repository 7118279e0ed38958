//! Generated data: one table of six mixed columns on three sides, the same for the same size, share and order.
//!
//! Of the changed records half are later in the backup, a fifth are later in current, and the rest are missing on one
//! side: half of those in current (new), half in the backup (only in current). The base holds every record unchanged.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The order in which a document lists the records; the databases hold them by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the database does.
    Similar,
    /// In no order.
    Shuffled,
}

/// What is generated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Records of the base.
    pub(crate) records: u32,
    /// Changed records in a hundred thousand.
    pub(crate) changed: u32,
    /// The order of the document's records.
    pub(crate) order: Order,
}

/// The files of one data set.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The current database.
    pub(crate) current: PathBuf,
    /// The backup as an SQLite database.
    pub(crate) backup: PathBuf,
    /// The backup as a Smart Backup document.
    pub(crate) json: PathBuf,
    /// The base as an SQLite database.
    pub(crate) base: PathBuf,
}

/// The sides that a record is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Base,
    Current,
    Backup,
}

/// One record.
struct Record {
    id: u32,
    name: String,
    note: String,
    cents: u32,
    active: bool,
    updated_at: String,
}

const WORDS: [&str; 32] = [
    "amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "juniper", "kelp", "lagoon",
    "meadow", "nectar", "osprey", "pebble", "quartz", "ripple", "sedge", "tundra", "umber", "violet", "willow",
    "yarrow", "zephyr", "bittern", "current", "harbour", "shallow", "thicket", "upland", "wetland",
];

/// Mixes a number into one that looks random (splitmix64, public domain, Vigna 2015).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Record {
    /// Makes a record as it is on a side; `None` where the side does not have it.
    fn of(id: u32, side: Side, size: Size) -> Option<Self> {
        let random = mix(u64::from(id));
        let word = |shift: u32| WORDS[(random >> shift) as usize % WORDS.len()];
        let second = mix(random);
        let mut note = String::with_capacity(64);
        for shift in [0, 7, 13, 19, 29, 37, 47] {
            let _ = write!(note, "{} ", WORDS[(second >> shift) as usize % WORDS.len()]);
        }
        note.pop();
        let mut record = Self {
            id,
            name: format!("{} {} {}", word(3), word(17), random % 1000),
            note,
            cents: (random >> 20) as u32 % 1_000_000,
            active: random & 4 != 0,
            updated_at: stamp(random >> 9, 0),
        };
        let chance = mix(random ^ 0x5eed);
        if chance % 100_000 >= u64::from(size.changed) {
            return Some(record);
        }
        let changed_on = match (chance / 100_000) % 20 {
            0..10 => Side::Backup,
            10..14 => Side::Current,
            14..17 if side == Side::Current => return None,
            17..20 if side == Side::Backup => return None,
            _ => Side::Base,
        };
        if changed_on == side && side != Side::Base {
            record.cents = (record.cents + 1_234) % 1_000_000;
            record.name.push('*');
            record.updated_at = stamp(random >> 9, 2);
        }
        Some(record)
    }
}

/// Writes an instant within 2025, some months later where asked.
fn stamp(random: u64, later_months: u64) -> String {
    let seconds = random % 86_400;
    format!(
        "2025-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + (random / 86_400) % 9 + later_months,
        1 + (random / 1_000_000) % 28,
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        (random >> 40) % 1_000,
    )
}

/// Writes all sides into a folder.
pub(crate) fn generate(folder: &Path, size: Size) -> Result<Files, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let files = Files {
        current: folder.join("current.db"),
        backup: folder.join("backup.db"),
        json: folder.join("backup.json"),
        base: folder.join("base.db"),
    };
    database(&files.current, Side::Current, size)?;
    database(&files.backup, Side::Backup, size)?;
    database(&files.base, Side::Base, size)?;
    document(&files.json, size)?;
    Ok(files)
}

fn database(path: &Path, side: Side, size: Size) -> Result<(), Box<dyn std::error::Error>> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let mut connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         CREATE TABLE items (
             id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, price DECIMAL(10,2) NOT NULL,
             active BOOLEAN NOT NULL, updated_at TEXT NOT NULL)",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)")?;
        for record in (1..=size.records).filter_map(|id| Record::of(id, side, size)) {
            let price = f64::from(record.cents) / 100.0;
            insert.execute((record.id, &record.name, &record.note, price, record.active, &record.updated_at))?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA journal_mode = DELETE")?;
    Ok(())
}

fn document(path: &Path, size: Size) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut ids: Vec<u32> = (1..=size.records).collect();
    if size.order == Order::Shuffled {
        for last in (1..ids.len()).rev() {
            ids.swap(last, mix(last as u64) as usize % (last + 1));
        }
    }
    out.write_all(
        b"{\"metadata\":{\"version\":\"1.0\"},\"tables\":[{\"tableName\":\"items\",\"primaryKey\":\"id\",\"records\":[",
    )?;
    let mut first = true;
    for record in ids.into_iter().filter_map(|id| Record::of(id, Side::Backup, size)) {
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        write!(
            out,
            "{{\"id\":{},\"name\":\"{}\",\"note\":\"{}\",\"price\":{}.{:02},\"active\":{},\"updated_at\":\"{}\"}}",
            record.id,
            record.name,
            record.note,
            record.cents / 100,
            record.cents % 100,
            record.active,
            record.updated_at,
        )?;
    }
    out.write_all(b"\n]}]}\n")?;
    out.flush()?;
    Ok(())
}
