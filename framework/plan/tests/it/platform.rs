//! A platform of the test's own: broker or given cluster, registry and catalog.

use std::net::SocketAddr;

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_plan::Platform;
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::StreamConfig;
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

/// The ledger has one name on a cluster: who uses a shared one is alone on it.
static SHARED: Mutex<()> = Mutex::const_new(());

pub(crate) struct Fixture {
    pub(crate) platform: Platform,
    pub(crate) config: StreamConfig,
    pub(crate) catalog: Url,
    _broker: Option<Broker>,
    _folder: tempfile::TempDir,
    _turn: Option<MutexGuard<'static, ()>>,
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn listener() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        // `RUST_LOG` shows what the clients and the servers say.
        let shown = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        drop(shown);
        let folder = tempfile::tempdir().unwrap();
        let given = std::env::var("MESH_KAFKA_BOOTSTRAP");
        let (bootstrap, broker, turn) = match given.ok().filter(|text| !text.is_empty()) {
            Some(bootstrap) => (bootstrap, None, Some(SHARED.lock().await)),
            None => {
                let config = BrokerConfig::new(folder.path().join("broker"), any_port());
                let broker = Broker::start(config).await.unwrap();
                (broker.bootstrap(), Some(broker), None)
            }
        };
        let (registry_listener, registry_url) = listener().await;
        let registry = Registry::open(RegistryConfig::new(folder.path().join("registry.db")))
            .await
            .unwrap();
        tokio::spawn(mesh_registry::serve(
            registry,
            registry_listener,
            std::future::pending(),
        ));
        let (catalog_listener, catalog_url) = listener().await;
        let database = folder.path().join("catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        tokio::spawn(async move { axum::serve(catalog_listener, catalog.router()).await });
        let config = StreamConfig::new(bootstrap, &registry_url, "mesh-plan-test");
        let catalog = Url::parse(&catalog_url).unwrap();
        let fixture = Self {
            platform: Platform::new(config.clone(), &catalog).unwrap(),
            config,
            catalog,
            _broker: broker,
            _folder: folder,
            _turn: turn,
        };
        // A shared cluster remembers; its registry and catalog are new, and so is the ledger.
        for topic in ["platform.plan_state.v1", "platform.plan_log.v1"] {
            fixture.platform.admin().delete_topic(topic).await.unwrap();
        }
        fixture
    }
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    let text = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}_{}", &text[..12])
}
