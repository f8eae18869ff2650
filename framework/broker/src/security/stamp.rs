//! Whether files have changed since they were read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes when a file is written or replaced: its number, its length and its times.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<Entry>>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    number: u64,
    len: u64,
    modified: (i64, i64),
    /// Also changes when somebody sets the time of the last write back.
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of these files now; one that cannot be looked at counts as missing.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let stamp = |path: &Path| {
            let data = fs::metadata(path).ok()?;
            Some(Entry {
                number: data.ino(),
                len: data.len(),
                modified: (data.mtime(), data.mtime_nsec()),
                changed: (data.ctime(), data.ctime_nsec()),
            })
        };
        Self(paths.into_iter().map(stamp).collect())
    }
}
