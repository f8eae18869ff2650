//! The unsafe code of reading: librdkafka's batch call and the messages it gives.
//!
//! What must hold, and how it does:
//! - a message is freed exactly once: a [`Messages`] owns its pointers, has no `Clone`, and
//!   frees in `Drop`; splitting moves pointers;
//! - no message, queue or topic outlives its client: each [`Messages`], [`Queue`] and
//!   [`Subscription`] holds the client's `Arc`, and drops it last;
//! - a message's bytes do not change: librdkafka writes them before it hands the message
//!   over, and slices of them borrow from the [`Messages`].

use std::ffi::CString;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh_core::Result;
use rdkafka::ClientConfig;
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

/// A queue of messages, and the client that fills it.
pub(super) struct Queue {
    native: NonNull<sys::rd_kafka_queue_t>,
    _client: Arc<Client>,
}

// SAFETY: librdkafka's queues may be used from any thread, and so may the client.
unsafe impl Send for Queue {}
// SAFETY: see above; all that is done through `&Queue` takes the queue's own lock.
unsafe impl Sync for Queue {}

impl Queue {
    /// Ends a wait for messages that is under way, or the next one at once.
    pub(super) fn wake(&self) {
        // SAFETY: the queue lives.
        unsafe { sys::rd_kafka_queue_yield(self.native.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: ours, and destroyed here alone; its client goes after it.
        unsafe { sys::rd_kafka_queue_destroy(self.native.as_ptr()) }
    }
}

/// Partitions of a topic being fetched into a queue of their own.
pub(super) struct Subscription {
    topic: NonNull<sys::rd_kafka_topic_t>,
    queue: Arc<Queue>,
    name: Arc<str>,
    partitions: Vec<i32>,
    /// Of each of them, the end that was told last; -1 before the first.
    told: Vec<i64>,
    client: Arc<Client>,
    scratch: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's topics and queues may be used from any thread
// (INTRODUCTION.md, "Threads and callbacks"); the scratch pointers are null or moved out
// between calls, which need `&mut self`.
unsafe impl Send for Subscription {}

/// What one call of librdkafka gave.
pub(super) struct Polled {
    /// Records, those of each partition in order.
    pub(super) messages: Messages,
    /// Partitions whose end was reached, and where that is.
    pub(super) ends: Vec<(i32, i64)>,
    /// Partitions of which fetching failed.
    pub(super) errors: Vec<(i32, RDKafkaErrorCode)>,
}

impl Polled {
    /// Whether nothing came at all.
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.ends.is_empty() && self.errors.is_empty()
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
        let mut subscription = Self::open(config, &config.partition_reader(), topic)?;
        subscription.add(config, partition, start)?;
        Ok(subscription)
    }

    /// A client of `topic` with `settings` that fetches nothing yet.
    pub(super) fn open(
        config: &StreamConfig,
        settings: &ClientConfig,
        topic: &str,
    ) -> Result<Self> {
        let failed =
            |error| fault::kafka(&config.bootstrap, "opening a topic", error).with("topic", topic);
        let name = CString::new(topic).map_err(|error| failed(KafkaError::Nul(error)))?;
        let client =
            BaseConsumer::from_config_and_context(settings, Context::new(config, "reader"))
                .map_err(failed)?;
        let native = client.client().native_ptr();
        let client = Arc::new(Client(Some(client)));
        // SAFETY: `native` lives as long as `client`, which the queue holds.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(native) })
            .map(|native| Queue {
                native,
                _client: Arc::clone(&client),
            })
            .ok_or_else(|| failed(last_error()))?;
        // SAFETY: a null configuration means the client's default; the topic is owned by
        // the `Subscription`.
        let topic = NonNull::new(unsafe {
            sys::rd_kafka_topic_new(native, name.as_ptr(), ptr::null_mut())
        })
        .ok_or_else(|| failed(last_error()))?;
        Ok(Self {
            topic,
            queue: Arc::new(queue),
            name: name.to_string_lossy().into(),
            partitions: Vec::new(),
            told: Vec::new(),
            client,
            scratch: Vec::new(),
        })
    }

    /// Begins to fetch one more partition, from offset `start`.
    pub(super) fn add(&mut self, config: &StreamConfig, partition: i32, start: i64) -> Result<()> {
        // SAFETY: topic and queue are of the same living client.
        let started = unsafe {
            sys::rd_kafka_consume_start_queue(
                self.topic.as_ptr(),
                partition,
                start,
                self.queue.native.as_ptr(),
            )
        };
        if started != 0 {
            return Err(
                fault::kafka(&config.bootstrap, "opening a partition", last_error())
                    .with("topic", &self.name)
                    .with("partition", partition),
            );
        }
        self.partitions.push(partition);
        self.told.push(-1);
        Ok(())
    }

    /// The queue, to wake who waits for it.
    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
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
            ends: Vec::new(),
            errors: Vec::new(),
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
                self.queue.native.as_ptr(),
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
            let (code, partition, offset) = unsafe {
                let message = message.as_ref();
                (message.err, message.partition, message.offset)
            };
            match RDKafkaErrorCode::from(code) {
                RDKafkaErrorCode::NoError => {
                    polled.messages.pointers.push(message);
                    continue;
                }
                RDKafkaErrorCode::PartitionEOF => {
                    polled.ends.push((partition, offset));
                    let at = self.partitions.iter().position(|of| *of == partition);
                    if let Some(told) = at.and_then(|at| self.told.get_mut(at)) {
                        *told = offset;
                    }
                }
                code => polled.errors.push((partition, code)),
            }
            // SAFETY: an event, not a record: nobody else has the pointer.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }

    /// Of each partition, the offset after the last record that was taken, or after the
    /// marks of transactions that follow it. One is left out as long as nothing was taken,
    /// and when its end was the last: librdkafka counts the message that tells of it as if
    /// it were the record there.
    pub(super) fn positions(&self) -> Vec<(i32, i64)> {
        let Some(client) = self.client.0.as_ref() else {
            return Vec::new();
        };
        // SAFETY: the list is made, filled, read and destroyed here; the name is that of a
        // living topic, and as many elements are read as were added.
        unsafe {
            let count = self.partitions.len();
            let list =
                sys::rd_kafka_topic_partition_list_new(i32::try_from(count).unwrap_or(i32::MAX));
            let name = sys::rd_kafka_topic_name(self.topic.as_ptr());
            for partition in &self.partitions {
                sys::rd_kafka_topic_partition_list_add(list, name, *partition);
            }
            let error = sys::rd_kafka_position(client.client().native_ptr(), list);
            let mut found = Vec::with_capacity(count);
            if RDKafkaErrorCode::from(error) == RDKafkaErrorCode::NoError {
                let elements = std::slice::from_raw_parts((*list).elems, count);
                found.extend(
                    elements
                        .iter()
                        .zip(&self.told)
                        .filter(|(element, told)| {
                            element.offset >= 0 && element.offset > **told + 1
                        })
                        .map(|(element, _)| (element.partition, element.offset)),
                );
            }
            sys::rd_kafka_topic_partition_list_destroy(list);
            found
        }
    }

    /// The first offset of a partition and its end, committed or not, as the last response
    /// to a fetch told them; `None` before the first.
    pub(super) fn bounds(&self, partition: i32) -> Option<(i64, i64)> {
        let client = self.client.0.as_ref()?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the name is that of a living topic, both numbers are written to.
        let error = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                client.client().native_ptr(),
                sys::rd_kafka_topic_name(self.topic.as_ptr()),
                partition,
                &mut low,
                &mut high,
            )
        };
        let known = RDKafkaErrorCode::from(error) == RDKafkaErrorCode::NoError;
        (known && low >= 0 && high >= 0).then_some((low, high))
    }

    /// Hands what librdkafka has to say to the log.
    pub(super) fn serve_log(&self) {
        if let Some(client) = &self.client.0 {
            drain(client);
        }
    }

    /// A partition's first offset and its end, asked of the broker.
    pub(super) fn watermarks(
        &self,
        partition: i32,
        within: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        match &self.client.0 {
            Some(client) => client.fetch_watermarks(&self.name, partition, within),
            None => Err(KafkaError::Canceled),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // SAFETY: the topic was made in `open` and is destroyed once, each partition was
        // started; queue and client go after them.
        unsafe {
            for partition in &self.partitions {
                sys::rd_kafka_consume_stop(self.topic.as_ptr(), *partition);
            }
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
