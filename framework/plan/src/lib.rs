//! `mesh plan`, `mesh apply` and `mesh adopt`: a folder of products is the wish, the platform
//! is the state, and the difference is a plan of steps that can be shown, kept and done.
//!
//! | part | what it does |
//! |---|---|
//! | [`Wish`] | the products in a folder, read and checked |
//! | [`Platform`], [`State`] | Kafka's topics, the registry's subjects and the catalog's entries as they are |
//! | [`Ledger`] | what earlier runs have made, and the record of every step |
//! | [`plan()`] | pure: wish, state and ledger in, a [`Plan`] out; the same every time |
//! | [`Applier`] | does a plan step by step, each recorded before and after |
//! | [`adopt()`] | writes the wish for what stands there already |
//!
//! Nothing is kept beside the platform: what an apply owns stands in the compacted topic
//! `platform.plan_state.v1`, what it did in `platform.plan_log.v1`, both products with
//! contracts of their own. The transactional id of their writer is the lock: who begins to
//! apply fences whoever did before.
//!
//! A step is of one kind of [`Action`]; doing it again when it is done changes nothing, so an
//! apply that was killed is resumed by applying again.

mod action;
mod adopt;
mod apply;
mod execute;
mod failpoint;
mod ledger;
mod plan;
mod planner;
mod platform;
mod scope;
mod state;
mod text;
mod wish;

pub use action::{Action, Change, Entry, Resource, SettingChange};
pub use adopt::{Adopted, Adopting, Adoption, Skipped, adopt};
pub use apply::{Applied, Applier};
pub use failpoint::failpoints;
pub use ledger::{Ledger, LogLine, Owned, log_lines};
pub use plan::{Plan, PlanFile, Standing, Step, Summary};
pub use planner::{Allowed, plan};
pub use platform::Platform;
pub use scope::{Scope, WishedTopic};
pub use state::{EntryState, State, SubjectState, TopicState};
pub use wish::{Problems, Wish, Wished};
