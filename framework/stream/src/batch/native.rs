//! The only unsafe code: librdkafka's batch call and the messages it gives.
//!
//! What must hold, and how it does:
//! - a message is freed exactly once: a [`Messages`] owns its pointers, has no `Clone`, and
//!   frees in `Drop`; splitting moves pointers;
//! - no message outlives its client: each [`Messages`] and each [`Subscription`] holds the
//!   client's `Arc`, and drops it last;
//! - a message's bytes do not change: librdkafka writes them before it hands the message
//!   over, and slices of them borrow from the [`Messages`].

use std::ffi::CString;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::Result;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;

use crate::client::{Context, drain};
use crate::config::StreamConfig;
use crate::consumer::{RawRecord, detach};
use crate::fault;

/// A client whose destruction, which joins librdkafka's threads, holds up nobody.
struct Client(Option<BaseConsumer<Context>>);

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            detach("mesh-reader-close", move || drop(client));
        }
    }
}

/// A partition being fetched into a queue of its own.
pub(super) struct Subscription {
    topic: NonNull<sys::rd_kafka_topic_t>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    name: Arc<str>,
    partition: i32,
    client: Arc<Client>,
    scratch: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's topics and queues may be used from any thread
// (INTRODUCTION.md, "Threads and callbacks"); the scratch pointers are null or moved out
// between calls, which need `&mut self`.
unsafe impl Send for Subscription {}

/// What one call of librdkafka gave.
pub(super) struct Polled {
    /// Records, in order.
    pub(super) messages: Messages,
    /// The end of the partition was reached, at this offset.
    pub(super) end: Option<i64>,
    /// Fetching failed.
    pub(super) error: Option<RDKafkaErrorCode>,
}

impl Polled {
    /// Whether nothing came at all.
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.end.is_none() && self.error.is_none()
    }
}

impl Subscription {
    /// Begins to fetch `topic`, `partition` from offset `start`.
    pub(super) fn start(
        config: &StreamConfig,
        topic: &str,
        partition: i32,
        start: i64,
    ) -> Result<Self> {
        let failed = |error| {
            fault::kafka(&config.bootstrap, "opening a partition", error)
                .with("topic", topic)
                .with("partition", partition)
        };
        let name = CString::new(topic).map_err(|error| failed(KafkaError::Nul(error)))?;
        let client = BaseConsumer::from_config_and_context(
            &config.partition_reader(),
            Context::new(config, "reader"),
        )
        .map_err(failed)?;
        let native = client.client().native_ptr();
        let client = Arc::new(Client(Some(client)));
        // SAFETY: `native` lives as long as `client`; a null configuration means the
        // client's default; both results are checked for null and owned by `Subscription`.
        let (queue, handle) = unsafe {
            (
                NonNull::new(sys::rd_kafka_queue_new(native)),
                NonNull::new(sys::rd_kafka_topic_new(
                    native,
                    name.as_ptr(),
                    ptr::null_mut(),
                )),
            )
        };
        let (Some(queue), Some(handle)) = (queue, handle) else {
            // SAFETY: each is destroyed once, here, and not used again.
            unsafe {
                queue.inspect(|queue| sys::rd_kafka_queue_destroy(queue.as_ptr()));
                handle.inspect(|handle| sys::rd_kafka_topic_destroy(handle.as_ptr()));
            }
            return Err(failed(last_error()));
        };
        let subscription = Self {
            topic: handle,
            queue,
            name: topic.into(),
            partition,
            client,
            scratch: Vec::new(),
        };
        // SAFETY: topic and queue are of the same living client.
        let started = unsafe {
            sys::rd_kafka_consume_start_queue(
                subscription.topic.as_ptr(),
                partition,
                start,
                subscription.queue.as_ptr(),
            )
        };
        if started != 0 {
            return Err(failed(last_error()));
        }
        Ok(subscription)
    }

    /// Takes up to `most` messages: those that are there, or, within `within`, the first
    /// that comes and those that came with it. Librdkafka itself would wait for all, in
    /// vain where offsets are marks of transactions.
    pub(super) fn poll(&mut self, most: usize, within: Duration) -> Polled {
        let mut polled = Polled {
            messages: Messages {
                pointers: Vec::new(),
                topic: Arc::clone(&self.name),
                client: Arc::clone(&self.client),
            },
            end: None,
            error: None,
        };
        self.take(most, Duration::ZERO, &mut polled);
        if polled.is_empty() {
            self.take(1, within, &mut polled);
            if !polled.is_empty() && most > 1 {
                self.take(most - 1, Duration::ZERO, &mut polled);
            }
        }
        polled
    }

    /// Adds up to `most` messages, waiting until there are so many or `within` is over.
    fn take(&mut self, most: usize, within: Duration, polled: &mut Polled) {
        self.scratch.clear();
        self.scratch.resize(most, ptr::null_mut());
        // SAFETY: the array has room for `most` pointers; the queue is alive.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                i32::try_from(within.as_millis()).unwrap_or(i32::MAX),
                self.scratch.as_mut_ptr(),
                most,
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(most);
        polled.messages.pointers.reserve(count);
        for pointer in self.scratch.drain(..count) {
            let Some(message) = NonNull::new(pointer) else {
                continue;
            };
            // SAFETY: librdkafka gave us the message; it is freed below or by `Messages`.
            let (code, offset) = unsafe { (message.as_ref().err, message.as_ref().offset) };
            match RDKafkaErrorCode::from(code) {
                RDKafkaErrorCode::NoError => {
                    polled.messages.pointers.push(message);
                    continue;
                }
                RDKafkaErrorCode::PartitionEOF => polled.end = Some(offset),
                code => polled.error = Some(code),
            }
            // SAFETY: an event, not a record: nobody else has the pointer.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }

    /// The offset after the last record that was taken, or after the marks of transactions
    /// that follow it; `None` before the first.
    pub(super) fn position(&self) -> Option<i64> {
        let client = self.client.0.as_ref()?;
        // SAFETY: the list is made, filled, read and destroyed here; the name is that of a
        // living topic, and the partition was added just before it is read.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(1);
            let name = sys::rd_kafka_topic_name(self.topic.as_ptr());
            sys::rd_kafka_topic_partition_list_add(list, name, self.partition);
            let error = sys::rd_kafka_position(client.client().native_ptr(), list);
            let offset = (*(*list).elems).offset;
            sys::rd_kafka_topic_partition_list_destroy(list);
            (RDKafkaErrorCode::from(error) == RDKafkaErrorCode::NoError && offset >= 0)
                .then_some(offset)
        }
    }

    /// Hands what librdkafka has to say to the log.
    pub(super) fn serve_log(&self) {
        if let Some(client) = &self.client.0 {
            drain(client);
        }
    }

    /// The partition's first offset and its end, asked of the broker.
    pub(super) fn watermarks(&self, within: Duration) -> Result<(i64, i64), KafkaError> {
        match &self.client.0 {
            Some(client) => client.fetch_watermarks(&self.name, self.partition, within),
            None => Err(KafkaError::Canceled),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // SAFETY: both were made in `start` and are destroyed once; stopping a partition
        // that was not started is refused without harm; the client goes after them.
        unsafe {
            sys::rd_kafka_consume_stop(self.topic.as_ptr(), self.partition);
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            sys::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

fn last_error() -> KafkaError {
    // SAFETY: reads a variable of this thread.
    KafkaError::Global(unsafe { sys::rd_kafka_last_error() }.into())
}

/// Records of one partition, in librdkafka's own buffers.
///
/// They are freed when it is dropped. While it lives it keeps the buffers of whole fetches
/// from being reused, so it should not be kept for long.
pub struct Messages {
    pointers: Vec<NonNull<sys::rd_kafka_message_t>>,
    topic: Arc<str>,
    client: Arc<Client>,
}

// SAFETY: the messages are owned, librdkafka lets any thread read and free them, and the
// only call that changes one behind a const pointer (parsing headers) needs `&mut self`.
unsafe impl Send for Messages {}
// SAFETY: see above; through `&Messages` the messages are only read.
unsafe impl Sync for Messages {}

/// A record that borrows its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessageRef<'a> {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970; -1 if the record has none.
    pub timestamp: i64,
    /// The framed key.
    pub key: Option<&'a [u8]>,
    /// The framed value; a tombstone without one.
    pub value: Option<&'a [u8]>,
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRef")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("topic", &self.topic)
            .field("len", &self.pointers.len())
            .finish_non_exhaustive()
    }
}

impl Messages {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.pointers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// The topic they are of.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The record at `index`; `None` past the end.
    pub fn get(&self, index: usize) -> Option<MessageRef<'_>> {
        self.pointers.get(index).map(|pointer| self.read(*pointer))
    }

    /// All records in the order of their offsets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = MessageRef<'_>> {
        self.pointers.iter().map(|pointer| self.read(*pointer))
    }

    /// All records, as [`ArrowDecoder::decode`](super::ArrowDecoder::decode) takes them.
    pub fn refs(&self) -> Vec<MessageRef<'_>> {
        self.iter().collect()
    }

    /// A copy of the record at `index` with its headers; `None` past the end.
    pub fn to_raw(&mut self, index: usize) -> Option<RawRecord> {
        let headers = self.headers(index)?;
        let message = self.get(index)?;
        Some(RawRecord {
            topic: self.topic.to_string(),
            partition: message.partition,
            offset: message.offset,
            timestamp: message.timestamp,
            key: message.key.map(Bytes::copy_from_slice),
            value: message.value.map(Bytes::copy_from_slice),
            headers,
        })
    }

    /// The headers of the record at `index`; `None` past the end.
    pub fn headers(&mut self, index: usize) -> Option<Vec<(String, Option<Bytes>)>> {
        let message = *self.pointers.get(index)?;
        let mut found = Vec::new();
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive and, by `&mut self`, nobody else parses its headers.
        let error = unsafe { sys::rd_kafka_message_headers(message.as_ptr(), &mut headers) };
        if RDKafkaErrorCode::from(error) != RDKafkaErrorCode::NoError {
            return Some(found);
        }
        for at in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0usize);
            // SAFETY: the headers belong to the living message; what is written are a
            // terminated name and `size` bytes of value, both alive as long as it.
            let (name, value) = unsafe {
                let error =
                    sys::rd_kafka_header_get_all(headers, at, &mut name, &mut value, &mut size);
                if RDKafkaErrorCode::from(error) != RDKafkaErrorCode::NoError {
                    break;
                }
                (
                    std::ffi::CStr::from_ptr(name)
                        .to_string_lossy()
                        .into_owned(),
                    slice(value.cast(), size).map(Bytes::copy_from_slice),
                )
            };
            found.push((name, value));
        }
        Some(found)
    }

    /// Splits off the records from `at` on.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        Self {
            pointers: self.pointers.split_off(at.min(self.pointers.len())),
            topic: Arc::clone(&self.topic),
            client: Arc::clone(&self.client),
        }
    }

    /// Drops the records from offset `end` on.
    pub(super) fn cut(&mut self, end: i64) {
        let keep = self
            .iter()
            .position(|message| message.offset >= end)
            .unwrap_or(self.len());
        drop(self.split_off(keep));
    }

    fn read(&self, pointer: NonNull<sys::rd_kafka_message_t>) -> MessageRef<'_> {
        // SAFETY: the message lives as long as `self`, whose lifetime the slices take.
        unsafe {
            let message = pointer.as_ref();
            MessageRef {
                partition: message.partition,
                offset: message.offset,
                timestamp: sys::rd_kafka_message_timestamp(pointer.as_ptr(), ptr::null_mut()),
                key: slice(message.key.cast(), message.key_len),
                value: slice(message.payload.cast(), message.len),
            }
        }
    }
}

/// The bytes at a pointer; `None` if it is null.
///
/// # Safety
/// `pointer` is null, or `length` bytes can be read there for as long as `'a`.
unsafe fn slice<'a>(pointer: *const u8, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the caller's promise.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer, length) })
}

impl Drop for Messages {
    fn drop(&mut self) {
        for pointer in self.pointers.drain(..) {
            // SAFETY: owned, and freed nowhere else; the client is still alive.
            unsafe { sys::rd_kafka_message_destroy(pointer.as_ptr()) };
        }
    }
}
