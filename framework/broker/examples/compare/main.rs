//! Two Kafka brokers side by side, with one client and one set of settings: messages per
//! second, 99th percentiles and the brokers' processor time for produce, fetch and end to
//! end, as a Markdown table with the ratios of one run. `docs/speed.md` tells how the
//! brokers are started and what has been measured.
//!
//! ```text
//! cargo run --release -p mesh-broker --example compare -- NAME=HOST:PORT[@PID] NAME=HOST:PORT[@PID]
//!     --sizes BYTES,...      message sizes (100,1000,10000,100000)
//!     --partitions N,...     numbers of partitions (1,8,64)
//!     --seconds S            how long each flow lasts (2)
//!     --rounds N             how often each is measured (3)
//!     --warm-up S            how long both brokers run in before (20)
//!     --requests             instead, the processor time of single requests
//! ```
//!
//! For every size of message and number of partitions both brokers are measured in turn, in
//! each round the other one first. A figure is the middle one of the rounds; a ratio is the
//! middle one of the rounds' ratios, so that both sides of it come from the same minute.
//!
//! - *produce*: librdkafka with `acks=all`, idempotence, no compression and 5 ms of linger,
//!   as fast as the broker takes it; its 99th percentile is from handing a message over to
//!   its acknowledgement, of one message at a time with no linger.
//! - *fetch*: librdkafka reads the topic from its beginning; its 99th percentile is that of
//!   one request for 1 MiB at a random offset.
//! - *end to end*: the same flow as in *produce* with a consumer beside it, until the last
//!   message has arrived; its 99th percentile is from sending to arrival of 500 messages a
//!   second, with no linger.
//! - processor time is that of the broker's process alone, in seconds per million messages of
//!   the flow; it is given when the process id is.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod measure;
mod processor;
mod raw;
mod requests;

use std::str::FromStr;
use std::time::{Duration, Instant};

use measure::{Figure, Load, MEASURES};

struct Broker {
    name: String,
    bootstrap: String,
    process: Option<i32>,
}

impl FromStr for Broker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').ok_or("give NAME=HOST:PORT[@PID]")?;
        let (bootstrap, process) = match address.split_once('@') {
            Some((bootstrap, process)) => {
                let process = process.parse().map_err(|_| "a process id is a number")?;
                (bootstrap, Some(process))
            }
            None => (address, None),
        };
        Ok(Self {
            name: name.to_owned(),
            bootstrap: bootstrap.to_owned(),
            process,
        })
    }
}

struct Options {
    brokers: [Broker; 2],
    sizes: Vec<usize>,
    partitions: Vec<i32>,
    seconds: f64,
    rounds: usize,
    warm_up: f64,
    requests: bool,
}

fn list<T: FromStr>(text: &str) -> Vec<T> {
    let number = |text: &str| text.parse().ok();
    text.split(',')
        .map(|part| number(part).unwrap_or_else(|| panic!("{part} is no number")))
        .collect()
}

fn options() -> Options {
    let mut brokers = Vec::new();
    let (mut sizes, mut partitions) = (vec![100, 1_000, 10_000, 100_000], vec![1, 8, 64]);
    let (mut seconds, mut rounds, mut warm_up) = (2.0, 3, 20.0);
    let mut requests = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("an option has a value");
        match argument.as_str() {
            "--requests" => requests = true,
            "--sizes" => sizes = list(&value()),
            "--partitions" => partitions = list(&value()),
            "--seconds" => seconds = value().parse().unwrap(),
            "--rounds" => rounds = value().parse().unwrap(),
            "--warm-up" => warm_up = value().parse().unwrap(),
            broker => brokers.push(
                broker
                    .parse()
                    .unwrap_or_else(|why| panic!("{broker}: {why}")),
            ),
        }
    }
    let Ok(brokers) = brokers.try_into() else {
        panic!("give two brokers");
    };
    Options {
        brokers,
        sizes,
        partitions,
        seconds,
        rounds,
        warm_up,
        requests,
    }
}

fn main() {
    let options = options();
    let begun = Instant::now();
    warm_up(&options);
    if options.requests {
        return requests::table(&options.brokers);
    }
    let [ours, theirs] = &options.brokers;
    let (ours, theirs) = (&ours.name, &theirs.name);
    println!("Above 1 {ours} is ahead of {theirs}; CPU is in seconds per million messages.\n");
    println!(
        "| message | partitions | what | {ours}, messages/s | {theirs}, messages/s | ratio | {ours}, p99 ms | {theirs}, p99 ms | ratio | {ours}, CPU | {theirs}, CPU | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for bytes in &options.sizes {
        for partitions in &options.partitions {
            let load = Load {
                bytes: *bytes,
                partitions: *partitions,
                seconds: options.seconds,
            };
            rows(&options, &load);
        }
    }
    eprintln!("{:.0} s", begun.elapsed().as_secs_f64());
}

/// Runs both in without noting anything: a JVM compiles what it runs often.
fn warm_up(options: &Options) {
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < Duration::from_secs_f64(options.warm_up) {
        for broker in &options.brokers {
            for bytes in [100, 10_000] {
                let load = Load {
                    bytes,
                    partitions: 8,
                    seconds: 1.0,
                };
                let topic = format!("warm-up-{}-{round}-{bytes}", std::process::id());
                measure::all(&broker.bootstrap, None, &topic, &load);
            }
        }
        round += 1;
    }
}

fn rows(options: &Options, load: &Load) {
    // By round, by broker.
    let mut all = Vec::with_capacity(options.rounds);
    for round in 0..options.rounds {
        let measured = |at: usize| {
            let broker = &options.brokers[at];
            let topic = format!("compare-{}-{}-{}", std::process::id(), load.name(), round);
            measure::all(&broker.bootstrap, broker.process, &topic, load)
        };
        all.push(match round.is_multiple_of(2) {
            true => {
                let ours = measured(0);
                [ours, measured(1)]
            }
            false => {
                let theirs = measured(1);
                [measured(0), theirs]
            }
        });
    }
    for (at, what) in MEASURES.iter().enumerate() {
        let cells = |of: fn(&Figure) -> f64, digits: usize, more_is_better: bool| {
            let values = |broker: usize| all.iter().map(move |round| of(&round[broker][at]));
            let ratios = values(0)
                .zip(values(1))
                .map(|(ours, theirs)| match more_is_better {
                    true => ours / theirs,
                    false => theirs / ours,
                });
            let (ours, theirs) = (middle(values(0)), middle(values(1)));
            let ratio = middle(ratios);
            format!("{ours:.digits$} | {theirs:.digits$} | {ratio:.2}")
        };
        let processor = match options
            .brokers
            .iter()
            .all(|broker| broker.process.is_some())
        {
            true => cells(|figure| figure.processor, 2, false),
            false => "- | - | -".to_owned(),
        };
        println!(
            "| {} B | {} | {what} | {} | {} | {processor} |",
            load.bytes,
            load.partitions,
            cells(|figure| figure.rate, 0, true),
            cells(|figure| figure.p99, 2, false),
        );
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len().is_multiple_of(2) {
        true => (values[half - 1] + values[half]) / 2.0,
        false => values[half],
    }
}
