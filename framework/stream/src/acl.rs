//! Access control in Kafka: what a principal is allowed on raw topics, groups and
//! transactional ids. The Rust binding has no such call, so librdkafka is asked itself.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr::{self, NonNull};

use mesh_core::{Error, Result};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use crate::client::Context;
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};

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
        let text = |text: &str| {
            CString::new(text).map_err(|error| fault::kafka("", WHAT, KafkaError::Nul(error)))
        };
        let (name, principal) = (text(&acl.name)?, text(&acl.principal)?);
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

struct Queue(NonNull<sys::rd_kafka_queue_t>);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed here alone.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
}

struct Event(NonNull<sys::rd_kafka_event_t>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed here alone; nothing that it owns is kept.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

fn create(config: &StreamConfig, acls: &[Acl]) -> Result<()> {
    let failed = |code: sys::rd_kafka_resp_err_t| {
        fault::coded(&config.bootstrap, WHAT, RDKafkaErrorCode::from(code))
    };
    let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let mut bindings = Bindings(Vec::with_capacity(acls.len()));
    for acl in acls {
        bindings.add(acl)?;
    }
    let client: BaseConsumer<Context> =
        BaseConsumer::from_config_and_context(&config.admin(), Context::new(config, "admin"))
            .map_err(|error| fault::kafka(&config.bootstrap, WHAT, error))?;
    let native = client.client().native_ptr();
    // SAFETY: `native` lives as long as `client`, which is dropped after the queue.
    let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(native) })
        .map(Queue)
        .ok_or_else(|| Error::internal("librdkafka has no queue"))?;
    // SAFETY: the bindings outlive the call, which copies them; no options mean the
    // client's defaults. The answer comes to the queue.
    let event = unsafe {
        sys::rd_kafka_CreateAcls(
            native,
            bindings.0.as_mut_ptr(),
            bindings.0.len(),
            ptr::null(),
            queue.0.as_ptr(),
        );
        // The request itself ends in time, by `socket.timeout.ms`.
        let wait = i32::try_from((ASK_TIMEOUT * 12).as_millis()).unwrap_or(i32::MAX);
        sys::rd_kafka_queue_poll(queue.0.as_ptr(), wait)
    };
    let Some(event) = NonNull::new(event).map(Event) else {
        return Err(failed(
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT,
        ));
    };
    // SAFETY: the event lives until the end of this function, and with it all results.
    unsafe {
        let code = sys::rd_kafka_event_error(event.0.as_ptr());
        if code != none {
            return Err(failed(code));
        }
        let result = sys::rd_kafka_event_CreateAcls_result(event.0.as_ptr());
        if result.is_null() {
            return Err(Error::internal("the broker did not answer about access"));
        }
        let mut count = 0;
        let results = sys::rd_kafka_CreateAcls_result_acls(result, &mut count);
        for (at, acl) in acls.iter().enumerate().take(count) {
            let error = sys::rd_kafka_acl_result_error(*results.add(at));
            if !error.is_null() && sys::rd_kafka_error_code(error) != none {
                return Err(failed(sys::rd_kafka_error_code(error)).with("rule", acl));
            }
        }
    }
    Ok(())
}
