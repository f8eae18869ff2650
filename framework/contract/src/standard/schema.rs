//! The types of the data: schema objects, their properties, and what those hold.

use serde_json::Value as Json;

use super::common::{AuthoritativeDefinition, ContextBlock, CustomProperty, Synonym, custom};
use super::logical::{self, LogicalTypeOptions};
use super::model::model;
use super::quality::DataQuality;
use super::relationship::{self, Relationship};
use crate::node::{Map, Value};

model! {
    /// A table, a topic, a document: a named list of properties.
    pub struct SchemaObject check object {
        id = "id": id, "its stable id.";
        name = "name": req<String>, "its name.";
        physical_name = "physicalName": opt<String>, "the name where the data stand.";
        logical_type = "logicalType": opt<String>, "`object`.";
        physical_type = "physicalType": opt<String>, "`table`, `topic` and the like.";
        business_name = "businessName": opt<String>, "its name for people.";
        synonyms = "synonyms": list<Synonym> [32, 0], "other names.";
        description = "description": opt<String>, "what one record is.";
        deprecated = "deprecated": opt<bool> [32, 0], "whether it is no longer to be used.";
        tags = "tags": list<String>, "free tags.";
        data_granularity_description = "dataGranularityDescription": opt<String>, "what one row stands for.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        context = "context": opt<ContextBlock> [32, 0], "guidance for machines.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        relationships = "relationships": list<Relationship> [31, 0], "foreign keys.";
        quality = "quality": list<DataQuality>, "quality checks.";
        properties = "properties": list<SchemaProperty>, "the columns.";
    }

    /// A column, a field of an object, or what a list or map holds.
    pub struct SchemaProperty check property {
        id = "id": id, "its stable id.";
        name = "name": opt<String>, "its name; what a list or map holds needs none.";
        physical_name = "physicalName": opt<String>, "the name where the data stand.";
        logical_type = "logicalType": opt<String>, "the kind of value.";
        logical_type_options = "logicalTypeOptions": opt<LogicalTypeOptions>, "more about the kind of value.";
        physical_type = "physicalType": opt<String>, "the type where the data stand.";
        primary_key = "primaryKey": opt<bool>, "whether it is part of the primary key.";
        primary_key_position = "primaryKeyPosition": opt<i64>, "its place in the primary key, from 1.";
        required = "required": opt<bool>, "whether it must have a value.";
        unique = "unique": opt<bool>, "whether no value stands twice.";
        partitioned = "partitioned": opt<bool>, "whether the data are partitioned by it.";
        partition_key_position = "partitionKeyPosition": opt<i64>, "its place in the partition key, from 1.";
        business_name = "businessName": opt<String>, "its name for people.";
        synonyms = "synonyms": list<Synonym> [32, 0], "other names.";
        description = "description": opt<String>, "what it means.";
        deprecated = "deprecated": opt<bool> [32, 0], "whether it is no longer to be used.";
        tags = "tags": list<String>, "free tags.";
        classification = "classification": opt<String>, "how it is to be guarded.";
        critical_data_element = "criticalDataElement": opt<bool>, "whether the business depends on it.";
        encrypted_name = "encryptedName": opt<String>, "the column that holds it encrypted.";
        semantic_type = "semanticType": opt<String> [32, 0], "`column`, `measure` or `dimension`.";
        transform_source_objects = "transformSourceObjects": list<String>, "what it is made from.";
        transform_logic = "transformLogic": opt<String>, "how it is made.";
        transform_description = "transformDescription": opt<String>, "how it is made, in words.";
        examples = "examples": list<Json>, "sample values.";
        enumeration = "enum": list<EnumValue> [32, 0], "the values allowed.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        relationships = "relationships": list<Relationship> [31, 0], "what it refers to.";
        quality = "quality": list<DataQuality>, "quality checks.";
        items = "items": opt<Box<SchemaProperty>>, "what a list holds.";
        map = "map": opt<MapTypes> [32, 0], "what a map holds.";
        properties = "properties": list<SchemaProperty>, "the fields of an object.";
    }

    /// The two types of a map.
    pub struct MapTypes {
        key = "key": req<Box<SchemaProperty>>, "the keys.";
        value = "value": req<Box<SchemaProperty>>, "the values.";
    }

    /// A value of an enumeration.
    pub struct EnumValue check enum_value {
        id = "id": id, "its stable id.";
        value = "value": req<Json>, "the value.";
        label = "label": opt<String>, "its name for people.";
        description = "description": opt<String>, "what it means.";
        tags = "tags": list<String>, "free tags.";
        custom_properties = "customProperties": list<CustomProperty>, "free properties.";
        authoritative_definitions = "authoritativeDefinitions": list<AuthoritativeDefinition>, "links.";
    }
}

fn object(map: &Map<'_>) {
    element(map);
    map.among("logicalType", &["object"]);
    relationship::between(map);
}

/// Checks what objects and properties have alike.
fn element(map: &Map<'_>) {
    custom(map);
    for list in ["properties", "relationships", "quality", "synonyms"] {
        map.unique(list, &["id"]);
    }
    map.unique("properties", &["name"]);
    for property in map.peek_maps("properties") {
        if !property.has("name") {
            property.missing("name");
        }
    }
}

fn property(map: &Map<'_>) {
    element(map);
    relationship::onward(map);
    logical::check(map);
    map.among("semanticType", &["column", "measure", "dimension"]);
    map.unique("enum", &["id"]);
    map.unique("enum", &["value"]);
    if let Some(Value::Seq(values)) = map.value("enum")
        && values.is_empty()
    {
        map.refuse("enum", "is empty", "name at least one value or remove it");
    }
}

fn enum_value(map: &Map<'_>) {
    custom(map);
    if let Some(value @ (Value::Seq(_) | Value::Map(_))) = map.value("value") {
        map.refuse(
            "value",
            format!("expected a single value, found {}", value.kind()),
            "write a text, a number or a boolean",
        );
    }
}
