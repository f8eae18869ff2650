//! Options that the commands share.

use std::path::PathBuf;

use clap::Args;
use mesh_core::{Error, Result};
use mesh_plan::{Allowed, Platform, Wish};
use mesh_stream::StreamConfig;

use crate::kafka::ClusterArgs;

/// Where the platform is.
#[derive(Args)]
pub(super) struct PlatformArgs {
    /// The bootstrap servers of Kafka (host:port, commas between)
    #[arg(
        long = "kafka",
        env = "MESH_BOOTSTRAP",
        default_value = "127.0.0.1:9092",
        value_name = "BOOTSTRAP"
    )]
    bootstrap: String,
    /// TOML file whose table [kafka] holds settings of librdkafka, such as those for TLS and
    /// SASL
    #[arg(long = "kafka-config", env = "MESH_KAFKA_CONFIG", value_name = "FILE")]
    kafka_config: Option<PathBuf>,
    /// The schema registry
    #[arg(
        long,
        env = "MESH_REGISTRY_URL",
        default_value = "http://127.0.0.1:8081",
        value_name = "URL"
    )]
    registry: String,
    /// Where the mesh answers, and with it the catalog
    #[arg(
        long,
        env = "MESH_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    url: String,
}

impl PlatformArgs {
    pub(super) fn platform(&self) -> Result<Platform> {
        let cluster = ClusterArgs {
            bootstrap: Some(self.bootstrap.clone()),
            config: self.kafka_config.clone(),
        };
        let bootstrap = cluster.bootstrap()?.unwrap_or_default();
        let mut config = StreamConfig::new(bootstrap, &self.registry, "mesh-plan");
        config.overrides = cluster.settings()?;
        let catalog = self.url.parse().map_err(|error| {
            Error::invalid("the address of the mesh is no URL")
                .with("url", &self.url)
                .mend("write it like `http://127.0.0.1:8080` in --url")
                .because(error)
        })?;
        Platform::new(config, &catalog)
    }
}

/// What is wished.
#[derive(Args)]
pub(super) struct WishArgs {
    /// The folder with domains/*/products/*, or that of one domain
    #[arg(long, default_value = ".")]
    pub(super) folder: PathBuf,
    /// Only this domain
    #[arg(long)]
    pub(super) domain: Option<String>,
}

impl WishArgs {
    pub(super) fn read(&self) -> Result<Wish> {
        Wish::read(&self.folder, self.domain.as_deref()).map_err(Error::from)
    }
}

/// What is allowed beyond what is done unasked.
#[derive(Args)]
pub(super) struct AllowedArgs {
    /// Add partitions also to topics that hold records: keys change their places, and the
    /// order of a key's records across the change is lost
    #[arg(long)]
    allow_repartition: bool,
    /// Delete or replace this topic, and what belongs to it; may be given again
    #[arg(long, value_name = "TOPIC")]
    confirm: Vec<String>,
}

impl AllowedArgs {
    pub(super) fn allowed(&self) -> Allowed {
        Allowed {
            repartition: self.allow_repartition,
            confirmed: self.confirm.iter().cloned().collect(),
        }
    }
}
