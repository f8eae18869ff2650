#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::batch::{self, BatchHeader, HEADER_LEN};
use super::super::testing::{self, append, batch_of};
use super::*;

const LIMITS: CleanerLimits = CleanerLimits {
    dedupe_bytes: 1 << 20,
    bytes_per_second: u64::MAX,
};

const SETTINGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1024"),
    ("index.interval.bytes", "200"),
    ("min.cleanable.dirty.ratio", "0.01"),
];

/// Writes many values of few keys, in every codec, and makes them durable.
fn filled(dir: &Path) -> Arc<Partition> {
    let partition = Arc::new(testing::partition(dir, SETTINGS));
    for round in 0..60 {
        let (one, two) = (format!("k{}", round % 7), format!("k{}", round % 5));
        let value = format!("{round} {}", "x".repeat(40));
        append(
            &partition,
            &batch_of(&[(&one, &value), (&two, &value)], round % 5),
        );
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(partition.flush(120)).unwrap();
    assert!(partition.segments().len() > 5);
    partition
}

/// All records by offset: key and value as they are stored.
fn all(partition: &Partition) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut offset = partition.log_start();
    while offset < partition.high_watermark() {
        let bytes = partition
            .read(
                &crate::buffers::Buffers::default(),
                offset,
                1,
                true,
                i64::MAX,
            )
            .unwrap();
        let header = BatchHeader::parse(&bytes).unwrap();
        let mut records = Records::of(&bytes).unwrap();
        while let Some(record) = records.next().unwrap() {
            let key = record.key.unwrap().to_vec();
            found.push((record.offset, key, record.rest.to_vec()));
        }
        assert!(header.next_offset() > offset);
        offset = header.next_offset();
    }
    assert!(found.is_sorted_by(|one, other| one.0 < other.0));
    found
}

fn newest(records: &[(i64, Vec<u8>, Vec<u8>)]) -> BTreeMap<Vec<u8>, (i64, Vec<u8>)> {
    let each = records.iter();
    each.map(|(offset, key, rest)| (key.clone(), (*offset, rest.clone())))
        .collect()
}

fn reopened(dir: &Path, clean: bool) -> Partition {
    let (partition, recovered) = testing::opened(dir, SETTINGS, clean);
    assert!(recovered.findings.is_empty(), "{:?}", recovered.findings);
    partition
}

#[test]
fn the_newest_of_each_key_stays_at_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("t-0");
    let partition = filled(&dir);
    let before = all(&partition);
    let dirt = partition.dirt(now_ms()).unwrap().unwrap();
    assert!(dirt.due);
    let cleaned = partition.clean(&dirt, &LIMITS, &|| false).unwrap();
    assert_eq!(cleaned.first_dirty, dirt.end);
    let after = all(&partition);
    assert_eq!(newest(&after), newest(&before));
    let compacted = after.iter().filter(|record| record.0 < dirt.end).count();
    assert_eq!(compacted, 7, "one record for each key");
    assert_eq!(cleaned.records_removed as usize, before.len() - after.len());
    assert_eq!(partition.dirt(now_ms()).unwrap(), None);
    drop(partition);
    for clean in [false, true] {
        let again = reopened(&dir, clean);
        assert_eq!(all(&again), after);
        assert_eq!(again.dirt(now_ms()).unwrap(), None, "it remembers");
    }
    // The indexes can be made again in spite of the gaps.
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == "index") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(all(&reopened(&dir, true)), after);
}

#[test]
fn what_does_not_fit_in_memory_is_cleaned_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("t-0");
    let partition = filled(&dir);
    let before = all(&partition);
    let limits = CleanerLimits {
        dedupe_bytes: 0,
        ..LIMITS
    };
    let mut cleanings = 0;
    while let Some(dirt) = partition.dirt(now_ms()).unwrap() {
        let cleaned = partition.clean(&dirt, &limits, &|| false).unwrap();
        assert!(cleaned.first_dirty > dirt.first_dirty, "it goes on");
        assert_eq!(newest(&all(&partition)), newest(&before));
        cleanings += 1;
    }
    assert!(cleanings > 10);
    let end = partition.segments().last().unwrap().base();
    let after = all(&partition);
    assert_eq!(after.iter().filter(|record| record.0 < end).count(), 7);
}

#[test]
fn a_record_whose_offset_lies_outside_of_its_batch_stops_no_cleaning() {
    let folder = tempfile::tempdir().unwrap();
    let partition = Arc::new(testing::partition(&folder.path().join("t-0"), SETTINGS));
    let value = "v".repeat(600);
    let good = batch_of(&[("k", &value)], 0);
    let mut outside = good.clone();
    // The distance of its record's offset, behind a length of two bytes: 63.
    outside[HEADER_LEN + 4] = 126;
    batch::seal(&mut outside);
    for bytes in [&good, &outside, &good] {
        append(&partition, bytes);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(partition.flush(3)).unwrap();
    let dirt = partition.dirt(now_ms()).unwrap().unwrap();
    let cleaned = partition.clean(&dirt, &LIMITS, &|| false).unwrap();
    assert_eq!((dirt.end, cleaned.first_dirty), (2, 2));
}

#[test]
fn a_crash_at_any_step_of_the_exchange_leaves_the_old_or_the_new() {
    let mut stop = 0;
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("t-0");
        let partition = filled(&dir);
        let before = all(&partition);
        let dirt = partition.dirt(now_ms()).unwrap().unwrap();
        let segments = partition.segments();
        let count = segments.partition_point(|segment| segment.base() < dirt.end);
        let stopped = || false;
        let mut pace = Pace::new(u64::MAX, &stopped);
        let (upto, keys) = partition
            .newest_offsets(&segments, count, &dirt, &LIMITS, &mut pace)
            .unwrap();
        let mut filter = Filter {
            newest: keys,
            upto,
            end: dirt.end,
            transactions: Transactions::default(),
            last_of_producers: std::collections::HashMap::new(),
            now: now_ms(),
            delete_retention_ms: 0,
            removed: 0,
        };
        let checkpoint = Checkpoint {
            first_dirty: 0,
            gaps_before: dirt.end,
        };
        checkpoint.save(&dir).unwrap();
        let group = &segments[..count];
        let copy = partition.copy(group, &mut filter, &mut pace).unwrap();
        let swap = Swap {
            base: copy.base(),
            replaces: group.iter().map(|segment| segment.base()).collect(),
        };
        // Step 0 is a crash before the exchange is certain.
        let more = step == 0 || {
            swap.commit(&dir).unwrap();
            swap.complete_until(&dir, step - 1).unwrap()
        };
        drop((copy, partition));
        let again = reopened(&dir, step % 2 == 0);
        let after = all(&again);
        assert_eq!(newest(&after), newest(&before), "step {step}");
        assert_eq!(after.len() < before.len(), step > 0, "step {step}");
        assert!(!dir.join(CLEANED).exists() && !dir.join("swap").exists());
        if !more {
            break;
        }
        stop = step;
    }
    assert!(stop > 20, "{stop} steps");
}

#[test]
fn a_log_that_cannot_be_read_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("t-0");
    let partition = filled(&dir);
    let path = partition.segments()[1].path().to_owned();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[HEADER_LEN + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let dirt = partition.dirt(now_ms()).unwrap().unwrap();
    let failed = partition.clean(&dirt, &LIMITS, &|| false);
    assert!(matches!(failed, Err(CleanFailure::Corrupt { .. })));
    assert!(partition.is_uncleanable());
    assert_eq!(partition.dirt(now_ms()).unwrap(), None);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(!dir.join(CLEANED).exists());
}

#[test]
fn a_stop_ends_a_cleaning_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("t-0");
    let partition = filled(&dir);
    let before = all(&partition);
    let dirt = partition.dirt(now_ms()).unwrap().unwrap();
    let stopped = partition.clean(&dirt, &LIMITS, &|| true);
    assert!(matches!(stopped, Err(CleanFailure::Stopped)));
    assert!(!dir.join(CLEANED).exists());
    assert_eq!(all(&partition), before);
    assert_eq!(partition.dirt(now_ms()).unwrap(), Some(dirt));
}
