//! A product as a table of DataFusion.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use mesh_core::Result;
use mesh_core::contract::ProductKind;
use mesh_history::HistorySnapshot;

use super::assemble::Columns;
use super::history::{self, Wanted};
use super::leaf::ProductScan;
use super::lookup::{framed_keys, named_rows, names_key};
use super::narrow::Needed;
use super::pump::Work;
use crate::failure::wrap;
use crate::life::TableLife;
use crate::product::{LogColumn, Product, table_schema};
use crate::provider::Table;
use crate::run::{Extent, QueryRun};

/// Ranges of an event product are not cut smaller than this: what a reader costs to start
/// is about what it takes to read so many records.
const MIN_RANGE: i64 = 50_000;

/// One product in one query. It tells DataFusion its columns and nothing else: no
/// statistics, no definition; of filters it takes in where records stand (see `narrow`).
#[derive(Debug)]
pub(crate) struct ProductTable {
    name: String,
    product: Arc<Product>,
    life: Arc<TableLife>,
    schema: SchemaRef,
    run: Arc<QueryRun>,
}

impl ProductTable {
    pub(crate) fn new(
        name: String,
        Table { product, life }: Table,
        log: &[LogColumn],
        run: Arc<QueryRun>,
    ) -> Self {
        Self {
            name,
            schema: table_schema(&product, log),
            product,
            life,
            run,
        }
    }

    /// Whether it can be read no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.life.has_ended(&self.product.lifecycle)
    }

    /// `domain.product`, as the statement may name it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn product(&self) -> &Arc<Product> {
        &self.product
    }

    /// The topic behind it.
    pub(crate) fn topic(&self) -> &str {
        &self.product.topic
    }

    /// Refuses a table that can be read no more.
    ///
    /// # Errors
    /// That, with the table to read instead.
    pub(crate) fn check_life(&self) -> Result<()> {
        self.life.check(&self.name, &self.product.lifecycle)
    }
}

#[async_trait]
impl TableProvider for ProductTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        if let Some(notice) = self.life.notice(&self.name, &self.product.lifecycle) {
            self.run.notice(notice);
        }
        // First, so that it reaches no further than the topic's ends.
        let history = self
            .run
            .history(&self.product)
            .await
            .map_err(|error| wrap(error.with("table", &self.name)))?;
        let extents = self
            .run
            .snapshot(&self.product.topic)
            .await
            .map_err(|error| wrap(error.with("table", &self.name)))?;
        let extents = self
            .narrowed(&extents, &Needed::of(filters))
            .await
            .map_err(|error| wrap(error.with("table", &self.name)))?;
        let extents = match &history {
            Some(history) => behind(&extents, history),
            None => extents,
        };
        let projected = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let columns = Columns::new(&self.product, Arc::clone(&projected))?;
        let streams = state.config().target_partitions().max(1);
        let mut work = match self.product.kind {
            ProductKind::Event => log(spread(cut(&extents, streams), streams)),
            ProductKind::State => self
                .state(extents, filters, streams)
                .await
                .map_err(|error| wrap(error.with("table", &self.name)))?,
        };
        self.run.expect(
            work.iter()
                .map(|work| work.records(self.product.kind, !columns.is_empty()))
                .sum(),
        );
        if let Some(history) = history {
            let wanted = Wanted {
                product: &self.product,
                projected: &projected,
                filters,
                before: self
                    .run
                    .view
                    .as_of
                    .map(|instant| instant.timestamp_millis()),
                limit,
            };
            work.extend(history::read(&history, &wanted, state)?);
        }
        Ok(Arc::new(ProductScan::new(
            self.name.clone(),
            Arc::clone(&self.product),
            columns,
            work,
            limit,
            Arc::clone(&self.run),
        )))
    }

    /// Comparisons of the log's columns shorten the scan; DataFusion evaluates them again on
    /// what comes out of it. All else stays outside.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                match Needed::narrows(filter) || self.names_key(filter) || self.prunes(filter) {
                    true => TableProviderFilterPushDown::Inexact,
                    false => TableProviderFilterPushDown::Unsupported,
                }
            })
            .collect())
    }
}

impl ProductTable {
    /// Whether a filter may name rows by their key.
    fn names_key(&self, filter: &Expr) -> bool {
        self.product.kind == ProductKind::State
            && self.run.env.states.is_some()
            && names_key(&self.product.contract.schema, filter)
    }

    /// Whether a filter may leave out files of the history.
    fn prunes(&self, filter: &Expr) -> bool {
        self.product.kind == ProductKind::Event
            && self.run.env.history.is_some()
            && history::is_safe(filter)
    }

    /// What the streams of a state product read: the table that is kept of it, or its topic
    /// where none is.
    async fn state(
        &self,
        extents: Vec<Extent>,
        filters: &[Expr],
        streams: usize,
    ) -> Result<Vec<Work>> {
        let Some(snapshot) = self.run.state(&self.product.topic).await? else {
            // The latest row of a key is known only after its whole partition was read.
            return Ok(log(spread(extents, streams)));
        };
        let schema = &self.product.contract.schema;
        if let Some(rows) = named_rows(schema, filters) {
            let registry = &self.run.env.registry;
            let keys = framed_keys(registry, &self.product.topic, schema, &rows).await?;
            if let Some(keys) = keys {
                return Ok(vec![Work::Keys(snapshot, Arc::new(keys))]);
            }
        }
        // By the rows that there are, not by the offsets that there were.
        let partitions = extents
            .iter()
            .filter(|extent| extent.len() > 0)
            .map(|extent| Extent {
                start: 0,
                end: i64::try_from(snapshot.rows_in(extent.partition)).unwrap_or(i64::MAX),
                ..*extent
            });
        let dealt = spread(partitions.collect(), streams).into_iter();
        let tables = dealt.map(|partitions| {
            let partitions = partitions.into_iter().map(|extent| extent.partition);
            Work::Table(Arc::clone(&snapshot), Arc::new(partitions.collect()))
        });
        Ok(tables.collect())
    }

    /// The parts of `extents` that are `needed`.
    async fn narrowed(&self, extents: &[Extent], needed: &Needed) -> Result<Vec<Extent>> {
        let since = match needed.since() {
            Some(millis) => {
                let partitions = i32::try_from(extents.len()).unwrap_or(i32::MAX);
                let topic = &self.product.topic;
                let admin = &self.run.env.admin;
                let first = admin.offsets_since(topic, partitions, millis).await?;
                first
                    .into_iter()
                    .map(|offset| Some(offset.unwrap_or(i64::MAX)))
                    .collect()
            }
            None => vec![None; extents.len()],
        };
        let cut = extents.iter().zip(since).map(|(extent, since)| {
            let cut = needed.cut(*extent, since);
            match self.product.kind {
                ProductKind::Event => cut,
                // A row that a filter on its place lets pass may have been replaced later.
                ProductKind::State if cut.partition == extent.partition && cut.len() > 0 => {
                    Extent {
                        end: extent.end,
                        ..cut
                    }
                }
                ProductKind::State => cut,
            }
        });
        Ok(cut.collect())
    }
}

/// What of `extents` the history does not have.
fn behind(extents: &[Extent], history: &HistorySnapshot) -> Vec<Extent> {
    extents
        .iter()
        .map(|extent| {
            let end = history
                .ends
                .iter()
                .find(|(partition, _)| *partition == extent.partition);
            Extent {
                start: end.map_or(extent.start, |(_, end)| extent.start.max(*end)),
                ..*extent
            }
        })
        .collect()
}

fn log(dealt: Vec<Vec<Extent>>) -> Vec<Work> {
    dealt
        .into_iter()
        .map(|ranges| Work::Log(Arc::new(ranges)))
        .collect()
}

/// Cuts long partitions, so that few partitions keep many processors busy too.
fn cut(extents: &[Extent], streams: usize) -> Vec<Extent> {
    let total: i64 = extents.iter().map(Extent::len).sum();
    let target = (total / streams as i64 + 1).max(MIN_RANGE);
    let mut ranges = Vec::new();
    for extent in extents {
        let pieces = (extent.len() / target + i64::from(extent.len() % target > target / 2)).max(1);
        let step = extent.len() / pieces;
        for piece in 0..pieces {
            let start = extent.start + piece * step;
            let end = match piece + 1 == pieces {
                true => extent.end,
                false => start + step,
            };
            ranges.push(Extent {
                start,
                end,
                ..*extent
            });
        }
    }
    ranges
}

/// Deals ranges out to at most `streams` lists of about the same length, the longest first;
/// one empty list if there is nothing to read, since a plan has at least one partition.
fn spread(mut ranges: Vec<Extent>, streams: usize) -> Vec<Vec<Extent>> {
    ranges.retain(|range| range.len() > 0);
    ranges.sort_by_key(|range| std::cmp::Reverse(range.len()));
    let mut lists: Vec<(i64, Vec<Extent>)> =
        vec![(0, Vec::new()); streams.min(ranges.len()).max(1)];
    for range in ranges {
        if let Some((load, list)) = lists.iter_mut().min_by_key(|(load, _)| *load) {
            *load += range.len();
            list.push(range);
        }
    }
    lists.into_iter().map(|(_, list)| list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_is_dealt_out_once() {
        for (lengths, streams, lists) in [
            (vec![], 4, 1),
            (vec![0, 0], 4, 1),
            (vec![10], 4, 1),
            (vec![1_000_003], 4, 4),
            (vec![1_000_000, 5, 0, 400_000], 2, 2),
            (vec![100; 50], 3, 3),
        ] {
            let extents: Vec<Extent> = (0..)
                .zip(&lengths)
                .map(|(partition, length)| Extent {
                    partition,
                    start: 7,
                    end: 7 + length,
                })
                .collect();
            let dealt = spread(cut(&extents, streams), streams);
            assert_eq!(dealt.len(), lists, "{lengths:?}");
            for extent in &extents {
                let mut ranges: Vec<_> = dealt
                    .iter()
                    .flatten()
                    .filter(|range| range.partition == extent.partition)
                    .collect();
                ranges.sort_by_key(|range| range.start);
                let mut at = extent.start;
                for range in ranges {
                    assert_eq!(range.start, at, "{lengths:?}");
                    at = range.end;
                }
                assert_eq!(at, extent.end, "{lengths:?}");
            }
        }
    }
}
