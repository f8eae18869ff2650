//! A partition read from one offset to another.

use std::fmt;
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use super::native::{Messages, Polled, Subscription};
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};

/// Records taken from librdkafka at a time.
const TAKE: usize = 1024;
/// How long one take may wait for a record, and so what a hole at the end of a scan and the
/// drop of a reader may cost.
const WAIT: Duration = Duration::from_millis(10);
/// Takes that wait to be asked for.
const AHEAD: usize = 4;
/// After so long without a record the broker is asked whether it is still there.
const STALLED: Duration = Duration::from_secs(10);

/// Reads one partition from one offset to another, fetching ahead on a thread of its own.
///
/// Offsets that are not there (compaction, retention, markers of transactions) are passed
/// over. Dropping it stops the thread within milliseconds, without waiting for it.
pub struct PartitionReader {
    takes: mpsc::Receiver<Result<Messages>>,
    left: Option<Messages>,
    topic: String,
    partition: i32,
}

impl fmt::Debug for PartitionReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionReader")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl PartitionReader {
    /// Reads the committed records from offset `start` up to, and without, `end`, which must
    /// have been reached by the partition already, without an open transaction before it:
    /// take it from [`Admin::watermarks`](crate::Admin::watermarks).
    ///
    /// # Errors
    /// If the configuration or the name is refused, or no thread can be had. That the
    /// partition is not there, or no broker answers, [`PartitionReader::next_batch`] tells.
    pub fn open(
        config: &StreamConfig,
        topic: &str,
        partition: i32,
        start: i64,
        end: i64,
    ) -> Result<Self> {
        let (sender, takes) = mpsc::channel(AHEAD);
        let reader = Self {
            takes,
            left: None,
            topic: topic.to_owned(),
            partition,
        };
        let start = start.max(0);
        if start >= end {
            return Ok(reader);
        }
        let mut scan = Scan {
            subscription: Subscription::start(config, topic, partition, start)?,
            next: start,
            end,
            bootstrap: config.bootstrap.clone(),
            topic: topic.to_owned(),
            partition,
            moved: Instant::now(),
        };
        std::thread::Builder::new()
            .name("mesh-reader".to_owned())
            .spawn(move || scan.run(&sender))
            .map_err(|error| {
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "no thread to read a partition",
                )
                .mend("raise the limit on threads, or read fewer partitions at a time")
                .because(error)
            })?;
        Ok(reader)
    }

    /// The next records, at least one and at most `max`; `None` at the end. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no broker answers, [`ErrorKind::NotFound`] if there is
    /// no such partition, [`ErrorKind::FailedPrecondition`] if the partition has become
    /// shorter than `end`. Nothing follows an error.
    pub async fn next_batch(&mut self, max: usize) -> Result<Option<Messages>> {
        let mut messages = match self.left.take() {
            Some(left) => left,
            None => match self.takes.recv().await {
                Some(taken) => taken?,
                None => return Ok(None),
            },
        };
        if messages.len() > max.max(1) {
            self.left = Some(messages.split_off(max.max(1)));
        }
        Ok(Some(messages))
    }
}

struct Scan {
    subscription: Subscription,
    next: i64,
    end: i64,
    bootstrap: String,
    topic: String,
    partition: i32,
    moved: Instant,
}

impl Scan {
    fn run(&mut self, sender: &mpsc::Sender<Result<Messages>>) {
        while self.next < self.end && !sender.is_closed() {
            let taken = match self.take() {
                Ok(Some(messages)) => Ok(messages),
                Ok(None) => continue,
                Err(error) => Err(error
                    .with("topic", &self.topic)
                    .with("partition", self.partition)),
            };
            let failed = taken.is_err();
            if sender.blocking_send(taken).is_err() || failed {
                break;
            }
        }
        self.subscription.serve_log();
    }

    /// One take; `None` if it brought nothing.
    fn take(&mut self) -> Result<Option<Messages>> {
        let Polled {
            mut messages,
            ends,
            errors,
        } = self.subscription.poll(TAKE, WAIT);
        let last = messages
            .len()
            .checked_sub(1)
            .and_then(|last| messages.get(last))
            .map(|last| last.offset + 1);
        // Marks are handed out by nobody, but the client's position is behind them.
        let position = self.subscription.positions().pop();
        let reached = last.max(position.map(|(_, offset)| offset));
        if reached.is_some_and(|reached| reached > self.next) {
            self.moved = Instant::now();
            self.next = reached.unwrap_or(self.next);
        }
        if last.is_some() {
            messages.cut(self.end);
            if !messages.is_empty() {
                if let Some((_, code)) = errors.last() {
                    // Told again with the next take, if it lasts.
                    tracing::debug!(topic = self.topic, %code, "fetching failed after records");
                }
                return Ok(Some(messages));
            }
            return Ok(None);
        }
        self.subscription.serve_log();
        if let Some((_, code)) = errors.last() {
            return Err(fault::coded(&self.bootstrap, "reading a partition", *code));
        }
        if let Some((_, end)) = ends.last() {
            if *end >= self.end {
                // Nothing but a hole is left.
                self.next = self.end;
            } else {
                self.ask()?;
            }
        } else if self.moved.elapsed() >= STALLED {
            self.ask()?;
            self.moved = Instant::now();
        }
        Ok(None)
    }

    /// Makes sure that the broker is there and that the partition still reaches `end`.
    fn ask(&self) -> Result<()> {
        let (_, high) = self
            .subscription
            .watermarks(self.partition, ASK_TIMEOUT)
            .map_err(|error| fault::kafka(&self.bootstrap, "reading a partition", error))?;
        if high < self.end {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the partition has become shorter while it was read",
            )
            .with("end", self.end)
            .with("is", high)
            .mend("ask again; if it repeats, the topic was made anew or lost records"));
        }
        Ok(())
    }
}
