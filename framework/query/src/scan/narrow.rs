//! Which part of a topic a statement can need at all.
//!
//! Comparisons of the columns of the log with constants: they cannot fail, and concern where a
//! record stands, never what it says. DataFusion evaluates them once more above the scan,
//! so leaving out less than one could is always right.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use crate::product::LogColumn;
use crate::run::Extent;

/// The least and the greatest value that a column may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    low: i64,
    high: i64,
}

impl Bounds {
    const ALL: Self = Self {
        low: i64::MIN,
        high: i64::MAX,
    };

    fn meet(&mut self, other: Self) {
        self.low = self.low.max(other.low);
        self.high = self.high.min(other.high);
    }
}

/// What of a topic is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    partition: Bounds,
    offset: Bounds,
    timestamp: Bounds,
    /// The partitions that a list names.
    listed: Option<BTreeSet<i64>>,
}

impl Needed {
    /// What `filters` leave of a topic; those that say nothing about it are passed over.
    pub(crate) fn of<'a>(filters: impl IntoIterator<Item = &'a Expr>) -> Self {
        let mut needed = Self {
            partition: Bounds::ALL,
            offset: Bounds::ALL,
            timestamp: Bounds::ALL,
            listed: None,
        };
        for filter in filters {
            needed.apply(filter);
        }
        needed
    }

    /// Whether `filter` makes a scan shorter.
    pub(crate) fn narrows(filter: &Expr) -> bool {
        Self::of([filter]) != Self::of([])
    }

    /// Milliseconds since 1970 before which nothing is needed. Records are not ordered by
    /// their time, so there is no instant after which nothing is.
    pub(crate) fn since(&self) -> Option<i64> {
        (self.timestamp.low > i64::MIN).then_some(self.timestamp.low)
    }

    /// The part of `extent` that is needed; `since` is the first offset of its partition that
    /// is not too old.
    pub(crate) fn cut(&self, extent: Extent, since: Option<i64>) -> Extent {
        let partition = i64::from(extent.partition);
        let listed = self
            .listed
            .as_ref()
            .is_none_or(|listed| listed.contains(&partition));
        if !listed || partition < self.partition.low || partition > self.partition.high {
            return Extent {
                end: extent.start,
                ..extent
            };
        }
        let start = extent
            .start
            .max(self.offset.low)
            .max(since.unwrap_or(i64::MIN));
        let end = extent.end.min(self.offset.high.saturating_add(1));
        Extent {
            start: start.min(extent.end),
            end: end.max(start.min(extent.end)),
            ..extent
        }
    }

    fn apply(&mut self, filter: &Expr) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => {
                    self.apply(left);
                    self.apply(right);
                }
                // A short list is written as comparisons that are joined by OR.
                Operator::Or => {
                    if let Some(values) = either(filter) {
                        self.list(values);
                    }
                }
                op => {
                    let compared = comparison(left, *op, right).or_else(|| {
                        op.swap()
                            .and_then(|swapped| comparison(right, swapped, left))
                    });
                    if let Some((column, bounds)) = compared {
                        self.bounds(column).meet(bounds);
                    }
                }
            },
            Expr::Between(Between {
                expr,
                negated: false,
                low,
                high,
            }) => {
                for (op, bound) in [(Operator::GtEq, low), (Operator::LtEq, high)] {
                    if let Some((column, bounds)) = comparison(expr, op, bound) {
                        self.bounds(column).meet(bounds);
                    }
                }
            }
            Expr::InList(list) if !list.negated => {
                if log_column(&list.expr) != Some(LogColumn::Partition) {
                    return;
                }
                let values: Option<BTreeSet<i64>> = list.list.iter().map(constant).collect();
                if let Some(values) = values {
                    self.list(values);
                }
            }
            _ => {}
        }
    }

    /// Only these partitions.
    fn list(&mut self, values: BTreeSet<i64>) {
        self.listed = Some(match self.listed.take() {
            Some(before) => before.intersection(&values).copied().collect(),
            None => values,
        });
    }

    fn bounds(&mut self, column: LogColumn) -> &mut Bounds {
        match column {
            LogColumn::Partition => &mut self.partition,
            LogColumn::Offset => &mut self.offset,
            LogColumn::Timestamp => &mut self.timestamp,
        }
    }
}

/// The partitions of `_partition = 0 OR _partition = 2 OR …`.
fn either(filter: &Expr) -> Option<BTreeSet<i64>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    match op {
        Operator::Or => {
            let mut values = either(left)?;
            values.extend(either(right)?);
            Some(values)
        }
        Operator::Eq if log_column(left) == Some(LogColumn::Partition) => {
            constant(right).map(|value| BTreeSet::from([value]))
        }
        _ => None,
    }
}

fn comparison(column: &Expr, op: Operator, value: &Expr) -> Option<(LogColumn, Bounds)> {
    let column = log_column(column)?;
    let value = constant(value)?;
    let all = Bounds::ALL;
    let bounds = match op {
        Operator::Eq => Bounds {
            low: value,
            high: value,
        },
        Operator::Gt => Bounds {
            low: value.saturating_add(1),
            ..all
        },
        Operator::GtEq => Bounds { low: value, ..all },
        Operator::Lt => Bounds {
            high: value.saturating_sub(1),
            ..all
        },
        Operator::LtEq => Bounds { high: value, ..all },
        _ => return None,
    };
    Some((column, bounds))
}

fn log_column(expr: &Expr) -> Option<LogColumn> {
    let Expr::Column(column) = expr else {
        return None;
    };
    LogColumn::ALL
        .into_iter()
        .find(|log| log.name() == column.name)
}

/// The value in the unit of its column: DataFusion has brought both to one type.
fn constant(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value {
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int64(value) | ScalarValue::TimestampMillisecond(value, _) => *value,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    const EXTENT: Extent = Extent {
        partition: 1,
        start: 10,
        end: 100,
    };

    fn cut(filter: Expr) -> (i64, i64) {
        let extent = Needed::of([&filter]).cut(EXTENT, None);
        (extent.start, extent.end)
    }

    #[test]
    fn a_scan_reads_what_the_filters_leave() {
        for (filter, expected) in [
            (col("_offset").gt_eq(lit(20_i64)), (20, 100)),
            (col("_offset").gt(lit(20_i64)), (21, 100)),
            (lit(20_i64).lt(col("_offset")), (21, 100)),
            (col("_offset").lt(lit(20_i64)), (10, 20)),
            (col("_offset").lt_eq(lit(20_i64)), (10, 21)),
            (col("_offset").eq(lit(20_i64)), (20, 21)),
            (col("_offset").eq(lit(5_i64)), (10, 10)),
            (col("_offset").eq(lit(500_i64)), (100, 100)),
            (col("_offset").between(lit(20_i64), lit(30_i64)), (20, 31)),
            (
                col("_offset")
                    .gt(lit(20_i64))
                    .and(col("_offset").lt(lit(19_i64))),
                (21, 21),
            ),
            (col("_offset").not_eq(lit(20_i64)), (10, 100)),
            (col("_partition").eq(lit(1_i32)), (10, 100)),
            (col("_partition").eq(lit(2_i32)), (10, 10)),
            (col("_partition").lt(lit(1_i32)), (10, 10)),
            (
                col("_partition").in_list(vec![lit(0_i32), lit(1_i32)], false),
                (10, 100),
            ),
            (
                col("_partition").in_list(vec![lit(0_i32), lit(2_i32)], false),
                (10, 10),
            ),
            (
                col("_partition").in_list(vec![lit(0_i32), lit(2_i32)], true),
                (10, 100),
            ),
            (
                col("_partition")
                    .eq(lit(2_i32))
                    .or(col("_partition").eq(lit(0_i32))),
                (10, 10),
            ),
            (
                col("_partition")
                    .eq(lit(2_i32))
                    .or(col("_offset").eq(lit(20_i64))),
                (10, 100),
            ),
            (col("amount").eq(lit(20_i64)), (10, 100)),
            (col("_offset").eq(col("amount")), (10, 100)),
        ] {
            assert_eq!(cut(filter.clone()), expected, "{filter}");
            assert_eq!(
                Needed::narrows(&filter),
                Needed::of([&filter]) != Needed::of([]),
                "{filter}"
            );
        }
    }

    #[test]
    fn only_the_beginning_follows_from_the_time() {
        let time = |millis| lit(ScalarValue::TimestampMillisecond(Some(millis), None));
        let since = |filter: Expr| Needed::of([&filter]).since();
        assert_eq!(since(col("_timestamp").gt_eq(time(7))), Some(7));
        assert_eq!(since(col("_timestamp").gt(time(7))), Some(8));
        assert_eq!(since(col("_timestamp").lt(time(7))), None);
        let needed = Needed::of([]);
        assert_eq!(needed.cut(EXTENT, Some(50)).start, 50);
        assert_eq!(needed.cut(EXTENT, Some(500)).len(), 0);
    }
}
