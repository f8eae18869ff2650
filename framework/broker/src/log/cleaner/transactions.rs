//! What a walk over the log knows of transactions: whose records were aborted, and whether
//! a marker still has records that it speaks of.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::batch::BatchHeader;
use super::super::transactions::Marker;
use super::super::txn_index::Aborted;

#[derive(Debug)]
struct Ongoing {
    aborted: Aborted,
    /// Whether the walk has met a batch of it.
    met: bool,
}

/// The transactions of a walk over batches in the order of their offsets.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Aborted ones that the walk has not come to, by first offset and producer.
    coming: BTreeMap<(i64, i64), Aborted>,
    aborted: HashMap<i64, Ongoing>,
    committed: HashSet<i64>,
}

/// What a control batch is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkerFate {
    /// The walk has met records that it ends; if they are aborted ones, the index has to
    /// know of them as long as somebody may read the old files' records with the new index.
    Needed(Option<Aborted>),
    /// Nothing is left of its transaction.
    Unneeded,
}

impl Transactions {
    /// For a walk over a range that these aborted transactions have records in.
    pub(super) fn new(aborted: Vec<Aborted>) -> Self {
        let coming = aborted
            .into_iter()
            .map(|aborted| ((aborted.first_offset, aborted.producer_id), aborted))
            .collect();
        Self {
            coming,
            ..Self::default()
        }
    }

    fn come_to(&mut self, offset: i64) {
        while let Some(first) = self.coming.first_entry()
            && first.key().0 <= offset
        {
            let aborted = first.remove();
            let ongoing = Ongoing {
                aborted,
                met: false,
            };
            self.aborted.entry(aborted.producer_id).or_insert(ongoing);
        }
    }

    /// Takes a batch of records in; `true` says that they were aborted.
    pub(super) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.come_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some(ongoing) => {
                ongoing.met = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// Takes a control batch in.
    pub(super) fn marker(&mut self, header: &BatchHeader, batch: &[u8]) -> MarkerFate {
        self.come_to(header.last_offset());
        if header.record_count == 0 {
            // Kept for its producer's state alone.
            return MarkerFate::Unneeded;
        }
        match Marker::parse(batch) {
            Some(marker) if marker.commit => match self.committed.remove(&header.producer_id) {
                true => MarkerFate::Needed(None),
                false => MarkerFate::Unneeded,
            },
            Some(_) => match self.aborted.remove(&header.producer_id) {
                Some(ongoing) if ongoing.met => MarkerFate::Needed(Some(ongoing.aborted)),
                _ => MarkerFate::Unneeded,
            },
            // Of a kind that is not known here.
            None => MarkerFate::Needed(None),
        }
    }
}
