//! The transaction: what was handled is published with the group's offsets, and kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::{Error, ErrorKind, EventId, TraceContext};
use mesh_stream::{Delivery, Failed, GroupMetadata, Headers, Outgoing, Remedy};
use uuid::Uuid;

use super::handle::Handled;
use super::{Life, renew};
use crate::backoff::Backoff;
use crate::failpoint::Point;
use crate::host::Host;
use crate::rebuild;
use crate::relay::insist;
use crate::status::sentence;
use crate::store::{Commit, OutboxRow, Position};
use crate::task::Task;

impl Task {
    /// Publishes what was handled with the group's offsets, and keeps it.
    pub(super) async fn transact(&self, life: &Life, handled: Handled) -> Result<(), Failed> {
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
                    if !backoff.wait(&self.stop).await {
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
            rows,
            ..
        } = handled;
        for row in &rows {
            let topic = row.topic.as_str();
            self.host.metrics.relayed.with_label_values(&[topic]).inc();
            self.host.status.published(topic, 1);
        }
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
        let producer = &life.producer;
        producer.begin()?;
        let mut deliveries: Vec<((String, i32), Delivery)> = Vec::new();
        for row in &handled.rows {
            let delivery = producer.send(outgoing(row, &self.host)?).await?;
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

fn outgoing(row: &OutboxRow, host: &Host) -> Result<Outgoing, Failed> {
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
            ends: host
                .outputs()
                .ok()
                .and_then(|outputs| outputs.ends(&row.topic)),
        },
        timestamp: None,
    })
}
