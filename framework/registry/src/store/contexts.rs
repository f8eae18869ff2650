//! Contexts and the ids that are given in them.

use mesh_core::{Error, ErrorKind, Result};

use super::versions::Page;
use super::{Session, change, number, on};

/// Ids are 32 bits with a sign in the frame of a record.
const LAST: i64 = i32::MAX as i64;

/// Every context in which something was registered, and the default one.
pub(crate) async fn contexts(session: &mut Session, page: Page) -> Result<Vec<String>> {
    on!(session, c => sqlx::query_scalar(
        "SELECT name FROM contexts ORDER BY name LIMIT $1 OFFSET $2",
    )
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(c))
}

/// The highest id given in the context so far; 0 when there is none.
pub(crate) async fn max_id(session: &mut Session, context: &str) -> Result<u32> {
    let last: Option<i64> = on!(session, c => sqlx::query_scalar(
        "SELECT last_id FROM contexts WHERE name = $1",
    )
    .bind(context)
    .fetch_optional(c))?;
    number(last.unwrap_or(0))
}

/// Gives an id that was never given in the context before.
pub(super) async fn next_id(session: &mut Session, context: &str) -> Result<i64> {
    let id: i64 = on!(session, c => sqlx::query_scalar(
        "INSERT INTO contexts (name, last_id) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET last_id = contexts.last_id + 1 RETURNING last_id",
    )
    .bind(context)
    .fetch_one(c))?;
    if id > LAST {
        return Err(Error::new(
            ErrorKind::ResourceExhausted,
            "every id of the context is taken",
        )
        .with("context", context)
        .retryable(false));
    }
    Ok(id)
}

/// Takes an id that a client has chosen, so that no later one is below it.
pub(super) async fn take_id(session: &mut Session, context: &str, id: i64) -> Result<()> {
    change!(
        session,
        sqlx::query(
            "INSERT INTO contexts (name, last_id) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET last_id =
             CASE WHEN contexts.last_id < $2 THEN $2 ELSE contexts.last_id END",
        )
        .bind(context)
        .bind(id)
    )
}
