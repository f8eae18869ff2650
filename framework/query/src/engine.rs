//! The engine: what all sessions share.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session as DfSession;
use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionStateDefaults, config::SessionConfig as DfSessionConfig};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use futures::future::try_join_all;
use mesh_core::contract::Contract;
use mesh_core::{Error, Principal, Result};
use mesh_enforcement::{Access, Action, Decision, DecisionPoint, PassThrough, Resource};
use mesh_history::History;
use mesh_states::States;
use mesh_stream::{Admin, RegistryClient, StreamConfig};

use crate::catalog_client::CatalogClient;
use crate::config::QueryConfig;
use crate::connection::Connection;
use crate::limits::{Admission, Permit};
use crate::lineage::LineageSink;
use crate::provider::{CATALOG, Granted, NO_SCHEMA, granted};
use crate::run::ScanEnv;
use crate::session::Session;
use crate::settings::Settings;
use crate::sound::{PlainPlanner, rules};
use crate::threads::Threads;

/// Bytes of a stream's memory for each row of a batch.
const MEMORY_OF_ROW: usize = 16 << 10;
/// Files that a sort merges at a time.
const MERGE_FAN_IN: usize = 8;
/// Rows of a batch, however little memory there is.
const MIN_BATCH_ROWS: usize = 256;

/// SQL over the products of the mesh. Clones share memory, limits and the catalog's cache.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What an engine works with beside its configuration.
#[derive(Clone)]
#[non_exhaustive]
pub struct Parts {
    /// Who decides about each product of each session.
    pub decisions: Arc<dyn DecisionPoint>,
    /// Takes where each answer came from.
    pub lineage: Option<Arc<dyn LineageSink>>,
    /// The tables that are kept of state products. Without them each statement reads the
    /// topic.
    pub states: Option<States>,
    /// The history of event products. With it a statement reads the topic's newest records
    /// alone, and files for the others.
    pub history: Option<History>,
}

impl Default for Parts {
    /// Everything allowed, nothing told and nothing kept.
    fn default() -> Self {
        Self {
            decisions: Arc::new(PassThrough),
            lineage: None,
            states: None,
            history: None,
        }
    }
}

pub(crate) struct Shared {
    pub(crate) config: QueryConfig,
    pub(crate) env: Arc<ScanEnv>,
    /// The functions, rules and limits of every session; it holds no table.
    pub(crate) base: SessionState,
    pub(crate) threads: Threads,
    catalog: CatalogClient,
    decisions: Arc<dyn DecisionPoint>,
    pub(crate) lineage: Option<Arc<dyn LineageSink>>,
    pub(crate) admission: Admission,
}

impl Engine {
    /// An engine where every named principal with a purpose may read everything
    /// ([`PassThrough`]). It connects to nothing until it is asked something.
    ///
    /// # Errors
    /// If an address or a setting of Kafka's client is refused, or the spill directory
    /// cannot be made.
    pub fn new(config: QueryConfig) -> Result<Self> {
        Self::with(config, Parts::default())
    }

    /// An engine that works with `parts`.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with(config: QueryConfig, parts: Parts) -> Result<Self> {
        let runtime = runtime(&config)?;
        let stream = reader_config(&config);
        let env = ScanEnv {
            registry: RegistryClient::new(&stream.registry_url)?,
            admin: Admin::new(&stream)?,
            stream,
            state_memory_bytes: config.state_memory_bytes,
            spill_dir: config.spill_dir.clone(),
            spill_bytes: config.spill_bytes,
            states: parts.states,
            history: parts.history,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                base: base_state(&config, runtime),
                threads: Threads::start(config.target_partitions)?,
                catalog: CatalogClient::new(&config.catalog_url, config.catalog_max_age)?,
                env: Arc::new(env),
                decisions: parts.decisions,
                lineage: parts.lineage,
                admission: Admission::new(config.max_queries, config.per_principal),
                config,
            }),
        })
    }

    /// A session that sees the tables that `access` may read, as the catalog has them now.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer; whatever keeps the
    /// decision point from deciding.
    pub async fn session(&self, access: Access) -> Result<Session> {
        let entries = self.shared.catalog.tables().await?;
        // A version may stand under two names and is decided about once.
        let resources: HashSet<&Resource> = entries
            .iter()
            .filter_map(|entry| entry.product.as_ref().ok())
            .map(|product| &product.resource)
            .collect();
        let decisions = try_join_all(resources.into_iter().map(|resource| {
            self.shared
                .decisions
                .decide(&access, Action::Read, resource)
        }))
        .await?;
        let allowed: HashSet<&Resource> = decisions
            .iter()
            .filter(|decision| decision.allowed())
            .map(Decision::resource)
            .collect();
        // A denied product is as one that does not exist, in listings and in errors.
        let granted = granted(
            entries
                .iter()
                .filter(|entry| match &entry.product {
                    Ok(product) => allowed.contains(&product.resource),
                    // Nothing to decide about: asked for by name, it says what is wrong with it.
                    Err(_) => true,
                })
                .cloned(),
        );
        Ok(Session::new(Arc::clone(&self.shared), access, granted))
    }

    /// A connection of `principal`, which begins with `settings`.
    pub fn connect(&self, principal: Principal, settings: Settings) -> Connection {
        Connection::new(self.clone(), principal, settings)
    }

    /// Leave for `principal` to run one query, waited for.
    pub(crate) async fn admitted(&self, principal: &Principal) -> Result<Permit> {
        self.shared.admission.admit(principal).await
    }

    /// A session that sees no table.
    pub(crate) fn bare_session(&self, access: Access) -> Session {
        Session::new(Arc::clone(&self.shared), access, Granted::new())
    }

    /// The contracts of every version that has a table, each once.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the catalog does not answer.
    pub async fn contracts(&self) -> Result<Vec<Arc<Contract>>> {
        let mut found: Vec<Arc<Contract>> = Vec::new();
        for entry in self.shared.catalog.tables().await?.iter() {
            let Ok(product) = &entry.product else {
                continue;
            };
            if !found.iter().any(|known| {
                known.id == product.contract.id && known.version == product.contract.version
            }) {
                found.push(Arc::clone(&product.contract));
            }
        }
        Ok(found)
    }

    /// The functions, rules and limits of every session, for doors that add their own.
    pub(crate) fn base_state(&self) -> &SessionState {
        &self.shared.base
    }

    /// The engine's configuration.
    pub fn config(&self) -> &QueryConfig {
        &self.shared.config
    }
}

impl Shared {
    /// What a query with `permit` runs in.
    pub(crate) fn runtime_of(&self, permit: &Permit) -> Result<Arc<RuntimeEnv>> {
        let all = self.base.runtime_env();
        RuntimeEnvBuilder::from_runtime_env(all)
            .with_memory_pool(permit.pool(&all.memory_pool))
            .build_arc()
            .map_err(|error| crate::failure::planning(&error))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

/// The configuration of readers, in which what the caller set by name stays.
fn reader_config(config: &QueryConfig) -> StreamConfig {
    let mut stream = config.stream.clone();
    let fetch = (config.prefetch_bytes / 2).clamp(64 << 10, 4 << 20);
    for (name, value) in [
        (
            "queued.max.messages.kbytes",
            (config.prefetch_bytes / 1024).max(64).to_string(),
        ),
        ("fetch.message.max.bytes", fetch.to_string()),
        // librdkafka rests a whole second when its queue is full. A scan empties the queue
        // in a fraction of that, and would then read one queue a second.
        ("fetch.queue.backoff.ms", "2".to_owned()),
    ] {
        stream.overrides.entry(name.to_owned()).or_insert(value);
    }
    stream
}

/// DataFusion's planner, which knows the nodes of ours.
#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn DfSession,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(PlainPlanner)])
            .create_physical_plan(plan, state)
            .await
    }
}

fn runtime(config: &QueryConfig) -> Result<Arc<RuntimeEnv>> {
    let mode = match &config.spill_dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|error| {
                Error::invalid("the spill directory cannot be made")
                    .with("directory", dir.display())
                    .with("cause", error.kind())
                    .mend("give a directory that can be written")
            })?;
            DiskManagerMode::Directories(vec![dir.clone()])
        }
        None => DiskManagerMode::OsTmpDirectory,
    };
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(config.memory_bytes)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default()
                .with_mode(mode)
                .with_max_temp_directory_size(config.spill_bytes),
        )
        // Without a limit the first sort that merges takes all memory that is left, and
        // those beside it fail.
        .with_max_spill_merge_fan_in(MERGE_FAN_IN)
        .build_arc()
        .map_err(|error: DataFusionError| crate::failure::planning(&error))
}

fn base_state(config: &QueryConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    let streams = config.target_partitions.max(1);
    // A sort that has spilled holds two batches of each file while it merges them: in little
    // memory large batches of wide rows would leave it no room.
    let batch_rows = (config.memory_bytes / (streams * MEMORY_OF_ROW)).max(MIN_BATCH_ROWS);
    let mut options = DfSessionConfig::new()
        .with_target_partitions(streams)
        .with_batch_size(batch_rows.min(config.batch_rows.max(1)))
        .with_default_catalog_and_schema(CATALOG, NO_SCHEMA)
        .with_create_default_catalog_and_schema(false)
        // Ours stands in the catalog itself.
        .with_information_schema(false)
        .with_collect_statistics(false)
        // What a sort keeps free to merge what it spilled; not the whole of a small pool.
        .with_sort_spill_reservation_bytes(
            (config.memory_bytes / (8 * streams)).clamp(1 << 20, 10 << 20),
        );
    let settings = options.options_mut();
    // `1.10` in a statement is a decimal, as it is in the contracts.
    settings.sql_parser.parse_float_as_decimal = true;
    settings.execution.time_zone = Some("+00:00".to_owned());
    // Neither table factories nor file formats: nothing here opens a file.
    SessionStateBuilder::new()
        .with_config(options)
        .with_runtime_env(runtime)
        .with_optimizer_rules(rules())
        .with_query_planner(Arc::new(Planner))
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(SessionStateDefaults::default_scalar_functions())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .build()
}
