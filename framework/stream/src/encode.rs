//! Records as the bytes of a topic.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use mesh_core::{Record, RecordKey, Result};

use crate::frame::{FRAME_BYTES, put_frame};
use crate::registry::Registered;

/// Encodes records of one product under its registered schemas.
pub struct Encoder<R> {
    registered: Registered,
    record: PhantomData<fn(&R)>,
}

impl<R: Record> Encoder<R> {
    /// An encoder that writes these schema ids.
    pub fn new(registered: Registered) -> Self {
        Self {
            registered,
            record: PhantomData,
        }
    }

    /// The ids written.
    pub fn registered(&self) -> Registered {
        self.registered
    }

    /// The framed bytes of a key.
    pub fn key(&self, key: &R::Key) -> Bytes {
        let mut bytes = Vec::with_capacity(FRAME_BYTES + 40);
        self.put_key(key, &mut bytes);
        bytes.into()
    }

    /// The framed bytes of a value.
    ///
    /// # Errors
    /// If a value breaks a limit of the contract; the error names the column.
    pub fn value(&self, record: &R) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(FRAME_BYTES + 123);
        self.put_value(record, &mut bytes)?;
        Ok(bytes.into())
    }

    /// Appends the framed bytes of a key.
    pub fn put_key(&self, key: &R::Key, out: &mut Vec<u8>) {
        put_frame(self.registered.key_id, out);
        key.encode(out);
    }

    /// Appends the framed bytes of a value.
    ///
    /// # Errors
    /// As [`Encoder::value`]; nothing is appended then.
    pub fn put_value(&self, record: &R, out: &mut Vec<u8>) -> Result<()> {
        record
            .validate()
            .map_err(|error| error.with("product", R::descriptor().topic.as_str()))?;
        put_frame(self.registered.value_id, out);
        record.encode(out);
        Ok(())
    }
}

impl<R> Clone for Encoder<R> {
    fn clone(&self) -> Self {
        Self {
            registered: self.registered,
            record: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Encoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("registered", &self.registered)
            .finish_non_exhaustive()
    }
}
