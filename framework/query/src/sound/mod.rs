//! Where DataFusion 55 would answer wrongly without a word: cured, or refused with a mend.
//!
//! | file | holds |
//! |---|---|
//! | `written` | what is refused by the way it is written |
//! | `subqueries` | `IN (subquery)` where a null would be taken for false |
//! | `plain` | a node of plans that hides which columns seem to follow from others |
//! | `rules` | the optimizer's rules, with that node and without what would drop keys |
//!
//! Each has its test in `tests/it/sound.rs`; with a release of DataFusion that answers rightly
//! it can go.

mod plain;
mod rules;
mod subqueries;
mod written;

pub(crate) use plain::PlainPlanner;
pub(crate) use rules::rules;
pub(crate) use subqueries::check_subqueries;
pub(crate) use written::Written;
