//! One segment of a partition: a file of record batches and its two sparse indexes.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, RwLock};

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::index::{OffsetEntry, SparseIndex, TimeEntry};
use super::txn_index::TxnIndex;
use crate::surroundings::fsync;
use crate::sync::{now_ms, read, write};

/// Positions in an index have 32 bits, and Kafka's `segment.bytes` is a positive `int`.
pub(crate) const MAX_SEGMENT_BYTES: u64 = i32::MAX as u64;
/// How much a scan reads at once, unless it is told otherwise.
const SCAN_CHUNK: usize = 256 * 1024;

/// The indexes of a segment.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    offsets: SparseIndex<OffsetEntry>,
    times: SparseIndex<TimeEntry>,
    /// The largest timestamp of the segment so far and the first batch that has it.
    largest: Option<TimeEntry>,
    indexed_to: u64,
}

impl SegmentIndex {
    pub(crate) fn empty() -> Self {
        Self {
            offsets: SparseIndex::empty(),
            times: SparseIndex::empty(),
            largest: None,
            indexed_to: 0,
        }
    }

    /// Takes note of the batch at `position`; `force` makes an entry for it in any case.
    pub(crate) fn note(
        &mut self,
        segment_base: i64,
        header: &BatchHeader,
        position: u64,
        interval: u64,
        force: bool,
    ) {
        let relative = u32::try_from(header.base_offset - segment_base).unwrap_or(u32::MAX);
        if self
            .largest
            .is_none_or(|largest| header.max_timestamp > largest.timestamp)
        {
            self.largest = Some(TimeEntry {
                timestamp: header.max_timestamp,
                relative,
            });
        }
        if force || position.saturating_sub(self.indexed_to) >= interval {
            self.offsets.push(OffsetEntry {
                relative,
                position: u32::try_from(position).unwrap_or(u32::MAX),
            });
            if let Some(largest) = self.largest {
                self.times.push(largest);
            }
            self.indexed_to = position;
        }
    }
}

/// A segment. Appends come from one writer at a time (the partition's lock); reads run
/// beside them and see only whole batches, because `len` moves after the bytes are there.
#[derive(Debug)]
pub(crate) struct Segment {
    base: i64,
    path: PathBuf,
    file: File,
    len: AtomicU64,
    index: RwLock<SegmentIndex>,
    aborted: TxnIndex,
    /// The largest timestamp of the first batch, -1 when it has none.
    first_timestamp: OnceLock<i64>,
    opened_ms: i64,
}

/// What a scan meets.
#[derive(Debug)]
pub(crate) enum Scanned {
    Batch { header: BatchHeader, position: u64 },
    Bad { position: u64, why: &'static str },
}

pub(crate) fn log_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

impl Segment {
    /// Creates an empty segment whose first offset will be `base`.
    pub(crate) fn create(dir: &Path, base: i64) -> io::Result<Self> {
        let path = log_path(dir, base);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self::with_file(base, path, file, 0))
    }

    /// Opens a segment; its index is empty until loaded or rebuilt.
    pub(crate) fn open(dir: &Path, base: i64) -> io::Result<Self> {
        let path = log_path(dir, base);
        let file = OpenOptions::new().read(true).append(true).open(&path)?;
        let len = file.metadata()?.len();
        Ok(Self::with_file(base, path, file, len))
    }

    fn with_file(base: i64, path: PathBuf, file: File, len: u64) -> Self {
        Self {
            base,
            aborted: TxnIndex::new(path.with_extension("txnindex")),
            path,
            file,
            len: AtomicU64::new(len),
            index: RwLock::new(SegmentIndex::empty()),
            first_timestamp: OnceLock::new(),
            opened_ms: now_ms(),
        }
    }

    /// The same segment after its files have been moved to another folder.
    pub(crate) fn moved_to(self, dir: &Path) -> Self {
        let path = log_path(dir, self.base);
        Self {
            aborted: self.aborted.moved_to(path.with_extension("txnindex")),
            path,
            ..self
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// When the segment was created or opened.
    pub(crate) fn opened_ms(&self) -> i64 {
        self.opened_ms
    }

    /// The time of the first batch; `None` when there is no batch or it has no time.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        if self.first_timestamp.get().is_none() && self.len() >= HEADER_LEN as u64 {
            // A batch that cannot be read has no time; whoever reads the log says more of it.
            let header = self.read_at(0, HEADER_LEN).ok();
            let header = header.and_then(|head| BatchHeader::parse(&head));
            let found = header.map_or(-1, |header| header.max_timestamp);
            let _ = self.first_timestamp.set(found);
        }
        self.first_timestamp
            .get()
            .copied()
            .filter(|time| *time >= 0)
    }

    /// The time of the newest record, by which the segment's age counts; that of the last
    /// write where the records have none.
    pub(crate) fn newest_ms(&self) -> io::Result<i64> {
        match self.largest_timestamp() {
            Some((largest, _)) if largest >= 0 => Ok(largest),
            _ => {
                let written = self.file.metadata()?.modified()?;
                let since = written.duration_since(std::time::UNIX_EPOCH);
                Ok(since.map_or(0, |since| {
                    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                }))
            }
        }
    }

    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// Bytes of whole batches.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// The aborted transactions whose markers are in this segment.
    pub(crate) fn aborted(&self) -> &TxnIndex {
        &self.aborted
    }

    fn index_paths(&self) -> (PathBuf, PathBuf) {
        (
            self.path.with_extension("index"),
            self.path.with_extension("timeindex"),
        )
    }

    /// Loads the index files; `false` when they are missing or do not fit the log file.
    pub(crate) fn load_index(&self, for_appending: bool) -> io::Result<bool> {
        let (offsets, times) = self.index_paths();
        let (Some(mut offsets), Some(mut times)) =
            (SparseIndex::open(&offsets)?, SparseIndex::open(&times)?)
        else {
            return Ok(false);
        };
        let last: Option<OffsetEntry> = offsets.last()?;
        let largest: Option<TimeEntry> = times.last()?;
        let indexed_to = last.map_or(0, |entry| u64::from(entry.position));
        if (self.len() > 0 && largest.is_none()) || (last.is_some() && indexed_to >= self.len()) {
            return Ok(false);
        }
        if !self.aborted.load(for_appending)? {
            return Ok(false);
        }
        if for_appending {
            offsets = offsets.into_memory()?;
            times = times.into_memory()?;
        }
        *write(&self.index) = SegmentIndex {
            offsets,
            times,
            largest,
            indexed_to,
        };
        Ok(true)
    }

    /// Takes a rebuilt index; that of aborted transactions is to be filled again.
    pub(crate) fn set_index(&self, index: SegmentIndex) {
        *write(&self.index) = index;
        self.aborted.clear();
    }

    /// Writes the index files. A sealed segment is searched in its files from then on.
    pub(crate) fn save_index(&self, sealed: bool) -> io::Result<()> {
        // First, because a missing one counts as empty where the others are there.
        self.aborted.save(sealed)?;
        let (offsets_path, times_path) = self.index_paths();
        let mut index = write(&self.index);
        // The last entry tells the segment's largest timestamp after a restart.
        if let Some(largest) = index.largest
            && index.times.last()? != Some(largest)
        {
            index.times.push(largest);
        }
        index.offsets.save(&offsets_path)?;
        index.times.save(&times_path)?;
        if sealed
            && let (Some(offsets), Some(times)) = (
                SparseIndex::open(&offsets_path)?,
                SparseIndex::open(&times_path)?,
            )
        {
            index.offsets = offsets;
            index.times = times;
        }
        Ok(())
    }

    /// Appends one batch whose header is replaced by `header`.
    ///
    /// After an error the file is cut back, so that no half batch stays before the next
    /// one; the inner error says that this failed too.
    pub(crate) fn append(
        &self,
        header: &[u8; HEADER_LEN],
        batch: &[u8],
        index_interval: u64,
    ) -> Result<(), (io::Error, Option<io::Error>)> {
        let position = self.len();
        let mut parts = [IoSlice::new(header), IoSlice::new(&batch[HEADER_LEN..])];
        if let Err(error) = write_all_vectored(&self.file, &mut parts) {
            return Err((error, self.file.set_len(position).err()));
        }
        self.len
            .store(position + batch.len() as u64, Ordering::Release);
        if let Some(parsed) = BatchHeader::parse(header) {
            write(&self.index).note(self.base, &parsed, position, index_interval, false);
        }
        Ok(())
    }

    /// Makes the batches durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        fsync(|| self.file.sync_data())
    }

    /// Cuts the file to `len` bytes.
    pub(crate) fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len.store(len, Ordering::Release);
        fsync(|| self.file.sync_all())
    }

    /// Reads `len` bytes at `position`, which must lie within [`Segment::len`].
    pub(crate) fn read_at(&self, position: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read_into(position, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes` from `position` on, as [`Segment::read_at`] does.
    pub(crate) fn read_into(&self, position: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, position)
    }

    /// The position of an indexed batch at or before `offset`, and that batch's offset.
    pub(crate) fn floor(&self, offset: i64) -> io::Result<(u64, Option<i64>)> {
        let relative = offset.saturating_sub(self.base);
        let found = read(&self.index)
            .offsets
            .floor(|entry| i64::from(entry.relative) <= relative)?;
        let Some(entry) = found else {
            return Ok((0, None));
        };
        let position = u64::from(entry.position);
        let indexed = self.base.saturating_add(i64::from(entry.relative));
        // An index that has been damaged since it was loaded must not lead past records.
        match self.begins_at(position, indexed)? {
            true => Ok((position, Some(indexed))),
            false => {
                tracing::error!(segment = %self.path.display(), position, offset = indexed,
                    "the index and the log disagree, reading the segment from its start");
                Ok((0, None))
            }
        }
    }

    /// Whether a batch with this offset begins there.
    fn begins_at(&self, position: u64, offset: i64) -> io::Result<bool> {
        if position + HEADER_LEN as u64 > self.len() {
            return Ok(false);
        }
        let mut header = [0; HEADER_LEN];
        self.file.read_exact_at(&mut header, position)?;
        Ok(BatchHeader::parse(&header)
            .is_some_and(|header| header.is_plausible() && header.base_offset == offset))
    }

    /// The largest timestamp and the base offset of the first batch that has it.
    pub(crate) fn largest_timestamp(&self) -> Option<(i64, i64)> {
        read(&self.index)
            .largest
            .map(|entry| (entry.timestamp, self.base + i64::from(entry.relative)))
    }

    /// A position from which a scan meets the first batch with a timestamp of `target` or
    /// later.
    pub(crate) fn floor_time(&self, target: i64) -> io::Result<u64> {
        let found = read(&self.index)
            .times
            .floor(|entry| entry.timestamp < target)?;
        match found {
            Some(entry) => Ok(self.floor(self.base + i64::from(entry.relative))?.0),
            None => Ok(0),
        }
    }

    /// Walks the batches from `position` to the end.
    pub(crate) fn scan(&self, position: u64, verify: bool) -> Scanner<'_> {
        Scanner {
            segment: self,
            position,
            end: self.len(),
            verify,
            step: SCAN_CHUNK,
            buffer: Vec::new(),
            buffer_at: 0,
            stopped: false,
        }
    }
}

fn write_all_vectored(mut file: &File, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A walk over the batches of a segment, reading in chunks; it ends at the first bad one.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    segment: &'a Segment,
    position: u64,
    end: u64,
    verify: bool,
    step: usize,
    buffer: Vec<u8>,
    buffer_at: u64,
    stopped: bool,
}

impl Scanner<'_> {
    /// Reads so much at once, for a walk that is expected to be short.
    pub(crate) fn in_steps(mut self, bytes: usize) -> Self {
        self.step = bytes;
        self
    }

    /// Ends the walk earlier.
    pub(crate) fn up_to(mut self, position: u64) -> Self {
        self.end = self.end.min(position);
        self
    }

    /// The next batch, or what is wrong with it; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Scanned>> {
        if self.stopped || self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let bad = |why| Ok(Some(Scanned::Bad { position, why }));
        self.stopped = true;
        let left = self.end - position;
        if left < HEADER_LEN as u64 {
            return bad("less than a batch header is there");
        }
        let Some(header) = BatchHeader::parse(self.bytes(position, HEADER_LEN)?) else {
            return bad("less than a batch header is there");
        };
        if !header.is_plausible() {
            return bad("the batch header is not one");
        }
        let total = header.total_len();
        if total as u64 > left {
            return bad("the batch is not there to its end");
        }
        if self.verify && !batch::crc_matches(self.bytes(position, total)?) {
            return bad("the CRC does not match");
        }
        self.stopped = false;
        self.position += total as u64;
        Ok(Some(Scanned::Batch { header, position }))
    }

    /// `len` bytes at `position`, which the caller knows to be there.
    pub(crate) fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let buffered = self.buffer_at + self.buffer.len() as u64;
        if position < self.buffer_at || position + len as u64 > buffered {
            let chunk = (self.step as u64).min(self.end - position) as usize;
            self.buffer = self.segment.read_at(position, chunk.max(len))?;
            self.buffer_at = position;
        }
        let start = (position - self.buffer_at) as usize;
        Ok(&self.buffer[start..start + len])
    }

    /// Looks behind a bad place for the next whole batch with an offset of `expected` or
    /// later; the walk goes on there.
    pub(crate) fn resync(&mut self, bad_at: u64, expected: i64) -> io::Result<bool> {
        let mut position = bad_at + 1;
        while position + HEADER_LEN as u64 <= self.end {
            let header = BatchHeader::parse(self.bytes(position, HEADER_LEN)?);
            if let Some(header) = header
                && header.is_plausible()
                && header.base_offset >= expected
                && header.base_offset - expected <= i64::from(i32::MAX)
                && position + header.total_len() as u64 <= self.end
                && batch::crc_matches(self.bytes(position, header.total_len())?)
            {
                self.position = position;
                self.stopped = false;
                return Ok(true);
            }
            position += 1;
        }
        Ok(false)
    }
}
