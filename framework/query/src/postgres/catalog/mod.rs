//! `pg_catalog` for one session: what it may see, and nothing else.
//!
//! The tables about relations are built from the session's own tables. What describes
//! PostgreSQL itself (`pg_type`, `pg_proc` and the like) and the rewriting of statements that
//! ask `pg_catalog` come from datafusion-pg-catalog.

mod functions;
mod objects;
mod relations;
mod rewrite;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use mesh_core::{Error, Result};

use crate::failure::{planning, wrap};
use crate::provider::{CATALOG, Granted, NO_SCHEMA};
use objects::Objects;

pub(super) use rewrite::is_type_lookup;

const PG_CATALOG: &str = "pg_catalog";
const INFORMATION_SCHEMA: &str = "information_schema";

type StaticSchema = PgCatalogSchemaProvider<Arc<dyn CatalogProviderList>, EmptyContextProvider>;

/// What all sessions of a door share: nothing of any product.
pub(super) struct Base {
    state: SessionState,
    statics: Arc<StaticSchema>,
    parser: PostgresCompatibilityParser,
}

impl Base {
    /// Functions and types of PostgreSQL, on top of those of `state`.
    ///
    /// # Errors
    /// If the tables that come with datafusion-pg-catalog do not load.
    pub(super) fn new(state: &SessionState) -> Result<Self> {
        // The set-up wants a catalog to put its schema into; ours is built for each session.
        let catalogs: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
        catalogs.register_catalog(
            CATALOG.to_owned(),
            Arc::new(datafusion::catalog::MemoryCatalogProvider::new()),
        );
        let state = SessionStateBuilder::new_from_existing(state.clone())
            .with_catalog_list(catalogs)
            .build();
        let context = SessionContext::new_with_state(state);
        setup_pg_catalog(&context, CATALOG, EmptyContextProvider)
            .map_err(|error| planning(&error))?;
        let empty: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
        let tables = PgCatalogStaticTables::try_new().map_err(|error| planning(&error))?;
        let statics =
            PgCatalogSchemaProvider::try_new(empty, Arc::new(tables), EmptyContextProvider)
                .map_err(|error| planning(&error))?;
        Ok(Self {
            state: context.state(),
            statics: Arc::new(statics),
            parser: PostgresCompatibilityParser::new(),
        })
    }

    /// The statement as DataFusion understands it, if it asks for what is PostgreSQL's.
    ///
    /// # Errors
    /// If it does not parse.
    pub(super) fn rewrite(&self, sql: &str) -> Result<Option<String>> {
        rewrite::rewrite(&self.parser, sql)
    }
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base").finish_non_exhaustive()
    }
}

/// How one statement looks at the catalog.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(super) base: Arc<Base>,
    /// The schemas of names without one; all that the session sees if there is none.
    pub(super) path: Vec<String>,
    /// What `pg_catalog` and PostgreSQL's functions tell of the connection; none for a
    /// statement that asks for neither, which most are: it takes time to prepare.
    pub(super) about: Option<About>,
}

/// The connection as `pg_catalog` tells of it.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Who is logged in.
    pub(super) user: String,
    /// Every setting with its value.
    pub(super) settings: Vec<(String, String)>,
    /// The number of the connection.
    pub(super) pid: i32,
}

impl View {
    /// The state to plan a statement in, over the session's `tables` and `catalogs`.
    ///
    /// # Errors
    /// If a function cannot be registered.
    pub(crate) fn state(
        &self,
        tables: &Granted,
        catalogs: &Arc<dyn CatalogProviderList>,
    ) -> Result<SessionState> {
        let inner = catalogs
            .catalog(CATALOG)
            .ok_or_else(|| Error::internal("a session has no catalog"))?;
        let mut state = self.base.state.clone();
        let own = match &self.about {
            None => None,
            Some(about) => {
                let about = Arc::new(about.clone());
                let objects = Arc::new(Objects::new(tables, &self.path));
                functions::register(&mut state, &about, &objects)
                    .map_err(|error| planning(&error))?;
                Some(Arc::new(PgSchema {
                    statics: Arc::clone(&self.base.statics),
                    about,
                    objects,
                }))
            }
        };
        let list: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
        let catalog = PgCatalog {
            inner,
            own,
            path: self.path.clone(),
        };
        list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        state.register_catalog_list(list);
        Ok(state)
    }
}

/// The session's schemas with `pg_catalog`.
#[derive(Debug)]
struct PgCatalog {
    inner: Arc<dyn CatalogProvider>,
    own: Option<Arc<PgSchema>>,
    path: Vec<String>,
}

impl CatalogProvider for PgCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.inner.schema_names();
        names.push(PG_CATALOG.to_owned());
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PG_CATALOG => self.own.clone().map(|own| own as _),
            NO_SCHEMA => Some(Arc::new(Unqualified {
                inner: Arc::clone(&self.inner),
                own: self.own.clone(),
                path: self.path.clone(),
            })),
            other => self.inner.schema(other),
        }
    }
}

/// Where names without a schema are looked up: in `pg_catalog`, then along the search path.
#[derive(Debug)]
struct Unqualified {
    inner: Arc<dyn CatalogProvider>,
    own: Option<Arc<PgSchema>>,
    path: Vec<String>,
}

impl Unqualified {
    /// The schemas that hold `table`, by name: along the path, or all.
    fn holders(&self, table: &str) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let mut names = match self.path.is_empty() {
            true => self.inner.schema_names(),
            false => self.path.clone(),
        };
        if self.path.is_empty() {
            names.retain(|name| name != INFORMATION_SCHEMA);
            names.sort();
        }
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.inner.schema(&name)?)))
            .filter(|(_, schema)| schema.table_exist(table))
            .collect()
    }
}

#[async_trait]
impl SchemaProvider for Unqualified {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        if let Some(own) = &self.own
            && let Some(table) = own.table(name).await?
        {
            return Ok(Some(table));
        }
        let holders = self.holders(name);
        if self.path.is_empty() && holders.len() > 1 {
            let names: Vec<&str> = holders.iter().map(|(name, _)| name.as_str()).collect();
            return Err(wrap(
                Error::invalid("the table's name stands in several schemas")
                    .with("table", name)
                    .with("schemas", names.join(", "))
                    .mend("write `<domain>.<product>`, or SET search_path"),
            ));
        }
        match holders.into_iter().next() {
            Some((_, schema)) => schema.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own.as_ref().is_some_and(|own| own.table_exist(name)) || !self.holders(name).is_empty()
    }
}

#[derive(Debug)]
struct PgSchema {
    statics: Arc<StaticSchema>,
    about: Arc<About>,
    objects: Arc<Objects>,
}

#[async_trait]
impl SchemaProvider for PgSchema {
    fn table_names(&self) -> Vec<String> {
        PG_CATALOG_TABLES.iter().map(ToString::to_string).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = relations::table(name, &self.about, &self.objects)? {
            return Ok(Some(table));
        }
        // Nothing of those that are built from catalogs is asked for here: theirs is empty.
        let table = self.statics.build_table_by_name(name)?;
        table
            .map(|table| table.try_into_table_provider())
            .transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        PG_CATALOG_TABLES.contains(&name) || relations::NAMES.contains(&name)
    }
}
