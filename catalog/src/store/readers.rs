//! Who reads which product.

use mesh_core::Result;
use sqlx::SqliteConnection;

use super::failed;
use crate::model::{Read, Reader};

/// Says what the handlers of `domain` read, over what it said before.
pub(crate) async fn put_reads(
    connection: &mut SqliteConnection,
    domain: &str,
    reads: &[Read],
) -> Result<()> {
    sqlx::query("DELETE FROM readers WHERE domain = ?")
        .bind(domain)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    for read in reads {
        sqlx::query("INSERT OR IGNORE INTO readers (domain, handler, topic) VALUES (?, ?, ?)")
            .bind(domain)
            .bind(&read.handler)
            .bind(&read.topic)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// Those who read the topic, or name the contract as an input of a product that stands: the
/// handlers first, in the order of their names.
pub(crate) async fn readers(
    connection: &mut SqliteConnection,
    topic: &str,
    contract_id: &str,
    major: u64,
) -> Result<Vec<Reader>> {
    let handlers: Vec<(String, String)> =
        sqlx::query_as("SELECT domain, handler FROM readers WHERE topic = ? ORDER BY 1, 2")
            .bind(topic)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
    let products: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT v.domain, v.product FROM versions AS v, \
         json_each(v.document, '$.input_ports') AS port \
         WHERE v.current = 1 AND port.value ->> 'contract_id' = ?1 \
         AND (port.value ->> 'version' = ?2 OR port.value ->> 'version' LIKE ?2 || '.%') \
         ORDER BY 1, 2",
    )
    .bind(contract_id)
    .bind(major.to_string())
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let handlers = handlers.into_iter().map(|(domain, handler)| Reader {
        domain,
        product: None,
        handler: Some(handler),
    });
    let products = products.into_iter().map(|(domain, product)| Reader {
        domain,
        product: Some(product),
        handler: None,
    });
    Ok(handlers.chain(products).collect())
}
