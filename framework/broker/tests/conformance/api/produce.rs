use bytes::{BufMut, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::records::Compression;
use uuid::Uuid;

use super::fetch::read;
use crate::batch::Batch;
use crate::check::{Cases, closes, fails, ok};
use crate::support::{Raw, name, sent};
use crate::target::{Target, Topic};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn request(
    version: i16,
    topic: &Topic,
    acks: i16,
    partitions: Vec<(i32, Bytes)>,
) -> ProduceRequest {
    let data = partitions
        .into_iter()
        .map(|(partition, records)| {
            PartitionProduceData::default()
                .with_index(partition)
                .with_records(Some(records))
        })
        .collect();
    let topic = match version {
        13.. => TopicProduceData::default().with_topic_id(topic.id),
        _ => TopicProduceData::default().with_name(name(&topic.name)),
    };
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic.with_partition_data(data)])
}

pub(crate) fn produce(
    raw: &mut Raw,
    version: i16,
    topic: &Topic,
    partition: i32,
    batch: &Batch,
) -> PartitionProduceResponse {
    let request = request(version, topic, -1, vec![(partition, batch.bytes())]);
    raw.call(version, &request).responses[0].partition_responses[0].clone()
}

/// Below version 3 requests are advertised, for librdkafka's sake, and refused.
fn refused(target: &Target, version: i16) {
    let mut raw = target.any();
    let mut frame = Vec::new();
    frame.put_i32(8 + 2 + 2 + 4 + 4);
    frame.put_i16(0);
    frame.put_i16(version);
    frame.put_i32(1);
    frame.put_i16(-1); // client id
    frame.put_i16(1); // acks
    frame.put_i32(1_000); // time-out
    frame.put_i32(0); // topics
    sent(0, version);
    std::io::Write::write_all(&mut raw.stream, &frame).unwrap();
    closes(&mut raw);
}

fn success(target: &Target, version: i16) {
    if version < 3 {
        return refused(target, version);
    }
    let topic = target.topic("produce");
    let mut raw = target.leader(&topic, 0);
    let packed = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
    ];
    for (at, compression) in (0..).zip(packed) {
        let batch = Batch::of(&["a", "b", "c"]).packed(compression);
        let answer = produce(&mut raw, version, &topic, 0, &batch);
        ok(answer.error_code);
        assert_eq!((answer.index, answer.base_offset), (0, at * 3));
        assert_eq!(answer.log_append_time_ms, -1, "the topic says CreateTime");
        if version >= 5 {
            assert_eq!(answer.log_start_offset, 0);
        }
    }
    assert_eq!(read(target, &topic, 0).len(), 12);
}

fn error(target: &Target, version: i16) {
    if version < 3 {
        return refused(target, version);
    }
    let topic = target.topic("produce");
    let mut raw = target.leader(&topic, 0);
    let batch = Batch::of(&["a"]);

    let nowhere = Topic {
        name: target.unique("nowhere"),
        id: Uuid::from_u128(0x1234_5678_1234_5678_1234_5678_1234_5678),
    };
    let unknown = match version {
        13.. => ResponseError::UnknownTopicId,
        _ => ResponseError::UnknownTopicOrPartition,
    };
    let answer = produce(&mut raw, version, &nowhere, 0, &batch);
    fails(answer.error_code, unknown);
    assert_eq!(answer.base_offset, -1);
    fails(
        produce(&mut raw, version, &topic, 7, &batch).error_code,
        ResponseError::UnknownTopicOrPartition,
    );

    let mut damaged = batch.bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let request = request(version, &topic, -1, vec![(0, Bytes::from(damaged))]);
    let answer = raw.call(version, &request).responses[0].partition_responses[0].clone();
    fails(answer.error_code, ResponseError::CorruptMessage);

    let request = self::request(version, &topic, 2, vec![(0, batch.bytes())]);
    let answer = raw.call(version, &request).responses[0].partition_responses[0].clone();
    fails(answer.error_code, ResponseError::InvalidRequiredAcks);
    assert!(read(target, &topic, 0).is_empty());
}

/// What is wrong with one partition does not touch the others, and a producer that wants no
/// acknowledgement gets none.
fn edge(target: &Target, version: i16) {
    if version < 3 {
        return refused(target, version);
    }
    let topic = target.topic_with("produce", 1, &[("max.message.bytes", "200")]);
    let mut raw = target.leader(&topic, 0);
    let good = Batch::of(&["good"]);
    let large = Batch::of(&["x".repeat(300)]);
    let partitions = vec![(0, good.bytes()), (7, good.bytes())];
    let response = raw.call(version, &request(version, &topic, -1, partitions));
    let codes = |wanted: i32| {
        let answers = &response.responses[0].partition_responses;
        answers.iter().find(|answer| answer.index == wanted).unwrap().error_code
    };
    ok(codes(0));
    fails(codes(7), ResponseError::UnknownTopicOrPartition);
    fails(
        produce(&mut raw, version, &topic, 0, &large).error_code,
        ResponseError::MessageTooLarge,
    );

    raw.send(version, &request(version, &topic, 0, vec![(0, good.bytes())]));
    let answer = produce(&mut raw, version, &topic, 0, &good);
    assert_eq!(answer.base_offset, 2, "the next answer is the next request's");
    let answer = raw.call(version, &request(version, &topic, 1, vec![(0, good.bytes())]));
    ok(answer.responses[0].partition_responses[0].error_code);
    assert_eq!(read(target, &topic, 0).len(), 4);
}
