//! Commits of offsets: the claim to a membership is checked and the offsets are stored in one
//! step, so that no rebalance comes in between and a member of the past changes nothing.

use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::coordinator::Coordinator;
use super::offset_state::Committed;
use super::requests::Claim;
use super::state::Group;
use crate::sync::lock;

/// Offsets by topic and partition.
type Offsets = Vec<(String, i32, Committed)>;

impl Coordinator {
    /// Stores a group's offsets, all or none; GROUP_ID_NOT_FOUND when they claim to be of a
    /// generation and there is no such group.
    pub(crate) async fn commit(
        &self,
        group: &StrBytes,
        claim: Claim<'_>,
        generation: i32,
        offsets: Offsets,
    ) -> Result<(), ResponseError> {
        let stored = self.checked(
            group,
            generation,
            |state| state.check_commit(Instant::now(), claim, generation),
            || self.offsets.commit(group, offsets),
        )?;
        self.offsets.acknowledged(stored).await
    }

    /// As [`Coordinator::commit`], for offsets that count when the producer's transaction is
    /// committed. `in_transaction` is asked while no end of a transaction can come in between.
    pub(crate) async fn commit_in_transaction(
        &self,
        group: &StrBytes,
        claim: Claim<'_>,
        generation: i32,
        producer: i64,
        offsets: Offsets,
        in_transaction: impl FnOnce() -> Result<(), ResponseError>,
    ) -> Result<(), ResponseError> {
        let stored = self.checked(
            group,
            generation,
            |state| state.check_transactional_commit(claim, generation),
            || {
                self.offsets
                    .commit_in_transaction(group, producer, offsets, in_transaction)
            },
        )?;
        self.offsets.acknowledged(stored).await
    }

    /// Does `then` if `check` allows it, with the group held all the while.
    fn checked<T>(
        &self,
        group: &StrBytes,
        generation: i32,
        check: impl FnOnce(&mut Group) -> Result<(), ResponseError>,
        then: impl FnOnce() -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        if let Some(entry) = self.known(group) {
            let mut held = lock(&entry.group);
            if held.0.exists() {
                check(&mut held.0)?;
                return then();
            }
        }
        if generation < 0 {
            return then();
        }
        match self.offsets.has_offsets(group) {
            true => Err(ResponseError::UnknownMemberId),
            false => Err(ResponseError::GroupIdNotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::super::offsets::Offsets;
    use super::super::requests::JoinRequest;
    use super::*;
    use crate::report::RecoveryReport;

    /// A rebalance needs the group too, so none comes between the check and the store.
    #[test]
    fn the_group_is_held_from_the_check_to_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets.log");
        let offsets = Offsets::open(&path, false, &mut RecoveryReport::default()).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let groups = Coordinator::new(Duration::ZERO, Arc::new(offsets), tasks, stop);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let group = StrBytes::from_static_str("g");
        let join = JoinRequest {
            member_id: StrBytes::default(),
            instance_id: None,
            client_id: StrBytes::default(),
            client_host: StrBytes::default(),
            session_timeout: Duration::from_secs(60),
            rebalance_timeout: Duration::from_secs(60),
            protocol_type: StrBytes::from_static_str("consumer"),
            protocols: vec![(StrBytes::from_static_str("range"), bytes::Bytes::new())],
            require_known_member: false,
            may_skip_assignment: false,
        };
        let joined = runtime.block_on(groups.join(&group, join));
        assert_eq!(joined.error, None);
        let entry = groups.known(&group).unwrap();
        let allow = |_: &mut Group| Ok(());
        let stored = groups.checked(&group, joined.generation, allow, || {
            assert!(entry.group.try_lock().is_err());
            Ok(7)
        });
        assert_eq!(stored, Ok(7));

        let offset = |offset| {
            let committed = Committed {
                offset,
                leader_epoch: -1,
                metadata: String::new(),
                committed_ms: 0,
                expires_ms: None,
            };
            vec![("t".to_owned(), 0, committed)]
        };
        let claim = Claim {
            member_id: &joined.member_id,
            instance_id: None,
        };
        let of_the_past = groups.commit(&group, claim, joined.generation - 1, offset(1));
        let refused = runtime.block_on(of_the_past);
        assert_eq!(refused, Err(ResponseError::IllegalGeneration));
        assert_eq!(groups.offsets.get("g", "t", 0), None);
    }
}
