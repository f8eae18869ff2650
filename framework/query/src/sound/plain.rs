//! A node of plans that hides which columns seem to follow from others.
//!
//! Above an aggregate DataFusion notes that all columns follow from the groups. Joined or
//! unnested, they do not any more, but the note stays, and keys of later groups and orders are
//! dropped by it.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result as DfResult};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

#[derive(Debug, Clone)]
pub(crate) struct Plain {
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl Plain {
    /// The node above `input`.
    pub(crate) fn above(input: LogicalPlan) -> DfResult<LogicalPlan> {
        let fields = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(LogicalPlan::Extension(Extension {
            node: Arc::new(Self {
                schema: Arc::new(schema),
                input,
            }),
        }))
    }

    /// Whether `plan` is one.
    pub(crate) fn is(plan: &LogicalPlan) -> bool {
        matches!(plan, LogicalPlan::Extension(extension) if extension.node.as_any().is::<Self>())
    }
}

impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input
    }
}

impl Eq for Plain {}

impl PartialOrd for Plain {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl Hash for Plain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Plain {
    fn name(&self) -> &str {
        "Plain"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    /// Filters go through it.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> DfResult<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return Err(DataFusionError::Internal("Plain has one input".to_owned()));
        };
        match Self::above(input)? {
            LogicalPlan::Extension(extension) => extension
                .node
                .as_any()
                .downcast_ref::<Self>()
                .cloned()
                .ok_or_else(|| DataFusionError::Internal("Plain is not itself".to_owned())),
            _ => Err(DataFusionError::Internal("Plain is not itself".to_owned())),
        }
    }

    /// What is not needed above is not needed below.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}

/// Plans the node as what is below it.
#[derive(Debug)]
pub(crate) struct PlainPlanner;

#[async_trait]
impl ExtensionPlanner for PlainPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
        Ok(match node.as_any().is::<Plain>() {
            true => physical_inputs.first().cloned(),
            false => None,
        })
    }
}
