//! Making ready on the platform: topics, schemas, the catalog. Each step is tried until
//! the platform is there; a refusal that trying again cannot change ends the process.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;

use mesh_core::{Descriptor, Error, ErrorKind, EventId, Result, TraceContext};
use mesh_stream::{
    Admin, Ends, Registered, RegistryClient, TopicSpec, partition_for, put_frame, register_product,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::backoff::Backoff;
use crate::effects::Output;
use crate::ends;
use crate::host::Host;
use crate::keep::Writer;
use crate::status::sentence;
use crate::store::OutboxRow;

/// The products of the domain as they are registered.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    topics: BTreeMap<&'static str, OutputTopic>,
    /// Bytes of a framed key and value together at most.
    limit: usize,
}

#[derive(Debug)]
struct OutputTopic {
    registered: Registered,
    partitions: i32,
    version: String,
    /// What its records say of its end.
    ends: Option<Arc<Ends>>,
    compacted: bool,
    /// Whether only Kafka-to-Kafka handlers write it.
    followed: bool,
}

impl Outputs {
    /// The row of the outbox for an output.
    ///
    /// # Errors
    /// If the domain does not hand out that product, or Kafka would not take a record of
    /// that size.
    pub(crate) fn row(
        &self,
        output: Output,
        event_id: EventId,
        trace: TraceContext,
    ) -> Result<OutboxRow> {
        let name = output.descriptor.topic.as_str();
        let topic = self.topics.get(name).ok_or_else(|| {
            Error::internal("a record was emitted to a product that the domain does not declare")
                .with("topic", name)
                .mend("declare it with `.product::<…>()`")
        })?;
        let framed = |id: u32, body: &[u8]| {
            let mut bytes = Vec::with_capacity(mesh_stream::FRAME_BYTES + body.len());
            put_frame(id, &mut bytes);
            bytes.extend_from_slice(body);
            bytes
        };
        let key = framed(topic.registered.key_id, &output.key);
        let value = output
            .value
            .map(|value| framed(topic.registered.value_id, &value));
        let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes > self.limit {
            return Err(Error::invalid("a record is too large to be published")
                .with("topic", name)
                .with("bytes", bytes)
                .with("limit", self.limit)
                .mend(
                    "make it smaller; or raise `message.max.bytes` in the table [kafka], and \
                     `max.message.bytes` of the topic with it",
                ));
        }
        Ok(OutboxRow {
            seq: 0,
            topic: name.to_owned(),
            partition: partition_for(&key, topic.partitions),
            event_id: event_id.0.as_bytes().to_vec(),
            trace: trace.to_string(),
            contract_version: topic.version.clone(),
            value,
            key,
        })
    }

    /// What the records of `topic` say of its end.
    pub(crate) fn ends(&self, topic: &str) -> Option<Arc<Ends>> {
        self.topics.get(topic)?.ends.clone()
    }

    /// Whether only Kafka-to-Kafka handlers write `topic`.
    pub(crate) fn followed(&self, topic: &str) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.followed)
    }

    /// Every partition that the outbox may write, and whether its topic is compacted.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (&'static str, i32, bool)> {
        self.topics.iter().flat_map(|(name, topic)| {
            (0..topic.partitions).map(move |partition| (*name, partition, topic.compacted))
        })
    }
}

/// Tries `step` until it succeeds, showing under `part` why it has not yet. `None` if the
/// host stops.
///
/// # Errors
/// What trying again cannot change.
pub(crate) async fn persist<T, Fut>(
    host: &Host,
    part: &str,
    stop: &CancellationToken,
    mut step: impl FnMut() -> Fut,
) -> Result<Option<T>>
where
    Fut: Future<Output = Result<T>>,
{
    let mut backoff = Backoff::network();
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            result = step() => result,
        };
        match result {
            Ok(value) => {
                host.status.clear(part);
                return Ok(Some(value));
            }
            Err(error) if is_final(&error) => {
                host.status.wait(part, sentence(&error));
                return Err(error);
            }
            Err(error) => {
                if backoff.attempts() == 0 {
                    tracing::warn!(
                        part,
                        error = error.log_line(),
                        "not ready yet, trying again"
                    );
                } else {
                    tracing::debug!(part, error = error.log_line(), "still not ready");
                }
                host.status.wait(part, sentence(&error));
                if !backoff.wait(stop).await {
                    return Ok(None);
                }
            }
        }
    }
}

/// Whether a person has to mend something before another attempt makes sense.
fn is_final(error: &Error) -> bool {
    !error.is_retryable()
        && matches!(
            error.kind(),
            ErrorKind::InvalidInput
                | ErrorKind::Conflict
                | ErrorKind::FailedPrecondition
                | ErrorKind::Unsupported
                | ErrorKind::PermissionDenied
                | ErrorKind::Unauthenticated
                | ErrorKind::Corrupt
        )
}

/// Makes sure that a product which a replay writes does not come into service when it is
/// registered: it is a draft, or its version was put into service before.
async fn is_draft(host: &Host, product: &Descriptor) -> Result<()> {
    let contract = &product.contract;
    let Some(replay) = host.replays.versions.writer(product.topic.as_str()) else {
        return Ok(());
    };
    if matches!(contract.status.as_str(), "draft" | "proposed") {
        return Ok(());
    }
    let major = contract.version.major;
    let status = host
        .catalog
        .major_status(&contract.domain, &contract.product, major)
        .await?;
    match status.as_deref() {
        Some("active" | "deprecated" | "retired") => Ok(()),
        _ => Err(Error::new(
            ErrorKind::FailedPrecondition,
            "a product that a replay is to fill would be in service at once",
        )
        .with("topic", product.topic.as_str())
        .with("replay", replay)
        .with("status", &contract.status)
        .mend("write `status: draft` in its contract; switching over puts it into service")),
    }
}

/// Makes the topics, registers schemas and products, and says where the API is. Records may
/// have `limit` bytes.
///
/// `None` if the host stops before that is done.
pub(crate) async fn prepare(
    host: &Host,
    products: &[&'static Descriptor],
    admin: &Admin,
    registry: &RegistryClient,
    api_url: &Url,
    limit: usize,
) -> Result<Option<Outputs>> {
    let stop = &host.intake;
    let mut registered = HashMap::new();
    for product in products {
        let topic = product.topic.as_str();
        let draft = persist(host, "catalog", stop, || is_draft(host, product));
        if draft.await?.is_none() {
            return Ok(None);
        }
        let spec = TopicSpec::from(*product);
        let ensured = persist(host, "kafka", stop, || admin.ensure_topic(&spec)).await?;
        let ids = match ensured {
            Some(_) => {
                persist(host, "registry", stop, || {
                    register_product(registry, product)
                })
                .await?
            }
            None => None,
        };
        let Some(ids) = ids else { return Ok(None) };
        let in_catalog = persist(host, "catalog", stop, || {
            host.catalog.register_product(product, &ids)
        });
        if in_catalog.await?.is_none() {
            return Ok(None);
        }
        tracing::info!(
            topic,
            version = %product.contract.version,
            key_schema_id = ids.key_id,
            value_schema_id = ids.value_id,
            "product registered"
        );
        registered.insert(topic, ids);
    }
    // Before it is said what is read: whom the catalog does not know yet is a new reader.
    let inputs = persist(host, "catalog", stop, || host.inputs.ask(host));
    if inputs.await?.is_none() {
        return Ok(None);
    }
    let domain = persist(host, "catalog", stop, || {
        let reads = host.inputs.reads();
        async move {
            host.catalog
                .register_domain(&host.domain, api_url, &reads)
                .await
        }
    });
    if domain.await?.is_none() {
        return Ok(None);
    }
    let topics = products
        .iter()
        .filter_map(|product| {
            let topic = product.topic.as_str();
            let spec = TopicSpec::from(*product);
            Some((
                topic,
                OutputTopic {
                    registered: *registered.get(topic)?,
                    partitions: spec.partitions,
                    version: product.contract.version.to_string(),
                    ends: ends::announced(product, products),
                    compacted: spec
                        .configs
                        .get("cleanup.policy")
                        .is_some_and(|policy| policy != "delete"),
                    followed: host
                        .keeps
                        .of(topic)
                        .is_some_and(|kept| kept.writer == Writer::Topic),
                },
            ))
        })
        .collect();
    Ok(Some(Outputs { topics, limit }))
}
