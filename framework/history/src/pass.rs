//! One pass over a topic: all that is there, sorted, written and committed in bounded memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::batch::PartitionReader;
use mesh_stream::{Admin, RegistryClient, StreamConfig};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::absent::{with_ranges, with_records};
use crate::config::HistoryConfig;
use crate::decode::{Rows, TopicDecoder};
use crate::fault;
use crate::file::{FileWriter, NewFile};
use crate::snapshot::{Absent, OffsetRange};
use crate::sort::{CHUNK, Order, gather, sorted};
use crate::source::Source;
use crate::state::{MISSING, Metadata, State, UNREADABLE, app_id};
use crate::table::{Change, Table};

/// Messages decoded at a time.
const MESSAGES: usize = 4096;
/// Partitions that are read beside each other, each with a client of its own.
const BESIDE: usize = 16;
/// Records, and bytes of them, that all of them read ahead. A small record takes many times
/// its bytes while it waits.
const AHEAD: usize = 64 * 1024;
const AHEAD_BYTES: usize = 16 * 1024 * 1024;
/// Records that a commit names one by one.
const NAMED: usize = 1000;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// The rows that were committed.
    pub rows: u64,
    /// The records that could not be read, and are told by the table.
    pub unreadable: u64,
    /// How many commits there were.
    pub commits: u64,
}

/// What a pass works with.
pub(crate) struct Means<'a> {
    pub(crate) config: &'a HistoryConfig,
    pub(crate) stream: &'a StreamConfig,
    pub(crate) registry: &'a RegistryClient,
    pub(crate) admin: &'a Admin,
}

/// A partition: what is to be read of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) partition: i32,
    /// What the table says; `None` if nothing was written of it.
    known: Option<i64>,
    /// The first offset that the topic still has.
    low: i64,
    pub(crate) end: i64,
}

impl Bounds {
    pub(crate) fn start(&self) -> i64 {
        self.known.unwrap_or(self.low).max(self.low)
    }

    /// What the topic lost before it was written.
    fn missing(&self) -> Option<Absent> {
        let first = self.known.filter(|known| *known < self.low)?;
        Some(Absent {
            range: OffsetRange {
                partition: self.partition,
                first,
                last: self.low - 1,
            },
            count: u64::try_from(self.low - first).unwrap_or(0),
        })
    }
}

/// What is to be read of each partition of the topic, beyond `ends`.
pub(crate) async fn bounds(
    admin: &Admin,
    source: &Source,
    ends: &BTreeMap<i32, i64>,
) -> Result<Vec<Bounds>> {
    let topic = &source.topic;
    let count = admin.partitions(topic).await?;
    let beyond = ends.keys().next_back().is_some_and(|last| *last >= count);
    if beyond {
        return Err(source.made_anew());
    }
    let mut found = Vec::new();
    for partition in 0..count {
        let (low, end) = admin.watermarks(topic, partition).await?;
        let known = ends.get(&partition).copied();
        if known.is_some_and(|known| known > end) {
            return Err(source
                .made_anew()
                .with("partition", partition)
                .with("end", end));
        }
        found.push(Bounds {
            partition,
            known,
            low,
            end,
        });
    }
    Ok(found)
}

/// What tells the topic from another of the same name, if the cluster says so.
async fn topic_id(admin: &Admin, topic: &str) -> Result<Option<Uuid>> {
    let found = admin.describe_topics(&[topic]).await?;
    let found = found.get(topic).ok_or_else(|| {
        Error::not_found("there is no such topic to keep the history of")
            .with("topic", topic)
            .mend("start the domain that owns the product; it makes the topic")
    })?;
    Ok(found.id)
}

/// Opens the table of `source`, or makes it, and lets it take rows of the contract.
pub(crate) async fn prepare(
    means: &Means<'_>,
    table: &Table,
    source: &Source,
) -> Result<Arc<State>> {
    let id = topic_id(means.admin, &source.topic).await?;
    let mut state = table.refresh().await?;
    if let Some(known) = &state
        && let Err(error) = source.check_topic(&known.metadata, id)
    {
        // Unless that was mended already.
        if !table.is_gone().await? {
            return Err(error);
        }
        state = None;
    }
    let state = match state {
        Some(state) => state,
        None => table.create(&source.metadata(id, means.config)?).await?,
    };
    source.check_topic(&state.metadata, id)?;
    if source.evolve(&state.metadata)?.is_none() {
        return Ok(state);
    }
    table
        .commit(|state| {
            let evolved = source.evolve(&state.metadata)?;
            Ok(Change {
                operation: "CHANGE COLUMNS",
                info: json!({}),
                actions: evolved
                    .iter()
                    .map(|metadata| json!({ "metaData": metadata }))
                    .collect(),
            })
        })
        .await
}

/// A pass under way.
pub(crate) struct Pass<'a> {
    means: &'a Means<'a>,
    table: Arc<Table>,
    source: &'a Source,
    schema: SchemaRef,
    order: String,
    /// Where each partition is read up to.
    positions: BTreeMap<i32, i64>,
    /// What the table must say of each partition when the next commit is made.
    known: BTreeMap<i32, Option<i64>>,
    missing: Vec<Absent>,
    unreadable: Vec<(i32, i64)>,
    buffer: Vec<RecordBatch>,
    buffered: usize,
    /// A file is written while the next rows are read.
    writing: Option<JoinHandle<Result<NewFile>>>,
    files: Vec<NewFile>,
    committed: Instant,
    /// A commit was asked for, and whether it is there is not known.
    unsure: bool,
    passed: Passed,
}

impl<'a> Pass<'a> {
    /// Reads all of `bounds` and commits it.
    pub(crate) async fn run(
        means: &'a Means<'a>,
        table: Arc<Table>,
        source: &'a Source,
        state: &State,
        bounds: &[Bounds],
    ) -> Result<Passed> {
        let by_partition = |of: fn(&Bounds) -> i64| {
            let all = bounds.iter().map(|bounds| (bounds.partition, of(bounds)));
            all.collect::<BTreeMap<_, _>>()
        };
        let mut pass = Self {
            means,
            table,
            source,
            schema: Arc::clone(&state.schema),
            order: state.order().to_owned(),
            positions: by_partition(Bounds::start),
            known: bounds
                .iter()
                .map(|bounds| (bounds.partition, bounds.known))
                .collect(),
            missing: bounds.iter().filter_map(Bounds::missing).collect(),
            unreadable: Vec::new(),
            buffer: Vec::new(),
            buffered: 0,
            writing: None,
            files: Vec::new(),
            committed: Instant::now(),
            unsure: false,
            passed: Passed::default(),
        };
        for missing in &pass.missing {
            tracing::warn!(
                topic = source.topic,
                partition = missing.range.partition,
                first = missing.range.first,
                last = missing.range.last,
                "the topic had lost records before they came into the history"
            );
        }
        let schema = Arc::clone(&state.schema);
        let mut decoder = TopicDecoder::new(means.registry, &source.contract, schema)?;
        let read = async {
            for bounds in bounds.chunks(BESIDE) {
                pass.read(bounds, &mut decoder).await?;
            }
            pass.commit().await
        };
        match read.await {
            Ok(()) => Ok(pass.passed),
            Err(error) => {
                pass.give_up().await;
                Err(error)
            }
        }
    }

    /// Reads partitions beside each other, always on where the publication is least far, so
    /// that a file holds a short time of all rather than a long one of each.
    async fn read(&mut self, bounds: &[Bounds], decoder: &mut TopicDecoder) -> Result<()> {
        let stream = reading_ahead(self.means.stream, bounds.len());
        let topic = &self.source.topic;
        let mut open = Vec::with_capacity(bounds.len());
        for bounds in bounds {
            let (partition, start) = (bounds.partition, bounds.start());
            let reader = PartitionReader::open(&stream, topic, partition, start, bounds.end)?;
            open.push((i64::MIN, bounds, reader));
        }
        while let Some(least) = (0..open.len()).min_by_key(|at| open[*at].0) {
            let (reached, bounds, reader) = &mut open[least];
            let partition = bounds.partition;
            match reader.next_batch(MESSAGES).await? {
                Some(messages) => {
                    let refs = messages.refs();
                    self.take(decoder.decode(&refs).await?);
                    if let Some(last) = refs.last() {
                        self.positions.insert(partition, last.offset + 1);
                        *reached = last.timestamp;
                    }
                }
                None => {
                    // Nothing but marks of transactions was left before the end.
                    let end = bounds.end.max(bounds.start());
                    self.positions.insert(partition, end);
                    open.swap_remove(least);
                }
            }
            let config = self.means.config;
            if self.buffered >= config.buffer_bytes {
                self.flush().await?;
            }
            let written: u64 = self.files.iter().map(|file| file.size).sum();
            if written >= config.file_bytes || self.committed.elapsed() >= config.commit_age {
                self.commit().await?;
            }
        }
        Ok(())
    }

    fn take(&mut self, rows: Rows) {
        for batch in rows.batches {
            self.buffered += batch.get_array_memory_size();
            self.buffer.push(batch);
        }
        self.unreadable.extend(rows.unreadable);
    }

    /// Begins to write what is buffered as a file.
    async fn flush(&mut self) -> Result<()> {
        self.written().await?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let batches = std::mem::take(&mut self.buffer);
        self.buffered = 0;
        let (table, schema, order) = (
            Arc::clone(&self.table),
            Arc::clone(&self.schema),
            self.order.clone(),
        );
        let rows = self.means.config.row_group_rows;
        let runtime = Handle::current();
        // Sorting and encoding would hold up the runtime.
        self.writing = Some(tokio::task::spawn_blocking(move || {
            runtime.block_on(write(&table, &schema, &order, &batches, rows))
        }));
        Ok(())
    }

    /// Waits for the file that is written.
    async fn written(&mut self) -> Result<()> {
        if let Some(writing) = self.writing.take() {
            self.files.push(writing.await.map_err(fault::task)??);
        }
        Ok(())
    }

    /// Commits all that was read.
    async fn commit(&mut self) -> Result<()> {
        self.flush().await?;
        self.written().await?;
        self.committed = Instant::now();
        let moved = |(partition, position): (&i32, &i64)| {
            self.known.get(partition).copied().flatten() != Some(*position)
        };
        if !self.positions.iter().any(moved) {
            return Ok(());
        }
        // Had the topic been made anew before this look, records of both could be in the
        // files; after it, they can not.
        let id = topic_id(self.means.admin, &self.source.topic).await?;
        let table = Arc::clone(&self.table);
        let known = self.known.clone();
        let committed = table
            .commit(|state| {
                self.source.check_topic(&state.metadata, id)?;
                if known
                    .iter()
                    .any(|(partition, known)| state.ends.get(partition) != known.as_ref())
                {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "another writer has written these records",
                    )
                    .with("topic", &self.source.topic)
                    .retryable(true)
                    .mend("let one process write the history of a product"));
                }
                self.change(state)
            })
            .await;
        if let Err(error) = committed {
            // Those two are said of a state of the table, before anything is written.
            let refused = [ErrorKind::Conflict, ErrorKind::FailedPrecondition];
            self.unsure = !refused.contains(&error.kind());
            return Err(error);
        }
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        tracing::debug!(
            topic = self.source.topic,
            rows,
            files = self.files.len(),
            "history committed"
        );
        self.passed.rows += rows;
        self.passed.unreadable += self.unreadable.len() as u64;
        self.passed.commits += 1;
        self.files.clear();
        self.unreadable.clear();
        self.missing.clear();
        self.known = self
            .positions
            .iter()
            .map(|(partition, position)| (*partition, Some(*position)))
            .collect();
        Ok(())
    }

    fn change(&self, state: &State) -> Result<Change> {
        let mut actions = Vec::new();
        if let Some(metadata) = self.told_absent(state)? {
            actions.push(json!({ "metaData": metadata }));
        }
        for (partition, position) in &self.positions {
            actions.push(json!({"txn": {
                "appId": app_id(&self.source.topic, *partition),
                "version": position,
            }}));
        }
        for file in &self.files {
            actions.push(file.add(true)?);
        }
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        let named: Vec<_> = self.unreadable.iter().take(NAMED).collect();
        Ok(Change {
            operation: "WRITE",
            info: json!({
                "operationParameters": {"mode": "Append"},
                "operationMetrics": {
                    "numFiles": self.files.len(),
                    "numOutputRows": rows,
                    "numOutputBytes": bytes,
                },
                "meshUnreadable": {"count": self.unreadable.len(), "records": named},
            }),
            actions,
        })
    }

    /// The table's properties with the records that are not in it; `None` if none come to it.
    fn told_absent(&self, state: &State) -> Result<Option<Metadata>> {
        let mut metadata = state.metadata.clone();
        if !self.unreadable.is_empty() {
            let known = state.absent(UNREADABLE)?;
            metadata.tell(UNREADABLE, &with_records(known, &self.unreadable))?;
        }
        if !self.missing.is_empty() {
            let known = state.absent(MISSING)?;
            metadata.tell(MISSING, &with_ranges(known, &self.missing))?;
        }
        Ok((metadata != state.metadata).then_some(metadata))
    }

    /// Deletes what is certainly in no commit.
    async fn give_up(&mut self) {
        if let Err(error) = self.written().await {
            tracing::debug!(
                error = error.log_line(),
                "a file of the history was not written"
            );
        }
        if self.unsure {
            // The commit may come to be even now. The clean-up decides, when it is certain.
            return;
        }
        for file in self.files.drain(..) {
            file.discard(&self.table.place).await;
        }
    }
}

/// The settings of one of `readers` that read beside each other; what the user set wins.
fn reading_ahead(stream: &StreamConfig, readers: usize) -> StreamConfig {
    let readers = readers.max(1);
    let mut stream = stream.clone();
    for (name, value) in [
        ("queued.min.messages", (AHEAD / readers).max(1024)),
        ("queued.max.messages.kbytes", AHEAD_BYTES / readers / 1024),
        (
            "fetch.message.max.bytes",
            (1024 * 1024 / readers).max(128 * 1024),
        ),
    ] {
        let setting = stream.overrides.entry(name.to_owned());
        setting.or_insert_with(|| value.to_string());
    }
    stream
}

/// Writes `batches` as one sorted file.
async fn write(
    table: &Table,
    schema: &SchemaRef,
    order: &str,
    batches: &[RecordBatch],
    row_group_rows: usize,
) -> Result<NewFile> {
    let places = sorted(&Order::new(schema, order)?, batches)?;
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    let mut file = FileWriter::new(&table.place, schema, order, row_group_rows)?;
    for places in places.chunks(CHUNK) {
        let chunk = gather(&batches, places)?;
        if let Err(error) = file.write(&chunk).await {
            file.abandon();
            return Err(error);
        }
    }
    file.finish().await
}

/// A number for the log, of all that is pending.
pub(crate) fn pending(bounds: &[Bounds]) -> u64 {
    let left = |bounds: &Bounds| u64::try_from(bounds.end - bounds.start()).unwrap_or(0);
    bounds.iter().map(left).sum()
}
