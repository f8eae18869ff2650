//! The idempotent producer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use mesh_core::{Error, ErrorKind, Result};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};

use crate::client::Context;
use crate::config::StreamConfig;
use crate::fault;
use crate::headers::Headers;

/// How long a sender sleeps when the queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(2);

/// A record to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The topic.
    pub topic: String,
    /// The partition; without one it follows from the key, as [`crate::partition_for`] says.
    pub partition: Option<i32>,
    /// The framed key.
    pub key: Bytes,
    /// The framed value; a tombstone without one.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Headers,
    /// Milliseconds since 1970; now without one, and where it is 0.
    pub timestamp: Option<i64>,
}

/// What [`Producer::enqueue`] takes: an [`Outgoing`] whose bytes stay with the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Borrowed<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a Headers,
    pub(crate) timestamp: Option<i64>,
}

/// An idempotent producer: records arrive once and in order for each partition, and are
/// tried again for as long as the producer lives. Clones share one client.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

/// Librdkafka's producer; clones share it.
pub(crate) type Client = FutureProducer<Context>;

struct Inner {
    client: Client,
    bootstrap: Arc<str>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("bootstrap", &self.inner.bootstrap)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer; the broker need not be there yet.
    ///
    /// # Errors
    /// If a setting is refused by librdkafka.
    pub fn new(config: &StreamConfig) -> Result<Self> {
        Self::from_settings(config, &config.producer())
    }

    pub(crate) fn from_settings(config: &StreamConfig, settings: &ClientConfig) -> Result<Self> {
        let client = settings
            .create_with_context(Context::new(config, "producer"))
            .map_err(|error| fault::kafka(&config.bootstrap, "making a producer", error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                bootstrap: config.bootstrap.as_str().into(),
            }),
        })
    }

    /// The client itself.
    pub(crate) fn client(&self) -> Client {
        self.inner.client.clone()
    }

    /// Puts a record in the queue and gives back at once its delivery, to be awaited or
    /// dropped. Waits only while the queue is full. Records that one task sends one after
    /// the other to a partition arrive in that order.
    ///
    /// # Errors
    /// If the record is refused (too large), or the producer has failed for good.
    pub async fn send(&self, record: Outgoing) -> Result<Delivery> {
        let record = Borrowed {
            topic: &record.topic,
            partition: record.partition,
            key: &record.key,
            value: record.value.as_deref(),
            headers: &record.headers,
            timestamp: record.timestamp,
        };
        loop {
            match self.enqueue(record)? {
                Some(delivery) => return Ok(delivery),
                None => tokio::time::sleep(FULL_PAUSE).await,
            }
        }
    }

    /// Puts a record in the queue; `None` if the queue is full.
    pub(crate) fn enqueue(&self, record: Borrowed<'_>) -> Result<Option<Delivery>> {
        let outgoing = FutureRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.value,
            key: Some(record.key),
            timestamp: record.timestamp,
            headers: Some(record.headers.to_kafka()),
        };
        match self.inner.client.send_result(outgoing) {
            Ok(future) => Ok(Some(Delivery {
                future,
                bootstrap: Arc::clone(&self.inner.bootstrap),
            })),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                // A producer that has failed for good never empties its queue.
                match self.fatal() {
                    Some(error) => Err(error),
                    None => Ok(None),
                }
            }
            Err((error, _)) => Err(self.fatal().unwrap_or_else(|| {
                fault::kafka(&self.inner.bootstrap, "sending a record", error)
                    .with("topic", record.topic)
            })),
        }
    }

    /// Waits until everything that was sent is delivered or has failed.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if that takes longer than `within`; what is queued stays so.
    pub async fn flush(&self, within: Duration) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        let flushed = tokio::task::spawn_blocking(move || inner.client.flush(within))
            .await
            .map_err(|error| Error::internal("the flush was cut short").because(error))?;
        flushed.map_err(|error| {
            self.fatal().unwrap_or_else(|| {
                Error::new(ErrorKind::Timeout, "not every record was delivered in time")
                    .with("bootstrap", &self.inner.bootstrap)
                    .with("left", self.in_flight())
                    .mend("see that the broker runs; the rest is sent as soon as it does")
                    .because(error)
            })
        })
    }

    /// How many records wait to be acknowledged.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.inner.client.in_flight_count()).unwrap_or(0)
    }

    /// The error after which this producer sends nothing more; `None` while it is sound.
    /// Make a new one then, after finding out what has arrived.
    pub fn fatal(&self) -> Option<Error> {
        let (code, reason) = self.inner.client.client().fatal_error()?;
        Some(
            Error::internal("the producer has failed for good")
                .with("bootstrap", &self.inner.bootstrap)
                .with("kafka", code)
                .with("reason", reason)
                .mend("start the process again; it reads what has arrived and goes on there"),
        )
    }
}

/// A record on its way: a future of the partition and offset where it came to stand.
#[must_use = "a record that is not awaited may fail unseen"]
pub struct Delivery {
    future: DeliveryFuture,
    bootstrap: Arc<str>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Future for Delivery {
    type Output = Result<(i32, i64)>;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.future)
            .poll(task)
            .map(|answer| match answer {
                Ok(Ok(delivered)) => Ok((delivered.partition, delivered.offset)),
                Ok(Err((error, message))) => {
                    let error = fault::kafka(&self.bootstrap, "publishing a record", error);
                    Err(error.with("topic", rdkafka::Message::topic(&message)))
                }
                Err(cancelled) => Err(Error::unavailable(
                    "the producer was closed before the record was acknowledged",
                )
                .because(cancelled)),
            })
    }
}
