//! Which columns an answer comes from.
//!
//! Follows each output column of a plan back to the columns of products, and says how its
//! values came about, in the words of OpenLineage's facet `columnLineage` (1-2-0): directly
//! (copied, computed, aggregated), or indirectly (they chose the rows, their order, their
//! groups, or which of several values is shown).

mod event;
mod flow;
mod publish;
mod walk;

use std::fmt;

use serde_json::Value;

pub(crate) use event::{Outcome, Run, run_event};
pub use publish::LineageTopic;
pub(crate) use walk::{Lineage, lineage};

/// Takes the lineage of what was run, as events of OpenLineage.
pub trait LineageSink: Send + Sync + fmt::Debug {
    /// Takes one event (a `RunEvent`) and returns at once.
    fn emit(&self, event: Value);
}
