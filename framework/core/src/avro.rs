//! The Avro schemas that follow from a contract.
//!
//! | type | Avro |
//! |---|---|
//! | string, uuid | `string`, with `logicalType: uuid` |
//! | enum | `enum` named `<Record><Column>` |
//! | int, long, float, double, boolean | the same |
//! | decimal(p,s) | `bytes` with `logicalType: decimal` |
//! | date | `int` with `logicalType: date` |
//! | timestamp | `long` with `logicalType: timestamp-millis` or `-micros` |
//! | time | `int` with `logicalType: time-millis`, `long` with `time-micros` |
//! | nullable | `["null", T]` with default null |
//! | array, map, object | `array`, `map`, `record` named `<Record><Column>` |
//!
//! Names live in the namespace of the domain. The key is the schema of its column, or a
//! record `<Record>Key` if it has several.

use mesh_contract::{Contract, Field, KeySchema, Schema, TimeUnit, Type, upper_camel};
use serde_json::{Value as Json, json};

/// Which of the two Avro forms of a contract is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaUse {
    /// What is registered and written.
    Write,
    /// What a columnar reader asks for: the same, but UUIDs as plain strings, so that
    /// they arrive in Arrow as text.
    ReadArrow,
}

/// The schema of the values of `contract`.
pub fn value_schema(contract: &Contract, usage: SchemaUse) -> Json {
    let schema = &contract.schema;
    let mut record = record(
        &schema.type_name,
        schema.fields.iter(),
        &schema.type_name,
        usage,
    );
    insert_head(&mut record, contract, schema.description.as_deref());
    record
}

/// The schema of the Kafka keys of `contract`.
pub fn key_schema(contract: &Contract) -> Json {
    let schema = &contract.schema;
    let key = schema.kafka_key();
    if let [field] = key.as_slice() {
        let mut single = plain(
            &field.ty,
            &format!("{}{}", schema.type_name, upper_camel(&field.name)),
            &schema.type_name,
            SchemaUse::Write,
        );
        if let Json::Object(map) = &mut single
            && map.contains_key("name")
        {
            map.insert("namespace".into(), contract.domain.clone().into());
        }
        return single;
    }
    let mut record = record(
        &key_name(schema),
        key.into_iter(),
        &schema.type_name,
        SchemaUse::Write,
    );
    insert_head(&mut record, contract, None);
    // A key's bytes begin with the id of its schema: other words for a column must not give
    // the same key other bytes, and with them another partition.
    for column in record["fields"].as_array_mut().into_iter().flatten() {
        if let Json::Object(column) = column {
            column.shift_remove("doc");
        }
    }
    record
}

/// The text under which the values of `contract` are registered: what follows from its columns,
/// unless the topic was there before it.
pub fn registered_value_schema(contract: &Contract) -> String {
    match &contract.schema.value_schema {
        Some(text) => text.clone(),
        None => value_schema(contract, SchemaUse::Write).to_string(),
    }
}

/// The text under which the keys of `contract` are registered; for keys without a registered
/// schema it is what their columns say.
pub fn registered_key_schema(contract: &Contract) -> String {
    match &contract.schema.key_schema {
        Some(KeySchema::Avro(text)) => text.clone(),
        Some(KeySchema::Unregistered) | None => key_schema(contract).to_string(),
    }
}

/// The name of the record of a composite key.
pub fn key_name(schema: &Schema) -> String {
    format!("{}Key", schema.type_name)
}

fn insert_head(record: &mut Json, contract: &Contract, doc: Option<&str>) {
    if let Json::Object(map) = record {
        map.insert("namespace".into(), contract.domain.clone().into());
        if let Some(doc) = doc {
            map.insert("doc".into(), doc.trim().into());
        }
    }
}

fn record<'a>(
    name: &str,
    fields: impl Iterator<Item = &'a Field>,
    prefix: &str,
    usage: SchemaUse,
) -> Json {
    let fields: Vec<Json> = fields.map(|field| column(field, prefix, usage)).collect();
    json!({"type": "record", "name": name, "fields": fields})
}

fn column(field: &Field, prefix: &str, usage: SchemaUse) -> Json {
    let name = format!("{prefix}{}", upper_camel(&field.name));
    let ty = plain(&field.ty, &name, &name, usage);
    let mut map = serde_json::Map::new();
    map.insert("name".into(), field.name.clone().into());
    if let Some(doc) = &field.description {
        map.insert("doc".into(), doc.trim().into());
    }
    if field.nullable {
        map.insert("type".into(), json!(["null", ty]));
        map.insert("default".into(), Json::Null);
    } else {
        map.insert("type".into(), ty);
    }
    Json::Object(map)
}

fn plain(ty: &Type, name: &str, prefix: &str, usage: SchemaUse) -> Json {
    match ty {
        Type::String { .. } => json!("string"),
        Type::Uuid if usage == SchemaUse::ReadArrow => json!("string"),
        Type::Uuid => json!({"type": "string", "logicalType": "uuid"}),
        Type::Enum(kind) => json!({
            "type": "enum",
            "name": name,
            "symbols": kind.symbols.iter().map(|symbol| symbol.value.as_str()).collect::<Vec<_>>(),
        }),
        Type::Int32 { .. } => json!("int"),
        Type::Int64 { .. } => json!("long"),
        Type::Float32 => json!("float"),
        Type::Float64 => json!("double"),
        Type::Decimal { precision, scale } => json!({
            "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale,
        }),
        Type::Boolean => json!("boolean"),
        Type::Date => json!({"type": "int", "logicalType": "date"}),
        Type::Timestamp(TimeUnit::Millis) => {
            json!({"type": "long", "logicalType": "timestamp-millis"})
        }
        Type::Timestamp(TimeUnit::Micros) => {
            json!({"type": "long", "logicalType": "timestamp-micros"})
        }
        Type::Time(TimeUnit::Millis) => json!({"type": "int", "logicalType": "time-millis"}),
        Type::Time(TimeUnit::Micros) => json!({"type": "long", "logicalType": "time-micros"}),
        Type::Array(array) => {
            let items = element(&array.items, array.nullable, name, prefix, usage);
            json!({"type": "array", "items": items})
        }
        Type::Map(map) => {
            let values = element(&map.values, map.nullable, name, prefix, usage);
            json!({"type": "map", "values": values})
        }
        Type::Object(object) => record(name, object.fields.iter(), prefix, usage),
    }
}

/// What a list or map holds.
fn element(ty: &Type, nullable: bool, name: &str, prefix: &str, usage: SchemaUse) -> Json {
    let inner = plain(ty, name, prefix, usage);
    if nullable {
        json!(["null", inner])
    } else {
        inner
    }
}
