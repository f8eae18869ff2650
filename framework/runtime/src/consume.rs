//! Consuming a product: one member of a consumer group for each handler, one worker for
//! each of its partitions.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{GroupConsumer, RawRecord};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::partition::Worker;
use crate::queue::Queued;
use crate::setup::persist;
use crate::status::sentence;
use crate::task::{Asked, Change, SOUND, Task};

/// How often the group's offsets are committed. They say where to begin if the store is
/// lost: else it knows better what was handled.
const COMMIT_EVERY: Duration = Duration::from_millis(250);

/// What workers have handled and the group has not been told yet.
pub(crate) type Progress = Arc<Mutex<HashMap<i32, i64>>>;

struct Running {
    records: mpsc::UnboundedSender<RawRecord>,
    queued: Arc<Queued>,
    stop: CancellationToken,
    /// Set when it is known where to go on.
    task: Option<JoinHandle<()>>,
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
            let there = persist(&self.host, &part, &self.stop, || async {
                self.host.inputs.admit(self.topic)?;
                self.partitions().await
            });
            match there.await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.host.fail(&part, error),
            }
            let begun = tokio::time::Instant::now();
            match self.follow(&part).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(
                        handler = self.name,
                        error = error.log_line(),
                        "consuming begins anew"
                    );
                    self.host.status.wait(&part, sentence(&error));
                    if begun.elapsed() > SOUND {
                        backoff.reset();
                    }
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
        let mut finding: JoinSet<Option<Worker>> = JoinSet::new();
        // The client keeps a pause while a partition is away.
        let mut paused: BTreeSet<i32> = BTreeSet::new();
        let mut committing: Option<JoinHandle<()>> = None;
        let mut asked = Asked::default();
        let mut tick = tokio::time::interval(COMMIT_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break Ok(()),
                Some(change) = changes.recv() => match change {
                    Change::Assigned(partition) => {
                        if let Some(old) = workers.remove(&partition) {
                            paused.extend(old.paused.then_some(partition));
                            stop(old).await;
                        }
                        let (mut running, worker) = self.start(partition, &progress);
                        running.paused = paused.remove(&partition);
                        workers.insert(partition, running);
                        finding.spawn(worker.found());
                    }
                    Change::Revoked(partition) => {
                        if let Some(old) = workers.remove(&partition) {
                            paused.extend(old.paused.then_some(partition));
                            stop(old).await;
                        }
                        lock(&progress).remove(&partition);
                        self.forget_partition(partition);
                    }
                },
                Some(found) = finding.join_next(), if !finding.is_empty() => match found {
                    Ok(Some(worker)) => {
                        let later = self.set_to_work(&consumer, &mut workers, worker).await;
                        if let Some(worker) = later {
                            finding.spawn(async move {
                                tokio::time::sleep(COMMIT_EVERY).await;
                                Some(worker)
                            });
                        }
                    }
                    // It was stopped.
                    Ok(None) => {}
                    Err(error) => break Err(
                        Error::internal("a worker did not find its position").because(error)
                    ),
                },
                _ = tick.tick() => {
                    if committing.as_ref().is_none_or(JoinHandle::is_finished) {
                        committing = self.commit(&consumer, &progress);
                    }
                    for (partition, worker) in &mut workers {
                        self.balance(&consumer, *partition, worker);
                    }
                    if let Ok(positions) = consumer.position() {
                        self.pass_idle(positions, &mut workers, &progress);
                    }
                    let assigned = workers.keys().copied().collect();
                    self.ask(&mut asked, part, &consumer, &assigned).await;
                    if let Err(ended) = self.host.inputs.admit(self.topic) {
                        break Err(ended);
                    }
                },
                record = consumer.recv() => match record {
                    Ok(record) => {
                        self.host.status.clear(part);
                        let partition = record.partition;
                        // Between a rebalance and its note here a record may have no worker;
                        // it is before what the group has committed and comes again.
                        if let Some(worker) = workers.get_mut(&partition) {
                            worker.queued.add(&record);
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
        asked.end().await;
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

    /// A worker of a partition, which has yet to find out where to go on.
    fn start(&self, partition: i32, progress: &Progress) -> (Running, Worker) {
        let (records, queue) = mpsc::unbounded_channel();
        let queued: Arc<Queued> = Arc::default();
        let stop = self.stop.child_token();
        let worker = Worker::new(
            self,
            partition,
            queue,
            Arc::clone(&queued),
            Arc::clone(progress),
            stop.clone(),
        );
        let running = Running {
            records,
            queued,
            stop,
            task: None,
            paused: false,
            idle_at: 0,
        };
        (running, worker)
    }

    /// Has a worker begin where the store is. The group's offset may be ahead of that, if
    /// the store was restored from an older state, and behind it, or gone. Gives the worker
    /// back if the partition cannot be read from there yet.
    async fn set_to_work(
        &self,
        consumer: &GroupConsumer,
        workers: &mut HashMap<i32, Running>,
        mut worker: Worker,
    ) -> Option<Worker> {
        let partition = worker.partition;
        let running = workers.get_mut(&partition)?;
        if worker.stop.is_cancelled() {
            return None;
        }
        if let Some(begin) = worker.begin {
            // It is refused until the client has asked for the group's offset.
            if let Err(error) = consumer.seek(self.topic, partition, begin).await {
                tracing::debug!(
                    handler = self.name,
                    partition,
                    error = error.log_line(),
                    "not put to the store's position yet"
                );
                return Some(worker);
            }
            worker.forget();
        }
        running.task = Some(tokio::spawn(worker.run()));
        None
    }

    /// Pauses a partition whose worker is behind, so that its records do not pile up here.
    fn balance(&self, consumer: &GroupConsumer, partition: i32, worker: &mut Running) {
        let which = [(self.topic.to_owned(), partition)];
        let pause = !worker.paused && worker.queued.is_high();
        // Not while the client begins to read the partition: the one may undo the other.
        let resume = worker.paused && worker.queued.is_low() && worker.task.is_some();
        let result = match (pause, resume) {
            (true, _) => consumer.pause(&which),
            (_, true) => consumer.resume(&which),
            _ => return,
        };
        match result {
            Ok(()) => worker.paused = pause,
            // Tried again with the next tick, unless it has just been revoked.
            Err(error) => tracing::debug!(
                handler = self.name,
                partition,
                pause,
                error = error.log_line(),
                "not paused or resumed"
            ),
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
            if worker.task.is_none() || !worker.queued.is_empty() || next <= worker.idle_at {
                continue;
            }
            worker.idle_at = next;
            lock(progress).insert(partition, next);
            self.host.status.handler(&self.name, |handler| {
                let shown = handler.next_offsets.entry(partition).or_insert(next);
                *shown = next.max(*shown);
            });
        }
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
    if let Some(task) = worker.task
        && let Err(error) = task.await
    {
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

/// What a group that lost its place makes of a Kafka-to-Kafka handler: what it published is
/// published, and would be a second time.
pub(crate) fn rewound(group: &str, topic: &str, partition: i32, next: i64, begins: i64) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        "the group begins before what was handled and published",
    )
    .with("group", group)
    .with("topic", topic)
    .with("partition", partition)
    .with("next_offset", next)
    .with("begins", begins)
    .mend(
        "its offsets were deleted or have expired, or the topic was made anew: put the group to \
         where it was with `kafka-consumer-groups --reset-offsets` (`next_offset` is what this \
         process knows of), or make the product anew as a replay",
    )
}
