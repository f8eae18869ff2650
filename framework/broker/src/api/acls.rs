//! DescribeAcls, CreateAcls and DeleteAcls.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_response::{
    DeleteAclsFilterResult, DeleteAclsMatchingAcl,
};
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::security::acl::{
    Acl, CLUSTER_NAME, Filter, PatternFilter, PatternType, Permission, ResourceType,
};
use crate::security::{Authorizer, Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topics::Refusal;

/// Kafka's number for "any" of a filter's fields.
const ANY: i8 = 1;
/// Kafka's number of the pattern filter "match".
const MATCH: i8 = 2;

pub(super) async fn describe_acls(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    let outcome = authorizer(shared, caller, Operation::Describe).and_then(|authorizer| {
        let filter = filter(
            (request.resource_type_filter, request.pattern_type_filter),
            (request.operation, request.permission_type),
            request.resource_name_filter,
            request.principal_filter,
            request.host_filter,
        )?;
        Ok((authorizer, filter))
    });
    let (authorizer, filter) = match outcome {
        Ok(found) => found,
        Err((error, why)) => {
            return DescribeAclsResponse::default()
                .with_error_code(error.code())
                .with_error_message(text(why));
        }
    };
    let mut resources: Vec<DescribeAclsResource> = Vec::new();
    let acls = authorizer.store().current();
    for acl in acls.all().iter().filter(|acl| filter.matches(acl)) {
        let description = AclDescription::default()
            .with_principal(string(&acl.principal))
            .with_host(string(&acl.host))
            .with_operation(acl.operation.code())
            .with_permission_type(acl.permission.code());
        let same = |last: &&mut DescribeAclsResource| {
            last.resource_type == acl.resource_type.code()
                && last.pattern_type == acl.pattern.code()
                && last.resource_name.as_str() == acl.name
        };
        // The entries are in the order of their resources.
        match resources.last_mut().filter(same) {
            Some(last) => last.acls.push(description),
            None => resources.push(
                DescribeAclsResource::default()
                    .with_resource_type(acl.resource_type.code())
                    .with_resource_name(string(&acl.name))
                    .with_pattern_type(acl.pattern.code())
                    .with_acls(vec![description]),
            ),
        }
    }
    DescribeAclsResponse::default().with_resources(resources)
}

pub(super) async fn create_acls(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: CreateAclsRequest,
) -> CreateAclsResponse {
    let allowed = authorizer(shared, caller, Operation::Alter);
    let mut wanted: Vec<Result<Acl, Refusal>> = request
        .creations
        .iter()
        .map(|creation| allowed.clone().and_then(|_| entry(creation)))
        .collect();
    if let Ok(authorizer) = &allowed {
        let new: Vec<Acl> = wanted.iter().flatten().cloned().collect();
        if let Err(error) = authorizer.store().add(new) {
            tracing::error!(%error, "cannot store the access control lists");
            for outcome in wanted.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(unstored());
            }
        }
    }
    for acl in wanted.iter().flatten() {
        tracing::info!(by = %caller.principal, ?acl, "access control entry created");
    }
    let results = wanted
        .into_iter()
        .map(|outcome| match outcome {
            Ok(_) => AclCreationResult::default(),
            Err((error, why)) => AclCreationResult::default()
                .with_error_code(error.code())
                .with_error_message(text(why)),
        })
        .collect();
    CreateAclsResponse::default().with_results(results)
}

pub(super) async fn delete_acls(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DeleteAclsRequest,
) -> DeleteAclsResponse {
    let allowed = authorizer(shared, caller, Operation::Alter);
    let filters: Vec<Result<Filter, Refusal>> = request
        .filters
        .into_iter()
        .map(|asked| {
            allowed.clone().and_then(|_| {
                filter(
                    (asked.resource_type_filter, asked.pattern_type_filter),
                    (asked.operation, asked.permission_type),
                    asked.resource_name_filter,
                    asked.principal_filter,
                    asked.host_filter,
                )
            })
        })
        .collect();
    let sound: Vec<Filter> = filters.iter().flatten().cloned().collect();
    let removed = match &allowed {
        Ok(authorizer) => authorizer.store().remove(&sound).map_err(|error| {
            tracing::error!(%error, "cannot store the access control lists");
            unstored()
        }),
        Err(refusal) => Err(refusal.clone()),
    };
    let mut removed = removed.map(Vec::into_iter);
    let results = filters
        .into_iter()
        .map(|filter| {
            let acls = filter.and_then(|_| match &mut removed {
                Ok(removed) => Ok(removed.next().unwrap_or_default()),
                Err(refusal) => Err(refusal.clone()),
            });
            match acls {
                Ok(acls) => {
                    for acl in &acls {
                        tracing::info!(by = %caller.principal, ?acl, "access control entry deleted");
                    }
                    DeleteAclsFilterResult::default()
                        .with_matching_acls(acls.iter().map(deleted).collect())
                }
                Err((error, why)) => DeleteAclsFilterResult::default()
                    .with_error_code(error.code())
                    .with_error_message(text(why)),
            }
        })
        .collect();
    DeleteAclsResponse::default().with_filter_results(results)
}

/// The authorizer, when there is one and the caller may do this to the cluster.
fn authorizer<'a>(
    shared: &'a Shared,
    caller: &Caller,
    operation: Operation,
) -> Result<&'a Authorizer, Refusal> {
    shared
        .check(caller, operation, Resource::Cluster)
        .map_err(|error| {
            (
                error,
                "the cluster's access control is not yours".to_owned(),
            )
        })?;
    shared.authorizer.as_ref().ok_or_else(|| {
        (
            ResponseError::SecurityDisabled,
            "No Authorizer is configured.".to_owned(),
        )
    })
}

fn unstored() -> Refusal {
    (
        ResponseError::KafkaStorageError,
        "the access control lists could not be stored".to_owned(),
    )
}

/// The entry that is asked for, checked as Kafka does.
fn entry(creation: &AclCreation) -> Result<Acl, Refusal> {
    let invalid = |why: String| (ResponseError::InvalidRequest, why);
    let resource_type = ResourceType::from_code(creation.resource_type)
        .ok_or_else(|| invalid(format!("Invalid resource type {}", creation.resource_type)))?;
    let pattern = PatternType::from_code(creation.resource_pattern_type).ok_or_else(|| {
        invalid(format!(
            "Invalid pattern type {}",
            creation.resource_pattern_type
        ))
    })?;
    let operation = Operation::from_code(creation.operation)
        .ok_or_else(|| invalid(format!("Invalid operation type {}", creation.operation)))?;
    let permission = Permission::from_code(creation.permission_type).ok_or_else(|| {
        invalid(format!(
            "Invalid permission type {}",
            creation.permission_type
        ))
    })?;
    let name = creation.resource_name.as_str();
    if name.is_empty() {
        return Err(invalid("Invalid empty resource name".to_owned()));
    }
    if resource_type == ResourceType::Cluster && name != CLUSTER_NAME {
        return Err(invalid(format!(
            "The only valid name for the CLUSTER resource is {CLUSTER_NAME}"
        )));
    }
    let principal = creation.principal.as_str();
    let typed = principal.split_once(':');
    if !typed.is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty()) {
        return Err(invalid(format!(
            "Could not parse principal from `{principal}` (no colon is present separating the \
             principal type from the principal name)"
        )));
    }
    Ok(Acl {
        resource_type,
        name: name.to_owned(),
        pattern,
        principal: principal.to_owned(),
        host: creation.host.to_string(),
        operation,
        permission,
    })
}

fn filter(
    (resource_type, pattern): (i8, i8),
    (operation, permission): (i8, i8),
    name: Option<StrBytes>,
    principal: Option<StrBytes>,
    host: Option<StrBytes>,
) -> Result<Filter, Refusal> {
    let unknown = || {
        (
            ResponseError::InvalidRequest,
            "the filter has an element that is not known".to_owned(),
        )
    };
    fn any_or<T>(code: i8, from_code: impl Fn(i8) -> Option<T>) -> Option<Option<T>> {
        match code {
            ANY => Some(None),
            code => from_code(code).map(Some),
        }
    }
    let owned = |text: Option<StrBytes>| text.map(|text| text.to_string());
    Ok(Filter {
        resource_type: any_or(resource_type, ResourceType::from_code).ok_or_else(unknown)?,
        name: owned(name),
        pattern: match pattern {
            ANY => PatternFilter::Any,
            MATCH => PatternFilter::Match,
            code => PatternType::from_code(code)
                .map(PatternFilter::Is)
                .ok_or_else(unknown)?,
        },
        principal: owned(principal),
        host: owned(host),
        operation: any_or(operation, Operation::from_code).ok_or_else(unknown)?,
        permission: any_or(permission, Permission::from_code).ok_or_else(unknown)?,
    })
}

fn deleted(acl: &Acl) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_resource_type(acl.resource_type.code())
        .with_resource_name(string(&acl.name))
        .with_pattern_type(acl.pattern.code())
        .with_principal(string(&acl.principal))
        .with_host(string(&acl.host))
        .with_operation(acl.operation.code())
        .with_permission_type(acl.permission.code())
}

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
