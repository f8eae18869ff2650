//! What of a group outlives the broker, as Kafka keeps it in `__consumer_offsets`: the last
//! stable generation with its members and their assignments, or that the group is empty.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use serde::{Deserialize, Serialize};

use super::member::{Member, Phase};
use super::state::Group;

/// A group as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredGroup {
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    pub(super) empty_since_ms: Option<i64>,
    members: Vec<StoredMember>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredMember {
    id: String,
    instance_id: Option<String>,
    client_id: String,
    client_host: String,
    session_timeout_ms: u64,
    rebalance_timeout_ms: u64,
    protocols: Vec<(String, Hex)>,
    assignment: Hex,
}

/// Bytes as hexadecimal digits, since a JSON text has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Hex(Bytes);

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        hex.0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
            .collect()
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| u8::try_from((digit(*high)? << 4) | digit(*low)?).ok())
            .collect();
        match bytes {
            Some(bytes) if rest.is_empty() => Ok(Self(Bytes::from(bytes))),
            _ => Err("bytes of a group are not in hexadecimal digits".to_owned()),
        }
    }
}

fn owned(text: &Option<StrBytes>) -> Option<String> {
    text.as_ref().map(ToString::to_string)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Group {
    pub(super) fn stored(&self) -> StoredGroup {
        StoredGroup {
            generation: self.generation,
            protocol_type: owned(&self.protocol_type),
            protocol: owned(&self.protocol),
            leader: owned(&self.leader),
            empty_since_ms: self.empty_since_ms,
            members: self
                .members
                .iter()
                .map(|(id, member)| StoredMember {
                    id: id.to_string(),
                    instance_id: owned(&member.instance_id),
                    client_id: member.client_id.to_string(),
                    client_host: member.client_host.to_string(),
                    session_timeout_ms: millis(member.session_timeout),
                    rebalance_timeout_ms: millis(member.rebalance_timeout),
                    protocols: member
                        .protocols
                        .iter()
                        .map(|(name, metadata)| (name.to_string(), Hex(metadata.clone())))
                        .collect(),
                    assignment: Hex(member.assignment.clone()),
                })
                .collect(),
        }
    }

    /// A group as it was stored; its members' sessions begin anew.
    pub(super) fn restore(initial_delay: Duration, now: Instant, stored: StoredGroup) -> Self {
        let mut group = Self::new(initial_delay);
        group.generation = stored.generation;
        group.protocol_type = stored.protocol_type.map(StrBytes::from_string);
        group.protocol = stored.protocol.map(StrBytes::from_string);
        group.leader = stored.leader.map(StrBytes::from_string);
        group.empty_since_ms = stored.empty_since_ms;
        for member in stored.members {
            let id = StrBytes::from_string(member.id);
            let instance_id = member.instance_id.map(StrBytes::from_string);
            if let Some(instance) = &instance_id {
                group.instances.insert(instance.clone(), id.clone());
            }
            let session_timeout = Duration::from_millis(member.session_timeout_ms);
            let member = Member {
                instance_id,
                client_id: StrBytes::from_string(member.client_id),
                client_host: StrBytes::from_string(member.client_host),
                session_timeout,
                rebalance_timeout: Duration::from_millis(member.rebalance_timeout_ms),
                protocols: member
                    .protocols
                    .into_iter()
                    .map(|(name, Hex(metadata))| (StrBytes::from_string(name), metadata))
                    .collect(),
                assignment: member.assignment.0,
                // The longest is that of a damaged number, which must not overflow.
                expires: now.checked_add(session_timeout).unwrap_or(now),
                joining: None,
                syncing: None,
                synced: true,
            };
            group.members.insert(id, member);
        }
        if !group.members.is_empty() {
            group.phase = Phase::Stable;
        }
        group
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_come_back_from_their_digits() {
        let hex = Hex(Bytes::from_static(b"\x00\x7f\xff"));
        assert_eq!(String::from(hex.clone()), "007fff");
        assert_eq!(Hex::try_from("007FFF".to_owned()), Ok(hex));
        assert!(Hex::try_from("007".to_owned()).is_err());
        assert!(Hex::try_from("0g".to_owned()).is_err());
    }
}
