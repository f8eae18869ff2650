//! What the tests share.

use std::path::PathBuf;

use mesh_core::{Error, Result};

/// The folder of the real bank files, if this run has them.
pub(crate) fn bank_files() -> Option<PathBuf> {
    match std::env::var_os("MESH_BERKA_DIR") {
        Some(dir) => {
            let dir = PathBuf::from(dir);
            assert!(
                dir.is_dir(),
                "MESH_BERKA_DIR names no folder: {}",
                dir.display()
            );
            Some(dir)
        }
        None => {
            assert!(
                std::env::var_os("CI").is_none(),
                "MESH_BERKA_DIR has to name the real bank files in CI"
            );
            eprintln!("skipped: MESH_BERKA_DIR does not name the real bank files");
            None
        }
    }
}

/// The error of `result` as the log has it.
pub(crate) fn error_text<T>(result: Result<T>) -> String {
    result.err().map(|error: Error| error.log_line()).unwrap()
}
