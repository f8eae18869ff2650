//! Properties files of dbt (1.10 and later): a model whose contract dbt enforces, or a source.

use mesh_core::Result;
use mesh_core::contract::{Contract, Field, Product, Type};
use serde_json::{Map, Value as Json, json};

use super::columns::owner;
use super::sql::{Dialect, data_type};
use crate::yaml::to_yaml;

/// A model called like the product. Its types are Postgres's, because dbt compares them with
/// those of the warehouse.
pub(super) fn model(contract: &Contract) -> Result<String> {
    let mut model = Map::new();
    model.insert("name".into(), contract.product.clone().into());
    describe(&mut model, table_description(contract));
    model.insert(
        "config".into(),
        json!({"contract": {"enforced": true}, "meta": meta(contract)}),
    );
    let key: Vec<&str> = contract
        .schema
        .primary_key()
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    if key.len() > 1 {
        model.insert(
            "constraints".into(),
            json!([{"type": "primary_key", "columns": key}]),
        );
    }
    model.insert("columns".into(), columns(contract, true));
    to_yaml(&json!({"version": 2, "models": [model]}))
}

/// A source called like the domain, with the product as its table.
pub(super) fn source(contract: &Contract, product: Option<&Product>) -> Result<String> {
    let mut table = Map::new();
    table.insert("name".into(), contract.product.clone().into());
    describe(&mut table, table_description(contract));
    table.insert("config".into(), json!({"meta": meta(contract)}));
    table.insert("columns".into(), columns(contract, false));
    let mut source = Map::new();
    source.insert("name".into(), contract.domain.clone().into());
    source.insert(
        "config".into(),
        json!({"meta": {"owner": owner(contract, product)}}),
    );
    source.insert("tables".into(), json!([table]));
    to_yaml(&json!({"version": 2, "sources": [source]}))
}

fn table_description(contract: &Contract) -> Option<&str> {
    contract
        .schema
        .description
        .as_deref()
        .or(contract.description.purpose.as_deref())
}

fn meta(contract: &Contract) -> Json {
    json!({
        "contract": contract.id,
        "version": contract.version.to_string(),
        "topic": contract.schema.topic,
    })
}

/// dbt renders descriptions with Jinja, so its brackets are taken apart.
fn describe(map: &mut Map<String, Json>, text: Option<&str>) {
    if let Some(text) = text {
        let text = text
            .trim()
            .replace("{{", "{ {")
            .replace("{%", "{ %")
            .replace("{#", "{ #");
        map.insert("description".into(), text.into());
    }
}

fn columns(contract: &Contract, model: bool) -> Json {
    let single = contract.schema.primary_key().len() == 1;
    contract
        .schema
        .fields
        .iter()
        .map(|field| column(field, single, model))
        .collect()
}

fn column(field: &Field, single_key: bool, model: bool) -> Json {
    let mut map = Map::new();
    map.insert("name".into(), field.name.clone().into());
    map.insert(
        "data_type".into(),
        data_type(&field.ty, Dialect::Postgres)
            .to_ascii_lowercase()
            .into(),
    );
    describe(&mut map, field.description.as_deref());
    if let Some(word) = &field.classification {
        map.insert("config".into(), json!({"meta": {"classification": word}}));
    }
    let is_key = field.primary_key.is_some() && single_key;
    let mut constraints = Vec::new();
    let mut tests = Vec::new();
    if !field.nullable {
        constraints.push(json!({"type": "not_null"}));
        tests.push(json!("not_null"));
    }
    if is_key {
        constraints.push(json!({"type": "primary_key"}));
    }
    if is_key || field.unique {
        tests.push(json!("unique"));
    }
    if let Type::Enum(kind) = &field.ty {
        let values: Vec<&str> = kind
            .symbols
            .iter()
            .map(|symbol| symbol.value.as_str())
            .collect();
        tests.push(json!({"accepted_values": {"arguments": {"values": values}}}));
    }
    if model && !constraints.is_empty() {
        map.insert("constraints".into(), constraints.into());
    }
    if !tests.is_empty() {
        map.insert("data_tests".into(), tests.into());
    }
    map.into()
}
