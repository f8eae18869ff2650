//! The statements of a file that say something about tables.

use std::collections::BTreeMap;

use mesh_core::{Error, Result};
use sqlparser::ast::{
    AlterTableOperation, CommentObject, CreateTable, ObjectName, Statement, TableConstraint,
    UserDefinedTypeRepresentation,
};
use sqlparser::dialect::{AnsiDialect, Dialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::SqlDialect;

/// What a file says, by the tables' names with their schemas.
#[derive(Default)]
pub(super) struct Statements {
    pub(super) tables: Vec<(String, CreateTable)>,
    pub(super) enums: BTreeMap<String, Vec<String>>,
    pub(super) constraints: BTreeMap<String, Vec<TableConstraint>>,
    pub(super) table_comments: BTreeMap<String, String>,
    pub(super) column_comments: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) passed_over: usize,
}

/// A name without quotes, its parts joined by dots.
pub(super) fn plain(name: &ObjectName) -> String {
    let parts: Vec<&str> = name
        .0
        .iter()
        .filter_map(|part| Some(part.as_ident()?.value.as_str()))
        .collect();
    parts.join(".")
}

/// An identifier without quotes.
pub(super) fn bare(name: &str) -> String {
    name.trim_matches(['"', '`']).to_owned()
}

impl Statements {
    pub(super) fn read(file: &str, source: &str, dialect: SqlDialect) -> Result<Self> {
        let dialect: &dyn Dialect = match dialect {
            SqlDialect::Postgres => &PostgreSqlDialect {},
            SqlDialect::MySql => &MySqlDialect {},
            SqlDialect::Ansi => &AnsiDialect {},
        };
        let mut parser = Parser::new(dialect)
            .try_with_sql(source)
            .map_err(|error| broken(file, &error))?;
        let mut found = Self::default();
        loop {
            while parser.consume_token(&Token::SemiColon) {}
            if parser.peek_token().token == Token::EOF {
                return Ok(found);
            }
            let needed = is_needed(&parser);
            match parser.parse_statement() {
                Ok(statement) => found.take(statement),
                Err(error) if needed => return Err(broken(file, &error)),
                Err(_) => {
                    found.passed_over += 1;
                    while !matches!(parser.peek_token().token, Token::SemiColon | Token::EOF) {
                        parser.advance_token();
                    }
                }
            }
        }
    }

    fn take(&mut self, statement: Statement) {
        match statement {
            Statement::CreateTable(table) => self.tables.push((plain(&table.name), table)),
            Statement::CreateType {
                name,
                representation: Some(UserDefinedTypeRepresentation::Enum { labels }),
            } => {
                let labels = labels.into_iter().map(|label| label.value).collect();
                self.enums.insert(plain(&name), labels);
            }
            Statement::AlterTable(alter) => {
                let all = alter.operations.len();
                let constraints: Vec<TableConstraint> = alter
                    .operations
                    .into_iter()
                    .filter_map(|operation| match operation {
                        AlterTableOperation::AddConstraint { constraint, .. } => Some(constraint),
                        _ => None,
                    })
                    .collect();
                self.passed_over += usize::from(constraints.len() < all);
                self.constraints
                    .entry(plain(&alter.name))
                    .or_default()
                    .extend(constraints);
            }
            Statement::Comment {
                object_type: CommentObject::Table,
                object_name,
                comment: Some(text),
                ..
            } => {
                self.table_comments.insert(plain(&object_name), text);
            }
            Statement::Comment {
                object_type: CommentObject::Column,
                object_name,
                comment: Some(text),
                ..
            } => {
                let name = plain(&object_name);
                if let Some((table, column)) = name.rsplit_once('.') {
                    let columns = self.column_comments.entry(table.to_owned()).or_default();
                    columns.insert(column.to_owned(), text);
                }
            }
            _ => self.passed_over += 1,
        }
    }
}

/// Whether the next statement makes a table or a type, so that it has to be understood.
fn is_needed(parser: &Parser<'_>) -> bool {
    let word = |at: usize| match parser.peek_nth_token(at).token {
        Token::Word(word) => word.value.to_ascii_uppercase(),
        _ => String::new(),
    };
    word(0) == "CREATE" && (1..5).any(|at| matches!(word(at).as_str(), "TABLE" | "TYPE"))
}

/// The parser's words end with ` at Line: 3, Column: 7`.
fn broken(file: &str, error: &ParserError) -> Error {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "nested too deep".to_owned(),
    };
    let (reason, place) = text.split_once(" at Line: ").unwrap_or((&text, ""));
    let mut error = Error::invalid("a statement cannot be read").with("file", file);
    if let Some((line, column)) = place.split_once(", Column: ") {
        error = error.with("line", line).with("column", column);
    }
    error
        .with("reason", reason)
        .mend("mend it, or name the dialect by --dialect postgres, mysql or ansi")
}
