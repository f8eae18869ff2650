//! Names, namespaces and full names (Avro 1.12 specification, "Names").

use std::fmt;

/// The names of the eight primitive types; none can be the full name of another type.
pub(super) const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// Every word that means a kind of type where a name is expected.
const TYPE_WORDS: [&str; 14] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum",
    "array", "map", "union", "fixed",
];

/// The name of a record, an enum or a fixed, or one of its aliases.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    full: String,
    /// Where the unqualified name starts in `full`.
    start: usize,
}

impl Name {
    /// Reads `name`, which a dot makes a full name; else it stands in `namespace`.
    pub(super) fn new(name: &str, namespace: Option<&str>) -> Result<Self, String> {
        let namespace = match name.rsplit_once('.') {
            Some((own, _)) => Some(own),
            None => namespace.filter(|namespace| !namespace.is_empty()),
        };
        let short = name.rsplit('.').next().unwrap_or(name);
        if let Some(namespace) = namespace {
            check_namespace(namespace)?;
        }
        check_name(short)?;
        Ok(match namespace {
            Some(namespace) => Self {
                start: namespace.len() + 1,
                full: format!("{namespace}.{short}"),
            },
            None => Self {
                start: 0,
                full: short.to_owned(),
            },
        })
    }

    pub(super) fn full(&self) -> &str {
        &self.full
    }

    /// The name without its namespace.
    pub(super) fn short(&self) -> &str {
        &self.full[self.start..]
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        (self.start > 0).then(|| &self.full[..self.start - 1])
    }

    /// The shortest text that means this name inside `enclosing`.
    pub(super) fn within(&self, enclosing: Option<&str>) -> &str {
        let inside = self.namespace().is_some() && self.namespace() == enclosing;
        if inside && !TYPE_WORDS.contains(&self.short()) {
            self.short()
        } else {
            self.full()
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// Checks a name: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let good = match chars.next() {
        None => return Err("a name is empty".to_owned()),
        Some(first) => first.is_ascii_alphabetic() || first == '_',
    };
    if good && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(format!(
        "'{}' is not a name: it starts with a letter or '_' and goes on with letters, digits and '_'",
        excerpt(name)
    ))
}

/// Checks a namespace: names joined by dots; the empty one is the null namespace.
pub(super) fn check_namespace(namespace: &str) -> Result<(), String> {
    if namespace.is_empty() {
        return Err("the null namespace cannot be part of a dotted name".to_owned());
    }
    for part in namespace.split('.') {
        check_name(part).map_err(|reason| {
            format!(
                "'{}' is not a namespace (names joined by dots): {reason}",
                excerpt(namespace)
            )
        })?;
    }
    Ok(())
}

/// The start of a text from outside, short enough to stand in a message.
pub(super) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
