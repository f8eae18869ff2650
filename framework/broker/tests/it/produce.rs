use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, MetadataRequest, ProduceRequest};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, TimestampType};

use crate::support::{BatchOf, Raw, TestBroker, forge, now_ms, produce_request, string, values_of};

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

#[test]
fn batches_come_back_byte_for_byte_in_every_codec_and_version() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let mut offset = 0;
    for version in 3..=12 {
        for codec in CODECS {
            if codec == Compression::Zstd && version < 7 {
                continue;
            }
            let batch = BatchOf::values(&["one", "two"]).packed(codec).bytes();
            let answer = raw.produce_version(version, "t", 0, 1, Some(batch.clone()));
            assert_eq!((answer.error_code, answer.base_offset), (0, offset));
            let stored = raw.fetch("t", 0, offset).records.unwrap();
            // All but base offset and leader epoch is as it was sent.
            assert_eq!(stored[8..12], batch[8..12]);
            assert_eq!(stored[16..], batch[16..]);
            assert_eq!(stored[..8], offset.to_be_bytes());
            offset += 2;
        }
    }
    assert_eq!(raw.read_all("t", 0, 0).len(), offset as usize);
}

#[test]
fn topics_by_id_since_version_13() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let id = raw
        .call(12, &MetadataRequest::default().with_topics(None))
        .topics[0]
        .topic_id;
    let request = |id| {
        ProduceRequest::default()
            .with_acks(-1)
            .with_topic_data(vec![
                TopicProduceData::default()
                    .with_topic_id(id)
                    .with_partition_data(vec![
                        PartitionProduceData::default()
                            .with_records(Some(BatchOf::values(&["x"]).bytes())),
                    ]),
            ])
    };
    let good = raw.call(13, &request(id));
    assert_eq!(good.responses[0].topic_id, id);
    assert_eq!(good.responses[0].partition_responses[0].error_code, 0);
    let unknown = raw.call(13, &request(uuid::Uuid::new_v4()));
    let code = unknown.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ResponseError::UnknownTopicId.code());
}

fn check(raw: &mut Raw, what: &str, records: Option<Bytes>, expected: ResponseError) {
    let answer = raw.produce_version(9, "t", 0, -1, records);
    assert_eq!(answer.error_code, expected.code(), "{what}");
    assert_eq!(answer.base_offset, -1, "{what}");
}

#[test]
fn what_is_not_a_proper_batch_is_refused() {
    let test = TestBroker::start();
    test.topic("t", 1, &[("max.message.bytes", "2000")]);
    let mut raw = test.raw();
    let good = BatchOf::values(&["a", "b", "c"]).bytes();
    let changed = |at: usize, byte: u8| Some(forge(&good, |bytes| bytes[at] = byte));
    let i32_at = |at: usize, value: i32| {
        Some(forge(&good, |bytes| {
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes())
        }))
    };
    let mut flipped = good.to_vec();
    flipped[70] ^= 0x10;
    let two = Bytes::from([good.as_ref(), good.as_ref()].concat());
    let zstd = BatchOf::values(&["z"]).packed(Compression::Zstd).bytes();
    use ResponseError::{
        CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge,
        TransactionalIdAuthorizationFailed, UnsupportedCompressionType,
    };
    check(&mut raw, "no records", None, InvalidRecord);
    check(&mut raw, "empty records", Some(Bytes::new()), InvalidRecord);
    check(
        &mut raw,
        "half a header",
        Some(good.slice(..30)),
        CorruptMessage,
    );
    check(
        &mut raw,
        "cut",
        Some(good.slice(..good.len() - 1)),
        CorruptMessage,
    );
    check(&mut raw, "two batches", Some(two), InvalidRecord);
    check(
        &mut raw,
        "a flipped bit",
        Some(Bytes::from(flipped)),
        CorruptMessage,
    );
    check(&mut raw, "magic 0", changed(16, 0), InvalidRecord);
    check(&mut raw, "magic 1", changed(16, 1), InvalidRecord);
    check(&mut raw, "magic 3", changed(16, 3), CorruptMessage);
    check(&mut raw, "a base offset", changed(7, 1), InvalidRecord);
    check(
        &mut raw,
        "count and delta differ",
        i32_at(23, 7),
        InvalidRecord,
    );
    check(&mut raw, "no record", i32_at(57, 0), InvalidRecord);
    let many = forge(&good, |bytes| {
        bytes[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
        bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    });
    check(
        &mut raw,
        "more records than bytes",
        Some(many),
        InvalidRecord,
    );
    let garbage = forge(&good, |bytes| bytes[61..].fill(0xff));
    check(
        &mut raw,
        "garbage under a right CRC",
        Some(garbage),
        InvalidRecord,
    );
    check(
        &mut raw,
        "an unknown codec",
        changed(22, 5),
        UnsupportedCompressionType,
    );
    check(&mut raw, "a negative length", i32_at(8, -5), CorruptMessage);
    let large = BatchOf::values(&[vec![0u8; 2_000]]).bytes();
    check(
        &mut raw,
        "larger than max.message.bytes",
        Some(large),
        MessageTooLarge,
    );
    let mut control = BatchOf::values(&["x"]).by(5, 0, 0);
    control.control = true;
    check(
        &mut raw,
        "a control batch",
        Some(control.bytes()),
        InvalidRecord,
    );
    let mut transactional = BatchOf::values(&["x"]).by(5, 0, 0);
    transactional.transactional = true;
    check(
        &mut raw,
        "a transactional batch",
        Some(transactional.bytes()),
        TransactionalIdAuthorizationFailed,
    );
    let no_sequence = forge(&good, |bytes| {
        bytes[43..51].copy_from_slice(&5i64.to_be_bytes());
    });
    check(
        &mut raw,
        "a producer without sequence",
        Some(no_sequence),
        InvalidRecord,
    );
    let future = BatchOf::values(&["x"])
        .at(&[now_ms() + 2 * 3_600_000])
        .bytes();
    check(&mut raw, "a time far ahead", Some(future), InvalidTimestamp);
    let old = raw.produce_version(6, "t", 0, -1, Some(zstd.clone()));
    assert_eq!(old.error_code, UnsupportedCompressionType.code());
    assert_eq!(raw.produce_version(7, "t", 0, -1, Some(zstd)).error_code, 0);
    assert_eq!(
        raw.list_offset("t", 0, -1).offset,
        1,
        "nothing else was stored"
    );
    assert!(test.broker().metrics().refused_batches >= 20);
}

#[test]
fn requests_are_checked_too() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.topic("two-replicas", 1, &[("min.insync.replicas", "2")]);
    let mut raw = test.raw();
    let good = || Some(BatchOf::values(&["a"]).bytes());
    let code = |raw: &mut Raw, topic, partition, acks| {
        raw.produce_version(9, topic, partition, acks, good())
            .error_code
    };
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(code(&mut raw, "nowhere", 0, -1), unknown);
    assert_eq!(code(&mut raw, "t", 1, -1), unknown);
    assert_eq!(code(&mut raw, "t", -1, -1), unknown);
    assert_eq!(
        code(&mut raw, "t", 0, 2),
        ResponseError::InvalidRequiredAcks.code()
    );
    let too_few = ResponseError::NotEnoughReplicas.code();
    assert_eq!(code(&mut raw, "two-replicas", 0, -1), too_few);
    assert_eq!(code(&mut raw, "two-replicas", 0, 1), 0);
    let mut transactional = BatchOf::values(&["x"]).by(5, 0, 0);
    transactional.transactional = true;
    let request = produce_request("t", 0, -1, Some(transactional.bytes()))
        .with_transactional_id(Some(StrBytes::from_static_str("tx").into()));
    let response = raw.call(9, &request);
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ResponseError::InvalidProducerIdMapping.code());
}

#[test]
fn without_acknowledgement_there_is_no_answer_and_an_error_closes() {
    let test = TestBroker::start_with(|config| config.flush = mesh_broker::FlushPolicy::Always);
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    for value in ["a", "b"] {
        let batch = BatchOf::values(&[value]).bytes();
        raw.send(9, &produce_request("t", 0, 0, Some(batch)));
    }
    // The next answer on the connection is that of the next request.
    raw.call(12, &MetadataRequest::default());
    let shown = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        test.raw().list_offset("t", 0, -1).offset == 2
    });
    assert!(shown, "made durable and visible in the background");
    assert_eq!(values_of(&test.raw().read_all("t", 0, 0)), ["a", "b"]);
    raw.send(
        9,
        &produce_request("nowhere", 0, 0, Some(BatchOf::values(&["c"]).bytes())),
    );
    assert!(raw.is_closed());
}

#[test]
fn log_append_time_is_the_brokers() {
    let test = TestBroker::start();
    test.topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let mut raw = test.raw();
    for codec in CODECS {
        let before = now_ms();
        let batch = BatchOf::values(&["a", "b"])
            .at(&[1_000, 2_000])
            .packed(codec)
            .bytes();
        let answer = raw.produce("t", 0, batch);
        assert_eq!(answer.error_code, 0);
        let time = answer.log_append_time_ms;
        assert!((before..=now_ms()).contains(&time));
        let data = raw.fetch("t", 0, answer.base_offset);
        let stored = data.records.unwrap();
        assert_eq!(stored[22] & 8, 8, "marked as append time");
        assert_eq!(stored[35..43], time.to_be_bytes());
        let found = raw.list_offset("t", 0, time);
        assert!(found.offset <= answer.base_offset && found.timestamp >= time);
    }
    let records = raw.read_all("t", 0, 0);
    assert_eq!(records.len(), 10);
    assert!(
        records
            .iter()
            .all(|record| record.timestamp_type == TimestampType::LogAppend)
    );
}

#[test]
fn producer_ids_are_unique_over_restarts() {
    let mut test = TestBroker::start();
    let mut ids = Vec::new();
    for round in 0..3 {
        let mut raw = test.raw();
        ids.extend((0..5).map(|_| raw.producer_id()));
        if round == 1 {
            test.crash();
        } else {
            test.stop();
        }
        test.start_again();
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let mut raw = test.raw();
    let init = |id: &str| {
        InitProducerIdRequest::default()
            .with_transactional_id(Some(string(id).into()))
            .with_transaction_timeout_ms(1_000)
    };
    let transactional = raw.call(4, &init("tx"));
    assert_eq!(transactional.error_code, 0);
    assert!(transactional.producer_id.0 > ids[ids.len() - 1]);
    assert_eq!(
        raw.call(4, &init("")).error_code,
        ResponseError::InvalidRequest.code()
    );
    for version in 0..=5 {
        let response = raw.call(
            version,
            &InitProducerIdRequest::default().with_transactional_id(None),
        );
        assert_eq!(
            (response.error_code, response.producer_epoch),
            (0, 0),
            "{version}"
        );
    }
}
