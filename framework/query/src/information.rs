//! `information_schema`: what the session may see, with what contracts say about it.
//!
//! `tables` and `columns` have the columns of the SQL standard and, after them, ours: what a
//! table is for, who owns it, which version it is, how a column is classified. The other
//! standard tables are DataFusion's.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{CatalogProviderList, MemTable, SchemaProvider, TableProvider};
use datafusion::common::Result as DfResult;
use mesh_core::contract::{Contract, Field as Column, ProductKind};

use crate::provider::{CATALOG, Granted, Table};
use crate::render::sql_type;

/// What of the standard tables is not shown: the engine's settings and paths.
const HIDDEN: &str = "df_settings";

#[derive(Debug)]
pub(crate) struct Information {
    granted: Arc<Granted>,
    inner: InformationSchemaProvider,
}

impl Information {
    /// `shown` holds the tables of `granted`.
    pub(crate) fn new(granted: Arc<Granted>, shown: Arc<dyn CatalogProviderList>) -> Self {
        Self {
            granted,
            inner: InformationSchemaProvider::new(shown),
        }
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.inner.table_names();
        names.retain(|name| name != HIDDEN);
        names
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let rows = match name.to_ascii_lowercase().as_str() {
            HIDDEN => return Ok(None),
            "tables" => tables(&self.granted)?,
            "columns" => columns(&self.granted)?,
            _ => return self.inner.table(name).await,
        };
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        Ok(Some(Arc::new(table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        !name.eq_ignore_ascii_case(HIDDEN) && self.inner.table_exist(name)
    }
}

/// The tables that can be read, in the order of their names.
fn readable(granted: &Granted) -> impl Iterator<Item = (&str, &str, &Table)> {
    granted.iter().flat_map(|(domain, tables)| {
        tables.iter().filter_map(move |(name, table)| {
            let table = table.as_ref().ok().filter(|table| !table.has_ended())?;
            Some((domain.as_str(), name.as_str(), table))
        })
    })
}

fn tables(granted: &Granted) -> DfResult<RecordBatch> {
    let rows: Vec<_> = readable(granted).collect();
    let contract = |row: &(&str, &str, &Table)| row.2.product.contract.clone();
    let contracts: Vec<Arc<Contract>> = rows.iter().map(contract).collect();
    let of = |text: &dyn Fn(&Contract) -> Option<String>| {
        optional(contracts.iter().map(|contract| text(contract)))
    };
    batch(vec![
        ("table_catalog", same(CATALOG, rows.len())),
        ("table_schema", required(rows.iter().map(|row| row.0))),
        ("table_name", required(rows.iter().map(|row| row.1))),
        ("table_type", same("BASE TABLE", rows.len())),
        ("description", of(&|contract| description(contract))),
        ("owner", of(&|contract| Some(owner(contract)))),
        (
            "kind",
            of(&|contract| {
                Some(match contract.schema.kind {
                    ProductKind::Event => "event".to_owned(),
                    ProductKind::State => "state".to_owned(),
                })
            }),
        ),
        (
            "version",
            of(&|contract| Some(contract.version.to_string())),
        ),
        ("status", of(&|contract| Some(contract.status.clone()))),
        (
            "event_time",
            of(&|contract| contract.schema.event_time.clone()),
        ),
        ("topic", of(&|contract| Some(contract.schema.topic.clone()))),
    ])
}

fn columns(granted: &Granted) -> DfResult<RecordBatch> {
    struct Row<'a> {
        domain: &'a str,
        table: &'a str,
        at: u64,
        field: &'a Field,
        column: Option<&'a Column>,
        is_key: bool,
    }
    let mut rows = Vec::new();
    for (domain, table, Table { product, .. }) in readable(granted) {
        let schema = &product.contract.schema;
        let key = schema.kafka_key();
        for (at, field) in (1..).zip(product.arrow.fields()) {
            rows.push(Row {
                domain,
                table,
                at,
                field,
                column: schema.field(field.name()),
                is_key: key.iter().any(|key| key.name == *field.name()),
            });
        }
    }
    let of = |text: &dyn Fn(&Column) -> Option<String>| {
        optional(rows.iter().map(|row| row.column.and_then(text)))
    };
    let numbers = |number: &dyn Fn(&DataType) -> Option<u64>| -> ArrayRef {
        let numbers = rows.iter().map(|row| number(row.field.data_type()));
        Arc::new(numbers.collect::<UInt64Array>())
    };
    let yes = |is: bool| if is { "YES" } else { "NO" };
    batch(vec![
        ("table_catalog", same(CATALOG, rows.len())),
        ("table_schema", required(rows.iter().map(|row| row.domain))),
        ("table_name", required(rows.iter().map(|row| row.table))),
        (
            "column_name",
            required(rows.iter().map(|row| row.field.name().as_str())),
        ),
        (
            "ordinal_position",
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.at))),
        ),
        ("column_default", optional(rows.iter().map(|_| None))),
        (
            "is_nullable",
            required(rows.iter().map(|row| yes(row.field.is_nullable()))),
        ),
        (
            "data_type",
            optional(rows.iter().map(|row| Some(sql_type(row.field.data_type())))),
        ),
        ("character_maximum_length", numbers(&|_| None)),
        ("character_octet_length", numbers(&|_| None)),
        ("numeric_precision", numbers(&precision)),
        ("numeric_precision_radix", numbers(&radix)),
        ("numeric_scale", numbers(&scale)),
        ("datetime_precision", numbers(&datetime_precision)),
        ("interval_type", optional(rows.iter().map(|_| None))),
        (
            "description",
            of(&|column| column.description.clone().or(column.business_name.clone())),
        ),
        (
            "classification",
            of(&|column| column.classification.clone()),
        ),
        ("tags", of(&|column| joined(&column.tags))),
        ("is_key", required(rows.iter().map(|row| yes(row.is_key)))),
    ])
}

/// What a product is for, in its owner's words.
pub(crate) fn description(contract: &Contract) -> Option<String> {
    contract
        .schema
        .description
        .clone()
        .or_else(|| contract.description.purpose.clone())
}

/// The team that answers for a product, or its domain where the contract names none.
pub(crate) fn owner(contract: &Contract) -> String {
    let team = contract.team.as_ref().and_then(|team| team.name.clone());
    team.unwrap_or_else(|| contract.domain.clone())
}

fn joined(tags: &[String]) -> Option<String> {
    (!tags.is_empty()).then(|| tags.join(", "))
}

fn precision(data_type: &DataType) -> Option<u64> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 8,
        DataType::Int16 | DataType::UInt16 => 16,
        DataType::Int32 | DataType::UInt32 => 32,
        DataType::Int64 | DataType::UInt64 => 64,
        DataType::Float32 => 24,
        DataType::Float64 => 53,
        DataType::Decimal128(precision, _) | DataType::Decimal256(precision, _) => {
            u64::from(*precision)
        }
        _ => return None,
    })
}

fn radix(data_type: &DataType) -> Option<u64> {
    precision(data_type).map(|_| match data_type {
        DataType::Decimal128(..) | DataType::Decimal256(..) => 10,
        _ => 2,
    })
}

fn scale(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            u64::try_from(*scale).ok()
        }
        data_type if data_type.is_integer() => Some(0),
        _ => None,
    }
}

fn datetime_precision(data_type: &DataType) -> Option<u64> {
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    Some(match data_type {
        DataType::Date32 | DataType::Date64 => 0,
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
            match unit {
                Second => 0,
                Millisecond => 3,
                Microsecond => 6,
                Nanosecond => 9,
            }
        }
        _ => return None,
    })
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> DfResult<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(schema, arrays)?)
}

fn same(text: &str, rows: usize) -> ArrayRef {
    required(std::iter::repeat_n(text, rows))
}

fn required<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

fn optional(texts: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}
