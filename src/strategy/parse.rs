//! Reads a strategy file: TOML, closed sets of keys and words, every mistake with its line and column.

use super::glob::Glob;
use super::take::{MET, Take};
use super::{Granularity, Never, Rule, Strategy, nearest};
use crate::error::{Error, Result, fail};
use crate::model::change::Class;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The classes that a strategy can carry out.
const CLASSES: [(&str, Class); 3] = [("new", Class::New), ("updated", Class::Updated), ("conflict", Class::Conflict)];

/// The answers that `tie` can give: those that need nothing but two values.
const TIES: [Take; 5] = [Take::Newest, Take::Oldest, Take::Backup, Take::Current, Take::Ask];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    summary: Spanned<String>,
    granularity: Option<Spanned<String>>,
    classes: Option<Spanned<Vec<Spanned<String>>>>,
    tie: Option<Spanned<String>>,
    #[serde(default)]
    never: Vec<Spanned<NeverEntry>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NeverEntry {
    table: Option<Spanned<String>>,
    field: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    reason: Option<Spanned<String>>,
    class: Option<Spanned<String>>,
    table: Option<Spanned<String>>,
    field: Option<Spanned<String>>,
    take: Spanned<String>,
}

/// The text with the means to say where in it something is wrong.
struct Place<'a> {
    name: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, span: Range<usize>, message: &str) -> Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        fail!(Usage, "strategy {}, line {line}, column {column}: {message}", self.name)
    }

    fn word<T: Copy>(&self, word: &Spanned<String>, what: &str, known: &[(&'static str, T)]) -> Result<T> {
        let text = word.get_ref();
        if let Some((_, value)) = known.iter().find(|(name, _)| name == text) {
            return Ok(*value);
        }
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        let error = self.error(word.span(), &format!("{text:?} is no {what}; known are {}", names.join(", ")));
        Err(match nearest(text, names.into_iter()) {
            Some(near) => error.hint(format!("did you mean {near:?}?")),
            None => error,
        })
    }

    fn glob(&self, pattern: Option<&Spanned<String>>) -> Result<Option<Glob>> {
        match pattern {
            Some(pattern) if pattern.get_ref().is_empty() => {
                Err(self.error(pattern.span(), "an empty pattern matches no name; leave the key out to match any"))
            }
            Some(pattern) => Ok(Some(Glob::new(pattern.get_ref()))),
            None => Ok(None),
        }
    }

    /// Reads a pattern over a closed set of words; one that matches none of them is a typing mistake.
    fn closed_glob(
        &self,
        pattern: Option<&Spanned<String>>,
        what: &str,
        words: &[&'static str],
    ) -> Result<Option<Glob>> {
        let glob = self.glob(pattern)?;
        if let (Some(glob), Some(pattern)) = (&glob, pattern)
            && !words.iter().any(|word| glob.matches(word))
        {
            let text = pattern.get_ref();
            let error = self.error(pattern.span(), &format!("{text:?} matches no {what} that a strategy meets"));
            return Err(error.hint(match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("they are {}", words.join(", ")),
            }));
        }
        Ok(glob)
    }
}

pub(super) fn parse(name: &str, text: &str) -> Result<Strategy> {
    let place = Place { name, text };
    let file: File = toml::from_str(text).map_err(|error| {
        let end = text.len();
        place.error(error.span().unwrap_or(end..end), error.message())
    })?;
    let summary = file.summary.get_ref().trim();
    if summary.is_empty() || summary.contains('\n') {
        return Err(place.error(file.summary.span(), "the summary must be one line that says what the strategy does"));
    }
    let granularity = match &file.granularity {
        Some(word) => {
            place.word(word, "granularity", &[("field", Granularity::Field), ("record", Granularity::Record)])?
        }
        None => Granularity::Field,
    };
    let tie = match &file.tie {
        Some(word) => place.word(word, "tie", &TIES.map(|take| (take.word(), take)))?,
        None => Take::Newest,
    };
    let classes = match &file.classes {
        Some(list) if list.get_ref().is_empty() => {
            return Err(place.error(list.span(), "without any class the strategy would never write anything"));
        }
        Some(list) => {
            list.get_ref().iter().map(|word| place.word(word, "class to carry out", &CLASSES)).collect::<Result<_>>()?
        }
        None => CLASSES.map(|(_, class)| class).to_vec(),
    };
    Ok(Strategy {
        name: name.to_owned(),
        summary: summary.to_owned(),
        granularity,
        classes,
        tie,
        never: file.never.iter().map(|entry| never(&place, entry)).collect::<Result<_>>()?,
        rules: rules(&place, &file, granularity)?,
        text: text.to_owned(),
    })
}

fn never(place: &Place<'_>, entry: &Spanned<NeverEntry>) -> Result<Never> {
    let NeverEntry { table, field } = entry.get_ref();
    if table.is_none() && field.is_none() {
        return Err(place.error(entry.span(), "[[never]] needs a table, a field, or both"));
    }
    let never = Never { table: place.glob(table.as_ref())?, field: place.glob(field.as_ref())? };
    let all = |glob: &Option<Glob>| glob.as_ref().is_none_or(Glob::matches_everything);
    if all(&never.table) && all(&never.field) {
        return Err(place.error(entry.span(), "this [[never]] leaves nothing to bring"));
    }
    Ok(never)
}

fn rules(place: &Place<'_>, file: &File, granularity: Granularity) -> Result<Vec<Rule>> {
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
    for (position, entry) in file.rule.iter().enumerate() {
        if rules.last().is_some_and(Rule::matches_everything) {
            let message = format!("this rule is never reached: rule {position} above it matches everything");
            return Err(place.error(entry.span(), &message));
        }
        rules.push(rule(place, entry.get_ref(), granularity)?);
    }
    match (rules.last(), file.rule.last()) {
        (Some(last), _) if last.matches_everything() => Ok(rules),
        (Some(_), Some(entry)) => Err(place
            .error(entry.span(), "the last rule must match everything, so that no conflict is left without an answer")
            .hint("end the file with a [[rule]] that has nothing but take")),
        _ => Err(place
            .error(place.text.len()..place.text.len(), "there is no rule")
            .hint("the shortest strategy has one: [[rule]] with take = \"ask\"")),
    }
}

fn rule(place: &Place<'_>, entry: &RuleEntry, granularity: Granularity) -> Result<Rule> {
    let take = place.word(&entry.take, "answer", &Take::ALL.map(|take| (take.word(), take)))?;
    match &entry.field {
        None if take.for_fields_only() => {
            let message = format!("{:?} decides a field: the rule needs field = \"…\"", take.word());
            return Err(place.error(entry.take.span(), &message));
        }
        Some(field) if granularity == Granularity::Record => {
            let message = "with granularity = \"record\" a rule can't name a field: the record is taken whole";
            return Err(place.error(field.span(), message));
        }
        _ if granularity == Granularity::Record && take == Take::MergeFields => {
            let message = "with granularity = \"record\" fields can't be merged: the record is taken whole";
            return Err(place.error(entry.take.span(), message));
        }
        _ => {}
    }
    Ok(Rule {
        reason: place.closed_glob(entry.reason.as_ref(), "reason", &MET.map(|(_, word)| word))?,
        class: place.closed_glob(entry.class.as_ref(), "class", &CLASSES.map(|(word, _)| word))?,
        table: place.glob(entry.table.as_ref())?,
        field: place.glob(entry.field.as_ref())?,
        take,
    })
}

impl Rule {
    /// Tells whether every conflict matches; other classes need not.
    fn matches_everything(&self) -> bool {
        let all = |glob: &Option<Glob>| glob.as_ref().is_none_or(Glob::matches_everything);
        all(&self.reason)
            && all(&self.table)
            && self.field.is_none()
            && self.class.as_ref().is_none_or(|glob| glob.matches("conflict"))
    }
}
