//! Points at which a test can have the process killed.
//!
//! `MESH_FAILPOINT="<name>[@<topic>][#<n>]"` kills the process with SIGKILL when the point
//! is passed for the n-th time (1 by default), counting only passages that concern the
//! topic if one is named. Without the variable a point costs one comparison.
//!
//! | name | passed when |
//! |---|---|
//! | `handler.before_commit` | a handler has decided, nothing is committed yet; topic consumed |
//! | `inbox.committed` | its effects are committed, the group's offset is not; topic consumed |
//! | `outbox.committed` | effects with outputs are committed, none is sent yet; topic written |
//! | `relay.begun` | a transaction has begun that will write the topic, nothing is sent yet |
//! | `relay.sent` | a record stands in Kafka, its transaction is open; topic written |
//! | `relay.before_commit` | a transaction that writes the topic is complete, not committed |
//! | `relay.committed` | a record's transaction is committed, that is not noted yet; topic written |
//! | `transform.before_commit` | a Kafka-to-Kafka transaction is complete, not committed; topic consumed |
//! | `transform.committed` | it is committed, its documents are not; topic consumed |
//! | `rebuild.read` | records of a kept product were read back, not committed; that product's topic |
//! | `rebuild.committed` | their documents are committed; that product's topic |
//! | `replay.started` | a replay is noted as started, nothing is done yet; topic consumed |
//! | `replay.placed` | its group is put to the start, that is not noted yet; topic consumed |
//! | `replay.decided` | it is decided to switch over, the catalog is not told; topic consumed |
//! | `replay.switched` | the catalog is told, that is not noted yet; topic consumed |
//! | `replay.abandoned` | a replay is noted as given up, its topics are there; topic consumed |

use std::sync::atomic::{AtomicU64, Ordering};

use mesh_core::{Error, Result};

/// Makes the points and the list of all of them, so that none can be left out of it.
macro_rules! points {
    ($($point:ident = $name:literal),+ $(,)?) => {
        /// A point of the program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Point {
            $($point),+
        }

        impl Point {
            const ALL: &[Self] = &[$(Self::$point),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name),+
                }
            }
        }
    };
}

points! {
    HandlerBeforeCommit = "handler.before_commit",
    InboxCommitted = "inbox.committed",
    OutboxCommitted = "outbox.committed",
    RelayBegun = "relay.begun",
    RelaySent = "relay.sent",
    RelayBeforeCommit = "relay.before_commit",
    RelayCommitted = "relay.committed",
    TransformBeforeCommit = "transform.before_commit",
    TransformCommitted = "transform.committed",
    RebuildRead = "rebuild.read",
    RebuildCommitted = "rebuild.committed",
    ReplayStarted = "replay.started",
    ReplayPlaced = "replay.placed",
    ReplayDecided = "replay.decided",
    ReplaySwitched = "replay.switched",
    ReplayAbandoned = "replay.abandoned",
}

/// The names of all points at which `MESH_FAILPOINT` can have a process killed; for tests
/// that have to pass every one of them.
pub fn failpoints() -> impl Iterator<Item = &'static str> {
    Point::ALL.iter().map(|point| point.name())
}

/// The point that was asked for, if any.
#[derive(Debug, Default)]
pub(crate) struct Failpoint {
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    point: Point,
    topic: Option<String>,
    at: u64,
    passed: AtomicU64,
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
                .mend("write `<name>[@<topic>][#<n>]` with a name of the runtime's failpoints")
        };
        let (rest, at) = match text.split_once('#') {
            Some((rest, number)) => (rest, number.parse().map_err(|_| wrong())?),
            None => (text, 1),
        };
        let (name, topic) = match rest.split_once('@') {
            Some((name, topic)) => (name, Some(topic.to_owned())),
            None => (rest, None),
        };
        let point = *Point::ALL
            .iter()
            .find(|point| point.name() == name)
            .ok_or_else(wrong)?;
        tracing::warn!(
            failpoint = text,
            "the process will be killed at a failpoint"
        );
        Ok(Self {
            armed: Some(Armed {
                point,
                topic,
                at,
                passed: AtomicU64::new(0),
            }),
        })
    }

    /// Passes `point` on behalf of `topic`.
    pub(crate) fn pass(&self, point: Point, topic: &str) {
        let Some(armed) = &self.armed else { return };
        if armed.point != point || armed.topic.as_deref().is_some_and(|named| named != topic) {
            return;
        }
        if armed.passed.fetch_add(1, Ordering::SeqCst) + 1 == armed.at {
            kill();
        }
    }
}

/// Dies at once, as by `kill -9`: no destructor runs and nothing is flushed.
fn kill() {
    // SAFETY: kill(2) and getpid(2) take and return plain numbers and touch no memory.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
    }
    loop {
        std::thread::park();
    }
}
