//! Rows of a table in Postgres, exactly once and in the order of a column of whole numbers.
//!
//! Such numbers are handed out before their transactions commit, so a row may come into sight
//! behind a higher one. Whoever inserts a row holds a lock on the table before its number is
//! handed out, and until the commit. So the source notes the highest number in sight and who
//! holds such a lock then; when all of these are gone, every row up to that number that will
//! ever be is in sight, and they are read.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use mesh_contract::{Field, PostgresSource, ProductKind, Type};
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch, StoreUrl};
use serde_json::{Map, Value as Json};
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::Mutex;

use crate::file::{Column, Columns};

/// Rows of one batch at most.
const BATCH_ROWS: i64 = 1_000;
const TIMEOUT: Duration = Duration::from_secs(10);

/// A declared table as a source; its position is the number of the last row taken.
pub(crate) struct PostgresRows {
    descriptor: &'static Descriptor,
    source: PostgresSource,
    columns: Columns,
    pool: PgPool,
    /// Where the database is, for people.
    server: String,
    ends: Mutex<Ends>,
}

/// What is known of the table's end.
#[derive(Default)]
struct Ends {
    /// Up to here every row is in sight that will ever be.
    whole: i64,
    /// An end that is not whole yet, and the transactions that it waits for.
    waits: Option<(i64, BTreeSet<String>)>,
    /// The statement that reads rows, made from the table's columns.
    select: Option<String>,
}

impl PostgresRows {
    /// The rows of `source` for the product of `descriptor`.
    ///
    /// # Errors
    /// If the declaration names a column that the contract does not have, or its environment
    /// variable holds no URL of a Postgres database.
    pub(crate) fn new(descriptor: &'static Descriptor, source: &PostgresSource) -> Result<Self> {
        let variable = &source.url_variable;
        let wrong = |message: String, mend: &'static str| {
            Error::invalid(message)
                .with("topic", descriptor.topic.as_str())
                .with("field", "mesh.sources.url_variable")
                .mend(mend)
        };
        let text = std::env::var(variable).map_err(|_| {
            wrong(
                format!("the environment variable {variable} is not set"),
                "set it to the database's URL, postgres://user:password@host:5432/database",
            )
        })?;
        // What is wrong is told without the text, which holds a password.
        let url: StoreUrl = text
            .parse()
            .map_err(|error| wrong(format!("{variable}: {error}"), "mend the variable"))?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TIMEOUT)
            .connect_lazy_with(url.options());
        Ok(Self {
            columns: Columns::named(descriptor, &source.columns, &source.ignore)?,
            descriptor,
            source: source.clone(),
            pool,
            server: url.server(),
            ends: Mutex::default(),
        })
    }

    fn table(&self) -> String {
        format!(
            "{}.{}",
            quoted(&self.source.schema),
            quoted(&self.source.table)
        )
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        let (kind, mend) = match &error {
            sqlx::Error::Database(cause) => match cause.code().as_deref() {
                Some("42P01" | "3F000") => (
                    ErrorKind::NotFound,
                    "make the table, or mend its name in `mesh.sources`",
                ),
                Some("42703") => (
                    ErrorKind::FailedPrecondition,
                    "give the table the columns that docs/sources.md names",
                ),
                Some("42501") => (
                    ErrorKind::PermissionDenied,
                    "GRANT SELECT on the table to the user of the source",
                ),
                Some("28P01" | "28000") => (
                    ErrorKind::Unauthenticated,
                    "mend user and password in the source's variable",
                ),
                _ => (ErrorKind::Unavailable, "see the database's log"),
            },
            _ => (
                ErrorKind::Unavailable,
                "let this process reach the database that the source's variable names",
            ),
        };
        let failed = Error::new(kind, "the database of a source cannot be read")
            .with("database", &self.server)
            .with(
                "table",
                format!("{}.{}", self.source.schema, self.source.table),
            )
            .mend(mend);
        match &error {
            // Its words may quote a value of a row; its code never does.
            sqlx::Error::Database(cause) => match cause.code() {
                Some(code) => failed.with("sqlstate", code),
                None => failed,
            },
            _ => failed.because(error),
        }
    }

    /// Notes how far the table is whole, and whether there is more than `position`.
    async fn look(&self, ends: &mut Ends, position: i64) -> Result<()> {
        let (table, cursor) = (self.table(), quoted(&self.source.cursor));
        // The highest number first: who has a lower one and is not in sight holds its lock now.
        let highest: Option<i64> = match ends.waits {
            None => sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT max({cursor})::int8 FROM {table}"
            )))
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failed(error))?,
            Some(_) => None,
        };
        if ends.waits.is_none() && highest.is_none_or(|highest| highest <= position) {
            return Ok(());
        }
        let holders: Vec<String> = sqlx::query_scalar(
            "SELECT virtualtransaction FROM pg_locks \
             WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND relation IN (SELECT $1::regclass UNION \
                 SELECT relid FROM pg_partition_tree($1::regclass))",
        )
        .bind(&table)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let holders: BTreeSet<String> = holders.into_iter().collect();
        let (end, waits) = match (ends.waits.take(), highest) {
            (Some((end, before)), _) => (end, before.intersection(&holders).cloned().collect()),
            (None, Some(highest)) => (highest, holders),
            (None, None) => return Ok(()),
        };
        if waits.is_empty() {
            ends.whole = end;
        } else {
            ends.waits = Some((end, waits));
        }
        Ok(())
    }

    /// Refuses what the order of numbers cannot be told on.
    async fn check(&self) -> Result<()> {
        let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failed(error))?;
        let cached: Option<i64> = sqlx::query_scalar(
            "SELECT seqcache FROM pg_sequence \
             WHERE seqrelid = to_regclass(pg_get_serial_sequence($1, $2))",
        )
        .bind(self.table())
        .bind(&self.source.cursor)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let refuse = |message: &'static str, mend: &'static str| {
            Err(Error::new(ErrorKind::FailedPrecondition, message)
                .with("database", &self.server)
                .with(
                    "table",
                    format!("{}.{}", self.source.schema, self.source.table),
                )
                .with("column", &self.source.cursor)
                .mend(mend))
        };
        if standby {
            return refuse(
                "the database is a standby, which does not show who is writing",
                "name the primary in the source's variable",
            );
        }
        if cached.is_some_and(|cached| cached > 1) {
            return refuse(
                "the column's sequence hands out numbers ahead, so their order is not that of rows",
                "ALTER SEQUENCE … CACHE 1",
            );
        }
        Ok(())
    }

    /// The statement that reads rows: number, row as JSON, and whether it is gone.
    async fn select(&self) -> Result<String> {
        let (table, cursor) = (self.table(), quoted(&self.source.cursor));
        let (row, gone) = match self.source.outbox {
            true => ("\"row\"::text".to_owned(), "deleted"),
            false => (self.json().await?, "false"),
        };
        let product = match self.source.outbox {
            true => "AND product = $3",
            // Bound in both, so that the statements take the same.
            false => "AND $3 <> ''",
        };
        Ok(format!(
            "SELECT {cursor}::int8, {row}, {gone} FROM {table} \
             WHERE {cursor} > $1 AND {cursor} <= $2 {product} ORDER BY {cursor} LIMIT {BATCH_ROWS}"
        ))
    }

    /// An expression that makes JSON of the table's columns. Decimals go as texts, since a
    /// number of JSON does not hold all of their digits.
    async fn json(&self) -> Result<String> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT attname::text FROM pg_attribute \
             WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        )
        .bind(self.table())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failed(error))?;
        let mut parts = Vec::new();
        let mut header = Vec::new();
        for name in &names {
            let column = self.columns.get(name)?;
            if let Column::Field(field) = &column {
                let cast = match field.ty {
                    Type::Decimal { .. } => "::text",
                    _ => "",
                };
                parts.push(format!("{}, {}{cast}", literal(name), quoted(name)));
            }
            header.push(column);
        }
        self.columns.check_header(&header)?;
        // A function takes a hundred arguments at most.
        let objects: Vec<String> = parts
            .chunks(40)
            .map(|some| format!("jsonb_build_object({})", some.join(", ")))
            .collect();
        Ok(format!("({})::text", objects.join(" || ")))
    }

    /// Adds a row of the table.
    fn add(&self, effects: &mut Effects, row: &PgRow) -> Result<i64> {
        let failed = |error| self.failed(error);
        let number: i64 = row.try_get(0).map_err(failed)?;
        let text: Option<String> = row.try_get(1).map_err(failed)?;
        let gone: bool = row.try_get(2).map_err(failed)?;
        let place = |error: Error| {
            error
                .with(
                    "table",
                    format!("{}.{}", self.source.schema, self.source.table),
                )
                .with("number", number)
                .mend("mend the row in the table, or map its columns in `mesh.sources`")
        };
        let object = text.as_deref().map(serde_json::from_str);
        let Some(Ok(Json::Object(object))) = object else {
            return Err(place(Error::invalid("a row is no JSON object")));
        };
        let mut cells = Map::with_capacity(object.len());
        for (name, cell) in object {
            if let Column::Field(field) = self.columns.get(&name).map_err(place)? {
                cells.insert(field.name.clone(), moment(field, cell).map_err(place)?);
            }
        }
        match gone {
            false => effects
                .add_row(self.descriptor, None, &cells)
                .map_err(place)?,
            true if self.descriptor.contract.schema.kind == ProductKind::State => effects
                .add_row_delete(self.descriptor, &cells)
                .map_err(place)?,
            true => {
                return Err(place(Error::invalid(
                    "a row is deleted from a product of events, which stay",
                )));
            }
        }
        Ok(number)
    }
}

/// Postgres writes instants with offsets and times without a zone; the latter are UTC.
fn moment(field: &Field, cell: Json) -> Result<Json> {
    match (&field.ty, &cell) {
        (Type::Timestamp(_), Json::String(text)) => Descriptor::cell(field, text),
        _ => Ok(cell),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[async_trait]
impl Source for PostgresRows {
    async fn next(&self, _: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let from = i64::try_from(position).unwrap_or(i64::MAX);
        let mut ends = self.ends.lock().await;
        if ends.whole <= from {
            self.look(&mut ends, from).await?;
        }
        if ends.whole <= from {
            return Ok(SourceBatch::wait(position));
        }
        let select = match &ends.select {
            Some(select) => select.clone(),
            None => {
                self.check().await?;
                ends.select.insert(self.select().await?).clone()
            }
        };
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(from)
            .bind(ends.whole)
            .bind(&self.descriptor.contract.product)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| {
                // The table may have other columns by now.
                ends.select = None;
                self.failed(error)
            })?;
        let mut effects = Effects::new();
        let mut next = from;
        for row in &rows {
            next = self.add(&mut effects, row)?;
        }
        if (rows.len() as i64) < BATCH_ROWS {
            next = ends.whole;
        }
        Ok(SourceBatch::more(
            effects,
            u64::try_from(next).unwrap_or(position),
        ))
    }
}
