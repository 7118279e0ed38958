//! What the service does, as plain functions: HTTP knows nothing of files and plans, these know nothing of HTTP.
//! They may wait for disks and databases; handlers call them on threads that may wait.

pub mod analyses;
pub mod approvals;
pub mod backups;
pub mod decisions;
pub mod history;
pub mod keys;
pub mod merges;
pub mod operations;
pub mod schedules;
pub mod targets;
