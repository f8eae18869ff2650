//! Finding out what the last life of this outbox has published.
//!
//! Kafka has the position of the outbox in every partition that a transaction has written,
//! and the writer has ended every earlier transaction, so rows before a position are
//! published and all others are not. A partition without a position was not written yet, or
//! was written by a release whose relay had no transactions, or Kafka has let the position
//! go (after `offsets.retention.minutes`, seven days by default, without a new one): there
//! the log itself is read, see [`scan`](super::scan).
//!
//! If Kafka and the store do not fit together, nobody can tell any more what was
//! published: then the relay refuses to go on, rather than publish something twice or
//! lose it.

use std::collections::BTreeMap;

use mesh_core::{Error, ErrorKind, Result};
use mesh_stream::{Admin, StreamConfig};

use super::writer::Writer;
use super::{Target, scan, show};
use crate::host::Host;
use crate::store::Noted;

/// Brings the store up to what stands in Kafka.
///
/// # Errors
/// Retryable if Kafka cannot be asked; [`ErrorKind::FailedPrecondition`] if a topic or the
/// store is not what was noted.
pub(super) async fn recover(
    host: &Host,
    stream: &StreamConfig,
    admin: &Admin,
    writer: &Writer,
    targets: &[Target],
) -> Result<()> {
    let partitions: Vec<(String, i32)> = targets
        .iter()
        .map(|(topic, partition, _)| ((*topic).to_owned(), *partition))
        .collect();
    let positions = writer.positions(&partitions).await?;
    let last = host.store.outbox_last().await?;
    let mut doubtful = Vec::new();
    for (target, place) in targets.iter().zip(&partitions) {
        let (topic, partition, _) = *target;
        let end = admin.log_end(topic, partition).await?;
        let noted = match host.store.noted(topic, partition).await? {
            Some(noted) => noted,
            None => begin(host, topic, partition, end).await?,
        };
        if end <= noted.offset {
            return Err(
                changed(topic, partition, "the topic ends before what was published")
                    .with("noted_offset", noted.offset)
                    .with("end", end),
            );
        }
        let rows = host.store.outbox_of(topic, partition).await?;
        let Some(next) = positions.get(place).copied() else {
            match rows.is_empty() || end == noted.offset + 1 {
                // Nothing is in doubt here, whatever stands there.
                true => note(host, topic, partition, &noted, noted.seq, end, &[]).await?,
                false => doubtful.push(scan::Doubt {
                    target: *target,
                    noted,
                    rows,
                }),
            }
            continue;
        };
        if next <= noted.seq {
            return Err(changed(
                topic,
                partition,
                "Kafka's position of the outbox is behind what was published",
            )
            .with("position", next)
            .with("noted", noted.seq));
        }
        if next > last + 1 {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the domain's store is older than what was published from it",
            )
            .with("topic", topic)
            .with("partition", partition)
            .with("position", next)
            .with("last_row", last)
            .mend("restore its data folder or schema as it was last, or begin with an empty one"));
        }
        let published: Vec<i64> = rows.into_iter().filter(|seq| *seq < next).collect();
        if !published.is_empty() {
            tracing::info!(
                topic,
                partition,
                rows = published.len(),
                "rows of the outbox stand in Kafka already"
            );
        }
        note(host, topic, partition, &noted, next - 1, end, &published).await?;
    }
    scan::resolve(host, stream, admin, doubtful).await
}

/// Notes that the partition is known up to `end`, and `seq` the last row published there;
/// deletes `published`, rows of it that stand there.
pub(super) async fn note(
    host: &Host,
    topic: &str,
    partition: i32,
    noted: &Noted,
    seq: i64,
    end: i64,
    published: &[i64],
) -> Result<()> {
    let known = Noted {
        seq,
        offset: end - 1,
        published: published.len() as u64,
    };
    if published.is_empty() && (known.seq, known.offset) == (noted.seq, noted.offset) {
        return Ok(());
    }
    host.store
        .note_found(topic, partition, &known, published)
        .await?;
    show(
        host,
        &BTreeMap::from([((topic.to_owned(), partition), known)]),
    );
    Ok(())
}

/// Notes where this outbox begins to write, before its first record.
async fn begin(host: &Host, topic: &str, partition: i32, end: i64) -> Result<Noted> {
    let noted = Noted {
        seq: 0,
        offset: end - 1,
        published: 0,
    };
    if end > 0 {
        tracing::warn!(
            topic,
            partition,
            records = end,
            "the topic holds records that this store knows nothing of"
        );
    }
    host.store.note_found(topic, partition, &noted, &[]).await?;
    Ok(noted)
}

pub(super) fn changed(topic: &str, partition: i32, message: &'static str) -> Error {
    Error::new(ErrorKind::FailedPrecondition, message)
        .with("topic", topic)
        .with("partition", partition)
        .mend(
            "the topic was deleted, cut or restored from an older state: restore it, or restore \
             the domain's data folder or schema from the same time",
        )
}
