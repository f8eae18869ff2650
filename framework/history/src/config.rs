//! How the history is kept.

use std::collections::BTreeMap;
use std::time::Duration;

const MIB: usize = 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the tables are and how they are written.
#[derive(Clone)]
pub struct HistoryConfig {
    /// A directory, or the URL of a place in an object store (`s3://`, `gs://`, `az://`).
    pub location: String,
    /// Settings of the object store by the names of its environment variables, such as
    /// `aws_endpoint`; they win over the environment.
    pub options: BTreeMap<String, String>,
    /// How large a file of a table shall be, in bytes.
    pub file_bytes: u64,
    /// How many rows of a topic may wait until they are committed.
    pub commit_rows: u64,
    /// How long a row may wait until it is committed.
    pub commit_age: Duration,
    /// Between two looks at the topics.
    pub poll: Duration,
    /// Bytes of decoded rows that are sorted at a time; about three times as much is used.
    pub buffer_bytes: usize,
    /// Rows of a row group.
    pub row_group_rows: usize,
    /// Between two rounds of compaction, retention and clean-up.
    pub maintain_every: Duration,
    /// How many files are merged at a time.
    pub merge_files: usize,
    /// How long files stay that are no longer part of a table: as long as a query may run,
    /// and as far as one may go back to a version.
    pub grace: Duration,
    /// How much longer than the contract says a row may stay, so that a file is not written
    /// anew for every row that expires.
    pub slack: Duration,
    /// Commits from one checkpoint of the table's log to the next.
    pub checkpoint_every: u64,
}

impl HistoryConfig {
    /// The defaults, at `location`.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            options: BTreeMap::new(),
            file_bytes: 128 * MIB as u64,
            commit_rows: 1_000_000,
            commit_age: Duration::from_secs(60),
            poll: Duration::from_secs(5),
            buffer_bytes: 48 * MIB,
            row_group_rows: 64 * 1024,
            maintain_every: Duration::from_secs(300),
            merge_files: 16,
            grace: 7 * DAY,
            slack: DAY,
            checkpoint_every: 50,
        }
    }
}

impl std::fmt::Debug for HistoryConfig {
    /// Without the options, which may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryConfig")
            .field("location", &self.location)
            .field("file_bytes", &self.file_bytes)
            .field("commit_age", &self.commit_age)
            .finish_non_exhaustive()
    }
}
