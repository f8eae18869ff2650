//! Handling a batch: what it publishes and keeps, and what of it fails.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::{Error, Result};
use mesh_stream::{Failed, RawRecord};
use tokio::sync::Mutex;

use super::{Life, renew};
use crate::backoff::Backoff;
use crate::context::Context;
use crate::handler::{Failure, run_caught};
use crate::keep::Writer;
use crate::partition::identity;
use crate::status::sentence;
use crate::store::{Commit, OutboxRow, SetAside};
use crate::task::Task;
use crate::unit::{Cause, Unit};

/// How long records are added to a transaction, and how long a batch is worked at before the
/// consumer is asked again: one that is not asked loses its partitions.
const BATCH_TIME: Duration = Duration::from_millis(500);
/// How long a record may fail before its group is left, so that no other member waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the handler made of a batch.
#[derive(Default)]
pub(super) struct Handled {
    pub(super) rows: Vec<OutboxRow>,
    pub(super) documents: Vec<crate::effects::Change>,
    /// The next offset of each partition.
    pub(super) next: BTreeMap<i32, i64>,
    pub(super) events: BTreeMap<i32, u64>,
    /// Records that failed, those of their partitions behind them, and those that there was no
    /// time for.
    pub(super) left: Vec<RawRecord>,
    pub(super) failures: BTreeMap<i32, (RawRecord, Failure)>,
}

impl Task {
    /// Handles `batch`, however often it takes, or until the host stops; what there was no time
    /// for.
    pub(super) async fn work(
        &self,
        life: &Life,
        mut batch: Vec<RawRecord>,
    ) -> Result<Vec<RawRecord>, Failed> {
        let mut attempts: HashMap<(i32, i64), u32> = HashMap::new();
        let mut backoff = Backoff::network();
        let begun = tokio::time::Instant::now();
        while !batch.is_empty() && !self.stop.is_cancelled() {
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
                if begun.elapsed() > BATCH_TIME {
                    break;
                }
                backoff.reset();
                continue;
            }
            if begun.elapsed() > PATIENCE {
                return Err(renew(Error::unavailable(
                    "an event waits for too long to be handled",
                )));
            }
            backoff.wait(&self.stop).await;
        }
        Ok(batch)
    }

    async fn handle_all(&self, batch: Vec<RawRecord>) -> Result<Handled> {
        let unit = Arc::new(Mutex::new(Unit::new(&self.host.store)));
        let mut handled = Handled::default();
        let begun = tokio::time::Instant::now();
        for record in batch {
            let partition = record.partition;
            let late = begun.elapsed() > BATCH_TIME || self.stop.is_cancelled();
            if late && !handled.next.is_empty() {
                handled.left.push(record);
                continue;
            }
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
        let effects = run_caught(self.handler.as_ref(), record, &ctx).await?;
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
                    kept.claim(&self.name).map_err(Failure::Handle)?;
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
