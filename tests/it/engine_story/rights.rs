//! The rights that `doctor` names (CHECKS T23), on both servers.

use crate::faults::told;
use crate::live::{Kind, Live, both};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use serde_json::json;
use std::process::Command;

const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, NULL), (2, 'b'), (3, 'c')";

#[test]
fn t23_the_rights_that_doctor_names_suffice_and_more_is_warned_of() {
    for live in both(ITEMS) {
        let (kind, user) = (live.kind, format!("least_{}", std::process::id()));
        live.sql(&match kind {
            Kind::Postgres => format!("CREATE ROLE {user} LOGIN"),
            Kind::Mariadb => format!("CREATE USER '{user}'@'%'; GRANT USAGE ON *.* TO '{user}'@'%'"),
        });
        let doctor = |live: &Live| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
            command.args(["doctor", "--no-input", "--json", "--to", &live.fresh.url, "--data-dir"]);
            let (_, stdout, _) = told(command.arg(live.world.home.root()).env_clear().output().expect("starts"));
            let line: serde_json::Value = serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON");
            let checks = line["checks"].as_array().expect("checks").clone();
            let rights = checks.iter().filter(|c| c["check"] == "rights");
            rights
                .map(|c| (c["result"].as_str().unwrap().to_owned(), c["text"].as_str().unwrap().to_owned()))
                .collect::<Vec<_>>()
        };
        // The tests' own user may do everything.
        let all = doctor(&live);
        assert!(
            all.iter().any(|(result, text)| result == "note" && text.contains("which nothing here needs")),
            "{kind:?}: {all:?}"
        );
        // What is printed for the one user is given to the other.
        let give = |part: &str| {
            let (_, text) =
                all.iter().find(|(_, text)| text.contains(part)).unwrap_or_else(|| panic!("{kind:?}: {all:?}"));
            let grants = text.split_once("GRANT").map(|(_, grants)| format!("GRANT{grants}")).expect("grants");
            for grant in grants.split(';').map(str::trim).filter(|g| !g.is_empty()) {
                let (rights, _) = grant.rsplit_once(" TO ").expect("a receiver");
                live.sql(&match kind {
                    Kind::Postgres => format!("{rights} TO {user}"),
                    Kind::Mariadb => format!("{rights} TO '{user}'@'%'"),
                });
            }
        };
        give("backing up and analyzing need");
        let least = live.as_user(&user);
        least
            .world
            .backup("b.json", &[("items", json!([{"id": 1, "name": "A", "n": 5}, {"id": 9, "name": "new", "n": 1}]))]);
        let (mut plan, _) =
            least.analyze("b.json", None, "backup-wins", Options::default()).expect("reading is enough");
        let refused = least.merge(&mut plan).expect_err("reading is not enough to write");
        assert!(matches!(refused.kind(), ErrorKind::Refused), "{kind:?}: {refused:?}");
        give("merging and undoing need besides");
        let (mut plan, _) = least.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let merged = least.merge(&mut plan).unwrap_or_else(|e| panic!("{kind:?}: {e:?}"));
        assert_eq!((merged.counts.updated, merged.counts.inserted), (1, 1), "{kind:?}");
        // The counter was moved on behind the key that came.
        live.sql("INSERT INTO items (name) VALUES ('next')");
        let said = doctor(&least);
        assert!(said.iter().all(|(result, _)| result != "note"), "{kind:?}: {said:?}");
        live.sql(&match kind {
            Kind::Postgres => format!("DROP OWNED BY {user}; DROP ROLE {user}"),
            Kind::Mariadb => format!("DROP USER '{user}'@'%'"),
        });
    }
}
