//! `mesh up`: broker, registry, catalog and SQL in one process.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::routing::get;
use clap::Args;
use mesh_broker::{Broker, BrokerConfig, FlushPolicy};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Error, Result};
use mesh_query::{Engine, QueryConfig, query_router, serve_flight, serve_postgres};
use mesh_registry::Registry;
use mesh_stream::StreamConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::broker_options::{BrokerOptions, PlatformFile, own_settings};
use crate::kafka::ClusterArgs;
use crate::keep::{KeepOptions, Kept};
use crate::ports::{PlatformAddresses, PlatformPorts, claim, taken};
use crate::registry::RegistryOptions;
use crate::sql_doors::SqlDoorOptions;
use crate::sql_limits::SqlLimits;
use crate::ui;

#[derive(Args)]
pub(crate) struct UpArgs {
    /// Directory of all that is stored; made if it is not there
    #[arg(long, env = "MESH_DATA_DIR", default_value = ".mesh/platform")]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) ports: PlatformPorts,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// TOML file of the platform: [broker] with the options of listeners, TLS, logins and
    /// access control, and [kafka] with settings of librdkafka for the platform's own clients
    #[arg(
        id = "platform_config",
        long = "config",
        env = "MESH_CONFIG",
        value_name = "FILE"
    )]
    pub(crate) config: Option<PathBuf>,
    /// When acknowledged records are forced to the disk: `always` (before the
    /// acknowledgement), `os` (when the system likes), or a number of milliseconds
    #[arg(long, env = "MESH_FLUSH", default_value = "1000", value_parser = flush_policy)]
    pub(crate) flush: FlushPolicy,
    #[command(flatten, next_help_heading = "SQL")]
    pub(crate) sql: SqlDoorOptions,
    #[command(flatten)]
    pub(crate) sql_limits: SqlLimits,
    #[command(flatten, next_help_heading = "What is kept for SQL")]
    pub(crate) keep: KeepOptions,
    #[command(flatten, next_help_heading = "Schema registry")]
    pub(crate) registry: RegistryOptions,
    #[command(flatten, next_help_heading = "Security of the embedded broker")]
    pub(crate) broker: BrokerOptions,
}

fn flush_policy(text: &str) -> std::result::Result<FlushPolicy, String> {
    match text {
        "always" => Ok(FlushPolicy::Always),
        "os" => Ok(FlushPolicy::Os),
        millis => match millis.parse::<u64>() {
            Ok(millis) if millis > 0 => Ok(FlushPolicy::Interval(
                std::time::Duration::from_millis(millis),
            )),
            _ => Err("write `always`, `os` or milliseconds, such as 1000".into()),
        },
    }
}

/// Makes `directory`, or says why it cannot be used.
pub(crate) fn make_directory(directory: &Path, option: &str) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|error| {
        Error::invalid("the directory cannot be made")
            .with("directory", directory.display())
            .with("cause", error)
            .mend(format!("choose one that can be written with {option} DIR"))
    })
}

/// Logs to standard error, as `RUST_LOG` says, else warnings and what this program reports.
pub(crate) fn start_logging(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

pub(crate) async fn up(args: UpArgs) -> Result<()> {
    start_logging("info");
    make_directory(&args.data_dir, "--data-dir")?;
    let platform = Platform::start(&args).await?;
    let addresses = &platform.addresses;
    ui::line(format!(
        "{}\n  Kafka     {}\n  Registry  {}\n  Catalog   {}/api/v1/products\n  SQL       {}/api/v1/sql\n  Postgres  {}, database mesh\n  Flight    grpc://{}\n  Data      {}\n{}",
        ui::bold("The mesh is up."),
        addresses.kafka,
        addresses.registry_url(),
        addresses.http_url(),
        addresses.http_url(),
        addresses.postgres,
        addresses.flight,
        args.data_dir.display(),
        ui::dim("Ctrl-C stops it."),
    ));
    stop_signal().await?;
    ui::line("stopping");
    platform.stop().await
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> Result<()> {
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| Error::internal("signals cannot be received").because(error))?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The running platform.
struct Platform {
    broker: Option<Broker>,
    catalog: Catalog,
    addresses: PlatformAddresses,
    stop: CancellationToken,
    servers: tokio::task::JoinSet<Result<()>>,
    kept: tokio::task::JoinHandle<()>,
}

impl Platform {
    async fn start(args: &UpArgs) -> Result<Self> {
        let ports = &args.ports;
        let registry_listener = listen(ports.host, ports.registry_port, "registry").await?;
        let http_listener = listen(ports.host, ports.http_port, "http").await?;
        let postgres = args.sql.postgres()?;
        let postgres_host = args.sql.host(ports.host);
        let postgres_listener = listen(postgres_host, ports.postgres_port, "postgres").await?;
        let flight = args.sql.flight()?;
        let flight_host = args.sql.flight_host(ports.host);
        let flight_listener = listen(flight_host, ports.flight_port, "flight").await?;

        let (broker, kafka, settings) = start_kafka(args).await?;
        let addresses = PlatformAddresses {
            kafka,
            broker_port: broker.as_ref().map(|broker| broker.local_addr().port()),
            registry: local(&registry_listener)?,
            http: local(&http_listener)?,
            postgres: local(&postgres_listener)?,
            flight: local(&flight_listener)?,
        };

        let registry = Registry::open(args.registry.config(&args.data_dir)?).await?;
        let catalog = Catalog::open(CatalogConfig {
            database: args.data_dir.join("catalog.sqlite"),
        })
        .await?;
        let mut stream = StreamConfig::new(
            addresses.kafka.clone(),
            addresses.registry_url(),
            "mesh-sql",
        );
        stream.overrides = settings;
        let mut query = QueryConfig::new(stream, addresses.http_url());
        args.sql_limits.apply(&mut query);
        let kept = Kept::open(
            &args.keep,
            &args.data_dir,
            &query.stream,
            &query.catalog_url,
        )
        .await?;
        let engine = Engine::with(query, kept.parts.clone())?;

        let stop = CancellationToken::new();
        let kept = kept.run(engine.clone(), stop.clone());
        let mut servers = tokio::task::JoinSet::new();
        servers.spawn(mesh_registry::serve(
            registry,
            registry_listener,
            stop.clone().cancelled_owned(),
        ));
        servers.spawn(serve_postgres(
            engine.clone(),
            postgres_listener,
            postgres,
            stop.clone().cancelled_owned(),
        ));
        servers.spawn(serve_flight(
            engine.clone(),
            flight_listener,
            flight,
            stop.clone().cancelled_owned(),
        ));
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .merge(catalog.router())
            .merge(query_router(engine, args.sql.logins()?));
        let stopped = stop.clone().cancelled_owned();
        servers.spawn(async move {
            axum::serve(http_listener, router)
                .with_graceful_shutdown(stopped)
                .await
                .map_err(|error| Error::internal("the HTTP server failed").because(error))
        });
        Ok(Self {
            broker,
            catalog,
            addresses,
            stop,
            servers,
            kept,
        })
    }

    async fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        let drained = tokio::time::timeout(std::time::Duration::from_secs(10), async {
            while let Some(ended) = self.servers.join_next().await {
                ended.map_err(|error| Error::internal("a server panicked").because(error))??;
            }
            Ok::<(), Error>(())
        });
        match drained.await {
            Ok(outcome) => outcome?,
            // A client that keeps its request open must not keep the platform alive.
            Err(_) => self.servers.abort_all(),
        }
        // What a history is being given is written by the next that runs.
        if tokio::time::timeout(std::time::Duration::from_secs(10), self.kept)
            .await
            .is_err()
        {
            tracing::warn!("what is kept for SQL did not close in time");
        }
        self.catalog.close().await;
        match self.broker {
            Some(broker) => broker.shutdown().await,
            None => Ok(()),
        }
    }
}

/// The embedded broker unless there is a cluster, the bootstrap addresses for our own
/// clients, and their settings.
async fn start_kafka(args: &UpArgs) -> Result<(Option<Broker>, String, BTreeMap<String, String>)> {
    let file = match &args.config {
        Some(file) => PlatformFile::read(file)?,
        None => PlatformFile::default(),
    };
    let mut settings = args.cluster.settings()?;
    if args.cluster.config.is_none() {
        settings = file.kafka;
    }
    let options = args.broker.clone().over(file.broker);
    if let Some(cluster) = args.cluster.bootstrap()? {
        if !options.is_empty() {
            return Err(
                Error::invalid("there is no embedded broker to protect with --kafka")
                    .mend("protect the cluster itself, and leave the options of the broker out"),
            );
        }
        return Ok((None, cluster, settings));
    }
    let mut config = BrokerConfig::new(
        args.data_dir.join("kafka"),
        (args.ports.host, args.ports.kafka_port).into(),
    );
    config.flush = args.flush;
    options.apply(&mut config)?;
    let own = options.own_listener()?;
    if let Some(listener) = &own {
        settings = own_settings(listener, settings)?;
    } else {
        // The broker's own error does not know our options.
        drop(claim(
            args.ports.host,
            args.ports.kafka_port,
            "kafka",
            "--kafka-port",
        )?);
    }
    let broker = Broker::start(config).await?;
    let bootstrap = own
        .and_then(|listener| broker.bootstrap_of(&listener.name))
        .unwrap_or_else(|| broker.bootstrap());
    Ok((Some(broker), bootstrap, settings))
}

fn local(listener: &TcpListener) -> Result<std::net::SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| Error::internal("a listener has no address").because(error))
}

async fn listen(host: IpAddr, port: u16, what: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port))
        .await
        .map_err(|error| taken(host, port, what, &format!("--{what}-port"), error))
}
