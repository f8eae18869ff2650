//! Handlers: what a domain does when an event arrives.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt;
use mesh_core::{Descriptor, Error, Record, Result};
use mesh_stream::{Decoder, RawRecord, Received, ReceivedRow, RegistryClient, RowDecoder};

use crate::context::Context;
use crate::effects::Effects;

/// Consumes one product, own or another domain's.
///
/// The host calls it for one event of a partition after the other, and commits its effects
/// with the event's id in one local transaction, so that their sum is as if each event had
/// been handled exactly once. The call itself may happen more often: after a crash, and
/// when a document it has read was changed before the commit. So it only returns what is
/// to be done, and what it does elsewhere (a POST to a peer) has to be repeatable.
///
/// An error that is [retryable](mesh_core::Error::is_retryable) is tried again, with
/// back-off, until it passes; the partition waits, other partitions go on. Any other error
/// is tried a few times, and then the event is set aside with its cause.
#[async_trait]
pub trait Handler<R: Record>: Send + Sync + 'static {
    /// What the event makes the domain do. `event.value` is `None` for a tombstone.
    ///
    /// # Errors
    /// What kept it from deciding; no effects are committed then.
    async fn handle(&self, event: &Received<R>, ctx: &Context) -> Result<Effects>;
}

/// Consumes a product whose contract is read when the process starts, own or another
/// domain's; otherwise as a [`Handler`].
#[async_trait]
pub trait RowHandler: Send + Sync + 'static {
    /// What the event makes the domain do. `event.value` is `None` for a tombstone.
    ///
    /// # Errors
    /// What kept it from deciding; no effects are committed then.
    async fn handle(&self, event: &ReceivedRow, ctx: &Context) -> Result<Effects>;
}

/// A handler of any record type.
pub(crate) trait AnyHandler: Send + Sync {
    fn descriptor(&self) -> &'static Descriptor;
    fn start(self: Box<Self>, registry: &RegistryClient) -> Result<Box<dyn RunningHandler>>;
}

/// A handler that can decode what it consumes.
#[async_trait]
pub(crate) trait RunningHandler: Send + Sync {
    async fn run(&self, record: &RawRecord, ctx: &Context) -> Result<Effects, Failure>;
}

/// Runs a handler for one record; its panic is a failure of the record.
pub(crate) async fn run_caught(
    handler: &dyn RunningHandler,
    record: &RawRecord,
    ctx: &Context,
) -> Result<Effects, Failure> {
    let run = AssertUnwindSafe(handler.run(record, ctx)).catch_unwind();
    run.await.unwrap_or_else(|_| {
        Err(Failure::Handle(
            Error::internal("the handler panicked").mend("see the log for where"),
        ))
    })
}

/// Why an event was not handled.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be decoded: trying again gives the same.
    Decode(mesh_core::Error),
    /// The handler refused it.
    Handle(mesh_core::Error),
}

pub(crate) struct Typed<R: Record, H> {
    handler: H,
    record: std::marker::PhantomData<fn() -> R>,
}

impl<R: Record, H: Handler<R>> Typed<R, H> {
    pub(crate) fn new(handler: H) -> Self {
        Self {
            handler,
            record: std::marker::PhantomData,
        }
    }
}

impl<R: Record, H: Handler<R>> AnyHandler for Typed<R, H> {
    fn descriptor(&self) -> &'static Descriptor {
        R::descriptor()
    }

    fn start(self: Box<Self>, registry: &RegistryClient) -> Result<Box<dyn RunningHandler>> {
        Ok(Box::new(Decoding {
            decoder: Decoder::<R>::new(registry.clone())?,
            handler: self.handler,
        }))
    }
}

pub(crate) struct Rows<H> {
    pub(crate) product: &'static Descriptor,
    pub(crate) handler: H,
}

impl<H: RowHandler> AnyHandler for Rows<H> {
    fn descriptor(&self) -> &'static Descriptor {
        self.product
    }

    fn start(self: Box<Self>, registry: &RegistryClient) -> Result<Box<dyn RunningHandler>> {
        Ok(Box::new(DecodingRows {
            decoder: RowDecoder::new(registry.clone(), self.product)?,
            handler: self.handler,
        }))
    }
}

struct DecodingRows<H> {
    handler: H,
    decoder: RowDecoder,
}

#[async_trait]
impl<H: RowHandler> RunningHandler for DecodingRows<H> {
    async fn run(&self, record: &RawRecord, ctx: &Context) -> Result<Effects, Failure> {
        let event = self.decoder.decode(record).await.map_err(Failure::Decode)?;
        self.handler
            .handle(&event, ctx)
            .await
            .map_err(Failure::Handle)
    }
}

struct Decoding<R: Record, H> {
    handler: H,
    decoder: Decoder<R>,
}

#[async_trait]
impl<R: Record, H: Handler<R>> RunningHandler for Decoding<R, H> {
    async fn run(&self, record: &RawRecord, ctx: &Context) -> Result<Effects, Failure> {
        let event = self.decoder.decode(record).await.map_err(Failure::Decode)?;
        self.handler
            .handle(&event, ctx)
            .await
            .map_err(Failure::Handle)
    }
}
