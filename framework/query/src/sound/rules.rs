//! The optimizer's rules.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

use super::plain::Plain;

/// DataFusion's, without `eliminate_duplicated_expr`, which drops keys of an order that seem to
/// follow from others, and with [`HideDependencies`] once subqueries have become joins.
pub(crate) fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| rule.name() != "eliminate_duplicated_expr");
    let behind = rules
        .iter()
        .rposition(|rule| rule.name().contains("decorrelate") || rule.name().contains("subquery"))
        .map_or(0, |at| at + 1);
    rules.insert(behind, Arc::new(HideDependencies));
    rules
}

/// Puts a [`Plain`] above each aggregate that stands below a join or an unnest.
#[derive(Debug)]
struct HideDependencies;

impl OptimizerRule for HideDependencies {
    fn name(&self) -> &str {
        "hide_dependencies"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> DfResult<Transformed<LogicalPlan>> {
        hide(plan, false)
    }
}

/// A node above a [`Plain`] notes by itself what follows from what.
fn anew(looked: Transformed<LogicalPlan>) -> DfResult<Transformed<LogicalPlan>> {
    match looked.transformed {
        true => looked.map_data(LogicalPlan::recompute_schema),
        false => Ok(looked),
    }
}

fn hide(plan: LogicalPlan, below: bool) -> DfResult<Transformed<LogicalPlan>> {
    if Plain::is(&plan) {
        // What is right below it is hidden already; what is further down is looked at.
        return plan
            .map_children(|child| anew(child.map_children(|inner| hide(inner, below))?))?
            .map_data(LogicalPlan::recompute_schema);
    }
    let multiplies = matches!(plan, LogicalPlan::Join(_) | LogicalPlan::Unnest(_));
    let is_aggregate = matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_));
    let looked = anew(plan.map_children(|child| hide(child, below || multiplies))?)?;
    if !(is_aggregate && below) {
        return Ok(looked);
    }
    Ok(Transformed::yes(Plain::above(looked.data)?))
}
