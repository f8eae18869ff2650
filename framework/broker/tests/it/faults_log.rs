//! Torn writes at every byte, and flipped bytes wherever a partition keeps some.

use mesh_broker::FindingKind;
use rand::{RngExt, SeedableRng};

use crate::fault_support::{Copy, commit, quick_dir, read_past_damage};
use crate::retention::delete;
use crate::support::{BatchOf, TestBroker, values_of};

const LOG: &str = "topics/t-0/00000000000000000000.log";

fn start(config: &[(&str, &str)]) -> (TestBroker, tempfile::TempDir) {
    let dir = quick_dir();
    let test = TestBroker::start_with(|broker| broker.data_dir = dir.path().to_owned());
    test.topic("t", 1, config);
    (test, dir)
}

/// Whatever the last two batches look like after a crash, cut off or not written, at every
/// byte of them: all before is there, the rest is cut, reported, and written again.
#[test]
fn a_write_may_be_torn_at_every_byte() {
    let (mut test, dir) = start(&[]);
    let mut raw = test.raw();
    let mut starts = vec![0];
    for at in 0..6 {
        let batch = BatchOf::values(&[format!("value {at}"), format!("and {at}")]).bytes();
        starts.push(starts[at] + batch.len());
        assert_eq!(raw.produce("t", 0, batch).error_code, 0);
    }
    test.crash();
    let whole = Copy::of(dir.path());
    let end = starts[6];
    assert_eq!(whole.clone().file(LOG).len(), end);
    let original = whole.clone().file(LOG).clone();
    for cut in starts[4]..=end {
        // Gone, or there with nothing in it, as a file system leaves it that had made room.
        for zeros in [false, true] {
            let mut torn = whole.clone();
            torn.file(LOG).truncate(cut);
            if zeros {
                torn.file(LOG).resize(end, 0);
            }
            let bytes = torn.file(LOG).clone();
            // The last byte of a batch is a zero in any case.
            let is_whole = |at: &usize| {
                let span = starts[*at]..starts[*at + 1];
                bytes.get(span.clone()) == original.get(span)
            };
            let kept = (0..6).take_while(is_whole).count();
            let running = torn.start().unwrap();
            let findings = &running.report().findings;
            let len = bytes.len();
            match len == starts[kept] {
                true => assert_eq!(findings.len(), 0, "cut at {cut}"),
                false => {
                    assert_eq!(findings.len(), 1, "cut at {cut}");
                    let finding = &findings[0];
                    assert_eq!(finding.kind, FindingKind::TornTail, "cut at {cut}");
                    assert_eq!(finding.first_offset, 2 * kept as i64);
                    assert_eq!(finding.bytes as usize, len - starts[kept]);
                }
            }
            let mut raw = running.raw();
            assert_eq!(raw.read_all("t", 0, 0).len(), 2 * kept, "cut at {cut}");
            let again = raw.produce("t", 0, BatchOf::values(&["again"]).bytes());
            assert_eq!((again.error_code, again.base_offset), (0, 2 * kept as i64));
            let read = raw.read_all("t", 0, 2 * kept as i64);
            assert_eq!(values_of(&read), ["again"], "cut at {cut}");
        }
    }
}

/// A partition of several segments with two producers; the values by offset.
fn filled(clean: bool) -> (Copy, Vec<String>, i64) {
    let (mut test, dir) = start(&[("segment.bytes", "1024"), ("index.interval.bytes", "150")]);
    let mut raw = test.raw();
    let id = raw.producer_id();
    let mut values = Vec::new();
    for at in 0..40 {
        let value = format!("value {at} {}", "x".repeat(at as usize % 7));
        let batch = BatchOf::values(&[&value])
            .at(&[1_000 + i64::from(at)])
            .by(id, 0, at);
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
        values.push(value);
    }
    for at in 0..5 {
        assert_eq!(commit(&mut raw, "g", at), 0);
    }
    match clean {
        true => test.stop(),
        false => test.crash(),
    }
    (Copy::of(dir.path()), values, id)
}

/// The places to flip a bit of a file: all, or some of them at random.
fn places(random: &mut rand_chacha::ChaCha8Rng, len: usize, most: usize) -> Vec<usize> {
    match len <= most {
        true => (0..len).collect(),
        false => (0..most).map(|_| random.random_range(0..len)).collect(),
    }
}

#[test]
fn a_flipped_bit_in_a_segment_costs_one_batch_and_is_never_served() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(31);
    for clean in [true, false] {
        let (whole, values, _) = filled(clean);
        let logs: Vec<String> = whole
            .0
            .iter()
            .map(|(path, _)| path.to_string_lossy().into_owned())
            .filter(|path| path.starts_with("topics") && path.ends_with(".log"))
            .collect();
        assert!(logs.len() > 3, "sealed segments and an active one");
        for log in [&logs[0], &logs[logs.len() - 2], &logs[logs.len() - 1]] {
            let len = whole.clone().file(log).len();
            for place in places(&mut random, len, 40) {
                let case = format!("{log} at {place}, clean: {clean}");
                let mut damaged = whole.clone();
                damaged.file(log)[place] ^= 1 << random.random_range(0..8);
                let mut running = damaged.start().unwrap();
                // What a crash may have torn is the end of the active segment; a bit that
                // flips there cannot be told from it.
                let cut = running.report().bytes_cut() > 0;
                let end = match cut {
                    true => 39,
                    false => 40,
                };
                if cut {
                    assert!(!clean && log == &logs[logs.len() - 1], "{case}");
                }
                for round in 0..2 {
                    let mut raw = running.raw();
                    let (read, refused) = read_past_damage(&mut raw, end);
                    assert!(refused.len() <= 1, "{case}: {refused:?}");
                    assert_eq!(read.len() + refused.len(), end as usize, "{case}");
                    for (offset, value) in read {
                        assert_eq!(value, values[offset as usize], "{case}");
                    }
                    if round == 0 && !refused.is_empty() {
                        assert_eq!(running.broker().metrics().damaged_places, 1, "{case}");
                    }
                    running.again();
                }
                let next = BatchOf::values(&["next"]).bytes();
                let next = running.raw().produce("t", 0, next);
                assert_eq!((next.error_code, next.base_offset), (0, end), "{case}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_beside_the_segments_is_repaired() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(32);
    let (whole, values, id) = filled(true);
    let names: Vec<String> = whole
        .0
        .iter()
        .map(|(path, _)| path.to_string_lossy().into_owned())
        .filter(|path| path.starts_with("topics/") && !path.ends_with(".log"))
        .collect();
    for kind in [
        ".index",
        ".timeindex",
        ".txnindex",
        ".snapshot",
        "recovery-point",
    ] {
        assert!(names.iter().any(|name| name.ends_with(kind)), "{kind}");
    }
    for name in &names {
        let len = whole.clone().file(name).len();
        for place in places(&mut random, len, 12) {
            let case = format!("{name} at {place}");
            let mut damaged = whole.clone();
            damaged.file(name)[place] ^= 1 << random.random_range(0..8);
            let running = damaged.start().unwrap();
            assert_eq!(running.report().findings, [], "{case}");
            let mut raw = running.raw();
            let (read, refused) = read_past_damage(&mut raw, 40);
            assert!(refused.is_empty(), "{case}: {refused:?}");
            for (offset, value) in read {
                assert_eq!(value, values[offset as usize], "{case}");
            }
            for target in [1_000, 1_013, 1_039] {
                let found = raw.list_offset("t", 0, target);
                assert_eq!(found.offset, target - 1_000, "{case}");
            }
            // Its producer is known: what it sends again is a duplicate.
            let twice = BatchOf::values(&["twice"]).by(id, 0, 39).bytes();
            assert_eq!(raw.produce("t", 0, twice).base_offset, 39, "{case}");
        }
    }
}

/// Where a log begins cannot be made again: neither may deleted records come back, nor others
/// go with them.
#[test]
fn a_flipped_bit_in_the_beginning_of_a_log_refuses_the_start() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(34);
    let (mut test, dir) = start(&[("segment.bytes", "1024")]);
    let mut raw = test.raw();
    for at in 0..40 {
        let batch = BatchOf::values(&[format!("value {at}")]).bytes();
        assert_eq!(raw.produce("t", 0, batch).error_code, 0);
    }
    assert_eq!(delete(&mut raw, "t", 20), (0, 20));
    test.stop();
    let whole = Copy::of(dir.path());
    let name = "topics/t-0/log-start";
    let len = whole.clone().file(name).len();
    for place in places(&mut random, len, 12) {
        let mut damaged = whole.clone();
        damaged.file(name)[place] ^= 1 << random.random_range(0..8);
        let Err(error) = damaged.start() else {
            panic!("started with a flipped bit at {place}");
        };
        assert!(error.log_line().contains("log-start"), "{error:?}");
        assert!(error.mend_text().is_some(), "{error:?}");
    }
    // As the refusal says.
    let mut mended = whole.clone();
    *mended.file(name) = b"20".to_vec();
    let running = mended.start().unwrap();
    assert_eq!(running.raw().read_all("t", 0, 20).len(), 20);
    assert_eq!(running.raw().list_offset("t", 0, -2).offset, 20);
}

/// The files of the broker as a whole: a start goes well, or says what to do.
#[test]
fn a_flipped_bit_in_the_brokers_own_files_is_seen() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(33);
    let (whole, ..) = filled(true);
    let mut refused = 0;
    for name in ["topics.json", "offsets.log", "producer-ids"] {
        let len = whole.clone().file(name).len();
        for place in places(&mut random, len, 30) {
            let case = format!("{name} at {place}");
            let mut damaged = whole.clone();
            damaged.file(name)[place] ^= 1 << random.random_range(0..8);
            match damaged.start() {
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(name), "{case}: {error}");
                    assert!(error.mend_text().is_some(), "{case}: {error}");
                }
                Ok(running) => {
                    assert!(name.ends_with(".log"), "{case}: taken for right");
                    assert_ne!(running.report().findings, [], "{case}: passed over");
                }
            }
        }
    }
    assert!(refused > 30);
}
