//! The threads that queries run on.
//!
//! They are not those of the caller's runtime: an operator may compute for seconds between
//! two batches, and on a small machine a few of them would keep the runtime from its timers
//! and its sockets, and so from every other query and its deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{Stream, StreamExt};
use mesh_core::{Error, ErrorKind, Result};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::failure::wrap;

/// Batches that wait for whoever asked.
const QUEUE: usize = 1;

/// A runtime for computing. It ends with the engine, without waiting for what runs on it.
pub(crate) struct Threads {
    runtime: Option<Runtime>,
}

impl Threads {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("mesh-query")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "cannot start the threads of queries",
                )
                .mend("raise the limit on threads")
                .because(error)
            })?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Starts a plan; its rows come as they are made. Dropping the stream ends the plan at
    /// its next batch.
    pub(crate) fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> SendableRecordBatchStream {
        let schema = plan.schema();
        let (sender, batches) = mpsc::channel(QUEUE);
        let task = self.runtime.as_ref().map(|runtime| {
            runtime.spawn(async move {
                let end = forward(plan, context, &sender).await;
                // Nobody is there to hear it if the query was dropped.
                sender.send(Item::End(end)).await.ok();
            })
        });
        Box::pin(Rows {
            schema,
            batches,
            ended: task.is_none(),
            task: task.map(|task| task.abort_handle()),
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

enum Item {
    Batch(RecordBatch),
    /// The end, said aloud: a task that panics must not look like one that is done.
    End(DfResult<()>),
}

async fn forward(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    sender: &mpsc::Sender<Item>,
) -> DfResult<()> {
    let mut stream = execute_stream(yielding(plan)?, context)?;
    while let Some(batch) = stream.next().await {
        if sender.send(Item::Batch(batch?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Lets a plan yield at each batch of a join. DataFusion lets it yield only where batches
/// enter, and a join makes many of one.
fn yielding(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| {
        let multiplies = plan.is::<CrossJoinExec>()
            || plan.is::<HashJoinExec>()
            || plan.is::<NestedLoopJoinExec>()
            || plan.is::<PiecewiseMergeJoinExec>()
            || plan.is::<SortMergeJoinExec>();
        Ok(match multiplies {
            true => Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _),
            false => Transformed::no(plan),
        })
    })
    .map(|transformed| transformed.data)
}

struct Rows {
    schema: SchemaRef,
    batches: mpsc::Receiver<Item>,
    ended: bool,
    task: Option<AbortHandle>,
}

impl Stream for Rows {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.batches.poll_recv(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(item) => item,
        };
        if let Some(Item::Batch(batch)) = item {
            return Poll::Ready(Some(Ok(batch)));
        }
        self.ended = true;
        Poll::Ready(match item {
            Some(Item::End(Ok(()))) => None,
            Some(Item::End(Err(error))) => Some(Err(error)),
            Some(Item::Batch(_)) | None => Some(Err(wrap(Error::internal(
                "the query met a fault of the engine",
            )))),
        })
    }
}

impl RecordBatchStream for Rows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
