//! What the parts of a domain's process share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::DecisionPoint;
use mesh_stream::CatalogClient;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::ends::Inputs;
use crate::failpoint::{Failpoint, Point};
use crate::keep::Keeps;
use crate::metrics::Metrics;
use crate::peer::Peers;
use crate::replay::{Replays, Runners};
use crate::setup::Outputs;
use crate::status::{Status, sentence};
use crate::store::{Commit, Outcome, Store};

const STORE: &str = "store";
/// The part of the outbox that is a replay's, as a divisor.
const REPLAY_SHARE: u64 = 5;

/// What the parts of a process share.
pub(crate) struct Host {
    pub(crate) domain: String,
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) catalog: CatalogClient,
    pub(crate) peers: Peers,
    pub(crate) metrics: Metrics,
    pub(crate) status: Status,
    pub(crate) failpoint: Failpoint,
    pub(crate) decisions: Arc<dyn DecisionPoint>,
    /// The products whose rows are kept as documents.
    pub(crate) keeps: Keeps,
    /// The products as registered; set when the platform is ready.
    pub(crate) outputs: OnceLock<Outputs>,
    pub(crate) replays: Replays,
    /// What the handlers read, and when that ends.
    pub(crate) inputs: Inputs,
    /// The tasks of handlers; set when they begin.
    pub(crate) runners: OnceLock<Runners>,
    /// Cancelled when no more events, batches and requests are taken in.
    pub(crate) intake: CancellationToken,
    /// Cancelled when the relay is to end as soon as the outbox is empty.
    pub(crate) drain: CancellationToken,
    /// Told when rows were added to the outbox.
    pub(crate) added: Notify,
    /// Told when rows have left the outbox.
    pub(crate) relayed: Notify,
    /// Why the domain cannot go on, once it cannot.
    pub(crate) fatal: watch::Sender<Option<Arc<Error>>>,
}

impl Host {
    /// The products as registered.
    ///
    /// # Errors
    /// Retryable while the platform has not been there yet.
    pub(crate) fn outputs(&self) -> Result<&Outputs> {
        self.outputs.get().ok_or_else(|| {
            Error::unavailable("the domain is starting and cannot publish yet")
                .mend("see /readyz for what it waits for")
        })
    }

    /// The tasks of handlers.
    ///
    /// # Errors
    /// Retryable while they have not begun yet.
    pub(crate) fn runners(&self) -> Result<&Runners> {
        self.runners.get().ok_or_else(|| {
            Error::unavailable("the domain is starting and handles nothing yet")
                .mend("see /readyz for what it waits for")
        })
    }

    /// Shows a handler no more that is not run any more.
    pub(crate) fn forget_handler(&self, name: &str) {
        self.status.remove_handler(name);
        // Without a lag so far there is none to forget.
        self.metrics.lag.remove_label_values(&[name]).ok();
    }

    /// Commits, and tells the relay. A commit that has begun is brought to its end even if
    /// the caller goes away, because the store counts versions by it.
    pub(crate) async fn commit(self: &Arc<Self>, commit: Commit) -> Result<Outcome> {
        let host = Arc::clone(self);
        let work = tokio::spawn(async move {
            let outcome = match host.store.commit(&commit).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    if error.kind() == ErrorKind::FailedPrecondition {
                        host.check_store().await;
                    }
                    return Err(error);
                }
            };
            match outcome {
                Outcome::Committed => {
                    host.metrics.commits.inc();
                    for row in &commit.outputs {
                        host.failpoint.pass(Point::OutboxCommitted, &row.topic);
                    }
                    if !commit.outputs.is_empty() {
                        host.added.notify_one();
                    }
                }
                Outcome::Conflict => host.metrics.conflicts.inc(),
                Outcome::Answered(_) => {}
            }
            Ok(outcome)
        });
        work.await
            .map_err(|error| Error::internal("a commit was cut short").because(error))?
    }

    /// Shows whether the store answers, and ends the process if it is not its own any more.
    pub(crate) async fn check_store(&self) {
        match self.store.check().await {
            Ok(()) => self.status.clear(STORE),
            Err(error) if error.is_retryable() => self.status.wait(STORE, sentence(&error)),
            Err(error) => self.fail(STORE, error),
        }
    }

    /// Waits until the outbox has room; `false` if the host stops first.
    pub(crate) async fn room(&self) -> bool {
        self.room_below(self.config.outbox_limit).await
    }

    /// [`Host::room`] for the handler `name`. What makes a product anew leaves most of the
    /// outbox to those who serve, so that they need not wait behind it.
    pub(crate) async fn room_for(&self, name: &str) -> bool {
        let version = self.replays.versions.get(name);
        let behind = version.is_some_and(|version| version.is_replay() && !version.is_switched());
        self.room_below(match behind {
            true => self.config.outbox_limit / REPLAY_SHARE,
            false => self.config.outbox_limit,
        })
        .await
    }

    async fn room_below(&self, limit: u64) -> bool {
        while self.store.pending() > limit {
            // A missed note costs one look at the counter.
            let pause = tokio::time::timeout(Duration::from_millis(100), self.relayed.notified());
            tokio::select! {
                () = self.intake.cancelled() => return false,
                _ = pause => {}
            }
        }
        !self.intake.is_cancelled()
    }

    /// Ends the process for a reason that only a person can mend.
    pub(crate) fn fail(&self, part: &str, error: Error) {
        tracing::error!(part, error = error.log_line(), "the domain cannot go on");
        self.status.wait(part, sentence(&error));
        self.intake.cancel();
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                *fatal = Some(Arc::new(error));
            }
            first
        });
    }
}
