//! Kafka transactions: records and offsets of a group that become true at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mesh_core::{Error, ErrorKind, Result};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Context, drain};
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};
use crate::producer::{Client, Delivery, Outgoing, Producer};

/// How long one step of a transaction waits for the broker before it is told to be asked
/// for again.
const STEP: Duration = Duration::from_secs(3);
/// How long a new producer waits until earlier ones of its id are out of the way.
const INIT: Duration = Duration::from_secs(10);

/// What is left to do when a step of a transaction has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same step again: it goes on where it was.
    Again,
    /// [`TransactionalProducer::abort`], and then the whole transaction again.
    Abort,
    /// A new producer of the same id, after finding out what is committed.
    Renew,
    /// Nothing: another producer of the same id was made since.
    Fenced,
}

/// A step of a transaction that failed.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// What to do now.
    pub remedy: Remedy,
}

impl Failed {
    /// A failure whose transaction can be aborted and made again.
    pub fn abort(error: Error) -> Self {
        Self {
            error,
            remedy: Remedy::Abort,
        }
    }
}

/// A group to which a transaction adds offsets.
pub struct GroupMetadata(pub(crate) ConsumerGroupMetadata);

impl fmt::Debug for GroupMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupMetadata").finish_non_exhaustive()
    }
}

/// The producer of one transactional id. A broker knows one producer of an id at a time:
/// [`TransactionalProducer::init`] aborts what the one before has left open, and refuses
/// everything that it still sends.
pub struct TransactionalProducer {
    producer: Producer,
    client: Client,
    id: String,
    bootstrap: String,
    timeout: Duration,
    /// When the last transaction was begun.
    begun: Mutex<Option<Begun>>,
}

/// An instant by both clocks: the one stands still while the machine sleeps, the other may
/// be put back.
#[derive(Clone, Copy)]
struct Begun(Instant, SystemTime);

impl Begun {
    fn elapsed(self) -> Duration {
        // A clock that was put back says nothing.
        let by_calendar = self.1.elapsed().unwrap_or_default();
        self.0.elapsed().max(by_calendar)
    }
}

impl fmt::Debug for TransactionalProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionalProducer")
            .field("id", &self.id)
            .field("bootstrap", &self.bootstrap)
            .finish_non_exhaustive()
    }
}

impl TransactionalProducer {
    /// A producer of `id` that has fenced those before it: when this returns, every earlier
    /// transaction of the id is committed or aborted.
    ///
    /// # Errors
    /// If a setting is refused, [`ErrorKind::Unavailable`] if no broker answers in time,
    /// [`ErrorKind::PermissionDenied`] if the id is not this client's,
    /// [`ErrorKind::Unsupported`] if the broker has no transactions.
    pub async fn init(config: &StreamConfig, id: &str) -> Result<Self> {
        let producer = Producer::from_settings(config, &config.transactional_producer(id))?;
        let made = Self {
            client: producer.client(),
            producer,
            id: id.to_owned(),
            bootstrap: config.bootstrap.clone(),
            timeout: config.transaction_timeout(),
            begun: Mutex::new(None),
        };
        made.step("taking over a transactional id", |client| {
            client.init_transactions(INIT)
        })
        .await
        .map_err(|failed| failed.error)?;
        Ok(made)
    }

    /// The transactional id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Begins a transaction. Nothing is asked of the broker.
    ///
    /// # Errors
    /// If the last one has not ended.
    pub fn begin(&self) -> Result<(), Failed> {
        let now = Begun(Instant::now(), SystemTime::now());
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        self.client
            .begin_transaction()
            .map_err(|error| self.failed("beginning a transaction", error))
    }

    /// As [`Producer::send`], in the transaction.
    ///
    /// # Errors
    /// As [`Producer::send`]; the transaction is to be aborted then.
    pub async fn send(&self, record: Outgoing) -> Result<Delivery, Failed> {
        self.producer.send(record).await.map_err(|error| Failed {
            remedy: match self.fatal_code() {
                Some(RDKafkaErrorCode::Fenced) => self.fenced(),
                Some(_) => Remedy::Renew,
                None => Remedy::Abort,
            },
            error,
        })
    }

    /// Adds to the transaction what `group` has as its next offsets when it commits.
    ///
    /// # Errors
    /// See [`Remedy`]. A member of the group whose partitions have gone to another one is
    /// refused, so that what two members handled becomes true once.
    pub async fn send_offsets(
        &self,
        offsets: &BTreeMap<(String, i32), i64>,
        group: &Arc<GroupMetadata>,
    ) -> Result<(), Failed> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for ((topic, partition), next) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next))
                .map_err(|error| self.failed("adding offsets to a transaction", error))?;
        }
        let group = Arc::clone(group);
        self.step("adding offsets to a transaction", move |client| {
            client.send_offsets_to_transaction(&list, &group.0, STEP)
        })
        .await
    }

    /// Waits until every record of the transaction stands in its partition, or has failed,
    /// which [`TransactionalProducer::commit`] tells.
    ///
    /// # Errors
    /// [`Remedy::Again`] if that takes long.
    pub async fn flush(&self) -> Result<(), Failed> {
        self.step("publishing the records of a transaction", |client| {
            client.flush(STEP)
        })
        .await
    }

    /// Commits: all of the transaction is true, or nothing of it when this fails for good.
    ///
    /// # Errors
    /// See [`Remedy`].
    pub async fn commit(&self) -> Result<(), Failed> {
        self.step("committing a transaction", |client| {
            client.commit_transaction(STEP)
        })
        .await
    }

    /// Drops the transaction with all its records and offsets.
    ///
    /// # Errors
    /// See [`Remedy`].
    pub async fn abort(&self) -> Result<(), Failed> {
        self.step("aborting a transaction", |client| {
            client.abort_transaction(STEP)
        })
        .await
    }

    async fn step(
        &self,
        what: &'static str,
        step: impl FnOnce(&Client) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<(), Failed> {
        let client = self.client.clone();
        let done = tokio::task::spawn_blocking(move || step(&client)).await;
        match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(what, error)),
            Err(error) => Err(Failed {
                error: Error::internal(what).because(error),
                remedy: Remedy::Renew,
            }),
        }
    }

    fn fatal_code(&self) -> Option<RDKafkaErrorCode> {
        self.client.client().fatal_error().map(|(code, _)| code)
    }

    /// What is left to do when the broker says that there is a newer producer. It aborts a
    /// transaction that takes too long by the same means, so only a young one shows that
    /// there is one.
    fn fenced(&self) -> Remedy {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.is_some_and(|begun| begun.elapsed() >= self.timeout) {
            true => Remedy::Renew,
            false => Remedy::Fenced,
        }
    }

    fn failed(&self, what: &'static str, error: KafkaError) -> Failed {
        let fatal = self.fatal_code();
        let refused = fatal == Some(RDKafkaErrorCode::Fenced);
        let remedy = match (&error, fatal) {
            _ if refused => self.fenced(),
            (_, Some(_)) => Remedy::Renew,
            (KafkaError::Transaction(cause), None) if cause.txn_requires_abort() => Remedy::Abort,
            (KafkaError::Transaction(cause), None) if cause.is_retriable() => Remedy::Again,
            (KafkaError::Flush(_), None) => Remedy::Again,
            _ => Remedy::Renew,
        };
        let reason = match &error {
            KafkaError::Transaction(cause) => Some(cause.string()),
            _ => None,
        };
        let mut error = match remedy {
            Remedy::Fenced => Error::new(
                ErrorKind::Conflict,
                format!("{what}: another process has taken over this transactional id"),
            )
            .with("bootstrap", &self.bootstrap)
            .mend("let one process at a time use it")
            .because(error),
            _ if refused => Error::unavailable(format!(
                "{what}: it took longer than `transaction.timeout.ms`, and Kafka has aborted it"
            ))
            .with("bootstrap", &self.bootstrap)
            .mend("nothing has to be done: it is made again")
            .because(error),
            _ => fault::kafka(&self.bootstrap, what, error),
        }
        .with("transactional_id", &self.id);
        if let Some(reason) = reason {
            error = error.detail(reason);
        }
        // What can be asked for again passes by itself when the broker is back.
        let retryable = error.is_retryable() || remedy == Remedy::Again;
        Failed {
            error: error.retryable(retryable),
            remedy,
        }
    }
}

/// The committed offsets of a group that this client is no member of.
pub struct GroupOffsets {
    pub(crate) client: Arc<BaseConsumer<Context>>,
    pub(crate) group: String,
    pub(crate) bootstrap: String,
}

impl fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOffsets")
            .field("group", &self.group)
            .field("bootstrap", &self.bootstrap)
            .finish_non_exhaustive()
    }
}

impl GroupOffsets {
    /// The offsets of `group`; the broker need not be there yet.
    ///
    /// # Errors
    /// If a setting is refused by librdkafka.
    pub fn new(config: &StreamConfig, group: &str) -> Result<Self> {
        let client = BaseConsumer::from_config_and_context(
            &config.group_consumer(group),
            Context::new(config, "offsets"),
        )
        .map_err(|error| fault::kafka(&config.bootstrap, "making a client", error))?;
        Ok(Self {
            client: Arc::new(client),
            group: group.to_owned(),
            bootstrap: config.bootstrap.clone(),
        })
    }

    /// The group as a transaction takes it.
    ///
    /// # Errors
    /// None in practice: the client has a group.
    pub fn metadata(&self) -> Result<Arc<GroupMetadata>> {
        metadata(self.client.as_ref())
    }

    /// The committed offsets of these partitions; those without one are left out. Offsets
    /// of a transaction that is under way are waited for.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the group's coordinator cannot be asked.
    pub async fn committed(
        &self,
        partitions: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), i64>> {
        let what = "asking for a group's offsets";
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let client = Arc::clone(&self.client);
        let (found, answers) = tokio::task::spawn_blocking(move || {
            let found = client.committed_offsets(list, ASK_TIMEOUT);
            // The client does not tell apart who does not answer and whom it asks again.
            let answers = found.is_err()
                && client
                    .fetch_metadata(Some("__consumer_offsets"), STEP)
                    .is_ok();
            drain(&client);
            (found, answers)
        })
        .await
        .map_err(|error| Error::internal(what).because(error))?;
        let found = found.map_err(|error| {
            let timed_out = error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut);
            match timed_out && answers {
                true => Error::unavailable(format!(
                    "{what}: a transaction that has not ended is in the way"
                ))
                .with("bootstrap", &self.bootstrap)
                .mend(
                    "Kafka ends it after its `transaction.timeout.ms`; one that hangs for longer \
                     is ended with `kafka-transactions abort`",
                )
                .because(error),
                false => fault::kafka(&self.bootstrap, what, error),
            }
            .with("group", &self.group)
        })?;
        let mut offsets = BTreeMap::new();
        for element in found.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            element.error().map_err(|error| {
                fault::kafka(&self.bootstrap, what, error)
                    .with("group", &self.group)
                    .with("topic", topic)
                    .with("partition", partition)
            })?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert((topic.to_owned(), partition), offset);
            }
        }
        Ok(offsets)
    }
}

/// The group of `client` as a transaction takes it.
pub(crate) fn metadata(client: &impl Consumer<Context>) -> Result<Arc<GroupMetadata>> {
    client
        .group_metadata()
        .map(|group| Arc::new(GroupMetadata(group)))
        .ok_or_else(|| Error::internal("a client without a group"))
}
