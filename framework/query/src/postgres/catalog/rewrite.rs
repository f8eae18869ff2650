//! Statements that ask for what is PostgreSQL's, as DataFusion understands them; and what
//! PostgreSQL calls the columns of a statement.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, SelectItem, SetExpr, Statement, ValueWithSpan,
};
use datafusion::sql::sqlparser::dialect::{GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use mesh_core::{Error, Result};

/// Words that a statement over products has no use for; those that begin with `pg_` too.
const WORDS: [&str; 25] = [
    "array_lower",
    "array_upper",
    "col_description",
    "collate",
    "current_catalog",
    "current_database",
    "current_role",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_user",
    "format_type",
    "has_schema_privilege",
    "has_table_privilege",
    "obj_description",
    "regclass",
    "regnamespace",
    "regproc",
    "regtype",
    "session_user",
    "set_config",
    "shobj_description",
    "to_regclass",
    "user",
    "version",
];

/// How pgjdbc takes keys apart, by a function that gives rows of two columns, and what does
/// the same here.
const EXPANDED: [(&str, &str); 4] = [
    (
        "(information_schema._pg_expandarray(i.indkey)).n",
        "unnest(range(1, CAST(array_length(i.indkey) AS BIGINT) + 1))",
    ),
    (
        "information_schema._pg_expandarray(i.indkey)",
        "unnest(i.indkey)",
    ),
    ("(result.KEYS).x", "result.KEYS"),
    ("(i.keys).x", "i.keys"),
];

/// The statement rewritten; nothing for one that can be left as it is, which nearly all that
/// read products can.
pub(super) fn rewrite(parser: &PostgresCompatibilityParser, sql: &str) -> Result<Option<String>> {
    // Quotes stay as they are written, so that tokens can be written again.
    let tokenize = |sql: &str| {
        Tokenizer::new(&PostgreSqlDialect {}, sql)
            .with_unescape(false)
            .tokenize()
    };
    // What does not become tokens is told of where it is parsed.
    let Ok(mut tokens) = tokenize(sql) else {
        return Ok(None);
    };
    let asks = tokens.iter().any(|token| match token {
        Token::Word(word) => {
            let word = word.value.to_ascii_lowercase();
            word.starts_with("pg_") || word == "_pg_expandarray" || WORDS.contains(&word.as_str())
        }
        _ => false,
    });
    if !asks {
        return Ok(None);
    }
    if sql.contains(EXPANDED[1].0) {
        let expanded = EXPANDED
            .iter()
            .fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to));
        tokens = tokenize(&expanded).unwrap_or(tokens);
    }
    let sql = relation_casts(&tokens);
    let mut statements = parser
        .parse(&sql)
        .map_err(|error| Error::invalid(format!("the statement does not parse: {error}")))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(Some(statement.to_string())),
        _ => Err(Error::invalid("expected exactly one statement")),
    }
}

/// Writes `'a.b'::regclass` as `to_regclass('a.b')`, which knows the session's tables.
fn relation_casts(tokens: &[Token]) -> String {
    let is = |at: usize, word: &str| match tokens.get(at) {
        Some(Token::Word(found)) => found.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    let mut sql = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let text = token.to_string();
        at += 1;
        if !matches!(token, Token::SingleQuotedString(_))
            || tokens.get(at) != Some(&Token::DoubleColon)
        {
            sql.push_str(&text);
            continue;
        }
        let named = match is(at + 1, "pg_catalog") && tokens.get(at + 2) == Some(&Token::Period) {
            true => at + 3,
            false => at + 1,
        };
        if is(named, "regclass") {
            sql.push_str(&format!("to_regclass({text})"));
            at = named + 1;
        } else {
            sql.push_str(&text);
        }
    }
    sql
}

/// What PostgreSQL calls the columns of `sql`, where it is other than what DataFusion calls
/// them: `count(*)` is `count` and `1 + 1` is `?column?`. Nothing where a `*` stands for
/// columns that are not known here.
pub(in crate::postgres) fn names(sql: &str) -> Option<Vec<Option<String>>> {
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
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_statements_that_ask_for_what_is_postgres_own_are_rewritten() {
        let parser = PostgresCompatibilityParser::new();
        for (sql, rewritten) in [
            ("SELECT * FROM customer.profiles WHERE id = $1", false),
            ("SELECT 'pg_class' FROM a.b", false),
            ("SELECT count(*) FROM pg_class", true),
            ("SELECT current_user", true),
            (
                "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default",
                true,
            ),
        ] {
            assert_eq!(rewrite(&parser, sql).unwrap().is_some(), rewritten, "{sql}");
        }
        let cast = "SELECT 'it''s'::text, 'a.b'::pg_catalog.regclass, 'pg_class'::regclass";
        let cast = rewrite(&parser, cast).unwrap().unwrap();
        assert_eq!(
            cast,
            "SELECT 'it''s'::TEXT, to_regclass('a.b'), to_regclass('pg_class')"
        );
        assert!(rewrite(&parser, "SELECT FROM FROM pg_class WHERE").is_err());
    }

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
