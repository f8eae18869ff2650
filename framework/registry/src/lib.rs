//! A schema registry that speaks Confluent's REST API, for Avro, JSON Schema and Protobuf.
//!
//! Serializers, deserializers and user interfaces written for Confluent's registry work
//! against it unchanged: paths, JSON shapes, status codes and error codes are Confluent's
//! (Schema Registry API reference, 7.x). `docs/registry.md` lists the endpoints and what is
//! different. Schemas, versions and settings are kept in one SQLite file (WAL, synced at
//! every commit) or in a schema of a Postgres database that several registries may share;
//! an answered registration survives a crash.
//!
//! Configured by [`RegistryConfig`]; [`Registry::router`] is mounted by a host or run by
//! [`serve`]. Rules of the schema languages are in [`compat`], which does no I/O.
//!
//! Not there: the mode FORWARD, rule sets and `validateFields` in
//! configurations and `schemaTagsToAdd`, which are refused with a clear answer;
//! `/schemas/guids`, associations, exporters and the deletion of contexts, which are paths
//! that do not exist. Rules and metadata are kept for clients, not carried out.

mod access;
mod app;
pub mod compat;
mod database;
mod http;
mod metadata;
mod refusal;
mod store;
mod subject;

use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, Result};

use crate::access::Doorman;
pub use crate::access::{Grant, Role, add_token, remove_user, set_user, user_names};
use crate::app::Core;
pub use crate::compat::Compatibility;
pub use crate::database::Database;

/// How long requests in flight may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Where the registry keeps its state and how it starts.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// The SQLite file or the Postgres database.
    pub database: Database,
    /// The level that holds until a global one is set. Confluent's is BACKWARD.
    pub default_compatibility: Compatibility,
    /// The file of those who may use it (see [`set_user`]); without one everybody may do
    /// everything.
    pub users: Option<PathBuf>,
}

impl RegistryConfig {
    /// The registry in `database` with Confluent's default level.
    pub fn new(database: impl Into<Database>) -> Self {
        Self {
            database: database.into(),
            default_compatibility: Compatibility::default(),
            users: None,
        }
    }
}

/// An open registry.
#[derive(Debug, Clone)]
pub struct Registry {
    core: Arc<Core>,
}

impl Registry {
    /// Opens or creates the database and brings its tables up to date.
    pub async fn open(config: RegistryConfig) -> Result<Self> {
        let doorman = config.users.map(Doorman::open).transpose()?;
        let store = store::Store::open(&config.database).await?;
        let core = Core {
            store,
            default_compatibility: config.default_compatibility,
            doorman,
        };
        Ok(Self {
            core: Arc::new(core),
        })
    }

    /// The REST API, to be mounted at the root of a host.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.core))
    }

    /// Closes the database; requests that still run fail.
    pub async fn close(self) {
        self.core.store.close().await;
    }
}

/// Serves the registry on `listener` until `shutdown` resolves, lets requests in flight
/// finish for at most ten seconds, and closes the database.
pub async fn serve(
    registry: Registry,
    listener: tokio::net::TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "schema registry listens");
    }
    let (stop, mut stopping) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, registry.router())
        .with_graceful_shutdown(async move {
            shutdown.await;
            stop.send_replace(true);
        })
        .into_future();
    let overdue = async move {
        if stopping.wait_for(|stopping| *stopping).await.is_ok() {
            tokio::time::sleep(DRAIN).await;
        } else {
            // The server ended without a signal; its own result is the answer.
            std::future::pending::<()>().await;
        }
    };
    let served = tokio::select! {
        served = server => served
            .map_err(|error| Error::unavailable("the schema registry stopped serving").because(error)),
        () = overdue => {
            tracing::warn!(seconds = DRAIN.as_secs(), "requests cut off at shutdown");
            Ok(())
        }
    };
    registry.close().await;
    served
}
