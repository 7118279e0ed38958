//! JSON: a three-way merge by path, and the union of arrays. Numbers and strings keep their spelling.

use crate::model::compare::same_json;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// The deepest nesting that is merged by path; below it documents are taken whole.
const DEEPEST: usize = 32;

/// The keys by which the members of an array may be told apart, best first.
const MEMBER_KEYS: [&str; 3] = ["id", "_id", "key"];

/// The most members of arrays that are united: each is compared with each.
const MOST_MEMBERS: usize = 2_000;

/// The members of an object in their order, each value as written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Returns the members of an object in their order, each value as written.
pub(super) fn members(text: &str) -> serde_json::Result<Vec<(String, &str)>> {
    let members: Members<'_> = serde_json::from_str(text)?;
    Ok(members.0.into_iter().map(|(key, value)| (key, value.get())).collect())
}

/// A document split at its top: an object by its keys, an array by its members' ids.
#[derive(Default)]
struct Split<'a> {
    parts: Vec<(String, &'a str)>,
    positions: HashMap<String, usize>,
}

impl<'a> Split<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.positions.get(key).map(|&position| self.parts[position].1)
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(key, _)| key.as_str())
    }

    fn distinct(parts: Vec<(String, &'a str)>) -> Option<Self> {
        let positions: HashMap<_, _> = parts.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
        (positions.len() == parts.len()).then_some(Self { parts, positions })
    }

    fn object(text: &'a str) -> Option<Self> {
        let members: Members<'a> = serde_json::from_str(text).ok()?;
        Self::distinct(members.0.into_iter().map(|(key, value)| (key, value.get())).collect())
    }

    fn array(text: &'a str, member_key: &str) -> Option<Self> {
        let members: Vec<&'a RawValue> = serde_json::from_str(text).ok()?;
        let keyed = members.into_iter().map(|member| {
            let id = Self::object(member.get())?.get(member_key)?;
            // An id that is itself a structure has more than one spelling.
            (!id.starts_with(['{', '['])).then(|| (id.to_owned(), member.get()))
        });
        Self::distinct(keyed.collect::<Option<Vec<_>>>()?)
    }
}

/// Merges the changes that current and backup made to one base document.
///
/// # Errors
/// The first path that both sides changed differently, or which document is no JSON.
pub(super) fn merge(base: &str, current: &str, backup: &str) -> Result<String, String> {
    for (side, text) in [("base", base), ("current", current), ("backup", backup)] {
        serde_json::from_str::<&RawValue>(text).map_err(|error| format!("{side} holds no JSON: {error}"))?;
    }
    let merged = merge_at("$", Some(base.trim()), Some(current.trim()), Some(backup.trim()), 0)?;
    merged.ok_or_else(|| "the document would vanish".to_owned())
}

/// Merges what is at one path; `None` stands for nothing being there.
fn merge_at(
    path: &str,
    base: Option<&str>,
    current: Option<&str>,
    backup: Option<&str>,
    depth: usize,
) -> Result<Option<String>, String> {
    let same = |a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) => same_json(a, b),
        (None, None) => true,
        _ => false,
    };
    if same(current, backup) || same(base, backup) {
        return Ok(current.map(str::to_owned));
    }
    if same(base, current) {
        return Ok(backup.map(str::to_owned));
    }
    let collision = || format!("both sides changed {path}");
    let (Some(current), Some(backup)) = (current, backup) else { return Err(collision()) };
    if depth == DEEPEST {
        return Err(collision());
    }
    match (current.as_bytes().first(), backup.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let split = |text| Split::object(text).ok_or_else(|| format!("{path} holds a key twice"));
            let base = match base {
                Some(text) if text.starts_with('{') => split(text)?,
                Some(_) => return Err(collision()),
                // Both sides put an object where there was nothing: keys that only one of them has don't collide.
                None => Split::default(),
            };
            let (current, backup) = (split(current)?, split(backup)?);
            let mut merged = Vec::new();
            let others = backup.keys().filter(|key| current.get(key).is_none());
            for key in current.keys().chain(others) {
                let deeper = format!("{path}.{key}");
                if let Some(value) = merge_at(&deeper, base.get(key), current.get(key), backup.get(key), depth + 1)? {
                    merged.push(format!("{}:{value}", serde_json::Value::from(key)));
                }
            }
            Ok(Some(format!("{{{}}}", merged.join(","))))
        }
        (Some(b'['), Some(b'[')) => {
            let base = base.ok_or_else(collision)?;
            let keyed = MEMBER_KEYS.into_iter().find_map(|key| {
                Some([Split::array(base, key)?, Split::array(current, key)?, Split::array(backup, key)?])
            });
            let [base, current, backup] = keyed.ok_or_else(collision)?;
            let mut merged = Vec::new();
            for id in order(&base, &current, &backup).ok_or_else(|| format!("both sides reordered {path}"))? {
                let deeper = format!("{path}[{id}]");
                let member = merge_at(&deeper, base.get(id), current.get(id), backup.get(id), depth + 1)?;
                merged.extend(member);
            }
            Ok(Some(format!("[{}]", merged.join(","))))
        }
        _ => Err(collision()),
    }
}

/// Returns the ids of a merged array in order: that of the side which changed the order, else current's; what only the
/// other side added comes last. `None` where both changed the order.
fn order<'a>(base: &'a Split<'_>, current: &'a Split<'_>, backup: &'a Split<'_>) -> Option<Vec<&'a str>> {
    fn shared<'a>(of: &'a Split<'_>, others: [&Split<'_>; 2]) -> Vec<&'a str> {
        of.keys().filter(|id| others.iter().all(|other| other.get(id).is_some())).collect()
    }
    let in_base = shared(base, [current, backup]);
    let in_current = shared(current, [base, backup]);
    let in_backup = shared(backup, [base, current]);
    let (first, second) = if in_backup == in_base || in_backup == in_current {
        (current, backup)
    } else if in_current == in_base {
        (backup, current)
    } else {
        return None;
    };
    Some(first.keys().chain(second.keys().filter(|id| first.get(id).is_none())).collect())
}

/// Unites two arrays: current's members in their order, then the backup's others in theirs.
///
/// # Errors
/// Which side holds no array.
pub(super) fn union(current: &str, backup: &str) -> Result<String, String> {
    fn members<'a>(side: &str, text: &'a str) -> Result<Vec<&'a RawValue>, String> {
        serde_json::from_str(text).map_err(|_| format!("{side} holds no JSON array"))
    }
    let mut united: Vec<&str> = members("current", current)?.into_iter().map(RawValue::get).collect();
    let before = united.len();
    let others = members("the backup", backup)?;
    if before.max(others.len()) > MOST_MEMBERS {
        return Err(format!("an array of more than {MOST_MEMBERS} members is not united"));
    }
    for member in others {
        if !united.iter().any(|known| same_json(known, member.get())) {
            united.push(member.get());
        }
    }
    Ok(if united.len() == before { current.to_owned() } else { format!("[{}]", united.join(",")) })
}

#[cfg(test)]
mod tests {
    use super::{merge, union};

    #[test]
    fn changes_of_different_paths_are_merged_and_spellings_kept() {
        let check = |base: &str, current: &str, backup: &str, expected: Result<&str, &str>| {
            let merged = merge(base, current, backup);
            assert_eq!(merged.as_deref().map_err(String::as_str), expected, "{base} {current} {backup}");
        };
        check(r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":1,"b":3}"#, Ok(r#"{"a":2,"b":3}"#));
        check(
            r#"{"z":1,"a":1}"#,
            r#"{"z":1.10,"a":2}"#,
            r#"{"a":1,"n":18446744073709551617}"#,
            Err("both sides changed $.z"),
        );
        check(
            r#"{"z":1,"a":1}"#,
            r#"{"z":1,"a":1e2}"#,
            r#"{"z":1,"a":1,"n":18446744073709551617}"#,
            Ok(r#"{"z":1,"a":1e2,"n":18446744073709551617}"#),
        );
        check(
            r#"{"a":{"x":1,"y":1}}"#,
            r#"{"a":{"x":2,"y":1}}"#,
            r#"{"a":{"x":3,"y":1}}"#,
            Err("both sides changed $.a.x"),
        );
        check(r#"{"a":1,"b":1}"#, r#"{"b":1}"#, r#"{"a":1,"b":2}"#, Ok(r#"{"b":2}"#));
        check(r#"{"a":1}"#, r#"{}"#, r#"{"a":2}"#, Err("both sides changed $.a"));
        check(r#"{}"#, r#"{"o":{"x":1}}"#, r#"{"o":{"y":1}}"#, Ok(r#"{"o":{"x":1,"y":1}}"#));
        check(r#"{"o":5}"#, r#"{"o":{"x":1}}"#, r#"{"o":{"y":1}}"#, Err("both sides changed $.o"));
        check("[1,2]", "[1,2,3]", "[1,2,4]", Err("both sides changed $"));
        check("[1,2]", "[1,2,3]", "[1, 2]", Ok("[1,2,3]"));
        check(r#"{"a":null}"#, r#"{}"#, r#"{"a":null,"b":1}"#, Ok(r#"{"b":1}"#));
        check(r#"{"a":1,"a":2}"#, r#"{"a":3}"#, r#"{"a":4}"#, Err("$ holds a key twice"));
        assert!(merge("{", "{}", "[]").is_err_and(|why| why.starts_with("base holds no JSON")));
    }

    #[test]
    fn members_of_arrays_are_paired_by_their_id() {
        let base = r#"[{"id":1,"n":"a"},{"id":2,"n":"b"}]"#;
        let current = r#"[{"id":1,"n":"A"},{"id":2,"n":"b"},{"id":3}]"#;
        let backup = r#"[{"id":2,"n":"B"},{"id":1,"n":"a"},{"id":4}]"#;
        let expected = r#"[{"id":2,"n":"B"},{"id":1,"n":"A"},{"id":4},{"id":3}]"#;
        assert_eq!(merge(base, current, backup).as_deref(), Ok(expected), "the backup's order, both sides' members");
        let gone = merge(base, r#"[{"id":2,"n":"b"}]"#, r#"[{"id":1,"n":"a"},{"id":2,"n":"B"}]"#);
        assert_eq!(gone.as_deref(), Ok(r#"[{"id":2,"n":"B"}]"#));
        let twice = merge(base, r#"[{"id":1},{"id":1}]"#, r#"[{"id":1}]"#);
        assert_eq!(twice, Err("both sides changed $".to_owned()), "an id that occurs twice identifies nothing");
    }

    #[test]
    fn one_side_alone_is_taken_and_swapping_sides_gives_the_same_structure() {
        let documents =
            ["{}", r#"{"a":1}"#, r#"{"a":2}"#, r#"{"b":1}"#, r#"{"a":1,"b":1}"#, r#"{"a":{"a":1}}"#, "[]", "null"];
        for base in documents {
            for current in documents {
                assert_eq!(merge(base, base, current).as_deref(), Ok(current));
                assert_eq!(merge(base, current, base).as_deref(), Ok(current));
                for backup in documents {
                    match (merge(base, current, backup), merge(base, backup, current)) {
                        (Ok(one), Ok(other)) => assert!(super::same_json(&one, &other), "{base} {current} {backup}"),
                        (one, other) => assert_eq!(one, other, "{base} {current} {backup}"),
                    }
                }
            }
        }
    }

    #[test]
    fn deep_documents_end_in_a_question_not_in_a_crash() {
        let deep = |leaf: &str| format!("{}{leaf}{}", r#"{"a":"#.repeat(500), "}".repeat(500));
        assert!(merge(&deep("1"), &deep("2"), &deep("3")).is_err());
    }

    #[test]
    fn arrays_are_united_in_order() {
        assert_eq!(union(r#"["b","a"]"#, r#"["a", "c"]"#).as_deref(), Ok(r#"["b","a","c"]"#));
        assert_eq!(union("[1, 2]", "[2.0]").as_deref(), Ok("[1, 2]"));
        assert!(union("{}", "[]").is_err_and(|why| why.contains("current")));
        assert!(union("[]", "1").is_err_and(|why| why.contains("backup")));
    }
}
