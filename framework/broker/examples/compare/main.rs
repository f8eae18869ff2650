//! Two Kafka brokers side by side, with one client and one set of settings: messages per
//! second and 99th percentiles for produce, fetch and end to end, as a Markdown table with
//! the ratios of one run.
//!
//! ```text
//! cargo run --example compare -- NAME=HOST:PORT NAME=HOST:PORT [--seconds N] [--quick]
//! ```
//!
//! For every size of message and number of partitions both brokers are measured in turn,
//! three times each; the middle one counts. Each broker runs in a process of its own.
//!
//! - *produce*: librdkafka with `acks=all`, idempotence, no compression and 5 ms of linger,
//!   as fast as the broker takes it; its 99th percentile is from handing a message over to
//!   its acknowledgement, of one message at a time with no linger.
//! - *fetch*: librdkafka reads the topic from its beginning; its 99th percentile is that of
//!   one request for 1 MiB at a random offset.
//! - *end to end*: 500 messages a second are sent with no linger and read as they come; the
//!   rate is the one at which the last message has arrived.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod measure;
mod raw;

use std::collections::BTreeMap;

use measure::{Figures, Load};

const ROUNDS: usize = 3;

/// One of the figures.
type Figure = fn(&Figures) -> f64;

struct Options {
    brokers: Vec<(String, String)>,
    seconds: f64,
    quick: bool,
}

fn options() -> Options {
    let mut options = Options {
        brokers: Vec::new(),
        seconds: 2.0,
        quick: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--seconds" => options.seconds = arguments.next().unwrap().parse().unwrap(),
            other => match other.split_once('=') {
                Some((name, address)) => {
                    options.brokers.push((name.to_owned(), address.to_owned()))
                }
                None => panic!("{other}: give NAME=HOST:PORT twice"),
            },
        }
    }
    assert_eq!(options.brokers.len(), 2, "give NAME=HOST:PORT twice");
    options
}

fn main() {
    let options = options();
    let (sizes, partitions): (&[usize], &[i32]) = match options.quick {
        true => (&[1_000], &[1, 8]),
        false => (&[100, 1_000, 10_000, 100_000], &[1, 8, 64]),
    };
    let names: Vec<&str> = options
        .brokers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    println!(
        "{} beside {}; the ratio is that of rates and, for times, of their inverse: above 1 {} is ahead.\n",
        names[0], names[1], names[0]
    );
    println!(
        "| message | partitions | what | {} | {} | ratio |",
        names[0], names[1]
    );
    println!("|---|---|---|---|---|---|");
    for bytes in sizes {
        for partitions in partitions {
            let load = Load {
                bytes: *bytes,
                partitions: *partitions,
                seconds: options.seconds,
            };
            row(&options, &load);
        }
    }
}

fn row(options: &Options, load: &Load) {
    let mut all: BTreeMap<usize, Vec<Figures>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for turn in 0..options.brokers.len() {
            // Neither always goes first.
            let at = (turn + round) % options.brokers.len();
            let topic = format!("compare-{}-{}-{}", std::process::id(), load.name(), round);
            let figures = measure::all(&options.brokers[at].1, &topic, load);
            all.entry(at).or_default().push(figures);
        }
    }
    let middle = |at: usize, figure: Figure| {
        let mut values: Vec<f64> = all[&at].iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let rates: [(&str, Figure); 3] = [
        ("produce, messages/s", |figures| figures.produce_rate),
        ("fetch, messages/s", |figures| figures.fetch_rate),
        ("end to end, messages/s", |figures| figures.through_rate),
    ];
    let times: [(&str, Figure); 3] = [
        ("produce p99, ms", |figures| figures.produce_p99),
        ("fetch p99, ms", |figures| figures.fetch_p99),
        ("end to end p99, ms", |figures| figures.through_p99),
    ];
    for (what, figure) in rates {
        let (ours, theirs) = (middle(0, figure), middle(1, figure));
        println!(
            "| {} B | {} | {what} | {ours:.0} | {theirs:.0} | {:.2} |",
            load.bytes,
            load.partitions,
            ours / theirs
        );
    }
    for (what, figure) in times {
        let (ours, theirs) = (middle(0, figure), middle(1, figure));
        println!(
            "| {} B | {} | {what} | {ours:.2} | {theirs:.2} | {:.2} |",
            load.bytes,
            load.partitions,
            theirs / ours
        );
    }
}
