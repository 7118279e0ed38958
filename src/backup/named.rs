//! The file's name in front of what is wrong with a backup, whichever reader finds it: who reads the message may have
//! given two backups, or a folder of them.

use super::{Format, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A reader whose errors name the file.
pub(super) struct Named {
    inner: Box<dyn Reader>,
    path: PathBuf,
}

impl Named {
    /// Puts itself before a reader.
    pub(super) fn over(inner: Box<dyn Reader>, path: &Path) -> Box<dyn Reader> {
        Box::new(Self { inner, path: path.to_owned() })
    }
}

/// What a sink returns is nothing of the file's, unless it says so by its kind.
fn named(path: &Path, error: Error) -> Error {
    if error.is_of_backup() { error.at(path.display()) } else { error }
}

impl Reader for Named {
    fn format(&self) -> Format {
        self.inner.format()
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.inner.next_table().map_err(|error| named(&self.path, error))
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        self.inner.read_records(sink).map_err(|error| named(&self.path, error))
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let Self { inner, path } = *self;
        inner.finish().map_err(|error| named(&path, error))
    }
}
