//! Majors that take the place of others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::product::ProductSummary;

/// Which majors to put into service.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Switch {
    /// The major version of each product by its name.
    #[schema(example = json!({"decisions": 2}))]
    pub(crate) products: BTreeMap<String, u64>,
    /// Who has decided it.
    #[serde(default)]
    #[schema(example = "user:anna")]
    pub(crate) by: Option<String>,
}

/// The products after a switch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Switched {
    /// Of each product, the version that stands for it now.
    pub(crate) items: Vec<ProductSummary>,
}
