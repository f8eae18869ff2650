//! JSON Schema, the part of draft-07 and 2020-12 that describes records.

use mesh_core::contract::{Field, TimeUnit, Type};
use mesh_core::{Error, Result};
use serde_json::{Map, Value as Json};

use super::parse_json;
use crate::draft::{
    self, Choice, Columns, DEEPEST, Draft, Imported, are_symbols, description, field, list, object,
    symbols, text,
};
use crate::export::LOGICAL_TYPE;

/// Keywords that a contract's type cannot say; each use is noted.
const NOT_CARRIED: [&str; 12] = [
    "pattern",
    "default",
    "multipleOf",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contentEncoding",
    "if",
    "not",
    "dependentRequired",
];

/// Reads the JSON Schema `source` of the file called `file`.
///
/// # Errors
/// If it is no JSON Schema of an object, or has properties that no type of the mesh can hold.
pub fn read_json_schema(file: &str, source: &str, choice: &Choice) -> Result<Imported> {
    let document = parse_json(file, source)?;
    let (name, root) = match &choice.record {
        Some(asked) => {
            let found = ["$defs", "definitions"]
                .iter()
                .find_map(|at| document.get(at)?.get(asked));
            let root = found.ok_or_else(|| {
                let names: Vec<&str> = ["$defs", "definitions"]
                    .iter()
                    .filter_map(|at| document.get(at)?.as_object())
                    .flat_map(|defs| defs.keys().map(String::as_str))
                    .collect();
                super::choose(file, "definition", Some(asked), &names)
            })?;
            (asked.clone(), root)
        }
        None => (name(&document, file), &document),
    };
    let plain = Choice {
        record: None,
        without: choice.without.clone(),
    };
    let mut reader = Reader {
        document: &document,
        open: Vec::new(),
        draft: Draft::new(format!("the JSON Schema {file}"), &name, &plain),
    };
    let not_object = || {
        Error::invalid("the schema describes no object with properties")
            .with("file", file)
            .mend("give the schema of a record: `\"type\": \"object\"` with `properties`, or name a definition by --record")
    };
    let root = reader.resolve(root).map_err(|_| not_object())?;
    let map = root.as_object().ok_or_else(not_object)?;
    if !map.contains_key("properties") {
        return Err(not_object());
    }
    reader.draft.description = description(map.get("description").and_then(Json::as_str));
    let fields = reader.properties(map, "")?;
    reader.draft.finish(fields)
}

/// The schema's title, or the last word of its id or of the file's name.
fn name(document: &Json, file: &str) -> String {
    let text = |key: &str| document.get(key).and_then(Json::as_str);
    if let Some(title) = text("title") {
        return title.to_owned();
    }
    let id = text("$id").unwrap_or(file);
    let last = id.rsplit(['/', ':']).next().unwrap_or(id);
    last.split('.').next().unwrap_or(last).to_owned()
}

struct Reader<'a> {
    document: &'a Json,
    /// The references that are being read, to see a schema that holds itself.
    open: Vec<&'a str>,
    draft: Draft,
}

/// A type and whether it may be null, or why there is none.
type Fit = std::result::Result<(Type, bool), String>;

impl<'a> Reader<'a> {
    /// Follows references within the document; at most as many as it can hold.
    fn resolve(&self, schema: &'a Json) -> std::result::Result<&'a Json, String> {
        let mut schema = schema;
        for _ in 0..DEEPEST {
            let Some(target) = schema.get("$ref").and_then(Json::as_str) else {
                return Ok(schema);
            };
            let pointer = target
                .strip_prefix('#')
                .ok_or_else(|| format!("`$ref` leads out of the file, to `{target}`"))?;
            schema = self
                .document
                .pointer(pointer)
                .ok_or_else(|| format!("`$ref` leads to `{target}`, which is not there"))?;
        }
        Err("`$ref` leads in a circle".into())
    }

    fn properties(&mut self, map: &'a Map<String, Json>, at: &str) -> Result<Vec<Field>> {
        let required: Vec<&str> = match map.get("required") {
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let mut columns = Columns::at(at);
        let Some(Json::Object(properties)) = map.get("properties") else {
            return Ok(Vec::new());
        };
        for (source_name, schema) in properties {
            let Some((name, path)) = columns.next(source_name, &mut self.draft)? else {
                continue;
            };
            match self.fit(schema, &path)? {
                Ok((ty, nullable)) => {
                    let optional = !required.contains(&source_name.as_str());
                    let mut column = field(&name, ty, nullable || optional);
                    column.description =
                        description(schema.get("description").and_then(Json::as_str));
                    columns.push(source_name, column, &mut self.draft);
                }
                Err(reason) => self.draft.unfit(&path, reason),
            }
        }
        Ok(columns.fields)
    }

    fn fit(&mut self, schema: &'a Json, path: &str) -> Result<Fit> {
        if self.open.len() > DEEPEST {
            return Ok(Err(format!("schemas are nested more than {DEEPEST} deep")));
        }
        let reference = schema.get("$ref").and_then(Json::as_str);
        if let Some(target) = reference {
            if self.open.contains(&target) {
                return Ok(Err(format!("`{target}` holds itself")));
            }
            let found = match self.resolve(schema) {
                Ok(found) => found,
                Err(reason) => return Ok(Err(reason)),
            };
            self.open.push(target);
            let fit = self.fit(found, path);
            self.open.pop();
            return fit;
        }
        let Some(map) = schema.as_object() else {
            return Ok(Err("a schema without a type".into()));
        };
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(Json::Array(options)) = map.get(key) {
                let others: Vec<&Json> = options
                    .iter()
                    .filter(|one| one.get("type") != Some(&"null".into()))
                    .collect();
                let [one] = others.as_slice() else {
                    return Ok(Err(format!(
                        "`{key}` of {} types; a column has one",
                        others.len()
                    )));
                };
                let nullable = others.len() < options.len();
                self.open.push(key);
                let fit = self.fit(one, path);
                self.open.pop();
                return Ok(fit?.map(|(ty, null)| (ty, null || nullable)));
            }
        }
        for key in NOT_CARRIED {
            // The pattern of a decimal says no more than its digits.
            if map.contains_key(key) && !map.contains_key(LOGICAL_TYPE) {
                self.draft
                    .note(path, format!("`{key}` is not carried over"));
            }
        }
        self.typed(map, path)
    }

    fn typed(&mut self, map: &'a Map<String, Json>, path: &str) -> Result<Fit> {
        let mut nullable = map.get("nullable") == Some(&true.into());
        let mut kinds: Vec<&str> = match map.get("type") {
            Some(Json::String(kind)) => vec![kind],
            Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
            _ if map.contains_key("properties") => vec!["object"],
            _ if map.contains_key("enum") || map.contains_key("const") => vec!["string"],
            _ => return Ok(Err("a schema without a type".into())),
        };
        let all = kinds.len();
        kinds.retain(|kind| *kind != "null");
        nullable |= kinds.len() < all;
        let kind = match kinds.as_slice() {
            [one] => *one,
            ["integer", "number"] | ["number", "integer"] => "number",
            [] => return Ok(Err("null alone is no type".into())),
            several => return Ok(Err(format!("{} types; a column has one", several.len()))),
        };
        let fit = match kind {
            "string" => self.string(map, path),
            "integer" => Ok(self.integer(map, path)),
            "number" => {
                if map.contains_key("minimum") || map.contains_key("maximum") {
                    self.draft.note(
                        path,
                        "`minimum` and `maximum` of a number are not carried over",
                    );
                }
                Ok(match map.get("format").and_then(Json::as_str) {
                    Some("float") => Type::Float32,
                    _ => Type::Float64,
                })
            }
            "boolean" => Ok(Type::Boolean),
            "array" => match map.get("items") {
                Some(items @ Json::Object(_)) => {
                    self.open.push("items");
                    let fit = self.fit(items, path);
                    self.open.pop();
                    fit?.map(|(items, nullable)| list(items, nullable))
                }
                _ => Err("a list without one type of items".into()),
            },
            "object" if map.contains_key("properties") => {
                self.open.push("properties");
                let fields = self.properties(map, path);
                self.open.pop();
                Ok(object(fields?))
            }
            "object" => match map.get("additionalProperties") {
                Some(values @ Json::Object(_)) => {
                    self.open.push("additionalProperties");
                    let fit = self.fit(values, path);
                    self.open.pop();
                    fit?.map(|(values, nullable)| draft::map(values, nullable))
                }
                _ => Err(
                    "an object without properties; give `additionalProperties` the type of \
                          its values, or list its properties"
                        .into(),
                ),
            },
            other => Err(format!("`{other}` is no type of JSON Schema")),
        };
        let null_symbol =
            matches!(map.get("enum"), Some(Json::Array(values)) if values.contains(&Json::Null));
        Ok(fit.map(|ty| (ty, nullable || null_symbol)))
    }

    fn string(&mut self, map: &Map<String, Json>, path: &str) -> std::result::Result<Type, String> {
        if let Some(logical) = map.get(LOGICAL_TYPE).and_then(Json::as_str) {
            return logical_type(logical);
        }
        let listed = match (map.get("enum"), map.get("const")) {
            (Some(Json::Array(values)), _) => Some(values.iter().collect::<Vec<_>>()),
            (_, Some(value)) => Some(vec![value]),
            _ => None,
        };
        if let Some(values) = listed {
            let values: Vec<&Json> = values
                .into_iter()
                .filter(|value| !value.is_null())
                .collect();
            let words: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
            if words.len() < values.len() {
                return Err("an enumeration of other values than strings".into());
            }
            if are_symbols(words.iter().copied()) && !words.is_empty() {
                return Ok(symbols(
                    words.into_iter().map(|word| (word.to_owned(), None)),
                ));
            }
            self.draft.note(
                path,
                "its values cannot be symbols (letters, digits and `_`): taken as text",
            );
            return Ok(text());
        }
        let length = |key: &str| map.get(key).and_then(Json::as_u64)?.try_into().ok();
        Ok(match map.get("format").and_then(Json::as_str) {
            Some("uuid") => Type::Uuid,
            Some("date") => Type::Date,
            Some("date-time") => Type::Timestamp(TimeUnit::Millis),
            format => {
                if let Some(format) = format {
                    self.draft
                        .note(path, format!("`format: {format}` is not carried over"));
                }
                Type::String {
                    min_length: length("minLength"),
                    max_length: length("maxLength"),
                }
            }
        })
    }

    fn integer(&mut self, map: &Map<String, Json>, path: &str) -> Type {
        let limit = |key: &str| map.get(key).and_then(Json::as_i64);
        let (minimum, maximum) = (limit("minimum"), limit("maximum"));
        if map.contains_key("enum") || map.contains_key("const") {
            self.draft
                .note(path, "the list of its values is not carried over");
        }
        let small = |limit: Option<i64>| limit.is_some_and(|limit| i32::try_from(limit).is_ok());
        match map.get("format").and_then(Json::as_str) {
            Some("int32") => Type::Int32 { minimum, maximum },
            Some("int64") => Type::Int64 { minimum, maximum },
            _ if small(minimum) && small(maximum) => Type::Int32 { minimum, maximum },
            _ => Type::Int64 { minimum, maximum },
        }
    }
}

/// The type that [`LOGICAL_TYPE`] names.
fn logical_type(name: &str) -> std::result::Result<Type, String> {
    let decimal = name
        .strip_prefix("decimal(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|inner| inner.split_once(','))
        .and_then(|(p, s)| Some((p.trim().parse().ok()?, s.trim().parse().ok()?)))
        .filter(|(precision, scale)| (1..=38).contains(precision) && scale <= precision);
    match (name, decimal) {
        ("timestamp-micros", _) => Ok(Type::Timestamp(TimeUnit::Micros)),
        ("timestamp-millis", _) => Ok(Type::Timestamp(TimeUnit::Millis)),
        ("time-micros", _) => Ok(Type::Time(TimeUnit::Micros)),
        ("time-millis", _) => Ok(Type::Time(TimeUnit::Millis)),
        (_, Some((precision, scale))) => Ok(Type::Decimal { precision, scale }),
        _ => Err(format!("`{LOGICAL_TYPE}: {name}` is not understood")),
    }
}
