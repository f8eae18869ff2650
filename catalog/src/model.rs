//! What the REST API sends and takes.

mod document;
mod domain;
mod product;

pub(crate) use document::{Column, Document};
pub(crate) use domain::{Domain, DomainPage, DomainRegistration};
pub(crate) use product::{
    Outcome, ProductDetail, ProductKind, ProductPage, ProductRegistration, ProductSummary,
    Registered, Status, Upstream, VersionSummary,
};
