//! Groups as an administrator sees them: listed, described, deleted, and single offsets
//! deleted.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::groups::check_group;
use super::{code, once, text};
use crate::group::{GroupPhase, GroupView};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

/// The one type of group here; the others are those of KIP-848 and KIP-932.
const CLASSIC: &str = "classic";
/// Stands for operations that are not told.
const OMITTED: i32 = i32::MIN;

pub(super) async fn list_groups(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let wanted = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|asked| asked.eq_ignore_ascii_case(value))
    };
    // Who may not describe the cluster sees the groups that it may describe.
    let all = shared.may(caller, Operation::Describe, Resource::Cluster);
    let groups = shared
        .coordinator
        .views()
        .into_iter()
        .filter(|group| all || shared.may(caller, Operation::Describe, Resource::Group(&group.id)))
        .filter(|group| wanted(&request.states_filter, group.phase.name()))
        .filter(|_| wanted(&request.types_filter, CLASSIC))
        .map(|group| {
            let listed = ListedGroup::default()
                .with_group_id(GroupId(group.id))
                .with_protocol_type(group.protocol_type);
            // The codec refuses what an older version has no field for.
            let listed = match version {
                4.. => listed.with_group_state(StrBytes::from_static_str(group.phase.name())),
                _ => listed,
            };
            match version {
                5.. => listed.with_group_type(StrBytes::from_static_str(CLASSIC)),
                _ => listed,
            }
        })
        .collect();
    ListGroupsResponse::default().with_groups(groups)
}

pub(super) async fn describe_groups(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = once(request.groups, GroupId::clone)
        .into_iter()
        .map(|id| {
            let resource = Resource::Group(&id);
            if let Err(error) = shared.check(caller, Operation::Describe, resource) {
                return DescribedGroup::default()
                    .with_group_id(id)
                    .with_error_code(error.code());
            }
            let operations = match request.include_authorized_operations {
                true => shared.operations(caller, resource),
                false => OMITTED,
            };
            let described = match shared.coordinator.view(&id.0) {
                Some(group) => described(group, version),
                None => absent(id, version),
            };
            described.with_authorized_operations(operations)
        })
        .collect();
    DescribeGroupsResponse::default().with_groups(groups)
}

/// A group that is not there is dead; that this is an error is said since version 6.
fn absent(id: GroupId, version: i16) -> DescribedGroup {
    let dead = DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(GroupPhase::Dead.name()));
    match version {
        6.. => dead
            .with_error_code(ResponseError::GroupIdNotFound.code())
            .with_error_message(text(format!("Group {} not found.", id.as_str()))),
        _ => dead,
    }
    .with_group_id(id)
}

fn described(group: GroupView, version: i16) -> DescribedGroup {
    let members = group
        .members
        .into_iter()
        .map(|member| {
            DescribedGroupMember::default()
                .with_member_id(member.id)
                .with_group_instance_id(member.instance_id.filter(|_| version >= 4))
                .with_client_id(member.client_id)
                .with_client_host(member.client_host)
                .with_member_metadata(member.metadata)
                .with_member_assignment(member.assignment)
        })
        .collect();
    DescribedGroup::default()
        .with_group_id(GroupId(group.id))
        .with_group_state(StrBytes::from_static_str(group.phase.name()))
        .with_protocol_type(group.protocol_type)
        .with_protocol_data(group.protocol)
        .with_members(members)
}

pub(super) async fn delete_groups(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
        let outcome = match shared.check(caller, Operation::Delete, Resource::Group(&id)) {
            Ok(()) => shared.coordinator.delete(&id.0).await,
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            tracing::info!(group = %id.as_str(), "group deleted");
        }
        results.push(
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(code(&outcome)),
        );
    }
    DeleteGroupsResponse::default().with_results(results)
}

pub(super) async fn offset_delete(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    if let Err(error) = check_group(shared, caller, Operation::Delete, &request.group_id) {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    // Asked once, so that what is deleted and what is answered cannot differ.
    let readable: Vec<Result<(), ResponseError>> = request
        .topics
        .iter()
        .map(|topic| shared.check(caller, Operation::Read, Resource::Topic(&topic.name)))
        .collect();
    let asked: Vec<(String, Vec<i32>)> = request
        .topics
        .iter()
        .zip(&readable)
        .filter(|(_, readable)| readable.is_ok())
        .map(|(topic, _)| {
            let partitions = topic.partitions.iter().map(|asked| asked.partition_index);
            (topic.name.to_string(), partitions.collect())
        })
        .collect();
    let outcomes = match asked.is_empty() && !readable.is_empty() {
        true => Ok(Vec::new()),
        false => {
            let group = &request.group_id.0;
            shared.coordinator.delete_offsets(group, &asked).await
        }
    };
    let mut outcomes = match outcomes {
        Ok(outcomes) => outcomes.into_iter(),
        Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
    };
    let unknown = Err(ResponseError::UnknownTopicOrPartition);
    let topics = request
        .topics
        .into_iter()
        .zip(readable)
        .map(|(topic, readable)| {
            let outcome = readable.and_then(|()| outcomes.next().unwrap_or(unknown));
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let index = asked.partition_index;
                    let outcome = match shared.topics.partition(&topic.name, index) {
                        Some(_) => outcome,
                        None => readable.and(unknown),
                    };
                    OffsetDeleteResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(code(&outcome))
                })
                .collect();
            OffsetDeleteResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    OffsetDeleteResponse::default().with_topics(topics)
}
