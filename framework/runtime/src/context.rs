//! What a handler, a source or an API call can look at.

use std::sync::Arc;

use mesh_core::{Error, Principal, Record, Result, TraceContext};
use tokio::sync::Mutex;

use crate::host::Host;
use crate::peer::Peer;
use crate::replay::{Service, Version};
use crate::sql::Sql;
use crate::state::{StateValue, Stored, from_text};
use crate::unit::Unit;

/// The view of the domain's state that a handler, a source or an API call works on.
///
/// Reads are noted: if another commit changes what was read before the effects of this
/// call are committed, the call is made again on the new state. What earlier events of the
/// same uncommitted batch have written is seen.
#[derive(Clone)]
pub struct Context {
    host: Arc<Host>,
    unit: Arc<Mutex<Unit>>,
    trace: TraceContext,
    /// With what the kinds of the documents that are seen begin.
    kinds: Arc<str>,
    service: Service,
}

impl Context {
    pub(crate) fn new(host: Arc<Host>, unit: Arc<Mutex<Unit>>, trace: TraceContext) -> Self {
        Self {
            host,
            unit,
            trace,
            kinds: Arc::from(""),
            service: Service::Serving,
        }
    }

    /// The same for a handler in one of its versions.
    pub(crate) fn in_version(&self, version: &Version, service: Service) -> Self {
        Self {
            kinds: Arc::from(version.kinds()),
            service,
            ..self.clone()
        }
    }

    fn kind(&self, kind: &str) -> String {
        format!("{}{kind}", self.kinds)
    }

    /// Whether this handler is a replay, and an older version serves this event: what is
    /// done elsewhere, such as a notification, was done then or is done by that version.
    pub fn replaying(&self) -> bool {
        self.service == Service::Replaying
    }

    /// Whether a newer version of this handler serves this event, and this one only feeds
    /// those who still read its product.
    pub fn superseded(&self) -> bool {
        self.service == Service::Superseded
    }

    /// Whether this version of the handler is the one that serves this event: of all its
    /// versions exactly one does, so what is done elsewhere is to be done by that one.
    /// Always true outside of handlers.
    pub fn in_service(&self) -> bool {
        self.service == Service::Serving
    }

    /// The view of the documents that the domain keeps for no version of a handler, for a
    /// replay: its own view holds nothing but what it has written itself. They are as they
    /// are now, and not as they were when the event came first.
    pub fn unversioned(&self) -> Self {
        Self {
            kinds: Arc::from(""),
            ..self.clone()
        }
    }

    /// The view of the documents of the version of `handler` that is in service: those of the
    /// newest replay that was switched over to, or else the domain's own.
    ///
    /// # Errors
    /// If the domain has no such handler.
    pub fn serving(&self, handler: &str) -> Result<Self> {
        let versions = &self.host.replays.versions;
        let kinds = match versions.serving(handler) {
            Some(version) => version.kinds(),
            // A replay that was not switched over to yet is all there is of it.
            None if versions.replays().any(|is| is.handler == handler) => String::new(),
            None => {
                return Err(Error::internal("the domain has no such handler")
                    .with("handler", handler)
                    .mend("name one that is declared with `.handler`, `.transform` or `.replay`"));
            }
        };
        Ok(Self {
            kinds: Arc::from(kinds),
            ..self.clone()
        })
    }

    /// The domain's name.
    pub fn domain(&self) -> &str {
        &self.host.domain
    }

    /// The trace that what happens here belongs to.
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    /// The document `key` of `kind`.
    ///
    /// # Errors
    /// If the store cannot be read, or the document is not a `T`.
    pub async fn get<T: StateValue>(&self, kind: &str, key: &str) -> Result<Option<T>> {
        let body = self
            .unit
            .lock()
            .await
            .get(&self.host.store, &self.kind(kind), key)
            .await?;
        body.map(|body| from_text(kind, &body)).transpose()
    }

    /// The document `key` of `kind`, kept by [`Effects::put_record`](crate::Effects::put_record).
    ///
    /// # Errors
    /// As [`Context::get`].
    pub async fn get_record<R: Record>(&self, kind: &str, key: &str) -> Result<Option<R>> {
        let stored: Option<Stored<R>> = self.get(kind, key).await?;
        Ok(stored.map(|stored| stored.0))
    }

    /// The documents of `kind` whose key begins with `key_prefix`, in the order of their
    /// keys.
    ///
    /// # Errors
    /// As [`Context::get`].
    pub async fn scan<T: StateValue>(
        &self,
        kind: &str,
        key_prefix: &str,
    ) -> Result<Vec<(String, T)>> {
        let found = self
            .unit
            .lock()
            .await
            .scan(&self.host.store, &self.kind(kind), key_prefix)
            .await?;
        found
            .into_iter()
            .map(|(key, body)| Ok((key, from_text(kind, &body)?)))
            .collect()
    }

    /// [`Context::scan`] for records.
    ///
    /// # Errors
    /// As [`Context::get`].
    pub async fn scan_records<R: Record>(
        &self,
        kind: &str,
        key_prefix: &str,
    ) -> Result<Vec<(String, R)>> {
        let found: Vec<(String, Stored<R>)> = self.scan(kind, key_prefix).await?;
        Ok(found
            .into_iter()
            .map(|(key, stored)| (key, stored.0))
            .collect())
    }

    /// How many documents of `kind` there are.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn count(&self, kind: &str) -> Result<u64> {
        let kind = self.kind(kind);
        self.unit.lock().await.count(&self.host.store, &kind).await
    }

    /// The API of `domain`, asked for `purpose`.
    ///
    /// # Errors
    /// If `purpose` is no purpose.
    pub fn peer(&self, domain: &str, purpose: &str) -> Result<Peer> {
        self.host.peers.peer(domain, purpose, self.trace)
    }

    /// The platform's SQL, asked as the domain's service for `purpose`.
    ///
    /// # Errors
    /// If `purpose` is no purpose.
    pub fn sql(&self, purpose: &str) -> Result<Sql> {
        Ok(Sql::new(
            self.host.config.catalog_url.clone(),
            Principal::service(&self.host.domain)?,
            purpose.parse()?,
        ))
    }

    /// Whether nothing is left to wait for of the source `name`: it has read all there is,
    /// or no source directory is configured. `false` if there is no such source.
    pub fn source_done(&self, name: &str) -> bool {
        self.host
            .status
            .source_done(name, self.host.config.source_dir.is_some())
    }
}
