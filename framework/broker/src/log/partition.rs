//! A partition: one lock to append, reads beside it, and the fsync that both wait for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use kafka_protocol::ResponseError;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::cleaner::Cleaning;
use super::cleanup_settings::{CleanupSettings, is_too_old};
use super::damage::Damage;
use super::producers::{Producers, Verdict};
use super::segment::Segment;
use super::transactions::NONE_OPEN;
use super::waiters::Waiters;
use crate::sync::{lock, now_ms, read, steady_ms, write};

/// There is one broker and no leader ever changes.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// Whose time a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// What a partition takes from the topic's and the broker's configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSettings {
    pub(crate) segment_bytes: u64,
    pub(crate) index_interval_bytes: u64,
    pub(crate) max_message_bytes: u64,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) min_insync_replicas: i32,
    pub(crate) producer_expiry_ms: i64,
    /// Whether nothing is shown or acknowledged before it is durable.
    pub(crate) durable_before_ack: bool,
    pub(crate) cleanup: CleanupSettings,
}

/// The answer to an append.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The broker's time, or -1 where the topic keeps the producer's.
    pub(crate) log_append_time: i64,
    /// The high watermark at which the batch may be acknowledged.
    pub(crate) acknowledged_at: i64,
    /// Whether fetches that waited for it have been woken.
    pub(crate) woke: bool,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) next_offset: i64,
    pub(super) active: Arc<Segment>,
    pub(super) producers: Producers,
    /// Ended transactions whose marker is not shown yet: first offset and that of the marker.
    pub(super) ended: Vec<(i64, i64)>,
    /// Sealed segments that are not yet durable, with the producer state at their end.
    pub(super) sealed: Vec<(Arc<Segment>, i64, Producers)>,
    /// The end of the log for which index, snapshot and recovery point are on disk.
    pub(super) saved_at: Option<i64>,
}

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(super) topic: String,
    pub(super) index: i32,
    pub(super) dir: RwLock<PathBuf>,
    pub(super) settings: RwLock<LogSettings>,
    pub(super) writer: Mutex<Writer>,
    /// Replaced as a whole, so that a reader goes on with the list it has begun with.
    pub(super) segments: RwLock<Arc<Vec<Arc<Segment>>>>,
    pub(super) log_start: AtomicI64,
    pub(super) high_watermark: AtomicI64,
    pub(super) flushed: AtomicI64,
    /// Where the first open transaction begins, or [`NONE_OPEN`].
    pub(super) first_unstable: AtomicI64,
    /// Bytes ever shown to readers since the start, so that a waiting fetch can tell how
    /// much has come without reading.
    pub(super) shown_bytes: AtomicU64,
    pub(super) appended_bytes: AtomicU64,
    pub(super) failed: AtomicBool,
    pub(super) deleted: AtomicBool,
    /// Held by the flush that runs, to its end.
    pub(super) flushing: Arc<tokio::sync::Mutex<()>>,
    pub(super) waiters: Waiters,
    pub(super) damage: Damage,
    /// Segments before this offset are durable, with all their side files: they change no
    /// more but by cleaning and deleting.
    pub(super) settled: AtomicI64,
    /// Where compaction may have left gaps between batches: nowhere from here on.
    pub(super) gaps_before: AtomicI64,
    /// Held by whoever cleans or deletes segments, one at a time.
    pub(super) cleaning: Mutex<Cleaning>,
    /// Held while the beginning of the log moves.
    pub(super) moving_start: Mutex<()>,
}

impl Partition {
    pub(super) fn assemble(
        topic: &str,
        index: i32,
        dir: PathBuf,
        settings: LogSettings,
        segments: Vec<Arc<Segment>>,
        writer: Writer,
    ) -> Self {
        let next_offset = writer.next_offset;
        let first_unstable = writer.producers.first_open().unwrap_or(NONE_OPEN);
        let log_start = segments.first().map_or(0, |segment| segment.base());
        let settled = writer.active.base();
        Self {
            topic: topic.to_owned(),
            index,
            dir: RwLock::new(dir),
            settings: RwLock::new(settings),
            writer: Mutex::new(writer),
            segments: RwLock::new(Arc::new(segments)),
            log_start: AtomicI64::new(log_start),
            high_watermark: AtomicI64::new(next_offset),
            flushed: AtomicI64::new(next_offset),
            first_unstable: AtomicI64::new(first_unstable),
            shown_bytes: AtomicU64::new(0),
            appended_bytes: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            flushing: Arc::default(),
            waiters: Waiters::default(),
            damage: Damage::default(),
            settled: AtomicI64::new(settled),
            gaps_before: AtomicI64::new(0),
            cleaning: Mutex::new(Cleaning::default()),
            moving_start: Mutex::new(()),
        }
    }

    pub(crate) fn settings(&self) -> LogSettings {
        *read(&self.settings)
    }

    /// Puts other settings in force, from the next request on.
    pub(crate) fn set_settings(&self, settings: LogSettings) {
        *write(&self.settings) = settings;
    }

    pub(crate) fn log_start(&self) -> i64 {
        self.log_start.load(Ordering::Acquire)
    }

    /// One past the last offset that readers see.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    pub(crate) fn shown_bytes(&self) -> u64 {
        self.shown_bytes.load(Ordering::Acquire)
    }

    /// Whether the topic has not been deleted.
    pub(crate) fn is_alive(&self) -> bool {
        !self.deleted.load(Ordering::Acquire)
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(super) fn storage_error(&self, what: &'static str, error: &io::Error) -> ResponseError {
        tracing::error!(topic = %self.topic, partition = self.index, %error, what, "storage error");
        ResponseError::KafkaStorageError
    }

    /// Stores one validated batch; it may be acknowledged once
    /// [`Partition::wait_acknowledged`] has returned. `in_transaction` is asked about a
    /// transactional batch that is its producer's first here since the last marker.
    pub(crate) fn append(
        &self,
        batch: &[u8],
        header: &BatchHeader,
        in_transaction: impl FnOnce() -> Result<(), ResponseError>,
    ) -> Result<Appended, ResponseError> {
        let settings = self.settings();
        let now = now_ms();
        let append_time = (settings.timestamp_type == TimestampType::LogAppendTime).then_some(now);
        // The CRC does not cover the offset, so all else is made ready outside the lock.
        let stored = batch::stored_header(batch, 0, LEADER_EPOCH, append_time)
            .ok_or(ResponseError::CorruptMessage)?;

        let mut writer = self.writable()?;
        if header.producer_id >= 0 {
            let verdict = writer.producers.check(header);
            if let Ok(Verdict::Duplicate(twin)) = verdict {
                let records = i64::from(header.last_offset_delta) + 1;
                return Ok(Appended {
                    base_offset: twin.base_offset,
                    log_append_time: append_time.map_or(-1, |_| twin.timestamp),
                    acknowledged_at: twin.base_offset + records,
                    woke: false,
                });
            }
            // Asked under the lock: the marker that ends the transaction needs it too, so it
            // cannot slip in between the question and the append.
            if writer.producers.begins_transaction(header)? {
                in_transaction()?;
            }
            verdict?;
        }
        let header = self.write(&mut writer, &settings, batch, stored)?;
        writer.producers.record(&header, steady_ms());
        if header.is_transactional() {
            self.settle(&mut writer);
        }
        let woke = self.written(&settings, &header);
        Ok(Appended {
            base_offset: header.base_offset,
            log_append_time: append_time.unwrap_or(-1),
            acknowledged_at: header.next_offset(),
            woke,
        })
    }

    /// The lock to append, if the partition takes appends.
    pub(super) fn writable(&self) -> Result<MutexGuard<'_, Writer>, ResponseError> {
        let writer = lock(&self.writer);
        if !self.is_alive() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        if self.failed.load(Ordering::Acquire) {
            return Err(ResponseError::KafkaStorageError);
        }
        Ok(writer)
    }

    /// Writes a batch under the header `stored`, which gets its offset here.
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        settings: &LogSettings,
        batch: &[u8],
        mut stored: [u8; HEADER_LEN],
    ) -> Result<BatchHeader, ResponseError> {
        stored[..8].copy_from_slice(&writer.next_offset.to_be_bytes());
        let Some(header) = BatchHeader::parse(&stored) else {
            return Err(ResponseError::CorruptMessage);
        };
        self.roll_if_full(writer, settings, batch.len() as u64, &header)?;
        if let Err((error, not_cut)) =
            writer
                .active
                .append(&stored, batch, settings.index_interval_bytes)
        {
            if let Some(not_cut) = not_cut {
                self.failed.store(true, Ordering::Release);
                self.storage_error("cut a half-written batch", &not_cut);
            }
            return Err(self.storage_error("append", &error));
        }
        writer.next_offset = header.next_offset();
        Ok(header)
    }

    /// Shows a batch that has been written, unless it must be durable before; says whether
    /// that has woken somebody.
    pub(super) fn written(&self, settings: &LogSettings, header: &BatchHeader) -> bool {
        self.appended_bytes
            .fetch_add(header.total_len() as u64, Ordering::AcqRel);
        !settings.durable_before_ack && self.show(header.next_offset())
    }

    fn show(&self, next_offset: i64) -> bool {
        self.shown_bytes.store(
            self.appended_bytes.load(Ordering::Acquire),
            Ordering::Release,
        );
        self.high_watermark.fetch_max(next_offset, Ordering::AcqRel);
        self.waiters.wake()
    }

    fn roll_if_full(
        &self,
        writer: &mut Writer,
        settings: &LogSettings,
        coming: u64,
        header: &BatchHeader,
    ) -> Result<(), ResponseError> {
        let len = writer.active.len();
        // Only damage or a wrong name of a file leads there.
        if writer.next_offset > i64::MAX - i64::from(i32::MAX) - 1 {
            tracing::error!(topic = %self.topic, partition = self.index, "the offsets are used up");
            return Err(ResponseError::KafkaStorageError);
        }
        let last = writer.next_offset + i64::from(header.last_offset_delta);
        let offsets_fit = last - writer.active.base() <= i64::from(i32::MAX);
        if len == 0
            || (len + coming <= settings.segment_bytes
                && offsets_fit
                && !is_too_old(&writer.active, &settings.cleanup, header.max_timestamp))
        {
            return Ok(());
        }
        self.roll(writer)
    }

    /// Begins a new segment.
    pub(super) fn roll(&self, writer: &mut Writer) -> Result<(), ResponseError> {
        let next = Segment::create(&read(&self.dir), writer.next_offset)
            .map_err(|error| self.storage_error("roll", &error))?;
        let next = Arc::new(next);
        let full = std::mem::replace(&mut writer.active, Arc::clone(&next));
        // Its fsync and its index files wait for the next flush: not under this lock.
        let state = (full, writer.next_offset, writer.producers.clone());
        writer.sealed.push(state);
        Arc::make_mut(&mut write(&self.segments)).push(next);
        Ok(())
    }

    /// The segments now, in order.
    pub(super) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        Arc::clone(&read(&self.segments))
    }

    /// Takes the partition out of use and renames its folder to `target`; on an error it
    /// stays in use.
    pub(crate) fn retire(&self, target: &Path) -> io::Result<()> {
        self.deleted.store(true, Ordering::Release);
        // Whoever holds the lock now has not seen the mark; whoever comes later has.
        drop(lock(&self.writer));
        let renamed = self.rename(target);
        if renamed.is_err() {
            self.deleted.store(false, Ordering::Release);
        }
        self.waiters.wake();
        renamed
    }

    /// Puts a partition that was retired in use again, under the folder `home`.
    pub(crate) fn revive(&self, home: &Path) -> io::Result<()> {
        self.rename(home)?;
        self.deleted.store(false, Ordering::Release);
        Ok(())
    }

    fn rename(&self, target: &Path) -> io::Result<()> {
        let mut dir = write(&self.dir);
        fs::rename(&*dir, target)?;
        *dir = target.to_owned();
        Ok(())
    }

    /// Where the segments begin.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn segment_bases(&self) -> Vec<i64> {
        let segments = read(&self.segments);
        segments.iter().map(|segment| segment.base()).collect()
    }

    /// Bytes of all segments.
    pub(crate) fn size(&self) -> u64 {
        self.segments().iter().map(|segment| segment.len()).sum()
    }
}
