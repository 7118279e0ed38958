//! The single steps on a hundred thousand records: parse, scan, compare, analyze, merge, undo.

mod data;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::{Files, Order, Size};
use merganser::analyzer::{self, Finding, Findings, Options};
use merganser::backup::{self, Ignore, ReadOptions};
use merganser::database::Database;
use merganser::database::sqlite::Sqlite;
use merganser::executor::home::fresh_id;
use merganser::executor::{self, Home, MergeOptions, OnBlocked, Receipt};
use merganser::model::Schema;
use merganser::model::change::{Class, Reason};
use merganser::plan::Plan;
use merganser::plan::make::{Request, make};
use merganser::progress::{Phase, Progress};
use std::path::{Path, PathBuf};

const RECORDS: u32 = 100_000;
/// One in a hundred.
const CHANGED: u32 = 1_000;

/// Says nothing and never stops.
struct Quiet;

impl Progress for Quiet {
    fn phase(&self, _phase: Phase) {}

    fn advance(&self, _table: &str, _done: u64, _total: Option<u64>) {}

    fn stop(&self) -> Option<merganser::ErrorKind> {
        None
    }
}

/// Keeps no finding: what is left is reading, joining and classifying.
struct Dropped;

impl Findings for Dropped {
    fn about(&mut self, _: &Schema) {}

    fn add(&mut self, _finding: Finding) -> merganser::Result<()> {
        Ok(())
    }

    fn page(&mut self, _: usize, _: &[Class], _: i64, _: usize) -> merganser::Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn conflicts(&mut self, _: usize, _: &[Reason], _: i64, _: usize) -> merganser::Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn find(&mut self, _: usize, _: &[u8]) -> merganser::Result<Option<Finding>> {
        Ok(None)
    }

    fn revise(&mut self, _finding: &Finding) -> merganser::Result<()> {
        Ok(())
    }

    fn remove(&mut self, _id: i64) -> merganser::Result<()> {
        Ok(())
    }
}

/// Generated files with a data folder of their own.
struct World {
    folder: tempfile::TempDir,
    files: Files,
    home: Home,
}

impl World {
    fn new(order: Order) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let size = Size { records: RECORDS, changed: CHANGED, order };
        let files = data::generate(folder.path(), size).expect("generated data");
        let home = Home::open(&folder.path().join("home")).expect("a data folder");
        Self { folder, files, home }
    }

    fn database(&self) -> Sqlite {
        Sqlite::open(&self.files.current).expect("the current database")
    }

    fn analyze(&self, backup: &Path, base: Option<&Path>) -> Plan {
        let id = fresh_id('p');
        let request = Request {
            backup,
            base,
            read: ReadOptions::default(),
            options: Options::default(),
            strategy: "backup-wins",
            table_strategies: Vec::new(),
            out: &self.folder.path().join(&id),
            id,
            state_key: self.home.key().expect("the data folder's key"),
        };
        make(&request, &mut self.database(), &Quiet).expect("a plan").0
    }

    fn compare(&self, backup: &Path) {
        let mut database = self.database();
        let schema = database.schema().expect("the schema");
        let mut snapshot = database.snapshot().expect("a snapshot");
        let reader = backup::open(backup, &ReadOptions::default()).expect("the backup");
        let (options, mut findings) = (Options::default(), Dropped);
        {
            let current = analyzer::Current { database: &database, snapshot: snapshot.as_mut(), schema, matched: None };
            analyzer::analyze(reader, None, current, &options, &mut findings, &Quiet)
        }
        .expect("an analysis");
    }

    /// Carries out a plan and returns its receipt.
    fn carry_out(&self, mut plan: Plan) -> PathBuf {
        let options = MergeOptions { on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
        let report =
            executor::merge(&mut plan, &mut self.database(), &self.home, &options, &Quiet).expect("a finished merge");
        std::fs::remove_file(plan.path()).expect("the plan was there");
        PathBuf::from(report.receipt)
    }

    fn undo_plan(&self, receipt: &Path) -> Plan {
        let receipt = Receipt::open(receipt).expect("the receipt");
        let out = self.folder.path().join(fresh_id('p'));
        executor::undo::plan(&self.home, &receipt, &mut self.database(), &[], &out).expect("an undo plan")
    }
}

fn steps(criterion: &mut Criterion) {
    let world = World::new(Order::Similar);
    let shuffled = World::new(Order::Shuffled);
    let mut group = criterion.benchmark_group("100k");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(RECORDS)));
    group.bench_function("parse alone, JSON", |b| b.iter(|| parse(&world.files.json)));
    group.bench_function("parse alone, SQLite", |b| b.iter(|| parse(&world.files.backup)));
    group.bench_function("scan alone", |b| b.iter(|| scan(&world.files.current)));
    group.bench_function("compare, SQLite", |b| b.iter(|| world.compare(&world.files.backup)));
    group.bench_function("compare, JSON", |b| b.iter(|| world.compare(&world.files.json)));
    group.bench_function("compare, JSON shuffled", |b| b.iter(|| shuffled.compare(&shuffled.files.json)));
    let analyze = |backup: &Path, base: Option<&Path>| {
        let plan = world.analyze(backup, base);
        std::fs::remove_file(plan.path()).expect("the plan was there");
    };
    group.bench_function("analyze, SQLite", |b| b.iter(|| analyze(&world.files.backup, None)));
    group.bench_function("analyze, JSON", |b| b.iter(|| analyze(&world.files.json, None)));
    group.bench_function("analyze, three-way", |b| b.iter(|| analyze(&world.files.backup, Some(&world.files.base))));
    // Each merge is taken back outside of what is timed, and the other way round, so that every round is alike.
    let merge = || world.carry_out(world.analyze(&world.files.backup, None));
    let undo = |receipt: PathBuf| world.carry_out(world.undo_plan(&receipt));
    let done = std::cell::Cell::new(None);
    group.bench_function("merge", |b| {
        b.iter_batched(
            || {
                done.take().map(undo);
                world.analyze(&world.files.backup, None)
            },
            |plan| done.set(Some(world.carry_out(plan))),
            BatchSize::PerIteration,
        );
    });
    done.take().map(undo);
    group.bench_function("undo", |b| b.iter_batched(merge, undo, BatchSize::PerIteration));
    group.finish();
}

/// Reads a backup to its end and keeps nothing.
fn parse(path: &Path) {
    let mut reader = backup::open(path, &ReadOptions::default()).expect("the backup");
    while reader.next_table().expect("a table").is_some() {
        reader.read_records(&mut Ignore).expect("records");
    }
    reader.finish().expect("the end");
}

/// Reads every record of the database and keeps nothing.
fn scan(path: &Path) {
    let mut database = Sqlite::open(path).expect("the database");
    let schema = database.schema().expect("the schema");
    let mut snapshot = database.snapshot().expect("a snapshot");
    snapshot.scan(&schema.tables[0], &mut |_| Ok(())).expect("records");
}

criterion_group!(benches, steps);
criterion_main!(benches);
