//! Deciding a record field by field: choosing a field, a side, or typing a value.

use super::edit::{Key, Line, editable, read};
use super::session::{Mode, Session};
use crate::error::Result;
use crate::plan::{Decision, FieldDecision};
use std::collections::BTreeMap;

impl Session<'_> {
    pub(super) fn press_on_field(&mut self, key: Key, at: usize) -> Result<()> {
        let last = self.fields().len().saturating_sub(1);
        match key {
            Key::Up | Key::Char('k') => self.choose_field(at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose_field((at + 1).min(last)),
            Key::Char('b') => self.answer_field(at, FieldDecision::Backup)?,
            Key::Char('c') => self.answer_field(at, FieldDecision::Current)?,
            Key::Char(' ') => {
                let other = match self.answer_of(at) {
                    Some(FieldDecision::Backup) => FieldDecision::Current,
                    _ => FieldDecision::Backup,
                };
                self.answer_field(at, other)?;
            }
            Key::Char('e') => self.edit(at),
            Key::Char('u') => self.take_back()?,
            Key::Enter | Key::Escape | Key::Char('f' | 'q') => self.mode = Mode::Record,
            _ => self.message = Some("up and down choose a field, b backup, c current, e edit, Enter ends".to_owned()),
        }
        Ok(())
    }

    pub(super) fn press_in_line(&mut self, key: Key, at: usize, mut line: Line) -> Result<()> {
        match key {
            Key::Escape => self.choose_field(at),
            Key::Enter => {
                let column = self.fields()[at].column;
                match read(&line.text(), self.table(), column) {
                    Ok(value) => {
                        self.choose_field(at);
                        self.answer_field(at, FieldDecision::Value(value))?;
                    }
                    Err(error) => self.message = Some(self.hidden_or(column, error.to_string())),
                }
            }
            other => {
                line.press(other);
                self.mode = Mode::Edit { at, line };
            }
        }
        Ok(())
    }

    pub(super) fn choose_field(&mut self, at: usize) {
        if self.record.finding.fields.is_empty() {
            self.message = Some("the record has no field that differs".to_owned());
        } else {
            self.mode = Mode::Fields { at };
        }
    }

    /// Edits the only field in conflict at once; of several one is chosen first.
    pub(super) fn choose_value(&mut self) -> Result<()> {
        let alone = self.fields().iter().filter(|f| f.in_conflict).count() == 1;
        self.choose_field(0);
        if alone {
            self.edit(0);
        } else if matches!(self.mode, Mode::Fields { .. }) {
            self.message = Some("choose the field, then e edits it".to_owned());
        }
        Ok(())
    }

    fn edit(&mut self, at: usize) {
        let fields = self.fields();
        let Some(field) = fields.get(at) else { return };
        let table = self.table();
        let column = &table.columns[field.column];
        if table.key.contains(&field.column) || !column.writable() {
            self.message = Some(format!("{} is part of the key or computed", column.name));
            return;
        }
        let secret = self.secrets.hides(&table.label(), &column.name);
        let value = field.current.as_ref().or(field.backup.as_ref()).filter(|_| !secret);
        let line = Line::with(&value.map(editable).unwrap_or_default());
        self.mode = Mode::Edit { at, line };
    }

    /// Answers one field of the record on the screen; the record stays there.
    fn answer_field(&mut self, at: usize, answer: FieldDecision) -> Result<()> {
        let field = self.fields()[at].clone();
        let name = self.table().columns[field.column].name.clone();
        if answer == FieldDecision::Backup && field.backup.is_none() {
            self.message = Some(format!("the backup has no opinion on {name}"));
            return Ok(());
        }
        let mut fields = self.answers();
        fields.insert(name, answer);
        let decision = Decision::Fields { fields };
        match self.impossible(decision.clone()) {
            Ok(None) => self.keep(vec![(self.record.clone(), decision)]),
            Ok(Some(why)) => {
                self.message = Some(format!("not possible: {}", self.scrubbed(&why)));
                Ok(())
            }
            Err(error) => {
                self.message = Some(self.hidden_or(field.column, error.to_string()));
                Ok(())
            }
        }
    }

    /// Returns the answers by field that the record's answer amounts to.
    fn answers(&self) -> BTreeMap<String, FieldDecision> {
        match &self.record.decision {
            Some(Decision::Fields { fields }) => fields.clone(),
            Some(Decision::Backup) => self.plan.all_from_backup(&self.record),
            _ => BTreeMap::new(),
        }
    }

    /// Returns what was answered for a field.
    pub(super) fn answer_of(&self, at: usize) -> Option<FieldDecision> {
        let field = *self.fields().get(at)?;
        match self.record.answer()? {
            Decision::Backup => field.backup.is_some().then_some(FieldDecision::Backup),
            Decision::Fields { fields } => {
                let name = &self.table().columns[field.column].name;
                Some(fields.get(name).cloned().unwrap_or(FieldDecision::Current))
            }
            _ => Some(FieldDecision::Current),
        }
    }

    /// Returns the column whose value is being typed.
    pub(super) fn edited(&self) -> Option<usize> {
        match self.mode {
            Mode::Edit { at, .. } => Some(self.fields().get(at)?.column),
            _ => None,
        }
    }

    /// Replaces a message that repeats what was typed where that is a secret.
    fn hidden_or(&self, column: usize, message: String) -> String {
        let (table, name) = (self.table(), &self.table().columns[column].name);
        if self.secrets.hides(&table.label(), name) {
            format!("the value does not fit {name} ({})", table.columns[column].declared)
        } else {
            self.scrubbed(&message)
        }
    }
}
