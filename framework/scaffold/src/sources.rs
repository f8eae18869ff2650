//! The source of a product without code, as far as its sample can be one.

use std::path::{Path, PathBuf};

use mesh_core::Result;
use mesh_core::contract::{Field, Type};
use mesh_formats::sample::csv_layout;
use mesh_formats::{Imported, SOURCE_NAME, SourceFormat, SourceOptions, detect};
use serde_json::{Map, Value as Json, json};

/// What feeds a product.
pub(crate) struct Sources {
    /// The value of `mesh.sources`.
    pub(crate) declared: Json,
    /// Where in the domain's folder the sample is put.
    pub(crate) file: Option<PathBuf>,
    /// Why the sample is no source.
    pub(crate) note: Option<String>,
}

fn http() -> Json {
    json!({"type": "http"})
}

/// Rows over HTTP alone.
pub(crate) fn over_http() -> Sources {
    Sources {
        declared: json!([http()]),
        file: None,
        note: None,
    }
}

/// The sample as a file of rows, where it is one, and rows over HTTP.
pub(crate) fn of_sample(
    product: &str,
    sample: &Path,
    options: &SourceOptions,
    imported: &Imported,
) -> Result<Sources> {
    let format = match options.format {
        Some(format) => format,
        None => detect(sample)?,
    };
    let only_http = |why: &str| Sources {
        note: Some(format!(
            "the sample is no source of the product, because {why}; send rows with POST /v1/{product}"
        )),
        ..over_http()
    };
    let mut source = Map::new();
    source.insert("type".into(), "file".into());
    let ending = match format {
        SourceFormat::Csv => {
            let layout = csv_layout(sample, &options.csv)?;
            if !layout.header {
                return Ok(only_http("its first row does not name the columns"));
            }
            if !matches!(layout.delimiter, b',' | b';' | b':' | b'|' | b'\t') {
                return Ok(only_http("no source is delimited so"));
            }
            if layout.delimiter != b',' {
                let delimiter = char::from(layout.delimiter).to_string();
                source.insert("delimiter".into(), delimiter.into());
            }
            "csv"
        }
        SourceFormat::Json if is_lines(sample) => "jsonl",
        SourceFormat::Json => return Ok(only_http("sources of JSON are files of lines, `.jsonl`")),
        SourceFormat::Parquet => "parquet",
        _ => return Ok(only_http("it is a schema")),
    };
    if imported.fields.iter().any(renamed_inside) {
        return Ok(only_http(
            "a name inside of its objects is no name of the mesh",
        ));
    }
    let path = format!("in/{product}.{ending}");
    source.insert("path".into(), path.clone().into());
    // A Parquet file is written as a whole.
    if format != SourceFormat::Parquet {
        source.insert("follow".into(), true.into());
    }
    let renamed: Map<String, Json> = imported
        .fields
        .iter()
        .filter_map(|field| {
            let before = field.custom.get(SOURCE_NAME)?.as_str()?;
            Some((before.to_owned(), field.name.clone().into()))
        })
        .collect();
    if !renamed.is_empty() {
        source.insert("columns".into(), renamed.into());
    }
    Ok(Sources {
        declared: json!([source, http()]),
        file: Some(PathBuf::from(path)),
        note: None,
    })
}

fn is_lines(sample: &Path) -> bool {
    let ending = sample.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

/// Whether a name below this column is not the one in the source.
fn renamed_inside(field: &Field) -> bool {
    match field.ty.innermost() {
        Type::Object(object) => object
            .fields
            .iter()
            .any(|inner| inner.custom.contains_key(SOURCE_NAME) || renamed_inside(inner)),
        _ => false,
    }
}
