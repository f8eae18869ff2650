//! Where the rows of a product without code come from: the custom property `mesh.sources`
//! of `product.odps.yaml`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::names::check_name;
use crate::node::{Entry, Map, Node, Value};

/// A source that a product declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSource {
    /// Its name, unique in the product; its position is kept under it.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
}

/// What a declared source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// A file in the source directory.
    File(FileSource),
    /// Records of another product, or of another major version of the same one.
    Product(ProductSource),
    /// Rows of a table in Postgres.
    Postgres(PostgresSource),
    /// Rows that are sent to the domain's HTTP API.
    Http {
        /// The path, `/v1/<product>` if none is declared.
        path: Option<String>,
        /// The name in a sent row that tells whether it is gone.
        deleted: Option<String>,
    },
    /// Rows that a statement gives as records of other products come.
    Sql(SqlSource),
}

/// A statement over other products that runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlSource {
    /// The statement; its columns are those of the product.
    pub query: String,
    /// For what purpose it reads.
    pub purpose: String,
    /// Seconds that a record may be later than the latest event time seen and still be in
    /// its window.
    pub lateness: u64,
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// Its path, relative to the source directory and inside it.
    pub path: String,
    /// How its rows are written.
    pub format: FileFormat,
    /// Whether more rows will be added to its end.
    pub follow: bool,
    /// Names in the file by which columns of the contract are known there.
    pub columns: BTreeMap<String, String>,
    /// Names in the file that are left out.
    pub ignore: Vec<String>,
    /// The name in the file of what tells whether a row is gone.
    pub deleted: Option<String>,
}

/// A table in Postgres to which rows are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSource {
    /// The environment variable that holds the database's URL.
    pub url_variable: String,
    /// The schema of the table.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column of whole numbers that each new row has a higher one in.
    pub cursor: String,
    /// Whether the table is an outbox: a row in each row, as JSON, and whether it is gone.
    pub outbox: bool,
    /// Names in the table, or in an outbox's rows, by which columns of the contract are known.
    pub columns: BTreeMap<String, String>,
    /// Names that are left out.
    pub ignore: Vec<String>,
}

/// Records of a product, as rows of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductSource {
    /// The contract that is read, relative to the domain's folder and inside it.
    pub contract: String,
    /// Columns of that contract by which columns of the own one are known there.
    pub columns: BTreeMap<String, String>,
    /// Columns of that contract that are left out.
    pub ignore: Vec<String>,
    /// By own column: what its values are called here, by what they are called there.
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// By own column: its value where it is null or not there.
    pub default: BTreeMap<String, Json>,
}

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Delimited text with a header (RFC 4180).
    Csv {
        /// The character between two cells, `,` by default.
        delimiter: u8,
    },
    /// A JSON object on each line.
    JsonLines,
    /// A Parquet file, which is read once.
    Parquet,
}

const PROPERTY: &str = "mesh.sources";

/// The sources of a product, and nothing if it has none.
pub(crate) fn read_sources(map: &Map<'_>) -> Vec<DeclaredSource> {
    let mut sources: Vec<DeclaredSource> = Vec::new();
    for property in map.maps("customProperties") {
        let named = property.node("property").map(|node| &node.value);
        if !matches!(named, Some(Value::Str(name)) if name == PROPERTY) {
            continue;
        }
        for item in property.maps("value") {
            let Some(source) = read_source(&item) else {
                continue;
            };
            if sources.iter().any(|known| known.name == source.name) {
                item.refuse(
                    "name",
                    format!("`{}` stands here twice", source.name),
                    "give each source a name of its own",
                );
            }
            sources.push(source);
        }
        if sources.is_empty() {
            property.refuse(
                "value",
                "no source",
                "list at least one, or remove the property",
            );
        }
    }
    sources
}

fn read_source(map: &Map<'_>) -> Option<DeclaredSource> {
    let ty = map.one_of("type", &["file", "product", "postgres", "http", "sql"]);
    let name = match map.node("name") {
        Some(_) => map.required_string("name"),
        None => ty.clone(),
    };
    if let Some(name) = &name
        && let Err((message, mend)) = check_name(name)
    {
        map.refuse("name", message, mend);
    }
    let kind = match ty.as_deref() {
        Some("file") => read_file(map).map(SourceKind::File),
        Some("product") => read_product(map).map(SourceKind::Product),
        Some("postgres") => read_postgres(map).map(SourceKind::Postgres),
        Some("sql") => read_sql(map).map(SourceKind::Sql),
        Some(_) => Some(read_http(map)),
        // Which of its keys are right follows from the type.
        None => return None,
    };
    map.finish();
    Some(DeclaredSource {
        name: name?,
        kind: kind?,
    })
}

fn read_sql(map: &Map<'_>) -> Option<SqlSource> {
    let query = map.required_string("query");
    let purpose = map.required_string("purpose");
    if let Some(purpose) = &purpose
        && let Err((message, mend)) = check_name(purpose)
    {
        map.refuse("purpose", message, mend);
    }
    let lateness = match map.string("lateness") {
        None => 0,
        Some(text) => seconds(&text).unwrap_or_else(|| {
            map.refuse(
                "lateness",
                "is no time",
                "write it like `90s`, `10m` or `2h`",
            );
            0
        }),
    };
    Some(SqlSource {
        query: query?,
        purpose: purpose?,
        lateness,
    })
}

/// `90s`, `10m`, `2h` or `1d`.
fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds)
}

fn read_http(map: &Map<'_>) -> SourceKind {
    let path = map.string("path");
    if let Some(path) = &path {
        let version = path.strip_prefix("/v").and_then(|rest| rest.chars().next());
        let plain = path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c));
        if !version.is_some_and(|c| c.is_ascii_digit()) || path.ends_with('/') || !plain {
            map.refuse(
                "path",
                "is no path of an API",
                "write it like `/v1/shipments`",
            );
        }
    }
    let deleted = map.string("deleted");
    SourceKind::Http { path, deleted }
}

fn read_file(map: &Map<'_>) -> Option<FileSource> {
    let path = map.required_string("path");
    let format = read_format(map, path.as_deref());
    let columns = read_columns(map);
    let ignore = map.strings("ignore");
    let deleted = map.string("deleted");
    let follow = map.boolean("follow").unwrap_or(false);
    if follow && format == Some(FileFormat::Parquet) {
        map.refuse(
            "follow",
            "a Parquet file is written as a whole and does not grow",
            "remove it; a further file is a source of its own",
        );
    }
    let path = path?;
    if !is_inside(&path) {
        map.refuse(
            "path",
            "leads out of the source directory",
            "write a path below the source directory, such as `in/shipments.csv`",
        );
    }
    Some(FileSource {
        path,
        format: format?,
        follow,
        columns,
        ignore,
        deleted,
    })
}

fn is_inside(path: &str) -> bool {
    !path.starts_with('/')
        && !path.contains('\\')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

fn read_product(map: &Map<'_>) -> Option<ProductSource> {
    let contract = map.required_string("contract");
    let columns = read_columns(map);
    let ignore = map.strings("ignore");
    let mut values = BTreeMap::new();
    if let Some(all) = map.child("values") {
        for column in all.keys() {
            let names = all.peek_map(column).and_then(|names| texts(&names));
            match names {
                Some(names) => {
                    values.insert(column.to_owned(), names);
                }
                None => all.refuse(
                    column,
                    "is no mapping of values",
                    "write `column: { value there: value here }`",
                ),
            }
        }
    }
    let default = match map.node("default").map(Node::to_json) {
        Some(Json::Object(values)) => values.into_iter().collect(),
        Some(_) => {
            map.refuse("default", "is no mapping", "write `column: value` lines");
            BTreeMap::new()
        }
        None => BTreeMap::new(),
    };
    let contract = contract?;
    if !is_inside(&contract) {
        map.refuse(
            "contract",
            "leads out of the domain's folder",
            "write a path below it, such as `inputs/orders.odcs.yaml`",
        );
    }
    Some(ProductSource {
        contract,
        columns,
        ignore,
        values,
        default,
    })
}

fn read_postgres(map: &Map<'_>) -> Option<PostgresSource> {
    let url_variable = map.required_string("url_variable");
    let columns = read_columns(map);
    let ignore = map.strings("ignore");
    let [outbox, table] = ["outbox", "table"].map(|key| map.string(key));
    let named = match (outbox, table) {
        (Some(table), None) => Some((table, true)),
        (None, Some(table)) => Some((table, false)),
        (Some(_), Some(_)) => {
            map.refuse("outbox", "stands beside `table`", "keep one of the two");
            None
        }
        (None, None) => {
            map.refuse(
                "table",
                "is missing",
                "write `table: shop.orders`, or `outbox: shop.outbox` for an outbox",
            );
            None
        }
    };
    let cursor = match (map.string("cursor"), &named) {
        (Some(cursor), _) => Some(cursor),
        (None, Some((_, true))) => Some("seq".to_owned()),
        (None, _) => {
            map.refuse(
                "cursor",
                "is missing",
                "name the column of whole numbers that grows with each new row",
            );
            None
        }
    };
    if let Some(name) = &url_variable
        && !name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    {
        map.refuse(
            "url_variable",
            "is no name of an environment variable",
            "write a name like `SHOP_DATABASE_URL`; the URL with its password stands there, not here",
        );
    }
    let ((table, outbox), cursor) = (named?, cursor?);
    let (schema, table) = match table.split_once('.') {
        Some((schema, table)) => (schema.to_owned(), table.to_owned()),
        None => ("public".to_owned(), table),
    };
    Some(PostgresSource {
        url_variable: url_variable?,
        schema,
        table,
        cursor,
        outbox,
        columns,
        ignore,
    })
}

/// A mapping of texts to texts, whatever its keys are.
fn texts(map: &Map<'_>) -> Option<BTreeMap<String, String>> {
    map.keys()
        .map(|key| Some((key.to_owned(), map.text(key)?.to_owned())))
        .collect()
}

fn read_format(map: &Map<'_>, path: Option<&str>) -> Option<FileFormat> {
    let named = match map.node("format") {
        Some(_) => map.one_of("format", &["csv", "jsonl", "parquet"])?,
        None => match path?.rsplit_once('.').map(|(_, ending)| ending) {
            Some("csv" | "tsv" | "txt") => "csv".to_owned(),
            Some("jsonl" | "ndjson") => "jsonl".to_owned(),
            Some("parquet") => "parquet".to_owned(),
            _ => {
                map.refuse(
                    "path",
                    "does not tell how its rows are written",
                    "add `format: csv`, `format: jsonl` or `format: parquet`",
                );
                return None;
            }
        },
    };
    if named != "csv" {
        if map.node("delimiter").is_some() {
            map.refuse("delimiter", "has a meaning for CSV only", "remove it");
        }
        return Some(match named.as_str() {
            "parquet" => FileFormat::Parquet,
            _ => FileFormat::JsonLines,
        });
    }
    let tabs = path.is_some_and(|path| path.ends_with(".tsv"));
    let delimiter = match map.string("delimiter") {
        None if tabs => b'\t',
        None => b',',
        Some(text) => match text.as_bytes() {
            [one @ (b',' | b';' | b'|' | b'\t' | b':')] => *one,
            _ => {
                map.refuse(
                    "delimiter",
                    "is not understood here",
                    "write one of `,`, `;`, `|`, `:` or `\"\\t\"`",
                );
                return None;
            }
        },
    };
    Some(FileFormat::Csv { delimiter })
}

fn read_columns(map: &Map<'_>) -> BTreeMap<String, String> {
    let Some(node) = map.node("columns") else {
        return BTreeMap::new();
    };
    let Value::Map(entries) = &node.value else {
        map.refuse(
            "columns",
            "is no mapping",
            "write `name in the file: column` lines",
        );
        return BTreeMap::new();
    };
    let mut columns = BTreeMap::new();
    for Entry {
        key: name,
        at,
        node,
        ..
    } in entries
    {
        match &node.value {
            Value::Str(column) => {
                columns.insert(name.clone(), column.clone());
            }
            _ => map.reader.refuse(
                *at,
                &map.path_of("columns"),
                format!("`{name}` is not mapped to a column's name"),
                "write `name in the file: column`",
            ),
        }
    }
    columns
}
