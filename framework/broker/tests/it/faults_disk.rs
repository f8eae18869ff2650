//! A disk that is full, and one whose fsync fails.

use std::ffi::CString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::InitProducerIdResponse;
use mesh_broker::{Broker, BrokerConfig, FlushPolicy, Surroundings};
use mesh_core::ErrorKind;

use crate::compaction_support::eventually;
use crate::fault_support::commit;
use crate::groups::committed;
use crate::support::{ANY, BatchOf, Raw, TestBroker, runtime};
use crate::txn_support::{Tx, init_request};

const STORAGE: i16 = ResponseError::KafkaStorageError.code();
const NOT_AVAILABLE: i16 = ResponseError::CoordinatorNotAvailable.code();

/// A file system of a few megabytes, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount; in CI it may.
    fn new(bytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let target = CString::new(dir.path().to_str().unwrap()).unwrap();
        let size = CString::new(format!("size={bytes}")).unwrap();
        // SAFETY: all strings end with a zero and outlive the call.
        let mounted = unsafe {
            libc::mount(
                c"tmpfs".as_ptr(),
                target.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                size.as_ptr().cast(),
            )
        };
        if mounted == 0 {
            // Room to be made: a megabyte, enough to go on and to stop in order.
            fs::write(dir.path().join("ballast"), vec![7; 1 << 20]).unwrap();
            return Some(Self(dir));
        }
        let error = std::io::Error::last_os_error();
        assert!(std::env::var_os("CI").is_none(), "cannot mount: {error}");
        println!("skipped: a small disk cannot be mounted here: {error}");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.path().join("filler")).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
        while file.write_all(&[7; 1]).is_ok() {}
    }

    fn make_room(&self) {
        for name in ["filler", "ballast"] {
            if let Err(error) = fs::remove_file(self.path().join(name)) {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let target = CString::new(self.path().to_str().unwrap()).unwrap();
        // SAFETY: the string ends with a zero and outlives the call. Lazily, since a broker
        // that is being dropped may hold files open a moment longer.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
}

/// Asks until the answer is not 0: on a full disk the last page of a file still takes some.
/// Returns the first other code, and how often it was 0.
fn until_refused(mut ask: impl FnMut(i64) -> i16) -> (i16, i64) {
    for asked in 0..2_000 {
        match ask(asked) {
            0 => {}
            code => return (code, asked),
        }
    }
    panic!("a full disk takes everything");
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    for flush in [FlushPolicy::Always, FlushPolicy::Os] {
        let Some(disk) = SmallDisk::new(8 << 20) else {
            return;
        };
        let mut test = TestBroker::start_with(|config| {
            config.data_dir = disk.path().join("data");
            config.flush = flush;
        });
        test.topic("t", 1, &[("segment.bytes", "1000000")]);
        test.topic("u", 1, &[]);
        let mut raw = test.raw();
        let mut tx = Tx::start(&test, "open");
        tx.write("u", 0, &["in a transaction"]);
        assert_eq!(commit(&mut raw, "g", 0), 0);

        let large = vec!["x".repeat(100_000)];
        let (code, mut there) = until_refused(|_| {
            raw.produce("t", 0, BatchOf::values(&large).bytes())
                .error_code
        });
        assert_eq!(code, STORAGE);
        assert!(
            there > 40,
            "segments were full before the disk was: {there}"
        );
        disk.fill();
        let small = || BatchOf::values(&["small"]).bytes();
        let (code, more) = until_refused(|_| raw.produce("t", 0, small()).error_code);
        assert_eq!(code, STORAGE);
        there += more;
        let (code, commits) = until_refused(|at| commit(&mut raw, "g", at));
        assert_eq!(code, NOT_AVAILABLE);
        assert_eq!(raw.create_topic("new", 3, &[]), STORAGE);
        let (code, _) = until_refused(|at| {
            let request = init_request(&format!("id {at}"), 60_000);
            let response: InitProducerIdResponse = raw.call(4, &request);
            response.error_code
        });
        assert_eq!(code, NOT_AVAILABLE);
        // Not decided, so it stays open and can be ended later.
        let ended = tx.end_version(3, true);
        assert!(ended == NOT_AVAILABLE || ended == 0, "{ended}");

        // What was acknowledged is there, on the full disk and afterwards.
        let last_commit = |raw: &mut _| committed(raw, "g");
        assert_eq!(raw.read_all("t", 0, 0).len() as i64, there);
        assert_eq!(last_commit(&mut raw), (commits - 1).max(0));
        disk.make_room();
        let next = raw.produce("t", 0, small());
        assert_eq!((next.error_code, next.base_offset), (0, there), "{flush:?}");
        assert_eq!(commit(&mut raw, "g", 7_777), 0);
        assert_eq!(raw.create_topic("new", 3, &[]), 0);
        if ended != 0 {
            tx.commit();
        }
        assert_eq!(raw.read_committed("u", 0, 0, 1 << 20).0.len(), 1);

        disk.fill();
        test.crash();
        // A start on a full disk says so, and takes nothing away.
        let config = BrokerConfig::new(disk.path().join("data"), ANY);
        let refused = runtime().block_on(Broker::start(config)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
        assert!(refused.mend_text().unwrap().contains("room"), "{refused}");
        disk.make_room();
        test.start_again();
        assert_eq!(test.broker().recovery().findings, []);
        let mut raw = test.raw();
        assert_eq!(raw.read_all("t", 0, 0).len() as i64, there + 1);
        assert_eq!(last_commit(&mut raw), 7_777);
        assert_eq!(raw.read_committed("u", 0, 0, 1 << 20).0.len(), 1);
        assert_eq!(raw.produce("new", 2, small()).error_code, 0);
        test.stop();
    }
}

#[test]
fn retention_makes_room_on_a_full_disk() {
    let Some(disk) = SmallDisk::new(8 << 20) else {
        return;
    };
    let surroundings = Surroundings::default();
    let mut test = TestBroker::start_with(|config| {
        config.data_dir = disk.path().join("data");
        config.flush = FlushPolicy::Always;
        config.log_retention_check_interval = Duration::from_millis(20);
        config.surroundings = surroundings.clone();
    });
    let configs = [("segment.bytes", "200000"), ("retention.ms", "3600000")];
    test.topic("t", 1, &configs);
    let mut raw = test.raw();
    let large = vec!["x".repeat(90_000)];
    let produce = |raw: &mut Raw| {
        raw.produce("t", 0, BatchOf::values(&large).bytes())
            .error_code
    };
    for _ in 0..20 {
        assert_eq!(produce(&mut raw), 0);
    }
    disk.fill();
    let (code, more) = until_refused(|_| produce(&mut raw));
    assert_eq!(code, STORAGE);
    surroundings.pass(2 * 3_600_000);
    eventually("the old segments are gone", || {
        test.broker().metrics().removed_segments >= 9
    });
    let start = raw.list_offset("t", 0, -2).offset;
    assert!((18..=20 + more).contains(&start), "{start}");
    assert_eq!(produce(&mut raw), 0, "there is room");
    disk.make_room();
    test.crash();
    test.start_again();
    assert_eq!(test.broker().recovery().findings, []);
    assert!(test.raw().list_offset("t", 0, -2).offset >= start);
    test.stop();
}

/// After a failed fsync nobody knows what is on the disk, so nothing more is taken, and
/// nothing of it is shown or acknowledged, until a start has looked.
#[test]
fn a_failed_fsync_closes_the_partition_until_a_start() {
    let surroundings = Surroundings::default();
    let mut test = TestBroker::start_with(|config| {
        config.flush = FlushPolicy::Always;
        config.surroundings = surroundings.clone();
    });
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    let batch = |value: &str| BatchOf::values(&[value]).bytes();
    assert_eq!(raw.produce("t", 0, batch("durable")).error_code, 0);
    assert_eq!(commit(&mut raw, "g", 1), 0);

    surroundings.fail_fsync(true);
    assert_eq!(
        raw.produce("t", 0, batch("not durable")).error_code,
        STORAGE
    );
    assert_eq!(commit(&mut raw, "g", 2), NOT_AVAILABLE);
    assert_eq!(raw.create_topic("new", 1, &[]), STORAGE);
    surroundings.fail_fsync(false);
    assert_eq!(raw.produce("t", 0, batch("later")).error_code, STORAGE);
    assert_eq!(commit(&mut raw, "g", 3), NOT_AVAILABLE);
    assert_eq!(
        raw.read_all("t", 0, 0).len(),
        1,
        "only what is durable is shown"
    );
    assert_eq!(
        raw.produce("t", 1, batch("other")).error_code,
        0,
        "others go on"
    );
    assert_eq!(raw.create_topic("new", 1, &[]), 0);

    test.crash();
    test.start_again();
    let mut raw = test.raw();
    let there = raw.read_all("t", 0, 0).len();
    assert!(
        (1..=2).contains(&there),
        "the unacknowledged may be there: {there}"
    );
    let next = raw.produce("t", 0, batch("again"));
    assert_eq!((next.error_code, next.base_offset), (0, there as i64));
    assert_eq!(commit(&mut raw, "g", 4), 0);
}
