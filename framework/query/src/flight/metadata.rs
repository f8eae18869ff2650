//! What the catalog holds, as far as the session may see it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::{
    Command, CommandGetCatalogs, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes,
    CommandGetTables,
};
use mesh_core::contract::ProductKind;
use mesh_core::{Error, Result};

use super::facts;
use super::plan::of_call;
use super::sessions::Call;
use super::status::unwritable;
use crate::engine::Engine;
use crate::product::Product;
use crate::provider::CATALOG;
use crate::render::sql_type;
use crate::wire::plain_schema;

/// What every product is.
const TABLE: &str = "TABLE";

/// The columns of the answer to a question; none if it is no question.
pub(super) fn schema(question: &Command) -> Option<SchemaRef> {
    Some(match question {
        Command::CommandGetCatalogs(_) => CommandGetCatalogs {}.into_builder().schema(),
        Command::CommandGetDbSchemas(asked) => asked.clone().into_builder().schema(),
        Command::CommandGetTables(asked) => asked.clone().into_builder().schema(),
        Command::CommandGetTableTypes(_) => CommandGetTableTypes {}.into_builder().schema(),
        Command::CommandGetSqlInfo(_) => facts::info_schema(),
        Command::CommandGetXdbcTypeInfo(_) => facts::types_schema(),
        Command::CommandGetPrimaryKeys(_) => primary_key_schema(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => foreign_key_schema(),
        _ => return None,
    })
}

/// The answer to a question.
///
/// # Errors
/// As [`Connection::session`](crate::Connection::session), if it is about tables.
pub(super) async fn answer(engine: &Engine, call: &Call, question: Command) -> Result<RecordBatch> {
    match question {
        Command::CommandGetSqlInfo(asked) => return facts::info(asked),
        Command::CommandGetXdbcTypeInfo(asked) => return facts::types(asked),
        Command::CommandGetTableTypes(asked) => {
            let mut builder = asked.into_builder();
            builder.append(TABLE);
            return builder.build().map_err(unwritable);
        }
        Command::CommandGetCatalogs(asked) => {
            let mut builder = asked.into_builder();
            builder.append(CATALOG);
            return builder.build().map_err(unwritable);
        }
        // Products refer to each other by contract, not by foreign keys.
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => {
            return Ok(RecordBatch::new_empty(foreign_key_schema()));
        }
        _ => {}
    }
    let session = of_call(engine, call).session().await?;
    match question {
        Command::CommandGetDbSchemas(asked) => schemas(session.readable(), asked),
        Command::CommandGetTables(asked) => tables(session.readable(), asked),
        Command::CommandGetPrimaryKeys(asked) => primary_keys(session.readable(), &asked),
        _ => Err(Error::internal("a question without an answer")),
    }
}

fn schemas<'a>(
    readable: impl Iterator<Item = (&'a str, &'a str, &'a Product)>,
    asked: CommandGetDbSchemas,
) -> Result<RecordBatch> {
    let domains: BTreeSet<&str> = readable.map(|(domain, ..)| domain).collect();
    let mut builder = asked.into_builder();
    for domain in domains {
        builder.append(CATALOG, domain);
    }
    builder.build().map_err(unwritable)
}

fn tables<'a>(
    readable: impl Iterator<Item = (&'a str, &'a str, &'a Product)>,
    asked: CommandGetTables,
) -> Result<RecordBatch> {
    let mut builder = asked.into_builder();
    for (domain, table, product) in readable {
        let schema = columns(domain, table, product);
        builder
            .append(CATALOG, domain, table, TABLE, &schema)
            .map_err(unwritable)?;
    }
    builder.build().map_err(unwritable)
}

/// The columns of a table as its answers have them, with what clients ask about columns.
fn columns(domain: &str, table: &str, product: &Product) -> Schema {
    let plain = plain_schema(&product.arrow);
    let fields: Vec<Field> = plain
        .fields()
        .iter()
        .map(|field| {
            let mut about = vec![
                ("CATALOG_NAME", CATALOG.to_owned()),
                ("SCHEMA_NAME", domain.to_owned()),
                ("TABLE_NAME", table.to_owned()),
                ("TYPE_NAME", sql_type(field.data_type())),
                ("IS_AUTO_INCREMENT", "0".to_owned()),
                ("IS_CASE_SENSITIVE", "1".to_owned()),
                ("IS_READ_ONLY", "1".to_owned()),
                ("IS_SEARCHABLE", "1".to_owned()),
            ];
            if let DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) =
                field.data_type()
            {
                about.push(("PRECISION", precision.to_string()));
                about.push(("SCALE", scale.to_string()));
            }
            let about: HashMap<String, String> = about
                .into_iter()
                .map(|(name, value)| (format!("ARROW:FLIGHT:SQL:{name}"), value))
                .collect();
            field.as_ref().clone().with_metadata(about)
        })
        .collect();
    Schema::new(fields)
}

/// The key of a state product holds one row of each; that of an event product may come again.
fn primary_keys<'a>(
    mut readable: impl Iterator<Item = (&'a str, &'a str, &'a Product)>,
    asked: &CommandGetPrimaryKeys,
) -> Result<RecordBatch> {
    let here = |domain: &str| {
        asked.catalog.as_deref().is_none_or(|name| name == CATALOG)
            && asked.db_schema.as_deref().is_none_or(|name| name == domain)
    };
    let found = readable.find(|(domain, table, product)| {
        here(domain) && *table == asked.table && product.kind == ProductKind::State
    });
    let Some((domain, table, product)) = found else {
        return Ok(RecordBatch::new_empty(primary_key_schema()));
    };
    let key = product.contract.schema.primary_key();
    let rows = key.len();
    let same = |text: &str| Arc::new(StringArray::from(vec![text; rows])) as ArrayRef;
    let names: StringArray = key.iter().map(|field| Some(field.name.as_str())).collect();
    let places: Int32Array = (1..).take(rows).collect();
    RecordBatch::try_new(
        primary_key_schema(),
        vec![
            same(CATALOG),
            same(domain),
            same(table),
            Arc::new(names),
            Arc::new(StringArray::new_null(rows)),
            Arc::new(places),
        ],
    )
    .map_err(unwritable)
}

/// As `CommandGetPrimaryKeys` of FlightSql.proto has it.
fn primary_key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// As `CommandGetExportedKeys` of FlightSql.proto has it.
fn foreign_key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
