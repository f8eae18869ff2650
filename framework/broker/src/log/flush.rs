//! Making a partition durable.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kafka_protocol::ResponseError;

use super::partition::Partition;
use super::recovery;
use super::snapshots::save_producers;
use super::transactions::NONE_OPEN;
use crate::files;
use crate::sync::{lock, read, steady_ms};

impl Partition {
    /// Returns when all before `offset` may be acknowledged.
    pub(crate) async fn wait_acknowledged(
        self: &Arc<Self>,
        offset: i64,
    ) -> Result<(), ResponseError> {
        if self.high_watermark() >= offset {
            return Ok(());
        }
        self.flush(offset).await
    }

    /// Makes all before `offset` durable. Those who come while a flush runs wait for the
    /// next one together: that groups the fsyncs.
    pub(crate) async fn flush(self: &Arc<Self>, offset: i64) -> Result<(), ResponseError> {
        while self.flushed.load(Ordering::Acquire) < offset {
            let turn = Arc::clone(&self.flushing).lock_owned().await;
            if self.flushed.load(Ordering::Acquire) >= offset {
                break;
            }
            self.flush_in_turn(turn).await?;
        }
        Ok(())
    }

    /// Flushes on a thread that may wait. The turn goes along: whoever waits for the flush
    /// may give up, as when a connection ends, and the next one must not begin before this
    /// one has ended, since it would take for durable what is still being synced.
    async fn flush_in_turn(
        self: &Arc<Self>,
        turn: tokio::sync::OwnedMutexGuard<()>,
    ) -> Result<(), ResponseError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(ResponseError::KafkaStorageError);
        }
        let partition = Arc::clone(self);
        let flushing = tokio::task::spawn_blocking(move || {
            let flushed = partition.flush_now();
            drop(turn);
            flushed
        });
        flushing.await.unwrap_or_else(|stopped| {
            tracing::error!(error = %stopped, "a flush did not end");
            Err(ResponseError::KafkaStorageError)
        })
    }

    /// Flushes what is there, if there is anything, or only full segments.
    pub(crate) async fn flush_pending(
        self: &Arc<Self>,
        only_sealed: bool,
    ) -> Result<(), ResponseError> {
        let (next_offset, sealed) = {
            let writer = lock(&self.writer);
            (writer.next_offset, !writer.sealed.is_empty())
        };
        if self.failed.load(Ordering::Acquire) || !self.is_alive() || (only_sealed && !sealed) {
            return Ok(());
        }
        self.flush(next_offset).await?;
        // A segment may have been closed after its last record was flushed: its side files
        // are still to be saved, and until then nothing of it is cleaned or removed.
        let turn = Arc::clone(&self.flushing).lock_owned().await;
        if lock(&self.writer).sealed.is_empty() {
            return Ok(());
        }
        self.flush_in_turn(turn).await
    }

    /// Syncs sealed segments, their indexes and the active segment. After a failed fsync
    /// the kernel may have dropped the pages, so the partition takes no more appends until
    /// the broker has been started again and has looked at what is there.
    fn flush_now(&self) -> Result<(), ResponseError> {
        let (upto, appended, sealed, active) = {
            let mut writer = lock(&self.writer);
            (
                writer.next_offset,
                self.appended_bytes.load(Ordering::Acquire),
                std::mem::take(&mut writer.sealed),
                Arc::clone(&writer.active),
            )
        };
        // Held to the end: a deletion renames the folder only between flushes, so that no
        // file of this partition can end up in a new topic of the same name.
        let dir = read(&self.dir);
        if !self.is_alive() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let synced = (|| -> io::Result<()> {
            for (segment, ..) in &sealed {
                segment.sync()?;
            }
            if !sealed.is_empty() {
                files::sync_dir(&dir)?;
            }
            active.sync()
        })();
        if let Err(error) = synced {
            self.failed.store(true, Ordering::Release);
            return Err(self.storage_error("fsync", &error));
        }
        // The records are durable. What only makes the next start quick must not stop the
        // partition when there is no room for it: it is tried again with the next flush.
        let saved = (|| -> io::Result<()> {
            for (segment, end, producers) in &sealed {
                segment.save_index(true)?;
                save_producers(&dir, *end, active.base(), producers)?;
            }
            match sealed.is_empty() {
                true => Ok(()),
                false => recovery::save_recovery_point(&dir, active.base()),
            }
        })();
        drop(dir);
        match saved {
            Ok(()) => {
                self.settled.fetch_max(active.base(), Ordering::AcqRel);
            }
            Err(error) => {
                self.storage_error("save the indexes of full segments", &error);
                lock(&self.writer).sealed.splice(0..0, sealed);
            }
        }
        self.flushed.fetch_max(upto, Ordering::AcqRel);
        if self.settings().durable_before_ack {
            self.shown_bytes.fetch_max(appended, Ordering::AcqRel);
            self.high_watermark.fetch_max(upto, Ordering::AcqRel);
            if self.first_unstable.load(Ordering::Acquire) != NONE_OPEN {
                self.settle(&mut lock(&self.writer));
            }
            self.waiters.wake();
        }
        Ok(())
    }

    /// Flushes and writes all that makes the next start quick.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), ResponseError> {
        let next_offset = lock(&self.writer).next_offset;
        self.flush(next_offset).await?;
        let mut writer = lock(&self.writer);
        if writer.saved_at == Some(writer.next_offset) {
            return Ok(());
        }
        let settings = self.settings();
        writer
            .producers
            .expire(steady_ms(), settings.producer_expiry_ms);
        let dir = read(&self.dir);
        writer
            .active
            .save_index(false)
            .and_then(|()| {
                let (end, active) = (writer.next_offset, writer.active.base());
                save_producers(&dir, end, active, &writer.producers)
            })
            .and_then(|()| recovery::save_recovery_point(&dir, writer.next_offset))
            .map_err(|error| self.storage_error("close", &error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::log::testing::{append, batch_of, partition};
    use crate::sync::write;

    #[test]
    fn a_flush_keeps_its_turn_when_nobody_waits_for_it_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let partition = Arc::new(partition(&folder.path().join("t-0"), &[]));
        append(&partition, &batch_of(&[("k", "v")], 0));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        // A flush needs the folder, and has taken its list of segments before.
        let held = write(&partition.dir);
        let given_up = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(50), partition.flush(1)).await
        });
        assert!(given_up.is_err(), "it waits for the folder");
        assert!(partition.flushing.try_lock().is_err(), "it still runs");
        drop(held);
        runtime.block_on(partition.flush(1)).unwrap();
        assert_eq!(partition.flushed.load(Ordering::Acquire), 1);
    }
}
