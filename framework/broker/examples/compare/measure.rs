//! One load against one broker.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::processor;
use crate::raw::{self, Connection};

/// Messages of a latency probe.
const PROBES: usize = 400;
/// Bytes of one flow.
const MOST_BYTES: usize = 600_000_000;
/// Messages a second of the paced flow.
const PACE: u32 = 500;
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent.
pub(crate) struct Load {
    pub(crate) bytes: usize,
    pub(crate) partitions: i32,
    pub(crate) seconds: f64,
}

impl Load {
    pub(crate) fn name(&self) -> String {
        format!("{}b-{}p", self.bytes, self.partitions)
    }
}

/// What is measured, in the order of the figures.
pub(crate) const MEASURES: [&str; 3] = ["produce", "fetch", "end to end"];

/// The figures of one measure.
pub(crate) struct Figure {
    /// Messages a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
    /// Seconds of the broker's processor time for a million messages.
    pub(crate) processor: f64,
}

/// A flow of messages that has been measured.
struct Flow {
    count: u64,
    rate: f64,
    processor: f64,
}

impl Flow {
    fn measure(process: Option<i32>, flow: impl FnOnce() -> (u64, Duration)) -> Self {
        let used = || process.map(processor::time).unwrap_or_default();
        let before = used();
        let (count, took) = flow();
        let processor = (used() - before).as_secs_f64() / count as f64 * 1e6;
        Self {
            count,
            rate: count as f64 / took.as_secs_f64(),
            processor,
        }
    }

    fn with(&self, p99: f64) -> Figure {
        Figure {
            rate: self.rate,
            p99,
            processor: self.processor,
        }
    }
}

/// Runs everything on a fresh topic and deletes it.
pub(crate) fn all(
    bootstrap: &str,
    process: Option<i32>,
    topic: &str,
    load: &Load,
) -> [Figure; MEASURES.len()] {
    create(bootstrap, topic, load.partitions);
    let produce_p99 = produce_times(bootstrap, topic, load);
    let produced = Flow::measure(process, || produce(bootstrap, topic, load, load.seconds));
    let stored = produced.count + PROBES as u64;
    let (consumer, ends) = consumer(bootstrap, topic, load);
    let fetched = Flow::measure(process, || fetch(&consumer, topic, load, stored));
    drop(consumer);
    let fetch_p99 = fetch_times(bootstrap, topic, load, &ends);
    let through_p99 = paced(bootstrap, topic, load);
    let consumer = idle_consumer(bootstrap, topic, load);
    let through = Flow::measure(process, || through(&consumer, bootstrap, topic, load));
    drop(consumer);
    delete(bootstrap, topic);
    [
        produced.with(produce_p99),
        fetched.with(fetch_p99),
        through.with(through_p99),
    ]
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn admin<T>(work: impl AsyncFnOnce(AdminClient<DefaultClientContext>) -> T, bootstrap: &str) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { work(client(bootstrap).create().unwrap()).await })
}

pub(crate) fn create(bootstrap: &str, topic: &str, partitions: i32) {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = admin(
        async |admin| {
            admin
                .create_topics([&new], &AdminOptions::new())
                .await
                .unwrap()
        },
        bootstrap,
    );
    assert!(made[0].is_ok(), "{made:?}");
    // The leaders of many partitions take a moment.
    std::thread::sleep(Duration::from_millis(300));
}

pub(crate) fn delete(bootstrap: &str, topic: &str) {
    let gone = admin(
        async |admin| {
            admin
                .delete_topics(&[topic], &AdminOptions::new())
                .await
                .unwrap()
        },
        bootstrap,
    );
    assert!(gone[0].is_ok(), "{gone:?}");
}

/// Notes how long each message took.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Vec<Duration>>>);

impl ClientContext for Times {}

impl ProducerContext for Times {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Self::DeliveryOpaque) {
        assert!(result.is_ok(), "a message was not taken: {result:?}");
        self.0.lock().unwrap().push(sent.elapsed());
    }
}

/// Only looks whether all were taken.
#[derive(Clone, Default)]
struct Taken;

impl ClientContext for Taken {}

impl ProducerContext for Taken {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok(), "a message was not taken: {result:?}");
    }
}

fn producer<C: ProducerContext + 'static>(
    bootstrap: &str,
    linger_ms: &str,
    context: C,
) -> ThreadedProducer<C> {
    client(bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", linger_ms)
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "262144")
        .create_with_context(context)
        .unwrap()
}

fn p99(mut times: Vec<Duration>) -> f64 {
    assert!(!times.is_empty());
    times.sort();
    times[(times.len() * 99 / 100).min(times.len() - 1)].as_secs_f64() * 1e3
}

fn produce_times(bootstrap: &str, topic: &str, load: &Load) -> f64 {
    let times = Times::default();
    let producer = producer(bootstrap, "0", times.clone());
    let value = vec![b'x'; load.bytes];
    for at in 0..PROBES {
        let record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(Instant::now()))
            .partition(at as i32 % load.partitions)
            .payload(&value);
        assert!(producer.send(record).is_ok());
        while times.0.lock().unwrap().len() <= at {
            std::thread::sleep(Duration::from_micros(20));
        }
    }
    producer.flush(PATIENCE).unwrap();
    let mut all = std::mem::take(&mut *times.0.lock().unwrap());
    // The first ones make connections.
    all.drain(..PROBES / 20);
    p99(all)
}

/// Sends for so many seconds; how many messages, and how long until the last was taken.
fn produce(bootstrap: &str, topic: &str, load: &Load, seconds: f64) -> (u64, Duration) {
    let producer = producer(bootstrap, "5", Taken);
    let value = vec![b'x'; load.bytes];
    let begun = Instant::now();
    let until = Duration::from_secs_f64(seconds);
    // No more than fits in memory when it is read again.
    let most = (MOST_BYTES / load.bytes) as u64;
    let mut sent = 0u64;
    while sent < most && (!sent.is_multiple_of(64) || begun.elapsed() < until) {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic)
            .partition((sent % load.partitions as u64) as i32)
            .payload(&value);
        while let Err((_, back)) = producer.send(record) {
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
        sent += 1;
    }
    producer.flush(PATIENCE).unwrap();
    (sent, begun.elapsed())
}

/// A consumer with its connections made, and the ends of the partitions.
fn consumer(bootstrap: &str, topic: &str, load: &Load) -> (BaseConsumer, Vec<i64>) {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "compare")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "false")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", "10485760")
        .set("queued.min.messages", "1000000")
        .create()
        .unwrap();
    // Asking the leader connects to it.
    let end = |partition| {
        let marks = consumer.fetch_watermarks(topic, partition, PATIENCE);
        marks.unwrap().1
    };
    let ends = (0..load.partitions).map(end).collect();
    (consumer, ends)
}

/// Reads from these offsets on; once for each consumer, since a second assignment may come
/// amid what the first has asked for.
fn assign(consumer: &BaseConsumer, topic: &str, offsets: &[i64]) {
    let mut partitions = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(offsets) {
        partitions
            .add_partition_offset(topic, partition, Offset::Offset(*offset))
            .unwrap();
    }
    consumer.assign(&partitions).unwrap();
}

/// A consumer that waits for what comes.
fn idle_consumer(bootstrap: &str, topic: &str, load: &Load) -> BaseConsumer {
    let (consumer, ends) = consumer(bootstrap, topic, load);
    assign(&consumer, topic, &ends);
    assert!(consumer.poll(Duration::from_millis(300)).is_none());
    consumer
}

fn receive(consumer: &BaseConsumer, load: &Load, count: u64) {
    for _ in 0..count {
        let message = consumer.poll(PATIENCE).expect("a message").unwrap();
        assert_eq!(message.payload().unwrap().len(), load.bytes);
    }
}

fn fetch(consumer: &BaseConsumer, topic: &str, load: &Load, count: u64) -> (u64, Duration) {
    let begun = Instant::now();
    assign(consumer, topic, &vec![0; load.partitions as usize]);
    receive(consumer, load, count);
    (count, begun.elapsed())
}

/// Sends and receives at once, until the last message has arrived.
fn through(consumer: &BaseConsumer, bootstrap: &str, topic: &str, load: &Load) -> (u64, Duration) {
    let begun = Instant::now();
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| produce(bootstrap, topic, load, load.seconds / 2.0).0);
        let mut received = 0;
        while !sender.is_finished() {
            if let Some(message) = consumer.poll(Duration::from_millis(5)) {
                assert_eq!(message.unwrap().payload().unwrap().len(), load.bytes);
                received += 1;
            }
        }
        let sent = sender.join().unwrap();
        receive(consumer, load, sent - received);
        sent
    });
    (sent, begun.elapsed())
}

fn fetch_times(bootstrap: &str, topic: &str, load: &Load, ends: &[i64]) -> f64 {
    let mut connection = Connection::open(bootstrap);
    let mut random = 7u64;
    let times = (0..PROBES)
        .map(|at| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let partition = (at as i32) % load.partitions;
            let end = ends[partition as usize].max(1) as u64;
            let offset = ((random >> 33) % end) as i64;
            let begun = Instant::now();
            connection.send(&raw::fetch(topic, &[(partition, offset)], 1 << 20));
            let bytes = raw::fetched(connection.receive());
            assert!(bytes > 0, "nothing at {offset} of {end}");
            begun.elapsed()
        })
        .skip(PROBES / 20)
        .collect();
    p99(times)
}

/// A paced flow of single messages: the 99th percentile from sending to arrival.
fn paced(bootstrap: &str, topic: &str, load: &Load) -> f64 {
    let count = (f64::from(PACE) * load.seconds) as usize;
    let consumer = idle_consumer(bootstrap, topic, load);
    let producer = producer(bootstrap, "0", Taken);
    let mut value = vec![b'x'; load.bytes];
    let partitions = load.partitions;
    // An idempotent producer takes half a second to get its id.
    for partition in 0..partitions {
        let record = BaseRecord::<[u8], [u8]>::to(topic)
            .partition(partition)
            .payload(&value);
        assert!(producer.send(record).is_ok());
    }
    producer.flush(PATIENCE).unwrap();
    receive(&consumer, load, partitions as u64);
    let epoch = Instant::now();
    let sender = std::thread::spawn({
        let topic = topic.to_owned();
        move || {
            for at in 0..count {
                let due = Duration::from_secs(1) / PACE * at as u32;
                std::thread::sleep(due.saturating_sub(epoch.elapsed()));
                let now = u64::try_from(epoch.elapsed().as_nanos()).unwrap();
                value[..8].copy_from_slice(&now.to_be_bytes());
                let record = BaseRecord::<[u8], [u8]>::to(&topic)
                    .partition(at as i32 % partitions)
                    .payload(&value);
                assert!(producer.send(record).is_ok());
            }
            producer.flush(PATIENCE).unwrap();
        }
    });
    let mut times = Vec::with_capacity(count);
    while times.len() < count {
        let message = consumer.poll(PATIENCE).expect("a message").unwrap();
        let sent = u64::from_be_bytes(message.payload().unwrap()[..8].try_into().unwrap());
        times.push(epoch.elapsed().saturating_sub(Duration::from_nanos(sent)));
    }
    sender.join().unwrap();
    times.drain(..count / 20);
    p99(times)
}
