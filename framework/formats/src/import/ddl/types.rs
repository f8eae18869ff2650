//! The types of SQL as types of the mesh.

use std::collections::BTreeMap;

use mesh_core::contract::{TimeUnit, Type};
use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, EnumMember, ExactNumberInfo, TimezoneInfo,
};

use super::SqlDialect;
use super::statements::plain;
use crate::draft::{are_symbols, integer, list, symbols, text};

/// The type of the mesh for `ty`, or why there is none; what is lost goes to `notes`.
pub(super) fn read(
    ty: &DataType,
    dialect: SqlDialect,
    enums: &BTreeMap<String, Vec<String>>,
    notes: &mut Vec<String>,
) -> Result<Type, String> {
    use DataType as Sql;
    Ok(match ty {
        Sql::Char(Some(length)) | Sql::Character(Some(length))
            if characters(length) == Some(36) =>
        {
            notes.push("CHAR(36) is taken as a UUID".into());
            Type::Uuid
        }
        Sql::Character(length)
        | Sql::Char(length)
        | Sql::CharacterVarying(length)
        | Sql::CharVarying(length)
        | Sql::Varchar(length)
        | Sql::Nvarchar(length) => {
            // CHAR without a length holds one character.
            let one = matches!(ty, Sql::Char(None) | Sql::Character(None)).then_some(1);
            Type::String {
                min_length: None,
                max_length: length.as_ref().and_then(characters).or(one),
            }
        }
        Sql::Text
        | Sql::TinyText
        | Sql::MediumText
        | Sql::LongText
        | Sql::String(_)
        | Sql::Clob(_)
        | Sql::CharacterLargeObject(_)
        | Sql::CharLargeObject(_) => text(),
        Sql::JSON | Sql::JSONB => {
            notes.push("JSON is carried as text".into());
            text()
        }
        Sql::Uuid => Type::Uuid,
        Sql::TinyInt(Some(1)) if dialect == SqlDialect::MySql => {
            notes.push("TINYINT(1) is taken as a boolean".into());
            Type::Boolean
        }
        Sql::TinyInt(_)
        | Sql::TinyIntUnsigned(_)
        | Sql::SmallInt(_)
        | Sql::SmallIntUnsigned(_)
        | Sql::Int2(_)
        | Sql::Int2Unsigned(_)
        | Sql::MediumInt(_)
        | Sql::MediumIntUnsigned(_)
        | Sql::Int(_)
        | Sql::Int4(_)
        | Sql::Integer(_) => integer(false),
        Sql::BigInt(_)
        | Sql::Int8(_)
        | Sql::IntUnsigned(_)
        | Sql::Int4Unsigned(_)
        | Sql::IntegerUnsigned(_) => integer(true),
        Sql::BigIntUnsigned(_) | Sql::Int8Unsigned(_) => {
            notes.push("64 bits without a sign are carried as decimal(20,0)".into());
            Type::Decimal {
                precision: 20,
                scale: 0,
            }
        }
        Sql::Real | Sql::Float4 => Type::Float32,
        Sql::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => Type::Float32,
        Sql::Float(ExactNumberInfo::None) if dialect == SqlDialect::MySql => Type::Float32,
        Sql::Float(_) | Sql::Float8 | Sql::Double(_) | Sql::DoublePrecision => Type::Float64,
        Sql::Numeric(info)
        | Sql::Decimal(info)
        | Sql::Dec(info)
        | Sql::DecimalUnsigned(info)
        | Sql::DecUnsigned(info) => decimal(info)?,
        Sql::Bool | Sql::Boolean => Type::Boolean,
        Sql::Date => Type::Date,
        Sql::Timestamp(digits, zone) => {
            let zoned = matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz);
            if !zoned && dialect != SqlDialect::MySql {
                notes.push("the times name no zone: taken as UTC".into());
            }
            timestamp(*digits, dialect)
        }
        Sql::Datetime(digits) => {
            notes.push("the times name no zone: taken as UTC".into());
            timestamp(*digits, dialect)
        }
        Sql::Enum(members, _) => {
            let words = members.iter().map(|member| match member {
                EnumMember::Name(name) | EnumMember::NamedValue(name, _) => name.clone(),
            });
            enumeration(&words.collect::<Vec<_>>(), notes)
        }
        Sql::Array(
            ArrayElemTypeDef::SquareBracket(items, _)
            | ArrayElemTypeDef::AngleBracket(items)
            | ArrayElemTypeDef::Parenthesis(items),
        ) => {
            let items = read(items, dialect, enums, notes)?;
            notes.push("the items of the list are taken as never null".into());
            list(items, false)
        }
        Sql::Custom(name, _) => return custom(&plain(name), enums, notes),
        Sql::Time(digits, zone) => {
            if matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) {
                return Err("a time of day with an offset; write it as text".into());
            }
            Type::Time(unit(*digits, dialect))
        }
        Sql::Interval { .. } => return Err("an interval; write it as a number".into()),
        Sql::Bytea
        | Sql::Blob(_)
        | Sql::Binary(_)
        | Sql::Varbinary(_)
        | Sql::TinyBlob
        | Sql::MediumBlob
        | Sql::LongBlob => {
            return Err("bytes; write them as text".into());
        }
        other => return Err(format!("the type {other}")),
    })
}

fn characters(length: &CharacterLength) -> Option<u32> {
    match length {
        CharacterLength::IntegerLength { length, .. } => u32::try_from(*length).ok(),
        CharacterLength::Max => None,
    }
}

fn decimal(info: &ExactNumberInfo) -> Result<Type, String> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Err("a decimal without precision and scale".into()),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let fitting = u8::try_from(precision)
        .ok()
        .zip(u8::try_from(scale).ok())
        .filter(|(precision, scale)| (1..=38).contains(precision) && scale <= precision);
    let (precision, scale) =
        fitting.ok_or("a decimal has at most 38 digits, and a scale within them")?;
    Ok(Type::Decimal { precision, scale })
}

fn timestamp(digits: Option<u64>, dialect: SqlDialect) -> Type {
    Type::Timestamp(unit(digits, dialect))
}

/// What a dialect gives without a number of digits: PostgreSQL and the standard 6, MySQL none.
fn unit(digits: Option<u64>, dialect: SqlDialect) -> TimeUnit {
    let usual = if dialect == SqlDialect::MySql { 0 } else { 6 };
    if digits.unwrap_or(usual) > 3 {
        TimeUnit::Micros
    } else {
        TimeUnit::Millis
    }
}

fn enumeration(words: &[String], notes: &mut Vec<String>) -> Type {
    if are_symbols(words.iter().map(String::as_str)) && !words.is_empty() {
        return symbols(words.iter().map(|word| (word.clone(), None)));
    }
    notes.push("its values cannot be symbols (letters, digits and `_`): taken as text".into());
    text()
}

/// Types that a dialect has beyond the parser's, and enumerations of the file.
fn custom(
    name: &str,
    enums: &BTreeMap<String, Vec<String>>,
    notes: &mut Vec<String>,
) -> Result<Type, String> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let own = enums
        .iter()
        .find(|(known, _)| *known == name || known.rsplit('.').next() == Some(last));
    if let Some((_, words)) = own {
        return Ok(enumeration(words, notes));
    }
    Ok(match last.to_ascii_lowercase().as_str() {
        "serial" | "serial4" | "smallserial" | "serial2" => integer(false),
        "bigserial" | "serial8" => integer(true),
        "citext" | "name" | "inet" | "cidr" | "macaddr" | "xml" => text(),
        "money" => {
            notes.push("MONEY is carried as decimal(19,2)".into());
            Type::Decimal {
                precision: 19,
                scale: 2,
            }
        }
        _ => return Err(format!("the type {name}")),
    })
}
