//! Reads a strategy file: TOML, closed sets of keys and words, every mistake with its line and column.

use super::glob::Glob;
use super::take::{MET, Take};
use super::{Granularity, Never, Rule, Strategy, nearest};
use crate::error::{Error, Result, fail};
use crate::model::change::Class;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The classes that a strategy can carry out; of what is only in current, the deletions that `--deletes` asks for.
const CLASSES: [(&str, Class); 4] = [
    ("new", Class::New),
    ("updated", Class::Updated),
    ("conflict", Class::Conflict),
    ("current_only", Class::CurrentOnly),
];

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

    fn glob(&self, pattern: &Spanned<String>) -> Result<Glob> {
        if pattern.get_ref().is_empty() {
            return Err(self.error(pattern.span(), "an empty pattern matches no name; leave the key out to match any"));
        }
        Ok(Glob::new(pattern.get_ref()))
    }

    /// Reads a pattern over a closed set of words; one that matches none of them is a typing mistake.
    fn matching<T: Copy>(&self, pattern: &Spanned<String>, what: &str, known: &[(&'static str, T)]) -> Result<Vec<T>> {
        let glob = self.glob(pattern)?;
        let matched: Vec<T> = known.iter().filter(|(word, _)| glob.matches(word)).map(|(_, value)| *value).collect();
        if !matched.is_empty() {
            return Ok(matched);
        }
        let text = pattern.get_ref();
        let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
        let error = self.error(pattern.span(), &format!("{text:?} matches no {what} that a strategy meets"));
        Err(error.hint(match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("they are {}", words.join(", ")),
        }))
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
    let never = Never {
        table: table.as_ref().map(|p| place.glob(p)).transpose()?,
        field: field.as_ref().map(|p| place.glob(p)).transpose()?,
    };
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
            let message =
                format!("rule {position} matches everything and must be the last; this rule belongs above it");
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
        reasons: match &entry.reason {
            Some(pattern) => place.matching(pattern, "reason", &MET)?,
            None => MET.map(|(_, reason)| reason).to_vec(),
        },
        classes: entry.class.as_ref().map(|pattern| place.matching(pattern, "class", &CLASSES)).transpose()?,
        table: entry.table.as_ref().map(|pattern| place.glob(pattern)).transpose()?,
        field: entry.field.as_ref().map(|pattern| place.glob(pattern)).transpose()?,
        take,
    })
}

impl Rule {
    /// Tells whether every conflict matches; other classes need not.
    fn matches_everything(&self) -> bool {
        self.reasons.len() == MET.len()
            && self.classes.as_ref().is_none_or(|classes| classes.contains(&Class::Conflict))
            && self.table.as_ref().is_none_or(Glob::matches_everything)
            && self.field.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        let last = "[[rule]]\ntake = \"ask\"\n";
        for (text, place, message) in [
            ("summary = ", "line 1, column", "string values must be quoted"),
            (&format!("sumary = \"x\"\n{last}"), "line 1, column 1", "unknown field `sumary`"),
            (last, "line", "missing field `summary`"),
            (&format!("summary = \"\"\n{last}"), "line 1, column 11", "one line"),
            ("summary = \"x\"\n[[rule]]\ntake = \"bakcup\"\n", "line 3, column 8", "\"bakcup\" is no answer"),
            ("summary = \"x\"\n[[rule]]\nfeild = \"a\"\ntake = \"ask\"\n", "line 3, column 1", "unknown field `feild`"),
            (
                "summary = \"x\"\n[[rule]]\nreason = \"curent_newer\"\ntake = \"ask\"\n",
                "line 3, column 10",
                "matches no reason",
            ),
            ("summary = \"x\"\n[[rule]]\ntake = \"max\"\n", "line 3, column 8", "decides a field"),
            ("summary = \"x\"\n[[rule]]\nfield = \"\"\ntake = \"ask\"\n", "line 3, column 9", "empty pattern"),
            ("summary = \"x\"\n[[rule]]\ntable = \"a\"\ntake = \"ask\"\n", "line 2, column 1", "must match everything"),
            (
                "summary = \"x\"\n[[rule]]\nclass = \"new\"\ntake = \"skip\"\n",
                "line 2, column 1",
                "must match everything",
            ),
            ("summary = \"x\"\n", "line 2, column 1", "there is no rule"),
            (&format!("summary = \"x\"\n{last}{last}"), "line 4, column 1", "rule 1 matches everything"),
            (&format!("summary = \"x\"\nclasses = [\"knew\"]\n{last}"), "line 2, column 12", "\"knew\" is no class"),
            (&format!("summary = \"x\"\nclasses = []\n{last}"), "line 2, column 11", "never write anything"),
            (&format!("summary = \"x\"\ntie = \"max\"\n{last}"), "line 2, column 7", "is no tie"),
            (&format!("summary = \"x\"\n[[never]]\n{last}"), "line 2, column 1", "needs a table, a field"),
            (&format!("summary = \"x\"\n[[never]]\nfield = \"*\"\n{last}"), "line 2, column 1", "nothing to bring"),
            (
                "summary = \"ä\"\ngranularity = \"record\"\n[[rule]]\ntake = \"merge-fields\"\n",
                "line 4, column 8",
                "can't be merged",
            ),
        ] {
            let error = Strategy::parse("mine", text).expect_err(text);
            let full = error.full_message();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(full.contains(place) && full.contains(message), "{text}\n→ {full}");
        }
        let error =
            Strategy::parse("mine", "summary = \"x\"\n[[rule]]\ntake = \"bakcup\"").expect_err("a typing mistake");
        assert_eq!(error.hint_text(), Some("did you mean \"backup\"?"));
    }

    #[test]
    fn strategies_load_by_name_or_path_and_remember_their_text() {
        let error = Strategy::load("backup-win").expect_err("no such strategy");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.hint_text().is_some_and(|hint| hint.starts_with("did you mean backup-wins?")));

        let manual = Strategy::load("manual").expect("a built-in strategy");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ours.toml");
        std::fs::write(&path, manual.text()).expect("a written file");
        let loaded = Strategy::load(&path.to_string_lossy()).expect("a strategy file");
        assert_eq!(loaded.name, "ours");
        assert_eq!(loaded.digest(), manual.digest());
        assert_ne!(loaded.digest(), Strategy::load("backup-wins").expect("a built-in strategy").digest());
        let again = Strategy::parse(&loaded.name, loaded.text()).expect("its own text");
        assert_eq!(again.summary, loaded.summary);
        assert!(Strategy::load(&folder.path().to_string_lossy()).is_err(), "a folder is no strategy");
    }
}
