//! All tables of a location, for those who read them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_core::Result;
use url::Url;

use crate::config::HistoryConfig;
use crate::place::{ProductRef, Root};
use crate::snapshot::{At, HistorySnapshot};
use crate::table::Table;

/// The history of all products: a table for each major version. Clones share what was read.
#[derive(Clone)]
pub struct History {
    inner: Arc<Inner>,
}

struct Inner {
    config: HistoryConfig,
    root: Root,
    tables: Mutex<HashMap<ProductRef, Arc<Table>>>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl History {
    /// The history at the place that `config` names; nothing need be there.
    ///
    /// # Errors
    /// If the location is none, or its settings are wrong.
    pub fn open(config: HistoryConfig) -> Result<Self> {
        let root = Root::open(&config.location, &config.options)?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                root,
                tables: Mutex::default(),
            }),
        })
    }

    /// The state of the table of `product` at `at`; `None` if there was none. Reads what the
    /// log has gained since the last call: where nothing has, that is one look.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mesh_core::ErrorKind::NotFound) if the version is no longer
    /// there, [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if the store does
    /// not answer, [`ErrorKind::FailedPrecondition`](mesh_core::ErrorKind::FailedPrecondition)
    /// if another program has changed the table beyond what is read here.
    pub async fn snapshot(&self, product: &ProductRef, at: At) -> Result<Option<HistorySnapshot>> {
        let table = self.table(product)?;
        let state = table
            .at(at)
            .await
            .map_err(|error| error.with("table", product))?;
        match state {
            Some(state) => state.snapshot(&table.place).map(Some),
            None => Ok(None),
        }
    }

    /// The address of the table of `product`, as a Delta reader takes it.
    ///
    /// # Errors
    /// If the product's name is none.
    pub fn table_url(&self, product: &ProductRef) -> Result<Url> {
        Ok(self.table(product)?.place.url.clone())
    }

    /// How the history is kept.
    pub fn config(&self) -> &HistoryConfig {
        &self.inner.config
    }

    pub(crate) fn table(&self, product: &ProductRef) -> Result<Arc<Table>> {
        let tables = self.inner.tables.lock();
        let mut tables = tables.unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(product) {
            return Ok(Arc::clone(table));
        }
        let place = self.inner.root.table(product)?;
        let table = Arc::new(Table::new(place, self.inner.config.checkpoint_every));
        tables.insert(product.clone(), Arc::clone(&table));
        Ok(table)
    }
}
