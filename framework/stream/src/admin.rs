//! Topics: making them as a contract says, and asking about them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_core::contract::ProductKind;
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{IsError, KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use tokio::sync::OnceCell;

use crate::client::{Context, drain};
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};

const CLEANUP: &str = "cleanup.policy";
const RETENTION: &str = "retention.ms";
/// Between two tries of a question.
const PAUSE: Duration = Duration::from_millis(50);

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// Its settings by Kafka's names.
    pub configs: BTreeMap<String, String>,
}

impl From<&Descriptor> for TopicSpec {
    /// A state product is compacted, an event product kept for as long as its contract
    /// says; retention is explicit for both. What the contract says of the topic's settings
    /// (`mesh.topic.<name>`) goes before that.
    fn from(descriptor: &Descriptor) -> Self {
        let contract = &descriptor.contract;
        let policy = match contract.schema.kind {
            ProductKind::State => "compact",
            ProductKind::Event => "delete",
        };
        let mut configs = BTreeMap::from([
            (CLEANUP.to_owned(), policy.to_owned()),
            (
                RETENTION.to_owned(),
                contract.retention.as_millis().to_string(),
            ),
        ]);
        configs.extend(contract.schema.topic_configs.clone());
        Self {
            name: descriptor.topic.as_str().to_owned(),
            partitions: contract.schema.partitions,
            configs,
        }
    }
}

/// What [`Admin::ensure_topic`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// The topic was made.
    Created,
    /// The topic was there already.
    Exists,
}

/// Asks and changes what concerns topics. Clones share one client.
#[derive(Clone)]
pub struct Admin {
    inner: Arc<Inner>,
}

struct Inner {
    config: StreamConfig,
    client: Arc<BaseConsumer<Context>>,
    /// Made when the end of a log is first asked for.
    uncommitted: OnceCell<Arc<BaseConsumer<Context>>>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("bootstrap", &self.inner.config.bootstrap)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// A client; the broker need not be there yet.
    ///
    /// # Errors
    /// If a setting is refused by librdkafka.
    pub fn new(config: &StreamConfig) -> Result<Self> {
        Ok(Self {
            inner: Arc::new(Inner {
                config: config.clone(),
                client: client(config, &config.admin())?,
                uncommitted: OnceCell::new(),
            }),
        })
    }

    /// Makes the topic, or checks that the one that is there has the same partitions and
    /// clean-up policy. Other settings that differ are logged and left as they are.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] with a mend if the topic is there and differs,
    /// [`ErrorKind::Unavailable`] if no broker answers.
    pub async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured> {
        if self.create_topic(spec).await? == Ensured::Created {
            return Ok(Ensured::Created);
        }
        let partitions = self.partitions(&spec.name).await?;
        if partitions != spec.partitions {
            return Err(differs(spec, "partitions", partitions, spec.partitions)
                .mend("say the topic's number in the contract (`mesh.partitions`); keys would change places otherwise"));
        }
        let found = self.topic_settings(&[&spec.name]).await?;
        let found = found.get(&spec.name).ok_or_else(|| {
            Error::not_found("the topic is gone while it was looked at").with("topic", &spec.name)
        })?;
        for (name, wanted) in &spec.configs {
            let is = found.get(name).map(|setting| setting.value.as_str());
            if is == Some(wanted) {
                continue;
            }
            let is = is.unwrap_or("not told");
            if name == CLEANUP {
                return Err(differs(spec, CLEANUP, is, wanted).mend(
                    "make the product's `mesh.kind` what it was, or publish it as a new major version",
                ));
            }
            tracing::warn!(
                topic = spec.name,
                setting = name,
                is,
                wanted,
                "a topic's setting is not what its contract says"
            );
        }
        Ok(Ensured::Exists)
    }

    /// How many partitions `topic` has.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such topic.
    pub async fn partitions(&self, topic: &str) -> Result<i32> {
        let name = topic.to_owned();
        self.ask("asking for a topic", move |client| {
            let metadata = client.fetch_metadata(Some(&name), ASK_TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == name);
            let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
            let found = found.ok_or_else(|| unknown.clone())?;
            match found.error() {
                Some(error) if error.is_error() => Err(KafkaError::MetadataFetch(error.into())),
                _ if found.partitions().is_empty() => Err(unknown),
                _ => Ok(found.partitions().len()),
            }
        })
        .await
        .map(|count| i32::try_from(count).unwrap_or(i32::MAX))
        .map_err(|error| error.with("topic", topic))
    }

    /// The first offset still there, and the end of what a reader of committed records
    /// sees: the first offset of an open transaction, or that after the last record.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such partition.
    pub async fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let name = topic.to_owned();
        self.ask("asking for offsets", move |client| {
            watermarks(client, &name, partition)
        })
        .await
        .map_err(|error| error.with("topic", topic).with("partition", partition))
    }

    /// The offset after the last record, whether its transaction is committed or not.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such partition.
    pub async fn log_end(&self, topic: &str, partition: i32) -> Result<i64> {
        let name = topic.to_owned();
        let config = &self.inner.config;
        let made = self.inner.uncommitted.get_or_try_init(|| async {
            let mut settings = config.admin();
            settings.set("isolation.level", "read_uncommitted");
            client(config, &settings)
        });
        self.question(made.await?, "asking for offsets", move |client| {
            watermarks(client, &name, partition)
        })
        .await
        .map(|(_, high)| high)
        .map_err(|error| error.with("topic", topic).with("partition", partition))
    }

    /// For each partition of `topic`, the first offset whose record was published at or after
    /// `millis` (milliseconds since 1970), whatever stands behind it; nothing where all
    /// records are older.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such topic.
    pub async fn offsets_since(
        &self,
        topic: &str,
        partitions: i32,
        millis: i64,
    ) -> Result<Vec<Option<i64>>> {
        let name = topic.to_owned();
        self.ask("asking for offsets by time", move |client| {
            let mut asked = TopicPartitionList::with_capacity(partitions.max(0) as usize);
            for partition in 0..partitions {
                asked.add_partition_offset(&name, partition, Offset::Offset(millis))?;
            }
            let answered = client.offsets_for_times(asked, ASK_TIMEOUT)?;
            (0..partitions)
                .map(|partition| {
                    let Some(element) = answered.find_partition(&name, partition) else {
                        return Err(KafkaError::OffsetFetch(
                            RDKafkaErrorCode::UnknownTopicOrPartition,
                        ));
                    };
                    element.error()?;
                    Ok(match element.offset() {
                        Offset::Offset(offset) if offset >= 0 => Some(offset),
                        _ => None,
                    })
                })
                .collect()
        })
        .await
        .map_err(|error| error.with("topic", topic))
    }

    /// Whether a broker answers.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if none does.
    pub async fn reachable(&self) -> Result<()> {
        self.ask("asking for the cluster", |client| {
            // One topic, there or not: the metadata of all may be large.
            client
                .fetch_metadata(Some("__consumer_offsets"), ASK_TIMEOUT)
                .map(drop)
        })
        .await
    }

    pub(crate) fn config(&self) -> &StreamConfig {
        &self.inner.config
    }

    /// The client of questions.
    pub(crate) fn client(&self) -> &Arc<BaseConsumer<Context>> {
        &self.inner.client
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        ask: impl Fn(&BaseConsumer<Context>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T> {
        self.question(&self.inner.client, what, ask).await
    }

    async fn question<T: Send + 'static>(
        &self,
        client: &Arc<BaseConsumer<Context>>,
        what: &'static str,
        ask: impl Fn(&BaseConsumer<Context>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T> {
        let client = Arc::clone(client);
        tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            loop {
                let answer = ask(&client);
                // What librdkafka has logged since the last question.
                drain(&client);
                // A request that was on a connection when it closed is not sent again by
                // librdkafka, and a client that learns the cluster's nodes closes one.
                match answer
                    .as_ref()
                    .err()
                    .and_then(KafkaError::rdkafka_error_code)
                {
                    Some(
                        RDKafkaErrorCode::BrokerTransportFailure
                        | RDKafkaErrorCode::DestroyBroker
                        | RDKafkaErrorCode::NetworkException,
                    ) if begin.elapsed() < ASK_TIMEOUT => std::thread::sleep(PAUSE),
                    _ => return answer,
                }
            }
        })
        .await
        .map_err(|error| Error::internal(what).because(error))?
        .map_err(|error| fault::kafka(&self.inner.config.bootstrap, what, error))
    }
}

/// The bounds of a partition. A client that has asked while the topic was being made keeps
/// it in mind as one without partitions, for a quarter of an hour: it is told to look again.
fn watermarks(
    client: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), KafkaError> {
    match client.fetch_watermarks(topic, partition, ASK_TIMEOUT) {
        Err(error)
            if matches!(
                error.rdkafka_error_code(),
                Some(
                    RDKafkaErrorCode::UnknownPartition
                        | RDKafkaErrorCode::UnknownTopic
                        | RDKafkaErrorCode::UnknownTopicOrPartition
                )
            ) =>
        {
            client.fetch_metadata(Some(topic), ASK_TIMEOUT)?;
            client.fetch_watermarks(topic, partition, ASK_TIMEOUT)
        }
        answer => answer,
    }
}

fn client(config: &StreamConfig, settings: &ClientConfig) -> Result<Arc<BaseConsumer<Context>>> {
    BaseConsumer::from_config_and_context(settings, Context::new(config, "admin"))
        .map(Arc::new)
        .map_err(|error| fault::kafka(&config.bootstrap, "making a client", error))
}

fn differs(
    spec: &TopicSpec,
    what: &str,
    is: impl fmt::Display,
    wanted: impl fmt::Display,
) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the topic is there already and is not what the contract says",
    )
    .with("topic", &spec.name)
    .with("setting", what)
    .with("is", is)
    .with("contract", wanted)
}
