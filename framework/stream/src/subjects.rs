//! Subjects of the registry as they are: which there are, their versions and levels, and
//! what the registry would say of a new one.

use std::collections::BTreeSet;

use mesh_core::{Error, ErrorKind, Result};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::registry::RegistryClient;

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The schema's id.
    pub id: u32,
    /// The version within the subject.
    pub version: u32,
    /// The schema's text.
    pub schema: String,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub schema_type: String,
}

/// What the registry says of a schema beside those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compatibility {
    /// Whether it would take it.
    pub compatible: bool,
    /// Why not, in its own words.
    pub reasons: Vec<String>,
}

#[derive(Deserialize)]
struct RawVersion {
    id: u32,
    version: u32,
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
}

impl From<RawVersion> for Found {
    fn from(raw: RawVersion) -> Self {
        Self {
            id: raw.id,
            version: raw.version,
            schema: raw.schema,
            // Registries leave it out for Avro.
            schema_type: raw.schema_type.unwrap_or_else(|| "AVRO".to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct RawLevel {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

#[derive(Deserialize)]
struct RawVerdict {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

impl RegistryClient {
    /// The names of all subjects.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn subjects(&self) -> Result<BTreeSet<String>> {
        let what = "asking for the subjects";
        self.read(
            what,
            self.call(what, Method::GET, &["subjects"], "", None)
                .await?,
        )
    }

    /// The numbers of a subject's versions, rising; none if there is no such subject.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn versions(&self, subject: &str) -> Result<Vec<u32>> {
        let path = ["subjects", subject, "versions"];
        let found = self
            .known(
                "asking for a subject's versions",
                Method::GET,
                &path,
                "",
                None,
            )
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// The newest version of a subject with its type; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn newest(&self, subject: &str) -> Result<Option<Found>> {
        let path = ["subjects", subject, "versions", "latest"];
        let found: Option<RawVersion> = self
            .known("looking up a subject", Method::GET, &path, "", None)
            .await?;
        Ok(found.map(Found::from))
    }

    /// The version of `subject` that is `schema`, as the registry judges it; `None` if it has
    /// none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn find(&self, subject: &str, schema: &str) -> Result<Option<Found>> {
        let found: Option<RawVersion> = self
            .known(
                "looking up a schema",
                Method::POST,
                &["subjects", subject],
                "",
                Some(json!({ "schema": schema })),
            )
            .await?;
        Ok(found.map(Found::from))
    }

    /// The compatibility level that holds for `subject`: its own, or the registry's.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn compatibility(&self, subject: &str) -> Result<String> {
        let what = "asking for a compatibility level";
        let path = ["config", subject];
        let own: Option<RawLevel> = self
            .known(what, Method::GET, &path, "defaultToGlobal=true", None)
            .await?;
        let level = match own {
            Some(level) => level,
            // Some registries know no such parameter.
            None => self.read(
                what,
                self.call(what, Method::GET, &["config"], "", None).await?,
            )?,
        };
        Ok(level.level)
    }

    /// Whether the registry would take `schema` as the next version of `subject`, by the level
    /// that holds now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the schema is none,
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn check(&self, subject: &str, schema: &str) -> Result<Compatibility> {
        let verdict: Option<RawVerdict> = self
            .known(
                "checking a schema",
                Method::POST,
                &["compatibility", "subjects", subject, "versions"],
                "verbose=true",
                Some(json!({ "schema": schema })),
            )
            .await?;
        Ok(match verdict {
            Some(verdict) => Compatibility {
                compatible: verdict.is_compatible,
                reasons: verdict.messages,
            },
            // Nothing is there that it could break.
            None => Compatibility {
                compatible: true,
                reasons: Vec::new(),
            },
        })
    }

    /// Takes a subject out of the registry; its schemas can still be read by their ids.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none,
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn delete_subject(&self, subject: &str) -> Result<()> {
        let path = ["subjects", subject];
        self.call("deleting a subject", Method::DELETE, &path, "", None)
            .await
            .map(drop)
            .map_err(|error| error.with("subject", subject))
    }

    /// As `call`, and `None` for what the registry does not know.
    async fn known<T: DeserializeOwned>(
        &self,
        what: &'static str,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<Value>,
    ) -> Result<Option<T>> {
        match self.call(what, method, path, query, body).await {
            Ok(answer) => self.read(what, answer).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => match path {
                [_, subject, ..] => Err(error.with("subject", subject)),
                _ => Err(error),
            },
        }
    }

    fn read<T: DeserializeOwned>(&self, what: &'static str, answer: Value) -> Result<T> {
        serde_json::from_value(answer).map_err(|error| {
            Error::new(
                ErrorKind::FailedPrecondition,
                format!("{what}: the answer is not a schema registry's"),
            )
            .with("registry", self.url())
            .mend("give the address of a schema registry that speaks Confluent's API")
            .because(error)
        })
    }
}
