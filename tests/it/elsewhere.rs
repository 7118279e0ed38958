//! Backups whose files are kept elsewhere: the same life as of those in the data folder. The place is a folder by default;
//! `MERGANSER_TEST_STORAGE=s3://bucket/folder` (with `AWS_…` variables) runs the same against a real server.

use crate::world::World;
use merganser::ErrorKind;
use merganser::backup::{Sealing, Secret};
use merganser::catalog::make::Create;
use merganser::catalog::storage::Storage;
use merganser::catalog::verify::Depth;
use merganser::catalog::{Catalog, Entry};
use merganser::progress::Quiet;

const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob');";

/// Opens the place, with its folder where it is one.
fn place(world: &World) -> Storage {
    let url = std::env::var("MERGANSER_TEST_STORAGE");
    let url = url.unwrap_or_else(|_| format!("file://{}", world.path("elsewhere").display()));
    Storage::open(&url).expect("opens")
}

fn name(entry: &Entry) -> String {
    format!("{}-{}", entry.id, entry.file)
}

#[test]
fn a_backup_lives_elsewhere_as_it_does_here() {
    let world = World::new(PEOPLE);
    let storage = place(&world);
    let mut catalog = Catalog::open(&world.home).expect("opens");
    let (made, _) = catalog.create(&mut world.database(), &Create::default(), &Quiet).expect("makes");
    let made = catalog.keep_at(&made, &storage, &Quiet).expect("moves");
    assert!(!catalog.path(&made).exists(), "it is no longer here");
    assert_eq!(storage.size(&name(&made)).expect("asks"), Some(made.size_bytes));
    assert_eq!(catalog.find(&made.id).expect("is listed"), made);
    // Each depth reads it there, and leaves nothing here.
    for depth in [Depth::Digest, Depth::Deep, Depth::RestoreTest] {
        let checked = catalog.verify(&made, depth, &Quiet).unwrap_or_else(|e| panic!("{depth:?}: {e:?}"));
        assert_eq!(checked.verified.expect("was checked").1, depth);
        assert!(!catalog.path(&made).exists(), "{depth:?}");
    }
    catalog.export(&made, &world.path("out.json.zst")).expect("exports");
    assert_eq!(merganser::backup::digest(&world.path("out.json.zst")).expect("digests").0, made.digest);
    let restored = world.path("restored.db");
    catalog.restore(&made, &restored, &Default::default(), &Quiet).expect("restores");
    // A second one builds on it, wherever it is.
    let (next, _) = catalog
        .create_since(&made, &mut world.database(), &Create::default(), &Quiet)
        .expect("makes an incremental one");
    let next = catalog.keep_at(&next, &storage, &Quiet).expect("moves");
    catalog.verify(&next, Depth::RestoreTest, &Quiet).expect("is sound with what it builds on");
    assert_eq!(catalog.remove(&made).expect_err("is needed").kind(), ErrorKind::Usage);
    catalog.verify(&made, Depth::Digest, &Quiet).expect("is sound");
    // Changed elsewhere: found out, and nothing comes here.
    std::fs::write(world.path("other"), b"something else").expect("written");
    storage.upload(&world.path("other"), &name(&next), &Quiet).expect("uploads");
    assert_eq!(catalog.verify(&next, Depth::Digest, &Quiet).expect_err("differs").kind(), ErrorKind::BackupDamaged);
    assert!(!catalog.path(&next).exists());
    storage.remove(&name(&next)).expect("removes");
    assert_eq!(catalog.verify(&next, Depth::Digest, &Quiet).expect_err("is gone").kind(), ErrorKind::BackupNotFound);
}

#[test]
fn what_is_forgotten_goes_elsewhere_too() {
    let world = World::new(PEOPLE);
    let storage = place(&world);
    let mut catalog = Catalog::open(&world.home).expect("opens");
    let sealing = Sealing::Cbc(Secret::from_text("hunter2".to_owned()));
    let request = Create { sealing: Some(&sealing), ..Create::default() };
    let made: Vec<Entry> = (0..2)
        .map(|_| {
            let (made, _) = catalog.create(&mut world.database(), &request, &Quiet).expect("makes");
            catalog.keep_at(&made, &storage, &Quiet).expect("moves")
        })
        .collect();
    let beside = |entry: &Entry| storage.size(&format!("{}.hmac", name(entry))).expect("asks");
    assert!(made.iter().all(|entry| beside(entry).is_some()), "what vouches for it goes along");
    catalog.remove(&made[0]).expect("removes");
    assert_eq!((storage.size(&name(&made[0])).expect("asks"), beside(&made[0])), (None, None));
    assert!(storage.size(&name(&made[1])).expect("asks").is_some());
    catalog.remove(&made[1]).expect("removes");
}
