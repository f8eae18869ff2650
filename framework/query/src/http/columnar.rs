//! Answers as Arrow and as Parquet, a piece at a time.

use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use mesh_core::{Error, ErrorKind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::wire::{plain_batch, plain_schema};

/// A row group of Parquet is held in memory until it is this large.
const ROW_GROUP: usize = 8 << 20;

/// Writes a stream of Arrow's IPC format.
pub(super) struct ArrowStream {
    schema: SchemaRef,
    writer: StreamWriter<Vec<u8>>,
}

impl ArrowStream {
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        let schema = plain_schema(schema);
        let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(unwritable)?;
        Ok(Self { schema, writer })
    }

    /// What has been written and not taken yet.
    pub(super) fn written(&mut self) -> Vec<u8> {
        take(self.writer.get_mut())
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let batch = plain_batch(batch, &self.schema)?;
        self.writer.write(&batch).map_err(unwritable)?;
        Ok(self.written())
    }

    pub(super) fn end(mut self) -> Result<Vec<u8>> {
        self.writer.finish().map_err(unwritable)?;
        Ok(self.written())
    }
}

/// Writes a Parquet file, compressed with Zstandard.
pub(super) struct ParquetFile {
    schema: SchemaRef,
    written: Written,
    writer: ArrowWriter<Written>,
}

impl ParquetFile {
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        let schema = plain_schema(schema);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let written = Written::default();
        let writer = ArrowWriter::try_new(written.clone(), Arc::clone(&schema), Some(properties))
            .map_err(unwritable)?;
        Ok(Self {
            schema,
            written,
            writer,
        })
    }

    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let batch = plain_batch(batch, &self.schema)?;
        self.writer.write(&batch).map_err(unwritable)?;
        if self.writer.in_progress_size() > ROW_GROUP {
            self.writer.flush().map_err(unwritable)?;
        }
        Ok(self.written.take())
    }

    pub(super) fn end(self) -> Result<Vec<u8>> {
        self.writer.close().map_err(unwritable)?;
        Ok(self.written.take())
    }
}

/// Bytes that one end writes and the other takes away.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritable<E>(_: E) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a column of the answer cannot be written in this format",
    )
    .mend("cast it to text in the statement, or accept `application/json`")
}
