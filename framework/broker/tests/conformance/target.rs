//! The cluster under test, and how a case gets topics, groups and connections of its own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest,
    MetadataResponse,
};
use mesh_broker::{
    AuthorizerConfig, Broker, BrokerConfig, Listener, Protocol, SaslMechanism, set_password,
};
use rdkafka::ClientConfig;
use uuid::Uuid;

use crate::support::{ANY, Raw, name, string};

/// How long anything may take until it has become true on a cluster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

type Advertised = Vec<(i16, RangeInclusive<i16>)>;

/// Who may log in on the listener for logins, by PLAIN.
pub(crate) const USER: &str = "tester";
pub(crate) const PASSWORD: &str = "tester-secret";

pub(crate) struct Target {
    bootstrap: String,
    /// A listener for logins, if it is known.
    logins: Option<String>,
    /// Where it keeps its partitions, if that is known.
    data: Option<PathBuf>,
    address: SocketAddr,
    advertised: Advertised,
    /// What the embedded broker advertises: those versions are tested on any cluster.
    embedded: Advertised,
    run: String,
    names: AtomicU32,
}

/// A topic of a case.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

impl Target {
    pub(crate) fn get() -> &'static Self {
        static TARGET: OnceLock<Target> = OnceLock::new();
        TARGET.get_or_init(Self::start)
    }

    fn start() -> Self {
        let Embedded {
            bootstrap: embedded,
            logins: embedded_logins,
            data: embedded_data,
        } = start_embedded();
        let given = |name| std::env::var(name).ok();
        let (bootstrap, logins, data) = match given("MESH_KAFKA_BOOTSTRAP") {
            Some(bootstrap) => (
                bootstrap,
                given("MESH_KAFKA_LOGINS"),
                given("MESH_KAFKA_CLUSTER").map(|folder| Path::new(&folder).join("node-1/data")),
            ),
            None => (embedded.clone(), Some(embedded_logins), Some(embedded_data)),
        };
        let address = resolve(&bootstrap);
        let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap();
        Self {
            advertised: advertised(address),
            embedded: advertised(resolve(&embedded)),
            run: format!("{:x}", since_epoch.as_millis()),
            names: AtomicU32::new(0),
            bootstrap,
            logins,
            data,
            address,
        }
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    pub(crate) fn advertised(&self) -> &Advertised {
        &self.advertised
    }

    pub(crate) fn embedded(&self) -> &Advertised {
        &self.embedded
    }

    /// The versions to test: advertised by the cluster and, where it serves the API, by the
    /// embedded broker.
    pub(crate) fn versions(&self, key: ApiKey) -> impl Iterator<Item = i16> + use<> {
        let known = key.valid_versions();
        // The codec leaves out the versions of Produce that are advertised but refused.
        let lowest = if key == ApiKey::Produce { 0 } else { known.min };
        let advertised = find(&self.advertised, key);
        let ours = find(&self.embedded, key);
        (lowest..=known.max)
            .filter(move |version| advertised.as_ref().is_some_and(|all| all.contains(version)))
            .filter(move |version| ours.as_ref().is_none_or(|all| all.contains(version)))
    }

    /// The versions that the embedded broker advertises: each must be tested.
    pub(crate) fn promised(&self, key: ApiKey) -> impl Iterator<Item = i16> + use<> {
        find(&self.embedded, key).into_iter().flatten()
    }

    /// A name that nothing else on the cluster has.
    pub(crate) fn unique(&self, label: &str) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("conf.{label}.{}.{number}", self.run)
    }

    /// A connection to any broker.
    pub(crate) fn any(&self) -> Raw {
        Raw::connect(self.address)
    }

    /// A connection to a listener where one has to log in.
    pub(crate) fn login(&self) -> Raw {
        let logins = self.logins.as_deref();
        let logins = logins.expect("set MESH_KAFKA_LOGINS to the cluster's listener for logins");
        Raw::connect(resolve(logins))
    }

    pub(crate) fn topic(&self, label: &str) -> Topic {
        self.topic_with(label, 1, &[])
    }

    /// A new topic, whose leaders answer already.
    pub(crate) fn topic_with(
        &self,
        label: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Topic {
        let topic = self.unique(label);
        let mut raw = self.any();
        assert_eq!(raw.create_topic(&topic, partitions, configs).err(), None);
        let metadata = self.metadata(self.address, &topic);
        let id = metadata.topics[0].topic_id;
        // Each broker learns of it by itself.
        for broker in &metadata.brokers {
            let address = format!("{}:{}", broker.host.as_str(), broker.port);
            self.metadata(resolve(&address), &topic);
        }
        let topic = Topic { name: topic, id };
        for partition in 0..partitions {
            eventually(|| {
                let earliest =
                    list_offset(&mut self.leader_of(&topic, partition)?, &topic, partition);
                (earliest == 0).then_some(())
            });
        }
        topic
    }

    fn metadata(&self, broker: SocketAddr, topic: &str) -> MetadataResponse {
        let request = MetadataRequest::default()
            .with_allow_auto_topic_creation(false)
            .with_topics(Some(vec![
                MetadataRequestTopic::default().with_name(Some(name(topic))),
            ]));
        eventually(|| {
            let response = Raw::connect(broker).call(12, &request);
            let topic = &response.topics[0];
            (topic.error_code == 0 && !topic.partitions.is_empty()).then_some(response)
        })
    }

    fn leader_of(&self, topic: &Topic, partition: i32) -> Option<Raw> {
        let metadata = self.metadata(self.address, &topic.name);
        let found = metadata.topics[0]
            .partitions
            .iter()
            .find(|known| known.partition_index == partition)?;
        let broker = metadata
            .brokers
            .iter()
            .find(|broker| broker.node_id == found.leader_id)?;
        Some(Raw::connect(resolve(&format!(
            "{}:{}",
            broker.host.as_str(),
            broker.port
        ))))
    }

    /// A connection to the leader of a partition.
    pub(crate) fn leader(&self, topic: &Topic, partition: i32) -> Raw {
        eventually(|| self.leader_of(topic, partition))
    }

    /// A connection to the coordinator of a group.
    pub(crate) fn coordinator(&self, group: &str) -> Raw {
        self.coordinator_of(0, group)
    }

    /// A connection to the coordinator of a transactional id.
    pub(crate) fn transactions(&self, id: &str) -> Raw {
        self.coordinator_of(1, id)
    }

    fn coordinator_of(&self, kind: i8, key: &str) -> Raw {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![string(key)]);
        let found = eventually(|| {
            let response = self.any().call(4, &request);
            let found = response.coordinators[0].clone();
            match found.error_code.err() {
                None => Some(found),
                // Kafka creates the topics behind its coordinators when they are first used.
                Some(ResponseError::CoordinatorNotAvailable) => None,
                Some(error) => panic!("the coordinator of {key}: {error:?}"),
            }
        });
        Raw::connect(resolve(&format!("{}:{}", found.host.as_str(), found.port)))
    }

    /// The settings of a client of librdkafka.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("broker.address.family", "v4");
        config
    }
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it has not become true in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn find(all: &Advertised, key: ApiKey) -> Option<RangeInclusive<i16>> {
    all.iter()
        .find(|(known, _)| *known == key as i16)
        .map(|(_, versions)| versions.clone())
}

fn resolve(bootstrap: &str) -> SocketAddr {
    let first = bootstrap.split(',').next().unwrap();
    let mut found = first.to_socket_addrs().unwrap();
    found.find(SocketAddr::is_ipv4).unwrap()
}

fn advertised(address: SocketAddr) -> Advertised {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(string("conformance"))
        .with_client_software_version(string("1"));
    Raw::connect(address)
        .call(3, &request)
        .api_keys
        .iter()
        .map(|api| (api.api_key, api.min_version..=api.max_version))
        .collect()
}

/// The earliest offset, or -1 while the leader does not answer for the partition.
fn list_offset(raw: &mut Raw, topic: &Topic, partition: i32) -> i64 {
    use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let asked = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(-1)
        .with_timestamp(-2);
    let topic = ListOffsetsTopic::default()
        .with_name(name(&topic.name))
        .with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic]);
    raw.call(5, &request).topics[0].partitions[0].offset
}

/// The embedded broker of this process.
struct Embedded {
    bootstrap: String,
    logins: String,
    data: PathBuf,
}

/// Starts the embedded broker for as long as the process runs; it has the settings that
/// `deploy/kafka/cluster start --tests` gives to Apache Kafka.
fn start_embedded() -> Embedded {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(dir.path(), ANY);
        config.group_min_session_timeout = Duration::from_millis(100);
        config.log_cleaner_backoff = Duration::from_millis(300);
        config.log_retention_check_interval = Duration::from_millis(500);
        config.group_initial_rebalance_delay = Duration::from_millis(50);
        config.offsets_retention_check_interval = Duration::from_millis(500);
        config.listeners = vec![
            Listener::new(Protocol::Plaintext, ANY),
            Listener::new(Protocol::SaslPlaintext, ANY),
        ];
        config.security.sasl_mechanisms = vec![SaslMechanism::Plain, SaslMechanism::ScramSha256];
        let mut authorizer = AuthorizerConfig::default();
        authorizer.super_users = vec!["User:ANONYMOUS".to_owned()];
        config.security.authorizer = Some(authorizer);
        set_password(&dir.path().join("users.json"), USER, PASSWORD).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let broker = Broker::start(config).await.unwrap();
            let logins = broker.bootstrap_of("SASL_PLAINTEXT").unwrap();
            let bootstrap = broker.bootstrap();
            let data = dir.path().join("topics");
            tell.send(Embedded {
                bootstrap,
                logins,
                data,
            })
            .unwrap();
            std::future::pending::<()>().await;
            drop(broker);
        });
    });
    told.recv().unwrap()
}
