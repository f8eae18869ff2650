//! Committed offsets that nobody has used for long are forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offset_state::Committed;
use super::state::Group;
use crate::shared::Shared;
use crate::sync::steady_ms;

/// Looks for expired offsets now and then until the broker stops.
pub(crate) async fn expire_offsets(shared: Arc<Shared>) {
    let config = &shared.config;
    loop {
        tokio::select! {
            () = tokio::time::sleep(config.offsets_retention_check_interval) => {}
            () = shared.stop.cancelled() => return,
        }
        let expired = shared
            .coordinator
            .expire(steady_ms(), config.offsets_retention);
        if expired > 0 {
            tracing::info!(expired, "committed offsets have expired");
        }
    }
}

impl Group {
    /// The offsets that have not been of use for `retention_ms`: time runs for a group from
    /// when its last member has gone, for topics that a group of consumers no longer reads
    /// from their last commit, as for offsets without a group. As Kafka counts it, except that
    /// an offset committed after the last member has gone counts from that commit. Where its
    /// committer has said when an offset expires, that counts instead.
    pub(super) fn expired_offsets(
        &self,
        offsets: &BTreeMap<(String, i32), Committed>,
        now_ms: i64,
        retention_ms: i64,
    ) -> Vec<(String, i32)> {
        let before_ms = now_ms.saturating_sub(retention_ms);
        let expired = |topic: &str, committed: &Committed| {
            let since_ms = match &self.protocol_type {
                None => committed.committed_ms,
                Some(_) if self.is_empty() => {
                    let empty_ms = self.empty_since_ms.unwrap_or(committed.committed_ms);
                    empty_ms.max(committed.committed_ms)
                }
                Some(_)
                    if self.is_stable() && self.is_of_consumers() && !self.is_subscribed(topic) =>
                {
                    committed.committed_ms
                }
                Some(_) => return false,
            };
            match committed.expires_ms {
                Some(expires_ms) => expires_ms <= now_ms,
                None => since_ms <= before_ms,
            }
        };
        offsets
            .iter()
            .filter(|((topic, _), committed)| expired(topic, committed))
            .map(|(key, _)| key.clone())
            .collect()
    }
}
