//! What people and programs are told: the types that the command line and the HTTP API share, and how they are rendered.
//!
//! Pure: nothing here reads a database or prints. Secret columns are replaced here, before anything else sees them.

pub mod clean;
pub mod html;
pub mod power;
pub mod secrets;
pub mod sql;
pub mod text;
pub mod view;

pub use power::Power;
pub use secrets::Secrets;
pub use view::{Analyzed, ErrorView, FieldView, Merged, RecordView, TableView, Undone, name_of};
