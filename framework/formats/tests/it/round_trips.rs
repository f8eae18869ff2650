//! What is exported and imported again is the same, but for the losses that
//! `docs/formats.md` names.

use mesh_core::contract::{Contract, Field, TimeUnit, Type};
use mesh_formats::export::Dialect;
use mesh_formats::import::{SqlDialect, read_avro, read_json_schema, read_protobuf, read_sql};
use mesh_formats::{Choice, Format, Imported, export};

use crate::support::{columns, every_type, root};

/// Every contract of the repository's domains, and the one with every type.
fn contracts() -> Vec<Contract> {
    let mut found = vec![every_type()];
    for domain in std::fs::read_dir(root().join("domains")).unwrap().flatten() {
        for product in std::fs::read_dir(domain.path().join("products"))
            .unwrap()
            .flatten()
        {
            let path = product.path().join("contract.odcs.yaml");
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Contract::parse(&path.display().to_string(), &text).unwrap());
        }
    }
    assert!(found.len() >= 8, "{}", found.len());
    found
}

/// The type and the nullability that are left of a column.
type Loss = fn(&Type, bool) -> (Type, bool);

/// `fields` with the losses of a format applied, to what is nested too.
fn lossy(fields: &[Field], loss: Loss) -> Vec<Field> {
    fields
        .iter()
        .map(|field| {
            let mut left = field.clone();
            (left.ty, left.nullable) = loss(&field.ty, field.nullable);
            left.ty = lossy_inside(&left.ty, loss);
            left
        })
        .collect()
}

fn lossy_inside(ty: &Type, loss: Loss) -> Type {
    match ty {
        Type::Array(array) => {
            let mut array = array.clone();
            array.items = lossy_inside(&loss(&array.items, array.nullable).0, loss);
            Type::Array(array)
        }
        Type::Map(map) => {
            let mut map = map.clone();
            map.values = lossy_inside(&loss(&map.values, map.nullable).0, loss);
            Type::Map(map)
        }
        Type::Object(object) => {
            let mut object = object.clone();
            object.fields = lossy(&object.fields, loss);
            Type::Object(object)
        }
        other => other.clone(),
    }
}

fn check(format: Format, read: fn(&str) -> Imported, loss: Loss) {
    for contract in contracts() {
        let text = export(&contract, None, format).unwrap();
        let imported = read(&text);
        let expected = lossy(&contract.schema.fields, loss);
        assert_eq!(
            columns(&imported.fields),
            columns(&expected),
            "{format} of {}",
            contract.id
        );
        // Limits too, which the short form does not show.
        for (ours, theirs) in imported.fields.iter().zip(&expected) {
            assert_eq!(
                without_words(&ours.ty),
                without_words(&theirs.ty),
                "{format} of {}: {}",
                contract.id,
                ours.name
            );
        }
    }
}

/// A type in full, without descriptions and marks, which are no part of it.
fn without_words(ty: &Type) -> String {
    match ty {
        Type::Object(object) => {
            let fields = object.fields.iter();
            let fields: Vec<String> = fields
                .map(|field| {
                    format!(
                        "{} {} {}",
                        field.name,
                        without_words(&field.ty),
                        field.nullable
                    )
                })
                .collect();
            format!("{fields:?}")
        }
        Type::Array(array) => format!("[{} {}]", without_words(&array.items), array.nullable),
        Type::Map(map) => format!("<{} {}>", without_words(&map.values), map.nullable),
        Type::Enum(_) => ty.display(),
        other => format!("{other:?}"),
    }
}

/// Lengths and limits.
fn unlimited(ty: &Type) -> Type {
    match ty {
        Type::String { .. } => Type::String {
            min_length: None,
            max_length: None,
        },
        Type::Int32 { .. } => Type::Int32 {
            minimum: None,
            maximum: None,
        },
        Type::Int64 { .. } => Type::Int64 {
            minimum: None,
            maximum: None,
        },
        other => other.clone(),
    }
}

const TEXT: Type = Type::String {
    min_length: None,
    max_length: None,
};

#[test]
fn avro_loses_lengths_and_limits() {
    let read = |text: &str| read_avro("x.avsc", text, &Choice::default()).unwrap();
    check(Format::Avro, read, |ty, nullable| (unlimited(ty), nullable));
}

#[test]
fn json_schema_loses_nothing() {
    let read = |text: &str| read_json_schema("x.json", text, &Choice::default()).unwrap();
    check(Format::JsonSchema, read, |ty, nullable| {
        (ty.clone(), nullable)
    });
}

#[test]
fn protobuf_loses_limits_decimals_dates_uuids_and_that_messages_are_required() {
    let read = |text: &str| read_protobuf("x.proto", text, &Choice::default()).unwrap();
    check(Format::Protobuf, read, |ty, nullable| match ty {
        Type::Decimal { .. } | Type::Date | Type::Time(_) | Type::Uuid => (TEXT, nullable),
        Type::Timestamp(_) => (Type::Timestamp(TimeUnit::Micros), true),
        Type::Object(_) => (ty.clone(), true),
        Type::Array(array) => {
            let mut array = array.clone();
            array.nullable = false;
            (Type::Array(array), false)
        }
        Type::Map(map) => {
            let mut map = map.clone();
            map.nullable = false;
            (Type::Map(map), false)
        }
        other => (unlimited(other), nullable),
    });
}

#[test]
fn postgres_loses_records_and_what_stands_in_lists() {
    let read =
        |text: &str| read_sql("x.sql", text, SqlDialect::Postgres, &Choice::default()).unwrap();
    check(
        Format::Sql(Dialect::Postgres),
        read,
        |ty, nullable| match ty {
            Type::Object(_) | Type::Map(_) => (TEXT, nullable),
            Type::Array(array) => match &array.items {
                Type::Object(_) | Type::Array(_) | Type::Map(_) => (TEXT, nullable),
                items => {
                    let mut array = array.clone();
                    let longest = match items {
                        Type::String { max_length, .. } => *max_length,
                        _ => None,
                    };
                    array.items = match unlimited(items) {
                        Type::String { .. } => Type::String {
                            min_length: None,
                            max_length: longest,
                        },
                        other => other,
                    };
                    array.nullable = false;
                    (Type::Array(array), nullable)
                }
            },
            other => (other.clone(), nullable),
        },
    );
}

#[test]
fn mysql_and_the_standard_lose_records_and_lists() {
    let loss: Loss = |ty, nullable| match ty {
        Type::Array(_) | Type::Map(_) | Type::Object(_) => (TEXT, nullable),
        other => (other.clone(), nullable),
    };
    let mysql =
        |text: &str| read_sql("x.sql", text, SqlDialect::MySql, &Choice::default()).unwrap();
    check(Format::Sql(Dialect::MySql), mysql, loss);
    let ansi = |text: &str| read_sql("x.sql", text, SqlDialect::Ansi, &Choice::default()).unwrap();
    check(Format::Sql(Dialect::Ansi), ansi, loss);
}
