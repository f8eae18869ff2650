//! YAML with positions, and a reader that collects every problem instead of stopping at
//! the first.

use std::cell::RefCell;
use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::diagnostic::{Diagnostic, Diagnostics};

/// The largest file read, in bytes; a contract of 1 MiB holds thousands of columns.
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<(String, At, Node)>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "empty",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Node {
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Str(value) => value.clone().into(),
            Value::Seq(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, _, node)| (key.clone(), node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Collects what is wrong with one file.
pub(crate) struct Reader {
    file: String,
    problems: RefCell<Vec<Diagnostic>>,
}

impl Reader {
    pub(crate) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            problems: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn refuse(
        &self,
        at: At,
        field: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.problems.borrow_mut().push(Diagnostic {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            field: field.to_owned(),
            message: message.into(),
            mend: mend.into(),
        });
    }

    /// The model if nothing was refused, else everything that was.
    pub(crate) fn finish<T>(self, model: Option<T>) -> Result<T, Diagnostics> {
        let mut problems = self.problems.into_inner();
        match model {
            Some(model) if problems.is_empty() => Ok(model),
            _ => {
                if problems.is_empty() {
                    problems.push(Diagnostic {
                        file: self.file,
                        line: 1,
                        column: 1,
                        field: String::new(),
                        message: "the file cannot be read".into(),
                        mend: "check it against the official JSON Schema".into(),
                    });
                }
                match Diagnostics::from_items(problems) {
                    Some(problems) => Err(problems),
                    None => unreachable!("a problem was pushed above"),
                }
            }
        }
    }

    /// Parses `text` as one YAML document whose root is a mapping.
    pub(crate) fn parse(&self, text: &str) -> Option<Node> {
        let start = At { line: 1, column: 1 };
        if text.len() > MAX_BYTES {
            self.refuse(
                start,
                "",
                format!("the file has {} bytes", text.len()),
                format!("keep it under {MAX_BYTES} bytes"),
            );
            return None;
        }
        let documents = match MarkedYaml::load_from_str(text) {
            Ok(documents) => documents,
            Err(error) => {
                let at = At {
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                };
                self.refuse(
                    at,
                    "",
                    format!("not valid YAML: {}", error.info()),
                    "mend the syntax at this line",
                );
                return None;
            }
        };
        let [document] = documents.as_slice() else {
            self.refuse(
                start,
                "",
                format!("{} YAML documents in one file", documents.len()),
                "write exactly one document, without `---` in between",
            );
            return None;
        };
        self.convert(document, "", 0)
    }

    fn convert(&self, yaml: &MarkedYaml<'_>, path: &str, depth: usize) -> Option<Node> {
        let at = At {
            line: yaml.span.start.line(),
            column: yaml.span.start.col() + 1,
        };
        if depth > 64 {
            self.refuse(at, path, "nested more than 64 levels deep", "flatten it");
            return None;
        }
        let value = match &yaml.data {
            YamlData::Value(Scalar::Null) => Value::Null,
            YamlData::Value(Scalar::Boolean(value)) => Value::Bool(*value),
            YamlData::Value(Scalar::Integer(value)) => Value::Int(*value),
            YamlData::Value(Scalar::FloatingPoint(value)) => Value::Float(value.into_inner()),
            YamlData::Value(Scalar::String(value)) => Value::Str(value.to_string()),
            YamlData::Sequence(items) => Value::Seq(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| self.convert(item, &format!("{path}[{i}]"), depth + 1))
                    .collect(),
            ),
            YamlData::Mapping(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, item) in entries.iter() {
                    let key_at = At {
                        line: key.span.start.line(),
                        column: key.span.start.col() + 1,
                    };
                    let YamlData::Value(Scalar::String(name)) = &key.data else {
                        self.refuse(key_at, path, "a key that is not a string", "quote the key");
                        continue;
                    };
                    let inner = join(path, name);
                    if let Some(node) = self.convert(item, &inner, depth + 1) {
                        map.push((name.to_string(), key_at, node));
                    }
                }
                Value::Map(map)
            }
            _ => {
                self.refuse(
                    at,
                    path,
                    "a YAML tag, alias or value that is not understood here",
                    "write the value out in plain YAML",
                );
                return None;
            }
        };
        Some(Node { at, value })
    }

    /// Opens `node` as a mapping.
    pub(crate) fn map<'a>(&'a self, node: &'a Node, path: &str) -> Option<Map<'a>> {
        let Value::Map(entries) = &node.value else {
            self.refuse(
                node.at,
                path,
                format!("expected a mapping, found {}", node.value.kind()),
                "write `key: value` lines here",
            );
            return None;
        };
        Some(Map {
            reader: self,
            at: node.at,
            path: path.to_owned(),
            entries,
            taken: RefCell::new(BTreeSet::new()),
        })
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A mapping that remembers which of its keys were asked for; the others are refused.
pub(crate) struct Map<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) at: At,
    pub(crate) path: String,
    entries: &'a [(String, At, Node)],
    taken: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Map<'a> {
    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Where the value of `key` stands, or the mapping itself.
    pub(crate) fn at_of(&self, key: &str) -> At {
        self.entries
            .iter()
            .find(|(name, ..)| name == key)
            .map_or(self.at, |(.., node)| node.at)
    }

    pub(crate) fn refuse(&self, key: &str, message: impl Into<String>, mend: impl Into<String>) {
        self.reader
            .refuse(self.at_of(key), &self.path_of(key), message, mend);
    }

    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.taken.borrow_mut().insert(key);
        self.entries
            .iter()
            .find(|(name, ..)| name == key)
            .map(|(.., node)| node)
    }

    fn wrong(&self, key: &str, node: &Node, expected: &str, mend: &str) {
        self.reader.refuse(
            node.at,
            &self.path_of(key),
            format!("expected {expected}, found {}", node.value.kind()),
            mend,
        );
    }

    pub(crate) fn string(&self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        match &node.value {
            Value::Str(text) => Some(text.clone()),
            _ => {
                self.wrong(key, node, "a string", "put the value in quotes");
                None
            }
        }
    }

    pub(crate) fn required_string(&self, key: &'static str) -> Option<String> {
        if !self.entries.iter().any(|(name, ..)| name == key) {
            self.taken.borrow_mut().insert(key);
            self.reader.refuse(
                self.at,
                &self.path_of(key),
                "is missing",
                format!("add `{key}: …` here"),
            );
            return None;
        }
        let text = self.string(key)?;
        if text.trim().is_empty() {
            self.refuse(key, "is empty", "say what it is");
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(key, node, "a boolean", "write true or false");
                None
            }
        }
    }

    pub(crate) fn integer(&self, key: &'static str) -> Option<i64> {
        let node = self.node(key)?;
        match node.value {
            Value::Int(value) => Some(value),
            _ => {
                self.wrong(key, node, "an integer", "write a whole number");
                None
            }
        }
    }

    /// The items of a list with their paths; empty if the key is absent.
    pub(crate) fn items(&self, key: &'static str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        match &node.value {
            Value::Seq(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| (format!("{}[{at}]", self.path_of(key)), item))
                .collect(),
            _ => {
                self.wrong(key, node, "a list", "write `- …` lines here");
                Vec::new()
            }
        }
    }

    pub(crate) fn maps(&self, key: &'static str) -> Vec<Map<'a>>
    where
        'a: 'a,
    {
        let reader = self.reader;
        self.items(key)
            .into_iter()
            .filter_map(|(path, node)| reader.map(node, &path))
            .collect()
    }

    pub(crate) fn strings(&self, key: &'static str) -> Vec<String> {
        let mut found = Vec::new();
        for (path, node) in self.items(key) {
            match &node.value {
                Value::Str(text) => found.push(text.clone()),
                other => self.reader.refuse(
                    node.at,
                    &path,
                    format!("expected a string, found {}", other.kind()),
                    "put the value in quotes",
                ),
            }
        }
        found
    }

    pub(crate) fn child(&self, key: &'static str) -> Option<Map<'a>> {
        let node = self.node(key)?;
        self.reader.map(node, &self.path_of(key))
    }

    /// A string that must be one of `allowed`.
    pub(crate) fn one_of(&self, key: &'static str, allowed: &[&str]) -> Option<String> {
        let text = self.required_string(key)?;
        if allowed.contains(&text.as_str()) {
            return Some(text);
        }
        self.refuse(
            key,
            format!("`{text}` is not understood here"),
            format!("write {}", quoted(allowed)),
        );
        None
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(&self) {
        let taken = self.taken.borrow();
        for (name, at, _) in self.entries {
            if taken.contains(name.as_str()) {
                continue;
            }
            let near = taken
                .iter()
                .filter(|known| distance(known, name) <= 2)
                .min_by_key(|known| distance(known, name));
            let mend = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "remove it or use one of {}",
                    quoted(&taken.iter().copied().collect::<Vec<_>>())
                ),
            };
            self.reader
                .refuse(*at, &self.path_of(name), "is not understood here", mend);
        }
    }
}

pub(crate) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The Levenshtein distance of two keys.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (corner + usize::from(x != *y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
