//! Small files that must be either the old or the new version after a crash.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::surroundings::fsync;

/// Replaces `path` by `bytes`: written beside it, synced, renamed over it, and the
/// folder synced, so that a crash at any instant leaves one whole version.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o666)
}

/// As [`write_atomic`], and nobody but the owner may read the file.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o600)
}

/// Removes a folder and is content when it was not there, or when somebody else removes it
/// at the same time.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    // One that a crash has left keeps the mode it was made with.
    remove_optional(&temporary)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| fsync(|| file.sync_all()));
    drop(file);
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // On a full disk the half that was written takes the room of others.
        if let Err(kept) = remove_optional(&temporary) {
            tracing::warn!(file = %temporary.display(), error = %kept, "cannot remove half a file");
        }
        return Err(error);
    }
    let synced = match path.parent() {
        // A bare file name lies in the working folder.
        Some(folder) if folder.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(folder) => sync_dir(folder),
        None => Ok(()),
    };
    synced.map_err(not_durable)
}

/// An error that came when the new version of a file was in place already: a power failure
/// may bring the old one back.
#[derive(Debug)]
struct NotDurable(io::Error);

impl fmt::Display for NotDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the new version may not be durable: {}", self.0)
    }
}

impl std::error::Error for NotDurable {}

/// The error of a write whose new version is in place.
pub(crate) fn not_durable(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), NotDurable(error))
}

/// Whether a write failed only after the new version of the file was in place.
pub(crate) fn is_in_place(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<NotDurable>())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    let folder = File::open(path)?;
    fsync(|| folder.sync_all())
}

/// How the last line of a file begins that carries its checksum.
const CHECKSUM: &[u8] = b"\ncrc32c ";
/// Bytes of that line, the one before its beginning included.
pub(crate) const CHECKSUM_LEN: usize = CHECKSUM.len() + 8 + 1;

/// The bytes and a last line that tells whether they are what was written.
pub(crate) fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(bytes.len() + CHECKSUM_LEN);
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(CHECKSUM);
    whole.extend_from_slice(format!("{:08x}\n", crc32c::crc32c(bytes)).as_bytes());
    whole
}

/// What was written, if it is that; `None` when the checksum is missing or does not match.
pub(crate) fn checked(whole: &[u8]) -> Option<&[u8]> {
    let (bytes, _) = whole.split_at_checked(whole.len().checked_sub(CHECKSUM_LEN)?)?;
    (whole == with_checksum(bytes)).then_some(bytes)
}

/// Whether the last line looks like a checksum, be it right or wrong.
fn has_checksum(whole: &[u8]) -> bool {
    let line = whole.len().checked_sub(CHECKSUM_LEN);
    line.and_then(|at| whole.get(at..))
        .is_some_and(|line| line.starts_with(CHECKSUM))
}

/// As [`write_atomic`], with a checksum.
pub(crate) fn write_checked(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic(path, &with_checksum(bytes))
}

/// Reads a file that may not be there yet. One without a checksum, such as a file that
/// somebody has mended by hand, is taken as it is.
///
/// # Errors
/// `InvalidData` when the checksum does not match.
pub(crate) fn read_checked(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(whole) = read_optional(path)? else {
        return Ok(None);
    };
    match checked(&whole) {
        Some(bytes) => Ok(Some(bytes.to_vec())),
        None if has_checksum(&whole) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the checksum in the last line does not match",
        )),
        None => Ok(Some(whole)),
    }
}

/// Reads a file that may not be there yet.
pub(crate) fn read_optional(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file and is content when it was not there.
pub(crate) fn remove_optional(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
