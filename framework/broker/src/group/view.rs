//! What others may see of a group.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::member::Phase;
use super::state::Group;
use super::subscription;

/// The phase of a group under Kafka's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupPhase {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Dead,
}

impl GroupPhase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// A group at one moment.
#[derive(Debug, Clone)]
pub(crate) struct GroupView {
    pub(crate) id: StrBytes,
    pub(crate) phase: GroupPhase,
    /// Empty for a group that has only ever committed offsets.
    pub(crate) protocol_type: StrBytes,
    /// Empty unless the group is stable.
    pub(crate) protocol: StrBytes,
    pub(crate) members: Vec<MemberView>,
}

/// A member at one moment.
#[derive(Debug, Clone)]
pub(crate) struct MemberView {
    pub(crate) id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    /// Empty unless the group is stable, as the assignment is.
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl GroupView {
    /// A group of which there is nothing but committed offsets.
    pub(crate) fn of_offsets_only(id: StrBytes) -> Self {
        Self {
            id,
            phase: GroupPhase::Empty,
            protocol_type: StrBytes::default(),
            protocol: StrBytes::default(),
            members: Vec::new(),
        }
    }
}

impl Group {
    pub(super) fn view(&self, id: &StrBytes) -> GroupView {
        let stable = self.is_stable();
        let members = self
            .members
            .iter()
            .map(|(id, member)| MemberView {
                id: id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: match stable {
                    true => member.metadata(self.protocol.as_ref()),
                    false => Bytes::new(),
                },
                assignment: match stable {
                    true => member.assignment.clone(),
                    false => Bytes::new(),
                },
            })
            .collect();
        GroupView {
            id: id.clone(),
            phase: match self.phase {
                Phase::Empty => GroupPhase::Empty,
                Phase::Preparing { .. } => GroupPhase::PreparingRebalance,
                Phase::Completing => GroupPhase::CompletingRebalance,
                Phase::Stable => GroupPhase::Stable,
                Phase::Dead => GroupPhase::Dead,
            },
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: match stable {
                true => self.protocol.clone().unwrap_or_default(),
                false => StrBytes::default(),
            },
            members,
        }
    }

    /// Whether the group's members are consumers, which the broker knows more about.
    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }

    /// Whether a consumer of the group is subscribed to a topic; also when that cannot be
    /// told, to be safe.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        if !self.is_of_consumers() || self.members.is_empty() {
            return false;
        }
        let Some(protocol) = &self.protocol else {
            return true;
        };
        self.members.values().any(|member| {
            subscription::topics(&member.metadata(Some(protocol)))
                .is_none_or(|topics| topics.iter().any(|name| name == topic))
        })
    }
}
