//! `mesh new consumer`.

use std::path::PathBuf;

use clap::Args;
use mesh_core::{Error, ErrorKind, Result};
use mesh_scaffold::{ConsumerWishes, Place, ProductName, Templates, new_consumer};
use serde::Deserialize;

use crate::ui;

#[derive(Args)]
pub(crate) struct ConsumerArgs {
    /// Domain and consumer, such as shipping/billing
    name: String,
    /// The product that it reads, such as loan/applications
    #[arg(long, value_name = "DOMAIN/PRODUCT")]
    of: String,
    /// The product's contract [default: the one below domains/ here]
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    contract: Option<PathBuf>,
    /// Take the contract from the catalog of the mesh that answers here
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(place: &Place, args: ConsumerArgs, templates: &Templates) -> Result<()> {
    let name = ProductName::parse(&args.name)?;
    let of = ProductName::parse(&args.of)?;
    let contract = match (&args.contract, &args.url) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Error::not_found("the contract cannot be read")
                    .with("file", file.display())
                    .with("reason", error.kind())
                    .mend("name a contract.odcs.yaml that may be read by --contract")
                    .because(error)
            })?;
            Some((file.display().to_string(), text))
        }
        (None, Some(url)) => Some(from_catalog(url, &of).await?),
        (None, None) => None,
    };
    let wishes = ConsumerWishes { of, contract };
    super::write(new_consumer(place, &name, &wishes, templates)?)?;
    ui::line(format!(
        "next: cargo test --workspace --test {}_it",
        name.domain
    ));
    Ok(())
}

/// What the catalog knows of a product.
#[derive(Deserialize)]
struct Known {
    contract_text: String,
}

async fn from_catalog(url: &str, of: &ProductName) -> Result<(String, String)> {
    let mut address = reqwest::Url::parse(url).map_err(|error| {
        Error::invalid("the address of the mesh is no URL")
            .mend("write --url http://127.0.0.1:8080")
            .because(error)
    })?;
    address
        .path_segments_mut()
        .map_err(|()| {
            Error::invalid("the address of the mesh has no path")
                .mend("write --url http://127.0.0.1:8080")
        })?
        .pop_if_empty()
        .extend(["api", "v1", "products", &of.domain, &of.name]);
    let asked = |error: reqwest::Error| {
        Error::unavailable("the catalog does not answer as one")
            .mend("start it with `mesh up`, or say where it is with --url")
            .because(error.without_url())
    };
    let response = reqwest::Client::new()
        .get(address)
        .send()
        .await
        .map_err(asked)?;
    let status = response.status();
    if !status.is_success() {
        let kind = ErrorKind::from_http_status(status.as_u16());
        return Err(
            Error::new(kind, "the catalog does not hand out the product")
                .with("product", of)
                .with("status", status.as_u16())
                .mend("name a product that it lists, see /api/v1/products"),
        );
    }
    let known: Known = response.json().await.map_err(asked)?;
    Ok((format!("{of} of the catalog"), known.contract_text))
}
