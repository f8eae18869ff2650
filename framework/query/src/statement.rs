//! Which statements are let in.
//!
//! An allow-list: one `SELECT`, `WITH` or `VALUES`, `EXPLAIN` of it, `SHOW TABLES`,
//! `SHOW COLUMNS`, `SHOW FUNCTIONS` or `DESCRIBE`. All else is refused before it is planned,
//! whatever DataFusion could do with it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    DescribeAlias, ObjectName, Query, Select, SetExpr, ShowStatementOptions,
    Statement as SqlStatement, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use mesh_core::{Error, ErrorKind, Result};

use crate::product::LogColumn;
use crate::provider::{CATALOG, INFORMATION_SCHEMA};
use crate::sound::Written;

/// The longest statement, in bytes.
pub(crate) const MAX_BYTES: usize = 128 << 10;
/// The longest chain of keywords and operators, with the chains around it. A chain such as
/// `1 + 1 + …` becomes a tree as deep as it is long, which the parser's own limit on nesting
/// does not see, and which would overflow the stack of whoever walks or drops it.
const MAX_CHAIN: usize = 400;
/// The most set operations and joins; they are chains of plans.
const MAX_COMBINED: usize = 100;
/// The most tables, counted where they stand: each is read on its own.
pub(crate) const MAX_TABLES: usize = 64;
/// How deep parentheses and subqueries nest.
const MAX_DEPTH: usize = 50;

/// What `SHOW TABLES` answers: products, without the tables that describe them.
const SHOW_TABLES: &str = "SELECT table_schema, table_name, kind, version, owner, description \
    FROM information_schema.tables ORDER BY table_schema, table_name";

/// A statement that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) statement: Statement,
    /// The columns of the log that the statement names; see [`LogColumn`].
    pub(crate) log_columns: Vec<LogColumn>,
    /// Whether it answers with rows of products, so that a limit makes sense.
    pub(crate) is_query: bool,
    /// The table that it describes, which must be there.
    pub(crate) described: Option<DescribedTable>,
}

/// A table by its domain and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DescribedTable {
    domain: String,
    table: String,
}

/// Parses `sql` and lets it in or refuses it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it does not parse or is too long or too deep;
/// [`ErrorKind::PermissionDenied`] if it is anything but one statement that reads.
pub(crate) fn admit(sql: &str) -> Result<Admitted> {
    if sql.len() > MAX_BYTES {
        return Err(Error::invalid("the statement is too long")
            .with("bytes", sql.len())
            .with("most", MAX_BYTES)
            .mend("split it into several statements"));
    }
    // The widest dialect; names are folded to lower case.
    let dialect = GenericDialect {};
    let log_columns = scan_tokens(sql, &dialect)?;
    let mut statements = parse(sql, &dialect)?;
    let (Some(statement), None) = (statements.pop_front(), statements.front()) else {
        return Err(Error::invalid("expected exactly one statement")
            .mend("send one statement at a time, without an empty one before or after it"));
    };
    let is_query = check(&statement)?;
    let described = described(&statement);
    Ok(Admitted {
        statement: if is_show_tables(&statement) {
            ours(SHOW_TABLES)?
        } else if let Some(table) = &described {
            ours(&table.columns())?
        } else {
            statement
        },
        log_columns,
        is_query,
        described,
    })
}

/// A statement of our own.
fn ours(sql: &str) -> Result<Statement> {
    parse(sql, &GenericDialect {})?
        .pop_front()
        .ok_or_else(|| Error::internal("a statement of the engine's own does not parse"))
}

/// The statement that reads `table`.
pub(crate) fn read(table: &DescribedTable) -> Result<Statement> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    ours(&format!(
        "SELECT 1 FROM {}.{}",
        quoted(&table.domain),
        quoted(&table.table)
    ))
}

impl DescribedTable {
    /// The statement that tells its columns.
    fn columns(&self) -> String {
        let text = |name: &str| format!("'{}'", name.replace('\'', "''"));
        format!(
            "SELECT column_name, data_type, is_nullable, is_key, classification, description \
             FROM information_schema.columns \
             WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
            text(&self.domain),
            text(&self.table)
        )
    }
}

/// The product that `DESCRIBE` names; DataFusion describes everything else.
fn described(statement: &Statement) -> Option<DescribedTable> {
    let Statement::Statement(statement) = statement else {
        return None;
    };
    let SqlStatement::ExplainTable { table_name, .. } = statement.as_ref() else {
        return None;
    };
    let names: Vec<String> = table_name
        .0
        .iter()
        .map(|part| {
            let ident = part.as_ident()?;
            Some(match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => ident.value.to_ascii_lowercase(),
            })
        })
        .collect::<Option<_>>()?;
    let (domain, table) = match names.as_slice() {
        [domain, table] => (domain, table),
        [catalog, domain, table] if catalog == CATALOG => (domain, table),
        _ => return None,
    };
    (domain != INFORMATION_SCHEMA).then(|| DescribedTable {
        domain: domain.clone(),
        table: table.clone(),
    })
}

fn parse(sql: &str, dialect: &dyn Dialect) -> Result<VecDeque<Statement>> {
    DFParserBuilder::new(sql)
        .with_dialect(dialect)
        .with_recursion_limit(MAX_DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| crate::failure::planning(&error))
}

/// Measures the statement before it is parsed, and finds the log columns that it names.
fn scan_tokens(sql: &str, dialect: &dyn Dialect) -> Result<Vec<LogColumn>> {
    let tokens = Tokenizer::new(dialect, sql)
        .tokenize()
        .map_err(|error| Error::invalid(format!("the statement cannot be read: {error}")))?;
    let mut chains = Chains::default();
    let mut combined = 0;
    let mut named = [false; LogColumn::ALL.len()];
    for token in &tokens {
        match token {
            Token::Word(word)
                if word.keyword == Keyword::NoKeyword || word.quote_style.is_some() =>
            {
                let folded = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_ascii_lowercase(),
                };
                for (named, column) in named.iter_mut().zip(LogColumn::ALL) {
                    *named |= folded == column.name();
                }
            }
            Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::LParen | Token::LBracket | Token::LBrace => chains.open(),
            Token::RParen | Token::RBracket | Token::RBrace => chains.close(),
            Token::Comma => chains.begin(),
            Token::Word(word) => match word.keyword {
                Keyword::CASE => chains.open(),
                Keyword::END => chains.close(),
                Keyword::WHEN | Keyword::THEN | Keyword::ELSE => chains.begin(),
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => {
                    combined += 1;
                }
                _ => chains.link(),
            },
            _ => chains.link(),
        }
        if chains.length > MAX_CHAIN {
            return Err(Error::invalid("an expression of the statement is too long")
                .with("most_operators", MAX_CHAIN)
                .mend("write long lists of values as `IN (…)`, or join them as `VALUES`"));
        }
    }
    if combined > MAX_COMBINED {
        return Err(
            Error::invalid("the statement has too many set operations and joins")
                .with("found", combined)
                .with("most", MAX_COMBINED)
                .mend("split it into several statements"),
        );
    }
    Ok(LogColumn::ALL
        .into_iter()
        .zip(named)
        .filter_map(|(column, named)| named.then_some(column))
        .collect())
}

/// How many operators could stand above one another at a place: those of its own list item
/// and of each item around it.
#[derive(Default)]
struct Chains {
    /// The links of the items that enclose the present one.
    around: Vec<usize>,
    here: usize,
    length: usize,
}

impl Chains {
    fn link(&mut self) {
        self.here += 1;
        self.length += 1;
    }

    /// Another item of the same list.
    fn begin(&mut self) {
        self.length -= self.here;
        self.here = 0;
    }

    fn open(&mut self) {
        // The call or case is a link itself.
        self.link();
        self.around.push(self.here);
        self.here = 0;
    }

    fn close(&mut self) {
        self.begin();
        // More closed than opened does not parse; counting on is harmless.
        self.here = self.around.pop().unwrap_or_default();
        self.length = self.length.max(self.here);
    }
}

/// Whether it is `SHOW TABLES` and nothing more; DataFusion refuses what it does not know.
fn is_show_tables(statement: &Statement) -> bool {
    let Statement::Statement(statement) = statement else {
        return false;
    };
    matches!(
        statement.as_ref(),
        SqlStatement::ShowTables {
            terse: false,
            history: false,
            extended: false,
            full: false,
            external: false,
            show_options: ShowStatementOptions {
                show_in: None,
                starts_with: None,
                limit: None,
                limit_from: None,
                filter_position: None,
            },
        }
    )
}

/// Lets a statement in, and says whether it is a query.
fn check(statement: &Statement) -> Result<bool> {
    match statement {
        Statement::Statement(statement) => check_sql(statement),
        Statement::Explain(explain) => match explain.statement.as_ref() {
            Statement::Statement(inner) if matches!(inner.as_ref(), SqlStatement::Query(_)) => {
                check_sql(inner)?;
                Ok(false)
            }
            _ => Err(refused("EXPLAIN of anything but a query")),
        },
        Statement::CreateExternalTable(_) => Err(refused("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(refused("COPY")),
        Statement::Reset(_) => Err(refused("RESET")),
    }
}

fn check_sql(statement: &SqlStatement) -> Result<bool> {
    match statement {
        SqlStatement::Query(query) => {
            let mut only_reads = OnlyReads { tables: 0 };
            if let ControlFlow::Break(what) = query.visit(&mut only_reads) {
                return Err(refused(what));
            }
            let mut written = Written::default();
            if let ControlFlow::Break(refusal) = query.visit(&mut written) {
                return Err(refusal);
            }
            if let Some(refusal) = written.end() {
                return Err(refusal);
            }
            if only_reads.tables > MAX_TABLES {
                return Err(Error::invalid("the statement reads too many tables")
                    .with("found", only_reads.tables)
                    .with("most", MAX_TABLES)
                    .mend("split it into several statements"));
            }
            Ok(true)
        }
        SqlStatement::ExplainTable { .. }
        | SqlStatement::ShowTables { .. }
        | SqlStatement::ShowColumns { .. }
        | SqlStatement::ShowFunctions { .. } => Ok(false),
        SqlStatement::Explain {
            describe_alias: DescribeAlias::Describe | DescribeAlias::Desc,
            statement,
            ..
        } if matches!(statement.as_ref(), SqlStatement::Query(_)) => {
            check_sql(statement)?;
            Ok(false)
        }
        other => {
            // The first word alone: the rest may hold a literal that is nobody's business.
            let text = other.to_string();
            let word = text.split_whitespace().next().unwrap_or("this statement");
            Err(refused(word))
        }
    }
}

fn refused(what: &str) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "only statements that read are allowed",
    )
    .with("refused", what)
    .mend(
        "use SELECT, WITH, VALUES, EXPLAIN of these, SHOW TABLES, SHOW COLUMNS, \
             SHOW FUNCTIONS or DESCRIBE",
    )
}

/// Finds what writes inside of a query, at any depth, and counts tables.
struct OnlyReads {
    tables: usize,
}

impl Visitor for OnlyReads {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("a locking clause");
        }
        body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        match select.into {
            Some(_) => ControlFlow::Break("SELECT INTO"),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<Self::Break> {
        self.tables += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &SqlStatement) -> ControlFlow<Self::Break> {
        match statement {
            SqlStatement::Query(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break("a statement inside of a query"),
        }
    }
}

fn body(expression: &SetExpr) -> ControlFlow<&'static str> {
    match expression {
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Query(_) | SetExpr::Table(_) => {
            ControlFlow::Continue(())
        }
        SetExpr::SetOperation { left, right, .. } => {
            body(left)?;
            body(right)
        }
        SetExpr::Insert(_) => ControlFlow::Break("INSERT"),
        SetExpr::Update(_) => ControlFlow::Break("UPDATE"),
        SetExpr::Delete(_) => ControlFlow::Break("DELETE"),
        SetExpr::Merge(_) => ControlFlow::Break("MERGE"),
    }
}
