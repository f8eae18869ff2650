//! Statements that ask for what is PostgreSQL's, as DataFusion understands them.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, SelectItem, Statement, Value, ValueWithSpan, Visit, VisitMut,
    Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::{GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, SqlStatementRewriteRule, StripCallableQualifier,
};
use mesh_core::{Error, Result};

use super::functions::SUBSCRIPTS;

/// Words that a statement over products has no use for; those that begin with `pg_` too.
const WORDS: [&str; 26] = [
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
    "to_regtype",
    "user",
    "version",
];

/// Phrases of pgjdbc and psql that do not plan, and what means the same here: keys are taken
/// apart by a function that gives rows of two columns, and types are asked about that are no
/// tables' own.
const PHRASES: [(&str, &str); 7] = [
    (
        "typinput='pg_catalog.array_in'::regproc",
        "typinput='array_in'",
    ),
    (
        "generate_series(1, array_upper(current_schemas(false), 1))",
        "generate_series(1, 1)",
    ),
    (
        "(SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)",
        "false",
    ),
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

/// How asyncpg begins to ask what types it does not know are made of.
const TYPE_LOOKUP: &str = "WITH RECURSIVE typeinfo_tree(";

/// What answers it: here no type is made of others but arrays.
const TYPES: &str = "SELECT t.oid AS oid, 'pg_catalog' AS ns, t.typname AS name, t.typtype AS kind, \
    CAST(NULL AS INT) AS basetype, \
    CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem END AS elemtype, \
    t.typdelim AS elemdelim, CAST(NULL AS INT) AS range_subtype, \
    CAST(NULL AS TEXT[]) AS attrtypoids, CAST(NULL AS TEXT[]) AS attrnames, 0 AS depth, \
    CAST(NULL AS TEXT) AS basetype_name, e.typname AS elemtype_name, \
    CAST(NULL AS TEXT) AS range_subtype_name \
    FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem \
    WHERE array_has($1, t.oid)";

/// Whether it is the question of asyncpg, whose parameter is an array of oids.
pub(in crate::postgres) fn is_type_lookup(sql: &str) -> bool {
    sql.trim_start().starts_with(TYPE_LOOKUP)
}

/// The statement rewritten; nothing for one that can be left as it is, which nearly all that
/// read products can.
pub(super) fn rewrite(parser: &PostgresCompatibilityParser, sql: &str) -> Result<Option<String>> {
    if is_type_lookup(sql) {
        return Ok(Some(TYPES.to_owned()));
    }
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
    if PHRASES.iter().any(|(phrase, _)| sql.contains(phrase)) {
        let plain = PHRASES
            .iter()
            .fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to));
        tokens = tokenize(&plain).unwrap_or(tokens);
    }
    let wrong =
        |error: ParserError| Error::invalid(format!("the statement does not parse: {error}"));
    let sql = relation_casts(&tokens);
    // Much of what follows answers parts of a question by nothing, since nothing is there to
    // be asked about. What reads products too is left to say what it says.
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).map_err(wrong)?;
    if statements.iter().any(reads_products) {
        for statement in &mut statements {
            *statement = StripCallableQualifier.rewrite(statement.clone());
            *statement = CurrentUserVariableToSessionUserFunctionCall.rewrite(statement.clone());
        }
    } else {
        let tokens = tokenize(&sql).unwrap_or(tokens);
        let sql = without_arrays(with_subscripts(tokens));
        statements = parser.parse(&sql).map_err(wrong)?;
    }
    match (statements.pop(), statements.is_empty()) {
        (Some(mut statement), true) => {
            if !reads_products(&statement) {
                let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut Asides);
            }
            let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut Escapes);
            Ok(Some(statement.to_string()))
        }
        _ => Err(Error::invalid("expected exactly one statement")),
    }
}

/// Whether a statement reads a table that is not PostgreSQL's own.
fn reads_products(statement: &Statement) -> bool {
    let mut tables = Tables::default();
    let ControlFlow::Continue(()) = statement.visit(&mut tables);
    tables
        .read
        .iter()
        .any(|table| !tables.defined.contains(table))
}

/// The tables that a statement names, without PostgreSQL's own, and those that it defines.
#[derive(Default)]
struct Tables {
    read: Vec<String>,
    defined: Vec<String>,
}

impl Visitor for Tables {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        let defined = query.with.iter().flat_map(|with| &with.cte_tables);
        self.defined
            .extend(defined.map(|cte| cte.alias.name.value.to_ascii_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Infallible> {
        let parts: Vec<String> = name
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(|ident| ident.value.to_ascii_lowercase())
            .collect();
        let last = parts.last().map(String::as_str).unwrap_or_default();
        let schema = parts.iter().rev().nth(1).map(String::as_str);
        let system = match schema {
            Some(schema) => matches!(schema, "pg_catalog" | "information_schema"),
            // Functions that give tables are named here too.
            None => last.starts_with("pg_") || TABLE_FUNCTIONS.contains(&last),
        };
        if !system {
            self.read.push(last.to_owned());
        }
        ControlFlow::Continue(())
    }
}

/// Functions that give tables and are in questions to `pg_catalog`.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "unnest", GENERATE_SUBSCRIPTS];

const GENERATE_SUBSCRIPTS: &str = "generate_subscripts";

/// Subqueries beside the columns of a question to `pg_catalog`: for defaults, sequences and
/// collations, none of which are here.
struct Asides;

impl VisitorMut for Asides {
    type Break = Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let ControlFlow::Continue(()) = VisitMut::visit(expr, &mut Nothing);
            }
        }
        ControlFlow::Continue(())
    }
}

struct Nothing;

impl VisitorMut for Nothing {
    type Break = Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        if matches!(expr, Expr::Subquery(_)) {
            *expr = Expr::Value(Value::Null.with_empty_span());
        }
        ControlFlow::Continue(())
    }
}

/// Patterns with an escape of their own, which only the backslash may be here.
struct Escapes;

impl VisitorMut for Escapes {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Like {
            pattern,
            escape_char,
            ..
        }
        | Expr::ILike {
            pattern,
            escape_char,
            ..
        } = expr
            && let Some(ValueWithSpan {
                value: Value::SingleQuotedString(escape),
                ..
            }) = escape_char
            && escape != "\\"
        {
            let call = format!("replace({pattern}, '{escape}', '\\')");
            let parsed = Parser::new(&GenericDialect {})
                .try_with_sql(&call)
                .and_then(|mut parser| parser.parse_expr());
            if let Ok(call) = parsed {
                **pattern = call;
                *escape_char = None;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Writes `generate_subscripts(a, 1)` as rows of an array, which run beside the `unnest(a)`
/// that stands with it.
fn with_subscripts(tokens: Vec<Token>) -> Vec<Token> {
    let mut written = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    // How deep in parentheses the calls stand that are open.
    let (mut depth, mut open) = (0u32, Vec::new());
    while let Some(token) = tokens.next() {
        let call = matches!(&token, Token::Word(word) if word.value.eq_ignore_ascii_case(GENERATE_SUBSCRIPTS))
            && tokens.peek() == Some(&Token::LParen);
        if call {
            written.extend([
                Token::make_word("unnest", None),
                Token::LParen,
                Token::make_word(SUBSCRIPTS, None),
            ]);
            open.push(depth);
            continue;
        }
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let closes = token == Token::RParen && open.last() == Some(&depth);
        written.push(token);
        if closes {
            open.pop();
            written.push(Token::RParen);
        }
    }
    written
}

/// Puts a null in the place of `array(SELECT …)`, which clients ask for options, policies and
/// memberships by, none of which are here.
fn without_arrays(tokens: Vec<Token>) -> String {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let begins = matches!(&token, Token::Word(word) if word.value.eq_ignore_ascii_case("array"))
            && tokens.peek() == Some(&Token::LParen);
        if !begins {
            kept.push(token);
            continue;
        }
        let mut depth = 0;
        for token in tokens.by_ref() {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        kept.extend(
            ["CAST", "(", "NULL", " ", "AS", " ", "TEXT", "[", "]", ")"].map(|part| match part {
                "(" => Token::LParen,
                ")" => Token::RParen,
                "[" => Token::LBracket,
                "]" => Token::RBracket,
                " " => Token::Whitespace(Whitespace::Space),
                word => Token::make_keyword(word),
            }),
        );
    }
    kept.iter().map(ToString::to_string).collect()
}

/// Writes `'a.b'::regclass` and `CAST('a.b' AS REGCLASS)` as `to_regclass('a.b')`, which
/// knows the session's tables.
fn relation_casts(tokens: &[Token]) -> String {
    let mut sql = String::new();
    let mut rest = tokens;
    while let [token, after @ ..] = rest {
        if let Some((name, after)) = relation_cast(rest) {
            sql.push_str(&format!("to_regclass({name})"));
            rest = after;
        } else {
            sql.push_str(&token.to_string());
            rest = after;
        }
    }
    sql
}

/// The literal of a cast to `regclass` that stands here, and what follows it.
fn relation_cast(tokens: &[Token]) -> Option<(&Token, &[Token])> {
    let is = |token: &Token, word: &str| matches!(token, Token::Word(found) if found.value.eq_ignore_ascii_case(word));
    let regclass = |tokens: &'_ [Token]| -> Option<usize> {
        match tokens {
            [one, ..] if is(one, "regclass") => Some(1),
            [schema, Token::Period, one, ..] if is(schema, "pg_catalog") && is(one, "regclass") => {
                Some(3)
            }
            _ => None,
        }
    };
    match tokens {
        [
            name @ Token::SingleQuotedString(_),
            Token::DoubleColon,
            after @ ..,
        ] => Some((name, &after[regclass(after)?..])),
        [
            cast,
            Token::LParen,
            name @ (Token::SingleQuotedString(_) | Token::Placeholder(_)),
            Token::Whitespace(_),
            word,
            Token::Whitespace(_),
            after @ ..,
        ] if is(cast, "cast") && is(word, "as") => {
            let after = &after[regclass(after)?..];
            match after {
                [Token::RParen, after @ ..] => Some((name, after)),
                _ => None,
            }
        }
        _ => None,
    }
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
        let cast = "SELECT 'it''s'::text, 'a.b'::pg_catalog.regclass, CAST('pg_class' AS REGCLASS)";
        let cast = rewrite(&parser, cast).unwrap().unwrap();
        assert_eq!(
            cast,
            "SELECT 'it''s'::TEXT, to_regclass('a.b'), to_regclass('pg_class')"
        );
        let array = "SELECT a || array(SELECT b FROM pg_roles WHERE (c)), 1";
        let array = rewrite(&parser, array).unwrap().unwrap();
        assert_eq!(array, "SELECT a || CAST(NULL AS TEXT[]), 1");
        let keys =
            "SELECT unnest(indkey), GENERATE_SUBSCRIPTS((indkey), $1::INTEGER) AS o FROM pg_index";
        let keys = rewrite(&parser, keys).unwrap().unwrap();
        assert_eq!(
            keys,
            "SELECT unnest(indkey), unnest(pg_subscripts((indkey), $1::INTEGER)) AS o FROM pg_catalog.pg_index"
        );
        let mixed = "SELECT current_user, (SELECT max(x) FROM a.c) FROM a.b";
        let mixed = rewrite(&parser, mixed).unwrap().unwrap();
        assert!(
            mixed.contains("max(x)") && mixed.contains("session_user"),
            "{mixed}"
        );
        let aside = "SELECT CASE WHEN a THEN (SELECT x FROM pg_b) END FROM pg_c";
        let aside = rewrite(&parser, aside).unwrap().unwrap();
        assert_eq!(aside, "SELECT CASE WHEN a THEN NULL END FROM pg_c");
        assert!(rewrite(&parser, "SELECT FROM FROM pg_class WHERE").is_err());
    }
}
