//! Reading kept products back from their topics: when the store was lost, and when
//! documents that follow a topic are behind it.
//!
//! How far a partition was read is kept as the position of a handler whose name no domain
//! can give: of [`BEGUN`] while a lost product is read back, and of [`DONE`] once its
//! documents are whole. A product that has documents and neither was kept by a release that
//! did not know of this, and is taken as whole.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_core::{Error, Result};
use mesh_stream::batch::PartitionReader;
use mesh_stream::{Admin, StreamConfig};

use crate::failpoint::Point;
use crate::host::Host;
use crate::keep::{Kept, Writer};
use crate::store::{Commit, Position};

const BEGUN: &str = ".rebuild";
const DONE: &str = ".kept";
/// Records that are committed together.
const BATCH: usize = 2_000;
/// How long transactions of other producers that are under way are waited for.
const UNDER_WAY: Duration = Duration::from_secs(10);
/// Between two looks at them.
const PAUSE: Duration = Duration::from_millis(20);

/// What keeps the domain from being ready while documents are read back.
pub(crate) const PART: &str = "rebuild";

/// Says that documents are missing, if they are: nothing of them is to be served then.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn look(host: &Host) -> Result<()> {
    for kept in host.keeps.all() {
        for partition in 0..kept.partitions {
            let begun = position(host, BEGUN, kept, partition).await?.is_some();
            if position(host, DONE, kept, partition).await?.is_none()
                && (begun || host.store.mark(&kept.kind).await?.count == 0)
            {
                host.status.wait(
                    PART,
                    format!("the documents of {} are not read back yet", kept.topic),
                );
            }
        }
    }
    Ok(())
}

/// Reads back what is missing, of all kept products.
///
/// # Errors
/// Retryable if Kafka cannot be read; else if a record cannot be decoded.
pub(crate) async fn rebuild(host: &Host, stream: &StreamConfig, admin: &Admin) -> Result<()> {
    for kept in host.keeps.all() {
        whole(host, stream, admin, kept).await?;
    }
    Ok(())
}

/// Brings the documents that follow a topic which `handler` may write to its end. What this
/// process has left open there must have been ended before. Topics of replays have one
/// writer each, whose documents nobody else may touch meanwhile.
///
/// # Errors
/// As [`rebuild`].
pub(crate) async fn follow(
    host: &Host,
    stream: &StreamConfig,
    admin: &Admin,
    handler: &str,
) -> Result<()> {
    let followed = host.keeps.all().filter(|kept| kept.writer == Writer::Topic);
    let versions = &host.replays.versions;
    for kept in followed.filter(|kept| versions.may_write(handler, kept.topic)) {
        for partition in 0..kept.partitions {
            let from = position(host, DONE, kept, partition).await?.unwrap_or(0);
            read(host, stream, admin, kept, partition, from, DONE).await?;
        }
    }
    Ok(())
}

/// The position after documents that a transaction has written to a followed topic.
pub(crate) fn followed(topic: &str, partition: i32, next: i64) -> Position {
    Position {
        handler: DONE.to_owned(),
        topic: topic.to_owned(),
        partition,
        next_offset: next,
        handled: 0,
        duplicates: 0,
    }
}

async fn position(host: &Host, name: &str, kept: &Kept, partition: i32) -> Result<Option<i64>> {
    host.store.position(name, kept.topic, partition).await
}

/// Makes sure that the documents of a product are those of its topic at least.
async fn whole(host: &Host, stream: &StreamConfig, admin: &Admin, kept: &Kept) -> Result<()> {
    let mut missing = Vec::new();
    let mut begun = false;
    for partition in 0..kept.partitions {
        begun |= position(host, BEGUN, kept, partition).await?.is_some();
        if position(host, DONE, kept, partition).await?.is_none() {
            missing.push(partition);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !begun {
        let fresh = host.store.mark(&kept.kind).await?.count == 0;
        let mut positions = Vec::new();
        for partition in &missing {
            let (low, end) = admin.watermarks(kept.topic, *partition).await?;
            positions.push(match fresh {
                true => Position {
                    handler: BEGUN.to_owned(),
                    ..followed(kept.topic, *partition, low)
                },
                // What is there is not to be overwritten by what is older.
                false => followed(kept.topic, *partition, end),
            });
        }
        commit(host, Vec::new(), positions).await?;
        if !fresh {
            return Ok(());
        }
    }
    for partition in missing {
        let from = position(host, BEGUN, kept, partition).await?.unwrap_or(0);
        let (end, rows) = read(host, stream, admin, kept, partition, from, BEGUN).await?;
        commit(host, Vec::new(), vec![followed(kept.topic, partition, end)]).await?;
        if rows > 0 {
            tracing::info!(
                topic = kept.topic,
                partition,
                rows,
                "documents were read back from their topic"
            );
        }
    }
    Ok(())
}

/// Applies the records of a partition from `from` to its end; the end, and how many.
async fn read(
    host: &Host,
    stream: &StreamConfig,
    admin: &Admin,
    kept: &Kept,
    partition: i32,
    from: i64,
    name: &str,
) -> Result<(i64, u64)> {
    let end = admin.log_end(kept.topic, partition).await?;
    let begun = tokio::time::Instant::now();
    // Others go on writing: what they have written by now is what counts.
    let low = loop {
        let (low, stable) = admin.watermarks(kept.topic, partition).await?;
        if stable >= end {
            break low;
        }
        if begun.elapsed() < UNDER_WAY && !host.intake.is_cancelled() {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        return Err(Error::unavailable(
            "a transaction of another producer hides the end of a topic",
        )
        .with("topic", kept.topic)
        .with("partition", partition)
        .mend("wait until it ends, which `transaction.timeout.ms` of its producer bounds"));
    };
    let mut stream = stream.clone();
    stream.overrides.remove("isolation.level");
    let mut reader = PartitionReader::open(&stream, kept.topic, partition, from.max(low), end)?;
    let mut rows = 0;
    while let Some(mut records) = reader.next_batch(BATCH).await? {
        let mut changes = BTreeMap::new();
        let mut next = from;
        for at in 0..records.len() {
            let Some(record) = records.to_raw(at) else {
                continue;
            };
            let change = kept.change(&record).await?;
            next = record.offset + 1;
            rows += 1;
            // The latest of a key stands.
            changes.insert(change.key.clone(), change);
        }
        host.failpoint.pass(Point::RebuildRead, kept.topic);
        let mut reached = followed(kept.topic, partition, next);
        name.clone_into(&mut reached.handler);
        commit(host, changes.into_values().collect(), vec![reached]).await?;
        host.failpoint.pass(Point::RebuildCommitted, kept.topic);
        if host.status.waits(PART) {
            host.status.wait(
                PART,
                format!(
                    "the documents of {} are read back: partition {partition} of {}, offset {next} of {end}",
                    kept.topic, kept.partitions
                ),
            );
        }
    }
    Ok((end, rows))
}

async fn commit(
    host: &Host,
    documents: Vec<crate::effects::Change>,
    positions: Vec<Position>,
) -> Result<()> {
    let commit = Commit {
        snapshot: host.store.version(),
        documents,
        positions,
        ..Commit::default()
    };
    // Nothing was read that could have changed, so it cannot be refused.
    host.store.commit(&commit).await.map(drop)
}
