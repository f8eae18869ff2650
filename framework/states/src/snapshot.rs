//! A table as it was at one moment.

use std::fmt;
use std::sync::Arc;

use fjall::{Iter, Keyspace, Readable, UserKey, UserValue};
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::batch::MessageRef;
use mesh_stream::partition_for;

use crate::fault::{self, corrupt};
use crate::layout::{Head, PLACE, Part, ROW_PREFIX, prefix, put_key, split_value};
use crate::store::Store;
use crate::table::Table;

/// A table as it was at one moment: of every partition the latest row per key among the
/// records before an offset, whatever is applied to the table since.
///
/// It holds on to what was replaced since it was taken: it should live as long as a query,
/// not longer. Clones are cheap.
#[derive(Clone)]
pub struct Snapshot {
    table: Arc<Table>,
    keyspace: Keyspace,
    inner: fjall::Snapshot,
    head: Arc<Head>,
    ends: Arc<[(i32, i64)]>,
}

/// A row: the latest record of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The partition of the record.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970; -1 if it has none.
    pub timestamp: i64,
    key: UserKey,
    value: UserValue,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("topic", &self.table.topic)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl Row {
    fn new(partition: i32, key: UserKey, value: UserValue) -> Result<Self> {
        if key.len() < ROW_PREFIX {
            return Err(corrupt("the key of a state table is cut short"));
        }
        let (offset, timestamp, _) = split_value(&value)?;
        Ok(Self {
            partition,
            offset,
            timestamp,
            key,
            value,
        })
    }

    /// The framed key.
    pub fn key(&self) -> &[u8] {
        self.key.get(ROW_PREFIX..).unwrap_or_default()
    }

    /// The framed value.
    pub fn value(&self) -> &[u8] {
        self.value.get(PLACE..).unwrap_or_default()
    }

    /// The record, as [`ArrowDecoder`](mesh_stream::batch::ArrowDecoder) takes it.
    pub fn message(&self) -> MessageRef<'_> {
        MessageRef {
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: Some(self.key()),
            value: Some(self.value()),
        }
    }
}

impl Snapshot {
    pub(crate) fn take(table: Arc<Table>, store: &Store, keyspace: Keyspace) -> Result<Self> {
        let inner = store.snapshot();
        let head = Store::head(&inner, &keyspace)
            .inspect_err(|error| table.unreadable(&keyspace, error))?;
        Ok(Self {
            ends: head.ends().into(),
            head: Arc::new(head),
            table,
            keyspace,
            inner,
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.table.topic
    }

    /// Of each partition, the offset before which all records are applied, and after which
    /// none is.
    pub fn ends(&self) -> &[(i32, i64)] {
        &self.ends
    }

    /// How many rows a partition has: exactly, and without counting them.
    pub fn rows_in(&self, partition: i32) -> u64 {
        self.part(partition).rows
    }

    /// How many bytes the framed keys and values of a partition's rows have.
    pub fn bytes_in(&self, partition: i32) -> u64 {
        self.part(partition).bytes
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.head.partitions.iter().map(|part| part.rows).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn part(&self, partition: i32) -> Part {
        let at = usize::try_from(partition).ok();
        at.and_then(|at| self.head.partitions.get(at).copied())
            .unwrap_or_default()
    }

    /// The row of a framed key; `None` if there is none.
    ///
    /// It is looked for in the partition that the key belongs to, and then in the others,
    /// because not every producer places keys as Java's client does. If several have it, see
    /// [`Snapshot::all_of`].
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the store cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Row>> {
        self.find(key).next().transpose()
    }

    /// Every row of a framed key: one for each partition that has it. Where keys stay in
    /// their partition, as Kafka's compaction expects of a topic, that is one at most.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    pub fn all_of(&self, key: &[u8]) -> Result<Vec<Row>> {
        self.find(key).collect()
    }

    fn find(&self, key: &[u8]) -> impl Iterator<Item = Result<Row>> {
        let count = i32::try_from(self.head.partitions.len()).unwrap_or(i32::MAX);
        let likely = partition_for(key, count);
        let others = (0..count).filter(move |partition| *partition != likely);
        let mut full = Vec::with_capacity(ROW_PREFIX + key.len());
        put_key(&mut full, 0, key);
        (likely..count)
            .take(1)
            .chain(others)
            .filter(|partition| self.rows_in(*partition) > 0)
            .filter_map(move |partition| {
                full.splice(..ROW_PREFIX, prefix(partition));
                let found = self
                    .inner
                    .get(&self.keyspace, &full)
                    .map_err(|error| self.failed(error));
                let key = UserKey::from(full.as_slice());
                match found {
                    Ok(None) => None,
                    Ok(Some(value)) => Some(self.row(partition, key, value)),
                    Err(error) => Some(Err(error)),
                }
            })
    }

    /// All rows of a partition, in the order of their framed keys.
    pub fn rows(&self, partition: i32) -> Rows {
        Rows {
            iter: self.inner.prefix(&self.keyspace, prefix(partition)),
            snapshot: self.clone(),
            partition,
        }
    }

    fn row(&self, partition: i32, key: UserKey, value: UserValue) -> Result<Row> {
        Row::new(partition, key, value).map_err(|error| self.told(error))
    }

    fn failed(&self, error: fjall::Error) -> Error {
        self.told(fault::store("reading a state table", error))
    }

    /// The error of a reader. That the table is made anew is nothing that a reader can see.
    fn told(&self, error: Error) -> Error {
        self.table.unreadable(&self.keyspace, &error);
        let error = match error.kind() {
            ErrorKind::Corrupt => Error::unavailable("a state table is being built anew")
                .mend("try again when it is built")
                .because(error),
            _ => error,
        };
        error.with("topic", &self.table.topic)
    }
}

/// The rows of a partition of a [`Snapshot`].
pub struct Rows {
    iter: Iter,
    snapshot: Snapshot,
    partition: i32,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("snapshot", &self.snapshot)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl Iterator for Rows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.iter.next()?.into_inner();
        Some(match entry {
            Ok((key, value)) => self.snapshot.row(self.partition, key, value),
            Err(error) => Err(self.snapshot.failed(error)),
        })
    }
}

impl Rows {
    /// Replaces what is in `chunk` by the next rows: `rows` of them at most, and, unless one
    /// alone has more, about `bytes` bytes. `false` if there are none left.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    pub fn fill(&mut self, rows: usize, bytes: usize, chunk: &mut Chunk) -> Result<bool> {
        chunk.rows.clear();
        let mut taken = 0;
        while chunk.rows.len() < rows.max(1) && taken < bytes.max(1) {
            let Some(row) = self.next() else {
                break;
            };
            let row = row?;
            taken += row.key.len() + row.value.len();
            chunk.rows.push(row);
        }
        Ok(!chunk.rows.is_empty())
    }
}

/// Rows that were read together. One is filled again and again.
#[derive(Debug, Default)]
pub struct Chunk {
    rows: Vec<Row>,
}

impl Chunk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows, as [`ArrowDecoder::decode`](mesh_stream::batch::ArrowDecoder::decode) takes
    /// them.
    pub fn messages(&self) -> Vec<MessageRef<'_>> {
        self.rows.iter().map(Row::message).collect()
    }
}
