//! Statements about the connection itself.

use datafusion::sql::sqlparser::ast::{Expr, Set, Statement, Value};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use mesh_core::{Error, Result};

/// A statement that concerns the connection and no table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A name and its value, or its default.
    Set(String, Option<String>),
    /// All settings, or one, back to the default.
    Reset(Option<String>),
    /// All settings, or one.
    Show(Option<String>),
    Discard,
    /// Does nothing here, since statements only read.
    Done(&'static str),
}

/// The words that commands begin with; everything else is left to the allow-list.
const WORDS: [&str; 9] = [
    "set", "reset", "show", "begin", "start", "commit", "end", "rollback", "discard",
];

/// Tells a command from a statement that reads.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](mesh_core::ErrorKind::InvalidInput) if it begins like a
/// command and is none that is known.
pub(crate) fn command(sql: &str) -> Result<Option<Command>> {
    let first = sql
        .trim_start()
        .split(|character: char| !character.is_ascii_alphabetic())
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !WORDS.contains(&first.as_str()) {
        return Ok(None);
    }
    // Both words at once are the door's: DataFusion knows neither `ALL` nor single settings.
    let words: Vec<&str> = sql
        .trim()
        .trim_end_matches(';')
        .split_whitespace()
        .collect();
    match words.as_slice() {
        [one, all] if one.eq_ignore_ascii_case("show") && all.eq_ignore_ascii_case("all") => {
            return Ok(Some(Command::Show(None)));
        }
        [one, all] if one.eq_ignore_ascii_case("reset") && all.eq_ignore_ascii_case("all") => {
            return Ok(Some(Command::Reset(None)));
        }
        _ => {}
    }
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|error| Error::invalid(format!("the statement does not parse: {error}")))?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(
            Error::invalid("expected exactly one statement").mend("send one statement at a time")
        );
    };
    Ok(Some(match statement {
        Statement::Set(Set::SingleAssignment {
            variable, values, ..
        }) => Command::Set(plain(&variable.to_string()), one_value(&values)?),
        Statement::ShowVariable { variable } => {
            let names: Vec<String> = variable.into_iter().map(|ident| ident.value).collect();
            Command::Show(Some(plain(&names.join("."))))
        }
        Statement::Reset(reset) => Command::Reset(Some(plain(
            reset.to_string().trim_start_matches("RESET ").trim(),
        ))),
        Statement::StartTransaction { .. } => Command::Done("BEGIN"),
        Statement::Commit { .. } => Command::Done("COMMIT"),
        Statement::Rollback { .. } => Command::Done("ROLLBACK"),
        Statement::Discard { .. } => Command::Discard,
        // SHOW TABLES, SHOW COLUMNS and the like.
        _ if first == "show" => return Ok(None),
        _ => {
            return Err(Error::invalid("the statement sets nothing that can be set")
                .mend("SET one of the settings that SHOW ALL lists"));
        }
    }))
}

fn plain(name: &str) -> String {
    name.replace('"', "")
}

fn one_value(values: &[Expr]) -> Result<Option<String>> {
    let [value] = values else {
        return Err(Error::invalid("a setting takes one value"));
    };
    Ok(match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text.clone()),
            Value::Number(number, _) => Some(number.clone()),
            Value::Boolean(yes) => Some(yes.to_string()),
            Value::Null => None,
            _ => return Err(Error::invalid("a setting takes a text or a number")),
        },
        Expr::Identifier(ident) if ident.quote_style.is_none() => {
            match ident.value.eq_ignore_ascii_case("default") {
                true => None,
                false => Some(ident.value.clone()),
            }
        }
        Expr::Identifier(ident) => Some(ident.value.clone()),
        _ => return Err(Error::invalid("a setting takes a text or a number")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn commands_are_told_from_statements_that_read() {
        let set = |name: &str, value: Option<&str>| {
            Some(Command::Set(name.into(), value.map(str::to_owned)))
        };
        for (sql, expected) in [
            ("SELECT 1", None),
            ("show tables", None),
            ("SHOW COLUMNS FROM a.b", None),
            (
                "SET mesh.purpose = 'fraud'",
                set("mesh.purpose", Some("fraud")),
            ),
            (
                "set mesh.purpose to fraud;",
                set("mesh.purpose", Some("fraud")),
            ),
            (
                "SET SESSION statement_timeout = 500",
                set("statement_timeout", Some("500")),
            ),
            ("SET mesh.purpose TO DEFAULT", set("mesh.purpose", None)),
            (
                "SHOW mesh.purpose",
                Some(Command::Show(Some("mesh.purpose".into()))),
            ),
            ("SHOW ALL", Some(Command::Show(None))),
            ("RESET ALL", Some(Command::Reset(None))),
            (
                "RESET mesh.purpose",
                Some(Command::Reset(Some("mesh.purpose".into()))),
            ),
            ("BEGIN", Some(Command::Done("BEGIN"))),
            ("start transaction read only", Some(Command::Done("BEGIN"))),
            ("COMMIT", Some(Command::Done("COMMIT"))),
            ("ROLLBACK", Some(Command::Done("ROLLBACK"))),
            ("DISCARD ALL", Some(Command::Discard)),
        ] {
            assert_eq!(command(sql).unwrap(), expected, "{sql}");
        }
        for sql in [
            "SET a = 1; DROP TABLE b",
            "SET ROLE admin",
            "SET a = (SELECT 1)",
            "begin nothing",
        ] {
            assert!(command(sql).is_err(), "{sql}");
        }
    }
}
