//! JSON documents that say how another is changed: RFC 6902 (a list of operations) and RFC 7396 (an object whose members
//! replace, and whose nulls remove). Scalars keep their spelling.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc6902>, <https://www.rfc-editor.org/rfc/rfc7396>.

use crate::model::compare::same_json;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The deepest nesting that is patched.
const DEEPEST: usize = 64;

/// A document whose scalars are as written.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Scalar(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn parse(text: &str, depth: usize) -> Result<Self, String> {
        if depth > DEEPEST {
            return Err("it is nested too deep to be patched".to_owned());
        }
        let said = |error: serde_json::Error| format!("no JSON: {error}");
        match text.trim_start().as_bytes().first() {
            Some(b'[') => {
                let members: Vec<&RawValue> = serde_json::from_str(text).map_err(said)?;
                members.into_iter().map(|m| Self::parse(m.get(), depth + 1)).collect::<Result<_, _>>().map(Self::Array)
            }
            Some(b'{') => {
                let members = super::json::members(text).map_err(said)?;
                let node = |(key, value): (String, &str)| Ok((key, Self::parse(value, depth + 1)?));
                members.into_iter().map(node).collect::<Result<_, String>>().map(Self::Object)
            }
            _ => serde_json::from_str::<&RawValue>(text).map(|v| Self::Scalar(v.get().to_owned())).map_err(said),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(members) => {
                out.push('[');
                for (position, member) in members.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    member.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (position, (key, member)) in members.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(text) if text == "null")
    }

    /// Returns a text member of an object.
    fn member(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    fn as_text(&self) -> Option<String> {
        match self {
            Self::Scalar(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

/// Applies a patch of either kind to a document.
///
/// # Errors
/// What of the patch does not fit the document; nothing is applied then.
pub(super) fn apply(document: &str, patch: &str) -> Result<String, String> {
    let document = Node::parse(document, 0).map_err(|why| format!("current: {why}"))?;
    let patch = Node::parse(patch, 0).map_err(|why| format!("backup: {why}"))?;
    let patched = match &patch {
        Node::Array(operations) => {
            let mut document = document;
            for (position, operation) in operations.iter().enumerate() {
                operate(&mut document, operation).map_err(|why| format!("operation {}: {why}", position + 1))?;
            }
            document
        }
        Node::Object(_) => merge(document, &patch),
        Node::Scalar(_) => return Err("the backup's value is neither a list of operations nor an object".to_owned()),
    };
    Ok(patched.text())
}

/// RFC 7396, section 2.
fn merge(target: Node, patch: &Node) -> Node {
    let Node::Object(changes) = patch else { return patch.clone() };
    let mut members = match target {
        Node::Object(members) => members,
        Node::Scalar(_) | Node::Array(_) => Vec::new(),
    };
    let mut positions: HashMap<String, usize> = members.iter().enumerate().map(|(p, (k, _))| (k.clone(), p)).collect();
    let mut removed = Vec::new();
    for (key, change) in changes {
        match positions.get(key).copied() {
            Some(position) if change.is_null() => removed.push(position),
            None if change.is_null() => {}
            Some(position) => {
                let old = std::mem::replace(&mut members[position].1, Node::Array(Vec::new()));
                members[position].1 = merge(old, change);
            }
            None => {
                positions.insert(key.clone(), members.len());
                members.push((key.clone(), merge(Node::Scalar("null".to_owned()), change)));
            }
        }
    }
    let mut position = 0;
    members.retain(|_| {
        position += 1;
        !removed.contains(&(position - 1))
    });
    Node::Object(members)
}

/// RFC 6902, section 4.
fn operate(document: &mut Node, operation: &Node) -> Result<(), String> {
    let text =
        |name: &str| operation.member(name).and_then(Node::as_text).ok_or_else(|| format!("`{name}` is missing"));
    let value = || operation.member("value").cloned().ok_or_else(|| "`value` is missing".to_owned());
    let path = text("path")?;
    match text("op")?.as_str() {
        "add" => add(document, &path, value()?),
        "remove" => remove(document, &path).map(drop),
        "replace" => {
            *find(document, &path)? = value()?;
            Ok(())
        }
        "move" => {
            let from = text("from")?;
            if path.strip_prefix(&from).is_some_and(|rest| rest.starts_with('/')) {
                return Err(format!("{from} can't be moved into itself"));
            }
            let moved = remove(document, &from)?;
            add(document, &path, moved)
        }
        "copy" => {
            let copied = find(document, &text("from")?)?.clone();
            add(document, &path, copied)
        }
        "test" => {
            let wanted = value()?.text();
            let is = find(document, &path)?.text();
            // The values may be secret: they are shown by whoever knows whether they are.
            if same_json(&is, &wanted) { Ok(()) } else { Err(format!("{path} is not what the patch expects there")) }
        }
        other => Err(format!("`{other}` is no operation")),
    }
}

/// Splits a JSON pointer (RFC 6901) into its last part and what is before it; none: the whole document.
fn split(path: &str) -> Result<Option<(&str, String)>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    match path.rsplit_once('/') {
        Some((before, last)) if path.starts_with('/') => Ok(Some((before, unescaped(last)))),
        _ => Err(format!("{path} is no path")),
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Reads the position of an array's member: no sign, no leading zero.
fn position(part: &str) -> Option<usize> {
    let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
    part.parse().ok().filter(|_| plain)
}

fn find<'d>(document: &'d mut Node, path: &str) -> Result<&'d mut Node, String> {
    let nothing = || format!("there is nothing at {path}");
    if !path.is_empty() && !path.starts_with('/') {
        return Err(format!("{path} is no path"));
    }
    path.split('/').skip(1).map(unescaped).try_fold(document, |node, part| {
        match node {
            Node::Object(members) => members.iter_mut().find(|(key, _)| *key == part).map(|(_, node)| node),
            Node::Array(members) => position(&part).and_then(|p| members.get_mut(p)),
            Node::Scalar(_) => None,
        }
        .ok_or_else(nothing)
    })
}

fn add(document: &mut Node, path: &str, value: Node) -> Result<(), String> {
    let Some((before, last)) = split(path)? else {
        *document = value;
        return Ok(());
    };
    match find(document, before)? {
        Node::Object(members) => match members.iter_mut().find(|(key, _)| *key == last) {
            Some((_, node)) => *node = value,
            None => members.push((last, value)),
        },
        Node::Array(members) => {
            let at = if last == "-" { Some(members.len()) } else { position(&last) };
            match at.filter(|at| *at <= members.len()) {
                Some(at) => members.insert(at, value),
                None => return Err(format!("there is no place {last} in the list at {before}")),
            }
        }
        Node::Scalar(_) => return Err(format!("what is at {before} has no members")),
    }
    Ok(())
}

fn remove(document: &mut Node, path: &str) -> Result<Node, String> {
    let nothing = || format!("there is nothing at {path}");
    let Some((before, last)) = split(path)? else { return Err("the whole document can't be removed".to_owned()) };
    match find(document, before)? {
        Node::Object(members) => {
            let at = members.iter().position(|(key, _)| *key == last).ok_or_else(nothing)?;
            Ok(members.remove(at).1)
        }
        Node::Array(members) => {
            let at = position(&last).filter(|at| *at < members.len()).ok_or_else(nothing)?;
            Ok(members.remove(at))
        }
        Node::Scalar(_) => Err(nothing()),
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merge_patches_do_what_the_rfc_says() {
        for (document, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (r#"{"n":12345678901234567890.10}"#, r#"{"m":1e400}"#, r#"{"n":12345678901234567890.10,"m":1e400}"#),
        ] {
            assert_eq!(apply(document, patch).as_deref(), Ok(result), "{document} {patch}");
        }
    }

    /// The examples of RFC 6902, appendix A, that have a result.
    #[test]
    fn operations_do_what_the_rfc_says() {
        for (document, patch, result) in [
            (r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz","value":"qux"}]"#, r#"{"foo":"bar","baz":"qux"}"#),
            (
                r#"{"foo":["bar","baz"]}"#,
                r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
                r#"{"foo":["bar","qux","baz"]}"#,
            ),
            (r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, r#"{"foo":"bar"}"#),
            (r#"{"foo":["bar","qux","baz"]}"#, r#"[{"op":"remove","path":"/foo/1"}]"#, r#"{"foo":["bar","baz"]}"#),
            (
                r#"{"baz":"qux","foo":"bar"}"#,
                r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
                r#"{"baz":"boo","foo":"bar"}"#,
            ),
            (
                r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
                r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
                r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
            ),
            (
                r#"{"foo":["all","grass","cows","eat"]}"#,
                r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
                r#"{"foo":["all","cows","eat","grass"]}"#,
            ),
            (
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
                r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
                r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            ),
            (
                r#"{"foo":"bar"}"#,
                r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
                r#"{"foo":"bar","child":{"grandchild":{}}}"#,
            ),
            (
                r#"{"foo":["bar"]}"#,
                r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
                r#"{"foo":["bar",["abc","def"]]}"#,
            ),
            (r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, r#"{"/":9,"~1":10}"#),
            (r#"{"a":{"b":1}}"#, r#"[{"op":"copy","from":"/a","path":"/c"}]"#, r#"{"a":{"b":1},"c":{"b":1}}"#),
        ] {
            assert_eq!(apply(document, patch).as_deref(), Ok(result), "{document} {patch}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_and_changes_nothing() {
        for (document, patch, why) in [
            (r#"{"baz":"qux"}"#, r#"[{"op":"test","path":"/baz","value":"bar"}]"#, "/baz is not what"),
            (r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#, "nothing at /baz"),
            (r#"{"foo":["bar"]}"#, r#"[{"op":"add","path":"/foo/2","value":1}]"#, "no place 2"),
            (r#"{"foo":["bar"]}"#, r#"[{"op":"remove","path":"/foo/01"}]"#, "nothing at /foo/01"),
            (r#"{"foo":{}}"#, r#"[{"op":"move","from":"/foo","path":"/foo/bar"}]"#, "into itself"),
            (r#"{}"#, r#"[{"op":"spin","path":"/a"}]"#, "no operation"),
            (r#"{}"#, r#"[{"op":"add","path":"/a"}]"#, "`value` is missing"),
            (r#"{}"#, r#"[1]"#, "`path` is missing"),
            (r#"{}"#, r#"5"#, "neither"),
            (r#"{}"#, r#"[{"op":"remove","path":""}]"#, "whole document"),
        ] {
            let error = apply(document, patch).expect_err(patch);
            assert!(error.contains(why), "{error}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(apply("{}", &deep).is_err());
        assert!(apply(&deep, "{}").is_err());
    }
}
