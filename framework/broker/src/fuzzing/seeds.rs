//! Inputs to begin with: for every version of every API a request that is whole, the ways
//! of a client through several of them, batches of every codec, and changes of files.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::api;

/// A record batch to be.
pub(super) struct Batch {
    pub(super) values: usize,
    pub(super) size: usize,
    pub(super) timestamp: i64,
    pub(super) producer: (i64, i16, i32),
    pub(super) transactional: bool,
    pub(super) codec: Compression,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            values: 1,
            size: 8,
            timestamp: 1_000_000,
            producer: (-1, -1, -1),
            transactional: false,
            codec: Compression::None,
        }
    }
}

pub(super) fn batch(of: &Batch) -> Bytes {
    let (producer_id, producer_epoch, sequence) = of.producer;
    let record = |at: i32| Record {
        transactional: of.transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(at),
        sequence: sequence.wrapping_add(at),
        timestamp: of.timestamp + i64::from(at),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from(vec![b'a' + (at % 26) as u8; of.size])),
        headers: IndexMap::new(),
    };
    let records: Vec<Record> = (0..of.values as i32).map(record).collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: of.codec,
    };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("encodes");
    bytes.freeze()
}

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// The seeds of a target.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "requests" => requests(),
        "batches" => batches(),
        "partitions" => partitions(),
        "stores" => stores(),
        _ => Vec::new(),
    }
}

/// A request with its length, as the target takes it.
fn framed(request: &[u8]) -> Vec<u8> {
    let mut framed = (request.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(request);
    framed
}

fn requests() -> Vec<(String, Vec<u8>)> {
    let blob = batch(&Batch::default());
    let mut seeds = Vec::new();
    for (key, lowest, highest) in api::advertised_versions() {
        for version in lowest..=highest {
            for (at, mode) in [0u8, 1, 12].into_iter().enumerate() {
                // One for each mode is enough for old versions.
                if at > 0 && version != highest {
                    continue;
                }
                let mut input = vec![mode];
                input.extend(framed(&api::sample(key, version, &blob)));
                seeds.push((format!("{key:?}-{version}-{mode}"), input));
            }
        }
    }
    seeds.extend(ways());
    seeds
}

/// The ways of clients: one request after the other in their newest version.
fn ways() -> Vec<(String, Vec<u8>)> {
    use kafka_protocol::messages::ApiKey::*;
    let transactional = batch(&Batch {
        producer: (0, 0, 0),
        transactional: true,
        ..Batch::default()
    });
    let plain = batch(&Batch {
        values: 3,
        ..Batch::default()
    });
    let ways: [(&str, u8, &Bytes, &[kafka_protocol::messages::ApiKey]); 7] = [
        (
            "produce-fetch",
            0,
            &plain,
            &[Produce, Produce, Fetch, ListOffsets, OffsetForLeaderEpoch],
        ),
        (
            "transaction",
            0,
            &transactional,
            &[
                InitProducerId,
                AddPartitionsToTxn,
                Produce,
                AddOffsetsToTxn,
                TxnOffsetCommit,
                DescribeTransactions,
                EndTxn,
                Fetch,
            ],
        ),
        (
            "open-transaction",
            0,
            &transactional,
            &[
                InitProducerId,
                AddPartitionsToTxn,
                Produce,
                DescribeProducers,
                ListTransactions,
                InitProducerId,
            ],
        ),
        (
            "group",
            0,
            &plain,
            &[
                FindCoordinator,
                JoinGroup,
                SyncGroup,
                Heartbeat,
                OffsetCommit,
                OffsetFetch,
                DescribeGroups,
                ListGroups,
                LeaveGroup,
                OffsetDelete,
                DeleteGroups,
            ],
        ),
        (
            "admin",
            4,
            &plain,
            &[
                CreateTopics,
                Metadata,
                CreatePartitions,
                IncrementalAlterConfigs,
                AlterConfigs,
                DescribeConfigs,
                DescribeLogDirs,
                DeleteTopics,
                Metadata,
            ],
        ),
        (
            "acls",
            3,
            &plain,
            &[
                CreateAcls,
                DescribeAcls,
                Produce,
                Fetch,
                DeleteAcls,
                Metadata,
            ],
        ),
        (
            "login",
            8,
            &plain,
            &[ApiVersions, SaslHandshake, SaslAuthenticate, Produce],
        ),
    ];
    let newest = |wanted| {
        let mut known = api::advertised_versions();
        known
            .find(|(key, ..)| *key == wanted)
            .map(|(_, _, newest)| newest)
    };
    ways.into_iter()
        .map(|(name, mode, blob, keys)| {
            let mut input = vec![mode];
            for key in keys {
                let version = newest(*key).unwrap_or_default();
                input.extend(framed(&api::sample(*key, version, blob)));
            }
            (format!("way-{name}"), input)
        })
        .collect()
}

fn batches() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (at, codec) in CODECS.into_iter().enumerate() {
        for (values, producer) in [(1, (-1, -1, -1)), (20, (3, 0, 0))] {
            let of = Batch {
                values,
                producer,
                codec,
                ..Batch::default()
            };
            let mut input = vec![0];
            input.put_i64(1_000_005);
            input.put_u16(7);
            input.extend_from_slice(&batch(&of));
            seeds.push((format!("codec-{at}-{values}"), input));
        }
        // Packed by the target, so that records can be changed.
        let mut input = vec![1 | 2 | 4 | 16];
        input.put_i64(1_000_005);
        input.put_u16(7);
        let mut plain = batch(&Batch {
            values: 5,
            ..Batch::default()
        })
        .to_vec();
        plain[22] = at as u8;
        input.extend_from_slice(&plain);
        seeds.push((format!("packed-{at}"), input));
    }
    seeds
}

fn partitions() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for flags in 0..4u8 {
        seeds.push((format!("whole-{flags}"), vec![flags]));
        for file in 0..20u8 {
            let flip = vec![flags, file, 0, 0, 70, 0x40];
            let cut = vec![flags, file, 1, 0, 90];
            let gone = vec![flags, file, 3];
            let garbage = vec![flags, file, 2, 5, 1, 2, 3, 4, 5];
            let forged = vec![flags, file, 5, 1, 23, 0, 0, 255, 255, 0, 0, 0, 0];
            let zeros = vec![flags, file, 6, 0, 100, 0, 90];
            let kinds = [flip, cut, gone, garbage, forged, zeros];
            for (kind, input) in kinds.into_iter().enumerate() {
                seeds.push((format!("change-{flags}-{file}-{kind}"), input));
            }
        }
    }
    seeds
}

fn stores() -> Vec<(String, Vec<u8>)> {
    let file = |which: u8, how: u8, content: &str| {
        let mut bytes = vec![which, how];
        bytes.put_u16(content.len() as u16);
        bytes.extend_from_slice(content.as_bytes());
        bytes
    };
    let topics = r#"{"version":1,"cluster_id":"c","topics":[{"name":"t","id":"00000000-0000-0000-0000-000000000001","partitions":1,"configs":{"segment.bytes":"2000"}}],"broker_settings":{}}"#;
    let offsets = r#"[{"group":"g","topic":"t","partition":0,"committed":{"offset":5,"leader_epoch":0,"metadata":"m","committed_ms":9}},{"group":"g","state":{"generation":3,"protocol_type":"consumer","protocol":"range","leader":"a","empty_since_ms":null,"members":[{"id":"a","instance_id":"i","client_id":"c","client_host":"/h","session_timeout_ms":10000,"rebalance_timeout_ms":30000,"protocols":[["range","00"]],"assignment":"0001"}]}}]
[{"group":"g","topic":"t","partition":1,"committed":{"offset":6,"leader_epoch":0,"metadata":"","committed_ms":9},"producer":7},{"producer":7,"commit":true}]"#;
    let transactions = r#"[{"Set":{"id":"x","producer_id":7,"previous_producer_id":-1,"epoch":0,"last_epoch":-1,"timeout_ms":1000,"state":"Ongoing","partitions":[["t",0]],"groups":["g"],"started_ms":5,"updated_ms":6}}]
[{"Set":{"id":"y","producer_id":8,"previous_producer_id":-1,"epoch":3,"last_epoch":-1,"timeout_ms":1000,"state":"PrepareCommit","partitions":[["t",0]],"groups":["g"],"started_ms":5,"updated_ms":6}},{"Dead":"other"}]"#;
    let acls = r#"{"version":1,"acls":[]}"#;
    let users = r#"{"version":1,"users":{"alice":{"SCRAM-SHA-256":{"iterations":4096,"salt":"AAAA","stored_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","server_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}}}"#;
    let one = [
        ("offsets", file(0, 2, offsets)),
        ("transactions", file(1, 2, transactions)),
        ("topics", file(2, 1, topics)),
        ("acls", file(3, 1, acls)),
        ("users", file(4, 0, users)),
        ("producer-ids", file(5, 1, "1000")),
        ("clean-stop", file(6, 0, "")),
    ];
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    let mut all = Vec::new();
    for (name, bytes) in one {
        all.extend_from_slice(&bytes);
        seeds.push((name.to_owned(), bytes));
    }
    seeds.push(("all".to_owned(), all));
    seeds
}
