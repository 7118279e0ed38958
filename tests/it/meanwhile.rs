//! Backups that are made while the application writes: one moment for all tables, closed under references (CHECKS F102).

use crate::live::{Kind as Server, Live};
use crate::world::World;
use merganser::ErrorKind;
use merganser::backup::{FilesFormat, Place, RecordSink, WriteFormat};
use merganser::catalog::make::{Create, Format};
use merganser::catalog::verify::Depth;
use merganser::catalog::{Catalog, Entry};
use merganser::database::Database;
use merganser::executor::Home;
use merganser::model::Cell;
use merganser::model::schema::Engine;
use merganser::progress::{Phase, Progress, Quiet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// `a_first` is read long before `z_last`; a transfer moves money, an order comes with its lines.
const TABLES: &str = "CREATE TABLE a_first (id {id}, n int NOT NULL);
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    CREATE TABLE orders (id {id}, n int NOT NULL UNIQUE);
    CREATE TABLE order_lines (id {id}, order_n int NOT NULL REFERENCES orders (n), what varchar(20));
    CREATE TABLE z_last (id {id}, n int NOT NULL);";
/// What the accounts hold together, always.
const MONEY: i64 = 20_000;
/// Records of each table before: more than a backup reads without saying how far it has come.
const SOME: u64 = 1_200;
/// What the application does over and over, each time in one transaction.
fn work(n: u64) -> Vec<String> {
    let (from, to) = (n % 20, (n * 7 + 3) % 20);
    vec![
        format!("INSERT INTO z_last (n) VALUES ({n})"),
        format!("UPDATE accounts SET balance = balance - 5 WHERE id = {from}"),
        format!("UPDATE accounts SET balance = balance + 5 WHERE id = {to}"),
        format!("INSERT INTO orders (n) VALUES ({n})"),
        format!("INSERT INTO order_lines (order_n, what) VALUES ({n}, 'one'), ({n}, 'two')"),
        format!("INSERT INTO a_first (n) VALUES ({n})"),
    ]
}

/// What is there before: enough that reading it takes a while.
fn filling() -> String {
    let rows = |from: u64, to: u64, row: &dyn Fn(u64) -> String| (from..to).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO accounts (id, balance) VALUES {};
         INSERT INTO a_first (n) VALUES {}; INSERT INTO z_last (n) VALUES {};
         INSERT INTO orders (n) VALUES {}; INSERT INTO order_lines (order_n, what) VALUES {}, {};",
        rows(0, 20, &|i| format!("({i}, {})", MONEY / 20)),
        rows(0, SOME, &|i| format!("({i})")),
        rows(0, SOME, &|i| format!("({i})")),
        rows(0, SOME, &|i| format!("({i})")),
        rows(0, SOME, &|i| format!("({i}, 'one')")),
        rows(0, SOME, &|i| format!("({i}, 'two')")),
    )
}

/// Adds up what a backup says that the accounts hold.
#[derive(Default)]
struct Sum(i64);

impl RecordSink for Sum {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> merganser::Result<()> {
        if name == "balance" {
            self.0 += match cell {
                Cell::Int(i) => i,
                Cell::Number(text) => text.parse().expect("a number"),
                other => panic!("{other:?} is no balance"),
            };
        }
        Ok(())
    }

    fn end_record(&mut self, _: Place) -> merganser::Result<()> {
        Ok(())
    }
}

fn held(path: &std::path::Path) -> i64 {
    let mut reader = merganser::backup::open(path, &Default::default()).expect("opens");
    let mut sum = Sum::default();
    while reader.next_table().expect("reads").is_some() {
        reader.read_records(&mut sum).expect("reads");
    }
    reader.finish().expect("is whole");
    sum.0
}

fn counts(entry: &Entry) -> [u64; 4] {
    let count = |name: &str| {
        let found = entry.tables.iter().find(|t| t.name.rsplit('.').next() == Some(name));
        found.unwrap_or_else(|| panic!("{name} is not in {:?}", entry.tables)).records
    };
    [count("a_first"), count("z_last"), count("orders"), count("order_lines")]
}

/// Commits whenever a backup says how far it has come: in the middle of each table.
struct Meanwhile<'a> {
    /// Commits the next piece of work; says whether the database let it.
    commit: Mutex<&'a mut (dyn FnMut(u64) -> bool + Send)>,
    /// The next piece of work.
    next: AtomicU64,
}

impl Progress for Meanwhile<'_> {
    fn phase(&self, _: Phase) {}

    fn advance(&self, _: &str, _: u64, _: Option<u64>) {
        let n = self.next.load(Ordering::SeqCst);
        let mut commit = self.commit.lock().expect("one thread");
        if commit(n) {
            self.next.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn stop(&self) -> Option<ErrorKind> {
        None
    }
}

/// Whether the database lets others write while it is read.
#[derive(Clone, Copy, PartialEq)]
enum Writers {
    GoOn,
    Wait,
}

/// Makes a backup of every kind while others commit, and checks each.
fn check(
    home: &Home,
    database: &dyn Fn() -> Box<dyn Database>,
    writers: Writers,
    commit: &mut (dyn FnMut(u64) -> bool + Send),
) {
    let mut catalog = Catalog::open(home).expect("opens");
    let meanwhile = Meanwhile { commit: Mutex::new(commit), next: AtomicU64::new(SOME) };
    let record = |format| Format::Records(WriteFormat::Files(format));
    let formats =
        [Format::default(), record(FilesFormat::NdJson), Format::Records(WriteFormat::TableMap), Format::Sqlite];
    let mut first = None;
    for format in formats {
        let before = meanwhile.next.load(Ordering::SeqCst);
        let create = Create { format, ..Create::default() };
        let (entry, _) = catalog.create(&mut *database(), &create, &meanwhile).expect("makes");
        let committed = meanwhile.next.load(Ordering::SeqCst) - before;
        // An SQLite database is copied in one go, and a rollback journal lets nobody in.
        let is_copied = format == Format::Sqlite && database().identity().engine == Engine::Sqlite;
        assert_eq!(committed >= 5, writers == Writers::GoOn && !is_copied, "{format:?}: {committed} commits meanwhile");
        assert_eq!(counts(&entry), [before, before, before, 2 * before], "{format:?}: tables of another moment");
        assert_eq!(held(&catalog.path(&entry)), MONEY, "{format:?}: money of different moments");
        let verified = catalog.verify(&entry, Depth::RestoreTest, &Quiet);
        verified.unwrap_or_else(|e| panic!("{format:?}: {e:?} {:?}", e.detail_lines()));
        meanwhile.advance("", 0, None);
        first.get_or_insert(entry);
    }
    // What changed since, while more changes; with what it builds on it is one moment again.
    let base = first.expect("made");
    let now = meanwhile.next.load(Ordering::SeqCst);
    let (entry, _) = catalog.create_since(&base, &mut *database(), &Create::default(), &meanwhile).expect("makes");
    assert_eq!(meanwhile.next.load(Ordering::SeqCst) > now, writers == Writers::GoOn, "the incremental one");
    let scratch = tempfile::tempdir().expect("a folder");
    let state = catalog.state(&entry, scratch.path(), &Quiet).expect("is whole");
    assert_eq!(held(&state), MONEY, "the incremental one: money of different moments");
    let verified = catalog.verify(&entry, Depth::RestoreTest, &Quiet);
    verified.unwrap_or_else(|e| panic!("the incremental one: {e:?} {:?}", e.detail_lines()));
}

fn on_server(kind: Server) {
    let live = Live::new(kind, TABLES);
    live.sql(&filling());
    let mut session = live.fresh.session();
    let mut commit = |n: u64| {
        session.execute("BEGIN").expect("begins");
        work(n).iter().for_each(|sql| {
            session.execute(sql).expect("writes");
        });
        session.execute("COMMIT").expect("commits");
        true
    };
    check(&live.world.home, &|| live.database(), Writers::GoOn, &mut commit);
}

fn on_sqlite(journal: &str, writers: Writers) {
    let world =
        World::new(&format!("PRAGMA journal_mode = {journal}; {}", TABLES.replace("{id}", "INTEGER PRIMARY KEY")));
    world.sql(&filling());
    let connection = world.connection();
    // One that has to wait tries again next time.
    connection.busy_timeout(std::time::Duration::ZERO).expect("sets");
    let mut commit = move |n: u64| {
        let done = connection.execute_batch(&format!("BEGIN IMMEDIATE; {}; COMMIT", work(n).join("; "))).is_ok();
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").expect("rolls back");
        }
        done
    };
    check(&world.home, &|| Box::new(world.database()), writers, &mut commit);
}

#[test]
fn f102_a_backup_of_postgres_while_it_is_written_to_is_one_moment() {
    on_server(Server::Postgres);
}

#[test]
fn f102_a_backup_of_mariadb_while_it_is_written_to_is_one_moment() {
    on_server(Server::Mariadb);
}

#[test]
fn f102_a_backup_of_sqlite_while_it_is_written_to_is_one_moment() {
    on_sqlite("WAL", Writers::GoOn);
}

#[test]
fn f102_a_backup_of_sqlite_with_a_rollback_journal_while_it_is_written_to_is_one_moment() {
    on_sqlite("DELETE", Writers::Wait);
}
