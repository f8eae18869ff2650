//! The advertising report: the source that reads it line by line, as it stands.

use std::path::Path;

use async_trait::async_trait;
use mesh_core::{Error, ErrorKind, EventId, Record, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use uuid::Uuid;

use crate::form::{COLUMNS, day, place};
use crate::products::ReportRow;

/// The name of the source.
pub const REPORT: &str = "report";
/// The file of the report.
pub const FILE: &str = "data.csv";
/// The documents that say which file a source has begun to read, by its name.
const BEGUN: &str = "report_file";

const BATCH: usize = 500;

/// Reads the report; its position counts lines, in the order of their days, so that the budget of a
/// day is decided on what the days before it brought.
pub struct Report;

#[async_trait]
impl Source for Report {
    async fn next(&self, dir: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let path = dir.join(FILE);
        let bytes = tokio::fs::read(&path).await.map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::FailedPrecondition,
            };
            Error::new(kind, "the advertising report cannot be read")
                .with("file", path.display())
                .mend("put the file into the source directory and let this process read it")
                .because(error)
        })?;
        let mut effects = Effects::new();
        // The order of lines follows from all of them, so a file that changes in the middle would make
        // the position mean another line.
        let content = Uuid::new_v5(&Uuid::NAMESPACE_OID, &bytes).to_string();
        match ctx.get::<String>(BEGUN, FILE).await? {
            Some(begun) if begun != content && position > 0 => {
                return Err(Error::new(
                    ErrorKind::FailedPrecondition,
                    "the advertising report has changed while it was read",
                )
                .with("file", path.display())
                .mend("put the file back that was begun; a corrected one is read by a new store"));
            }
            Some(begun) if begun == content => {}
            _ => effects.add_put(BEGUN, FILE, &content),
        }
        let lines = lines(FILE, &bytes)?;
        let total = lines.len() as u64;
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        let read_at = TimestampMillis::now();
        let mut next = position;
        for line in lines.into_iter().skip(skip).take(BATCH) {
            let row = line.into_row(FILE, read_at);
            effects.add_emit_as(EventId(row.row_id), &row);
            next += 1;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}

/// A line of the report, cell by cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its cells.
    pub cells: Vec<String>,
}

/// The lines of a report, in the order of their days; those without a day come first.
///
/// # Errors
/// If the header is another or the file is no UTF-8, by file and line.
pub fn lines(file: &str, bytes: &[u8]) -> Result<Vec<Line>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        // A row of another length is set aside like any other that is not of the form.
        .flexible(true)
        // Lines end at LF, so that they are counted right; a CR before it is taken off below.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(bytes);
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            Error::invalid("a line of the report is no UTF-8")
                .with("file", file)
                .with("line", line)
                .mend("write the file in UTF-8, as it is delivered")
                .because(error)
        })?;
        let number = record.position().map_or(0, csv::Position::line);
        let mut cells: Vec<String> = record.iter().map(str::to_owned).collect();
        if let Some(last) = cells.last_mut()
            && last.ends_with('\r')
        {
            last.pop();
        }
        lines.push(Line { number, cells });
    }
    let header = lines.first().map(|line| line.cells.as_slice());
    let wrong = COLUMNS.iter().enumerate().find(|(at, column)| {
        header
            .and_then(|header| header.get(*at))
            .map(String::as_str)
            != Some(**column)
    });
    let wrong = wrong.map(|(_, column)| *column);
    if wrong.is_some() || header.is_some_and(|header| header.len() > COLUMNS.len()) {
        return Err(Error::invalid("the header of the report is another")
            .with("file", file)
            .with("line", 1)
            .with("field", wrong.unwrap_or("surplus"))
            .mend(format!("write the header {}", COLUMNS.join(","))));
    }
    lines.remove(0);
    let start = place("reporting_start").unwrap_or(1);
    lines.sort_by_key(|line| {
        let of_day = line.cells.get(start).and_then(|cell| day(cell));
        (of_day, line.number)
    });
    Ok(lines)
}

impl Line {
    /// The line as a row of the product `report_rows`.
    pub fn into_row(self, file: &str, read_at: TimestampMillis) -> ReportRow {
        let topic = ReportRow::descriptor().topic.as_str();
        let mut parts = vec![topic];
        parts.extend(self.cells.iter().map(String::as_str));
        let row_id = EventId::derived(&parts).0;
        let mut cells = self.cells.into_iter();
        let mut next = || cells.next();
        ReportRow {
            row_id,
            file: file.to_owned(),
            line: i64::try_from(self.number).unwrap_or(i64::MAX),
            ad_id: next(),
            reporting_start: next(),
            reporting_end: next(),
            campaign_id: next(),
            fb_campaign_id: next(),
            age: next(),
            gender: next(),
            interest1: next(),
            interest2: next(),
            interest3: next(),
            impressions: next(),
            clicks: next(),
            spent: next(),
            total_conversion: next(),
            approved_conversion: next(),
            surplus: cells.collect(),
            read_at,
        }
    }
}

/// The cells of a row as they stood in its line.
pub fn cells(row: &ReportRow) -> Vec<&str> {
    [
        &row.ad_id,
        &row.reporting_start,
        &row.reporting_end,
        &row.campaign_id,
        &row.fb_campaign_id,
        &row.age,
        &row.gender,
        &row.interest1,
        &row.interest2,
        &row.interest3,
        &row.impressions,
        &row.clicks,
        &row.spent,
        &row.total_conversion,
        &row.approved_conversion,
    ]
    .into_iter()
    .map_while(|cell| cell.as_deref())
    .chain(row.surplus.iter().map(String::as_str))
    .collect()
}
