//! What single requests cost the brokers in processor time: no client unpacks records or
//! waits for its own threads, so that the figures stand even on a busy machine.

use bytes::Bytes;

use crate::raw::{self, Connection};
use crate::{Broker, measure, middle, processor};

/// Requests sent before the first answer is read.
const IN_FLIGHT: usize = 5;
const PARTITIONS: i32 = 64;
const ROUNDS: usize = 5;

struct Case {
    what: &'static str,
    request: Bytes,
    count: usize,
    /// Bytes of records wanted in each answer to a fetch.
    wanted: Option<usize>,
}

fn cases(topic: &str) -> Vec<Case> {
    let (small, middling, large) = (raw::batch(10), raw::batch(150), raw::batch(9_000));
    let produce = |what, partitions, batch: &Bytes, count| Case {
        what,
        request: raw::produce(topic, partitions, batch),
        count,
        wanted: None,
    };
    let fetch = |what, partitions: &[(i32, i64)], max, count, wanted| Case {
        what,
        request: raw::fetch(topic, partitions, max),
        count,
        wanted: Some(wanted),
    };
    let every: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    // Within a batch, so that it has to be looked for.
    let inside = [(0, 12_345)];
    vec![
        produce("produce 1 x 1 KB", 0..1, &small, 4_000),
        produce("produce 64 x 1 KB", 0..PARTITIONS, &small, 400),
        produce("produce 1 x 17 KB", 0..1, &middling, 2_000),
        produce("produce 1 x 1 MB", 0..1, &large, 100),
        fetch("fetch 1 x 64 KiB", &inside, 65_536, 2_000, 30_000),
        fetch("fetch 1 x 1 MiB", &inside, 1 << 20, 300, 900_000),
        fetch("fetch 64 x 16 KiB", &every, 16_384, 200, 500_000),
    ]
}

/// Prints microseconds of processor time a request as a table.
pub(crate) fn table(brokers: &[Broker; 2]) {
    let [ours, theirs] = brokers;
    println!(
        "| request | {}, us | {}, us | ratio |",
        ours.name, theirs.name
    );
    println!("|---|---|---|---|");
    let topics = [0, 1].map(|at| {
        let topic = format!("requests-{}-{at}", std::process::id());
        measure::create(&brokers[at].bootstrap, &topic, PARTITIONS);
        topic
    });
    let [ours, theirs] = topics.each_ref().map(|topic| cases(topic));
    for pair in ours.iter().zip(&theirs) {
        let cases = [pair.0, pair.1];
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..=ROUNDS {
            for (which, broker) in brokers.iter().enumerate() {
                costs[which].push(cost(broker, cases[which]));
            }
        }
        // The first round is to run in.
        let [ours, theirs] = costs.map(|costs| middle(costs.into_iter().skip(1)));
        println!(
            "| {} | {ours:.1} | {theirs:.1} | {:.2} |",
            cases[0].what,
            theirs / ours
        );
    }
    for (broker, topic) in brokers.iter().zip(&topics) {
        measure::delete(&broker.bootstrap, topic);
    }
}

fn cost(broker: &Broker, case: &Case) -> f64 {
    let process = broker.process.expect("the brokers' process ids are needed");
    let mut connection = Connection::open(&broker.bootstrap);
    let before = processor::time(process);
    let check = |answer| match case.wanted {
        None => raw::produced(answer),
        Some(wanted) => {
            let bytes = raw::fetched(answer);
            assert!(bytes >= wanted, "{}: {bytes} bytes", case.what);
        }
    };
    for sent in 0..case.count {
        connection.send(&case.request);
        if sent >= IN_FLIGHT {
            check(connection.receive());
        }
    }
    for _ in 0..IN_FLIGHT {
        check(connection.receive());
    }
    (processor::time(process) - before).as_secs_f64() * 1e6 / case.count as f64
}
