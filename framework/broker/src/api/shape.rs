//! The shapes of requests, walked before they are decoded.
//!
//! The codec reserves memory for as many elements as an array says it has. A request of
//! twenty bytes can say two thousand million, and a failed allocation ends the process. So
//! each request is first walked to its end by these tables (from the message definitions
//! of Apache Kafka), without allocating; only what is really there is decoded.

mod admin;
mod header;
#[cfg(any(test, fuzzing))]
mod sample;
mod security;

pub(super) use self::header::check_header;
#[cfg(any(test, fuzzing))]
pub(super) use self::sample::sample;

use bytes::Buf;
use kafka_protocol::messages::ApiKey;

/// The part of a request's definition that tells how many bytes follow.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// So many bytes.
    Fixed(usize),
    /// A string, nullable or not.
    Text,
    /// Bytes, nullable or not.
    Blob,
    /// An array of structures.
    Each(&'static [Field]),
    /// A structure, or a byte that says there is none.
    Maybe(&'static [Field]),
    /// An array of values that are no structures, and have no tagged fields therefore.
    Plain(&'static Part),
}

/// A part and the versions that have it.
#[derive(Debug, Clone, Copy)]
struct Field(Part, i16, i16);

use Part::{Blob, Each, Fixed, Maybe, Plain, Text};

const NEWEST: i16 = i16::MAX;
const I8: Part = Fixed(1);
const BOOL: Part = Fixed(1);
const I16: Part = Fixed(2);
const I32: Part = Fixed(4);
const I64: Part = Fixed(8);
const UUID: Part = Fixed(16);

const fn all(part: Part) -> Field {
    Field(part, 0, NEWEST)
}

const fn since(version: i16, part: Part) -> Field {
    Field(part, version, NEWEST)
}

const fn until(version: i16, part: Part) -> Field {
    Field(part, 0, version)
}

/// The first flexible version of a request and its fields.
type Shape = (i16, &'static [Field]);

const PRODUCE: Shape = (
    9,
    &[
        all(Text),
        all(I16),
        all(I32),
        all(Each(&[
            until(12, Text),
            since(13, UUID),
            all(Each(&[all(I32), all(Blob)])),
        ])),
    ],
);
const FETCH: Shape = (
    12,
    &[
        until(14, I32),
        all(I32),
        all(I32),
        all(I32),
        all(I8),
        since(7, I32),
        since(7, I32),
        all(Each(&[
            until(12, Text),
            since(13, UUID),
            all(Each(&[
                all(I32),
                since(9, I32),
                all(I64),
                since(12, I32),
                since(5, I64),
                all(I32),
            ])),
        ])),
        since(
            7,
            Each(&[until(12, Text), since(13, UUID), all(Plain(&I32))]),
        ),
        since(11, Text),
    ],
);
const LIST_OFFSETS: Shape = (
    6,
    &[
        all(I32),
        since(2, I8),
        all(Each(&[
            all(Text),
            all(Each(&[all(I32), since(4, I32), all(I64)])),
        ])),
        since(10, I32),
    ],
);
const METADATA: Shape = (
    9,
    &[
        all(Each(&[since(10, UUID), all(Text)])),
        since(4, BOOL),
        Field(BOOL, 8, 10),
        since(8, BOOL),
    ],
);
const OFFSET_COMMIT: Shape = (
    8,
    &[
        all(Text),
        all(I32),
        all(Text),
        since(7, Text),
        Field(I64, 2, 4),
        all(Each(&[
            all(Text),
            all(Each(&[all(I32), all(I64), since(6, I32), all(Text)])),
        ])),
    ],
);
const OFFSET_FETCH: Shape = (
    6,
    &[
        until(7, Text),
        until(7, Each(&[all(Text), all(Plain(&I32))])),
        since(
            8,
            Each(&[
                all(Text),
                since(9, Text),
                since(9, I32),
                all(Each(&[all(Text), all(Plain(&I32))])),
            ]),
        ),
        since(7, BOOL),
    ],
);
const FIND_COORDINATOR: Shape = (3, &[until(3, Text), since(1, I8), since(4, Plain(&Text))]);
const JOIN_GROUP: Shape = (
    6,
    &[
        all(Text),
        all(I32),
        since(1, I32),
        all(Text),
        since(5, Text),
        all(Text),
        all(Each(&[all(Text), all(Blob)])),
        since(8, Text),
    ],
);
const HEARTBEAT: Shape = (4, &[all(Text), all(I32), all(Text), since(3, Text)]);
const LEAVE_GROUP: Shape = (
    4,
    &[
        all(Text),
        until(2, Text),
        since(3, Each(&[all(Text), all(Text), since(5, Text)])),
    ],
);
const SYNC_GROUP: Shape = (
    4,
    &[
        all(Text),
        all(I32),
        all(Text),
        since(3, Text),
        since(5, Text),
        since(5, Text),
        all(Each(&[all(Text), all(Blob)])),
    ],
);
const API_VERSIONS: Shape = (3, &[since(3, Text), since(3, Text)]);
const CREATE_TOPICS: Shape = (
    5,
    &[
        all(Each(&[
            all(Text),
            all(I32),
            all(I16),
            all(Each(&[all(I32), all(Plain(&I32))])),
            all(Each(&[all(Text), all(Text)])),
        ])),
        all(I32),
        all(BOOL),
    ],
);
const DELETE_TOPICS: Shape = (
    4,
    &[
        since(6, Each(&[all(Text), all(UUID)])),
        until(5, Plain(&Text)),
        all(I32),
    ],
);
const INIT_PRODUCER_ID: Shape = (2, &[all(Text), all(I32), since(3, I64), since(3, I16)]);
const DESCRIBE_CONFIGS: Shape = (
    4,
    &[
        all(Each(&[all(I8), all(Text), all(Plain(&Text))])),
        all(BOOL),
        since(3, BOOL),
    ],
);
/// Topics and their partitions.
const PARTITIONS: Part = Each(&[all(Text), all(Plain(&I32))]);
const ADD_PARTITIONS_TO_TXN: Shape = (
    3,
    &[
        since(
            4,
            Each(&[all(Text), all(I64), all(I16), all(BOOL), all(PARTITIONS)]),
        ),
        until(3, Text),
        until(3, I64),
        until(3, I16),
        until(3, PARTITIONS),
    ],
);
const ADD_OFFSETS_TO_TXN: Shape = (3, &[all(Text), all(I64), all(I16), all(Text)]);
const END_TXN: Shape = (3, &[all(Text), all(I64), all(I16), all(BOOL)]);
const TXN_OFFSET_COMMIT: Shape = (
    3,
    &[
        all(Text),
        all(Text),
        all(I64),
        all(I16),
        since(3, I32),
        since(3, Text),
        since(3, Text),
        all(Each(&[
            all(Text),
            all(Each(&[all(I32), all(I64), since(2, I32), all(Text)])),
        ])),
    ],
);
const WRITE_TXN_MARKERS: Shape = (
    1,
    &[all(Each(&[
        all(I64),
        all(I16),
        all(BOOL),
        all(PARTITIONS),
        all(I32),
    ]))],
);
const DESCRIBE_PRODUCERS: Shape = (0, &[all(PARTITIONS)]);
const DESCRIBE_TRANSACTIONS: Shape = (0, &[all(Plain(&Text))]);
const LIST_TRANSACTIONS: Shape = (0, &[all(Plain(&Text)), all(Plain(&I64)), since(1, I64)]);

fn shape(key: ApiKey) -> Option<Shape> {
    Some(match key {
        ApiKey::Produce => PRODUCE,
        ApiKey::Fetch => FETCH,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::AddPartitionsToTxn => ADD_PARTITIONS_TO_TXN,
        ApiKey::AddOffsetsToTxn => ADD_OFFSETS_TO_TXN,
        ApiKey::EndTxn => END_TXN,
        ApiKey::TxnOffsetCommit => TXN_OFFSET_COMMIT,
        ApiKey::WriteTxnMarkers => WRITE_TXN_MARKERS,
        ApiKey::DescribeProducers => DESCRIBE_PRODUCERS,
        ApiKey::DescribeTransactions => DESCRIBE_TRANSACTIONS,
        ApiKey::ListTransactions => LIST_TRANSACTIONS,
        _ => return admin::shape(key).or_else(|| security::shape(key)),
    })
}

/// An element may be one byte long and take two hundred when it is decoded, so what is
/// really there needs a bound too. A request about every partition of a large broker has
/// some ten thousand.
const MOST_ELEMENTS: usize = 1 << 20;

/// Walks the body of a request; an error says that it is not whole.
pub(super) fn check(key: ApiKey, version: i16, body: &[u8]) -> Result<(), String> {
    let (flexible_since, fields) = shape(key).ok_or("the request has no known shape")?;
    let mut walk = Walk {
        left: body,
        version,
        flexible: version >= flexible_since,
        allowed: MOST_ELEMENTS,
    };
    match walk.structure(fields) {
        // Bytes behind the request are passed over, as Kafka does: librdkafka sends a few
        // behind a Metadata request for all topics.
        Some(()) => Ok(()),
        None => Err("the request is not whole, or has too many elements".to_owned()),
    }
}

struct Walk<'a> {
    left: &'a [u8],
    version: i16,
    flexible: bool,
    /// Elements of arrays and tagged fields that may still come.
    allowed: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        for Field(part, first, last) in fields {
            if (*first..=*last).contains(&self.version) {
                self.part(part)?;
            }
        }
        match self.flexible {
            true => self.tags(),
            false => Some(()),
        }
    }

    fn tags(&mut self) -> Option<()> {
        let tags = self.varint()?;
        self.allowed = self.allowed.checked_sub(tags)?;
        for _ in 0..tags {
            self.varint()?;
            let len = self.varint()?;
            self.skip(len)?;
        }
        Some(())
    }

    fn part(&mut self, part: &Part) -> Option<()> {
        match part {
            Fixed(len) => self.skip(*len),
            Text | Blob => {
                let len = self.length(matches!(part, Text))?;
                self.skip(len.unwrap_or(0))
            }
            Each(fields) => {
                for _ in 0..self.elements()? {
                    self.structure(fields)?;
                }
                Some(())
            }
            Maybe(fields) => match self.left.try_get_i8().ok()? {
                -1 => Some(()),
                _ => self.structure(fields),
            },
            Plain(part) => {
                for _ in 0..self.elements()? {
                    self.part(part)?;
                }
                Some(())
            }
        }
    }

    /// The number of elements of an array.
    fn elements(&mut self) -> Option<usize> {
        let elements = self.length(false)?.unwrap_or(0);
        self.allowed = self.allowed.checked_sub(elements)?;
        Some(elements)
    }

    /// A length or count, which cannot exceed the bytes that are left; `None` inside for null.
    fn length(&mut self, short: bool) -> Option<Option<usize>> {
        let length = if self.flexible {
            i64::try_from(self.varint()?).ok()? - 1
        } else if short {
            i64::from(self.left.try_get_i16().ok()?)
        } else {
            i64::from(self.left.try_get_i32().ok()?)
        };
        match length {
            -1 => Some(None),
            length => {
                let length = usize::try_from(length).ok()?;
                (length <= self.left.len()).then_some(Some(length))
            }
        }
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.left.try_get_u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.left = self.left.get(len..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_bounded_number_of_elements() {
        for (elements, fits) in [(MOST_ELEMENTS, true), (MOST_ELEMENTS + 1, false)] {
            let mut body = Vec::new();
            let mut left = elements + 1;
            while left > 0x7f {
                body.push((left & 0x7f) as u8 | 0x80);
                left >>= 7;
            }
            body.push(left as u8);
            // Empty strings, and no tagged fields.
            body.resize(body.len() + elements, 1);
            body.push(0);
            let checked = check(ApiKey::DescribeTransactions, 0, &body);
            assert_eq!(checked.is_ok(), fits, "{elements}");
        }
    }
}
