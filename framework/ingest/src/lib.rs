//! Products without code: a domain that is a folder of contracts, fed by the sources that
//! its products declare.
//!
//! [`load`] reads `products/*/product.odps.yaml` and `contract.odcs.yaml` below the domain's
//! folder and makes the [`Domain`] that `mesh-runtime` hosts, with all that it guarantees:
//! a row is committed together with the position of its source, and published exactly once.
//! The sources stand in the product's custom property `mesh.sources`; `docs/sources.md`
//! tells what they may be.

mod domain;
mod file;
mod postgres;
mod product;
mod sql;

pub use domain::load;
pub use mesh_runtime::Domain;
