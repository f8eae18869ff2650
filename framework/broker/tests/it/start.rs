use mesh_broker::{Broker, BrokerConfig, FlushPolicy};
use mesh_core::ErrorKind;

use crate::support::{ANY, BatchOf, TestBroker, runtime, values_of};

fn refused(config: BrokerConfig, kind: ErrorKind) {
    let error = runtime().block_on(Broker::start(config)).err().unwrap();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.mend_text().is_some(), "{error}");
}

#[test]
fn each_fault_at_the_start_has_a_mend() {
    let running = TestBroker::start();
    refused(BrokerConfig::new(running.dir(), ANY), ErrorKind::Conflict);

    let folder = tempfile::tempdir().unwrap();
    let taken = running.broker().local_addr();
    refused(BrokerConfig::new(folder.path(), taken), ErrorKind::Conflict);

    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    refused(BrokerConfig::new(&file, ANY), ErrorKind::FailedPrecondition);
    // Not even root can create a folder in /proc.
    let unwritable = BrokerConfig::new("/proc/mesh-broker", ANY);
    refused(unwritable, ErrorKind::FailedPrecondition);

    let elsewhere = BrokerConfig::new(folder.path(), ([192, 0, 2, 1], 0).into());
    refused(elsewhere, ErrorKind::InvalidInput);

    let mut wrong = BrokerConfig::new(folder.path(), ANY);
    wrong.segment_bytes = 10;
    refused(wrong, ErrorKind::InvalidInput);

    let broken = folder.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("topics.json"), "{").unwrap();
    refused(BrokerConfig::new(broken, ANY), ErrorKind::Corrupt);
}

#[test]
fn a_lost_list_of_topics_is_not_taken_for_an_empty_broker() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.raw().produce("t", 0, BatchOf::values(&["x"]).bytes());
    test.stop();
    std::fs::remove_file(test.dir().join("topics.json")).unwrap();
    refused(BrokerConfig::new(test.dir(), ANY), ErrorKind::Corrupt);
}

#[test]
fn a_missing_partition_folder_is_an_error() {
    let mut test = TestBroker::start();
    test.topic("t", 2, &[]);
    test.stop();
    std::fs::remove_dir_all(test.dir().join("topics/t-1")).unwrap();
    refused(BrokerConfig::new(test.dir(), ANY), ErrorKind::Corrupt);
}

#[test]
fn several_brokers_run_in_one_process() {
    let brokers: Vec<TestBroker> = (0..3).map(|_| TestBroker::start()).collect();
    for (at, test) in brokers.iter().enumerate() {
        test.topic("t", 1, &[]);
        test.raw()
            .produce("t", 0, BatchOf::values(&[format!("of {at}")]).bytes());
    }
    for (at, test) in brokers.iter().enumerate() {
        let values = values_of(&test.raw().read_all("t", 0, 0));
        assert_eq!(values, [format!("of {at}")]);
    }
}

#[test]
fn everything_is_there_after_a_stop_in_order() {
    for flush in [
        FlushPolicy::Always,
        FlushPolicy::Interval(std::time::Duration::from_secs(60)),
        FlushPolicy::Os,
    ] {
        let mut test = TestBroker::start_with(|config| config.flush = flush);
        test.topic("t", 2, &[("retention.ms", "-1")]);
        let mut raw = test.raw();
        for at in 0..50 {
            let answer = raw.produce("t", at % 2, BatchOf::values(&[at.to_string()]).bytes());
            assert_eq!(
                (answer.error_code, answer.base_offset),
                (0, i64::from(at / 2))
            );
        }
        test.stop();
        test.start_again();
        assert!(test.broker().recovery().clean_stop);
        assert_eq!(test.broker().recovery().scanned_bytes, 0);
        assert!(test.broker().recovery().findings.is_empty());
        let values = values_of(&test.raw().read_all("t", 1, 0));
        let wanted: Vec<String> = (0..50)
            .filter(|at| at % 2 == 1)
            .map(|at| at.to_string())
            .collect();
        assert_eq!(values, wanted);
        // And it goes on where it ended.
        let answer = test
            .raw()
            .produce("t", 0, BatchOf::values(&["next"]).bytes());
        assert_eq!((answer.error_code, answer.base_offset), (0, 25));
    }
}

#[test]
fn the_counters_count() {
    let test = TestBroker::start();
    test.topic("t", 3, &[]);
    let mut raw = test.raw();
    let batch = BatchOf::values(&["a", "b"]).bytes();
    raw.produce("t", 0, batch.clone());
    raw.fetch("t", 0, 0);
    let metrics = test.broker().metrics();
    assert_eq!((metrics.topics, metrics.partitions), (1, 3));
    assert_eq!((metrics.produced_batches, metrics.produced_records), (1, 2));
    assert_eq!(metrics.produced_bytes, batch.len() as u64);
    assert_eq!(metrics.log_bytes, batch.len() as u64);
    assert_eq!(metrics.fetched_bytes, batch.len() as u64);
    assert_eq!(metrics.requests.get(&0), Some(&1));
    assert!(metrics.connections >= 1);
}
