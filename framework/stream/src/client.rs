//! What librdkafka calls back: its log, its errors, and changes of a group's assignment.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Statistics, TopicPartitionList};

use crate::config::StreamConfig;
use crate::consumer::RebalanceListener;

/// The context of every client of this crate.
pub(crate) struct Context {
    role: &'static str,
    client_id: String,
    bootstrap: String,
    listener: Option<Arc<dyn RebalanceListener>>,
}

impl Context {
    pub(crate) fn new(config: &StreamConfig, role: &'static str) -> Self {
        Self {
            role,
            client_id: config.client_id.clone(),
            bootstrap: config.bootstrap.clone(),
            listener: None,
        }
    }

    pub(crate) fn with_listener(mut self, listener: Arc<dyn RebalanceListener>) -> Self {
        self.listener = Some(listener);
        self
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let (client, role) = (self.client_id.as_str(), self.role);
        match level {
            // A connection that failed is tried again; librdkafka calls it an error.
            RDKafkaLogLevel::Error if matches!(facility, "FAIL" | "ERROR") => {
                tracing::warn!(target: "librdkafka", client, role, facility, "{message}");
            }
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", client, role, facility, "{message}");
            }
            RDKafkaLogLevel::Warning => {
                // Overrides are one map for producers and consumers; the other's are noted.
                if facility == "CONFWARN" {
                    tracing::debug!(target: "librdkafka", client, role, facility, "{message}");
                } else {
                    tracing::warn!(target: "librdkafka", client, role, facility, "{message}");
                }
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::debug!(target: "librdkafka", client, role, facility, "{message}");
            }
            RDKafkaLogLevel::Debug => {
                tracing::trace!(target: "librdkafka", client, role, facility, "{message}");
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        tracing::debug!(
            target: "librdkafka",
            client = self.client_id,
            role = self.role,
            queued = statistics.msg_cnt,
            sent = statistics.txmsgs,
            received = statistics.rxmsgs,
            "statistics"
        );
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let (client, role, bootstrap) = (&self.client_id, self.role, &self.bootstrap);
        match error.rdkafka_error_code() {
            // The end of a partition is no error; this crate asks to be told.
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                tracing::warn!(client, role, bootstrap, "no broker answers, trying again");
            }
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut,
            ) => {
                tracing::warn!(
                    client,
                    role,
                    bootstrap,
                    reason,
                    "connection to a broker failed"
                );
            }
            _ => {
                tracing::error!(client, role, bootstrap, reason, %error, "kafka client error");
            }
        }
    }
}

/// Serves the log lines and errors that wait in a client that belongs to no group.
pub(crate) fn drain(client: &BaseConsumer<Context>) {
    // A poll without time serves one event and does not say whether there are more.
    while let Some(event) = client.poll(Duration::from_millis(1)) {
        // An error that the context has logged.
        drop(event);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<(String, i32)> {
    list.elements()
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let lost = rdkafka::consumer::Consumer::assignment_lost(consumer);
            let revoked = partitions(list);
            tracing::debug!(
                client = self.client_id,
                ?revoked,
                lost,
                "partitions revoked"
            );
            if let Some(listener) = &self.listener {
                listener.revoked(&revoked, lost);
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let assigned = partitions(list);
                tracing::debug!(client = self.client_id, ?assigned, "partitions assigned");
                if let Some(listener) = &self.listener {
                    listener.assigned(&assigned);
                }
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => {
                tracing::error!(client = self.client_id, %error, "rebalance failed");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            tracing::warn!(client = self.client_id, %error, "offsets were not committed");
        }
    }
}
