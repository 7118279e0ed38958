//! A bounded, seeded run of the fuzz targets: good inputs, mutated. A failing input is printed with its seed.
//!
//! `MERGANSER_FUZZ=100000 cargo test --test it fuzz` runs longer; the same functions are cargo-fuzz targets in `fuzz/`.

mod seeds;
mod targets;

use crate::schemas::model::Dice;
use std::time::{Duration, Instant};

/// No input may take longer, on however busy a machine.
const SLOWEST: Duration = Duration::from_secs(60);

const TOKENS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "1e400",
    "-0",
    "NaN",
    "99999999999999999999",
    "\"id\":",
    "\n",
    "\r\n",
    "\u{feff}",
    "''",
    ";",
    "%00",
    "../",
    "[[[[[[[[[[[[[[[[",
    "\"\":\"\"",
];

fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[dice.below(seeds.len())].clone();
    for _ in 0..1 + dice.below(4) {
        let (at, other) = (dice.below(data.len()), dice.below(data.len()));
        let (first, last) = (at.min(other), at.max(other));
        match dice.below(9) {
            0 if !data.is_empty() => data[at] ^= 1 << dice.below(8),
            1 if !data.is_empty() => data[at] = dice.roll() as u8,
            2 => data.truncate(at),
            3 => drop(data.drain(first..last)),
            4 => {
                let part: Vec<u8> = data[first..last.min(first + 200)].to_vec();
                data.splice(at..at, part);
            }
            5 => {
                let token = TOKENS[dice.below(TOKENS.len())].as_bytes();
                data.splice(at..at, token.iter().copied());
            }
            6 if data.len() >= 4 => {
                // Lengths and counts of binary formats, at their edges.
                let at = dice.below(data.len() - 3);
                let edge = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX][dice.below(5)];
                data[at..at + 4].copy_from_slice(&if dice.often(50) { edge.to_le_bytes() } else { edge.to_be_bytes() });
            }
            7 => {
                let donor = &seeds[dice.below(seeds.len())];
                let from = dice.below(donor.len());
                data.truncate(at);
                data.extend_from_slice(&donor[from..]);
            }
            _ => data.splice(at..at, (0..dice.below(40)).map(|_| 0)).for_each(drop),
        }
    }
    data
}

/// Runs a target on good inputs as they are, then on mutated ones.
fn check(name: &str, target: fn(&[u8]), seeds: &[Vec<u8>], usual: u64) {
    // The coverage-guided fuzzer begins with the same inputs: `MERGANSER_FUZZ_SEEDS=fuzz/corpus`.
    if let Some(folder) = std::env::var_os("MERGANSER_FUZZ_SEEDS") {
        let folder = std::path::PathBuf::from(folder).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        seeds
            .iter()
            .enumerate()
            .for_each(|(n, seed)| std::fs::write(folder.join(n.to_string()), seed).expect("writes"));
    }
    let count = std::env::var("MERGANSER_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    seeds.iter().for_each(|seed| target(seed));
    for number in 0..count {
        let data = mutated(&mut Dice(number), seeds);
        let begun = Instant::now();
        let outcome = std::panic::catch_unwind(|| target(&data));
        let shown = String::from_utf8_lossy(&data[..data.len().min(400)]).into_owned();
        assert!(outcome.is_ok(), "input {number} fails: {shown:?}");
        assert!(begun.elapsed() < SLOWEST, "input {number} takes {:?}: {shown:?}", begun.elapsed());
    }
}

#[test]
fn f17_f18_f20_f78_f80_mutated_backups_are_read_or_refused_with_a_place() {
    check("backup", targets::backup, &seeds::backups(), 1_500);
}

#[test]
fn mutated_backups_are_inspected_or_refused() {
    check("inspect", targets::inspect, &seeds::backups(), 600);
}

#[test]
fn f23_mutated_encrypted_backups_are_refused() {
    check("encrypted", targets::encrypted, &seeds::encrypted(), 4);
}

#[test]
fn f29_mutated_plans_are_refused_or_whole() {
    check("plan", targets::plan, &seeds::plans(), 300);
}

#[test]
fn mutated_decisions_are_refused_or_mean_the_same_again() {
    check("decisions", targets::decisions, &seeds::decisions(), 3_000);
}

#[test]
fn mutated_strategies_are_refused_or_parsed() {
    check("strategy", targets::strategy, &seeds::strategies(), 1_500);
}

#[test]
fn mutated_addresses_never_show_a_password() {
    check("url", targets::url, &seeds::urls(), 3_000);
}

#[test]
fn f81_tables_of_any_name_are_read_and_nothing_else_happens() {
    check("names", targets::names, &seeds::names(), 300);
}

#[test]
fn mutated_conditions_are_refused_or_parsed() {
    check("conditions", targets::conditions, &seeds::conditions(), 3_000);
}

#[test]
fn f78_f79_f80_f113_mutated_documents_are_read_or_refused() {
    check("document", targets::document, &seeds::documents(), 1_000);
}

#[test]
fn mutated_tables_of_text_are_read_or_refused() {
    check("csv", targets::csv, &seeds::tables(), 600);
    check("ndjson", targets::ndjson, &seeds::lines(), 600);
}

#[test]
fn f20_f84_f112_mutated_databases_are_read_or_refused() {
    check("database", targets::database, &seeds::databases(), 300);
}

#[test]
fn f21_f76_archives_of_mutated_entries_are_read_or_refused() {
    check("archive", targets::archive, &seeds::archives(), 600);
}

#[test]
fn f23_mutated_headers_of_encrypted_backups_are_refused() {
    check("envelope", targets::envelope, &seeds::envelopes(), 600);
}

#[test]
fn f98_mutated_receipts_are_refused_or_read() {
    check("receipt", targets::receipt, &seeds::receipts(), 300);
}

#[test]
fn mutated_configurations_are_refused_or_read_and_never_repeated() {
    check("config", targets::config, &seeds::configs(), 1_000);
}

#[test]
fn mutated_cron_expressions_are_refused_or_go_forward() {
    check("cron", targets::cron, &seeds::crons(), 300);
}

#[test]
fn u41_mutated_text_is_harmless_on_a_terminal() {
    check("terminal", targets::terminal, &seeds::terminals(), 3_000);
}

#[test]
fn mutated_requests_are_never_failures_of_the_service() {
    check("request", targets::request, &seeds::requests(), 600);
}

/// What the coverage-guided fuzzer found.
#[test]
fn what_was_found_once_stays_mended() {
    // A text of UTF-16 in an archive that ends within a character: told with its place.
    let odd = [&b"\x01a.cd,name\n1,x\n\xffb.ndjson\n{"[..], &[0; 129], b"\"id\":1}\n\xffc.js\n[{\"id\":1}]"].concat();
    targets::archive(&odd);
    targets::archive(&[&odd[..], b" "].concat());
}

#[test]
fn t7_a_plan_that_names_columns_it_does_not_have_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.mplan");
    for (whole, damaged) in [
        (r#""key":[0]"#, r#""key":[5]"#),
        (r#""columns":[1]"#, r#""columns":[7]"#),
        (r#""carried":[0"#, r#""carried":[9"#),
        (r#""tables":[{"table":0"#, r#""tables":[{"table":4"#),
    ] {
        std::fs::write(&path, &seeds::plans()[0]).expect("writes");
        assert!(merganser::plan::Plan::open(&path).is_ok());
        let connection = rusqlite::Connection::open(&path).expect("opens");
        let sql = "UPDATE meta SET value = replace(value, ?1, ?2) WHERE key = 'plan' AND instr(value, ?1)";
        assert_eq!(connection.execute(sql, [whole, damaged]).expect("changes"), 1, "{whole}");
        drop(connection);
        let error = merganser::plan::Plan::open(&path).map(drop).expect_err(damaged);
        assert_eq!(error.kind(), merganser::ErrorKind::PlanMismatch);
        assert!(error.full_message().contains("columns that are not there"), "{}", error.full_message());
    }
}

/// The coverage-guided fuzzer met a plan whose pages began again and again.
#[test]
fn t7_a_plan_with_an_index_out_of_order_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.mplan");
    for index in ["records_table", "records_class"] {
        let mut bytes = seeds::plans()[0].clone();
        std::fs::write(&path, &bytes).expect("writes");
        let connection = rusqlite::Connection::open(&path).expect("opens");
        let page: usize = connection
            .query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [index], |row| row.get::<_, u32>(0))
            .expect("there is such an index") as usize;
        let size: usize =
            connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0)).expect("a size") as usize;
        drop(connection);
        // The last number of each entry of a leaf is that of its record (https://sqlite.org/fileformat2.html#b_tree_pages).
        let leaf = (page - 1) * size;
        assert_eq!(bytes[leaf], 10, "the index has one page");
        let entries = usize::from(bytes[leaf + 4]);
        let mut changed = 0;
        for entry in 0..entries {
            let at = leaf + 8 + 2 * entry;
            let start = leaf + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            let last = start + usize::from(bytes[start]);
            let is_whole_number = bytes[start + usize::from(bytes[start + 1])] == 1;
            if is_whole_number && changed == 0 {
                bytes[last] = 126;
                changed += 1;
            }
        }
        assert_eq!(changed, 1, "an entry with a number of one byte");
        std::fs::write(&path, &bytes).expect("writes");
        let mut plan = merganser::plan::Plan::open(&path).expect("it can be opened");
        let outcome = plan.settle(&merganser::progress::Quiet).map(drop);
        let listed = plan.page(&merganser::plan::Selector { table: Some(0), ..Default::default() }, 0, 100).map(drop);
        assert!(outcome.is_err() || listed.is_err(), "{index}: {outcome:?} {listed:?}");
    }
}
