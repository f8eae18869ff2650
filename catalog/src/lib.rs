//! The catalog: which domains and data products there are, who owns them, and all that a
//! reader needs to use one.
//!
//! Domains register themselves and their products over REST; people, the SQL engine and
//! other domains read over REST. A product version is kept as the two texts its authors
//! wrote (ODPS product, ODCS contract) with the topic and schema ids it was published under,
//! in one SQLite file (WAL, synced at every commit), so an answered registration survives a
//! crash. Configured by [`CatalogConfig`]; [`Catalog::router`] is mounted at the root of a
//! host, beside other routers. Routes and shapes are described by the OpenAPI document that
//! the code makes, at `/api/v1/openapi.json`.
//!
//! A version stands under one contract text for ever: another text needs another version.
//! Of several versions one stands for the product: see `app::standing`.
//!
//! Deliberately absent: proof of who registers. Whoever reaches the port may register, so
//! the port belongs to the platform's own network.

mod app;
mod http;
mod model;
mod refusal;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use mesh_core::Result;

use crate::app::App;

/// Where the catalog keeps its state.
#[derive(Debug, Clone)]
pub struct CatalogConfig {
    /// The SQLite file; it is created, and its directory too, when missing.
    pub database: PathBuf,
}

/// An open catalog; clones share it.
#[derive(Debug, Clone)]
pub struct Catalog {
    app: Arc<App>,
}

impl Catalog {
    /// Opens or creates the database and brings its tables up to date.
    ///
    /// # Errors
    /// If the file or its directory cannot be used, or a newer release wrote it.
    pub async fn open(config: CatalogConfig) -> Result<Self> {
        let store = store::Store::open(&config.database).await?;
        Ok(Self {
            app: Arc::new(App::new(store)),
        })
    }

    /// The REST API with its limits and tracing, to be mounted at the root of a host. It has
    /// no fallback of its own, so that it can be merged with other routers.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.app))
    }

    /// Closes the database; requests that still run fail.
    pub async fn close(self) {
        self.app.close().await;
    }
}
