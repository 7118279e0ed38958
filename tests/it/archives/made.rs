//! Archives as nobody should make them.

use std::io::Write;

/// An entry of a tar archive.
#[derive(Clone, Copy)]
pub(super) enum Tar<'a> {
    /// A file with its content.
    File(&'a str, &'a [u8]),
    /// Something else, with where it leads.
    Special(tar::EntryType, &'a str, &'a str),
}

/// Makes a tar archive; names are written as they are.
pub(super) fn tar(entries: &[Tar<'_>]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        let (kind, name, link, content) = match entry {
            Tar::File(name, content) => (tar::EntryType::Regular, name, "", *content),
            Tar::Special(kind, name, link) => (*kind, name, *link, &[][..]),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        let fields = header.as_gnu_mut().expect("as made");
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        archive.append(&header, content).expect("an entry");
    }
    archive.into_inner().expect("an archive")
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compresses")
}

fn filled<W: Write + std::io::Seek>(mut writer: zip::ZipWriter<W>, files: &[(&str, &[u8])], large: bool) -> W {
    let options = zip::write::SimpleFileOptions::default().large_file(large);
    for (name, content) in files {
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(content).expect("written");
    }
    writer.finish().expect("an archive")
}

pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    filled(zip::ZipWriter::new(std::io::Cursor::new(Vec::new())), files, false).into_inner()
}

/// An archive whose entries have 64-bit sizes.
pub(super) fn zip64(name: &str, content: &[u8]) -> Vec<u8> {
    filled(zip::ZipWriter::new(std::io::Cursor::new(Vec::new())), &[(name, content)], true).into_inner()
}

/// An archive as it is written to a pipe: sizes and sums stand behind the entries only.
pub(super) fn streamed(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
    writer.write_all(content).expect("written");
    writer.finish().expect("an archive").into_inner()
}

/// Where the n-th entry of the directory begins.
pub(super) fn central(archive: &[u8], n: usize) -> usize {
    memchr::memmem::find_iter(archive, b"PK\x01\x02").nth(n).expect("an entry of the directory")
}

/// Puts a name in the place of another one of the same length, everywhere.
pub(super) fn put(archive: &[u8], name: &str, other: &str) -> Vec<u8> {
    assert_eq!(name.len(), other.len());
    let mut bytes = archive.to_vec();
    for at in memchr::memmem::find_iter(archive, name) {
        bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
    }
    bytes
}
