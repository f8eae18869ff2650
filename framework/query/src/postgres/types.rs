//! Which type of PostgreSQL a column has, by its number in `pg_type`.

use arrow::datatypes::{DataType, Field, TimeUnit};

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const CHAR: u32 = 18;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const OID_ARRAY: u32 = 1028;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// Each type with that of its arrays.
const ARRAYS: [(u32, u32); 23] = [
    (BOOL, 1000),
    (BYTEA, 1001),
    (CHAR, 1002),
    (NAME, 1003),
    (INT2, 1005),
    (INT4, 1007),
    (TEXT, 1009),
    (BPCHAR, 1014),
    (VARCHAR, 1015),
    (INT8, 1016),
    (FLOAT4, 1021),
    (FLOAT8, 1022),
    (OID, 1028),
    (TIMESTAMP, 1115),
    (DATE, 1182),
    (TIME, 1183),
    (TIMESTAMPTZ, 1185),
    (INTERVAL, 1187),
    (NUMERIC, 1231),
    (JSON, 199),
    (UUID, 2951),
    (JSONB, 3807),
    (UNKNOWN, 1009),
];

/// The type of arrays of `item`.
pub(super) fn array_of(item: u32) -> Option<u32> {
    let found = ARRAYS.iter().find(|(one, _)| *one == item);
    found.map(|(_, array)| *array)
}

/// The type of the items of `array`.
pub(super) fn item_of(array: u32) -> Option<u32> {
    let found = ARRAYS.iter().find(|(_, one)| *one == array);
    found.map(|(item, _)| *item)
}

/// The names of types, in `pg_type` and, where it is another, in SQL.
const NAMES: [(u32, &str, &str); 22] = [
    (BOOL, "bool", "boolean"),
    (BYTEA, "bytea", "bytea"),
    (CHAR, "char", "\"char\""),
    (NAME, "name", "name"),
    (INT8, "int8", "bigint"),
    (INT2, "int2", "smallint"),
    (INT4, "int4", "integer"),
    (TEXT, "text", "text"),
    (OID, "oid", "oid"),
    (JSON, "json", "json"),
    (FLOAT4, "float4", "real"),
    (FLOAT8, "float8", "double precision"),
    (UNKNOWN, "unknown", "unknown"),
    (BPCHAR, "bpchar", "character"),
    (VARCHAR, "varchar", "character varying"),
    (DATE, "date", "date"),
    (TIME, "time", "time without time zone"),
    (TIMESTAMP, "timestamp", "timestamp without time zone"),
    (TIMESTAMPTZ, "timestamptz", "timestamp with time zone"),
    (INTERVAL, "interval", "interval"),
    (NUMERIC, "numeric", "numeric"),
    (UUID, "uuid", "uuid"),
];

/// The type that is called so.
pub(super) fn by_name(name: &str) -> Option<u32> {
    let (name, array) = match name.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let found = NAMES
        .iter()
        .find(|(_, short, long)| name == *short || name == *long);
    let (oid, ..) = found?;
    if array { array_of(*oid) } else { Some(*oid) }
}

/// The metadata key by which the tables of `pg_catalog` tell oids from other integers.
const OID_KEY: &str = "pg.oid_alias";
/// The same for the type `"char"`.
const CHAR_KEY: &str = "pg.char";

/// The type of a column. What PostgreSQL has no type for is told as JSON: structs, maps, and
/// lists of them or of lists.
pub(super) fn of_field(field: &Field) -> u32 {
    match field.data_type() {
        DataType::Int32 if field.metadata().contains_key(OID_KEY) => OID,
        DataType::Utf8 if field.metadata().contains_key(CHAR_KEY) => CHAR,
        other => of(other),
    }
}

pub(super) fn of(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Boolean => BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => INT2,
        DataType::Int32 | DataType::UInt16 => INT4,
        DataType::Int64 | DataType::UInt32 => INT8,
        DataType::Float16 | DataType::Float32 => FLOAT4,
        DataType::Float64 => FLOAT8,
        DataType::UInt64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => NUMERIC,
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => TEXT,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => BYTEA,
        DataType::Date32 | DataType::Date64 => DATE,
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        DataType::Dictionary(_, value) => of(value),
        DataType::RunEndEncoded(_, value) => of(value.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => match of(item.data_type()) {
            JSON => JSON,
            item => array_of(item).unwrap_or(JSON),
        },
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => JSON,
    }
}

/// The bytes of a value, or -1 where they differ.
pub(super) fn size(oid: u32) -> i16 {
    match oid {
        BOOL | CHAR => 1,
        INT2 => 2,
        INT4 | OID | FLOAT4 | DATE => 4,
        INT8 | FLOAT8 | TIME | TIMESTAMP | TIMESTAMPTZ => 8,
        INTERVAL | UUID => 16,
        NAME => 64,
        _ => -1,
    }
}

/// Precision and scale as PostgreSQL packs them, or -1.
pub(super) fn modifier(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ((i32::from(*precision) << 16) | (i32::from(*scale) & 0x7ff)) + 4
        }
        _ => -1,
    }
}

/// The type that a parameter of type `oid` is read as; nothing for those that have none here.
pub(super) fn to_arrow(oid: u32) -> Option<DataType> {
    Some(match oid {
        BOOL => DataType::Boolean,
        BYTEA => DataType::Binary,
        INT2 => DataType::Int16,
        INT4 => DataType::Int32,
        INT8 | OID => DataType::Int64,
        FLOAT4 => DataType::Float32,
        FLOAT8 => DataType::Float64,
        TEXT | VARCHAR | BPCHAR | NAME | CHAR | UNKNOWN | JSON | JSONB | UUID => DataType::Utf8,
        DATE => DataType::Date32,
        TIME => DataType::Time64(TimeUnit::Microsecond),
        TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        NUMERIC => DataType::Decimal128(38, 10),
        array => {
            let item = to_arrow(item_of(array)?)?;
            DataType::new_list(item, true)
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::Fields;

    use super::*;

    #[test]
    fn columns_have_the_types_that_clients_know() {
        let list = |item| DataType::new_list(item, true);
        let place = DataType::Struct(Fields::from(vec![Field::new("x", DataType::Int32, true)]));
        for (data_type, oid) in [
            (DataType::Int32, 23),
            (DataType::Decimal128(12, 2), 1700),
            (
                DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
                25,
            ),
            (
                DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())),
                1184,
            ),
            (list(DataType::Utf8), 1009),
            (list(list(DataType::Utf8)), 114),
            (place.clone(), 114),
            (list(place), 114),
        ] {
            assert_eq!(of(&data_type), oid, "{data_type}");
        }
        assert_eq!(by_name("bigint[]"), Some(1016));
        assert_eq!(by_name("hstore"), None);
        assert_eq!(modifier(&DataType::Decimal128(12, 2)), 786_438);
        for (item, array) in ARRAYS {
            assert!(item == UNKNOWN || item_of(array) == Some(item));
            assert!(to_arrow(item).is_some() || item == INTERVAL);
        }
    }
}
