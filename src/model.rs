//! Values, schema, records and keys: the words that everything above shares. Pure: no files, no databases.

pub(crate) mod agree;
pub mod calendar;
pub mod cell;
pub mod change;
pub mod compare;
pub mod decimal;
pub mod encode;
pub mod key;
pub mod names;
pub mod plain;
pub mod raw;
pub mod schema;
pub mod secret;
pub mod value;

pub(crate) use cell::emptied;
pub use cell::{Cell, OwnedCell};
pub use key::Key;
pub use schema::{Column, ColumnType, ForeignKey, Schema, Table, Unique};
pub use value::Value;
