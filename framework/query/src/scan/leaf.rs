//! The one node that stands for a product in a plan.
//!
//! It has no children, takes in no filter and knows no statistics, and shows its name and
//! nothing else: whatever is done to rows inside of it, now the choice of the latest row and
//! later row filters and masks, can neither be reordered with a user's expressions nor be
//! seen in `EXPLAIN`, in any of its forms.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning,
    PlanProperties, ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::StreamExt;

use super::assemble::Columns;
use super::pump::{Job, Work, pump};
use crate::failure::wrap;
use crate::product::Product;
use crate::run::QueryRun;

#[derive(Debug)]
pub(crate) struct ProductScan {
    name: String,
    product: Arc<Product>,
    columns: Arc<Columns>,
    /// What each partition of the plan reads.
    work: Vec<Work>,
    /// Rows after which a stream may stop.
    limit: Option<usize>,
    run: Arc<QueryRun>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ProductScan {
    pub(crate) fn new(
        name: String,
        product: Arc<Product>,
        columns: Columns,
        work: Vec<Work>,
        limit: Option<usize>,
        run: Arc<QueryRun>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(columns.schema())),
            Partitioning::UnknownPartitioning(work.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        // The queue that rows come from counts against the task's budget.
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            name,
            product,
            columns: Arc::new(columns),
            work,
            limit,
            run,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

/// `batch` under `schema`, whose columns it has; one that may be null in the files and not
/// in the contract is checked.
fn same_columns(batch: &RecordBatch, schema: &SchemaRef) -> DfResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().to_vec();
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

impl DisplayAs for ProductScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "ProductScan: {}", self.name)
            }
            DisplayFormatType::TreeRender => write!(f, "{}", self.name),
        }
    }
}

impl ExecutionPlan for ProductScan {
    fn name(&self) -> &str {
        "ProductScan"
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(self.columns.schema())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let Some(work) = self.work.get(partition) else {
            return Err(DataFusionError::Internal(
                "a partition that the plan does not have".to_owned(),
            ));
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        if let Work::Files(plan, at) = work {
            let (schema, run) = (self.schema(), Arc::clone(&self.run));
            let rows = plan.execute(*at, context)?.map(move |batch| {
                let batch = batch?;
                metrics.record_output(batch.num_rows());
                run.count(
                    batch.num_rows() as u64,
                    batch.get_array_memory_size() as u64,
                )
                .map_err(wrap)?;
                same_columns(&batch, &schema)
            });
            return Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)));
        }
        let job = Job {
            name: self.name.clone(),
            product: Arc::clone(&self.product),
            columns: Arc::clone(&self.columns),
            work: work.clone(),
            limit: self.limit,
            batch_rows: context.session_config().batch_size(),
            streams: self.work.len(),
            run: Arc::clone(&self.run),
            pool: Arc::clone(context.memory_pool()),
        };
        let stream = pump(job).inspect(move |batch| {
            if let Ok(batch) = batch {
                metrics.record_output(batch.num_rows());
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            stream,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
