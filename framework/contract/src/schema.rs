//! The record type of a contract: its columns, its key, and how it lives on a topic.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::names::{check_name, upper_camel};
use crate::node::{Map, quoted};
use crate::types::{ArrayType, EnumSymbol, EnumType, ObjectType, TimeUnit, Type};

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

/// A column, or a field of a nested object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its place in the primary key, from 1.
    pub primary_key: Option<u32>,
    /// Its place in the Kafka key, from 1, where that is not the primary key.
    pub partition_key: Option<u32>,
    /// What it means.
    pub description: Option<String>,
    /// Its name for people.
    pub business_name: Option<String>,
    /// `public`, `internal`, `confidential`, `restricted` or `personal`; the contract's word.
    pub classification: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Sample values, as JSON.
    pub examples: Vec<Json>,
    /// Whether values are unique in the product.
    pub unique: bool,
    /// Whether the business depends on it.
    pub critical: bool,
    /// `customProperties` that the framework gives no meaning, by name.
    pub custom: BTreeMap<String, Json>,
}

impl Field {
    /// Whether the column holds personal data, which a policy must unmask before it is read.
    pub fn is_personal(&self) -> bool {
        self.classification.as_deref() == Some("personal")
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

/// The custom properties of a mapping, with their values as JSON.
pub(crate) fn custom_properties(map: &Map<'_>) -> BTreeMap<String, Json> {
    let mut found = BTreeMap::new();
    for property in map.maps("customProperties") {
        let name = property.required_string("property");
        let value = property.node("value").map(|node| node.to_json());
        property.string("description");
        property.finish();
        let Some(name) = name else { continue };
        let Some(value) = value else {
            property.refuse("value", "is missing", "add `value: …` here");
            continue;
        };
        if found.insert(name.clone(), value).is_some() {
            property.refuse(
                "property",
                format!("`{name}` stands here twice"),
                "keep one of them",
            );
        }
    }
    found
}

/// Takes the custom property `name` as a string.
pub(crate) fn take_string(
    map: &Map<'_>,
    custom: &mut BTreeMap<String, Json>,
    name: &'static str,
) -> Option<String> {
    match custom.remove(name)? {
        Json::String(text) => Some(text),
        _ => {
            map.refuse(
                "customProperties",
                format!("`{name}` is not a string"),
                "put its value in quotes",
            );
            None
        }
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
                map.refuse(
                    "customProperties",
                    format!("`{name}` is no single value"),
                    "write it as Kafka takes it, in quotes",
                );
                continue;
            }
        };
        configs.insert(setting, text);
    }
    configs
}

/// Refuses `mesh.` properties that nobody understood.
pub(crate) fn refuse_unknown(map: &Map<'_>, custom: &BTreeMap<String, Json>, known: &[&str]) {
    for name in custom.keys().filter(|name| name.starts_with("mesh.")) {
        map.refuse(
            "customProperties",
            format!("`{name}` is not understood here"),
            if known.is_empty() {
                "remove it".to_owned()
            } else {
                format!("use one of {}", quoted(known))
            },
        );
    }
}

pub(crate) fn read_schema(map: &Map<'_>) -> Option<Schema> {
    let name = map.required_string("name");
    let topic = map.required_string("physicalName");
    if map.node("logicalType").is_some() {
        map.one_of("logicalType", &["object"]);
    }
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
            map.refuse(
                "customProperties",
                match other {
                    None => "`mesh.kind` is missing".to_owned(),
                    Some(other) => format!("`mesh.kind: {other}` is not understood"),
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
                map.refuse(
                    "customProperties",
                    "`mesh.partitions` is not a whole number from 1 to 1024",
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
    map.finish();

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
            Some(_) => map.refuse(
                "customProperties",
                format!("`mesh.eventTime` names `{column}`, which is no timestamp or date"),
                "name a column of logicalType timestamp or date",
            ),
            None => map.refuse(
                "customProperties",
                format!("`mesh.eventTime` names `{column}`, which is no column"),
                "name a column of this schema",
            ),
        }
    }
    if let Some(column) = &schema.subject_key
        && schema.field(column).is_none()
    {
        map.refuse(
            "customProperties",
            format!("`mesh.subjectKey` names `{column}`, which is no column"),
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

fn read_fields(map: &Map<'_>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for property in map.maps("properties") {
        let Some(field) = read_field(&property) else {
            continue;
        };
        if fields.iter().any(|known| known.name == field.name) {
            property.refuse(
                "name",
                format!("`{}` stands here twice", field.name),
                "rename one of the two columns",
            );
        }
        fields.push(field);
    }
    fields
}

fn position(map: &Map<'_>, flag: &'static str, place: &'static str) -> Option<u32> {
    let set = map.boolean(flag).unwrap_or(false);
    let at = map.integer(place);
    match (set, at) {
        (false, None | Some(-1)) => None,
        (true, None | Some(-1)) => Some(1),
        (true, Some(at @ 1..=64)) => Some(at as u32),
        (true, Some(_)) => {
            map.refuse(place, "is not from 1 to 64", "number the columns from 1");
            None
        }
        (false, Some(_)) => {
            map.refuse(
                place,
                format!("stands without `{flag}: true`"),
                format!("add `{flag}: true` or remove it"),
            );
            None
        }
    }
}

fn read_field(map: &Map<'_>) -> Option<Field> {
    let name = map.required_string("name");
    let primary_key = position(map, "primaryKey", "primaryKeyPosition");
    let partition_key = position(map, "partitioned", "partitionKeyPosition");
    let mut custom = custom_properties(map);
    let ty = read_type(map, &mut custom);
    refuse_unknown(map, &custom, &[]);
    let field = Field {
        nullable: !map.boolean("required").unwrap_or(false),
        primary_key,
        partition_key,
        description: map.string("description"),
        business_name: map.string("businessName"),
        classification: map.string("classification"),
        tags: map.strings("tags"),
        examples: map
            .items("examples")
            .into_iter()
            .map(|(_, node)| node.to_json())
            .collect(),
        unique: map.boolean("unique").unwrap_or(false),
        critical: map.boolean("criticalDataElement").unwrap_or(false),
        custom,
        name: name.unwrap_or_default(),
        ty: ty?,
    };
    map.finish();
    if let Some(word) = &field.classification
        && ![
            "public",
            "internal",
            "confidential",
            "restricted",
            "personal",
        ]
        .contains(&word.as_str())
    {
        map.refuse(
            "classification",
            format!("`{word}` is not understood here"),
            "write public, internal, confidential, restricted or personal",
        );
    }
    if !field.name.is_empty()
        && let Err((message, mend)) = check_name(&field.name)
    {
        map.refuse("name", message, mend);
    }
    Some(field)
}

/// The options of a logical type; `None` if there are none.
fn options<'a>(map: &Map<'a>) -> Option<Map<'a>> {
    map.child("logicalTypeOptions")
}

fn limits(options: Option<&Map<'_>>) -> (Option<i64>, Option<i64>) {
    let Some(options) = options else {
        return (None, None);
    };
    (options.integer("minimum"), options.integer("maximum"))
}

fn length(options: &Map<'_>, key: &'static str) -> Option<u32> {
    let value = options.integer(key)?;
    match u32::try_from(value) {
        Ok(value) => Some(value),
        Err(_) => {
            options.refuse(key, "is out of range", "write a length in characters");
            None
        }
    }
}

fn read_type(map: &Map<'_>, custom: &mut BTreeMap<String, Json>) -> Option<Type> {
    let logical = map.one_of(
        "logicalType",
        &[
            "string",
            "integer",
            "number",
            "boolean",
            "date",
            "timestamp",
            "array",
            "object",
        ],
    )?;
    let options = options(map);
    let physical = map.string("physicalType");
    let ty = match logical.as_str() {
        "string" => read_string(map, options.as_ref(), physical.as_deref())?,
        "integer" => {
            let (minimum, maximum) = limits(options.as_ref());
            let format = options
                .as_ref()
                .filter(|options| options.node("format").is_some())
                .and_then(|options| options.one_of("format", &["i32", "i64"]));
            let long = format.as_deref() == Some("i64");
            expect_physical(
                map,
                physical.as_deref(),
                &[if long { "long" } else { "int" }],
            );
            if long {
                Type::Int64 { minimum, maximum }
            } else {
                Type::Int32 { minimum, maximum }
            }
        }
        "number" => read_number(map, options.as_ref(), physical.as_deref(), custom)?,
        "boolean" => {
            expect_physical(map, physical.as_deref(), &["boolean"]);
            Type::Boolean
        }
        "date" => {
            expect_physical(map, physical.as_deref(), &["date"]);
            Type::Date
        }
        "timestamp" => {
            expect_physical(
                map,
                physical.as_deref(),
                &["timestamp-millis", "timestamp-micros"],
            );
            if let Some(options) = &options
                && options.boolean("timezone") == Some(false)
            {
                options.refuse(
                    "timezone",
                    "a timestamp without time zone is not supported",
                    "store instants in UTC and write `timezone: true`",
                );
            }
            Type::Timestamp(match physical.as_deref() {
                Some("timestamp-micros") => TimeUnit::Micros,
                _ => TimeUnit::Millis,
            })
        }
        "array" => {
            expect_physical(map, physical.as_deref(), &["array"]);
            let Some(items) = map.child("items") else {
                map.refuse("items", "is missing", "say what the list holds");
                return None;
            };
            let mut inner = custom_properties(&items);
            let ty = read_type(&items, &mut inner);
            refuse_unknown(&items, &inner, &[]);
            items.string("name");
            items.string("description");
            let nullable = !items.boolean("required").unwrap_or(true);
            items.finish();
            Type::Array(Box::new(ArrayType {
                items: ty?,
                nullable,
            }))
        }
        _ => {
            expect_physical(map, physical.as_deref(), &["record"]);
            let fields = read_fields(map);
            if fields.is_empty() {
                map.refuse("properties", "an object without fields", "add properties");
            }
            if fields
                .iter()
                .any(|field| field.primary_key.is_some() || field.partition_key.is_some())
            {
                map.refuse(
                    "properties",
                    "a key column inside an object",
                    "keys stand at the top level",
                );
            }
            Type::Object(ObjectType { fields })
        }
    };
    if let Some(options) = &options {
        options.finish();
    }
    Some(ty)
}

fn expect_physical(map: &Map<'_>, physical: Option<&str>, allowed: &[&str]) {
    if let Some(physical) = physical
        && !allowed.contains(&physical)
    {
        map.refuse(
            "physicalType",
            format!("`{physical}` does not fit the logical type"),
            format!("write {} or leave it out", quoted(allowed)),
        );
    }
}

fn read_string(map: &Map<'_>, options: Option<&Map<'_>>, physical: Option<&str>) -> Option<Type> {
    let format = options
        .filter(|options| options.node("format").is_some())
        .and_then(|options| options.one_of("format", &["uuid", "email"]));
    let (min_length, max_length) = match options {
        Some(options) => (length(options, "minLength"), length(options, "maxLength")),
        None => (None, None),
    };
    expect_physical(map, physical, &["string", "enum", "uuid"]);
    let mut symbols: Vec<EnumSymbol> = Vec::new();
    for symbol in map.maps("enum") {
        let value = symbol.required_string("value");
        symbol.string("label");
        let description = symbol.string("description");
        symbol.finish();
        let Some(value) = value else { continue };
        let valid = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            symbol.refuse(
                "value",
                format!("`{value}` cannot be an Avro symbol"),
                "use letters, digits and `_`, not starting with a digit",
            );
        }
        if symbols
            .iter()
            .any(|known| upper_camel(&known.value) == upper_camel(&value))
        {
            symbol.refuse(
                "value",
                format!("`{value}` collides with another symbol"),
                "make the symbols differ in more than case and underscores",
            );
        }
        symbols.push(EnumSymbol { value, description });
    }
    if !symbols.is_empty() {
        if format.is_some() || min_length.is_some() || max_length.is_some() {
            map.refuse(
                "logicalTypeOptions",
                "an enumeration with string options",
                "remove the options",
            );
        }
        return Some(Type::Enum(EnumType { symbols }));
    }
    if format.as_deref() == Some("uuid") {
        return Some(Type::Uuid);
    }
    Some(Type::String {
        min_length,
        max_length,
    })
}

fn read_number(
    map: &Map<'_>,
    options: Option<&Map<'_>>,
    physical: Option<&str>,
    custom: &mut BTreeMap<String, Json>,
) -> Option<Type> {
    let precision = custom.remove("precision");
    let scale = custom.remove("scale");
    if let Some(inner) = physical.and_then(|text| text.strip_prefix("decimal")) {
        let parsed = inner
            .trim()
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .and_then(|inner| inner.split_once(','))
            .and_then(|(p, s)| Some((p.trim().parse::<u8>().ok()?, s.trim().parse::<u8>().ok()?)));
        let Some((p, s)) = parsed.filter(|(p, s)| (1..=38).contains(p) && s <= p) else {
            map.refuse(
                "physicalType",
                "not a decimal type",
                "write `decimal(p,s)` with 1 <= p <= 38 and s <= p",
            );
            return None;
        };
        for (name, value, expected) in [("precision", precision, p), ("scale", scale, s)] {
            let as_number = match &value {
                Some(Json::String(text)) => text.parse::<u64>().ok(),
                Some(other) => other.as_u64(),
                None => None,
            };
            if as_number != Some(u64::from(expected)) {
                map.refuse(
                    "customProperties",
                    format!("`{name}` does not say {expected} as `physicalType` does"),
                    format!("add `- property: {name}` with `value: {expected}`"),
                );
            }
        }
        return Some(Type::Decimal {
            precision: p,
            scale: s,
        });
    }
    expect_physical(map, physical, &["float", "double", "decimal(p,s)"]);
    let format = options
        .filter(|options| options.node("format").is_some())
        .and_then(|options| options.one_of("format", &["f32", "f64"]));
    Some(match format.as_deref() {
        Some("f32") => Type::Float32,
        _ => Type::Float64,
    })
}
