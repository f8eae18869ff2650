//! The logical types of a column: one table that Avro, Arrow and Rust are derived from.

use crate::field::Field;

/// The logical type of a value.
///
/// | ODCS `logicalType` | options | here |
/// |---|---|---|
/// | `string` | | [`Type::String`] |
/// | `string` | `logicalTypeOptions.format: uuid` | [`Type::Uuid`] |
/// | `string` | `enum: [{value: …}]` | [`Type::Enum`] |
/// | `integer` | `logicalTypeOptions.format: i32` (default) or `i64` | [`Type::Int32`], [`Type::Int64`] |
/// | `number` | `logicalTypeOptions.format: f32` or `f64` (default) | [`Type::Float32`], [`Type::Float64`] |
/// | `number` | `physicalType: decimal(p,s)` | [`Type::Decimal`] |
/// | `boolean` | | [`Type::Boolean`] |
/// | `date` | | [`Type::Date`] |
/// | `timestamp` | `physicalType: timestamp-millis` (default) or `timestamp-micros` | [`Type::Timestamp`] |
/// | `time` | `physicalType: time-millis` (default) or `time-micros` | [`Type::Time`] |
/// | `array` | `items` | [`Type::Array`] |
/// | `map` | `map: {key, value}`, keys of type string | [`Type::Map`] |
/// | `object` | `properties` | [`Type::Object`] |
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// UTF-8 text; lengths are in characters.
    String {
        /// The shortest text allowed.
        min_length: Option<u32>,
        /// The longest text allowed.
        max_length: Option<u32>,
    },
    /// A UUID (RFC 9562).
    Uuid,
    /// One of a list of symbols.
    Enum(EnumType),
    /// A 32-bit signed integer.
    Int32 {
        /// The smallest value allowed.
        minimum: Option<i64>,
        /// The largest value allowed.
        maximum: Option<i64>,
    },
    /// A 64-bit signed integer.
    Int64 {
        /// The smallest value allowed.
        minimum: Option<i64>,
        /// The largest value allowed.
        maximum: Option<i64>,
    },
    /// An IEEE 754 single.
    Float32,
    /// An IEEE 754 double.
    Float64,
    /// A decimal number of `precision` digits, `scale` of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// A day of the proleptic Gregorian calendar.
    Date,
    /// An instant in UTC.
    Timestamp(TimeUnit),
    /// A time of day, without a date or time zone.
    Time(TimeUnit),
    /// A list.
    Array(Box<ArrayType>),
    /// Values by text keys.
    Map(Box<MapType>),
    /// A nested record.
    Object(ObjectType),
}

/// The resolution of a timestamp or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Thousandths of a second.
    Millis,
    /// Millionths of a second.
    Micros,
}

/// An enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumType {
    /// The symbols in the order of the contract, which is their Avro order.
    pub symbols: Vec<EnumSymbol>,
}

/// One symbol of an enumeration.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumSymbol {
    /// The symbol, `[A-Za-z_][A-Za-z0-9_]*`.
    pub value: String,
    /// What it means.
    pub description: Option<String>,
}

/// A list's element.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayType {
    /// The type of each element.
    pub items: Type,
    /// Whether an element may be null.
    pub nullable: bool,
}

/// A map's value; its keys are UTF-8 texts.
#[derive(Debug, Clone, PartialEq)]
pub struct MapType {
    /// The type of each value.
    pub values: Type,
    /// Whether a value may be null.
    pub nullable: bool,
}

/// A nested record.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectType {
    /// Its fields, in the order of the contract.
    pub fields: Vec<Field>,
}

impl Type {
    /// The type inside of all lists and maps around it; itself for every other type.
    pub fn innermost(&self) -> &Type {
        match self {
            Type::Array(array) => array.items.innermost(),
            Type::Map(map) => map.values.innermost(),
            other => other,
        }
    }

    /// [`Type::innermost`], to be changed.
    pub fn innermost_mut(&mut self) -> &mut Type {
        match self {
            Type::Array(array) => array.items.innermost_mut(),
            Type::Map(map) => map.values.innermost_mut(),
            other => other,
        }
    }

    /// Whether values of this type can stand in a key: a scalar with one representation.
    pub fn is_key(&self) -> bool {
        matches!(
            self,
            Type::String { .. }
                | Type::Uuid
                | Type::Enum(_)
                | Type::Int32 { .. }
                | Type::Int64 { .. }
                | Type::Boolean
                | Type::Date
                | Type::Timestamp(_)
        )
    }

    /// The type in words, as a catalog shows it: `decimal(12,2)`, `array<string>`.
    pub fn display(&self) -> String {
        match self {
            Type::String { .. } => "string".into(),
            Type::Uuid => "uuid".into(),
            Type::Enum(kind) => format!(
                "enum({})",
                kind.symbols
                    .iter()
                    .map(|symbol| symbol.value.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Type::Int32 { .. } => "int".into(),
            Type::Int64 { .. } => "long".into(),
            Type::Float32 => "float".into(),
            Type::Float64 => "double".into(),
            Type::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Type::Boolean => "boolean".into(),
            Type::Date => "date".into(),
            Type::Timestamp(TimeUnit::Millis) => "timestamp-millis".into(),
            Type::Timestamp(TimeUnit::Micros) => "timestamp-micros".into(),
            Type::Time(TimeUnit::Millis) => "time-millis".into(),
            Type::Time(TimeUnit::Micros) => "time-micros".into(),
            Type::Array(array) => format!("array<{}>", array.items.display()),
            Type::Map(map) => format!("map<string, {}>", map.values.display()),
            Type::Object(object) => format!(
                "object<{}>",
                object
                    .fields
                    .iter()
                    .map(|field| format!("{}: {}", field.name, field.ty.display()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }
    }
}
