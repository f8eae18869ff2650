//! The two texts of a schema: canonical (what identity is decided on) and normalised.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::schema::{Field, Header, Node, NodeId, Order, Schema};

/// Nesting of types up to which they are written out; it bounds the stack.
const MAX_NESTING: usize = 200;

impl Schema {
    /// The text by which two schemas are the same: that of Java's `Schema.toString`, which
    /// Confluent's registry stores and hands out. Types of other schemas stand by name.
    pub fn canonical(&self) -> String {
        let mut writer = Canonical {
            schema: self,
            written: self.borrowed().collect(),
        };
        writer.write(self.root, None).to_string()
    }

    /// The canonical text with the types of other schemas written out where they are first
    /// used, so that it can be read without them; `None` where that nests too deeply.
    pub fn inlined(&self) -> Option<String> {
        self.shallow().then(|| {
            let mut writer = Canonical {
                schema: self,
                written: HashSet::new(),
            };
            writer.write(self.root, None).to_string()
        })
    }

    /// Whether writing all types out keeps within [`MAX_NESTING`]. Types are followed in the
    /// order of the text, each once, with a stack of their own.
    fn shallow(&self) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![(self.root, 1_usize)];
        while let Some((id, depth)) = open.pop() {
            if depth > MAX_NESTING {
                return false;
            }
            let node = self.node(id);
            if node.header().is_some() && !seen.insert(id) {
                continue;
            }
            let first = open.len();
            match node {
                Node::Array { items, .. } => open.push((*items, depth + 1)),
                Node::Map { values, .. } => open.push((*values, depth + 1)),
                Node::Union(branches) => open.extend(branches.iter().map(|id| (*id, depth + 1))),
                Node::Record(record) => {
                    let fields = record.fields.iter().flatten();
                    open.extend(fields.map(|field| (field.schema, depth + 1)));
                }
                Node::Primitive { .. } | Node::Enum(_) | Node::Fixed(_) => {}
            }
            // The first child is on top, as it is the first to be written.
            open[first..].reverse();
        }
        true
    }

    /// The text that is registered when a client asks to `normalize`: full names, and the
    /// properties of each type in alphabetical order.
    pub fn normalized(&self) -> String {
        let mut writer = Normalized {
            schema: self,
            written: self.borrowed().collect(),
        };
        writer.write(self.root).to_string()
    }
}

struct Canonical<'a> {
    schema: &'a Schema,
    written: HashSet<NodeId>,
}

impl Canonical<'_> {
    fn write(&mut self, id: NodeId, namespace: Option<&str>) -> Value {
        let schema = self.schema;
        let node = schema.node(id);
        if let Some(header) = node.header()
            && !self.written.insert(id)
        {
            return Value::from(header.name.within(namespace));
        }
        let mut out = Map::new();
        match node {
            Node::Primitive { kind, props, .. } => {
                if props.is_empty() {
                    return Value::from(kind.word());
                }
                out.insert("type".into(), kind.word().into());
                out.extend(props.clone());
            }
            Node::Array { items, props } => {
                out.insert("type".into(), "array".into());
                out.insert("items".into(), self.write(*items, namespace));
                out.extend(props.clone());
            }
            Node::Map { values, props } => {
                out.insert("type".into(), "map".into());
                out.insert("values".into(), self.write(*values, namespace));
                out.extend(props.clone());
            }
            Node::Union(branches) => {
                return branches
                    .iter()
                    .map(|branch| self.write(*branch, namespace))
                    .collect();
            }
            Node::Record(record) => {
                let word = if record.is_error { "error" } else { "record" };
                open(&mut out, word, &record.header, namespace);
                let fields = record.fields.iter().flatten();
                let fields: Vec<Value> = fields
                    .map(|field| self.field(field, record.header.name.namespace()))
                    .collect();
                out.insert("fields".into(), fields.into());
                close(&mut out, &record.header);
            }
            Node::Enum(it) => {
                open(&mut out, "enum", &it.header, namespace);
                out.insert("symbols".into(), it.symbols.clone().into());
                if let Some(default) = &it.default {
                    out.insert("default".into(), default.as_str().into());
                }
                close(&mut out, &it.header);
            }
            Node::Fixed(fixed) => {
                open(&mut out, "fixed", &fixed.header, namespace);
                out.insert("size".into(), fixed.size.into());
                close(&mut out, &fixed.header);
            }
        }
        Value::Object(out)
    }

    fn field(&mut self, field: &Field, namespace: Option<&str>) -> Value {
        let mut out = Map::new();
        out.insert("name".into(), field.name.as_str().into());
        out.insert("type".into(), self.write(field.schema, namespace));
        if let Some(doc) = &field.doc {
            out.insert("doc".into(), doc.as_str().into());
        }
        if let Some(default) = &field.default {
            out.insert("default".into(), default.clone());
        }
        if let Some(order) = order(field.order) {
            out.insert("order".into(), order.into());
        }
        if !field.aliases.is_empty() {
            out.insert("aliases".into(), field.aliases.clone().into());
        }
        out.extend(field.props.clone());
        Value::Object(out)
    }
}

fn open(out: &mut Map<String, Value>, word: &str, header: &Header, enclosing: Option<&str>) {
    out.insert("type".into(), word.into());
    out.insert("name".into(), header.name.short().into());
    match header.name.namespace() {
        Some(namespace) if Some(namespace) == enclosing => {}
        Some(namespace) => {
            out.insert("namespace".into(), namespace.into());
        }
        None if enclosing.is_some() => {
            out.insert("namespace".into(), "".into());
        }
        None => {}
    }
    if let Some(doc) = &header.doc {
        out.insert("doc".into(), doc.as_str().into());
    }
}

fn close(out: &mut Map<String, Value>, header: &Header) {
    out.extend(header.props.clone());
    if !header.aliases.is_empty() {
        let own = header.name.namespace();
        let aliases: Vec<Value> = header
            .aliases
            .iter()
            .map(|alias| alias.within(own).into())
            .collect();
        out.insert("aliases".into(), aliases.into());
    }
}

fn order(order: Order) -> Option<&'static str> {
    match order {
        Order::Ascending => None,
        Order::Descending => Some("descending"),
        Order::Ignore => Some("ignore"),
    }
}

struct Normalized<'a> {
    schema: &'a Schema,
    written: HashSet<NodeId>,
}

impl Normalized<'_> {
    fn write(&mut self, id: NodeId) -> Value {
        let schema = self.schema;
        let node = schema.node(id);
        if let Some(header) = node.header()
            && !self.written.insert(id)
        {
            return Value::from(header.name.full());
        }
        let mut out = Map::new();
        if let Some(header) = node.header() {
            out.insert("name".into(), header.name.full().into());
        }
        out.insert("type".into(), node.word().into());
        let props = match node {
            Node::Primitive { props, .. } if props.is_empty() => {
                return Value::from(node.word());
            }
            Node::Primitive { props, .. } => props,
            Node::Array { items, props } => {
                out.insert("items".into(), self.write(*items));
                props
            }
            Node::Map { values, props } => {
                out.insert("values".into(), self.write(*values));
                props
            }
            Node::Union(branches) => {
                return branches.iter().map(|branch| self.write(*branch)).collect();
            }
            Node::Record(record) => {
                if record.is_error {
                    out.insert("type".into(), "error".into());
                }
                let fields = record.fields.iter().flatten();
                let fields: Vec<Value> = fields.map(|field| self.field(field)).collect();
                out.insert("fields".into(), fields.into());
                &record.header.props
            }
            Node::Enum(it) => {
                out.insert("symbols".into(), it.symbols.clone().into());
                if let Some(default) = &it.default {
                    out.insert("default".into(), default.as_str().into());
                }
                &it.header.props
            }
            Node::Fixed(fixed) => {
                out.insert("size".into(), fixed.size.into());
                &fixed.header.props
            }
        };
        if let Some(header) = node.header() {
            if !header.aliases.is_empty() {
                let mut aliases: Vec<&str> = header.aliases.iter().map(|a| a.full()).collect();
                aliases.sort_unstable();
                out.insert("aliases".into(), aliases.into());
            }
            if let Some(doc) = &header.doc {
                out.insert("doc".into(), doc.as_str().into());
            }
        }
        sorted(&mut out, props);
        Value::Object(out)
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut out = Map::new();
        out.insert("name".into(), field.name.as_str().into());
        out.insert("type".into(), self.write(field.schema));
        if let Some(default) = &field.default {
            out.insert("default".into(), default.clone());
        }
        if let Some(order) = order(field.order) {
            out.insert("order".into(), order.into());
        }
        if !field.aliases.is_empty() {
            let mut aliases = field.aliases.clone();
            aliases.sort_unstable();
            out.insert("aliases".into(), aliases.into());
        }
        if let Some(doc) = &field.doc {
            out.insert("doc".into(), doc.as_str().into());
        }
        sorted(&mut out, &field.props);
        Value::Object(out)
    }
}

fn sorted(out: &mut Map<String, Value>, props: &Map<String, Value>) {
    let mut keys: Vec<&String> = props.keys().collect();
    keys.sort_unstable();
    for key in keys {
        if let Some(value) = props.get(key) {
            out.insert(key.clone(), value.clone());
        }
    }
}
