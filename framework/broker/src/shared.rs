//! What all connections share.

use std::fs::File;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::buffers::Buffers;
use crate::config::BrokerConfig;
use crate::group::{Coordinator, Offsets};
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::security::{Authorizer, Logins, Principal, Tls, Users};
use crate::topics::Topics;
use crate::txn::Transactions;

/// The state of a running broker.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) coordinator: Coordinator,
    pub(crate) offsets: Arc<Offsets>,
    pub(crate) transactions: Transactions,
    /// What listeners with TLS accept connections with.
    pub(crate) tls: Option<Tls>,
    pub(crate) users: Arc<Users>,
    pub(crate) logins: Arc<Logins>,
    /// Access control, when it is on.
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) metrics: Metrics,
    /// What record batches are read into.
    pub(crate) buffers: Buffers,
    /// Wakes the retention before its time.
    pub(crate) look_at_retention: Notify,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Locked as long as the broker lives.
    pub(crate) lock_file: File,
}

impl Shared {
    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        let metrics = &self.metrics;
        let topics = self.topics.all();
        let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
        MetricsSnapshot {
            connections: metrics.connections.get(),
            refused_connections: metrics.refused_connections.get(),
            malformed_requests: metrics.malformed_requests.get(),
            successful_authentications: metrics.successful_authentications.get(),
            failed_authentications: metrics.failed_authentications.get(),
            bytes_in: metrics.bytes_in.get(),
            bytes_out: metrics.bytes_out.get(),
            produced_batches: metrics.produced_batches.get(),
            produced_records: metrics.produced_records.get(),
            produced_bytes: metrics.produced_bytes.get(),
            refused_batches: metrics.refused_batches.get(),
            damaged_places: partitions()
                .map(|partition| partition.damaged_places() as u64)
                .sum(),
            fetched_bytes: metrics.fetched_bytes.get(),
            removed_segments: metrics.removed_segments.get(),
            removed_bytes: metrics.removed_bytes.get(),
            cleanings: metrics.cleanings.get(),
            cleaned_bytes: metrics.cleaned_bytes.get(),
            compacted_records: metrics.compacted_records.get(),
            cleaner_failures: metrics.cleaner_failures.get(),
            uncleanable_partitions: partitions()
                .filter(|partition| partition.is_uncleanable())
                .count() as u64,
            requests: metrics.requests(),
            active_groups: self.coordinator.active() as u64,
            topics: topics.len() as u64,
            partitions: partitions().count() as u64,
            log_bytes: partitions().map(|partition| partition.size()).sum(),
        }
    }
}

/// Who sent a request, and how it reached us.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) client_id: StrBytes,
    /// Who it is.
    pub(crate) principal: Principal,
    /// The address it comes from, as access control lists name hosts.
    pub(crate) peer_host: Arc<str>,
    /// Where clients shall connect to.
    pub(crate) host: StrBytes,
    pub(crate) port: i32,
}
