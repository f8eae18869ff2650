//! Lineage as a product of the platform: the topic `platform.lineage.v1`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mesh_core::{Error, Record, Result, TimestampMillis};
use mesh_stream::{
    Admin, CatalogClient, Producer, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};
use serde_json::Value;
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

use super::LineageSink;

mod product {
    mesh_macros::contract!("products/lineage/contract.odcs.yaml");
}
use product::{LineageEvent, LineageEventEventType};

/// Events that wait to be published.
const WAITING: usize = 10_000;
/// How long to wait before the platform is asked once more for its parts.
const PAUSE: Duration = Duration::from_secs(2);

/// Publishes lineage to `platform.lineage`, which it registers first. Lineage is no audit: if
/// more events wait than memory is set aside for, the newest are dropped, and the log says how
/// many.
pub struct LineageTopic {
    events: mpsc::Sender<Value>,
    dropped: std::sync::atomic::AtomicU64,
}

impl LineageTopic {
    /// Starts to publish; waits for nothing. It ends with its last clone of the sink.
    pub fn start(stream: StreamConfig, catalog: Url) -> Self {
        let (events, waiting) = mpsc::channel(WAITING);
        tokio::spawn(publish(stream, catalog, waiting));
        Self {
            events,
            dropped: std::sync::atomic::AtomicU64::new(0),
        }
    }
}

impl LineageSink for LineageTopic {
    fn emit(&self, event: Value) {
        if self.events.try_send(event).is_err() {
            let dropped = &self.dropped;
            let before = dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // Told at the first and then every so often, not for each.
            if before.is_multiple_of(1_000) {
                tracing::warn!(
                    dropped = before + 1,
                    "lineage is not published as fast as it comes"
                );
            }
        }
    }
}

impl fmt::Debug for LineageTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineageTopic").finish_non_exhaustive()
    }
}

async fn publish(stream: StreamConfig, catalog: Url, mut events: mpsc::Receiver<Value>) {
    let producer = loop {
        match register(&stream, &catalog).await {
            Ok(producer) => break producer,
            Err(error) => {
                tracing::debug!(error = error.log_line(), "lineage cannot be published yet");
            }
        }
        if events.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    };
    while let Some(event) = events.recv().await {
        let sent = match record(&event) {
            // Its delivery is not waited for: librdkafka tries again, and says so in the log.
            Ok(record) => producer.send(&record).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(
                error = error.log_line(),
                "an event of lineage is not published"
            );
        }
    }
    if let Err(error) = producer.flush(Duration::from_secs(5)).await {
        tracing::warn!(
            error = error.log_line(),
            "the last events of lineage are not published"
        );
    }
}

async fn register(stream: &StreamConfig, catalog: &Url) -> Result<TypedProducer<LineageEvent>> {
    let descriptor = LineageEvent::descriptor();
    Admin::new(stream)?
        .ensure_topic(&TopicSpec::from(descriptor))
        .await?;
    let registry = RegistryClient::new(&stream.registry_url)?;
    let registered = register_product(&registry, descriptor).await?;
    CatalogClient::new(catalog)?
        .register_product(descriptor, &registered)
        .await?;
    Ok(TypedProducer::new(Producer::new(stream)?, registered))
}

fn record(event: &Value) -> Result<LineageEvent> {
    let missing = || Error::internal("an event of lineage is not as it is made");
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(missing);
    let at: DateTime<Utc> = text(&event["eventTime"])?.parse().map_err(|_| missing())?;
    let run_id: Uuid = text(&event["run"]["runId"])?
        .parse()
        .map_err(|_| missing())?;
    let inputs = event["inputs"].as_array().ok_or_else(missing)?;
    Ok(LineageEvent {
        run_id,
        event_time: TimestampMillis(at.timestamp_millis()),
        event_type: match event["eventType"].as_str() {
            Some("COMPLETE") => LineageEventEventType::Complete,
            Some("FAIL") => LineageEventEventType::Fail,
            Some("ABORT") => LineageEventEventType::Abort,
            _ => LineageEventEventType::Running,
        },
        job: text(&event["job"]["name"])?,
        inputs: inputs
            .iter()
            .map(|input| text(&input["name"]))
            .collect::<Result<_>>()?,
        output: text(&event["outputs"][0]["name"])?,
        event: event.to_string(),
    })
}
