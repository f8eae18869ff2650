//! The way back through a logical plan.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr::{AggregateFunctionParams, Sort, WindowFunctionParams};
use datafusion::logical_expr::{Case, Distinct, Expr, LogicalPlan, Subquery, TableScan};

use super::flow::{Direct, Flow, Indirect, SourceColumn};
use crate::product::LogColumn;
use crate::scan::ProductTable;

/// Where an answer comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// Each column of the answer with what takes part in it.
    pub(crate) columns: Vec<(String, Flow)>,
    /// What decides about rows as a whole.
    pub(crate) rows: Flow,
    /// The topics that are read.
    pub(crate) topics: BTreeSet<String>,
}

/// The lineage of what `plan` gives.
///
/// # Errors
/// If the plan is not one that DataFusion makes.
pub(crate) fn lineage(plan: &LogicalPlan) -> DfResult<Lineage> {
    let mut walk = Walk::default();
    let flows = walk.plan(plan)?;
    let names = plan.schema().fields().iter().map(|field| field.name());
    Ok(Lineage {
        columns: names.cloned().zip(flows).collect(),
        rows: walk.rows,
        topics: walk.topics,
    })
}

#[derive(Default)]
struct Walk {
    rows: Flow,
    topics: BTreeSet<String>,
    /// Columns of the plans around a subquery, the innermost last.
    outer: Vec<(Arc<DFSchema>, Vec<Flow>)>,
    /// What recursive queries give so far, by name.
    recursive: HashMap<String, Vec<Flow>>,
}

impl Walk {
    /// What takes part in each column of `plan`.
    fn plan(&mut self, plan: &LogicalPlan) -> DfResult<Vec<Flow>> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input)?;
                let scope = Scope::of(&projection.input, &input);
                self.each(&projection.expr, &scope)
            }
            LogicalPlan::Filter(filter) => {
                let input = self.plan(&filter.input)?;
                let scope = Scope::of(&filter.input, &input);
                self.decide([&filter.predicate], &scope, Indirect::Filter)?;
                Ok(input)
            }
            LogicalPlan::Sort(sort) => {
                let input = self.plan(&sort.input)?;
                let scope = Scope::of(&sort.input, &input);
                self.decide(sorted(&sort.expr), &scope, Indirect::Sort)?;
                Ok(input)
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.plan(&aggregate.input)?;
                let scope = Scope::of(&aggregate.input, &input);
                let groups: Vec<&Expr> = aggregate
                    .group_expr
                    .iter()
                    .flat_map(|group| match group {
                        Expr::GroupingSet(set) => set.distinct_expr(),
                        other => vec![other],
                    })
                    .collect();
                self.decide(groups.iter().copied(), &scope, Indirect::GroupBy)?;
                let mut flows = Vec::new();
                for group in groups {
                    flows.push(self.value(group, &scope)?);
                }
                // The number of the grouping set comes from no column.
                let before_aggregates = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
                flows.resize(before_aggregates, Flow::default());
                flows.extend(self.each(&aggregate.aggr_expr, &scope)?);
                Ok(flows)
            }
            LogicalPlan::Window(window) => {
                let mut input = self.plan(&window.input)?;
                let scope = Scope::of(&window.input, &input);
                let computed = self.each(&window.window_expr, &scope)?;
                input.extend(computed);
                Ok(input)
            }
            LogicalPlan::Join(join) => {
                let mut input = self.plan(&join.left)?;
                let right = self.plan(&join.right)?;
                input.extend(right);
                let both = Arc::new(join.left.schema().join(join.right.schema())?);
                let scope = Scope {
                    schema: both,
                    flows: &input,
                };
                let on = join.on.iter().flat_map(|(left, right)| [left, right]);
                self.decide(on.chain(&join.filter), &scope, Indirect::Join)?;
                let left = join.left.schema().fields().len();
                // Semi and anti joins show one side, mark joins one side and a mark.
                let mut shown = match join.schema.fields().len() {
                    all if all == input.len() => input,
                    _ if matches!(
                        join.join_type,
                        datafusion::common::JoinType::RightSemi
                            | datafusion::common::JoinType::RightAnti
                            | datafusion::common::JoinType::RightMark
                    ) =>
                    {
                        input.split_off(left)
                    }
                    _ => {
                        input.truncate(left);
                        input
                    }
                };
                shown.resize(join.schema.fields().len(), Flow::default());
                Ok(shown)
            }
            LogicalPlan::Union(union) => {
                let mut flows = vec![Flow::default(); union.schema.fields().len()];
                for input in &union.inputs {
                    for (flow, other) in flows.iter_mut().zip(self.plan(input)?) {
                        flow.merge(&other);
                    }
                }
                Ok(flows)
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let flows = self.plan(input)?;
                for flow in &flows {
                    self.rows.merge(&flow.clone().deciding(Indirect::GroupBy));
                }
                Ok(flows)
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let input = self.plan(&on.input)?;
                let scope = Scope::of(&on.input, &input);
                self.decide(&on.on_expr, &scope, Indirect::GroupBy)?;
                let order = on.sort_expr.as_deref().unwrap_or_default();
                self.decide(sorted(order), &scope, Indirect::Sort)?;
                self.each(&on.select_expr, &scope)
            }
            LogicalPlan::Unnest(unnest) => {
                let input = self.plan(&unnest.input)?;
                Ok(unnest
                    .dependency_indices
                    .iter()
                    .map(|at| {
                        let flow = input.get(*at).cloned().unwrap_or_default();
                        let taken_apart = unnest.struct_type_columns.contains(at)
                            || unnest.list_type_columns.iter().any(|(list, _)| list == at);
                        match taken_apart {
                            true => flow.then(Direct::Transformation),
                            false => flow,
                        }
                    })
                    .collect())
            }
            LogicalPlan::RecursiveQuery(query) => {
                let mut flows = self.plan(&query.static_term)?;
                // Each round may carry a column one place further.
                loop {
                    self.recursive.insert(query.name.clone(), flows.clone());
                    let mut more = flows.clone();
                    for (flow, other) in more.iter_mut().zip(self.plan(&query.recursive_term)?) {
                        flow.merge(&other);
                    }
                    if more == flows {
                        break;
                    }
                    flows = more;
                }
                self.recursive.remove(&query.name);
                Ok(flows)
            }
            LogicalPlan::Values(values) => {
                let mut flows = vec![Flow::default(); values.schema.fields().len()];
                let nothing = Scope {
                    schema: Arc::new(DFSchema::empty()),
                    flows: &[],
                };
                for row in &values.values {
                    for (flow, other) in flows.iter_mut().zip(self.each(row, &nothing)?) {
                        flow.merge(&other);
                    }
                }
                Ok(flows)
            }
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => {
                // They show the plan, and no value of it.
                Ok(vec![Flow::default(); plan.schema().fields().len()])
            }
            // Those that hand rows on as they are: limits, aliases, repartitioning.
            other => {
                let mut flows = Vec::new();
                for input in other.inputs() {
                    flows.extend(self.plan(input)?);
                }
                flows.resize(other.schema().fields().len(), Flow::default());
                Ok(flows)
            }
        }
    }

    fn scan(&mut self, scan: &TableScan) -> DfResult<Vec<Flow>> {
        let fields = scan.projected_schema.fields();
        let provider = source_as_provider(&scan.source)?;
        let Some(table) = provider.downcast_ref::<ProductTable>() else {
            if let Some(flows) = self.recursive.get(scan.table_name.table()) {
                return Ok(match &scan.projection {
                    Some(columns) => columns
                        .iter()
                        .map(|at| flows.get(*at).cloned().unwrap_or_default())
                        .collect(),
                    None => flows.clone(),
                });
            }
            // Tables that describe tables, and rows that the statement itself lists.
            return Ok(vec![Flow::default(); fields.len()]);
        };
        let topic = table.topic().to_owned();
        self.topics.insert(topic.clone());
        let flows: Vec<Flow> = fields
            .iter()
            .map(|field| {
                let is_log = LogColumn::ALL
                    .into_iter()
                    .any(|column| column.name() == field.name());
                match is_log {
                    // Where a record stands is no column of the product.
                    true => Flow::default(),
                    false => Flow::of(SourceColumn {
                        topic: topic.clone(),
                        column: field.name().clone(),
                    }),
                }
            })
            .collect();
        let scope = Scope {
            schema: Arc::clone(&scan.projected_schema),
            flows: &flows,
        };
        self.decide(&scan.filters, &scope, Indirect::Filter)?;
        Ok(flows)
    }

    fn each(&mut self, exprs: &[Expr], scope: &Scope<'_>) -> DfResult<Vec<Flow>> {
        exprs.iter().map(|expr| self.value(expr, scope)).collect()
    }

    /// Notes that `exprs` decide about rows.
    fn decide<'a>(
        &mut self,
        exprs: impl IntoIterator<Item = &'a Expr>,
        scope: &Scope<'_>,
        what: Indirect,
    ) -> DfResult<()> {
        for expr in exprs {
            let flow = self.value(expr, scope)?;
            self.rows.merge(&flow.deciding(what));
        }
        Ok(())
    }

    /// What takes part in the value of `expr`.
    fn value(&mut self, expr: &Expr, scope: &Scope<'_>) -> DfResult<Flow> {
        match expr {
            Expr::Alias(alias) => self.value(&alias.expr, scope),
            Expr::Column(column) => scope.column(column),
            Expr::OuterReferenceColumn(_, column) => {
                // The nearest plan around that has it.
                for (schema, flows) in self.outer.iter().rev() {
                    if let Some(at) = schema.maybe_index_of_column(column) {
                        return Ok(flows.get(at).cloned().unwrap_or_default());
                    }
                }
                Ok(Flow::default())
            }
            Expr::AggregateFunction(function) => {
                let AggregateFunctionParams {
                    args,
                    filter,
                    order_by,
                    ..
                } = &function.params;
                let mut flow = self.all(args, scope)?.then(Direct::Aggregation);
                let filter = self.all(filter.as_deref(), scope)?;
                flow.merge(&filter.deciding(Indirect::Filter));
                let order = self.all(sorted(order_by), scope)?;
                flow.merge(&order.deciding(Indirect::Sort));
                Ok(flow)
            }
            Expr::WindowFunction(function) => {
                let WindowFunctionParams {
                    args,
                    partition_by,
                    order_by,
                    filter,
                    ..
                } = &function.params;
                let mut flow = self.all(args, scope)?.then(Direct::Transformation);
                let over = self.all(partition_by.iter().chain(sorted(order_by)), scope)?;
                flow.merge(&over.deciding(Indirect::Window));
                let filter = self.all(filter.as_deref(), scope)?;
                flow.merge(&filter.deciding(Indirect::Filter));
                Ok(flow)
            }
            Expr::Case(Case {
                expr,
                when_then_expr,
                else_expr,
            }) => {
                let shown = when_then_expr
                    .iter()
                    .map(|(_, then)| then)
                    .chain(else_expr)
                    .map(AsRef::as_ref);
                let mut flow = self.all(shown, scope)?.then(Direct::Transformation);
                let chosen_by = when_then_expr
                    .iter()
                    .map(|(when, _)| when)
                    .chain(expr)
                    .map(AsRef::as_ref);
                let chosen_by = self.all(chosen_by, scope)?;
                flow.merge(&chosen_by.deciding(Indirect::Conditional));
                Ok(flow)
            }
            Expr::ScalarSubquery(subquery) => {
                let flows = self.subquery(subquery, scope)?;
                let mut flow = Flow::default();
                flows.iter().for_each(|column| flow.merge(column));
                Ok(flow)
            }
            Expr::Exists(exists) => {
                self.subquery(&exists.subquery, scope)?;
                Ok(Flow::default())
            }
            Expr::InSubquery(inside) => self.compared(&inside.expr, &inside.subquery, scope),
            Expr::SetComparison(set) => self.compared(&set.expr, &set.subquery, scope),
            other => {
                let mut flow = Flow::default();
                other.apply_children(|child| {
                    flow.merge(&self.value(child, scope)?);
                    Ok(TreeNodeRecursion::Continue)
                })?;
                Ok(flow.then(Direct::Transformation))
            }
        }
    }

    /// A value and what it is compared with.
    fn compared(&mut self, expr: &Expr, with: &Subquery, scope: &Scope<'_>) -> DfResult<Flow> {
        let mut flow = self.value(expr, scope)?;
        for column in self.subquery(with, scope)? {
            flow.merge(&column);
        }
        Ok(flow.then(Direct::Transformation))
    }

    fn all<'a>(
        &mut self,
        exprs: impl IntoIterator<Item = &'a Expr>,
        scope: &Scope<'_>,
    ) -> DfResult<Flow> {
        let mut flow = Flow::default();
        for expr in exprs {
            flow.merge(&self.value(expr, scope)?);
        }
        Ok(flow)
    }

    fn subquery(&mut self, subquery: &Subquery, scope: &Scope<'_>) -> DfResult<Vec<Flow>> {
        self.outer
            .push((Arc::clone(&scope.schema), scope.flows.to_vec()));
        let flows = self.plan(&subquery.subquery);
        self.outer.pop();
        flows
    }
}

/// The columns that an expression sees.
struct Scope<'a> {
    schema: Arc<DFSchema>,
    flows: &'a [Flow],
}

impl<'a> Scope<'a> {
    fn of(plan: &LogicalPlan, flows: &'a [Flow]) -> Self {
        Self {
            schema: Arc::clone(plan.schema()),
            flows,
        }
    }

    fn column(&self, column: &datafusion::common::Column) -> DfResult<Flow> {
        let at = self.schema.index_of_column(column)?;
        Ok(self.flows.get(at).cloned().unwrap_or_default())
    }
}

fn sorted(order: &[Sort]) -> impl Iterator<Item = &Expr> {
    order.iter().map(|sort| &sort.expr)
}
