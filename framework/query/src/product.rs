//! A data product as a table, from its contract.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use mesh_core::contract::{Contract, Lifecycle, ProductKind};
use mesh_core::record::invalid;
use mesh_core::{Error, ErrorKind, Result};
use mesh_enforcement::Resource;
use mesh_stream::batch::ArrowTarget;

use crate::information;

/// One version of a product as SQL reads it.
#[derive(Debug)]
pub(crate) struct Product {
    /// What decisions are about.
    pub(crate) resource: Resource,
    pub(crate) contract: Arc<Contract>,
    pub(crate) kind: ProductKind,
    pub(crate) topic: String,
    /// When it ends.
    pub(crate) lifecycle: Lifecycle,
    /// What one record is.
    pub(crate) description: Option<String>,
    /// The columns of the primary key, in its order.
    pub(crate) key: Vec<String>,
    /// The columns of the contract.
    pub(crate) arrow: SchemaRef,
    /// What values are decoded to.
    pub(crate) target: ArrowTarget,
}

impl Product {
    /// Reads a contract as the catalog holds it.
    ///
    /// # Errors
    /// If this release does not understand the contract, with its diagnostics; or if the
    /// contract is about another product than the catalog says.
    pub(crate) fn parse(domain: &str, product: &str, version: &str, text: &str) -> Result<Self> {
        let file = format!("{domain}.{product} {version}");
        let contract = Contract::parse(&file, text).map_err(invalid)?;
        let resource = Resource::of(&contract);
        if resource.domain != domain || resource.product != product || resource.version != version {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "the catalog holds the contract of another product under this name",
            )
            .with("catalog", file)
            .with("contract", format!("{resource} {}", resource.version)));
        }
        let target = ArrowTarget::from(&contract);
        Ok(Self {
            resource,
            kind: contract.schema.kind,
            topic: contract.schema.topic.clone(),
            lifecycle: contract.lifecycle,
            key: contract
                .schema
                .primary_key()
                .into_iter()
                .map(|field| field.name.clone())
                .collect(),
            description: information::description(&contract).map(|text| text.trim().to_owned()),
            arrow: without_metadata(&target.arrow),
            target,
            contract: Arc::new(contract),
        })
    }
}

/// The columns as statements see them. What the contract adds to a field would keep
/// DataFusion from putting a column beside an expression of the same type.
fn without_metadata(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_metadata(HashMap::new()))
        .collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

/// A column that a record has by its place in the topic, not by its contract. Column names
/// of contracts begin with a letter, so the names never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogColumn {
    /// `_partition`: the partition.
    Partition,
    /// `_offset`: the offset in the partition.
    Offset,
    /// `_timestamp`: when the record was published.
    Timestamp,
}

impl LogColumn {
    /// In the order in which tables show them.
    pub(crate) const ALL: [Self; 3] = [Self::Partition, Self::Offset, Self::Timestamp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Partition => "_partition",
            Self::Offset => "_offset",
            Self::Timestamp => "_timestamp",
        }
    }

    pub(crate) fn field(self) -> Field {
        let data_type = match self {
            Self::Partition => DataType::Int32,
            Self::Offset => DataType::Int64,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
        };
        Field::new(self.name(), data_type, false)
    }
}

/// The columns of `product` followed by `log`.
pub(crate) fn table_schema(product: &Product, log: &[LogColumn]) -> SchemaRef {
    if log.is_empty() {
        return Arc::clone(&product.arrow);
    }
    let fields: Vec<_> = product
        .arrow
        .fields()
        .iter()
        .cloned()
        .chain(log.iter().map(|column| Arc::new(column.field())))
        .collect();
    Arc::new(Schema::new(fields))
}
