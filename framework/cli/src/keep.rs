//! What the platform keeps for SQL beside Kafka: tables of state products, histories of event
//! products, and lineage.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mesh_core::contract::ProductKind;
use mesh_core::{Error, Result};
use mesh_history::{History, HistoryConfig, HistoryWriter, Source};
use mesh_query::{Engine, LineageTopic, Parts};
use mesh_states::{States, StatesConfig};
use mesh_stream::StreamConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the catalog is asked which products there are.
const LOOK: Duration = Duration::from_secs(10);

/// What is kept, and where.
#[derive(Args, Clone)]
pub(crate) struct KeepOptions {
    /// Where the histories of event products are kept as Delta tables: a directory, an address
    /// of an object store (s3://, gs://, az://), or `none`; the data directory's `history` by
    /// default
    #[arg(long, env = "MESH_HISTORY", value_name = "PLACE")]
    pub(crate) history: Option<String>,
    /// Directory of the tables that are kept of state products; the data directory's `states`
    /// by default. It may be lost: the tables are then made anew from their topics
    #[arg(long, env = "MESH_STATES_DIR", value_name = "DIR")]
    pub(crate) states_dir: Option<PathBuf>,
}

/// What is kept, until the platform stops.
pub(crate) struct Kept {
    states: States,
    writer: Option<HistoryWriter>,
    stream: StreamConfig,
    /// What the engine works with.
    pub(crate) parts: Parts,
}

impl Kept {
    pub(crate) async fn open(
        options: &KeepOptions,
        data_dir: &Path,
        stream: &StreamConfig,
        catalog_url: &str,
    ) -> Result<Self> {
        let dir = options
            .states_dir
            .clone()
            .unwrap_or_else(|| data_dir.join("states"));
        let states = States::open(StatesConfig::new(dir, stream.clone())).await?;
        let place = match options.history.as_deref() {
            Some("none") => None,
            Some(place) => Some(place.to_owned()),
            None => Some(data_dir.join("history").display().to_string()),
        };
        let history = place
            .map(|place| History::open(HistoryConfig::new(place)))
            .transpose()?;
        let writer = history
            .clone()
            .map(|history| HistoryWriter::new(history, stream.clone()))
            .transpose()?;
        let catalog = catalog_url.parse().map_err(|error| {
            Error::internal("the catalog's own address is no URL").because(error)
        })?;
        let mut parts = Parts::default();
        parts.states = Some(states.clone());
        parts.history = history;
        parts.lineage = Some(Arc::new(LineageTopic::start(stream.clone(), catalog)));
        Ok(Self {
            states,
            writer,
            stream: stream.clone(),
            parts,
        })
    }

    /// Writes the histories of what `engine` finds in the catalog, until `stop`.
    pub(crate) fn run(self, engine: Engine, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            if let Some(writer) = &self.writer {
                tokio::join!(writer.run(stop.cancelled()), follow(writer, &engine, &stop));
            } else {
                stop.cancelled().await;
            }
            drop(engine);
            if let Err(error) = self.states.close().await {
                let bootstrap = &self.stream.bootstrap;
                tracing::warn!(
                    bootstrap,
                    error = error.log_line(),
                    "the state tables did not close"
                );
            }
        })
    }
}

/// Has `writer` follow the event products that there are.
async fn follow(writer: &HistoryWriter, engine: &Engine, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match engine.contracts().await {
            Ok(contracts) => {
                let events = contracts
                    .into_iter()
                    .filter(|contract| contract.schema.kind == ProductKind::Event);
                writer.follow(events.map(Source::of));
            }
            Err(error) => {
                tracing::debug!(
                    error = error.log_line(),
                    "the catalog does not tell its products"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
