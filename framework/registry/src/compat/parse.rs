//! Reading a schema (Avro 1.12 specification, "Schema Declaration").

mod record;

use std::collections::{HashMap, HashSet};

use mesh_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::MAX_SCHEMA_BYTES;
use super::name::{Name, PRIMITIVES, check_name, check_namespace, excerpt};
use super::schema::{Decimal, Enum, Fixed, Header, Node, NodeId, Primitive, Schema};

/// Keys of a type that are not properties of its author.
const RESERVED: [&str; 10] = [
    "doc",
    "fields",
    "items",
    "name",
    "namespace",
    "size",
    "symbols",
    "values",
    "type",
    "aliases",
];
const FIELD_RESERVED: [&str; 6] = ["default", "doc", "name", "order", "type", "aliases"];

impl Schema {
    /// Reads a schema text. The error names the place as a JSON pointer (RFC 6901) and, for
    /// text that is not JSON, as line and column.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, &[])
    }

    /// Reads a schema text that uses the named types of other schemas. These come as name
    /// and text, each after those that it uses itself; an error in one names it.
    pub fn parse_with(text: &str, references: &[(String, String)]) -> Result<Self> {
        let mut bytes = text.len();
        for (_, text) in references {
            bytes = bytes.saturating_add(text.len());
        }
        if bytes > MAX_SCHEMA_BYTES {
            let what = match references.is_empty() {
                true => "the schema is too large",
                false => "the schema is too large together with what it refers to",
            };
            return Err(Error::new(ErrorKind::ResourceExhausted, what)
                .with("bytes", bytes)
                .with("limit", MAX_SCHEMA_BYTES)
                .retryable(false));
        }
        let mut parser = Parser::default();
        for (name, text) in references {
            parser
                .text_of(text)
                .map_err(|error| error.with("reference", excerpt(name)))?;
        }
        let borrowed = parser.nodes.len();
        let root = parser.text_of(text)?;
        Ok(Schema {
            nodes: parser.nodes,
            root,
            borrowed,
        })
    }
}

/// What is wrong with the JSON, without the position that stands beside it.
fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[derive(Default)]
pub(super) struct Parser {
    nodes: Vec<Node>,
    names: HashMap<String, NodeId>,
    path: Vec<String>,
}

impl Parser {
    /// Reads a whole text, with the names that were defined before it.
    fn text_of(&mut self, text: &str) -> Result<NodeId> {
        if text.trim().is_empty() {
            return Err(Error::invalid("the schema is empty"));
        }
        // serde_json stops at 128 nested arrays and objects, so the recursion below is bounded.
        let json: Value = serde_json::from_str(text).map_err(|error| {
            Error::invalid("the schema is not valid JSON")
                .with("line", error.line())
                .with("column", error.column())
                .with("cause", syntax(&error))
        })?;
        self.schema(&json, None)
    }

    fn refuse(&self, message: impl Into<String>) -> Error {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        }
        if pointer.is_empty() {
            pointer.push('/');
        }
        Error::invalid(message.into()).with("at", pointer)
    }

    fn inside<T>(
        &mut self,
        step: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.path.push(step.into());
        let read = read(self)?;
        self.path.pop();
        Ok(read)
    }

    fn add(&mut self, node: Node) -> NodeId {
        // A node takes at least two bytes of texts of at most MAX_SCHEMA_BYTES together.
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        id
    }

    fn schema(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId> {
        match json {
            Value::String(word) => self.reference(word, namespace, Map::new()),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.declaration(object, namespace),
            _ => Err(self.refuse(
                "a schema is a type name, an object with a 'type', or an array of union branches",
            )),
        }
    }

    fn declaration(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId> {
        let word = match object.get("type") {
            Some(Value::String(word)) => word.as_str(),
            None => return Err(self.refuse("the object has no 'type'")),
            Some(_) => {
                return self.inside("type", |parser| {
                    Err(parser.refuse(
                        "the 'type' of a type is one word; write the inner type in its place",
                    ))
                });
            }
        };
        match word {
            "record" | "error" => self.record(object, namespace, word == "error"),
            "enum" => self.enumeration(object, namespace),
            "fixed" => self.fixed(object, namespace),
            "array" => {
                let items = self.part(object, "items", "array", namespace)?;
                let props = properties(object, &RESERVED);
                Ok(self.add(Node::Array { items, props }))
            }
            "map" => {
                let values = self.part(object, "values", "map", namespace)?;
                let props = properties(object, &RESERVED);
                Ok(self.add(Node::Map { values, props }))
            }
            _ => {
                let props = properties(object, &RESERVED);
                self.inside("type", |parser| parser.reference(word, namespace, props))
            }
        }
    }

    /// The element type of an array or a map.
    fn part(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<NodeId> {
        let Some(json) = object.get(key) else {
            return Err(self.refuse(format!("the {kind} has no '{key}'")));
        };
        self.inside(key, |parser| parser.schema(json, namespace))
    }

    /// A primitive type, or a name that was defined before.
    fn reference(
        &mut self,
        word: &str,
        namespace: Option<&str>,
        props: Map<String, Value>,
    ) -> Result<NodeId> {
        if let Some(kind) = Primitive::from_word(word) {
            let decimal = match kind {
                Primitive::Bytes => Decimal::of(&props, None),
                _ => None,
            };
            return Ok(self.add(Node::Primitive {
                kind,
                decimal,
                props,
            }));
        }
        let found = match namespace {
            Some(namespace) if !word.contains('.') => {
                self.names.get(&format!("{namespace}.{word}"))
            }
            _ => None,
        };
        if let Some(id) = found.or_else(|| self.names.get(word)) {
            return Ok(*id);
        }
        let word = excerpt(word);
        Err(match word.as_str() {
            "record" | "enum" | "fixed" | "array" | "map" => self.refuse(format!(
                "'{word}' cannot stand alone; declare it as an object: {{\"type\": \"{word}\", …}}"
            )),
            _ => self.refuse(format!(
                "'{word}' is neither a primitive type nor a type defined before this place"
            )),
        })
    }

    fn union(&mut self, branches: &[Value], namespace: Option<&str>) -> Result<NodeId> {
        let mut ids = Vec::with_capacity(branches.len());
        let mut seen = HashSet::with_capacity(branches.len());
        for (at, branch) in branches.iter().enumerate() {
            let id = self.inside(at.to_string(), |parser| {
                let id = parser.schema(branch, namespace)?;
                let node = &parser.nodes[id.0 as usize];
                if matches!(node, Node::Union(_)) {
                    return Err(parser.refuse("a union cannot hold another union directly"));
                }
                let name = match node.header() {
                    Some(header) => header.name.full().to_owned(),
                    None => node.word().to_owned(),
                };
                if seen.contains(&name) {
                    return Err(parser.refuse(format!("the union holds '{name}' twice")));
                }
                seen.insert(name);
                Ok(id)
            })?;
            ids.push(id);
        }
        Ok(self.add(Node::Union(ids)))
    }

    fn enumeration(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
    ) -> Result<NodeId> {
        let mut reserved = RESERVED.to_vec();
        reserved.push("default");
        let header = self.header(object, namespace, &reserved)?;
        let name = header.name.clone();
        let Some(Value::Array(list)) = object.get("symbols") else {
            return Err(self.refuse(format!("enum {name} has no array 'symbols'")));
        };
        let mut symbols = Vec::with_capacity(list.len());
        let mut seen = HashSet::with_capacity(list.len());
        self.inside("symbols", |parser| {
            for (at, json) in list.iter().enumerate() {
                parser.inside(at.to_string(), |parser| {
                    let Value::String(symbol) = json else {
                        return Err(parser.refuse("a symbol is a string"));
                    };
                    check_name(symbol).map_err(|reason| parser.refuse(reason))?;
                    if !seen.insert(symbol.as_str()) {
                        return Err(
                            parser.refuse(format!("enum {name} has the symbol '{symbol}' twice"))
                        );
                    }
                    symbols.push(symbol.clone());
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        let default = self.text(object, "default")?.map(str::to_owned);
        if let Some(default) = &default
            && !seen.contains(default.as_str())
        {
            return self.inside("default", |parser| {
                Err(parser.refuse(format!(
                    "the default '{}' is not a symbol of enum {name}",
                    excerpt(default)
                )))
            });
        }
        let node = Node::Enum(Enum {
            header,
            symbols,
            default,
        });
        self.define(&name, node)
    }

    fn fixed(&mut self, object: &Map<String, Value>, namespace: Option<&str>) -> Result<NodeId> {
        let header = self.header(object, namespace, &RESERVED)?;
        let name = header.name.clone();
        let size = object
            .get("size")
            .and_then(Value::as_i64)
            .and_then(|size| i32::try_from(size).ok())
            .and_then(|size| u32::try_from(size).ok());
        let Some(size) = size else {
            return Err(self.refuse(format!(
                "fixed {name} needs a 'size': a whole number from 0 to 2147483647"
            )));
        };
        let decimal = Decimal::of(&header.props, Some(size));
        let node = Node::Fixed(Fixed {
            header,
            size,
            decimal,
        });
        self.define(&name, node)
    }

    fn header(
        &mut self,
        object: &Map<String, Value>,
        enclosing: Option<&str>,
        reserved: &[&str],
    ) -> Result<Header> {
        let namespace = self.text(object, "namespace")?;
        if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty())
            && let Err(reason) = check_namespace(namespace)
        {
            return self.inside("namespace", |parser| Err(parser.refuse(reason)));
        }
        let Some(name) = self.text(object, "name")? else {
            return Err(self.refuse("a record, an enum or a fixed needs a 'name'"));
        };
        let name = match Name::new(name, namespace.or(enclosing)) {
            Ok(name) => name,
            Err(reason) => return self.inside("name", |parser| Err(parser.refuse(reason))),
        };
        if PRIMITIVES.contains(&name.full()) {
            return self.inside("name", |parser| {
                Err(parser.refuse(format!("'{name}' is the name of a primitive type")))
            });
        }
        let mut aliases: Vec<Name> = Vec::new();
        for (at, alias) in self.alias_texts(object)?.iter().enumerate() {
            match Name::new(alias, name.namespace()) {
                Ok(alias) if aliases.contains(&alias) => {}
                Ok(alias) => aliases.push(alias),
                Err(reason) => {
                    self.path.extend(["aliases".to_owned(), at.to_string()]);
                    return Err(self.refuse(reason));
                }
            }
        }
        Ok(Header {
            doc: self.text(object, "doc")?.map(str::to_owned),
            props: properties(object, reserved),
            name,
            aliases,
        })
    }

    fn define(&mut self, name: &Name, node: Node) -> Result<NodeId> {
        if self.names.contains_key(name.full()) {
            return Err(self.refuse(format!(
                "'{name}' is defined twice; refer to the first definition by its name"
            )));
        }
        let id = self.add(node);
        self.names.insert(name.full().to_owned(), id);
        Ok(id)
    }

    /// The aliases as they are written, without repetitions.
    fn alias_texts(&mut self, object: &Map<String, Value>) -> Result<Vec<String>> {
        let Some(json) = object.get("aliases") else {
            return Ok(Vec::new());
        };
        self.inside("aliases", |parser| {
            let Value::Array(list) = json else {
                return Err(parser.refuse("'aliases' is an array of strings"));
            };
            let mut aliases: Vec<String> = Vec::with_capacity(list.len());
            let mut seen = HashSet::with_capacity(list.len());
            for alias in list {
                let Value::String(alias) = alias else {
                    return Err(parser.refuse("'aliases' is an array of strings"));
                };
                if seen.insert(alias.as_str()) {
                    aliases.push(alias.clone());
                }
            }
            Ok(aliases)
        })
    }

    /// A string under `key`; null stands for its absence, as some generators write it.
    fn text<'a>(&mut self, object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>> {
        match object.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.inside(key, |parser| {
                Err(parser.refuse(format!("'{key}' must be a string")))
            }),
        }
    }
}

fn properties(object: &Map<String, Value>, reserved: &[&str]) -> Map<String, Value> {
    object
        .iter()
        .filter(|(key, _)| !reserved.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
