//! State products whose rows the domain keeps as documents, so that what is lost with the
//! store can be read back from their compacted topics.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use async_trait::async_trait;
use mesh_core::contract::ProductKind;
use mesh_core::{Descriptor, Error, Record, RecordKey, Result};
use mesh_stream::{Decoder, RawRecord, RegistryClient};

use crate::effects::Change;
use crate::state::{Stored, to_text};

/// Who writes the documents of a kept product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Handlers with an outbox: the documents are ahead of the topic.
    Outbox,
    /// Kafka-to-Kafka handlers: the documents follow the topic.
    Topic,
}

/// A kept product as a domain declares it.
pub(crate) struct Declared {
    pub(crate) descriptor: &'static Descriptor,
    pub(crate) kind: String,
    pub(crate) writer: Writer,
    start: fn(&str, &RegistryClient) -> Result<Box<dyn Row>>,
}

impl Declared {
    pub(crate) fn new<R: Record>(kind: &str, writer: Writer) -> Self {
        Self {
            descriptor: R::descriptor(),
            kind: kind.to_owned(),
            writer,
            start: |kind, registry| {
                Ok(Box::new(Typed::<R> {
                    kind: kind.to_owned(),
                    decoder: Decoder::new(registry.clone())?,
                    record: PhantomData,
                }))
            },
        }
    }

    /// # Errors
    /// If only the latest record of a key does not say what the state is.
    pub(crate) fn check(&self) -> Result<()> {
        match self.descriptor.contract.schema.kind {
            ProductKind::State => Ok(()),
            ProductKind::Event => Err(Error::invalid("only a state product can be kept")
                .with("topic", self.descriptor.topic.as_str())
                .mend("make it a state product (`mesh.kind`), or keep documents of your own")),
        }
    }
}

/// Rows of one product as documents.
#[async_trait]
trait Row: Send + Sync {
    async fn change(&self, record: &RawRecord) -> Result<Change>;
}

struct Typed<R: Record> {
    kind: String,
    decoder: Decoder<R>,
    record: PhantomData<fn() -> R>,
}

#[async_trait]
impl<R: Record> Row for Typed<R> {
    async fn change(&self, record: &RawRecord) -> Result<Change> {
        let row = self.decoder.decode(record).await?;
        Ok(Change {
            kind: self.kind.clone(),
            key: row.key.to_text(),
            body: match row.value {
                Some(value) => Some(to_text(&self.kind, &Stored(value))?),
                None => None,
            },
        })
    }
}

/// A kept product of a running domain.
pub(crate) struct Kept {
    pub(crate) topic: &'static str,
    pub(crate) partitions: i32,
    pub(crate) kind: String,
    pub(crate) writer: Writer,
    /// The Kafka-to-Kafka handler that has emitted it.
    by: OnceLock<String>,
    row: Box<dyn Row>,
}

impl Kept {
    /// Lets one Kafka-to-Kafka handler alone write a followed product: each reads the documents
    /// as it has written them itself, so two would lose each other's changes.
    ///
    /// # Errors
    /// If it is not the first that emits the product.
    pub(crate) fn claim(&self, handler: &str) -> Result<()> {
        let first = self.by.get_or_init(|| handler.to_owned());
        if first == handler {
            return Ok(());
        }
        Err(
            Error::internal("a followed product is written by one Kafka-to-Kafka handler alone")
                .with("topic", self.topic)
                .with("handler", handler)
                .with("written_by", first)
                .mend("let one handler emit it, or give each of them a product of its own"),
        )
    }

    /// The document that a record of the product makes.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub(crate) async fn change(&self, record: &RawRecord) -> Result<Change> {
        self.row.change(record).await
    }
}

/// The kept products of a running domain, by topic.
#[derive(Default)]
pub(crate) struct Keeps {
    by_topic: BTreeMap<&'static str, Kept>,
}

impl Keeps {
    pub(crate) fn start(declared: &[Declared], registry: &RegistryClient) -> Result<Self> {
        let mut by_topic = BTreeMap::new();
        for kept in declared {
            let topic = kept.descriptor.topic.as_str();
            by_topic.insert(
                topic,
                Kept {
                    topic,
                    partitions: kept.descriptor.contract.schema.partitions,
                    kind: kept.kind.clone(),
                    writer: kept.writer,
                    by: OnceLock::new(),
                    row: (kept.start)(&kept.kind, registry)?,
                },
            );
        }
        Ok(Self { by_topic })
    }

    pub(crate) fn of(&self, topic: &str) -> Option<&Kept> {
        self.by_topic.get(topic)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Kept> {
        self.by_topic.values()
    }
}
