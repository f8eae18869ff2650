//! Requests by hand, so that single ones can be timed and counted.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// The last versions that name topics by their name.
const FETCH_VERSION: i16 = 12;
const PRODUCE_VERSION: i16 = 12;

pub(crate) struct Connection {
    socket: TcpStream,
}

impl Connection {
    pub(crate) fn open(bootstrap: &str) -> Self {
        let socket = TcpStream::connect(bootstrap).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket }
    }

    pub(crate) fn send(&mut self, request: &[u8]) {
        self.socket.write_all(request).unwrap();
    }

    /// The next answer, without its header.
    pub(crate) fn receive(&mut self) -> Bytes {
        let mut len = [0; 4];
        self.socket.read_exact(&mut len).unwrap();
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
        self.socket.read_exact(&mut answer).unwrap();
        // Correlation id and the header's empty tagged fields.
        Bytes::from(answer).split_off(5)
    }
}

fn frame<R: Encodable + HeaderVersion>(key: ApiKey, version: i16, request: &R) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version);
    let mut body = BytesMut::new();
    header
        .encode(&mut body, R::header_version(version))
        .unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.put_i32(i32::try_from(body.len()).unwrap());
    frame.extend_from_slice(&body);
    frame.freeze()
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// A Fetch of partitions and offsets, at most 1 MiB in all, that waits for nothing.
pub(crate) fn fetch(topic: &str, partitions: &[(i32, i64)], partition_max: i32) -> Bytes {
    let asked = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(partition_max)
    });
    let topic = FetchTopic::default()
        .with_topic(name(topic))
        .with_partitions(asked.collect());
    let request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}

/// Bytes of records in an answer to [`fetch`].
pub(crate) fn fetched(mut answer: Bytes) -> usize {
    let response = FetchResponse::decode(&mut answer, FETCH_VERSION).unwrap();
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| {
            assert_eq!(partition.error_code, 0);
            partition.records.as_ref().map_or(0, Bytes::len)
        })
        .sum()
}

/// A Produce of the same batch to some partitions.
pub(crate) fn produce(topic: &str, partitions: std::ops::Range<i32>, batch: &Bytes) -> Bytes {
    let data = partitions.map(|partition| {
        PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batch.clone()))
    });
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_partition_data(data.collect());
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic]);
    frame(ApiKey::Produce, PRODUCE_VERSION, &request)
}

/// Looks whether everything was taken.
pub(crate) fn produced(mut answer: Bytes) {
    let response = ProduceResponse::decode(&mut answer, PRODUCE_VERSION).unwrap();
    let mut partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    assert!(partitions.all(|partition| partition.error_code == 0));
}

/// A batch of records of 100 bytes.
pub(crate) fn batch(records: usize) -> Bytes {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let records: Vec<Record> = (0i32..)
        .take(records)
        .map(|at| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(at),
            // The encoder begins a new batch where the sequences have a gap.
            sequence: at - 1,
            timestamp: i64::try_from(now.as_millis()).unwrap(),
            key: None,
            value: Some(Bytes::from_static(&[b'x'; 100])),
            headers: IndexMap::new(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}
