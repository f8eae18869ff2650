//! What becomes due in a group as time goes by.

use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::member::Phase;
use super::state::Group;

impl Group {
    /// Does what is due and returns when something will be due next.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        let before = self.pending.len();
        self.pending.retain(|_, expires| *expires > now);
        if self.pending.len() != before {
            self.complete_join_if_all_are_there(now);
        }
        let silent: Vec<StrBytes> = self
            .members
            .iter()
            .filter(|(_, member)| !member.is_waiting() && member.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in silent {
            tracing::info!(member = %id, "group member timed out");
            self.remove(now, &id, ResponseError::UnknownMemberId);
        }
        self.phase_due(now);
        let sessions = self
            .members
            .values()
            .filter(|member| !member.is_waiting())
            .map(|member| member.expires);
        let deadline = match self.phase {
            Phase::Preparing { deadline, .. } => Some(deadline),
            Phase::Completing | Phase::Stable => self.sync_by,
            Phase::Empty | Phase::Dead => None,
        };
        sessions
            .chain(self.pending.values().copied())
            .chain(deadline)
            .min()
    }

    fn phase_due(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Preparing {
                deadline,
                gather_until,
                joined_since,
            } if *deadline <= now => match *gather_until {
                Some(until) if *joined_since && until > now => {
                    *joined_since = false;
                    *deadline = until.min(now + self.initial_delay);
                }
                _ => self.complete_join(now),
            },
            Phase::Completing | Phase::Stable if self.sync_by.is_some_and(|by| by <= now) => {
                // Those who never asked for their assignment are gone.
                self.sync_by = None;
                let lost: Vec<StrBytes> = self
                    .members
                    .iter()
                    .filter(|(_, member)| !member.synced)
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in &lost {
                    self.remove(now, id, ResponseError::UnknownMemberId);
                }
                // All have asked, and the leader has not answered.
                if let Phase::Completing = self.phase {
                    self.rebalance(now);
                }
            }
            _ => {}
        }
    }
}
