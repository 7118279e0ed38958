//! merganser brings records from a backup into a current database without losing what changed since.
//!
//! The pipeline is a chain of values, each made only from the one before: a backup and a database give an
//! *analysis*, saved as a *plan*; carrying out a plan gives a *receipt*; a receipt gives the plan that undoes it.
//! See `ARCHITECTURE.md` for the map.

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

pub use error::{Error, ErrorKind, Result};
