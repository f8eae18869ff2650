//! Answers that wait on disk to be fetched.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use mesh_core::{Error, ErrorKind, Result};

/// Bytes read and written at a time.
const BUFFER: usize = 256 << 10;

/// Writes an answer to a file without a name, which is gone when nobody holds it any more.
pub(crate) struct SpoolWriter {
    file: Arc<File>,
    writer: StreamWriter<BufWriter<Counted>>,
    written: u64,
}

/// An answer on disk.
#[derive(Debug, Clone)]
pub(crate) struct Spooled {
    file: Arc<File>,
    pub(crate) schema: SchemaRef,
}

impl SpoolWriter {
    /// Begins a file in `directory`, or where the system has its own.
    ///
    /// # Errors
    /// If the directory cannot be written, or arrow does not know how to write a column.
    pub(crate) fn create(directory: Option<&Path>, schema: &SchemaRef) -> Result<Self> {
        let file = match directory {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        };
        let file = Arc::new(file.map_err(|error| disk(&error))?);
        let counted = Counted {
            file: Arc::clone(&file),
            bytes: 0,
        };
        let writer = StreamWriter::try_new(BufWriter::with_capacity(BUFFER, counted), schema)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            file,
            writer,
            written: 0,
        })
    }

    /// Adds `batch` and tells by how many bytes the answer grew.
    ///
    /// # Errors
    /// If the disk takes no more.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<u64> {
        self.writer.write(batch).map_err(|error| failed(&error))?;
        let buffer = self.writer.get_ref();
        let written = buffer.get_ref().bytes + buffer.buffer().len() as u64;
        let grown = written - self.written;
        self.written = written;
        Ok(grown)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If the disk takes no more.
    pub(crate) fn finish(mut self, schema: SchemaRef) -> Result<Spooled> {
        self.writer.finish().map_err(|error| failed(&error))?;
        let flushed = self.writer.get_mut().flush();
        flushed.map_err(|error| disk(&error))?;
        Ok(Spooled {
            file: self.file,
            schema,
        })
    }
}

impl Spooled {
    /// Its batches from the first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self) -> Result<SpoolReader> {
        let place = Place {
            file: Arc::clone(&self.file),
            at: 0,
        };
        let reader = StreamReader::try_new(BufReader::with_capacity(BUFFER, place), None)
            .map_err(|error| failed(&error))?;
        Ok(SpoolReader { reader })
    }
}

/// Reads an answer; several may read the same.
pub(crate) struct SpoolReader {
    reader: StreamReader<BufReader<Place>>,
}

impl SpoolReader {
    /// The next batch; none at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let next = self.reader.next();
        next.transpose().map_err(|error| failed(&error))
    }
}

struct Counted {
    file: Arc<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.as_ref().write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_ref().flush()
    }
}

/// A place in a file that others read too.
struct Place {
    file: Arc<File>,
    at: u64,
}

impl Read for Place {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn failed(error: &arrow::error::ArrowError) -> Error {
    match error {
        arrow::error::ArrowError::IoError(_, error) => disk(error),
        _ => Error::new(
            ErrorKind::Unsupported,
            "the columns of the answer cannot be kept as Arrow",
        )
        .mend("run the statement without keeping its answer, or cast the columns to text"),
    }
}

fn disk(error: &io::Error) -> Error {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return Error::new(
            ErrorKind::ResourceExhausted,
            "there is no room on disk to keep the answer",
        )
        .retryable(false)
        .mend("select fewer columns or rows, or give the engine more disk");
    }
    Error::internal("the answer cannot be kept on disk").with("cause", error.kind())
}
