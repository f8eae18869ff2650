//! What a broker sees of the machine and a test may stage: the clock, and an fsync that
//! fails. A broker's threads are its own, so each carries the surroundings of its broker,
//! and several brokers of one process can live in different times.
//!
//! There are two clocks. The wall clock gives records their time. Ages (of transactions,
//! producers, committed offsets) are counted on a steady clock, which starts with the wall
//! clock when the broker does and is not moved when that is set: so nothing is given up
//! early or kept for ever because somebody set the clock. Stored ages that lie in the future
//! at a start count from the start.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The surroundings that tests stage; the default are the real ones.
#[derive(Debug, Clone, Default)]
pub struct Surroundings(Arc<Staged>);

#[derive(Debug, Default)]
struct Staged {
    wall_shift_ms: AtomicI64,
    steady_shift_ms: AtomicI64,
    fsync_fails: AtomicBool,
}

impl Surroundings {
    /// Sets the wall clock forth, or back with a negative number.
    pub fn set_wall_clock(&self, by_ms: i64) {
        self.0.wall_shift_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Lets so much time pass.
    pub fn pass(&self, ms: i64) {
        self.0.wall_shift_ms.fetch_add(ms, Ordering::SeqCst);
        self.0.steady_shift_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Lets every fsync fail, or no more.
    pub fn fail_fsync(&self, fails: bool) {
        self.0.fsync_fails.store(fails, Ordering::SeqCst);
    }
}

/// The surroundings of a broker as its threads carry them.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    staged: Arc<Staged>,
    started: Instant,
    started_ms: i64,
}

impl Place {
    /// A broker begins here and now.
    pub(crate) fn new(surroundings: &Surroundings) -> Self {
        let staged = Arc::clone(&surroundings.0);
        let shift = staged.wall_shift_ms.load(Ordering::SeqCst);
        let passed = staged.steady_shift_ms.load(Ordering::SeqCst);
        Self {
            staged,
            started: Instant::now(),
            started_ms: system_ms().saturating_add(shift).saturating_sub(passed),
        }
    }

    /// Makes the calling thread one of the broker's.
    pub(crate) fn enter(&self) {
        PLACE.with(|place| *place.borrow_mut() = Some(self.clone()));
    }
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

fn system_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

/// Milliseconds since 1970 by the wall clock, the unit of Kafka's timestamps.
pub(crate) fn now_ms() -> i64 {
    PLACE.with_borrow(|place| {
        let shift = place.as_ref().map_or(0, |place| {
            place.staged.wall_shift_ms.load(Ordering::Relaxed)
        });
        system_ms().saturating_add(shift)
    })
}

/// Milliseconds since 1970 by the steady clock, for all that is counted in age.
pub(crate) fn steady_ms() -> i64 {
    PLACE.with_borrow(|place| match place {
        // Outside of a broker, in unit tests.
        None => system_ms(),
        Some(place) => {
            let passed = i64::try_from(place.started.elapsed().as_millis()).unwrap_or(i64::MAX);
            place
                .started_ms
                .saturating_add(passed)
                .saturating_add(place.staged.steady_shift_ms.load(Ordering::Relaxed))
        }
    })
}

/// What an fsync does in these surroundings.
pub(crate) fn fsync(sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let fails = PLACE.with_borrow(|place| {
        place
            .as_ref()
            .is_some_and(|place| place.staged.fsync_fails.load(Ordering::Relaxed))
    });
    match fails {
        // As a broken disk answers.
        true => Err(io::Error::from_raw_os_error(libc::EIO)),
        false => sync(),
    }
}
