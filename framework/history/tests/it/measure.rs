//! What it costs: `cargo test --test history -- --ignored --nocapture measure`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use mesh_history::{At, ColumnRange, DataFile, HistoryConfig, HistorySnapshot, Value};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use crate::harness::{FIRST, Platform, SALES, STEP, sale};

fn folder_bytes(folder: &std::path::Path, extension: &str) -> u64 {
    let mut bytes = 0;
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            bytes += folder_bytes(&path, extension);
        } else if path.extension().is_some_and(|is| is == extension) {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    bytes
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// What this process has worked, on all cores: of use where others work beside it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes"]
async fn measure() {
    let rows: i64 = std::env::var("MESH_ROWS").map_or(3_000_000, |rows| rows.parse().unwrap());
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let begun = Instant::now();
    for id in 0..rows {
        // Amounts and times as of real sales: neither rising nor few.
        let mixed = id
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)
            .rotate_left(17);
        let mut row = sale(id, mixed.rem_euclid(1_000_000));
        let micros = FIRST + id * STEP / 60 + mixed.rem_euclid(STEP);
        let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
        row["sold_at"] = time
            .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
            .into();
        drop(platform.producer.send(product.record(&row)).await.unwrap());
    }
    platform
        .producer
        .flush(std::time::Duration::from_secs(600))
        .await
        .unwrap();
    println!(
        "{rows} rows sent in {:.1?}, peak {} MiB",
        begun.elapsed(),
        peak_mib()
    );
    let topic = folder_bytes(&platform.folder().join("broker"), "log");

    let mut config = HistoryConfig::new(platform.root().to_str().unwrap());
    if let Ok(bytes) = std::env::var("MESH_FILE_BYTES") {
        config.file_bytes = bytes.parse().unwrap();
    }
    let (history, writer) = platform.writer(config);
    let reference = product.source().product_ref();
    // Forgets the peak of sending.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    let worked = cpu_seconds();
    let begun = Instant::now();
    let passed = writer.pass(&product.source()).await.unwrap();
    let spent = begun.elapsed();
    println!(
        "written: {:.0} rows/s, {:.0} per CPU-second (broker's and clients' included), {passed:?}, peak {} MiB",
        rows as f64 / spent.as_secs_f64(),
        rows as f64 / (cpu_seconds() - worked),
        peak_mib()
    );
    let begun = Instant::now();
    let done = history.compact(&reference).await.unwrap();
    println!(
        "merged in {:.1?}: {done:?}, peak {} MiB",
        begun.elapsed(),
        peak_mib()
    );
    let snapshot = product.snapshot(&history, At::Latest).await;
    assert_eq!(snapshot.rows(), rows as u64);
    println!(
        "{} files, {:.1} bytes a row, in the topic (lz4) {:.1}",
        snapshot.files.len(),
        snapshot.bytes() as f64 / rows as f64,
        topic as f64 / rows as f64
    );
    let begun = Instant::now();
    for _ in 0..100 {
        product.snapshot(&history, At::Latest).await;
    }
    println!("a look at the table: {:.2?}", begun.elapsed() / 100);

    // One per cent of event time, in the middle.
    let (from, to) = (rows / 2 * STEP / 60, (rows / 2 + rows / 100) * STEP / 60);
    let slice = [ColumnRange {
        column: "sold_at".to_owned(),
        min: Some(Value::Timestamp(FIRST + from)),
        max: Some(Value::Timestamp(FIRST + to)),
    }];
    let picked = snapshot.files_matching(&slice);
    let read = Arc::new(AtomicU64::new(0));
    let mut found = 0;
    for file in &picked {
        let reader = Counting {
            store: Arc::clone(&snapshot.store),
            file: Arc::clone(file),
            read: Arc::clone(&read),
        };
        found += slice_of(reader, &snapshot, FIRST + from, FIRST + to).await;
    }
    println!(
        "1 % of event time: {} of {} files, {} rows, {:.2} % of the bytes read, footers included",
        picked.len(),
        snapshot.files.len(),
        found,
        100.0 * read.load(Ordering::Relaxed) as f64 / snapshot.bytes() as f64,
    );
    assert!(
        (found as i64 - rows / 100).abs() < rows / 500,
        "{found} rows"
    );
}

/// A file whose bytes are counted as they are read.
struct Counting {
    store: Arc<dyn ObjectStore>,
    file: Arc<DataFile>,
    read: Arc<AtomicU64>,
}

impl AsyncFileReader for Counting {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.read
            .fetch_add(range.end - range.start, Ordering::Relaxed);
        async move { Ok(self.store.get_range(&self.file.path, range).await.unwrap()) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let size = self.file.size;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

/// How many rows were sold between two instants, read by row groups and pages as a query
/// engine does.
async fn slice_of(reader: Counting, snapshot: &HistorySnapshot, from: i64, to: i64) -> u64 {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options)
        .await
        .unwrap();
    let meta = Arc::clone(builder.metadata());
    let column = snapshot.schema.index_of("sold_at").unwrap();
    let (mut groups, mut selectors) = (Vec::new(), Vec::new());
    for (at, group) in meta.row_groups().iter().enumerate() {
        let Some(Statistics::Int64(stats)) = group.column(column).statistics() else {
            panic!("no statistics");
        };
        if *stats.max_opt().unwrap() < from || *stats.min_opt().unwrap() > to {
            continue;
        }
        groups.push(at);
        let pages = &meta.offset_index().unwrap()[at][column].page_locations();
        let ColumnIndexMetaData::INT64(index) = &meta.column_index().unwrap()[at][column] else {
            panic!("no index of pages");
        };
        for (page, place) in pages.iter().enumerate() {
            let next = pages
                .get(page + 1)
                .map_or(group.num_rows(), |next| next.first_row_index);
            let rows = (next - place.first_row_index) as usize;
            let beside =
                *index.max_value(page).unwrap() < from || *index.min_value(page).unwrap() > to;
            selectors.push(match beside {
                true => RowSelector::skip(rows),
                false => RowSelector::select(rows),
            });
        }
    }
    let mut stream = builder
        .with_row_groups(groups)
        .with_row_selection(RowSelection::from(selectors))
        .build()
        .unwrap();
    let mut found = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        let times = batch.column_by_name("sold_at").unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        found += times
            .iter()
            .filter(|time| (from..=to).contains(*time))
            .count() as u64;
    }
    found
}
