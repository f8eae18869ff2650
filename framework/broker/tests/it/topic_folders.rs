//! The folders of topics: long names, and folders that no topic owns.

use kafka_protocol::ResponseError;

use crate::support::{BatchOf, TestBroker, values_of};
use crate::topics::delete;

const STORAGE: i16 = ResponseError::KafkaStorageError.code();

#[test]
fn a_topic_with_the_longest_name_is_deleted() {
    let mut test = TestBroker::start();
    let longest = "x".repeat(249);
    for round in 0..2 {
        test.topic(&longest, 12, &[]);
        let mut raw = test.raw();
        for partition in [0, 11] {
            let batch = BatchOf::values(&["x"]).bytes();
            let produced = raw.produce(&longest, partition, batch);
            assert_eq!((produced.error_code, produced.base_offset), (0, 0));
        }
        assert_eq!(delete(&mut raw, &longest), 0, "round {round}");
        // Its files go soon after.
        let folders = || {
            std::fs::read_dir(test.dir().join("topics"))
                .unwrap()
                .count()
        };
        while folders() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        test.stop();
        test.start_again();
    }
}

/// An older list of topics came back, and a topic of the same name is created beside what is
/// left of the one it does not know.
#[test]
fn records_that_belong_to_no_topic_outlive_a_creation() {
    let mut test = TestBroker::start();
    let list = test.dir().join("topics.json");
    let before = std::fs::read(&list).unwrap();
    test.topic("t", 2, &[]);
    let batch = || BatchOf::values(&["kept"]).bytes();
    assert_eq!(test.raw().produce("t", 1, batch()).error_code, 0);
    test.stop();
    std::fs::write(&list, before).unwrap();
    test.start_again();
    let folder = |name: &str| test.dir().join("topics").join(name);
    let segment = test.segment("t", 1, 0);
    let records = std::fs::read(&segment).unwrap();
    assert!(!records.is_empty());
    assert!(!folder("t-0").exists());

    let mut raw = test.raw();
    assert_eq!(raw.create_topic("t", 2, &[]), STORAGE);
    assert_eq!(std::fs::read(&segment).unwrap(), records);
    assert!(!folder("t-0").exists(), "made by this request");
    assert_eq!(raw.create_topic("t", 1, &[]), 0);
    std::fs::rename(folder("t-1"), test.dir().join("aside")).unwrap();
    assert_eq!(delete(&mut raw, "t"), 0);
    assert_eq!(raw.create_topic("t", 2, &[]), 0);
    assert_eq!(raw.produce("t", 1, batch()).base_offset, 0);
    assert_eq!(values_of(&raw.read_all("t", 1, 0)), ["kept"]);
}
