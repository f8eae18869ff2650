//! Whether files have changed since they were read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes when a file is written or replaced: its number, its length and its times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<(u64, u64, i64, i64, i64)>>);

impl Stamp {
    /// The stamp of these files now; one that cannot be looked at counts as missing.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let stamp = |path: &Path| {
            let data = fs::metadata(path).ok()?;
            // The time of the last change of its entry tells two writes in one tick of the
            // clock apart where the file was replaced; a new number does otherwise.
            Some((
                data.ino(),
                data.len(),
                data.mtime(),
                data.mtime_nsec(),
                data.ctime_nsec(),
            ))
        };
        Self(paths.into_iter().map(stamp).collect())
    }
}
