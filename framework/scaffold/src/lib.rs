//! Scaffolding: new domains, products and consumers as files, from templates that a platform
//! team can replace.
//!
//! [`Place`] finds the folder with `domains/` and says what is there. [`new_domain`],
//! [`new_product`] and [`new_consumer`] answer with [`Changes`], which are checked and rendered
//! whole before [`Changes::write`] puts them in their places, all or none; a file that is there
//! is never overwritten. [`Templates`] are those of this crate, or a folder of others.
//! `docs/scaffolding.md` tells what the templates may use.
//!
//! Nothing is asked and nothing is printed here; that is the command line's.

mod changes;
mod columns;
mod consumer;
mod domain;
mod insert;
mod manifest;
mod names;
mod place;
mod product;
mod sample;
mod sources;
mod templates;

pub use changes::Changes;
pub use columns::{Column, columns};
pub use consumer::{ConsumerWishes, new_consumer};
pub use domain::{DomainWishes, Flavour, new_domain};
pub use names::{ProductName, check_domain, check_product};
pub use place::{DomainFolder, Place};
pub use product::{Given, ProductWishes, new_product};
pub use templates::Templates;
