//! merganser brings records from a backup into a current database without losing what changed since.
//!
//! The pipeline is a chain of values, each made only from the one before: a backup and a database give an
//! *analysis*, saved as a *plan*; carrying out a plan gives a *receipt*; a receipt gives the plan that undoes it.
//!
//! # From a backup to a merge and back
//! ```
//! use merganser::executor::{self, Home, MergeOptions, Receipt, home::fresh_id};
//! use merganser::plan::make::{Request, make};
//! use merganser::plan::{Decision, Outcome, Selector};
//! use merganser::{database, progress::Quiet};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (app, backup) = (folder.path().join("app.db"), folder.path().join("backup.json"));
//! # rusqlite::Connection::open(&app)?.execute_batch(
//! #     "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ada')")?;
//! # std::fs::write(&backup, r#"{"tables": [{"tableName": "users", "records":
//! #     [{"id": 1, "name": "Ada L."}, {"id": 2, "name": "Bob"}]}], "metadata": {"version": "1.0"}}"#)?;
//! // Where plans, receipts and the audit log are kept, and the database: SQLite, PostgreSQL or MySQL/MariaDB.
//! let home = Home::open(&folder.path().join("state"))?;
//! let mut current = database::connect(&format!("sqlite:{}", app.display()))?;
//!
//! // Analyze. Nothing is written but the plan; `new`, `conflict` and the like don't depend on the strategy.
//! let id = fresh_id('p');
//! let request = Request {
//!     backup: &backup,
//!     base: None,
//!     read: Default::default(),
//!     options: Default::default(),
//!     strategy: "manual",
//!     table_strategies: Vec::new(),
//!     out: &home.plans().join(format!("{id}.mplan")),
//!     id,
//!     state_key: home.key()?,
//! };
//! let (mut plan, preview) = make(&request, current.as_mut(), &Quiet)?;
//! assert_eq!((plan.meta().counts().new, plan.meta().counts().conflict), (1, 1));
//! assert_eq!((preview.inserted, preview.undecided), (1, 1));
//!
//! // Decide what the strategy asks about.
//! let open = plan.page(&Selector { outcome: Some(Outcome::Undecided), ..Selector::default() }, 0, 100)?;
//! for record in &open.records {
//!     plan.decide(record, Some(Decision::Backup), "me", "2026-01-01T00:00:00Z")?;
//! }
//! plan.update_meta(&home.key()?, |_| {})?; // seals the decisions
//!
//! // Merge, all or nothing.
//! let merged = executor::merge(&mut plan, current.as_mut(), &home, &MergeOptions::default(), &Quiet)?;
//! assert_eq!((merged.counts.inserted, merged.counts.updated), (1, 1));
//!
//! // Undo is a plan again, made from the receipt.
//! let receipt = Receipt::open(&home.receipt_path(&merged.merge)?)?;
//! let out = home.plans().join("undo.mplan");
//! let mut undo = executor::undo::plan(&home, &receipt, current.as_mut(), &[], &out)?;
//! let undone = executor::merge(&mut undo, current.as_mut(), &home, &MergeOptions::default(), &Quiet)?;
//! assert_eq!((undone.counts.deleted, undone.counts.updated), (1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//! | to … | see |
//! |---|---|
//! | open, recognise and write backups | [`backup`] |
//! | connect to databases; add an engine | [`database`] |
//! | say how records are compared | [`analyzer::Options`] |
//! | write strategies | [`strategy`] |
//! | look into plans and decide | [`plan`] |
//! | merge, undo, and find out what a crash left | [`executor`] |
//! | keep, check and forget backups | [`catalog`], [`schedule`] |
//! | show things to people and programs | [`report`], [`server`], [`cli`] |
//!
//! A failure is an [`Error`] with a closed [`ErrorKind`]; conflicts, blocked records and stale plans are values. After an error
//! the current database is as it was, unless the kind is [`ErrorKind::OutcomeUnknown`]. `ARCHITECTURE.md` has the map.

pub mod analyzer;
pub mod backup;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod database;
pub mod error;
pub mod executor;
pub mod files;
pub mod hooks;
pub mod model;
pub mod plan;
pub mod progress;
pub mod report;
pub mod restore;
pub mod schedule;
pub mod server;
pub mod strategy;

pub use error::{Error, ErrorKind, Quote, Result};
