//! Writing a Parquet file of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use chrono::Utc;
use deltalake_core::kernel::{Add, Remove};
use mesh_core::{Error, Result};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::fault;
use crate::place::Place;
use crate::schema::{OFFSET, PARTITION};
use crate::snapshot::{DataFile, OffsetRange};
use crate::state::{TAG_OFFSETS, TAG_ORDER};
use crate::stats;

const WHAT: &str = "a file of the history cannot be written";
/// Bytes of a row group at most, of which the writer holds one in memory.
const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Rows of a page, the least that a reader can pick.
const PAGE_ROWS: usize = 8192;

/// A file that is written and in no commit yet.
pub(crate) struct NewFile {
    path: String,
    pub(crate) size: u64,
    pub(crate) rows: u64,
    stats: String,
    offsets: Vec<OffsetRange>,
    order: String,
}

impl NewFile {
    /// The line of the log that makes it part of the table.
    pub(crate) fn add(&self, data_change: bool) -> Result<Json> {
        let offsets = serde_json::to_string(&self.offsets)
            .map_err(|error| Error::internal(WHAT).because(error))?;
        let tags = [
            (TAG_OFFSETS.to_owned(), Some(offsets)),
            (TAG_ORDER.to_owned(), Some(self.order.clone())),
        ];
        let add = Add {
            path: self.path.clone(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            modification_time: Utc::now().timestamp_millis(),
            data_change,
            stats: Some(self.stats.clone()),
            tags: Some(tags.into()),
            ..Add::default()
        };
        line("add", &add)
    }

    /// Deletes it: it is certain that no commit has it.
    pub(crate) async fn discard(self, place: &Place) {
        if let Err(error) = place.store.delete(&Path::from(self.path.as_str())).await {
            // The clean-up finds it later.
            tracing::warn!(path = self.path, %error, "a file of the history stays behind");
        }
    }
}

/// The line of the log that takes `file` out of the table.
pub(crate) fn remove(file: &DataFile, data_change: bool) -> Result<Json> {
    let remove = Remove {
        path: file.path.to_string(),
        data_change,
        deletion_timestamp: Some(Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some([].into()),
        size: i64::try_from(file.size).ok(),
        ..Remove::default()
    };
    line("remove", &remove)
}

fn line(name: &str, action: &impl serde::Serialize) -> Result<Json> {
    let action =
        serde_json::to_value(action).map_err(|error| Error::internal(WHAT).because(error))?;
    Ok(json!({ name: action }))
}

/// A file being written, row group by row group.
pub(crate) struct FileWriter<'a> {
    place: &'a Place,
    schema: SchemaRef,
    order: String,
    path: String,
    writer: AsyncArrowWriter<BufWriter>,
    offsets: BTreeMap<i32, (i64, i64)>,
}

impl<'a> FileWriter<'a> {
    /// Begins a file of rows with `schema` that come sorted by `order`.
    pub(crate) fn new(
        place: &'a Place,
        schema: &SchemaRef,
        order: &str,
        row_group_rows: usize,
    ) -> Result<Self> {
        // Names of this version rise with time, which is of use in a listing alone.
        let path = format!("part-{}.parquet", Uuid::now_v7());
        let sink = BufWriter::new(Arc::clone(&place.store), Path::from(path.as_str()));
        let options = ArrowWriterOptions::new()
            .with_properties(properties(schema, order, row_group_rows))
            // Other readers' Arrow types shall follow from Parquet's alone.
            .with_skip_arrow_metadata(true);
        let writer = AsyncArrowWriter::try_new_with_options(sink, Arc::clone(schema), options)
            .map_err(|error| fault::parquet(WHAT, error))?;
        Ok(Self {
            place,
            schema: Arc::clone(schema),
            order: order.to_owned(),
            path,
            writer,
            offsets: BTreeMap::new(),
        })
    }

    /// Writes rows.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name| {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::internal(WHAT).with("column", name))
        };
        let partitions = column(PARTITION)?.as_primitive::<Int32Type>();
        let offsets = column(OFFSET)?.as_primitive::<Int64Type>();
        for (partition, offset) in partitions.values().iter().zip(offsets.values()) {
            let range = self.offsets.entry(*partition).or_insert((*offset, *offset));
            *range = (range.0.min(*offset), range.1.max(*offset));
        }
        self.writer
            .write(batch)
            .await
            .map_err(|error| fault::parquet(WHAT, error))
    }

    /// About how many bytes it has by now.
    pub(crate) fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Ends the file, which then outlives a power cut.
    pub(crate) async fn finish(mut self) -> Result<NewFile> {
        let footer = self
            .writer
            .finish()
            .await
            .map_err(|error| fault::parquet(WHAT, error))?;
        self.place.settle(&self.path).await?;
        let path = Path::from(self.path.as_str());
        let head = self.place.store.head(&path).await;
        let head = head.map_err(|error| fault::store(WHAT, error))?;
        let offsets = self.offsets.into_iter();
        Ok(NewFile {
            size: head.size,
            rows: u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0),
            stats: stats::to_log(&footer, &self.schema)?,
            offsets: offsets
                .map(|(partition, (first, last))| OffsetRange {
                    partition,
                    first,
                    last,
                })
                .collect(),
            order: self.order,
            path: self.path,
        })
    }

    /// Gives it up.
    pub(crate) fn abandon(self) {
        // An upload that is not completed shows nothing.
        drop(self.writer);
        tracing::debug!(path = self.path, "a file of the history was given up");
    }
}

fn properties(schema: &SchemaRef, order: &str, row_group_rows: usize) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::Page);
    for field in schema.fields() {
        // Numbers that seldom repeat, and that come nearly sorted: the differences are small.
        let rising = matches!(field.data_type(), DataType::Timestamp(..)) || field.name() == OFFSET;
        if rising {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let sorting = sorting(schema, order);
    properties.set_sorting_columns(Some(sorting)).build()
}

/// The leaves that the columns of `order` are; as far as no column before holds several.
fn sorting(schema: &SchemaRef, order: &str) -> Vec<SortingColumn> {
    let leaf = |name: &str| {
        let (at, _) = schema.fields().find(name)?;
        let before: usize = schema.fields()[..at]
            .iter()
            .map(|field| leaves(field.data_type()))
            .sum();
        i32::try_from(before).ok()
    };
    let columns = order.split(',').map_while(leaf);
    columns
        .map(|column_idx| SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        })
        .collect()
}

fn leaves(ty: &DataType) -> usize {
    match ty {
        DataType::List(item) | DataType::Map(item, _) => leaves(item.data_type()),
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
    }
}
