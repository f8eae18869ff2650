//! Record batches of keyed, transactional and idempotent records.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::support::now_ms;

/// A record batch to be, of (key, value).
#[derive(Clone)]
pub(crate) struct Batch {
    records: Vec<(Option<Bytes>, Option<Bytes>)>,
    timestamps: Vec<i64>,
    compression: Compression,
    producer: (i64, i16, i32),
    transactional: bool,
}

impl Batch {
    pub(crate) fn of<V: AsRef<str>>(values: &[V]) -> Self {
        let value = |value: &V| (None, Some(Bytes::from(value.as_ref().to_owned())));
        Self::new(values.iter().map(value).collect())
    }

    #[allow(dead_code)]
    pub(crate) fn keyed(records: &[(&str, Option<&str>)]) -> Self {
        let bytes = |text: &str| Bytes::from(text.to_owned());
        let keyed = |(key, value): &(&str, Option<&str>)| (Some(bytes(key)), value.map(bytes));
        Self::new(records.iter().map(keyed).collect())
    }

    fn new(records: Vec<(Option<Bytes>, Option<Bytes>)>) -> Self {
        Self {
            timestamps: vec![now_ms(); records.len()],
            records,
            compression: Compression::None,
            producer: (-1, -1, -1),
            transactional: false,
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

    pub(crate) fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let (producer_id, producer_epoch, sequence) = self.producer;
        let records: Vec<Record> = (0..)
            .zip(self.records.iter().zip(&self.timestamps))
            .map(|(at, ((key, value), timestamp))| Record {
                transactional: self.transactional,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id,
                producer_epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(at),
                // The encoder begins a new batch where the sequences have a gap.
                sequence: sequence.wrapping_add(at),
                timestamp: *timestamp,
                key: key.clone(),
                value: value.clone(),
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

/// The records of fetched bytes, the control records among them.
pub(crate) fn records(bytes: Option<&Bytes>) -> Vec<Record> {
    let mut bytes = bytes.cloned().unwrap_or_default();
    RecordBatchDecoder::decode_all(&mut bytes)
        .unwrap()
        .into_iter()
        .flat_map(|set| set.records)
        .collect()
}

pub(crate) fn values(records: &[Record]) -> Vec<String> {
    let value = |record: &Record| record.value.clone().unwrap_or_default();
    records
        .iter()
        .map(|record| String::from_utf8(value(record).to_vec()).unwrap())
        .collect()
}
