//! Every format that is written, from every engine and back: made, verified deeply, merged into an empty database with the
//! same schema, found all unchanged there and in its own; across engines, with the losses named.

use crate::live::{Kind as Server, Live};
use crate::world::World;
use merganser::analyzer::Options;
use merganser::backup::{Compression, FilesFormat, Keys, ReadOptions, Sealing, WriteFormat};
use merganser::catalog::make::{Create, Format, Secrets};
use merganser::catalog::verify::Depth;
use merganser::catalog::{Catalog, Entry};
use merganser::database::Database;
use merganser::executor::{self, Home, MergeOptions};
use merganser::plan::Plan;
use merganser::progress::Quiet;

/// Types that every engine has, by their names there: `{b}` bytes, `{t}` instants, `{j}` JSON, `{f}` doubles.
const TABLES: &str = "
    CREATE TABLE shop_person (id int PRIMARY KEY, email varchar(200) NOT NULL UNIQUE, born date, score {f}, note text);
    CREATE TABLE shop_order (id int PRIMARY KEY, person_id int REFERENCES shop_person (id), total decimal(12,2),
        made_at {t}, doc {j}, raw {b}, paid boolean NOT NULL, big bigint);
    CREATE TABLE shop_line (order_id int NOT NULL REFERENCES shop_order (id), place int NOT NULL, what varchar(50),
        PRIMARY KEY (order_id, place));
    CREATE TABLE shop_empty (id int PRIMARY KEY, what varchar(50));";

const RECORDS: &str = "
    INSERT INTO shop_person VALUES (1, 'a@x', '2000-01-02', 1.5, 'line one
line two \"quoted\" \\\\ é 漢'), (2, 'b@x', NULL, NULL, NULL), (3, 'c@x', '1969-12-31', -0.25, '');
    INSERT INTO shop_order VALUES (10, 1, 12.50, '2024-01-02 03:04:05.123', '{\"a\": [1, null, \"x\"]}', {raw}, {yes}, 9007199254740993),
        (11, NULL, NULL, NULL, NULL, NULL, {no}, -9223372036854775807), (12, 3, 0.01, '1999-12-31 23:59:59.500', '[]', {raw}, {no}, NULL);
    INSERT INTO shop_line VALUES (10, 1, 'one'), (10, 2, ''), (12, 1, NULL);";

/// `shop_line` has a key of two columns, which Django's files can't name.
const RECORDS_IN_ALL: u64 = 9;

fn sql(engine: Option<Server>, text: &str) -> String {
    let words = match engine {
        None => [
            ("{b}", "blob"),
            ("{t}", "datetime"),
            ("{j}", "json"),
            ("{f}", "real"),
            ("{raw}", "x'00ff10'"),
            ("{yes}", "1"),
            ("{no}", "0"),
        ],
        Some(Server::Postgres) => [
            ("{b}", "bytea"),
            ("{t}", "timestamptz(3)"),
            ("{j}", "jsonb"),
            ("{f}", "double precision"),
            ("{raw}", "'\\x00ff10'"),
            ("{yes}", "true"),
            ("{no}", "false"),
        ],
        Some(Server::Mariadb) => [
            ("{b}", "blob"),
            ("{t}", "datetime(3)"),
            ("{j}", "json"),
            ("{f}", "double"),
            ("{raw}", "x'00ff10'"),
            ("{yes}", "1"),
            ("{no}", "0"),
        ],
    };
    let text = if engine == Some(Server::Postgres) { text.replace("\\\\", "\\") } else { text.to_owned() };
    words.iter().fold(text, |text, (word, with)| text.replace(word, with))
}

/// A database with a folder of its own.
enum Place {
    Sqlite(World),
    Server(Live),
}

impl Place {
    fn new(engine: Option<Server>, records: &str) -> Self {
        Self::of(engine, &format!("{TABLES}{records}"))
    }

    fn of(engine: Option<Server>, text: &str) -> Self {
        let text = sql(engine, text);
        match engine {
            None => Self::Sqlite(World::new(&text)),
            Some(kind) => Self::Server(Live::new(kind, &text)),
        }
    }

    fn world(&self) -> &World {
        match self {
            Self::Sqlite(world) => world,
            Self::Server(live) => &live.world,
        }
    }

    fn home(&self) -> &Home {
        &self.world().home
    }

    fn database(&self) -> Box<dyn Database> {
        match self {
            Self::Sqlite(world) => Box::new(world.database()),
            Self::Server(live) => live.database(),
        }
    }

    fn analyze(&self, backup: &std::path::Path) -> Plan {
        let name = backup.file_name().and_then(|n| n.to_str()).expect("a name");
        let to = self.world().path(name);
        if !to.exists() {
            std::fs::copy(backup, &to).expect("copies");
        }
        let made = self.world().analyze_with(&mut *self.database(), name, None, "backup-wins", Options::default());
        made.unwrap_or_else(|e| panic!("{name}: {e:?} {:?}", e.detail_lines())).0
    }

    /// Merges a backup into the empty tables and finds it all unchanged then.
    fn fill(&self, backup: &std::path::Path, records: u64, what: &str) {
        let mut plan = self.analyze(backup);
        assert_eq!(plan.meta().counts().new, records, "{what}: {:?}", plan.meta().counts());
        let options = MergeOptions { actor: "test".to_owned(), ..MergeOptions::default() };
        executor::merge(&mut plan, &mut *self.database(), self.home(), &options, &Quiet)
            .unwrap_or_else(|e| panic!("{what}: {e:?} {:?}", e.detail_lines()));
        let counts = self.analyze(backup).meta().counts();
        assert_eq!((counts.unchanged, counts.backup_records(), counts.current_only), (records, records, 0), "{what}");
    }

    fn content(&self) -> Vec<String> {
        match self {
            Self::Sqlite(world) => world.content(),
            Self::Server(live) => live.content(),
        }
    }

    fn clear(&self) {
        let text = "DELETE FROM shop_line; DELETE FROM shop_order; DELETE FROM shop_person;";
        match self {
            Self::Sqlite(world) => world.sql(text),
            Self::Server(live) => live.sql(text),
        }
    }
}

fn formats() -> Vec<Format> {
    let records = [
        WriteFormat::SmartBackup(Compression::None, Default::default()),
        WriteFormat::SmartBackup(Compression::GzipAt(9), Default::default()),
        WriteFormat::SmartBackup(Compression::ZstdAt(19), Default::default()),
        WriteFormat::TableMap,
        WriteFormat::Files(FilesFormat::NdJson),
        WriteFormat::Files(FilesFormat::RayErp),
        WriteFormat::Files(FilesFormat::Django),
    ];
    records.into_iter().map(Format::Records).chain([Format::Sqlite, Format::BaluHost]).collect()
}

fn make(place: &Place, format: Format) -> (Catalog, Entry) {
    let mut catalog = Catalog::open(place.home()).expect("opens");
    let lines = ["shop_line".to_owned()];
    let skip_tables: &[String] = if is_django(format) { &lines } else { &[] };
    let create = Create { format, skip_tables, secrets: Some(Secrets::Carried), ..Create::default() };
    let (entry, _) =
        catalog.create(&mut *place.database(), &create, &Quiet).unwrap_or_else(|e| panic!("{format:?}: {e:?}"));
    (catalog, entry)
}

fn is_django(format: Format) -> bool {
    format == Format::Records(WriteFormat::Files(FilesFormat::Django))
}

fn there_and_back(engine: Option<Server>) {
    let place = Place::new(engine, RECORDS);
    let empty = Place::new(engine, "");
    for format in formats() {
        let what = format!("{engine:?} {format:?}");
        let (mut catalog, entry) = make(&place, format);
        let records = if is_django(format) { 6 } else { RECORDS_IN_ALL };
        assert_eq!(entry.tables.iter().map(|t| t.records).sum::<u64>(), records, "{what}");
        let depth = if is_django(format) { Depth::Deep } else { Depth::RestoreTest };
        catalog.verify(&entry, depth, &Quiet).unwrap_or_else(|e| panic!("{what}: {e:?} {:?}", e.detail_lines()));
        let file = catalog.path(&entry);
        assert_eq!(place.analyze(&file).meta().counts().unchanged, records, "{what}: its own database");
        empty.fill(&file, records, &what);
        // By the database's own means: every value as it was, of the tables that the format holds.
        let kept = |line: &String| !is_django(format) || !line.contains("shop_line");
        let [was, is] = [&place, &empty].map(|p| p.content().into_iter().filter(kept).collect::<Vec<_>>());
        assert_eq!(is, was, "{what}");
        empty.clear();
    }
}

#[test]
fn f107_every_format_comes_back_to_sqlite() {
    there_and_back(None);
}

#[test]
fn f107_every_format_comes_back_to_postgres() {
    there_and_back(Some(Server::Postgres));
}

#[test]
fn f107_every_format_comes_back_to_mariadb() {
    there_and_back(Some(Server::Mariadb));
}

#[test]
fn f107_a_backup_of_one_engine_fills_the_tables_of_another() {
    let engines = [None, Some(Server::Postgres), Some(Server::Mariadb)];
    for from in engines {
        let place = Place::new(from, RECORDS);
        for format in formats() {
            let (catalog, entry) = make(&place, format);
            let records = if is_django(format) { 6 } else { RECORDS_IN_ALL };
            for to in engines.into_iter().filter(|to| *to != from) {
                let empty = Place::new(to, "");
                empty.fill(&catalog.path(&entry), records, &format!("{from:?} to {to:?}, {format:?}"));
            }
        }
    }
}

/// An SQLite file of another engine's database has its records and keys; what it lacks is said.
#[test]
fn what_a_format_cannot_hold_of_another_engine_is_named() {
    for from in [Server::Postgres, Server::Mariadb] {
        let place = Place::new(Some(from), RECORDS);
        for format in [Format::Sqlite, Format::BaluHost] {
            let mut catalog = Catalog::open(place.home()).expect("opens");
            let create = Create { format, ..Create::default() };
            let (_, made) = catalog.create(&mut *place.database(), &create, &Quiet).expect("makes");
            assert!(
                made.notes.iter().any(|note| note.contains("no foreign keys")),
                "{from:?} {format:?}: {:?}",
                made.notes
            );
        }
    }
}

/// The application's tables, for an archive of one of its users.
const JARVIS: &str = "
    CREATE TABLE users (username varchar(50) PRIMARY KEY, name varchar(50), hashed_password varchar(50));
    CREATE TABLE preferences (username varchar(50) PRIMARY KEY REFERENCES users (username), preferences {j});
    CREATE TABLE settings (username varchar(50) PRIMARY KEY REFERENCES users (username), settings {j});
    CREATE TABLE history (id int PRIMARY KEY, username varchar(50) REFERENCES users (username), said_at {t}, text varchar(50));";

#[test]
fn an_archive_of_one_user_comes_back_on_every_engine_and_on_the_others() {
    let records = "
        INSERT INTO users VALUES ('ana', 'Ana', 'x'), ('bob', 'Bob', 'y');
        INSERT INTO preferences VALUES ('ana', '{\"theme\": \"dark\"}'), ('bob', '{}');
        INSERT INTO settings VALUES ('ana', '{\"max\": 4000}');
        INSERT INTO history VALUES (1, 'ana', '2025-08-19 09:24:04', 'hi'), (2, 'bob', '2025-08-19 09:24:04', 'ho');";
    let engines = [None, Some(Server::Postgres), Some(Server::Mariadb)];
    for from in engines {
        let place = Place::of(from, &format!("{JARVIS}{records}"));
        let mut catalog = Catalog::open(place.home()).expect("opens");
        let format = Format::Records(WriteFormat::JarvisUser);
        let create = Create { format, scope: Some("users:username=ana"), ..Create::default() };
        let (entry, _) = catalog.create(&mut *place.database(), &create, &Quiet).expect("makes");
        catalog.verify(&entry, Depth::Deep, &Quiet).expect("is sound");
        assert_eq!(place.analyze(&catalog.path(&entry)).meta().counts().unchanged, 4, "{from:?}: its own database");
        for to in engines {
            Place::of(to, JARVIS).fill(&catalog.path(&entry), 4, &format!("{from:?} to {to:?}"));
        }
    }
}

/// Writes down every field of every record.
#[derive(Default)]
struct Dump(Vec<String>);

impl merganser::backup::RecordSink for Dump {
    fn field(&mut self, name: &str, cell: merganser::model::Cell<'_>) -> merganser::Result<()> {
        self.0.push(format!("{name}={cell:?}"));
        Ok(())
    }

    fn end_record(&mut self, place: merganser::backup::Place) -> merganser::Result<()> {
        self.0.push(format!("record {}", place.record));
        Ok(())
    }
}

fn dump(path: &std::path::Path, read: &ReadOptions) -> merganser::Result<Vec<String>> {
    let mut reader = merganser::backup::open(path, read)?;
    let mut dump = Dump::default();
    while let Some(header) = reader.next_table()? {
        dump.0.push(header.name);
        reader.read_records(&mut dump)?;
    }
    reader.finish()?;
    Ok(dump.0)
}

/// A generator of its own, so that every run flips the same bytes.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// How many bytes are flipped; `MERGANSER_FLIPS=10000` for the long run.
fn flips() -> usize {
    std::env::var("MERGANSER_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// A backup of each form that is written, with what is needed to read it.
struct Form {
    what: String,
    /// Whether nothing passes that is not as it was written, not even where it is read alike.
    is_sealed: bool,
    /// Whether it says nothing by which a changed value could be told: a plain map, a database file.
    is_unguarded: bool,
    place: Place,
    entry: Entry,
    read: ReadOptions,
}

/// Every format, encrypted ones, one person's archive, one that holds what changed since.
fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for format in formats() {
        let place = Place::new(None, RECORDS);
        let (_, entry) = make(&place, format);
        forms.push(Form {
            what: format!("{format:?}"),
            is_sealed: matches!(format, Format::Records(WriteFormat::SmartBackup(Compression::None, _))),
            is_unguarded: matches!(format, Format::Records(WriteFormat::TableMap) | Format::Sqlite),
            place,
            entry,
            read: ReadOptions::default(),
        });
    }
    let place = Place::of(
        None,
        &format!(
            "{JARVIS} INSERT INTO users VALUES ('ana', 'Ana', 'x'); INSERT INTO preferences VALUES ('ana', '{{\"theme\": \"dark\"}}');"
        ),
    );
    let create = Create {
        format: Format::Records(WriteFormat::JarvisUser),
        scope: Some("users:username=ana"),
        ..Create::default()
    };
    let mut catalog = Catalog::open(place.home()).expect("opens");
    let (entry, _) = catalog.create(&mut *place.database(), &create, &Quiet).expect("makes");
    let (what, read) = ("JarvisUser".to_owned(), ReadOptions::default());
    forms.push(Form { what, is_sealed: false, is_unguarded: false, place, entry, read });

    let place = Place::new(None, RECORDS);
    let mut catalog = Catalog::open(place.home()).expect("opens");
    let plain = Format::Records(WriteFormat::SmartBackup(Compression::None, Default::default()));
    let create = Create { format: plain, ..Create::default() };
    let (base, _) = catalog.create(&mut *place.database(), &create, &Quiet).expect("makes");
    place.world().sql("DELETE FROM shop_line WHERE place = 2; UPDATE shop_person SET note = 'other' WHERE id = 2");
    let (entry, _) = catalog.create_since(&base, &mut *place.database(), &create, &Quiet).expect("makes");
    let (what, read) = ("what changed since".to_owned(), ReadOptions::default());
    forms.push(Form { what, is_sealed: true, is_unguarded: false, place, entry, read });

    let key = merganser::backup::generate_identity();
    let place = Place::new(None, RECORDS);
    let identity = place.world().file("identity.txt", key.secret().expose());
    let sealing = Sealing::Recipients(vec![key.recipient()]);
    let mut catalog = Catalog::open(place.home()).expect("opens");
    let create = Create { sealing: Some(&sealing), ..Create::default() };
    let (entry, _) = catalog.create(&mut *place.database(), &create, &Quiet).expect("makes");
    let read = ReadOptions { keys: Keys::new(None, vec![identity], None), ..ReadOptions::default() };
    forms.push(Form { what: "age".to_owned(), is_sealed: true, is_unguarded: false, place, entry, read });
    forms
}

#[test]
#[allow(clippy::print_stdout)] // The figures of the long run are worth knowing.
fn f18_f21_cut_and_flipped_backups_of_every_own_format_are_refused_or_read_alike() {
    for Form { what, is_sealed, is_unguarded, place, entry, read } in forms() {
        let mut catalog = Catalog::open(place.home()).expect("opens").with_keys(read.keys.clone());
        let whole = std::fs::read(catalog.path(&entry)).expect("reads");
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().join(&entry.file);
        let original = dump(&catalog.path(&entry), &read).expect("is whole");
        let step = whole.len().div_ceil(500).max(1);
        for length in (0..whole.len()).step_by(step) {
            std::fs::write(&path, &whole[..length]).expect("writes");
            let found = dump(&path, &read);
            let only_white_space = whole[length..].iter().all(u8::is_ascii_whitespace);
            assert!(found.is_err() || only_white_space, "{what} cut after {length} of {} bytes", whole.len());
        }
        let mut state = 20_261_121;
        let (kept, mut refused, mut alike, mut other) = (catalog.path(&entry), 0, 0, 0);
        for _ in 0..flips() {
            let mut flipped = whole.clone();
            let (at, bit) = (next(&mut state) % whole.len(), next(&mut state) % 8);
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, &flipped).expect("writes");
            match dump(&path, &read) {
                Err(_) => refused += 1,
                Ok(found) => {
                    if found == original {
                        alike += 1
                    } else {
                        other += 1
                    }
                    assert!(!is_sealed, "{what}: byte {at}, bit {bit} is not noticed");
                    assert!(is_unguarded || found == original, "{what}: byte {at}, bit {bit} changes what is read");
                }
            }
            // The catalog keeps a digest of every file: there nothing passes, whatever the format.
            std::fs::write(&kept, &flipped).expect("writes");
            let found = catalog.verify(&entry, Depth::Digest, &Quiet).map(|_| ()).map_err(|e| e.kind());
            assert_eq!(found, Err(merganser::ErrorKind::BackupDamaged), "{what}: byte {at}, bit {bit} in the catalog");
        }
        println!("{what}: {refused} refused, {alike} read alike, {other} read as other values");
        assert_eq!(
            std::fs::read_dir(scratch.path()).expect("a folder").count(),
            1,
            "{what}: nothing is left beside it"
        );
    }
}
