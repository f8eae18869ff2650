//! The domain's API: a user's list and an item's neighbours.

use mesh_core::{Error, Result, TimestampMillis};
use mesh_runtime::{Context, Reply, Request};

use crate::model::{Popular, Row, State, list};
use crate::products::{ItemNeighbours, RecommendationList};
use crate::suggest::{Known, LIST, POPULAR, ROW, Shelf};

/// `GET /v1/users/{user_id}/list`: the user's list as it was made with the last view; for a user
/// without views what is popular now.
///
/// # Errors
/// Invalid input if the user is no positive number.
pub async fn user_list(request: Request, ctx: Context) -> Result<Reply<RecommendationList>> {
    let user_id = positive(&request, "user_id")?;
    let known: Option<RecommendationList> = ctx.get_record(LIST, &user_id.to_string()).await?;
    if let Some(known) = known {
        return Reply::one(&request, known);
    }
    let popular: Option<Popular> = ctx.get(POPULAR.0, POPULAR.1).await?;
    let state = State {
        popular: popular.unwrap_or_default(),
        ..State::default()
    };
    let newcomer = RecommendationList {
        user_id,
        items: Shelf::new(&ctx, &Known::default())
            .list(&list(&state))
            .await?,
        made_at: TimestampMillis::now(),
        caused_by: None,
        latency_ms: None,
    };
    Reply::one(&request, newcomer)
}

/// `GET /v1/items/{item_id}/neighbours`: the items most similar to one, as of now.
///
/// # Errors
/// Not found for an item that nobody has watched.
pub async fn neighbours(request: Request, ctx: Context) -> Result<Reply<ItemNeighbours>> {
    let item = positive(&request, "item_id")?;
    let row: Option<Row> = ctx.get(ROW, &item.to_string()).await?;
    let row = row.ok_or_else(|| {
        Error::not_found("nobody has watched this item")
            .mend("see the product neighbours for the items that have some")
    })?;
    let known = Shelf::new(&ctx, &Known::default())
        .neighbours(item, &row.neighbours(), TimestampMillis::now())
        .await?;
    Reply::one(&request, known)
}

fn positive(request: &Request, name: &'static str) -> Result<i64> {
    let number: i64 = request.parse(name)?;
    if number >= 1 {
        return Ok(number);
    }
    Err(Error::invalid("a parameter is not of the right form")
        .with("parameter", name)
        .mend("send a positive whole number"))
}
