//! `IN (subquery)` where a null would be taken for false.
//!
//! DataFusion makes joins of these subqueries. One that stands alone or under AND is right,
//! negated too; so is one under OR that is not negated, since a filter lets neither false nor
//! null pass. Elsewhere the join's mark has no third truth value, and is refused unless there
//! can be no null.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use mesh_core::{Error, ErrorKind, Result};

use crate::failure::planning;

/// Judges every filter of `plan`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if one would be answered wrongly.
pub(crate) fn check_subqueries(plan: &LogicalPlan) -> Result<()> {
    let mut wrong = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Filter(filter) = node {
            let schema = filter.input.schema();
            wrong |= !is_right(&filter.predicate, schema, Place::Alone)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(|error| planning(&error))?;
    match wrong {
        false => Ok(()),
        true => Err(Error::new(
            ErrorKind::Unsupported,
            "the statement would not be answered rightly",
        )
        .with("because_of", "IN (subquery) where a null counts")
        .mend("put the condition alone or under AND, or use EXISTS, or leave out nulls with IS NOT NULL")),
    }
}

/// Where an expression stands in a filter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The filter, or a part of it under AND alone.
    Alone,
    /// Under OR too: only whether it is true matters.
    Either,
    /// Under something for which null is not as false.
    Inside,
}

fn is_right(expr: &Expr, schema: &DFSchema, place: Place) -> DfResult<bool> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::And | Operator::Or),
            right,
        }) => {
            let below = match (place, op) {
                (Place::Inside, _) => Place::Inside,
                (Place::Alone, Operator::And) => Place::Alone,
                _ => Place::Either,
            };
            Ok(is_right(left, schema, below)? && is_right(right, schema, below)?)
        }
        Expr::Not(inner) => match (inner.as_ref(), place) {
            (Expr::InSubquery(inside), Place::Alone) => operand(inside, schema),
            _ => is_right(inner, schema, Place::Inside),
        },
        Expr::InSubquery(inside) => {
            let counts = match place {
                Place::Alone => false,
                Place::Either => inside.negated,
                Place::Inside => true,
            };
            Ok(operand(inside, schema)? && (!counts || !may_be_null(inside, schema)?))
        }
        other => {
            let mut right = true;
            other.apply_children(|child| {
                right &= is_right(child, schema, Place::Inside)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            Ok(right)
        }
    }
}

fn operand(inside: &InSubquery, schema: &DFSchema) -> DfResult<bool> {
    is_right(&inside.expr, schema, Place::Inside)
}

fn may_be_null(inside: &InSubquery, schema: &DFSchema) -> DfResult<bool> {
    let found = inside.subquery.subquery.schema().fields();
    Ok(inside.expr.nullable(schema)? || found.iter().any(|field| field.is_nullable()))
}
