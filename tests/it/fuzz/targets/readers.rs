//! Each reader by itself: what is put around the bytes takes them past the recognition of formats.

use super::{File, file, has_a_place, options, read};
use merganser::ErrorKind;
use std::io::Write;

/// Reads a file; nothing but these kinds of failure may come of it.
fn reads(name: &str, data: &[u8]) {
    let file = file(name, data);
    if let Err(error) = read(&file.1, &options()) {
        has_a_place(&error, name);
        let kinds = [ErrorKind::BackupDamaged, ErrorKind::UnknownFormat, ErrorKind::LimitReached, ErrorKind::WrongKey];
        assert!(kinds.contains(&error.kind()), "{:?}: {}", error.kind(), error.full_message());
    }
    only(&file);
}

/// Nothing but the file itself is in its folder.
fn only(file: &File) {
    let folder = file.1.parent().expect("a folder");
    let names: Vec<_> = std::fs::read_dir(folder).expect("reads").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 1, "something was written: {names:?}");
}

/// JSON documents: Smart Backup, table maps, Ghost's, Django's.
pub fn document(data: &[u8]) {
    match data.first() {
        Some(b'{' | b'[') => reads("backup.json", data),
        Some(0) => reads("backup.json", &[b"{\"tables\":[{\"tableName\":\"t\",\"records\":[", &data[1..]].concat()),
        Some(1) => reads("backup.json", &[b"[{\"model\":\"a.b\",\"pk\":", &data[1..]].concat()),
        _ => reads("backup.json", &[b"{", data].concat()),
    }
}

/// Comma-separated values and the like.
pub fn csv(data: &[u8]) {
    reads("table.csv", data);
}

/// A record a line.
pub fn ndjson(data: &[u8]) {
    reads("table.ndjson", data);
}

/// SQLite files.
pub fn database(data: &[u8]) {
    let mut data = data.to_vec();
    let magic = b"SQLite format 3\0";
    data.resize(data.len().max(magic.len()), 0);
    data[..magic.len()].copy_from_slice(magic);
    reads("backup.db", &data);
}

/// Archives whose container is sound and whose entries are not: a letter for the container, then `NAME\n` and content
/// up to the byte 255 for each entry. What is in RayERP's, Jarvis', BaluHost's and Django's archives.
pub fn archive(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let entries = data.split(|b| *b == 255).take(20).filter_map(|entry| {
        let end = entry.iter().position(|b| *b == b'\n')?;
        Some((String::from_utf8_lossy(&entry[..end.min(90)]).into_owned(), &entry[end + 1..]))
    });
    match kind % 3 {
        2 => reads("backup.tar.gz", &tarred(entries)),
        kind => reads("backup.zip", &zipped(entries, kind)),
    }
}

fn zipped<'a>(entries: impl Iterator<Item = (String, &'a [u8])>, kind: u8) -> Vec<u8> {
    let method = if kind == 0 { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        // The writer refuses a name that comes twice.
        if archive.start_file(name, options).is_ok() {
            archive.write_all(content).expect("written");
        }
    }
    archive.finish().expect("an archive").into_inner()
}

fn tarred<'a>(entries: impl Iterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        // As it is: the writer would refuse names that lead elsewhere.
        let field = &mut header.as_gnu_mut().expect("as made").name;
        let length = name.len().min(field.len());
        field[..length].copy_from_slice(&name.as_bytes()[..length]);
        header.set_cksum();
        archive.append(&header, content).expect("an entry");
    }
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive")
}

/// The headers of encrypted files, without any key at hand.
pub fn envelope(data: &[u8]) {
    let magics: [&[u8]; 3] = [b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"Salted__"];
    let Some((kind, rest)) = data.split_first() else { return };
    reads("backup.enc", &[magics[usize::from(*kind) % 3], rest].concat());
}
