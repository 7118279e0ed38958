//! Another strategy for a plan that exists: its findings and decisions stay, what becomes of its records changes.

use super::Plan;
use super::settle::Strategies;
use crate::error::Result;
use crate::strategy::Strategy;

impl Plan {
    /// Gives the plan another strategy, other strategies for single tables (table, name or path), or another gate for newer
    /// records, and seals it again. The plan is settled afterwards by the caller.
    ///
    /// # Errors
    /// `Usage` for a strategy or table that does not exist, and for one that would bring what the plan does not hold.
    pub fn take_strategy(
        &mut self,
        key: &[u8; 32],
        usual: Option<&str>,
        tables: &[(String, String)],
        preserve_newer: Option<bool>,
    ) -> Result<()> {
        let usual = usual.map(Strategy::load).transpose()?;
        let mut taken = Vec::new();
        for (table, name) in tables {
            // The files that travel with the backup are decided about as records of a table of that name are.
            let label = match (table.as_str(), &self.meta().files) {
                ("files", Some(_)) => table.clone(),
                _ => self.meta().schema.tables[self.table(table)?].label(),
            };
            let strategy = Strategy::load(name)?;
            taken.push((label, strategy.name.clone(), strategy.text().to_owned()));
        }
        let mut meta = self.meta().clone();
        if let Some(strategy) = usual {
            meta.strategy = (strategy.name.clone(), strategy.text().to_owned());
        }
        for table in taken {
            meta.table_strategies.retain(|(name, ..)| *name != table.0);
            meta.table_strategies.push(table);
        }
        self.holds_what_is_brought(&Strategies::of_meta(&meta)?)?;
        self.update_meta(key, |changed| {
            (changed.strategy, changed.table_strategies) = (meta.strategy, meta.table_strategies);
            let meta = changed;
            if let Some(preserve) = preserve_newer {
                meta.options.preserve_newer = preserve;
            }
        })
    }
}
