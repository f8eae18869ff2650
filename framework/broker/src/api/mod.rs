//! The APIs of the wire protocol: which versions there are, and from a request's bytes to
//! its response's bytes. One module for each resource.

mod acls;
mod alter_configs;
mod broker_configs;
mod cluster;
mod configs;
mod delete_records;
mod epochs;
mod fetch;
mod group_admin;
mod groups;
mod list_offsets;
mod log_dirs;
mod metadata;
mod offsets;
mod partitions;
mod produce;
mod producers;
mod sasl;
mod scram_users;
mod shape;
mod topics;
mod transaction_admin;
mod transactions;

use std::collections::HashSet;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest,
    AlterPartitionReassignmentsRequest, ApiKey, ApiVersionsRequest, ApiVersionsResponse,
    CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, DescribeClientQuotasRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, DescribeTopicPartitionsRequest, DescribeTransactionsRequest,
    ElectLeadersRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest, HeartbeatRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
    ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader,
    SyncGroupRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeUserScramCredentialsRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use crate::security::has_rule;
use crate::shared::{Caller, Shared};
use crate::wire::{self, Frame};

/// The advertised APIs: key, lowest and highest version.
///
/// Produce begins at 0 as in Kafka 4, although versions below 3 are refused: librdkafka
/// takes the presence of version 0 as the sign that compression is possible (KAFKA-18659).
const APIS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 0, 13),
    (ApiKey::Fetch, 4, 18),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::AddPartitionsToTxn, 0, 5),
    (ApiKey::AddOffsetsToTxn, 0, 4),
    (ApiKey::EndTxn, 0, 4),
    (ApiKey::WriteTxnMarkers, 1, 1),
    (ApiKey::TxnOffsetCommit, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
    (ApiKey::DescribeAcls, 1, 3),
    (ApiKey::CreateAcls, 1, 3),
    (ApiKey::DeleteAcls, 1, 3),
    (ApiKey::DescribeUserScramCredentials, 0, 0),
    (ApiKey::AlterUserScramCredentials, 0, 0),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::DescribeLogDirs, 1, 4),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::ElectLeaders, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::AlterPartitionReassignments, 0, 1),
    (ApiKey::ListPartitionReassignments, 0, 0),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeClientQuotas, 0, 1),
    (ApiKey::DescribeCluster, 0, 2),
    (ApiKey::DescribeProducers, 0, 0),
    (ApiKey::DescribeTransactions, 0, 0),
    (ApiKey::ListTransactions, 0, 1),
    (ApiKey::DescribeTopicPartitions, 0, 0),
];

/// The head of a request, which is the same in all versions up to the client id.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

/// What becomes of a request.
pub(crate) enum Outcome {
    /// The response is there.
    Reply(Frame),
    /// The response is there, and fetches that waited for what has come can go on.
    Woke(Frame),
    /// What was asked for has been done, in order; the response follows when it is durable.
    Later(BoxFuture<'static, Result<Frame, String>>),
    /// The client wants no response.
    Nothing,
}

/// Why a connection is closed.
pub(crate) type Refused = String;

pub(crate) use sasl::{Session, Step};

/// Requests that wait for others and leave nothing half done when they are given up.
const WAITING: [i16; 3] = [
    ApiKey::Fetch as i16,
    ApiKey::JoinGroup as i16,
    ApiKey::SyncGroup as i16,
];

/// Whether a request may be given up while it waits.
pub(crate) fn only_waits(frame: &Bytes) -> bool {
    let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
    key.is_some_and(|key| WAITING.contains(&key))
}

/// Answers one request; `Err` closes the connection, as Kafka does with what it cannot read.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    caller: &Caller,
    mut frame: Bytes,
) -> Result<Outcome, Refused> {
    let (head, key) = match read_head(&frame)? {
        (head, Some(key)) => (head, key),
        (head, None) => return unsupported(&head),
    };
    shared.metrics.request(head.api_key);
    if shared.authorizer.is_some() && !has_rule(key) {
        return Err(format!("{key:?} has no rule of access and is closed"));
    }
    let header = header(key, head.version, &mut frame)?;
    let caller = &Caller {
        client_id: header.client_id.unwrap_or_default(),
        ..caller.clone()
    };
    let version = head.version;
    shape::check(key, version, &frame)?;

    macro_rules! reply {
        ($request:ty, $handler:expr) => {{
            let request: $request = body(&mut frame, version)?;
            let response = $handler(shared, caller, version, request).await;
            finish(&response, &head).map(Outcome::Reply)
        }};
    }
    match key {
        ApiKey::Produce => {
            let request: ProduceRequest = body(&mut frame, version)?;
            produce::produce(shared, caller, head, request).await
        }
        ApiKey::Fetch => {
            let request: FetchRequest = body(&mut frame, version)?;
            let (response, records) = fetch::fetch(shared, caller, version, request).await;
            wire::encode(&response, head.correlation_id, version, records).map(Outcome::Reply)
        }
        ApiKey::ApiVersions => {
            let request: ApiVersionsRequest = body(&mut frame, version)?;
            finish(&api_versions(&request, version), &head).map(Outcome::Reply)
        }
        ApiKey::ListOffsets => reply!(ListOffsetsRequest, list_offsets::list_offsets),
        ApiKey::Metadata => reply!(MetadataRequest, metadata::metadata),
        ApiKey::CreateTopics => reply!(CreateTopicsRequest, topics::create_topics),
        ApiKey::DeleteTopics => reply!(DeleteTopicsRequest, topics::delete_topics),
        ApiKey::DeleteRecords => reply!(DeleteRecordsRequest, delete_records::delete_records),
        ApiKey::DescribeConfigs => reply!(DescribeConfigsRequest, configs::describe_configs),
        ApiKey::InitProducerId => reply!(InitProducerIdRequest, producers::init_producer_id),
        ApiKey::FindCoordinator => reply!(FindCoordinatorRequest, groups::find_coordinator),
        ApiKey::JoinGroup => reply!(JoinGroupRequest, groups::join_group),
        ApiKey::SyncGroup => reply!(SyncGroupRequest, groups::sync_group),
        ApiKey::Heartbeat => reply!(HeartbeatRequest, groups::heartbeat),
        ApiKey::LeaveGroup => reply!(LeaveGroupRequest, groups::leave_group),
        ApiKey::OffsetCommit => reply!(OffsetCommitRequest, offsets::offset_commit),
        ApiKey::OffsetFetch => reply!(OffsetFetchRequest, offsets::offset_fetch),
        ApiKey::SaslHandshake => reply!(SaslHandshakeRequest, sasl::needless_handshake),
        ApiKey::SaslAuthenticate => reply!(SaslAuthenticateRequest, sasl::needless_authenticate),
        ApiKey::DescribeAcls => reply!(DescribeAclsRequest, acls::describe_acls),
        ApiKey::CreateAcls => reply!(CreateAclsRequest, acls::create_acls),
        ApiKey::DeleteAcls => reply!(DeleteAclsRequest, acls::delete_acls),
        ApiKey::DescribeUserScramCredentials => reply!(
            DescribeUserScramCredentialsRequest,
            scram_users::describe_user_scram_credentials
        ),
        ApiKey::AlterUserScramCredentials => reply!(
            AlterUserScramCredentialsRequest,
            scram_users::alter_user_scram_credentials
        ),
        ApiKey::DescribeGroups => reply!(DescribeGroupsRequest, group_admin::describe_groups),
        ApiKey::ListGroups => reply!(ListGroupsRequest, group_admin::list_groups),
        ApiKey::DeleteGroups => reply!(DeleteGroupsRequest, group_admin::delete_groups),
        ApiKey::OffsetDelete => reply!(OffsetDeleteRequest, group_admin::offset_delete),
        ApiKey::OffsetForLeaderEpoch => {
            reply!(OffsetForLeaderEpochRequest, epochs::offset_for_leader_epoch)
        }
        ApiKey::AlterConfigs => reply!(AlterConfigsRequest, alter_configs::alter_configs),
        ApiKey::IncrementalAlterConfigs => reply!(
            IncrementalAlterConfigsRequest,
            alter_configs::incremental_alter_configs
        ),
        ApiKey::DescribeLogDirs => reply!(DescribeLogDirsRequest, log_dirs::describe_log_dirs),
        ApiKey::CreatePartitions => reply!(CreatePartitionsRequest, partitions::create_partitions),
        ApiKey::ElectLeaders => reply!(ElectLeadersRequest, partitions::elect_leaders),
        ApiKey::AlterPartitionReassignments => reply!(
            AlterPartitionReassignmentsRequest,
            partitions::alter_reassignments
        ),
        ApiKey::ListPartitionReassignments => reply!(
            ListPartitionReassignmentsRequest,
            partitions::list_reassignments
        ),
        ApiKey::DescribeClientQuotas => {
            reply!(DescribeClientQuotasRequest, cluster::describe_client_quotas)
        }
        ApiKey::DescribeCluster => reply!(DescribeClusterRequest, cluster::describe_cluster),
        ApiKey::DescribeTopicPartitions => reply!(
            DescribeTopicPartitionsRequest,
            cluster::describe_topic_partitions
        ),
        ApiKey::AddPartitionsToTxn => {
            reply!(AddPartitionsToTxnRequest, transactions::add_partitions)
        }
        ApiKey::AddOffsetsToTxn => reply!(AddOffsetsToTxnRequest, transactions::add_offsets),
        ApiKey::TxnOffsetCommit => reply!(TxnOffsetCommitRequest, transactions::commit_offsets),
        ApiKey::EndTxn => reply!(EndTxnRequest, transactions::end),
        ApiKey::ListTransactions => reply!(ListTransactionsRequest, transaction_admin::list),
        ApiKey::DescribeTransactions => {
            reply!(DescribeTransactionsRequest, transaction_admin::describe)
        }
        ApiKey::DescribeProducers => {
            reply!(
                DescribeProducersRequest,
                transaction_admin::describe_producers
            )
        }
        ApiKey::WriteTxnMarkers => {
            reply!(WriteTxnMarkersRequest, transaction_admin::write_markers)
        }
        _ => unsupported(&head),
    }
}

/// What is advertised, for those who try it.
#[cfg(any(test, fuzzing))]
pub(crate) fn advertised_versions() -> impl Iterator<Item = (ApiKey, i16, i16)> {
    APIS.iter().copied()
}

/// A whole request of a version.
#[cfg(any(test, fuzzing))]
pub(crate) fn sample(key: ApiKey, version: i16, blob: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    for part in [key as i16, version, 0, 1, 1] {
        request.extend_from_slice(&part.to_be_bytes());
    }
    request.push(b'c');
    if key.request_header_version(version) >= 2 {
        request.push(0);
    }
    request.extend(shape::sample(key, version, blob));
    request
}

/// Reads the head; the key is `None` when the API or its version is not served.
fn read_head(frame: &Bytes) -> Result<(Head, Option<ApiKey>), Refused> {
    let short = || "the request is shorter than its header".to_owned();
    let i16_at = |at: usize| {
        let bytes = frame.get(at..at + 2)?;
        Some(i16::from_be_bytes(bytes.try_into().ok()?))
    };
    let correlation_id = frame
        .get(4..8)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_be_bytes)
        .ok_or_else(short)?;
    let head = Head {
        api_key: i16_at(0).ok_or_else(short)?,
        version: i16_at(2).ok_or_else(short)?,
        correlation_id,
    };
    let served = |(key, lowest, highest): &&(ApiKey, i16, i16)| {
        *key as i16 == head.api_key && (*lowest..=*highest).contains(&head.version)
    };
    let key = APIS.iter().find(served).map(|(key, ..)| *key);
    // Advertised for librdkafka's sake, see APIS.
    let key = key.filter(|key| *key != ApiKey::Produce || head.version >= 3);
    Ok((head, key))
}

fn unsupported(head: &Head) -> Result<Outcome, Refused> {
    if head.api_key == ApiKey::ApiVersions as i16 {
        // The one request that a client sends without knowing what is supported.
        let mut response = advertised();
        response.error_code = ResponseError::UnsupportedVersion.code();
        let frame = wire::encode(&response, head.correlation_id, 0, Vec::new())?;
        return Ok(Outcome::Reply(frame));
    }
    Err(format!(
        "api key {} in version {} is not served",
        head.api_key, head.version
    ))
}

fn advertised() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(
        APIS.iter()
            .map(|(key, lowest, highest)| {
                ApiVersion::default()
                    .with_api_key(*key as i16)
                    .with_min_version(*lowest)
                    .with_max_version(*highest)
            })
            .collect(),
    )
}

fn api_versions(request: &ApiVersionsRequest, version: i16) -> ApiVersionsResponse {
    let named = |text: &StrBytes| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let bytes = text.as_bytes();
        bytes.iter().copied().all(inner)
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
    };
    let mut response = advertised();
    let valid = named(&request.client_software_name) && named(&request.client_software_version);
    if version >= 3 && !valid {
        response.error_code = ResponseError::InvalidRequest.code();
        response.api_keys.clear();
    }
    response
}

/// Runs a decoder of the codec; should it panic on some malformed request, the connection
/// is closed as for any other.
fn decode<T>(decoder: impl FnOnce() -> Result<T, String>) -> Result<T, Refused> {
    std::panic::catch_unwind(AssertUnwindSafe(decoder))
        .unwrap_or_else(|_| Err("the request cannot be decoded".to_owned()))
}

/// Takes the header from the front of a frame.
fn header(key: ApiKey, version: i16, frame: &mut Bytes) -> Result<RequestHeader, Refused> {
    shape::check_header(key.request_header_version(version), frame)?;
    decode(|| {
        kafka_protocol::protocol::decode_request_header_from_buffer(frame)
            .map_err(|error| error.to_string())
    })
}

fn body<T: Decodable>(frame: &mut Bytes, version: i16) -> Result<T, Refused> {
    decode(|| T::decode(frame, version).map_err(|error| error.to_string()))
}

fn finish<R: Encodable + HeaderVersion>(response: &R, head: &Head) -> Result<Frame, Refused> {
    wire::encode(response, head.correlation_id, head.version, Vec::new())
}

/// The code of an outcome: 0 or the error's.
fn code<T>(outcome: &Result<T, ResponseError>) -> i16 {
    match outcome {
        Ok(_) => 0,
        Err(error) => error.code(),
    }
}

/// What is asked for, each thing once: else a short request could have a long answer many
/// times over.
fn once<T, K: Eq + Hash>(mut asked: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = HashSet::new();
    asked.retain(|one| seen.insert(key(one)));
    asked
}

fn text(message: impl Into<String>) -> Option<StrBytes> {
    Some(StrBytes::from_string(message.into()))
}

/// Refuses a client that knows of a leader epoch this broker has never had.
fn check_leader_epoch(epoch: i32) -> Result<(), ResponseError> {
    match epoch > crate::log::LEADER_EPOCH {
        true => Err(ResponseError::UnknownLeaderEpoch),
        false => Ok(()),
    }
}
