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
        let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match self.0.get(p) {
                Some('*') => {
                    star = Some((p + 1, n));
                    p += 1;
                }
                Some(c) if *c == '?' || *c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((after, from)) => {
                        star = Some((after, from + 1));
                        p = after;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[p..].iter().all(|c| *c == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

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
            ("a.b", "axb", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn only_stars_match_everything() {
        assert!(Glob::new("*").matches_everything() && Glob::new("**").matches_everything());
        assert!(!Glob::new("").matches_everything() && !Glob::new("?*").matches_everything());
    }
}
