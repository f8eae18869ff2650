//! What a table's log says, replayed (Delta's protocol, "Action Reconciliation").

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use deltalake_core::kernel::{Add, Remove, Transaction};
use mesh_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::fault::foreign;
use crate::place::Place;
use crate::schema::from_delta;
use crate::snapshot::{Absent, DataFile, HistorySnapshot, OffsetRange};
use crate::stats;

/// Tag of a file: the offsets of its rows by partition.
pub(crate) const TAG_OFFSETS: &str = "mesh.offsets";
/// Tag of a file: the columns that its rows are sorted by.
pub(crate) const TAG_ORDER: &str = "mesh.order";
/// Property of a table: the topic it is written from.
pub(crate) const TOPIC: &str = "mesh.topic";
/// Property: the id that the cluster gave the topic.
pub(crate) const TOPIC_ID: &str = "mesh.topicId";
/// Property: the version of the contract that the columns follow.
pub(crate) const CONTRACT: &str = "mesh.contract";
/// Property: the columns that new files are sorted by.
pub(crate) const ORDER: &str = "mesh.order";
/// Property: the records that could not be read.
pub(crate) const UNREADABLE: &str = "mesh.unreadable";
/// Property: the records that the topic had lost before.
pub(crate) const MISSING: &str = "mesh.missing";

/// A table's metadata as its log has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) format: Json,
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_time: Option<i64>,
}

impl Metadata {
    /// Tells `absent` under `property`.
    pub(crate) fn tell(&mut self, property: &'static str, absent: &[Absent]) -> Result<()> {
        let text = serde_json::to_string(absent)
            .map_err(|error| Error::internal("absent records have no text").because(error))?;
        self.configuration.insert(property.to_owned(), text);
        Ok(())
    }
}

/// A table's protocol as its log has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    min_reader_version: i64,
    #[serde(default)]
    reader_features: Option<Vec<String>>,
}

impl Protocol {
    /// # Errors
    /// If files may stand for other rows than are in them.
    pub(crate) fn check(&self) -> Result<()> {
        let features = self.reader_features.as_ref();
        if self.min_reader_version == 1 || features.is_some_and(Vec::is_empty) {
            return Ok(());
        }
        Err(
            foreign("the table uses features of Delta Lake that are not read here")
                .with("reader", self.min_reader_version),
        )
    }
}

/// A line of a commit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Transaction>,
    meta_data: Option<Metadata>,
    protocol: Option<Protocol>,
    commit_info: Option<Json>,
}

/// A commit, read.
#[derive(Default)]
pub(crate) struct Commit {
    lines: Vec<Line>,
}

impl Commit {
    pub(crate) fn parse(version: u64, bytes: &[u8]) -> Result<Self> {
        let lines = serde_json::Deserializer::from_slice(bytes).into_iter::<Line>();
        let lines = lines.collect::<Result<_, _>>().map_err(|error| {
            foreign("a commit of the table cannot be read")
                .with("version", version)
                // Where, not what: the text may hold a value of statistics.
                .detail(format!("line {}, column {}", error.line(), error.column()))
        })?;
        Ok(Self { lines })
    }

    fn info(&self) -> Option<&Json> {
        self.lines.iter().find_map(|line| line.commit_info.as_ref())
    }

    /// When it was made, in milliseconds since 1970.
    pub(crate) fn timestamp(&self) -> Option<i64> {
        self.info()?.get("timestamp")?.as_i64()
    }

    /// The id of the table that it is to, if it was written by this crate.
    pub(crate) fn table(&self) -> Option<&str> {
        self.info()?.get(TABLE_ID)?.as_str()
    }

    /// The id that its writer gave it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.info()?.get(COMMIT_ID)?.as_str()
    }
}

/// Where a commit's information has the id that its writer gave it.
pub(crate) const COMMIT_ID: &str = "meshCommit";
/// Where it has the id of the table.
pub(crate) const TABLE_ID: &str = "meshTable";

/// A table at one of its versions.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) version: u64,
    /// Milliseconds since 1970; 0 if it is not known.
    pub(crate) committed: i64,
    pub(crate) metadata: Metadata,
    pub(crate) schema: SchemaRef,
    pub(crate) files: Arc<BTreeMap<String, Arc<DataFile>>>,
    /// By partition, the offset from which on nothing is written.
    pub(crate) ends: BTreeMap<i32, i64>,
}

/// The id of the application transaction that holds the end of a partition.
pub(crate) fn app_id(topic: &str, partition: i32) -> String {
    format!("mesh/{topic}/{partition}")
}

impl State {
    /// A table with these metadata and without rows.
    pub(crate) fn new(version: u64, metadata: Metadata) -> Result<Self> {
        if !metadata.partition_columns.is_empty() {
            return Err(foreign("the table is divided by columns"));
        }
        Ok(Self {
            version,
            committed: 0,
            schema: Arc::new(from_delta(&metadata.schema_string)?),
            metadata,
            files: Arc::default(),
            ends: BTreeMap::new(),
        })
    }

    /// The state that the first commit makes.
    pub(crate) fn first(commit: Commit) -> Result<Self> {
        let metadata = commit.lines.iter().find_map(|line| line.meta_data.clone());
        let metadata = metadata.ok_or_else(|| foreign("the table begins without columns"))?;
        let mut state = Self::new(0, metadata)?;
        state.apply(0, commit)?;
        Ok(state)
    }

    /// Goes on by `commit`, which is `version`.
    pub(crate) fn apply(&mut self, version: u64, commit: Commit) -> Result<()> {
        let committed = commit.timestamp().unwrap_or(self.committed);
        let mut removed = Vec::new();
        let mut added = Vec::new();
        for line in commit.lines {
            if let Some(protocol) = line.protocol {
                protocol.check()?;
            }
            if let Some(metadata) = line.meta_data {
                let fresh = Self::new(version, metadata)?;
                (self.metadata, self.schema) = (fresh.metadata, fresh.schema);
            }
            if let Some(txn) = line.txn {
                self.note(&txn.app_id, txn.version);
            }
            if let Some(remove) = line.remove {
                removed.push(remove.path);
            }
            if let Some(add) = line.add {
                added.push(add);
            }
        }
        if !removed.is_empty() || !added.is_empty() {
            let schema = Arc::clone(&self.schema);
            let files = Arc::make_mut(&mut self.files);
            for path in removed {
                files.remove(&path);
            }
            for add in added {
                let file = data_file(&add, &schema)?;
                files.insert(add.path, Arc::new(file));
            }
        }
        (self.version, self.committed) = (version, committed);
        Ok(())
    }

    /// Notes an application transaction, if it is the end of a partition of the topic.
    pub(crate) fn note(&mut self, id: &str, version: i64) {
        let Some(topic) = self.metadata.configuration.get(TOPIC) else {
            return;
        };
        let partition = id
            .strip_prefix("mesh/")
            .and_then(|rest| rest.strip_prefix(topic.as_str()))
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.parse().ok());
        if let Some(partition) = partition {
            self.ends.insert(partition, version);
        }
    }

    /// The columns that new files are sorted by.
    pub(crate) fn order(&self) -> &str {
        let order = self.metadata.configuration.get(ORDER);
        order.map_or("", String::as_str)
    }

    /// The absent records under `property`.
    pub(crate) fn absent(&self, property: &'static str) -> Result<Vec<Absent>> {
        match self.metadata.configuration.get(property) {
            None => Ok(Vec::new()),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                foreign("a property of the table cannot be read")
                    .with("property", property)
                    .because(error)
            }),
        }
    }

    /// What a reader is given of it.
    pub(crate) fn snapshot(&self, place: &Place) -> Result<HistorySnapshot> {
        let committed = DateTime::<Utc>::from_timestamp_millis(self.committed);
        Ok(HistorySnapshot {
            version: self.version,
            committed: committed.unwrap_or_default(),
            ends: self.ends.iter().map(|(p, end)| (*p, *end)).collect(),
            files: Arc::new(self.files.values().map(Arc::clone).collect()),
            schema: Arc::clone(&self.schema),
            store: Arc::clone(&place.store),
            url: place.url.clone(),
            unreadable: self.absent(UNREADABLE)?,
            missing: self.absent(MISSING)?,
        })
    }
}

/// The file that `add` tells of.
pub(crate) fn data_file(add: &Add, schema: &SchemaRef) -> Result<DataFile> {
    if add.deletion_vector.is_some() {
        return Err(foreign(
            "rows of the table are deleted without writing a file anew",
        ));
    }
    let told = add
        .stats
        .as_deref()
        .and_then(|text| stats::from_log(text, schema));
    let (rows, columns) = told.ok_or_else(|| foreign("a file of the table has no statistics"))?;
    let tag = |name| add.tags.as_ref()?.get(name)?.as_deref();
    let offsets = match tag(TAG_OFFSETS) {
        None => None,
        Some(text) => Some(
            serde_json::from_str::<Vec<OffsetRange>>(text)
                .map_err(|error| foreign("a file's tag cannot be read").because(error))?,
        ),
    };
    Ok(DataFile {
        path: Path::parse(&add.path).map_err(|error| {
            Error::new(
                ErrorKind::Unsupported,
                "a file of the table stands outside of it",
            )
            .because(error)
        })?,
        size: u64::try_from(add.size).unwrap_or(0),
        rows,
        offsets,
        columns,
        order: tag(TAG_ORDER).map(str::to_owned),
    })
}
