//! The thread that reads, and the bounded queue between it and the plan.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use futures::Stream;
use mesh_core::Error;
use mesh_core::contract::ProductKind;
use mesh_states::Snapshot;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::assemble::Columns;
use super::{events, state, stored};
use crate::failure::wrap;
use crate::product::Product;
use crate::run::{Extent, QueryRun};

/// Batches that wait for the plan, beside the one being made: enough to keep both busy.
const QUEUE: usize = 1;

/// What one stream of a scan reads.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Ranges of the topic.
    Log(Arc<Vec<Extent>>),
    /// Partitions of the state table.
    Table(Arc<Snapshot>, Arc<Vec<i32>>),
    /// Rows of the state table by their framed keys.
    Keys(Arc<Snapshot>, Arc<Vec<Vec<u8>>>),
    /// A stream of a plan that reads files, which no thread of ours does.
    Files(Arc<dyn ExecutionPlan>, usize),
}

impl Work {
    /// How many records it is to read; those of files are not known before.
    pub(crate) fn records(&self, kind: ProductKind, decoded: bool) -> u64 {
        match self {
            Self::Log(ranges) => {
                let records: i64 = ranges.iter().map(Extent::len).sum();
                // Without a table a state product is read for its keys, and for its values.
                let passes = match kind {
                    ProductKind::State if decoded => 2,
                    _ => 1,
                };
                u64::try_from(records).unwrap_or(0) * passes
            }
            Self::Table(snapshot, partitions) if decoded => partitions
                .iter()
                .map(|partition| snapshot.rows_in(*partition))
                .sum(),
            Self::Table(..) | Self::Files(..) => 0,
            Self::Keys(_, keys) => keys.len() as u64,
        }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Log(ranges) => ranges.is_empty(),
            Self::Table(_, partitions) => partitions.is_empty(),
            Self::Keys(_, keys) => keys.is_empty(),
            Self::Files(..) => false,
        }
    }
}

/// What one stream of a scan does.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) product: Arc<Product>,
    pub(crate) columns: Arc<Columns>,
    pub(crate) work: Work,
    pub(crate) limit: Option<usize>,
    pub(crate) batch_rows: usize,
    /// How many streams the scan has, which share its memory.
    pub(crate) streams: usize,
    pub(crate) run: Arc<QueryRun>,
    pub(crate) pool: Arc<dyn MemoryPool>,
}

enum Item {
    Batch(RecordBatch, usize),
    Failed(DataFusionError),
    /// The end, said aloud: a thread that dies must not look like one that is done.
    End,
}

/// The reading side's end of the queue.
pub(crate) struct Sink {
    queue: mpsc::Sender<Item>,
    under_way: Arc<MemoryReservation>,
    left: Option<usize>,
    runtime: Handle,
}

impl Sink {
    /// Whether nobody wants more rows.
    pub(crate) fn stopped(&self) -> bool {
        self.queue.is_closed() || self.left == Some(0)
    }

    /// How many more rows are wanted, at most `rows`.
    pub(crate) fn wanted(&self, rows: usize) -> usize {
        self.left.map_or(rows, |left| left.min(rows))
    }

    /// Waits for `future`, or gives nothing as soon as nobody wants more rows.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.queue.closed() => None,
                value = future => Some(value),
            }
        })
    }

    /// Hands on a batch and waits while the queue is full.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        let rows = batch.num_rows();
        if rows == 0 || self.stopped() {
            return;
        }
        let batch = match self.left {
            Some(left) if left < rows => batch.slice(0, left),
            _ => batch,
        };
        if let Some(left) = &mut self.left {
            *left -= batch.num_rows();
        }
        let bytes = batch.get_array_memory_size();
        self.under_way.grow(bytes);
        // If it is closed by now, the caller finds that out from `stopped`.
        self.queue.blocking_send(Item::Batch(batch, bytes)).ok();
    }
}

/// The rows of `job`. The thread starts with the first poll, and ends within milliseconds
/// after the stream is dropped.
pub(crate) fn pump(job: Job) -> Pumped {
    Pumped {
        state: State::Waiting(Some(Box::new(job))),
    }
}

pub(crate) struct Pumped {
    state: State,
}

enum State {
    Waiting(Option<Box<Job>>),
    Running(mpsc::Receiver<Item>, Arc<MemoryReservation>),
    Ended,
}

impl Stream for Pumped {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.state {
                State::Waiting(job) => {
                    self.state = match job.take() {
                        Some(job) if !job.work.is_nothing() => start(*job),
                        _ => State::Ended,
                    };
                }
                State::Running(queue, under_way) => {
                    let item = match queue.poll_recv(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(item) => item,
                    };
                    let answer = match item {
                        Some(Item::Batch(batch, bytes)) => {
                            under_way.shrink(bytes);
                            return Poll::Ready(Some(Ok(batch)));
                        }
                        Some(Item::Failed(error)) => Some(Err(error)),
                        Some(Item::End) => None,
                        None => Some(Err(wrap(Error::internal(
                            "the thread that reads a topic ended before its time",
                        )))),
                    };
                    self.state = State::Ended;
                    return Poll::Ready(answer);
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

fn start(job: Job) -> State {
    let (sender, queue) = mpsc::channel(QUEUE);
    let under_way =
        Arc::new(MemoryConsumer::new(format!("batches of {}", job.name)).register(&job.pool));
    let mut sink = Sink {
        queue: sender,
        under_way: Arc::clone(&under_way),
        left: job.limit,
        runtime: Handle::current(),
    };
    // A thread of its own rather than a task: decoding would keep a worker of the runtime
    // from everything else that it serves.
    tokio::task::spawn_blocking(move || {
        let end = match read(&job, &mut sink) {
            Ok(()) => Item::End,
            Err(error) => Item::Failed(error),
        };
        // Nobody is there to hear it if the query was dropped.
        sink.queue.blocking_send(end).ok();
    });
    State::Running(queue, under_way)
}

fn read(job: &Job, sink: &mut Sink) -> DfResult<()> {
    match &job.work {
        Work::Log(ranges) => {
            for range in ranges.iter() {
                if sink.stopped() {
                    return Ok(());
                }
                match job.product.kind {
                    ProductKind::Event => events::read(job, *range, sink).map_err(wrap)?,
                    ProductKind::State => state::read(job, *range, sink)?,
                }
            }
            Ok(())
        }
        Work::Table(snapshot, partitions) => {
            for partition in partitions.iter() {
                stored::read(job, snapshot, *partition, sink).map_err(wrap)?;
            }
            Ok(())
        }
        Work::Keys(snapshot, keys) => stored::look_up(job, snapshot, keys, sink).map_err(wrap),
        Work::Files(..) => Err(wrap(Error::internal("files are read by their own plan"))),
    }
}
