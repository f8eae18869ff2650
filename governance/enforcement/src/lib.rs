//! Decisions applied to data.
//!
//! Every read names a principal and a purpose ([`Access`]). A [`DecisionPoint`] answers with
//! a [`Decision`] for one product, and only a decision that allows turns records into
//! [`Governed`], the one form in which they can leave a domain as JSON.
//!
//! Records of a contract are not `Serialize`, and an allowing decision can be made by the
//! decision points of this crate alone, so a domain cannot answer with data that nobody
//! decided about. The crate does no I/O and has no configuration. [`PassThrough`] allows
//! every named principal with a purpose and logs each decision; masks and row filters come
//! with the policy service, behind the same types.

mod access;
mod decision;
mod governed;
mod login;
mod pass_through;

pub use access::{Access, PRINCIPAL_HEADER, PURPOSE_HEADER};
pub use decision::{Action, Decision, DecisionPoint, Resource};
pub use governed::Governed;
pub use login::{Logins, ScramSecret};
pub use pass_through::PassThrough;
