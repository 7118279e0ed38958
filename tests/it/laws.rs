//! The law of failing calls (STYLE 5, CHECKS F5): the n-th call of the database fails, for every n; the current database
//! is as it was, or wholly merged when the call was the commit itself, and the next merge works.

use crate::world::World;
use merganser::analyzer::Options;
use merganser::database::{
    Capabilities, Database, FetchSink, Identity, RowSink, RowUpdate, Snapshot, Transaction, Violation, WriteOptions,
};
use merganser::executor::{self, MergeOptions, OnBlocked};
use merganser::model::{Column, ForeignKey, OwnedCell, Schema, Table, Unique, Value};
use merganser::progress::Quiet;
use merganser::{Error, ErrorKind, Result};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the failing call says, and whether it did its work first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An error before anything was done.
    Refused,
    /// A full disk before anything was done.
    Full,
    /// The work was done, and the answer was lost.
    Lost,
}

/// Counts calls down to the one that fails.
#[derive(Clone)]
pub(crate) struct Fuse {
    left: Arc<AtomicU64>,
    fault: Fault,
}

impl Fuse {
    /// Tells whether the call that was to fail was reached.
    pub(crate) fn burnt(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Runs a call, or fails in its place or after it.
    fn call<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let left = self.left.load(Ordering::SeqCst);
        if left > 0 {
            self.left.store(left - 1, Ordering::SeqCst);
        }
        match (left, self.fault) {
            (1, Fault::Refused) => Err(Error::new(ErrorKind::Refused, "the call failed")),
            (1, Fault::Full) => Err(Error::new(ErrorKind::OutOfSpace, "the disk is full")),
            (1, Fault::Lost) => work().and(Err(Error::new(ErrorKind::OutcomeUnknown, "the connection was lost"))),
            _ => work(),
        }
    }
}

pub(crate) struct Failing<T>(T, Fuse);

impl<T: std::ops::DerefMut + Send> Snapshot for Failing<T>
where
    T::Target: Snapshot,
{
    fn scan(&mut self, table: &Table, sink: &mut RowSink<'_>) -> Result<()> {
        self.1.call(|| self.0.scan(table, sink))
    }

    fn fetch(
        &mut self,
        table: &Table,
        columns: &[usize],
        wanted: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        self.1.call(|| self.0.fetch(table, columns, wanted, sink))
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        self.1.call(|| self.0.count(table))
    }

    fn violations(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
        self.1.call(|| self.0.violations(table, records))
    }

    fn forms(&mut self, table: &Table, column: usize, texts: &[OwnedCell]) -> Result<Vec<String>> {
        self.1.call(|| self.0.forms(table, column, texts))
    }

    fn claims(
        &mut self,
        table: &Table,
        unique: &Unique,
        records: &[Vec<OwnedCell>],
    ) -> Result<Vec<Option<Vec<OwnedCell>>>> {
        self.1.call(|| self.0.claims(table, unique, records))
    }

    fn claimants(
        &mut self,
        table: &Table,
        unique: &Unique,
        claims: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        self.1.call(|| self.0.claimants(table, unique, claims, sink))
    }

    fn referrers(&mut self, table: &Table, foreign_key: &ForeignKey, wanted: &[Vec<OwnedCell>]) -> Result<Vec<u64>> {
        self.1.call(|| self.0.referrers(table, foreign_key, wanted))
    }
}

impl Transaction for Failing<Box<dyn Transaction>> {
    fn id(&mut self) -> Result<Option<String>> {
        self.1.call(|| self.0.id())
    }

    fn insert(&mut self, table: &Table, columns: &[usize], records: &[Vec<OwnedCell>]) -> Result<()> {
        self.1.call(|| self.0.insert(table, columns, records))
    }

    fn update(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>> {
        self.1.call(|| self.0.update(table, columns, updates))
    }

    fn delete(&mut self, table: &Table, keys: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        self.1.call(|| self.0.delete(table, keys))
    }

    fn check(&mut self, tables: &[&Table]) -> Result<()> {
        self.1.call(|| self.0.check(tables))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let Self(transaction, fuse) = *self;
        fuse.call(|| transaction.commit())
    }

    fn rollback(self: Box<Self>) -> Result<()> {
        let Self(transaction, fuse) = *self;
        fuse.call(|| transaction.rollback())
    }
}

impl Database for Failing<Box<dyn Database>> {
    fn identity(&self) -> &Identity {
        self.0.identity()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn schema(&mut self) -> Result<Schema> {
        self.1.call(|| self.0.schema())
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let snapshot = self.1.call(|| self.0.snapshot())?;
        Ok(Box::new(Failing(snapshot, self.1.clone())))
    }

    fn begin(&mut self, options: &WriteOptions) -> Result<Box<dyn Transaction>> {
        let transaction = self.1.call(|| self.0.begin(options))?;
        Ok(Box::new(Failing(transaction, self.1.clone())))
    }

    fn store(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        self.0.store(column, value)
    }

    fn store_any(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        self.0.store_any(column, value)
    }

    fn advance_counters(&mut self, tables: &[&Table]) -> Result<()> {
        self.1.call(|| self.0.advance_counters(tables))
    }

    fn transaction_outcome(&mut self, id: &str) -> Result<Option<bool>> {
        self.1.call(|| self.0.transaction_outcome(id))
    }
}

/// Wraps a database whose n-th call fails.
pub(crate) fn failing(database: Box<dyn Database>, n: u64, fault: Fault) -> (Failing<Box<dyn Database>>, Fuse) {
    let fuse = Fuse { left: Arc::new(AtomicU64::new(n)), fault };
    (Failing(database, fuse.clone()), fuse)
}

fn world() -> World {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id));
         CREATE TABLE l (a TEXT, b TEXT);
         INSERT INTO p VALUES (1, 'a'), (2, 'b'), (9, 'z'); INSERT INTO c VALUES (1, 1), (9, 9);",
    );
    world.backup(
        "b.json",
        &[
            ("c", json!([{"id": 1, "p": 3}, {"id": 2, "p": 2}])),
            ("p", json!([{"id": 1, "u": "b"}, {"id": 2, "u": "a"}, {"id": 3, "u": "c"}])),
            ("l", json!([{"a": "x", "b": null}])),
        ],
    );
    world
}

fn options() -> Options {
    Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() }
}

#[test]
fn a_merge_whose_nth_call_fails_changes_nothing_or_all() {
    for fault in [Fault::Refused, Fault::Full, Fault::Lost] {
        let mut committed_unseen = 0;
        for n in 1.. {
            let world = world();
            let before = world.content();
            let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", options()).expect("analyzes");
            assert_eq!((preview.inserted, preview.updated, preview.deleted), (3, 3, 2));
            let (mut database, fuse) = failing(Box::new(world.database()), n, fault);
            let merge = MergeOptions { on_blocked: OnBlocked::Refuse, ..MergeOptions::default() };
            let outcome = executor::merge(&mut plan, &mut database, &world.home, &merge, &Quiet);
            let failed = fuse.left.load(Ordering::SeqCst) == 0;
            let now = world.content();
            match outcome {
                Ok(_) if !failed => {
                    assert!(n > 10, "only {n} calls were made");
                    break;
                }
                // Counters come after the commit: what fails there is a note, and the merge is done.
                Ok(report) => assert!(report.changed && !report.notes.is_empty(), "{fault:?} {n}: {:?}", report.notes),
                Err(error) => {
                    if now == before {
                        let text = error.to_string();
                        assert!(
                            text.contains("nothing was")
                                || error.kind() == ErrorKind::OutcomeUnknown
                                || text.contains("failed")
                                || text.contains("full"),
                            "{fault:?} {n}: {error:?}"
                        );
                    } else {
                        assert_eq!(
                            (fault, error.kind()),
                            (Fault::Lost, ErrorKind::OutcomeUnknown),
                            "call {n}: {error:?}"
                        );
                        committed_unseen += 1;
                    }
                }
            }
            // Whatever happened, the next merge finds out and finishes it, once.
            let report = executor::merge(&mut plan, &mut world.database(), &world.home, &merge, &Quiet)
                .unwrap_or_else(|e| panic!("{fault:?} {n}: the next merge: {e:?}"));
            assert_eq!(report.already.is_some(), now != before, "{fault:?} {n}");
            let (_, again) = world.analyze("b.json", None, "backup-wins", options()).expect("analyzes");
            assert_eq!(again.writes(), 0, "{fault:?} {n}: {again:?}");
            assert_eq!(world.value("SELECT count(*) FROM l"), "1", "{fault:?} {n}");
        }
        assert_eq!(committed_unseen, u64::from(fault == Fault::Lost), "{fault:?}");
    }
}

#[test]
fn an_analysis_whose_nth_call_fails_leaves_no_plan_and_changes_nothing() {
    let world = world();
    let before = world.content();
    for n in 1.. {
        let (mut database, fuse) = failing(Box::new(world.database()), n, Fault::Refused);
        let plans = || std::fs::read_dir(world.home.plans()).expect("a folder").count();
        let had = plans();
        let outcome = world.analyze_with(&mut database, "b.json", None, "backup-wins", options());
        assert_eq!(world.content(), before);
        if fuse.left.load(Ordering::SeqCst) > 0 {
            outcome.expect("no call failed");
            assert!(n > 5, "only {n} calls were made");
            return;
        }
        assert_eq!(outcome.map(|_| ()).expect_err("a call failed").kind(), ErrorKind::Refused, "call {n}");
        assert_eq!(plans(), had, "call {n}: half a plan was left behind");
    }
}
