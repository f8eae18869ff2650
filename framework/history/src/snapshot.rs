//! What a reader of a table is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::stats::ColumnStats;
use crate::value::Value;

/// Which state of a table is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The last commit.
    Latest,
    /// What was committed at an instant. Commits follow publication by up to a minute; for
    /// what was published by an instant, take the latest and the rows whose `_timestamp` is
    /// not after it.
    Time(DateTime<Utc>),
    /// A version of the table.
    Version(u64),
}

/// Offsets of one partition, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The partition.
    #[serde(rename = "p")]
    pub partition: i32,
    /// The first offset.
    #[serde(rename = "f")]
    pub first: i64,
    /// The last offset.
    #[serde(rename = "l")]
    pub last: i64,
}

/// Records of a topic that are not in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Where they stood. Within the range there may be records that are in the table.
    #[serde(flatten)]
    pub range: OffsetRange,
    /// How many they are; for missing ones how many offsets.
    #[serde(rename = "n")]
    pub count: u64,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Its path in the snapshot's store.
    pub path: Path,
    /// Its bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// For each partition that it has rows of, their offsets; rows of other files may stand
    /// between. `None` if the file was written by another program: then any.
    pub offsets: Option<Vec<OffsetRange>>,
    /// What is known of its columns, also `_partition`, `_offset` and `_timestamp`.
    pub columns: BTreeMap<String, ColumnStats>,
    /// The columns that its rows are sorted by.
    pub(crate) order: Option<String>,
}

/// A range of values of a column, both ends included; an end that is `None` is open. Nulls
/// are in no range.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRange {
    /// The column.
    pub column: String,
    /// The least value.
    pub min: Option<Value>,
    /// The greatest value.
    pub max: Option<Value>,
}

impl DataFile {
    /// Whether a row of it may have `range`'s column in the range. Values of another type
    /// than the column's leave it possible.
    pub fn may_match(&self, range: &ColumnRange) -> bool {
        let Some(stats) = self.columns.get(&range.column) else {
            return true;
        };
        if stats.nulls == Some(self.rows) {
            return false;
        }
        let less =
            |a: &Option<Value>, b: &Option<Value>| matches!((a, b), (Some(a), Some(b)) if a < b);
        !less(&stats.max, &range.min) && !less(&range.max, &stats.min)
    }
}

/// A state of a table: the files and what they reach up to.
#[derive(Clone)]
pub struct HistorySnapshot {
    /// The table's version.
    pub version: u64,
    /// When it was committed.
    pub committed: DateTime<Utc>,
    /// For each partition the offset from which on the topic has what is not here; rising.
    pub ends: Vec<(i32, i64)>,
    /// The files; all of the state's rows and no others.
    pub files: Arc<Vec<Arc<DataFile>>>,
    /// The columns of the table. A file may lack one that came later: it is null there.
    pub schema: SchemaRef,
    /// The store in which the files' paths are.
    pub store: Arc<dyn ObjectStore>,
    /// The table's address, for other Delta readers.
    pub url: Url,
    /// The records that could not be read: who reads must skip them knowingly, or fail.
    pub unreadable: Vec<Absent>,
    /// The records that the topic had lost before they were written here.
    pub missing: Vec<Absent>,
}

impl std::fmt::Debug for HistorySnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistorySnapshot")
            .field("url", &self.url.as_str())
            .field("version", &self.version)
            .field("ends", &self.ends)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl HistorySnapshot {
    /// The files that may hold a row in all of `ranges`.
    pub fn files_matching(&self, ranges: &[ColumnRange]) -> Vec<Arc<DataFile>> {
        self.files
            .iter()
            .filter(|file| ranges.iter().all(|range| file.may_match(range)))
            .map(Arc::clone)
            .collect()
    }

    /// The rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
