//! The transactions of an outbox.
//!
//! A transaction carries rows of the outbox and, for each partition that they go to, the
//! position of the outbox in it: the group `<domain>.outbox.<outbox id>` has as its offset
//! of that very partition the sequence number after the last row published there. It is
//! stored where the rows go because only such a partition is known to exist, and it leaves
//! when the topic is deleted. It is a sequence number of the outbox and not an offset of
//! the log, so tools that compare the two show a lag that means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::{Error, ErrorKind, EventId, Result};
use mesh_stream::{
    Delivery, Failed, GroupMetadata, GroupOffsets, Headers, OutboxMark, Outgoing, Remedy,
    StreamConfig, TransactionalProducer,
};
use uuid::Uuid;

use super::PART;
use crate::failpoint::Point;
use crate::host::Host;
use crate::status::sentence;
use crate::store::{Noted, OutboxRow};

/// Between two tries of a step that only takes time.
const PAUSE: Duration = Duration::from_millis(50);

/// What a transaction has published, by partition.
pub(super) type Published = BTreeMap<(String, i32), Noted>;

/// Writes an outbox, and is the only one that can.
pub(super) struct Writer {
    producer: TransactionalProducer,
    offsets: GroupOffsets,
    group: Arc<GroupMetadata>,
}

impl Writer {
    /// Fences every other writer of this outbox. What the last one had under way is
    /// committed or aborted when this returns. A process whose store is another's by now
    /// must not fence that one, so it asks first.
    ///
    /// # Errors
    /// Those of [`Store::check`](crate::store::Store::check) and
    /// [`TransactionalProducer::init`].
    pub(super) async fn open(host: &Host, stream: &StreamConfig) -> Result<Self> {
        host.store.check().await?;
        let mut stream = stream.clone();
        stream.client_id = format!("{}-relay", stream.client_id);
        let name = format!("{}.outbox.{}", host.domain, host.store.outbox_id());
        let offsets = GroupOffsets::new(&stream, &name)?;
        Ok(Self {
            producer: TransactionalProducer::init(&stream, &name).await?,
            group: offsets.metadata()?,
            offsets,
        })
    }

    /// The sequence number after the last row published to each of `partitions`, as far as
    /// Kafka knows.
    pub(super) async fn positions(
        &self,
        partitions: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), i64>> {
        self.offsets.committed(partitions).await
    }

    /// Publishes `rows` in one transaction.
    ///
    /// # Errors
    /// See [`Remedy`]; a step that only takes time is gone on with here. After
    /// [`Remedy::Abort`] the transaction is still open.
    pub(super) async fn publish(
        &self,
        host: &Host,
        rows: Vec<OutboxRow>,
    ) -> Result<Published, Failed> {
        let topics = topics(&rows);
        self.producer.begin()?;
        for topic in &topics {
            host.failpoint.pass(Point::RelayBegun, topic);
        }
        let mut positions = BTreeMap::new();
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in rows {
            let place = (row.topic.clone(), row.partition);
            let seq = row.seq;
            let delivery = self.send(host, row).await?;
            // Rows come in order, so the last one stands.
            positions.insert(place.clone(), seq + 1);
            deliveries.push((place, seq, delivery));
        }
        insist(host, PART, || {
            self.producer.send_offsets(&positions, &self.group)
        })
        .await?;
        insist(host, PART, || self.producer.flush()).await?;
        for ((topic, _), ..) in &deliveries {
            host.failpoint.pass(Point::RelaySent, topic);
        }
        for topic in &topics {
            host.failpoint.pass(Point::RelayBeforeCommit, topic);
        }
        insist(host, PART, || self.producer.commit()).await?;
        for ((topic, _), ..) in &deliveries {
            host.failpoint.pass(Point::RelayCommitted, topic);
        }
        published(deliveries).await
    }

    /// Drops the transaction that has failed.
    ///
    /// # Errors
    /// [`Remedy::Renew`] or [`Remedy::Fenced`].
    pub(super) async fn abort(&self, host: &Host) -> Result<(), Failed> {
        insist(host, PART, || self.producer.abort()).await
    }

    async fn send(&self, host: &Host, row: OutboxRow) -> Result<Delivery, Failed> {
        let seq = row.seq;
        let corrupt = |what: &'static str| {
            Failed::abort(
                Error::new(ErrorKind::Corrupt, "a row of the outbox cannot be read")
                    .with("seq", seq)
                    .with("column", what),
            )
        };
        let headers = Headers {
            event_id: EventId(Uuid::from_slice(&row.event_id).map_err(|_| corrupt("event_id"))?),
            contract_version: row.contract_version.clone(),
            trace: row.trace.parse().map_err(|_| corrupt("trace"))?,
            outbox: Some(OutboxMark {
                outbox: host.store.outbox_id(),
                seq: seq as u64,
            }),
            ends: host
                .outputs()
                .ok()
                .and_then(|outputs| outputs.ends(&row.topic)),
        };
        let record = Outgoing {
            topic: row.topic,
            partition: Some(row.partition),
            key: Bytes::from(row.key),
            value: row.value.map(Bytes::from),
            headers,
            timestamp: None,
        };
        let sent = self.producer.send(record).await;
        sent.map_err(|failed| Failed {
            error: failed.error.with("seq", seq),
            ..failed
        })
    }
}

/// The topics of `rows`.
fn topics(rows: &[OutboxRow]) -> BTreeSet<String> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.topic.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Where the records of a committed transaction have come to stand.
async fn published(deliveries: Vec<((String, i32), i64, Delivery)>) -> Result<Published, Failed> {
    let mut published = Published::new();
    for (place, seq, delivery) in deliveries {
        // It was acknowledged before the transaction was committed.
        let (_, offset) = delivery.await.map_err(|error| Failed {
            error,
            remedy: Remedy::Renew,
        })?;
        let noted = published.entry(place).or_insert(Noted {
            seq: 0,
            offset: -1,
            published: 0,
        });
        noted.seq = noted.seq.max(seq);
        noted.offset = noted.offset.max(offset);
        noted.published += 1;
    }
    Ok(published)
}

/// Asks for a step again for as long as it only takes time, and says what it waits for.
pub(crate) async fn insist<Fut>(
    host: &Host,
    part: &str,
    step: impl Fn() -> Fut,
) -> Result<(), Failed>
where
    Fut: Future<Output = Result<(), Failed>>,
{
    loop {
        match step().await {
            Err(failed) if failed.remedy == Remedy::Again => {
                host.status.wait(part, sentence(&failed.error));
                tracing::debug!(part, error = failed.error.log_line(), "a transaction waits");
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}
