//! Rows of the interface's acceptance checks that no other file holds (INTERFACE 5: U19, U22, U23).

use crate::cli::{CANARY, World};
use crate::live::{Kind, Live};
use serde_json::Value as Json;

/// What `config show` says of a setting: its value and where that came from.
fn shown(settings: &Json, name: &str) -> (String, String) {
    let list = settings["settings"].as_array().expect("a list");
    let one = list.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{name} is not in {settings}"));
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    (text("value"), text("origin"))
}

#[test]
fn u22_every_value_says_which_layer_it_came_from() {
    let world = World::new();
    let user = world.path("xdg/merganser/config.toml");
    std::fs::create_dir_all(user.parent().expect("a folder")).expect("made");
    world.write(
        "xdg/merganser/config.toml",
        "strategy = \"manual\"\n[targets.a]\nurl = \"sqlite:user.db\"\n[targets.b]\nurl = \"sqlite:b.db\"\n",
    );
    let show = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut all = vec!["config", "show", "--origin", "--json"];
        all.extend(arguments);
        let mut command = world.command(&all);
        command.env("XDG_CONFIG_HOME", world.path("xdg")).env_remove("DATABASE_URL");
        let output = command.envs(environment.iter().copied()).output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text}");
        serde_json::from_str::<Json>(text.lines().last().expect("a line")).expect("JSON")
    };
    let ends = |origin: &str, file: &str| assert!(origin.ends_with(file), "{origin} is not {file}");
    // The user's file alone.
    let (value, origin) = shown(&show(&[], &[]), "strategy");
    assert_eq!(value, "manual");
    ends(&origin, "xdg/merganser/config.toml");
    // The project's file is nearer, value by value.
    world.write(
        "merganser.toml",
        "strategy = \"backup-wins\"\ndata_dir = \"from-file\"\n[targets.a]\nurl = \"sqlite:project.db\"\n",
    );
    let both = show(&[], &[]);
    let (value, origin) = shown(&both, "strategy");
    assert_eq!(value, "backup-wins");
    ends(&origin, "merganser.toml");
    assert!(!origin.contains("xdg"), "{origin}");
    ends(&shown(&both, "targets.a.url").1, "merganser.toml");
    ends(&shown(&both, "targets.b.url").1, "xdg/merganser/config.toml");
    // The environment before files, arguments before the environment.
    let (value, origin) = shown(&show(&[], &[("MERGANSER_TARGET", "b"), ("DATABASE_URL", "sqlite:app.db")]), "to");
    assert_eq!((value.as_str(), origin.as_str()), ("b", "MERGANSER_TARGET"));
    assert_eq!(shown(&show(&[], &[("DATABASE_URL", "sqlite:app.db")]), "to").1, "DATABASE_URL");
    let (value, origin) = shown(&show(&["--to", "a"], &[("MERGANSER_TARGET", "b")]), "to");
    assert_eq!((value.as_str(), origin.as_str()), ("a", "argument"));
    assert!(shown(&show(&[], &[]), "data_dir").1.contains("MERGANSER_DATA_DIR"));
    let argued = shown(&show(&["--data-dir", "elsewhere"], &[]), "data_dir");
    assert!(argued.0.ends_with("elsewhere") && argued.1 != shown(&show(&[], &[]), "data_dir").1, "{argued:?}");
    // The system's file is the last of the places.
    let places = world.result(0, &["config", "path"]);
    assert_eq!(places["paths"].as_array().and_then(|p| p.last()), Some(&Json::from("/etc/merganser/config.toml")));
}

#[test]
fn u19_addresses_of_hooks_and_stores_are_not_printed_whole() {
    let world = World::new();
    world.write(
        "merganser.toml",
        &format!(
            "[hooks]\non_failure = {{ url = \"https://hooks.example/services/{CANARY}?key={CANARY}\" }}\n\
             on_success = [{{ url = \"https://me:{CANARY}@hooks.example/x\" }}]\n[backup]\nstorage = \"s3://me:{CANARY}@bucket\"\n\
             [targets.a]\nurl = \"postgres://app@h/d?password={CANARY}\"\n"
        ),
    );
    // `text` itself looks for the canary.
    let text = world.text(0, &["config", "show", "--origin"]);
    assert!(text.contains("hooks.example"), "{text}");
    world.result(0, &["config", "show"]);
}

#[test]
fn u19_a_defect_is_told_without_values_and_with_what_to_do() {
    let world = World::new();
    let panicked = world
        .command(&["merge", "backup.json", "--yes", "--json"])
        .env("MERGANSER_FAILPOINT", "any:1:panic")
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&[panicked.stdout, panicked.stderr].concat()).into_owned();
    assert!(said.contains("defect") && said.contains("merganser status") && !said.contains(CANARY), "{said}");
}

#[test]
fn u23_every_form_of_an_address_connects() {
    let world = World::new();
    let absolute = world.path("app.db").display().to_string();
    let connects = |url: &str| {
        for by_environment in [true, false] {
            let mut command = match by_environment {
                true => world.command(&["target", "test", "--json"]),
                false => world.command(&["target", "test", "--json", "--to", url]),
            };
            command.env_remove("DATABASE_URL");
            if by_environment {
                command.env("DATABASE_URL", url);
            }
            let output = command.output().expect("runs");
            let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(0), "{url}: {said}{errors}");
        }
    };
    for url in [
        "sqlite:app.db".to_owned(),
        "./app.db".to_owned(),
        "file:./app.db".to_owned(),
        format!("sqlite://{absolute}"),
        format!("sqlite:///{absolute}"),
        format!("file:{absolute}"),
        absolute.clone(),
    ] {
        connects(&url);
    }
    let postgres = Live::new(Kind::Postgres, "CREATE TABLE t (id int PRIMARY KEY)").fresh.url;
    let (_, rest) = postgres.split_once("://").expect("a scheme");
    for url in [
        format!("postgres://{rest}"),
        format!("postgresql://{rest}"),
        format!("postgresql+psycopg://{rest}"),
        format!("postgresql+psycopg2://{rest}"),
        format!("postgresql://{rest}?schema=public&connection_limit=5&pgbouncer=true"),
        format!("postgresql://{rest}?sslmode=disable"),
        format!("postgresql://{rest}?sslmode=prefer&application_name=x&nosuch=1"),
    ] {
        connects(&url);
    }
    let mariadb = Live::new(Kind::Mariadb, "CREATE TABLE t (id int PRIMARY KEY)").fresh.url;
    let (_, rest) = mariadb.split_once("://").expect("a scheme");
    for url in [
        format!("mysql://{rest}"),
        format!("mariadb://{rest}"),
        format!("mysql+pymysql://{rest}"),
        format!("mysql://{rest}?connection_limit=5&charset=utf8mb4"),
    ] {
        connects(&url);
    }
}
