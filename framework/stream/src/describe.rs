//! What tells a topic from another of the same name.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use mesh_core::{Error, Result};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;
use uuid::Uuid;

use crate::admin::Admin;
use crate::client::drain;
use crate::fault;
use crate::request::{request_with, text};

const DESCRIBING: &str = "asking what a topic is";

/// What a topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicDescription {
    /// What it is told by from one of the same name that was there before (KIP-516); `None`
    /// from a cluster that is older than that.
    pub id: Option<Uuid>,
    /// Its partitions.
    pub partitions: i32,
}

impl Admin {
    /// What each of `topics` is; those that are not there are left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if no broker answers,
    /// [`ErrorKind::PermissionDenied`](mesh_core::ErrorKind::PermissionDenied) if this
    /// client may not see one.
    pub async fn describe_topics(
        &self,
        topics: &[&str],
    ) -> Result<BTreeMap<String, TopicDescription>> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = topics
            .iter()
            .map(|topic| text(DESCRIBING, topic))
            .collect::<Result<Vec<CString>>>()?;
        let client = Arc::clone(self.client());
        let config = self.config().clone();
        tokio::task::spawn_blocking(move || {
            let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
            // SAFETY: the names live until the call returns, which copies them.
            let made = unsafe {
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len())
            };
            let collection = NonNull::new(made)
                .map(Collection)
                .ok_or_else(|| Error::invalid("a topic without a name"))?;
            let answer = request_with(
                &client,
                &config,
                DESCRIBING,
                // SAFETY: the collection outlives the call, which copies it; no options mean
                // the client's defaults.
                |native, queue| unsafe {
                    sys::rd_kafka_DescribeTopics(native, collection.0.as_ptr(), ptr::null(), queue);
                },
                |event| {
                    let mut found = BTreeMap::new();
                    // SAFETY: the event lives until this returns, and with it all results.
                    for topic in unsafe { described(event) } {
                        match topic {
                            Ok((name, description)) => {
                                found.insert(name, description);
                            }
                            Err(
                                RDKafkaErrorCode::UnknownTopicOrPartition
                                | RDKafkaErrorCode::UnknownTopic,
                            ) => {}
                            Err(code) => {
                                return Err(fault::coded(&config.bootstrap, DESCRIBING, code));
                            }
                        }
                    }
                    Ok(found)
                },
            );
            // What librdkafka has logged meanwhile.
            drain(&client);
            answer
        })
        .await
        .map_err(|error| Error::internal(DESCRIBING).because(error))?
    }
}

struct Collection(NonNull<sys::rd_kafka_TopicCollection_t>);

impl Drop for Collection {
    fn drop(&mut self) {
        // SAFETY: it is ours, and destroyed here alone.
        unsafe { sys::rd_kafka_TopicCollection_destroy(self.0.as_ptr()) };
    }
}

/// The topics in an answer.
///
/// # Safety
/// `event` is a living answer to DescribeTopics.
unsafe fn described(
    event: *mut sys::rd_kafka_event_t,
) -> Vec<Result<(String, TopicDescription), RDKafkaErrorCode>> {
    // SAFETY: by the caller's promise; everything read belongs to the event, and what may
    // be null is tested.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Vec::new();
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        (0..count)
            .map(|at| {
                let topic = *topics.add(at);
                let code = sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic));
                if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return Err(RDKafkaErrorCode::from(code));
                }
                let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic));
                let mut partitions = 0;
                sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
                let id = NonNull::new(sys::rd_kafka_TopicDescription_topic_id(topic).cast_mut())
                    .map(|id| {
                        let most = sys::rd_kafka_Uuid_most_significant_bits(id.as_ptr());
                        let least = sys::rd_kafka_Uuid_least_significant_bits(id.as_ptr());
                        Uuid::from_u64_pair(most as u64, least as u64)
                    })
                    .filter(|id| !id.is_nil());
                let description = TopicDescription {
                    id,
                    partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
                };
                Ok((name.to_string_lossy().into_owned(), description))
            })
            .collect()
    }
}
