//! Watching what the domain depends on, and housekeeping.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::Result;
use mesh_stream::{Admin, RegistryClient};

use crate::host::Host;
use crate::status::sentence;

/// How often the platform is asked whether it is there.
const WATCH: Duration = Duration::from_secs(3);
/// How often the lag of handlers is measured.
const MEASURE: Duration = Duration::from_secs(1);
/// How often old ids and answers are let go.
const PURGE: Duration = Duration::from_secs(3_600);

/// Shows which part of the platform does not answer. Kafka is asked about one topic of the
/// domain: the list of all can be long.
pub(crate) async fn watch(
    host: Arc<Host>,
    admin: Admin,
    registry: RegistryClient,
    topic: Option<&'static str>,
) {
    while pause(&host, WATCH).await {
        let kafka = match topic {
            Some(topic) => admin.partitions(topic).await.map(drop),
            None => admin.reachable().await,
        };
        report(&host, "kafka", kafka);
        report(&host, "registry", reach_registry(&host, &registry).await);
        report(&host, "catalog", host.catalog.reachable().await);
    }
}

/// Shows whether the store answers. A process that has lost its store ends, even if it has
/// nothing to write.
pub(crate) async fn guard(host: Arc<Host>) {
    while pause(&host, WATCH).await {
        host.check_store().await;
    }
}

fn report(host: &Host, part: &str, found: Result<()>) {
    match found {
        Ok(()) => host.status.clear(part),
        Err(error) => host.status.wait(part, sentence(&error)),
    }
}

/// Any answer to a question about a subject shows that the registry is there.
async fn reach_registry(host: &Host, registry: &RegistryClient) -> Result<()> {
    let subject = format!("{}.none-value", host.domain);
    match registry.latest(&subject).await {
        Err(error) if error.is_retryable() => Err(error),
        _ => Ok(()),
    }
}

/// Measures how far handlers are behind.
pub(crate) async fn measure(host: Arc<Host>, admin: Admin) {
    while pause(&host, MEASURE).await {
        for handler in host.status.handlers() {
            let mut lag = 0;
            let mut known = !handler.next_offsets.is_empty();
            for (partition, next) in &handler.next_offsets {
                match admin.watermarks(&handler.topic, *partition).await {
                    Ok((low, high)) => lag += (high - (*next).max(low)).max(0) as u64,
                    Err(_) => known = false,
                }
            }
            if !known {
                continue;
            }
            host.metrics
                .lag
                .with_label_values(&[&handler.name])
                .set(lag as i64);
            host.status
                .handler(&handler.name, |handler| handler.lag = Some(lag));
        }
    }
}

/// Lets go of the ids of events, and of the answers to requests, that are too old to come
/// again.
pub(crate) async fn purge(host: Arc<Host>) {
    let days = host.config.inbox_days;
    loop {
        let ids = purge_all(&host, || host.store.purge_inbox(days)).await;
        let answers = purge_all(&host, || host.store.purge_answers(days)).await;
        if ids + answers > 0 {
            tracing::info!(ids, answers, "old ids and answers were let go");
        }
        if !pause(&host, PURGE).await {
            return;
        }
    }
}

/// Purges until nothing is left to be purged; how much it was.
async fn purge_all<F, Fut>(host: &Host, purge: F) -> u64
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<u64>>,
{
    let mut purged = 0;
    while !host.intake.is_cancelled() {
        match purge().await {
            Ok(0) => break,
            Ok(more) => purged += more,
            Err(error) => {
                tracing::warn!(error = error.log_line(), "old ids could not be let go");
                break;
            }
        }
    }
    purged
}

async fn pause(host: &Host, time: Duration) -> bool {
    tokio::select! {
        () = host.intake.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
