//! A schema registry for Avro that speaks Confluent's REST API.
//!
//! Serializers, deserializers and user interfaces written for Confluent's registry work
//! against it unchanged: paths, JSON shapes, status codes and error codes are Confluent's
//! (Schema Registry API reference, 7.x). Schemas, versions and settings are kept in one
//! SQLite file (WAL, synced at every commit), so an answered registration survives a crash.
//!
//! Configured by [`RegistryConfig`]; [`Registry::router`] is mounted by a host or run by
//! [`serve`]. Rules of Avro itself are in [`compat`], which does no I/O.
//!
//! Not there yet, and refused with a clear answer: JSON Schema and Protobuf, references,
//! contexts, `metadata` and `ruleSet`, and the mode IMPORT.

mod app;
pub mod compat;
mod http;
mod refusal;
mod store;

use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::{Error, Result};

use crate::app::App;
pub use crate::compat::Compatibility;

/// How long requests in flight may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Where the registry keeps its state and how it starts.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// The SQLite file; it is created, and its directory too, when missing.
    pub database: PathBuf,
    /// The level that holds until a global one is set. Confluent's is BACKWARD.
    pub default_compatibility: Compatibility,
}

impl RegistryConfig {
    /// The registry in `database` with Confluent's default level.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            default_compatibility: Compatibility::default(),
        }
    }
}

/// An open registry.
#[derive(Debug, Clone)]
pub struct Registry {
    app: Arc<App>,
}

impl Registry {
    /// Opens or creates the database and brings its tables up to date.
    pub async fn open(config: RegistryConfig) -> Result<Self> {
        let store = store::Store::open(&config.database).await?;
        let app = App::new(store, config.default_compatibility);
        Ok(Self { app: Arc::new(app) })
    }

    /// The REST API, to be mounted at the root of a host.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.app))
    }

    /// Closes the database; requests that still run fail.
    pub async fn close(self) {
        self.app.close().await;
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
