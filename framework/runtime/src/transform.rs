//! Kafka-to-Kafka handlers: what they consume, what they publish and how far they have
//! come are one Kafka transaction.
//!
//! One task reads all partitions that are this process's and handles their records in
//! batches. A transaction carries what a batch publishes and, as the group's offsets, the
//! place after it; the group's metadata is that of the moment when the partitions came, so
//! a process that has lost them can commit nothing. State is rows of followed products:
//! published in the transaction, and kept as documents after it. Documents that a crash
//! has left behind are read from the topic before anything is handled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use mesh_core::{Error, ErrorKind, EventId, Result, TraceContext};
use mesh_stream::{
    Admin, Delivery, Failed, GroupConsumer, GroupMetadata, Headers, Outgoing, RawRecord,
    RebalanceListener, Remedy, StreamConfig, TransactionalProducer,
};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::consume::cut;
use crate::context::Context;
use crate::failpoint::Point;
use crate::handler::{Failure, RunningHandler};
use crate::host::Host;
use crate::keep::Writer;
use crate::partition::identity;
use crate::rebuild;
use crate::relay::insist;
use crate::setup::persist;
use crate::status::sentence;
use crate::store::{Commit, OutboxRow, Position, SetAside};
use crate::unit::{Cause, Unit};

/// How long the first record waits for others to share its transaction.
const LINGER: Duration = Duration::from_millis(5);
/// How often is looked for marks that transactions leave in the log.
const TICK: Duration = Duration::from_millis(250);
/// How long a record may fail before its group is left, so that no other member waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Kafka-to-Kafka handler of a running domain.
pub(crate) struct Task {
    pub(crate) host: Arc<Host>,
    pub(crate) name: String,
    pub(crate) topic: &'static str,
    pub(crate) handler: Arc<dyn RunningHandler>,
    pub(crate) stream: StreamConfig,
    pub(crate) admin: Admin,
}

enum Change {
    Assigned(i32),
    Revoked(i32),
}

struct Listener(mpsc::UnboundedSender<Change>);

impl RebalanceListener for Listener {
    fn assigned(&self, partitions: &[(String, i32)]) {
        for (_, partition) in partitions {
            // The receiver is gone only when the task has ended.
            self.0.send(Change::Assigned(*partition)).ok();
        }
    }

    fn revoked(&self, partitions: &[(String, i32)], _: bool) {
        for (_, partition) in partitions {
            self.0.send(Change::Revoked(*partition)).ok();
        }
    }
}

/// One membership in the group, with the producer that fences every earlier one of this
/// process.
struct Life {
    producer: TransactionalProducer,
    consumer: GroupConsumer,
    changes: mpsc::UnboundedReceiver<Change>,
    assigned: BTreeSet<i32>,
    /// The partitions whose state is known to be whole.
    ready: BTreeSet<i32>,
    /// The group as it was when partitions came last.
    group: Option<Arc<GroupMetadata>>,
    /// Partitions of the topic.
    partitions: i32,
}

/// What the handler made of a batch.
#[derive(Default)]
struct Handled {
    rows: Vec<OutboxRow>,
    documents: Vec<crate::effects::Change>,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
    events: BTreeMap<i32, u64>,
    /// Records that failed, and those of their partitions behind them.
    left: Vec<RawRecord>,
    failures: BTreeMap<i32, (RawRecord, Failure)>,
}

impl Task {
    /// Handles until the host takes nothing more in.
    pub(crate) async fn run(self) {
        let part = format!("handler {}", self.name);
        let mut backoff = Backoff::network();
        while !self.host.intake.is_cancelled() {
            let began = persist(&self.host, &part, &self.host.intake, || self.begin());
            let mut life = match began.await {
                Ok(Some(life)) => life,
                Ok(None) => return,
                Err(error) => return self.host.fail(&part, error),
            };
            let ended = self.live(&mut life, &part).await;
            let Life {
                producer, consumer, ..
            } = life;
            drop(producer);
            tokio::time::timeout(Duration::from_secs(3), consumer.close())
                .await
                .ok();
            let failed = match ended {
                Ok(()) => return,
                Err(failed) => failed,
            };
            if failed.remedy == Remedy::Fenced
                || failed.error.kind() == ErrorKind::FailedPrecondition
            {
                return self.host.fail(&part, failed.error);
            }
            tracing::warn!(
                handler = self.name,
                error = failed.error.log_line(),
                remedy = ?failed.remedy,
                "a Kafka-to-Kafka handler begins anew"
            );
            self.host.status.wait(&part, sentence(&failed.error));
            if !backoff.wait(&self.host.intake).await {
                return;
            }
        }
    }

    async fn begin(&self) -> Result<Life> {
        let partitions =
            self.admin
                .partitions(self.topic)
                .await
                .map_err(|error| match error.kind() {
                    // A topic that is not there yet is made by its own domain.
                    ErrorKind::NotFound => error.retryable(true),
                    _ => error,
                })?;
        let group = format!("{}.{}", self.host.domain, self.name);
        let id = format!("{group}.{}", self.host.store.outbox_id());
        let mut stream = self.stream.clone();
        stream.client_id = format!("{}-{}", stream.client_id, self.name);
        let producer = TransactionalProducer::init(&stream, &id).await?;
        // With that the last life's transaction has ended, so its documents can be read.
        rebuild::follow(&self.host, &self.stream, &self.admin).await?;
        let (changed, changes) = mpsc::unbounded_channel();
        let listener = Arc::new(Listener(changed));
        stream.overrides.remove("isolation.level");
        Ok(Life {
            producer,
            consumer: GroupConsumer::with_listener(&stream, &group, &[self.topic], listener)?,
            changes,
            assigned: BTreeSet::new(),
            ready: BTreeSet::new(),
            group: None,
            partitions,
        })
    }

    async fn live(&self, life: &mut Life, part: &str) -> Result<(), Failed> {
        while let Some(batch) = self.gather(life, part).await? {
            self.prepare(life, &batch).await?;
            self.work(life, batch).await?;
            self.host.status.clear(part);
        }
        Ok(())
    }

    /// The records of the next transaction; `None` if the host stops.
    async fn gather(&self, life: &mut Life, part: &str) -> Result<Option<Vec<RawRecord>>, Failed> {
        let mut batch: Vec<RawRecord> = Vec::new();
        let mut tick = tokio::time::interval(TICK);
        tick.tick().await;
        let mut until = None;
        while batch.len() < self.host.config.batch_events {
            let full = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let received = tokio::select! {
                biased;
                () = self.host.intake.cancelled() => return Ok(None),
                () = full => break,
                _ = tick.tick(), if batch.is_empty() => {
                    self.pass_marks(life);
                    continue;
                }
                received = life.consumer.recv() => received,
            };
            self.follow_changes(life, &mut batch)?;
            match received {
                Ok(record) => {
                    self.host.status.clear(part);
                    if life.assigned.contains(&record.partition) {
                        until.get_or_insert(tokio::time::Instant::now() + LINGER);
                        batch.push(record);
                    }
                }
                Err(error) if error.is_retryable() => {
                    self.host.status.wait(part, sentence(&error));
                }
                Err(error) => return Err(renew(error)),
            }
        }
        Ok(Some(batch))
    }

    /// Takes note of partitions that came and went; what was read of them is read again.
    fn follow_changes(&self, life: &mut Life, batch: &mut Vec<RawRecord>) -> Result<(), Failed> {
        let mut changed = false;
        while let Ok(change) = life.changes.try_recv() {
            changed = true;
            let partition = match change {
                Change::Assigned(partition) => {
                    life.assigned.insert(partition);
                    partition
                }
                Change::Revoked(partition) => {
                    life.assigned.remove(&partition);
                    partition
                }
            };
            life.ready.remove(&partition);
            batch.retain(|record| record.partition != partition);
        }
        if changed {
            life.group = Some(life.consumer.metadata().map_err(renew)?);
        }
        Ok(())
    }

    /// Shows that nothing is left to handle behind the marks of transactions.
    fn pass_marks(&self, life: &Life) {
        let Ok(positions) = life.consumer.position() else {
            return;
        };
        self.host.status.handler(&self.name, |handler| {
            for (_, partition, next) in positions {
                let shown = handler.next_offsets.entry(partition).or_insert(next);
                *shown = next.max(*shown);
            }
        });
    }

    /// Makes sure, for partitions that are new here, that their topic is still what was
    /// handled and that the state has all that their last owner has written. Its last
    /// transaction has ended, since the group's offset was read.
    async fn prepare(&self, life: &mut Life, batch: &[RawRecord]) -> Result<(), Failed> {
        let new: BTreeSet<i32> = batch
            .iter()
            .map(|record| record.partition)
            .filter(|partition| !life.ready.contains(partition))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        for partition in &new {
            let store = &self.host.store;
            let next = store.position(&self.name, self.topic, *partition);
            let next = next.await.map_err(renew)?.unwrap_or(0);
            let end = self.admin.log_end(self.topic, *partition);
            let end = end.await.map_err(renew)?;
            if next > end {
                return Err(renew(cut(&self.name, self.topic, *partition, next, end)));
            }
        }
        rebuild::follow(&self.host, &self.stream, &self.admin)
            .await
            .map_err(renew)?;
        life.ready.extend(new);
        Ok(())
    }

    /// Handles all of `batch`, however often it takes, or until the host stops.
    async fn work(&self, life: &Life, mut batch: Vec<RawRecord>) -> Result<(), Failed> {
        let mut attempts: HashMap<(i32, i64), u32> = HashMap::new();
        let mut backoff = Backoff::network();
        let begun = tokio::time::Instant::now();
        while !batch.is_empty() && !self.host.intake.is_cancelled() {
            let mut handled = self.handle_all(batch).await.map_err(renew)?;
            let failures = std::mem::take(&mut handled.failures);
            let mut waits = false;
            for (partition, (record, failure)) in failures {
                let tried = attempts.entry((partition, record.offset)).or_default();
                *tried += 1;
                if self.set_aside(&record, failure, *tried).await? {
                    handled.next.insert(partition, record.offset + 1);
                    handled
                        .left
                        .retain(|left| (left.partition, left.offset) != (partition, record.offset));
                } else {
                    waits = true;
                }
            }
            batch = std::mem::take(&mut handled.left);
            if !handled.next.is_empty() {
                self.transact(life, handled).await?;
            }
            if !waits {
                backoff.reset();
                continue;
            }
            if begun.elapsed() > PATIENCE {
                return Err(renew(Error::unavailable(
                    "an event waits for too long to be handled",
                )));
            }
            backoff.wait(&self.host.intake).await;
        }
        Ok(())
    }

    async fn handle_all(&self, batch: Vec<RawRecord>) -> Result<Handled> {
        let unit = Arc::new(Mutex::new(Unit::new(&self.host.store)));
        let mut handled = Handled::default();
        for record in batch {
            let partition = record.partition;
            if handled.failures.contains_key(&partition) {
                handled.left.push(record);
                continue;
            }
            match self.handle(&record, &unit).await {
                Ok(rows) => {
                    handled.rows.extend(rows);
                    handled.next.insert(partition, record.offset + 1);
                    *handled.events.entry(partition).or_default() += 1;
                }
                Err(failure) => {
                    handled.left.push(record.clone());
                    handled.failures.insert(partition, (record, failure));
                }
            }
        }
        let unit = std::mem::take(&mut *unit.lock().await);
        handled.documents = unit.into_commit(None).documents;
        Ok(handled)
    }

    /// Runs the handler for one record; the rows that it publishes.
    async fn handle(
        &self,
        record: &RawRecord,
        unit: &Arc<Mutex<Unit>>,
    ) -> Result<Vec<OutboxRow>, Failure> {
        let (id, trace) = identity(record);
        let trace = trace.child();
        let ctx = Context::new(Arc::clone(&self.host), Arc::clone(unit), trace);
        let run = AssertUnwindSafe(self.handler.run(record, &ctx)).catch_unwind();
        let effects = run.await.unwrap_or_else(|_| {
            Err(Failure::Handle(
                Error::internal("the handler panicked").mend("see the log for where"),
            ))
        })?;
        let id = id.to_string();
        let cause = Cause {
            parts: &[&self.host.domain, &self.name, &id],
            trace,
        };
        let outputs = self.host.outputs().map_err(Failure::Handle)?;
        let rows = Unit::rows_alone(effects, &cause, outputs).map_err(Failure::Handle)?;
        let mut documents = Vec::new();
        for row in &rows {
            match self.host.keeps.of(&row.topic) {
                Some(kept) if kept.writer == Writer::Topic => {
                    let change = kept.change(&raw(row)).await;
                    documents.push(change.map_err(Failure::Handle)?);
                }
                Some(_) => {
                    return Err(Failure::Handle(
                        Error::internal("a kept product is written by handlers with an outbox")
                            .with("topic", &row.topic)
                            .mend(
                                "declare it with `.follow::<…>()` if this handler is to write it",
                            ),
                    ));
                }
                None => {}
            }
        }
        unit.lock().await.write(documents);
        Ok(rows)
    }

    /// Sets a record aside that fails for good; `false` if it is to be tried again.
    async fn set_aside(
        &self,
        record: &RawRecord,
        failure: Failure,
        attempts: u32,
    ) -> Result<bool, Failed> {
        let (error, last) = match failure {
            Failure::Decode(error) => (error, true),
            Failure::Handle(error) => (error, attempts >= self.host.config.handler_attempts),
        };
        let metrics = &self.host.metrics;
        metrics.failed.with_label_values(&[&self.name]).inc();
        let partition = record.partition;
        if error.is_retryable() || !last {
            metrics.retried.with_label_values(&[&self.name]).inc();
            self.host.status.handler(&self.name, |handler| {
                handler.retries += 1;
                handler.waiting.insert(partition, sentence(&error));
            });
            return Ok(false);
        }
        let (id, trace) = identity(record);
        let commit = Commit {
            snapshot: self.host.store.version(),
            // Kept before the group passes it, so that it is never lost; a crash in
            // between keeps it once.
            set_aside: Some(SetAside {
                handler: self.name.clone(),
                topic: self.topic.to_owned(),
                partition,
                offset: record.offset,
                event_id: id,
                cause: error.log_line(),
                attempts,
                trace: trace.to_string(),
                key: record.key.as_ref().map(|key| key.to_vec()),
                value: record.value.as_ref().map(|value| value.to_vec()),
            }),
            ..Commit::default()
        };
        self.host.commit(commit).await.map_err(renew)?;
        tracing::error!(
            handler = self.name,
            topic = self.topic,
            partition,
            offset = record.offset,
            event_id = %id,
            attempts,
            error = error.log_line(),
            "an event was set aside"
        );
        metrics.set_aside.with_label_values(&[&self.name]).inc();
        self.host.status.handler(&self.name, |handler| {
            handler.set_aside += 1;
            handler.waiting.remove(&partition);
        });
        Ok(true)
    }

    /// Publishes what was handled with the group's offsets, and keeps it.
    async fn transact(&self, life: &Life, handled: Handled) -> Result<(), Failed> {
        let Some(group) = &life.group else {
            return Err(renew(Error::internal("records without an assignment")));
        };
        let part = format!("handler {}", self.name);
        let mut backoff = Backoff::network();
        let written = loop {
            match self.publish(life, group, &handled, &part).await {
                Ok(written) => break written,
                Err(failed)
                    if failed.remedy == Remedy::Abort
                        && failed.error.kind() != ErrorKind::Conflict =>
                {
                    self.host.status.wait(&part, sentence(&failed.error));
                    tracing::warn!(
                        handler = self.name,
                        error = failed.error.log_line(),
                        "a transaction failed and is made again"
                    );
                    insist(&self.host, &part, || life.producer.abort()).await?;
                    if !backoff.wait(&self.host.intake).await {
                        return Ok(());
                    }
                }
                Err(failed) => return Err(failed),
            }
        };
        let Handled {
            documents,
            next,
            events,
            ..
        } = handled;
        let mut positions: Vec<Position> = next
            .iter()
            .map(|(partition, next)| Position {
                handler: self.name.clone(),
                topic: self.topic.to_owned(),
                partition: *partition,
                next_offset: *next,
                handled: events.get(partition).copied().unwrap_or(0),
                duplicates: 0,
            })
            .collect();
        // Who has all partitions is the only one who writes the state.
        if life.assigned.len() as i32 == life.partitions {
            positions.extend(
                written
                    .iter()
                    .map(|((topic, partition), next)| rebuild::followed(topic, *partition, *next)),
            );
        }
        let commit = Commit {
            snapshot: self.host.store.version(),
            documents,
            positions,
            ..Commit::default()
        };
        // What fails here is read from the topic when the handler begins anew.
        self.host.commit(commit).await.map_err(renew)?;
        let count = events.values().sum();
        self.host
            .metrics
            .handled
            .with_label_values(&[&self.name])
            .inc_by(count);
        self.host.status.handler(&self.name, |handler| {
            handler.handled += count;
            for (partition, next) in next {
                handler.waiting.remove(&partition);
                handler.next_offsets.insert(partition, next);
            }
        });
        Ok(())
    }

    /// One transaction; how far it has written the partitions of followed products.
    async fn publish(
        &self,
        life: &Life,
        group: &Arc<GroupMetadata>,
        handled: &Handled,
        part: &str,
    ) -> Result<BTreeMap<(String, i32), i64>, Failed> {
        let begun = tokio::time::Instant::now();
        let done = self.transaction(life, group, handled, part).await;
        done.map_err(|mut failed| {
            // See `relay::writer`: a young transaction can only have been fenced.
            if failed.remedy == Remedy::Fenced
                && begun.elapsed() >= self.stream.transaction_timeout()
            {
                failed.remedy = Remedy::Renew;
            }
            failed
        })
    }

    async fn transaction(
        &self,
        life: &Life,
        group: &Arc<GroupMetadata>,
        handled: &Handled,
        part: &str,
    ) -> Result<BTreeMap<(String, i32), i64>, Failed> {
        let producer = &life.producer;
        producer.begin()?;
        let mut deliveries: Vec<((String, i32), Delivery)> = Vec::new();
        for row in &handled.rows {
            let delivery = producer.send(outgoing(row)?).await?;
            if self.host.keeps.of(&row.topic).is_some() {
                deliveries.push(((row.topic.clone(), row.partition), delivery));
            }
        }
        let offsets = handled
            .next
            .iter()
            .map(|(partition, next)| ((self.topic.to_owned(), *partition), *next))
            .collect();
        insist(&self.host, part, || producer.send_offsets(&offsets, group)).await?;
        insist(&self.host, part, || producer.flush()).await?;
        self.host
            .failpoint
            .pass(Point::TransformBeforeCommit, self.topic);
        insist(&self.host, part, || producer.commit()).await?;
        self.host
            .failpoint
            .pass(Point::TransformCommitted, self.topic);
        let mut written = BTreeMap::new();
        for (place, delivery) in deliveries {
            let (_, offset) = delivery.await.map_err(renew)?;
            // Deliveries come in order, so the last one stands.
            written.insert(place, offset + 1);
        }
        Ok(written)
    }
}

fn renew(error: Error) -> Failed {
    Failed {
        error,
        remedy: Remedy::Renew,
    }
}

/// A row as a reader of its topic gets it.
fn raw(row: &OutboxRow) -> RawRecord {
    RawRecord {
        topic: row.topic.clone(),
        partition: row.partition,
        offset: -1,
        timestamp: -1,
        key: Some(Bytes::copy_from_slice(&row.key)),
        value: row.value.as_deref().map(Bytes::copy_from_slice),
        headers: Vec::new(),
    }
}

fn outgoing(row: &OutboxRow) -> Result<Outgoing, Failed> {
    let corrupt = || Failed::abort(Error::internal("a row to publish is not well formed"));
    let trace: TraceContext = row.trace.parse().map_err(|_| corrupt())?;
    Ok(Outgoing {
        topic: row.topic.clone(),
        partition: Some(row.partition),
        key: Bytes::copy_from_slice(&row.key),
        value: row.value.as_deref().map(Bytes::copy_from_slice),
        headers: Headers {
            event_id: EventId(Uuid::from_slice(&row.event_id).map_err(|_| corrupt())?),
            contract_version: row.contract_version.clone(),
            trace,
            outbox: None,
        },
        timestamp: None,
    })
}
