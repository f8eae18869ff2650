//! Which statements can run on without an end, and how.
//!
//! A statement over a log that grows can be answered piece by piece if each new record adds
//! rows and changes none that were given: filters, projections and joins to state products.
//! A tumbling window gives its rows once, when it is over.

use std::sync::Arc;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, TableScan, lit,
};
use mesh_core::contract::ProductKind;
use mesh_core::{Error, ErrorKind, Result};

use crate::failure::planning;
use crate::product::Product;
use crate::scan::ProductTable;

/// The longest window, a year.
const LONGEST_MILLIS: i64 = 366 * 24 * 3_600_000;

/// How a statement is run on.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The logs that it follows, each once.
    pub(crate) followed: Vec<Followed>,
    /// The windows that it groups by, if it does.
    pub(crate) window: Option<Window>,
}

/// A log that a statement follows.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// `domain.product`.
    pub(crate) table: String,
    pub(crate) product: Arc<Product>,
}

/// Tumbling windows of an event time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// Milliseconds.
    pub(crate) size: i64,
    /// The column of the log.
    pub(crate) event_time: String,
}

/// Judges `plan`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with what stands in the way.
pub(crate) fn shape(plan: &LogicalPlan) -> Result<Shape> {
    if let Some(aggregate) = windowed(plan) {
        let followed = rows(&aggregate.input)?;
        let [log] = followed.as_slice() else {
            return Err(refused(
                "windows over several logs",
                "group one event product; join state products to it",
            ));
        };
        let window = window(aggregate, log)?;
        return Ok(Shape {
            followed,
            window: Some(window),
        });
    }
    let followed = rows(plan)?;
    if followed.is_empty() {
        return Err(refused(
            "a statement without a log",
            "name an event product, whose records can be followed",
        ));
    }
    Ok(Shape {
        followed,
        window: None,
    })
}

/// The plan with its windows held to those that begin at or after `from` and before `until`
/// (milliseconds since 1970).
///
/// # Errors
/// If the plan is not one that [`shape`] has judged.
pub(crate) fn between(plan: LogicalPlan, from: i64, until: i64) -> Result<LogicalPlan> {
    let bounded = plan.transform_down(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else {
            return Ok(Transformed::no(node));
        };
        let Some(start) = aggregate.group_expr.iter().find(|group| is_bin(group)) else {
            return Ok(Transformed::no(node));
        };
        let start = start.clone().unalias();
        let instant = |millis| {
            lit(ScalarValue::TimestampMillisecond(
                Some(millis),
                Some("+00:00".into()),
            ))
        };
        let inside = start
            .clone()
            .gt_eq(instant(from))
            .and(start.lt(instant(until)));
        let input = LogicalPlan::Filter(Filter::try_new(inside, Arc::clone(&aggregate.input))?);
        let bounded = Aggregate::try_new(
            Arc::new(input),
            aggregate.group_expr.clone(),
            aggregate.aggr_expr.clone(),
        )?;
        Ok(Transformed::new(
            LogicalPlan::Aggregate(bounded),
            true,
            TreeNodeRecursion::Stop,
        ))
    });
    bounded
        .and_then(|plan| LogicalPlanBuilder::from(plan.data).build())
        .map_err(|error| planning(&error))
}

/// The aggregate of a statement that groups by windows, below what only shows its rows.
fn windowed(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Projection(projection) => windowed(&projection.input),
        LogicalPlan::Filter(filter) => windowed(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => windowed(&alias.input),
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        _ => None,
    }
}

fn window(aggregate: &Aggregate, log: &Followed) -> Result<Window> {
    let mend = "GROUP BY date_bin(INTERVAL '1 hour', <the event time>), and what else you like";
    let mut bins = aggregate.group_expr.iter().filter(|group| is_bin(group));
    let (Some(bin), None) = (bins.next(), bins.next()) else {
        return Err(refused("groups that are never complete", mend));
    };
    let Expr::ScalarFunction(bin) = bin.clone().unalias() else {
        return Err(refused("groups that are never complete", mend));
    };
    let [stride, Expr::Column(column)] = bin.args.as_slice() else {
        return Err(refused(
            "a window with an origin, or over an expression",
            mend,
        ));
    };
    let event_time = log.product.contract.schema.event_time.as_deref();
    if event_time != Some(column.name.as_str()) {
        return Err(refused(
            "windows over a column that is not the event time",
            "group by the column that the contract names as `mesh.eventTime`",
        ));
    }
    let size = match stride {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _)
            if interval.months == 0 =>
        {
            let millis = i64::from(interval.days) * 24 * 3_600_000;
            let nanos = interval.nanoseconds;
            (nanos % 1_000_000 == 0).then(|| millis + nanos / 1_000_000)
        }
        _ => None,
    };
    match size {
        Some(size) if (1..=LONGEST_MILLIS).contains(&size) => Ok(Window {
            size,
            event_time: column.name.clone(),
        }),
        _ => Err(refused(
            "a window of this length",
            "use a constant of whole milliseconds up to a year, without months",
        )),
    }
}

fn is_bin(group: &Expr) -> bool {
    match group {
        Expr::Alias(alias) => is_bin(&alias.expr),
        Expr::ScalarFunction(function) => function.name() == "date_bin",
        _ => false,
    }
}

/// The logs of a plan in which each of their records adds rows of its own.
fn rows(plan: &LogicalPlan) -> Result<Vec<Followed>> {
    match plan {
        LogicalPlan::TableScan(scan) => Ok(log(scan).into_iter().collect()),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_) => {
            let mut found = Vec::new();
            for input in plan.inputs() {
                found.extend(rows(input)?);
            }
            if has_log_in_subquery(plan)? {
                return Err(refused(
                    "a log inside of a subquery",
                    "join the log, and look state products up in subqueries",
                ));
            }
            Ok(found)
        }
        LogicalPlan::Union(union) => {
            let mut found: Vec<Followed> = Vec::new();
            for input in &union.inputs {
                for log in rows(input)? {
                    if !found.iter().any(|other| other.table == log.table) {
                        found.push(log);
                    }
                }
            }
            Ok(found)
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (rows(&join.left)?, rows(&join.right)?);
            let kept = match (left.is_empty(), right.is_empty()) {
                (false, false) => {
                    return Err(refused(
                        "a join of two logs",
                        "join a log to state products; a match could come at any time",
                    ));
                }
                (true, true) => true,
                (false, true) => matches!(
                    join.join_type,
                    JoinType::Inner
                        | JoinType::Left
                        | JoinType::LeftSemi
                        | JoinType::LeftAnti
                        | JoinType::LeftMark
                ),
                (true, false) => matches!(
                    join.join_type,
                    JoinType::Inner
                        | JoinType::Right
                        | JoinType::RightSemi
                        | JoinType::RightAnti
                        | JoinType::RightMark
                ),
            };
            if !kept {
                return Err(refused(
                    "an outer join that shows what no record of the log matches",
                    "put the log on the side whose rows are all kept",
                ));
            }
            Ok(left.into_iter().chain(right).collect())
        }
        other => {
            // Without a log anything goes: it is looked up as it is at the time.
            for input in other.inputs() {
                if let Some(log) = any_log(input)? {
                    return Err(refused(
                        match other {
                            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => {
                                "groups that are never complete"
                            }
                            LogicalPlan::Sort(_) => "an order over rows that have not come yet",
                            LogicalPlan::Limit(_) => "a limit",
                            LogicalPlan::Window(_) => "a window function over a log",
                            _ => "what it does with a log",
                        },
                        "filter and project the log, or group it by windows of its event time",
                    )
                    .with("log", log.table));
                }
            }
            Ok(Vec::new())
        }
    }
}

fn log(scan: &TableScan) -> Option<Followed> {
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<ProductTable>()?;
    (table.product().kind == ProductKind::Event).then(|| Followed {
        table: table.name().to_owned(),
        product: Arc::clone(table.product()),
    })
}

/// Some log that is read anywhere in `plan`, its subqueries included.
fn any_log(plan: &LogicalPlan) -> Result<Option<Followed>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found = log(scan);
        }
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })
    .map_err(|error| planning(&error))?;
    Ok(found)
}

fn has_log_in_subquery(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_subqueries(|subquery| {
        found |= matches!(any_log(subquery), Ok(Some(_)) | Err(_));
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(|error| planning(&error))?;
    Ok(found)
}

fn refused(what: &str, mend: &'static str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the statement cannot be run on as records come",
    )
    .with("because_of", what)
    .mend(mend)
}
