//! Numbers of JSON compared without rounding, and equality of JSON values.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

/// From here on a float is no longer held as a whole number.
const WHOLE: f64 = 1e30;

/// A number of a schema: whole numbers exactly, others as floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Num {
    Int(i128),
    Float(f64),
}

impl Num {
    pub(super) fn of(number: &Number) -> Self {
        if let Some(int) = number.as_i64() {
            return Self::Int(int.into());
        }
        if let Some(int) = number.as_u64() {
            return Self::Int(int.into());
        }
        let float = number.as_f64().unwrap_or(f64::NAN);
        if float.fract() == 0.0 && float.abs() < WHOLE {
            Self::Int(float as i128)
        } else {
            Self::Float(float)
        }
    }

    pub(super) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(Self::of(number)),
            _ => None,
        }
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(&b),
            (Self::Int(a), Self::Float(b)) => order_mixed(a, b),
            (Self::Float(a), Self::Int(b)) => order_mixed(b, a).reverse(),
        }
    }

    /// Whether every multiple of this number is a multiple of `other`. Only what is certain.
    pub(super) fn is_multiple_of(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => b != 0 && a % b == 0,
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(float) => write!(f, "{float}"),
        }
    }
}

fn order_mixed(int: i128, float: f64) -> Ordering {
    if float.abs() >= WHOLE {
        return if float > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    // A float that is a whole number is an Int here, so the two are never equal.
    if int <= float.floor() as i128 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// Equality as JSON Schema defines it: 1 and 1.0 are the same, the order of keys is nothing.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Num::of(a) == Num::of(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}
