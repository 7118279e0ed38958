//! Rounds in which what becomes of one record decides what becomes of others, until nothing changes any more.
//!
//! A step first looks at all records of a table. Where anything changed since, it looks at all once more and notes who waits
//! for whom; from then on only those are looked at again that wait for a record that changed. So most analyses, in which
//! nothing changes, note nothing, and a chain of records costs its length and not its square.

use std::collections::HashMap;

/// Which records of a table a step has to look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// None: nothing has changed since it looked.
    Nothing,
    /// All of them.
    All {
        /// Whether it is to note who waits for whom.
        note: bool,
    },
    /// Those that wait for one of these.
    Waiters(Vec<i64>),
}

/// What a step knew when it last looked at a table.
#[derive(Default)]
struct Seen {
    looks: usize,
    changes: usize,
    awaited: usize,
}

/// What changed so far.
#[derive(Default)]
pub(crate) struct Rounds {
    changes: usize,
    of_table: HashMap<usize, usize>,
    /// The numbers of the changed records for which others waited then, in that sequence; of all while it is noted who waits.
    awaited: Vec<i64>,
    is_noting: bool,
    seen: HashMap<usize, Seen>,
}

impl Rounds {
    /// Notes that a record changed, and whether others wait for it.
    pub(crate) fn changed(&mut self, table: usize, id: i64, is_awaited: bool) {
        self.changes += 1;
        *self.of_table.entry(table).or_default() += 1;
        self.awaited.extend((is_awaited || self.is_noting).then_some(id));
    }

    /// Returns how many changes there were.
    pub(crate) fn changes(&self) -> usize {
        self.changes
    }

    /// Returns how many changes there were in some tables.
    pub(crate) fn changes_in(&self, tables: impl IntoIterator<Item = usize>) -> usize {
        tables.into_iter().map(|table| self.of_table.get(&table).copied().unwrap_or(0)).sum()
    }

    /// Begins a look of a step, which ends the one before; a step is one thing that is looked at in one table.
    pub(crate) fn look(&mut self, step: usize) -> Look {
        self.is_noting = false;
        let seen = self.seen.entry(step).or_default();
        let look = match seen.looks {
            0 => Look::All { note: false },
            _ if seen.changes == self.changes => return Look::Nothing,
            1 => Look::All { note: true },
            _ => Look::Waiters(self.awaited[seen.awaited..].to_vec()),
        };
        *seen = Seen { looks: seen.looks + 1, changes: self.changes, awaited: self.awaited.len() };
        self.is_noting = look == Look::All { note: true };
        look
    }

    /// Lets a step look at all records again.
    pub(crate) fn forget(&mut self, step: usize) {
        self.seen.remove(&step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_looks_at_all_twice_and_then_at_those_who_wait() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.look(5), Look::All { note: false });
        assert_eq!(rounds.look(5), Look::Nothing);
        rounds.changed(1, 11, false);
        assert_eq!(rounds.look(5), Look::All { note: true });
        assert_eq!(rounds.look(5), Look::Nothing);
        assert_eq!(rounds.changes_in([1]), 1);
        rounds.changed(1, 12, true);
        rounds.changed(2, 13, false);
        assert_eq!(rounds.look(5), Look::Waiters(vec![12]));
        rounds.changed(2, 14, true);
        assert_eq!(rounds.look(5), Look::Waiters(vec![14]));
        assert_eq!(rounds.look(6), Look::All { note: false });
        rounds.forget(5);
        assert_eq!(rounds.look(5), Look::All { note: false });
        assert_eq!((rounds.changes(), rounds.changes_in([1, 7]), rounds.changes_in([1, 2])), (4, 2, 4));
    }

    #[test]
    fn what_changes_while_a_step_looks_is_looked_at_the_next_time() {
        let mut rounds = Rounds::default();
        rounds.look(0);
        rounds.changed(0, 1, false);
        assert_eq!(rounds.look(0), Look::All { note: true });
        // Whoever waits for these may be noted only later in the same look.
        rounds.changed(0, 2, true);
        rounds.changed(0, 3, false);
        assert_eq!(rounds.look(0), Look::Waiters(vec![2, 3]));
        rounds.changed(0, 4, false);
        assert_eq!(rounds.look(0), Look::Waiters(vec![]));
        assert_eq!(rounds.look(0), Look::Nothing);
    }
}
