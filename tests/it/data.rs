//! Real data made by others: the folder that `MERGANSER_TEST_DATA` names, else `../shared/data` beside the repository.
//!
//! It is too large for the repository, and what it shows is shown in small by tests with data of their own. The tests that
//! need it are called `real_data_…`: `tests/run.sh` leaves them out by that name, and says so, where the data is not there;
//! started otherwise they fail there, so that none passes without having looked.

use std::path::PathBuf;

/// Returns the path of a file or folder of the real data.
pub fn real(name: &str) -> PathBuf {
    let folder = match std::env::var_os("MERGANSER_TEST_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is not there: name the folder of the real data in MERGANSER_TEST_DATA, or leave these tests out with \
         tests/run.sh or cargo test -- --skip real_data_",
        path.display()
    );
    path
}
