//! What the tests share.

use std::path::PathBuf;

use ads::declared::Declared;
use ads::form::Reported;
use ads::repair::{DELIVERED, Repairs};
use ads::replay::rows;
use ads::report::{FILE, lines};
use mesh_core::{Error, Result};

/// The folder of the advertising report, if this run has it.
pub(crate) fn report_folder() -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("MESH_SHARED") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_SHARED has to name the folder with the advertising report in CI"
        );
        eprintln!("skipped: MESH_SHARED is not set; name the folder that holds data/facebook-ads");
        return None;
    };
    let folder = PathBuf::from(shared).join("data/facebook-ads");
    let there = folder.join(FILE).is_file();
    assert!(there, "no report in {}", folder.display());
    Some(folder)
}

/// The repairs that are delivered.
pub(crate) fn delivered() -> Repairs {
    Repairs::read(&Declared::new("repairs/report.toml", DELIVERED)).unwrap()
}

/// The sound rows of the report in the order in which it is read, and how many are left aside.
pub(crate) fn reported(repairs: Option<&Repairs>) -> Option<(Vec<Reported>, usize)> {
    let bytes = std::fs::read(report_folder()?.join(FILE)).unwrap();
    Some(rows(&lines(FILE, &bytes).unwrap(), repairs))
}

/// The error of `result` as the log has it.
pub(crate) fn error_text<T>(result: Result<T>) -> String {
    result.err().map(|error: Error| error.log_line()).unwrap()
}
