//! A running domain: starting its parts in order, and stopping them in order.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mesh_core::{Error, ErrorKind, Principal, Result};
use mesh_stream::{Admin, CatalogClient, RegistryClient, StreamConfig};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::Config;
use crate::domain::Domain;
use crate::ends::{self, Inputs};
use crate::failpoint::Failpoint;
use crate::handler::AnyHandler;
use crate::host::Host;
use crate::keep::Keeps;
use crate::metrics::Metrics;
use crate::peer::Peers;
use crate::replay::{Handlers, Replays, Runners};
use crate::setup::{Outputs, persist};
use crate::source::Source;
use crate::status::{HandlerStatus, Status};
use crate::store::Store;
use crate::{health, http, import, rebuild, relay, replay, setup};

/// How long the relay may make no progress at a stop before what is left waits for the
/// next start.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);
const STARTING: &str = "start";

/// A domain that runs in this process.
#[must_use = "a domain runs until it is stopped"]
pub struct Running {
    host: Arc<Host>,
    address: SocketAddr,
    api_url: Url,
    fatal: watch::Receiver<Option<Arc<Error>>>,
    intake: TaskTracker,
    server: JoinHandle<()>,
    main: JoinHandle<Option<JoinHandle<()>>>,
}

/// The parts of a domain that are started when the platform is ready.
struct Parts {
    handlers: Vec<(String, Box<dyn AnyHandler>)>,
    transforms: Vec<(String, Box<dyn AnyHandler>)>,
    replays: Vec<replay::Declared>,
    sources: Vec<(String, Arc<dyn Source>)>,
}

impl Running {
    /// Opens the store, starts the HTTP server and then, as the platform allows, all else.
    ///
    /// # Errors
    /// With a mend: a domain that is declared wrongly, a data folder or a schema that is in
    /// use or cannot be written, an address that is taken. A platform that is not there is no
    /// error: see `/readyz`.
    pub async fn start(mut domain: Domain, config: Config) -> Result<Self> {
        let versions = domain.versions();
        domain.check()?;
        config.check_kafka()?;
        let failpoint = std::env::var("MESH_FAILPOINT").ok();
        let failpoint = Failpoint::parse(failpoint.as_deref())?;
        let stream = StreamConfig {
            bootstrap: config.bootstrap.clone(),
            registry_url: config.registry_url.to_string(),
            client_id: domain.name.clone(),
            overrides: config.kafka.clone(),
        };
        let registry = RegistryClient::new(config.registry_url.as_str())?;
        let admin = Admin::new(&stream)?;
        let catalog = CatalogClient::new(&config.catalog_url)?;
        let principal = Principal::service(&domain.name)?;
        let peers = Peers::new(catalog.clone(), principal, config.request_timeout)?;
        let metrics = Metrics::new(&domain.name)?;
        let store = Store::open(&config).await?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr().map_err(|error| {
            Error::internal("the address of the API is not known").because(error)
        })?;
        let api_url = match &config.api_url {
            Some(url) => url.clone(),
            None => own_url(address)?,
        };
        let (fatal, failed) = watch::channel(None);
        let read = domain.handlers.iter().chain(&domain.transforms);
        let again = domain.replays.iter();
        let inputs = Inputs::of(
            &domain.name,
            read.map(|(name, handler)| (name.as_str(), handler.descriptor()))
                .chain(again.map(|replay| (replay.name.as_str(), replay.handler.descriptor()))),
        );
        let host = Arc::new(Host {
            domain: domain.name,
            config,
            store,
            catalog,
            peers,
            metrics,
            status: Status::default(),
            failpoint,
            decisions: domain.decisions,
            keeps: Keeps::start(&domain.keeps, &registry)?,
            outputs: OnceLock::new(),
            replays: Replays::new(versions),
            inputs,
            runners: OnceLock::new(),
            intake: CancellationToken::new(),
            drain: CancellationToken::new(),
            added: Notify::new(),
            relayed: Notify::new(),
            fatal,
        });
        host.status.wait(STARTING, "the domain is starting");
        let parts = Parts {
            handlers: domain.handlers,
            transforms: domain.transforms,
            replays: domain.replays,
            sources: domain.sources,
        };
        show(&host, &parts, &domain.products).await?;
        replay::load(&host).await?;
        rebuild::look(&host).await?;
        tracing::info!(
            domain = host.domain,
            %address,
            %api_url,
            store = host.config.store(),
            bootstrap = host.config.bootstrap,
            "domain started"
        );
        let server = tokio::spawn(http::serve(Arc::clone(&host), domain.api, listener));
        let intake = TaskTracker::new();
        let main = tokio::spawn({
            let (host, api_url, intake) = (Arc::clone(&host), api_url.clone(), intake.clone());
            async move {
                let (products, limit) = (&domain.products, stream.record_limit());
                let ready = setup::prepare(&host, products, &admin, &registry, &api_url, limit);
                match ready.await {
                    Ok(Some(outputs)) => Some(
                        begin(&host, parts, outputs, &stream, &admin, &registry, &intake).await,
                    ),
                    Ok(None) => None,
                    Err(error) => {
                        host.fail("platform", error);
                        None
                    }
                }
            }
        });
        Ok(Self {
            host,
            address,
            api_url,
            fatal: failed,
            intake,
            server,
            main,
        })
    }

    /// The address that the API listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where other domains reach the API.
    pub fn api_url(&self) -> &Url {
        &self.api_url
    }

    /// Why the domain is not ready, by part; empty if it is.
    pub fn waiting(&self) -> std::collections::BTreeMap<String, String> {
        self.host.status.waiting()
    }

    /// Resolves when the domain cannot go on, with the reason.
    pub async fn failed(&self) -> Arc<Error> {
        let mut fatal = self.fatal.clone();
        let reason = fatal.wait_for(Option::is_some).await;
        match reason.as_ref().map(|reason| reason.as_ref()) {
            Ok(Some(error)) => Arc::clone(error),
            _ => Arc::new(Error::internal("the domain's host is gone")),
        }
    }

    /// Stops in order: takes nothing more in, finishes what is being handled, publishes the
    /// outbox, leaves its groups and closes the store. What is not done within the
    /// configured time is cut off; the next start goes on there.
    pub async fn stop(self) {
        let host = &self.host;
        let deadline = tokio::time::Instant::now() + host.config.stop_timeout;
        host.status.wait("stop", "the domain is stopping");
        host.intake.cancel();
        let main = self.main;
        let relay = match tokio::time::timeout_at(deadline, main).await {
            Ok(Ok(relay)) => relay,
            Ok(Err(error)) => {
                tracing::error!(%error, "the start was cut short");
                None
            }
            Err(_) => None,
        };
        self.intake.close();
        if tokio::time::timeout_at(deadline, self.intake.wait())
            .await
            .is_err()
        {
            tracing::warn!("handlers and sources were cut off at the stop");
        }
        if tokio::time::timeout_at(deadline, self.server)
            .await
            .is_err()
        {
            tracing::warn!("requests were cut off at the stop");
        }
        host.drain.cancel();
        host.added.notify_one();
        if let Some(relay) = relay {
            drain(host, relay, deadline).await;
        }
        host.store.close().await;
        tracing::info!(
            domain = host.domain,
            outbox_pending = host.store.pending(),
            "domain stopped"
        );
    }
}

/// Waits for the relay for as long as it makes progress.
async fn drain(host: &Host, mut relay: JoinHandle<()>, deadline: tokio::time::Instant) {
    let mut left = u64::MAX;
    loop {
        let until = deadline.min(tokio::time::Instant::now() + DRAIN_PATIENCE);
        if tokio::time::timeout_at(until, &mut relay).await.is_ok() {
            return;
        }
        let now = host.store.pending();
        if now >= left || tokio::time::Instant::now() >= deadline {
            break;
        }
        left = now;
    }
    tracing::warn!(
        outbox_pending = host.store.pending(),
        "the outbox is published at the next start"
    );
    relay.abort();
}

/// Starts relay, handlers and sources.
async fn begin(
    host: &Arc<Host>,
    mut parts: Parts,
    outputs: Outputs,
    stream: &StreamConfig,
    admin: &Admin,
    registry: &RegistryClient,
    intake: &TaskTracker,
) -> JoinHandle<()> {
    let outputs = host.outputs.get_or_init(|| outputs);
    let partitions = outputs.partitions().collect();
    let (recovered, recovery) = tokio::sync::oneshot::channel();
    let relay = tokio::spawn(relay::run(
        Arc::clone(host),
        stream.clone(),
        admin.clone(),
        partitions,
        recovered,
    ));
    // Events are taken in only when it is known what the last life has published, so that
    // a topic that is not what it was stops the domain before it decides anything.
    let recovered = tokio::select! {
        () = host.intake.cancelled() => false,
        recovered = recovery => recovered.is_ok(),
    };
    if !recovered {
        return relay;
    }
    let rebuilt = persist(host, rebuild::PART, &host.intake, || {
        rebuild::rebuild(host, stream, admin)
    });
    match rebuilt.await {
        Ok(Some(())) => {}
        Ok(None) => return relay,
        Err(error) => {
            host.fail(rebuild::PART, error);
            return relay;
        }
    }
    let own = outputs.partitions().next().map(|(topic, ..)| topic);
    let read = parts
        .handlers
        .iter()
        .chain(&parts.transforms)
        .next()
        .map(|(_, handler)| handler.descriptor().topic.as_str());
    let asked = own.or(read);
    let handlers = Handlers {
        outbox: std::mem::take(&mut parts.handlers),
        through: std::mem::take(&mut parts.transforms),
        replays: std::mem::take(&mut parts.replays),
    };
    let runners = Runners::new(host, handlers, stream, admin, registry, intake);
    let begun = match runners {
        Ok(runners) => {
            // Set once in the life of a host, which begins once.
            host.runners.get_or_init(|| runners);
            replay::go_on(host).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = begun {
        host.fail("handlers", error);
        return relay;
    }
    for (name, source) in parts.sources {
        intake.spawn(import::run(Arc::clone(host), name, source));
    }
    intake.spawn(health::watch(
        Arc::clone(host),
        admin.clone(),
        registry.clone(),
        asked,
    ));
    intake.spawn(health::guard(Arc::clone(host)));
    intake.spawn(ends::watch(Arc::clone(host)));
    intake.spawn(replay::watch(Arc::clone(host)));
    intake.spawn(health::measure(Arc::clone(host), admin.clone()));
    intake.spawn(health::purge(Arc::clone(host)));
    host.status.clear(STARTING);
    tracing::info!(domain = host.domain, "domain ready");
    relay
}

/// Fills the status with what the store knows from the lives before.
async fn show(
    host: &Host,
    parts: &Parts,
    products: &[&'static mesh_core::Descriptor],
) -> Result<()> {
    for product in products {
        let topic = product.topic.as_str();
        let mut published = 0;
        for partition in 0..product.contract.schema.partitions {
            published += host
                .store
                .noted(topic, partition)
                .await?
                .map_or(0, |noted| noted.published);
        }
        host.status.published(topic, published);
    }
    for (name, handler) in parts.handlers.iter().chain(&parts.transforms) {
        let totals = host.store.handler_totals(name).await?;
        let topic = handler.descriptor().topic.as_str();
        host.status
            .add_handler(HandlerStatus::new(&host.domain, name, topic, totals));
    }
    for (name, _) in &parts.sources {
        host.status.source(&host.store.source(name).await?);
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            format!("the API cannot listen: {error}"),
        )
        .with("listen", address)
        .mend("stop what uses the address, or give another with --listen or MESH_LISTEN")
    })
}

fn own_url(mut address: SocketAddr) -> Result<Url> {
    if address.ip().is_unspecified() {
        // Reachable at every address of this machine, so at this one too.
        address.set_ip(match address.is_ipv4() {
            true => std::net::Ipv4Addr::LOCALHOST.into(),
            false => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Url::parse(&format!("http://{address}"))
        .map_err(|error| Error::internal("the API's URL is not known").because(error))
}
