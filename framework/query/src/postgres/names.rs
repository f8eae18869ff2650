//! What PostgreSQL calls the columns of a statement.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, SelectItem, SetExpr, Statement, ValueWithSpan,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// What PostgreSQL calls the columns of `sql`, where it is other than what DataFusion calls
/// them: `count(*)` is `count` and `1 + 1` is `?column?`. Nothing where a `*` stands for
/// columns that are not known here.
pub(super) fn names(sql: &str) -> Option<Vec<Option<String>>> {
    let mut statements = Parser::parse_sql(&GenericDialect {}, sql).ok()?;
    let Some(Statement::Query(query)) = statements.pop() else {
        return None;
    };
    let mut body = query.body.as_ref();
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(inner) => body = inner.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            _ => return None,
        }
    };
    select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::ExprWithAlias { .. } => Some(None),
            SelectItem::UnnamedExpr(expr) => Some(name(expr)),
            _ => None,
        })
        .collect()
}

fn name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => None,
        Expr::Nested(inner) => name(inner),
        Expr::Function(function) => {
            let last = function.name.0.last()?.as_ident()?;
            let known = !matches!(&function.args, FunctionArguments::Subquery(_));
            known.then(|| last.value.to_ascii_lowercase())
        }
        Expr::Cast {
            expr, data_type, ..
        } => match expr.as_ref() {
            Expr::Value(_) => Some(type_name(&data_type.to_string())),
            Expr::Identifier(ident) => Some(ident.value.clone()),
            Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
            inner => match name(inner) {
                Some(name) if name != "?column?" => Some(name),
                _ => Some(type_name(&data_type.to_string())),
            },
        },
        Expr::Case { .. } => Some("case".to_owned()),
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Trim { .. } => Some("btrim".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Value(ValueWithSpan { .. })
        | Expr::BinaryOp { .. }
        | Expr::UnaryOp { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Between { .. }
        | Expr::InList { .. }
        | Expr::Like { .. } => Some("?column?".to_owned()),
        _ => None,
    }
}

/// PostgreSQL's own name of a type in SQL.
fn type_name(sql: &str) -> String {
    let lower = sql.to_ascii_lowercase();
    let plain = lower.split('(').next().unwrap_or_default().trim();
    match plain {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "double" | "double precision" | "float" => "float8",
        "boolean" => "bool",
        "decimal" => "numeric",
        "timestamp with time zone" => "timestamptz",
        "character varying" => "varchar",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_called_as_postgres_calls_them() {
        for (sql, expected) in [
            (
                "SELECT a, t.b, count(*), 1 + 1, x AS y, max(a)::text, '1'::int, CASE WHEN a THEN 1 END FROM t",
                Some("- - count ?column? - max int4 case"),
            ),
            ("SELECT * FROM t", None),
            ("VALUES (1)", None),
            (
                "WITH a AS (SELECT 1) SELECT sum(x) FROM a UNION SELECT 2",
                Some("sum"),
            ),
        ] {
            let names = names(sql).map(|names| {
                let names = names.into_iter().map(|name| name.unwrap_or("-".into()));
                names.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(names.as_deref(), expected, "{sql}");
        }
    }
}
