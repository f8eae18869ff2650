//! One statement, run over what has come since the last round.
//!
//! Every round is a query like any other, over the part of each log that no round has read.
//! With windows the part begins where the first record of a window stands that is not over,
//! so that the records alone are the state, and a round can be run again with the same rows.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef};
use mesh_core::{Error, Result};
use mesh_enforcement::Access;
use serde::{Deserialize, Serialize};

use super::shape::{Followed, Shape, Window, between, shape};
use crate::engine::Engine;
use crate::run::Extent;
use crate::session::{QueryOptions, QueryResult, Session};

/// How long a round waits before it asks again whether there is more.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a statement begins to follow its logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FollowFrom {
    /// With what is published from now on; the first window is the first that is whole.
    #[default]
    Now,
    /// With the first record that is there.
    Beginning,
    /// Where a run of the same statement was after a round.
    Position(Position),
}

/// How a statement follows its logs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FollowOptions {
    /// Where it begins.
    pub from: FollowFrom,
    /// How much later than the latest event time seen a record may come and still be in its
    /// window. A window gives its rows when the event time has passed its end by so much.
    pub lateness: Duration,
    /// The most records of a partition that a round reads; no limit if there is none.
    /// Windows are told from all that is there, so it does not hold for them.
    pub round_records: Option<u64>,
}

/// Where the rounds of a statement stand. Its form as JSON is opaque to clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// For each topic and partition the first offset that the next round reads.
    next: BTreeMap<String, BTreeMap<i32, i64>>,
    /// Windows that begin before this (milliseconds since 1970) have given their rows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    closed: Option<i64>,
}

impl Position {
    fn of(&self, topic: &str, partition: i32) -> Option<i64> {
        self.next.get(topic)?.get(&partition).copied()
    }
}

/// A statement that runs on; see [`Engine::follow`].
pub struct Follow {
    engine: Engine,
    access: Access,
    sql: String,
    options: QueryOptions,
    lateness: i64,
    round_records: Option<i64>,
    shape: Shape,
    schema: SchemaRef,
    position: Position,
    /// The end that was seen of each topic and partition.
    seen: Position,
    /// The latest event time that was seen.
    latest: Option<i64>,
    late: u64,
}

/// One round: rows, and where the statement stands once they are taken.
#[derive(Debug)]
pub struct Round {
    /// The rows; there may be none.
    pub rows: QueryResult,
    /// From here another run gives what comes after the rows.
    pub after: Position,
}

impl Engine {
    /// Follows the logs of `sql`: a statement that filters and projects event products,
    /// joins them to state products, or groups one by tumbling windows of its event time,
    /// `date_bin(INTERVAL '1 hour', <event time>)`.
    ///
    /// State products are looked up as they are when a round runs.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](mesh_core::ErrorKind::Unsupported) for a statement that
    /// cannot be run on; as [`Session::query_with`].
    pub async fn follow(
        &self,
        access: Access,
        sql: &str,
        query: QueryOptions,
        options: FollowOptions,
    ) -> Result<Follow> {
        let mut follow = Follow::new(self, access, sql, query, &options).await?;
        follow.begin(&options.from).await?;
        Ok(follow)
    }
}

impl Follow {
    pub(crate) async fn new(
        engine: &Engine,
        access: Access,
        sql: &str,
        options: QueryOptions,
        how: &FollowOptions,
    ) -> Result<Self> {
        if options.as_of.is_some() || options.limit.is_some() {
            return Err(Error::invalid(
                "a statement that runs on has neither a limit nor an instant to look from",
            ));
        }
        let session = engine.session(access.clone()).await?;
        let run = session.run(&options);
        let (_, plan, _) = session.logical(sql, &run).await?;
        Ok(Self {
            engine: engine.clone(),
            access,
            sql: sql.to_owned(),
            options,
            lateness: i64::try_from(how.lateness.as_millis()).unwrap_or(i64::MAX),
            round_records: how
                .round_records
                .map(|most| i64::try_from(most.max(1)).unwrap_or(i64::MAX)),
            shape: shape(&plan)?,
            schema: std::sync::Arc::clone(plan.schema().inner()),
            position: Position::default(),
            seen: Position::default(),
            latest: None,
            late: 0,
        })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Where it stands: after the last round.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Records that came after their window was over, and are in none.
    pub fn late(&self) -> u64 {
        self.late
    }

    async fn begin(&mut self, from: &FollowFrom) -> Result<()> {
        let extents = self.extents().await?;
        let at = |extent: &Extent| match from {
            FollowFrom::Now => extent.end,
            _ => extent.start,
        };
        self.position = match (from, self.shape.window.clone()) {
            (FollowFrom::Position(position), _) => {
                let known = self
                    .shape
                    .followed
                    .iter()
                    .all(|log| position.next.contains_key(&log.product.topic));
                if !known || position.next.len() != self.shape.followed.len() {
                    return Err(Error::invalid("the position is that of another statement")
                        .mend("begin with `now` or `beginning`"));
                }
                position.clone()
            }
            (FollowFrom::Now, Some(window)) => {
                self.latest = self.latest_in(&window, &extents).await?;
                Position {
                    next: offsets(&extents, at),
                    // The window that is under way has records that are not followed.
                    closed: self.latest.map(|at| floor(at, window.size) + window.size),
                }
            }
            _ => Position {
                next: offsets(&extents, at),
                closed: None,
            },
        };
        self.seen = self.position.clone();
        Ok(())
    }

    /// Waits until there is more, and gives the rows that follow from it. The round counts as
    /// taken when the next one is asked for.
    ///
    /// # Errors
    /// As [`Session::query_with`]. After an error, of the round's rows too, begin again at
    /// the position of the last round that was taken whole.
    pub async fn next(&mut self) -> Result<Round> {
        loop {
            if let Some(round) = self.round().await? {
                return Ok(round);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The next round; nothing if there is nothing to do yet. It is to be waited for to its
    /// end.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub async fn round(&mut self) -> Result<Option<Round>> {
        let extents = self.extents().await?;
        let fresh: Vec<(String, Extent)> = extents
            .iter()
            .map(|(topic, extent)| {
                let from = self.seen.of(topic, extent.partition);
                (topic.clone(), begin_at(*extent, from))
            })
            .filter(|(_, extent)| extent.len() > 0)
            .collect();
        if fresh.is_empty() {
            return Ok(None);
        }
        let Some(window) = self.shape.window.clone() else {
            let extents = self.held_to_round(extents);
            let after = Position {
                next: offsets(&extents, |extent| extent.end),
                closed: None,
            };
            let rows = self.run(&self.unread(&extents), None).await?;
            self.seen = after.clone();
            self.position = after.clone();
            return Ok(Some(Round { rows, after }));
        };
        let latest = self.latest_in(&window, &fresh).await?;
        if let Some(closed) = self.position.closed {
            self.late += self.late_in(&window, &fresh, closed).await?;
        }
        self.latest = self.latest.max(latest);
        self.seen.next = offsets(&extents, |extent| extent.end);
        let Some(latest) = self.latest else {
            return Ok(None);
        };
        let until = floor(latest.saturating_sub(self.lateness), window.size);
        let from = self.position.closed.unwrap_or(EARLIEST);
        if until <= from {
            return Ok(None);
        }
        let unread = self.unread(&extents);
        let after = Position {
            next: self.open_from(&window, &unread, &extents, until).await?,
            closed: Some(until),
        };
        let rows = self.run(&unread, Some((from, until))).await?;
        self.position = after.clone();
        Ok(Some(Round { rows, after }))
    }

    /// `extents` with ends that one round reaches.
    fn held_to_round(&self, mut extents: Vec<(String, Extent)>) -> Vec<(String, Extent)> {
        if let Some(most) = self.round_records {
            for (topic, extent) in &mut extents {
                let from = begin_at(*extent, self.position.of(topic, extent.partition)).start;
                extent.end = extent.end.min(from.saturating_add(most)).max(extent.start);
            }
        }
        extents
    }

    /// What of the logs is there now.
    async fn extents(&self) -> Result<Vec<(String, Extent)>> {
        let session = self.session().await?;
        let run = session.run(&self.options);
        let mut all = Vec::new();
        for Followed { product, .. } in &self.shape.followed {
            let extents = run.snapshot(&product.topic).await?;
            all.extend(
                extents
                    .iter()
                    .map(|extent| (product.topic.clone(), *extent)),
            );
        }
        Ok(all)
    }

    /// What of `extents` no round has given rows of.
    fn unread(&self, extents: &[(String, Extent)]) -> Vec<(String, Extent)> {
        extents
            .iter()
            .map(|(topic, extent)| {
                let next = self.position.of(topic, extent.partition);
                (topic.clone(), begin_at(*extent, next))
            })
            .collect()
    }

    async fn session(&self) -> Result<Session> {
        // Anew for each round: what was granted may have been taken back.
        self.engine.session(self.access.clone()).await
    }

    async fn run(
        &self,
        extents: &[(String, Extent)],
        windows: Option<(i64, i64)>,
    ) -> Result<QueryResult> {
        self.over(extents, &self.sql, windows).await
    }

    /// Runs `sql` with the logs cut to `extents`.
    async fn over(
        &self,
        extents: &[(String, Extent)],
        sql: &str,
        windows: Option<(i64, i64)>,
    ) -> Result<QueryResult> {
        let session = self.session().await?;
        let run = session.run(&self.options);
        let mut by_topic: BTreeMap<&str, Vec<Extent>> = BTreeMap::new();
        for (topic, extent) in extents {
            by_topic.entry(topic).or_default().push(*extent);
        }
        for (topic, extents) in by_topic {
            run.preset(topic, extents);
        }
        let permit = session.leave()?;
        session
            .start(
                sql,
                self.options.clone(),
                run,
                permit,
                |plan| match windows {
                    Some((from, until)) => between(plan, from, until),
                    None => Ok(plan),
                },
            )
            .await
    }

    /// Answers a question of our own about the one log of a windowed statement.
    async fn ask(&self, what: &str, extents: &[(String, Extent)]) -> Result<Vec<RecordBatch>> {
        let [Followed { table, .. }] = self.shape.followed.as_slice() else {
            return Err(Error::internal("windows over several logs"));
        };
        let (domain, product) = table
            .split_once('.')
            .ok_or_else(|| Error::internal("a table without a domain"))?;
        let sql = what.replace("{log}", &format!("\"{domain}\".\"{product}\""));
        self.over(extents, &sql, None).await?.collect().await
    }

    /// The latest event time of `extents`, in milliseconds since 1970.
    async fn latest_in(
        &self,
        window: &Window,
        extents: &[(String, Extent)],
    ) -> Result<Option<i64>> {
        let column = &window.event_time;
        let what = format!(
            "SELECT CAST(CAST(max(\"{column}\") AS TIMESTAMP(3)) AS BIGINT) AS latest FROM {{log}}"
        );
        let batches = self.ask(&what, extents).await?;
        Ok(batches.first().and_then(|batch| number(batch, 0, 0)))
    }

    /// How many records of `extents` are too late for their window.
    async fn late_in(
        &self,
        window: &Window,
        extents: &[(String, Extent)],
        closed: i64,
    ) -> Result<u64> {
        let what = format!(
            "SELECT count(*) AS late FROM {{log}} WHERE \"{}\" < {}",
            window.event_time,
            instant(closed)
        );
        let batches = self.ask(&what, extents).await?;
        let late = batches.first().and_then(|batch| number(batch, 0, 0));
        Ok(late.and_then(|late| u64::try_from(late).ok()).unwrap_or(0))
    }

    /// Where the first record stands whose window begins at `until` or later.
    async fn open_from(
        &self,
        window: &Window,
        unread: &[(String, Extent)],
        extents: &[(String, Extent)],
        until: i64,
    ) -> Result<BTreeMap<String, BTreeMap<i32, i64>>> {
        let what = format!(
            "SELECT _partition, min(_offset) AS first FROM {{log}} WHERE \"{}\" >= {} \
             GROUP BY _partition",
            window.event_time,
            instant(until)
        );
        let mut next = offsets(extents, |extent| extent.end);
        for batch in self.ask(&what, unread).await? {
            let partitions = batch.column(0).as_primitive::<Int32Type>();
            for row in 0..batch.num_rows() {
                let Some(first) = number(&batch, 1, row) else {
                    continue;
                };
                // There is one log.
                for of_topic in next.values_mut() {
                    of_topic.insert(partitions.value(row), first);
                }
            }
        }
        Ok(next)
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("shape", &self.shape)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// The end of 1677: windows are told in nanoseconds, which reach no further back.
const EARLIEST: i64 = -9_223_200_000_000;

fn floor(at: i64, size: i64) -> i64 {
    at.div_euclid(size) * size
}

/// A constant of SQL.
fn instant(millis: i64) -> String {
    format!("to_timestamp_millis({millis})")
}

fn begin_at(extent: Extent, from: Option<i64>) -> Extent {
    Extent {
        start: from.unwrap_or(extent.start).max(extent.start),
        ..extent
    }
}

fn offsets(
    extents: &[(String, Extent)],
    at: impl Fn(&Extent) -> i64,
) -> BTreeMap<String, BTreeMap<i32, i64>> {
    let mut offsets: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
    for (topic, extent) in extents {
        let of_topic = offsets.entry(topic.clone()).or_default();
        of_topic.insert(extent.partition, at(extent));
    }
    offsets
}

fn number(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let numbers = batch.column(column).as_primitive_opt::<Int64Type>()?;
    (!numbers.is_null(row)).then(|| numbers.value(row))
}
