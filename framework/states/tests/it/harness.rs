//! A broker, who writes to it, and state tables.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_states::{Chunk, Snapshot, StateTable, States, StatesConfig};
use mesh_stream::{Admin, StreamConfig, TopicSpec};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Of each key, its value.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) struct Platform {
    pub(crate) stream: StreamConfig,
    pub(crate) admin: Admin,
    pub(crate) broker: Option<Broker>,
    pub(crate) dir: tempfile::TempDir,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        // `RUST_LOG` shows what is logged.
        let shown = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        drop(shown);
        let dir = tempfile::tempdir().unwrap();
        let given = std::env::var("MESH_KAFKA_BOOTSTRAP");
        let (bootstrap, broker) = match given.ok().filter(|text| !text.is_empty()) {
            Some(bootstrap) => (bootstrap, None),
            None => {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let config = BrokerConfig::new(dir.path().join("broker"), any);
                let broker = Broker::start(config).await.unwrap();
                (broker.bootstrap(), Some(broker))
            }
        };
        let stream = StreamConfig::new(bootstrap, "http://127.0.0.1:1", "states-test");
        Self {
            admin: Admin::new(&stream).unwrap(),
            stream,
            broker,
            dir,
        }
    }

    /// A topic of a name that no other test has.
    pub(crate) async fn topic(&self, partitions: i32) -> String {
        self.topic_of(partitions, "compact").await
    }

    pub(crate) async fn topic_of(&self, partitions: i32, policy: &str) -> String {
        let name = format!("lab.s{}.v1", uuid::Uuid::new_v4().simple());
        self.make(&name, partitions, policy).await;
        name
    }

    pub(crate) async fn make_topic(&self, name: &str, partitions: i32) {
        self.make(name, partitions, "compact").await;
    }

    async fn make(&self, name: &str, partitions: i32, policy: &str) {
        let spec = TopicSpec {
            name: name.to_owned(),
            partitions,
            configs: [
                ("cleanup.policy".to_owned(), policy.to_owned()),
                ("retention.ms".to_owned(), "-1".to_owned()),
            ]
            .into(),
        };
        self.admin.ensure_topic(&spec).await.unwrap();
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("states")
    }

    pub(crate) fn config(&self) -> StatesConfig {
        let mut config = StatesConfig::new(self.folder(), self.stream.clone());
        config.check = Duration::from_millis(100);
        config
    }

    pub(crate) async fn states(&self) -> States {
        States::open(self.config()).await.unwrap()
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer::new(&self.stream.bootstrap, None)
    }

    pub(crate) fn rd_admin(&self) -> (AdminClient<DefaultClientContext>, AdminOptions) {
        let client = ClientConfig::new()
            .set("bootstrap.servers", &self.stream.bootstrap)
            .create()
            .unwrap();
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
        (client, options)
    }

    pub(crate) async fn delete_topic(&self, topic: &str) {
        let (admin, options) = self.rd_admin();
        let answers = admin.delete_topics(&[topic], &options).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let begun = Instant::now();
        while !self
            .admin
            .describe_topics(&[topic])
            .await
            .unwrap()
            .is_empty()
        {
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The ends of a topic's partitions.
    pub(crate) async fn ends(&self, topic: &str) -> Vec<(i32, i64)> {
        let mut ends = Vec::new();
        for partition in 0..self.admin.partitions(topic).await.unwrap() {
            let (_, high) = self.admin.watermarks(topic, partition).await.unwrap();
            ends.push((partition, high));
        }
        ends
    }

    /// A snapshot that has all that is in the topic now.
    pub(crate) async fn caught_up(&self, table: &StateTable) -> Snapshot {
        let ends = self.ends(table.topic()).await;
        reach(table, &ends).await;
        let snapshot = table.snapshot().unwrap();
        for (partition, end) in ends {
            assert!(snapshot.ends()[partition as usize].1 >= end);
        }
        snapshot
    }
}

pub(crate) async fn reach(table: &StateTable, ends: &[(i32, i64)]) {
    match tokio::time::timeout(PATIENCE, table.reach(ends)).await {
        Ok(reached) => reached.unwrap(),
        Err(_) => panic!("{ends:?} not reached: {:?}", table.status()),
    }
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) struct Writer {
    pub(crate) producer: ThreadedProducer<DefaultProducerContext>,
}

impl Writer {
    pub(crate) fn new(bootstrap: &str, transactional: Option<&str>) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("enable.idempotence", "true");
        if let Some(id) = transactional {
            config.set("transactional.id", id);
        }
        Self {
            producer: config.create().unwrap(),
        }
    }

    pub(crate) fn put(&self, topic: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.send(topic, None, Some(key.as_ref()), Some(value.as_ref()));
    }

    pub(crate) fn delete(&self, topic: &str, key: impl AsRef<[u8]>) {
        self.send(topic, None, Some(key.as_ref()), None);
    }

    pub(crate) fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            if let Some(partition) = partition {
                record = record.partition(partition);
            }
            if let Some(key) = key {
                record = record.key(key);
            }
            if let Some(value) = value {
                record = record.payload(value);
            }
            match self.producer.send(record) {
                Ok(()) => return,
                // The queue is full.
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(PATIENCE).unwrap();
    }
}

/// All rows, by scanning; counts, look-ups and scans must agree.
pub(crate) fn rows(snapshot: &Snapshot) -> Rows {
    let mut found = Rows::new();
    let mut chunk = Chunk::new();
    for (partition, end) in snapshot.ends() {
        let mut rows = snapshot.rows(*partition);
        let (mut count, mut bytes) = (0, 0);
        while rows.fill(100, 1 << 16, &mut chunk).unwrap() {
            for message in chunk.messages() {
                let (key, value) = (message.key.unwrap(), message.value.unwrap());
                assert_eq!(message.partition, *partition);
                assert!(message.offset < *end, "{message:?}");
                count += 1;
                bytes += (key.len() + value.len()) as u64;
                assert_eq!(found.insert(key.to_vec(), value.to_vec()), None);
            }
        }
        assert_eq!(snapshot.rows_in(*partition), count);
        assert_eq!(snapshot.bytes_in(*partition), bytes);
    }
    assert_eq!(snapshot.len(), found.len() as u64);
    found
}

/// What `get` answers for every key of `expected`, and `rows` overall.
pub(crate) fn check(snapshot: &Snapshot, expected: &Rows) {
    let found = rows(snapshot);
    assert!(
        found == *expected,
        "{} rows, expected {}",
        found.len(),
        expected.len()
    );
    for (key, value) in expected {
        assert_eq!(snapshot.get(key).unwrap().unwrap().value(), value);
    }
}

pub(crate) fn row(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (key.as_ref().to_vec(), value.as_ref().to_vec())
}
