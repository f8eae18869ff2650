//! Producer ids, never handed out twice: blocks of a thousand are taken durably before
//! their first id is used, so a crash wastes at most the rest of a block.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use mesh_core::{Error, ErrorKind};

use crate::files;
use crate::sync::lock;

const BLOCK: i64 = 1_000;

/// Hands out producer ids.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    path: PathBuf,
    /// The next id, and the end of the block that is ours.
    block: Mutex<(i64, i64)>,
}

impl ProducerIds {
    pub(crate) fn open(path: PathBuf) -> mesh_core::Result<Self> {
        let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(
                ErrorKind::Corrupt,
                "the file of producer ids cannot be read",
            )
            .with("file", path.display())
            .mend("write into it a number above any producer id used before")
            .because(error)
        };
        let next = match files::read_checked(&path).map_err(|error| unreadable(error.into()))? {
            Some(bytes) => String::from_utf8(bytes)
                .map_err(|error| unreadable(error.into()))?
                .trim()
                .parse()
                .map_err(|error: std::num::ParseIntError| unreadable(error.into()))?,
            None => 0,
        };
        Ok(Self {
            path,
            block: Mutex::new((next, next)),
        })
    }

    pub(crate) fn next(&self) -> io::Result<i64> {
        let mut block = lock(&self.block);
        let (next, end) = *block;
        if next == end {
            files::write_checked(&self.path, (end + BLOCK).to_string().as_bytes())?;
            block.1 = end + BLOCK;
        }
        block.0 = next + 1;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_never_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("producer-ids");
        let mut last = -1;
        for _ in 0..3 {
            let ids = ProducerIds::open(path.clone()).unwrap();
            for _ in 0..1_500 {
                let id = ids.next().unwrap();
                assert!(id > last);
                last = id;
            }
        }
        std::fs::write(&path, "many").unwrap();
        assert!(ProducerIds::open(path).unwrap_err().mend_text().is_some());
    }
}
