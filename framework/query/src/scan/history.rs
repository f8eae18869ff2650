//! The older rows of an event product, from the Parquet files of its history.
//!
//! The files are read by DataFusion's own Parquet source, as a plan inside of the leaf. Of a
//! statement's comparisons it is given those that cannot fail, and uses them to leave out
//! files, row groups and pages by what is known of them; rows are judged above the leaf.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use mesh_history::{ColumnRange, HistorySnapshot, Value};

use super::pump::Work;
use crate::product::{LogColumn, Product, table_schema};

/// Files smaller than this are not cut to keep more streams busy.
const MIN_SPLIT: usize = 4 << 20;

/// What of a history is to be read.
pub(crate) struct Wanted<'a> {
    pub(crate) product: &'a Product,
    /// The columns to hand out.
    pub(crate) projected: &'a SchemaRef,
    /// What the statement asks of rows.
    pub(crate) filters: &'a [Expr],
    /// Only rows that were published before this, in milliseconds since 1970.
    pub(crate) before: Option<i64>,
    pub(crate) limit: Option<usize>,
}

/// The streams that read the rows of `snapshot`.
pub(crate) fn read(
    snapshot: &HistorySnapshot,
    wanted: &Wanted<'_>,
    state: &dyn Session,
) -> DfResult<Vec<Work>> {
    let streams = state.config().target_partitions().max(1);
    let files = snapshot.files_matching(&ranges(wanted.filters));
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // All columns that there can be, in the types of the contract; the source casts.
    let schema = table_schema(wanted.product, &LogColumn::ALL);
    let df_schema = DFSchema::try_from(Arc::clone(&schema))?;
    let url = ObjectStoreUrl::parse(store_url(snapshot))?;
    let runtime = state.runtime_env();
    runtime.register_object_store(url.as_ref(), Arc::clone(&snapshot.store));

    let mut options = TableParquetOptions::default();
    options.global.pushdown_filters = false;
    let mut source = ParquetSource::new(Arc::clone(&schema))
        .with_table_parquet_options(options)
        .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(
            Arc::clone(&snapshot.store),
            runtime.cache_manager.get_file_metadata_cache(),
        )));
    let before = wanted.before.map(|millis| {
        let instant = ScalarValue::TimestampMillisecond(Some(millis), Some("+00:00".into()));
        col(LogColumn::Timestamp.name()).lt(lit(instant))
    });
    let safe = wanted.filters.iter().filter(|filter| is_safe(filter));
    // A filter names its table; here is one table alone.
    let pruning = safe
        .map(|filter| datafusion::logical_expr::expr_rewriter::unnormalize_col(filter.clone()))
        .chain(before.clone());
    if let Some(predicate) = conjunction(pruning) {
        source = source.with_predicate(state.create_physical_expr(predicate, &df_schema)?);
    }
    let mut columns = wanted
        .projected
        .fields()
        .iter()
        .map(|field| schema.index_of(field.name()))
        .collect::<Result<Vec<_>, _>>()?;
    let shown = columns.len();
    let time = schema.index_of(LogColumn::Timestamp.name())?;
    let judged = before.is_some().then(|| {
        columns
            .iter()
            .position(|at| *at == time)
            .unwrap_or_else(|| {
                columns.push(time);
                columns.len() - 1
            })
    });
    let files = files
        .iter()
        .map(|file| PartitionedFile::new(file.path.to_string(), file.size));
    let config = FileScanConfigBuilder::new(url, Arc::new(source))
        .with_file_groups(dealt(files.collect(), streams))
        .with_projection_indices(Some(columns))?
        .with_limit(wanted.limit.filter(|_| before.is_none()))
        .build();
    let scan = DataSourceExec::from_data_source(config);
    let mut settings = state.config().options().as_ref().clone();
    settings.optimizer.repartition_file_min_size = MIN_SPLIT;
    let mut plan: Arc<dyn ExecutionPlan> = match scan.repartitioned(streams, &settings)? {
        Some(cut) => cut,
        None => scan,
    };
    if let (Some(before), Some(_)) = (before, judged) {
        let inner = DFSchema::try_from(plan.schema())?;
        let predicate = state.create_physical_expr(before, &inner)?;
        plan = Arc::new(FilterExec::try_new(predicate, plan)?);
        if plan.schema().fields().len() > shown {
            let exprs = (0..shown).map(|at| {
                let name = plan.schema().field(at).name().clone();
                ProjectionExpr {
                    expr: Arc::new(datafusion::physical_expr::expressions::Column::new(
                        &name, at,
                    )),
                    alias: name,
                }
            });
            let exprs: Vec<ProjectionExpr> = exprs.collect();
            plan = Arc::new(ProjectionExec::try_new(exprs, plan)?);
        }
    }
    let streams = plan.properties().output_partitioning().partition_count();
    Ok((0..streams)
        .map(|at| Work::Files(Arc::clone(&plan), at))
        .collect())
}

/// A name for the table's store, which no statement can say.
fn store_url(snapshot: &HistorySnapshot) -> String {
    let text = snapshot.url.as_str();
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, text.as_bytes());
    format!("mesh-history-{}://table/", id.simple())
}

/// Deals files out to at most `streams` groups of about the same size, the largest first.
fn dealt(mut files: Vec<PartitionedFile>, streams: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> =
        vec![(0, Vec::new()); streams.min(files.len()).max(1)];
    for file in files {
        if let Some((load, group)) = groups.iter_mut().min_by_key(|(load, _)| *load) {
            *load += file.object_meta.size;
            group.push(file);
        }
    }
    groups
        .into_iter()
        .map(|(_, group)| FileGroup::new(group))
        .collect()
}

/// Whether `filter` is made of comparisons of columns with constants alone, none of which can
/// fail on any row.
pub(crate) fn is_safe(filter: &Expr) -> bool {
    let plain = |expr: &Expr| matches!(expr, Expr::Column(_) | Expr::Literal(..));
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => is_safe(left) && is_safe(right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => plain(left) && plain(right),
            _ => false,
        },
        Expr::Between(Between {
            expr, low, high, ..
        }) => plain(expr) && plain(low) && plain(high),
        Expr::InList(InList { expr, list, .. }) => plain(expr) && list.iter().all(plain),
        Expr::IsNull(expr) | Expr::IsNotNull(expr) => plain(expr),
        Expr::Not(expr) => is_safe(expr),
        _ => false,
    }
}

/// What the log of the table can be asked.
fn ranges(filters: &[Expr]) -> Vec<ColumnRange> {
    let mut ranges = Vec::new();
    for filter in filters {
        collect(filter, &mut ranges);
    }
    ranges
}

fn collect(filter: &Expr, ranges: &mut Vec<ColumnRange>) {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => {
            collect(left, ranges);
            collect(right, ranges);
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let found = range(left, *op, right).or_else(|| range(right, op.swap()?, left));
            ranges.extend(found);
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            ranges.extend(range(expr, Operator::GtEq, low));
            ranges.extend(range(expr, Operator::LtEq, high));
        }
        _ => {}
    }
}

fn range(column: &Expr, op: Operator, value: &Expr) -> Option<ColumnRange> {
    let (Expr::Column(column), Expr::Literal(value, _)) = (column, value) else {
        return None;
    };
    let value = Some(constant(value)?);
    // Both ends are in a range: what is left in too much is judged later.
    let (min, max) = match op {
        Operator::Eq => (value.clone(), value),
        Operator::Gt | Operator::GtEq => (value, None),
        Operator::Lt | Operator::LtEq => (None, value),
        _ => return None,
    };
    Some(ColumnRange {
        column: column.name.clone(),
        min,
        max,
    })
}

fn constant(value: &ScalarValue) -> Option<Value> {
    Some(match value {
        ScalarValue::Int32(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::Int64(Some(value)) => Value::Int(*value),
        ScalarValue::Decimal128(Some(value), _, scale) => Value::Decimal(*value, *scale),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Value::Text(text.clone())
        }
        ScalarValue::Date32(Some(days)) => Value::Date(*days),
        ScalarValue::TimestampMillisecond(Some(millis), _) => {
            Value::Timestamp(millis.checked_mul(1_000)?)
        }
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Value::Timestamp(*micros),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_fail_goes_inside() {
        for (filter, safe) in [
            (col("a").gt(lit(1)), true),
            (col("a").gt(lit(1)).and(col("b").eq(lit("x"))), true),
            (
                col("a")
                    .is_null()
                    .or(col("b").in_list(vec![lit("x")], true)),
                true,
            ),
            (col("a").between(lit(1), lit(2)), true),
            ((lit(1) / col("a")).gt(lit(1)), false),
            (
                col("a").gt(lit(1)).and((lit(1) / col("a")).gt(lit(1))),
                false,
            ),
            (col("a").like(lit("x%")), false),
        ] {
            assert_eq!(is_safe(&filter), safe, "{filter}");
        }
    }

    #[test]
    fn ranges_follow_from_what_all_rows_must_satisfy() {
        let of = |filter: Expr| {
            ranges(&[filter])
                .into_iter()
                .map(|range| (range.column, range.min, range.max))
                .collect::<Vec<_>>()
        };
        let int = |value| Some(Value::Int(value));
        assert_eq!(of(col("a").eq(lit(3_i64))), [("a".into(), int(3), int(3))]);
        assert_eq!(of(lit(3_i64).lt(col("a"))), [("a".into(), int(3), None)]);
        assert_eq!(of(col("a").gt(lit(3_i64)).or(col("b").is_null())), []);
    }
}
