//! Waiting between attempts.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Times between attempts: doubling from the first to the greatest, each shortened by up
/// to a half at random, so that those who failed together do not come back together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    greatest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, greatest: Duration) -> Self {
        Self {
            first,
            greatest,
            attempts: 0,
        }
    }

    /// For what lies on the network: 100 ms to 5 s.
    pub(crate) fn network() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Attempts that failed since the last success.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Counts a failed attempt; how long to wait before the next.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        let full = doubled.min(self.greatest);
        let random = (Uuid::new_v4().as_u128() & 0xffff) as f64 / 65_536.0;
        full.mul_f64(1.0 - random / 2.0)
    }

    /// Waits before the next attempt; `false` if `stop` came first.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let wait = self.next();
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}
