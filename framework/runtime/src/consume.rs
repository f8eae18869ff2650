//! Consuming a product: one member of a consumer group for each handler, one worker for
//! each of its partitions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{GroupConsumer, RawRecord};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::partition::Worker;
use crate::setup::persist;
use crate::status::sentence;
use crate::task::{Change, Task};

/// Records waiting for a worker at which its partition is paused, and taken up again.
const QUEUE_HIGH: usize = 4_000;
const QUEUE_LOW: usize = 1_000;
/// How often the group's offsets are committed. They only save reading again: the store
/// knows what was handled.
const COMMIT_EVERY: Duration = Duration::from_millis(250);

/// What workers have handled and the group has not been told yet.
pub(crate) type Progress = Arc<Mutex<HashMap<i32, i64>>>;

struct Running {
    records: mpsc::UnboundedSender<RawRecord>,
    queued: Arc<std::sync::atomic::AtomicUsize>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    paused: bool,
    /// The position up to which it was found to have nothing to do.
    idle_at: i64,
}

impl Task {
    /// Has a handler with an outbox consume until it is stopped.
    pub(crate) async fn consume(self) {
        let part = format!("handler {}", self.name);
        let mut backoff = Backoff::network();
        while !self.stop.is_cancelled() {
            let there = persist(&self.host, &part, &self.stop, || self.partitions());
            match there.await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.host.fail(&part, error),
            }
            match self.follow(&part).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(
                        handler = self.name,
                        error = error.log_line(),
                        "consuming begins anew"
                    );
                    self.host.status.wait(&part, sentence(&error));
                    if !backoff.wait(&self.stop).await {
                        return;
                    }
                }
            }
        }
    }

    async fn follow(&self, part: &str) -> Result<()> {
        let (consumer, mut changes) = self.join(&self.stream)?;
        let consumer = Arc::new(consumer);
        let progress = Progress::default();
        let mut workers: HashMap<i32, Running> = HashMap::new();
        let mut committing: Option<JoinHandle<()>> = None;
        let mut begins: Option<JoinHandle<Vec<(String, i32, i64)>>> = None;
        let mut heard: Option<JoinHandle<bool>> = None;
        let mut tick = tokio::time::interval(COMMIT_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ok(()),
                Some(change) = changes.recv() => match change {
                    Change::Assigned(partition) => {
                        let worker = self.start(partition, &progress);
                        if let Some(old) = workers.insert(partition, worker) {
                            stop(old).await;
                        }
                        begins = Some(self.beginnings(&consumer));
                    }
                    Change::Revoked(partition) => {
                        if let Some(worker) = workers.remove(&partition) {
                            stop(worker).await;
                        }
                        lock(&progress).remove(&partition);
                    }
                },
                _ = tick.tick() => {
                    if committing.as_ref().is_none_or(JoinHandle::is_finished) {
                        committing = self.commit(&consumer, &progress);
                    }
                    for (partition, worker) in &mut workers {
                        self.balance(&consumer, *partition, worker);
                    }
                    if let Some(asked) = begins.take_if(|asked| asked.is_finished())
                        && let Ok(found) = asked.await
                    {
                        for (_, partition, next) in found {
                            self.reached(partition, next);
                        }
                    }
                    if let Ok(positions) = consumer.position() {
                        self.pass_idle(positions, &mut workers, &progress);
                    }
                    // That a broker answers again is not told, and where nothing is left
                    // to read no record tells it either.
                    if let Some(asked) = heard.take_if(|asked| asked.is_finished())
                        && asked.await.unwrap_or(false)
                    {
                        self.host.status.clear(part);
                    }
                    if heard.is_none() && self.host.status.waits(part) {
                        let consumer = Arc::clone(&consumer);
                        let ask = async move { consumer.reachable().await.is_ok() };
                        heard = Some(tokio::spawn(ask));
                    }
                },
                record = consumer.recv() => match record {
                    Ok(record) => {
                        self.host.status.clear(part);
                        let partition = record.partition;
                        // Between a rebalance and its note here a record may have no worker;
                        // it is before what the group has committed and comes again.
                        if let Some(worker) = workers.get_mut(&partition) {
                            worker.queued.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
                            worker.records.send(record).ok();
                            self.balance(&consumer, partition, worker);
                        }
                    }
                    Err(error) if error.is_retryable() => {
                        self.host.status.wait(part, sentence(&error));
                        tracing::debug!(handler = self.name, error = error.log_line(), "no records");
                    }
                    Err(error) => break Err(error),
                },
            }
        };
        for (_, worker) in workers {
            stop(worker).await;
        }
        if let Some(committing) = committing {
            committing.await.ok();
        }
        if let Some(asked) = heard {
            asked.abort();
            // It was cut off: there is nothing to hear from it.
            asked.await.ok();
        }
        if let Some(asked) = begins {
            asked.abort();
            asked.await.ok();
        }
        if let Some(last) = self.commit(&consumer, &progress) {
            // Without a broker the offsets stay behind, and the store knows better anyway.
            tokio::time::timeout(Duration::from_secs(2), last)
                .await
                .ok();
        }
        if let Some(consumer) = Arc::into_inner(consumer) {
            tokio::time::timeout(Duration::from_secs(3), consumer.close())
                .await
                .ok();
        }
        ended
    }

    fn start(&self, partition: i32, progress: &Progress) -> Running {
        let (records, queue) = mpsc::unbounded_channel();
        let queued = Arc::default();
        let stop = self.stop.child_token();
        let worker = Worker::new(
            self,
            partition,
            queue,
            Arc::clone(&queued),
            Arc::clone(progress),
            stop.clone(),
        );
        Running {
            records,
            queued,
            stop,
            task: tokio::spawn(worker.run()),
            paused: false,
            idle_at: 0,
        }
    }

    /// Pauses a partition whose worker is behind, so that its records do not pile up here.
    fn balance(&self, consumer: &GroupConsumer, partition: i32, worker: &mut Running) {
        let queued = worker.queued.load(std::sync::atomic::Ordering::Acquire);
        let which = [(self.topic.to_owned(), partition)];
        let result = if !worker.paused && queued >= QUEUE_HIGH {
            worker.paused = true;
            consumer.pause(&which)
        } else if worker.paused && queued <= QUEUE_LOW {
            worker.paused = false;
            consumer.resume(&which)
        } else {
            return;
        };
        if let Err(error) = result {
            // The partition has just been revoked; its worker is about to be stopped.
            tracing::debug!(
                handler = self.name,
                partition,
                error = error.log_line(),
                "not paused"
            );
        }
    }

    /// Moves past the marks that transactions leave in a log: where every record that came
    /// is handled, the handler is as far as its consumer. Else it would look as if it were
    /// behind for ever.
    fn pass_idle(
        &self,
        positions: Vec<(String, i32, i64)>,
        workers: &mut HashMap<i32, Running>,
        progress: &Progress,
    ) {
        for (_, partition, next) in positions {
            let Some(worker) = workers.get_mut(&partition) else {
                continue;
            };
            if worker.queued.load(std::sync::atomic::Ordering::Acquire) > 0
                || next <= worker.idle_at
            {
                continue;
            }
            worker.idle_at = next;
            lock(progress).insert(partition, next);
            self.reached(partition, next);
        }
    }

    /// Shows that nothing before `next` is left to handle.
    fn reached(&self, partition: i32, next: i64) {
        self.host.status.handler(&self.name, |handler| {
            let shown = handler.next_offsets.entry(partition).or_insert(next);
            *shown = next.max(*shown);
        });
    }

    /// Asks where the group begins to read, which may be after marks that its last life has
    /// passed; until a record comes the consumer does not say.
    fn beginnings(&self, consumer: &Arc<GroupConsumer>) -> JoinHandle<Vec<(String, i32, i64)>> {
        let (consumer, name) = (Arc::clone(consumer), self.name.clone());
        tokio::spawn(async move {
            match consumer.lag().await {
                Ok(lags) => lags
                    .into_iter()
                    .filter_map(|lag| Some((lag.topic, lag.partition, lag.committed?)))
                    .collect(),
                Err(error) => {
                    // Only the lag is shown too high by the marks, until a record comes.
                    tracing::debug!(handler = name, error = error.log_line(), "not asked");
                    Vec::new()
                }
            }
        })
    }

    /// Tells the group how far its partitions are handled.
    fn commit(&self, consumer: &Arc<GroupConsumer>, progress: &Progress) -> Option<JoinHandle<()>> {
        let offsets: Vec<(String, i32, i64)> = lock(progress)
            .drain()
            .map(|(partition, next)| (self.topic.to_owned(), partition, next))
            .collect();
        if offsets.is_empty() {
            return None;
        }
        let (consumer, name) = (Arc::clone(consumer), self.name.clone());
        Some(tokio::spawn(async move {
            if let Err(error) = consumer.commit(&offsets).await {
                tracing::debug!(
                    handler = name,
                    error = error.log_line(),
                    "offsets not committed"
                );
            }
        }))
    }
}

fn lock(progress: &Progress) -> std::sync::MutexGuard<'_, HashMap<i32, i64>> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a worker finish the event it is at.
async fn stop(worker: Running) {
    worker.stop.cancel();
    drop(worker.records);
    if let Err(error) = worker.task.await {
        tracing::error!(%error, "a worker ended with a panic");
    }
}

/// What a topic that was cut makes of a handler's position.
pub(crate) fn cut(handler: &str, topic: &str, partition: i32, next: i64, end: i64) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        "the topic ends before what was handled",
    )
    .with("handler", handler)
    .with("topic", topic)
    .with("partition", partition)
    .with("next_offset", next)
    .with("end", end)
    .mend(
        "the topic was deleted, cut or restored from an older state: restore it, or restore the \
         domain's data folder or schema from the same time",
    )
}
