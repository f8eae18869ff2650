//! Requests made from their shapes, for the fuzzers to begin with.

use kafka_protocol::messages::ApiKey;

use super::Part::{Blob, Each, Fixed, Maybe, Plain, Text};
use super::{Field, Part, shape};

/// A request of this version with one element in each array.
pub(in crate::api) fn sample(key: ApiKey, version: i16, blob: &[u8]) -> Vec<u8> {
    let (flexible_since, fields) = shape(key).unwrap_or((0, &[]));
    let mut sample = Sample {
        bytes: Vec::new(),
        version,
        flexible: version >= flexible_since,
        blob,
        // Time-outs that are taken; what else is a number is 0, such as a partition.
        number: match key {
            ApiKey::JoinGroup | ApiKey::InitProducerId => 1_000,
            _ => 0,
        },
        short: match key {
            // acks
            ApiKey::Produce => -1,
            _ => 0,
        },
    };
    sample.structure(fields);
    sample.bytes
}

struct Sample<'a> {
    bytes: Vec<u8>,
    version: i16,
    flexible: bool,
    blob: &'a [u8],
    number: i32,
    short: i16,
}

impl Sample<'_> {
    fn structure(&mut self, fields: &[Field]) {
        for Field(part, first, last) in fields {
            if (*first..=*last).contains(&self.version) {
                self.part(part);
            }
        }
        if self.flexible {
            self.bytes.push(0);
        }
    }

    fn part(&mut self, part: &Part) {
        match part {
            Fixed(1) => self.bytes.push(1),
            Fixed(2) => self.bytes.extend_from_slice(&self.short.to_be_bytes()),
            Fixed(4) => self.bytes.extend_from_slice(&self.number.to_be_bytes()),
            // The id of a topic that the fuzzed broker has.
            Fixed(16) => self.bytes.extend_from_slice(&1u128.to_be_bytes()),
            Fixed(len) => self.bytes.resize(self.bytes.len() + len, 0),
            Text => {
                self.length(1, true);
                self.bytes.push(b't');
            }
            Blob => {
                self.length(self.blob.len(), false);
                self.bytes.extend_from_slice(self.blob);
            }
            Each(fields) => {
                self.length(1, false);
                self.structure(fields);
            }
            Maybe(fields) => {
                self.bytes.push(1);
                self.structure(fields);
            }
            Plain(part) => {
                self.length(1, false);
                self.part(part);
            }
        }
    }

    fn length(&mut self, length: usize, short: bool) {
        if !self.flexible {
            match short {
                true => self.bytes.extend_from_slice(&(length as u16).to_be_bytes()),
                false => self.bytes.extend_from_slice(&(length as u32).to_be_bytes()),
            }
            return;
        }
        let mut left = length + 1;
        while left > 0x7f {
            self.bytes.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        self.bytes.push(left as u8);
    }
}
