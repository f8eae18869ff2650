//! What one session sees: a catalog of the products it may read and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::Result as DfResult;
use mesh_core::{Error, Result};

use crate::catalog_client::TableEntry;
use crate::failure::{copy, wrap};
use crate::information::Information;
use crate::life::TableLife;
use crate::product::{LogColumn, Product};
use crate::run::QueryRun;
use crate::scan::ProductTable;

/// The name of the one catalog.
pub(crate) const CATALOG: &str = "mesh";
/// The schema of names without one. No domain can be called so.
pub(crate) const NO_SCHEMA: &str = "_";
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// A product under one of its names.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) product: Arc<Product>,
    pub(crate) life: Arc<TableLife>,
}

impl Table {
    /// Whether it can be read no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.life.has_ended(&self.product.lifecycle)
    }
}

/// The tables of a session by domain and name.
pub(crate) type Granted = BTreeMap<String, BTreeMap<String, Result<Table, Arc<Error>>>>;

pub(crate) fn granted(entries: impl IntoIterator<Item = TableEntry>) -> Granted {
    let mut granted = Granted::new();
    for entry in entries {
        let product = match entry.not_yet {
            Some(why) => entry.product.and(Err(why)),
            None => entry.product,
        };
        granted.entry(entry.domain).or_default().insert(
            entry.table,
            product.map(|product| Table {
                product,
                life: entry.life,
            }),
        );
    }
    granted
}

/// The catalogs of one query.
pub(crate) fn catalogs(
    granted: &Arc<Granted>,
    log: &[LogColumn],
    run: &Arc<QueryRun>,
) -> Arc<dyn CatalogProviderList> {
    let domains: HashMap<String, Arc<dyn SchemaProvider>> = granted
        .iter()
        .map(|(domain, tables)| {
            let schema = DomainSchema {
                tables: tables
                    .iter()
                    .map(|(name, table)| {
                        let provider = match table {
                            Ok(table) => Ok(Arc::new(ProductTable::new(
                                format!("{domain}.{name}"),
                                table.clone(),
                                log,
                                Arc::clone(run),
                            ))),
                            Err(error) => Err(Arc::clone(error)),
                        };
                        (name.clone(), provider)
                    })
                    .collect(),
            };
            (domain.clone(), Arc::new(schema) as Arc<dyn SchemaProvider>)
        })
        .collect();
    // The information schema looks at a list of its own, since one that held it would hold
    // itself and never be freed.
    let shown: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
    shown.register_catalog(
        CATALOG.to_owned(),
        Arc::new(MeshCatalog {
            schemas: domains.clone(),
        }),
    );
    let mut schemas = domains;
    schemas.insert(
        INFORMATION_SCHEMA.to_owned(),
        Arc::new(Information::new(Arc::clone(granted), shown)),
    );
    let list: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
    list.register_catalog(CATALOG.to_owned(), Arc::new(MeshCatalog { schemas }));
    list
}

#[derive(Debug)]
struct MeshCatalog {
    schemas: HashMap<String, Arc<dyn SchemaProvider>>,
}

impl CatalogProvider for MeshCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas.get(name).cloned()
    }
}

#[derive(Debug)]
struct DomainSchema {
    tables: BTreeMap<String, Result<Arc<ProductTable>, Arc<Error>>>,
}

#[async_trait]
impl SchemaProvider for DomainSchema {
    /// Tables that cannot be read are not listed; asked for by name, they say why.
    fn table_names(&self) -> Vec<String> {
        self.tables
            .iter()
            .filter(|(_, table)| table.as_ref().is_ok_and(|table| !table.has_ended()))
            .map(|(name, _)| name.clone())
            .collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        match self.tables.get(name) {
            None => Ok(None),
            Some(Ok(table)) => {
                table.check_life().map_err(wrap)?;
                Ok(Some(Arc::clone(table) as Arc<dyn TableProvider>))
            }
            Some(Err(error)) => Err(wrap(copy(error))),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
