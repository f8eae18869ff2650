//! The record type of a contract: its columns, its key, and how it lives on a topic.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::custom::{custom_properties, refuse_custom, refuse_unknown, take_string};
use crate::field::{Field, read_fields};
use crate::names::{check_name, upper_camel};
use crate::node::Map;
use crate::standard::{DataQuality, Relationship};
use crate::types::Type;
use crate::yaml::shown;

/// How a product's records relate to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductKind {
    /// Append-only facts; in SQL the log.
    Event,
    /// Keyed rows that replace each other; in SQL the latest row per key.
    State,
}

impl ProductKind {
    /// `event` or `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::State => "state",
        }
    }
}

/// How long records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For ever (`retention.ms=-1`).
    Unlimited,
    /// This many milliseconds after publication.
    Millis(i64),
}

impl Retention {
    /// The value of the topic setting `retention.ms`.
    pub fn as_millis(self) -> i64 {
        match self {
            Self::Unlimited => -1,
            Self::Millis(millis) => millis,
        }
    }
}

/// How the keys of a topic which was there before its contract are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySchema {
    /// Under this Avro schema.
    Avro(String),
    /// Without a registered schema, such as a string's bytes.
    Unregistered,
}

/// The one record type of a product.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The record's name in the singular, such as `credit_score`.
    pub name: String,
    /// The Rust type and Avro record name, such as `CreditScore`.
    pub type_name: String,
    /// The topic: `<domain>.<product>.v<major>`, or as it is called where the contract names
    /// its product (`mesh.product`).
    pub topic: String,
    /// What one record is.
    pub description: Option<String>,
    /// Its name for people.
    pub business_name: Option<String>,
    /// What one row stands for.
    pub granularity: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// The columns.
    pub fields: Vec<Field>,
    /// Event or state.
    pub kind: ProductKind,
    /// The column that holds event time.
    pub event_time: Option<String>,
    /// The column that names the person a row is about.
    pub subject_key: Option<String>,
    /// Partitions of the topic when it is created.
    pub partitions: i32,
    /// Settings of the topic by Kafka's names (`mesh.topic.<name>`), beside and before those
    /// that follow from the rest of the contract.
    pub topic_configs: BTreeMap<String, String>,
    /// The Avro schema under which values stand in the registry, where it is not the one that
    /// follows from the columns: that of a topic which was there before its contract.
    pub value_schema: Option<String>,
    /// How keys are written, where that does not follow from the columns.
    pub key_schema: Option<KeySchema>,
    /// Whether it is no longer to be used.
    pub deprecated: bool,
    /// Quality checks on the records as a whole.
    pub quality: Vec<DataQuality>,
    /// References to other schemas.
    pub relationships: Vec<Relationship>,
    /// `customProperties` that the framework gives no meaning, by name.
    pub custom: BTreeMap<String, Json>,
}

impl Schema {
    /// The columns of the primary key in order.
    pub fn primary_key(&self) -> Vec<&Field> {
        let mut key: Vec<&Field> = self
            .fields
            .iter()
            .filter(|field| field.primary_key.is_some())
            .collect();
        key.sort_by_key(|field| field.primary_key);
        key
    }

    /// The columns of the Kafka key in order: the partition key if there is one, else the
    /// primary key.
    pub fn kafka_key(&self) -> Vec<&Field> {
        let mut key: Vec<&Field> = self
            .fields
            .iter()
            .filter(|field| field.partition_key.is_some())
            .collect();
        if key.is_empty() {
            return self.primary_key();
        }
        key.sort_by_key(|field| field.partition_key);
        key
    }

    /// The column called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Takes the settings of the topic, `mesh.topic.<name>`.
fn take_configs(map: &Map<'_>, custom: &mut BTreeMap<String, Json>) -> BTreeMap<String, String> {
    const PREFIX: &str = "mesh.topic.";
    let mut configs = BTreeMap::new();
    for (name, value) in custom.extract_if(.., |name, _| name.starts_with(PREFIX)) {
        let setting = name[PREFIX.len()..].to_owned();
        let text = match value {
            Json::String(text) => text,
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            _ => {
                refuse_custom(
                    map,
                    &name,
                    format!("`{}` is no single value", shown(&name)),
                    "write it as Kafka takes it, in quotes",
                );
                continue;
            }
        };
        configs.insert(setting, text);
    }
    configs
}

pub(crate) fn read_schema(map: &Map<'_>) -> Option<Schema> {
    let name = map.required_string("name");
    let topic = map.required_string("physicalName");
    if map.node("physicalType").is_some() {
        map.one_of("physicalType", &["topic"]);
    }
    let description = map.string("description");
    let business_name = map.string("businessName");
    let granularity = map.string("dataGranularityDescription");
    let tags = map.strings("tags");
    let mut custom = custom_properties(map);
    let fields = read_fields(map);

    let kind = match take_string(map, &mut custom, "mesh.kind").as_deref() {
        Some("event") => ProductKind::Event,
        Some("state") => ProductKind::State,
        other => {
            refuse_custom(
                map,
                "mesh.kind",
                match other {
                    None => "`mesh.kind` is missing".to_owned(),
                    Some(other) => format!("`mesh.kind: {}` is not understood", shown(other)),
                },
                "add `- property: mesh.kind` with `value: event` or `value: state`",
            );
            ProductKind::Event
        }
    };
    let event_time = take_string(map, &mut custom, "mesh.eventTime");
    let subject_key = take_string(map, &mut custom, "mesh.subjectKey");
    let partitions = match custom.remove("mesh.partitions") {
        None => 1,
        Some(value) => match value.as_i64() {
            Some(count @ 1..=1024) => count as i32,
            _ => {
                refuse_custom(
                    map,
                    "mesh.partitions",
                    "`mesh.partitions` is not a whole number from 1 to 1024".to_owned(),
                    "write the number of partitions of the topic",
                );
                1
            }
        },
    };
    let topic_configs = take_configs(map, &mut custom);
    let value_schema = take_string(map, &mut custom, "mesh.valueSchema");
    let key_schema =
        take_string(map, &mut custom, "mesh.keySchema").map(|text| match text.as_str() {
            "unregistered" => KeySchema::Unregistered,
            _ => KeySchema::Avro(text),
        });
    refuse_unknown(
        map,
        &custom,
        &[
            "mesh.kind",
            "mesh.eventTime",
            "mesh.subjectKey",
            "mesh.partitions",
            "mesh.topic.<setting>",
            "mesh.valueSchema",
            "mesh.keySchema",
        ],
    );

    let name = name?;
    if let Err((message, mend)) = check_name(&name) {
        map.refuse("name", message, mend);
    }
    let schema = Schema {
        type_name: upper_camel(&name),
        name,
        topic: topic?,
        description,
        business_name,
        granularity,
        tags,
        fields,
        kind,
        event_time,
        subject_key,
        partitions,
        topic_configs,
        value_schema,
        key_schema,
        deprecated: map.boolean("deprecated").unwrap_or(false),
        quality: map.again("quality"),
        relationships: map.again("relationships"),
        custom,
    };
    check_schema(map, &schema);
    Some(schema)
}

fn check_schema(map: &Map<'_>, schema: &Schema) {
    if schema.fields.is_empty() {
        map.refuse(
            "properties",
            "a record without columns",
            "add at least one property",
        );
    }
    if let Some(column) = &schema.event_time {
        match schema.field(column) {
            Some(field) if matches!(field.ty, Type::Timestamp(_) | Type::Date) => {}
            Some(_) => refuse_custom(
                map,
                "mesh.eventTime",
                format!(
                    "`mesh.eventTime` names `{}`, which is no timestamp or date",
                    shown(column)
                ),
                "name a column of logicalType timestamp or date",
            ),
            None => refuse_custom(
                map,
                "mesh.eventTime",
                format!(
                    "`mesh.eventTime` names `{}`, which is no column",
                    shown(column)
                ),
                "name a column of this schema",
            ),
        }
    }
    if let Some(column) = &schema.subject_key
        && schema.field(column).is_none()
    {
        refuse_custom(
            map,
            "mesh.subjectKey",
            format!(
                "`mesh.subjectKey` names `{}`, which is no column",
                shown(column)
            ),
            "name a column of this schema",
        );
    }
    for (what, positions) in [
        (
            "primaryKeyPosition",
            schema
                .fields
                .iter()
                .filter_map(|field| field.primary_key)
                .collect::<Vec<_>>(),
        ),
        (
            "partitionKeyPosition",
            schema
                .fields
                .iter()
                .filter_map(|field| field.partition_key)
                .collect(),
        ),
    ] {
        let mut sorted = positions.clone();
        sorted.sort_unstable();
        if sorted
            .iter()
            .enumerate()
            .any(|(at, position)| *position as usize != at + 1)
        {
            map.refuse(
                "properties",
                format!("the values of `{what}` are {sorted:?}"),
                "number the key's columns 1, 2, 3 … without gaps",
            );
        }
    }
    let key = schema.kafka_key();
    if key.is_empty() {
        map.refuse(
            "properties",
            "no column is part of the key",
            "mark at least one with `primaryKey: true`",
        );
    }
    for field in key {
        if field.nullable || !field.ty.is_key() {
            map.refuse(
                "properties",
                format!("key column `{}` is nullable or no plain scalar", field.name),
                "make it `required: true` and a string, uuid, enum, integer, boolean, date or timestamp",
            );
        }
    }
    if schema.kind == ProductKind::State
        && (schema.primary_key().is_empty()
            || schema
                .fields
                .iter()
                .any(|field| field.partition_key.is_some()))
    {
        map.refuse(
            "properties",
            "a state product is keyed by its primary key",
            "mark the key with `primaryKey: true` and drop `partitioned`",
        );
    }
}
