//! Typed records: what `contract!` generates, and what the rest of the framework knows of it.

use std::borrow::Cow;
use std::hash::Hash;

use apache_avro::types::Value;
use mesh_contract::{Contract, DataProduct, Product, TopicName};
use serde_json::Value as Json;

use crate::arrow_schema::arrow_schema;
use crate::avro::{SchemaUse, registered_key_schema, registered_value_schema, value_schema};
use crate::error::{Error, ErrorKind, Result};

/// A record type made from a contract by `contract!`.
pub trait Record: Clone + Send + Sync + 'static {
    /// The columns of the Kafka key.
    type Key: RecordKey;

    /// The contract and all that follows from it; read once per process.
    fn descriptor() -> &'static Descriptor;

    /// The Kafka key of this record.
    fn key(&self) -> Self::Key;

    /// Appends the Avro binary encoding under the contract's own schema, unframed.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a value that was decoded with its writer's schema.
    ///
    /// # Errors
    /// If a column is missing or of another type; the error names the column, never a value.
    fn decode(value: &Value) -> Result<Self>;

    /// Checks the limits that the contract sets on values: lengths, minimum and maximum.
    ///
    /// # Errors
    /// The first column that breaks its limit, by name and limit, never by value.
    fn validate(&self) -> Result<()>;

    /// The record as a JSON object, for a domain's own store and for governed answers.
    fn to_json(&self) -> Json;

    /// Reads what [`Record::to_json`] wrote; columns that are not there are null.
    ///
    /// # Errors
    /// If a column is missing or of another type.
    fn from_json(value: &Json) -> Result<Self>;
}

/// The Kafka key of a record.
pub trait RecordKey: Clone + Eq + Hash + Send + Sync + 'static {
    /// Appends the Avro binary encoding under the contract's key schema, unframed.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a key that was decoded with its writer's schema.
    ///
    /// # Errors
    /// If a column is missing or of another type.
    fn decode(value: &Value) -> Result<Self>;

    /// The key as one line of text, its columns joined by `/`; the same for equal keys.
    fn to_text(&self) -> String;
}

/// A contract with the schemas that follow from it.
#[derive(Debug)]
pub struct Descriptor {
    /// The contract.
    pub contract: Contract,
    /// The product, where the contract stands beside its `product.odps.yaml`.
    pub product: Option<Product>,
    /// The contract file's text.
    pub contract_text: Cow<'static, str>,
    /// The product file's text.
    pub product_text: Option<Cow<'static, str>>,
    /// The topic.
    pub topic: TopicName,
    /// The Avro schema of values, as registered.
    pub value_schema: String,
    /// The Avro schema of keys, as registered.
    pub key_schema: String,
    /// The value schema as a columnar reader asks for it.
    pub arrow_reader_schema: String,
    /// The Arrow schema of values.
    pub arrow: arrow::datatypes::SchemaRef,
}

impl Descriptor {
    /// Reads the texts of a contract and, if it has one, its product.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with every diagnostic of the files.
    pub fn parse(
        contract_file: &str,
        contract_text: &'static str,
        product: Option<(&str, &'static str)>,
    ) -> Result<Self> {
        let (contract, parsed) = match product {
            Some((file, text)) => {
                let both = DataProduct::parse(file, text, contract_file, contract_text)
                    .map_err(invalid)?;
                (both.contract, Some(both.product))
            }
            None => (
                Contract::parse(contract_file, contract_text).map_err(invalid)?,
                None,
            ),
        };
        Ok(Self::of(
            contract,
            contract_text.into(),
            parsed,
            product.map(|(_, text)| text.into()),
        ))
    }

    /// A contract and its product that were read from these texts.
    pub fn of(
        contract: Contract,
        contract_text: Cow<'static, str>,
        product: Option<Product>,
        product_text: Option<Cow<'static, str>>,
    ) -> Self {
        Self {
            topic: TopicName::of(&contract),
            value_schema: registered_value_schema(&contract),
            key_schema: registered_key_schema(&contract),
            arrow_reader_schema: value_schema(&contract, SchemaUse::ReadArrow).to_string(),
            arrow: arrow_schema(&contract).into(),
            contract,
            product,
            contract_text,
            product_text,
        }
    }
}

/// A contract file's diagnostics as an error.
pub fn invalid(problems: mesh_contract::Diagnostics) -> Error {
    Error::new(ErrorKind::InvalidInput, problems.to_string())
        .mend("mend the contract at the lines named")
}

/// The column `name` of a record that was decoded with its writer's schema.
///
/// # Errors
/// If `value` is no record.
pub fn column<'a>(value: &'a Value, name: &str) -> Result<Option<&'a Value>> {
    match value {
        Value::Record(columns) => Ok(columns
            .iter()
            .find(|(column, _)| column == name)
            .map(|(_, value)| value)),
        Value::Union(_, inner) => column(inner, name),
        _ => Err(Error::invalid("expected an Avro record").with("column", name)),
    }
}
