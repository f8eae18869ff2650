//! The keys of tombstones, which have nothing else, as columns.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::types::Value;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, SchemaRef};
use mesh_core::contract::{Contract, KeySchema};
use mesh_core::{Error, Result};
use mesh_stream::batch::MessageRef;
use mesh_stream::{FRAME_BYTES, RegistryClient, WriterSchema, split_frame};

use crate::fault;

/// Decodes keys.
pub(crate) struct Keys {
    registry: RegistryClient,
    columns: Vec<String>,
    /// Whether keys are Avro; else their columns stay null.
    registered: bool,
    schemas: HashMap<u32, Arc<WriterSchema>>,
}

impl Keys {
    pub(crate) fn new(registry: RegistryClient, contract: &Contract) -> Self {
        let columns = contract.schema.kafka_key();
        Self {
            registry,
            columns: columns.iter().map(|field| field.name.clone()).collect(),
            registered: !matches!(contract.schema.key_schema, Some(KeySchema::Unregistered)),
            schemas: HashMap::new(),
        }
    }

    /// The columns of the key of `message` in their order; `None` if it cannot be read.
    ///
    /// # Errors
    /// If the registry cannot be reached.
    pub(crate) async fn read(&mut self, message: &MessageRef<'_>) -> Result<Option<Vec<Value>>> {
        if !self.registered {
            return Ok(Some(vec![Value::Null; self.columns.len()]));
        }
        let Some(Ok((id, avro))) = message.key.map(split_frame) else {
            return Ok(None);
        };
        let schema = match self.schemas.get(&id) {
            Some(schema) => Arc::clone(schema),
            None => match self.registry.writer_schema(id).await {
                Ok(schema) => {
                    self.schemas.insert(id, Arc::clone(&schema));
                    schema
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(_) => return Ok(None),
            },
        };
        debug_assert_eq!(FRAME_BYTES + avro.len(), message.key.map_or(0, <[u8]>::len));
        Ok(match (schema.decode(avro), self.columns.as_slice()) {
            (Err(_), _) => None,
            (Ok(Value::Record(fields)), columns) => columns
                .iter()
                .map(|column| {
                    let found = fields.iter().find(|(name, _)| name == column);
                    found.map(|(_, value)| value.clone())
                })
                .collect(),
            (Ok(value), [_]) => Some(vec![value]),
            (Ok(_), _) => None,
        })
    }

    /// The columns of a table with `schema` for keys that were read.
    pub(crate) fn arrays(
        &self,
        keys: &[Vec<Value>],
        schema: &SchemaRef,
    ) -> Result<Vec<(String, ArrayRef)>> {
        let array = |(at, name): (usize, &String)| {
            let field = schema.field_with_name(name).map_err(|_| {
                fault::foreign("the table lacks a column of the key").with("column", name)
            })?;
            let values = keys.iter().map(|key| key.get(at).unwrap_or(&Value::Null));
            Ok((name.clone(), array(field.data_type(), values)?))
        };
        self.columns.iter().enumerate().map(array).collect()
    }
}

/// Values as a column of type `ty`; those of another type are null.
fn array<'a>(
    ty: &DataType,
    values: impl ExactSizeIterator<Item = &'a Value> + Clone,
) -> Result<ArrayRef> {
    let values = values.map(|value| match value {
        Value::Union(_, inner) => inner.as_ref(),
        value => value,
    });
    Ok(match ty {
        DataType::Utf8 => Arc::new(StringArray::from_iter(values.map(|value| match value {
            Value::String(text) | Value::Enum(_, text) => Some(text.clone()),
            Value::Uuid(id) => Some(id.to_string()),
            _ => None,
        }))),
        DataType::Int32 => Arc::new(Int32Array::from_iter(values.map(|value| match value {
            Value::Int(number) | Value::TimeMillis(number) => Some(*number),
            _ => None,
        }))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(values.map(|value| match value {
            Value::Long(number) | Value::TimeMicros(number) => Some(*number),
            Value::Int(number) => Some(i64::from(*number)),
            _ => None,
        }))),
        DataType::Date32 => Arc::new(Date32Array::from_iter(values.map(|value| match value {
            Value::Date(days) => Some(*days),
            _ => None,
        }))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }))),
        DataType::Timestamp(..) => {
            let micros = values.map(|value| match value {
                Value::TimestampMicros(micros) => Some(*micros),
                Value::TimestampMillis(millis) => millis.checked_mul(1000),
                _ => None,
            });
            let array = TimestampMicrosecondArray::from_iter(micros);
            Arc::new(array.with_timezone_opt(Some("UTC")))
        }
        DataType::Decimal128(precision, scale) => {
            let numbers = values.map(|value| match value {
                Value::Decimal(number) => {
                    let bytes = <Vec<u8>>::try_from(number).ok()?;
                    crate::stats::big_endian(&bytes)
                }
                _ => None,
            });
            let array = Decimal128Array::from_iter(numbers);
            let array = array.with_precision_and_scale(*precision, *scale);
            Arc::new(array.map_err(|error| fault::arrow("a key has no column", error))?)
        }
        other => {
            let rows = values.len();
            if rows > 0 {
                return Err(
                    Error::internal("a key of a type that keys do not have").with("type", other)
                );
            }
            new_null_array(other, 0)
        }
    })
}
