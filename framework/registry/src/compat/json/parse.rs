//! From the text of a schema, and the texts that it refers to, to subschemas.

use std::collections::{HashMap, HashSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use mesh_core::{Error, ErrorKind, Result};
use referencing::{Registry, Resource, uri};
use serde_json::{Map, Value};

use super::JsonSchema;
use super::compile::compile;
use super::pattern::Patterns;
use crate::compat::MAX_SCHEMA_BYTES;

/// The draft of a schema that does not say; Confluent's registry takes the same.
const DEFAULT_DRAFT: Draft = Draft::Draft7;
/// What relative references are resolved against when the schema has no identifier.
const BASE: &str = "json-schema:///";
/// Characters of a text of the schema that an error shows.
const SHOWN: usize = 120;

const DRAFTS: [(Draft, &str); 5] = [
    (Draft::Draft4, "http://json-schema.org/draft-04/schema#"),
    (Draft::Draft6, "http://json-schema.org/draft-06/schema#"),
    (Draft::Draft7, "http://json-schema.org/draft-07/schema#"),
    (
        Draft::Draft201909,
        "https://json-schema.org/draft/2019-09/schema",
    ),
    (
        Draft::Draft202012,
        "https://json-schema.org/draft/2020-12/schema",
    ),
];

impl JsonSchema {
    /// Reads a schema text. `references` are the names under which other schemas were
    /// registered with their texts; a `$ref` finds them by name, or by their `$id`.
    ///
    /// The error names the place as a JSON pointer (RFC 6901), for text that is not JSON as
    /// line and column, and the reference if the fault is in one.
    pub fn parse(text: &str, references: &[(String, String)]) -> Result<Self> {
        let root = read(text)?;
        let draft = draft_of(&root, DEFAULT_DRAFT)?;
        valid(&root, draft)?;
        let mut bytes = text.len();
        let mut documents = Vec::with_capacity(references.len());
        for (name, text) in references {
            bytes += text.len();
            if bytes > MAX_SCHEMA_BYTES {
                return Err(too_large(bytes));
            }
            let document = read(text)
                .and_then(|document| {
                    let draft = draft_of(&document, draft)?;
                    valid(&document, draft)?;
                    Ok(document)
                })
                .map_err(|error| error.with("reference", name))?;
            documents.push((name.as_str(), document));
        }
        let (nodes, start) = linked(&root, draft, &documents)?;
        let mut patterns = Patterns::default();
        for node in &nodes {
            let of_properties = node.object.iter().flat_map(|object| object.patterns.keys());
            for pattern in node.pattern.iter().chain(of_properties) {
                patterns.check(pattern)?;
            }
        }
        Ok(Self {
            root: start,
            nodes,
            json: root,
            references: documents
                .into_iter()
                .map(|(name, document)| (name.to_owned(), document))
                .collect(),
        })
    }
}

fn read(text: &str) -> Result<Value> {
    if text.trim().is_empty() {
        return Err(Error::invalid("the schema is empty"));
    }
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(too_large(text.len()));
    }
    // serde_json stops at 128 nested arrays and objects, so walking the value is bounded.
    let json: Value = serde_json::from_str(text).map_err(|error| {
        let cause = error.to_string();
        let cause = cause.rsplit_once(" at line ").map_or(&*cause, |cut| cut.0);
        Error::invalid("the schema is not valid JSON")
            .with("line", error.line())
            .with("column", error.column())
            .with("cause", cause)
    })?;
    match json {
        Value::Object(_) | Value::Bool(_) => Ok(json),
        _ => Err(
            Error::invalid("a JSON Schema is an object, or one of the words true and false")
                .with("at", "/"),
        ),
    }
}

fn too_large(bytes: usize) -> Error {
    Error::new(
        ErrorKind::ResourceExhausted,
        "the schema, with what it refers to, is too large",
    )
    .with("bytes", bytes)
    .with("limit", MAX_SCHEMA_BYTES)
    .retryable(false)
}

fn draft_of(json: &Value, otherwise: Draft) -> Result<Draft> {
    let Some(named) = json.get("$schema") else {
        return Ok(otherwise);
    };
    let known = named.as_str().map(Draft::from_schema_uri);
    match known {
        Some(draft) if draft != Draft::Unknown => Ok(draft),
        _ => {
            let all: Vec<&str> = DRAFTS.iter().map(|(_, uri)| *uri).collect();
            Err(Error::invalid(format!(
                "'$schema' names no draft that is known; it is one of {}",
                all.join(", ")
            ))
            .with("at", "/$schema"))
        }
    }
}

/// The draft's name, as documents write it.
pub(super) fn uri_of(draft: Draft) -> &'static str {
    let found = DRAFTS.iter().find(|(known, _)| *known == draft);
    found.map_or("", |(_, uri)| uri)
}

/// Holds a document against the schema of its draft.
fn valid(json: &Value, draft: Draft) -> Result<()> {
    let checked = match draft {
        Draft::Draft4 => jsonschema::draft4::meta::validate(json),
        Draft::Draft6 => jsonschema::draft6::meta::validate(json),
        Draft::Draft201909 => jsonschema::draft201909::meta::validate(json),
        Draft::Draft202012 => jsonschema::draft202012::meta::validate(json),
        _ => jsonschema::draft7::meta::validate(json),
    };
    checked.map_err(|error| {
        let error = error.to_owned();
        let error = innermost(&error);
        let pointer = error.instance_path().as_str();
        let at = if pointer.is_empty() { "/" } else { pointer };
        Error::invalid(format!(
            "not a schema of {}: {}",
            uri_of(draft),
            excerpt(&error.masked_with("what stands there").to_string())
        ))
        .with("at", excerpt(at))
    })
}

/// Of the alternatives that failed, the error that lies deepest says most.
fn innermost<'e>(error: &'e ValidationError<'static>) -> &'e ValidationError<'static> {
    let ValidationErrorKind::AnyOf { context } = error.kind() else {
        return error;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let inner = context.iter().flatten().map(innermost);
    match inner.max_by_key(|error| depth(error)) {
        Some(inner) if depth(inner) > depth(error) => inner,
        _ => error,
    }
}

/// Joins the documents by their references and reads them into subschemas.
fn linked(
    root: &Value,
    draft: Draft,
    documents: &[(&str, Value)],
) -> Result<(Vec<super::node::Node>, super::node::Id)> {
    let fault = |error: referencing::Error| {
        Error::invalid(format!(
            "the references of the schema cannot be followed: {}",
            excerpt(&error.to_string())
        ))
    };
    let named: HashMap<&str, &Value> = documents.iter().map(|(n, d)| (*n, d)).collect();
    let mut links = Links {
        named,
        placed: HashMap::new(),
        path: Vec::new(),
        seen: HashSet::new(),
        bases: HashSet::new(),
        followed: Vec::new(),
        within: None,
    };
    let base = uri::from_str(BASE).map_err(fault)?;
    let ids = (
        own_base(root, &base, draft),
        documents
            .iter()
            .map(|(name, document)| {
                let at =
                    uri::resolve_against(&base.borrow(), name).unwrap_or_else(|_| base.clone());
                own_base(document, &at, draft)
            })
            .collect::<Vec<_>>(),
    );
    links.walk(root, &ids.0, draft)?;
    for ((name, document), at) in documents.iter().zip(&ids.1) {
        links.within = Some(*name);
        links
            .walk(document, at, draft_of(document, draft)?)
            .map_err(|error| error.with("reference", name))?;
        // Under its own name too, for references that are not relative.
        let known = uri::resolve_against(&base.borrow(), name).map_err(fault)?;
        links
            .placed
            .entry(known.as_str().to_owned())
            .or_insert(document);
    }
    let resource = |json: &Value| {
        let draft = draft_of(json, draft).unwrap_or(draft);
        draft.create_resource(json.clone())
    };
    let mut builder = Registry::new()
        .draft(draft)
        .retrieve_known_draft_meta_schemas(false)
        .add(BASE, resource(root))
        .map_err(fault)?;
    for (uri, document) in &links.placed {
        let document: Resource = resource(document);
        builder = builder.add(uri, document).map_err(fault)?;
    }
    let registry = builder
        .prepare()
        .map_err(|error| links.missing().unwrap_or_else(|| fault(error)))?;
    let resolver = registry.resolver(base);
    let start = resolver.lookup("#").map_err(fault)?;
    compile(start.contents(), start.resolver().clone(), draft)
}

fn own_base(
    json: &Value,
    base: &referencing::Uri<String>,
    draft: Draft,
) -> referencing::Uri<String> {
    json.get(draft.id_keyword())
        .and_then(Value::as_str)
        .and_then(|id| uri::resolve_against(&base.borrow(), id).ok())
        .unwrap_or_else(|| base.clone())
}

/// Finds which absolute addresses stand for the schemas that are referred to by name.
struct Links<'a> {
    named: HashMap<&'a str, &'a Value>,
    placed: HashMap<String, &'a Value>,
    path: Vec<String>,
    seen: HashSet<String>,
    /// The addresses of the schemas themselves.
    bases: HashSet<String>,
    /// Every address that is referred to, without its fragment, and where.
    followed: Vec<Followed<'a>>,
    /// The name of the document that is walked through, if it is one that is referred to.
    within: Option<&'a str>,
}

struct Followed<'a> {
    within: Option<&'a str>,
    /// As the schema has it.
    reference: &'a str,
    address: String,
    pointer: String,
}

impl<'a> Links<'a> {
    /// What to say of the first reference that leads to no schema.
    fn missing(&self) -> Option<Error> {
        let is_known = |address: &str| {
            self.bases.contains(address)
                || self.placed.contains_key(address)
                || Draft::from_schema_uri(address) != Draft::Unknown
        };
        let followed = self.followed.iter().find(|it| !is_known(&it.address))?;
        let error = Error::invalid(format!(
            "'$ref' leads to '{name}', which is not among the references of the schema; \
             register it in a subject of its own, and name it in 'references' as '{name}' \
             with that subject and version",
            name = excerpt(followed.reference)
        ))
        .with("at", excerpt(&followed.pointer));
        Some(match followed.within {
            Some(name) => error.with("reference", name),
            None => error,
        })
    }

    fn walk(
        &mut self,
        json: &'a Value,
        base: &referencing::Uri<String>,
        draft: Draft,
    ) -> Result<()> {
        match json {
            Value::Object(object) => self.object(object, json, base, draft),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(at.to_string());
                    self.walk(item, base, draft)?;
                    self.path.pop();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        object: &'a Map<String, Value>,
        json: &'a Value,
        base: &referencing::Uri<String>,
        draft: Draft,
    ) -> Result<()> {
        let own;
        let base = if self.path.is_empty() {
            base
        } else {
            own = own_base(json, base, draft);
            &own
        };
        self.bases
            .insert(base.as_str().trim_end_matches('#').to_owned());
        if let Some(Value::String(reference)) = object.get("$ref") {
            let name = reference.split('#').next().unwrap_or_default();
            if !name.is_empty()
                && let Ok(address) = uri::resolve_against(&base.borrow(), name)
            {
                self.followed.push(Followed {
                    within: self.within,
                    reference: name,
                    address: address.as_str().to_owned(),
                    pointer: format!("/{}/$ref", self.path.join("/")).replace("//", "/"),
                });
            }
            if let Some(document) = self.named.get(name).copied()
                && self.seen.insert(format!("{base} {name}"))
                && let Ok(at) = uri::resolve_against(&base.borrow(), name)
            {
                self.placed.insert(at.as_str().to_owned(), document);
            }
        }
        for (key, value) in object {
            if matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                continue;
            }
            self.path.push(key.clone());
            self.walk(value, base, draft)?;
            self.path.pop();
        }
        Ok(())
    }
}

/// A text of the schema short enough for an error.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
