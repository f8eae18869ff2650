//! The part of Thrift's compact protocol that the metadata of a Parquet file needs.
//!
//! Written by hand because the parquet crate asks the dependencies of Arrow for features, and
//! because a damaged file must not make a reader allocate what it claims to hold.

use super::Element;

/// The deepest nesting of a sound file is 4: metadata, element, logical type, unit.
const DEEPEST: usize = 16;

/// Bytes and how far they are read.
struct Cursor<'a>(&'a [u8]);

/// The fields of a struct that were read, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Struct(Vec<(i16, Value)>);

#[derive(Debug, Clone)]
enum Value {
    Flag(bool),
    Whole(i64),
    Bytes(Vec<u8>),
    Struct(Struct),
    /// A value of a kind that is not needed.
    Other,
}

impl Struct {
    fn get(&self, number: i16) -> Option<&Value> {
        self.0
            .iter()
            .find(|(at, _)| *at == number)
            .map(|(_, value)| value)
    }

    pub(super) fn whole(&self, number: i16) -> Option<i64> {
        match self.get(number)? {
            Value::Whole(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn flag(&self, number: i16) -> bool {
        matches!(self.get(number), Some(Value::Flag(true)))
    }

    pub(super) fn text(&self, number: i16) -> Option<String> {
        match self.get(number)? {
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        }
    }

    pub(super) fn inner(&self, number: i16) -> Option<&Struct> {
        match self.get(number)? {
            Value::Struct(inner) => Some(inner),
            _ => None,
        }
    }

    /// The field that is set in a union, which is a struct.
    pub(super) fn first(&self) -> Option<(i16, &Struct)> {
        match self.0.first()? {
            (number, Value::Struct(inner)) => Some((*number, inner)),
            _ => None,
        }
    }
}

/// The schema and the number of rows out of a `FileMetaData`; `None` if it is damaged.
pub(super) fn schema(metadata: &[u8]) -> Option<(Vec<Element>, i64)> {
    let mut cursor = Cursor(metadata);
    let (mut elements, mut rows) = (None, None);
    let mut last = 0;
    // Both stand before the row groups, which may be long and are not read.
    while elements.is_none() || rows.is_none() {
        let (number, kind) = cursor.field(last)?;
        last = number;
        match (number, kind) {
            (2, 9) => elements = Some(cursor.elements()?),
            (3, 6) => rows = Some(cursor.zigzag()?),
            _ => {
                cursor.value(kind, 0)?;
            }
        }
    }
    Some((elements?, rows?))
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The number and the kind of the next field; `None` at the end of the struct too, which
    /// in the metadata comes after the fields that are needed.
    fn field(&mut self, last: i16) -> Option<(i16, u8)> {
        let header = self.byte()?;
        if header == 0 {
            return None;
        }
        let number = match header >> 4 {
            0 => i16::try_from(self.zigzag()?).ok()?,
            step => last.checked_add(i16::from(step))?,
        };
        Some((number, header & 0x0f))
    }

    /// The length and the kind of the items of a list.
    fn list(&mut self) -> Option<(usize, u8)> {
        let header = self.byte()?;
        let length = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            short => usize::from(short),
        };
        // Every item has at least one byte.
        (length <= self.0.len()).then_some((length, header & 0x0f))
    }

    fn elements(&mut self) -> Option<Vec<Element>> {
        let (length, kind) = self.list()?;
        if kind != 12 {
            return None;
        }
        (0..length)
            .map(|_| Element::read(&self.structure(1)?))
            .collect()
    }

    fn structure(&mut self, depth: usize) -> Option<Struct> {
        if depth > DEEPEST {
            return None;
        }
        let mut fields = Vec::new();
        let mut last = 0;
        while *self.0.first()? != 0 {
            let (number, kind) = self.field(last)?;
            last = number;
            fields.push((number, self.value(kind, depth)?));
        }
        self.byte()?;
        Some(Struct(fields))
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value> {
        Some(match kind {
            1 | 2 => Value::Flag(kind == 1),
            3 => Value::Whole(i64::from(self.byte()? as i8)),
            4..=6 => Value::Whole(self.zigzag()?),
            7 => {
                self.0 = self.0.get(8..)?;
                Value::Other
            }
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes.to_vec())
            }
            9 | 10 => {
                let (length, kind) = self.list()?;
                for _ in 0..length {
                    self.item(kind, depth)?;
                }
                Value::Other
            }
            11 => {
                let length = self.varint()?;
                if length > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..length {
                        self.item(kinds >> 4, depth)?;
                        self.item(kinds & 0x0f, depth)?;
                    }
                }
                Value::Other
            }
            12 => Value::Struct(self.structure(depth + 1)?),
            _ => return None,
        })
    }

    /// An item of a list: there a boolean has a byte of its own.
    fn item(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        if matches!(kind, 1 | 2) {
            self.byte()?;
        } else {
            self.value(kind, depth + 1)?;
        }
        Some(())
    }
}
