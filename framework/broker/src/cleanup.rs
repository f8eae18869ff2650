//! Retention and compaction in the background, for as long as the broker runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::log::{CleanFailure, Cleaned, CleanerLimits, Dirt, Partition};
use crate::shared::Shared;
use crate::sync::now_ms;

/// The longest pause before a partition is tried again that could not be cleaned.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// Removes old segments and forgets silent producers, each time the interval has gone by or
/// records were deleted.
pub(crate) async fn apply_retention(shared: Arc<Shared>) {
    let interval = shared.config.log_retention_check_interval;
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = shared.look_at_retention.notified() => {}
            () = shared.stop.cancelled() => return,
        }
        for topic in shared.topics.all() {
            for (index, partition) in topic.partitions.iter().enumerate() {
                if shared.stop.is_cancelled() {
                    return;
                }
                retain(&shared, topic.name.as_str(), index, partition).await;
            }
        }
    }
}

async fn retain(shared: &Shared, topic: &str, index: usize, partition: &Arc<Partition>) {
    let rolling = Arc::clone(partition);
    let rolled = tokio::task::spawn_blocking(move || {
        rolling.forget_silent_producers();
        rolling.roll_if_expired(now_ms())
    })
    .await;
    match rolled {
        // What is removed has been made durable first, as if it were to stay.
        Ok(Ok(true)) => {
            if let Err(error) = partition.flush_pending(true).await {
                tracing::error!(%error, topic, partition = index, "cannot flush a segment");
            }
        }
        Ok(Ok(false)) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, topic, partition = index, "cannot close an old segment");
        }
        Err(error) => tracing::error!(%error, topic, partition = index, "retention did not end"),
    }
    let removing = Arc::clone(partition);
    match tokio::task::spawn_blocking(move || removing.remove_old(now_ms())).await {
        Ok(Ok(removed)) if removed.segments > 0 => {
            shared.metrics.removed_segments.add(removed.segments);
            shared.metrics.removed_bytes.add(removed.bytes);
            tracing::info!(
                topic,
                partition = index,
                segments = removed.segments,
                bytes = removed.bytes,
                log_start = partition.log_start(),
                "removed old segments"
            );
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, topic, partition = index, "cannot remove old segments");
        }
        Err(error) => tracing::error!(%error, topic, partition = index, "retention did not end"),
    }
}

/// A partition that is due, and where it is.
struct Candidate {
    topic: String,
    index: usize,
    partition: Arc<Partition>,
    dirt: Dirt,
}

/// A partition's failures one after the other, and when it is tried again.
#[derive(Clone, Copy)]
struct Pause {
    failures: u32,
    until: Instant,
}

/// Cleans the dirtiest partition first, until none is due; then waits.
pub(crate) async fn compact(shared: Arc<Shared>) {
    let backoff = shared.config.log_cleaner_backoff;
    let limits = CleanerLimits {
        dedupe_bytes: shared.config.log_cleaner_dedupe_buffer_bytes,
        bytes_per_second: shared.config.log_cleaner_max_bytes_per_second,
    };
    let mut pauses: HashMap<(String, usize), Pause> = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            () = shared.stop.cancelled() => return,
        }
        loop {
            let looking = Arc::clone(&shared);
            let paused = pauses.clone();
            let found = tokio::task::spawn_blocking(move || dirtiest(&looking, &paused)).await;
            let candidate = match found {
                Ok(Some(candidate)) => candidate,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "looking for dirty partitions did not end");
                    break;
                }
            };
            let place = (candidate.topic.clone(), candidate.index);
            match clean(&shared, candidate, limits).await {
                Ok(()) => {
                    pauses.remove(&place);
                }
                Err(Stopped::Broker) => return,
                Err(Stopped::Partition) => {
                    let failures = pauses.get(&place).map_or(0, |pause| pause.failures);
                    let pause = backoff.saturating_mul(1 << failures.min(16));
                    let pause = Pause {
                        failures: failures + 1,
                        until: Instant::now() + pause.min(LONGEST_PAUSE),
                    };
                    pauses.insert(place, pause);
                }
            }
        }
    }
}

fn dirtiest(shared: &Shared, pauses: &HashMap<(String, usize), Pause>) -> Option<Candidate> {
    let now = now_ms();
    let mut worst: Option<Candidate> = None;
    for topic in shared.topics.all() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            let place = (topic.name.to_string(), index);
            if pauses
                .get(&place)
                .is_some_and(|pause| Instant::now() < pause.until)
            {
                continue;
            }
            let dirt = match partition.dirt(now) {
                Ok(Some(dirt)) if dirt.due => dirt,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, topic = place.0, partition = index,
                        "cannot see how dirty a partition is");
                    continue;
                }
            };
            if worst
                .as_ref()
                .is_none_or(|worst| dirt.ratio > worst.dirt.ratio)
            {
                worst = Some(Candidate {
                    topic: place.0,
                    index,
                    partition: Arc::clone(partition),
                    dirt,
                });
            }
        }
    }
    worst
}

enum Stopped {
    Broker,
    Partition,
}

async fn clean(
    shared: &Arc<Shared>,
    candidate: Candidate,
    limits: CleanerLimits,
) -> Result<(), Stopped> {
    let Candidate {
        topic,
        index,
        partition,
        dirt,
    } = candidate;
    let stop = shared.stop.clone();
    let cleaning = tokio::task::spawn_blocking(move || {
        // Batches are kept for the sake of producers that are known.
        partition.forget_silent_producers();
        partition.clean(&dirt, &limits, &|| stop.is_cancelled())
    });
    let metrics = &shared.metrics;
    match cleaning.await {
        Ok(Ok(cleaned)) => {
            let Cleaned {
                bytes_read,
                bytes_written,
                records_removed,
                first_dirty,
            } = cleaned;
            metrics.cleanings.add(1);
            metrics.cleaned_bytes.add(bytes_read);
            metrics.compacted_records.add(records_removed);
            tracing::info!(
                topic,
                partition = index,
                bytes_read,
                bytes_written,
                records_removed,
                first_dirty,
                "compacted a partition"
            );
            Ok(())
        }
        Ok(Err(CleanFailure::Stopped)) if shared.stop.is_cancelled() => Err(Stopped::Broker),
        // The topic was deleted.
        Ok(Err(CleanFailure::Stopped)) => Ok(()),
        Ok(Err(CleanFailure::Corrupt {
            segment,
            position,
            why,
        })) => {
            metrics.cleaner_failures.add(1);
            tracing::error!(
                topic,
                partition = index,
                segment,
                position,
                why,
                "a partition cannot be compacted, because it holds what cannot be read; \
                 it is left as it is until the next start"
            );
            Err(Stopped::Partition)
        }
        Ok(Err(CleanFailure::Failed(error))) => {
            metrics.cleaner_failures.add(1);
            tracing::error!(%error, topic, partition = index, "a partition was not compacted");
            Err(Stopped::Partition)
        }
        Err(error) => {
            metrics.cleaner_failures.add(1);
            tracing::error!(%error, topic, partition = index, "compacting a partition did not end");
            Err(Stopped::Partition)
        }
    }
}
