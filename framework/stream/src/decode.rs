//! Bytes of a topic as typed records.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use apache_avro::Schema;
use apache_avro::types::Value;
use mesh_core::{Error, ErrorKind, Record, RecordKey, Result};

use crate::accord::{self, Discord};
use crate::consumer::RawRecord;
use crate::frame::{corrupt, split_frame};
use crate::headers::Headers;
use crate::registry::{RegistryClient, WriterSchema};

/// A decoded record and where it stood.
#[derive(Debug, Clone)]
pub struct Received<R: Record> {
    /// The Kafka key.
    pub key: R::Key,
    /// The record; `None` for a tombstone.
    pub value: Option<R>,
    /// The headers.
    pub headers: Headers,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970; -1 if the record has none.
    pub timestamp: i64,
}

/// Decodes records of product `R`, whatever schema of the product they were written under.
pub struct Decoder<R> {
    keys: Schemas,
    values: Schemas,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Decoder<R> {
    /// A decoder that asks `registry` for the writers' schemas.
    ///
    /// # Errors
    /// If the contract's own schemas are not valid, which its compilation excludes.
    pub fn new(registry: RegistryClient) -> Result<Self> {
        let descriptor = R::descriptor();
        Ok(Self {
            keys: Schemas::new(registry.clone(), &descriptor.key_schema)?,
            values: Schemas::new(registry, &descriptor.value_schema)?,
            record: PhantomData,
        })
    }

    /// Decodes a record.
    ///
    /// # Errors
    /// Retryable while the registry cannot be reached. Else the record cannot be read:
    /// [`ErrorKind::Corrupt`] if its bytes are not what its schema says,
    /// [`ErrorKind::NotFound`] if its schema is not registered,
    /// [`ErrorKind::FailedPrecondition`] if that schema cannot be read as the contract
    /// says, [`ErrorKind::InvalidInput`] if a column or header is not as it should be. The
    /// error names topic, partition and offset, and never a value.
    pub async fn decode(&self, record: &RawRecord) -> Result<Received<R>> {
        self.read(record).await.map_err(|error| {
            error
                .with("topic", &record.topic)
                .with("partition", record.partition)
                .with("offset", record.offset)
        })
    }

    async fn read(&self, record: &RawRecord) -> Result<Received<R>> {
        let key = self.keys.decode_key(record).await?;
        let value = match record.value.as_deref() {
            Some(value) => Some(self.values.decode(value).await?),
            None => None,
        };
        Ok(Received {
            key: R::Key::decode(&key)?,
            value: value.as_ref().map(R::decode).transpose()?,
            headers: record.event_headers()?,
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
        })
    }
}

impl<R> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("registry", &self.values.registry)
            .finish_non_exhaustive()
    }
}

/// The writers' schemas that were met, each checked once against the reader's.
pub(crate) struct Schemas {
    registry: RegistryClient,
    reader: Schema,
    judged: RwLock<HashMap<u32, Judged>>,
}

#[derive(Clone)]
enum Judged {
    Accepted(Arc<WriterSchema>),
    Refused(Arc<Discord>),
}

impl Schemas {
    pub(crate) fn new(registry: RegistryClient, reader: &str) -> Result<Self> {
        let reader = Schema::parse_str(reader).map_err(|error| {
            Error::new(
                ErrorKind::InvalidInput,
                "the contract's Avro schema is not valid",
            )
            .because(error)
        })?;
        Ok(Self {
            registry,
            reader,
            judged: RwLock::default(),
        })
    }

    /// The key of a record.
    pub(crate) async fn decode_key(&self, record: &RawRecord) -> Result<Value> {
        let key = record.key.as_deref().ok_or_else(|| {
            corrupt("the record has no key").mend("publish with the key that the contract names")
        })?;
        self.decode(key)
            .await
            .map_err(|error| error.with("part", "key"))
    }

    /// The schema `id`, if records under it can be read as the contract says.
    pub(crate) async fn get(&self, id: u32) -> Result<Arc<WriterSchema>> {
        let known = match self.judged.read() {
            Ok(judged) => judged.get(&id).cloned(),
            Err(poisoned) => poisoned.into_inner().get(&id).cloned(),
        };
        let judged = match known {
            Some(judged) => judged,
            None => {
                let schema = self.registry.writer_schema(id).await?;
                let judged = match accord::check(&self.reader, &schema.schema) {
                    Ok(()) => Judged::Accepted(schema),
                    Err(discord) => {
                        tracing::warn!(schema_id = id, ?discord, "a writer's schema is refused");
                        Judged::Refused(Arc::new(discord))
                    }
                };
                match self.judged.write() {
                    Ok(mut map) => map.insert(id, judged.clone()),
                    Err(poisoned) => poisoned.into_inner().insert(id, judged.clone()),
                };
                judged
            }
        };
        match judged {
            Judged::Accepted(schema) => Ok(schema),
            Judged::Refused(discord) => Err(discord.error(id)),
        }
    }

    pub(crate) async fn decode(&self, framed: &[u8]) -> Result<Value> {
        let (id, avro) = split_frame(framed)?;
        self.get(id).await?.decode(avro)
    }
}
