//! Kafka-to-Kafka handlers: what they consume, what they publish and how far they have
//! come are one Kafka transaction.
//!
//! One task reads all partitions that are this process's and handles their records in
//! batches. A transaction carries what a batch publishes and, as the group's offsets, the
//! place after it; the group's metadata is that of the moment when the partitions came, so
//! a process that has lost them can commit nothing. State is rows of followed products:
//! published in the transaction, and kept as documents after it. Documents that a crash
//! has left behind are read from the topic before anything is handled.

mod batch;
mod handle;
mod publish;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Failed, GroupConsumer, GroupMetadata, RawRecord, Remedy, TransactionalProducer};
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::rebuild;
use crate::setup::persist;
use crate::status::sentence;
use crate::task::{Asked, Change, SOUND, Task};

/// One membership in the group, with the producer that fences every earlier one of this
/// process.
struct Life {
    producer: TransactionalProducer,
    consumer: Arc<GroupConsumer>,
    asked: Asked,
    changes: mpsc::UnboundedReceiver<Change>,
    assigned: BTreeSet<i32>,
    /// The partitions whose state is known to be whole.
    ready: BTreeSet<i32>,
    /// The group as it was when partitions came last.
    group: Option<Arc<GroupMetadata>>,
    /// Records that there was no time for in the last transaction.
    left: Vec<RawRecord>,
    /// Partitions of the topic.
    partitions: i32,
}

impl Task {
    /// Has a Kafka-to-Kafka handler consume and publish until it is stopped.
    pub(crate) async fn transform(self) {
        let part = format!("handler {}", self.name);
        let mut backoff = Backoff::network();
        while !self.stop.is_cancelled() {
            let began = persist(&self.host, &part, &self.stop, || self.begin());
            let mut life = match began.await {
                Ok(Some(life)) => life,
                Ok(None) => return,
                Err(error) => return self.host.fail(&part, error),
            };
            let begun = tokio::time::Instant::now();
            let ended = self.live(&mut life, &part).await;
            let Life {
                producer,
                consumer,
                asked,
                ..
            } = life;
            drop(producer);
            asked.end().await;
            if let Some(consumer) = Arc::into_inner(consumer) {
                tokio::time::timeout(Duration::from_secs(3), consumer.close())
                    .await
                    .ok();
            }
            let failed = match ended {
                Ok(()) => return,
                Err(failed) => failed,
            };
            if failed.remedy == Remedy::Fenced
                || (failed.error.kind() == ErrorKind::FailedPrecondition
                    && !failed.error.is_retryable())
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
            if begun.elapsed() > SOUND {
                backoff.reset();
            }
            if !backoff.wait(&self.stop).await {
                return;
            }
        }
    }

    async fn begin(&self) -> Result<Life> {
        self.host.inputs.admit(self.topic)?;
        let partitions = self.partitions().await?;
        let id = format!("{}.{}", self.group(), self.host.store.outbox_id());
        // A process whose store is another's by now must not fence that one.
        self.host.store.check().await?;
        let mut stream = self.stream.clone();
        stream.client_id = format!("{}-{}", stream.client_id, self.name);
        let producer = TransactionalProducer::init(&stream, &id).await?;
        // With that the last life's transaction has ended, so its documents can be read.
        rebuild::follow(&self.host, &self.stream, &self.admin, &self.name).await?;
        stream.overrides.remove("isolation.level");
        let (consumer, changes) = self.join(&stream)?;
        Ok(Life {
            producer,
            consumer: Arc::new(consumer),
            asked: Asked::default(),
            changes,
            assigned: BTreeSet::new(),
            ready: BTreeSet::new(),
            group: None,
            left: Vec::new(),
            partitions,
        })
    }

    async fn live(&self, life: &mut Life, part: &str) -> Result<(), Failed> {
        while let Some(batch) = self.gather(life, part).await? {
            self.host.inputs.admit(self.topic).map_err(renew)?;
            self.prepare(life, &batch).await?;
            life.left = self.work(life, batch).await?;
            self.host.status.clear(part);
        }
        Ok(())
    }
}

fn renew(error: Error) -> Failed {
    Failed {
        error,
        remedy: Remedy::Renew,
    }
}
