//! Reading topics as a member of a group.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::{Error, ErrorKind, Result};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Context;
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};
use crate::headers::Headers;
use crate::transaction::{GroupMetadata, metadata};

/// A record as it came, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970; -1 if the record has none.
    pub timestamp: i64,
    /// The framed key.
    pub key: Option<Bytes>,
    /// The framed value; a tombstone without one.
    pub value: Option<Bytes>,
    /// All headers in order, also those that are not the framework's.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl RawRecord {
    /// The framework's headers.
    ///
    /// # Errors
    /// As [`Headers::from_kafka`].
    pub fn event_headers(&self) -> Result<Headers> {
        let pairs = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        Headers::from_kafka(pairs, &self.topic, self.partition, self.offset)
    }

    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + length(value))
            .sum();
        length(&self.key) + length(&self.value) + headers
    }

    fn copy(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers: message
                .headers()
                .map(|headers| {
                    headers
                        .iter()
                        .map(|header| {
                            (
                                header.key.to_owned(),
                                header.value.map(Bytes::copy_from_slice),
                            )
                        })
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}

/// Who wants to know which partitions a member of a group has.
///
/// Both are called within [`GroupConsumer::recv`] (or while the consumer closes), and hold
/// up the whole group until they return: note the change and be done.
pub trait RebalanceListener: Send + Sync {
    /// These partitions are now this member's.
    fn assigned(&self, partitions: &[(String, i32)]);

    /// These partitions are about to go; when `lost`, they have gone already and nothing
    /// can be committed for them any more.
    fn revoked(&self, partitions: &[(String, i32)], lost: bool);
}

/// How far a group is behind on one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset that the group has to handle; `None` if it has committed none.
    pub committed: Option<i64>,
    /// The first offset still there.
    pub low: i64,
    /// The end, as [`Admin::watermarks`](crate::Admin::watermarks) tells it.
    pub high: i64,
}

impl Lag {
    /// Offsets between what is committed and the end.
    pub fn offsets(&self) -> i64 {
        (self.high - self.committed.unwrap_or(self.low).max(self.low)).max(0)
    }
}

/// A member of a consumer group that commits only what it is told to. A group that is new
/// begins at the earliest record.
pub struct GroupConsumer {
    /// Taken when the consumer closes.
    client: Option<Arc<StreamConsumer<Context>>>,
    group: String,
    bootstrap: String,
}

impl fmt::Debug for GroupConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupConsumer")
            .field("group", &self.group)
            .field("bootstrap", &self.bootstrap)
            .finish_non_exhaustive()
    }
}

impl GroupConsumer {
    /// Joins `group` to read `topics`. The broker and the topics need not be there yet.
    /// To be called within a tokio runtime.
    ///
    /// # Errors
    /// If a setting or a name is refused by librdkafka.
    pub fn new(config: &StreamConfig, group: &str, topics: &[&str]) -> Result<Self> {
        Self::build(config, group, topics, Context::new(config, "consumer"))
    }

    /// As [`GroupConsumer::new`], telling `listener` which partitions come and go.
    ///
    /// # Errors
    /// As [`GroupConsumer::new`].
    pub fn with_listener(
        config: &StreamConfig,
        group: &str,
        topics: &[&str],
        listener: Arc<dyn RebalanceListener>,
    ) -> Result<Self> {
        let context = Context::new(config, "consumer").with_listener(listener);
        Self::build(config, group, topics, context)
    }

    fn build(
        config: &StreamConfig,
        group: &str,
        topics: &[&str],
        context: Context,
    ) -> Result<Self> {
        let failed = |error| {
            fault::kafka(&config.bootstrap, "joining a consumer group", error).with("group", group)
        };
        let client: StreamConsumer<Context> = config
            .group_consumer(group)
            .create_with_context(context)
            .map_err(failed)?;
        client.subscribe(topics).map_err(failed)?;
        Ok(Self {
            client: Some(Arc::new(client)),
            group: group.to_owned(),
            bootstrap: config.bootstrap.clone(),
        })
    }

    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    fn client(&self) -> Result<&Arc<StreamConsumer<Context>>> {
        self.client
            .as_ref()
            .ok_or_else(|| Error::internal("the consumer is closed"))
    }

    fn error(&self, what: &'static str, error: KafkaError) -> Error {
        fault::kafka(&self.bootstrap, what, error).with("group", &self.group)
    }

    /// The next record. It must be asked for at least every `max.poll.interval.ms`, also
    /// while partitions are paused, or the member counts as dead. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] while no broker answers, [`ErrorKind::NotFound`] while a
    /// topic is not there. Both are retryable, and the consumer goes on trying by itself:
    /// ask again.
    pub async fn recv(&self) -> Result<RawRecord> {
        loop {
            let error = match self.client()?.recv().await {
                Ok(message) => return Ok(RawRecord::copy(&message)),
                Err(error) => error,
            };
            match error.rdkafka_error_code() {
                // One connection; it has been logged, and librdkafka connects again. When
                // the last one is gone, that is told apart as `AllBrokersDown`.
                Some(
                    RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::Resolve
                    | RDKafkaErrorCode::OperationTimedOut,
                ) => {}
                // Has no code; told if `enable.partition.eof` is overridden.
                None if matches!(error, KafkaError::PartitionEOF(_)) => {}
                _ => {
                    let error = self.error("reading as a consumer group", error);
                    let retryable = error.is_retryable() || error.kind() == ErrorKind::NotFound;
                    return Err(error.retryable(retryable));
                }
            }
        }
    }

    /// Commits, for each partition, the offset of the next record to handle, and waits
    /// until the group's coordinator has it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if a partition is no longer this member's.
    pub async fn commit(&self, offsets: &[(String, i32, i64)]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, next) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next))
                .map_err(|error| self.error("committing offsets", error))?;
        }
        self.blocking("committing offsets", move |client| {
            client.commit(&list, CommitMode::Sync)
        })
        .await
    }

    /// Stops handing out records of these partitions; those read ahead are dropped and read
    /// again later.
    ///
    /// # Errors
    /// If one of them is not assigned.
    pub fn pause(&self, partitions: &[(String, i32)]) -> Result<()> {
        self.client()?
            .pause(&list(partitions))
            .map_err(|error| self.error("pausing partitions", error))
    }

    /// Goes on handing out records of these partitions.
    ///
    /// # Errors
    /// If one of them is not assigned.
    pub fn resume(&self, partitions: &[(String, i32)]) -> Result<()> {
        self.client()?
            .resume(&list(partitions))
            .map_err(|error| self.error("resuming partitions", error))
    }

    /// Makes the record at `offset` the next of its partition.
    ///
    /// # Errors
    /// If the partition is not assigned.
    pub async fn seek(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let topic = topic.to_owned();
        self.blocking("seeking an offset", move |client| {
            client.seek(&topic, partition, Offset::Offset(offset), ASK_TIMEOUT)
        })
        .await
    }

    /// The partitions that are this member's now.
    ///
    /// # Errors
    /// If the consumer is closed.
    pub fn assignment(&self) -> Result<Vec<(String, i32)>> {
        let list = self
            .client()?
            .assignment()
            .map_err(|error| self.error("asking for the assignment", error))?;
        Ok(list
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect())
    }

    /// The offset after the last record that was handed out of each partition, or after
    /// the marks of transactions that follow it; partitions of which nothing came are left
    /// out. Nothing is asked of the broker.
    ///
    /// # Errors
    /// If the consumer is closed.
    pub fn position(&self) -> Result<Vec<(String, i32, i64)>> {
        let list = self
            .client()?
            .position()
            .map_err(|error| self.error("asking for the position", error))?;
        Ok(list
            .elements()
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(next) => {
                    Some((element.topic().to_owned(), element.partition(), next))
                }
                _ => None,
            })
            .collect())
    }

    /// The group as a transaction takes it: with this member's place in it, so that a
    /// transaction of a member that has lost its partitions is refused.
    ///
    /// # Errors
    /// If the consumer is closed.
    pub fn metadata(&self) -> Result<Arc<GroupMetadata>> {
        metadata(self.client()?.as_ref())
    }

    /// How far the group is behind on this member's partitions.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the broker cannot be asked.
    pub async fn lag(&self) -> Result<Vec<Lag>> {
        self.blocking("asking for the group's lag", |client| {
            let committed = client.committed(ASK_TIMEOUT)?;
            committed
                .elements()
                .iter()
                .map(|element| {
                    let (topic, partition) = (element.topic(), element.partition());
                    let (low, high) = client.fetch_watermarks(topic, partition, ASK_TIMEOUT)?;
                    Ok(Lag {
                        topic: topic.to_owned(),
                        partition,
                        committed: match element.offset() {
                            Offset::Offset(offset) => Some(offset),
                            _ => None,
                        },
                        low,
                        high,
                    })
                })
                .collect()
        })
        .await
    }

    /// Leaves the group, so that its other members need not wait for this one's session to
    /// run out.
    pub async fn close(mut self) {
        if let Some(client) = self.client.take()
            && let Err(error) = tokio::task::spawn_blocking(move || drop(client)).await
        {
            tracing::warn!(group = self.group, %error, "the consumer did not close in order");
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        ask: impl FnOnce(&StreamConsumer<Context>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T> {
        let client = Arc::clone(self.client()?);
        tokio::task::spawn_blocking(move || ask(&client))
            .await
            .map_err(|error| Error::internal(what).because(error))?
            .map_err(|error| self.error(what, error))
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        // Leaving a group waits for the broker; no task should.
        if let Some(client) = self.client.take() {
            detach("mesh-group-close", move || drop(client));
        }
    }
}

/// Runs `work` on a thread of its own.
pub(crate) fn detach(name: &str, work: impl FnOnce() + Send + 'static) {
    let spawned = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work);
    if let Err(error) = spawned {
        // `work` was dropped, and with it, in this thread, what it was to drop.
        tracing::warn!(%error, name, "no thread to close a client");
    }
}

fn list(partitions: &[(String, i32)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}
