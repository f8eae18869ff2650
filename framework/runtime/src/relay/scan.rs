//! Finding out from the log what was published, where Kafka has no position of the outbox:
//! every record carries its outbox and sequence number in a header.

use std::collections::HashSet;
use std::time::Duration;

use mesh_core::{Error, Result};
use mesh_stream::batch::{Messages, PartitionReader};
use mesh_stream::{Admin, Headers, StreamConfig};
use uuid::Uuid;

use super::Target;
use super::recovery::{changed, note};
use crate::host::Host;
use crate::store::Noted;

/// The end of a topic has to stand still for this long before it is believed: what a relay
/// without transactions had on its way may still arrive.
const SETTLE: Duration = Duration::from_millis(300);
/// Records read at a time.
const TAKE: usize = 4_096;

/// A partition of which it is not known which rows stand in it.
pub(super) struct Doubt {
    pub(super) target: Target,
    pub(super) noted: Noted,
    /// The rows of the outbox for it.
    pub(super) rows: Vec<i64>,
}

/// Reads what stands after the last noted offset of each partition, and drops the rows
/// that are found there.
///
/// # Errors
/// Retryable if Kafka cannot be read; else as [`changed`] says if the topic no longer
/// begins where it must.
pub(super) async fn resolve(
    host: &Host,
    stream: &StreamConfig,
    admin: &Admin,
    doubtful: Vec<Doubt>,
) -> Result<()> {
    if doubtful.is_empty() {
        return Ok(());
    }
    let mut stream = stream.clone();
    stream.client_id = format!("{}-recovery", stream.client_id);
    // Records of an aborted transaction are not published.
    stream.overrides.remove("isolation.level");
    let ends = settled(admin, &doubtful).await?;
    for (doubt, end) in doubtful.into_iter().zip(ends) {
        let (topic, partition, compacted) = doubt.target;
        let next = doubt.noted.offset + 1;
        let (low, stable) = admin.watermarks(topic, partition).await?;
        if low > next {
            return Err(changed(
                topic,
                partition,
                "the topic has lost records that would show what was published",
            )
            .with("noted_offset", doubt.noted.offset)
            .with("begin", low));
        }
        if stable < end {
            return Err(Error::unavailable(
                "a transaction of another producer hides what was published",
            )
            .with("topic", topic)
            .with("partition", partition)
            .mend("wait until it ends, which `transaction.timeout.ms` of its producer bounds"));
        }
        let mut reader = PartitionReader::open(&stream, topic, partition, next, end)?;
        let mut marks = HashSet::new();
        while let Some(mut records) = reader.next_batch(TAKE).await? {
            marks.extend(sequences(&mut records, host.store.outbox_id()));
        }
        let newest = marks.iter().copied().max().unwrap_or(0);
        // Of a compacted topic older records may be gone; since a partition is written in
        // order, whatever is not newer than the newest was there.
        let found: Vec<i64> = doubt
            .rows
            .iter()
            .copied()
            .filter(|seq| marks.contains(seq) || (compacted && *seq <= newest))
            .collect();
        if !found.is_empty() {
            tracing::info!(
                topic,
                partition,
                found = found.len(),
                left = doubt.rows.len() - found.len(),
                "rows of the outbox were found in the log"
            );
        }
        let seq = newest.max(doubt.noted.seq);
        note(host, topic, partition, &doubt.noted, seq, end, &found).await?;
    }
    Ok(())
}

/// The ends of all partitions, once none of them moves any more.
async fn settled(admin: &Admin, doubtful: &[Doubt]) -> Result<Vec<i64>> {
    let mut found = ends(admin, doubtful).await?;
    loop {
        tokio::time::sleep(SETTLE).await;
        let again = ends(admin, doubtful).await?;
        if again == found {
            return Ok(found);
        }
        found = again;
    }
}

async fn ends(admin: &Admin, doubtful: &[Doubt]) -> Result<Vec<i64>> {
    let mut ends = Vec::with_capacity(doubtful.len());
    for Doubt { target, .. } in doubtful {
        ends.push(admin.log_end(target.0, target.1).await?);
    }
    Ok(ends)
}

/// The sequence numbers of the records of `outbox`.
fn sequences(records: &mut Messages, outbox: Uuid) -> Vec<i64> {
    let topic = records.topic().to_owned();
    let mut found = Vec::new();
    for at in 0..records.len() {
        let (Some(headers), Some(record)) = (records.headers(at), records.get(at)) else {
            continue;
        };
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        // A record of another writer may have any headers.
        let read = Headers::from_kafka(pairs, &topic, record.partition, record.offset);
        if let Ok(Headers {
            outbox: Some(mark), ..
        }) = read
            && mark.outbox == outbox
        {
            found.push(mark.seq as i64);
        }
    }
    found
}
