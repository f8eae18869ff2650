//! Finding out what the last life of this outbox has published.
//!
//! For each partition the store has noted an offset up to which everything is known. What
//! stands after it is read, and rows of the outbox whose sequence number is found there
//! are dropped. If the topic begins after that offset, or ends before it, nobody can tell
//! any more what was published: then the relay refuses to go on, rather than publish
//! something twice or lose it.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Admin, Headers, StreamConfig};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

use super::{Target, published};
use crate::host::Host;
use crate::store::Noted;

/// The end of a topic has to stand still for this long before it is believed: what the
/// last life had on its way may still arrive.
const SETTLE: Duration = Duration::from_millis(300);
/// How long a broker may be silent while it is read from.
const SILENCE: Duration = Duration::from_secs(20);

/// Brings the store up to what stands in Kafka.
///
/// # Errors
/// Retryable if Kafka cannot be asked; [`ErrorKind::FailedPrecondition`] if a topic is not
/// what was noted.
pub(super) async fn recover(
    host: &Host,
    stream: &StreamConfig,
    admin: &Admin,
    targets: &[Target],
) -> Result<()> {
    let settle = host.store.pending() > 0;
    for (topic, partition, compacted) in targets {
        let (low, high) = end(admin, topic, *partition, settle).await?;
        let noted = match host.store.noted(topic, *partition).await? {
            Some(noted) => noted,
            None => begin(host, topic, *partition, high).await?,
        };
        let next = noted.offset + 1;
        if high < next {
            return Err(changed(
                topic,
                *partition,
                "the topic ends before what was published",
            )
            .with("noted_offset", noted.offset)
            .with("end", high));
        }
        let rows = host.store.outbox_of(topic, *partition).await?;
        if rows.is_empty() {
            // Nothing is in doubt here, whatever stands there.
            if high > next {
                let known = Noted {
                    seq: noted.seq,
                    offset: high - 1,
                    published: 0,
                };
                host.store
                    .note_found(topic, *partition, &known, &[])
                    .await?;
            }
            continue;
        }
        if low > next {
            return Err(changed(
                topic,
                *partition,
                "the topic has lost records that would show what was published",
            )
            .with("noted_offset", noted.offset)
            .with("begin", low));
        }
        if high == next {
            continue;
        }
        let marks = {
            let (stream, topic, outbox) =
                (stream.clone(), (*topic).to_owned(), host.store.outbox_id());
            let partition = *partition;
            tokio::task::spawn_blocking(move || {
                marks(&stream, &topic, partition, next, high, outbox)
            })
            .await
            .map_err(|error| Error::internal("reading a topic was cut short").because(error))??
        };
        let newest = marks.iter().copied().max().unwrap_or(0);
        // Of a compacted topic older records may be gone; since a partition is written in
        // order, whatever is not newer than the newest was there.
        let found: Vec<i64> = rows
            .iter()
            .copied()
            .filter(|seq| marks.contains(seq) || (*compacted && *seq <= newest))
            .collect();
        let known = Noted {
            seq: newest,
            offset: high - 1,
            published: found.len() as u64,
        };
        host.store
            .note_found(topic, *partition, &known, &found)
            .await?;
        if !found.is_empty() {
            tracing::info!(
                topic,
                partition,
                found = found.len(),
                left = rows.len() - found.len(),
                "records of the outbox stand in Kafka already"
            );
        }
        published(
            host,
            &BTreeMap::from([(((*topic).to_owned(), *partition), known)]),
        );
    }
    Ok(())
}

/// The watermarks of a partition, taken twice if something may still be on its way there.
async fn end(admin: &Admin, topic: &str, partition: i32, settle: bool) -> Result<(i64, i64)> {
    let mut found = admin.watermarks(topic, partition).await?;
    if !settle {
        return Ok(found);
    }
    loop {
        tokio::time::sleep(SETTLE).await;
        let again = admin.watermarks(topic, partition).await?;
        if again == found {
            return Ok(found);
        }
        found = again;
    }
}

/// Notes where this outbox begins to write, before its first record.
async fn begin(host: &Host, topic: &str, partition: i32, high: i64) -> Result<Noted> {
    let noted = Noted {
        seq: 0,
        offset: high - 1,
        published: 0,
    };
    if high > 0 {
        tracing::warn!(
            topic,
            partition,
            records = high,
            "the topic holds records that this data folder knows nothing of"
        );
    }
    host.store.note_found(topic, partition, &noted, &[]).await?;
    Ok(noted)
}

fn changed(topic: &str, partition: i32, message: &'static str) -> Error {
    Error::new(ErrorKind::FailedPrecondition, message)
        .with("topic", topic)
        .with("partition", partition)
        .mend(
            "the topic was deleted, cut or restored from an older state: restore it, or restore \
             the domain's data folder from the same time",
        )
}

/// The sequence numbers of `outbox` that stand from `start` up to before `end`.
fn marks(
    stream: &StreamConfig,
    topic: &str,
    partition: i32,
    start: i64,
    end: i64,
    outbox: Uuid,
) -> Result<HashSet<i64>> {
    let failed = |error: KafkaError| {
        Error::unavailable("a topic cannot be read back")
            .with("topic", topic)
            .with("partition", partition)
            .because(error)
    };
    let mut config = ClientConfig::new();
    for (name, value) in &stream.overrides {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config
        .set("bootstrap.servers", &stream.bootstrap)
        .set("client.id", format!("{}-recovery", stream.client_id))
        .set("group.id", format!("{}-recovery", stream.client_id))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_uncommitted")
        .create()
        .map_err(failed)?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Offset(start))
        .map_err(failed)?;
    consumer.assign(&assignment).map_err(failed)?;
    let mut found = HashSet::new();
    let mut heard = Instant::now();
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if message.offset() >= end {
                    return Ok(found);
                }
                if let Some(seq) = seq_of(&message, outbox) {
                    found.insert(seq);
                }
                if message.offset() + 1 >= end {
                    return Ok(found);
                }
            }
            // The end of the partition: what is missing before `end` was compacted away.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(found),
            // Librdkafka connects again by itself; only a long silence ends the attempt.
            Some(Err(error)) if heard.elapsed() > SILENCE => return Err(failed(error)),
            Some(Err(error)) => {
                tracing::debug!(topic, partition, %error, "reading back");
                std::thread::sleep(Duration::from_millis(100));
            }
            None if heard.elapsed() > SILENCE => {
                return Err(failed(KafkaError::MessageConsumption(
                    rdkafka::error::RDKafkaErrorCode::OperationTimedOut,
                )));
            }
            None => {}
        }
    }
}

/// The sequence number of a record of `outbox`; `None` for a record of another writer.
fn seq_of(message: &impl Message, outbox: Uuid) -> Option<i64> {
    let headers = message.headers()?;
    let pairs = headers.iter().map(|header| (header.key, header.value));
    let read = Headers::from_kafka(
        pairs,
        message.topic(),
        message.partition(),
        message.offset(),
    );
    let mark = read.ok()?.outbox?;
    (mark.outbox == outbox).then_some(mark.seq as i64)
}
