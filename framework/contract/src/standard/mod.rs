//! The whole of the standards: Bitol's Open Data Contract Standard (ODCS) v3.0.0 to v3.2.0
//! and Open Data Product Standard (ODPS) v1.0.0 and v1.1.0, every field of them.
//!
//! What a document may say is here; what the framework makes of it is in
//! [`Contract`](crate::Contract) and [`Product`](crate::Product). A key that the standard
//! does not have, or has only from a later version on, is refused. The fields stand in the
//! order in which [`DataContract::to_yaml`] writes them.

mod common;
mod contract;
mod edition;
mod logical;
mod model;
mod product;
mod quality;
mod relationship;
mod schema;
mod server;

pub use common::{
    AuthoritativeDefinition, Constraint, Context, ContextBlock, CustomProperty, Description,
    Support, Synonym, Team, TeamBlock, TeamMember, VerifiedStatement,
};
pub use contract::{DataContract, Pricing, Role, SlaProperty};
pub use logical::LogicalTypeOptions;
pub use product::{DataProduct, InputContract, InputPort, ManagementPort, OutputPort, Sbom};
pub use quality::DataQuality;
pub use relationship::{References, Relationship};
pub use schema::{EnumValue, MapTypes, SchemaObject, SchemaProperty};
pub use server::{Port, Server};

pub(crate) use edition::Edition;
pub(crate) use model::Part;

use crate::diagnostic::Diagnostics;
use crate::node::{Node, Reader};

/// Reads a contract in the edition that it names.
pub(crate) fn read_contract(reader: &Reader, root: &Node) -> Option<DataContract> {
    if let Some(edition) = Edition::of_contract(&reader.map(root, "")?) {
        reader.set_edition(edition);
    }
    DataContract::read(reader, root, "")
}

/// Reads a product in the edition that it names.
pub(crate) fn read_product(reader: &Reader, root: &Node) -> Option<DataProduct> {
    reader.set_edition(Edition::Product(11));
    if let Some(edition) = Edition::of_product(&reader.map(root, "")?) {
        reader.set_edition(edition);
    }
    DataProduct::read(reader, root, "")
}

impl DataContract {
    /// Reads the text of the file called `file`, whatever the framework makes of it.
    ///
    /// # Errors
    /// Everything that the standard does not allow, with line, field and mend.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let reader = Reader::new(file);
        let read = reader
            .parse(text)
            .and_then(|root| read_contract(&reader, &root));
        reader.finish(read)
    }

    /// The contract as JSON, its keys in the standard's order.
    pub fn to_json(&self) -> serde_json::Value {
        self.write()
    }

    /// A new document that says the same, its keys in the standard's order. To change a file
    /// that somebody wrote, edit its [`Source`](crate::Source).
    pub fn to_yaml(&self) -> String {
        crate::write::document(&self.write())
    }
}

impl DataProduct {
    /// Reads the text of the file called `file`, whatever the framework makes of it.
    ///
    /// # Errors
    /// Everything that the standard does not allow, with line, field and mend.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        let reader = Reader::new(file);
        let read = reader
            .parse(text)
            .and_then(|root| read_product(&reader, &root));
        reader.finish(read)
    }

    /// The product as JSON, its keys in the standard's order.
    pub fn to_json(&self) -> serde_json::Value {
        self.write()
    }

    /// A new document that says the same, its keys in the standard's order. To change a file
    /// that somebody wrote, edit its [`Source`](crate::Source).
    pub fn to_yaml(&self) -> String {
        crate::write::document(&self.write())
    }
}
