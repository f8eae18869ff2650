//! Transactions over stops and crashes, in every state.

use std::path::PathBuf;

use mesh_broker::FlushPolicy;
use serde_json::Value;

use crate::support::{BatchOf, TestBroker, now_ms};
use crate::txn_support::Tx;

const ALL: i32 = 1 << 20;

fn journal(test: &TestBroker) -> PathBuf {
    test.dir().join("transactions.log")
}

/// The frames of the journal: where each begins, and its lines.
fn frames(test: &TestBroker) -> Vec<(usize, Value)> {
    let bytes = std::fs::read(journal(test)).unwrap();
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let lines = serde_json::from_slice(&bytes[at + 8..at + 8 + len]).unwrap();
        frames.push((at, lines));
        at += 8 + len;
    }
    frames
}

fn append(test: &TestBroker, lines: &Value) {
    let payload = serde_json::to_vec(lines).unwrap();
    let mut bytes = std::fs::read(journal(test)).unwrap();
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(crc32c::crc32c(&payload).to_be_bytes());
    bytes.extend(payload);
    std::fs::write(journal(test), bytes).unwrap();
}

fn end(test: &mut TestBroker, crash: bool) {
    match crash {
        true => test.crash(),
        false => test.stop(),
    }
}

fn committed(test: &TestBroker, partition: i32) -> Vec<String> {
    let (records, _) = test.raw().read_committed("t", partition, 0, ALL);
    records.into_iter().map(|(_, value)| value).collect()
}

fn each(check: impl Fn(&mut TestBroker, bool)) {
    for crash in [false, true] {
        for always in [false, true] {
            println!("crash {crash}, always {always}");
            let mut test = TestBroker::start_with(|config| {
                if always {
                    config.flush = FlushPolicy::Always;
                }
            });
            test.topic("t", 3, &[("segment.bytes", "1024")]);
            check(&mut test, crash);
        }
    }
}

#[test]
fn an_open_transaction_goes_on() {
    each(|test, crash| {
        let mut tx = Tx::start(test, "tx");
        tx.write("t", 0, &["a"]);
        let plain = BatchOf::values(&["plain"]).bytes();
        assert_eq!(test.raw().produce("t", 0, plain).error_code, 0);
        for commit in [true, false, true] {
            end(test, crash);
            test.start_again();
            tx.reconnect(test);
            assert_eq!(test.raw().fetch_committed("t", 0, 0, 1).error_code, 0);
            tx.write("t", 1, &["b"]);
            assert_eq!(tx.end_version(3, commit), 0);
            tx.write("t", 0, &["next"]);
        }
        assert_eq!(committed(test, 0), ["a", "plain", "next"]);
        assert_eq!(committed(test, 1), ["b", "b"]);
    });
}

/// A crash between the decision and its markers, and one between the markers and the note
/// that all is done.
#[test]
fn what_was_decided_is_completed() {
    for (decision, done) in [
        ("PrepareCommit", false),
        ("PrepareAbort", false),
        ("PrepareCommit", true),
        ("PrepareAbort", true),
    ] {
        let commit = decision == "PrepareCommit";
        each(|test, crash| {
            let mut tx = Tx::start(test, "tx");
            for partition in 0..3 {
                tx.write("t", partition, &["first"]);
            }
            tx.commit();
            tx.write("t", 0, &["a", "b"]);
            tx.write("t", 2, &["c"]);
            if done {
                // The markers are there and the last line is lost.
                assert_eq!(tx.end_version(3, commit), 0);
                end(test, crash);
                let (last, lines) = frames(test).pop().unwrap();
                assert!(
                    lines[0]["Set"]["state"]
                        .as_str()
                        .unwrap()
                        .starts_with("Complete")
                );
                let bytes = std::fs::read(journal(test)).unwrap();
                std::fs::write(journal(test), &bytes[..last]).unwrap();
            } else {
                end(test, crash);
                let (_, mut lines) = frames(test).pop().unwrap();
                assert_eq!(lines[0]["Set"]["state"], "Ongoing");
                lines[0]["Set"]["state"] = decision.into();
                append(test, &lines);
            }
            for _ in 0..2 {
                test.start_again();
                let expected: &[&str] = if commit {
                    &["first", "a", "b"]
                } else {
                    &["first"]
                };
                assert_eq!(committed(test, 0), expected, "{decision}");
                assert_eq!(committed(test, 1), ["first"]);
                let expected: &[&str] = if commit { &["first", "c"] } else { &["first"] };
                assert_eq!(committed(test, 2), expected);
                end(test, crash);
            }
            test.start_again();
            tx.reconnect(test);
            tx.write("t", 1, &["on"]);
            tx.commit();
            assert_eq!(committed(test, 1), ["first", "on"]);
        });
    }
}

#[test]
fn time_goes_on_while_the_broker_is_away() {
    each(|test, crash| {
        let mut tx = Tx::start_with(test, "tx", 1_000);
        let begun = now_ms();
        tx.write("t", 0, &["late"]);
        end(test, crash);
        test.start_again();
        while now_ms() < begun + 10_000 {
            if test.raw().fetch_committed("t", 0, 0, 1).last_stable_offset > 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(now_ms() >= begun + 1_000, "not before its time");
        let data = test.raw().fetch_committed("t", 0, 0, ALL);
        assert_eq!(data.last_stable_offset, 2);
        assert_eq!(committed(test, 0), [""; 0]);
    });
}

/// As after a power failure that takes the journal and leaves the records.
#[test]
fn a_transaction_that_nobody_knows_is_aborted() {
    each(|test, crash| {
        Tx::start(test, "tx").write("t", 0, &["orphan"]);
        let mut known = Tx::start(test, "known");
        known.write("t", 0, &["kept"]);
        end(test, crash);
        let mut kept: Vec<Value> = Vec::new();
        for (_, lines) in frames(test) {
            let lines = lines.as_array().unwrap().iter();
            kept.extend(lines.filter(|line| line["Set"]["id"] != "tx").cloned());
        }
        std::fs::write(journal(test), b"").unwrap();
        append(test, &kept.into());
        test.start_again();
        known.reconnect(test);
        known.commit();
        assert_eq!(committed(test, 0), ["kept"]);
    });
}

/// Aborted transactions in many segments, with every file but the records lost.
#[test]
fn the_index_of_aborted_transactions_is_made_again() {
    for lost in ["txnindex", "snapshot", "index", "all"] {
        each(|test, crash| {
            let mut one = Tx::start(test, "one");
            let mut two = Tx::start(test, "two");
            let mut expected = Vec::new();
            for at in 0..40 {
                let value = format!("value {at} {}", "x".repeat(60));
                one.write("t", 0, &[&value]);
                two.write("t", 0, &["lost", "too"]);
                two.abort();
                match at % 3 {
                    0 => one.commit(),
                    1 => one.abort(),
                    _ => {}
                }
                if at % 3 == 0 {
                    expected.push(at);
                }
                // What is open goes the way of the next end.
                if at % 3 == 2 && at + 1 < 40 {
                    expected.push(at);
                }
            }
            expected.sort_unstable();
            let folder = test.dir().join("topics/t-0");
            end(test, crash);
            let mut removed = 0;
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let extension = path.extension().and_then(|found| found.to_str());
                let is_lost = match lost {
                    "all" => extension != Some("log"),
                    // An index that is cut off; one that is missing is an empty one.
                    "txnindex" if extension == Some(lost) => {
                        std::fs::write(&path, b"short").unwrap();
                        removed += 1;
                        false
                    }
                    "txnindex" => false,
                    lost => extension == Some(lost),
                };
                if is_lost {
                    removed += 1;
                    std::fs::remove_file(path).unwrap();
                }
            }
            assert!(removed > 0 || crash, "{lost}");
            for _ in 0..2 {
                test.start_again();
                let numbers: Vec<i32> = committed(test, 0)
                    .iter()
                    .map(|value| value.split(' ').nth(1).unwrap().parse().unwrap())
                    .collect();
                assert_eq!(numbers, expected, "{lost}");
                end(test, crash);
            }
            test.start_again();
            let again = Tx::start(test, "two");
            assert_eq!(again.epoch, two.epoch + 1);
        });
    }
}
