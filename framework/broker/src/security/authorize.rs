//! Whether a caller may do something. Handlers ask in one line:
//!
//! ```ignore
//! shared.check(caller, Operation::Read, Resource::Topic(&name))?;
//! ```
//!
//! Without an authorizer everything is allowed, as in Kafka. With one, an API that has no
//! entry in [`has_rule`] is refused as a whole, so that a new API is closed until somebody
//! has thought about it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::acl::{CLUSTER_NAME, Operation, ResourceType};
use super::config::AuthorizerConfig;
use super::store::AclStore;
use super::verdict::Verdict;
use crate::shared::{Caller, Shared};

/// What something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Topic(&'a str),
    Group(&'a str),
    Cluster,
    TransactionalId(&'a str),
}

impl<'a> Resource<'a> {
    fn key(self) -> (ResourceType, &'a str) {
        match self {
            Self::Topic(name) => (ResourceType::Topic, name),
            Self::Group(name) => (ResourceType::Group, name),
            Self::Cluster => (ResourceType::Cluster, CLUSTER_NAME),
            Self::TransactionalId(name) => (ResourceType::TransactionalId, name),
        }
    }

    /// The error that refuses access to such a resource.
    fn error(self) -> ResponseError {
        match self {
            Self::Topic(_) => ResponseError::TopicAuthorizationFailed,
            Self::Group(_) => ResponseError::GroupAuthorizationFailed,
            Self::Cluster => ResponseError::ClusterAuthorizationFailed,
            Self::TransactionalId(_) => ResponseError::TransactionalIdAuthorizationFailed,
        }
    }

    /// The operations that there are on such a resource.
    fn operations(self) -> &'static [Operation] {
        use Operation::{
            Alter, AlterConfigs, ClusterAction, Create, Delete, Describe, DescribeConfigs,
            IdempotentWrite, Read, TwoPhaseCommit, Write,
        };
        match self {
            Self::Topic(_) => &[
                Read,
                Write,
                Create,
                Delete,
                Alter,
                Describe,
                DescribeConfigs,
                AlterConfigs,
            ],
            Self::Group(_) => &[Read, Delete, Describe, DescribeConfigs, AlterConfigs],
            Self::Cluster => &[
                Create,
                Alter,
                Describe,
                ClusterAction,
                DescribeConfigs,
                AlterConfigs,
                IdempotentWrite,
            ],
            Self::TransactionalId(_) => &[Write, Describe, TwoPhaseCommit],
        }
    }
}

/// Whether the access to an API is decided somewhere: its handler asks for every resource
/// it touches, or everybody may call it. An API belongs in here once its handler asks, and
/// `security_apis.rs` of the tests has a case for it.
///
/// What Kafka asks for where it is not told by the name (T topic, G group, C cluster, X
/// transactional id): AddPartitionsToTxn write X and write T, and from version 4, which brokers
/// send, cluster action C; AddOffsetsToTxn write X and
/// read G; TxnOffsetCommit write X, read G and read T; EndTxn write X; WriteTxnMarkers cluster
/// action or alter C; DescribeTransactions describe X, and T that may not be described left
/// out; ListTransactions shows X that may be described; DescribeProducers read T;
/// OffsetForLeaderEpoch describe T, or cluster action C; DeleteRecords delete T; CreatePartitions alter T;
/// AlterConfigs and IncrementalAlterConfigs alter configs T, C or G; DescribeGroups describe
/// G; ListGroups describe C, else shows G that may be described; DeleteGroups delete G;
/// OffsetDelete delete G and read T; DescribeLogDirs and ListPartitionReassignments describe
/// C; ElectLeaders and AlterPartitionReassignments alter C; DescribeClientQuotas describe
/// configs C; DescribeTopicPartitions describe T; DescribeCluster is open, and tells its
/// operations to who may describe C.
pub(crate) fn has_rule(key: ApiKey) -> bool {
    matches!(
        key,
        // Open to everybody: they tell nothing and change nothing.
        ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate
            // Their handlers ask.
            | ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::ListOffsets
            | ApiKey::Metadata
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::SyncGroup
            | ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::InitProducerId
            | ApiKey::DeleteRecords
            | ApiKey::DescribeConfigs
            | ApiKey::DescribeAcls
            | ApiKey::CreateAcls
            | ApiKey::DeleteAcls
            | ApiKey::DescribeUserScramCredentials
            | ApiKey::AlterUserScramCredentials
            | ApiKey::AddPartitionsToTxn
            | ApiKey::AddOffsetsToTxn
            | ApiKey::EndTxn
            | ApiKey::TxnOffsetCommit
            | ApiKey::WriteTxnMarkers
            | ApiKey::DescribeTransactions
            | ApiKey::ListTransactions
            | ApiKey::DescribeProducers
            | ApiKey::AlterConfigs
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::CreatePartitions
            | ApiKey::DescribeCluster
            | ApiKey::DescribeTopicPartitions
            | ApiKey::DescribeClientQuotas
            | ApiKey::DescribeGroups
            | ApiKey::ListGroups
            | ApiKey::DeleteGroups
            | ApiKey::OffsetDelete
            | ApiKey::OffsetForLeaderEpoch
            | ApiKey::DescribeLogDirs
            | ApiKey::ElectLeaders
            | ApiKey::AlterPartitionReassignments
            | ApiKey::ListPartitionReassignments
    )
}

/// Access control by the entries of a store.
#[derive(Debug)]
pub(crate) struct Authorizer {
    config: AuthorizerConfig,
    store: AclStore,
}

impl Authorizer {
    pub(crate) fn new(config: AuthorizerConfig, store: AclStore) -> Self {
        Self { config, store }
    }

    pub(crate) fn store(&self) -> &AclStore {
        &self.store
    }

    fn is_super_user(&self, caller: &Caller) -> bool {
        let mut users = self.config.super_users.iter();
        users.any(|user| user == caller.principal.as_str())
    }

    fn holds(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Allowed => true,
            Verdict::Denied => false,
            Verdict::Unmentioned => self.config.allow_everyone_if_no_acl_found,
        }
    }

    fn allows(&self, caller: &Caller, operation: Operation, resource: Resource<'_>) -> bool {
        let allowed = self.is_super_user(caller) || {
            let principal = caller.principal.as_str();
            let acls = self.store.current();
            self.holds(acls.verdict(principal, &caller.peer_host, operation, resource.key()))
        };
        if !allowed {
            tracing::debug!(principal = %caller.principal, host = %caller.peer_host, ?operation,
                ?resource, "access denied");
        }
        allowed
    }

    fn allows_some_topic(&self, caller: &Caller, operation: Operation) -> bool {
        self.is_super_user(caller) || {
            let acls = self.store.current();
            let principal = caller.principal.as_str();
            let topic = ResourceType::Topic;
            self.holds(acls.allows_some(principal, &caller.peer_host, operation, topic))
        }
    }
}

impl Shared {
    /// Whether the caller may do this.
    pub(crate) fn may(
        &self,
        caller: &Caller,
        operation: Operation,
        resource: Resource<'_>,
    ) -> bool {
        let authorizer = self.authorizer.as_ref();
        authorizer.is_none_or(|authorizer| authorizer.allows(caller, operation, resource))
    }

    /// As [`Shared::may`], with the error that Kafka refuses such a resource with.
    pub(crate) fn check(
        &self,
        caller: &Caller,
        operation: Operation,
        resource: Resource<'_>,
    ) -> Result<(), ResponseError> {
        match self.may(caller, operation, resource) {
            true => Ok(()),
            false => Err(resource.error()),
        }
    }

    /// Whether there may be a topic that the caller may do this to.
    pub(crate) fn may_with_some_topic(&self, caller: &Caller, operation: Operation) -> bool {
        let authorizer = self.authorizer.as_ref();
        authorizer.is_none_or(|authorizer| authorizer.allows_some_topic(caller, operation))
    }

    /// What the caller may do to a resource, as bits of Kafka's operation numbers.
    pub(crate) fn operations(&self, caller: &Caller, resource: Resource<'_>) -> i32 {
        resource
            .operations()
            .iter()
            .filter(|operation| self.may(caller, **operation, resource))
            .fold(0, |bits, operation| bits | 1 << operation.code())
    }
}
