//! The conditions of CHECK that a contract's types can promise.

use mesh_core::contract::{Field, Type};
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::statements::bare;
use crate::draft::{are_symbols, symbols};

/// What a condition says about a column.
pub(super) enum Promise {
    OneOf(Vec<String>),
    AtLeast(i64),
    AtMost(i64),
    LengthAtLeast(i64),
    LengthAtMost(i64),
}

/// The promises that `condition` is made of; `None` if it says anything else.
pub(super) fn promises(condition: &Expr) -> Option<Vec<(String, Promise)>> {
    match condition {
        Expr::Nested(inner) => promises(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            let mut all = promises(left)?;
            all.extend(promises(right)?);
            Some(all)
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => {
            let words: Option<Vec<String>> = list.iter().map(word).collect();
            Some(vec![(column(expr)?, Promise::OneOf(words?))])
        }
        Expr::Between {
            expr,
            negated: false,
            low,
            high,
        } => Some(vec![
            (column(expr)?, Promise::AtLeast(whole(low)?)),
            (column(expr)?, Promise::AtMost(whole(high)?)),
        ]),
        Expr::BinaryOp { left, op, right } => {
            let (least, most) = match op {
                BinaryOperator::GtEq => (Some(whole(right)?), None),
                BinaryOperator::Gt => (Some(whole(right)?.checked_add(1)?), None),
                BinaryOperator::LtEq => (None, Some(whole(right)?)),
                BinaryOperator::Lt => (None, Some(whole(right)?.checked_sub(1)?)),
                _ => return None,
            };
            let (name, of_length) = match length_of(left) {
                Some(name) => (name, true),
                None => (column(left)?, false),
            };
            let promise = match (least, most, of_length) {
                (Some(limit), _, false) => Promise::AtLeast(limit),
                (Some(limit), _, true) => Promise::LengthAtLeast(limit),
                (_, Some(limit), false) => Promise::AtMost(limit),
                (_, Some(limit), true) => Promise::LengthAtMost(limit),
                _ => return None,
            };
            Some(vec![(name, promise)])
        }
        _ => None,
    }
}

fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()),
        Expr::Nested(inner) => column(inner),
        // Postgres prints `(status)::text`.
        Expr::Cast { expr, .. } => column(expr),
        _ => None,
    }
}

/// The column in `CHAR_LENGTH(column)`.
fn length_of(expr: &Expr) -> Option<String> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let text = function.to_string();
    let (name, rest) = text.split_once('(')?;
    let known = ["char_length", "character_length", "length"];
    let argument = rest.strip_suffix(')')?;
    (known.contains(&name.to_ascii_lowercase().as_str()) && !argument.contains(['(', ',', ' ']))
        .then(|| bare(argument))
}

fn word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Cast { expr, .. } => word(expr),
        Expr::Nested(inner) => word(inner),
        _ => None,
    }
}

fn whole(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => whole(expr)?.checked_neg(),
        Expr::Nested(inner) => whole(inner),
        _ => None,
    }
}

/// Whether `field` can keep `promise`, which is then part of its type.
pub(super) fn apply(promise: &Promise, field: &mut Field) -> bool {
    match (promise, &mut field.ty) {
        (Promise::OneOf(words), Type::String { .. })
            if are_symbols(words.iter().map(String::as_str)) =>
        {
            field.ty = symbols(words.iter().map(|word| (word.clone(), None)));
        }
        (Promise::AtLeast(limit), Type::Int32 { minimum, .. } | Type::Int64 { minimum, .. }) => {
            *minimum = Some(*limit)
        }
        (Promise::AtMost(limit), Type::Int32 { maximum, .. } | Type::Int64 { maximum, .. }) => {
            *maximum = Some(*limit);
        }
        (Promise::LengthAtLeast(limit), Type::String { min_length, .. }) => {
            *min_length = u32::try_from(*limit).ok();
        }
        (Promise::LengthAtMost(limit), Type::String { max_length, .. }) => {
            *max_length = u32::try_from(*limit).ok();
        }
        _ => return false,
    }
    true
}
