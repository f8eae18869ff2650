//! What is written into the history, and how its table begins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mesh_core::contract::{Contract, Version};
use mesh_core::{Error, ErrorKind, Result};
use serde_json::json;
use uuid::Uuid;

use crate::config::HistoryConfig;
use crate::place::ProductRef;
use crate::schema::{evolve, from_delta, table_schema, to_delta};
use crate::sort::order_of;
use crate::state::{CONTRACT, Metadata, ORDER, TOPIC, TOPIC_ID};

/// How long commits are kept at least.
const LOG_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A product's version and the topic that it stands on.
#[derive(Debug, Clone)]
pub struct Source {
    /// The domain.
    pub domain: String,
    /// The product.
    pub product: String,
    /// The major version.
    pub version: u64,
    /// The topic.
    pub topic: String,
    /// The contract that rows are read by.
    pub contract: Arc<Contract>,
}

impl Source {
    /// The source that `contract` describes.
    pub fn of(contract: Arc<Contract>) -> Self {
        Self {
            domain: contract.domain.clone(),
            product: contract.product.clone(),
            version: contract.version.major,
            topic: contract.schema.topic.clone(),
            contract,
        }
    }

    /// The product, as readers name it.
    pub fn product_ref(&self) -> ProductRef {
        ProductRef::new(&self.domain, &self.product, self.version)
    }

    /// How its table begins.
    pub(crate) fn metadata(
        &self,
        topic_id: Option<Uuid>,
        config: &HistoryConfig,
    ) -> Result<Metadata> {
        let contract = &self.contract;
        let interval = |kept: Duration| format!("interval {} seconds", kept.as_secs());
        // A writer that looked away for longer than commits are kept could take the place of
        // one that was cleaned up for free.
        let log_kept = config.grace.max(LOG_KEPT);
        let mut configuration: BTreeMap<String, String> = [
            (TOPIC, self.topic.clone()),
            (CONTRACT, contract.version.to_string()),
            (ORDER, order_of(contract)),
            ("mesh.kind", contract.schema.kind.as_str().to_owned()),
            ("delta.logRetentionDuration", interval(log_kept)),
            ("delta.deletedFileRetentionDuration", interval(config.grace)),
            (
                "delta.checkpointInterval",
                config.checkpoint_every.to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(id) = topic_id {
            configuration.insert(TOPIC_ID.to_owned(), id.to_string());
        }
        let purpose = contract.description.purpose.clone();
        Ok(Metadata {
            id: Uuid::new_v4().to_string(),
            name: Some(format!("{}.{}", self.domain, self.product)),
            description: contract.schema.description.clone().or(purpose),
            format: json!({"provider": "parquet", "options": {}}),
            schema_string: to_delta(&table_schema(contract))?.to_string(),
            partition_columns: Vec::new(),
            configuration,
            created_time: Some(Utc::now().timestamp_millis()),
        })
    }

    /// What `metadata` must become so that rows of this contract can be written; `None` if
    /// they can.
    ///
    /// # Errors
    /// [`ErrorKind::FailedPrecondition`] if the table is another topic's, or a column has
    /// another type.
    pub(crate) fn evolve(&self, metadata: &Metadata) -> Result<Option<Metadata>> {
        let known = &metadata.configuration;
        let told = known.get(TOPIC).map_or("", String::as_str);
        if told != self.topic {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the table holds the history of another topic",
            )
            .with("topic", &self.topic)
            .with("history", told)
            .mend("move the table away; it is written anew from the topic"));
        }
        let version = known
            .get(CONTRACT)
            .and_then(|text| Version::parse(text).ok());
        let newer = version.is_none_or(|version| self.contract.version >= version);
        let schema = from_delta(&metadata.schema_string)?;
        let mut wanted = metadata.clone();
        if let Some(evolved) = evolve(&schema, &table_schema(&self.contract), newer)? {
            wanted.schema_string = to_delta(&evolved)?.to_string();
        }
        if newer {
            let configuration = &mut wanted.configuration;
            configuration.insert(CONTRACT.to_owned(), self.contract.version.to_string());
            configuration.insert(ORDER.to_owned(), order_of(&self.contract));
        }
        Ok((wanted != *metadata).then_some(wanted))
    }

    /// # Errors
    /// [`ErrorKind::FailedPrecondition`] if the topic with `id` is not the one that the table
    /// was written from.
    pub(crate) fn check_topic(&self, metadata: &Metadata, id: Option<Uuid>) -> Result<()> {
        let known = metadata.configuration.get(TOPIC_ID);
        let known = known.and_then(|text| Uuid::parse_str(text).ok());
        match (known, id) {
            (Some(known), Some(id)) if known != id => Err(self.made_anew()),
            _ => Ok(()),
        }
    }

    /// The error of a topic that is not the one that the table was written from.
    pub(crate) fn made_anew(&self) -> Error {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the topic was made anew since its history was begun",
        )
        .with("topic", &self.topic)
        .mend("move the table away to keep what it holds; the new topic's is then begun")
    }
}
