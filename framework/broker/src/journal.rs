//! Journals: append-only files of small facts, such as committed offsets. A frame of
//! length, CRC32C and a JSON list is stored whole or not at all. Durable under the
//! broker's flush policy as record batches are: with `Always` an append is answered after
//! its fsync, else the process may be killed and only a power failure takes the last of
//! them. A journal is rewritten as a snapshot at every start and whenever it has grown to
//! several times what it says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use mesh_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files;
use crate::report::{Finding, FindingKind, RecoveryReport};
use crate::surroundings::fsync;
use crate::sync::lock;

const HEADER: usize = 8;
/// The length of a list without lines, `[]`: nothing shorter is a frame. Zeros, which a power
/// failure may leave behind the last frame, would be one of length 0 with the right CRC.
const SHORTEST: usize = 2;
/// Below this size a journal is not rewritten.
const REWRITE_FROM: u64 = 4 << 20;
/// Lines of a snapshot that share a frame.
const SNAPSHOT_FRAME: usize = 1_000;

/// What reading a journal has found.
#[derive(Debug)]
struct Replay<T> {
    lines: Vec<T>,
    /// Bytes at the end that were no whole frame.
    torn: u64,
    /// Bytes in the middle whose CRC did not match.
    damaged: u64,
}

fn frame<T: Serialize>(lines: &[T]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, lines).map_err(io::Error::other)?;
    let len = u32::try_from(bytes.len() - HEADER).map_err(io::Error::other)?;
    let crc = crc32c::crc32c(&bytes[HEADER..]);
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes[4..HEADER].copy_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

/// A payload as a frame, whatever it is.
#[cfg(any(test, fuzzing))]
pub(crate) fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The frame at the start of `bytes`: its length and, if the CRC matches, its payload.
fn parse(bytes: &[u8]) -> Option<(usize, Option<&[u8]>)> {
    let len = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    if len < SHORTEST {
        return None;
    }
    let crc = u32::from_be_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let payload = bytes.get(HEADER..HEADER.checked_add(len)?)?;
    let good = crc32c::crc32c(payload) == crc;
    Some((HEADER + len, good.then_some(payload)))
}

/// Whether a whole list stands there, in a good frame.
fn is_frame(bytes: &[u8]) -> bool {
    // Looked at first, since the CRC of every place would take long.
    bytes.get(HEADER) == Some(&b'[')
        && matches!(parse(bytes), Some((_, Some(payload))) if payload.ends_with(b"]"))
}

fn replay<T: DeserializeOwned>(path: &Path) -> io::Result<Replay<T>> {
    let bytes = files::read_optional(path)?.unwrap_or_default();
    let mut replay = Replay {
        lines: Vec::new(),
        torn: 0,
        damaged: 0,
    };
    let mut at = 0;
    while at < bytes.len() {
        let left = &bytes[at..];
        match parse(left) {
            Some((len, Some(payload))) => {
                let lines: Vec<T> = serde_json::from_slice(payload).map_err(io::Error::other)?;
                replay.lines.extend(lines);
                at += len;
            }
            // A bad frame with a good one behind it is damage, else the last write was torn.
            // Its length may be what is wrong, so the next one is looked for everywhere.
            _ => match (1..left.len()).find(|next| is_frame(&left[*next..])) {
                Some(next) => {
                    replay.damaged += next as u64;
                    at += next;
                }
                None => {
                    replay.torn = left.len() as u64;
                    break;
                }
            },
        }
    }
    Ok(replay)
}

/// Reads a journal from the start. Faults are reported under the name of the topic that
/// Kafka would keep these facts in; a damaged file is kept beside the journal.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    topic: &str,
    report: &mut RecoveryReport,
) -> io::Result<Vec<T>> {
    let replay = replay(path)?;
    let mut finding = |kind, bytes, why| {
        tracing::warn!(file = %path.display(), bytes, why, "recovery found a fault");
        report.findings.push(Finding {
            topic: topic.to_owned(),
            partition: 0,
            kind,
            first_offset: 0,
            end_offset: 0,
            bytes,
            why,
        });
    };
    if replay.torn > 0 {
        let why = "the last entry is not whole";
        finding(FindingKind::TornTail, replay.torn, why);
    }
    if replay.damaged > 0 {
        let why = "the CRC of an entry does not match";
        finding(FindingKind::Damaged, replay.damaged, why);
        let aside = path.with_extension("damaged");
        fs::copy(path, &aside)?;
        tracing::warn!(file = %aside.display(), "kept the damaged file");
    }
    Ok(replay.lines)
}

/// A journal that cannot be begun.
pub(crate) fn unwritable(path: &Path, error: io::Error) -> Error {
    let (kind, mend) = match error.kind() {
        io::ErrorKind::StorageFull => (
            ErrorKind::ResourceExhausted,
            "make some room on the disk; nothing that was stored is lost",
        ),
        _ => (
            ErrorKind::FailedPrecondition,
            "give the process the right to write there, and check the disk",
        ),
    };
    Error::new(kind, "a journal cannot be written")
        .with("file", path.display())
        .mend(mend)
        .because(error)
}

/// The file that is appended to.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Shared with the fsync, which does not hold up appends.
    file: Arc<File>,
    len: u64,
}

impl Log {
    /// Begins a file that holds `lines`, replacing the one at `path` when it is durable.
    fn rewrite<T: Serialize>(path: &Path, lines: &[T]) -> io::Result<Self> {
        let mut bytes = Vec::new();
        for chunk in lines.chunks(SNAPSHOT_FRAME) {
            bytes.extend(frame(chunk)?);
        }
        files::write_atomic(path, &bytes)?;
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(OpenOptions::new().append(true).open(path)?),
            len: bytes.len() as u64,
        })
    }

    /// Whether the name still stands for the file that is appended to.
    fn is_in_place(&self) -> bool {
        let (Ok(named), Ok(ours)) = (fs::metadata(&self.path), self.file.metadata()) else {
            return false;
        };
        (named.dev(), named.ino()) == (ours.dev(), ours.ino())
    }

    fn append(&mut self, frame: &[u8]) -> Result<(), (io::Error, Option<io::Error>)> {
        if let Err(error) = (&*self.file).write_all(frame) {
            return Err((error, self.file.set_len(self.len).err()));
        }
        self.len += frame.len() as u64;
        Ok(())
    }
}

/// A journal that is open.
#[derive(Debug)]
pub(crate) struct Journal {
    durable_before_ack: bool,
    log: Mutex<Log>,
    /// The length of the file after its last rewrite.
    snapshot_len: AtomicU64,
    appended: AtomicU64,
    flushed: AtomicU64,
    flushing: Arc<tokio::sync::Mutex<()>>,
    failed: AtomicBool,
}

impl Journal {
    /// Begins a journal with a snapshot, which replaces what was at `path`.
    pub(crate) fn begin<T: Serialize>(
        path: &Path,
        durable_before_ack: bool,
        snapshot: &[T],
    ) -> io::Result<Self> {
        let log = Log::rewrite(path, snapshot)?;
        Ok(Self {
            durable_before_ack,
            snapshot_len: AtomicU64::new(log.len),
            log: Mutex::new(log),
            appended: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            flushing: Arc::default(),
            failed: AtomicBool::new(false),
        })
    }

    /// The right to append. Whoever brings memory in line while holding it has the order
    /// of the journal in memory too.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn {
            journal: self,
            log: lock(&self.log),
        }
    }

    /// Returns when the append `at` may be acknowledged.
    pub(crate) async fn wait_acknowledged(self: &Arc<Self>, at: u64) -> io::Result<()> {
        match self.durable_before_ack {
            true => self.flush(at).await,
            false => Ok(()),
        }
    }

    /// Returns when all that has been appended so far may be acknowledged.
    pub(crate) async fn wait_all_acknowledged(self: &Arc<Self>) -> io::Result<()> {
        let at = self.appended.load(Ordering::Acquire);
        self.wait_acknowledged(at).await
    }

    async fn flush(self: &Arc<Self>, at: u64) -> io::Result<()> {
        let turn = Arc::clone(&self.flushing).lock_owned().await;
        if self.flushed.load(Ordering::Acquire) >= at {
            return Ok(());
        }
        // The system reports a failure once; a second sync would succeed without the data.
        if self.failed.load(Ordering::Acquire) {
            return Err(broken());
        }
        let journal = Arc::clone(self);
        let syncing = tokio::task::spawn_blocking(move || {
            let (upto, file) = {
                let log = lock(&journal.log);
                let upto = journal.appended.load(Ordering::Acquire);
                (upto, Arc::clone(&log.file))
            };
            let synced = fsync(|| file.sync_data());
            match &synced {
                Ok(()) => {
                    journal.flushed.fetch_max(upto, Ordering::AcqRel);
                }
                Err(_) => journal.failed.store(true, Ordering::Release),
            }
            // Held to the end of the fsync, also when nobody waits for it any more.
            drop(turn);
            synced
        });
        syncing.await.unwrap_or_else(|error| {
            self.failed.store(true, Ordering::Release);
            Err(io::Error::other(error))
        })
    }

    /// Makes all that is stored durable.
    pub(crate) async fn flush_pending(self: &Arc<Self>) -> io::Result<()> {
        match self.failed.load(Ordering::Acquire) {
            true => Ok(()),
            false => self.flush(self.appended.load(Ordering::Acquire)).await,
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write or fsync has failed")
}

/// One who may append to a journal.
pub(crate) struct Turn<'a> {
    journal: &'a Journal,
    log: MutexGuard<'a, Log>,
}

impl Turn<'_> {
    /// Stores lines, all or none; returns what to wait for before acknowledging them.
    pub(crate) fn append<T: Serialize>(&mut self, lines: &[T]) -> io::Result<u64> {
        if self.journal.failed.load(Ordering::Acquire) {
            return Err(broken());
        }
        if let Err((error, not_cut)) = self.log.append(&frame(lines)?) {
            if let Some(not_cut) = not_cut {
                // Half a frame would stand before the next one.
                tracing::error!(error = %not_cut, "cannot cut a half-written entry");
                self.journal.failed.store(true, Ordering::Release);
            }
            return Err(error);
        }
        Ok(self.journal.appended.fetch_add(1, Ordering::AcqRel) + 1)
    }

    /// Rewrites the journal when it has grown to several times its snapshot.
    pub(crate) fn rewrite_if_grown<T: Serialize>(
        &mut self,
        snapshot: impl FnOnce() -> Vec<T>,
    ) -> io::Result<()> {
        let journal = self.journal;
        let before = journal.snapshot_len.load(Ordering::Acquire);
        if self.log.len <= 4 * before.max(REWRITE_FROM / 4) {
            return Ok(());
        }
        match Log::rewrite(&self.log.path, &snapshot()) {
            Ok(log) => *self.log = log,
            // For want of room, perhaps: the file before is as good, and grows on. It is
            // tried again when it has doubled, so that a full disk is not written to for
            // every line.
            Err(error) if self.log.is_in_place() => {
                tracing::error!(%error, file = %self.log.path.display(), "cannot rewrite a journal");
                let tried = self.log.len / 2;
                journal.snapshot_len.store(tried, Ordering::Release);
                return Ok(());
            }
            Err(error) => {
                // The name stands for another file now, which may not be durable.
                journal.failed.store(true, Ordering::Release);
                return Err(error);
            }
        }
        journal.snapshot_len.store(self.log.len, Ordering::Release);
        let upto = journal.appended.load(Ordering::Acquire);
        journal.flushed.fetch_max(upto, Ordering::AcqRel);
        Ok(())
    }
}
