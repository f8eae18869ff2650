//! What is known of damage that reads have met.

use std::collections::BTreeSet;
use std::sync::Mutex;

use kafka_protocol::ResponseError;

use super::partition::Partition;
use super::segment::{Scanned, Segment};
use crate::sync::lock;

/// How far behind a damaged place is looked for the next whole batch.
const LOOKED_THROUGH: u64 = 64 << 20;

/// The damaged places of a partition that have been met: segment and position.
#[derive(Debug, Default)]
pub(super) struct Damage(Mutex<BTreeSet<(i64, u64)>>);

impl Damage {
    fn is_new(&self, segment: i64, position: u64) -> bool {
        lock(&self.0).insert((segment, position))
    }

    fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

impl Partition {
    /// The error for a batch that is not served. The log names the place once, with the
    /// offset to go on from: a consumer asks for the same again and again.
    pub(super) fn corrupt(
        &self,
        segment: &Segment,
        position: u64,
        why: &'static str,
    ) -> ResponseError {
        if self.damage.is_new(segment.base(), position) {
            let next_offset = next_whole(segment, position);
            tracing::error!(
                topic = %self.topic, partition = self.index, segment = segment.base(), position,
                why, next_offset,
                "corrupt batch, not served; consumers can go on from next_offset"
            );
        }
        ResponseError::CorruptMessage
    }

    /// As [`Partition::locate`] where something is wrong on the way: every batch is checked,
    /// and what is not whole is passed over, so that damage costs no more than itself.
    pub(super) fn locate_past_damage(
        &self,
        segment: &Segment,
        from: u64,
        offset: i64,
    ) -> Result<Option<u64>, ResponseError> {
        let failed = |error| self.storage_error("read", &error);
        let mut scanner = segment.scan(from, true).up_to(from + LOOKED_THROUGH);
        let mut expected = segment.base();
        let mut damaged: Option<(u64, &'static str)> = None;
        while let Some(scanned) = scanner.next().map_err(failed)? {
            let (position, why) = match scanned {
                Scanned::Batch { header, position } if header.base_offset > offset => {
                    match damaged {
                        None if self.may_follow_gap(header.base_offset) => {
                            return Ok(Some(position));
                        }
                        // What is whole begins behind the offset: it was in the damage.
                        Some((position, why)) => return Err(self.corrupt(segment, position, why)),
                        None => (position, "the offset is out of line"),
                    }
                }
                Scanned::Batch { header, position } if header.last_offset() >= offset => {
                    return Ok(Some(position));
                }
                Scanned::Batch { header, .. } => {
                    expected = header.next_offset();
                    continue;
                }
                Scanned::Bad { position, why } => (position, why),
            };
            damaged = Some((position, why));
            if !scanner.resync(position, expected).map_err(failed)? {
                break;
            }
        }
        match damaged {
            Some((position, why)) => Err(self.corrupt(segment, position, why)),
            None => Ok(None),
        }
    }

    /// Places that reads have found damaged since the start.
    pub(crate) fn damaged_places(&self) -> usize {
        self.damage.count()
    }
}

/// The offset of the next whole batch behind a bad place in the segment.
fn next_whole(segment: &Segment, position: u64) -> Option<i64> {
    let mut scanner = segment
        .scan(position, true)
        .up_to(position + LOOKED_THROUGH);
    if !scanner.resync(position, segment.base()).ok()? {
        return None;
    }
    match scanner.next().ok()? {
        Some(Scanned::Batch { header, .. }) => Some(header.base_offset),
        _ => None,
    }
}
