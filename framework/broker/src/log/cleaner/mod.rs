//! Log compaction: of the records with one key only the newest stays.
//!
//! As in Apache Kafka: the cleaner takes in the keys of the dirty part of a log, which no
//! cleaning has seen, then copies all segments up to its end without what they make
//! superfluous, and exchanges them. Offsets stay, so gaps come between batches. A tombstone
//! (a record without a value) stays until `delete.retention.ms` have gone by since it was
//! first copied; a batch says in its header when that is. Records of aborted transactions
//! go, then the markers of transactions that have no records any more, in the same two
//! steps as tombstones. Untouched stay the active segment, whatever lies behind the last
//! stable offset, and the last batch of each producer that is known.
//!
//! Readers and writers go on: they share no lock with the cleaner but for the moment when
//! the list of segments is exchanged.

mod checkpoint;
mod filter;
mod offset_map;
mod swap;
#[cfg(test)]
mod tests;
mod transactions;
mod work;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::filter::{Filter, Outcome};
use self::offset_map::OffsetMap;
use self::swap::{CLEANED, Swap};
use self::transactions::{MarkerFate, Transactions};
use self::work::{Pace, corrupt};
use super::batch::HEADER_LEN;
use super::partition::Partition;
use super::records::Records;
use super::segment::{Scanned, Segment};
use crate::files;
use crate::sync::{lock, now_ms, read, try_lock, write};

pub(super) use self::checkpoint::Checkpoint;
pub(super) use self::swap::finish_swap;
pub(crate) use self::work::{CleanFailure, Cleaned, CleanerLimits, Dirt};

/// What a partition's cleaning and deleting remember between two turns.
#[derive(Debug, Default)]
pub(crate) struct Cleaning {
    pub(super) checkpoint: Checkpoint,
    /// Set when the log cannot be cleaned as it is.
    uncleanable: bool,
}

impl Cleaning {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Self {
            checkpoint,
            uncleanable: false,
        }
    }
}

impl Partition {
    /// How much there is to clean now; `None` when there is nothing, or when it is not for
    /// the cleaner.
    pub(crate) fn dirt(&self, now: i64) -> io::Result<Option<Dirt>> {
        let cleanup = self.settings().cleanup;
        if !cleanup.compact || !self.is_alive() {
            return Ok(None);
        }
        let Some(cleaning) = try_lock(&self.cleaning) else {
            return Ok(None);
        };
        if cleaning.uncleanable {
            return Ok(None);
        }
        let segments = self.segments();
        let log_start = self.log_start();
        let first_dirty = match cleaning.checkpoint.first_dirty {
            found if found > self.high_watermark() => log_start,
            found => found.max(log_start),
        };
        let bound = self
            .settled
            .load(Ordering::Acquire)
            .min(self.last_stable_offset());
        let (mut end, mut clean, mut dirty) = (first_dirty, 0, 0);
        let mut oldest = i64::MAX;
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            if next.base() > bound {
                break;
            }
            if next.base() <= first_dirty {
                clean += segment.len();
                continue;
            }
            let lag = cleanup.min_compaction_lag_ms;
            if lag > 0 && segment.newest_ms()? > now.saturating_sub(lag) {
                break;
            }
            end = next.base();
            dirty += segment.len();
            oldest = oldest.min(segment.first_timestamp().unwrap_or(i64::MAX));
        }
        if dirty == 0 {
            return Ok(None);
        }
        let ratio = dirty as f64 / (clean + dirty) as f64;
        let late = oldest < now.saturating_sub(cleanup.max_compaction_lag_ms);
        Ok(Some(Dirt {
            first_dirty,
            end,
            ratio,
            due: late || ratio > cleanup.min_dirty_ratio,
        }))
    }

    /// Whether the log was found to be one that cannot be cleaned.
    pub(crate) fn is_uncleanable(&self) -> bool {
        // While it is being cleaned it is not.
        try_lock(&self.cleaning).is_some_and(|cleaning| cleaning.uncleanable)
    }

    /// Cleans the log as far as `dirt` says, or less where the keys do not fit in memory.
    pub(crate) fn clean(
        &self,
        dirt: &Dirt,
        limits: &CleanerLimits,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Cleaned, CleanFailure> {
        let mut cleaning = lock(&self.cleaning);
        let is_stopped = || is_stopped() || !self.is_alive();
        let mut pace = Pace::new(limits.bytes_per_second, &is_stopped);
        let outcome = self.clean_now(&mut cleaning, dirt, limits, &mut pace);
        if matches!(outcome, Err(CleanFailure::Corrupt { .. })) {
            cleaning.uncleanable = true;
        }
        if outcome.is_err()
            && let Err(error) = self.in_folder(swap::discard)
        {
            tracing::warn!(topic = %self.topic, partition = self.index, ?error,
                "leftover of a compaction that failed");
        }
        outcome
    }

    /// Does something in the partition's folder, which is not renamed meanwhile.
    fn in_folder<T>(&self, work: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, CleanFailure> {
        let dir = read(&self.dir);
        match self.is_alive() {
            true => Ok(work(&dir)?),
            false => Err(CleanFailure::Stopped),
        }
    }

    fn clean_now(
        &self,
        cleaning: &mut Cleaning,
        dirt: &Dirt,
        limits: &CleanerLimits,
        pace: &mut Pace<'_>,
    ) -> Result<Cleaned, CleanFailure> {
        let settings = self.settings();
        let segments = self.segments();
        let count = segments.partition_point(|segment| segment.base() < dirt.end);
        let (upto, newest) = self.newest_offsets(&segments, count, dirt, limits, pace)?;
        // The segment that the keys end in is copied to its end.
        let count = segments.partition_point(|segment| segment.base() <= upto);
        let (old, next) = match segments.get(count) {
            Some(next) => (&segments[..count], next.base()),
            None => return Err(CleanFailure::Failed(io::ErrorKind::NotFound.into())),
        };
        let from = old.first().map_or(0, |segment| segment.base());
        let mut filter = Filter {
            newest,
            upto,
            end: dirt.end,
            transactions: Transactions::new(self.aborted_between(&segments, from, next)?),
            last_of_producers: lock(&self.writer).producers.last_of_each(),
            now: now_ms(),
            delete_retention_ms: settings.cleanup.delete_retention_ms,
            removed: 0,
        };
        let checkpoint = Checkpoint {
            gaps_before: cleaning.checkpoint.gaps_before.max(next),
            ..cleaning.checkpoint
        };
        self.in_folder(|dir| checkpoint.save(dir))?;
        cleaning.checkpoint = checkpoint;
        self.gaps_before
            .store(checkpoint.gaps_before, Ordering::Release);
        let mut cleaned = Cleaned::default();
        let mut left = old;
        while !left.is_empty() {
            let group;
            (group, left) = left.split_at(group_len(left, next, settings.segment_bytes));
            let segment = self.copy(group, &mut filter, pace)?;
            cleaned.bytes_read += group.iter().map(|segment| segment.len()).sum::<u64>();
            cleaned.bytes_written += segment.len();
            self.exchange(group, segment, cleaning)?;
        }
        cleaned.records_removed = filter.removed;
        cleaned.first_dirty = upto + 1;
        let checkpoint = Checkpoint {
            first_dirty: cleaned.first_dirty,
            ..cleaning.checkpoint
        };
        self.in_folder(|dir| checkpoint.save(dir))?;
        cleaning.checkpoint = checkpoint;
        Ok(cleaned)
    }

    fn aborted_between(
        &self,
        segments: &[Arc<Segment>],
        from: i64,
        end: i64,
    ) -> Result<Vec<super::Aborted>, CleanFailure> {
        self.aborted_in(segments, from, end)
            .map_err(|error| CleanFailure::Failed(io::Error::other(error)))
    }

    /// The newest offset of each key in the dirty part, which ends with the first `count`
    /// segments, and the last offset that has been looked at.
    fn newest_offsets(
        &self,
        segments: &[Arc<Segment>],
        count: usize,
        dirt: &Dirt,
        limits: &CleanerLimits,
        pace: &mut Pace<'_>,
    ) -> Result<(i64, OffsetMap), CleanFailure> {
        let expected = usize::try_from(dirt.end - dirt.first_dirty).unwrap_or(usize::MAX);
        let mut newest = OffsetMap::new(limits.dedupe_bytes, expected);
        let aborted = self.aborted_between(segments, dirt.first_dirty, dirt.end)?;
        let mut transactions = Transactions::new(aborted);
        let mut upto = dirt.first_dirty - 1;
        let first = segments.partition_point(|segment| segment.base() <= dirt.first_dirty);
        for segment in &segments[first.saturating_sub(1)..count] {
            let (mut position, _) = segment.floor(dirt.first_dirty)?;
            let mut scanner = segment.scan(position, true);
            while let Some(scanned) = scanner.next()? {
                let header = match scanned {
                    Scanned::Batch {
                        header,
                        position: at,
                    } => {
                        position = at;
                        header
                    }
                    Scanned::Bad { position, why } => return Err(corrupt(segment, position, why)),
                };
                pace.go(header.total_len())?;
                if header.next_offset() <= dirt.first_dirty {
                    continue;
                }
                let bytes = scanner.bytes(position, header.total_len())?;
                if header.is_control() {
                    let _: MarkerFate = transactions.marker(&header, bytes);
                } else if !transactions.is_aborted(&header) {
                    let bad = |error: io::Error| corrupt(segment, position, error);
                    let mut records = Records::of(bytes).map_err(bad)?;
                    while let Some(record) = records.next().map_err(bad)? {
                        if record.offset < dirt.first_dirty {
                            continue;
                        }
                        if let Some(key) = record.key
                            && !newest.put(key, record.offset)
                        {
                            return Ok((upto, newest));
                        }
                        // Of a batch from before the topic was compacted nobody has looked
                        // whether its records' offsets lie within it.
                        upto = upto.max(record.offset.min(header.last_offset()));
                    }
                }
                upto = upto.max(header.last_offset());
            }
        }
        // Nothing may be left of the end of the dirty part but a gap.
        Ok((upto.max(dirt.end - 1), newest))
    }

    /// Copies what stays of some segments into a new one, which is durable when this
    /// returns and in nobody's way.
    fn copy(
        &self,
        group: &[Arc<Segment>],
        filter: &mut Filter,
        pace: &mut Pace<'_>,
    ) -> Result<Segment, CleanFailure> {
        let base = group.first().map_or(0, |segment| segment.base());
        let interval = self.settings().index_interval_bytes;
        let copy = self.in_folder(|dir| {
            let folder = dir.join(CLEANED);
            files::remove_folder(&folder)?;
            std::fs::create_dir(&folder)?;
            Segment::create(&folder, base)
        })?;
        let mut aborted = Vec::new();
        for segment in group {
            let mut scanner = segment.scan(0, true);
            while let Some(scanned) = scanner.next()? {
                let (header, position) = match scanned {
                    Scanned::Batch { header, position } => (header, position),
                    Scanned::Bad { position, why } => return Err(corrupt(segment, position, why)),
                };
                pace.go(header.total_len())?;
                let bytes = scanner.bytes(position, header.total_len())?;
                let outcome = filter
                    .filter(&header, bytes, &mut aborted)
                    .map_err(|error| corrupt(segment, position, error))?;
                let written = match &outcome {
                    Outcome::Same => bytes,
                    Outcome::Changed(changed) => changed,
                    Outcome::Gone => continue,
                };
                let Some(head) = written.first_chunk::<HEADER_LEN>() else {
                    return Err(corrupt(segment, position, "the batch has no header"));
                };
                copy.append(head, written, interval)
                    .map_err(|(error, _)| error)?;
            }
        }
        for aborted in aborted {
            copy.aborted().push(aborted);
        }
        // The folder may be a deleted topic's by now; then its files go with it.
        self.in_folder(|dir| {
            copy.sync()?;
            copy.save_index(true)?;
            files::sync_dir(&dir.join(CLEANED))
        })?;
        Ok(copy)
    }

    /// Puts a copy in the place of the segments that it was made from, on disk and for
    /// readers.
    fn exchange(
        &self,
        group: &[Arc<Segment>],
        copy: Segment,
        cleaning: &mut Cleaning,
    ) -> Result<(), CleanFailure> {
        let swap = Swap {
            base: copy.base(),
            replaces: group.iter().map(|segment| segment.base()).collect(),
        };
        let dir = read(&self.dir);
        if !self.is_alive() {
            return Err(CleanFailure::Stopped);
        }
        if let Err(error) = swap.commit(&dir) {
            // The file may be there all the same: the next start decides.
            cleaning.uncleanable = true;
            return Err(error.into());
        }
        let completed = swap.complete(&dir);
        // Certain from the commit on: what could not be done now the next start will do.
        let copy = Arc::new(copy.moved_to(&dir));
        let mut list = write(&self.segments);
        let first = list.partition_point(|segment| segment.base() < swap.base);
        let mut exchanged = list.to_vec();
        exchanged.splice(first..first + group.len(), [copy]);
        *list = Arc::new(exchanged);
        drop(list);
        if completed.is_err() {
            cleaning.uncleanable = true;
        }
        Ok(completed?)
    }
}

/// How many segments at the beginning become one: no more than fit in a segment as they
/// are. `end` is where the last of all ends.
fn group_len(segments: &[Arc<Segment>], end: i64, segment_bytes: u64) -> usize {
    let base = segments.first().map_or(0, |segment| segment.base());
    let mut len = 0;
    let mut bytes = 0;
    for (at, segment) in segments.iter().enumerate() {
        let next = segments.get(at + 1).map_or(end, |next| next.base());
        bytes += segment.len();
        if at > 0 && (bytes > segment_bytes || next - base > i64::from(i32::MAX)) {
            break;
        }
        len = at + 1;
    }
    len
}
