//! How values that hold others are written and read: options, lists and maps.

use std::collections::BTreeMap;

use apache_avro::types::Value;
use serde_json::Value as Json;

use crate::error::Result;
use crate::field::{FieldValue, mismatch, present, write_bytes, write_long};

impl<T: FieldValue> FieldValue for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(2);
                value.write(out);
            }
        }
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Union(_, inner)) if matches!(inner.as_ref(), Value::Null) => Ok(None),
            Some(Value::Union(_, inner)) => T::read(Some(inner), field).map(Some),
            Some(value) => T::read(Some(value), field).map(Some),
        }
    }

    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, FieldValue::to_json)
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::Null => Ok(None),
            value => T::from_json(value, field).map(Some),
        }
    }
}

impl<T: FieldValue> FieldValue for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            write_long(self.len() as i64, out);
            for item in self {
                item.write(out);
            }
        }
        out.push(0);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Array(items) => items
                .iter()
                .map(|item| T::read(Some(item), field))
                .collect(),
            _ => Err(mismatch(field, "an array")),
        }
    }

    fn to_json(&self) -> Json {
        self.iter().map(FieldValue::to_json).collect()
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::Array(items) => items.iter().map(|item| T::from_json(item, field)).collect(),
            _ => Err(mismatch(field, "an array")),
        }
    }
}

impl<T: FieldValue> FieldValue for BTreeMap<String, T> {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            write_long(self.len() as i64, out);
            for (key, value) in self {
                write_bytes(key.as_bytes(), out);
                value.write(out);
            }
        }
        out.push(0);
    }

    fn read(value: Option<&Value>, field: &str) -> Result<Self> {
        match present(value, field)? {
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), T::read(Some(value), field)?)))
                .collect(),
            _ => Err(mismatch(field, "a map")),
        }
    }

    fn to_json(&self) -> Json {
        Json::Object(
            self.iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect(),
        )
    }

    fn from_json(value: &Json, field: &str) -> Result<Self> {
        match value {
            Json::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), T::from_json(value, field)?)))
                .collect(),
            _ => Err(mismatch(field, "a JSON object")),
        }
    }
}
