//! A broker and a registry of the test's own, or a cluster that all tests share.

use std::net::SocketAddr;

use mesh_broker::{Broker, BrokerConfig};
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::{Admin, RegistryClient, StreamConfig, TopicSpec};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cluster::{self, Cluster, given};

/// Who stops the cluster that all tests share is alone on it.
static SHARED: RwLock<()> = RwLock::const_new(());

enum Turn {
    Together(#[allow(dead_code)] RwLockReadGuard<'static, ()>),
    Alone(#[allow(dead_code)] RwLockWriteGuard<'static, ()>),
}

pub(crate) struct Platform {
    pub(crate) config: StreamConfig,
    pub(crate) registry: RegistryClient,
    broker: Option<Broker>,
    folder: tempfile::TempDir,
    turn: Turn,
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Serves a registry over `database` on `listener` for as long as the test's runtime lives.
pub(crate) async fn serve_registry(
    listener: tokio::net::TcpListener,
    database: std::path::PathBuf,
) {
    let registry = Registry::open(RegistryConfig::new(database)).await.unwrap();
    tokio::spawn(mesh_registry::serve(
        registry,
        listener,
        std::future::pending(),
    ));
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::begin(Turn::Together(SHARED.read().await)).await
    }

    /// For a test that stops the broker.
    pub(crate) async fn alone() -> Self {
        Self::begin(Turn::Alone(SHARED.write().await)).await
    }

    async fn begin(turn: Turn) -> Self {
        // `RUST_LOG` shows what the clients and the servers say.
        let shown = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        drop(shown);
        let folder = tempfile::tempdir().unwrap();
        let (bootstrap, broker) = match cluster::bootstrap() {
            Some(bootstrap) => (bootstrap, None),
            None => {
                let config = BrokerConfig::new(folder.path().join("broker"), any_port());
                let broker = Broker::start(config).await.unwrap();
                (broker.bootstrap(), Some(broker))
            }
        };
        let url = match given("MESH_TEST_REGISTRY") {
            Some(url) => url,
            None => {
                let listener = tokio::net::TcpListener::bind(any_port()).await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                serve_registry(listener, folder.path().join("registry.db")).await;
                url
            }
        };
        // Such as `broker,fetch`, shown by `RUST_LOG=librdkafka=trace`.
        let mut config = StreamConfig::new(bootstrap, &url, "mesh-stream-test");
        if let Some(parts) = given("MESH_TEST_DEBUG") {
            config.overrides.insert("debug".to_owned(), parts);
        }
        Self {
            config,
            registry: RegistryClient::new(&url).unwrap(),
            broker,
            folder,
            turn,
        }
    }

    /// A registry alone.
    pub(crate) async fn registry_only() -> (RegistryClient, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind(any_port()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        serve_registry(listener, folder.path().join("registry.db")).await;
        (RegistryClient::new(&url).unwrap(), folder)
    }

    /// A topic of a name that no other test has.
    pub(crate) async fn topic(&self, partitions: i32) -> String {
        let name = format!("lab.t{}.v1", uuid::Uuid::new_v4().simple());
        let spec = TopicSpec {
            name: name.clone(),
            partitions,
            configs: [("retention.ms".to_owned(), "-1".to_owned())].into(),
        };
        Admin::new(&self.config)
            .unwrap()
            .ensure_topic(&spec)
            .await
            .unwrap();
        name
    }

    /// A folder of the test's own.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Kills the broker as `kill -9` does, and starts it again after `pause` on the same
    /// port and data. `false` if the broker is not this test's to stop.
    pub(crate) async fn crash(&mut self, pause: std::time::Duration) -> bool {
        assert!(matches!(self.turn, Turn::Alone(_)), "others use the broker");
        let Some(broker) = self.broker.take() else {
            let Some(cluster) = Cluster::given() else {
                return false;
            };
            cluster.kill(1).await;
            tokio::time::sleep(pause).await;
            cluster.restart(1).await;
            return true;
        };
        let address = broker.local_addr();
        broker.abandon().await;
        tokio::time::sleep(pause).await;
        let config = BrokerConfig::new(self.folder.path().join("broker"), address);
        self.broker = Some(Broker::start(config).await.unwrap());
        true
    }
}
