use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;

use kafka_protocol::ResponseError;
use mesh_broker::FindingKind;
use rand::{RngExt, SeedableRng};

use crate::support::{BatchOf, TestBroker, values_of};

/// Twenty batches of one record each, and the offset in the file where each begins.
fn twenty(test: &TestBroker) -> Vec<u64> {
    let mut starts = vec![0];
    let mut raw = test.raw();
    for at in 0..20 {
        let batch = BatchOf::values(&[format!("value {at}")]).bytes();
        starts.push(starts[at] + batch.len() as u64);
        assert_eq!(raw.produce("t", 0, batch).error_code, 0);
    }
    starts
}

fn flip(test: &TestBroker, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(test.segment("t", 0, 0))
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

#[test]
fn after_a_crash_all_that_was_acknowledged_is_there() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    twenty(&test);
    test.crash();
    test.start_again();
    let report = test.broker().recovery();
    assert!(!report.clean_stop && report.scanned_bytes > 0 && report.findings.is_empty());
    assert_eq!(test.raw().read_all("t", 0, 0).len(), 20);
}

#[test]
fn a_torn_tail_is_cut_and_reported() {
    for cut_into_last in [1, 30, 60] {
        let mut test = TestBroker::start();
        test.topic("t", 1, &[]);
        let starts = twenty(&test);
        test.crash();
        let file = OpenOptions::new()
            .write(true)
            .open(test.segment("t", 0, 0))
            .unwrap();
        file.set_len(starts[20] - cut_into_last).unwrap();
        test.start_again();
        let report = test.broker().recovery().clone();
        assert_eq!(report.findings.len(), 1);
        let finding = &report.findings[0];
        assert_eq!((finding.topic.as_str(), finding.partition), ("t", 0));
        assert_eq!(
            (finding.kind, finding.first_offset),
            (FindingKind::TornTail, 19)
        );
        assert_eq!(report.bytes_cut(), starts[20] - cut_into_last - starts[19]);
        let mut raw = test.raw();
        assert_eq!(raw.read_all("t", 0, 0).len(), 19);
        let answer = raw.produce("t", 0, BatchOf::values(&["again"]).bytes());
        assert_eq!((answer.error_code, answer.base_offset), (0, 19));
        assert_eq!(values_of(&raw.read_all("t", 0, 19)), ["again"]);
    }
}

#[test]
fn garbage_at_the_end_is_cut() {
    for garbage in [
        vec![0u8; 1],
        vec![0; 500],
        vec![0xff; 5_000],
        (0..200).collect(),
    ] {
        let mut test = TestBroker::start();
        test.topic("t", 1, &[]);
        twenty(&test);
        test.crash();
        let mut file = OpenOptions::new()
            .append(true)
            .open(test.segment("t", 0, 0))
            .unwrap();
        file.write_all(&garbage).unwrap();
        test.start_again();
        assert_eq!(test.broker().recovery().bytes_cut(), garbage.len() as u64);
        assert_eq!(test.raw().read_all("t", 0, 0).len(), 20);
    }
}

#[test]
fn damage_in_the_middle_costs_only_the_damaged_batch() {
    // In the payload, in the length, in the magic, in the offset.
    for within in [65, 9, 16, 6] {
        let mut test = TestBroker::start();
        test.topic("t", 1, &[]);
        let starts = twenty(&test);
        test.crash();
        flip(&test, starts[7] + within);
        for round in 0..2 {
            test.start_again();
            if round == 0 {
                let findings = test.broker().recovery().findings.clone();
                assert_eq!(findings.len(), 1, "{within}: {findings:?}");
                assert_eq!(findings[0].kind, FindingKind::Damaged);
                assert_eq!((findings[0].first_offset, findings[0].end_offset), (7, 8));
            }
            let mut raw = test.raw();
            let before = raw.fetch("t", 0, 0);
            assert_eq!(before.error_code, 0);
            let values = values_of(&crate::support::records_of(&before));
            assert_eq!(values.len(), 7, "up to the damage");
            let damaged = raw.fetch("t", 0, 7);
            assert_eq!(damaged.error_code, ResponseError::CorruptMessage.code());
            assert!(damaged.records.unwrap().is_empty(), "never served");
            let after = raw.read_all("t", 0, 8);
            assert_eq!(values_of(&after)[0], "value 8");
            assert_eq!(after.len(), 12 + round, "nothing acknowledged is lost");
            let answer = raw.produce("t", 0, BatchOf::values(&["on"]).bytes());
            assert_eq!(
                (answer.error_code, answer.base_offset),
                (0, 20 + round as i64)
            );
            test.stop();
        }
    }
}

#[test]
fn damage_to_a_running_or_cleanly_stopped_log_is_not_served() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let starts = twenty(&test);
    flip(&test, starts[3] + 70);
    for _ in 0..2 {
        let mut raw = test.raw();
        assert_eq!(
            raw.fetch("t", 0, 3).error_code,
            ResponseError::CorruptMessage.code()
        );
        assert_eq!(raw.read_all("t", 0, 4).len(), 16);
        test.stop();
        test.start_again();
    }
}

#[test]
fn a_tail_that_had_been_synced_is_never_cut() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let starts = twenty(&test);
    test.stop();
    // As if the clean stop had been followed by a start and a crash.
    std::fs::remove_file(test.dir().join("clean-stop")).unwrap();
    flip(&test, starts[19] + 70);
    test.start_again();
    let findings = &test.broker().recovery().findings;
    assert_eq!(findings[0].kind, FindingKind::Damaged);
    assert_eq!((findings[0].first_offset, findings[0].end_offset), (19, 20));
    let mut raw = test.raw();
    assert_eq!(
        raw.fetch("t", 0, 19).error_code,
        ResponseError::CorruptMessage.code()
    );
    let answer = raw.produce("t", 0, BatchOf::values(&["new"]).bytes());
    assert_eq!((answer.error_code, answer.base_offset), (0, 20));
    assert_eq!(values_of(&raw.read_all("t", 0, 20)), ["new"]);
}

#[test]
fn lost_indexes_and_snapshots_are_made_again() {
    let mut test = TestBroker::start();
    test.topic(
        "t",
        1,
        &[("segment.bytes", "1024"), ("index.interval.bytes", "100")],
    );
    let mut raw = test.raw();
    let id = raw.producer_id();
    for at in 0..100 {
        let batch = BatchOf::values(&[at.to_string()])
            .at(&[1_000 + i64::from(at)])
            .by(id, 0, at);
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
    }
    test.stop();
    for entry in std::fs::read_dir(test.dir().join("topics/t-0")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "log") {
            std::fs::remove_file(path).unwrap();
        }
    }
    test.start_again();
    assert!(test.broker().recovery().findings.is_empty());
    let mut raw = test.raw();
    assert_eq!(raw.read_all("t", 0, 0).len(), 100);
    assert_eq!(raw.list_offset("t", 0, 1_050).offset, 50);
    let duplicate = BatchOf::values(&["99"]).by(id, 0, 99).bytes();
    assert_eq!(raw.produce("t", 0, duplicate).base_offset, 99);
}

/// Whatever is cut off the end of the log: what remains is a prefix of what was
/// acknowledged, it is served, and the log goes on behind it.
#[test]
fn any_truncation_leaves_a_prefix() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(20_260);
    for round in 0..25 {
        let mut test = TestBroker::start();
        let segment_bytes = random.random_range(1_024..8_000u32).to_string();
        let interval = random.random_range(1..2_000u32).to_string();
        let configs = [
            ("segment.bytes", segment_bytes.as_str()),
            ("index.interval.bytes", &interval),
        ];
        test.topic("t", 1, &configs);
        let mut raw = test.raw();
        let mut acknowledged: Vec<String> = Vec::new();
        for _ in 0..random.random_range(1..60) {
            let values: Vec<String> = (0..random.random_range(1..10))
                .map(|at| {
                    format!(
                        "{}:{}",
                        acknowledged.len() + at,
                        "x".repeat(random.random_range(0..200))
                    )
                })
                .collect();
            let answer = raw.produce("t", 0, BatchOf::values(&values).bytes());
            assert_eq!(
                (answer.error_code, answer.base_offset),
                (0, acknowledged.len() as i64)
            );
            acknowledged.extend(values);
        }
        test.crash();
        let last = last_segment(&test);
        let file = OpenOptions::new().write(true).open(last).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(random.random_range(0..=length)).unwrap();
        for _ in 0..2 {
            test.start_again();
            let mut raw = test.raw();
            let values = values_of(&raw.read_all("t", 0, 0));
            assert_eq!(values, acknowledged[..values.len()], "round {round}");
            acknowledged.truncate(values.len());
            let answer = raw.produce("t", 0, BatchOf::values(&["next"]).bytes());
            assert_eq!(
                (answer.error_code, answer.base_offset),
                (0, values.len() as i64)
            );
            acknowledged.push("next".to_owned());
            if random.random() {
                test.crash();
            } else {
                test.stop();
            }
        }
    }
}

fn last_segment(test: &TestBroker) -> std::path::PathBuf {
    let mut logs: Vec<std::path::PathBuf> = std::fs::read_dir(test.dir().join("topics/t-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.pop().unwrap()
}
