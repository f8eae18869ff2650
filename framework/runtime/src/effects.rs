//! What a handler, a source or an API call wants done: changed documents and outputs.

use mesh_core::{Descriptor, Error, EventId, Record, RecordKey, Result};

use serde_json::{Map, Value as Json};

use crate::state::{StateValue, Stored, to_text};

/// Changes of the domain's state and records to publish. The host commits them in one
/// local transaction, together with the id of the event that caused them, or not at all.
///
/// Built in a chain (`Effects::new().put(..).emit(..)`) or in a loop with the `add_`
/// methods. A record that breaks a limit of its contract makes the whole of the effects
/// fail when they are committed.
#[derive(Debug, Default)]
#[must_use]
pub struct Effects {
    documents: Vec<Change>,
    outputs: Vec<Output>,
    failed: Option<Error>,
}

/// A changed document; no body means that it is deleted.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) body: Option<String>,
}

/// A record to publish, encoded and not yet framed with the id of its schema.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) descriptor: &'static Descriptor,
    pub(crate) event_id: Option<EventId>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Effects {
    /// Nothing to do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.outputs.is_empty() && self.failed.is_none()
    }

    /// Writes the document `key` of `kind`.
    pub fn put<T: StateValue>(mut self, kind: &str, key: impl Into<String>, value: &T) -> Self {
        self.add_put(kind, key, value);
        self
    }

    /// Writes a record as the document `key` of `kind`; read it as [`Stored`] or with
    /// [`Context::get_record`](crate::Context::get_record).
    pub fn put_record<R: Record>(mut self, kind: &str, key: impl Into<String>, record: &R) -> Self {
        self.add_put_record(kind, key, record);
        self
    }

    /// Deletes the document `key` of `kind`; it need not be there.
    pub fn delete(mut self, kind: &str, key: impl Into<String>) -> Self {
        self.add_delete(kind, key);
        self
    }

    /// Publishes a record to its own topic. Its event id follows from the cause, so that a
    /// repeated attempt makes the same event.
    pub fn emit<R: Record>(mut self, record: &R) -> Self {
        self.add_emit(record);
        self
    }

    /// Publishes a record under an event id of the domain's choice.
    pub fn emit_as<R: Record>(mut self, event_id: EventId, record: &R) -> Self {
        self.add_emit_as(event_id, record);
        self
    }

    /// Publishes a tombstone: the row `key` of the state product `R` is gone.
    pub fn emit_delete<R: Record>(mut self, key: &R::Key) -> Self {
        self.add_emit_delete::<R>(key);
        self
    }

    /// [`Effects::put`] in place.
    pub fn add_put<T: StateValue>(&mut self, kind: &str, key: impl Into<String>, value: &T) {
        match to_text(kind, value) {
            Ok(body) => self.change(kind, key.into(), Some(body)),
            Err(error) => self.fail(error),
        }
    }

    /// [`Effects::put_record`] in place.
    pub fn add_put_record<R: Record>(&mut self, kind: &str, key: impl Into<String>, record: &R) {
        self.add_put(kind, key, &Stored(record.clone()));
    }

    /// [`Effects::delete`] in place.
    pub fn add_delete(&mut self, kind: &str, key: impl Into<String>) {
        self.change(kind, key.into(), None);
    }

    /// [`Effects::emit`] in place.
    pub fn add_emit<R: Record>(&mut self, record: &R) {
        self.output(None, record);
    }

    /// [`Effects::emit_as`] in place.
    pub fn add_emit_as<R: Record>(&mut self, event_id: EventId, record: &R) {
        self.output(Some(event_id), record);
    }

    /// [`Effects::emit_delete`] in place.
    pub fn add_emit_delete<R: Record>(&mut self, key: &R::Key) {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        self.outputs.push(Output {
            descriptor: R::descriptor(),
            event_id: None,
            key: bytes,
            value: None,
        });
    }

    /// Publishes a row of the product that `descriptor` tells, whose type is known only when
    /// the process runs; see [`Descriptor::encode_row`].
    ///
    /// # Errors
    /// If the row is not what the contract allows; nothing is added then.
    pub fn add_row(
        &mut self,
        descriptor: &'static Descriptor,
        event_id: Option<EventId>,
        row: &Map<String, Json>,
    ) -> Result<()> {
        let encoded = descriptor.encode_row(row)?;
        self.outputs.push(Output {
            descriptor,
            event_id,
            key: encoded.key,
            value: Some(encoded.value),
        });
        Ok(())
    }

    /// Publishes a tombstone under the key of `row`, as [`Effects::emit_delete`] does.
    ///
    /// # Errors
    /// If a column of the key is missing or of another type; nothing is added then.
    pub fn add_row_delete(
        &mut self,
        descriptor: &'static Descriptor,
        row: &Map<String, Json>,
    ) -> Result<()> {
        self.outputs.push(Output {
            descriptor,
            event_id: None,
            key: descriptor.encode_row_key(row)?,
            value: None,
        });
        Ok(())
    }

    /// Adds all of `other` after what is here.
    pub fn add(&mut self, other: Effects) {
        self.documents.extend(other.documents);
        self.outputs.extend(other.outputs);
        self.failed = self.failed.take().or(other.failed);
    }

    /// The topics of what is published.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &'static str> {
        self.outputs
            .iter()
            .map(|output| output.descriptor.topic.as_str())
    }

    /// The same with documents whose kinds begin with `kinds`.
    pub(crate) fn under(mut self, kinds: &str) -> Self {
        for change in &mut self.documents {
            change.kind.insert_str(0, kinds);
        }
        self
    }

    fn change(&mut self, kind: &str, key: String, body: Option<String>) {
        // SQLite's JSON functions, which write documents in bulk, end a text at a NUL.
        if kind.contains('\0') || key.contains('\0') {
            self.fail(
                Error::invalid("the key of a document holds a NUL character").with("kind", kind),
            );
            return;
        }
        self.documents.push(Change {
            kind: kind.to_owned(),
            key,
            body,
        });
    }

    fn output<R: Record>(&mut self, event_id: Option<EventId>, record: &R) {
        let descriptor = R::descriptor();
        if let Err(error) = record.validate() {
            self.fail(error.with("topic", descriptor.topic.as_str()));
            return;
        }
        let mut key = Vec::new();
        record.key().encode(&mut key);
        let mut value = Vec::new();
        record.encode(&mut value);
        self.outputs.push(Output {
            descriptor,
            event_id,
            key,
            value: Some(value),
        });
    }

    fn fail(&mut self, error: Error) {
        // The first fault is the one to mend.
        self.failed.get_or_insert(error);
    }

    pub(crate) fn into_parts(self) -> Result<(Vec<Change>, Vec<Output>)> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.documents, self.outputs)),
        }
    }
}
