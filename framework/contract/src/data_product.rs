//! A product together with the contract that it keeps, checked against each other.

use std::fmt;

use crate::contract::Contract;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::product::Product;
use crate::source::Source;
use crate::yaml::shown;

/// The name of a product in the mesh, `customer.credit_scores`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProductId {
    /// The owning domain.
    pub domain: String,
    /// The product.
    pub product: String,
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.product)
    }
}

/// The name of a product's topic, as a rule `<domain>.<product>.v<major>`, and what follows
/// from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(String);

impl TopicName {
    /// The topic of `contract`.
    pub fn of(contract: &Contract) -> Self {
        Self(contract.schema.topic.clone())
    }

    /// The topic's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry subject of its keys (Confluent's TopicNameStrategy).
    pub fn key_subject(&self) -> String {
        format!("{}-key", self.0)
    }

    /// The registry subject of its values (Confluent's TopicNameStrategy).
    pub fn value_subject(&self) -> String {
        format!("{}-value", self.0)
    }

    /// The topic for records that a consumer set aside.
    pub fn dead_letters(&self) -> String {
        format!("{}.dlq", self.0)
    }
}

/// A product file and its contract file.
#[derive(Debug, Clone, PartialEq)]
pub struct DataProduct {
    /// `product.odps.yaml`.
    pub product: Product,
    /// `contract.odcs.yaml`.
    pub contract: Contract,
}

impl DataProduct {
    /// Reads both files and checks that they speak of the same product.
    ///
    /// # Errors
    /// Everything that is wrong in either file, or between the two.
    pub fn parse(
        product_file: &str,
        product_text: &str,
        contract_file: &str,
        contract_text: &str,
    ) -> Result<Self, Diagnostics> {
        let product = Product::parse(product_file, product_text);
        let contract = Contract::parse(contract_file, contract_text);
        let (product, contract) = match (product, contract) {
            (Ok(product), Ok(contract)) => (product, contract),
            (product, contract) => {
                let items = [product.err(), contract.err()]
                    .into_iter()
                    .flatten()
                    .flat_map(|problems| problems.items().to_vec())
                    .collect();
                return match Diagnostics::from_items(items) {
                    Some(problems) => Err(problems),
                    None => unreachable!("one of the two failed"),
                };
            }
        };
        let places = Source::parse(product_file, product_text)?;
        let mut items = Vec::new();
        let mut differ = |field: &str, ours: &str, theirs: &str| {
            if ours != theirs {
                let (line, column) = places.position(field).unwrap_or((1, 1));
                items.push(Diagnostic {
                    file: product_file.to_owned(),
                    line,
                    column,
                    field: field.to_owned(),
                    message: format!(
                        "`{}` here and `{}` in {contract_file}",
                        shown(ours),
                        shown(theirs)
                    ),
                    mend: "make the two files say the same".to_owned(),
                });
            }
        };
        differ("domain", &product.domain, &contract.domain);
        differ("name", &product.name, &contract.product);
        let kept = product
            .output_ports
            .iter()
            .enumerate()
            .find(|(_, port)| port.contract_id.as_deref() == Some(contract.id.as_str()));
        match kept {
            Some((at, port)) => differ(
                &format!("outputPorts[{at}].version"),
                &port.version,
                &contract.version.to_string(),
            ),
            None => differ("outputPorts", "no port with a contractId", &contract.id),
        }
        match Diagnostics::from_items(items) {
            Some(problems) => Err(problems),
            None => Ok(Self { product, contract }),
        }
    }

    /// The product's name in the mesh.
    pub fn id(&self) -> ProductId {
        ProductId {
            domain: self.product.domain.clone(),
            product: self.product.name.clone(),
        }
    }
}
