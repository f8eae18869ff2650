//! librdkafka's errors in the words of the framework.

use std::time::Duration;

use mesh_core::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// How long a question to the cluster may take before it counts as unreachable.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// `what` failed with `error` on the cluster at `bootstrap`.
pub(crate) fn kafka(bootstrap: &str, what: &'static str, error: KafkaError) -> Error {
    let code = match &error {
        // The library's own accessor leaves this one out.
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    };
    let Some(code) = code else {
        return match &error {
            KafkaError::ClientConfig(_, reason, name, _) => {
                Error::invalid("a setting of the Kafka client is refused")
                    .with("setting", name)
                    .with("reason", reason)
                    .mend("correct or remove it; the names are librdkafka's CONFIGURATION.md")
            }
            KafkaError::ClientCreation(reason) => Error::invalid("the Kafka client cannot be made")
                .with("reason", reason)
                .mend("correct the client's settings"),
            KafkaError::Nul(_) => Error::invalid("a name holds a zero byte"),
            KafkaError::Seek(_) | KafkaError::PauseResume(_) => Error::new(
                ErrorKind::Conflict,
                format!("{what}: the partition is not this member's"),
            )
            .with("bootstrap", bootstrap),
            _ => Error::internal(what).with("bootstrap", bootstrap),
        }
        .because(error);
    };
    coded(bootstrap, what, code).because(error)
}

/// `what` failed with `code` on the cluster at `bootstrap`.
pub(crate) fn coded(bootstrap: &str, what: &'static str, code: Code) -> Error {
    let unreachable = || {
        Error::unavailable(format!("{what}: no Kafka broker answers"))
            .mend("start the platform with `mesh up`, or give the right bootstrap address")
    };
    let error = match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::NetworkException
        | Code::WaitingForCoordinator
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress
        | Code::NotCoordinator
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::UnstableOffsetCommit
        | Code::ConcurrentTransactions
        | Code::TransactionCoordinatorFenced => unreachable(),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            Error::not_found(format!("{what}: there is no such topic or partition"))
                .mend("start the domain that owns the product; it makes the topic")
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Error::new(
            ErrorKind::PermissionDenied,
            format!("{what}: Kafka refuses it"),
        )
        .mend("ask for the grant that this client lacks"),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => Error::new(
            ErrorKind::Unauthenticated,
            format!("{what}: Kafka does not accept this client's credentials"),
        )
        .mend("correct the `sasl.*`, `ssl.*` and `security.protocol` overrides"),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
            Error::invalid(format!("{what}: the record is too large"))
                .mend("make the record smaller, or raise `message.max.bytes` on both sides")
        }
        Code::RebalanceInProgress
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::AssignmentLost
        | Code::State => Error::new(
            ErrorKind::Conflict,
            format!("{what}: the partition went to another member of the group"),
        )
        .mend("drop what was read from it; its new owner reads it again"),
        Code::PollExceeded => Error::new(
            ErrorKind::Timeout,
            format!("{what}: nothing was asked for within `max.poll.interval.ms`"),
        )
        .mend("handle events faster, or raise `max.poll.interval.ms`"),
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Error::new(
            ErrorKind::Conflict,
            format!("{what}: a newer producer of the same transactional id was made"),
        )
        .mend("let one process at a time use a transactional id"),
        Code::UnsupportedFeature | Code::UnsupportedVersion => Error::new(
            ErrorKind::Unsupported,
            format!("{what}: the broker cannot do this"),
        )
        .mend("use the embedded broker of this release, or Apache Kafka 2.5 or newer"),
        Code::QueueFull => Error::new(
            ErrorKind::ResourceExhausted,
            format!("{what}: the producer's queue is full"),
        )
        .mend("send slower, or raise `queue.buffering.max.kbytes`"),
        Code::InvalidTopic
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::PolicyViolation => {
            Error::invalid(format!("{what}: Kafka refuses the name or the settings"))
        }
        Code::PurgeQueue | Code::PurgeInflight => Error::unavailable(format!(
            "{what}: the producer was closed before the record was acknowledged"
        )),
        _ => Error::internal(what),
    };
    error.with("bootstrap", bootstrap).with("kafka", code)
}
