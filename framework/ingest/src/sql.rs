//! Rows that a statement over other products gives, as it runs on.
//!
//! The platform runs the statement under policy and tells after each round where it stands.
//! That position is a document of the domain, committed together with the round's rows, so
//! that after a crash the statement goes on behind the last round that was committed.

use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mesh_contract::{Field, SqlSource, Type};
use mesh_core::{Descriptor, Error, Result};
use mesh_runtime::{Context, Effects, Followed, FollowedLine, Source, SourceBatch};
use serde_json::{Map, Value as Json};
use tokio::sync::Mutex;

/// The kind of the documents that hold positions.
const POSITIONS: &str = "sql_position";
/// Records of a partition in a round.
const ROUND: u64 = 1_000;
/// How long to wait for a line before the host is told that there is nothing.
const WAIT: Duration = Duration::from_millis(500);
/// A position behind records that gave no row is kept so often.
const KEEP: Duration = Duration::from_secs(10);

/// A statement that feeds a product.
pub(crate) struct SqlRows {
    descriptor: &'static Descriptor,
    source: SqlSource,
    /// The key of its position.
    name: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    followed: Followed,
    /// The columns of the contract, in the order of the statement's.
    columns: Vec<&'static Field>,
    /// The count of rounds that its next round belongs to.
    at: u64,
    /// Rows of the round so far.
    rows: Vec<Vec<Json>>,
    kept: Instant,
    late: u64,
}

impl SqlRows {
    pub(crate) fn new(descriptor: &'static Descriptor, name: &str, source: &SqlSource) -> Self {
        Self {
            descriptor,
            source: source.clone(),
            name: name.to_owned(),
            running: Mutex::default(),
        }
    }

    async fn begin(&self, position: u64, ctx: &Context) -> Result<Running> {
        let kept: Option<Json> = ctx.get(POSITIONS, &self.name).await?;
        let sql = ctx.sql(&self.source.purpose)?;
        let from = kept.unwrap_or_else(|| "beginning".into());
        let SqlSource {
            query, lateness, ..
        } = &self.source;
        let followed = sql.follow(query, from, *lateness, ROUND).await?;
        Ok(Running {
            columns: self.columns(followed.columns())?,
            followed,
            at: position,
            rows: Vec::new(),
            kept: Instant::now(),
            late: 0,
        })
    }

    /// The columns of the contract that the statement gives.
    fn columns(&self, names: &[String]) -> Result<Vec<&'static Field>> {
        let fields = &self.descriptor.contract.schema.fields;
        let wrong = |message: String, column: &str| {
            Error::invalid(message)
                .with("topic", self.descriptor.topic.as_str())
                .with("field", "mesh.sources.query")
                .with("column", column)
                .mend("name the statement's columns as the contract does, with AS")
        };
        let mut columns: Vec<&'static Field> = Vec::new();
        for name in names {
            let field = fields.iter().find(|field| field.name == *name);
            let field = field.ok_or_else(|| {
                wrong(
                    "the statement gives a column that the contract has not".into(),
                    name,
                )
            })?;
            if columns.iter().any(|known| known.name == *name) {
                return Err(wrong("the statement gives a column twice".into(), name));
            }
            columns.push(field);
        }
        let missing = fields
            .iter()
            .find(|field| !field.nullable && !names.contains(&field.name));
        match missing {
            Some(field) => Err(wrong(
                "the statement does not give a column that the contract requires".into(),
                &field.name,
            )),
            None => Ok(columns),
        }
    }

    fn effects(&self, running: &mut Running, position: &Json) -> Result<Effects> {
        let mut effects = Effects::new();
        for row in running.rows.drain(..) {
            let mut cells = Map::with_capacity(row.len());
            for (field, cell) in running.columns.iter().zip(row) {
                let cell = match (&field.ty, cell) {
                    // One without a zone is UTC, as in files.
                    (Type::Timestamp(_), Json::String(text)) => Descriptor::cell(field, &text)?,
                    (ty, cell) => fit(ty, cell),
                };
                cells.insert(field.name.clone(), cell);
            }
            effects
                .add_row(self.descriptor, None, &cells)
                .map_err(|error| {
                    error.with("topic", self.descriptor.topic.as_str()).mend(
                        "mend the statement in `mesh.sources`, so that its rows keep the contract",
                    )
                })?;
        }
        effects.add_put(POSITIONS, &self.name, position);
        Ok(effects)
    }

    async fn step(&self, running: &mut Running) -> Result<SourceBatch> {
        loop {
            let line = match tokio::time::timeout(WAIT, running.followed.next()).await {
                // What has come of the round stays where it is.
                Err(_) => return Ok(SourceBatch::wait(running.at)),
                Ok(line) => line?,
            };
            match line {
                FollowedLine::Rows(rows) => running.rows.extend(rows),
                FollowedLine::Position { position, late } => {
                    if running.rows.is_empty() && running.kept.elapsed() < KEEP {
                        continue;
                    }
                    let effects = self.effects(running, &position)?;
                    running.kept = Instant::now();
                    running.at += 1;
                    let batch = SourceBatch::more(effects, running.at);
                    let more = late.saturating_sub(running.late);
                    running.late = late;
                    return Ok(match more {
                        0 => batch,
                        more => batch
                            .with_note(format!("{more} records came too late for their window")),
                    });
                }
            }
        }
    }
}

#[async_trait]
impl Source for SqlRows {
    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        let mut held = self.running.lock().await;
        // After a commit that failed the statement is where it never was.
        let running = match held.take() {
            Some(running) if running.at == position => running,
            _ => self.begin(position, ctx).await?,
        };
        let running = held.insert(running);
        let step = self.step(running).await;
        if step.is_err() {
            *held = None;
        }
        step
    }

    fn reads_directory(&self) -> bool {
        false
    }
}

/// A value as the platform writes it, as rows are written: large integers are texts there,
/// and maps lists of pairs.
fn fit(ty: &Type, cell: Json) -> Json {
    match (ty, cell) {
        (Type::Int32 { .. } | Type::Int64 { .. }, Json::String(text)) => {
            text.parse::<i64>().map_or(Json::String(text), Json::from)
        }
        (Type::Array(array), Json::Array(items)) => items
            .into_iter()
            .map(|item| fit(&array.items, item))
            .collect(),
        (Type::Map(map), Json::Array(pairs)) => pairs
            .into_iter()
            .filter_map(|pair| match pair {
                Json::Array(pair) => match <[Json; 2]>::try_from(pair) {
                    Ok([Json::String(key), value]) => Some((key, fit(&map.values, value))),
                    _ => None,
                },
                _ => None,
            })
            .collect::<Map<_, _>>()
            .into(),
        (Type::Object(object), Json::Object(mut cells)) => {
            for field in &object.fields {
                if let Some(cell) = cells.remove(&field.name) {
                    cells.insert(field.name.clone(), fit(&field.ty, cell));
                }
            }
            Json::Object(cells)
        }
        (_, cell) => cell,
    }
}
