//! The client of the schema registry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_schema_by_id_and_type, get_schema_by_subject_and_version, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{
    RawError, RegisteredSchema, SchemaType, SuppliedSchema,
};

use crate::frame::corrupt;
use crate::registry_login::RegistryLogin;
use crate::shape::Shape;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The schema a record was written under.
pub struct WriterSchema {
    /// Its id in the registry.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// The parsed schema.
    pub schema: Schema,
    shape: Shape,
}

impl WriterSchema {
    /// Parses the text of schema `id`.
    ///
    /// # Errors
    /// If it is no Avro schema.
    pub fn parse(id: u32, text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let unusable = || {
            Error::new(
                ErrorKind::FailedPrecondition,
                "a registered schema cannot be used",
            )
            .with("schema_id", id)
            .mend("register a valid Avro schema and publish under it")
        };
        let schema = Schema::parse_str(&text).map_err(|error| unusable().because(error))?;
        let shape = Shape::of(&schema).map_err(|reason| unusable().with("reason", reason))?;
        Ok(Self {
            id,
            text,
            schema,
            shape,
        })
    }

    /// Checks that `avro`, without its frame, is one value of this schema and nothing more.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`], saying what is wrong and never a value.
    pub fn check(&self, avro: &[u8]) -> Result<()> {
        self.shape
            .check(avro)
            .map_err(|reason| corrupt(reason).with("schema_id", self.id))
    }

    /// Decodes `avro`, without its frame, by this schema alone.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if it is not exactly one value of this schema.
    pub fn decode(&self, avro: &[u8]) -> Result<Value> {
        self.check(avro)?;
        let undecodable = |error: apache_avro::Error| {
            // The library's text may hold a piece of the value: only its kind is kept.
            tracing::debug!(
                schema_id = self.id,
                "avro refuses a value of sound structure"
            );
            drop(error);
            corrupt("a value is not what its schema says").with("schema_id", self.id)
        };
        let reader = GenericDatumReader::builder(&self.schema)
            .build()
            .map_err(undecodable)?;
        reader.read_value(&mut &*avro).map_err(undecodable)
    }
}

impl fmt::Debug for WriterSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterSchema")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The newest version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The schema's id.
    pub id: u32,
    /// The version within the subject.
    pub version: Option<u32>,
    /// The schema's text.
    pub schema: String,
}

/// The registry's client. Clones share one cache of schemas, which never change.
#[derive(Clone)]
pub struct RegistryClient {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    settings: SrSettings,
    http: reqwest::Client,
    schemas: RwLock<HashMap<u32, Arc<WriterSchema>>>,
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryClient")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

impl RegistryClient {
    /// A client of the registry at `url`, which logs in as the address or the environment
    /// says (see [`RegistryLogin`]); nothing is asked yet.
    ///
    /// # Errors
    /// If `url` is no HTTP address, or the login is not clear.
    pub fn new(url: &str) -> Result<Self> {
        Self::with_login(url, RegistryLogin::from_environment()?)
    }

    /// A client that logs in as `login` says, unless `url` holds a user and a password.
    ///
    /// # Errors
    /// If `url` is no HTTP address, or the login has characters that no login has.
    pub fn with_login(url: &str, login: Option<RegistryLogin>) -> Result<Self> {
        let wrong = || {
            // A password may stand in it.
            let shown = if url.contains('@') { "not shown" } else { url };
            Error::invalid("the schema registry's address is wrong")
                .with("url", shown)
                .mend("write it like `http://127.0.0.1:8081`")
        };
        let mut parsed = reqwest::Url::parse(url).map_err(|error| wrong().because(error))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let mut headers = HeaderMap::new();
        if let Some(login) = RegistryLogin::take_from(&mut parsed).or(login) {
            headers.insert(AUTHORIZATION, login.header()?);
        }
        let local = matches!(
            parsed.host_str(),
            Some("localhost" | "127.0.0.1" | "[::1]" | "::1")
        );
        let url = parsed.as_str().trim_end_matches('/').to_owned();
        let builder = || {
            let builder = reqwest::Client::builder()
                .timeout(TIMEOUT)
                .default_headers(headers.clone());
            // A proxy of the environment has no way to this machine's own services.
            if local { builder.no_proxy() } else { builder }
        };
        let mut settings = SrSettings::new_builder(url.clone());
        settings.set_timeout(TIMEOUT);
        let settings = settings
            .build_with(builder())
            .map_err(|error| wrong().because(error))?;
        let http = builder().build().map_err(|error| wrong().because(error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                url,
                settings,
                http,
                schemas: RwLock::default(),
            }),
        })
    }

    /// The registry's address.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Registers a schema under `subject` and gives its id; the same schema again gives the
    /// same id.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is not compatible with those before,
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn register(&self, subject: &str, schema_json: &str) -> Result<u32> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema_json.to_owned());
        let registered = post_schema(&self.inner.settings, subject.to_owned(), supplied)
            .await
            .map_err(|error| {
                self.error("registering a schema", error)
                    .with("subject", subject)
            })?;
        Ok(registered.id)
    }

    /// Sets the compatibility level of `subject`, such as `FULL_TRANSITIVE`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no such level, [`ErrorKind::Unavailable`] if
    /// the registry cannot be reached.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<()> {
        let mut url = reqwest::Url::parse(&self.inner.url)
            .map_err(|error| Error::internal("the registry's address is lost").because(error))?;
        url.path_segments_mut()
            .map_err(|()| Error::internal("the registry's address has no path"))?
            .pop_if_empty()
            .extend(["config", subject]);
        let body = serde_json::json!({ "compatibility": level }).to_string();
        let answer = self
            .inner
            .http
            .put(url)
            .header("content-type", CONTENT_TYPE)
            .header("accept", CONTENT_TYPE)
            .body(body)
            .send()
            .await
            .map_err(|error| self.unreachable().because(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let told: Option<RawError> = answer.json().await.ok();
        Err(self
            .refused(
                "setting a compatibility level",
                status.as_u16(),
                told.as_ref().map(|told| told.message.as_str()),
            )
            .with("subject", subject)
            .with("level", level))
    }

    /// The schema with this id; asked for once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, [`ErrorKind::Unavailable`] if the registry
    /// cannot be reached; neither is remembered.
    pub async fn writer_schema(&self, id: u32) -> Result<Arc<WriterSchema>> {
        if let Some(known) = self.cached(id) {
            return Ok(known);
        }
        let found = get_schema_by_id_and_type(id, &self.inner.settings, SchemaType::Avro)
            .await
            .map_err(|error| {
                self.error("looking up a schema", error)
                    .with("schema_id", id)
            })?;
        let schema = Arc::new(WriterSchema::parse(id, found.schema)?);
        let mut schemas = match self.inner.schemas.write() {
            Ok(schemas) => schemas,
            Err(poisoned) => poisoned.into_inner(),
        };
        Ok(Arc::clone(schemas.entry(id).or_insert(schema)))
    }

    /// The schema with this id if it was asked for before.
    pub(crate) fn cached(&self, id: u32) -> Option<Arc<WriterSchema>> {
        let schemas = match self.inner.schemas.read() {
            Ok(schemas) => schemas,
            Err(poisoned) => poisoned.into_inner(),
        };
        schemas.get(&id).cloned()
    }

    /// The newest version of `subject`; `None` if the subject has none.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the registry cannot be reached.
    pub async fn latest(&self, subject: &str) -> Result<Option<Latest>> {
        match get_schema_by_subject_and_version(&self.inner.settings, subject, None).await {
            Ok(RegisteredSchema {
                id,
                version,
                schema,
                ..
            }) => Ok(Some(Latest {
                id,
                version,
                schema,
            })),
            Err(error) => {
                let error = self
                    .error("looking up a subject", error)
                    .with("subject", subject);
                match error.kind() {
                    ErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                }
            }
        }
    }

    fn unreachable(&self) -> Error {
        Error::unavailable("the schema registry does not answer")
            .with("registry", &self.inner.url)
            .mend("start the platform with `mesh up`, or give the right registry address")
    }

    fn error(&self, what: &'static str, error: SRCError) -> Error {
        let told = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<RawError>())
            .cloned();
        let problem = match told {
            // Confluent's error codes begin with the HTTP status: 40403, 42201, 409.
            Some(told) if told.error_code > 0 => {
                let status = match told.error_code {
                    code @ 0..1000 => code,
                    code => code / 100,
                };
                self.refused(what, status as u16, Some(&told.message))
            }
            Some(_) => {
                // No body that we know; the status stands in the text alone.
                let status = error
                    .error
                    .split_whitespace()
                    .find_map(|word| word.parse::<u16>().ok())
                    .unwrap_or(502);
                self.refused(what, status, None)
            }
            None if error.retriable => self.unreachable(),
            None => Error::new(
                ErrorKind::FailedPrecondition,
                format!("{what}: the answer is not a schema registry's"),
            )
            .with("registry", &self.inner.url)
            .mend("give the address of a schema registry that speaks Confluent's API"),
        };
        problem.because(error)
    }

    fn refused(&self, what: &'static str, status: u16, told: Option<&str>) -> Error {
        let error = match status {
            409 => Error::new(
                ErrorKind::Conflict,
                format!("{what}: the schema is not compatible with those before"),
            )
            .mend("make the change compatible, or publish it as a new major version"),
            404 => Error::not_found(format!("{what}: the registry does not know it"))
                .mend("publish with a schema that is registered in this registry"),
            401 => Error::new(
                ErrorKind::Unauthenticated,
                format!("{what}: the registry does not know who asks"),
            )
            .mend(
                "set MESH_REGISTRY_USER and MESH_REGISTRY_PASSWORD, or MESH_REGISTRY_TOKEN, as \
                 the registry's administrator gave them",
            ),
            403 => Error::new(
                ErrorKind::PermissionDenied,
                format!("{what}: the registry does not allow it"),
            )
            .mend("have the registry's administrator grant the role"),
            400..=499 => Error::new(
                ErrorKind::from_http_status(status),
                format!("{what}: the registry refuses it"),
            ),
            _ => Error::unavailable(format!("{what}: the registry failed")),
        };
        let error = error
            .with("registry", &self.inner.url)
            .with("status", status);
        match told {
            Some(told) => error.with("reason", told),
            None => error,
        }
    }
}

/// The ids of a product's schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The schema of its keys.
    pub key_id: u32,
    /// The schema of its values.
    pub value_id: u32,
}

/// Registers a product's schemas: the contract's compatibility level on the subject of its
/// values, then both schemas. Doing it again changes nothing.
///
/// # Errors
/// [`ErrorKind::Conflict`] if a schema is not compatible with what was published before.
pub async fn register_product(
    registry: &RegistryClient,
    descriptor: &Descriptor,
) -> Result<Registered> {
    let (key, value) = (
        descriptor.topic.key_subject(),
        descriptor.topic.value_subject(),
    );
    registry
        .set_compatibility(&value, &descriptor.contract.compatibility)
        .await?;
    let key_id = registry.register(&key, &descriptor.key_schema).await?;
    let value_id = registry.register(&value, &descriptor.value_schema).await?;
    tracing::debug!(
        topic = descriptor.topic.as_str(),
        key_id,
        value_id,
        "schemas registered"
    );
    Ok(Registered { key_id, value_id })
}
