//! What the REST API sends and takes.

mod document;
mod domain;
mod product;
mod switch;

pub(crate) use document::{Column, Document};
pub(crate) use domain::{Domain, DomainPage, DomainRegistration};
pub(crate) use product::{
    Outcome, ProductDetail, ProductKind, ProductPage, ProductRegistration, ProductSummary,
    Registered, Removed, Status, Upstream, VersionSummary,
};
pub(crate) use switch::{Switch, Switched};
