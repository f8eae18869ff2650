//! Products: of each, the version that stands for it.

use mesh_core::Result;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::failed;
use super::versions::{SUMMARY, SummaryRow};
use crate::model::{ProductKind, ProductSummary, Status};

/// Which products a list holds; what is `None` or empty holds back none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) domain: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) kind: Option<ProductKind>,
    pub(crate) tag: Option<String>,
    /// Words in lower case, all of which must be found.
    pub(crate) words: Vec<String>,
}

/// At most `limit` products in the order of domain and product, those after `after`.
pub(crate) async fn products(
    connection: &mut SqliteConnection,
    filter: &Filter,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<ProductSummary>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(SUMMARY).push(" FROM versions WHERE current = 1");
    let status = filter.status.map(Status::as_str);
    let kind = filter.kind.map(ProductKind::as_str);
    for (condition, value) in [
        (" AND domain = ", filter.domain.as_deref()),
        (" AND owner = ", filter.owner.as_deref()),
        (" AND status = ", status),
        (" AND kind = ", kind),
    ] {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(tag) = &filter.tag {
        query
            .push(" AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ")
            .push_bind(tag)
            .push(")");
    }
    for word in &filter.words {
        query
            .push(" AND instr(search, ")
            .push_bind(word)
            .push(") > 0");
    }
    if let Some((domain, product)) = after {
        query
            .push(" AND (domain, product) > (")
            .push_bind(domain)
            .push(", ")
            .push_bind(product)
            .push(")");
    }
    query
        .push(" ORDER BY domain, product LIMIT ")
        .push_bind(limit);
    let rows: Vec<SummaryRow> = query
        .build_query_as()
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    rows.into_iter().map(SummaryRow::read).collect()
}

/// Makes `version` the one that stands for the product.
pub(crate) async fn set_current(
    connection: &mut SqliteConnection,
    domain: &str,
    product: &str,
    version: &str,
) -> Result<()> {
    // Two statements, because SQLite checks the unique index row by row.
    sqlx::query(
        "UPDATE versions SET current = 0 \
         WHERE domain = ? AND product = ? AND current = 1 AND version <> ?",
    )
    .bind(domain)
    .bind(product)
    .bind(version)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    sqlx::query(
        "UPDATE versions SET current = 1 \
         WHERE domain = ? AND product = ? AND version = ? AND current = 0",
    )
    .bind(domain)
    .bind(product)
    .bind(version)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
