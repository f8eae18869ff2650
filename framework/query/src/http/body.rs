//! The bodies of answers, written as their rows come.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use mesh_core::{Error, Result};
use tokio::task::spawn_blocking;

use super::columnar::{ArrowStream, ParquetFile};
use super::format::Format;
use crate::render::{CsvWriter, JsonWriter, TableWriter};
use crate::session::{QueryResult, QueryStats};
use crate::spool::SpoolReader;
use crate::statements::{Finished, Live};

/// What is to be known about the tables that were read, a header for each notice.
const NOTICE: &str = "mesh-notice";

/// Where the rows come from.
#[allow(clippy::large_enum_variant, reason = "one is made for an answer")]
pub(super) enum Source {
    /// A statement that runs, until this is dropped.
    Live(Box<QueryResult>, Live),
    Kept(Box<Finished>, Option<SpoolReader>),
}

impl Source {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Live(result, _) => result.schema(),
            Self::Kept(finished, _) => finished.answer.schema.clone(),
        }
    }

    fn notices(&self) -> Vec<String> {
        match self {
            Self::Live(result, _) => result.notices(),
            Self::Kept(finished, _) => finished.notices.clone(),
        }
    }

    fn stats(&self) -> QueryStats {
        match self {
            Self::Live(result, _) => result.stats(),
            Self::Kept(finished, _) => finished.stats,
        }
    }

    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        match self {
            Self::Live(result, live) => live.statement.cancel.or(result.next_batch()).await,
            Self::Kept(finished, reader) => {
                let reading = match reader.take() {
                    Some(reader) => reader,
                    None => finished.answer.read()?,
                };
                let (batch, reading) = blocking(move || {
                    let mut reading = reading;
                    let batch = reading.next_batch()?;
                    Ok((batch, reading))
                })
                .await?;
                *reader = Some(reading);
                Ok(batch)
            }
        }
    }
}

/// The answer to a client. Most of what can go wrong does so before the first row: that still
/// gets its status.
///
/// # Errors
/// What goes wrong before the first row.
pub(super) async fn respond(format: Format, mut source: Source) -> Result<Response> {
    let first = source.next_batch().await?;
    let notices = source.notices();
    let (writer, head) = Writer::new(format, &source.schema(), &notices)?;
    let answer = Answer {
        writer,
        source,
        first,
        head: Some(head),
    };
    let content_type = HeaderValue::from_static(format.content_type());
    let body = Body::from_stream(write(answer));
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    for notice in notices {
        // Names of tables and days, all of them ASCII.
        if let Ok(value) = HeaderValue::from_str(&notice) {
            response.headers_mut().append(NOTICE, value);
        }
    }
    Ok(response)
}

enum Writer {
    Json(JsonWriter),
    Csv(CsvWriter),
    Table(TableWriter),
    Arrow(Box<ArrowStream>),
    Parquet(Box<ParquetFile>),
}

impl Writer {
    /// The writer and what comes before the rows.
    fn new(format: Format, schema: &SchemaRef, notices: &[String]) -> Result<(Self, Bytes)> {
        Ok(match format {
            Format::Json => {
                let mut writer = JsonWriter::new();
                let head = writer.head(schema, notices)?;
                (Self::Json(writer), head.into())
            }
            Format::Csv => {
                let writer = CsvWriter::new();
                let head = writer.head(schema);
                (Self::Csv(writer), head.into())
            }
            Format::Table => (Self::Table(TableWriter::new(schema)), Bytes::new()),
            Format::Arrow => {
                let mut writer = ArrowStream::new(schema)?;
                let head = writer.written();
                (Self::Arrow(Box::new(writer)), head.into())
            }
            Format::Parquet => (
                Self::Parquet(Box::new(ParquetFile::new(schema)?)),
                Bytes::new(),
            ),
        })
    }

    async fn rows(self, batch: RecordBatch) -> Result<(Bytes, Self)> {
        match self {
            Self::Json(mut writer) => {
                let text = writer.rows(&batch);
                Ok((text?.into(), Self::Json(writer)))
            }
            Self::Csv(writer) => Ok((writer.rows(&batch)?.into(), Self::Csv(writer))),
            Self::Table(mut writer) => Ok((writer.rows(&batch)?.into(), Self::Table(writer))),
            Self::Arrow(mut writer) => Ok((writer.rows(&batch)?.into(), Self::Arrow(writer))),
            // A row group takes long enough to keep others from this thread.
            Self::Parquet(mut writer) => {
                blocking(move || Ok((writer.rows(&batch)?.into(), Self::Parquet(writer)))).await
            }
        }
    }

    async fn end(self, stats: QueryStats) -> Result<Bytes> {
        Ok(match self {
            Self::Json(writer) => writer.end(&stats).into(),
            Self::Csv(_) => Bytes::new(),
            Self::Table(writer) => writer.end(&stats).into(),
            Self::Arrow(writer) => writer.end()?.into(),
            Self::Parquet(writer) => blocking(move || Ok(writer.end()?.into())).await?,
        })
    }
}

/// What is left to write.
struct Answer {
    writer: Writer,
    source: Source,
    first: Option<RecordBatch>,
    head: Option<Bytes>,
}

fn write(answer: Answer) -> impl Stream<Item = Result<Bytes>> {
    stream::try_unfold(Some(answer), |answer| async move {
        match answer {
            None => Ok(None),
            Some(answer) => step(answer).await.map(Some),
        }
    })
}

/// One piece of the body, and what is left after it.
async fn step(mut answer: Answer) -> Result<(Bytes, Option<Answer>)> {
    if let Some(head) = answer.head.take() {
        return Ok((head, Some(answer)));
    }
    let next = match answer.first.take() {
        Some(first) => Ok(Some(first)),
        None => answer.source.next_batch().await,
    };
    match next {
        Ok(Some(batch)) => {
            let Answer { writer, source, .. } = answer;
            let (bytes, writer) = writer.rows(batch).await.inspect_err(broke_off)?;
            let left = Answer {
                writer,
                source,
                first: None,
                head: None,
            };
            Ok((bytes, Some(left)))
        }
        Ok(None) => {
            let stats = answer.source.stats();
            Ok((answer.writer.end(stats).await?, None))
        }
        Err(error) => {
            broke_off(&error);
            match answer.writer {
                // The client reads the cause, and sees that `stats` is missing.
                Writer::Json(writer) => Ok((writer.fail(&error).into(), None)),
                // Nothing can be said in these; the connection breaks, so that what came
                // is not taken for the whole.
                _ => Err(error),
            }
        }
    }
}

fn broke_off(error: &Error) {
    tracing::warn!(error = error.log_line(), "an answer broke off");
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|_| Error::internal("the thread that writes an answer ended before its time"))?
}
