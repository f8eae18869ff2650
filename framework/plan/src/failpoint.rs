//! Points at which a test can have an apply killed, as those of the runtime: with
//! `MESH_FAILPOINT="<name>[#<n>]"` the process dies, as by `kill -9`, when the point is passed
//! for the n-th time (1 by default).
//!
//! | name | passed when |
//! |---|---|
//! | `apply.locked` | earlier applies are fenced, nothing is written yet |
//! | `apply.recovered` | what an interrupted run left is found out and recorded |
//! | `apply.started` | the run is recorded as begun |
//! | `apply.intended` | a step is recorded as intended, nothing is done yet |
//! | `apply.acted` | it is done, that is not recorded yet |
//! | `apply.recorded` | that is recorded |
//! | `apply.finished` | the run is recorded as finished |

use mesh_core::{Error, Result};

/// A point of an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Locked,
    Recovered,
    Started,
    Intended,
    Acted,
    Recorded,
    Finished,
}

impl Point {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Locked, "apply.locked"),
        (Self::Recovered, "apply.recovered"),
        (Self::Started, "apply.started"),
        (Self::Intended, "apply.intended"),
        (Self::Acted, "apply.acted"),
        (Self::Recorded, "apply.recorded"),
        (Self::Finished, "apply.finished"),
    ];
}

/// The names of all points; for tests that have to pass every one of them.
pub fn failpoints() -> impl Iterator<Item = &'static str> {
    Point::ALL.iter().map(|(_, name)| *name)
}

/// The point that was asked for, if any.
#[derive(Debug, Default)]
pub(crate) struct Failpoint {
    armed: Option<(Point, u64)>,
    passed: u64,
}

impl Failpoint {
    /// Reads the value of `MESH_FAILPOINT`.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let wrong = || {
            Error::invalid("the environment variable MESH_FAILPOINT is wrong")
                .with("value", text)
                .mend("write `<name>[#<n>]` with a name of the failpoints of an apply")
        };
        let (name, at) = match text.split_once('#') {
            Some((name, number)) => (name, number.parse().map_err(|_| wrong())?),
            None => (text, 1),
        };
        let found = Point::ALL.iter().find(|(_, known)| *known == name);
        let (point, _) = found.ok_or_else(wrong)?;
        tracing::warn!(
            failpoint = text,
            "the process will be killed at a failpoint"
        );
        Ok(Self {
            armed: Some((*point, at)),
            passed: 0,
        })
    }

    /// Passes `point`.
    pub(crate) fn pass(&mut self, point: Point) {
        let Some((armed, at)) = self.armed else {
            return;
        };
        if armed == point {
            self.passed += 1;
            if self.passed == at {
                kill();
            }
        }
    }
}

/// Dies at once: no destructor runs and nothing is flushed.
fn kill() {
    // SAFETY: kill(2) and getpid(2) take and return plain numbers and touch no memory.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
    }
    loop {
        std::thread::park();
    }
}
