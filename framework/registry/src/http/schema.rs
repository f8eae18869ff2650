//! A schema in a request and in an answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::exchange::is_empty;
use crate::app::{Asked, Submission};
use crate::compat::{Reference, SchemaType};
use crate::metadata::{Metadata, RuleSet};
use crate::refusal::Refusal;
use crate::store::{Content, StoredVersion, Wanted};

/// A schema in a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaRequest {
    schema: Option<String>,
    schema_type: Option<String>,
    references: Option<Vec<ReferenceRequest>>,
    metadata: Option<Value>,
    rule_set: Option<Value>,
    id: Option<i64>,
    version: Option<i64>,
    /// The subject, which stands in the path.
    #[serde(rename = "subject")]
    _subject: Option<Value>,
    /// What newer clients add and this registry does not know.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceRequest {
    name: Option<String>,
    subject: Option<String>,
    version: Option<i64>,
}

impl ReferenceRequest {
    fn asked(self) -> Result<Asked, Refusal> {
        let invalid = || {
            Refusal::invalid_schema(
                "Invalid reference: it has a name, a subject, and a version from 1 or -1 for \\
                 the latest",
            )
        };
        let version = match self.version.ok_or_else(invalid)? {
            -1 => Wanted::Latest,
            number => {
                let number = i32::try_from(number).ok().filter(|number| *number > 0);
                Wanted::Number(number.ok_or_else(invalid)?.unsigned_abs())
            }
        };
        let text =
            |text: Option<String>| text.filter(|text| !text.is_empty() && !text.contains('\0'));
        Ok(Asked {
            name: text(self.name).ok_or_else(invalid)?,
            subject: text(self.subject).ok_or_else(invalid)?,
            version,
        })
    }
}

impl SchemaRequest {
    /// Refuses what would otherwise be dropped without a word.
    pub(super) fn submission(self, normalize: bool) -> Result<Submission, Refusal> {
        let kind = match self.schema_type.as_deref() {
            None => SchemaType::Avro,
            Some(text) => SchemaType::of(text).ok_or_else(|| {
                Refusal::invalid_schema("Invalid schema type: it is AVRO, JSON or PROTOBUF")
            })?,
        };
        if let Some((key, _)) = self.rest.iter().find(|(_, value)| !is_empty(value)) {
            let key: String = key.chars().take(40).collect();
            return Err(Refusal::new(
                422,
                format!("The field '{key}' of the request is not supported"),
            ));
        }
        let schema = self.schema.unwrap_or_default();
        if schema.trim().is_empty() {
            return Err(Refusal::invalid_schema("Empty schema"));
        }
        let references = self.references.unwrap_or_default().into_iter();
        let id = self.id.filter(|id| *id > 0);
        let version = self.version.filter(|version| *version > 0);
        Ok(Submission {
            kind,
            schema,
            references: references
                .map(ReferenceRequest::asked)
                .collect::<Result<_, _>>()?,
            metadata: self.metadata.map(metadata).transpose()?.flatten(),
            rule_set: self.rule_set.map(rule_set).transpose()?.flatten(),
            normalize,
            version: version
                .map(|version| positive(version).ok_or_else(|| Refusal::invalid_version("")))
                .transpose()?,
            id: id
                .map(|id| positive(id).ok_or_else(|| Refusal::invalid_schema("Invalid id")))
                .transpose()?,
        })
    }
}

fn positive(number: i64) -> Option<u32> {
    i32::try_from(number).ok().map(i32::unsigned_abs)
}

/// Reads metadata; `None` where it says nothing.
pub(super) fn metadata(value: Value) -> Result<Option<Metadata>, Refusal> {
    let read: Option<Metadata> = serde_json::from_value(value).map_err(|error| {
        Refusal::invalid_schema(format!(
            "Invalid metadata, details: {error}; it has tags (lists of texts by path), \
             properties (texts by name) and sensitive (a list of names)"
        ))
    })?;
    Ok(read.filter(|metadata| !metadata.is_empty()))
}

fn rule_set(value: Value) -> Result<Option<RuleSet>, Refusal> {
    RuleSet::read(value)
        .map_err(|reason| Refusal::invalid_rule_set(format!("Invalid rule set, details: {reason}")))
}

/// A schema in an answer. What it has not is left out: older clients stumble over it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaParts {
    #[serde(skip_serializing_if = "is_avro")]
    schema_type: &'static str,
    schema: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<RuleSet>,
}

fn is_avro(schema_type: &&str) -> bool {
    *schema_type == SchemaType::Avro.as_str()
}

impl From<Content> for SchemaParts {
    fn from(content: Content) -> Self {
        Self {
            schema_type: content.kind.as_str(),
            schema: content.schema,
            references: content.references,
            metadata: content.metadata,
            rule_set: content.rule_set,
        }
    }
}

/// A version as answers show it.
#[derive(Debug, Serialize)]
pub(super) struct VersionAnswer {
    subject: String,
    version: u32,
    id: u32,
    #[serde(flatten)]
    parts: SchemaParts,
}

impl From<StoredVersion> for VersionAnswer {
    fn from(version: StoredVersion) -> Self {
        Self {
            subject: version.subject,
            version: version.version,
            id: version.id,
            parts: version.content.into(),
        }
    }
}
