//! The configuration of a domain's process: defaults, then a TOML file, then environment
//! variables, then arguments.

mod layers;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_core::{Error, Result};
use url::Url;

use self::layers::Layers;
use crate::store_url::StoreUrl;

/// The settings of librdkafka on which the guarantees of docs/exactly-once.md stand, and the
/// values that they may have.
const FIXED: [(&str, &[&str]); 10] = [
    ("acks", &["all", "-1"]),
    ("auto.offset.reset", &["earliest", "smallest", "beginning"]),
    ("enable.auto.commit", &["false"]),
    ("enable.auto.offset.store", &["false"]),
    ("enable.idempotence", &["true"]),
    ("enable.partition.eof", &["false"]),
    ("group.id", &[]),
    ("isolation.level", &["read_committed"]),
    ("request.required.acks", &["all", "-1"]),
    ("transactional.id", &[]),
];

/// What a domain's process needs to know, read once at the start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where Kafka is, `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Where the schema registry is.
    pub registry_url: Url,
    /// Where the catalog is.
    pub catalog_url: Url,
    /// Where state, inbox and outbox are kept; used by one process at a time.
    pub data_dir: PathBuf,
    /// The Postgres database where they are kept instead.
    pub store_url: Option<StoreUrl>,
    /// The schema of that database; used by one process at a time.
    pub store_schema: String,
    /// The address of the HTTP API; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where other domains reach the API; by default the address it listens on.
    pub api_url: Option<Url>,
    /// Where sources read.
    pub source_dir: Option<PathBuf>,
    /// Settings of librdkafka, from the file's table `[kafka]`.
    pub kafka: BTreeMap<String, String>,
    /// How often an event that fails for good is tried before it is set aside.
    pub handler_attempts: u32,
    /// Events that share one local transaction at most.
    pub batch_events: usize,
    /// Rows of the outbox at which handlers and sources wait for the relay.
    pub outbox_limit: u64,
    /// Days for which ids of handled events are kept to recognise duplicates.
    pub inbox_days: u32,
    /// How long a request to or from the API may take.
    pub request_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long a stop may take before what is left is cut off.
    pub stop_timeout: Duration,
}

impl Config {
    /// The defaults for `domain`, with its data in `data_dir`.
    ///
    /// # Errors
    /// None in practice: the defaults are read by the same code as what users write.
    pub fn new(domain: &str, data_dir: impl Into<PathBuf>) -> Result<Self> {
        let mut config = Self::build(domain, &Layers::default())?;
        config.data_dir = data_dir.into();
        Ok(config)
    }

    /// Reads arguments (the program's name first), environment and file. `None` if the
    /// arguments asked for help, which was printed.
    ///
    /// # Errors
    /// A value that is wrong, with where it stands and the mend.
    pub fn load(
        domain: &str,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>> {
        let matches = match settings::command(domain).try_get_matches_from(arguments) {
            Ok(matches) => matches,
            Err(error) if !error.use_stderr() => {
                error.print().map_err(|error| {
                    Error::internal("the help cannot be printed").because(error)
                })?;
                return Ok(None);
            }
            Err(error) => {
                let text = error.to_string();
                let text = text.trim_start_matches("error: ").trim_end().to_owned();
                return Err(Error::invalid(text));
            }
        };
        let mut layers = Layers::default();
        layers.environment(&environment)?;
        layers.arguments(&matches);
        if let Some(path) = layers.file_name() {
            layers.file(&path)?;
        }
        Self::build(domain, &layers).map(Some)
    }

    /// Makes sure that no setting of librdkafka takes the guarantees away.
    ///
    /// # Errors
    /// [`mesh_core::ErrorKind::InvalidInput`] with the setting.
    pub(crate) fn check_kafka(&self) -> Result<()> {
        for (name, allowed) in FIXED {
            let Some(value) = self.kafka.get(name) else {
                continue;
            };
            if !allowed.contains(&value.as_str()) {
                return Err(Error::invalid(
                    "a setting of Kafka's client would lose events or handle them twice",
                )
                .with("setting", name)
                .with("value", value)
                .mend("remove it from the table [kafka]"));
            }
        }
        Ok(())
    }

    /// Where the store is, for people.
    pub(crate) fn store(&self) -> String {
        match &self.store_url {
            Some(url) => format!("{}, schema {}", url.server(), self.store_schema),
            None => self.data_dir.display().to_string(),
        }
    }

    fn build(domain: &str, layers: &Layers) -> Result<Self> {
        let bootstrap: String = layers.required("bootstrap")?;
        if bootstrap.split(',').any(|address| !address.contains(':')) {
            return Err(layers.wrong(
                "bootstrap",
                "write `host:port`, several separated by commas",
            ));
        }
        let config = Self {
            bootstrap,
            registry_url: layers.url("registry_url")?,
            catalog_url: layers.url("catalog_url")?,
            data_dir: layers
                .optional("data_dir")?
                .unwrap_or_else(|| Path::new("data").join(domain)),
            store_url: layers.store_url()?,
            store_schema: layers.store_schema(domain)?,
            listen: layers.required("listen")?,
            api_url: layers.optional_url("api_url")?,
            source_dir: layers.optional("source_dir")?,
            kafka: layers.kafka.clone(),
            handler_attempts: layers.positive("handler_attempts")?,
            batch_events: layers.positive::<u32>("batch_events")? as usize,
            outbox_limit: layers.positive("outbox_limit")?,
            inbox_days: layers.positive("inbox_days")?,
            request_timeout: Duration::from_secs(layers.positive("request_timeout_seconds")?),
            body_limit: layers.positive::<u32>("body_limit_bytes")? as usize,
            stop_timeout: Duration::from_secs(layers.positive("stop_timeout_seconds")?),
        };
        if let Some(folder) = &config.source_dir
            && !folder.is_dir()
        {
            return Err(layers.wrong("source_dir", "give a folder that exists"));
        }
        Ok(config)
    }
}
