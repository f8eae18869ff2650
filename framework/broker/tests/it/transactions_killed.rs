//! A broker in a process of its own that is killed amid transactions over several
//! partitions and a group's offsets: each is there whole or not at all, and each that was
//! acknowledged is there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::kill::start;
use crate::support::Raw;

const WAIT: Duration = Duration::from_secs(20);
const PARTITIONS: i32 = 3;

fn reader(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "g")
        .create()
        .unwrap()
}

type Client = ThreadedProducer<DefaultProducerContext>;

/// A producer, which ends what its predecessor has left open.
fn producer(bootstrap: &str) -> Client {
    let producer: Client = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", "tx")
        .set("linger.ms", "0")
        .create()
        .unwrap();
    producer.init_transactions(WAIT).unwrap();
    producer
}

/// How far a writer has come.
struct Progress {
    /// Those whose commit was acknowledged.
    committed: Mutex<BTreeSet<i64>>,
    /// The first number not used.
    unused: AtomicI64,
}

impl Progress {
    fn done(&self) -> usize {
        self.committed.lock().unwrap().len()
    }
}

/// Writes transactions until the broker is gone: the number of each into every partition,
/// and as the group's offset. Every fifth is aborted.
fn transact(bootstrap: &str, progress: &Progress) {
    let producer = producer(bootstrap);
    let consumer = reader(bootstrap);
    loop {
        let number = progress.unused.fetch_add(1, Ordering::SeqCst);
        producer.begin_transaction().unwrap();
        for partition in 0..PARTITIONS {
            let value = number.to_string();
            let record = BaseRecord::<str, str>::to("t")
                .payload(&value)
                .partition(partition);
            producer.send(record).unwrap();
        }
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset("t", 0, Offset::Offset(number))
            .unwrap();
        let group = consumer.group_metadata().unwrap();
        let short = Duration::from_secs(2);
        let ended = producer
            .send_offsets_to_transaction(&offsets, &group, short)
            .and_then(|()| producer.flush(short))
            .and_then(|()| match number % 5 {
                0 => producer.abort_transaction(short).map(|()| false),
                _ => producer.commit_transaction(short).map(|()| true),
            });
        match ended {
            Ok(true) => {
                progress.committed.lock().unwrap().insert(number);
            }
            Ok(false) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn transactions_are_whole_when_the_process_is_killed() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(41);
    for always in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, mut bootstrap) = start(folder.path(), always);
        let mut raw = Raw::connect(bootstrap.parse().unwrap());
        assert_eq!(
            raw.create_topic("t", PARTITIONS, &[("segment.bytes", "4000")]),
            0
        );
        let mut acknowledged = BTreeSet::new();
        let mut next = 1;
        for round in 0..3 {
            let progress = Arc::new(Progress {
                committed: Mutex::default(),
                unused: AtomicI64::new(next),
            });
            let transacting = {
                let (bootstrap, progress) = (bootstrap.clone(), Arc::clone(&progress));
                std::thread::spawn(move || transact(&bootstrap, &progress))
            };
            let enough = random.random_range(1..30);
            let deadline = Instant::now() + WAIT;
            while progress.done() < enough {
                assert!(Instant::now() < deadline, "{} of {enough}", progress.done());
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
            child.kill().unwrap();
            child.wait().unwrap();
            // librdkafka may wait for ever for the coordinator of a broker that is gone,
            // whatever time it was given; such a thread is left behind.
            let deadline = Instant::now() + Duration::from_secs(5);
            while !transacting.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            let committed = progress.committed.lock().unwrap().clone();
            assert!(!committed.is_empty(), "nothing was committed");
            acknowledged.extend(committed);
            next = progress.unused.load(Ordering::SeqCst);

            (child, bootstrap) = start(folder.path(), always);
            drop(producer(&bootstrap));
            let mut raw = Raw::connect(bootstrap.parse().unwrap());
            let read = |raw: &mut Raw, partition| -> Vec<i64> {
                let (records, stopped) = raw.read_committed("t", partition, 0, 10_000);
                let end = raw.list_offset("t", partition, -1).offset;
                assert_eq!(stopped, end, "nothing is left open");
                records
                    .iter()
                    .map(|(_, value)| value.parse().unwrap())
                    .collect()
            };
            let first = read(&mut raw, 0);
            assert!(first.is_sorted_by(|a, b| a < b), "each once, in order");
            for partition in 1..PARTITIONS {
                assert_eq!(read(&mut raw, partition), first, "round {round}");
            }
            let seen: BTreeSet<i64> = first.iter().copied().collect();
            let lost: Vec<&i64> = acknowledged.difference(&seen).collect();
            assert!(lost.is_empty(), "round {round}: {lost:?}");
            assert!(
                seen.iter().all(|number| number % 5 != 0),
                "none was aborted"
            );
            let mut asked = TopicPartitionList::new();
            asked.add_partition("t", 0);
            let offsets = reader(&bootstrap).committed_offsets(asked, WAIT).unwrap();
            let expected = Offset::Offset(*first.last().unwrap());
            assert_eq!(offsets.elements()[0].offset(), expected);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
