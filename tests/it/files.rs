//! Files that travel with a backup: found, decided, written with the records and taken back; never outside their folder.

use crate::cli::World;
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;

const USERS: &str = r#"[{"id":1,"email":"a@x","name":"renamed"}]"#;

/// Writes RayERP's archive with some uploads, the time of each of no named zone.
fn rayerp(world: &World, name: &str, kind: &str, uploads: &[(&str, &str)]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(world.path(name)).expect("makes"));
    let mut put = |name: &str, text: &str| {
        let at = zip::DateTime::from_date_and_time(2026, 11, 10, 12, 0, 0).expect("a time");
        zip.start_file(name, SimpleFileOptions::default().last_modified_time(at)).expect("starts");
        zip.write_all(text.as_bytes()).expect("writes");
    };
    put("users.json", USERS);
    put(
        "backup-info.json",
        &format!(r#"{{"version":"1.0.0","backupType":"{kind}","backupDate":"2026-11-10T12:00:00Z"}}"#),
    );
    uploads.iter().for_each(|(name, text)| put(name, text));
    zip.finish().expect("ends");
}

fn write(world: &World, path: &str, text: &str, day: u64) {
    let path = world.path(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    std::fs::write(&path, text).expect("writes");
    // 2026-11-01 and so many days.
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_793_491_200 + day * 86_400);
    std::fs::File::options().write(true).open(&path).and_then(|f| f.set_modified(at)).expect("dates");
}

/// Returns every file below a folder with its content.
fn tree(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() && !path.is_symlink() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(root).expect("below").display().to_string();
                    found.push((name, std::fs::read_to_string(&path).unwrap_or_default()));
                }
            }
        }
    }
    found.sort();
    found
}

fn uploads() -> World {
    let world = World::new();
    write(&world, "app/uploads/same.txt", "same", 1);
    write(&world, "app/uploads/old.txt", "old", 1);
    write(&world, "app/uploads/newer.txt", "newer here", 19);
    write(&world, "app/uploads/mine.txt", "only here", 1);
    write(&world, "app/other/else.txt", "of another kind", 1);
    let files = [
        ("uploads/same.txt", "same"),
        ("uploads/old.txt", "from the backup"),
        ("uploads/newer.txt", "older there"),
        ("uploads/deep/er/new.txt", "new"),
    ];
    rayerp(&world, "erp.zip", "full", &files);
    world
}

#[test]
fn files_have_classes_are_merged_with_the_records_and_undone() {
    let world = uploads();
    let (before, records) = (tree(&world.path("app")), world.content());
    let analyzed = world.result(0, &["analyze", "erp.zip", "--files", "app"]);
    let counts = &analyzed["files"]["counts"];
    let count = |class: &str| counts[class].as_u64().expect("a count");
    assert_eq!(
        (count("new"), count("updated"), count("conflict"), count("unchanged"), count("current_only")),
        (1, 1, 1, 1, 2),
        "{counts}"
    );
    assert_eq!(tree(&world.path("app")), before, "an analysis writes nothing");
    let merge = ["merge", "erp.zip", "--files", "app", "--yes"];
    world.result(0, &[&merge[..], &["--dry-run"]].concat());
    assert_eq!(tree(&world.path("app")), before, "a dry run writes nothing");
    // A newer file is preserved under any strategy.
    let merged = world.result(0, &[&merge[..], &["--strategy", "backup-wins", "--no-preserve-newer"]].concat());
    assert_eq!((merged["files"]["written"].clone(), merged["files"]["deleted"].clone()), (3.into(), 0.into()));
    let after = tree(&world.path("app"));
    let of = |name: &str| after.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str());
    assert_eq!(of("uploads/old.txt"), Some("from the backup"));
    assert_eq!(of("uploads/newer.txt"), Some("older there"));
    assert_eq!(of("uploads/deep/er/new.txt"), Some("new"));
    assert_eq!((of("uploads/mine.txt"), after.len()), (Some("only here"), 6));
    let again = world.result(0, &["analyze", "erp.zip", "--files", "app"]);
    assert_eq!(again["files"]["counts"]["unchanged"], 4);
    // Undo gives all of it back; redo does it again.
    let undone = world.result(0, &["undo", "--yes"]);
    assert_eq!((undone["files"]["written"].clone(), undone["files"]["deleted"].clone()), (2.into(), 1.into()));
    assert_eq!((tree(&world.path("app")), world.content()), (before, records));
    world.result(0, &["redo", "--yes"]);
    assert_eq!(tree(&world.path("app")), after);
}

#[test]
fn strategies_decide_about_files_and_an_edited_one_stays() {
    let world = uploads();
    let merge = ["merge", "erp.zip", "--files", "app", "--yes"];
    let kept = world.result(0, &merge);
    assert_eq!(kept["files"]["written"], 2);
    assert_eq!(std::fs::read_to_string(world.path("app/uploads/newer.txt")).expect("reads"), "newer here");
    // What was edited since the merge is not taken back.
    std::fs::write(world.path("app/uploads/old.txt"), "edited since").expect("writes");
    let undone = world.result(0, &["undo", "--yes"]);
    assert_eq!(undone["files"]["kept"], serde_json::json!(["uploads/old.txt"]));
    assert!(!world.path("app/uploads/deep/er/new.txt").exists());
    // A person has to decide: nothing is written meanwhile.
    let before = (tree(&world.path("app")), world.content());
    let text = world.text(3, &[&merge[..], &["--strategy-for", "files=manual", "--no-preserve-newer"]].concat());
    assert!(text.contains("uploads/newer.txt"), "{text}");
    assert_eq!((tree(&world.path("app")), world.content()), before);
    let won = world.result(0, &[&merge[..], &["--strategy-for", "files=backup-wins", "--no-preserve-newer"]].concat());
    assert_eq!(won["files"]["written"], 3);
}

#[test]
fn files_go_only_where_that_was_asked_and_never_by_an_incremental_backup() {
    let world = uploads();
    rayerp(&world, "changes.zip", "incremental", &[("uploads/new.txt", "new")]);
    world.result(2, &["merge", "changes.zip", "--files", "app", "--files-mirror", "--yes"]);
    world
        .result(0, &["merge", "changes.zip", "--files", "app", "--yes", "--deletes", "mirror", "--on-blocked", "skip"]);
    assert_eq!(tree(&world.path("app")).len(), 6);
    // A strategy that only brings back deletes no file either.
    let only_back = ["--files", "app", "--files-mirror", "--strategy-for", "files=recover-deleted", "--yes"];
    let kept = world.result(0, &[&["merge", "erp.zip"][..], &only_back].concat());
    assert_eq!(kept["files"]["deleted"], 0);
    assert!(world.path("app/uploads/mine.txt").exists());
    world.result(0, &["undo", kept["merge"].as_str().expect("an id"), "--yes"]);
    let before = tree(&world.path("app"));
    let mirrored = world.result(0, &["merge", "erp.zip", "--files", "app", "--files-mirror", "--yes"]);
    assert_eq!(mirrored["files"]["deleted"], 2);
    // What is not of the kind that the backup speaks of stays.
    assert!(world.path("app/other/else.txt").exists() && !world.path("app/uploads/mine.txt").exists());
    let merge = mirrored["merge"].as_str().expect("an id").to_owned();
    world.result(0, &["undo", &merge, "--yes"]);
    assert_eq!(tree(&world.path("app")), before);
}

#[test]
fn t2_nothing_is_written_through_a_link_or_outside() {
    let world = uploads();
    std::fs::create_dir(world.path("outside")).expect("makes");
    std::fs::write(world.path("outside/victim.txt"), "as it was").expect("writes");
    std::os::unix::fs::symlink(world.path("outside"), world.path("app/uploads/link")).expect("links");
    std::os::unix::fs::symlink(world.path("outside/victim.txt"), world.path("app/uploads/one.txt")).expect("links");
    rayerp(
        &world,
        "bad.zip",
        "full",
        &[("uploads/link/victim.txt", "stolen"), ("uploads/one.txt", "stolen"), ("uploads/good.txt", "good")],
    );
    let before = world.content();
    let text = world.text(3, &["merge", "bad.zip", "--files", "app", "--yes"]);
    assert!(text.contains("link"), "{text}");
    assert_eq!(world.content(), before);
    world.result(0, &["merge", "bad.zip", "--files", "app", "--yes", "--on-blocked", "skip"]);
    assert_eq!(std::fs::read_to_string(world.path("outside/victim.txt")).expect("reads"), "as it was");
    assert_eq!(std::fs::read_dir(world.path("outside")).expect("a folder").count(), 1);
    assert_eq!(std::fs::read_to_string(world.path("app/uploads/good.txt")).expect("reads"), "good");
    rayerp(&world, "slip.zip", "full", &[("uploads/../../slipped.txt", "out")]);
    world.result(13, &["merge", "slip.zip", "--files", "app", "--yes"]);
    assert!(!world.path("slipped.txt").exists());
}

#[test]
fn a_file_that_changed_since_the_analysis_stops_the_merge() {
    let world = uploads();
    let plan = world.result(0, &["analyze", "erp.zip", "--files", "app"])["plan"].as_str().expect("a path").to_owned();
    std::fs::write(world.path("app/uploads/old.txt"), "edited").expect("writes");
    let before = (tree(&world.path("app")), world.content());
    let text = world.text(20, &["merge", &plan, "--yes"]);
    assert!(text.contains("uploads/old.txt"), "{text}");
    assert_eq!((tree(&world.path("app")), world.content()), before, "neither files nor records are written");
}

#[test]
fn baluhosts_files_are_read_from_its_archive() {
    let world = World::new();
    write(&world, "nas/docs/a.txt", "old", 1);
    let database = std::fs::read(world.path("app.db")).expect("reads");
    let file = std::fs::File::create(world.path("backup.tar.gz")).expect("makes");
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::default()));
    for (name, content) in [
        ("backup/database/baluhost.db", database.as_slice()),
        ("backup/files/docs/a.txt", b"new".as_slice()),
        ("backup/files/b.txt", b"b".as_slice()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(1_794_700_800);
        header.set_cksum();
        tar.append_data(&mut header, name, content).expect("packs");
    }
    tar.into_inner().and_then(|gzip| gzip.finish()).expect("ends");
    let merged = world.result(0, &["merge", "backup.tar.gz", "--files", "nas", "--yes"]);
    assert_eq!((merged["files"]["written"].clone(), merged["changed"].clone()), (2.into(), true.into()));
    assert_eq!(
        tree(&world.path("nas")),
        [("b.txt".to_owned(), "b".to_owned()), ("docs/a.txt".to_owned(), "new".to_owned())]
    );
    // No record was written, so the merge is known by its files alone.
    let merge = merged["merge"].as_str().expect("an id").to_owned();
    world.result(0, &["undo", &merge, "--yes"]);
    assert_eq!(tree(&world.path("nas")), [("docs/a.txt".to_owned(), "old".to_owned())]);
}

#[test]
fn a_backup_is_made_with_its_files_and_brings_them_back() {
    let world = uploads();
    let before = tree(&world.path("app"));
    for (format, name, files) in [("rayerp", "made.zip", 4), ("baluhost", "made.tar.gz", 5)] {
        let made = world.result(0, &["backup", "create", "--format", format, "-o", name, "--files", "app"]);
        assert_eq!((made["files"].clone(), made["records"].clone()), (files.into(), 6.into()), "{format}");
        let analyzed = world.result(0, &["analyze", name, "--files", "app"]);
        assert_eq!(analyzed["files"]["counts"]["unchanged"], files, "{format}");
        assert_eq!(analyzed["counts"]["unchanged"], 6, "{format}");
        std::fs::remove_dir_all(world.path("app/uploads")).expect("removes");
        let merged = world.result(0, &["merge", name, "--files", "app", "--yes"]);
        assert_eq!(merged["files"]["written"], 4, "{format}");
        assert_eq!(tree(&world.path("app")), before, "{format}");
    }
    world.result(2, &["backup", "create", "--format", "ndjson", "-o", "no.zip", "--files", "app"]);
    assert!(!world.path("no.zip").exists());
    let kept = world.result(0, &["backup", "create", "--format", "rayerp", "--files", "app"]);
    world.result(0, &["backup", "verify", kept["id"].as_str().expect("an id"), "--deep"]);
}
