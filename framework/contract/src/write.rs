//! JSON values as YAML text: block style, one key a line, texts quoted only where a reader of
//! YAML 1.1 or 1.2 would take them for something else.

use saphyr::Scalar;
use serde_json::{Map as JsonMap, Value as Json};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes where that is safe.
    Plain,
    Single,
    Double,
}

/// The longest line that a list of scalars is put on.
const LINE: usize = 100;

/// A whole document.
pub(crate) fn document(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, false),
        Json::Array(items) if !items.is_empty() => sequence(&mut out, items, 0, false),
        other => {
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
    out
}

/// The lines of a mapping; `inline` leaves out the first line's indentation.
pub(crate) fn mapping(out: &mut String, map: &JsonMap<String, Json>, indent: usize, inline: bool) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 || !inline {
            spaces(out, indent);
        }
        out.push_str(&scalar(&Json::from(key.as_str()), Style::Plain, false));
        out.push(':');
        after(out, value, indent, key == "logicalTypeOptions");
    }
}

/// The lines of a list; `inline` leaves out the first line's indentation.
pub(crate) fn sequence(out: &mut String, items: &[Json], indent: usize, inline: bool) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !inline {
            spaces(out, indent);
        }
        out.push('-');
        match item {
            Json::Object(map) if !map.is_empty() => {
                out.push(' ');
                mapping(out, map, indent + 2, true);
            }
            Json::Array(inner) if !inner.is_empty() && !one_line(item, indent) => {
                out.push(' ');
                sequence(out, inner, indent + 2, true);
            }
            _ => after(out, item, indent, true),
        }
    }
}

/// What follows a colon or a dash at `indent`, with the line's end.
pub(crate) fn after(out: &mut String, value: &Json, indent: usize, compact: bool) {
    match value {
        Json::Object(map) if !(map.is_empty() || compact && one_line(value, indent)) => {
            out.push('\n');
            mapping(out, map, indent + 2, false);
        }
        Json::Array(items) if !items.is_empty() && !one_line(value, indent) => {
            out.push('\n');
            sequence(out, items, indent + 2, false);
        }
        Json::String(text) if text.contains('\n') && literal_fits(text) => {
            literal(out, text, indent + 2);
        }
        other => {
            out.push(' ');
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

/// Whether a collection holds scalars only and fits on a line.
fn one_line(value: &Json, indent: usize) -> bool {
    let single = |value: &Json| !matches!(value, Json::Array(_) | Json::Object(_));
    let scalars = match value {
        Json::Array(items) => items.iter().all(single),
        Json::Object(map) => map.values().all(single),
        _ => true,
    };
    scalars && indent + flow(value).chars().count() <= LINE
}

/// The value on one line.
pub(crate) fn flow(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(flow_inner).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| {
                    let key = scalar(&Json::from(key.as_str()), Style::Plain, true);
                    format!("{key}: {}", flow_inner(value))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => scalar(other, Style::Plain, false),
    }
}

/// A value inside brackets.
pub(crate) fn flow_inner(value: &Json) -> String {
    match value {
        Json::Array(_) | Json::Object(_) => flow(value),
        other => scalar(other, Style::Plain, true),
    }
}

/// A scalar on one line.
pub(crate) fn scalar(value: &Json, style: Style, in_flow: bool) -> String {
    let text = match value {
        Json::String(text) => text,
        Json::Number(number) => return number_text(number),
        other => return other.to_string(),
    };
    let printable = text.chars().all(|c| !c.is_control() && c != '\u{FEFF}');
    match style {
        Style::Plain if printable && is_plain(text, in_flow) => text.clone(),
        Style::Single if printable => single(text),
        Style::Double => double(text),
        _ if printable && !text.contains('\'') => single(text),
        _ => double(text),
    }
}

fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    // YAML 1.1 knows an exponent only after a point and with a sign.
    match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => {
            let point = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) {
                ""
            } else {
                "+"
            };
            format!("{digits}{point}e{sign}{exponent}")
        }
        None => text,
    }
}

/// Whether every reader takes `text` without quotes for this text.
fn is_plain(text: &str, in_flow: bool) -> bool {
    let first_fits = text.starts_with(|c: char| c.is_alphabetic() || "_/$(<^;\\".contains(c));
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    // PyYAML takes no question mark there.
    let ends_flow = in_flow && text.contains([',', '[', ']', '{', '}', ':', '?']);
    first_fits
        && text.trim() == text
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !ends_flow
        && !words.contains(&text.to_ascii_lowercase().as_str())
        && text != "<<"
        && matches!(Scalar::parse_from_cow(text.into()), Scalar::String(_))
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || c == '\u{FEFF}' => {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a text of several lines can stand as a literal block.
fn literal_fits(text: &str) -> bool {
    !text.starts_with([' ', '\n', '\t'])
        && !text.trim_end_matches('\n').is_empty()
        && text.chars().all(|c| {
            c == '\n' || (!c.is_control() && !matches!(c, '\u{FEFF}' | '\u{2028}' | '\u{2029}'))
        })
}

/// ` |` with the text's lines at `indent`.
pub(crate) fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            spaces(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}
