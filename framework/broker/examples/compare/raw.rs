//! Fetch requests by hand, so that one request can be timed.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiKey, FetchRequest, FetchResponse, RequestHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

/// The last version that names topics by their name.
const VERSION: i16 = 12;

pub(crate) struct Connection {
    socket: TcpStream,
    correlation_id: i32,
}

impl Connection {
    pub(crate) fn open(bootstrap: &str) -> Self {
        let socket = TcpStream::connect(bootstrap).unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            correlation_id: 0,
        }
    }

    /// Bytes of records at `offset`.
    pub(crate) fn fetch(&mut self, topic: &str, partition: i32, offset: i64, max: i32) -> usize {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(max);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(vec![asked]);
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(1)
            .with_max_bytes(max)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(ApiKey::Fetch as i16)
            .with_request_api_version(VERSION)
            .with_correlation_id(self.correlation_id);
        let mut body = BytesMut::new();
        header
            .encode(&mut body, FetchRequest::header_version(VERSION))
            .unwrap();
        request.encode(&mut body, VERSION).unwrap();
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_i32(i32::try_from(body.len()).unwrap());
        frame.extend_from_slice(&body);
        self.socket.write_all(&frame).unwrap();

        let mut len = [0; 4];
        self.socket.read_exact(&mut len).unwrap();
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
        self.socket.read_exact(&mut answer).unwrap();
        // Correlation id and the header's empty tagged fields.
        let mut answer = Bytes::from(answer).split_off(5);
        let response = FetchResponse::decode(&mut answer, VERSION).unwrap();
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0);
        partition.records.as_ref().map_or(0, Bytes::len)
    }
}
