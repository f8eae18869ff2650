//! Recovery: the files of a partition, changed in any manner, must open or be refused, and
//! what is served afterwards is what was stored.

use std::fs;
use std::sync::OnceLock;

use kafka_protocol::records::Compression;

use super::checks::{ask, read, read_to_the_end, settings};
use super::seeds::{Batch, batch};
use super::{Input, Scratch};
use crate::files;
use crate::log::batch::{self as header, BatchHeader};
use crate::log::{LogSettings, Marker, Partition, validate};

type Files = Vec<(String, Vec<u8>)>;

/// Changes to one run's files.
const CHANGES: usize = 16;
/// Files do not grow beyond this by what the input appends.
const LARGEST: usize = 64 << 10;

fn small(mut settings: LogSettings) -> LogSettings {
    settings.segment_bytes = 1_024;
    settings.index_interval_bytes = 200;
    settings
}

/// The files of a partition with several segments, transactions and producers: stopped in
/// order, and as a kill leaves them.
fn templates() -> &'static [Files; 2] {
    static TEMPLATES: OnceLock<[Files; 2]> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        let make = |clean: bool| super::runtime().block_on(super::runtime().spawn(template(clean)));
        [
            make(true).expect("a template"),
            make(false).expect("a template"),
        ]
    })
}

async fn template(clean: bool) -> Files {
    let scratch = Scratch::new();
    let dir = scratch.0.join("t-0");
    let settings = small(settings(&scratch.0));
    let partition =
        std::sync::Arc::new(Partition::create("t", 0, &dir, settings).expect("creates"));
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for at in 0..24i32 {
        let producer = match at % 3 {
            0 => (-1, -1, -1),
            1 => (7, 0, at / 3),
            _ => (8, 1, at / 3),
        };
        let bytes = batch(&Batch {
            values: 1 + at as usize % 3,
            size: 40,
            timestamp: 1_000_000 + i64::from(at) * 10 - i64::from(at % 4) * 25,
            producer: (producer.0, producer.1, producer.2 * 3),
            transactional: producer.0 == 8,
            codec: codecs[at as usize % codecs.len()],
        });
        let parsed = validate(&bytes, 9, &settings, i64::MAX / 2).expect("valid");
        // Sequences have gaps here; a producer that is not known may begin with any.
        let _ = partition.append(&bytes, &parsed, || Ok(()));
        if at % 8 == 7 {
            let marker = Marker {
                producer_id: 8,
                producer_epoch: 1,
                coordinator_epoch: 0,
                commit: at % 16 == 7,
            };
            partition.append_marker(&marker).expect("a marker");
        }
        if at == 18 {
            partition
                .flush(partition.high_watermark())
                .await
                .expect("flushes");
        }
    }
    if clean {
        partition.close().await.expect("closes");
    }
    let mut found = Files::new();
    for entry in fs::read_dir(&dir).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.push((name.into_owned(), fs::read(&path).expect("a file")));
    }
    found.sort();
    found
}

/// The first byte chooses the template and whether the stop was in order; then come changes
/// of a byte that says which file, one that says how, and what that needs.
pub fn partitions(data: &[u8]) {
    let mut input = Input(data);
    let flags = input.u8();
    let mut files = templates()[usize::from(flags & 1)].clone();
    let mut changes = 0;
    let mut forged = false;
    while changes < CHANGES && !input.is_empty() {
        forged |= change(&mut files, &mut input);
        changes += 1;
    }
    // One fault must not cost more than itself, whenever it is looked at. Several, or one
    // that is made to look right, may contradict each other.
    let one_fault = changes <= 1 && !forged;
    let scratch = Scratch::new();
    let dir = scratch.0.join("t-0");
    fs::create_dir_all(&dir).expect("a folder");
    for (name, bytes) in &files {
        fs::write(dir.join(name), bytes).expect("a file");
    }
    let settings = small(settings(&scratch.0));
    let clean = flags & 2 == 0;
    let run = check(dir, settings, clean, one_fault);
    if let Err(error) = super::runtime().block_on(super::runtime().spawn(run)) {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Changes a file; says whether the change carries a checksum of its own.
fn change(files: &mut Files, input: &mut Input<'_>) -> bool {
    let at = usize::from(input.u8()) % files.len().max(1);
    let how = input.u8();
    let Some((_, bytes)) = files.get_mut(at) else {
        return false;
    };
    match how % 9 {
        0 => {
            let place = usize::from(input.u16()) % bytes.len().max(1);
            let mask = input.u8();
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= mask;
            }
        }
        1 => bytes.truncate(usize::from(input.u16())),
        2 => {
            let len = usize::from(input.u8());
            bytes.extend_from_slice(input.bytes(len));
            bytes.truncate(LARGEST);
        }
        3 => drop(files.remove(at)),
        4 => {
            let place = usize::from(input.u16()) % bytes.len().max(1);
            let len = usize::from(input.u8()).min(bytes.len() - place.min(bytes.len()));
            let taken = input.bytes(len);
            bytes[place..place + taken.len()].copy_from_slice(taken);
        }
        // A batch whose header is changed under a CRC that is right.
        5 => {
            let batch = usize::from(input.u8());
            let field = usize::from(input.u8()) % header::HEADER_LEN;
            let value = input.number::<8>();
            reseal(bytes, batch, field, &value);
        }
        // Room that was made and never written.
        6 => {
            let place = usize::from(input.u16()) % bytes.len().max(1);
            let len = usize::from(input.u16());
            bytes
                .iter_mut()
                .skip(place)
                .take(len)
                .for_each(|byte| *byte = 0);
        }
        // Under a checksum that is right.
        7 => {
            let place = usize::from(input.u16()) % bytes.len().max(1);
            let value = input.number::<8>();
            if let Some(whole) = files::checked(bytes) {
                let mut whole = whole.to_vec();
                for (byte, new) in whole.iter_mut().skip(place).zip(value) {
                    *byte = new;
                }
                *bytes = files::with_checksum(&whole);
            }
        }
        _ => {
            let len = usize::from(input.u16());
            let content = input.bytes(len);
            *bytes = match how & 0x80 {
                0 => content.to_vec(),
                _ => files::with_checksum(content),
            };
        }
    }
    matches!(how % 9, 5 | 7 | 8)
}

fn reseal(bytes: &mut [u8], batch: usize, field: usize, value: &[u8]) {
    let mut at = 0;
    for _ in 0..batch {
        match BatchHeader::parse(bytes.get(at..).unwrap_or_default()) {
            Some(header) if header.is_plausible() => at += header.total_len(),
            _ => return,
        }
    }
    let Some(parsed) = BatchHeader::parse(bytes.get(at..).unwrap_or_default()) else {
        return;
    };
    let total = parsed.total_len();
    let Some(whole) = bytes.get_mut(at..at.saturating_add(total)) else {
        return;
    };
    for (byte, new) in whole.iter_mut().skip(field).zip(value) {
        *byte = *new;
    }
    header::seal(whole);
}

async fn check(dir: std::path::PathBuf, settings: LogSettings, clean: bool, one_fault: bool) {
    let times = [0, 1_000_100, i64::MAX];
    let Ok((partition, _)) = Partition::open("t", 0, &dir, settings, clean) else {
        return;
    };
    let partition = std::sync::Arc::new(partition);
    let before = read_to_the_end(&partition, true);
    ask(&partition, &times, true);
    let end = partition.high_watermark();
    let one = batch(&Batch::default());
    let parsed = validate(&one, 9, &settings, i64::MAX / 2).expect("valid");
    let appended = partition.append(&one, &parsed, || Ok(()));
    // Behind that the offsets are used up.
    if end < i64::MAX - (1 << 32) {
        let appended = appended.expect("the partition goes on");
        assert_eq!(appended.base_offset, end);
        assert_eq!(partition.high_watermark(), end + 1);
        let stored = read(&partition, end).expect("reads");
        assert_eq!(&stored[8..12], &one[8..12]);
        assert_eq!(&stored[16..], &one[16..], "what was stored is read");
    }
    let marker = Marker {
        producer_id: 8,
        producer_epoch: i16::MAX,
        coordinator_epoch: i32::MAX,
        commit: false,
    };
    let _ = partition.append_marker(&marker);
    let end = partition.high_watermark();
    let written = read_to_the_end(&partition, true);
    assert!(
        !one_fault || written.starts_with(&before),
        "{before:?}, then {written:?}"
    );
    partition.close().await.expect("closes");
    drop(partition);
    // Opened again after a stop in order, and as after a kill.
    for clean in [true, false] {
        let (again, _) =
            Partition::open("t", 0, &dir, settings, clean).expect("what was opened opens again");
        let found = read_to_the_end(&again, true);
        if one_fault {
            assert_eq!(again.high_watermark(), end, "clean: {clean}");
            assert_eq!(found, written, "clean: {clean}");
        }
        ask(&again, &times, true);
    }
}
