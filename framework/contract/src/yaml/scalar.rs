//! Scalars: what they say, and where they stand when the parser's place is not theirs.

use std::ops::Range;

use saphyr::{Scalar, ScalarStyle};

use super::Value;

/// The first dash of a list, or its bracket; the parser starts a list that stands no deeper
/// than its key at its first item.
pub(super) fn dash_before(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let dash = rest
        .strip_prefix('-')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r', '\t']));
    if dash || rest.starts_with('[') {
        return start;
    }
    match text[..start].trim_end() {
        before if before.ends_with('-') => before.len() - 1,
        _ => start,
    }
}

/// The `|` or `>` of a block of text; the parser's start is that of its first line.
pub(super) fn block_start(text: &str, start: usize) -> usize {
    if text[start..].starts_with(['|', '>']) {
        return start;
    }
    let before = text[..start].trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let is_header = |at: &usize| {
        let rest = before[line + at + 1..]
            .trim_start_matches(|c: char| c == '+' || c == '-' || c.is_ascii_digit());
        rest.trim().is_empty() || rest.trim_start().starts_with('#')
    };
    before[line..]
        .match_indices(['|', '>'])
        .map(|(at, _)| at)
        .find(is_header)
        .map_or(start, |at| line + at)
}

/// The end of a scalar; the parser's end of a quoted one takes in what follows it.
pub(super) fn quoted_end(text: &str, span: &Range<usize>, style: ScalarStyle) -> usize {
    let body = text.as_bytes().get(span.start + 1..).unwrap_or_default();
    let mut at = 0;
    match style {
        ScalarStyle::SingleQuoted => {
            while at < body.len() {
                match (body[at], body.get(at + 1)) {
                    (b'\'', Some(b'\'')) => at += 2,
                    (b'\'', _) => return span.start + at + 2,
                    _ => at += 1,
                }
            }
        }
        ScalarStyle::DoubleQuoted => {
            while at < body.len() {
                match body[at] {
                    b'\\' => at += 2,
                    b'"' => return span.start + at + 2,
                    _ => at += 1,
                }
            }
        }
        _ => {}
    }
    span.end
}

/// The value of a scalar under YAML's core schema.
pub(super) fn scalar(
    text: &str,
    style: ScalarStyle,
) -> Result<Value, (&'static str, &'static str)> {
    let quote = "put the value in quotes if it is a text";
    let read = Scalar::parse_from_cow_and_metadata(text.into(), style, None);
    Ok(match read {
        Some(Scalar::Null) | None => Value::Null,
        Some(Scalar::Boolean(value)) => Value::Bool(value),
        Some(Scalar::Integer(value)) => Value::Number(value.into()),
        Some(Scalar::String(value)) => Value::Str(value.into_owned()),
        Some(Scalar::FloatingPoint(value)) => {
            let digits = text.trim_start_matches(['+', '-']);
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                // A float would silently be another number.
                match digits.parse::<u64>() {
                    Ok(value) if !text.starts_with('-') => Value::Number(value.into()),
                    _ => return Err(("an integer of more than 64 bits", quote)),
                }
            } else {
                match serde_json::Number::from_f64(value.into_inner()) {
                    Some(value) => Value::Number(value),
                    None => return Err(("a number that is not finite", quote)),
                }
            }
        }
    })
}
