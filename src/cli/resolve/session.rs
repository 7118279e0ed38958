//! Deciding conflict by conflict: which record is on the screen, what a key does, and how it is taken back.
//!
//! It knows nothing of terminals. Every answer is in the plan, and the plan sealed, before the next key is read.

use super::edit::{Key, Line};
use crate::error::{Result, fail};
use crate::model::Table;
use crate::model::change::Field;
use crate::plan::choices::{self, Offer};
use crate::plan::settle::{Settled, Strategies, settle};
use crate::plan::{Decision, Outcome, Plan, Selector, Stored};
use crate::report::Secrets;
use std::collections::BTreeMap;

/// Records that are looked through for those that refer to the one on the screen; beyond that they are not counted.
const FOLLOWERS: u64 = 20_000;

/// What is being done with the record on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The record is looked at; keys decide it whole.
    Record,
    /// A field is chosen, by its place in [`Session::fields`]; keys decide it.
    Fields { at: usize },
    /// A field's value is typed.
    Edit { at: usize, line: Line },
    /// The answer for all records like this one is chosen.
    Alike { records: Vec<i64> },
    /// The keys are explained.
    Help,
}

/// Whether to go on after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Quit,
}

/// What deciding works on.
pub(super) struct Session<'p> {
    pub(super) plan: &'p mut Plan,
    pub(super) secrets: &'p Secrets,
    strategies: Strategies,
    seal_key: [u8; 32],
    by: String,
    /// The records that wait for a person or have a person's answer, and whether they are answered.
    records: Vec<(i64, bool)>,
    at: usize,
    pub(super) record: Stored,
    /// What can be answered to it, and what each answer would do.
    offers: Vec<Offer>,
    pub(super) mode: Mode,
    pub(super) message: Option<String>,
    /// How far the record is scrolled.
    pub(super) scroll: usize,
    /// What was answered in this session, newest last, with what was there before.
    done: Vec<Vec<(i64, Option<Decision>)>>,
}

impl<'p> Session<'p> {
    /// Begins at the first record that waits for an answer; `None` when none waits or was answered.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan; `Usage` for a strategy that can't be read any more.
    pub(super) fn begin(
        plan: &'p mut Plan,
        secrets: &'p Secrets,
        seal_key: [u8; 32],
        by: &str,
    ) -> Result<Option<Self>> {
        let mut records = Vec::new();
        plan.each(&Selector::default(), &mut |record| {
            if record.answer().is_some() || record.outcome == Some(Outcome::Undecided) {
                // An answer that can't be carried out leaves the record undecided.
                records.push((record.finding.id, record.outcome != Some(Outcome::Undecided)));
            }
            Ok(())
        })?;
        let at = records.iter().position(|(_, answered)| !answered).unwrap_or(0);
        let Some(&(id, _)) = records.get(at) else { return Ok(None) };
        let record = fetched(plan, id)?;
        let strategies = Strategies::of(plan)?;
        let offers = choices::consequences_among(plan, &record, FOLLOWERS)?;
        Ok(Some(Self {
            offers,
            plan,
            secrets,
            strategies,
            seal_key,
            by: by.to_owned(),
            records,
            at,
            record,
            mode: Mode::Record,
            message: None,
            scroll: 0,
            done: Vec::new(),
        }))
    }

    /// Returns what can be answered to the record on the screen.
    pub(super) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Returns the record on the screen.
    pub(super) fn record(&self) -> &Stored {
        &self.record
    }

    pub(super) fn table(&self) -> &Table {
        &self.plan.meta().schema.tables[self.record.finding.table]
    }

    /// Returns the place of the record on the screen, how many there are, and how many wait for an answer.
    pub(super) fn position(&self) -> (usize, usize, usize) {
        (self.at + 1, self.records.len(), self.records.iter().filter(|(_, answered)| !answered).count())
    }

    /// Returns how many records were answered in this session and still are.
    pub(super) fn answered(&self) -> u64 {
        let touched: std::collections::BTreeSet<i64> = self.done.iter().flatten().map(|(id, _)| *id).collect();
        self.records.iter().filter(|(id, answered)| *answered && touched.contains(id)).count() as u64
    }

    /// Returns the fields of the record: those in conflict first.
    pub(super) fn fields(&self) -> Vec<&Field> {
        let mut fields: Vec<&Field> = self.record.finding.fields.iter().collect();
        fields.sort_by_key(|f| (!f.in_conflict, f.is_timestamp));
        fields
    }

    /// Says what a merge would do with the record under an answer.
    pub(super) fn result(&self, decision: Option<Decision>) -> Result<Settled> {
        settle(self.plan, &self.strategies, &Stored { decision, ..self.record.clone() })
    }

    /// Says why an answer is not possible, if it is not.
    pub(super) fn impossible(&self, decision: Decision) -> Result<Option<String>> {
        if let Some((_, why)) = self.plan.impossible(&self.record, &decision) {
            return Ok(Some(why));
        }
        // Keys are made when the plan is settled with the answer, so these are judged by what is known before.
        if matches!(decision, Decision::IntoExisting | Decision::NewKey) {
            return Ok(None);
        }
        let decision = self.plan.checked(&self.record, decision)?;
        let settled = self.result(Some(decision))?;
        Ok(match settled.outcome {
            Outcome::Undecided | Outcome::Blocked => {
                Some(settled.why.unwrap_or_else(|| "it can't be written".to_owned()))
            }
            _ => None,
        })
    }

    /// Does what a key means.
    ///
    /// # Errors
    /// `OutOfSpace`, `PlanMismatch`: the plan can't be written or read; `Interrupted` for Ctrl-C.
    pub(super) fn press(&mut self, key: Key) -> Result<Flow> {
        if key == Key::Interrupt {
            return Err(fail!(Interrupted, "stopped on request; the answers so far are kept, and nothing was changed"));
        }
        self.message = None;
        match self.mode.clone() {
            Mode::Record => return self.press_on_record(key),
            Mode::Fields { at } => self.press_on_field(key, at)?,
            Mode::Edit { at, line } => self.press_in_line(key, at, line)?,
            Mode::Alike { records } => self.press_alike(key, &records)?,
            Mode::Help => self.mode = Mode::Record,
        }
        Ok(Flow::Go)
    }

    fn press_on_record(&mut self, key: Key) -> Result<Flow> {
        match key {
            Key::Char('b') => self.answer(Decision::Backup)?,
            Key::Char('c') => self.answer(Decision::Current)?,
            Key::Char('s') => self.answer(Decision::Skip)?,
            Key::Char('i') => self.answer(Decision::IntoExisting)?,
            Key::Char('k') => self.answer(Decision::NewKey)?,
            Key::Char('d') => match choices::undeletion(self.plan, &self.record) {
                Some(decision) => self.answer(decision)?,
                None => self.message = Some("not possible: the current record is not marked as deleted".to_owned()),
            },
            Key::Char('f') => self.choose_field(0),
            Key::Char('e') => self.choose_value()?,
            Key::Char('a') => self.find_alike()?,
            Key::Char('u') => self.take_back()?,
            Key::Char('n') | Key::Right => self.go(1)?,
            Key::Char('p') | Key::Left => self.go(-1)?,
            Key::Char(']') => self.next_waiting()?,
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('q') => return Ok(Flow::Quit),
            Key::Up => self.scroll = self.scroll.saturating_sub(1),
            Key::Down => self.scroll += 1,
            Key::PageUp => self.scroll = self.scroll.saturating_sub(10),
            Key::PageDown => self.scroll += 10,
            Key::Home => self.scroll = 0,
            Key::Char(other) => self.message = Some(format!("{other:?} is none of the keys; ? lists them")),
            Key::End | Key::Enter | Key::Escape | Key::Backspace | Key::Delete | Key::Interrupt => {}
        }
        Ok(Flow::Go)
    }

    fn press_alike(&mut self, key: Key, records: &[i64]) -> Result<()> {
        let decision = match key {
            Key::Char('b') => Decision::Backup,
            Key::Char('c') => Decision::Current,
            Key::Char('s') => Decision::Skip,
            Key::Escape | Key::Char('q') => {
                self.mode = Mode::Record;
                return Ok(());
            }
            _ => {
                self.message = Some("b backup, c current, s skip, Esc back".to_owned());
                return Ok(());
            }
        };
        self.mode = Mode::Record;
        let (mut fit, mut left) = (Vec::new(), 0);
        for &id in records {
            let record = fetched(self.plan, id)?;
            let settled =
                settle(self.plan, &self.strategies, &Stored { decision: Some(decision.clone()), ..record.clone() })?;
            match settled.outcome {
                Outcome::Undecided | Outcome::Blocked => left += 1,
                _ => fit.push((record, decision.clone())),
            }
        }
        let count = fit.len();
        self.keep(fit)?;
        let rest = if left > 0 { format!("; {left} can't be answered like that and wait") } else { String::new() };
        self.message = Some(format!("{count} answered{rest}; u takes it back"));
        self.next_waiting_quietly()
    }

    /// Answers the record on the screen and goes to the next that waits.
    fn answer(&mut self, decision: Decision) -> Result<()> {
        if let Some(why) = self.impossible(decision.clone())? {
            self.message = Some(format!("not possible: {}", self.scrubbed(&why)));
            return Ok(());
        }
        self.keep(vec![(self.record.clone(), decision)])?;
        self.next_waiting_quietly()
    }

    /// Stores answers and seals the plan, as one change.
    pub(super) fn keep(&mut self, answers: Vec<(Stored, Decision)>) -> Result<()> {
        let step = answers.iter().map(|(record, _)| (record.finding.id, record.decision.clone())).collect();
        let answers: Vec<(Stored, Option<Decision>)> = answers.into_iter().map(|(r, d)| (r, Some(d))).collect();
        self.store(&answers)?;
        self.done.push(step);
        Ok(())
    }

    fn store(&mut self, answers: &[(Stored, Option<Decision>)]) -> Result<()> {
        let (by, at, seal_key) = (&self.by, super::now(), &self.seal_key);
        self.plan.together(|plan| {
            plan.begin_changes(seal_key)?;
            answers.iter().try_for_each(|(record, decision)| plan.decide(record, decision.clone(), by, &at))?;
            plan.seal_changes()
        })?;
        let answered: BTreeMap<i64, bool> = answers.iter().map(|(r, d)| (r.finding.id, d.is_some())).collect();
        for (id, state) in &mut self.records {
            if let Some(now) = answered.get(id) {
                *state = *now;
            }
        }
        self.look_at(self.record.finding.id)
    }

    /// Reads a record for the screen.
    fn look_at(&mut self, id: i64) -> Result<()> {
        self.record = fetched(self.plan, id)?;
        self.offers = choices::consequences_among(self.plan, &self.record, FOLLOWERS)?;
        Ok(())
    }

    /// Takes the last step of this session back and shows its record.
    pub(super) fn take_back(&mut self) -> Result<()> {
        let Some(step) = self.done.pop() else {
            self.message = Some("nothing was answered in this session that could be taken back".to_owned());
            return Ok(());
        };
        let answers = step
            .iter()
            .map(|(id, before)| Ok((fetched(self.plan, *id)?, before.clone())))
            .collect::<Result<Vec<_>>>()?;
        self.store(&answers)?;
        if let Some(at) = step.first().and_then(|(id, _)| self.records.iter().position(|(other, _)| other == id)) {
            self.show(at)?;
        }
        self.message = Some(match step.len() {
            1 => "the last answer was taken back".to_owned(),
            many => format!("{many} answers were taken back"),
        });
        Ok(())
    }

    fn find_alike(&mut self) -> Result<()> {
        let selector = Selector { pattern: Some(self.plan.pattern_of(&self.record)), ..Selector::default() };
        let waiting: std::collections::BTreeSet<i64> =
            self.records.iter().filter(|(_, answered)| !answered).map(|(id, _)| *id).collect();
        let mut records = Vec::new();
        self.plan.each(&selector, &mut |record| {
            if waiting.contains(&record.finding.id) {
                records.push(record.finding.id);
            }
            Ok(())
        })?;
        if records.is_empty() {
            self.message = Some("no record like this one waits for an answer".to_owned());
        } else {
            self.mode = Mode::Alike { records };
        }
        Ok(())
    }

    fn go(&mut self, step: isize) -> Result<()> {
        match self.at.checked_add_signed(step).filter(|at| *at < self.records.len()) {
            Some(at) => self.show(at),
            None => {
                let end = if step > 0 { "last" } else { "first" };
                self.message = Some(format!("this is the {end} one"));
                Ok(())
            }
        }
    }

    fn next_waiting(&mut self) -> Result<()> {
        match self.waiting_after() {
            Some(at) => self.show(at),
            None => {
                self.message = Some("every conflict is answered; q ends".to_owned());
                Ok(())
            }
        }
    }

    /// Goes on after an answer without hiding what was said about it.
    fn next_waiting_quietly(&mut self) -> Result<()> {
        match self.waiting_after() {
            Some(at) => self.show(at),
            None if self.message.is_none() => self.next_waiting(),
            None => Ok(()),
        }
    }

    /// Finds the next record that waits, from the one on the screen around to it.
    fn waiting_after(&self) -> Option<usize> {
        let count = self.records.len();
        (1..=count).map(|step| (self.at + step) % count).find(|&at| !self.records[at].1)
    }

    fn show(&mut self, at: usize) -> Result<()> {
        self.look_at(self.records[at].0)?;
        (self.at, self.scroll) = (at, 0);
        Ok(())
    }

    /// Removes secrets from a sentence about the record.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        self.secrets.scrub(self.table(), &self.record.finding.fields, text)
    }
}

fn fetched(plan: &Plan, id: i64) -> Result<Stored> {
    let found = plan.page(&Selector::default(), id - 1, 1)?.records.pop();
    found.filter(|r| r.finding.id == id).ok_or_else(|| fail!(PlanMismatch, "the plan lost its record {id}"))
}
