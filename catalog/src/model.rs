//! What the REST API sends and takes.

mod document;
mod domain;
mod product;
mod switch;

pub(crate) use document::{Column, Document};
pub(crate) use domain::{Domain, DomainPage, DomainRegistration, Read};
pub(crate) use product::{
    Life, Outcome, ProductDetail, ProductKind, ProductPage, ProductRegistration, ProductSummary,
    Reader, Registered, Removed, Status, Upstream, VersionSummary,
};
pub(crate) use switch::{Switch, Switched};
