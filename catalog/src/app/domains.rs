//! Domains register themselves and are looked up.

use std::net::IpAddr;

use chrono::Utc;
use mesh_core::contract::check_name;
use mesh_core::{Error, Result};
use url::{Host, Url};

use super::{App, cursor};
use crate::model::{Domain, DomainPage, DomainRegistration};
use crate::store;

const MAX_URL: usize = 2_048;
/// The longest name of a topic is 249 characters; handlers need no more.
const MAX_NAME: usize = 249;
const MAX_DESCRIPTION: usize = 2_000;

impl App {
    /// Keeps what a domain says of itself; also says whether the domain is new.
    pub(crate) async fn register_domain(
        &self,
        name: &str,
        registration: DomainRegistration,
    ) -> Result<(bool, Domain)> {
        if let Err((message, mend)) = check_name(name) {
            return Err(Error::invalid(message).with("field", "domain").mend(mend));
        }
        let api_url = api_url(&registration.api_url)?;
        let description = registration
            .description
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
            return Err(Error::invalid("the description is too long")
                .with("field", "description")
                .mend(format!("say it in {MAX_DESCRIPTION} characters")));
        }
        for read in registration.reads.iter().flatten() {
            for (field, text) in [("handler", &read.handler), ("topic", &read.topic)] {
                if text.is_empty() || text.len() > MAX_NAME {
                    return Err(Error::invalid("a name is empty or too long")
                        .with("field", format!("reads.{field}"))
                        .mend(format!("write 1 to {MAX_NAME} characters")));
                }
            }
        }
        let mut transaction = self.store.write().await?;
        let known = store::domain(&mut transaction, name).await?;
        store::put_domain(&mut transaction, name, &api_url, description, Utc::now()).await?;
        if let Some(reads) = &registration.reads {
            store::put_reads(&mut transaction, name, reads).await?;
        }
        let domain = store::domain(&mut transaction, name).await?;
        store::commit(transaction).await?;
        let domain = domain.ok_or_else(|| Error::internal("a domain is gone while it is kept"))?;
        if known.as_ref().and_then(|known| known.api_url.as_deref()) != Some(api_url.as_str()) {
            tracing::info!(domain = name, api_url, "domain registered");
        }
        Ok((known.is_none(), domain))
    }

    pub(crate) async fn domain(&self, name: &str) -> Result<Domain> {
        let mut transaction = self.store.read().await?;
        let domain = store::domain(&mut transaction, name).await?;
        domain.ok_or_else(|| {
            Error::not_found("no such domain is registered")
                .with("domain", name)
                .mend("start the domain's process, or look at GET /api/v1/domains")
        })
    }

    pub(crate) async fn domains(&self, limit: u32, after: Option<&str>) -> Result<DomainPage> {
        const LIST: &str = "domains";
        let after = match after {
            Some(text) => cursor::read(LIST, text).map_err(|error| {
                error.mend("ask without `cursor` for the beginning of the list")
            })?,
            None => String::new(),
        };
        let mut transaction = self.store.read().await?;
        let mut items = store::domains(&mut transaction, &after, limit + 1).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| cursor::write(LIST, &last.domain));
        Ok(DomainPage { items, next_cursor })
    }
}

/// The root of a domain's API as others will call it, without a slash at the end.
fn api_url(text: &str) -> Result<String> {
    let refuse = |message: &'static str| {
        Err(Error::invalid(message)
            .with("field", "api_url")
            .mend("write it like `http://host:8100`"))
    };
    if text.len() > MAX_URL {
        return refuse("the api_url is too long");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse("the api_url is no absolute url");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("the api_url is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("the api_url holds a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("the api_url holds a query or fragment");
    }
    if url.port() == Some(0) {
        return refuse("the api_url has port 0");
    }
    let nowhere = match url.host() {
        None => return refuse("the api_url has no host"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_unspecified(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_unspecified(),
        Some(Host::Domain(_)) => false,
    };
    if nowhere {
        return refuse("the api_url names every address and so none that others can call");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
