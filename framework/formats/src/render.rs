//! Writes an imported record as the two files of a product.

use std::collections::BTreeMap;

use mesh_core::contract::{DataProduct, Field, ProductKind, TimeUnit, Type, check_name};
use mesh_core::{Error, Result};
use serde_json::{Map, Value as Json, json};

use crate::draft::{Imported, Note};
use crate::yaml::to_yaml;

/// What the author decides, because no source can know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The domain that will own the product; the source's by default, if it names one.
    pub domain: Option<String>,
    /// The product's name; the source's name by default.
    pub product: Option<String>,
    /// Event or state; by default event if a column tells the time, else state.
    pub kind: Option<ProductKind>,
    /// The columns of the key; by default what the source states or suggests.
    pub key: Vec<String>,
    /// The column with the time of the event.
    pub event_time: Option<String>,
    /// The team that owns the product; the domain's name by default.
    pub owner: Option<String>,
    /// The topic, where it is there already and is to be the product's as it is.
    pub standing: Option<StandingTopic>,
}

/// A topic that was there before its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingTopic {
    /// Its name.
    pub topic: String,
    /// Whether that is `<domain>.<product>.v<major>`.
    pub named_by_product: bool,
    /// The major version of the product.
    pub major: u64,
    /// Its partitions.
    pub partitions: i32,
    /// How long records are kept, with its unit; for ever without.
    pub retention: Option<(i64, &'static str)>,
    /// Its settings that do not follow from the rest.
    pub configs: BTreeMap<String, String>,
    /// The compatibility level of the subject of its values.
    pub compatibility: String,
    /// The Avro schema of its values as it is registered.
    pub value_schema: String,
    /// The Avro schema of its keys as it is registered, if they are written under one.
    pub key_schema: Option<String>,
}

impl StandingTopic {
    /// What its contract says of it on the schema.
    fn custom(&self) -> Vec<Json> {
        let property = |name: &str, value: Json| json!({"property": name, "value": value});
        let mut custom = vec![property("mesh.partitions", self.partitions.into())];
        for (name, value) in &self.configs {
            custom.push(property(
                &format!("mesh.topic.{name}"),
                value.clone().into(),
            ));
        }
        custom.push(property(
            "mesh.valueSchema",
            self.value_schema.clone().into(),
        ));
        let key = self.key_schema.as_deref().unwrap_or("unregistered");
        custom.push(property("mesh.keySchema", key.into()));
        custom
    }
}

/// The two files of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The domain.
    pub domain: String,
    /// The product's name, which is the folder's.
    pub product: String,
    /// Event or state.
    pub kind: ProductKind,
    /// The columns of the Kafka key.
    pub key: Vec<String>,
    /// The column with the time of the event.
    pub event_time: Option<String>,
    /// The text of `product.odps.yaml`.
    pub product_file: String,
    /// The text of `contract.odcs.yaml`.
    pub contract_file: String,
    /// What stands in `product.odps.yaml`.
    pub product_document: Json,
    /// What stands in `contract.odcs.yaml`.
    pub contract_document: Json,
    /// What was assumed while writing them.
    pub notes: Vec<Note>,
}

/// Writes `imported` as a product.
///
/// # Errors
/// If a name is not valid, a named column is not there or cannot be what it is named for, or
/// no key is known.
pub fn render(imported: &Imported, wishes: &Wishes) -> Result<Rendered> {
    let mut notes = Vec::new();
    let domain = wishes.domain.as_deref().or(imported.domain.as_deref());
    let domain = name("domain", domain.unwrap_or_default())?;
    let product = name(
        "product",
        wishes.product.as_deref().unwrap_or(&imported.product),
    )?;
    let mut fields = imported.fields.clone();
    let key = key(imported, wishes, &mut fields, &mut notes)?;
    let kind = wishes.kind.unwrap_or_else(|| {
        let event = wishes.event_time.is_some() || imported.event_time.is_some();
        let (kind, why) = if event {
            (ProductKind::Event, "a column tells the time of an event")
        } else {
            (ProductKind::State, "no column tells the time of an event")
        };
        notes.push(Note {
            place: String::new(),
            text: format!(
                "taken as {}, because {why}; --kind says otherwise",
                kind.as_str()
            ),
        });
        kind
    });
    let event_time = event_time(imported, wishes, kind)?;
    set_key(imported, &key, kind, &mut fields, &mut notes);
    let owner = wishes.owner.clone().unwrap_or_else(|| {
        notes.push(Note {
            place: "team".into(),
            text: "the domain stands as the owner; --owner names the team".into(),
        });
        domain.clone()
    });
    let purpose = imported
        .description
        .clone()
        .unwrap_or_else(|| format!("Imported from {}.", imported.source));
    let title = product.replace('_', " ");
    let title = title[..1].to_ascii_uppercase() + &title[1..];
    let contract_id = format!("urn:mesh:contract:{domain}.{product}");
    let mut custom = vec![json!({"property": "mesh.kind", "value": kind.as_str()})];
    if let Some(column) = &event_time {
        custom.push(json!({"property": "mesh.eventTime", "value": column}));
    }
    let standing = wishes.standing.as_ref();
    if let Some(standing) = standing {
        custom.extend(standing.custom());
    }
    let version = format!("{}.0.0", standing.map_or(1, |standing| standing.major));
    let status = if standing.is_some() {
        "active"
    } else {
        "draft"
    };
    let mut schema = Map::new();
    schema.insert("name".into(), imported.name.clone().into());
    let topic = standing.map(|standing| standing.topic.clone());
    let topic = topic.unwrap_or_else(|| format!("{domain}.{product}.v1"));
    schema.insert("physicalName".into(), topic.into());
    schema.insert("physicalType".into(), "topic".into());
    if let Some(text) = &imported.description {
        schema.insert("description".into(), text.clone().into());
    }
    schema.insert("customProperties".into(), custom.into());
    schema.insert("properties".into(), properties(&fields));
    let mut contract = json!({
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": contract_id,
        "name": title,
        "version": version,
        "status": status,
        "domain": domain,
        "description": {"purpose": purpose},
        "team": {"name": owner},
        "customProperties": of_contract(standing, &product),
        "slaProperties": [retention(standing)],
        "schema": [schema],
    });
    if let Some(contract) = contract.as_object_mut().filter(|_| standing.is_none()) {
        contract.shift_remove("customProperties");
    }
    let product_document = json!({
        "apiVersion": "v1.0.0",
        "kind": "DataProduct",
        "id": format!("urn:mesh:product:{domain}.{product}"),
        "name": product,
        "version": version,
        "status": status,
        "domain": domain,
        "description": {"purpose": purpose},
        "team": {"name": owner},
        "outputPorts": [{
            "name": "stream",
            "description": match kind {
                ProductKind::Event => "The topic, every record of the product.",
                ProductKind::State => "The topic, the latest record of each key.",
            },
            "type": "kafka",
            "version": version,
            "contractId": contract_id,
        }],
    });
    let product_file = to_yaml(&product_document)?;
    let contract_file = to_yaml(&contract)?;
    DataProduct::parse(
        "product.odps.yaml",
        &product_file,
        "contract.odcs.yaml",
        &contract_file,
    )
    .map_err(|problems| {
        Error::internal("the contract that was made is not valid")
            .with("source", &imported.source)
            .mend("report it with the source's schema")
            .because(problems)
    })?;
    Ok(Rendered {
        domain,
        product,
        kind,
        key,
        event_time,
        product_file,
        contract_file,
        product_document,
        contract_document: contract,
        notes,
    })
}

/// What the contract of a topic that was there says of the whole.
fn of_contract(standing: Option<&StandingTopic>, product: &str) -> Json {
    let Some(standing) = standing else {
        return Json::Null;
    };
    let mut custom = vec![json!({
        "property": "mesh.compatibility",
        "value": standing.compatibility,
    })];
    if !standing.named_by_product {
        custom.push(json!({"property": "mesh.product", "value": product}));
    }
    custom.into()
}

/// The service level `retention`.
fn retention(standing: Option<&StandingTopic>) -> Json {
    match standing.map(|standing| standing.retention) {
        None => json!({
            "property": "retention",
            "value": -1,
            "description": "Kept for ever until the owner sets a time.",
        }),
        Some(None) => json!({"property": "retention", "value": -1}),
        Some(Some((value, unit))) => {
            json!({"property": "retention", "value": value, "unit": unit})
        }
    }
}

fn name(what: &'static str, name: &str) -> Result<String> {
    if name.is_empty() {
        return Err(
            Error::invalid(format!("the {what} is not named")).mend(format!("name it by --{what}"))
        );
    }
    check_name(name).map_err(|(message, mend)| {
        Error::invalid(message)
            .with("option", format!("--{what}"))
            .mend(mend)
    })?;
    Ok(name.to_owned())
}

fn listed(fields: &[Field]) -> String {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let all = names.len();
    names.truncate(20);
    let mut text = names.join(", ");
    if all > 20 {
        text.push_str(&format!(", … ({all} in all)"));
    }
    text
}

fn key(
    imported: &Imported,
    wishes: &Wishes,
    fields: &mut [Field],
    notes: &mut Vec<Note>,
) -> Result<Vec<String>> {
    let chosen = if wishes.key.is_empty() {
        imported.key.clone()
    } else {
        wishes.key.clone()
    };
    if chosen.is_empty() {
        return Err(Error::invalid("no column is known to be the key")
            .with("source", &imported.source)
            .with("columns", listed(fields))
            .mend("name the column, or the columns, that tell one row from another by --key COLUMN[,COLUMN]"));
    }
    if wishes.key.is_empty() && !imported.key_stated {
        notes.push(Note {
            place: chosen.join(", "),
            text: "guessed to be the key; --key says otherwise".into(),
        });
    }
    let all = listed(fields);
    for (at, column) in chosen.iter().enumerate() {
        if chosen[..at].contains(column) {
            return Err(Error::invalid(format!("the key names `{column}` twice"))
                .mend("name each column once in --key"));
        }
        let Some(field) = fields.iter_mut().find(|field| field.name == *column) else {
            return Err(Error::invalid(format!("`{column}` is no column"))
                .with("source", &imported.source)
                .with("columns", all)
                .mend("name a column by its name here in --key"));
        };
        if !field.ty.is_key() {
            return Err(Error::invalid(format!(
                "`{column}` is of type {} and cannot be part of a key",
                field.ty.display()
            ))
            .with("source", &imported.source)
            .mend("choose a string, uuid, enum, integer, boolean, date or timestamp by --key"));
        }
        if field.nullable {
            if imported.rows.is_some() {
                return Err(Error::invalid(format!(
                    "`{column}` is empty in some rows and cannot be part of the key"
                ))
                .with("source", &imported.source)
                .mend("choose a column that every row fills by --key, or mend the rows"));
            }
            field.nullable = false;
            notes.push(Note {
                place: column.clone(),
                text: "is required here because it is the key; the source lets it be empty".into(),
            });
        }
    }
    Ok(chosen)
}

fn event_time(imported: &Imported, wishes: &Wishes, kind: ProductKind) -> Result<Option<String>> {
    let Some(column) = &wishes.event_time else {
        return Ok(imported
            .event_time
            .clone()
            .filter(|_| kind == ProductKind::Event));
    };
    let found = imported.fields.iter().find(|field| field.name == *column);
    match found.map(|field| &field.ty) {
        Some(Type::Timestamp(_) | Type::Date) => Ok(Some(column.clone())),
        Some(other) => Err(Error::invalid(format!(
            "`{column}` is of type {} and tells no time",
            other.display()
        ))
        .with("source", &imported.source)
        .mend("name a timestamp or a date by --event-time")),
        None => Err(Error::invalid(format!("`{column}` is no column"))
            .with("source", &imported.source)
            .with("columns", listed(&imported.fields))
            .mend("name a timestamp or a date by --event-time")),
    }
}

/// Marks the key. Events that share a key cannot have it as their primary key, but their
/// order is kept by it.
fn set_key(
    imported: &Imported,
    key: &[String],
    kind: ProductKind,
    fields: &mut [Field],
    notes: &mut Vec<Note>,
) {
    let shared =
        kind == ProductKind::Event && matches!(key, [only] if imported.repeated.contains(only));
    if shared {
        notes.push(Note {
            place: key.join(", "),
            text: "comes in several rows, so it orders the events and is no primary key".into(),
        });
    }
    for (at, column) in (1..).zip(key) {
        for field in fields.iter_mut().filter(|field| field.name == *column) {
            if shared {
                field.partition_key = Some(at);
            } else {
                field.primary_key = Some(at);
            }
        }
    }
}

fn properties(fields: &[Field]) -> Json {
    fields.iter().map(property).collect()
}

fn property(field: &Field) -> Json {
    let mut map = Map::new();
    map.insert("name".into(), field.name.clone().into());
    if let Some(text) = &field.business_name {
        map.insert("businessName".into(), text.clone().into());
    }
    let mut custom = Vec::new();
    let mut tail = Map::new();
    put_type(&field.ty, &mut map, &mut custom, &mut tail);
    for (flag, place, position) in [
        ("primaryKey", "primaryKeyPosition", field.primary_key),
        ("partitioned", "partitionKeyPosition", field.partition_key),
    ] {
        if let Some(position) = position {
            map.insert(flag.into(), true.into());
            map.insert(place.into(), position.into());
        }
    }
    if !field.nullable {
        map.insert("required".into(), true.into());
    }
    if field.unique {
        map.insert("unique".into(), true.into());
    }
    if let Some(word) = &field.classification {
        map.insert("classification".into(), word.clone().into());
    }
    if let Some(text) = &field.description {
        map.insert("description".into(), text.clone().into());
    }
    custom.extend(
        field
            .custom
            .iter()
            .map(|(name, value)| json!({"property": name, "value": value})),
    );
    if !custom.is_empty() {
        map.insert("customProperties".into(), custom.into());
    }
    map.extend(tail);
    Json::Object(map)
}

/// Writes a type: its options into `map`, what stands in custom properties into `custom`, and
/// what is nested below into `tail`.
fn put_type(
    ty: &Type,
    map: &mut Map<String, Json>,
    custom: &mut Vec<Json>,
    tail: &mut Map<String, Json>,
) {
    let mut options = Map::new();
    let mut physical = None;
    let logical = match ty {
        Type::String {
            min_length,
            max_length,
        } => {
            put(&mut options, "minLength", *min_length);
            put(&mut options, "maxLength", *max_length);
            "string"
        }
        Type::Uuid => {
            put(&mut options, "format", Some("uuid"));
            "string"
        }
        Type::Enum(kind) => {
            let symbols = kind.symbols.iter().map(|symbol| {
                let mut entry = Map::new();
                entry.insert("value".into(), symbol.value.clone().into());
                put(&mut entry, "description", symbol.description.clone());
                Json::Object(entry)
            });
            tail.insert("enum".into(), symbols.collect());
            "string"
        }
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            if matches!(ty, Type::Int64 { .. }) {
                put(&mut options, "format", Some("i64"));
            }
            put(&mut options, "minimum", *minimum);
            put(&mut options, "maximum", *maximum);
            "integer"
        }
        Type::Float32 => {
            put(&mut options, "format", Some("f32"));
            "number"
        }
        Type::Float64 => "number",
        Type::Decimal { precision, scale } => {
            physical = Some(format!("decimal({precision},{scale})"));
            custom.push(json!({"property": "precision", "value": precision}));
            custom.push(json!({"property": "scale", "value": scale}));
            "number"
        }
        Type::Boolean => "boolean",
        Type::Date => "date",
        Type::Timestamp(unit) => {
            if *unit == TimeUnit::Micros {
                physical = Some("timestamp-micros".into());
            }
            "timestamp"
        }
        Type::Time(unit) => {
            if *unit == TimeUnit::Micros {
                physical = Some("time-micros".into());
            }
            "time"
        }
        Type::Array(array) => {
            tail.insert("items".into(), element(&array.items, array.nullable));
            "array"
        }
        Type::Map(map) => {
            let values = element(&map.values, map.nullable);
            tail.insert(
                "map".into(),
                json!({"key": {"logicalType": "string"}, "value": values}),
            );
            "map"
        }
        Type::Object(object) => {
            tail.insert("properties".into(), properties(&object.fields));
            "object"
        }
    };
    map.insert("logicalType".into(), logical.into());
    put(map, "physicalType", physical);
    if !options.is_empty() {
        map.insert("logicalTypeOptions".into(), options.into());
    }
}

/// What a list or map holds.
fn element(ty: &Type, nullable: bool) -> Json {
    let mut map = Map::new();
    let (mut custom, mut below) = (Vec::new(), Map::new());
    put_type(ty, &mut map, &mut custom, &mut below);
    map.insert("required".into(), (!nullable).into());
    if !custom.is_empty() {
        map.insert("customProperties".into(), custom.into());
    }
    map.extend(below);
    map.into()
}

fn put(map: &mut Map<String, Json>, key: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        map.insert(key.into(), value.into());
    }
}
