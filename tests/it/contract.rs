//! The JSON contract: what every command prints with `--json` is as `schemas/events.schema.json` says, and no command
//! prints a secret (INTERFACE U3, U19).

use crate::cli::World;
use serde_json::Value as Json;

/// Says where a value is not as a schema says; knows the words that our schemas use.
fn wrong(root: &Json, schema: &Json, value: &Json, at: &str) -> Option<String> {
    let Json::Object(words) = schema else { return None };
    for (word, rule) in words {
        let found = match word.as_str() {
            "$ref" => {
                let pointer = rule.as_str().and_then(|r| r.strip_prefix('#')).expect("a reference into the file");
                wrong(root, root.pointer(pointer).expect("is there"), value, at)
            }
            "type" => {
                let is = |name: &Json| match name.as_str().expect("a name") {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("the type {other} is not known here"),
                };
                let fits = rule.as_array().map_or_else(|| is(rule), |several| several.iter().any(is));
                (!fits).then(|| format!("{at}: {value} is no {rule}"))
            }
            "const" => (rule != value).then(|| format!("{at}: {value} is not {rule}")),
            "enum" => {
                let known = rule.as_array().expect("a list");
                (!known.contains(value)).then(|| format!("{at}: {value} is none of {rule}"))
            }
            "minimum" => (value.as_f64() < rule.as_f64()).then(|| format!("{at}: {value} is less than {rule}")),
            "required" => {
                let names = rule.as_array().expect("a list").iter().filter_map(Json::as_str);
                names.filter(|name| value.get(name).is_none()).map(|name| format!("{at}: {name} is missing")).next()
            }
            "properties" => rule.as_object().expect("a map").iter().find_map(|(name, inner)| {
                value.get(name).and_then(|member| wrong(root, inner, member, &format!("{at}.{name}")))
            }),
            "additionalProperties" if rule.is_object() => {
                value.as_object().into_iter().flatten().find_map(|(name, member)| {
                    let named = words.get("properties").is_some_and(|p| p.get(name).is_some());
                    if named { None } else { wrong(root, rule, member, &format!("{at}.{name}")) }
                })
            }
            "items" => {
                value.as_array().into_iter().flatten().find_map(|item| wrong(root, rule, item, &format!("{at}[]")))
            }
            "oneOf" => {
                let choices = rule.as_array().expect("a list");
                let faults: Vec<String> = choices.iter().filter_map(|c| wrong(root, c, value, at)).collect();
                (choices.len() - faults.len() != 1)
                    .then(|| format!("{at}: fits {} of oneOf: {faults:?}", choices.len() - faults.len()))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn check(world: &World, code: i32, arguments: &[&str]) -> Json {
    let schema: Json =
        serde_json::from_str(include_str!("../../schemas/events.schema.json")).expect("the schema is JSON");
    // `lines` also looks for the canary and for control codes.
    let lines = world.lines(code, arguments);
    for line in &lines {
        if let Some(fault) = wrong(&schema, &schema, line, "line") {
            panic!("{arguments:?}: {fault}\n{line}");
        }
    }
    lines.last().cloned().expect("a result")
}

#[test]
fn u3_u19_what_every_command_prints_is_as_the_schema_says_and_no_secret() {
    let world = World::new();
    let analyzed = check(&world, 0, &["analyze", "backup.json", "--records", "-o", "a.mplan"]);
    assert_eq!(analyzed["ok"], true);
    for arguments in [
        &["inspect", "backup.json"][..],
        &["inspect", "backup.json", "--table", "users"],
        &["show", "a.mplan"],
        &["show", "a.mplan", "tables"],
        &["show", "a.mplan", "records"],
        &["show", "a.mplan", "conflicts"],
        &["show", "a.mplan", "record", "users/2"],
        &["show", "a.mplan", "patterns"],
        &["show", "a.mplan", "--sql"],
        &["show", "a.mplan", "--html"],
        &["show", "a.mplan", "--stale"],
        &["resolve", "a.mplan", "--take", "backup"],
        &["resolve", "a.mplan", "--export", "-"],
        &["resolve", "a.mplan", "--export", "d.json"],
        &["merge", "a.mplan", "--dry-run"],
        &["status"],
        &["log"],
        &["strategies"],
        &["strategies", "show", "manual"],
        &["target", "test"],
        &["config", "path"],
        &["config", "check"],
        &["doctor"],
        &["version"],
        &["backup", "list"],
        &["backup", "create"],
        &["demo"],
    ] {
        check(&world, 0, arguments);
    }
    world.sql("UPDATE users SET password_hash = 'c4n4ry-7f3a-later' WHERE id = 1");
    check(&world, 0, &["show", "a.mplan", "--stale"]);
    check(&world, 20, &["merge", "a.mplan", "--yes"]);
    let merged = check(&world, 0, &["merge", "backup.json", "--yes"]);
    world.sql("UPDATE users SET password_hash = 'c4n4ry-7f3a-again' WHERE id = 1");
    check(&world, 0, &["log", "show", merged["merge"].as_str().expect("an id")]);
    check(&world, 0, &["undo", "--dry-run"]);
    check(&world, 0, &["undo", "--yes", "--on-kept", "force"]);
    check(&world, 0, &["redo", "--yes"]);
    // Errors of every kind that need no other machine.
    world.write("garbage.json", "c4n4ry-7f3a is my password");
    world.write("cut.json", r#"{"tables":[{"tableName":"users","records":[{"id":1,"password_hash":"c4n4ry-7f3a"#);
    world.write(
        "wrong.json",
        r#"{"tables":[{"tableName":"users","records":[{"id":1,"email":7,"password_hash":{"x":"c4n4ry-7f3a"}}]}]}"#,
    );
    for (code, arguments) in [
        (10, &["inspect", "garbage.json"][..]),
        (10, &["analyze", "garbage.json"]),
        (13, &["inspect", "cut.json"]),
        (13, &["analyze", "cut.json"]),
        (2, &["analyze", "backup.json", "--skip-columns", "pasword_hash"]),
        (2, &["analyze", "backup.json", "--only-tables", "nosuch"]),
        (2, &["undo", "m-nosuch"]),
        (2, &["show", "p-nosuch"]),
        (25, &["inspect", "backup.json", "--max-record-bytes", "3"]),
    ] {
        let result = check(&world, code, arguments);
        assert_eq!(result["ok"], false);
        assert!(result["error"]["docs"].as_str().is_some_and(|d| d.starts_with("docs/errors.md#")), "{result}");
    }
    check(&world, 0, &["analyze", "wrong.json", "--records"]);
}

#[test]
fn u19_a_secret_that_was_typed_is_not_printed_with_the_decisions() {
    let world = World::new();
    world.text(0, &["analyze", "backup.json", "-o", "a.mplan"]);
    world.text(0, &["resolve", "a.mplan", "--record", "users/2", "--set", "password_hash=c4n4ry-7f3a-typed"]);
    let refused = world.text(2, &["resolve", "a.mplan", "--export", "-"]);
    assert!(refused.contains("users.password_hash"), "{refused}");
    world.text(0, &["resolve", "a.mplan", "--export", "d.json"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(world.path("d.json")).expect("is there").permissions(),
    );
    assert_eq!(mode & 0o077, 0, "only its owner reads it: {mode:o}");
}
