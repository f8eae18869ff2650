//! The structure of Avro's binary encoding under one schema, to check bytes before they are
//! decoded.
//!
//! The decoders trust their input too far: one accepts a union index that does not exist,
//! one allocates what a length asks for, and a batch that meets a bad record is lost whole.
//! A walk over the bytes costs a tenth of decoding them and leaves nothing to trust:
//! lengths, union and enum indexes, UTF-8 and the end are as the schema says (Avro 1.12,
//! "Binary Encoding").

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, Name, NamespaceRef, UuidSchema};

/// Nested values deeper than this are refused; only a recursive schema gets there.
const MAX_DEPTH: u32 = 64;

/// What bytes under a schema look like.
#[derive(Debug)]
pub(crate) struct Shape {
    root: Node,
    named: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Nothing,
    Boolean,
    Int,
    Long,
    Fixed(usize),
    Bytes,
    Text,
    Enum(u64),
    /// A union of null (at the index 0 or 1) and one other.
    Nullable(u64, Box<Node>),
    Union(Box<[Node]>),
    Array(Box<Node>),
    Map(Box<Node>),
    Record(Box<[Node]>),
    /// A named type that was defined before.
    Named(usize),
}

type Walk<T = ()> = Result<T, &'static str>;

const SHORT: &str = "the bytes end within a value";

impl Shape {
    /// The shape of `schema`.
    pub(crate) fn of(schema: &Schema) -> Result<Self, String> {
        let mut build = Build::default();
        let root = build.node(schema, None)?;
        Ok(Self {
            root,
            named: build.named,
        })
    }

    /// Checks that `bytes` are one value of the schema and nothing more.
    pub(crate) fn check(&self, bytes: &[u8]) -> Walk {
        let mut rest = bytes;
        self.walk(&self.root, &mut rest, 0)?;
        if rest.is_empty() {
            Ok(())
        } else {
            Err("bytes are left over after the value")
        }
    }

    fn walk(&self, node: &Node, rest: &mut &[u8], depth: u32) -> Walk {
        match node {
            Node::Nothing => {}
            Node::Boolean => {
                if take(rest, 1)?[0] > 1 {
                    return Err("a boolean is neither 0 nor 1");
                }
            }
            Node::Int => {
                if varint(rest)? > u64::from(u32::MAX) {
                    return Err("an int does not fit 32 bits");
                }
            }
            Node::Long => {
                varint(rest)?;
            }
            Node::Fixed(size) => {
                take(rest, *size)?;
            }
            Node::Bytes => {
                block(rest)?;
            }
            Node::Text => {
                if std::str::from_utf8(block(rest)?).is_err() {
                    return Err("a string is not UTF-8");
                }
            }
            Node::Enum(symbols) => {
                // An index is written with its sign: twice itself.
                let index = varint(rest)?;
                if index % 2 == 1 || index / 2 >= *symbols {
                    return Err("an enum index is out of range");
                }
            }
            Node::Nullable(null, other) => match varint(rest)? {
                index if index == *null => {}
                0 | 2 => return self.walk(other, rest, depth),
                _ => return Err("a union index is out of range"),
            },
            Node::Union(branches) => {
                let index = varint(rest)?;
                let branch = (index % 2 == 0)
                    .then(|| branches.get((index / 2) as usize))
                    .flatten()
                    .ok_or("a union index is out of range")?;
                return self.walk(branch, rest, depth);
            }
            Node::Array(items) => {
                self.blocks(rest, depth, |shape, rest, depth| {
                    shape.walk(items, rest, depth)
                })?;
            }
            Node::Map(values) => {
                self.blocks(rest, depth, |shape, rest, depth| {
                    shape.walk(&Node::Text, rest, depth)?;
                    shape.walk(values, rest, depth)
                })?;
            }
            Node::Record(fields) => {
                for field in fields {
                    self.walk(field, rest, depth)?;
                }
            }
            Node::Named(index) => {
                if depth >= MAX_DEPTH {
                    return Err("values are nested too deeply");
                }
                return self.walk(&self.named[*index], rest, depth + 1);
            }
        }
        Ok(())
    }

    fn blocks(
        &self,
        rest: &mut &[u8],
        depth: u32,
        item: impl Fn(&Self, &mut &[u8], u32) -> Walk,
    ) -> Walk {
        loop {
            let count = long(rest)?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // A negative count says that the block's size in bytes follows.
                let size = long(rest)?;
                if usize::try_from(size).map_or(true, |size| size > rest.len()) {
                    return Err("a block is longer than the bytes");
                }
            }
            for _ in 0..count.unsigned_abs() {
                let before = rest.len();
                item(self, rest, depth)?;
                if rest.len() == before {
                    // Items of no bytes: any count of them would be believed.
                    return Err("an array of values without bytes");
                }
            }
        }
    }
}

#[inline]
fn take<'a>(rest: &mut &'a [u8], size: usize) -> Walk<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(size).ok_or(SHORT)?;
    *rest = left;
    Ok(taken)
}

#[inline]
fn block<'a>(rest: &mut &'a [u8]) -> Walk<&'a [u8]> {
    let size = long(rest)?;
    let size = usize::try_from(size).map_err(|_| "a length is negative")?;
    take(rest, size)
}

#[inline]
fn long(rest: &mut &[u8]) -> Walk<i64> {
    let raw = varint(rest)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// A variable-length integer before its zig-zag is undone.
#[inline]
fn varint(rest: &mut &[u8]) -> Walk<u64> {
    match **rest {
        [first, ref left @ ..] if first < 0x80 => {
            *rest = left;
            Ok(u64::from(first))
        }
        _ => long_varint(rest),
    }
}

fn long_varint(rest: &mut &[u8]) -> Walk<u64> {
    let mut value = 0u64;
    for (at, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            if at == 9 && *byte > 1 {
                return Err("an integer does not fit 64 bits");
            }
            *rest = &rest[at + 1..];
            return Ok(value);
        }
    }
    Err(if rest.len() < 10 {
        SHORT
    } else {
        "an integer does not fit 64 bits"
    })
}

#[derive(Default)]
struct Build {
    named: Vec<Node>,
    places: HashMap<Name, usize>,
}

impl Build {
    fn node(&mut self, schema: &Schema, space: NamespaceRef<'_>) -> Result<Node, String> {
        Ok(match schema {
            Schema::Null => Node::Nothing,
            Schema::Boolean => Node::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Node::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Node::Long,
            Schema::Float => Node::Fixed(4),
            Schema::Double => Node::Fixed(8),
            Schema::Bytes | Schema::BigDecimal => Node::Bytes,
            Schema::String => Node::Text,
            Schema::Uuid(UuidSchema::String) => Node::Text,
            Schema::Uuid(UuidSchema::Bytes) => Node::Bytes,
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Node::Bytes,
                InnerDecimalSchema::Fixed(fixed) => {
                    self.define(&fixed.name, space, Node::Fixed(fixed.size))
                }
            },
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                self.define(&fixed.name, space, Node::Fixed(fixed.size))
            }
            Schema::Enum(kind) => {
                self.define(&kind.name, space, Node::Enum(kind.symbols.len() as u64))
            }
            Schema::Array(array) => Node::Array(Box::new(self.node(&array.items, space)?)),
            Schema::Map(map) => Node::Map(Box::new(self.node(&map.types, space)?)),
            Schema::Union(union) => match union.variants() {
                [Schema::Null, other] => Node::Nullable(0, Box::new(self.node(other, space)?)),
                [other, Schema::Null] => Node::Nullable(2, Box::new(self.node(other, space)?)),
                variants => Node::Union(
                    variants
                        .iter()
                        .map(|variant| self.node(variant, space))
                        .collect::<Result<_, _>>()?,
                ),
            },
            Schema::Record(record) => {
                let name = record.name.fully_qualified_name(space).into_owned();
                let place = self.named.len();
                // Its place is known before its fields are: they may speak of it.
                self.named.push(Node::Nothing);
                self.places.insert(name.clone(), place);
                let node = Node::Record(
                    record
                        .fields
                        .iter()
                        .map(|field| self.node(&field.schema, name.namespace()))
                        .collect::<Result<_, _>>()?,
                );
                self.named[place] = node.clone();
                node
            }
            Schema::Ref { name } => {
                let name = name.fully_qualified_name(space);
                match self.places.get(name.as_ref()) {
                    Some(place) => Node::Named(*place),
                    None => return Err(format!("the type `{}` is not defined", name.name())),
                }
            }
        })
    }

    fn define(&mut self, name: &Name, space: NamespaceRef<'_>, node: Node) -> Node {
        let name = name.fully_qualified_name(space).into_owned();
        self.places.insert(name, self.named.len());
        self.named.push(node.clone());
        node
    }
}
