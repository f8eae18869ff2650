//! `CREATE TABLE` for the columns of a product.

use std::fmt::Write;

use mesh_core::contract::{Contract, Field, TimeUnit, Type};

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// ISO SQL:2023, with its JSON type.
    Ansi,
    /// MySQL 8.
    MySql,
}

impl Dialect {
    fn quote(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{name}`"),
            _ => format!("\"{name}\""),
        }
    }
}

fn literal(text: &str, dialect: Dialect) -> String {
    let text = text.replace('\'', "''");
    match dialect {
        // MySQL takes a backslash for an escape.
        Dialect::MySql => format!("'{}'", text.replace('\\', "\\\\")),
        _ => format!("'{text}'"),
    }
}

pub(super) fn write(contract: &Contract, dialect: Dialect) -> String {
    let schema = &contract.schema;
    let table = format!(
        "{}.{}",
        dialect.quote(&contract.domain),
        dialect.quote(&contract.product)
    );
    let mut lines: Vec<String> = schema
        .fields
        .iter()
        .map(|field| column(field, dialect))
        .collect();
    let key: Vec<String> = schema
        .primary_key()
        .iter()
        .map(|field| dialect.quote(&field.name))
        .collect();
    if !key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        "-- {} {}, from its contract {}",
        schema.topic, contract.version, contract.id
    );
    let _ = write!(
        out,
        "CREATE TABLE {table} (\n    {}\n)",
        lines.join(",\n    ")
    );
    let comment = schema.description.as_deref().map(str::trim);
    match (dialect, comment) {
        (Dialect::MySql, Some(text)) => {
            let _ = writeln!(out, " COMMENT = {};", literal(text, dialect));
        }
        _ => out.push_str(";\n"),
    }
    if dialect == Dialect::Postgres {
        if let Some(text) = comment {
            let _ = writeln!(
                out,
                "COMMENT ON TABLE {table} IS {};",
                literal(text, dialect)
            );
        }
        for field in &schema.fields {
            if let Some(text) = &field.description {
                let _ = writeln!(
                    out,
                    "COMMENT ON COLUMN {table}.{} IS {};",
                    dialect.quote(&field.name),
                    literal(text.trim(), dialect)
                );
            }
        }
    }
    out
}

fn column(field: &Field, dialect: Dialect) -> String {
    let name = dialect.quote(&field.name);
    let mut line = format!("{name} {}", data_type(&field.ty, dialect));
    if !field.nullable {
        line.push_str(" NOT NULL");
    }
    if field.unique && field.primary_key.is_none() {
        line.push_str(" UNIQUE");
    }
    if let Some(check) = check(&field.ty, &name, dialect) {
        let _ = write!(line, " CHECK ({check})");
    }
    if dialect == Dialect::MySql
        && let Some(text) = &field.description
    {
        let _ = write!(line, " COMMENT {}", literal(text.trim(), dialect));
    }
    line
}

fn check(ty: &Type, name: &str, dialect: Dialect) -> Option<String> {
    let parts: Vec<String> = match ty {
        Type::Enum(kind) if dialect != Dialect::MySql => {
            let symbols: Vec<String> = kind
                .symbols
                .iter()
                .map(|symbol| literal(&symbol.value, dialect))
                .collect();
            vec![format!("{name} IN ({})", symbols.join(", "))]
        }
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            let least = minimum.map(|limit| format!("{name} >= {limit}"));
            let most = maximum.map(|limit| format!("{name} <= {limit}"));
            least.into_iter().chain(most).collect()
        }
        Type::String {
            min_length: Some(length),
            ..
        } => vec![format!("CHAR_LENGTH({name}) >= {length}")],
        _ => Vec::new(),
    };
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

/// The type of a column; objects, and lists where the dialect has none, are JSON.
pub(crate) fn data_type(ty: &Type, dialect: Dialect) -> String {
    let postgres = dialect == Dialect::Postgres;
    let mysql = dialect == Dialect::MySql;
    match ty {
        Type::String {
            max_length: Some(length),
            ..
        } => format!("VARCHAR({length})"),
        Type::String { .. } if dialect == Dialect::Ansi => "CHARACTER LARGE OBJECT".into(),
        Type::String { .. } => "TEXT".into(),
        Type::Uuid if postgres => "UUID".into(),
        Type::Uuid => "CHAR(36)".into(),
        Type::Enum(kind) if mysql => {
            let symbols: Vec<String> = kind
                .symbols
                .iter()
                .map(|symbol| literal(&symbol.value, dialect))
                .collect();
            format!("ENUM({})", symbols.join(", "))
        }
        Type::Enum(kind) => {
            let longest = kind.symbols.iter().map(|symbol| symbol.value.len()).max();
            format!("VARCHAR({})", longest.unwrap_or(1))
        }
        Type::Int32 { .. } => "INTEGER".into(),
        Type::Int64 { .. } => "BIGINT".into(),
        Type::Float32 if mysql => "FLOAT".into(),
        Type::Float32 => "REAL".into(),
        Type::Float64 if mysql => "DOUBLE".into(),
        Type::Float64 => "DOUBLE PRECISION".into(),
        Type::Decimal { precision, scale } => format!("NUMERIC({precision}, {scale})"),
        Type::Boolean => "BOOLEAN".into(),
        Type::Date => "DATE".into(),
        Type::Timestamp(unit) => {
            let digits = match unit {
                TimeUnit::Millis => 3,
                TimeUnit::Micros => 6,
            };
            // MySQL's TIMESTAMP ends in 2038; its DATETIME has no zone and holds UTC here.
            if mysql {
                format!("DATETIME({digits})")
            } else {
                format!("TIMESTAMP({digits}) WITH TIME ZONE")
            }
        }
        Type::Time(unit) => match unit {
            TimeUnit::Millis => "TIME(3)".into(),
            TimeUnit::Micros => "TIME(6)".into(),
        },
        Type::Array(array)
            if postgres
                && !matches!(array.items, Type::Object(_) | Type::Array(_) | Type::Map(_)) =>
        {
            format!("{}[]", data_type(&array.items, dialect))
        }
        Type::Array(_) | Type::Map(_) | Type::Object(_) if postgres => "JSONB".into(),
        Type::Array(_) | Type::Map(_) | Type::Object(_) => "JSON".into(),
    }
}
