//! What the processes say of themselves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mesh_core::{Error, Result};
use serde::Deserialize;

use super::supervisor::Supervisor;
use crate::ports::PlatformAddresses;

/// The answer of a domain's `/status`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DomainStatus {
    #[serde(default)]
    pub(crate) ready: bool,
    #[serde(default)]
    pub(crate) outbox_pending: u64,
    #[serde(default)]
    pub(crate) products: Vec<ProductStatus>,
    #[serde(default)]
    pub(crate) handlers: Vec<HandlerStatus>,
    #[serde(default)]
    pub(crate) sources: Vec<SourceStatus>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProductStatus {
    #[serde(default)]
    pub(crate) published: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HandlerStatus {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) handled: u64,
    #[serde(default)]
    pub(crate) set_aside: u64,
    /// Unknown until the handler has its partitions.
    #[serde(default)]
    pub(crate) lag: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SourceStatus {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) position: u64,
    #[serde(default)]
    pub(crate) total: Option<u64>,
    #[serde(default)]
    pub(crate) done: bool,
    /// Whether it had nothing to read when it was asked last.
    #[serde(default)]
    pub(crate) waiting: bool,
    /// What keeps it from reading on.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

impl DomainStatus {
    /// Whether nothing is left to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready
            && self.outbox_pending == 0
            && self
                .sources
                .iter()
                .all(|source| source.done || source.waiting)
            && self.handlers.iter().all(|handler| handler.lag == Some(0))
    }

    /// The first source that cannot read on, and why.
    pub(crate) fn stuck(&self) -> Option<(&str, &str)> {
        self.sources
            .iter()
            .find_map(|source| Some((source.name.as_str(), source.error.as_deref()?)))
    }

    pub(crate) fn published(&self) -> u64 {
        self.products.iter().map(|product| product.published).sum()
    }
}

/// Asks a domain how it is; `None` while it does not answer.
pub(crate) async fn ask(http: &reqwest::Client, api: SocketAddr) -> Option<DomainStatus> {
    let response = http
        .get(format!("http://{api}/status"))
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .ok()?;
    response.json().await.ok()
}

/// Waits until the platform's HTTP answers.
pub(crate) async fn wait_for_platform(
    addresses: &PlatformAddresses,
    supervisor: &mut Supervisor,
) -> Result<()> {
    let http = reqwest::Client::new();
    let begun = Instant::now();
    loop {
        let answered = http
            .get(format!("{}/healthz", addresses.http_url()))
            .timeout(Duration::from_secs(2))
            .send()
            .await
            .is_ok_and(|response| response.status().is_success());
        if answered {
            return Ok(());
        }
        supervisor.tend()?;
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(
                Error::unavailable("the platform does not come up within 60 s")
                    .mend("see logs/platform.log in the data directory"),
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks until the platform answers: it may just be starting again after a death.
pub(crate) async fn while_it_comes_up<T, Fut>(
    supervisor: &mut Supervisor,
    ask: impl Fn() -> Fut,
) -> Result<T>
where
    Fut: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    loop {
        supervisor.tend()?;
        match ask().await {
            Err(error) if error.is_retryable() && begun.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            outcome => return outcome,
        }
    }
}
