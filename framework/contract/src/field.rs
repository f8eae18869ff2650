//! The columns of a record, and the fields of the objects in it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::custom::{custom_properties, refuse_unknown};
use crate::logical::read_type;
use crate::names::check_name;
use crate::node::Map;
use crate::standard::{DataQuality, Relationship};
use crate::types::Type;

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
    /// Whether it is no longer to be used.
    pub deprecated: bool,
    /// Quality checks on its values.
    pub quality: Vec<DataQuality>,
    /// What its values refer to.
    pub relationships: Vec<Relationship>,
    /// `customProperties` that the framework gives no meaning, by name.
    pub custom: BTreeMap<String, Json>,
}

impl Field {
    /// Whether the column holds personal data, which a policy must unmask before it is read.
    pub fn is_personal(&self) -> bool {
        self.classification.as_deref() == Some("personal")
    }
}

pub(crate) fn read_fields(map: &Map<'_>) -> Vec<Field> {
    map.maps("properties")
        .iter()
        .filter_map(read_field)
        .collect()
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
        deprecated: map.boolean("deprecated").unwrap_or(false),
        quality: map.again("quality"),
        relationships: map.again("relationships"),
        custom,
        name: name.unwrap_or_default(),
        ty: ty?,
    };
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
            format!("`{}` is not understood here", crate::yaml::shown(word)),
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
