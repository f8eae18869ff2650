//! Products and their versions.

use std::fmt;

use chrono::{DateTime, Utc};
use mesh_core::contract;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::document::Document;

/// A word that is stored and sent as its lower-case name.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// Every word that is understood.
            pub(crate) const WORDS: &'static [&'static str] = &[$($text),*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

word!(
    /// Where a version stands in its life: as its contract says (ODCS `status`), unless its
    /// major was put into service or another in its place.
    Status {
        /// Talked about.
        Proposed = "proposed",
        /// Being written.
        Draft = "draft",
        /// In service.
        Active = "active",
        /// In service, and its end is announced.
        Deprecated = "deprecated",
        /// Out of service.
        Retired = "retired",
    }
);

word!(
    /// How a product's records relate: `event` is a log of facts, `state` the latest row per key.
    ProductKind {
        /// Append-only facts.
        Event = "event",
        /// Keyed rows that replace each other.
        State = "state",
    }
);

impl From<contract::ProductKind> for ProductKind {
    fn from(kind: contract::ProductKind) -> Self {
        match kind {
            contract::ProductKind::Event => Self::Event,
            contract::ProductKind::State => Self::State,
        }
    }
}

/// What a domain registers for one version of a product.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductRegistration {
    /// The text of `product.odps.yaml` (Bitol ODPS v1.0.0), at most 1 MiB.
    pub(crate) product: String,
    /// The text of `contract.odcs.yaml` (Bitol ODCS v3.2.0), at most 1 MiB.
    pub(crate) contract: String,
    /// The topic, as the contract's `schema[0].physicalName` says.
    #[schema(example = "customer.credit_scores.v1")]
    pub(crate) topic: String,
    /// The id of the key schema in the schema registry; 0 only where the contract says that
    /// keys are written without one.
    #[schema(minimum = 0)]
    pub(crate) key_schema_id: u32,
    /// The id of the value schema in the schema registry.
    #[schema(minimum = 1)]
    pub(crate) value_schema_id: u32,
    /// The Avro schema of keys as registered, JSON as text, at most 1 MiB.
    pub(crate) key_schema: String,
    /// The Avro schema of values as registered, JSON as text, at most 1 MiB.
    pub(crate) value_schema: String,
}

/// What a registration changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The version is new.
    Created,
    /// The version was there under the same contract, and something else about it is new.
    Updated,
    /// All of it was there.
    Unchanged,
}

/// The answer to a registration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Registered {
    /// What changed.
    pub(crate) outcome: Outcome,
    /// The version that stands for the product now; it need not be the registered one.
    pub(crate) current_version: String,
    /// The registered version.
    #[serde(flatten)]
    pub(crate) summary: ProductSummary,
}

/// The answer to the removal of a version.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// The version that stands for the product now; null where none is left.
    pub(crate) current_version: Option<String>,
}

/// A product as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ProductSummary {
    /// The owning domain, which is the schema in SQL.
    pub(crate) domain: String,
    /// The product, which is the table in SQL.
    pub(crate) product: String,
    /// The semantic version that the rest of this entry is about.
    pub(crate) version: String,
    /// Event or state.
    pub(crate) kind: ProductKind,
    /// Where the version stands in its life.
    pub(crate) status: Status,
    /// The owning team.
    pub(crate) owner: String,
    /// What the product is for.
    pub(crate) description: Option<String>,
    /// The Kafka topic.
    pub(crate) topic: String,
    /// The id of the value schema in the schema registry.
    pub(crate) value_schema_id: u32,
    /// The tags of product, contract and record, without repeats.
    pub(crate) tags: Vec<String>,
    /// When the version was first registered.
    pub(crate) registered_at: DateTime<Utc>,
    /// When something about the version last changed.
    pub(crate) updated_at: DateTime<Utc>,
}

/// A part of the list of products, in the order of domain and product.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProductPage {
    /// The products.
    pub(crate) items: Vec<ProductSummary>,
    /// The `cursor` that continues the list; null at its end.
    pub(crate) next_cursor: Option<String>,
}

/// One version among the versions of a product.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct VersionSummary {
    /// The semantic version.
    pub(crate) version: String,
    /// The major version, which names the topic and, in SQL, `<product>_v<major>`.
    pub(crate) major: u64,
    /// Where it stands in its life.
    pub(crate) status: Status,
    /// The Kafka topic.
    pub(crate) topic: String,
    /// Whether it stands for the product.
    pub(crate) current: bool,
    /// Whether it stands for its major version.
    pub(crate) current_of_major: bool,
    /// The major version that was put into service in place of this one; null while none was.
    pub(crate) successor: Option<u64>,
    /// When it was first registered.
    pub(crate) registered_at: DateTime<Utc>,
    /// When something about it last changed.
    pub(crate) updated_at: DateTime<Utc>,
}

/// A contract that a product reads, and the product behind it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Upstream {
    /// The id of the contract relied on.
    pub(crate) contract_id: String,
    /// The domain of the product behind it; null while none is registered.
    pub(crate) domain: Option<String>,
    /// The product behind it; null while none is registered.
    pub(crate) product: Option<String>,
}

/// When a version ends, and what follows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Life {
    /// `current`, `announced` (an end is), `unsupported` (no new reader is accepted) or
    /// `ended` (nobody reads it any more).
    #[schema(example = "announced")]
    pub(crate) stage: &'static str,
    /// From when no new reader is accepted; null while that is not announced.
    pub(crate) end_of_support: Option<DateTime<Utc>>,
    /// From when nobody reads it any more; null while that is not announced.
    pub(crate) end_of_life: Option<DateTime<Utc>>,
    /// The topic of the major version to read instead; null while there is none.
    #[schema(example = "customer.credit_scores.v2")]
    pub(crate) successor: Option<String>,
}

/// Somebody who reads a product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(crate) struct Reader {
    /// The domain.
    pub(crate) domain: String,
    /// The product that is made from it; null for a handler.
    pub(crate) product: Option<String>,
    /// The handler that reads it; null where only a product names it as its input.
    pub(crate) handler: Option<String>,
}

/// All about one version of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProductDetail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub(crate) summary: ProductSummary,
    /// What its contract and product files say.
    #[serde(flatten)]
    pub(crate) document: Document,
    /// The id of the key schema in the schema registry.
    pub(crate) key_schema_id: u32,
    /// The registry subject of keys.
    pub(crate) key_subject: String,
    /// The registry subject of values.
    pub(crate) value_subject: String,
    /// The Avro schema of keys as registered, JSON as text.
    pub(crate) key_schema: String,
    /// The Avro schema of values as registered, JSON as text.
    pub(crate) value_schema: String,
    /// The text of `contract.odcs.yaml`.
    pub(crate) contract_text: String,
    /// The text of `product.odps.yaml`.
    pub(crate) product_text: String,
    /// The contracts it reads, and the products behind them: lineage, one step up.
    pub(crate) upstream: Vec<Upstream>,
    /// When it ends, and what follows it.
    pub(crate) lifecycle: Life,
    /// Who reads it, as far as domains say: lineage, one step down.
    pub(crate) readers: Vec<Reader>,
    /// Every version, the highest first.
    pub(crate) versions: Vec<VersionSummary>,
}
