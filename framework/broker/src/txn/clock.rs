//! What time does to transactions: those that take too long are aborted, ids that are
//! silent for too long are forgotten, and a partition that refused a marker is asked again.

use std::time::Duration;

use super::coordinator::Transactions;
use crate::sync::steady_ms;

impl Transactions {
    /// Looks at all ids. One whose turn is taken is busy and is looked at next time.
    pub(crate) async fn tick(&self, id_expiry: Duration) {
        let expiry_ms = i64::try_from(id_expiry.as_millis()).unwrap_or(i64::MAX);
        for entry in self.entries() {
            let Ok(mut turn) = entry.turn.try_lock() else {
                continue;
            };
            let current = entry.current();
            let now = steady_ms();
            let done = if current.decision().is_some() {
                self.carry_out(&entry, &mut turn).await
            } else if current.is_timed_out(now) {
                tracing::info!(
                    id = current.id,
                    timeout_ms = current.timeout_ms,
                    "aborting a transaction that takes too long"
                );
                let decided = current.fenced().decided(false, now);
                self.decide(&entry, &mut turn, decided).await
            } else if current.is_expired(now, expiry_ms) {
                self.forget(&current.id).await
            } else {
                Ok(())
            };
            if let Err(error) = done {
                tracing::error!(%error, id = current.id, "a transaction cannot go on");
            }
        }
    }
}
