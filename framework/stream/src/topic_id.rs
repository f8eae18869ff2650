//! The id that a cluster gave a topic when it was made, which rdkafka does not ask for.
//!
//! Unsafe, because it speaks to librdkafka itself: whatever it allocates is owned by a guard
//! that frees it once, and what is read belongs to an event that is still held.

use std::ffi::CString;
use std::ptr;
use std::time::{Duration, Instant};

use mesh_core::Result;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;
use uuid::Uuid;

use crate::admin::Admin;
use crate::client::Context;
use crate::fault::ASK_TIMEOUT;

/// Frees what it holds.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: owned, not null, and freed nowhere else.
            unsafe { (self.1)(self.0) };
        }
    }
}

impl<T> Owned<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self, KafkaError> {
        match pointer.is_null() {
            true => Err(KafkaError::AdminOp(RDKafkaErrorCode::Fail)),
            false => Ok(Self(pointer, free)),
        }
    }
}

impl Admin {
    /// The id that the cluster gave `topic` when it was made: a topic that is made anew under
    /// its name has another. `None` on a cluster that gives none (before Kafka 2.8).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mesh_core::ErrorKind::NotFound) if there is no such topic,
    /// [`ErrorKind::Unavailable`](mesh_core::ErrorKind::Unavailable) if no broker answers.
    pub async fn topic_id(&self, topic: &str) -> Result<Option<Uuid>> {
        let name = topic.to_owned();
        self.ask("asking for a topic's id", move |client| {
            describe(client, &name)
        })
        .await
        .map_err(|error| error.with("topic", topic))
    }
}

fn describe(client: &BaseConsumer<Context>, topic: &str) -> Result<Option<Uuid>, KafkaError> {
    let native = client.client().native_ptr();
    let name = CString::new(topic).map_err(KafkaError::Nul)?;
    let mut names = [name.as_ptr()];
    // SAFETY: `native` lives as long as `client`; the name is copied by the call.
    let (queue, topics, options) = unsafe {
        (
            Owned::new(sys::rd_kafka_queue_new(native), sys::rd_kafka_queue_destroy)?,
            Owned::new(
                sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1),
                sys::rd_kafka_TopicCollection_destroy,
            )?,
            Owned::new(
                sys::rd_kafka_AdminOptions_new(
                    native,
                    sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                ),
                sys::rd_kafka_AdminOptions_destroy,
            )?,
        )
    };
    let mut text = [0; 256];
    // SAFETY: the options are alive; the text has the size that is told.
    let set = unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options.0,
            i32::try_from(ASK_TIMEOUT.as_millis()).unwrap_or(i32::MAX),
            text.as_mut_ptr(),
            text.len(),
        )
    };
    check(RDKafkaErrorCode::from(set))?;
    // SAFETY: all four are alive, and the call keeps none of them but the queue, which it
    // counts.
    unsafe { sys::rd_kafka_DescribeTopics(native, topics.0, options.0, queue.0) };
    let begun = Instant::now();
    let event = loop {
        // SAFETY: the queue is alive; the event is owned from here on.
        let event = unsafe { sys::rd_kafka_queue_poll(queue.0, 100) };
        if !event.is_null() {
            break Owned::new(event, sys::rd_kafka_event_destroy)?;
        }
        if begun.elapsed() > ASK_TIMEOUT + Duration::from_secs(1) {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
        }
    };
    // SAFETY: the event is alive for as long as what is read of it; a result that is null or
    // empty is not read.
    unsafe {
        check(RDKafkaErrorCode::from(sys::rd_kafka_event_error(event.0)))?;
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
        if result.is_null() {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::Fail));
        }
        let mut count = 0;
        let found = sys::rd_kafka_DescribeTopics_result_topics(result, ptr::addr_of_mut!(count));
        if found.is_null() || count != 1 {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::Fail));
        }
        let found = *found;
        let error = sys::rd_kafka_TopicDescription_error(found);
        if !error.is_null() {
            check(RDKafkaErrorCode::from(sys::rd_kafka_error_code(error)))?;
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(found);
        if id.is_null() {
            return Ok(None);
        }
        let id = Uuid::from_u64_pair(
            sys::rd_kafka_Uuid_most_significant_bits(id) as u64,
            sys::rd_kafka_Uuid_least_significant_bits(id) as u64,
        );
        Ok((!id.is_nil()).then_some(id))
    }
}

fn check(code: RDKafkaErrorCode) -> Result<(), KafkaError> {
    match code {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::AdminOp(code)),
    }
}
