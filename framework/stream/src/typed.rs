//! A producer of one product's records.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use mesh_core::contract::ProductKind;
use mesh_core::{Error, ErrorKind, Record, Result, TraceContext};

use crate::encode::Encoder;
use crate::headers::{Headers, new_event_id};
use crate::producer::{Borrowed, Delivery, Producer};
use crate::registry::Registered;

thread_local! {
    /// Where keys and values are encoded; librdkafka copies them when they are queued.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Scratch space larger than this is given back.
const SCRATCH_BYTES: usize = 1 << 20;

/// Publishes records of product `R`.
pub struct TypedProducer<R> {
    producer: Producer,
    encoder: Encoder<R>,
    trace: TraceContext,
    /// The contract's version, as the headers say it.
    version: String,
}

impl<R: Record> TypedProducer<R> {
    /// A producer of `R` over `producer`, writing the registered schemas.
    pub fn new(producer: Producer, registered: Registered) -> Self {
        Self {
            producer,
            encoder: Encoder::new(registered),
            trace: TraceContext::new(),
            version: R::descriptor().contract.version.to_string(),
        }
    }

    /// The producer beneath.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// The encoder beneath.
    pub fn encoder(&self) -> &Encoder<R> {
        &self.encoder
    }

    /// Publishes a record as a new event, in a trace of this producer.
    ///
    /// # Errors
    /// If the record breaks a limit of its contract, and as [`Producer::send`].
    pub async fn send(&self, record: &R) -> Result<Delivery> {
        let headers = Headers {
            event_id: new_event_id(),
            contract_version: self.version.clone(),
            trace: self.trace,
            outbox: None,
            ends: None,
        };
        self.send_with(record, headers).await
    }

    /// Publishes a record with headers of the caller's.
    ///
    /// # Errors
    /// As [`TypedProducer::send`].
    pub async fn send_with(&self, record: &R, headers: Headers) -> Result<Delivery> {
        self.publish(&record.key(), Some(record), &headers).await
    }

    /// Publishes a tombstone: the row with this key is gone.
    ///
    /// # Errors
    /// [`ErrorKind::FailedPrecondition`] if `R` is an event product, whose facts stay.
    pub async fn delete(&self, key: &R::Key) -> Result<Delivery> {
        self.delete_with(key, Headers::of::<R>(self.trace)).await
    }

    /// Publishes a tombstone with headers of the caller's.
    ///
    /// # Errors
    /// As [`TypedProducer::delete`].
    pub async fn delete_with(&self, key: &R::Key, headers: Headers) -> Result<Delivery> {
        let descriptor = R::descriptor();
        if descriptor.contract.schema.kind == ProductKind::Event {
            return Err(
                Error::new(ErrorKind::FailedPrecondition, "an event cannot be deleted")
                    .with("product", descriptor.topic.as_str())
                    .mend("publish an event that corrects it, or make the product a state"),
            );
        }
        self.publish(key, None, &headers).await
    }

    /// Waits until everything that was sent is delivered or has failed.
    ///
    /// # Errors
    /// As [`Producer::flush`].
    pub async fn flush(&self, within: Duration) -> Result<()> {
        self.producer.flush(within).await
    }

    async fn publish(
        &self,
        key: &R::Key,
        record: Option<&R>,
        headers: &Headers,
    ) -> Result<Delivery> {
        loop {
            match self.try_publish(key, record, headers)? {
                Some(delivery) => return Ok(delivery),
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }

    fn try_publish(
        &self,
        key: &R::Key,
        record: Option<&R>,
        headers: &Headers,
    ) -> Result<Option<Delivery>> {
        SCRATCH.with_borrow_mut(|(key_bytes, value_bytes)| {
            key_bytes.clear();
            value_bytes.clear();
            self.encoder.put_key(key, key_bytes);
            if let Some(record) = record {
                self.encoder.put_value(record, value_bytes)?;
            }
            let queued = self.producer.enqueue(Borrowed {
                topic: R::descriptor().topic.as_str(),
                partition: None,
                key: key_bytes,
                value: record.map(|_| value_bytes.as_slice()),
                headers,
                timestamp: None,
            });
            if value_bytes.capacity() > SCRATCH_BYTES {
                value_bytes.shrink_to(SCRATCH_BYTES);
            }
            queued
        })
    }
}

impl<R> Clone for TypedProducer<R> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            encoder: self.encoder.clone(),
            trace: self.trace,
            version: self.version.clone(),
        }
    }
}

impl<R> fmt::Debug for TypedProducer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedProducer")
            .field("producer", &self.producer)
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}
