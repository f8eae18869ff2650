//! CreatePartitions, and what is asked about the placement of partitions: there is one
//! broker, so nothing moves and every leader is the preferred one.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    CreatePartitionsRequest, CreatePartitionsResponse, ElectLeadersRequest, ElectLeadersResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};

use super::text;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topics::{MorePartitions, Refusal};

/// The kinds of elections: of the preferred leader, and of any where there is none.
const ELECTIONS: std::ops::RangeInclusive<i8> = 0..=1;

pub(super) async fn create_partitions(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut seen = HashSet::new();
    let twice: HashSet<TopicName> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    let mut results: Vec<CreatePartitionsTopicResult> = twice
        .iter()
        .map(|name| {
            CreatePartitionsTopicResult::default()
                .with_name(name.clone())
                .with_error_code(ResponseError::InvalidRequest.code())
                .with_error_message(text("the topic is named more than once"))
        })
        .collect();
    for topic in request.topics {
        if twice.contains(&topic.name) {
            continue;
        }
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        let allowed = shared.check(caller, Operation::Alter, Resource::Topic(&topic.name));
        let outcome = match allowed {
            Ok(()) => add(shared, topic, request.validate_only).await,
            Err(error) => Err((error, "the topic is not yours to alter".to_owned())),
        };
        results.push(match outcome {
            Ok(()) => result,
            Err((error, why)) => result
                .with_error_code(error.code())
                .with_error_message(text(why)),
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn add(
    shared: &Arc<Shared>,
    topic: CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refusal> {
    let more = MorePartitions {
        name: topic.name.to_string(),
        count: topic.count,
        assignments: topic.assignments.map(|assignments| {
            let ids =
                |ids: Vec<kafka_protocol::messages::BrokerId>| ids.iter().map(|id| id.0).collect();
            assignments
                .into_iter()
                .map(|assignment| ids(assignment.broker_ids))
                .collect()
        }),
    };
    let count = more.count;
    shared.topics.add_partitions(more, validate_only).await?;
    if !validate_only {
        tracing::info!(topic = %topic.name.as_str(), partitions = count, "partitions added");
    }
    Ok(())
}

/// Whether the caller may see or change where partitions are.
fn check_placement(shared: &Shared, caller: &Caller, operation: Operation) -> Result<(), Refusal> {
    let why = "the placement of partitions is not yours";
    shared
        .check(caller, operation, Resource::Cluster)
        .map_err(|error| (error, why.to_owned()))
}

fn unknown(topic: &str, partition: i32) -> Refusal {
    (
        ResponseError::UnknownTopicOrPartition,
        format!("no such partition as {topic}-{partition}"),
    )
}

pub(super) async fn elect_leaders(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let allowed = check_placement(shared, caller, Operation::Alter);
    // The code of the whole answer came with version 1.
    let response = |error: ResponseError| match version {
        1.. => ElectLeadersResponse::default().with_error_code(error.code()),
        _ => ElectLeadersResponse::default(),
    };
    if allowed.is_ok() && !ELECTIONS.contains(&request.election_type) {
        return response(ResponseError::InvalidRequest);
    }
    let results = match request.topic_partitions {
        // Asked for all, Kafka names the topics and leaves out partitions that need nothing.
        None if allowed.is_err() => Vec::new(),
        None => shared
            .topics
            .all()
            .iter()
            .map(|topic| ReplicaElectionResult::default().with_topic(topic.name.clone()))
            .collect(),
        Some(topics) => topics
            .into_iter()
            .map(|asked| {
                let partitions = asked
                    .partitions
                    .iter()
                    .map(|index| {
                        let found = shared.topics.partition(&asked.topic, *index);
                        let (error, why) = match (&allowed, found) {
                            (Err(refusal), _) => refusal.clone(),
                            (Ok(()), Some(_)) => (
                                ResponseError::ElectionNotNeeded,
                                "this broker leads the partition, as preferred".to_owned(),
                            ),
                            (Ok(()), None) => unknown(&asked.topic, *index),
                        };
                        PartitionResult::default()
                            .with_partition_id(*index)
                            .with_error_code(error.code())
                            .with_error_message(text(why))
                    })
                    .collect();
                ReplicaElectionResult::default()
                    .with_topic(asked.topic)
                    .with_partition_result(partitions)
            })
            .collect(),
    };
    let response = match &allowed {
        Ok(()) => ElectLeadersResponse::default(),
        Err((error, _)) => response(*error),
    };
    response.with_replica_election_results(results)
}

pub(super) async fn alter_reassignments(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let allowed = check_placement(shared, caller, Operation::Alter);
    let responses = request
        .topics
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let index = asked.partition_index;
                    let response =
                        ReassignablePartitionResponse::default().with_partition_index(index);
                    let outcome = match &allowed {
                        Ok(()) => reassign(shared, &topic.name, asked),
                        Err(refusal) => Err(refusal.clone()),
                    };
                    match outcome {
                        Ok(()) => response.with_error_message(None),
                        Err((error, why)) => response
                            .with_error_code(error.code())
                            .with_error_message(text(why)),
                    }
                })
                .collect();
            ReassignableTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    let response = match allowed {
        Ok(()) => AlterPartitionReassignmentsResponse::default().with_error_message(None),
        Err((error, why)) => AlterPartitionReassignmentsResponse::default()
            .with_error_code(error.code())
            .with_error_message(text(why)),
    };
    let response = response.with_responses(responses);
    match version {
        1.. => {
            response.with_allow_replication_factor_change(request.allow_replication_factor_change)
        }
        _ => response,
    }
}

/// To where a partition is already it may be moved.
fn reassign(
    shared: &Shared,
    topic: &TopicName,
    asked: &ReassignablePartition,
) -> Result<(), Refusal> {
    let index = asked.partition_index;
    if shared.topics.partition(topic, index).is_none() {
        return Err(unknown(topic, index));
    }
    let Some(replicas) = &asked.replicas else {
        return Err((
            ResponseError::NoReassignmentInProgress,
            "nothing is being moved".to_owned(),
        ));
    };
    let refuse = |why: String| Err((ResponseError::InvalidReplicaAssignment, why));
    let stranger = replicas.iter().find(|id| id.0 != shared.config.node_id);
    match (replicas.len(), stranger) {
        (0, _) => refuse("the assignment includes an empty replica list".to_owned()),
        (_, Some(id)) => refuse(format!("there is no broker {}", id.0)),
        (1, None) => Ok(()),
        (_, None) => refuse("the assignment names a broker more than once".to_owned()),
    }
}

pub(super) async fn list_reassignments(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let response = ListPartitionReassignmentsResponse::default();
    match check_placement(shared, caller, Operation::Describe) {
        Ok(()) => response.with_error_message(None),
        Err((error, why)) => response
            .with_error_code(error.code())
            .with_error_message(text(why)),
    }
}
