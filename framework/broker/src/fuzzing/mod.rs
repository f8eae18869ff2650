//! What the fuzzers call: each function takes bytes that mean anything or nothing, and
//! panics when the broker breaks a promise. `framework/broker/fuzz` holds the targets and the
//! corpus, `docs/broker-faults.md` the commands; a test here replays the corpus.

mod batches;
mod checks;
mod partitions;
mod requests;
mod seeds;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;

pub use batches::batches;
pub use partitions::partitions;
pub use requests::{Answer, requests};
pub use seeds::seeds;
pub use stores::stores;

use crate::surroundings::{Place, Surroundings};

/// A fuzzed entry point by its name, which is that of its target and of its corpus.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    match name {
        "requests" => Some(|data| drop(requests(data))),
        "batches" => Some(batches),
        "partitions" => Some(partitions),
        "stores" => Some(stores),
        _ => None,
    }
}

/// A folder for one run, in memory where the system has such a place.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let base = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = base.join(format!("mesh-fuzz-{}-{next}", std::process::id()));
        // Left by a process of the same number that has crashed.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the run");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The threads of the broker under test.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let place = Place::new(&Surroundings::default());
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(move || place.enter())
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// The input, taken from the front; what is missing at its end is 0.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes(N);
        let mut number = [0; N];
        number[..taken.len()].copy_from_slice(taken);
        number
    }

    fn u8(&mut self) -> u8 {
        self.number::<1>()[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.number())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.number())
    }
}

#[cfg(test)]
mod tests;
