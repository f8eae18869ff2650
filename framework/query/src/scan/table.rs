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

use super::assemble::Columns;
use super::leaf::ProductScan;
use crate::failure::wrap;
use crate::life::TableLife;
use crate::product::{LogColumn, Product, table_schema};
use crate::provider::Table;
use crate::run::{Extent, QueryRun};

/// Ranges of an event product are not cut smaller than this: what a reader costs to start
/// is about what it takes to read so many records.
const MIN_RANGE: i64 = 50_000;

/// One product in one query. It tells DataFusion its columns and nothing else: no
/// statistics, no definition, no filter taken in.
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
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        if let Some(notice) = self.life.notice(&self.name, &self.product.lifecycle) {
            self.run.notice(notice);
        }
        let extents = self
            .run
            .snapshot(&self.product.topic)
            .await
            .map_err(|error| wrap(error.with("table", &self.name)))?;
        let projected = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let columns = Columns::new(&self.product, projected)?;
        let streams = state.config().target_partitions().max(1);
        let work = match self.product.kind {
            ProductKind::Event => spread(cut(&extents, streams), streams),
            // The latest row of a key is known only after its whole partition was read.
            ProductKind::State => spread(extents.to_vec(), streams),
        };
        let records: i64 = work.iter().flatten().map(Extent::len).sum();
        let passes = match self.product.kind {
            ProductKind::State if !columns.is_empty() => 2,
            _ => 1,
        };
        self.run.expect(records as u64 * passes);
        Ok(Arc::new(ProductScan::new(
            self.name.clone(),
            Arc::clone(&self.product),
            columns,
            work,
            limit,
            Arc::clone(&self.run),
        )))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![
            TableProviderFilterPushDown::Unsupported;
            filters.len()
        ])
    }
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
