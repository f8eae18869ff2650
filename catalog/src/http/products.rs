//! `/api/v1/products`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::exchange::{Known, Segments};
use super::parameters::Parameters;
use crate::app::{App, Wanted};
use crate::model::{ProductDetail, ProductKind, ProductPage, Status};
use crate::refusal::{Problem, Refusal};
use crate::store::Filter;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ProductPath {
    /// The owning domain.
    #[param(example = "customer")]
    domain: String,
    /// The product.
    #[param(example = "credit_scores")]
    product: String,
}

/// The query parameters of the list; read by hand so that a wrong one is named.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `list` reads")]
struct ProductQuery {
    /// Only products of this domain.
    domain: Option<String>,
    /// Only products of this team.
    owner: Option<String>,
    /// Only products whose standing version has this status.
    #[param(inline)]
    status: Option<Status>,
    /// Only event products, or only state products.
    #[param(inline)]
    kind: Option<ProductKind>,
    /// Only products with this tag.
    tag: Option<String>,
    /// Only products that have each of these words in names, descriptions, tags or columns;
    /// letter case does not count, and a word may be part of a longer one.
    q: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before; the filters must be the same.
    cursor: Option<String>,
}

/// The products, each by the version that stands for it
#[utoipa::path(
    get, path = "/api/v1/products", tag = "products", operation_id = "list_products",
    description = "The newest active version stands for a product. In the order of domain and product.",
    params(ProductQuery),
    responses(
        (status = 200, description = "A page of products", body = ProductPage,
            headers(("etag" = String, description = "The tag of this content"))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "A query parameter is wrong", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    let parameters = parameters.only(&[
        "domain", "owner", "status", "kind", "tag", "q", "limit", "cursor",
    ])?;
    let filter = Filter {
        domain: parameters.text("domain")?,
        owner: parameters.text("owner")?,
        status: parameters.word("status", Status::WORDS, Status::parse)?,
        kind: parameters.word("kind", ProductKind::WORDS, ProductKind::parse)?,
        tag: parameters.text("tag")?,
        words: parameters.words("q")?,
    };
    let page = app
        .products(&filter, parameters.limit()?, parameters.cursor())
        .await?;
    known.answer(&page)
}

/// All about a product, by the version that stands for it
#[utoipa::path(
    get, path = "/api/v1/products/{domain}/{product}", tag = "products",
    operation_id = "get_product",
    params(ProductPath),
    responses(
        (status = 200, description = "The product", body = ProductDetail,
            headers(("etag" = String, description = "The tag of this content"))),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such product is registered", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Segments(path): Segments<ProductPath>,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Refusal> {
    parameters.only(&[])?;
    let detail = app
        .product(&path.domain, &path.product, &Wanted::Current)
        .await?;
    known.answer(&detail)
}
