//! The parameters of a statement.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan};
use mesh_core::{Error, Result};

use crate::failure::{planning, wrap};

/// The most values that a statement takes, as in PostgreSQL's protocol.
const MOST: usize = 65_535;

/// The types of `$1`, `$2` and so on: what the statement compares them with or casts them to.
/// None where it leaves it open.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](mesh_core::ErrorKind::InvalidInput) for a parameter that is no
/// number.
pub(crate) fn parameter_types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    let mut types: Vec<Option<DataType>> = Vec::new();
    let mut found = |id: &str, data_type: Option<&DataType>| -> Result<()> {
        let at = index(id)?;
        if types.len() <= at {
            types.resize(at + 1, None);
        }
        if types[at].is_none() {
            types[at] = data_type.filter(|found| **found != DataType::Null).cloned();
        }
        Ok(())
    };
    plan.apply_with_subqueries(|node| {
        let inputs = node.inputs();
        let schema = inputs.first().map_or(node.schema(), |input| input.schema());
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                match expression {
                    Expr::Placeholder(placeholder) => {
                        let known = placeholder.field.as_ref().map(|field| field.data_type());
                        found(&placeholder.id, known)
                    }
                    Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
                        Expr::Placeholder(placeholder) => {
                            found(&placeholder.id, Some(field.data_type()))
                        }
                        _ => Ok(()),
                    },
                    // `x = ANY($1)`.
                    Expr::ScalarFunction(call) if call.name() == "array_has" => {
                        match call.args.as_slice() {
                            [Expr::Placeholder(placeholder), item] => {
                                let item = item.get_type(schema.as_ref()).ok();
                                let item = item.filter(|item| *item != DataType::Null);
                                let list = item.map(|item| DataType::new_list(item, true));
                                found(&placeholder.id, list.as_ref())
                            }
                            _ => Ok(()),
                        }
                    }
                    _ => Ok(()),
                }
                .map_err(wrap)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map_err(|error| planning(&error))?;
    Ok(types)
}

/// `$3` is the third, at 2.
fn index(name: &str) -> Result<usize> {
    name.strip_prefix('$')
        .and_then(|number| number.parse::<usize>().ok())
        .and_then(|number| number.checked_sub(1))
        .filter(|at| *at < MOST)
        .ok_or_else(|| {
            Error::invalid("the statement has a parameter that is not a number")
                .mend("write parameters as `$1`, `$2` and so on")
        })
}
