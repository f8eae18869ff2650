//! Random writes, tombstones, transactions, codecs, restarts and cleanings: a plain model
//! says what a reader may see before and after.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::compaction_support::{CODECS, Keyed, Seen, consume, eager, eventually, push_out};
use crate::support::{Raw, TestBroker, produce_request, string};
use crate::txn_support::Tx;

const KEYS: usize = 8;
const PRODUCERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Committed,
    Aborted,
    Open(usize),
}

struct World {
    random: ChaCha8Rng,
    test: TestBroker,
    raw: Raw,
    producers: Vec<Tx>,
    sequences: Vec<i32>,
    /// Everything that was ever written, by offset.
    written: Vec<(Seen, Fate)>,
    end: i64,
    tombstones_last: bool,
    count: usize,
    cleanings: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let dedupe = [0, 400, 1 << 20][random.random_range(0..3)];
        let test = TestBroker::start_with(|config| {
            eager(config);
            config.log_cleaner_dedupe_buffer_bytes = dedupe;
        });
        let tombstones_last = random.random();
        let retention = if tombstones_last { "3600000" } else { "0" };
        let segment_bytes = random.random_range(1_024..3_000u32).to_string();
        test.topic(
            "t",
            1,
            &[
                ("cleanup.policy", "compact"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("delete.retention.ms", retention),
                ("segment.bytes", &segment_bytes),
                ("index.interval.bytes", "300"),
            ],
        );
        let producers = (0..PRODUCERS)
            .map(|at| Tx::start(&test, &format!("tx-{at}")))
            .collect();
        Self {
            random,
            raw: test.raw(),
            test,
            producers,
            sequences: vec![0; PRODUCERS],
            written: Vec::new(),
            end: 0,
            tombstones_last,
            count: 0,
            cleanings: 0,
        }
    }

    fn records(&mut self) -> Vec<(Option<String>, Option<String>)> {
        (0..self.random.random_range(1..5))
            .map(|_| {
                self.count += 1;
                let key = format!("k{}", self.random.random_range(0..KEYS));
                let filler = "x".repeat(self.random.random_range(0..150));
                let value = format!("{} {filler}", self.count);
                (
                    Some(key),
                    (self.random.random_range(0..5) > 0).then_some(value),
                )
            })
            .collect()
    }

    fn write(&mut self, by: Option<usize>) {
        let mut batch = Keyed::of(&[]);
        batch.records = self.records();
        batch.codec = CODECS[self.random.random_range(0..5)];
        let mut request = produce_request("t", 0, -1, None);
        if let Some(at) = by {
            assert_eq!(self.producers[at].add("t", 0), 0);
            let tx = &self.producers[at];
            batch.producer = (tx.producer_id, tx.epoch, self.sequences[at]);
            batch.transactional = true;
            self.sequences[at] += batch.records.len() as i32;
            request = request.with_transactional_id(Some(string(&tx.id).into()));
        }
        request.topic_data[0].partition_data[0].records = Some(batch.bytes());
        let response = self.raw.call(9, &request);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0);
        assert_eq!(answer.base_offset, self.end, "offsets go on");
        let fate = by.map_or(Fate::Committed, Fate::Open);
        for (key, value) in batch.records {
            self.written.push(((self.end, key.unwrap(), value), fate));
            self.end += 1;
        }
    }

    fn is_open(&self, at: usize) -> bool {
        self.written.iter().any(|(_, fate)| *fate == Fate::Open(at))
    }

    fn ended(&mut self, at: usize, fate: Fate) {
        if !self.is_open(at) {
            return;
        }
        // The marker.
        self.end += 1;
        for (_, each) in &mut self.written {
            if *each == Fate::Open(at) {
                *each = fate;
            }
        }
    }

    fn step(&mut self) {
        let at = self.random.random_range(0..PRODUCERS);
        match self.random.random_range(0..100) {
            0..35 => self.write(Some(at)),
            35..60 => self.write(None),
            60..90 if !self.is_open(at) => {}
            60..75 => {
                self.producers[at].commit();
                self.ended(at, Fate::Committed);
            }
            75..87 => {
                self.producers[at].abort();
                self.ended(at, Fate::Aborted);
            }
            87..90 => {
                self.producers[at] = Tx::start(&self.test, &format!("tx-{at}"));
                self.sequences[at] = 0;
                self.ended(at, Fate::Aborted);
            }
            90..93 => self.restart(),
            _ => self.check(),
        }
    }

    fn restart(&mut self) {
        self.cleanings += self.test.broker().metrics().cleanings;
        match self.random.random() {
            true => self.test.stop(),
            false => self.test.crash(),
        }
        self.test.start_again();
        let report = self.test.broker().recovery();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        for producer in &mut self.producers {
            producer.reconnect(&self.test);
        }
        self.raw = self.test.raw();
    }

    fn stable(&self) -> i64 {
        let open = |(_, fate): &&(Seen, Fate)| matches!(fate, Fate::Open(_));
        let first = self.written.iter().find(open);
        first.map_or(self.end, |((offset, ..), _)| *offset)
    }

    fn check(&mut self) {
        let stable = self.stable();
        let max_bytes = self.random.random_range(1..4_000);
        let (seen, stopped) = consume(&mut self.raw, "t", 0, true, max_bytes);
        assert_eq!(stopped, stable, "where a committed reader stops");
        self.is_right(&seen, stable);
        // From the middle on it is the rest of the same, or what has been cleaned of it.
        let from = self.random.random_range(0..=stable);
        let (rest, _) = consume(&mut self.raw, "t", from, true, max_bytes);
        for record in &rest {
            assert!(record.0 >= from && self.is_committed(record), "{record:?}");
        }
    }

    fn is_committed(&self, record: &Seen) -> bool {
        let known = |(seen, fate): &(Seen, Fate)| seen == record && *fate == Fate::Committed;
        self.written.iter().any(known)
    }

    /// Whether this is what was committed before `stable`, or all that compaction may leave
    /// of it.
    fn is_right(&self, seen: &[Seen], stable: i64) {
        assert!(seen.is_sorted_by(|one, other| one.0 < other.0));
        let mut newest: HashMap<&str, &Seen> = HashMap::new();
        for record in seen {
            assert!(self.is_committed(record), "{record:?} was never committed");
            newest.insert(&record.1, record);
        }
        let mut expected: HashMap<&str, &Seen> = HashMap::new();
        for (record, fate) in &self.written {
            if record.0 < stable && *fate == Fate::Committed {
                expected.insert(&record.1, record);
            }
        }
        for (key, record) in expected {
            match newest.get(key) {
                Some(found) => assert_eq!(**found, *record, "the newest of {key}"),
                None => assert!(
                    record.2.is_none() && !self.tombstones_last,
                    "{key} is lost: {record:?}"
                ),
            }
        }
    }
}

#[test]
fn compaction_keeps_what_the_model_says() {
    for seed in 0..10 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step();
        }
        world.check();
        for at in 0..PRODUCERS {
            if world.is_open(at) {
                world.producers[at].commit();
                world.ended(at, Fate::Committed);
            }
        }
        world.check();
        for restart in [false, true] {
            if restart {
                world.restart();
            }
            push_out(&mut world.raw, "t");
            let (seen, end) = consume(&mut world.raw, "t", 0, true, 1 << 20);
            let fillers = |(record, _): &(Seen, Fate)| record.1.starts_with("filler");
            world.written.retain(|record| !fillers(record));
            for record in seen.iter().filter(|record| record.1.starts_with("filler")) {
                world.written.push((record.clone(), Fate::Committed));
            }
            world.end = end;
            eventually("each key is there once", || {
                let (seen, _) = consume(&mut world.raw, "t", 0, true, 1 << 20);
                world.is_right(&seen, end);
                (0..KEYS).all(|at| {
                    let key = format!("k{at}");
                    seen.iter().filter(|record| record.1 == key).count() <= 1
                })
            });
            // Nobody sees anything of what was aborted.
            eventually("aborted records are gone", || {
                let (seen, _) = consume(&mut world.raw, "t", 0, false, 1 << 20);
                seen.iter().all(|record| world.is_committed(record))
            });
        }
        world.cleanings += world.test.broker().metrics().cleanings;
        // How many depends on how the threads run; the keys above show that one was whole.
        assert!(world.cleanings > 0);
        assert_eq!(world.test.broker().metrics().cleaner_failures, 0);
        // The producers' sequences are known in spite of it.
        for at in 0..PRODUCERS {
            let tx = &world.producers[at];
            if world.sequences[at] == 0 {
                continue;
            }
            let mut batch = Keyed::of(&[("k0", Some("again"))]);
            batch.producer = (tx.producer_id, tx.epoch, world.sequences[at] + 1);
            let answer = world.raw.produce("t", 0, batch.bytes());
            let gap = ResponseError::OutOfOrderSequenceNumber.code();
            assert_eq!(answer.error_code, gap);
        }
    }
}
