//! Whether the backup's keys come strictly ascending, which is what tells that none comes twice.

use crate::analyzer::join::Seen;
use crate::model::raw::Raw;
use crate::model::schema::ColumnType;
use crate::model::{Cell, Table};

/// The backup's last key, as long as its order matters.
enum Last {
    /// None has come.
    None,
    /// One integer: most keys are, and comparing those is quicker than writing them down.
    Integer(i64),
    /// The canonical bytes, as the join knows them.
    Bytes(Vec<u8>),
}

/// Follows the backup's keys.
pub(super) struct Order<'a> {
    table: &'a Table,
    /// The column of a key that is one column of integers.
    integers: Option<usize>,
    last: Last,
}

impl<'a> Order<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        let integers = match table.key.as_slice() {
            &[key] if matches!(table.columns[key].ty, ColumnType::Integer { .. }) => Some(key),
            _ => None,
        };
        Self { table, integers, last: Last::None }
    }

    /// Returns the key of a record where an integer says it all.
    #[inline]
    pub(super) fn integer(&self, cells: &[Raw<'_>]) -> Option<i64> {
        match self.integers.map(|column| cells[column]) {
            Some(Raw::Int(key)) => Some(key),
            _ => None,
        }
    }

    /// Notes the backup's next key.
    #[inline]
    pub(super) fn note_integer(&mut self, key: i64, seen: &mut Seen) {
        if !seen.backup_ascending {
            return;
        }
        seen.backup_ascending = match &self.last {
            Last::None => true,
            Last::Integer(last) => *last < key,
            Last::Bytes(last) => last.as_slice() < self.bytes(key).as_slice(),
        };
        self.last = Last::Integer(key);
    }

    /// Notes the backup's next key in canonical bytes.
    pub(super) fn note(&mut self, key: &[u8], seen: &mut Seen) {
        if !seen.backup_ascending {
            return;
        }
        seen.backup_ascending = match &self.last {
            Last::None => true,
            Last::Integer(last) => self.bytes(*last).as_slice() < key,
            Last::Bytes(last) => last.as_slice() < key,
        };
        self.last = Last::Bytes(key.to_vec());
    }

    /// Returns the last key's canonical bytes; none where none has come.
    pub(super) fn into_last(self) -> Vec<u8> {
        match self.last {
            Last::None => Vec::new(),
            Last::Integer(last) => self.bytes(last),
            Last::Bytes(last) => last,
        }
    }

    fn bytes(&self, key: i64) -> Vec<u8> {
        let (mut bytes, mut scratch) = (Vec::new(), Vec::new());
        super::key_of(self.table, |_| Cell::Int(key), &mut bytes, &mut scratch);
        bytes
    }
}
