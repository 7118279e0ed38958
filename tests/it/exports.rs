//! Every file of the real exports: inspected, restored into a database made for it, and found unchanged there.

use crate::data::real;
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::backup::{ReadOptions, inspect};
use merganser::restore::{Request, create};
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("LICENSE")) {
            found.push(path);
        }
    }
}

fn check(path: &Path) {
    let world = World::new("");
    let read = ReadOptions::default();
    let inspection = inspect(path, &read).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
    std::fs::remove_file(world.path("current.db")).expect("removes");
    let into = world.path("current.db");
    let restored = create(&Request { backup: path, into: &into, read: &read })
        .unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
    let again = create(&Request { backup: path, into: &into, read: &read }).expect_err("is there already");
    assert_eq!(again.kind(), merganser::ErrorKind::Usage);
    let records: u64 = restored.tables.iter().map(|table| table.records).sum();
    assert_eq!(records, inspection.records, "{}", path.display());
    let (plan, _) = world
        .analyze(path.to_str().expect("a path"), None, "backup-wins", Options::default())
        .unwrap_or_else(|e| panic!("{}: {e:?} {:?}", path.display(), e.detail_lines()));
    assert_eq!(listed(&plan), [""; 0], "{}", path.display());
    let counts = plan.meta().counts();
    assert_eq!(counts.backup_records(), inspection.records, "{}", path.display());
    assert_eq!(counts.unchanged + counts.excluded, inspection.records, "{}", path.display());
}

#[test]
fn real_data_every_export_is_inspected_restored_and_found_unchanged() {
    let folder = real("exports");
    let mut found = Vec::new();
    files(&folder, &mut found);
    found.sort();
    assert!(found.len() >= 18, "{found:?}");
    found.iter().for_each(|path| check(path));
}

#[test]
fn a_smart_backup_is_restored_with_the_key_it_claims() {
    let world = World::new("");
    let text = r#"{"tables":[{"tableName":"Order","records":[{"code":"a","n":1,"doc":{"x":1},"at":"2024-01-02T03:04:05Z"},
        {"code":"b","n":12345678901234567890,"doc":null}],"primaryKey":"code"}],"metadata":{"version":"1.0"}}"#;
    let path = world.file("b.json", text);
    std::fs::remove_file(world.path("current.db")).expect("removes");
    let into = world.path("current.db");
    let restored = create(&Request { backup: &path, into: &into, read: &ReadOptions::default() }).expect("restores");
    assert_eq!(restored.tables[0].records, 2);
    assert_eq!(world.value("SELECT n FROM \"Order\" WHERE code = 'b'"), "12345678901234567890");
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), [""; 0]);
    assert_eq!(plan.meta().counts().unchanged, 2);
}

/// The same in small, with data of our own: each form of export that the real ones have.
#[test]
fn every_form_of_export_is_inspected_restored_and_found_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = r#"[{"model":"core.child","pk":1,"fields":{"name":"Ä","born":"2024-02-29","weight":"3.20","at":"2024-01-02T03:04:05.678Z"}},
        {"model":"core.child","pk":2,"fields":{"name":"b","born":null,"weight":null,"at":null}},
        {"model":"core.tag","pk":"x-1","fields":{"label":"t","active":true}}]"#;
    let envelope = r#"{"db":[{"meta":{"exported_on":1389964800000,"version":"5"},"data":{
        "posts":[{"id":1,"title":"one","published_at":1388318311015}],"tags":[{"id":9,"name":"n","slug":null}],"posts_tags":[{"id":1,"post_id":1,"tag_id":9}]}}]}"#;
    let smart = r#"{"tables":[{"tableName":"User","records":[{"id":1,"email":"a@x","n":9007199254740993}]}],"metadata":{"version":"1.0"}}"#;
    let mut zipped = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zipped.start_file("fixture.json", zip::write::SimpleFileOptions::default()).expect("starts");
    std::io::Write::write_all(&mut zipped, fixture.as_bytes()).expect("writes");
    let zipped = zipped.finish().expect("ends").into_inner();
    let files: [(&str, &[u8]); 4] = [
        ("fixture.json", fixture.as_bytes()),
        ("export.json", envelope.as_bytes()),
        ("smart.json", smart.as_bytes()),
        ("fixture.zip", &zipped),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        check(&path);
    }
}
