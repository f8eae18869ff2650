//! The values of `$1`, `$2` and so on.

use arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use mesh_core::{Error, Result};

use crate::failure::planning;
use crate::parameter_types::parameter_types;
use crate::render::sql_type;

/// The types of the parameters of `plan`; none where the statement leaves it open.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](mesh_core::ErrorKind::InvalidInput) for one that is not
/// numbered, or that is used as two types.
pub(crate) fn types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    parameter_types(plan)
}

/// `plan` with `values` in it, each as the type that the statement expects there.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](mesh_core::ErrorKind::InvalidInput) if there are more or fewer
/// values than the statement takes, or one is not of its type; the value is not told.
pub(crate) fn bind(plan: LogicalPlan, values: Vec<ScalarValue>) -> Result<LogicalPlan> {
    let types = types(&plan)?;
    if types.len() != values.len() {
        return Err(
            Error::invalid("the statement takes another number of parameters")
                .with("takes", types.len())
                .with("given", values.len())
                .mend("give a value for each of `$1`, `$2` and so on"),
        );
    }
    if types.is_empty() {
        return Ok(plan);
    }
    let mut bound = Vec::with_capacity(values.len());
    for (at, (value, data_type)) in values.into_iter().zip(types).enumerate() {
        bound.push(match data_type {
            None => value,
            Some(data_type) if value.data_type() == data_type => value,
            Some(data_type) => value.cast_to(&data_type).map_err(|_| {
                Error::invalid("the value of a parameter is not of the type that it has here")
                    .with("parameter", format!("${}", at + 1))
                    .with("type", sql_type(&data_type))
                    .mend("give a value of that type, or cast the parameter in the statement")
            })?,
        });
    }
    plan.with_param_values(ParamValues::from(bound))
        .map_err(|error| planning(&error))
}
