//! Rows of a state product that a statement names by their keys.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use mesh_core::contract::Schema;
use mesh_core::{Result, encode_key};
use mesh_stream::{RegistryClient, put_frame};
use serde_json::{Map, Value as Json};

/// The most keys that are looked up one by one; more are found by a scan.
const MOST: usize = 1_000;

/// Whether `filter` holds a column of the key of `schema` to constants.
pub(crate) fn names_key(schema: &Schema, filter: &Expr) -> bool {
    let key = schema.kafka_key();
    schema.key_schema.is_none()
        && constants(filter).is_some_and(|(column, _)| key.iter().any(|field| field.name == column))
}

/// The rows that `filters` name by their whole key, with the columns of the key alone; nothing
/// if they leave a column open.
pub(crate) fn named_rows(schema: &Schema, filters: &[Expr]) -> Option<Vec<Map<String, Json>>> {
    // Keys of another form than ours are not made here.
    if schema.key_schema.is_some() {
        return None;
    }
    let mut held: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (column, values) in filters.iter().filter_map(constants) {
        let values: Vec<Json> = values
            .iter()
            .map(|value| json(value))
            .collect::<Option<_>>()?;
        // What else is said of the column is judged above the scan.
        held.entry(column).or_insert(values);
    }
    let mut rows = vec![Map::new()];
    for field in schema.kafka_key() {
        let values = held.get(&field.name)?;
        if rows.len().checked_mul(values.len())? > MOST {
            return None;
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                values.iter().map(|value| {
                    let mut row = row.clone();
                    row.insert(field.name.clone(), value.clone());
                    row
                })
            })
            .collect();
    }
    Some(rows)
}

/// The framed keys of `rows`; nothing if they cannot be told for sure: the topic has keys
/// under several schemas, or a constant is none that the contract allows.
///
/// # Errors
/// If the registry cannot be asked.
pub(crate) async fn framed_keys(
    registry: &RegistryClient,
    topic: &str,
    schema: &Schema,
    rows: &[Map<String, Json>],
) -> Result<Option<Vec<Vec<u8>>>> {
    let Some(latest) = registry.latest(&format!("{topic}-key")).await? else {
        return Ok(None);
    };
    if latest.version != Some(1) {
        return Ok(None);
    }
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(key) = encode_key(schema, row) else {
            return Ok(None);
        };
        let mut framed = Vec::with_capacity(key.len() + 5);
        put_frame(latest.id, &mut framed);
        framed.extend_from_slice(&key);
        keys.push(framed);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(Some(keys))
}

/// The column that a filter holds to constants, and the constants.
fn constants(filter: &Expr) -> Option<(String, Vec<&ScalarValue>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _))
            | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some((column.name.clone(), vec![value]))
            }
            _ => None,
        },
        // A short list is written as comparisons that are joined by OR.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (column, mut values) = constants(left)?;
            let (other, more) = constants(right)?;
            values.extend(more);
            (column == other).then_some((column, values))
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let Expr::Column(column) = expr.as_ref() else {
                return None;
            };
            let values = list.iter().map(|item| match item {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            });
            Some((column.name.clone(), values.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// A constant as rows are written; nothing for types that keys seldom have.
fn json(value: &ScalarValue) -> Option<Json> {
    Some(match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => Json::from(text.as_str()),
        ScalarValue::Int32(Some(number)) => Json::from(*number),
        ScalarValue::Int64(Some(number)) => Json::from(*number),
        ScalarValue::Boolean(Some(truth)) => Json::from(*truth),
        _ => return None,
    })
}
