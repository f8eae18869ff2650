//! What the tests share.

use std::path::PathBuf;

use mesh_core::{Error, Result};
use recommendation::csv_file::CsvFile;

/// The folder of the real ratings, if this run has it.
pub(crate) fn movielens() -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("MESH_SHARED") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_SHARED has to name the folder with the data in CI"
        );
        eprintln!("skipped: MESH_SHARED does not name a folder with data/movielens-latest-small");
        return None;
    };
    let folder = PathBuf::from(shared).join("data/movielens-latest-small");
    assert!(folder.is_dir(), "not there: {}", folder.display());
    Some(folder)
}

/// A file in memory.
pub(crate) fn file(name: &str, text: &str, columns: &[&'static str]) -> Result<CsvFile> {
    let bytes = Box::new(std::io::Cursor::new(text.to_owned()));
    CsvFile::read(name, bytes, columns)
}

/// The error of `result` as the log has it.
pub(crate) fn error_text<T>(result: Result<T>) -> String {
    result.err().map(|error: Error| error.log_line()).unwrap()
}
