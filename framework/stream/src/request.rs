//! Requests of librdkafka's admin API that the Rust binding lacks.

use std::ffi::CString;
use std::ptr::NonNull;

use mesh_core::{Error, Result};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use crate::client::Context;
use crate::config::StreamConfig;
use crate::fault::{self, ASK_TIMEOUT};

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

/// Sends a request and reads its answer. `send` is given the client and the queue that the
/// answer comes to, `read` the answer, which lives until it returns and is no error.
pub(crate) fn request<T>(
    config: &StreamConfig,
    what: &'static str,
    send: impl FnOnce(*mut sys::rd_kafka_t, *mut sys::rd_kafka_queue_t),
    read: impl FnOnce(*mut sys::rd_kafka_event_t) -> Result<T>,
) -> Result<T> {
    let client: BaseConsumer<Context> =
        BaseConsumer::from_config_and_context(&config.admin(), Context::new(config, "admin"))
            .map_err(|error| fault::kafka(&config.bootstrap, what, error))?;
    request_with(&client, config, what, send, read)
}

/// The same with a client that is there.
pub(crate) fn request_with<T>(
    client: &BaseConsumer<Context>,
    config: &StreamConfig,
    what: &'static str,
    send: impl FnOnce(*mut sys::rd_kafka_t, *mut sys::rd_kafka_queue_t),
    read: impl FnOnce(*mut sys::rd_kafka_event_t) -> Result<T>,
) -> Result<T> {
    let failed = |code| refused(config, what, code);
    let native = client.client().native_ptr();
    // SAFETY: `native` lives as long as `client`, which outlives the queue.
    let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(native) })
        .map(Queue)
        .ok_or_else(|| Error::internal("librdkafka has no queue"))?;
    send(native, queue.0.as_ptr());
    // The request itself ends in time, by `socket.timeout.ms`.
    let wait = i32::try_from((ASK_TIMEOUT * 12).as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue lives.
    let event = unsafe { sys::rd_kafka_queue_poll(queue.0.as_ptr(), wait) };
    let Some(event) = NonNull::new(event).map(Event) else {
        return Err(failed(
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT,
        ));
    };
    // SAFETY: the event lives until the end of this function.
    let code = unsafe { sys::rd_kafka_event_error(event.0.as_ptr()) };
    if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(failed(code));
    }
    read(event.0.as_ptr())
}

/// The error of an answer.
pub(crate) fn refused(
    config: &StreamConfig,
    what: &'static str,
    code: sys::rd_kafka_resp_err_t,
) -> Error {
    fault::coded(&config.bootstrap, what, RDKafkaErrorCode::from(code))
}

/// A text as C has it.
pub(crate) fn text(what: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|error| fault::kafka("", what, KafkaError::Nul(error)))
}
