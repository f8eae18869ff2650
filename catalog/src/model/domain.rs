//! Domains.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a domain says of itself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainRegistration {
    /// The root of the domain's HTTP API: `http` or `https`, host, port and at most a path.
    #[schema(example = "http://127.0.0.1:8100")]
    pub(crate) api_url: String,
    /// What the domain is about; at most 2,000 characters.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// What its handlers read; left out, what was said before stays.
    #[serde(default)]
    pub(crate) reads: Option<Vec<Read>>,
}

/// A topic that a handler reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The handler's name.
    #[schema(example = "assess")]
    pub(crate) handler: String,
    /// The topic.
    #[schema(example = "customer.profiles.v1")]
    pub(crate) topic: String,
}

/// A domain that has registered itself or a product.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Domain {
    /// The domain's name.
    pub(crate) domain: String,
    /// The root of its HTTP API, without a slash at the end; null until the domain has said it.
    pub(crate) api_url: Option<String>,
    /// What the domain is about.
    pub(crate) description: Option<String>,
    /// When it registered for the first time.
    pub(crate) first_seen: DateTime<Utc>,
    /// When it registered itself or a product for the last time.
    pub(crate) last_seen: DateTime<Utc>,
    /// How many products it has, versions not counted.
    pub(crate) products: u32,
}

/// A part of the list of domains, in the order of their names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DomainPage {
    /// The domains.
    pub(crate) items: Vec<Domain>,
    /// The `cursor` that continues the list; null at its end.
    pub(crate) next_cursor: Option<String>,
}
