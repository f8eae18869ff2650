//! Access control in Kafka: what a principal is allowed on raw topics, groups and
//! transactional ids. The Rust binding has no such call, so librdkafka is asked itself.

use std::ffi::CStr;
use std::fmt;
use std::ptr;

use mesh_core::{Error, Result};
use rdkafka_sys as sys;

use crate::config::StreamConfig;
use crate::request::{refused, request, text};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclResource {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// A transactional id.
    TransactionalId,
}

/// What may be done. Reading, writing, deleting and altering include describing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclOperation {
    /// Fetch a topic; use a group.
    Read,
    /// Produce to a topic; use a transactional id.
    Write,
    /// Make a topic.
    Create,
    /// See that it is there.
    Describe,
    /// See a topic's settings.
    DescribeConfigs,
}

/// An entry that allows a principal one thing, from any host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Who, such as `User:loan`.
    pub principal: String,
    /// On what kind of thing.
    pub resource: AclResource,
    /// Its name, or what names begin with.
    pub name: String,
    /// Whether every name that begins with `name` is meant.
    pub prefixed: bool,
    /// What.
    pub operation: AclOperation,
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = match self.resource {
            AclResource::Topic => "topic",
            AclResource::Group => "group",
            AclResource::TransactionalId => "transactional id",
        };
        let operation = match self.operation {
            AclOperation::Read => "read",
            AclOperation::Write => "write",
            AclOperation::Create => "create",
            AclOperation::Describe => "describe",
            AclOperation::DescribeConfigs => "describe configs",
        };
        let star = if self.prefixed { "*" } else { "" };
        let (principal, name) = (&self.principal, &self.name);
        write!(f, "{principal} may {operation} {resource} {name}{star}")
    }
}

/// Makes the entries; those that are there already stay.
///
/// # Errors
/// If the cluster cannot be asked, or refuses one of them: then the others may have been made.
pub async fn allow(config: &StreamConfig, acls: Vec<Acl>) -> Result<()> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || create(&config, &acls))
        .await
        .map_err(|error| Error::internal("making access rules").because(error))?
}

const WHAT: &str = "making access rules";

/// Entries that librdkafka has made for us.
struct Bindings(Vec<*mut sys::rd_kafka_AclBinding_t>);

impl Bindings {
    fn add(&mut self, acl: &Acl) -> Result<()> {
        use sys::rd_kafka_AclOperation_t as Operation;
        use sys::rd_kafka_ResourceType_t as Resource;
        let (name, principal) = (text(WHAT, &acl.name)?, text(WHAT, &acl.principal)?);
        let mut why = [0; 256];
        // SAFETY: the strings live until the call returns, which copies them; `why` is as
        // long as is said.
        let binding = unsafe {
            sys::rd_kafka_AclBinding_new(
                match acl.resource {
                    AclResource::Topic => Resource::RD_KAFKA_RESOURCE_TOPIC,
                    AclResource::Group => Resource::RD_KAFKA_RESOURCE_GROUP,
                    AclResource::TransactionalId => Resource::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID,
                },
                name.as_ptr(),
                match acl.prefixed {
                    true => sys::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
                    false => sys::rd_kafka_ResourcePatternType_t::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
                },
                principal.as_ptr(),
                c"*".as_ptr(),
                match acl.operation {
                    AclOperation::Read => Operation::RD_KAFKA_ACL_OPERATION_READ,
                    AclOperation::Write => Operation::RD_KAFKA_ACL_OPERATION_WRITE,
                    AclOperation::Create => Operation::RD_KAFKA_ACL_OPERATION_CREATE,
                    AclOperation::Describe => Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE,
                    AclOperation::DescribeConfigs => {
                        Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS
                    }
                },
                sys::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
                why.as_mut_ptr(),
                why.len(),
            )
        };
        if binding.is_null() {
            // SAFETY: librdkafka has ended its message with a zero byte within `why`.
            let why = unsafe { CStr::from_ptr(why.as_ptr()) };
            return Err(Error::invalid("the access rule is refused")
                .with("rule", acl)
                .with("reason", why.to_string_lossy()));
        }
        self.0.push(binding);
        Ok(())
    }
}

impl Drop for Bindings {
    fn drop(&mut self) {
        for binding in &self.0 {
            // SAFETY: it is ours, not null, and destroyed here alone.
            unsafe { sys::rd_kafka_AclBinding_destroy(*binding) };
        }
    }
}

fn create(config: &StreamConfig, acls: &[Acl]) -> Result<()> {
    let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let mut bindings = Bindings(Vec::with_capacity(acls.len()));
    for acl in acls {
        bindings.add(acl)?;
    }
    request(
        config,
        WHAT,
        // SAFETY: the bindings outlive the call, which copies them; no options mean the
        // client's defaults. The answer comes to the queue.
        |client, queue| unsafe {
            sys::rd_kafka_CreateAcls(
                client,
                bindings.0.as_mut_ptr(),
                bindings.0.len(),
                ptr::null(),
                queue,
            );
        },
        // SAFETY: the event lives until this returns, and with it all results.
        |event| unsafe {
            let result = sys::rd_kafka_event_CreateAcls_result(event);
            if result.is_null() {
                return Err(Error::internal("the broker did not answer about access"));
            }
            let mut count = 0;
            let results = sys::rd_kafka_CreateAcls_result_acls(result, &mut count);
            for (at, acl) in acls.iter().enumerate().take(count) {
                let error = sys::rd_kafka_acl_result_error(*results.add(at));
                if !error.is_null() && sys::rd_kafka_error_code(error) != none {
                    let code = sys::rd_kafka_error_code(error);
                    return Err(refused(config, WHAT, code).with("rule", acl));
                }
            }
            Ok(())
        },
    )
}
