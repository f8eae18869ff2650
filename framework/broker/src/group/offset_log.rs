//! The file format of committed offsets and groups: frames of length, CRC32C and a JSON
//! list, one for each change, so that a change is stored whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::offsets::Committed;
use super::stored::StoredGroup;
use crate::files;

const HEADER: usize = 8;

/// One line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Offset(OffsetLine),
    Group(GroupLine),
}

/// An offset, or with none the removal of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OffsetLine {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: Option<Committed>,
}

/// A group's generation and members, or with none the removal of the group.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupLine {
    pub(super) group: String,
    pub(super) state: Option<StoredGroup>,
}

/// What reading a log has found.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) lines: Vec<Line>,
    /// Bytes at the end that were no whole frame.
    pub(super) torn: u64,
    /// Bytes in the middle whose CRC did not match.
    pub(super) damaged: u64,
}

/// An append-only log.
#[derive(Debug)]
pub(super) struct OffsetLog {
    path: PathBuf,
    file: File,
    len: u64,
}

pub(super) fn frame(lines: &[Line]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, lines).map_err(io::Error::other)?;
    let len = u32::try_from(bytes.len() - HEADER).map_err(io::Error::other)?;
    let crc = crc32c::crc32c(&bytes[HEADER..]);
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes[4..HEADER].copy_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

/// The frame at the start of `bytes`: its length and, if the CRC matches, its payload.
fn parse(bytes: &[u8]) -> Option<(usize, Option<&[u8]>)> {
    let len = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let crc = u32::from_be_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let payload = bytes.get(HEADER..HEADER.checked_add(len)?)?;
    let good = crc32c::crc32c(payload) == crc;
    Some((HEADER + len, good.then_some(payload)))
}

/// Reads a log from the start.
pub(super) fn replay(path: &Path) -> io::Result<Replay> {
    let bytes = files::read_optional(path)?.unwrap_or_default();
    let mut replay = Replay::default();
    let mut at = 0;
    while at < bytes.len() {
        let left = &bytes[at..];
        match parse(left) {
            Some((len, Some(payload))) => {
                let lines: Vec<Line> = serde_json::from_slice(payload).map_err(io::Error::other)?;
                replay.lines.extend(lines);
                at += len;
            }
            // A bad frame with a good one behind it is damage, else the last write was torn.
            Some((len, None)) if matches!(parse(&left[len..]), Some((_, Some(_)))) => {
                replay.damaged += len as u64;
                at += len;
            }
            _ => {
                replay.torn = left.len() as u64;
                break;
            }
        }
    }
    Ok(replay)
}

impl OffsetLog {
    /// Begins a log that holds `lines`, replacing the one at `path` when it is durable.
    pub(super) fn rewrite(path: &Path, lines: Vec<Line>) -> io::Result<Self> {
        let mut bytes = Vec::new();
        for chunk in lines.chunks(1_000) {
            bytes.extend(frame(chunk)?);
        }
        files::write_atomic(path, &bytes)?;
        Ok(Self {
            path: path.to_owned(),
            file: OpenOptions::new().append(true).open(path)?,
            len: bytes.len() as u64,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(frame) {
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += frame.len() as u64;
        Ok(())
    }

    /// A second handle on the file, to sync it without holding up appends.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Keeps a damaged log for whoever wants to look into it.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_extension("damaged");
    fs::copy(path, &aside)?;
    Ok(aside)
}
