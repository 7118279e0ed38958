//! Real data made by others: the folder that `MERGANSER_TEST_DATA` names, else `../shared/data` beside the repository.
//!
//! It is too large for the repository; tests that need it pass without looking where it is not there.

use std::path::PathBuf;

/// Returns the path of a file or folder of the real data, where there is any.
pub fn real(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("MERGANSER_TEST_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let path = folder.join(name);
    path.exists().then_some(path)
}
