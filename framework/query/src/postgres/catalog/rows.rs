//! Small tables, row by row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int16Builder, Int32Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult};

/// A value of a catalog's table.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Int(i64),
    Bool(bool),
    Text(String),
    Numbers(Vec<i16>),
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<i16> for Value {
    fn from(value: i16) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Vec<i16>> for Value {
    fn from(value: Vec<i16>) -> Self {
        Self::Numbers(value)
    }
}

/// A row: values by the names of their columns. What is not named is 0, false, empty or, in
/// a column that may be null, null.
pub(super) type Row = Vec<(&'static str, Value)>;

/// A table with `columns`, words of a name, a colon and a letter:
///
/// | letter | type | |
/// |---|---|---|
/// | o | oid | 0 |
/// | i, s | int4, int2 | 0 |
/// | f | float4 | 0 |
/// | b | boolean | false |
/// | n, c | name, "char" | empty |
/// | t | text | null |
/// | v | int2 array | null |
/// | a | text array | null |
pub(super) fn table(columns: &str, rows: &[Row]) -> DfResult<Arc<dyn TableProvider>> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in columns.split_whitespace() {
        let (name, letter) = column
            .split_once(':')
            .ok_or_else(|| DataFusionError::Internal("a column has no type".to_owned()))?;
        let values = rows.iter().map(|row| {
            row.iter()
                .find(|(column, _)| *column == name)
                .map(|(_, value)| value)
        });
        let int = |value: Option<&Value>| match value {
            Some(Value::Int(value)) => *value,
            _ => 0,
        };
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let mut metadata = HashMap::new();
        let array: ArrayRef = match letter {
            "o" => {
                metadata.insert("pg.oid_alias".to_owned(), "oid".to_owned());
                Arc::new(Int32Array::from_iter_values(values.map(|v| int(v) as i32)))
            }
            "i" => Arc::new(Int32Array::from_iter_values(values.map(|v| int(v) as i32))),
            "s" => Arc::new(Int16Array::from_iter_values(values.map(|v| int(v) as i16))),
            "f" => Arc::new(Float32Array::from_iter_values(
                values.map(|v| int(v) as f32),
            )),
            "b" => Arc::new(BooleanArray::from_iter(
                values.map(|value| Some(matches!(value, Some(Value::Bool(true))))),
            )),
            "n" => Arc::new(StringArray::from_iter_values(
                values.map(|value| text(value).unwrap_or_default()),
            )),
            "c" => {
                metadata.insert("pg.char".to_owned(), "char".to_owned());
                Arc::new(StringArray::from_iter_values(
                    values.map(|value| text(value).unwrap_or_default()),
                ))
            }
            "t" => Arc::new(StringArray::from_iter(values.map(text))),
            "v" => {
                let mut lists = ListBuilder::new(Int16Builder::new());
                for value in values {
                    match value {
                        Some(Value::Numbers(numbers)) => {
                            lists.append_value(numbers.iter().map(|number| Some(*number)));
                        }
                        _ => lists.append_null(),
                    }
                }
                Arc::new(lists.finish())
            }
            _ => {
                let mut lists = ListBuilder::new(StringBuilder::new());
                for _ in values {
                    lists.append_null();
                }
                Arc::new(lists.finish())
            }
        };
        let nullable = matches!(array.data_type(), DataType::List(_)) || letter == "t";
        fields.push(Field::new(name, array.data_type().clone(), nullable).with_metadata(metadata));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
