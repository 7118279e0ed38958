//! The choices as people make them: through the program, its JSON and its configuration.

use crate::cli::World;
use serde_json::Value as Json;

fn last(world: &World, arguments: &[&str]) -> Json {
    world.lines(0, arguments).pop().expect("a result")
}

const OTHERS: &str = r#"{"tables":[{"tableName":"users","records":[
    {"id":40,"email":"z@x","name":"Zed","updated_at":"2026-11-01T00:00:00Z"}]},
    {"tableName":"rooms","records":[{"id":5,"name":"five","user_id":40}]}],"metadata":{"version":"1.0"}}"#;

#[test]
fn f45_into_existing_is_shown_chosen_in_bulk_exported_and_merged() {
    let world = World::new();
    world.write("other.json", OTHERS);
    let plan = world.path("p.mplan").display().to_string();
    let analyzed = last(&world, &["analyze", "other.json", "--out", &plan]);
    assert_eq!(analyzed["preview"]["undecided"], 1, "{analyzed}");
    let shown = last(&world, &["show", &plan, "record", "users/40"]);
    let choices = shown["record"]["choices"].as_array().expect("a conflict has choices");
    let of = |word: &str| choices.iter().find(|c| c["choice"] == word).expect("every choice is listed");
    assert_eq!(of("backup")["legal"], false);
    assert_eq!(
        of("into-existing")["consequence"],
        "changes 1 field of users/9; keeps 1 of rooms under users/9; re-points 1 of rooms"
    );
    assert_eq!(of("new-key")["why"], "email itself is taken, whatever the key; give it another value with --set");
    world.text(2, &["resolve", &plan, "--record", "users/40", "--take", "new-key"]);
    let resolved = last(&world, &["resolve", &plan, "--take", "into-existing", "--export", "-"]);
    assert_eq!(resolved["decided"], 1, "{resolved}");
    assert_eq!(resolved["decisions"][0]["action"], "into-existing", "{resolved}");
    let merged = last(&world, &["merge", &plan, "--yes"]);
    assert_eq!((&merged["counts"]["updated"], &merged["counts"]["inserted"]), (&1.into(), &1.into()), "{merged}");
    let content = world.content().join("\n");
    // The room is under the record that was there, and no other came.
    assert!(content.contains("rooms Integer(5)|Text([102, 105, 118, 101])|Integer(9)"), "{content}");
    assert!(!content.contains("Integer(40)"), "{content}");
}

#[test]
fn f45_records_are_matched_as_the_command_line_or_the_configuration_says() {
    let world = World::new();
    world.write("other.json", OTHERS);
    let analyzed = last(&world, &["analyze", "other.json", "--match", "users=email"]);
    assert_eq!((&analyzed["counts"]["conflict"], &analyzed["counts"]["new"]), (&1.into(), &1.into()), "{analyzed}");
    let url = format!("sqlite:{}", world.path("app.db").display());
    world.write("merganser.toml", &format!("[targets.app]\nurl = \"{url}\"\n[targets.app.tables.users]\nmatch = [\"email\"]\n[targets.app.tables.rooms]\nvirtual_fks = [{{ columns = [\"user_id\"], references = \"users.nothing\" }}]\n"));
    let said = world.text(2, &["analyze", "other.json", "--to", "app"]);
    assert!(said.contains("virtual_fks") && said.contains("users has no column \"nothing\""), "{said}");
    let text =
        std::fs::read_to_string(world.path("merganser.toml")).expect("read").replace("users.nothing", "users.id");
    world.write("merganser.toml", &text);
    let again = last(&world, &["analyze", "other.json", "--to", "app"]);
    assert_eq!(again["counts"], analyzed["counts"]);
}
