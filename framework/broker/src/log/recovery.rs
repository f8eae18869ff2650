//! Opening a partition: after a clean stop by its index files, after a crash by reading
//! what may not have been synced.
//!
//! - A bad batch with nothing whole behind it is a torn tail: it is cut off and reported.
//! - A bad batch with whole batches behind it is damage, not a torn write. Cutting there
//!   would throw acknowledged records away, so it stays, is reported, and is never served:
//!   a fetch of its offsets gets CORRUPT_MESSAGE, those before and behind it are read.
//! - Nothing before the recovery point is ever cut: it had been synced.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use mesh_core::{Error, ErrorKind};

use super::batch::BatchHeader;
use super::cleaner::{Checkpoint, Cleaning, finish_swap};
use super::partition::{LogSettings, Partition, Writer};
use super::producers::Producers;
use super::replay::Replay;
use super::retention::{load_log_start, remove_all, remove_leftovers};
use super::segment::{Scanned, Segment, SegmentIndex};
use crate::files;
use crate::report::{Finding, FindingKind};

const RECOVERY_POINT: &str = "recovery-point";

/// What opening a partition has found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) findings: Vec<Finding>,
    pub(crate) scanned_bytes: u64,
}

pub(super) fn save_recovery_point(dir: &Path, offset: i64) -> io::Result<()> {
    files::write_checked(&dir.join(RECOVERY_POINT), offset.to_string().as_bytes())
}

fn load_recovery_point(dir: &Path) -> io::Result<i64> {
    let whole = files::read_optional(&dir.join(RECOVERY_POINT))?;
    // Without it everything is read again, which is slow and always right.
    Ok(whole
        .as_deref()
        .and_then(files::checked)
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse().ok())
        .filter(|offset: &i64| *offset >= 0)
        .unwrap_or(0))
}

impl Partition {
    /// Creates the folder of a new partition.
    pub(crate) fn create(
        topic: &str,
        index: i32,
        dir: &Path,
        settings: LogSettings,
    ) -> io::Result<Self> {
        fs::create_dir(dir)?;
        let active = Arc::new(Segment::create(dir, 0)?);
        files::sync_dir(dir)?;
        let writer = Writer {
            next_offset: 0,
            active: Arc::clone(&active),
            producers: Producers::default(),
            ended: Vec::new(),
            sealed: Vec::new(),
            // An empty log needs no side files.
            saved_at: Some(0),
        };
        Ok(Self::assemble(
            topic,
            index,
            dir.to_owned(),
            settings,
            vec![active],
            writer,
        ))
    }

    /// Opens the folder of a partition; `clean` says that the broker was stopped in order.
    pub(crate) fn open(
        topic: &str,
        index: i32,
        dir: &Path,
        settings: LogSettings,
        clean: bool,
    ) -> mesh_core::Result<(Self, Recovered)> {
        let mut opening = Opening {
            topic,
            index,
            dir,
            settings,
            recovered: Recovered::default(),
            saved_at: None,
            rebuilt: Vec::new(),
            gaps_before: 0,
            ends_in_damage: false,
        };
        let partition = opening.open(clean).map_err(|error| {
            let (kind, mend) = match error.kind() {
                io::ErrorKind::StorageFull => {
                    (ErrorKind::ResourceExhausted, "make some room on the disk")
                }
                io::ErrorKind::PermissionDenied => (
                    ErrorKind::PermissionDenied,
                    "give the process the right to read and write the folder",
                ),
                io::ErrorKind::InvalidData => (
                    ErrorKind::Corrupt,
                    "do what the cause says of the file, and check the disk",
                ),
                _ => (ErrorKind::Corrupt, "check the disk"),
            };
            Error::new(kind, "the log of a partition cannot be opened")
                .with("topic", topic)
                .with("partition", index)
                .with("folder", dir.display())
                .mend(mend)
                .because(error)
        })?;
        Ok((partition, opening.recovered))
    }
}

struct Opening<'a> {
    topic: &'a str,
    index: i32,
    dir: &'a Path,
    settings: LogSettings,
    recovered: Recovered,
    /// The end of the log, when all its side files are known to be right for it.
    saved_at: Option<i64>,
    /// The bases of segments whose index files are made again.
    rebuilt: Vec<i64>,
    /// Where compaction may have left gaps between batches: nowhere from here on.
    gaps_before: i64,
    /// Whether the last segment's file ends in bytes that are kept and are no batch.
    ends_in_damage: bool,
}

impl Opening<'_> {
    fn open(&mut self, clean: bool) -> io::Result<Partition> {
        finish_swap(self.dir)?;
        let log_start = load_log_start(self.dir)?;
        let bases = remove_leftovers(self.dir, log_start)?;
        let recovery_point = load_recovery_point(self.dir)?;
        let checkpoint = Checkpoint::load(self.dir)?;
        // Those are never made by compaction.
        let active_base = bases.last().copied().unwrap_or(0);
        self.gaps_before = checkpoint.gaps_before.min(active_base);
        let mut segments = Vec::with_capacity(bases.len().max(1));
        let mut next_offset = 0;
        for (at, base) in bases.iter().enumerate() {
            let segment = Segment::open(self.dir, *base)?;
            next_offset = match bases.get(at + 1) {
                Some(end) => {
                    self.open_sealed(&segment, *end, recovery_point)?;
                    *end
                }
                None => self.open_active(&segment, recovery_point, clean)?,
            };
            segments.push(Arc::new(segment));
        }
        if !segments.is_empty() && next_offset < log_start {
            // A power failure took records from the end of a log of which even more had been
            // deleted from the beginning: none is left.
            remove_all(self.dir, &bases)?;
            segments.clear();
            self.ends_in_damage = false;
        }
        if segments.is_empty() {
            next_offset = recovery_point.max(log_start);
            segments.push(Arc::new(Segment::create(self.dir, next_offset)?));
            files::sync_dir(self.dir)?;
        }
        if self.ends_in_damage {
            // What comes next would begin within what the damaged batch says that it fills.
            segments.push(Arc::new(Segment::create(self.dir, next_offset)?));
            files::sync_dir(self.dir)?;
        }
        let Some(active) = segments.last().map(Arc::clone) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let replay = Replay {
            dir: self.dir,
            rebuilt: &self.rebuilt,
            gaps_before: self.gaps_before,
            expiry_ms: self.settings.producer_expiry_ms,
        };
        let producers = replay.producers(&segments, next_offset)?;
        for segment in &segments {
            if self.rebuilt.contains(&segment.base()) && segment.base() != active.base() {
                segment.save_index(true)?;
            }
        }
        if !clean && next_offset != recovery_point {
            save_recovery_point(self.dir, next_offset)?;
        }
        let writer = Writer {
            next_offset,
            active,
            producers,
            ended: Vec::new(),
            sealed: Vec::new(),
            saved_at: self.saved_at,
        };
        let mut partition = Partition::assemble(
            self.topic,
            self.index,
            self.dir.to_owned(),
            self.settings,
            segments,
            writer,
        );
        partition.log_start.fetch_max(log_start, Ordering::AcqRel);
        partition.gaps_before = AtomicI64::new(self.gaps_before);
        let checkpoint = Checkpoint {
            gaps_before: self.gaps_before,
            ..checkpoint
        };
        partition.cleaning = Mutex::new(Cleaning::new(checkpoint));
        Ok(partition)
    }

    fn open_sealed(&mut self, segment: &Segment, end: i64, recovery_point: i64) -> io::Result<()> {
        if end <= recovery_point && segment.load_index(false)? {
            return Ok(());
        }
        self.rebuild(segment, Some(end), recovery_point)?;
        segment.sync()
    }

    fn open_active(
        &mut self,
        segment: &Segment,
        recovery_point: i64,
        clean: bool,
    ) -> io::Result<i64> {
        if clean
            && segment.load_index(true)?
            && let Some(next_offset) = end_of(segment)?
            && next_offset == recovery_point
        {
            self.saved_at = Some(next_offset);
            return Ok(next_offset);
        }
        let next_offset = self.rebuild(segment, None, recovery_point)?;
        if segment.len() > 0 {
            segment.sync()?;
        }
        Ok(next_offset)
    }

    /// Reads a whole segment, rebuilds its index and deals with what is bad in it. `end`
    /// is the base of the next segment, if there is one. Returns the next offset.
    fn rebuild(
        &mut self,
        segment: &Segment,
        end: Option<i64>,
        recovery_point: i64,
    ) -> io::Result<i64> {
        let mut index = SegmentIndex::empty();
        let mut expected = segment.base();
        let mut after_damage = None;
        let mut scanner = segment.scan(0, true);
        self.recovered.scanned_bytes += segment.len();
        while let Some(scanned) = scanner.next()? {
            let (bad_at, why) = match scanned {
                Scanned::Batch { header, position }
                    if self.follows(&header, expected) || after_damage.is_some() =>
                {
                    let damage = after_damage.take();
                    if let Some((from, why, first)) = damage {
                        self.damaged(first, header.base_offset, position - from, why);
                    }
                    let force = position > 0 && damage.is_some() && header.base_offset != expected;
                    index.note(
                        segment.base(),
                        &header,
                        position,
                        self.settings.index_interval_bytes,
                        force,
                    );
                    expected = header.next_offset();
                    continue;
                }
                // Written behind a tail that had been lost.
                Scanned::Batch { header, position }
                    if header.base_offset > expected
                        && follows_loss(segment, &header, position, recovery_point)? =>
                {
                    self.damaged(expected, header.base_offset, 0, "offsets are missing");
                    let interval = self.settings.index_interval_bytes;
                    index.note(segment.base(), &header, position, interval, position > 0);
                    expected = header.next_offset();
                    continue;
                }
                Scanned::Batch { position, .. } => (position, "the offset is out of line"),
                Scanned::Bad { position, why } => (position, why),
            };
            if scanner.resync(bad_at, expected)? {
                after_damage = Some((bad_at, why, expected));
                continue;
            }
            let bytes = segment.len() - bad_at;
            let known = end.unwrap_or(recovery_point);
            if known > expected {
                // It had been synced, or later segments follow: damage at the end.
                self.damaged(expected, known, bytes, why);
                expected = known;
                self.ends_in_damage = end.is_none();
            } else {
                segment.truncate(bad_at)?;
                self.report(FindingKind::TornTail, expected, expected, bytes, why);
            }
            break;
        }
        if end.is_none() && recovery_point > expected {
            self.damaged(
                expected,
                recovery_point,
                0,
                "the file ends before its synced end",
            );
            expected = recovery_point;
        }
        segment.set_index(index);
        self.rebuilt.push(segment.base());
        Ok(expected)
    }

    /// Whether a batch may be the next one: a gap before it is compaction's work.
    fn follows(&self, header: &BatchHeader, expected: i64) -> bool {
        header.base_offset == expected
            || (header.base_offset > expected && header.base_offset <= self.gaps_before)
    }

    fn damaged(&mut self, first: i64, end: i64, bytes: u64, why: &'static str) {
        self.report(FindingKind::Damaged, first, end, bytes, why);
    }

    fn report(
        &mut self,
        kind: FindingKind,
        first_offset: i64,
        end_offset: i64,
        bytes: u64,
        why: &'static str,
    ) {
        let finding = Finding {
            topic: self.topic.to_owned(),
            partition: self.index,
            kind,
            first_offset,
            end_offset,
            bytes,
            why,
        };
        tracing::warn!(
            topic = self.topic,
            partition = self.index,
            ?kind,
            first_offset,
            end_offset,
            bytes,
            why,
            "recovery found a fault in a log"
        );
        self.recovered.findings.push(finding);
    }
}

/// Whether a batch stands where it does because the offsets before it were lost, and not
/// because its own offset, which the CRC does not cover, is wrong: then it does not fit to
/// what comes behind it, or to the end that is known.
fn follows_loss(
    segment: &Segment,
    header: &BatchHeader,
    position: u64,
    recovery_point: i64,
) -> io::Result<bool> {
    if header.base_offset == recovery_point || header.next_offset() == recovery_point {
        return Ok(true);
    }
    let behind = position + header.total_len() as u64;
    Ok(matches!(
        segment.scan(behind, true).next()?,
        Some(Scanned::Batch { header: next, .. }) if next.base_offset == header.next_offset()
    ))
}

/// The next offset after the last batch, found from the last index entry on; `None` when
/// the file does not end with a whole batch.
fn end_of(segment: &Segment) -> io::Result<Option<i64>> {
    let (position, _) = segment.floor(i64::MAX)?;
    let mut next_offset = segment.base();
    let mut scanner = segment.scan(position, false);
    while let Some(scanned) = scanner.next()? {
        match scanned {
            Scanned::Batch { header, .. } => next_offset = header.next_offset(),
            Scanned::Bad { .. } => return Ok(None),
        }
    }
    Ok(Some(next_offset))
}
