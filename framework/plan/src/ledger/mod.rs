//! The ledger: what earlier runs have made and where the last one stands, in a compacted
//! topic, and the record of every step in a second one. Both are data products of the domain
//! `platform`, so SQL answers who changed what.

mod read;
mod write;

use std::collections::BTreeMap;

use mesh_core::{Descriptor, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Resource;

pub use read::{LogLine, log_lines};
pub(crate) use write::{Keeper, Note, new_run};

mod state_row {
    #![allow(missing_docs)]
    mesh_macros::contract!("contracts/plan_state/contract.odcs.yaml");
}
mod log_row {
    #![allow(missing_docs)]
    mesh_macros::contract!("contracts/plan_log/contract.odcs.yaml");
}
pub(crate) use log_row::{PlanLogLine, PlanLogLinePhase};
pub(crate) use state_row::{PlanState, PlanStateKey};

/// The key of the row of the last run.
pub(crate) const RUN: &str = "run";

/// The products that the ledger is.
pub(crate) fn products() -> [&'static Descriptor; 2] {
    [PlanState::descriptor(), PlanLogLine::descriptor()]
}

/// Something that an apply has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The domain that it was made for.
    pub domain: String,
    /// The topic of the product that it belongs to.
    pub topic: String,
    /// Who made it.
    pub by: String,
}

/// A step that was begun and of which no end is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) step: usize,
    pub(crate) kind: String,
    pub(crate) resource: String,
    pub(crate) product: String,
    pub(crate) domain: String,
    pub(crate) topic: String,
    pub(crate) reason: String,
    pub(crate) details: Value,
    /// Whether nothing of its name was there when it was begun.
    pub(crate) absent: bool,
}

/// The last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) id: uuid::Uuid,
    pub(crate) plan: String,
    pub(crate) by: String,
    pub(crate) entries: i32,
    pub(crate) open: Option<Open>,
    pub(crate) finished: bool,
}

/// What earlier runs have left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What they have made and is not deleted yet.
    pub owned: BTreeMap<Resource, Owned>,
    pub(crate) run: Option<Run>,
}

impl Ledger {
    /// The fingerprint of the plan of the last run, if that did not come to its end.
    pub fn unfinished(&self) -> Option<&str> {
        let run = self.run.as_ref().filter(|run| !run.finished)?;
        Some(&run.plan)
    }
}
