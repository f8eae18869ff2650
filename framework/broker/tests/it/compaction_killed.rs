//! A broker in a process of its own that is killed while it compacts and is written to.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};

use crate::compaction_support::{CODECS, Keyed, all, newest};
use crate::kill::start;
use crate::support::{Raw, produce_request};

#[test]
fn the_newest_of_each_key_survives_a_kill_at_any_time() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(77);
    let folder = tempfile::tempdir().unwrap();
    let mut expected: HashMap<String, (i64, Option<String>)> = HashMap::new();
    let mut number = 0u64;
    for round in 0..12 {
        let (mut child, bootstrap) = start(folder.path(), round % 2 == 1);
        let mut raw = Raw::connect(bootstrap.parse().unwrap());
        if round == 0 {
            let configs = [
                ("cleanup.policy", "compact"),
                ("segment.bytes", "4096"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("delete.retention.ms", "3600000"),
            ];
            assert_eq!(raw.create_topic("t", 1, &configs), 0);
        }
        let found = newest(&all(&mut raw, "t"));
        for (key, record) in &expected {
            // What was on its way when the process was killed may be there or not.
            assert!(found[key].0 >= record.0, "round {round}: {key} went back");
            if found[key].0 == record.0 {
                assert_eq!(found[key].1, record.1, "round {round}: {key}");
            }
        }
        expected = found;
        let until = Instant::now() + Duration::from_millis(random.random_range(100..700));
        let killed = std::thread::spawn(move || {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        loop {
            number += 1;
            let key = format!("k{}", random.random_range(0..30));
            let value = (random.random_range(0..6) > 0)
                .then(|| format!("{number} {}", "x".repeat(random.random_range(0..300))));
            let mut batch = Keyed::of(&[(&key, value.as_deref())]);
            batch.codec = CODECS[random.random_range(0..5)];
            let frame = raw.frame(9, &produce_request("t", 0, -1, Some(batch.bytes())));
            if std::io::Write::write_all(&mut raw.stream, &frame).is_err() {
                break;
            }
            let Ok(answer) = raw.receive_frame() else {
                break;
            };
            let response = produced(answer);
            assert_eq!(response.0, 0);
            expected.insert(key, (response.1, value));
        }
        killed.join().unwrap();
    }
    let (mut child, bootstrap) = start(folder.path(), false);
    let mut raw = Raw::connect(bootstrap.parse().unwrap());
    // A busy machine may have left the cleaner behind the writer.
    let until = Instant::now() + Duration::from_secs(30);
    let mut seen = all(&mut raw, "t");
    while seen.len() as u64 >= number / 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
        seen = all(&mut raw, "t");
    }
    assert!(
        (seen.len() as u64) < number / 2,
        "{} of {number}: it was compacted",
        seen.len()
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

fn produced(mut frame: bytes::Bytes) -> (i16, i64) {
    use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
    use kafka_protocol::protocol::{Decodable, HeaderVersion};
    ResponseHeader::decode(&mut frame, ProduceResponse::header_version(9)).unwrap();
    let response = ProduceResponse::decode(&mut frame, 9).unwrap();
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}
