//! Where backups are kept elsewhere than in the data folder: S3 and what speaks like it, Azure, Google Cloud, another folder.
//!
//! A place is a URL: `s3://bucket/folder`, `az://container/folder`, `gs://bucket/folder`, `file:///folder`. Credentials come
//! from the usual variables (`AWS_…`, `AZURE_…`, `GOOGLE_…`), never from the URL. A file appears under its name when it is
//! there whole: a small one goes in one call, a large one in parts that only the last call makes one.

use super::{Catalog, Entry};
use crate::backup::{AtomicFile, hmac_file};
use crate::error::{Error, Result, fail};
use crate::progress::{Progress, Quiet};
use futures_util::StreamExt;
use object_store::path::Path as Place;
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme, WriteMultipart};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;
use url::Url;

/// Bytes of a part: the least that S3 takes is 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at a time.
const PARTS: usize = 2;

/// A place for backups that was opened.
///
/// Its methods wait for the network: a server calls them on threads made for blocking.
pub struct Storage {
    url: String,
    store: Arc<dyn ObjectStore>,
    folder: Place,
    runtime: Runtime,
}

impl Storage {
    /// Opens a place by its URL.
    ///
    /// # Errors
    /// `Usage` for a URL of no known kind, or one that holds a secret; `Failed` when credentials don't make sense.
    pub fn open(url: &str) -> Result<Self> {
        ready_tls();
        let parsed = Url::parse(url).map_err(|e| {
            fail!(Usage, "the storage is no URL").because(e).hint("Write s3://bucket/folder, for example.")
        })?;
        if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() {
            return Err(fail!(Usage, "the URL of a storage holds no credentials and no options").hint(
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the provider uses, in the environment.",
            ));
        }
        let failed = |e: object_store::Error| fail!(Failed, "the storage {url} can't be used").because(e);
        let scheme = ObjectStoreScheme::parse(&parsed).map(|(scheme, _)| scheme);
        let (store, folder) = match scheme {
            Ok(ObjectStoreScheme::Local) => {
                let folder = parsed.to_file_path().map_err(|()| fail!(Usage, "{url} is no folder of this machine"))?;
                std::fs::create_dir_all(&folder)?;
                let store = object_store::local::LocalFileSystem::new_with_prefix(folder).map_err(failed)?;
                (Box::new(store.with_fsync(true)) as Box<dyn ObjectStore>, Place::default())
            }
            Ok(
                ObjectStoreScheme::AmazonS3 | ObjectStoreScheme::MicrosoftAzure | ObjectStoreScheme::GoogleCloudStorage,
            ) => {
                let options = std::env::vars().filter_map(|(name, value)| {
                    let provider = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
                    provider.then(|| (name.to_ascii_lowercase(), value))
                });
                object_store::parse_url_opts(&parsed, options).map_err(failed)?
            }
            _ => {
                return Err(fail!(Usage, "{url} is no storage that is known")
                    .hint("Known are s3://, az://, gs:// and file:///."));
            }
        };
        Self::new(url, store.into(), folder)
    }

    fn new(url: &str, store: Arc<dyn ObjectStore>, folder: Place) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { url: url.to_owned(), store, folder, runtime })
    }

    /// Returns its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn place(&self, name: &str) -> Place {
        self.folder.clone().join(name)
    }

    fn failed(&self, what: &str, name: &str) -> impl Fn(object_store::Error) -> Error {
        let (what, place) = (what.to_owned(), format!("{name} in {}", self.url));
        move |error| match error {
            object_store::Error::NotFound { .. } => fail!(BackupNotFound, "there is no {place}").because(error),
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                fail!(Failed, "{what} {place} is not allowed")
                    .because(error)
                    .hint("Look at the credentials in the environment.")
            }
            _ => fail!(Failed, "{what} {place} failed").because(error),
        }
    }

    /// Uploads a file; it appears under its name when it is there whole.
    ///
    /// # Errors
    /// `Failed`; nothing is there then.
    pub fn upload(&self, file: &Path, name: &str, progress: &dyn Progress) -> Result<()> {
        let mut file = std::fs::File::open(file)?;
        let total = file.metadata()?.len();
        let failed = self.failed("writing", name);
        if total <= PART_BYTES as u64 {
            let mut content = Vec::new();
            file.take(PART_BYTES as u64).read_to_end(&mut content)?;
            self.runtime.block_on(self.store.put(&self.place(name), content.into())).map_err(&failed)?;
            progress.advance(name, total, Some(total));
            return self.is_there(name, total);
        }
        self.runtime.block_on(async {
            let upload = self.store.put_multipart(&self.place(name)).await.map_err(&failed)?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            let mut buffer = vec![0; 1 << 20];
            let mut done = 0;
            let sent: Result<()> = async {
                loop {
                    let count = file.read(&mut buffer)?;
                    if count == 0 {
                        return Ok(());
                    }
                    progress.go_on()?;
                    upload.wait_for_capacity(PARTS).await.map_err(&failed)?;
                    upload.write(&buffer[..count]);
                    done += count as u64;
                    progress.advance(name, done, Some(total));
                }
            }
            .await;
            match sent {
                Ok(()) => upload.finish().await.map(|_| ()).map_err(&failed),
                Err(error) => {
                    // Parts that nobody joins cost money; the cause is what gets reported.
                    let _ = upload.abort().await;
                    Err(error)
                }
            }
        })?;
        self.is_there(name, total)
    }

    /// Checks that what was uploaded has the size that it should have.
    fn is_there(&self, name: &str, total: u64) -> Result<()> {
        match self.size(name)? {
            Some(size) if size == total => Ok(()),
            found => Err(fail!(Failed, "{name} in {} has {found:?} bytes instead of {total}", self.url)),
        }
    }

    /// Downloads a file and returns the BLAKE3 of what came, 64 hexadecimal digits.
    ///
    /// # Errors
    /// `BackupNotFound`, `Failed`, `OutOfSpace`.
    pub fn download(&self, name: &str, to: &mut dyn Write, progress: &dyn Progress) -> Result<String> {
        let failed = self.failed("reading", name);
        self.runtime.block_on(async {
            let found = self.store.get(&self.place(name)).await.map_err(&failed)?;
            let total = found.meta.size;
            let mut stream = found.into_stream();
            let (mut hasher, mut done) = (blake3::Hasher::new(), 0);
            while let Some(bytes) = stream.next().await {
                let bytes = bytes.map_err(&failed)?;
                progress.go_on()?;
                hasher.update(&bytes);
                to.write_all(&bytes)?;
                done += bytes.len() as u64;
                progress.advance(name, done, Some(total));
            }
            Ok(hasher.finalize().to_hex().to_string())
        })
    }

    /// Returns the size of a file; none when it isn't there.
    ///
    /// # Errors
    /// `Failed`.
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        match self.runtime.block_on(self.store.head(&self.place(name))) {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("looking for", name)(error)),
        }
    }

    /// Removes a file; one that isn't there is no error.
    ///
    /// # Errors
    /// `Failed`.
    pub fn remove(&self, name: &str) -> Result<()> {
        match self.runtime.block_on(self.store.delete(&self.place(name))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("removing", name)(error)),
        }
    }
}

impl Catalog {
    /// Moves a backup's file to a place elsewhere, once it is there whole.
    ///
    /// # Errors
    /// `BackupDamaged` for a file that is not what it was; `Failed`: the file stays here then.
    pub fn keep_at(&mut self, entry: &Entry, storage: &Storage, progress: &dyn Progress) -> Result<Entry> {
        self.sound(entry)?;
        let path = self.path(entry);
        // Names are distinct here, but other data folders may use the same place.
        let name = format!("{}-{}", entry.id, entry.file);
        let hmac = hmac_file(&path);
        if hmac.exists() {
            storage.upload(&hmac, &format!("{name}.hmac"), progress)?;
        }
        storage.upload(&path, &name, progress)?;
        let moved = Entry { storage: Some(storage.url().to_owned()), ..entry.clone() };
        self.update(&moved)?;
        self.release(&moved)?;
        Ok(moved)
    }

    /// Makes sure that a backup's file is here, too, as long as something reads it.
    ///
    /// # Errors
    /// As [`Storage::download`]; `BackupDamaged` when it is not what was kept.
    pub fn fetch(&self, entry: &Entry, progress: &dyn Progress) -> Result<()> {
        match self.path(entry).exists() {
            true => Ok(()),
            false => self.download(entry, progress),
        }
    }

    /// Returns a backup's file, brought here where it is kept elsewhere.
    ///
    /// # Errors
    /// As [`Catalog::fetch`].
    pub fn file(&self, entry: &Entry) -> Result<PathBuf> {
        self.fetch(entry, &Quiet)?;
        Ok(self.path(entry))
    }

    /// Brings a backup's file here anew; nothing for one that is kept here.
    ///
    /// # Errors
    /// As [`Catalog::fetch`].
    pub(super) fn download(&self, entry: &Entry, progress: &dyn Progress) -> Result<()> {
        let Some(url) = &entry.storage else { return Ok(()) };
        let storage = Storage::open(url)?;
        let (path, name) = (self.path(entry), format!("{}-{}", entry.id, entry.file));
        if entry.encryption.as_deref() == Some("aes-256-cbc") && storage.size(&format!("{name}.hmac"))?.is_some() {
            let mut file = AtomicFile::create(&hmac_file(&path))?;
            storage.download(&format!("{name}.hmac"), &mut file, progress)?;
            file.commit()?;
        }
        let mut file = AtomicFile::create(&path)?;
        if storage.download(&name, &mut file, progress)? != entry.digest {
            return Err(fail!(BackupDamaged, "the file of {} in {url} is not what it was", entry.name)
                .hint("It was changed or damaged since it was kept; get another copy, or remove it."));
        }
        file.commit()
    }

    /// Removes the copy of a file that is kept elsewhere, unless a plan or a merge names it.
    pub(super) fn release(&self, entry: &Entry) -> Result<()> {
        if entry.storage.is_none() || self.needed()?.iter().any(|(file, _)| *file == self.place(entry)) {
            return Ok(());
        }
        self.remove_here(entry)
    }

    /// Removes a backup's file from where it is kept elsewhere.
    pub(super) fn remove_elsewhere(&self, entry: &Entry) -> Result<()> {
        let Some(url) = &entry.storage else { return Ok(()) };
        let storage = Storage::open(url)?;
        let name = format!("{}-{}", entry.id, entry.file);
        storage.remove(&format!("{name}.hmac"))?;
        storage.remove(&name)
    }
}

/// Chooses the cryptography of TLS for the whole process; whoever comes first does.
pub(crate) fn ready_tls() {
    // That one was chosen before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn walk(storage: &Storage, bytes: usize) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let content: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
        std::fs::write(&file, &content).unwrap();
        assert_eq!(storage.size("a.json").unwrap(), None);
        storage.upload(&file, "a.json", &Quiet).unwrap();
        assert_eq!(storage.size("a.json").unwrap(), Some(bytes as u64));
        let mut back = Vec::new();
        let digest = storage.download("a.json", &mut back, &Quiet).unwrap();
        assert!(back == content && digest == blake3::hash(&content).to_hex().to_string());
        storage.remove("a.json").unwrap();
        storage.remove("a.json").unwrap();
        assert_eq!(storage.download("a.json", &mut back, &Quiet).unwrap_err().kind(), ErrorKind::BackupNotFound);
    }

    #[test]
    fn a_file_goes_there_and_comes_back() {
        let memory = Arc::new(object_store::memory::InMemory::new());
        walk(&Storage::new("memory:///", memory, Place::from("kept")).unwrap(), 20 << 20);
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap();
        walk(&Storage::open(url.as_str()).unwrap(), 3 << 20);
        walk(&Storage::open(url.as_str()).unwrap(), 0);
    }

    #[test]
    fn an_upload_that_stops_leaves_nothing() {
        struct Stopping;
        impl Progress for Stopping {
            fn phase(&self, _: crate::progress::Phase) {}

            fn advance(&self, _: &str, _: u64, _: Option<u64>) {}

            fn stop(&self) -> Option<ErrorKind> {
                Some(ErrorKind::Interrupted)
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        std::fs::write(&file, vec![1; 20 << 20]).unwrap();
        let kept = folder.path().join("kept");
        let storage = Storage::open(Url::from_directory_path(&kept).unwrap().as_str()).unwrap();
        assert_eq!(storage.upload(&file, "a.json", &Stopping).unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(storage.size("a.json").unwrap(), None);
        assert_eq!(std::fs::read_dir(kept).unwrap().count(), 0);
    }

    #[test]
    fn urls_of_no_storage_or_with_secrets_are_refused() {
        for url in ["ftp://x/y", "backups", "s3://key:secret@bucket/x", "s3://bucket/x?token=1", "http://x/y"] {
            let error = Storage::open(url).err().expect(url);
            assert_eq!(error.kind(), ErrorKind::Usage, "{url}");
            assert!(!error.full_message().contains("secret"), "{error:?}");
        }
    }
}
