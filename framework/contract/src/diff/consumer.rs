//! Which consumers a change reaches, and with which of their columns.

use serde::Serialize;

use super::change::{Change, Class, Concerns, File, Reads};
use super::{Diff, schema};
use crate::contract::Contract;
use crate::field::Field;
use crate::types::Type;

/// Who reads a product, as far as files tell: by the input ports of its products, and by the
/// copy of the contract that it relies on.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumer {
    /// The domain that reads.
    pub domain: String,
    /// Its products that name the contract in an input port.
    pub products: Vec<String>,
    /// The version that it reads, as it says.
    pub version: String,
    /// The files that say so.
    pub files: Vec<String>,
    /// Its copy of the contract, which may know fewer columns; without one, all may be read.
    pub copy: Option<Contract>,
}

/// What a change means to one consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// The domain that reads.
    pub domain: String,
    /// Its products that are made from it.
    pub products: Vec<String>,
    /// Its columns in question, dotted; empty if it is the product as a whole.
    pub columns: Vec<String>,
    /// Whether it has to act first: as it is, it could not rely on new records.
    pub must_act: bool,
}

impl Consumer {
    /// The major version that it reads.
    pub fn major(&self) -> Option<u64> {
        let digits = self.version.trim_start_matches('v');
        digits.split('.').next()?.parse().ok()
    }

    /// Whether it knows the dotted `column`.
    fn knows(&self, column: &str) -> bool {
        let Some(copy) = &self.copy else {
            return true;
        };
        let mut fields = &copy.schema.fields[..];
        for name in column.split('.') {
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                return false;
            };
            fields = inner(&field.ty);
        }
        true
    }
}

/// The fields of an object, or of the objects in a list.
fn inner(ty: &Type) -> &[Field] {
    match ty {
        Type::Object(object) => &object.fields,
        Type::Array(array) => inner(&array.items),
        _ => &[],
    }
}

impl Diff {
    /// What `change` means to `consumer`; `None` if it does not reach it. `new` is the
    /// contract as it is to be.
    pub fn touched(&self, change: &Change, consumer: &Consumer, new: &Contract) -> Option<Touched> {
        if change.class == Class::Documentation {
            return None;
        }
        let side = self.sides.first()?;
        if consumer.major() != Some(side.old_version.major) {
            return None;
        }
        let columns = match &change.concerns {
            Concerns::Nobody => return None,
            Concerns::Everybody => Vec::new(),
            Concerns::Columns(columns) => {
                let known: Vec<String> = columns
                    .iter()
                    .filter(|column| consumer.knows(column))
                    .cloned()
                    .collect();
                if known.is_empty() {
                    return None;
                }
                known
            }
        };
        if change.avro != Reads::BOTH && prepared(change, consumer, new) {
            return None;
        }
        Some(Touched {
            domain: consumer.domain.clone(),
            products: consumer.products.clone(),
            columns,
            must_act: !change.reads.old_reads_new,
        })
    }
}

/// Whether the consumer's copy says already what the new contract says at the place.
fn prepared(change: &Change, consumer: &Consumer, new: &Contract) -> bool {
    let (Some(copy), File::Contract) = (&consumer.copy, change.file) else {
        return false;
    };
    // A copy may call its record otherwise: readers of the mesh go by the names of columns.
    if change.path == "schema.name" {
        return true;
    }
    let mut left = Vec::new();
    schema::compare(&copy.schema, &new.schema, true, &mut left);
    left.iter()
        .all(|other| other.path != change.path || other.what != change.what)
}
