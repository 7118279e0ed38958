//! Patterns over names: `*` for any characters, `?` for one, letters of any case. Nothing else is special.

use crate::model::Table;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.chars().flat_map(char::to_lowercase).collect())
    }

    /// Tells whether the pattern consists of stars only.
    pub(super) fn matches_everything(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|c| *c == '*')
    }

    /// Matches a table by its name or by its label (`schema.name`).
    pub(super) fn matches_table(&self, table: &Table) -> bool {
        self.matches(&table.name) || (table.schema.is_some() && self.matches(&table.label()))
    }

    /// Matches a name in time proportional to pattern × name: only the last star is ever tried again.
    pub(super) fn matches(&self, name: &str) -> bool {
        // Called for each field of each record, so nothing is allocated.
        let mut rest = name.chars().flat_map(char::to_lowercase);
        let mut at = 0;
        let mut star = None;
        loop {
            if self.0.get(at) == Some(&'*') {
                at += 1;
                star = Some((at, rest.clone()));
                continue;
            }
            match (self.0.get(at), rest.next()) {
                (None, None) => return true,
                (Some(wanted), Some(found)) if *wanted == '?' || *wanted == found => at += 1,
                (_, None) => return false,
                (_, Some(_)) => match &mut star {
                    // The star takes one character more.
                    Some((after, from)) => {
                        from.next();
                        at = *after;
                        rest = from.clone();
                    }
                    None => return false,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Glob, Table};

    #[test]
    fn stars_question_marks_and_case() {
        for (pattern, name, expected) in [
            ("users", "Users", true),
            ("users", "users2", false),
            ("*session*", "django_session", true),
            ("*session*", "UserSessions", true),
            ("*session*", "user_sesion", false),
            ("user?", "users", true),
            ("user?", "user", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXcXb", false),
            ("**", "anything", true),
            ("**", "", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_table_is_named_with_or_without_its_schema() {
        let mut users = crate::strategy::tests::users();
        let matches = |pattern: &str, table: &Table| Glob::new(pattern).matches_table(table);
        assert!(matches("users", &users) && !matches("auth.users", &users) && !matches("groups", &users));
        users.schema = Some("auth".to_owned());
        assert!(matches("users", &users) && matches("auth.*", &users) && !matches("public.users", &users));
    }

    #[test]
    fn only_stars_match_everything() {
        assert!(Glob::new("*").matches_everything() && Glob::new("**").matches_everything());
        assert!(!Glob::new("").matches_everything() && !Glob::new("?*").matches_everything());
    }
}
