//! The headers that travel with every record.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use mesh_core::{Error, EventId, Record, Result, TraceContext};
use rdkafka::message::{Header, OwnedHeaders};
use uuid::Uuid;

use crate::ends::{DEPRECATION_HEADER, Ends, EndsRead, SUCCESSOR_HEADER, SUNSET_HEADER};

/// The header with the event's id, a UUID as text.
pub const EVENT_ID_HEADER: &str = "mesh-event-id";
/// The header with the semantic version of the contract the record was written under.
pub const CONTRACT_VERSION_HEADER: &str = "mesh-contract-version";
/// The header with the W3C trace context.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The header with the outbox and the sequence number the record comes from.
pub const OUTBOX_HEADER: &str = "mesh-outbox";

/// Where a record stood in its writer's outbox; the same mark twice is the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutboxMark {
    /// The outbox, made once with its database.
    pub outbox: Uuid,
    /// The place in it, rising.
    pub seq: u64,
}

impl fmt::Display for OutboxMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.outbox.hyphenated(), self.seq)
    }
}

impl FromStr for OutboxMark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split_once(':')
            .and_then(|(outbox, seq)| {
                Some(Self {
                    outbox: Uuid::parse_str(outbox).ok()?,
                    seq: seq.parse().ok()?,
                })
            })
            .ok_or_else(|| Error::invalid("an outbox mark is not `<uuid>:<number>`"))
    }
}

/// What is said about a record beside its key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// The event's identity, the same through every retry.
    pub event_id: EventId,
    /// The contract's version; empty if the writer does not say.
    pub contract_version: String,
    /// The trace the record belongs to.
    pub trace: TraceContext,
    /// The place in the writer's outbox, if it came from one.
    pub outbox: Option<OutboxMark>,
    /// That the product's version ends, if its writer says so.
    pub ends: Option<Arc<Ends>>,
}

impl Headers {
    /// The headers of a new event of product `R` in the trace `trace`.
    pub fn of<R: Record>(trace: TraceContext) -> Self {
        Self {
            event_id: new_event_id(),
            contract_version: R::descriptor().contract.version.to_string(),
            trace,
            outbox: None,
            ends: None,
        }
    }

    /// The headers as librdkafka takes them.
    pub fn to_kafka(&self) -> OwnedHeaders {
        // Written on the stack: this stands on the path of every record.
        let mut id = Uuid::encode_buffer();
        let mut text = Text::default();
        let mut headers = OwnedHeaders::new_with_capacity(4)
            .insert(Header {
                key: EVENT_ID_HEADER,
                value: Some(&*self.event_id.0.hyphenated().encode_lower(&mut id)),
            })
            .insert(Header {
                key: CONTRACT_VERSION_HEADER,
                value: Some(&self.contract_version),
            })
            .insert(Header {
                key: TRACEPARENT_HEADER,
                value: Some(text.of(&self.trace)),
            });
        if let Some(mark) = &self.outbox {
            headers = headers.insert(Header {
                key: OUTBOX_HEADER,
                value: Some(text.of(mark)),
            });
        }
        if let Some(ends) = &self.ends {
            headers = ends.insert(headers);
        }
        headers
    }

    /// Reads headers; names that are not the framework's are passed over.
    ///
    /// A record of a writer outside of the framework may have none of them: its id is then
    /// derived from where it stands, so that it is the same at every reading, and a new
    /// trace begins. So it does where the trace context is malformed, as W3C asks for.
    ///
    /// # Errors
    /// If an event id or an outbox mark is there and malformed.
    pub fn from_kafka<'a>(
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Self> {
        let mut event_id = None;
        let mut contract_version = None;
        let mut trace = None;
        let mut outbox = None;
        let mut ends = EndsRead::default();
        for (name, value) in headers {
            let text = value.and_then(|value| std::str::from_utf8(value).ok());
            match name {
                EVENT_ID_HEADER => event_id = Some(text.unwrap_or_default().parse::<EventId>()?),
                CONTRACT_VERSION_HEADER => contract_version = text.map(str::to_owned),
                TRACEPARENT_HEADER => {
                    trace = text.and_then(|text| text.parse::<TraceContext>().ok());
                }
                OUTBOX_HEADER => outbox = Some(text.unwrap_or_default().parse()?),
                DEPRECATION_HEADER => ends.deprecation(text),
                SUNSET_HEADER => ends.sunset(text),
                SUCCESSOR_HEADER => ends.successor(text),
                _ => {}
            }
        }
        Ok(Self {
            event_id: event_id.unwrap_or_else(|| {
                EventId::derived(&["kafka", topic, &partition.to_string(), &offset.to_string()])
            }),
            contract_version: contract_version.unwrap_or_default(),
            trace: trace.unwrap_or_default(),
            outbox,
            ends: ends.finish(),
        })
    }

    /// The headers as names and values, as [`Headers::from_kafka`] reads them.
    pub fn to_pairs(&self) -> Vec<(String, Option<Bytes>)> {
        let mut pairs = vec![
            (
                EVENT_ID_HEADER.to_owned(),
                Some(self.event_id.to_string().into()),
            ),
            (
                CONTRACT_VERSION_HEADER.to_owned(),
                Some(self.contract_version.clone().into()),
            ),
            (
                TRACEPARENT_HEADER.to_owned(),
                Some(self.trace.to_string().into()),
            ),
        ];
        if let Some(mark) = &self.outbox {
            pairs.push((OUTBOX_HEADER.to_owned(), Some(mark.to_string().into())));
        }
        for (name, value) in self.ends.iter().flat_map(|ends| ends.pairs()) {
            pairs.push((name.to_owned(), Some(value.into())));
        }
        pairs
    }
}

/// A new event id, as [`EventId::new`] makes them: a UUIDv7 (RFC 9562, section 5.7). That
/// one asks the operating system for random bits each time, which is a fifth of what it
/// costs to publish a record; here the bits are a bijection of a counter with a random
/// start, so that they are distinct within the process and random outside of it.
pub(crate) fn new_event_id() -> EventId {
    static COUNTER: OnceLock<(AtomicU64, u16)> = OnceLock::new();
    let (counter, salt) = COUNTER.get_or_init(|| {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // Turned, so that the fixed bits of one half meet random ones of the other.
        (
            AtomicU64::new(low ^ high.rotate_left(32)),
            (high >> 48) as u16,
        )
    });
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut bits = counter.fetch_add(STEP, Ordering::Relaxed);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let millis = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    // Of these 80 bits version and variant take the first four and bits 16 and 17, which
    // is why the upper twelve of the counter's stand twice.
    let mut random = [0u8; 10];
    random[..2].copy_from_slice(&((bits >> 52) as u16 ^ salt).to_be_bytes());
    random[2..].copy_from_slice(&bits.to_be_bytes());
    EventId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// Room for a trace context (55 bytes) or an outbox mark (57 at most).
struct Text {
    bytes: [u8; 64],
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 64] }
    }
}

impl Text {
    fn of(&mut self, value: &impl fmt::Display) -> &[u8] {
        let mut rest = self.bytes.as_mut_slice();
        // Both kinds of value fit; a longer one would be cut and refused by its reader.
        let written = write!(rest, "{value}").map(|()| 64 - rest.len());
        &self.bytes[..written.unwrap_or(64)]
    }
}
