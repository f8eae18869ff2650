//! What is refused by the way it is written.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, ObjectName, Query, Select, SetExpr,
    SetOperator, SetQuantifier, TableFactor, Visit, Visitor,
};
use mesh_core::{Error, ErrorKind};

/// Finds what would be answered wrongly; its break is the refusal.
#[derive(Default)]
pub(crate) struct Written {
    /// Tables that stand without an alias, and how often.
    plain: HashMap<String, usize>,
    /// Those that stand in a subquery behind ANY or ALL, and how often there.
    compared: HashMap<String, usize>,
}

impl Written {
    /// What shows only when the whole statement was seen.
    pub(crate) fn end(self) -> Option<Error> {
        // The inner table's columns would be taken for the outer one's (datafusion#25258).
        let caught = self
            .compared
            .iter()
            .any(|(table, inside)| self.plain.get(table).is_some_and(|all| all > inside));
        caught.then(|| {
            refused(
                "ANY or ALL over a table that stands outside too, without aliases",
                "give the table an alias inside and outside",
            )
        })
    }
}

impl Visitor for Written {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        for join in select.from.iter().flat_map(|from| &from.joins) {
            join_operator(&join.join_operator)?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        match factor {
            TableFactor::Table {
                name, alias: None, ..
            } => {
                *self.plain.entry(folded(name)).or_default() += 1;
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                for join in &table_with_joins.joins {
                    join_operator(&join.join_operator)?;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        match expr {
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
                if let Expr::Subquery(query) = right.as_ref() {
                    let mut inside = Self::default();
                    query.visit(&mut inside)?;
                    for (table, times) in inside.plain {
                        *self.compared.entry(table).or_default() += times;
                    }
                }
                ControlFlow::Continue(())
            }
            // The parser takes what follows for the right side (sqlparser 0.62).
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)
                if matches!(
                    right.as_ref(),
                    Expr::BinaryOp {
                        op: BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor,
                        ..
                    }
                ) =>
            {
                ControlFlow::Break(refused(
                    "IS DISTINCT FROM with AND or OR behind it",
                    "put parentheses around `a IS DISTINCT FROM b`",
                ))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn folded(name: &ObjectName) -> String {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    let folded = parts.map(|ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    });
    folded.collect::<Vec<_>>().join(".")
}

fn body(expression: &SetExpr) -> ControlFlow<Error> {
    let SetExpr::SetOperation {
        op,
        set_quantifier,
        left,
        right,
    } = expression
    else {
        return ControlFlow::Continue(());
    };
    // They are made semi and anti joins, which do not count (datafusion#12955, #12956).
    if matches!(
        set_quantifier,
        SetQuantifier::All | SetQuantifier::AllByName
    ) && matches!(op, SetOperator::Intersect | SetOperator::Except)
    {
        return ControlFlow::Break(refused(
            "INTERSECT ALL or EXCEPT ALL",
            "use INTERSECT or EXCEPT, or number equal rows with row_number() and compare these too",
        ));
    }
    body(left)?;
    body(right)
}

fn join_operator(operator: &JoinOperator) -> ControlFlow<Error> {
    let constraint = match operator {
        JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => constraint,
        _ => return ControlFlow::Continue(()),
    };
    // The key would be the left one alone (datafusion#22881).
    match constraint {
        JoinConstraint::Using(_) | JoinConstraint::Natural => ControlFlow::Break(refused(
            "RIGHT or FULL JOIN with USING, or NATURAL",
            "write ON a.key = b.key, and coalesce(a.key, b.key) for the key of both",
        )),
        _ => ControlFlow::Continue(()),
    }
}

fn refused(what: &str, mend: &'static str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the statement would not be answered rightly",
    )
    .with("because_of", what)
    .mend(mend)
}
