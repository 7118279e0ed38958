//! The catalog: a life of a backup, and restic's rules against an oracle written from their description.

use crate::world::World;
use chrono::{DateTime, Duration, TimeZone, Utc};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::backup::{Compression, FilesFormat, ReadOptions, WriteFormat};
use merganser::catalog::forget::{Forgetting, Keep, Policy, judge};
use merganser::catalog::make::{Create, Format, Rule};
use merganser::catalog::verify::Depth;
use merganser::catalog::{Catalog, Entry, Import, Kind};
use merganser::database::{Database, Identity};
use merganser::model::schema::Engine;
use merganser::progress::Quiet;
use std::collections::BTreeSet;

const SHOP: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL, born DATE, score REAL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people (id), total NUMERIC, at DATETIME, doc JSON, raw BLOB);
    CREATE TABLE lines (order_id INTEGER NOT NULL REFERENCES orders (id), position INTEGER NOT NULL, PRIMARY KEY (order_id, position));
    INSERT INTO people VALUES (1, 'a@x', 'pw-one', '2000-01-02', 1.5), (2, 'b@x', 'pw-two', NULL, NULL);
    INSERT INTO orders VALUES (10, 1, 12.5, '2024-01-02 03:04:05.123456', '{\"a\": [1]}', x'00ff'), (11, NULL, NULL, NULL, NULL, NULL);
    INSERT INTO lines VALUES (10, 1), (10, 2);";

fn make(world: &World, catalog: &mut Catalog, request: &Create<'_>) -> Entry {
    catalog.create(&mut world.database(), request, &Quiet).unwrap_or_else(|e| panic!("{e:?}")).0
}

#[test]
fn a_backup_is_made_verified_exported_imported_and_removed() {
    let world = World::new(SHOP);
    let mut catalog = Catalog::open(&world.home).expect("opens");
    for format in [
        WriteFormat::SmartBackup(Compression::None, Default::default()),
        WriteFormat::SmartBackup(Compression::Gzip, Default::default()),
        WriteFormat::SmartBackup(Compression::Zstd, Default::default()),
        WriteFormat::TableMap,
        WriteFormat::Files(FilesFormat::NdJson),
    ] {
        let format = Format::Records(format);
        let made = make(&world, &mut catalog, &Create { format, ..Create::default() });
        assert_eq!((made.kind, made.tables.iter().map(|t| t.records).sum::<u64>()), (Kind::Full, 6));
        let checked = catalog.verify(&made, Depth::RestoreTest, &Quiet).unwrap_or_else(|e| panic!("{format:?}: {e:?}"));
        assert_eq!(checked.verified.expect("was checked").1, Depth::RestoreTest);
        // Its own database finds it unchanged.
        std::fs::copy(catalog.path(&made), world.path("made")).expect("copies");
        let (plan, _) = world.analyze("made", None, "backup-wins", Options::default()).expect("analyzes");
        assert_eq!(plan.meta().counts().unchanged, 6, "{format:?}");
        // A backup of the database itself is nothing that both come from.
        let read = ReadOptions::default();
        assert_eq!(catalog.base_of(&world.path("made"), world.database().identity(), &read).expect("asks"), None);
    }
    let entries = catalog.list().expect("lists");
    assert_eq!(entries.len(), 5);
    let one = &entries[0];
    catalog.export(one, &world.path("out.zip")).expect("exports");
    assert_eq!(catalog.export(one, &world.path("out.zip")).expect_err("is there").kind(), ErrorKind::Usage);
    let read = ReadOptions::default();
    let import = Import { name: Some("again"), database: None, tags: &[], read: &read };
    assert_eq!(catalog.import(&world.path("out.zip"), &import).expect_err("is here").kind(), ErrorKind::Usage);
    catalog.remove(one).expect("removes");
    assert!(!catalog.path(one).exists());
    let imported = catalog.import(&world.path("out.zip"), &import).expect("imports");
    assert_eq!((imported.kind, imported.digest.as_str()), (Kind::Imported, one.digest.as_str()));
    catalog.verify(&imported, Depth::Deep, &Quiet).expect("is sound");
    // A flipped byte is found, and the damage is not handed on.
    let path = catalog.path(&imported);
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let error = catalog.verify(&imported, Depth::Digest, &Quiet).expect_err("is damaged");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
    assert_eq!(catalog.export(&imported, &world.path("o2")).expect_err("is damaged").kind(), ErrorKind::BackupDamaged);
    assert!(!world.path("o2").exists());
}

#[test]
fn columns_that_must_not_leave_do_not() {
    let world = World::new(SHOP);
    let mut catalog = Catalog::open(&world.home).expect("opens");
    let rules =
        [("password".to_owned(), Rule::Drop), ("people.email".to_owned(), Rule::Hash), ("born".to_owned(), Rule::Null)];
    let format = Format::Records(WriteFormat::SmartBackup(Compression::None, Default::default()));
    let made = make(&world, &mut catalog, &Create { format, rules: &rules, ..Create::default() });
    assert_eq!(made.kind, Kind::Selected);
    let text = std::fs::read_to_string(catalog.path(&made)).expect("text");
    for secret in ["pw-one", "password", "a@x", "2000-01-02"] {
        assert!(!text.contains(secret), "{secret}");
    }
    catalog.verify(&made, Depth::RestoreTest, &Quiet).expect("is sound");
    for (rule, why) in [
        (("id".to_owned(), Rule::Drop), "a key"),
        (("email".to_owned(), Rule::Null), "not null"),
        (("score".to_owned(), Rule::Hash), "no text"),
        (("nothing".to_owned(), Rule::Drop), "unknown"),
    ] {
        let error = catalog
            .create(&mut world.database(), &Create { rules: &[rule], ..Create::default() }, &Quiet)
            .expect_err(why);
        assert_eq!(error.kind(), ErrorKind::Usage, "{why}");
    }
    assert_eq!(catalog.list().expect("lists").len(), 1);
    assert_eq!(std::fs::read_dir(world.home.backups()).expect("a folder").count(), 1, "nothing half is left");
}

#[test]
fn references_that_lead_nowhere_are_found() {
    let world = World::new(SHOP);
    let loose = rusqlite::Connection::open(world.path("current.db")).expect("opens");
    loose
        .execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO orders (id, person_id) VALUES (12, 99)")
        .expect("inserts");
    let mut catalog = Catalog::open(&world.home).expect("opens");
    let made = make(&world, &mut catalog, &Create::default());
    catalog.verify(&made, Depth::Digest, &Quiet).expect("its bytes are as they were");
    let error = catalog.verify(&made, Depth::Deep, &Quiet).expect_err("99 is nobody");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
    assert!(error.full_message().contains("person_id"), "{error:?}");
    // Without the table referred to, that is nobody's fault.
    let skip = ["people".to_owned()];
    let made = make(&world, &mut catalog, &Create { skip_tables: &skip, ..Create::default() });
    catalog.verify(&made, Depth::Deep, &Quiet).expect("is sound");
}

#[test]
fn forgetting_removes_what_nothing_keeps() {
    let world = World::new(SHOP);
    let mut catalog = Catalog::open(&world.home).expect("opens");
    let made: Vec<Entry> = (0..4).map(|_| make(&world, &mut catalog, &Create::default())).collect();
    catalog.verify(&made[0], Depth::Digest, &Quiet).expect("is sound");
    let error = catalog.forget(&Policy::default(), Forgetting::Remove).expect_err("keeps nothing");
    assert_eq!((error.kind(), catalog.list().expect("lists").len()), (ErrorKind::Usage, 4));
    let policy = Policy { last: Keep::Count(1), ..Policy::default() };
    let said = catalog.forget(&policy, Forgetting::DryRun).expect("says");
    assert_eq!(catalog.list().expect("lists").len(), 4);
    assert_eq!(catalog.forget(&policy, Forgetting::Remove).expect("forgets"), said);
    let left: BTreeSet<String> = catalog.list().expect("lists").into_iter().map(|e| e.id).collect();
    assert_eq!(left, BTreeSet::from([made[0].id.clone(), said[0].entry.id.clone()]));
    assert_eq!(std::fs::read_dir(world.home.backups()).expect("a folder").count(), 2);
}

/// A small generator of numbers (xorshift64), so that a failure can be repeated by its seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn random_catalogue(numbers: &mut Numbers, now: DateTime<Utc>) -> Vec<Entry> {
    let spread = [3_600 * 20, 86_400 * 20, 86_400 * 400, 86_400 * 3_000][numbers.below(4) as usize];
    let count = numbers.below(40);
    let mut entries: Vec<Entry> = Vec::new();
    for number in 0..count {
        let at = now - Duration::seconds(numbers.below(spread) as i64)
            + Duration::hours(i64::from(numbers.below(30) == 0) * 100_000);
        let tags = ["a", "b", "c"].iter().filter(|_| numbers.below(4) == 0).map(|t| (*t).to_owned()).collect();
        let id = format!("b-{number:03}");
        let database =
            Identity { engine: Engine::Sqlite, id: format!("db{}", numbers.below(2)), display: String::new() };
        let base = (number > 0 && numbers.below(5) == 0).then(|| format!("b-{:03}", numbers.below(number)));
        entries.push(Entry {
            name: id.clone(),
            id,
            created_at: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            database: Some(database),
            kind: Kind::Full,
            format: String::new(),
            file: String::new(),
            size_bytes: 0,
            digest: String::new(),
            tables: Vec::new(),
            tags,
            encryption: None,
            storage: None,
            base,
            verified: (numbers.below(10) == 0).then(|| (String::new(), Depth::Deep)),
        });
    }
    entries
}

fn random_policy(numbers: &mut Numbers) -> Policy {
    let mut keep = || match numbers.below(6) {
        0 => Keep::All,
        1 | 2 => Keep::Count(numbers.below(8) as u32),
        _ => Keep::Unset,
    };
    let (last, hourly, daily) = (keep(), keep(), keep());
    let (weekly, monthly, yearly) = (keep(), keep(), keep());
    let tags = match numbers.below(4) {
        0 => vec![vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]],
        _ => Vec::new(),
    };
    Policy { last, hourly, daily, weekly, monthly, yearly, tags }
}

/// What restic's manual says, rule by rule over whole sets instead of backup by backup: of each of the N latest periods
/// that have a backup the newest one; and the oldest backup of all while a rule has fewer periods than N.
fn oracle(entries: &[Entry], policy: &Policy, now: DateTime<Utc>) -> BTreeSet<String> {
    let time = |e: &Entry| DateTime::parse_from_rfc3339(&e.created_at).expect("a time").with_timezone(&Utc);
    let mut kept: BTreeSet<String> = entries.iter().filter(|e| time(e) > now).map(|e| e.id.clone()).collect();
    for database in ["db0", "db1"] {
        let mut own: Vec<&Entry> = entries
            .iter()
            .filter(|e| e.database.as_ref().is_some_and(|d| d.id == database) && time(e) <= now)
            .collect();
        own.sort_by_key(|e| (std::cmp::Reverse(time(e)), std::cmp::Reverse(e.id.clone())));
        let rules = [
            (policy.hourly, "%Y-%m-%d %H"),
            (policy.daily, "%Y-%m-%d"),
            (policy.weekly, "%G week %V"),
            (policy.monthly, "%Y-%m"),
            (policy.yearly, "%Y"),
        ];
        for (keep, format) in rules {
            let wanted = match keep {
                Keep::Unset | Keep::Count(0) => continue,
                Keep::Count(count) => count as usize,
                Keep::All => usize::MAX,
            };
            let mut periods: Vec<(String, &str)> = Vec::new();
            for entry in &own {
                let period = time(entry).format(format).to_string();
                if periods.iter().all(|(other, _)| *other != period) {
                    periods.push((period, &entry.id));
                }
            }
            kept.extend(periods.iter().take(wanted).map(|(_, id)| (*id).to_owned()));
            if periods.len() < wanted {
                kept.extend(own.last().map(|e| e.id.clone()));
            }
        }
        let last = match policy.last {
            Keep::Unset => 0,
            Keep::Count(count) => count as usize,
            Keep::All => usize::MAX,
        };
        kept.extend(own.iter().take(last).map(|e| e.id.clone()));
        let tagged = |e: &&&Entry| policy.tags.iter().any(|list| list.iter().all(|tag| e.tags.contains(tag)));
        kept.extend(own.iter().filter(tagged).map(|e| e.id.clone()));
        let sound = own.iter().find(|e| e.verified.is_some()).or(own.first());
        kept.extend(sound.map(|e| e.id.clone()));
    }
    loop {
        let needed: BTreeSet<String> =
            entries.iter().filter(|e| kept.contains(&e.id)).filter_map(|e| e.base.clone()).collect();
        let before = kept.len();
        kept.extend(needed);
        if kept.len() == before {
            return kept;
        }
    }
}

#[test]
fn a_thousand_catalogues_are_judged_as_restic_does() {
    let now = Utc.with_ymd_and_hms(2026, 1, 4, 12, 30, 0).single().expect("a time");
    let mut judged_some = 0;
    for seed in 1..=1_000u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let entries = random_catalogue(&mut numbers, now);
        let policy = random_policy(&mut numbers);
        match judge(entries.clone(), &policy, now) {
            Err(error) => assert!(policy.is_empty() && error.kind() == ErrorKind::Usage, "seed {seed}"),
            Ok(judged) => {
                judged_some += 1;
                assert_eq!(judged.len(), entries.len());
                let kept: BTreeSet<String> =
                    judged.iter().filter(|j| !j.reasons.is_empty()).map(|j| j.entry.id.clone()).collect();
                assert_eq!(kept, oracle(&entries, &policy, now), "seed {seed}: {policy:?}");
            }
        }
    }
    assert!(judged_some > 800);
}

#[test]
fn reasons_are_restics_words() {
    let world = World::new(SHOP);
    let identity = world.database().identity().clone();
    let now = Utc.with_ymd_and_hms(2026, 1, 4, 12, 0, 0).single().expect("a time");
    let mut numbers = Numbers(7);
    let mut entry = |hours: i64, id: &str| {
        let mut entry = loop {
            if let Some(entry) = random_catalogue(&mut numbers, now).pop() {
                break entry;
            }
        };
        (entry.id, entry.name) = (id.to_owned(), id.to_owned());
        entry.created_at = (now - Duration::hours(hours)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        (entry.database, entry.base, entry.verified, entry.tags) = (Some(identity.clone()), None, None, Vec::new());
        entry
    };
    let mut entries = vec![entry(0, "new"), entry(1, "hour"), entry(30, "day"), entry(31, "old")];
    entries[0].base = Some("hour".to_owned());
    let policy = Policy { daily: Keep::Count(3), ..Policy::default() };
    let reasons: Vec<String> = judge(entries, &policy, now)
        .expect("judges")
        .into_iter()
        .map(|j| format!("{}: {}", j.entry.id, j.reasons.join(", ")))
        .collect();
    assert_eq!(
        reasons,
        ["new: daily, newest; none is verified", "hour: needed by new", "day: daily", "old: oldest daily"]
    );
}
