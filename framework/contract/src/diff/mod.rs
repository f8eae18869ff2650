//! What changed between two versions of a product, and what that asks of the next version.
//!
//! [`Diff::contracts`] and [`Diff::products`] name every change with its [`Class`], its
//! effects, why, and the way out. [`Diff::check`] holds the version number against them, and
//! [`Diff::touched`] tells which consumers a change reaches. No I/O.
//!
//! A class says who can still read; an effect says which promise besides becomes stronger or
//! weaker. For the shape of records the class follows Avro's schema resolution between the
//! schemas that are generated from the two contracts, and is stricter where what resolves
//! would mean something else. `docs/versions.md` has the table.

mod change;
mod consumer;
mod contract;
mod field;
mod levels;
mod locate;
mod product;
mod rules;
mod schema;
mod types;
mod version;
mod words;

use semver::Version;
use serde::Serialize;

pub use change::{Area, Change, Class, Concerns, Effect, File, Reads, Trend, What};
pub use consumer::{Consumer, Touched};
pub use locate::locate;
pub use version::{Bump, Check, Refusal};

use crate::contract::Contract;
use crate::data_product::DataProduct;

/// One of the two files on both sides: its versions and what they are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Which file.
    pub file: File,
    /// The version before.
    pub old_version: Version,
    /// The version now.
    pub new_version: Version,
    /// The status before.
    pub old_status: String,
    /// The directions in which versions of one major must read each other's records.
    pub demands: Reads,
}

/// What changed between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The product, `customer.credit_scores`.
    pub product: String,
    /// The topics before and now.
    pub topics: [String; 2],
    /// The files that were compared: the contract, and the product if both are known.
    pub sides: Vec<Side>,
    /// Every change, the gravest first, then as they stand in the files.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Compares two versions of a contract.
    pub fn contracts(old: &Contract, new: &Contract) -> Self {
        let mut changes = Vec::new();
        contract::compare(old, new, &mut changes);
        let demands = [&old.compatibility, &new.compatibility].map(|level| levels::demands(level));
        Self {
            product: format!("{}.{}", new.domain, new.product),
            topics: [old.schema.topic.clone(), new.schema.topic.clone()],
            sides: vec![Side {
                file: File::Contract,
                old_version: old.version.clone(),
                new_version: new.version.clone(),
                old_status: old.status.clone(),
                demands: Reads::of(
                    demands.iter().any(|demand| demand.new_reads_old),
                    demands.iter().any(|demand| demand.old_reads_new),
                ),
            }],
            changes: sorted(changes),
        }
    }

    /// Compares two versions of a product with their contracts.
    pub fn products(old: &DataProduct, new: &DataProduct) -> Self {
        let mut diff = Self::contracts(&old.contract, &new.contract);
        product::compare(&old.product, &new.product, &mut diff.changes);
        diff.changes = sorted(std::mem::take(&mut diff.changes));
        diff.sides.push(Side {
            file: File::Product,
            old_version: old.product.version.clone(),
            new_version: new.product.version.clone(),
            old_status: old.product.status.clone(),
            demands: Reads::BOTH,
        });
        diff
    }

    /// The class of the gravest change; `None` if nothing changed.
    pub fn class(&self) -> Option<Class> {
        self.changes.iter().map(|change| change.class).max()
    }

    /// What Avro's schema resolution says of the two contracts' value schemas.
    pub fn avro(&self) -> Reads {
        self.changes
            .iter()
            .fold(Reads::BOTH, |reads, change| reads.and(change.avro))
    }

    /// The changes of one file.
    pub fn of(&self, file: File) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.file == file)
    }
}

/// The gravest first; the order within a class is that of the comparison.
fn sorted(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| std::cmp::Reverse((change.forbidden, change.class)));
    changes
}
