//! PostgreSQL's functions that tell of the session and of its objects.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use mesh_core::Error;

use super::About;
use super::objects::{Objects, Table};
use super::relations::{SYSTEM_ROLE, USER_ROLE, UTF8};
use crate::failure::wrap;
use crate::postgres::types;
use crate::postgres::variables::{VERSION, Variables};
use crate::provider::CATALOG;

/// The subscripts of an array in one dimension, as an array.
pub(super) const SUBSCRIPTS: &str = "pg_subscripts";

/// Computes one value.
type Body = dyn Fn(&[ScalarValue]) -> DfResult<ScalarValue> + Send + Sync;

/// A function of any arguments, row by row: catalogs are small.
struct Function {
    name: &'static str,
    result: DataType,
    signature: Signature,
    body: Arc<Body>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .finish()
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let fixed = args
            .args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect::<Option<Vec<_>>>();
        if let Some(values) = fixed {
            return (self.body)(&values)?
                .cast_to(&self.result)
                .map(ColumnarValue::Scalar);
        }
        let columns: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|arg| arg.to_array(args.number_rows))
            .collect::<DfResult<_>>()?;
        let mut values = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let arguments = columns
                .iter()
                .map(|column| ScalarValue::try_from_array(column, row))
                .collect::<DfResult<Vec<_>>>()?;
            values.push((self.body)(&arguments)?.cast_to(&self.result)?);
        }
        match values.is_empty() {
            true => Ok(ColumnarValue::Array(arrow::array::new_empty_array(
                &self.result,
            ))),
            false => ScalarValue::iter_to_array(values).map(ColumnarValue::Array),
        }
    }
}

/// Puts the functions of one session into `state`.
pub(super) fn register(
    state: &mut SessionState,
    about: &Arc<About>,
    objects: &Arc<Objects>,
) -> DfResult<()> {
    let mut add = |name: &'static str, result: DataType, body: Arc<Body>| {
        let function = Function {
            name,
            result,
            signature: Signature::one_of(
                vec![
                    datafusion::logical_expr::TypeSignature::Nullary,
                    datafusion::logical_expr::TypeSignature::VariadicAny,
                ],
                Volatility::Stable,
            ),
            body,
        };
        state
            .register_udf(Arc::new(ScalarUDF::from(function)))
            .map(|_| ())
    };

    // Who and where.
    for name in ["session_user", "current_user", "user", "current_role"] {
        let about = Arc::clone(about);
        add(
            name,
            DataType::Utf8,
            Arc::new(move |_| text(Some(&about.user))),
        )?;
    }
    for name in ["current_database", "current_catalog"] {
        add(name, DataType::Utf8, Arc::new(move |_| text(Some(CATALOG))))?;
    }
    let own = Arc::clone(objects);
    add(
        "current_schema",
        DataType::Utf8,
        Arc::new(move |_| text(own.current_schema())),
    )?;
    let own = Arc::clone(objects);
    add(
        "current_schemas",
        DataType::new_list(DataType::Utf8, true),
        Arc::new(move |args| {
            let implicit = matches!(args.first(), Some(ScalarValue::Boolean(Some(true))));
            let system = implicit.then_some("pg_catalog");
            let schemas: Vec<ScalarValue> = system
                .into_iter()
                .chain(own.current_schema())
                .map(ScalarValue::from)
                .collect();
            Ok(ScalarValue::List(ScalarValue::new_list(
                &schemas,
                &DataType::Utf8,
                true,
            )))
        }),
    )?;
    add(
        "version",
        DataType::Utf8,
        Arc::new(|_| {
            let version = env!("CARGO_PKG_VERSION");
            Ok(ScalarValue::from(format!(
                "PostgreSQL {VERSION} (mesh {version})"
            )))
        }),
    )?;
    let (pid, settings) = (about.pid, Arc::clone(about));
    add(
        "pg_backend_pid",
        DataType::Int32,
        Arc::new(move |_| Ok(ScalarValue::from(pid))),
    )?;
    add(
        "current_setting",
        DataType::Utf8,
        Arc::new(move |args| {
            let name = string(args.first());
            let name = name.as_deref().unwrap_or_default();
            let mut found = settings.settings.iter();
            match found.find(|(one, _)| one.eq_ignore_ascii_case(name)) {
                Some((_, value)) => Ok(ScalarValue::from(value.as_str())),
                None if matches!(args.get(1), Some(ScalarValue::Boolean(Some(true)))) => {
                    Ok(ScalarValue::Utf8(None))
                }
                None => Err(wrap(super::super::variables::unknown(name).error)),
            }
        }),
    )?;

    // asyncpg and pgAdmin set by it what changes nothing here.
    add(
        "set_config",
        DataType::Utf8,
        Arc::new(|args| {
            let (name, value) = (string(args.first()), string(args.get(1)));
            let name = name.unwrap_or_default();
            match Variables::default().set(&name, value.as_deref()) {
                Ok(_) if !name.eq_ignore_ascii_case("search_path") => text(value.as_deref()),
                _ => Err(wrap(
                    Error::invalid("set_config sets only what changes nothing here")
                        .with("setting", name.chars().take(64).collect::<String>())
                        .mend("use SET"),
                )),
            }
        }),
    )?;

    // What there is to say about objects.
    let own = Arc::clone(objects);
    add(
        "obj_description",
        DataType::Utf8,
        Arc::new(move |args| {
            let of_class = args.len() < 2 || string(args.get(1)).as_deref() == Some("pg_class");
            let table = number(args.first()).and_then(|oid| own.table(oid));
            text(table.filter(|_| of_class).and_then(Table::description))
        }),
    )?;
    let own = Arc::clone(objects);
    add(
        "col_description",
        DataType::Utf8,
        Arc::new(move |args| {
            let table = number(args.first()).and_then(|oid| own.table(oid));
            let column = table.and_then(|table| {
                let wanted = number(args.get(1))?;
                table
                    .columns()
                    .find(|column| i64::from(column.number) == wanted)
                    .and_then(|column| column.description().map(str::to_owned))
            });
            Ok(ScalarValue::Utf8(column))
        }),
    )?;
    let own = Arc::clone(objects);
    add(
        "pg_table_is_visible",
        DataType::Boolean,
        Arc::new(move |args| {
            let Some(oid) = number(args.first()) else {
                return Ok(ScalarValue::Boolean(None));
            };
            let table = own
                .table(oid)
                .or_else(|| own.key(oid).map(|(table, _)| table));
            Ok(ScalarValue::from(
                table.is_some_and(|table| own.is_visible(table)),
            ))
        }),
    )?;
    let (own, user) = (Arc::clone(objects), Arc::clone(about));
    add(
        "pg_get_userbyid",
        DataType::Utf8,
        Arc::new(move |args| {
            Ok(match number(args.first()) {
                None => ScalarValue::Utf8(None),
                Some(oid) if oid == i64::from(SYSTEM_ROLE) => ScalarValue::from(CATALOG),
                Some(oid) if oid == i64::from(USER_ROLE) => ScalarValue::from(user.user.as_str()),
                Some(oid) => match own.role(oid) {
                    Some(role) => ScalarValue::from(role),
                    None => ScalarValue::from(format!("unknown (OID={oid})")),
                },
            })
        }),
    )?;
    for name in ["to_regclass", "regclass"] {
        let own = Arc::clone(objects);
        add(
            name,
            DataType::Int32,
            Arc::new(move |args| {
                let name = string(args.first()).unwrap_or_default();
                Ok(ScalarValue::Int32(own.find(&name)))
            }),
        )?;
    }
    let own = Arc::clone(objects);
    add(
        "pg_get_constraintdef",
        DataType::Utf8,
        Arc::new(move |args| {
            let key = number(args.first()).and_then(|oid| own.key(oid));
            let text = key.map(|(table, _)| format!("PRIMARY KEY ({})", table.key_columns()));
            Ok(ScalarValue::Utf8(text))
        }),
    )?;
    let own = Arc::clone(objects);
    add(
        "pg_get_indexdef",
        DataType::Utf8,
        Arc::new(move |args| {
            let found = number(args.first()).and_then(|oid| own.key(oid));
            let column = number(args.get(1)).filter(|column| *column > 0);
            Ok(ScalarValue::Utf8(found.and_then(
                |(table, _)| match column {
                    None => Some(index_definition(table)),
                    Some(column) => {
                        let columns = table.key_columns();
                        let mut columns = columns.split(", ").map(str::to_owned);
                        columns.nth(usize::try_from(column - 1).ok()?)
                    }
                },
            )))
        }),
    )?;

    add(
        "to_regtype",
        DataType::Int32,
        Arc::new(|args| {
            let name = string(args.first()).unwrap_or_default();
            let oid = types::by_name(name.trim_start_matches("pg_catalog."));
            Ok(ScalarValue::Int32(oid.map(u32::cast_signed)))
        }),
    )?;
    add(
        "pg_encoding_to_char",
        DataType::Utf8,
        Arc::new(|args| text((number(args.first()) == Some(UTF8)).then_some("UTF8"))),
    )?;

    // Everything that the session sees may be read, and nothing written.
    for name in [
        "has_table_privilege",
        "has_schema_privilege",
        "has_database_privilege",
        "has_column_privilege",
        "has_any_column_privilege",
        "has_function_privilege",
        "has_type_privilege",
        "has_sequence_privilege",
    ] {
        add(
            name,
            DataType::Boolean,
            Arc::new(|args| {
                let asked = string(args.last()).unwrap_or_default().to_ascii_lowercase();
                let reads = ["select", "usage", "connect", "execute"];
                let allowed = asked.split(',').any(|one| reads.contains(&one.trim()));
                Ok(ScalarValue::from(allowed))
            }),
        )?;
    }
    for (name, answer) in [
        ("pg_is_in_recovery", false),
        ("pg_type_is_visible", true),
        ("pg_function_is_visible", true),
        ("pg_collation_is_visible", true),
        ("pg_operator_is_visible", true),
        ("pg_has_role", false),
        ("pg_is_other_temp_schema", false),
    ] {
        add(
            name,
            DataType::Boolean,
            Arc::new(move |_| Ok(ScalarValue::from(answer))),
        )?;
    }
    // The rewriting makes rows of it, as `generate_subscripts` does.
    add(
        SUBSCRIPTS,
        DataType::new_list(DataType::Int32, true),
        Arc::new(|args| {
            let length = match (args.first(), number(args.get(1))) {
                (Some(ScalarValue::List(list)), Some(1)) if !list.is_null(0) => {
                    list.value_length(0)
                }
                _ => 0,
            };
            let subscripts: Vec<ScalarValue> = (1..=length).map(ScalarValue::from).collect();
            let list = ScalarValue::new_list(&subscripts, &DataType::Int32, true);
            Ok(ScalarValue::List(list))
        }),
    )?;
    // What nothing here has; `pg_advisory_unlock_all` gives nothing in PostgreSQL too.
    for (name, result) in [
        ("shobj_description", DataType::Utf8),
        ("pg_get_viewdef", DataType::Utf8),
        ("pg_get_serial_sequence", DataType::Utf8),
        ("pg_get_triggerdef", DataType::Utf8),
        ("pg_get_ruledef", DataType::Utf8),
        ("pg_get_function_result", DataType::Utf8),
        ("pg_get_function_arguments", DataType::Utf8),
        ("pg_get_function_identity_arguments", DataType::Utf8),
        ("pg_get_functiondef", DataType::Utf8),
        ("pg_tablespace_location", DataType::Utf8),
        ("pg_advisory_unlock_all", DataType::Utf8),
        ("pg_size_pretty", DataType::Utf8),
        ("pg_table_size", DataType::Int64),
        ("pg_relation_size", DataType::Int64),
        ("pg_total_relation_size", DataType::Int64),
        ("pg_database_size", DataType::Int64),
        ("pg_my_temp_schema", DataType::Int32),
        ("to_regnamespace", DataType::Int32),
        ("to_regproc", DataType::Int32),
        ("to_regrole", DataType::Int32),
        ("inet_server_port", DataType::Int32),
        ("inet_server_addr", DataType::Utf8),
        ("inet_client_addr", DataType::Utf8),
    ] {
        let null = ScalarValue::try_from(&result)?;
        add(name, result, Arc::new(move |_| Ok(null.clone())))?;
    }
    Ok(())
}

/// The definition of a primary key's index.
pub(super) fn index_definition(table: &Table) -> String {
    format!(
        "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({})",
        table.key_name(),
        table.schema,
        table.name,
        table.key_columns()
    )
}

fn text(value: Option<&str>) -> DfResult<ScalarValue> {
    Ok(ScalarValue::Utf8(value.map(str::to_owned)))
}

fn string(value: Option<&ScalarValue>) -> Option<String> {
    let value = value?.cast_to(&DataType::Utf8).ok()?;
    match value {
        ScalarValue::Utf8(text) => text,
        _ => None,
    }
}

fn number(value: Option<&ScalarValue>) -> Option<i64> {
    let value = value?.cast_to(&DataType::Int64).ok()?;
    match value {
        ScalarValue::Int64(number) => number,
        _ => None,
    }
}
