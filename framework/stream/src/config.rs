//! How the clients of this crate are configured.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// Where Kafka and the registry are, and how to talk to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Kafka's bootstrap addresses, `host:port` with commas between.
    pub bootstrap: String,
    /// The schema registry's address, such as `http://127.0.0.1:8081`.
    pub registry_url: String,
    /// The name by which brokers know this client in their logs and quotas.
    pub client_id: String,
    /// Settings of librdkafka by their own names; they win over the defaults here.
    pub overrides: BTreeMap<String, String>,
}

/// Between two tries to connect, in milliseconds. Less than librdkafka's ten seconds, so
/// that a broker that was started again is found at once.
const RECONNECT_MAX_MS: &str = "1000";

const MESSAGE_MAX: &str = "message.max.bytes";
/// librdkafka's default.
const MESSAGE_MAX_BYTES: usize = 1_000_000;
/// What librdkafka counts to a record besides its key and value at most: its frame, and the
/// headers that this crate writes.
const RECORD_OVERHEAD: usize = 512;

const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";
/// How long the transaction of a process that died, and was not started again, keeps
/// readers from seeing what was written after it.
const TRANSACTION_TIMEOUT_MS: &str = "60000";

impl StreamConfig {
    /// A configuration without overrides.
    pub fn new(
        bootstrap: impl Into<String>,
        registry_url: impl Into<String>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            registry_url: registry_url.into(),
            client_id: client_id.into(),
            overrides: BTreeMap::new(),
        }
    }

    fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", RECONNECT_MAX_MS)
            .set("socket.keepalive.enable", "true")
            // Small requests must not wait for an acknowledgement of TCP.
            .set("socket.nagle.disable", "true")
            .set_log_level(match self.overrides.contains_key("debug") {
                // What was asked for is not to be held back; it is logged as `TRACE`.
                true => RDKafkaLogLevel::Debug,
                false => RDKafkaLogLevel::Info,
            });
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.overrides {
            config.set(name, value);
        }
        config
    }

    pub(crate) fn producer(&self) -> ClientConfig {
        self.client(&[
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            // Never: a record is given up only with the producer, so that a broker may be
            // away for any time, and no record is sent twice by a caller that lost patience.
            ("message.timeout.ms", "0"),
            ("retry.backoff.ms", "100"),
            ("retry.backoff.max.ms", "1000"),
            ("queue.buffering.max.kbytes", "65536"),
            // The partitioner of Java's client, see `partition_for`.
            ("partitioner", "murmur2_random"),
        ])
    }

    /// A producer of transactions. How long a record may wait is bounded by
    /// `transaction.timeout.ms`, after which the transaction is aborted and made again.
    pub(crate) fn transactional_producer(&self, id: &str) -> ClientConfig {
        let mut config = self.client(&[
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // A transaction is flushed when it is complete.
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            ("retry.backoff.ms", "20"),
            ("retry.backoff.max.ms", "1000"),
            ("queue.buffering.max.kbytes", "65536"),
            ("partitioner", "murmur2_random"),
            (TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_MS),
        ]);
        config.set("transactional.id", id);
        config
    }

    /// How many bytes the framed key and value of a record may have together, so that a
    /// producer of this configuration takes it.
    pub fn record_limit(&self) -> usize {
        let text = self.overrides.get(MESSAGE_MAX);
        // One that is no number is refused when a producer is made.
        let bytes = text.and_then(|text| text.parse().ok());
        bytes
            .unwrap_or(MESSAGE_MAX_BYTES)
            .saturating_sub(RECORD_OVERHEAD)
    }

    /// After how long the broker aborts a transaction that does not end.
    pub(crate) fn transaction_timeout(&self) -> Duration {
        let text = self.overrides.get(TRANSACTION_TIMEOUT).map(String::as_str);
        let millis = text.unwrap_or(TRANSACTION_TIMEOUT_MS).parse();
        // One that is no number is refused when a producer is made.
        Duration::from_millis(millis.unwrap_or(0))
    }

    pub(crate) fn group_consumer(&self, group: &str) -> ClientConfig {
        self.client(&[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            // How long the partitions of a member that was killed stay with nobody.
            ("session.timeout.ms", "10000"),
            ("heartbeat.interval.ms", "2000"),
            ("fetch.wait.max.ms", "100"),
            ("queued.max.messages.kbytes", "16384"),
        ])
    }

    pub(crate) fn partition_reader(&self) -> ClientConfig {
        self.client(&[
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // What retention took away since the scan was planned is a hole like others.
            ("auto.offset.reset", "earliest"),
            ("enable.partition.eof", "true"),
            ("fetch.wait.max.ms", "50"),
            ("fetch.error.backoff.ms", "50"),
            // A response is unpacked whole before its first record is handed out.
            ("fetch.message.max.bytes", "1048576"),
            // What is fetched ahead, and so the memory of one reader.
            ("queued.min.messages", "1000000"),
            ("queued.max.messages.kbytes", "16384"),
        ])
    }

    /// A client that follows `partitions` partitions and reads ahead about `ahead` bytes.
    pub(crate) fn topic_follower(&self, partitions: usize, ahead: usize) -> ClientConfig {
        // The limits count for each partition.
        let each = (ahead / partitions.max(1)).max(256 << 10);
        let (ahead, fetch) = (each / 1024, each.min(1 << 20));
        let (ahead, fetch) = (ahead.to_string(), fetch.to_string());
        self.client(&[
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // Where the follower stands is its user's business, and so is it when that is
            // not there any more.
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
            // A response waits so long for a record, and a partition that is added for it.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "50"),
            ("fetch.queue.backoff.ms", "20"),
            ("fetch.message.max.bytes", &fetch),
            ("fetch.max.bytes", "4194304"),
            ("queued.min.messages", "1000000"),
            ("queued.max.messages.kbytes", &ahead),
        ])
    }

    pub(crate) fn admin(&self) -> ClientConfig {
        self.client(&[])
    }
}
