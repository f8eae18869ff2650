//! A broker for a test, a raw client, and record batches.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, ProduceRequest,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use mesh_broker::{Broker, BrokerConfig};

pub(crate) const ANY: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A broker in a folder of its own, which can be stopped in any manner and started again.
pub(crate) struct TestBroker {
    pub(crate) runtime: tokio::runtime::Runtime,
    broker: Option<Broker>,
    config: BrokerConfig,
    dir: tempfile::TempDir,
}

impl TestBroker {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(tweak: impl FnOnce(&mut BrokerConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(dir.path(), ANY);
        config.group_min_session_timeout = Duration::from_millis(100);
        config.group_initial_rebalance_delay = Duration::from_millis(50);
        tweak(&mut config);
        let runtime = runtime();
        let broker = runtime.block_on(Broker::start(config.clone())).unwrap();
        Self {
            runtime,
            broker: Some(broker),
            config,
            dir,
        }
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.broker().bootstrap()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn segment(&self, topic: &str, partition: i32, base: i64) -> PathBuf {
        self.dir()
            .join("topics")
            .join(format!("{topic}-{partition}"))
            .join(format!("{base:020}.log"))
    }

    pub(crate) fn stop(&mut self) {
        let broker = self.broker.take().unwrap();
        self.runtime.block_on(broker.shutdown()).unwrap();
    }

    pub(crate) fn crash(&mut self) {
        let broker = self.broker.take().unwrap();
        self.runtime.block_on(broker.abandon());
    }

    pub(crate) fn start_again(&mut self) {
        let starting = Broker::start(self.config.clone());
        self.broker = Some(self.runtime.block_on(starting).unwrap());
    }

    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(self.broker().local_addr())
    }

    /// Creates a topic with settings.
    pub(crate) fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let code = self.raw().create_topic(name, partitions, configs);
        assert_eq!(code, 0, "create {name}");
    }
}

/// A client that sends whatever it is told to.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    correlation_id: i32,
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName(string(text))
}

pub(crate) fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

thread_local! {
    static SENT: RefCell<BTreeSet<(i16, i16)>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that this thread sends a request of an API in a version.
pub(crate) fn sent(api_key: i16, version: i16) {
    SENT.with_borrow_mut(|sent| sent.insert((api_key, version)));
}

/// The APIs and versions that this thread has sent requests of since it was last asked; the
/// conformance suite, which shares this file, asks.
#[allow(dead_code)]
pub(crate) fn take_sent() -> BTreeSet<(i16, i16)> {
    SENT.take()
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            stream,
            correlation_id: 0,
        }
    }

    pub(crate) fn frame<R: Request>(&mut self, version: i16, request: &R) -> Vec<u8> {
        sent(R::KEY, version);
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(string("raw")));
        let mut body = BytesMut::new();
        encode_request_header_into_buffer(&mut body, &header).unwrap();
        request.encode(&mut body, version).unwrap();
        let mut frame = Vec::with_capacity(body.len() + 4);
        frame.put_i32(body.len() as i32);
        frame.extend_from_slice(&body);
        frame
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let frame = self.frame(version, request);
        self.stream.write_all(&frame).unwrap();
        self.correlation_id
    }

    pub(crate) fn receive_frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Bytes::from(frame))
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let mut frame = self.receive_frame().unwrap();
        let header =
            ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining(), "bytes behind the response");
        (header.correlation_id, response)
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let sent = self.send(version, request);
        let (correlation_id, response) = self.receive::<R>(version);
        assert_eq!(correlation_id, sent);
        response
    }

    /// Whether the broker has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    pub(crate) fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> i16 {
        let configs = configs
            .iter()
            .map(|(name, value)| {
                CreatableTopicConfig::default()
                    .with_name(string(name))
                    .with_value(Some(string(value)))
            })
            .collect();
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(5_000)
            .with_topics(vec![
                CreatableTopic::default()
                    .with_name(name(topic))
                    .with_num_partitions(partitions)
                    .with_replication_factor(1)
                    .with_configs(configs),
            ]);
        self.call(7, &request).topics[0].error_code
    }

    pub(crate) fn produce_version(
        &mut self,
        version: i16,
        topic: &str,
        partition: i32,
        acks: i16,
        records: Option<Bytes>,
    ) -> PartitionProduceResponse {
        let request = produce_request(topic, partition, acks, records);
        let response = self.call(version, &request);
        response.responses[0].partition_responses[0].clone()
    }

    pub(crate) fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        records: Bytes,
    ) -> PartitionProduceResponse {
        self.produce_version(9, topic, partition, -1, Some(records))
    }

    pub(crate) fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let request = fetch_request(topic, &[(partition, offset, 1 << 20)], 0, 1);
        let response = self.call(11, &request);
        assert_eq!(response.error_code, 0);
        response.responses[0].partitions[0].clone()
    }

    /// All records of a partition from `offset` on.
    pub(crate) fn read_all(&mut self, topic: &str, partition: i32, mut offset: i64) -> Vec<Record> {
        let mut all = Vec::new();
        loop {
            let data = self.fetch(topic, partition, offset);
            assert_eq!(data.error_code, 0, "fetch at {offset}");
            let records = records_of(&data);
            match records.last() {
                Some(last) => offset = last.offset + 1,
                None => return all,
            }
            all.extend(records);
        }
    }

    pub(crate) fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> ListOffsetsPartitionResponse {
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![
                ListOffsetsTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![
                        ListOffsetsPartition::default()
                            .with_partition_index(partition)
                            .with_current_leader_epoch(-1)
                            .with_timestamp(timestamp),
                    ]),
            ]);
        self.call(9, &request).topics[0].partitions[0].clone()
    }

    pub(crate) fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let response = self.call(4, &request);
        assert_eq!(response.error_code, 0);
        response.producer_id.0
    }
}

pub(crate) fn produce_request(
    topic: &str,
    partition: i32,
    acks: i16,
    records: Option<Bytes>,
) -> ProduceRequest {
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![
            TopicProduceData::default()
                .with_name(name(topic))
                .with_partition_data(vec![
                    PartitionProduceData::default()
                        .with_index(partition)
                        .with_records(records),
                ]),
        ])
}

/// A fetch of (partition, offset, partition max bytes).
pub(crate) fn fetch_request(
    topic: &str,
    partitions: &[(i32, i64, i32)],
    max_wait_ms: i32,
    min_bytes: i32,
) -> FetchRequest {
    let partitions = partitions
        .iter()
        .map(|(partition, offset, max_bytes)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(*offset)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(*max_bytes)
        })
        .collect();
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(min_bytes)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic(name(topic))
                .with_partitions(partitions),
        ])
}

pub(crate) fn records_of(data: &PartitionData) -> Vec<Record> {
    let mut bytes = data.records.clone().unwrap_or_default();
    RecordBatchDecoder::decode_all(&mut bytes)
        .unwrap()
        .into_iter()
        .flat_map(|set| set.records)
        .collect()
}

pub(crate) fn values_of(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8(record.value.clone().unwrap().to_vec()).unwrap())
        .collect()
}

pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

/// A record batch to be.
#[derive(Clone)]
pub(crate) struct BatchOf {
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) compression: Compression,
    pub(crate) producer: (i64, i16, i32),
    pub(crate) transactional: bool,
    pub(crate) control: bool,
}

impl BatchOf {
    pub(crate) fn values<V: AsRef<[u8]>>(values: &[V]) -> Self {
        let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_ref().to_vec()).collect();
        Self {
            timestamps: vec![now_ms(); values.len()],
            values,
            compression: Compression::None,
            producer: (-1, -1, -1),
            transactional: false,
            control: false,
        }
    }

    pub(crate) fn at(mut self, timestamps: &[i64]) -> Self {
        self.timestamps = timestamps.to_vec();
        self
    }

    pub(crate) fn packed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    pub(crate) fn by(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch, sequence);
        self
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let (producer_id, producer_epoch, sequence) = self.producer;
        let records: Vec<Record> = (0..)
            .zip(self.values.iter().zip(&self.timestamps))
            .map(|(at, (value, timestamp))| Record {
                transactional: self.transactional,
                control: self.control,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id,
                producer_epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(at),
                // The encoder begins a new batch where the sequences have a gap.
                sequence: sequence.wrapping_add(at),
                timestamp: *timestamp,
                key: None,
                value: Some(Bytes::from(value.clone())),
                headers: IndexMap::new(),
            })
            .collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions {
            version: 2,
            compression: self.compression,
        };
        RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
        bytes.freeze()
    }
}

/// Changes bytes of a batch and makes its CRC right again.
pub(crate) fn forge(batch: &Bytes, change: impl FnOnce(&mut [u8])) -> Bytes {
    let mut bytes = batch.to_vec();
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}
