//! A parsed schema: nodes in one arena, so that a recursive type is a plain index.

use serde_json::{Map, Value};

use super::name::Name;

/// A parsed Avro schema.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    /// How many nodes, from the first on, stand in the schemas that this one refers to.
    pub(super) borrowed: usize,
}

/// The index of a node in its schema. A named type is one node however often it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Primitive {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "bytes" => Self::Bytes,
            "string" => Self::String,
            _ => return None,
        })
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }

    /// Whether a value written as `writer` can be read as this type.
    pub(super) fn reads(self, writer: Self) -> bool {
        use Primitive::{Bytes, Double, Float, Int, Long, String};
        self == writer
            || matches!(
                (self, writer),
                (Long, Int)
                    | (Float, Int | Long)
                    | (Double, Int | Long | Float)
                    | (Bytes, String)
                    | (String, Bytes)
            )
    }
}

/// A valid `decimal` annotation; an invalid one is ignored, as the specification demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) precision: u32,
    pub(super) scale: u32,
}

impl Decimal {
    /// Reads the annotation from a type's properties; `size` is that of a fixed.
    pub(super) fn of(props: &Map<String, Value>, size: Option<u32>) -> Option<Self> {
        if props.get("logicalType").and_then(Value::as_str) != Some("decimal") {
            return None;
        }
        let precision = u32::try_from(props.get("precision")?.as_i64()?).ok()?;
        let scale = match props.get("scale") {
            None => 0,
            Some(scale) => u32::try_from(scale.as_i64()?).ok()?,
        };
        // A two's complement number of n bytes holds floor(log10(2^(8n-1))) whole digits.
        let fits = size.is_none_or(|size| {
            let bits = f64::from(size) * 8.0 - 1.0;
            f64::from(precision) <= (std::f64::consts::LOG10_2 * bits).floor()
        });
        (precision > 0 && scale <= precision && fits).then_some(Self { precision, scale })
    }
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Primitive {
        kind: Primitive,
        decimal: Option<Decimal>,
        props: Map<String, Value>,
    },
    Array {
        items: NodeId,
        props: Map<String, Value>,
    },
    Map {
        values: NodeId,
        props: Map<String, Value>,
    },
    Union(Vec<NodeId>),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
}

/// What records, enums and fixed have in common.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) name: Name,
    pub(super) doc: Option<String>,
    pub(super) aliases: Vec<Name>,
    pub(super) props: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) header: Header,
    /// An `error` of a protocol; it resolves as a record.
    pub(super) is_error: bool,
    /// `None` while the fields are being read.
    pub(super) fields: Option<Vec<Field>>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) doc: Option<String>,
    pub(super) schema: NodeId,
    pub(super) default: Option<Value>,
    pub(super) order: Order,
    pub(super) aliases: Vec<String>,
    pub(super) props: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    Ignore,
}

#[derive(Debug, Clone)]
pub(super) struct Enum {
    pub(super) header: Header,
    pub(super) symbols: Vec<String>,
    pub(super) default: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) header: Header,
    pub(super) size: u32,
    pub(super) decimal: Option<Decimal>,
}

impl Schema {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The named types that stand in other schemas and are not written here.
    pub(super) fn borrowed(&self) -> impl Iterator<Item = NodeId> {
        let named = |(at, node): (usize, &Node)| node.header().map(|_| NodeId(at as u32));
        self.nodes[..self.borrowed]
            .iter()
            .enumerate()
            .filter_map(named)
    }

    /// The full name of the outermost type, when that is a record, an enum or a fixed.
    pub fn full_name(&self) -> Option<&str> {
        self.node(self.root)
            .header()
            .map(|header| header.name.full())
    }
}

impl Node {
    pub(super) fn header(&self) -> Option<&Header> {
        match self {
            Self::Record(record) => Some(&record.header),
            Self::Enum(it) => Some(&it.header),
            Self::Fixed(fixed) => Some(&fixed.header),
            _ => None,
        }
    }

    /// The kind of the type in one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Primitive { kind, .. } => kind.word(),
            Self::Array { .. } => "array",
            Self::Map { .. } => "map",
            Self::Union(_) => "union",
            Self::Record(_) => "record",
            Self::Enum(_) => "enum",
            Self::Fixed(_) => "fixed",
        }
    }

    /// The kind and, where there is one, the full name: `record bank.Account`.
    pub(super) fn describe(&self) -> String {
        match self.header() {
            Some(header) => format!("{} {}", self.word(), header.name),
            None => self.word().to_owned(),
        }
    }

    pub(super) fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Primitive { decimal, .. } => *decimal,
            Self::Fixed(fixed) => fixed.decimal,
            _ => None,
        }
    }
}
