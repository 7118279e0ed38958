//! `backup create` and `backup list`.

use super::context::Context;
use crate::database::Database;
use crate::error::{Result, fail};
use crate::executor::Home;

pub(super) fn before_merge(_context: &Context<'_>, _home: &Home, _database: &mut dyn Database) -> Result<String> {
    Err(fail!(Failed, "not there yet"))
}
