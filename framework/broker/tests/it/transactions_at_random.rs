//! Transactions of several producers, plain batches, aborts, fencing and restarts in any
//! order: a read_committed reader sees exactly what was committed, in order.

use std::collections::BTreeSet;

use mesh_broker::FlushPolicy;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{BatchOf, TestBroker};
use crate::txn_support::Tx;

const PARTITIONS: i32 = 3;
const PRODUCERS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Committed,
    Aborted,
    /// By this producer.
    Open(usize),
}

/// What a partition should hold.
#[derive(Default)]
struct Expected {
    /// Offset, value and fate of each record.
    records: Vec<(i64, String, Fate)>,
    end: i64,
}

impl Expected {
    fn stable(&self) -> i64 {
        let open = |(_, _, fate): &&(i64, String, Fate)| matches!(fate, Fate::Open(_));
        let first = self.records.iter().find(open);
        first.map_or(self.end, |(offset, ..)| *offset)
    }

    fn visible(&self, from: i64) -> Vec<(i64, String)> {
        let stable = self.stable();
        self.records
            .iter()
            .filter(|(offset, _, fate)| (from..stable).contains(offset) && *fate == Fate::Committed)
            .map(|(offset, value, _)| (*offset, value.clone()))
            .collect()
    }
}

struct World {
    random: ChaCha8Rng,
    test: TestBroker,
    producers: Vec<Tx>,
    /// The partitions in the producer's open transaction.
    open: Vec<BTreeSet<i32>>,
    expected: Vec<Expected>,
    sent: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let always = random.random_range(0..4) == 0;
        let test = TestBroker::start_with(|config| {
            if always {
                config.flush = FlushPolicy::Always;
            }
        });
        let segment_bytes = random.random_range(1_024..4_000u32).to_string();
        test.topic("t", PARTITIONS, &[("segment.bytes", &segment_bytes)]);
        let producers = (0..PRODUCERS)
            .map(|at| Tx::start(&test, &format!("tx-{at}")))
            .collect();
        Self {
            random,
            test,
            producers,
            open: vec![BTreeSet::new(); PRODUCERS],
            expected: (0..PARTITIONS).map(|_| Expected::default()).collect(),
            sent: 0,
        }
    }

    fn values(&mut self) -> Vec<String> {
        let count = self.random.random_range(1..4);
        self.sent += count;
        (self.sent - count..self.sent)
            .map(|at| format!("value {at}"))
            .collect()
    }

    fn sent(&mut self, partition: i32, offset: i64, values: Vec<String>, fate: Fate) {
        let expected = &mut self.expected[partition as usize];
        assert_eq!(offset, expected.end, "offsets have no gaps");
        expected.end += values.len() as i64;
        let records = (offset..).zip(values);
        let records = records.map(|(offset, value)| (offset, value, fate));
        expected.records.extend(records);
    }

    fn ended(&mut self, at: usize, fate: Fate) {
        for partition in std::mem::take(&mut self.open[at]) {
            let expected = &mut self.expected[partition as usize];
            // The marker.
            expected.end += 1;
            for (.., each) in &mut expected.records {
                if *each == Fate::Open(at) {
                    *each = fate;
                }
            }
        }
    }

    fn step(&mut self) {
        let partition = self.random.random_range(0..PARTITIONS);
        let at = self.random.random_range(0..PRODUCERS);
        match self.random.random_range(0..100) {
            0..50 => {
                let values = self.values();
                assert_eq!(self.producers[at].add("t", partition), 0);
                let (code, offset) = self.producers[at].produce_only(9, "t", partition, &values);
                assert_eq!(code, 0);
                self.open[at].insert(partition);
                self.sent(partition, offset, values, Fate::Open(at));
            }
            50..65 => {
                let values = self.values();
                let batch = BatchOf::values(&values).bytes();
                let answer = self.producers[at].raw.produce("t", partition, batch);
                assert_eq!(answer.error_code, 0);
                self.sent(partition, answer.base_offset, values, Fate::Committed);
            }
            65..92 if self.open[at].is_empty() => {}
            65..80 => {
                self.producers[at].commit();
                self.ended(at, Fate::Committed);
            }
            80..92 => {
                self.producers[at].abort();
                self.ended(at, Fate::Aborted);
            }
            92..95 => {
                self.producers[at] = Tx::start(&self.test, &format!("tx-{at}"));
                self.ended(at, Fate::Aborted);
            }
            95..97 => self.restart(),
            _ => self.check(),
        }
    }

    fn restart(&mut self) {
        match self.random.random() {
            true => self.test.stop(),
            false => self.test.crash(),
        }
        self.test.start_again();
        for producer in &mut self.producers {
            producer.reconnect(&self.test);
        }
    }

    fn check(&mut self) {
        let mut raw = self.test.raw();
        for (partition, expected) in (0..).zip(&self.expected) {
            let from = match self.random.random() {
                true => 0,
                false => self.random.random_range(0..=expected.stable()),
            };
            let max_bytes = self.random.random_range(1..3_000);
            let (records, stopped) = raw.read_committed("t", partition, from, max_bytes);
            assert_eq!(records, expected.visible(from), "{partition} from {from}");
            assert_eq!(stopped, expected.stable(), "where it stops");
            let data = raw.fetch_committed("t", partition, from, 1);
            assert_eq!(data.high_watermark, expected.end);
            assert_eq!(data.last_stable_offset, expected.stable());
        }
    }
}

#[test]
fn readers_see_what_was_committed() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..250 {
            world.step();
        }
        world.check();
        for at in 0..PRODUCERS {
            if !world.open[at].is_empty() {
                world.producers[at].commit();
                world.ended(at, Fate::Committed);
            }
        }
        for _ in 0..2 {
            world.check();
            world.restart();
        }
        world.check();
    }
}
