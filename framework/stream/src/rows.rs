//! Bytes of a topic as rows of a product whose contract is read at run time.

use mesh_core::{Descriptor, Result};
use serde_json::{Map, Value as Json};

use crate::consumer::RawRecord;
use crate::decode::Schemas;
use crate::headers::Headers;
use crate::registry::RegistryClient;

/// A record as a row of JSON, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRow {
    /// The columns of the Kafka key.
    pub key: Map<String, Json>,
    /// The row; `None` for a tombstone.
    pub value: Option<Map<String, Json>>,
    /// The headers.
    pub headers: Headers,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Decodes records of the product of a [`Descriptor`], whatever schema of the product they
/// were written under.
pub struct RowDecoder {
    keys: Schemas,
    values: Schemas,
    product: &'static Descriptor,
}

impl RowDecoder {
    /// A decoder that asks `registry` for the writers' schemas.
    ///
    /// # Errors
    /// If the schemas that follow from the contract are not valid.
    pub fn new(registry: RegistryClient, product: &'static Descriptor) -> Result<Self> {
        Ok(Self {
            keys: Schemas::new(registry.clone(), &product.key_schema)?,
            values: Schemas::new(registry, &product.value_schema)?,
            product,
        })
    }

    /// Decodes a record.
    ///
    /// # Errors
    /// As [`Decoder::decode`](crate::Decoder::decode).
    pub async fn decode(&self, record: &RawRecord) -> Result<ReceivedRow> {
        self.read(record).await.map_err(|error| {
            error
                .with("topic", &record.topic)
                .with("partition", record.partition)
                .with("offset", record.offset)
        })
    }

    async fn read(&self, record: &RawRecord) -> Result<ReceivedRow> {
        let key = self.keys.decode_key(record).await?;
        let value = match record.value.as_deref() {
            Some(value) => Some(self.product.decode_row(&self.values.decode(value).await?)?),
            None => None,
        };
        Ok(ReceivedRow {
            key: self.product.decode_row_key(&key)?,
            value,
            headers: record.event_headers()?,
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
        })
    }
}

impl std::fmt::Debug for RowDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowDecoder")
            .field("topic", &self.product.topic.as_str())
            .finish_non_exhaustive()
    }
}
