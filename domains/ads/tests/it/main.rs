//! The domain ads: the form of the report, declared repairs, how budgets are split, and all of it on a
//! platform in this process.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bandit;
mod budget;
mod contracts;
mod form;
mod live;
mod mesh;
mod repair;
mod replay;
mod report;
mod settings;
mod support;
// mesh new: tests
